/// Descriptors 0, 1 and 2, which every program takes for granted.
///
/// A program may be started without them (`linkwatch --dump >&-`). The next file or socket that it opens would then be its
/// standard output, and what it prints would go into a daemon's socket or a lock file. So they are taken first.
import Glibc
import SystemPackage

public enum StandardStreams {
    /// The exit status of a program whose output cannot be written. The corresponding C constant is `EX_IOERR`.
    public static let exitOutput: CInt = 74
    /// The corresponding C constant is `STDOUT_FILENO`.
    public static let output: CInt = 1
    /// The corresponding C constant is `STDERR_FILENO`.
    public static let error: CInt = 2

    /// Puts /dev/null where a descriptor is missing: one that ends at once for input, one that cannot be written for output,
    /// and one that swallows complaints. To be called before anything is opened.
    public static func reserve() {
        for (descriptor, flags) in [(CInt(0), O_RDONLY), (output, O_RDONLY), (error, O_WRONLY)]
        where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one. Without /dev/null nothing that follows can be trusted.
            if unsafe open("/dev/null", flags) != descriptor { exit(EX_OSERR) }
        }
    }

    private static let EX_OSERR: CInt = 71

    /// Writes all of it, however often that takes.
    ///
    /// - Throws: what write(2) says; `Errno.badFileDescriptor` if the descriptor is not open for writing.
    public static func write(_ bytes: [UInt8], to descriptor: CInt) throws(Errno) {
        let mode = fcntl(descriptor, F_GETFL)
        guard mode >= 0, mode & O_ACCMODE != O_RDONLY else { throw .badFileDescriptor }
        var sent = 0
        while sent < bytes.count {
            let rest = bytes[sent...]
            do throws(Errno) {
                sent += try Syscall.retry {
                    unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
                }
            } catch .wouldBlock {
                // The descriptor was non-blocking when we were started.
                var room = pollfd(fd: descriptor, events: CShort(POLLOUT), revents: 0)
                _ = unsafe poll(&room, 1, -1)
            }
        }
    }

    /// Prints what was asked for (`--help`, `--version`, `--check`), and ends the program with `exitOutput` if that fails.
    public static func print(_ text: String) {
        do throws(Errno) {
            try write(Array(text.utf8), to: output)
        } catch .brokenPipe {
            return
        } catch {
            Log.error("standard output: \(error)")
            exit(exitOutput)
        }
    }
}
