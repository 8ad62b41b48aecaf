import Glibc

/// The penalty of one interface, in the manner of RFC 2439: a flap adds, time halves.
///
/// The penalty is stored with the instant it was computed for and decays only when it is asked, so an interface that
/// does not flap costs nothing.
public struct Dampening: Hashable, Sendable {
    private var storedPenalty = 0.0
    private var storedAtNs: Int64 = 0
    /// True from the moment the penalty reaches `suppress` until it has decayed below `reuse`.
    public private(set) var isSuppressed = false

    public init() {}

    /// The penalty at `nowNs`.
    public func penalty(_ policy: DampeningPolicy, nowNs: Int64) -> Double {
        guard storedPenalty > 0, nowNs > storedAtNs else { return storedPenalty }
        return storedPenalty * exp2(-Double(nowNs - storedAtNs) / Double(policy.halfLifeNs))
    }

    /// Adds one flap's penalty.
    mutating func flap(_ policy: DampeningPolicy, nowNs: Int64) {
        storedPenalty = min(penalty(policy, nowNs: nowNs) + policy.penaltyPerFlap, policy.ceiling)
        storedAtNs = nowNs
        if storedPenalty >= policy.suppress { isSuppressed = true }
    }

    /// Ends the suppression if the penalty has decayed far enough.
    mutating func advance(_ policy: DampeningPolicy, nowNs: Int64) {
        guard isSuppressed, nowNs >= reuseAtNs(policy) else { return }
        isSuppressed = false
    }

    /// When the penalty falls to `reuse`; meaningful while suppressed.
    public func reuseAtNs(_ policy: DampeningPolicy) -> Int64 {
        guard storedPenalty > policy.reuse else { return storedAtNs }
        let halfLives = log2(storedPenalty / policy.reuse)
        return storedAtNs + Int64((halfLives * Double(policy.halfLifeNs)).rounded(.up))
    }
}
