/// A tracked process: well while at least as many processes of a name run as are asked for.
///
/// *How it is known.* The kernel reports each process that forks, executes a program, changes its name or ends (the
/// proc connector, `CN_IDX_PROC` of `linux/cn_proc.h`), so nothing is polled. /proc is read whole when the first
/// process is tracked and whenever messages were lost. Only the initial network, pid and user namespaces have the
/// connector; elsewhere, and without CAP_NET_ADMIN, /proc is read once a second instead, and the log says so.
///
/// *What counts* is what keepalived's `track_process` counts: a name is compared with the whole of `/proc/PID/comm`, 15
/// bytes that exec(2) and prctl(2) set; a path with the first argument. A longer name is compared with both, as far as
/// either goes. Threads are not processes, and neither are zombies. A process lasts until its last thread ends, though its
/// main thread may end before (pthread_exit(3)): the kernel reports only that, so such a process is followed by a pidfd,
/// where keepalived takes it for ended.
///
/// *Floods.* Any user can fork as fast as the machine can. Threads are dropped by a filter in the kernel; what is left is
/// read after packets and timers, a few messages a turn. What does not fit into the socket's buffer is lost, and made up for
/// by reading /proc, a few processes a turn, and no oftener than a tenth of the time allows. Names are bytes that are
/// compared and never printed.
import CLinux
import Configuration
import Glibc
import LinuxSystem
import SystemPackage
import VRRP

/// What is compared with a process, by the name that was asked for.
struct ProcessName {
    private let name: [UInt8]
    /// What comm must be; nil: anything.
    private let comm: [UInt8]?
    /// Whether the first argument must be it as well.
    let needsArgument: Bool

    /// The longest that comm can be. The corresponding C constant is `TASK_COMM_LEN`, with its NUL.
    static let commMax = Int(CLINUX_COMM_MAX)

    init(_ text: String) {
        name = Array(text.utf8)
        let isPath = name.contains(UInt8(ascii: "/"))
        comm = isPath ? nil : Array(name.prefix(Self.commMax))
        needsArgument = isPath || name.count > Self.commMax
    }

    func matches(comm: [UInt8]) -> Bool { self.comm.map { $0 == comm } ?? true }

    /// A name without a slash is the last component.
    func matches(argument: [UInt8]) -> Bool {
        guard needsArgument else { return true }
        if comm == nil { return argument == name }
        return argument.split(separator: UInt8(ascii: "/")).last.map { $0.elementsEqual(name) } ?? false
    }
}

final class TrackedProcess: Tracked {
    private let name: String
    private let atLeast: Int
    private let watch: ProcessWatch
    fileprivate let wanted: ProcessName
    /// Those of the name, as far as is known.
    fileprivate private(set) var pids: Set<pid_t> = []
    /// Processes that the current reading of /proc has not found yet.
    private var unseen: Set<pid_t> = []
    /// Whether /proc has been read.
    fileprivate private(set) var isKnown = false

    private(set) var isWell: Bool
    /// Whether `onChange` has told what /proc said first.
    private var isTold: Bool
    var onChange: () -> Void = {}

    /// More than these are not counted: nobody needs them, and anybody can start them.
    private static let pidsMax = 65_536

    /// - Parameter predecessor: one of the same name before a reload. Without, the object counts as well until /proc has been
    ///   read, which takes some milliseconds.
    init(_ name: String, atLeast: Int, _ watch: ProcessWatch, predecessor: TrackedProcess?) {
        self.name = name
        self.atLeast = atLeast
        self.watch = watch
        wanted = ProcessName(name)
        pids = predecessor?.pids ?? []
        isKnown = predecessor?.isKnown ?? false
        isWell = !isKnown || pids.count >= atLeast
        isTold = isKnown
        watch.add(self)
    }

    /// Who may not read /proc at all gets no answer, and is not waited for.
    var hasAnswered: Bool { isKnown || watch.isBlind }

    func stop() {
        onChange = {}
        watch.remove(self)
    }

    var cause: Cause { Cause(.tracked, VRRPConfiguration.Track.Object.process(name, atLeast: atLeast).name) }

    fileprivate func set(_ pid: pid_t, _ isCounted: Bool) {
        unseen.remove(pid)
        if !isCounted { pids.remove(pid) } else if pids.count < Self.pidsMax { pids.insert(pid) }
    }

    fileprivate func beginReading() { unseen = pids }

