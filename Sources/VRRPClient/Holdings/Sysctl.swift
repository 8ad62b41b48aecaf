/// The kernel's switches under /proc/sys, read and written as sysctl(8) does. Those of the network need CAP_NET_ADMIN alone.
///
/// A name is written with slashes, `net/ipv4/conf/eth0/arp_ignore`, because names of interfaces may have dots.
import Glibc
import LinuxSystem
import SystemPackage

enum Sysctl {
    /// The number that a switch holds.
    ///
    /// - Throws: ENOENT when there is no such switch or interface, EINVAL when it holds no number.
    static func value(_ name: String) throws(Errno) -> Int {
        let file = try open(name, O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 32)
        let length = try Syscall.retry { unsafe read(file.raw, &bytes, bytes.count) }
        let text = String(decoding: bytes.prefix(length), as: UTF8.self)
        guard let value = text.split(whereSeparator: \.isWhitespace).first.flatMap({ Int($0) }) else {
            throw .invalidArgument
        }
        return value
    }

    /// Turns a switch.
    ///
    /// - Throws: what open(2) or write(2) says: EROFS where /proc/sys is read-only, EACCES without the right to it.
    static func set(_ name: String, _ value: Int) throws(Errno) {
        let file = try open(name, O_WRONLY)
        let text = String(value)
        try Syscall.retry { unsafe write(file.raw, text, text.utf8.count) }
    }

    /// Whether the other addresses of a network stay when its first one goes.
    static func promotesSecondaries(on interface: String) -> Bool {
        ["all", interface].contains { (try? value("net/ipv4/conf/\($0)/promote_secondaries")) == 1 }
    }

    /// - Returns: false when the kernel refuses.
    @discardableResult
    static func setPromotion(on interface: String, _ isOn: Bool) -> Bool {
        (try? set("net/ipv4/conf/\(interface)/promote_secondaries", isOn ? 1 : 0)) != nil
    }

    private static func open(_ name: String, _ mode: CInt) throws(Errno) -> Descriptor {
        let path = "/proc/sys/\(name)"
        return Descriptor(owning: try Syscall.retry { unsafe Glibc.open(path, mode | O_CLOEXEC) })
    }
}
