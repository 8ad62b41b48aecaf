/// The kernel read once, without a loop: for `linkwatch --direct`, and for tests that compare.
import CMnl
import LinuxSystem
import SystemPackage

extension RtnlMonitor {
    /// Reads everything and returns when it is there.
    ///
    /// - Parameters:
    ///   - timeoutNs: how long to wait for the kernel.
    ///   - acceptsPart: whether an incomplete result is better than none.
    /// - Returns: a monitor that is synced, or, with `acceptsPart`, degraded; there is nothing more to read.
    /// - Throws: what could not be read completely and why; `.timedOut`, or what the kernel said.
    public static func snapshot(
        options: Options = Options(), timeoutNs: Int64 = 5_000_000_000, acceptsPart: Bool = false
    ) throws(RtnlError) -> RtnlMonitor {
        let monitor: RtnlMonitor
        do throws(Errno) { monitor = try RtnlMonitor(options: options) } catch { throw RtnlError(error) }
        try monitor.readWhole(timeoutNs: timeoutNs, acceptsPart: acceptsPart)
        return monitor
    }

    func readWhole(timeoutNs: Int64, acceptsPart: Bool = false) throws(RtnlError) {
        let deadlineNs = Clock.monotonicNs() + timeoutNs
        _ = start(nowNs: Clock.monotonicNs())
        while !(isSynced || acceptsPart && hasBeenRead) {
            let nowNs = Clock.monotonicNs()
            let isHopeless = degradation.contains { !isSynced($0.key) && !$0.value.isPassing }
            guard nowNs < deadlineNs, !isHopeless else { throw shortfall }
            let untilNs = min(deadlineNs, nextDeadlineNs ?? deadlineNs)
            let waitMs = CInt(clamping: max(0, (untilNs - nowNs + 999_999) / 1_000_000))
            do throws(Errno) { try Syscall.check(cmnl_wait(requests.fd, waitMs)) } catch { throw RtnlError(error) }
            _ = handleReadable(requests.fd, nowNs: Clock.monotonicNs())
            _ = advance(nowNs: Clock.monotonicNs())
        }
    }

    /// What is missing, as an error.
    private var shortfall: RtnlError {
        let degradation = degradation.filter { !isSynced($0.key) }
        return RtnlError(.timedOut, degradation.isEmpty ? "it does not answer" : degradation.text)
    }
}

extension [DumpKind: Degradation] {
    /// In words for an operator: `links: the kernel does not answer`.
    public var text: String {
        DumpKind.allCases.compactMap { kind in self[kind].map { "\(kind): \($0)" } }.joined(separator: "; ")
    }
}
