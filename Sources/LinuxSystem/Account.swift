/// The account that a configuration names by `user` or `group`, as a name or a number; see passwd(5) and group(5).
import Glibc

public struct Account: Hashable, Sendable {
    public let name: String
    public let uid: uid_t
    /// Its first group.
    public private(set) var gid: gid_t

    /// The user that the daemons become by default.
    public static let defaultName = "linkwatch"

    /// The default user of this machine; nil: there is none, or /etc/passwd cannot be read.
    public static var ofDaemons: Account? { unsafe local { unsafe String(cString: $0.pw_name) == defaultName } }

    /// A user that existed when the configuration was checked, and does not exist any more.
    public struct Missing: Error, Hashable, CustomStringConvertible {
        let name: String
        public var description: String { "there is no user '\(name)'" }
    }

    /// The account that a daemon becomes; nil: it keeps its own, as it was not started by root, or as this machine has no
    /// default user.
    ///
    /// - Parameter user: what the configuration names; nil: the default user.
    /// - Throws: `Missing`: the start fails rather than stay root.
    public static func ofDaemon(_ user: String?) throws(Missing) -> Account? {
        guard geteuid() == 0 else { return nil }
        guard let user else { return ofDaemons }
        guard let account = Account(user) else { throw Missing(name: user) }
        return account
    }

    /// Looks in /etc/passwd first. Other sources may take as long as a directory service does, and its library stays
    /// loaded.
    ///
    /// - Returns: nil when there is no account of that name or number.
    public init?(_ user: String) {
        let number = uid_t(user)
        if let local = unsafe Self.local({ unsafe String(cString: $0.pw_name) == user }) {
            self = local
        } else if let number, let local = unsafe Self.local({ unsafe $0.pw_uid == number }) {
            self = local
        } else {
            var entry = unsafe getpwnam(user)
            if unsafe entry == nil, let number { unsafe entry = getpwuid(number) }
            guard let entry = unsafe entry else { return nil }
            unsafe self.init(entry.pointee)
        }
    }

    /// The account that a program runs as: `NAME`, or `NAME:GROUP`, whose group takes the place of the user's first one. The
    /// user's other groups stay.
    ///
    /// - Returns: nil when there is no such account, or no such group.
    public init?(ofProgram text: String) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let user = parts.first else { return nil }
        self.init(user)
        guard parts.count > 1 else { return }
        guard let group = Self.groupID(parts[1]) else { return nil }
        gid = group
    }

    private init(_ entry: passwd) {
        name = unsafe String(cString: entry.pw_name)
        (uid, gid) = unsafe (entry.pw_uid, entry.pw_gid)
    }

    private static func local(_ fits: (passwd) -> Bool) -> Account? {
        guard let file = unsafe fopen("/etc/passwd", "re") else { return nil }
        defer { unsafe fclose(file) }
        while let entry = unsafe fgetpwent(file) {
            if unsafe fits(entry.pointee) { return unsafe Account(entry.pointee) }
        }
        return nil
    }

    /// A group's number. One that is given as a number needs no entry.
    ///
    /// - Returns: nil when there is no group of that name.
    public static func groupID(_ group: String) -> gid_t? {
        if let number = gid_t(group) { return number }
        guard let entry = unsafe getgrnam(group) else { return nil }
        return unsafe entry.pointee.gr_gid
    }
}
