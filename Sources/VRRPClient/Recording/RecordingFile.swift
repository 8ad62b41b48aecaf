/// The file of `--record`, and the process that writes it.
///
/// A disk may keep a writer waiting for seconds, and a router must not. So what is recorded goes through a pipe to a child,
/// which has given up every capability, holds nothing but the pipe, the file and its folder, and ends when the pipe does. What
/// is in the pipe when the protocol process is killed is written all the same.
///
/// When the file has its size the process says so (`nextFile`), and the file becomes FILE.1; what FILE.1 was is gone. A file
/// of an earlier run becomes FILE.1 too. Both are opened by name in one folder, through no link, with mode 0600.
import CLinux
import Glibc
import LinuxSystem
import SystemPackage

struct RecordingFile {
    /// In the pipe: the next octet belongs to a new file. No line has a NUL.
    static let nextFile: UInt8 = 0
    /// What every recording begins with.
    private static let beginning = #"{"recording":"#

    private let folder: CInt
    private let name: String
    private var file: CInt

    /// Why nothing can be recorded there.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// The pipe's end that is written to, non-blocking, and the child.
    struct Writer {
        let pipe: CInt
        let pid: pid_t
    }

    /// Opens the file and forks the child: while everything may still be opened, and before threads start.
    static func begin(path: String) throws(Refusal) -> Writer {
        let recording = try RecordingFile(path)
        var ends: [CInt] = [-1, -1]
        do throws(Errno) {
            try Syscall.check(unsafe clinux_pipe(&ends))
            // The child waits for more, and we never for the child.
            _ = fcntl(ends[0], F_SETFL, 0)
            _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
            clinux_grow_pipe(ends[1], 1 << 20)
            let pid = try Syscall.check(clinux_fork())
            if pid == 0 {
                close(ends[1])
                recording.serve(ends[0])
            }
            close(ends[0])
            for descriptor in [recording.folder, recording.file] { close(descriptor) }
            return Writer(pipe: ends[1], pid: pid)
        } catch {
            throw Refusal("recording to \(path): \(error)")
        }
    }

    private init(_ path: String) throws(Refusal) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard !name.isEmpty, name != ".", name != ".." else { throw Refusal("recording to \(path): expected a file") }
        do throws(Errno) {
            folder = try Syscall.retry { unsafe open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        } catch {
            throw Refusal("recording to \(path): \(parent): \(error)")
        }
        for candidate in [name, name + ".1"] {
            if let fault = Self.fault(of: candidate, in: folder) {
                throw Refusal("recording to \(path): \(candidate) \(fault)")
            }
        }
        file = -1
        do throws(Errno) { try begin() } catch { throw Refusal("recording to \(path): \(error)") }
    }

    /// Why a file that is there must not be replaced; nil: it may be, or there is none.
    private static func fault(of name: String, in folder: CInt) -> String? {
        var status = stat()
        guard unsafe fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            return errno == ENOENT ? nil : "\(Errno(rawValue: errno))"
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG else {
            return "is \(kind == S_IFLNK ? "a symbolic link" : "no regular file"): expected a recording, or nothing"
        }
        let descriptor = unsafe openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return "\(Errno(rawValue: errno))" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: beginning.utf8.count)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        guard count == 0 || bytes.elementsEqual(beginning.utf8) else {
            return "is no recording: expected one of an earlier run, or nothing"
        }
        return nil
    }

    /// Begins a new file; the one before it becomes FILE.1.
    private mutating func begin() throws(Errno) {
        if file >= 0 { close(file) }
        file = -1
        let (folder, name) = (folder, name)
        do throws(Errno) {
            try Syscall.retry { unsafe renameat(folder, name, folder, name + ".1") }
        } catch .noSuchFileOrDirectory {}
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC
        file = try Syscall.retry { unsafe openat(folder, name, flags, 0o600) }
        _ = fchmod(file, 0o600)
    }

    // MARK: The child

    private func serve(_ pipe: CInt) -> Never {
        unsafe "lw-vrrp-record".withCString { _ = clinux_prctl(PR_SET_NAME, UInt(bitPattern: $0), 0) }
        setsid()
        // What is meant for the protocol process must not end this one before the pipe is empty.
        for number in [SIGINT, SIGTERM, SIGHUP] { _ = signal(number, SIG_IGN) }
        closeOthers([pipe, folder, file])
        do throws(Errno) {
            try Privileges.become(nil, keeping: [])
            var recording = self
            try recording.copy(pipe)
        } catch {
            Log.error("the recording \(name) ends: \(error)")
            _exit(1)
        }
        _exit(0)
    }

    /// The runner and whoever else waits for the end of the protocol process must not wait for us.
    private func closeOthers(_ kept: [CInt]) {
        var next: UInt32 = 3
        for descriptor in kept.sorted().map(UInt32.init(bitPattern:)) {
            if descriptor > next { clinux_close_range(next, descriptor - 1) }
            next = descriptor + 1
        }
        clinux_close_range(next, .max)
    }

    private mutating func copy(_ pipe: CInt) throws(Errno) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try Syscall.retry { unsafe read(pipe, &buffer, buffer.count) }
            if count == 0 { return }
            let parts = buffer[..<count].split(separator: Self.nextFile, omittingEmptySubsequences: false)
            for (place, part) in parts.enumerated() {
                if place > 0 { try begin() }
                try StandardStreams.write(Array(part), to: file)
            }
        }
    }
}
