/// Unix stream sockets: making, connecting and asking who is at the other end.
import CLinux
import Glibc
import LinuxSystem
import SystemPackage

/// Who is at the other end of a connection, as the kernel knew it when the connection was made.
public struct PeerCredentials: Hashable, Sendable {
    public var pid: pid_t
    public var uid: uid_t
    public var gid: gid_t

    /// May do what changes the service: root, and the user that the service runs as.
    public var isPrivileged: Bool { uid == 0 || uid == geteuid() }

    /// - Throws: what getsockopt(2) says. The corresponding C constant is `SO_PEERCRED`.
    init(of fd: CInt) throws(Errno) {
        var peer = clinux_peer()
        try Syscall.check(unsafe clinux_peercred(fd, &peer))
        (pid, uid, gid) = (peer.pid, peer.uid, peer.gid)
    }
}

enum UnixSocket {
    /// A stream socket, close-on-exec.
    static func make(nonBlocking: Bool) throws(Errno) -> Descriptor {
        let flags = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | (nonBlocking ? SOCK_NONBLOCK.rawValue : 0)
        return Descriptor(owning: try Syscall.retry { socket(AF_UNIX, CInt(flags), 0) })
    }

    /// Connects to the service at `path`.
    ///
    /// - Parameter timeoutNs: how long a service whose backlog is full may take; nil: not at all, which is `EAGAIN`.
    /// - Throws: what connect(2) says; `Errno.fileNameTooLong` for a path that no socket can have.
    static func connect(_ path: String, timeoutNs: Int64?) throws(Errno) -> Descriptor {
        let descriptor = try make(nonBlocking: timeoutNs == nil)
        if let timeoutNs {
            // For Unix sockets the kernel bounds connect(2) by the send timeout; 0 would mean for ever.
            var time = timeval(
                tv_sec: Int(timeoutNs / 1_000_000_000), tv_usec: max(1, Int(timeoutNs % 1_000_000_000 / 1000)))
            try Syscall.retry {
                unsafe setsockopt(
                    descriptor.raw, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            }
        }
        try unsafe withAddress(path) { address, length in unsafe Glibc.connect(descriptor.raw, address, length) }
        return descriptor
    }

    /// Makes a call that takes a socket's address.
    static func withAddress(
        _ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) throws(Errno) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isFitting = unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
            // One byte stays for the NUL; a NUL inside would silently name another file.
            guard !path.isEmpty, path.utf8.count < room.count, !path.utf8.contains(0) else { return false }
            unsafe room.copyBytes(from: path.utf8)
            return true
        }
        guard isFitting else { throw .fileNameTooLong }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        try unsafe withUnsafePointer(to: &address) { pointer throws(Errno) in
            try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address throws(Errno) in
                _ = try Syscall.retry { unsafe call(address, length) }
            }
        }
    }
}
