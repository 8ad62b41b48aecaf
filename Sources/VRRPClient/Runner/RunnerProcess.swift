/// The runner: a child that is forked before anything else happens and starts programs for the protocol process, which
/// itself cannot become another user any more and must never wait.
///
/// It starts each program in a process group of its own, keeps the first bytes of its output, kills the group when its
/// time is up, and reports how it ended. It knows nothing of checks or notifications, and of order only that a request may
/// wait for the end of another.
///
/// *It is a boundary.* The runner is root, and the protocol process is what strangers' packets reach. So the runner takes
/// no path, argument, user or variable from it: a request names a program of the configuration file, which the runner has
/// from before the fork and reads again itself. It takes no descriptors, kills nothing but its own children, answers without
/// waiting, and reads no request while its answers are not taken.
///
/// It ends when the protocol process does. After an orderly end, programs that still run may finish. Otherwise the
/// process has died, by `kill -9` or by a defect of its own, and the kernel would answer for the virtual addresses
/// until their leases end. So the runner removes them at once, by its own record of what the file names, resigns for
/// the instances that held them, and kills everything it has started. A process that is merely stopped closes nothing;
/// that is what the leases are for.
///
/// SETUID, SETGID and KILL are in force, NET_ADMIN and NET_RAW only once the protocol process has died; nothing else is
/// kept, and unless a program of the file runs as root, nothing else can be had again (the bounding set).
import Addresses
import CLinux
import Configuration
import Glibc
import LinuxSystem
import SystemPackage
import VRRP

final class RunnerProcess {
    private final class Running {
        let id: UInt32
        let place: ProgramName
        let program: RunnableProgram
        let pid: pid_t
        let pidfd: CInt
        let outputFD: CInt
        var output: [UInt8] = []
        var timer: EventLoop.TimerID?
        var isTimedOut = false

        init(_ request: Request, pid: pid_t, pidfd: CInt, outputFD: CInt) {
            (id, place, program) = (request.id, request.place, request.program)
            (self.pid, self.pidfd, self.outputFD) = (pid, pidfd, outputFD)
        }

        func killGroup() {
            guard kill(-pid, SIGKILL) != 0, errno == EPERM, let uid = program.account?.uid else { return }
            clinux_kill_group_as(uid, pid)
        }
    }

    private struct Request {
        var id: UInt32
        var place: ProgramName
        var program: RunnableProgram
    }

    /// Reads the file: what it says, and the digest of its text.
    typealias Reader = () throws(ConfigurationRefused) -> (configuration: VRRPConfiguration, digest: UInt64)

    private let loop: EventLoop
    private let socket: CInt
    private var programs: ProgramTable
    private let readFile: Reader
    /// What the protocol process may leave behind.
    private let holdings: HoldingsRecord?
    /// What is taken up only when the process has died.
    private let reserve: Capabilities
    /// Programs that run as root get all capabilities that there were at the start.
    private let isBounded: Bool
    private var lastWords: [LastWord.Speaker: LastWord] = [:]
    /// The sysctls that the protocol process has changed.
    private var switches: [BorrowedSwitch] = []
    private static let switchesMax = 1024
    private var recording: EventLoop.TimerID?
    /// How long the readers of FIFOs have for the last lines.
    private static let readersNs: Int64 = 1_000_000_000
    /// How long a last word may wait for others before all are recorded.
    private static let recordingNs: Int64 = 20_000_000
    private var running: [pid_t: Running] = [:]
    /// Requests that wait, by the one they wait for.
    private var waiting: [UInt32: [Request]] = [:]
    /// Answers that the protocol process has not made room for yet.
    private var answers: [[UInt8]] = []
    private var isReading = true
    /// Released after the start and after each last word: the runner mostly sleeps.
    private let startPages: StartPages
    private var isDismissed = false
    private var isAlone = false

    private init(socket: CInt, programs: ProgramTable, holdings: HoldingsRecord?, readFile: @escaping Reader)
        throws(Errno)
    {
        isBounded = programs.rootPrograms.isEmpty
        reserve = try Privileges.keepOnlyForRunner(isBounded: isBounded)
        self.socket = socket
        self.programs = programs
        self.holdings = holdings
        self.readFile = readFile
        loop = try EventLoop()
        startPages = StartPages(loop: loop)
    }

