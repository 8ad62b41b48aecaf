/// Refreshes the leases of all legs, in one batched request and at one wake-up wherever that is possible.
import LinuxSystem
import RtnlMonitor

final class LeaseKeeper {
    private struct Weak { weak var leg: LegAddresses? }

    private let kernel: KernelState
    private let loop: EventLoop
    private var legs: [Weak] = []
    private var timer: EventLoop.TimerID?
    private var dueNs = Int64.max

    /// Called with the time when a leg's lease may have ended unnoticed: the engines are told it before anything is added again.
    var onLapse: (Int64) -> Void = { _ in }

    init(kernel: KernelState, loop: EventLoop) {
        self.kernel = kernel
        self.loop = loop
    }

    func follow(_ leg: LegAddresses) {
        legs.removeAll { $0.leg == nil }
        legs.append(Weak(leg: leg))
    }

    /// To be called at any wake-up: what is nearly due is done at once.
    func tend() {
        let nowNs = Clock.monotonicNs()
        guard dueNs <= nowNs + slackNs else { return }
        refresh(nowNs: nowNs)
        schedule()
    }

    /// What a leg wants has changed.
    func reconsider() { schedule() }

    private var slackNs: Int64 = 0

    private func refresh(nowNs: Int64) {
        if legs.contains(where: { $0.leg?.hasLapsed(nowNs: nowNs) == true }) { onLapse(nowNs) }
        var requests: [RtnlRequest] = []
        for case let leg? in legs.lazy.map(\.leg) {
            guard let due = leg.refreshDueNs, due <= nowNs + leg.refreshSlackNs else { continue }
            requests += leg.refresh(nowNs: nowNs)
        }
        guard !requests.isEmpty else { return }
        _ = try? kernel.refreshes.perform(requests)
    }

    private func schedule() {
        var first = Int64.max
        slackNs = .max
        for case let leg? in legs.lazy.map(\.leg) {
            guard let due = leg.refreshDueNs else { continue }
            first = min(first, due)
            slackNs = min(slackNs, leg.refreshSlackNs)
        }
        if first == .max { slackNs = 0 }
        guard first != dueNs else { return }
        dueNs = first
        if let timer { loop.cancel(timer) }
        timer =
            first == .max
            ? nil
            : loop.schedule(atNs: first) { [unowned self] in
                timer = nil
                dueNs = .max
                refresh(nowNs: Clock.monotonicNs())
                schedule()
            }
    }
}
