import LinkState
import Testing

private let ms: Int64 = 1_000_000
private let second: Int64 = 1_000_000_000

/// An interface that is up by every source of a port with a PHY.
private func port(_ policy: SettlePolicy = SettlePolicy()) -> Verdict {
    var verdict = Verdict(policy: policy)
    _ = verdict.observe(EvidenceSource.allCases.map { ($0, .state(.up), detail: "") }, nowNs: 0)
    return verdict
}

@Suite struct VerdictTests {
    @Test func theFirstReadingIsTakenWithoutHold() {
        var verdict = Verdict(policy: SettlePolicy(upDelayNs: 10 * second))
        let changes = verdict.observe(
            [(.admin, .state(.up), detail: ""), (.carrier, .state(.up), detail: "")], nowNs: 5)
        #expect(changes == [.raw(.up, reason: nil), .settled(.up)])
        #expect(verdict.rawSinceNs == 5)
    }

    /// A link that is down when it is first seen is told as such, and has not flapped.
    @Test(arguments: [EvidenceSource.admin, .carrier]) func theFirstReadingMayBeDown(source: EvidenceSource) {
        var verdict = Verdict(policy: SettlePolicy(downDelayNs: 10 * second))
        #expect(verdict.observe(source, .state(.down), nowNs: 5) == [.raw(.down, reason: source), .settled(.down)])
        #expect(verdict.flaps == 0)
    }

    @Test(arguments: EvidenceSource.allCases) func anySourceTakesItDown(source: EvidenceSource) {
        var verdict = port()
        #expect(verdict.observe(source, .state(.down), nowNs: 1) == [.raw(.down, reason: source), .settled(.down)])
        #expect(verdict.flaps == 1)
    }

    @Test func upNeedsAllOfThem() {
        var verdict = port()
        _ = verdict.observe(.mii, .state(.down), nowNs: 1)
        _ = verdict.observe(.carrier, .state(.down), nowNs: 2)
        #expect(verdict.reason == .mii)
        #expect(verdict.observe(.mii, .state(.up), nowNs: 3) == [.evidence])
        #expect(verdict.reason == .carrier)
        #expect(verdict.rawState == .down)
        #expect(verdict.observe(.carrier, .state(.up), nowNs: 4) == [.raw(.up, reason: nil), .settled(.up)])
    }

    @Test func theFirstWordStaysTheReason() {
        var verdict = port()
        _ = verdict.observe(.carrier, .state(.down), nowNs: 1)
        _ = verdict.observe(.mii, .state(.down), nowNs: 2)
        #expect(verdict.reason == .carrier)
    }

    @Test func theAdministratorExplainsAllOthers() {
        var verdict = port()
        _ = verdict.observe(.carrier, .state(.down), nowNs: 1)
        _ = verdict.observe(.admin, .state(.down), nowNs: 2)
        #expect(verdict.reason == .admin)
    }

    @Test func aPhyThatWasNeverUpDoesNotCount() {
        var verdict = Verdict()
        _ = verdict.observe(
            [
                (.admin, .state(.up), detail: ""), (.carrier, .state(.up), detail: ""),
                (.mii, .state(.down), detail: ""),
            ],
            nowNs: 0)
        #expect(verdict.rawState == .up)
        #expect(verdict[.mii].name == "down")
        #expect(!verdict[.mii].counts)
        #expect(!verdict.disagreement)
        _ = verdict.observe(.mii, .state(.up), nowNs: 1)
        #expect(verdict.observe(.mii, .state(.down), nowNs: 2).first == .raw(.down, reason: .mii))
        #expect(verdict.disagreement)
    }

    @Test func aLaggingOperstateIsNoDisagreement() {
        var verdict = port()
        _ = verdict.observe(.operstate, .state(.down), nowNs: 1)
        #expect(!verdict.disagreement)
        _ = verdict.observe(.driver, .state(.down), nowNs: 1)
        #expect(!verdict.disagreement)
        _ = verdict.observe(.carrier, .state(.down), nowNs: 2)
        #expect(verdict.disagreement, "the PHY says up, the carrier says down")
        #expect(verdict.conditions == ["disagreement"])
        var stale = verdict
        _ = stale.observe(.mii, .failed(detail: "EIO"), nowNs: 3)
        #expect(stale.conditions == ["mii-stale"], "who does not answer does not disagree")
        _ = verdict.observe(.admin, .state(.down), nowNs: 3)
        #expect(verdict.conditions == [], "of a port that is switched off nobody expects agreement")
    }