    /// Serves requests that come over `socket` until its other end closes.
    static func run(
        socket: CInt, programs: ProgramTable, holdings: HoldingsRecord? = nil, readFile: @escaping Reader
    ) throws(Errno) {
        let runner = try RunnerProcess(socket: socket, programs: programs, holdings: holdings, readFile: readFile)
        try runner.loop.watch(socket, .readable) { [unowned runner] seen in
            if runner.isReading {
                runner.readRequest(isLast: seen.contains(.hangup))
            } else {
                runner.sendAnswers()
            }
        }
        runner.startPages.releaseSoon()
        try runner.loop.run()
        for program in runner.running.values { program.killGroup() }
    }

    // MARK: The protocol process

    /// - Parameter isLast: the other end is closed. Without that, what has no length is an empty message and no end.
    private func readRequest(isLast: Bool) {
        // A byte more than is taken, so that a longer one is not cut to something that parses. Descriptors that come with
        // it are dropped by the kernel, since no room is given for them.
        var bytes = [UInt8](repeating: 0, count: RunnerLimits.messageBytes + 1)
        let length = unsafe recv(socket, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        // The end of a process that has not read all our answers is an error at first, and only then come the messages that it
        // left, its farewell among them (unix_release_sock, net/unix/af_unix.c).
        if isLast && length == 0 || (length < 0 && ![EAGAIN, EINTR, ECONNRESET].contains(errno)) { return end() }
        guard length > 0, length <= RunnerLimits.messageBytes, let request = RunnerRequest(bytes.prefix(length)) else {
            return
        }
        switch request {
        case .run(let id, let after, let name): take(id, after, name)
        case .reread(let id, let digest): answer(.reread(id: id, complaint: reread(digest)))
        case .holdsOnlyWhatIsNamed:
            record { holdings throws(Errno) in try holdings.replace(by: programs.configuration, legacy: legacy) }
        case .keep(let word): keep(word)
        case .forget(let speaker):
            lastWords[speaker] = nil
            recordLegacySoon()
        case .borrowed(let borrowed, let isOver): note(borrowed, isOver: isOver)
        case .farewell: isDismissed = true
        }
    }

    private func answer(_ reply: RunnerReply) {
        answers.append(reply.encoded())
        sendAnswers()
    }

    /// What finds no room waits, and so do further requests: their number bounds that of the answers.
    private func sendAnswers() {
        let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
        while let bytes = answers.first {
            do throws(Errno) {
                try Syscall.retry { unsafe send(socket, bytes, bytes.count, flags) }
                answers.removeFirst()
            } catch {
                if error == .wouldBlock { break }
                // The process is gone; what it sent before is still read, up to the end.
                answers = []
            }
        }
        guard answers.isEmpty != isReading else { return }
        isReading.toggle()
        try? loop.setInterest(socket, isReading ? .readable : .writable)
    }

    private func reread(_ digest: UInt64) -> String? {
        defer { startPages.releaseSoon() }
        do throws(ConfigurationRefused) {
            let file = try readFile()
            guard file.digest == digest else { return "the file changed while it was read: reload it once more" }
            programs = programs.reloaded(file.configuration)
        } catch {
            return error.description
        }
        for program in running.values where program.program.isReader && programs[program.place] != program.program {
            program.killGroup()
        }
        record { holdings throws(Errno) in try holdings.add(programs.configuration) }
        lastWords = lastWords.filter { !programs.resignations($0.value).isEmpty }
        recordLegacySoon()
        if isBounded, let program = programs.rootPrograms.first {
            Log.warning("\(program) runs as root with few capabilities until linkwatch-vrrp is restarted")
        }
        return nil
    }

    private func record(_ write: (HoldingsRecord) throws(Errno) -> Void) {
        guard let holdings else { return }
        do throws(Errno) { try write(holdings) } catch {
            Log.warning("cannot record what to clean up after a crash: \(error)")
        }
    }

    private func keep(_ word: LastWord) {
        guard !programs.resignations(word).isEmpty else { return }
        lastWords[word.speaker] = word
        recordLegacySoon()
        startPages.releaseSoon()
    }

    /// Records the sysctl to be restored; at once, since it is being changed at this moment.
    private func note(_ borrowed: BorrowedSwitch, isOver: Bool) {
        switches.removeAll { $0.isSameSwitch(as: borrowed) }
        if !isOver, switches.count < Self.switchesMax { switches.append(borrowed) }
        record { holdings throws(Errno) in try holdings.leave(legacy) }
    }

    private var legacy: HoldingsRecord.Legacy {
        HoldingsRecord.Legacy(switches: switches, resignations: lastWords.values.flatMap(programs.resignations))
    }

    /// Written once for all last words that arrive together.
    private func recordLegacySoon() {
        guard recording == nil else { return }
        recording = loop.schedule(atNs: loop.nowNs + Self.recordingNs) { [unowned self] in
            recording = nil
            record { holdings throws(Errno) in try holdings.leave(legacy) }
        }
    }

    /// The protocol process has ended.
    private func end() {
        loop.unwatch(socket)
        isAlone = true
        if let recording { loop.cancel(recording) }
        if isDismissed {
            record { holdings throws(Errno) in try holdings.leave(HoldingsRecord.Legacy()) }
        } else {
            release()
        }
        if !isDismissed || running.isEmpty { return loop.stop() }
        loop.schedule(atNs: loop.nowNs + Self.readersNs) { [unowned self] in
            for program in running.values where program.program.isReader { program.killGroup() }
        }
        // The next process need not wait for our programs to end.
        holdings?.letGo()
    }

    private func release() {
        guard let holdings else { return }
        do throws(Errno) {
            try Privileges.use(reserve)
            let released = try holdings.release(legacy)
            try? holdings.leave(HoldingsRecord.Legacy())
            Log.warning(
                "the process has died: removed \(released.holdings.isEmpty ? "nothing" : released.holdings)")
        } catch {
            Log.error("the process has died, and its addresses stay until their leases end: \(error)")
        }
    }

    // MARK: Programs

    private func take(_ id: UInt32, _ after: UInt32, _ name: ProgramName) {
        guard let program = programs[name] else { return finish(id, ProgramResult(.notStarted(ENOKEY))) }
        let request = Request(id: id, place: name.place, program: program)
        let waitingCount = waiting.values.reduce(0) { $0 + $1.count }
        let isUnderway = isUnderway(after)
        guard isUnderway ? waitingCount < RunnerLimits.programs : running.count < RunnerLimits.programs,
            runs(of: request.place) < RunnerLimits.runs(of: name)
        else { return finish(id, ProgramResult(.notStarted(EAGAIN))) }
        if isUnderway { waiting[after, default: []].append(request) } else { start(request) }
    }

    private func isUnderway(_ id: UInt32) -> Bool {
        running.values.contains { $0.id == id } || waiting.values.contains { $0.contains { $0.id == id } }
    }

    private func runs(of place: ProgramName) -> Int {
        running.values.count { $0.place == place }
            + waiting.values.reduce(0) { $0 + $1.count { $0.place == place } }
    }

    private func start(_ request: Request) {
        do throws(Errno) {
            if let stranger = request.program.stranger,
                !ProgramTrust.isRootsOwn(request.program.arguments.first ?? "", against: stranger)
            {
                throw Errno(rawValue: EKEYREJECTED)
            }
            var ends: [CInt] = [-1, -1]
            try Syscall.check(unsafe clinux_pipe(&ends))
            defer { close(ends[1]) }
            do throws(Errno) {
                let pid = try Self.spawn(request.program, output: ends[1])
                do throws(Errno) {
                    try follow(Running(request, pid: pid, pidfd: Self.pidfd(pid), outputFD: ends[0]))
                } catch {
                    // Nobody would end it.
                    kill(pid, SIGKILL)
                    _ = waitpid(pid, nil, 0)
                    throw error
                }
            } catch {
                close(ends[0])
                throw error
            }
        } catch {
            finish(request.id, ProgramResult(.notStarted(error.rawValue)))
        }
    }

    private static func pidfd(_ pid: pid_t) throws(Errno) -> CInt { try Syscall.check(clinux_pidfd_open(pid)) }

    private func follow(_ program: Running) throws(Errno) {
        try loop.watch(program.pidfd, .readable) { [unowned self] _ in reap(program) }
        try loop.watch(program.outputFD, .readable) { [unowned self] _ in readOutput(program) }
        running[program.pid] = program
        program.timer = loop.schedule(atNs: Clock.monotonicNs() &+ max(0, program.program.timeoutNs)) {
            program.timer = nil
            program.isTimedOut = true
            program.killGroup()
        }
    }

    /// Keeps the first bytes and drops the rest, so that a program that talks for ever is not blocked by a full pipe.
    private func readOutput(_ program: Running) {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let length = unsafe read(program.outputFD, &bytes, bytes.count)
        if length > 0 {
            let room = RunnerLimits.outputBytes - program.output.count
            program.output.append(contentsOf: bytes.prefix(min(length, room)))
        } else if length == 0 || (errno != EAGAIN && errno != EINTR) {
            loop.unwatch(program.outputFD)
        }
    }

    private func reap(_ program: Running) {
        guard clinux_has_ended(program.pid) else { return }
        // What it left behind in its group ends with it, unless it may stay: a check that forks must not pile up processes.
        // While the dead leader is not reaped, the number of the group is nobody else's.
        if program.isTimedOut || !program.program.mayLeaveProcesses { program.killGroup() }
        var status: CInt = 0
        guard unsafe waitpid(program.pid, &status, WNOHANG) == program.pid else { return }
        if let timer = program.timer { loop.cancel(timer) }
        readOutput(program)
        loop.unwatch(program.outputFD)
        loop.unwatch(program.pidfd)
        close(program.outputFD)
        close(program.pidfd)
        running[program.pid] = nil
        let ending: ProgramResult.Ending =
            program.isTimedOut
            ? .timedOut : status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
        finish(program.id, ProgramResult(ending, output: String(decoding: program.output, as: UTF8.self)))
        if isAlone, running.isEmpty { loop.stop() }
    }

    private func finish(_ id: UInt32, _ result: ProgramResult) {
        answer(.ended(id: id, result))
        for request in waiting.removeValue(forKey: id) ?? [] { start(request) }
    }

    /// Starts the program as its user, in a process group of its own.
    static func spawn(_ program: RunnableProgram, output: CInt) throws(Errno) -> pid_t {
        guard program.arguments.first?.hasPrefix("/") == true else { throw .invalidArgument }
        var arguments = unsafe program.arguments.map { unsafe strdup($0) } + [nil]
        var environment = unsafe program.environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + environment).forEach { unsafe free($0) } }
        let user = unsafe program.account.flatMap { unsafe strdup($0.name) }
        defer { unsafe free(user) }
        let (uid, gid) = (program.account?.uid ?? 0, program.account?.gid ?? 0)
        return try Syscall.check(unsafe clinux_spawn(&arguments, &environment, user, uid, gid, output))
    }
}