    fileprivate func endReading() {
        pids.subtract(unseen)
        unseen = []
        isKnown = true
    }

    /// Reports the first answer, when there are enough, and when there no longer are.
    fileprivate func settle() {
        guard isKnown else { return }
        let isChanged = isWell != (pids.count >= atLeast)
        guard isChanged || !isTold else { return }
        isTold = true
        if isChanged {
            isWell.toggle()
            Log.notice(
                "process \(name): \(pids.count) running, at least \(atLeast) needed",
                about: "process \(name)")
        }
        onChange()
    }
}

/// Follows processes for all tracked objects; costs nothing while there are none.
final class ProcessWatch {
    private final class File {
        let descriptor: Descriptor
        init(owning raw: CInt) { descriptor = Descriptor(owning: raw) }
    }

    private let loop: EventLoop
    private var tracked: [TrackedProcess] = []
    /// The socket on which the kernel reports them; nil: it does not.
    private var events: File?
    /// /proc, while it is being read.
    private var folder: File?
    /// Whether /proc could not be opened when it was to be read last.
    fileprivate private(set) var isBlind = false
    private var readingSinceNs: Int64 = 0
    private var readingTookNs: Int64 = 0
    /// When it is read next.
    private var timer: EventLoop.TimerID?
    private var pids = [Int32](repeating: 0, count: 128)
    private var hasLookedForHiding = false
    /// Processes whose main thread has ended, each with a pidfd that is readable when the others have as well.
    private var lasting: [pid_t: File] = [:]

    /// Messages of one turn.
    private static let batchMax = 32
    /// Processes without a main thread that are followed; further ones count as ended.
    private static let lastingMax = 256
    /// Between two readings of /proc, at least.
    static let intervalNs: Int64 = 1_000_000_000

    init(loop: EventLoop) { self.loop = loop }

    deinit { close() }

    fileprivate func add(_ process: TrackedProcess) {
        if tracked.isEmpty { open() }
        tracked.append(process)
        if !process.isKnown || events == nil { beginReading() }
    }

    fileprivate func remove(_ process: TrackedProcess) {
        tracked.removeAll { $0 === process }
        if tracked.isEmpty { close() }
    }

    private func open() {
        do throws(Errno) {
            let token = UInt32(truncatingIfNeeded: loop.nowNs ^ Int64(getpid()))
            let events = File(owning: try Syscall.check(clinux_process_events(token)))
            // Behind packets and timers, as clients are: anybody can start processes.
            try loop.watch(events.descriptor.raw, .readable, priority: .clients) { [unowned self] _ in hear() }
            self.events = events
        } catch {
            let why =
                error == .notSupported
                ? "not in this pid or user namespace"
                : error == .connectionRefused ? "not in this network namespace" : "\(error)"
            Log.warning("no process events from the kernel (\(why)): /proc is read once a second for tracked processes")
        }
    }

    private func close() {
        if let events { loop.unwatch(events.descriptor.raw) }
        if let timer { loop.cancel(timer) }
        (events, folder, timer) = (nil, nil, nil)
        for file in lasting.values { loop.unwatch(file.descriptor.raw) }
        lasting = [:]
    }

    // MARK: Events

    private func hear() {
        guard let events else { return }
        for _ in 0..<Self.batchMax {
            var event = clinux_process_event()
            let answer = unsafe clinux_process_next(events.descriptor.raw, &event)
            if answer == -EAGAIN { break }
            if answer == 0 { take(event) } else { readLater() }
        }
        settle()
    }

    private func take(_ event: clinux_process_event) {
        switch event.kind {
        case CLINUX_PROCESS_FORK:
            // A child has its parent's name. While /proc is read it may have been passed, and its parent not yet reached.
            if folder != nil { return look(at: event.child) }
            for process in tracked where process.pids.contains(event.pid) { process.set(event.child, true) }
        case CLINUX_PROCESS_EXEC: look(at: event.pid)
        case CLINUX_PROCESS_COMM:
            let comm = unsafe withUnsafeBytes(of: event.comm) { bytes in unsafe Array(bytes.prefix { $0 != 0 }) }
            look(at: event.pid, comm: comm)
        case CLINUX_PROCESS_EXIT:
            if tracked.contains(where: { $0.pids.contains(event.pid) }), !lasts(event.pid) { remove(event.pid) }
        default: break
        }
    }

    private func remove(_ pid: pid_t) { for process in tracked { process.set(pid, false) } }

