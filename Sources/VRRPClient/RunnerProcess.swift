/// The runner: a child that is forked before anything else happens and starts programs for the protocol process, which
/// itself cannot become another user any more and must never wait.
///
/// It starts each program in a process group of its own, keeps the first bytes of its output, kills the group when its
/// time is up, and reports how it ended. It knows nothing of checks or notifications, and of order only that a request may
/// wait for the end of another.
///
/// It ends when the protocol process does. If that took its leave, what still runs may finish. If it did not, it has died,
/// with `kill -9` or by a defect of its own, and its kernel would answer for the virtual addresses until their leases end:
/// so the runner removes them at once, by the record, resigns for the instances that held them, in the words that the
/// process has left with it, and takes everything it started along. A process that is merely stopped closes nothing; that
/// is what the leases are for.
///
/// SETUID, SETGID and KILL are in force, NET_ADMIN and NET_RAW only once the protocol process has died; nothing else is
/// kept.
import Addresses
import CLinux
import Glibc
import LinuxSystem
import SystemPackage
import VRRP

final class RunnerProcess {
    private final class Running {
        let id: UInt32
        let pid: pid_t
        let pidfd: CInt
        let outputFD: CInt
        var output: [UInt8] = []
        var timer: EventLoop.TimerID?
        var isTimedOut = false

        init(id: UInt32, pid: pid_t, pidfd: CInt, outputFD: CInt) {
            (self.id, self.pid, self.pidfd, self.outputFD) = (id, pid, pidfd, outputFD)
        }
    }

    private let loop: EventLoop
    private let socket: CInt
    /// What the protocol process may leave behind.
    private let holdings: HoldingsRecord?
    /// What is taken up only when the process has died.
    private let reserve: Capabilities
    private var lastWords: [String: LastWord] = [:]
    private var running: [pid_t: Running] = [:]
    /// Requests that wait, by the one they wait for.
    private var waiting: [UInt32: [RunnerRequest]] = [:]
    private var settling: EventLoop.TimerID?
    private var isDismissed = false
    private var isAlone = false

    private init(socket: CInt, holdings: HoldingsRecord?) throws(Errno) {
        reserve = try Privileges.keepOnlyForRunner()
        self.socket = socket
        self.holdings = holdings
        loop = try EventLoop()
    }

    /// Serves requests that come over `socket` until its other end closes.
    static func run(socket: CInt, holdings: HoldingsRecord? = nil) throws(Errno) {
        let runner = try RunnerProcess(socket: socket, holdings: holdings)
        try runner.loop.watch(socket, .readable) { [unowned runner] _ in runner.readRequest() }
        runner.settle()
        try runner.loop.run()
        for program in runner.running.values { kill(-program.pid, SIGKILL) }
    }

    private func readRequest() {
        var bytes = [UInt8](repeating: 0, count: RunnerLimits.messageBytes)
        let length = unsafe recv(socket, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        if length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR) { return end() }
        guard length > 0 else { return }
        if bytes.prefix(length).elementsEqual(RunnerLimits.farewell) { isDismissed = true }
        if let request = RunnerRequest(bytes.prefix(length)) { take(request) }
        if let word = LastWord(bytes.prefix(length)) {
            keep(word)
            settle()
        }
    }

    /// A second after the start or the last word, what these needed of the program's pages is given back: the runner mostly
    /// sleeps.
    private func settle() {
        if let settling { loop.cancel(settling) }
        settling = loop.schedule(atNs: loop.nowNs + 1_000_000_000) { [unowned self] in
            settling = nil
            Privileges.releaseStartPages()
        }
    }

    private func keep(_ word: LastWord) {
        guard lastWords.count < RunnerLimits.lastWords || lastWords[word.speaker] != nil else { return }
        lastWords[word.speaker] = word
    }

    /// The protocol process has ended.
    private func end() {
        loop.unwatch(socket)
        isAlone = true
        if !isDismissed { release() }
        if !isDismissed || running.isEmpty { return loop.stop() }
        // Whoever starts next need not wait for our programs.
        holdings?.letGo()
    }

    private func release() {
        guard let holdings else { return }
        do throws(Errno) {
            try Privileges.use(reserve)
            let (addresses, macvlans) = try holdings.release()
            resign(Set(addresses.map(\.address)))
            Log.warning("the process has died: removed \(addresses.count) addresses and \(macvlans) macvlan interfaces")
        } catch {
            Log.error("the process has died, and its addresses stay until their leases end: \(error)")
        }
    }

    /// Says the last words that go with an address that was there and is gone now; the words themselves are not judged.
    private func resign(_ removed: Set<IPAddress>) {
        guard let link = try? LinkSender() else { return }
        for word in lastWords.values where removed.contains(word.address) {
            // A cable may speak IPv6 for legs that speak IPv4.
            let family: IPAddress.Family = word.packet.first.map { $0 >> 4 } == 6 ? .ipv6 : .ipv4
            link.send(
                word.packet, .ip(family), to: PacketCraft.multicastMAC(AdvertCodec.group(family)), on: word.ifindex)
        }
    }