extension ProgramName {
    /// The same for every run of a program for one group or instance.
    fileprivate var place: ProgramName {
        guard case .notify(let name, let notification) = self else { return self }
        return .notify(name, Notification(subject: notification.subject, event: .stop, priority: 0))
    }
}

extension Privileges {
    /// As `keepOnly`, for the runner: what it starts may be set-uid, so `no_new_privs` stays unset.
    ///
    /// - Parameter isBounded: whether programs can have no more than what the runner has.
    /// - Returns: what is set aside, for `use`.
    fileprivate static func keepOnlyForRunner(isBounded: Bool) throws(Errno) -> Capabilities {
        let had = try Capabilities.effective()
        let used = had.intersection([.setUID, .setGID, .kill])
        let reserve = had.intersection([.netAdmin, .netRaw])
        if isBounded { Privileges.bound(to: [.setUID, .setGID, .kill, .netAdmin, .netRaw]) }
        try Syscall.check(clinux_capset(used.rawValue, used.union(reserve).rawValue, 0))
        return reserve
    }

    /// Takes up what was set aside, and gives up the rest.
    fileprivate static func use(_ reserve: Capabilities) throws(Errno) {
        try Syscall.check(clinux_capset(reserve.rawValue, reserve.rawValue, 0))
    }
}
