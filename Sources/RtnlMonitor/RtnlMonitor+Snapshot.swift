/// The kernel read once, without a loop: for `linkwatch --direct`, and for tests that compare.
import CMnl
import LinuxSystem
import SystemPackage

extension RtnlMonitor {
    /// Reads everything and returns when it is there.
    ///
    /// - Parameter timeoutNs: how long to wait for the kernel.
    /// - Returns: a monitor that is synced; nobody needs to read on.
    /// - Throws: `.timedOut`, or what the kernel said.
    public static func snapshot(
        options: Options = Options(), timeoutNs: Int64 = 5_000_000_000
    ) throws(Errno) -> RtnlMonitor {
        let monitor = try RtnlMonitor(options: options)
        let deadlineNs = Clock.monotonicNs() + timeoutNs
        _ = monitor.start(nowNs: Clock.monotonicNs())
        while !monitor.isSynced {
            let nowNs = Clock.monotonicNs()
            guard nowNs < deadlineNs else { throw .timedOut }
            let untilNs = min(deadlineNs, monitor.nextDeadlineNs ?? deadlineNs)
            let waitMs = CInt(clamping: max(0, (untilNs - nowNs + 999_999) / 1_000_000))
            try Syscall.check(cmnl_wait(monitor.requests.fd, waitMs))
            _ = monitor.handleReadable(monitor.requests.fd, nowNs: Clock.monotonicNs())
            _ = monitor.advance(nowNs: Clock.monotonicNs())
        }
        return monitor
    }
}