    private func take(_ request: RunnerRequest) {
        guard isUnderway(request.after) else { return start(request) }
        guard waiting.values.reduce(0, { $0 + $1.count }) < RunnerLimits.programs else {
            return finish(request.id, ProgramResult(ending: .notStarted(EAGAIN), output: ""))
        }
        waiting[request.after, default: []].append(request)
    }

    private func isUnderway(_ id: UInt32) -> Bool {
        running.values.contains { $0.id == id } || waiting.values.contains { $0.contains { $0.id == id } }
    }

    private func start(_ request: RunnerRequest) {
        do throws(Errno) {
            guard running.count < RunnerLimits.programs else { throw .resourceTemporarilyUnavailable }
            var ends: [CInt] = [-1, -1]
            try Syscall.check(unsafe clinux_pipe(&ends))
            let pid: pid_t
            do throws(Errno) {
                pid = try Self.spawn(request.program, output: ends[1])
                close(ends[1])
            } catch {
                close(ends[0])
                close(ends[1])
                throw error
            }
            try follow(Running(id: request.id, pid: pid, pidfd: Self.pidfd(pid), outputFD: ends[0]), request.program)
        } catch {
            finish(request.id, ProgramResult(ending: .notStarted(error.rawValue), output: ""))
        }
    }

    private static func pidfd(_ pid: pid_t) throws(Errno) -> CInt { try Syscall.check(clinux_pidfd_open(pid)) }

    private func follow(_ program: Running, _ request: Program) throws(Errno) {
        running[program.pid] = program
        try loop.watch(program.pidfd, .readable) { [unowned self] _ in reap(program) }
        try loop.watch(program.outputFD, .readable) { [unowned self] _ in readOutput(program) }
        program.timer = loop.schedule(atNs: Clock.monotonicNs() &+ max(0, request.timeoutNs)) {
            program.timer = nil
            program.isTimedOut = true
            kill(-program.pid, SIGKILL)
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
        var status: CInt = 0
        guard unsafe waitpid(program.pid, &status, WNOHANG) == program.pid else { return }
        if let timer = program.timer { loop.cancel(timer) }
        readOutput(program)
        loop.unwatch(program.outputFD)
        loop.unwatch(program.pidfd)
        close(program.outputFD)
        close(program.pidfd)
        running[program.pid] = nil
        // What it left behind in its group ends with it: a check that forks must not pile up processes.
        kill(-program.pid, SIGKILL)
        let ending: ProgramResult.Ending =
            program.isTimedOut
            ? .timedOut : status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
        finish(
            program.id, ProgramResult(ending: ending, output: String(decoding: program.output, as: UTF8.self)))
        if isAlone, running.isEmpty { loop.stop() }
    }

    private func finish(_ id: UInt32, _ result: ProgramResult) {
        reply(id, result)
        for request in waiting.removeValue(forKey: id) ?? [] { start(request) }
    }

    private func reply(_ id: UInt32, _ result: ProgramResult) {
        let bytes = RunnerReply(id: id, result: result).encoded()
        // Blocking: the protocol process always reads, and if it is stopped there is nothing better to do than wait.
        _ = unsafe send(socket, bytes, bytes.count, CInt(MSG_NOSIGNAL))
    }

    /// Starts the program as its user, in a process group of its own.
    static func spawn(_ program: Program, output: CInt) throws(Errno) -> pid_t {
        guard program.arguments.first?.hasPrefix("/") == true else { throw .invalidArgument }
        let account = program.user.isEmpty ? nil : Account(program.user)
        guard program.user.isEmpty == (account == nil) else { throw .noSuchFileOrDirectory }
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        var arguments = unsafe program.arguments.map { unsafe strdup($0) } + [nil]
        var environment = unsafe ([path] + program.environment).map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + environment).forEach { unsafe free($0) } }
        let user = unsafe account.flatMap { unsafe strdup($0.name) }
        defer { unsafe free(user) }
        let (uid, gid) = (account?.uid ?? 0, account?.gid ?? 0)
        return try Syscall.check(unsafe clinux_spawn(&arguments, &environment, user, uid, gid, output))
    }
}

extension Privileges {
    /// As `keepOnly`, for the runner: what it starts may be set-uid, so `no_new_privs` stays unset.
    ///
    /// - Returns: what is set aside, for `use`.
    fileprivate static func keepOnlyForRunner() throws(Errno) -> Capabilities {
        let had = try Capabilities.effective()
        let used = had.intersection([.setUID, .setGID, .kill])
        let reserve = had.intersection([.netAdmin, .netRaw])
        try Syscall.check(clinux_capset(used.rawValue, used.union(reserve).rawValue, 0))
        return reserve
    }

    /// Takes up what was set aside, and gives up the rest.
    fileprivate static func use(_ reserve: Capabilities) throws(Errno) {
        try Syscall.check(clinux_capset(reserve.rawValue, reserve.rawValue, 0))
    }
}
