/// The verdict on one interface: is the link up, and why do we say so.
///
/// The rule is one sentence: *down wins at once, up must be unanimous.* Any counted evidence that says down makes the
/// raw state down, with that evidence as the reason; up needs all of them. A probe that fails is `stale`: its last
/// answer counts for `staleHoldNs` more, and then no longer, with a condition. It is never silently up, and never down
/// by itself: a kernel that is busy deleting a thousand interfaces must not look like a cut wire.
///
/// The settled state follows the raw state after the hold times, and stays down while dampening suppresses the
/// interface. Both are always published: a consumer that must be fast takes raw, one that must be calm takes settled.
///
/// Pure: no I/O, no clock. The owner passes `nowNs`, calls `advance` when `nextDeadlineNs` has come, and publishes
/// what the calls return.
public struct Verdict: Hashable, Sendable {
    /// How long the last answer of a source that fails still counts.
    public static let staleHoldNs: Int64 = 3_000_000_000

    /// A change that consumers are told of.
    public enum Change: Hashable, Sendable {
        /// The raw state changed, for this reason (nil: up).
        case raw(State, reason: EvidenceSource?)
        /// The settled state changed.
        case settled(State)
        /// The link blinked between two polls and is up: the PHY latched it.
        case latchedDrops(Int)
        /// Evidence, reason or disagreement changed and the states did not.
        case evidence
    }

    /// How raw becomes settled.
    public private(set) var policy: SettlePolicy
    /// The state that evidence gives at once.
    public private(set) var rawState: State = .down
    /// Which evidence says down; nil while raw is up.
    public private(set) var reason: EvidenceSource?
    /// The state after holds and dampening.
    public private(set) var settledState: State = .down
    /// When the settled state last changed, CLOCK_MONOTONIC.
    public private(set) var settledSinceNs: Int64 = 0
    /// When the raw state last changed, CLOCK_MONOTONIC.
    public private(set) var rawSinceNs: Int64 = 0
    /// How often the link went down since it was first seen, blinks included.
    public private(set) var flaps = 0
    /// The penalty; unused unless the policy has dampening.
    public private(set) var dampening = Dampening()

    private var evidence = [Evidence](repeating: Evidence(), count: EvidenceSource.allCases.count)
    private var isPrimed = false

    public init(policy: SettlePolicy = SettlePolicy()) {
        self.policy = policy
    }

    public subscript(source: EvidenceSource) -> Evidence { evidence[source.rawValue] }

    /// The PHY and the kernel disagree on an interface that is administratively up.
    ///
    /// Only the PHY against `carrier`: `operstate` and `driver` may lag behind, and that is no disagreement.
    public var disagreement: Bool {
        let mii = self[.mii]
        guard self[.admin].last == .up, mii.counts, !mii.isStale, let phy = mii.last, let carrier = self[.carrier].last
        else { return false }
        return phy != carrier
    }

    /// Conditions that an operator should know and that no state shows, by name: of each polled source `-stale` and
    /// `-lost`; `disagreement`, `dampened`.
    public var conditions: [String] {
        var names: [String] = []
        for source in EvidenceSource.polled where self[source].isStale {
            names.append(self[source].last == nil ? "\(source.name)-lost" : "\(source.name)-stale")
        }
        if disagreement { names.append("disagreement") }
        if dampening.isSuppressed { names.append("dampened") }
        return names
    }

    // MARK: What happens to it

    /// Takes what several sources said at one instant, as one step: one rtnetlink message carries three of them.
    public mutating func observe(_ readings: [(EvidenceSource, Reading, detail: String)], nowNs: Int64) -> [Change] {
        let before = self
        for (source, reading, detail) in readings { record(source, reading, detail: detail, nowNs: nowNs) }
        return conclude(since: before, nowNs: nowNs)
    }

    /// Takes what one source said.
    public mutating func observe(_ source: EvidenceSource, _ reading: Reading, detail: String = "", nowNs: Int64)
        -> [Change]
    {
        observe([(source, reading, detail: detail)], nowNs: nowNs)
    }

    /// The PHY reports `count` drops that were over before they were seen.
    public mutating func latchedDrops(_ count: Int, nowNs: Int64) -> [Change] {
        guard count > 0 else { return [] }
        let before = self
        for _ in 0..<min(count, 64) { countFlap(nowNs: nowNs) }
        flaps += max(0, count - 64)
        return [.latchedDrops(count)] + conclude(since: before, nowNs: nowNs)
    }

    /// Lets time pass: ends hold times and suppression, and drops stale answers.
    public mutating func advance(nowNs: Int64) -> [Change] {
        let before = self
        return conclude(since: before, nowNs: nowNs)
    }

