/// How the raw state of one interface becomes its settled state.
///
/// All times are nanoseconds of CLOCK_MONOTONIC, as everywhere in this package.
public struct SettlePolicy: Hashable, Sendable {
    /// How long the raw state must have been up before the settled state follows, 0 or more.
    public var upDelayNs: Int64
    /// How long the raw state must have been down before the settled state follows, 0 or more.
    public var downDelayNs: Int64
    /// Penalty dampening; nil: off.
    public var dampening: DampeningPolicy?

    public init(upDelayNs: Int64 = 0, downDelayNs: Int64 = 0, dampening: DampeningPolicy? = nil) {
        self.upDelayNs = upDelayNs
        self.downDelayNs = downDelayNs
        self.dampening = dampening
    }
}

/// Penalty dampening in the manner of RFC 2439: each transition to down adds `penaltyPerFlap`, the sum decays
/// exponentially, and while it has risen above `suppress` and not yet fallen below `reuse` the settled state is down.
public struct DampeningPolicy: Hashable, Sendable {
    /// The time in which the penalty halves, above 0.
    public var halfLifeNs: Int64
    /// Below this penalty a suppressed interface is used again.
    public var reuse: Double
    /// At or above this penalty the interface is suppressed; more than `reuse`.
    public var suppress: Double
    /// The longest suppression, in half-lives: it caps the penalty at `reuse * 2^maxHalfLives`.
    public var maxHalfLives: Int
    /// What one transition to down adds.
    public var penaltyPerFlap: Double

    public init(
        halfLifeNs: Int64 = 5_000_000_000, reuse: Double = 1000, suppress: Double = 2000, maxHalfLives: Int = 4,
        penaltyPerFlap: Double = 1000
    ) {
        self.halfLifeNs = halfLifeNs
        self.reuse = reuse
        self.suppress = suppress
        self.maxHalfLives = maxHalfLives
        self.penaltyPerFlap = penaltyPerFlap
    }

    /// The largest penalty that is kept.
    public var ceiling: Double {
        var value = reuse
        for _ in 0..<maxHalfLives { value *= 2 }
        return value
    }
}