    @Test func aFailedProbeKeepsItsWordThenStopsCounting() {
        var verdict = port()
        #expect(verdict.observe(.mii, .failed(detail: "EIO"), nowNs: second) == [.evidence])
        #expect(verdict[.mii].name == "stale")
        #expect(verdict.conditions == ["mii-stale"])
        #expect(verdict.nextDeadlineNs == second + Verdict.staleHoldNs)
        #expect(verdict.rawState == .up)
        #expect(verdict.advance(nowNs: second + Verdict.staleHoldNs - 1) == [])
        #expect(verdict.advance(nowNs: second + Verdict.staleHoldNs) == [.evidence])
        #expect(verdict.conditions == ["mii-lost"])
        #expect(verdict.nextDeadlineNs == nil)
        #expect(verdict.rawState == .up)
        _ = verdict.observe(.mii, .failed(detail: "EIO"), nowNs: 9 * second)
        #expect(verdict.conditions == ["mii-lost"])
    }

    @Test func aProbeThatNeverAnsweredIsUnsupported() {
        var verdict = Verdict()
        _ = verdict.observe(.carrier, .state(.up), nowNs: 0)
        #expect(verdict.observe(.mii, .failed(detail: "EIO"), nowNs: 1) == [.evidence])
        #expect(verdict[.mii].name == "unsupported" && verdict.conditions == [])
    }

    /// Whatever is published of a source is reported when it changes: its state, its detail, and whether it counts.
    @Test func everyPublishedChangeIsNews() {
        var verdict = port()
        let dormant = verdict.observe(.operstate, .state(.up), detail: "dormant", nowNs: 1)
        #expect(dormant == [.evidence])
        #expect(verdict.observe(.carrier, .failed(detail: ""), nowNs: 2) == [.evidence])
        #expect(verdict.observe(.carrier, .failed(detail: ""), nowNs: 3) == [])
        #expect(verdict.advance(nowNs: 2 + Verdict.staleHoldNs) == [.evidence])
        #expect(verdict.advance(nowNs: 3 + Verdict.staleHoldNs) == [])
    }

