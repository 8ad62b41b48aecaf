/// The socket file of a service: taken over when its last owner died, left alone when its owner lives.
///
/// A file that a dead process left behind refuses connections, but so does one whose process has bound it and does not
/// listen yet. A lock on `PATH.lock` tells the two apart: whoever holds it owns the path. The connection test remains, for
/// owners that know nothing of the lock. Mode and group are set between bind(2) and listen(2), when nobody can connect.
/// A service manager may also hand the socket in (systemd's `LISTEN_FDS`); then the file is the manager's.
import CLinux
import Glibc
import LinuxSystem
import SystemPackage

public final class ListeningSocket {
    /// Why there is no socket.
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// A living service has it.
        case inUse(path: String)
        /// There is a file of another kind.
        case notASocket(path: String)
        /// What was handed in does not listen.
        case notListening
        case system(path: String, call: String, errno: CInt)

        public var description: String {
            switch self {
            case .inUse(let path): "\(path): another service listens there"
            case .notASocket(let path): "\(path): there is a file that is not a socket"
            case .notListening: "LISTEN_FDS: not a listening stream socket"
            case .system(let path, let call, let errno): "\(path): \(call): \(Errno(rawValue: errno))"
            }
        }
    }

    /// Where it is; nil: it was handed in.
    public let path: String?

    private let descriptor: Descriptor
    private let lock: Descriptor?
    /// Tells our file from a later one at the same path.
    private let identity: FileIdentity?

    private struct FileIdentity: Equatable {
        var device: dev_t
        var inode: ino_t
    }

    var raw: CInt { descriptor.raw }

    /// Makes the folder that a socket is to be in, mode 0755, unless it is there; whether that worked shows when the socket
    /// is made.
    public static func makeFolder(of path: String) {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
        unsafe mkdir(String(path[..<slash]), 0o755)
    }

    /// The socket of a service: the one that a service manager handed in, or else one at `path`, whose folder is made if it is
    /// missing.
    ///
    /// - Parameters:
    ///   - mode: the file's permission bits; who may write to it may connect.
    ///   - group: the file's group, by name or number; nil: the process's own.
    /// - Throws: `UsageError` for a group that does not exist, or a `Failure`.
    public static func ofService(path: String, mode: mode_t, group: String?) throws -> ListeningSocket {
        if let socket = try handedIn() { return socket }
        let id = try group.map { group in
            guard let id = Account.groupID(group) else { throw UsageError("there is no group '\(group)'") }
            return id
        }
        makeFolder(of: path)
        return try ListeningSocket(path: path, mode: mode, group: id)
    }

    /// Binds `path` and listens. The folder must exist.
    ///
    /// - Parameters:
    ///   - mode: the file's permission bits; who may write to it may connect.
    ///   - group: the file's group; nil: the process's own.
    /// - Throws: that another service has it, or the call that failed.
    public init(path: String, mode: mode_t = 0o660, group: gid_t? = nil) throws(Failure) {
        let lock = try Self.lock(path)
        try Self.removeStale(path)
        let descriptor = try Self.attempt(path, "socket") { () throws(Errno) in
            try UnixSocket.make(nonBlocking: true)
        }
        // A file gets the group that its maker has, so that CAP_SETGID is enough where CAP_CHOWN is missing.
        let ownGroup = getegid()
        if let group { _ = setegid(group) }
        defer { _ = setegid(ownGroup) }
        try Self.attempt(path, "bind") { () throws(Errno) in
            try unsafe UnixSocket.withAddress(path) { address, length in unsafe bind(descriptor.raw, address, length) }
        }
        if let group, getegid() != group {
            try Self.attempt(path, "chown") { () throws(Errno) in
                _ = try Syscall.retry { unsafe chown(path, .max, group) }
            }
        }
        try Self.attempt(path, "chmod") { () throws(Errno) in
            _ = try Syscall.retry { unsafe chmod(path, mode) }
        }
        try Self.attempt(path, "listen") { () throws(Errno) in
            _ = try Syscall.retry { listen(descriptor.raw, SOMAXCONN) }
        }
        self.path = path
        self.identity = Self.identity(of: path)
        self.lock = consume lock
        self.descriptor = consume descriptor
    }

    /// The socket that a service manager handed in; nil: none was. Call it once: the environment is cleared, so that
    /// programs started later do not believe it is theirs.
    ///
    /// - Throws: if what was handed in is no listening stream socket.
    public static func handedIn() throws(Failure) -> ListeningSocket? {
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsafe unsetenv(name) } }
        guard environment("LISTEN_PID") == String(getpid()), let count = environment("LISTEN_FDS").flatMap(Int.init),
            count > 0
        else { return nil }
        // SD_LISTEN_FDS_START; of several, the one that is named "varlink" as systemd's convention has it.
        let names = environment("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        let index = names.prefix(count).firstIndex(of: "varlink") ?? 0
        return try ListeningSocket(adopting: CInt(3 + index))
    }

    private init(adopting fd: CInt) throws(Failure) {
        guard Self.option(fd, SO_ACCEPTCONN) == 1, Self.option(fd, SO_TYPE) == CInt(SOCK_STREAM.rawValue),
            Self.option(fd, SO_DOMAIN) == AF_UNIX
        else { throw .notListening }
        let descriptor = Descriptor(owning: fd)
        _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
        _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
        self.descriptor = consume descriptor
        path = nil
        lock = nil
        identity = nil
    }

    /// Removes the file, if it is still ours. The lock's file stays: removing it would let two processes lock two files.
    deinit {
        guard let path, let identity, Self.identity(of: path) == identity else { return }
        unsafe unlink(path)
    }

    // MARK: Taking a path over

    private static func lock(_ path: String) throws(Failure) -> Descriptor {
        let name = path + ".lock"
        let lock = try attempt(name, "open") { () throws(Errno) in
            let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
            return Descriptor(owning: try Syscall.retry { unsafe open(name, flags, 0o600) })
        }
        do throws(Errno) {
            try Syscall.retry { flock(lock.raw, LOCK_EX | LOCK_NB) }
        } catch {
            throw error == .wouldBlock
                ? .inUse(path: path) : .system(path: name, call: "flock", errno: error.rawValue)
        }
        return lock
    }

    private static func removeStale(_ path: String) throws(Failure) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        do throws(Errno) {
            _ = try UnixSocket.connect(path, timeoutNs: nil)
            throw Errno.addressInUse
        } catch .connectionRefused {
            unsafe unlink(path)
        } catch .noSuchFileOrDirectory {
            return
        } catch {
            throw .inUse(path: path)
        }
    }

    private static func identity(of path: String) -> FileIdentity? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        return FileIdentity(device: status.st_dev, inode: status.st_ino)
    }

    // MARK: Calls

    private static func attempt<Value: ~Copyable>(
        _ path: String, _ call: String, _ body: () throws(Errno) -> Value
    ) throws(Failure) -> Value {
        do throws(Errno) {
            return try body()
        } catch {
            throw .system(path: path, call: call, errno: error.rawValue)
        }
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    private static func option(_ fd: CInt, _ option: CInt) -> CInt? {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return unsafe getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : nil
    }
}
