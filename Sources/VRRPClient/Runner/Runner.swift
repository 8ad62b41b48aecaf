/// The protocol process's end of the runner: names programs, calls back with how they ended.
import CLinux
import Configuration
import Glibc
import LinuxSystem
import SystemPackage

/// Runs the programs of the file. `Runner` is the real one; tests have one that runs nothing.
protocol ProgramRunner: AnyObject {
    /// Runs a program; `completion` is called once.
    ///
    /// - Parameter after: the number of another one whose end is waited for, if it has not ended yet.
    /// - Returns: its number, from 1.
    @discardableResult
    func run(_ name: ProgramName, after: UInt32?, completion: @escaping (ProgramResult) -> Void) -> UInt32

    /// Keeps a last word, to send it if this process dies.
    ///
    /// - Returns: whether there is nothing more to be done about it.
    func keep(_ word: LastWord) -> Bool
    /// Takes it back.
    func forget(_ speaker: LastWord.Speaker)
}

extension ProgramRunner {
    @discardableResult
    func run(_ name: ProgramName, completion: @escaping (ProgramResult) -> Void) -> UInt32 {
        run(name, after: nil, completion: completion)
    }
}

final class Runner: ProgramRunner {
    private let socket: Descriptor
    /// The runner's process id.
    let pid: pid_t
    private var waiting: [UInt32: (ProgramResult) -> Void] = [:]
    private var rereading: [UInt32: (String?) -> Void] = [:]
    private var lastID: UInt32 = 0
    /// The runner has ended before us; nothing can be run any more.
    private(set) var isLost = false
    /// Called once, should that happen.
    var onLost: () -> Void = {}

    /// Forks the runner. To be called first of all: before privileges change, descriptors are opened or threads start.
    ///
    /// - Parameters:
    ///   - programs: what can be run until the file is read again.
    ///   - holdings: what the runner removes should this process end without taking leave; nil: nothing.
    ///   - readFile: how the runner reads the file again.
    /// - Throws: what socketpair(2) or fork(2) says.
    convenience init(
        programs: ProgramTable, holdings: HoldingsRecord?, readFile: @escaping RunnerProcess.Reader
    ) throws(Errno) {
        let ends = try Self.socketPair()
        let pid = try Syscall.check(clinux_fork())
        if pid == 0 {
            close(ends[0])
            // Sets the name for ps. Signals that are sent to the protocol process and its group must not end the runner
            // before the programs and the addresses are gone.
            unsafe "lw-vrrp-runner".withCString {
                _ = clinux_prctl(PR_SET_NAME, UInt(bitPattern: $0), 0)
            }
            setsid()
            for number in [SIGINT, SIGTERM, SIGHUP] { _ = signal(number, SIG_IGN) }
            do throws(Errno) {
                try RunnerProcess.run(socket: ends[1], programs: programs, holdings: holdings, readFile: readFile)
            } catch { _exit(1) }
            _exit(0)
        }
        close(ends[1])
        holdings?.giveUpWriting()
        self.init(socket: Self.moved(ends[0]), pid: pid)
    }

    /// The same end under a high descriptor number. The kernel closes a dead process's descriptors from the last to the
    /// first (kernel/task_work.c), and each packet socket takes some ten milliseconds, so with a low number the runner
    /// would learn of the death last.
    private static func moved(_ fd: CInt) -> CInt {
        let high = fcntl(fd, F_DUPFD_CLOEXEC, 1000)
        guard high >= 0 else { return fd }
        close(fd)
        return high
    }

    /// One whose other end runs already.
    init(socket: CInt, pid: pid_t) {
        self.socket = Descriptor(owning: socket)
        self.pid = pid
    }

    /// Our end and the runner's.
    static func socketPair() throws(Errno) -> [CInt] {
        var ends: [CInt] = [-1, -1]
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        try Syscall.retry { unsafe socketpair(AF_UNIX, type, 0, &ends) }
        return ends
    }