    @Test func aFailedProbeThatSaidDownHoldsItDownUntilItExpires() {
        var verdict = port()
        _ = verdict.observe(.mii, .state(.down), nowNs: 1)
        _ = verdict.observe(.mii, .failed(detail: "ETIMEDOUT"), nowNs: second)
        _ = verdict.observe(.mii, .failed(detail: "ETIMEDOUT"), nowNs: 2 * second)
        #expect(verdict.rawState == .down)
        #expect(
            verdict.advance(nowNs: second + Verdict.staleHoldNs) == [.raw(.up, reason: nil), .settled(.up)],
            "staleness counts from the first failure")
        #expect(verdict.conditions == ["mii-lost"], "up, and not silently")
        _ = verdict.observe(.mii, .state(.down), nowNs: 9 * second)
        #expect(verdict.rawState == .up, "a PHY that comes back must first be seen up again")
    }

    @Test func holdsDelayOnlyTheSettledState() {
        var verdict = port(SettlePolicy(upDelayNs: 2 * second, downDelayNs: second))
        #expect(verdict.observe(.carrier, .state(.down), nowNs: 0) == [.raw(.down, reason: .carrier)])
        #expect(verdict.nextDeadlineNs == second)
        #expect(verdict.observe(.carrier, .state(.up), nowNs: second / 2) == [.raw(.up, reason: nil)])
        #expect(verdict.nextDeadlineNs == nil)
        #expect(verdict.advance(nowNs: second) == [])
        _ = verdict.observe(.carrier, .state(.down), nowNs: 3 * second)
        #expect(verdict.advance(nowNs: 4 * second) == [.settled(.down)])
        _ = verdict.observe(.carrier, .state(.up), nowNs: 5 * second)
        #expect(verdict.nextDeadlineNs == 7 * second)
        #expect(verdict.advance(nowNs: 7 * second - 1) == [])
        #expect(verdict.advance(nowNs: 7 * second) == [.settled(.up)])
    }

    @Test func dampeningSuppressesUntilThePenaltyHasDecayed() throws {
        let policy = DampeningPolicy()
        var verdict = port(SettlePolicy(dampening: policy))
        for flap in 0..<2 {
            _ = verdict.observe(.carrier, .state(.down), nowNs: Int64(flap) * 2)
            _ = verdict.observe(.carrier, .state(.up), nowNs: Int64(flap) * 2 + 1)
        }
        // Two flaps in no time: the penalty is a hair below 2000, and the third passes it.
        _ = verdict.observe(.carrier, .state(.down), nowNs: 10)
        let changes = verdict.observe(.carrier, .state(.up), nowNs: 11)
        #expect(changes == [.raw(.up, reason: nil)], "raw follows, settled is suppressed")
        #expect(verdict.settledState == .down)
        #expect(verdict.conditions == ["dampened"])
        let reuseNs = try #require(verdict.nextDeadlineNs)
        // 3000 decays to 1000 in log2(3) half-lives of 5 s.
        #expect(abs(reuseNs - 7_924_812_504) < 10 * ms)
        #expect(verdict.advance(nowNs: reuseNs - ms) == [])
        #expect(verdict.advance(nowNs: reuseNs) == [.settled(.up)])
        #expect(verdict.nextDeadlineNs == nil)
    }

    /// A port that is suppressed as it drops is held up for as long as any other, and then down.
    @Test func aSuppressedDropIsDelayedAsAnyOther() {
        var verdict = port(SettlePolicy(downDelayNs: second, dampening: DampeningPolicy()))
        _ = verdict.latchedDrops(2, nowNs: 1)
        #expect(verdict.conditions == ["dampened"], "two flaps at once are enough")
        #expect(verdict.settledState == .down)
        var held = port(SettlePolicy(downDelayNs: second, dampening: DampeningPolicy()))
        _ = held.latchedDrops(1, nowNs: 1)
        #expect(held.conditions == [], "and one is not")
        #expect(held.observe(.driver, .state(.down), nowNs: 1) == [.raw(.down, reason: .driver)])
        #expect(held.conditions == ["dampened"] && held.settledState == .up)
        #expect(held.nextDeadlineNs == 1 + second)
        #expect(held.advance(nowNs: 1 + second) == [.settled(.down)])
    }

    @Test func thePenaltyHalves() {
        let policy = DampeningPolicy()
        var verdict = port(SettlePolicy(dampening: policy))
        _ = verdict.latchedDrops(1, nowNs: second)
        #expect(verdict.dampening.penalty(policy, nowNs: second) == 1000)
        #expect(verdict.dampening.penalty(policy, nowNs: second + policy.halfLifeNs) == 500)
        _ = verdict.latchedDrops(1, nowNs: second + policy.halfLifeNs)
        #expect(verdict.dampening.penalty(policy, nowNs: second + policy.halfLifeNs) == 1500)
        #expect(!verdict.dampening.isSuppressed)
    }

    @Test func thePenaltyIsCapped() {
        let policy = DampeningPolicy()
        var verdict = port(SettlePolicy(dampening: policy))
        _ = verdict.latchedDrops(1_000_000, nowNs: 1)
        #expect(verdict.flaps == 1_000_000)
        #expect(verdict.dampening.penalty(policy, nowNs: 1) == policy.ceiling)
        #expect(verdict.dampening.reuseAtNs(policy) - 1 <= 4 * policy.halfLifeNs, "at most four half-lives")
    }

    @Test func aLatchedDropIsAFlapAndNotAState() {
        var verdict = port()
        #expect(verdict.latchedDrops(1, nowNs: 1) == [.latchedDrops(1)])
        #expect(verdict.rawState == .up)
        #expect(verdict.flaps == 1)
        #expect(verdict.latchedDrops(0, nowNs: 2) == [])
    }

    @Test func theSameWordAgainIsNoNews() {
        var verdict = port()
        #expect(verdict.observe(.mii, .state(.up), nowNs: 78) == [])
        #expect(verdict[.mii].confirmedNs == 78)
    }

    @Test func aNewPolicyKeepsTheCounters() {
        var verdict = port(SettlePolicy(downDelayNs: second))
        _ = verdict.observe(.carrier, .state(.down), nowNs: 1)
        #expect(verdict.settledState == .up)
        #expect(verdict.adopt(SettlePolicy(), nowNs: 2) == [.settled(.down)])
        #expect(verdict.flaps == 1)
    }

    /// A penalty outlasts a change of its numbers; without dampening there is none, and the port is used again at once.
    @Test func aPolicyWithoutDampeningForgives() {
        var verdict = port(SettlePolicy(dampening: DampeningPolicy()))
        _ = verdict.latchedDrops(3, nowNs: 1)
        #expect(verdict.settledState == .down)
        #expect(verdict.adopt(SettlePolicy(upDelayNs: 1, dampening: DampeningPolicy()), nowNs: 2) == [])
        #expect(verdict.conditions == ["dampened"])
        #expect(verdict.adopt(SettlePolicy(), nowNs: 3) == [.settled(.up)])
        #expect(verdict.conditions == [])
    }

    /// Whatever order things happen in, `nextDeadlineNs` is in the future after `advance`, and the rule holds.
    @Test func randomHistoriesKeepTheRule() {
        var random = SplitMix(state: 20_020_711)
        for _ in 0..<300 {
            let policy = SettlePolicy(
                upDelayNs: Int64(random.below(3)) * second, downDelayNs: Int64(random.below(2)) * second,
                dampening: random.below(2) == 0 ? nil : DampeningPolicy())
            var verdict = Verdict(policy: policy)
            var nowNs: Int64 = 0
            for _ in 0..<60 {
                nowNs += Int64(random.below(900)) * ms
                let source = EvidenceSource.allCases[random.below(5)]
                switch random.below(5) {
                case 0: _ = verdict.observe(source, .state(.up), nowNs: nowNs)
                case 1: _ = verdict.observe(source, .state(.down), nowNs: nowNs)
                case 2: _ = verdict.observe(source, .failed(detail: "EIO"), nowNs: nowNs)
                case 3: _ = verdict.observe(source, .unsupported(detail: "none"), nowNs: nowNs)
                default: _ = verdict.advance(nowNs: nowNs)
                }
                let anyDown = EvidenceSource.allCases.contains { verdict[$0].counts && verdict[$0].last == .down }
                #expect(verdict.rawState == (anyDown ? .down : .up))
                #expect((verdict.reason == nil) == (verdict.rawState == .up))
                if let deadlineNs = verdict.nextDeadlineNs { #expect(deadlineNs > nowNs) }
            }
        }
    }
}

