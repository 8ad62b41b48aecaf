/// What one user's clients cost, and what they may: memory and time.
///
/// Time is a purse: it fills by a share of the time that passes, up to a burst, and each turn takes out what it took. Whose
/// purse is empty waits for it, and nobody else does. All users who are not trusted share a second account above their own,
/// because one person may have many users (user_namespaces(7)).
import LinuxSystem

final class ClientAccount {
    /// What an account allows.
    struct Limits {
        /// What may be held for it: unread replies and messages that have not arrived whole. Bytes.
        var bytesMax: Int
        /// Its part of one processor's time, in thousandths.
        var timeShare: Int64
        /// How much time it may take at once. Nanoseconds.
        var burstNs: Int64
    }

    /// Nil: there is no limit.
    private let limits: Limits?
    private let parent: ClientAccount?
    /// Connections at one time.
    var connections = 0
    /// Connections that wait until the purse is no longer empty, in their order.
    var parked: [ServerConnection] = []
    var timer: EventLoop.TimerID?
    /// One of them has its turn coming.
    var isBeingServed = false

    private var bytes = 0
    private var purseNs: Int64 = 0
    private var filledNs: Int64

    /// An empty purse is not filled drop by drop: it lets nobody take a turn before it holds so much of a burst.
    private static let burstPart: Int64 = 50

    init(_ limits: Limits?, parent: ClientAccount? = nil, nowNs: Int64) {
        self.limits = limits
        self.parent = parent
        purseNs = limits?.burstNs ?? 0
        filledNs = nowNs
    }

    /// Whether its user is not trusted.
    var isLimited: Bool { limits != nil }

    /// Nothing is remembered that a new account would not have.
    func isFresh(nowNs: Int64) -> Bool {
        fill(nowNs: nowNs)
        return connections == 0 && parked.isEmpty && purseNs >= limits?.burstNs ?? 0
    }

    // MARK: Memory

    /// Whether so much more may be held.
    func holds(_ more: Int) -> Bool {
        (limits.map { bytes + more <= $0.bytesMax } ?? true) && (parent?.holds(more) ?? true)
    }

    /// So much more, or less, is held.
    func hold(_ more: Int) {
        bytes += more
        parent?.hold(more)
    }

    // MARK: Time

    private func fill(nowNs: Int64) {
        guard let limits else { return }
        let passedNs = min(max(0, nowNs - filledNs), 3_600_000_000_000)
        purseNs = min(limits.burstNs, purseNs + passedNs * limits.timeShare / 1000)
        filledNs = nowNs
    }

    /// Takes out of the purse what a turn took.
    func spend(_ tookNs: Int64) {
        guard limits != nil else { return }
        purseNs -= max(0, tookNs)
        parent?.spend(tookNs)
    }

    /// How long to wait for a turn; 0: not at all.
    func waitNs(nowNs: Int64) -> Int64 {
        guard let limits else { return 0 }
        fill(nowNs: nowNs)
        let ownNs =
            purseNs > 0 ? 0 : (limits.burstNs / Self.burstPart - purseNs) * 1000 / max(1, limits.timeShare)
        return max(ownNs, parent?.waitNs(nowNs: nowNs) ?? 0)
    }
}
