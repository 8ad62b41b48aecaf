/// Whom the configuration means by `user`: a name, or a number, of passwd(5).
import Glibc

struct Account {
    let name: String
    let uid: uid_t
    let gid: gid_t

    /// - Returns: nil when there is nobody of that name or number.
    init?(_ user: String) {
        var entry = unsafe getpwnam(user)
        if unsafe entry == nil, let number = uid_t(user) { unsafe entry = getpwuid(number) }
        guard let entry = unsafe entry else { return nil }
        name = unsafe String(cString: entry.pointee.pw_name)
        (uid, gid) = unsafe (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }
}