    /// Begins to take replies.
    func start(on loop: EventLoop) throws(Errno) {
        try loop.watch(socket.raw, .readable) { [unowned self, unowned loop] _ in
            if !readReply() {
                loop.unwatch(socket.raw)
                loseAll()
            }
        }
    }

    /// Runs a program; `completion` is called once, from the loop, and never from within this call unless the runner
    /// cannot take the request.
    ///
    /// - Parameter after: the number of another one whose end is waited for, if it has not ended yet.
    /// - Returns: its number, from 1.
    @discardableResult
    func run(_ name: ProgramName, after: UInt32?, completion: @escaping (ProgramResult) -> Void) -> UInt32 {
        lastID = max(1, lastID &+ 1)
        guard waiting.count < RunnerLimits.programs else {
            completion(ProgramResult(.notStarted(EAGAIN)))
            return lastID
        }
        do throws(Errno) {
            try say(.run(id: lastID, after: after ?? 0, name))
            waiting[lastID] = completion
        } catch {
            let isGone = error == .brokenPipe || error == .connectionReset
            completion(ProgramResult(.notStarted(isGone ? EPIPE : error.rawValue)))
        }
        return lastID
    }

    /// Makes the runner read the file again and take its programs; does nothing without a runner.
    ///
    /// - Parameters:
    ///   - digest: that of the text that we have read ourselves.
    ///   - completion: called once, from the loop or from within this call; nil: taken, else what is wrong.
    func reread(digest: UInt64, completion: @escaping (String?) -> Void) {
        if isLost { return completion(nil) }
        lastID = max(1, lastID &+ 1)
        do throws(Errno) {
            try say(.reread(id: lastID, digest: digest))
            rereading[lastID] = completion
        } catch {
            completion("cannot reach the runner: \(error)")
        }
    }

    /// Tells the runner that the addresses of an earlier process or file are gone.
    func holdsOnlyWhatIsNamed() { try? say(.holdsOnlyWhatIsNamed) }

    /// Tells the runner which sysctl to restore if we die, or that it no longer has to.
    func borrowed(_ borrowed: BorrowedSwitch, isOver: Bool) { try? say(.borrowed(borrowed, isOver: isOver)) }

    /// Gives the runner a last word, to be sent if we die.
    ///
    /// - Returns: whether there is nothing more to be done about it.
    func keep(_ word: LastWord) -> Bool {
        if isLost { return true }
        do throws(Errno) { try say(.keep(word)) } catch { return false }
        return true
    }

    /// Makes the runner forget a last word: its speaker no longer serves.
    func forget(_ speaker: LastWord.Speaker) { try? say(.forget(speaker)) }

    /// Tells the runner that we end in good order: the addresses are gone, and what still runs may finish.
    func dismiss() { try? say(.farewell) }

    private func say(_ request: RunnerRequest) throws(Errno) {
        let bytes = request.encoded()
        let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
        try Syscall.retry { unsafe send(socket.raw, bytes, bytes.count, flags) }
    }

    /// Takes one reply; false once the runner is gone.
    private func readReply() -> Bool {
        var bytes = [UInt8](repeating: 0, count: RunnerLimits.answerBytes)
        let length = unsafe recv(socket.raw, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        if length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR) { return false }
        guard length > 0 else { return true }
        switch RunnerReply(bytes.prefix(length)) {
        case .ended(let id, let result): waiting.removeValue(forKey: id)?(result)
        case .reread(let id, let complaint): rereading.removeValue(forKey: id)?(complaint)
        case nil: break
        }
        return true
    }

    private func loseAll() {
        let (lost, unread) = (waiting, rereading)
        (waiting, rereading) = ([:], [:])
        isLost = true
        for completion in lost.values { completion(ProgramResult(.notStarted(EPIPE))) }
        for completion in unread.values { completion(nil) }
        onLost()
    }
}
