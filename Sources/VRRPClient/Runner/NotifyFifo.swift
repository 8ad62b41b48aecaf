/// The FIFO of a `[notify]`: a line for each event, as keepalived writes it.
///
/// Writing never waits: a line that finds no room is dropped, and the log says so. It is opened for reading as well, so that
/// lines stay when no reader is there yet. It is made, and given to its user, with the rights that the process was started
/// with; one that a reload adds has only those that are left.
import CLinux
import Configuration
import Glibc
import LinuxSystem
import SystemPackage

final class NotifyFifo {
    let path: String
    private let user: Account?
    private var opened: Opened

    private struct Opened: ~Copyable {
        let descriptor: Descriptor
        /// Which file it is.
        let device: dev_t
        let inode: ino_t
        let isOurs: Bool
    }

    /// Makes it, unless it is there.
    ///
    /// - Parameter user: whom it belongs to; nil: us.
    /// - Throws: why it cannot be used: `fileExists` if it is no FIFO, or a stranger's.
    init(_ path: String, user: Account?) throws(Errno) {
        (self.path, self.user) = (path, user)
        opened = try Self.open(path, user)
    }

    private static func open(_ path: String, _ user: Account?) throws(Errno) -> Opened {
        let isOurs = unsafe mkfifo(path, 0o644) == 0
        if !isOurs, errno != EEXIST { throw Errno(rawValue: errno) }
        let descriptor = Descriptor(
            owning: try Syscall.retry {
                unsafe Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
            })
        var status = stat()
        guard unsafe fstat(descriptor.raw, &status) == 0, status.st_mode & S_IFMT == S_IFIFO,
            [0, geteuid(), user?.uid ?? 0].contains(status.st_uid)
        else { throw .fileExists }
        if isOurs, let user, user.uid != geteuid(), fchown(descriptor.raw, user.uid, user.gid) != 0 {
            Log.warning("fifo \(path): cannot be given to \(user.name): \(Errno(rawValue: errno))")
        }
        return Opened(descriptor: descriptor, device: status.st_dev, inode: status.st_ino, isOurs: isOurs)
    }

    /// Whether what we write to is what readers find there.
    private var isThere: Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_dev == opened.device && status.st_ino == opened.inode
    }

    /// The line of keepalived's words.
    static func line(_ words: [String]) -> String { "\(words[0]) \"\(words[1])\" \(words[2]) \(words[3])\n" }

    func write(_ line: String) {
        if !isThere, !openAgain() { return }
        let bytes = Array(line.utf8)
        do throws(Errno) {
            try Syscall.retry { unsafe Glibc.write(opened.descriptor.raw, bytes, bytes.count) }
        } catch {
            let why = error == .wouldBlock ? "nobody reads it" : "\(error)"
            Log.warning("fifo \(path): a line is dropped: \(why)", about: "fifo \(path)")
        }
    }

    /// Somebody has removed it, and made another perhaps.
    private func openAgain() -> Bool {
        do throws(Errno) {
            opened = try Self.open(path, user)
            Log.warning("fifo \(path): somebody has removed it: lines that nobody had read are lost")
            return true
        } catch {
            let why = error == .fileExists ? "what is there now is no FIFO, or belongs to a stranger" : "\(error)"
            Log.error("fifo \(path): somebody has removed it, and a line is dropped: \(why)", about: "fifo \(path)")
            return false
        }
    }

    /// Removes it if we have made it. A reader that opens it again must not find it.
    func remove() {
        if opened.isOurs, isThere { unsafe unlink(path) }
    }
}

/// The FIFOs of a file, with the programs that read them: each runs all the time, and is started again when it ends.
final class NotifyFifos {
    private let runner: any ProgramRunner
    private let loop: EventLoop
    private var fifos: [String: NotifyFifo] = [:]
    private var reading: Set<String> = []
    private var isOver = false

    /// Between the end of a reader and its next start.
    private static let againNs: Int64 = 1_000_000_000

    init(runner: any ProgramRunner, loop: EventLoop) { (self.runner, self.loop) = (runner, loop) }

    /// Opens those that are new, and ends those that are gone.
    func adopt(_ notifies: [VRRPConfiguration.Notify]) {
        var adopted: [String: NotifyFifo] = [:]
        for notify in notifies {
            guard let path = notify.fifo else { continue }
            if let known = fifos[notify.name], known.path == path {
                adopted[notify.name] = known
                continue
            }
            do throws(Errno) {
                adopted[notify.name] = try NotifyFifo(path, user: notify.program.user.flatMap(Account.init(ofProgram:)))
            } catch {
                let why = error == .fileExists ? "it is no FIFO, or belongs to a stranger" : "\(error)"
                Log.error("notify \(notify.name): fifo \(path) cannot be used: \(why)")
            }
        }
        for (name, fifo) in fifos where adopted[name] !== fifo { fifo.remove() }
        fifos = adopted
    }

    /// Starts the readers, once the runner has the same file.
    func startReaders(_ notifies: [VRRPConfiguration.Notify]) {
        for notify in notifies where fifos[notify.name] != nil && !notify.program.arguments.isEmpty {
            read(notify.name)
        }
    }

    private func read(_ name: String) {
        guard !isOver, fifos[name] != nil, reading.insert(name).inserted else { return }
        runner.run(.fifoReader(name)) { [weak self] result in
            guard let self else { return }
            reading.remove(name)
            // The file no longer has it, or there is nobody to run it.
            if isOver || result.ending == .notStarted(ENOKEY) || result.isLost { return }
            Log.warning("notify \(name): the reader of its fifo \(result)\(result.said)", about: "notify \(name)")
            loop.schedule(atNs: loop.nowNs + Self.againNs) { [weak self] in self?.read(name) }
        }
    }

    func write(_ name: String, _ words: [String]) { fifos[name]?.write(NotifyFifo.line(words)) }

    /// The process ends.
    func end() {
        isOver = true
        for fifo in fifos.values { fifo.remove() }
    }
}
