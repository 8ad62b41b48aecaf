/// The few switches under /proc/sys/net that virtual addresses need. CAP_NET_ADMIN suffices to turn them.
import Glibc

enum Sysctl {
    /// When the first address of a network goes, the others of that network stay.
    static func promoteSecondaries(on interface: String) -> Bool {
        set("ipv4/conf/\(interface)/promote_secondaries", "1")
    }

    /// - Returns: false when the kernel refuses, or there is no such switch.
    @discardableResult
    static func set(_ name: String, _ value: String) -> Bool {
        let fd = unsafe open("/proc/sys/net/\(name)", O_WRONLY | O_CLOEXEC)
        guard fd >= 0 else { return false }
        defer { close(fd) }
        return unsafe write(fd, value, value.utf8.count) == value.utf8.count
    }
}
