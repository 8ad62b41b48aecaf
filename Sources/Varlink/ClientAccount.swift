/// What one user's clients use, and may use, of memory and time.
///
/// Time is a token bucket, the *purse*: it fills by a share of the time that passes, up to a burst, and each turn takes
/// out the time that it took. Only a user whose purse is empty has to wait. All users who are not trusted share a
/// second account above their own, because one person may have many users (user_namespaces(7)).
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

    /// After a purse was empty, nobody gets a turn before it holds this part of a burst again.
    private static let burstPart: Int64 = 50

    init(_ limits: Limits?, parent: ClientAccount? = nil, nowNs: Int64) {
        self.limits = limits
        self.parent = parent
        purseNs = limits?.burstNs ?? 0
        filledNs = nowNs
    }

    /// Whether its user is not trusted.
    var isLimited: Bool { limits != nil }

    /// The account is as a new one would be, and can be forgotten.
    func isFresh(nowNs: Int64) -> Bool {
        fill(nowNs: nowNs)
        return connections == 0 && parked.isEmpty && purseNs >= limits?.burstNs ?? 0
    }

    // MARK: Memory

    /// Whether so much more may be held.
    func holds(_ more: Int) -> Bool {
        (limits.map { bytes + more <= $0.bytesMax } ?? true) && (parent?.holds(more) ?? true)
    }

    /// Adds to what is held; negative: takes from it.
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
