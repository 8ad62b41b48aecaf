/// What a service tells the manager that started it; sd_notify(3), without its library.
///
///     READY=1, STATUS=, RELOADING=1, STOPPING=1    when something happens
///     WATCHDOG=1                                   at half of `WATCHDOG_USEC`, by a timer of the loop
///
/// Without a manager that listens (`NOTIFY_SOCKET`) nothing is sent, and without `WATCHDOG_USEC` no timer is set.
/// Nothing here waits: messages that the manager's socket does not take at once are kept, in order, and sent again.
import Glibc
import SystemPackage

public final class ServiceManager {
    private let loop: EventLoop
    private let path: [UInt8]?
    /// Half of what the manager waits for; nil: it does not watch us.
    private let watchdogNs: Int64?
    private var status = ""
    /// Messages that are still to be sent, the oldest first.
    private var pending: [String] = []
    private var retry: EventLoop.TimerID?
    private var soon: EventLoop.TimerID?

    /// How long a change may wait for others: several at once are one status.
    private static let soonNs: Int64 = 100_000_000
    private static let retryNs: Int64 = 100_000_000
    /// Only distinct messages wait, and there are not so many.
    private static let pendingMax = 8

    /// - Parameter environment: a variable's value; by default the process's own.
    public init(
        loop: EventLoop,
        environment: (String) -> String? = { name in unsafe getenv(name).map { unsafe String(cString: $0) } }
    ) {
        self.loop = loop
        path = environment("NOTIFY_SOCKET").flatMap(Self.socketPath)
        watchdogNs = path == nil ? nil : Self.watchdogNs(environment)
    }

    /// Whether a service manager listens, which would also restart us.
    public var isListening: Bool { path != nil }

    /// The start is over, or a reload is; the watchdog is fed from now on.
    public func ready(status: String) {
        self.status = status
        send("READY=1\n" + Self.statusLine(status))
        feedWatchdog()
    }

    /// What `systemctl status` shows, in one line; the same one again is not sent.
    public func status(_ text: String) {
        guard text != status else { return }
        status = text
        send(Self.statusLine(text))
    }

    /// The same a moment later, with the status as it is then: for changes that are not urgent.
    public func statusSoon(_ text: @escaping () -> String) {
        guard isListening, soon == nil else { return }
        soon = loop.schedule(atNs: loop.nowNs + Self.soonNs) { [weak self] in
            self?.soon = nil
            self?.status(text())
        }
    }

    /// The configuration is being read again; `ready` ends it.
    public func reloading() {
        send("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicNs() / 1000)")
    }

    /// The service ends.
    public func stopping(status: String) {
        send("STOPPING=1\n" + Self.statusLine(status))
    }

    private static func statusLine(_ text: String) -> String {
        "STATUS=" + String(text.map { $0.isNewline ? " " : $0 })
    }

    // MARK: The watchdog

    private var isFeeding = false

    private func feedWatchdog() {
        guard let watchdogNs, !isFeeding else { return }
        isFeeding = true
        send("WATCHDOG=1")
        scheduleFeeding(watchdogNs)
    }

    /// It may wait for a wake-up that is due to something else.
    private func scheduleFeeding(_ intervalNs: Int64) {
        loop.schedule(atNs: loop.nowNs + intervalNs, toleranceNs: intervalNs / 4) { [weak self] in
            self?.send("WATCHDOG=1")
            self?.scheduleFeeding(intervalNs)
        }
    }

    /// `WATCHDOG_PID` names whom the manager expects to hear; another process has inherited the variables.
    private static func watchdogNs(_ environment: (String) -> String?) -> Int64? {
        if let pid = environment("WATCHDOG_PID"), pid_t(pid) != getpid() { return nil }
        guard let usec = environment("WATCHDOG_USEC").flatMap(Int64.init), usec > 0, usec < .max / 1000 else {
            return nil
        }
        return max(1_000_000, usec * 1000 / 2)
    }

    // MARK: The socket

    private static func socketPath(_ name: String) -> [UInt8]? {
        var path = Array(name.utf8)
        guard path.count > 1, path.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else { return nil }
        // An abstract name: the first byte is a NUL that is not written so.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        return path
    }

    private func send(_ message: String) {
        guard path != nil else { return }
        // Of two that say the same kind of thing, the later one counts.
        let kind = message.prefix { $0 != "=" }
        if kind == "STATUS" || kind == "WATCHDOG" { pending.removeAll { $0.prefix { $0 != "=" } == kind } }
        if pending.count == Self.pendingMax { pending.removeFirst() }
        pending.append(message)
        flush()
    }

    private func flush() {
        while let first = pending.first {
            guard offer(first) else {
                if retry == nil {
                    retry = loop.schedule(atNs: loop.nowNs + Self.retryNs) { [weak self] in
                        self?.retry = nil
                        self?.flush()
                    }
                }
                return
            }
            pending.removeFirst()
        }
    }

    /// - Returns: false when the manager has no room for it now. Without a manager the message is dropped.
    private func offer(_ message: String) -> Bool {
        guard let path else { return true }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
        let fd = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { return false }
        defer { close(fd) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let bytes = Array(message.utf8)
        let sent = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe sendto(fd, bytes, bytes.count, CInt(MSG_NOSIGNAL), address, length)
            }
        }
        if sent >= 0 { return true }
        let passing: [Errno] = [.resourceTemporarilyUnavailable, .interrupted, .noBufferSpace]
        return !passing.contains(Errno(rawValue: errno))
    }
}
