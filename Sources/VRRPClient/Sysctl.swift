/// The few switches under /proc/sys/net that virtual addresses need. CAP_NET_ADMIN suffices to turn them.
import Glibc

enum Sysctl {
    /// Whether the other addresses of a network stay when its first one goes.
    static func promotesSecondaries(on interface: String) -> Bool {
        ["all", interface].contains { get("ipv4/conf/\($0)/promote_secondaries") == "1" }
    }

    /// - Returns: false when the kernel refuses.
    @discardableResult
    static func setPromotion(on interface: String, _ isOn: Bool) -> Bool {
        set("ipv4/conf/\(interface)/promote_secondaries", isOn ? "1" : "0")
    }

    /// The value of a switch; nil: there is no such switch, or it cannot be read.
    static func get(_ name: String) -> String? {
        let fd = unsafe open("/proc/sys/net/\(name)", O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(fd, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
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
