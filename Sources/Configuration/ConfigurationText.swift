/// The text of a configuration file: read once, from one descriptor, and no longer than may be.
///
/// The path may name something else than a file: a FIFO that nobody writes to, or a device, which has no end and where
/// opening alone may do something. So only a regular file is opened, or /dev/null, which is empty. A program that reads
/// once and can wait also accepts a pipe that is already open: `--check /dev/stdin`, `--check <(generate)`.
import CToml
import Glibc

public enum ConfigurationText {
    /// The longest file, bytes.
    static let bytesMax = Int(CTOML_LENGTH_MAX)

    /// - Parameters:
    ///   - acceptsPipe: whether a pipe or a terminal that this process has open is read to its end.
    ///   - distrust: what is wrong with the file that was opened, whatever becomes of its path; nil: nothing.
    /// - Throws: why it cannot be read, or is not.
    public static func read(
        _ path: String, acceptsPipe: Bool = false, distrust: (stat) -> String? = { _ in nil }
    ) throws(ConfigurationRefused) -> [UInt8] {
        if acceptsPipe, let fd = handedOver(path) { return try contents(of: fd, path) }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw unreadable(path, errno) }
        try check(status, path)
        let fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard fd >= 0 else { throw unreadable(path, errno) }
        defer { close(fd) }
        // Another file may have taken its place meanwhile.
        guard unsafe fstat(fd, &status) == 0 else { throw unreadable(path, errno) }
        try check(status, path)
        if let distrust = distrust(status) { throw refused(path, distrust) }
        return try contents(of: fd, path)
    }

    private static func contents(of fd: CInt, _ path: String) throws(ConfigurationRefused) -> [UInt8] {
        var text: [UInt8] = []
        while true {
            let count = unsafe withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 1) { chunk in
                let count = unsafe Glibc.read(fd, chunk.baseAddress, chunk.count)
                if count > 0 { unsafe text.append(contentsOf: chunk.prefix(count)) }
                return count
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path, errno) }
            guard count > 0 else { return text }
            guard text.count <= bytesMax else { throw tooLong(path) }
        }
    }

    /// A descriptor of ours that the path names, if it is a pipe, a socket or a terminal; nil: it names something else. To open it
    /// anew would be to open another end, or not allowed.
    private static func handedOver(_ path: String) -> CInt? {
        let folders = ["/dev/fd/", "/proc/self/fd/"]
        let number = folders.first(where: path.hasPrefix).flatMap { CInt(path.dropFirst($0.count)) }
        guard let fd = path == "/dev/stdin" ? 0 : number else { return nil }
        var status = stat()
        guard unsafe fstat(fd, &status) == 0 else { return nil }
        let kind = status.st_mode & S_IFMT
        return kind == S_IFIFO || kind == S_IFSOCK || isatty(fd) == 1 ? fd : nil
    }

    // MARK: What is refused

    private static func check(_ status: stat, _ path: String) throws(ConfigurationRefused) {
        let isNull = status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == nullDevice
        let what: String? =
            switch status.st_mode & S_IFMT {
            case S_IFREG: nil
            case S_IFDIR: "a directory"
            case S_IFIFO: "a FIFO"
            case S_IFSOCK: "a socket"
            default: isNull ? nil : "a device"
            }
        if let what { throw refused(path, "is \(what): expected a regular file") }
        guard status.st_size <= bytesMax else { throw tooLong(path) }
    }

    /// Major 1, minor 3 (Documentation/admin-guide/devices.txt).
    private static let nullDevice: dev_t = 1 << 8 | 3

    private static func tooLong(_ path: String) -> ConfigurationRefused {
        refused(path, "is too long: expected at most 1 MiB")
    }

    private static func unreadable(_ path: String, _ number: CInt) -> ConfigurationRefused {
        var refused = refused(path, "cannot be read: \(unsafe String(cString: strerror(number)))")
        refused.isFileMissing = number == ENOENT
        return refused
    }

    private static func refused(_ path: String, _ message: String) -> ConfigurationRefused {
        ConfigurationRefused(errors: [ConfigurationError(file: path, line: 0, column: 0, message: message)])
    }
}
