/// Refreshes the leases of all legs, in one batched request and at one wake-up wherever that is possible.
import LinuxSystem
import RtnlMonitor

enum AddressLease {
    /// A sleep from which on the lease may have ended: it was refreshed up to a third of it before. Owners have none.
    static func sleepNs(_ leaseNs: Int64) -> Int64 { leaseNs > 0 ? leaseNs / 3 * 2 : .max }
}

final class LeaseKeeper {
    private let kernel: any Kernel
    private let loop: EventLoop
    private var legs: [LegAddresses] = []
    private var timer: EventLoop.TimerID?
    private var onTimer: () -> Void = {}
    private var dueNs = Int64.max

    /// Called when a leg's lease may have ended unnoticed: the engines must get the time before anything is added
    /// again.
    var onLapse: () -> Void = {}

    /// Called after a refresh: for occasional work while addresses are held, which then needs no wake-up of its own.
    var onRefresh: (Int64) -> Void = { _ in }

    init(kernel: any Kernel, loop: EventLoop) {
        self.kernel = kernel
        self.loop = loop
        onTimer = { [unowned self] in
            timer = nil
            dueNs = .max
            refresh()
            schedule()
        }
    }

    func follow(_ leg: LegAddresses) { legs.append(leg) }

    /// The leg has come to its end.
    func forget(_ leg: LegAddresses) { legs.removeAll { $0 === leg } }

    /// What a leg wants has changed.
    func reconsider() { schedule() }

    /// The process was not scheduled for long, or the machine was suspended: checks first of all whether the leases
    /// have ended.
    func awake() {
        let nowNs = loop.nowBoottimeNs
        if legs.contains(where: { $0.hasLapsed(nowNs: nowNs) }) { onLapse() }
    }

    private func refresh() {
        let nowNs = loop.nowBoottimeNs
        awake()
        // An address that cannot be refreshed is removed by the kernel, and the mirror reports that.
        // Nor are those refreshed that may have ended since this turn began: they would be added again.
        let stoppedNs = loop.stoppedNs
        for leg in legs {
            guard let due = leg.refreshDueNs, due <= nowNs + leg.refreshSlackNs, stoppedNs < leg.sleepNs else {
                continue
            }
            for request in leg.refresh(nowNs: nowNs) { try? kernel.refreshes.post(request) }
        }
        try? kernel.refreshes.flush()
        onRefresh(loop.nowNs)
    }

    /// For the leg that is due first, which need not wait for that when the process wakes a little earlier.
    private func schedule() {
        var next: (dueNs: Int64, slackNs: Int64) = (.max, 0)
        for leg in legs {
            guard let due = leg.refreshDueNs, due < next.dueNs else { continue }
            next = (due, leg.refreshSlackNs)
        }
        guard next.dueNs != dueNs else { return }
        dueNs = next.dueNs
        if let timer { loop.cancel(timer) }
        timer =
            dueNs == .max
            ? nil : loop.schedule(atNs: dueNs - next.slackNs - loop.aheadNs, toleranceNs: next.slackNs, onTimer)
    }
}
