/// A datagram that a netlink socket has received.
import CLinux
import Glibc
import SystemPackage

public enum NetlinkDatagram {
    /// Takes one datagram without waiting.
    ///
    /// - Returns: its length, which is more than the buffer's where the rest is lost, and whether it comes from somebody else
    ///   than the kernel.
    /// - Throws: `Errno.wouldBlock` when there is none, `Errno.noBufferSpace` when messages were lost, or what recvfrom(2) says.
    public static func receive(
        from fd: CInt, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> (count: Int, isForeign: Bool) {
        var isForeign = false
        let count = try Syscall.check(
            unsafe clinux_netlink_receive(fd, buffer.baseAddress, buffer.count, &isForeign))
        return (Int(count), isForeign)
    }
}
