/// Returns the pages of the program that only its start, or another rare event, needed. It does so after a second of
/// quiet, at a wake-up that is due in any case if there is one.
public final class StartPages {
    private let loop: EventLoop
    private let isOn: Bool
    private var timer: EventLoop.TimerID?

    /// How long after such an event its consequences are over.
    private static let quietNs: Int64 = 1_000_000_000

    /// - Parameter locksMemory: the process keeps all its pages in memory, and none is given back.
    public init(loop: EventLoop, locksMemory: Bool = false) {
        self.loop = loop
        isOn = !locksMemory
    }

    /// Such an event has happened.
    public func releaseSoon() {
        guard isOn else { return }
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(atNs: loop.nowNs + Self.quietNs, toleranceNs: Self.quietNs) { [unowned self] in
            timer = nil
            Privileges.releaseStartPages()
        }
    }
}
