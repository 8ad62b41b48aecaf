/// Returns the pages of the program that only its start, or another rare event, needed. It does so after a second of
/// quiet, and may wait a little longer for a wake-up that is due in any case.
public final class StartPages {
    private let loop: EventLoop
    private let isOn: Bool
    private let toleranceNs: Int64
    private var timer: EventLoop.TimerID?

    /// How long after such an event its consequences are over.
    private static let quietNs: Int64 = 1_000_000_000

    /// - Parameters:
    ///   - locksMemory: the process keeps all its pages in memory, and none is given back.
    ///   - toleranceNs: how much longer it may wait for another wake-up, in ns: for a process that wakes regularly.
    public init(loop: EventLoop, locksMemory: Bool = false, toleranceNs: Int64 = 0) {
        self.loop = loop
        self.toleranceNs = toleranceNs
        isOn = !locksMemory
    }

    /// Such an event has happened.
    public func releaseSoon() {
        guard isOn else { return }
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(atNs: loop.nowNs + Self.quietNs, toleranceNs: toleranceNs) { [unowned self] in
            timer = nil
            Privileges.releaseStartPages()
        }
    }
}
