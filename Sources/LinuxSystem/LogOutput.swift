/// Where log lines go: stderr, without ever waiting for its reader.
///
/// A pipe that nobody reads fills up, a terminal may be stopped, a journal may hang: a write(2) that waits for them
/// would stop the daemon. The open file description of stderr may be shared with other programs, so it must not be set
/// to `O_NONBLOCK`. A pipe or a terminal is therefore opened again by /proc/self/fd/2, which gives a description of our
/// own; a socket is written with `MSG_DONTWAIT`; where neither is possible, poll(2) tells whether there is room.
/// Writing to a file on a disk does not wait for a reader.
///
/// Lines that cannot be written are dropped and counted; the count is written first when there is room again.
import Glibc

struct LogOutput {
    private enum Kind {
        /// A description of our own that does not block.
        case own(CInt)
        case socket
        /// A pipe or a terminal that could not be opened anew.
        case shared
        case file
    }

    private let kind: Kind
    /// The end of a line of which a part was taken.
    private var rest: [UInt8] = []
    /// Lines that were dropped since the last one that was taken.
    private(set) var dropped = 0
    /// Whether waiting for room is of no use: there is no reader any more, or the disk is full.
    private(set) var isGone = false

    /// The longest line, the most that a pipe takes as a whole (PIPE_BUF).
    static let lineBytesMax = 4096

    /// - Parameter descriptor: stderr; another one for tests.
    init(descriptor: CInt = 2) {
        original = descriptor
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            kind = .file
            return
        }
        switch status.st_mode & S_IFMT {
        case S_IFSOCK: kind = .socket
        case S_IFIFO: kind = Self.openAnew(descriptor)
        case S_IFCHR: kind = isatty(descriptor) == 1 ? Self.openAnew(descriptor) : .file
        default: kind = .file
        }
    }

    private let original: CInt

    private static func openAnew(_ descriptor: CInt) -> Kind {
        let fd = unsafe open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return fd < 0 ? .shared : .own(fd)
    }

    /// The descriptor that becomes writable when there is room; nil: there always is.
    var descriptor: CInt? {
        switch kind {
        case .own(let fd): fd
        case .socket, .shared: original
        case .file: nil
        }
    }

    /// Writes a line, or drops it.
    ///
    /// - Parameters:
    ///   - patienceMs: how long to wait for room: before a loop runs, when nobody depends on us.
    ///   - notice: the line that says how many were dropped.
    mutating func write(_ line: [UInt8], patienceMs: CInt = 0, notice: (Int) -> [UInt8]) {
        if catchUp(notice: notice), put(line) { return }
        if patienceMs > 0, dropped == 0, !isGone, let descriptor {
            var poll = pollfd(fd: descriptor, events: CShort(POLLOUT), revents: 0)
            if unsafe Glibc.poll(&poll, 1, patienceMs) == 1, catchUp(notice: notice), put(line) { return }
        }
        dropped += 1
    }

    /// Writes what is due before the next line: the end of the last one, and how many were dropped.
    ///
    /// - Returns: whether there is room for more.
    @discardableResult
    mutating func catchUp(notice: (Int) -> [UInt8]) -> Bool {
        if !rest.isEmpty {
            let unwritten = rest
            rest = []
            guard put(unwritten), rest.isEmpty else {
                if rest.isEmpty { rest = unwritten }
                return false
            }
        }
        guard dropped > 0 else { return true }
        guard put(notice(dropped)) else { return false }
        dropped = 0
        return rest.isEmpty
    }

    /// Hands over a line; false: nothing of it was taken.
    private mutating func put(_ line: [UInt8]) -> Bool {
        let count = unsafe line.withUnsafeBytes { bytes in unsafe hand(bytes) }
        isGone = count < 0 && errno != EAGAIN
        if count > 0, count < line.count { rest = Array(line[count...]) }
        return count > 0
    }

    private func hand(_ bytes: UnsafeRawBufferPointer) -> Int {
        while true {
            let count: Int
            switch kind {
            case .own(let fd): count = unsafe Glibc.write(fd, bytes.baseAddress, bytes.count)
            case .socket:
                count = unsafe send(original, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
            case .shared:
                var poll = pollfd(fd: original, events: CShort(POLLOUT), revents: 0)
                guard unsafe Glibc.poll(&poll, 1, 0) == 1, poll.revents & CShort(POLLOUT) != 0 else {
                    errno = EAGAIN
                    return -1
                }
                count = unsafe Glibc.write(original, bytes.baseAddress, bytes.count)
            case .file: count = unsafe Glibc.write(original, bytes.baseAddress, bytes.count)
            }
            if count >= 0 || errno != EINTR { return count }
        }
    }
}
