/// The multicast groups that the kernel is a member of, by /proc/net/igmp6.
import Addresses
import Glibc
import LinuxSystem
import SystemPackage

enum Memberships {
    /// A file that is longer is not read to its end: on a machine of ten thousand interfaces it has some megabytes.
    private static let bytesMax = 16 << 20

    /// Whether the kernel is a member of an IPv6 group on an interface; true when that cannot be found out.
    static func has(_ group: IPAddress, on ifindex: Int32) -> Bool {
        guard let fd = try? Syscall.retry("open", { unsafe open("/proc/self/net/igmp6", O_RDONLY | O_CLOEXEC) })
        else { return true }
        let file = Descriptor(owning: fd)
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while text.count < bytesMax {
            guard let length = try? Syscall.retry("read", { unsafe read(file.raw, &piece, piece.count) }) else {
                return true
            }
            if length == 0 { return lists(group, on: ifindex, in: String(decoding: text, as: UTF8.self)) }
            text += piece.prefix(length)
        }
        return true
    }

    /// Each line: number and name of the interface, the group as 32 digits, users, flags, timer.
    static func lists(_ group: IPAddress, on ifindex: Int32, in text: String) -> Bool {
        let digits = group.bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        return text.split(separator: "\n").contains { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            return words.count > 2 && Int32(words[0]) == ifindex && words[2] == digits
        }
    }
}