    /// Takes a new policy; the counters and the penalty stay.
    public mutating func adopt(_ newPolicy: SettlePolicy, nowNs: Int64) -> [Change] {
        let before = self
        policy = newPolicy
        if newPolicy.dampening == nil { dampening = Dampening() }
        return conclude(since: before, nowNs: nowNs)
    }

    /// The next instant at which `advance` would change something; nil: none.
    public var nextDeadlineNs: Int64? {
        var deadline: Int64?
        func consider(_ candidateNs: Int64) { deadline = min(deadline ?? candidateNs, candidateNs) }
        for word in evidence where word.isStale && word.last != nil { consider(word.staleSinceNs + Self.staleHoldNs) }
        if let policy = policy.dampening, dampening.isSuppressed {
            consider(dampening.reuseAtNs(policy))
        }
        if rawState != settledState, !(dampening.isSuppressed && rawState == .up) { consider(settleAtNs) }
        return deadline
    }

    // MARK: How it concludes

    private var settleAtNs: Int64 {
        rawSinceNs + (rawState == .up ? policy.upDelayNs : policy.downDelayNs)
    }

    private mutating func record(_ source: EvidenceSource, _ reading: Reading, detail: String, nowNs: Int64) {
        let index = source.rawValue
        switch reading {
        case .state(let state):
            let counts = evidence[index].counts || state == .up || source.row.saysDown == .always
            evidence[index] = Evidence(last: state, confirmedNs: nowNs, counts: counts, detail: detail)
        case .unsupported(let why):
            evidence[index] = Evidence(detail: why)
        case .failed(let why):
            // A source that has never answered has nothing to keep.
            guard evidence[index].last != nil || evidence[index].isStale else {
                evidence[index] = Evidence(detail: why)
                return
            }
            if !evidence[index].isStale {
                evidence[index].isStale = true
                evidence[index].staleSinceNs = nowNs
            }
            evidence[index].detail = why
        }
    }

    /// The one place where states change.
    private mutating func conclude(since before: Verdict, nowNs: Int64) -> [Change] {
        expireStale(nowNs: nowNs)
        let isFirst = !isPrimed
        isPrimed = true
        var changes: [Change] = []

        let downs = EvidenceSource.allCases.filter { self[$0].counts && self[$0].last == .down }
        let raw: State = downs.isEmpty ? .up : .down
        reason = downReason(among: downs)
        if isFirst || raw != rawState {
            if !isFirst, raw == .down { countFlap(nowNs: nowNs) }
            rawState = raw
            rawSinceNs = nowNs
            changes.append(.raw(raw, reason: reason))
        }

        if let policy = policy.dampening { dampening.advance(policy, nowNs: nowNs) }
        let settled = isFirst ? raw : settledStateAt(nowNs)
        if isFirst || settled != settledState {
            settledState = settled
            settledSinceNs = nowNs
            changes.append(.settled(settled))
        }
        if changes.isEmpty, isNews(since: before) { changes.append(.evidence) }
        return changes
    }

    /// The state that the settled state changes to: the raw state once its hold time is over, and down while dampening
    /// suppresses the interface.
    private func settledStateAt(_ nowNs: Int64) -> State {
        if dampening.isSuppressed {
            return settledState == .up && rawState == .down && nowNs < settleAtNs ? .up : .down
        }
        return nowNs >= settleAtNs ? rawState : settledState
    }

    /// Administratively down explains all other evidence. Otherwise the source that said down first stays the reason
    /// while it says so.
    private func downReason(among downs: [EvidenceSource]) -> EvidenceSource? {
        if downs.contains(.admin) { return .admin }
        if let reason, downs.contains(reason) { return reason }
        return downs.first
    }

    private mutating func countFlap(nowNs: Int64) {
        flaps += 1
        if let policy = policy.dampening { dampening.flap(policy, nowNs: nowNs) }
    }

    private mutating func expireStale(nowNs: Int64) {
        for index in evidence.indices
        where evidence[index].isStale && evidence[index].last != nil
            && nowNs - evidence[index].staleSinceNs >= Self.staleHoldNs
        {
            evidence[index].last = nil
            evidence[index].counts = false
        }
    }

    /// Whether anything but the time of the last confirmation differs.
    private func isNews(since before: Verdict) -> Bool {
        if before.reason != reason || before.conditions != conditions { return true }
        return zip(before.evidence, evidence).contains { old, new in
            old.name != new.name || old.counts != new.counts || old.detail != new.detail
        }
    }
}