    /// Whether only the main thread of a process has ended; then the end of the others will be known.
    private func lasts(_ pid: pid_t) -> Bool {
        if lasting[pid] != nil { return true }
        guard lasting.count < Self.lastingMax, clinux_process_life(pid) == CLINUX_PROCESS_THREADS,
            let file = try? File(owning: Syscall.check(clinux_pidfd_open(pid))),
            // The number may be another process's by now, but no longer once there is the descriptor.
            clinux_process_life(pid) == CLINUX_PROCESS_THREADS
        else { return false }
        let isWatched: Void? = try? loop.watch(file.descriptor.raw, .readable, priority: .clients) { [unowned self] _ in
            loop.unwatch(file.descriptor.raw)
            lasting[pid] = nil
            remove(pid)
            settle()
        }
        guard isWatched != nil else { return false }
        lasting[pid] = file
        return true
    }

    /// Counts a process by what it is called now.
    private func look(at pid: pid_t, comm told: [UInt8]? = nil) {
        let comm = told ?? read(pid, "comm", atMost: ProcessName.commMax + 1)
        var argument: [UInt8]?
        var isThere: Bool?
        for process in tracked {
            guard var name = comm else { process.set(pid, false); continue }
            if name.last == UInt8(ascii: "\n"), told == nil { name.removeLast() }
            var isCounted = process.wanted.matches(comm: name)
            if isCounted, told == nil {
                isThere = isThere ?? (clinux_process_life(pid) == CLINUX_PROCESS_RUNS || lasts(pid))
                isCounted = isThere == true
            }
            if isCounted, process.wanted.needsArgument {
                argument = argument ?? firstArgument(of: pid)
                isCounted = argument.map(process.wanted.matches(argument:)) ?? false
            }
            process.set(pid, isCounted)
        }
    }

    /// The kernel shows no arguments of a main thread that has ended; any other thread has them.
    private func firstArgument(of pid: pid_t) -> [UInt8]? {
        var thread = pid
        if lasting[pid] != nil, let threads = try? Self.folder("/proc/\(pid)/task") {
            var others = [Int32](repeating: 0, count: pids.count)
            let count = unsafe clinux_process_list(threads.descriptor.raw, &others)
            thread = others.prefix(max(0, Int(count))).first { $0 != pid } ?? pid
        }
        return read(thread, "cmdline", atMost: 4096).map { Array($0.prefix { $0 != 0 }) }
    }

    private static func folder(_ path: String) throws(Errno) -> File {
        File(owning: try Syscall.retry { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    }

    private func read(_ pid: pid_t, _ file: String, atMost count: Int) -> [UInt8]? {
        var length = -1
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            length = Int(unsafe clinux_process_read(pid, file, buffer.baseAddress, count))
            initialized = max(0, length)
        }
        return length < 0 ? nil : bytes
    }

    private func settle() { for process in tracked { process.settle() } }

    // MARK: Reading /proc

    /// Begins, or begins again.
    private func beginReading() {
        if let timer { loop.cancel(timer) }
        timer = nil
        let isUnderWay = folder != nil
        folder = try? Self.folder("/proc")
        isBlind = folder == nil
        guard !isBlind else { return readLater() }
        readingSinceNs = loop.nowNs
        for process in tracked { process.beginReading() }
        if !isUnderWay { loop.later { [weak self] in self?.readOn() } }
    }

    /// Looks at some of the processes, and leaves the others for the next turn.
    private func readOn() {
        guard let folder else { return }
        let count = unsafe clinux_process_list(folder.descriptor.raw, &pids)
        guard count >= 0 else { return endReading() }
        for pid in pids.prefix(Int(count)) { look(at: pid) }
        loop.later { [weak self] in self?.readOn() }
    }

    private func endReading() {
        folder = nil
        readingTookNs = loop.nowNs - readingSinceNs
        for process in tracked { process.endReading() }
        settle()
        if events == nil { readLater() }
        guard !hasLookedForHiding else { return }
        hasLookedForHiding = true
        // The first process is always there.
        if read(1, "comm", atMost: 1) == nil {
            Log.error("/proc hides the processes of other users (hidepid): those are not counted")
        }
    }

    private func readLater() {
        guard timer == nil else { return }
        let waitNs = max(Self.intervalNs, 10 * readingTookNs)
        timer = loop.schedule(atNs: loop.nowNs + waitNs, toleranceNs: waitNs / 5) { [unowned self] in
            timer = nil
            beginReading()
        }
    }
}