@Suite struct HistoryTests {
    @Test func theRingKeepsTheNewest() {
        var history = History(capacity: 3)
        for index in 0..<5 {
            history.append(
                .init(kind: .settled(.up), ifname: "eth0", monotonicNs: Int64(index), realtimeNs: 0))
        }
        #expect(history.entries.map(\.monotonicNs) == [2, 3, 4])
    }

    @Test(arguments: [0, 1, 7, 200, 10_000])
    func theNewestOfManyAreThoseOfAllInOrder(limit: Int) {
        var random = SplitMix(state: 22)
        var histories: [Int: History] = [:]
        for atNs in 0..<2000 {
            let key = random.below(1 + random.below(100))
            histories[key, default: History(capacity: 1 + key % 30)].append(
                .init(kind: .settled(.up), ifname: "eth\(key)", monotonicNs: Int64(atNs), realtimeNs: 0))
        }
        let all = histories.values.flatMap(\.entries).sorted { $0.monotonicNs < $1.monotonicNs }
        let newest = History.newest(limit, of: histories)
        #expect(newest.map(\.entry) == all.suffix(limit))
        #expect(newest.allSatisfy { $0.entry.ifname == "eth\($0.key)" })
    }
}

/// SplitMix64: a generator whose runs repeat.
struct SplitMix {
    var state: UInt64
    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
