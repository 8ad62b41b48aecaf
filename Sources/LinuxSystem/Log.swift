/// The log of a daemon: one line per event, on stderr.
///
/// Under a journal (`JOURNAL_STREAM` is set) each line carries the priority of sd-daemon(3) and no name; elsewhere the
/// program's name. A line is written with one call, so lines of two processes do not mix, and nobody waits for a log
/// that is not read: what does not fit is dropped and counted (`LogOutput`). Text that others chose is made
/// `printable`. A line that strangers can cause says what it is `about`, and is written no more often than `RateLimit`
/// allows.
import Glibc
import Synchronization

public enum Log {
    /// As in syslog(3), the ones that are used.
    private enum Level: Int {
        case error = 3
        case warning = 4
        case notice = 5
        case info = 6
    }

    private struct State {
        var output = LogOutput()
        var limit = RateLimit<String>()
        /// The last line of each kind that is being held back.
        var told: [String: (level: Level, message: String)] = [:]
        /// Waits for room, and for the end of a window.
        var waiter: LogWaiter?
    }

    private static let state = Mutex(State())

    /// Whether stderr is a journal's.
    private static let isJournal = unsafe getenv("JOURNAL_STREAM") != nil

    private static let program = CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "linkwatch"

    /// Looks what stderr is: before privileges change, since another user may not open it.
    public static func prepare() { state.withLock { _ in } }

    public static func error(_ message: @autoclosure () -> String, about: String? = nil) {
        write(.error, message, about)
    }
    public static func warning(_ message: @autoclosure () -> String, about: String? = nil) {
        write(.warning, message, about)
    }
    public static func notice(_ message: @autoclosure () -> String, about: String? = nil) {
        write(.notice, message, about)
    }
    public static func info(_ message: @autoclosure () -> String, about: String? = nil) {
        write(.info, message, about)
    }

    private static func write(_ level: Level, _ message: () -> String, _ about: String?) {
        state.withLock { state in
            tellHeld(&state)
            if let about {
                guard state.limit.admits(about, nowNs: Clock.monotonicNs()) else {
                    state.waiter?.wait(untilNs: state.limit.nextDeadlineNs)
                    return
                }
                let message = message()
                state.told[about] = (level, message)
                if state.told.count > 1024 { state.told = [about: (level, message)] }
                put(line(level, message), &state)
            } else {
                put(line(level, message()), &state)
            }
        }
    }

    /// Says how much was held back in the windows that are over.
    private static func tellHeld(_ state: inout State) {
        guard let deadlineNs = state.limit.nextDeadlineNs, case let nowNs = Clock.monotonicNs(), deadlineNs <= nowNs
        else { return }
        for held in state.limit.expire(nowNs: nowNs) {
            let (level, message) = state.told[held.key] ?? (.notice, held.key)
            let seconds = max(1, (held.overNs + 500_000_000) / 1_000_000_000)
            put(line(level, "\(message) (\(held.count) more in \(seconds) s)"), &state)
        }
    }

    private static func put(_ line: [UInt8], _ state: inout State) {
        state.output.write(line, patienceMs: state.waiter == nil ? 200 : 0) { notice(ofDropped: $0) }
        if state.output.dropped > 0, !state.output.isGone { state.waiter?.waitForRoom(state.output.descriptor) }
    }

    private static func notice(ofDropped count: Int) -> [UInt8] {
        line(.warning, "\(count) log \(count == 1 ? "line was" : "lines were") dropped: nobody read the log")
    }

    private static func line(_ level: Level, _ message: String) -> [UInt8] {
        var line = Array((isJournal ? "<\(level.rawValue)>" : "\(program): ").utf8)
        line += message.printable.utf8
        if line.count >= LogOutput.lineBytesMax {
            let mark = Array(" [cut]".utf8)
            line = line.prefix(LogOutput.lineBytesMax - 1 - mark.count) + mark
        }
        line.append(0x0a)
        return line
    }

    // MARK: With a loop

    /// From now on the counts of dropped and held-back lines are written as soon as possible, rather than before the
    /// next line.
    public static func follow(_ loop: EventLoop) {
        let waiter = LogWaiter(loop)
        state.withLock { state in
            state.waiter = waiter
            if state.output.dropped > 0 { waiter.waitForRoom(state.output.descriptor) }
        }
    }

    /// Writes what is due.
    ///
    /// - Returns: whether nothing waits for room any more.
    fileprivate static func catchUp() -> Bool {
        state.withLock { state in
            tellHeld(&state)
            state.waiter?.wait(untilNs: state.limit.nextDeadlineNs)
            return state.output.catchUp { notice(ofDropped: $0) } || state.output.isGone
        }
    }
}

/// Writes, from a loop, what the log could not write at once; costs nothing while there is nothing to write.
private final class LogWaiter: @unchecked Sendable {
    private let loop: EventLoop
    private var watched: CInt?
    private var timer: EventLoop.TimerID?

    init(_ loop: EventLoop) { self.loop = loop }

    func waitForRoom(_ descriptor: CInt?) {
        guard watched == nil, let descriptor else { return }
        // A reader that takes one byte at a time must not wake us for every line.
        guard (try? loop.watch(descriptor, .writable, priority: .clients) { [unowned self] _ in roomHasCome() }) != nil
        else { return }
        watched = descriptor
    }

    private func roomHasCome() {
        guard let watched, Log.catchUp() else { return }
        loop.unwatch(watched)
        self.watched = nil
    }

    func wait(untilNs: Int64?) {
        guard timer == nil, let untilNs else { return }
        timer = loop.schedule(atNs: untilNs, toleranceNs: 1_000_000_000) { [unowned self] in
            timer = nil
            _ = Log.catchUp()
        }
    }
}
