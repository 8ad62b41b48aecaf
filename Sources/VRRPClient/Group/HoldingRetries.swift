/// Instances that could not hold their addresses, and when each tries again.
///
/// A router that cannot add its addresses must let another one serve. It tries again at growing intervals, as each
/// failed try interrupts the service for a moment.
import LinuxSystem

final class HoldingRetries {
    private struct Entry {
        /// How often in a row.
        var count = 0
        var endedNs = Int64.min
        var timer: EventLoop.TimerID?
        /// The kernel refused them, as it does on an interface without IPv6; they were not removed by somebody.
        var isRefusal = false
    }

    private let loop: EventLoop
    private let isRefused: () -> Bool
    private let set: (String, Bool) -> Void
    private var entries: [String: Entry] = [:]

    /// The first wait, doubled with each further failure.
    private static let firstNs: Int64 = 5_000_000_000
    private static let maxNs: Int64 = 600_000_000_000

    /// - Parameters:
    ///   - isRefused: whether the kernel would refuse any address.
    ///   - set: called with an instance when it begins to wait (true), and when it may try again (false).
    init(loop: EventLoop, isRefused: @escaping () -> Bool, set: @escaping (String, Bool) -> Void) {
        self.loop = loop
        self.isRefused = isRefused
        self.set = set
    }

    deinit { for case let timer? in entries.values.map(\.timer) { loop.cancel(timer) } }

    /// An instance cannot hold its addresses: it waits.
    func cannotHold(_ name: String, _ reason: LegAddresses.Inability) {
        var entry = entries[name] ?? Entry()
        guard entry.timer == nil else { return }
        let nowNs = loop.nowNs
        if entry.count > 0, nowNs - entry.endedNs >= Self.maxNs { entry.count = 0 }
        let waitNs = min(Self.firstNs << Int64(min(entry.count, 10)), Self.maxNs)
        entry.count += 1
        if case .refused = reason { entry.isRefusal = true } else { entry.isRefusal = false }
        Log.error("\(name): \(reason): trying again in \(waitNs / 1_000_000_000) s")
        entries[name] = entry
        set(name, true)
        tryAgain(name, atNs: nowNs + waitNs)
    }

    /// An interface that has got an address of its own again has been set up again: the kernel may now accept what it
    /// refused before.
    func interfaceIsReady(_ name: String) {
        guard let entry = entries[name], entry.isRefusal, let timer = entry.timer else { return }
        loop.cancel(timer)
        entries[name] = nil
        set(name, false)
    }

    private func tryAgain(_ name: String, atNs: Int64) {
        entries[name]?.timer = loop.schedule(atNs: atNs) { [unowned self] in
            entries[name]?.timer = nil
            // First find out whether the kernel would refuse again: a try that fails interrupts the service.
            if isRefused() { return tryAgain(name, atNs: loop.nowNs + Self.maxNs) }
            entries[name]?.endedNs = loop.nowNs
            set(name, false)
        }
    }
}
