import Addresses
import Testing

@testable import VRRP

/// Whether a leg works: when it is doubted, whom that makes us ask, and when the other director serves for it.
///
/// The peer's heartbeat comes every tenth of a second, our interval is two seconds: so a new master is given 2.1 s to be
/// heard, and a leg is isolated 0.3 s later.
struct ProofTests {
    private static let leg = MemberSet.first(1)
    private static let tenthNs = Router.secondNs / 10
    private static let graceNs = Router.intervalNs + tenthNs
    private static let delayNs = 3 * tenthNs
    private static let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256

    /// A master whose peer is well and does not hear it, for as long as it has been master.
    private func unheardMaster(members: Int = 1) -> Router {
        var router = Router(members: members, cables: 1)
        router.become(.master)
        router.pass(10 * Router.secondNs)
        _ = router.takeAsked()
        return router
    }

    /// A director that has yielded because its peer does not hear it.
    private func isolated() -> Router {
        var router = unheardMaster()
        router.pass(Self.graceNs + 2 * Self.delayNs, peer: 50, proven: Self.leg)
        return router
    }

    /// A backup with a peer that is well, but not heard on the leg.
    private func deafBackup() -> Router {
        var router = Router(cables: 1)
        router.become(.backup)
        router.pass(Self.tenthNs, peer: 200, holds: Self.leg, proven: Self.leg)
        _ = router.takeAsked()
        return router
    }

    // MARK: Doubt

    /// A leg on which the peer does not hear us is reported once the peer has had time to; after the delay it is a
    /// reason to yield.
    @Test func unheardMasterIsGivenTimeAndThenYields() {
        var router = unheardMaster()
        router.pass(Self.graceNs - 1, peer: 50, proven: Self.leg)
        #expect(router.conditions == [] && router.takeAsked() == [])
        router.pass(1, peer: 50, proven: Self.leg)
        #expect(router.conditions == ["peer-deaf:m0"] && router.takeAsked().count == 1)
        #expect(!router.engine.status.members[0].isProven)
        router.pass(Self.delayNs - 1, peer: 50, proven: Self.leg)
        #expect(router.state == .master && router.told == [])
        router.pass(1, peer: 50, proven: Self.leg)
        #expect(router.state == .fault)
        #expect(router.engine.status.causes.map(\.description) == ["isolated:eth0"])
        router.pass(Router.secondNs, peer: 50, proven: Self.leg)
        #expect(router.told == ["isolated:eth0"])
    }

    /// One whose peer was there before is given as much time, from when it became master.
    @Test func newMasterIsGivenTimeToBeHeard() {
        var router = Router(cables: 1)
        router.become(.backup)
        router.pass(Self.downNs, peer: 50)
        #expect(router.state == .master)
        router.pass(Self.graceNs - 1, peer: 50)
        #expect(router.conditions == [])
        router.pass(1, peer: 50)
        #expect(router.conditions == ["peer-deaf:m0"])
    }

    /// A director without addresses in the kernel, or that is about to lose them, sends no adverts that the peer could
    /// miss.
    @Test func whoDoesNotServeIsNotUnheard() {
        var late = Router(cables: 1)
        late.confirms = false
        late.become(.master)
        #expect(!late.conditions.contains("address-missing:m0"))
        late.pass(2 * Self.graceNs, peer: 50, proven: Self.leg)
        #expect(late.state == .master && late.conditions == ["address-missing:m0"])
        // The process says so as well once it has tried in vain: that is one condition.
        late.give(.condition(Condition(.addressMissing, "m0"), isPresent: true))
        #expect(late.conditions == ["address-missing:m0"])
        var leaving = Router(cables: 1)
        leaving.become(.master)
        leaving.confirms = false
        leaving.hear(200)
        leaving.pass(2 * Self.graceNs, peer: 200, proven: Self.leg)
        #expect(leaving.engine.status.isHolding && leaving.conditions == [])
    }

    // MARK: Asking

    /// For a second every tenth of one, then every second, for as long as the doubt lasts and no longer.
    @Test func legInDoubtIsAskedAboutEagerlyThenCalmly() {
        var router = Router(cables: 1)
        router.become(.backup)
        let startNs = router.nowNs
        router.pass(3 * Router.secondNs + Self.tenthNs / 2, peer: 200)
        let expected = (0...10).map { Int64($0) * Self.tenthNs } + [2, 3].map { $0 * Router.secondNs }
        #expect(router.takeAsked().map { $0 - startNs } == expected)
        router.hear(200)
        router.pass(2 * Router.secondNs, peer: 200)
        #expect(router.takeAsked() == [])
    }

    /// A leg without a link is not probed, and no leg is while there is no router to preempt or to yield to.
    @Test func nobodyIsAskedInVain() {
        var alone = Router(members: 2)
        alone.become(.backup)
        alone.pass(Router.secondNs)
        #expect(alone.takeAsked() == [])
        alone.hear(50, on: 0)
        #expect(alone.takeAsked().count == 1)
        var broken = Router(cables: 1)
        broken.become(.backup)
        broken.give(.link(interface: "eth0", isUp: false, reason: "mii"))
        broken.pass(Router.secondNs, peer: 200)
        #expect(broken.takeAsked() == [])
        broken.give(.link(interface: "eth0", isUp: true, reason: ""))
        #expect(broken.takeAsked().count == 1)
    }

    /// An answer is good for three seconds of the doubt for which it came, and for no other.
    @Test func answerProvesForThreeSecondsOfItsDoubt() {
        func isProven(_ router: Router) -> Bool { router.engine.status.members[0].isProven }
        var router = deafBackup()
        #expect(!isProven(router))
        router.give(.proof(member: 0))
        #expect(isProven(router))
        router.pass(3 * Router.secondNs - Self.tenthNs, peer: 200, holds: Self.leg)
        #expect(isProven(router))
        router.pass(2 * Self.tenthNs, peer: 200, holds: Self.leg)
        #expect(!isProven(router))
        for ends in ["heard", "link"] {
            router.give(.proof(member: 0))
            if ends == "heard" {
                router.hear(200, intervalNs: Self.tenthNs)
                #expect(isProven(router))
                router.pass(6 * Self.tenthNs, peer: 200, holds: Self.leg)
            } else {
                router.give(.link(interface: "eth0", isUp: false, reason: "mii"))
                router.give(.link(interface: "eth0", isUp: true, reason: ""))
            }
            #expect(!isProven(router), "\(ends)")
        }
    }

    /// An answer without a question is ignored.
    @Test func answerWithoutDoubtChangesNothing() {
        var router = deafBackup()
        router.hear(200)
        let before = router.engine
        router.give(.proof(member: 0))
        #expect(router.engine == before)
    }

    // MARK: Isolation

    /// That the peer, who serves now, is heard is no answer; that it hears us again is one, or that a neighbour answers.
    @Test(arguments: [false, true]) func whoYieldedForItsLegStaysAwayUntilItWorks(byAnswer: Bool) {
        var router = isolated()
        #expect(router.state == .fault)
        for _ in 0..<3 {
            router.hear(50)
            router.pass(Router.secondNs, peer: 50, holds: Self.leg, proven: Self.leg)
        }
        #expect(router.state == .fault)
        if byAnswer { router.give(.proof(member: 0)) }
        let hears = byAnswer ? [] : Self.leg
        router.pass(Self.delayNs - Self.tenthNs / 2, peer: 50, holds: Self.leg, hears: hears, proven: Self.leg)
        #expect(router.state == .fault)
        router.pass(2 * Self.tenthNs, peer: 50, holds: Self.leg, hears: hears, proven: Self.leg)
        #expect(router.state == .backup)
        // It is heard as well by now: that, or that it hears us, is enough for good.
        for _ in 0..<5 {
            router.hear(50)
            router.pass(Router.secondNs, peer: 50, holds: Self.leg, hears: hears, proven: Self.leg)
        }
        #expect(router.state == .backup && router.told == ["isolated:eth0", "isolated:eth0 is over"])
    }

    /// A silent leg without a router to yield to: a peer that is unable, or doubts a leg of its own, would serve no
    /// better.
    @Test(arguments: [(UInt8(0), 2), (50, 1)]) func neverYieldsToNobody(priority: UInt8, proven: Int) {
        var router = unheardMaster(members: 2)
        router.pass(Self.graceNs + Router.secondNs, peer: priority, proven: .first(proven))
        #expect(router.state == .master && router.told == [])
    }

    /// When the peer falls silent or says 0, it is over at once; when it only doubts a leg of its own, that may pass.
    @Test func isolationEndsWithItsAlternative() {
        var unable = isolated()
        unable.hearWord(0, proven: Self.leg)
        #expect(unable.state != .fault)
        var silent = isolated()
        silent.pass(3 * Self.tenthNs)
        #expect(silent.state != .fault)
        var doubting = isolated()
        for _ in 0..<10 {
            doubting.pass(2 * Self.tenthNs, peer: 50)
            doubting.pass(Self.tenthNs, peer: 50, proven: Self.leg)
        }
        #expect(doubting.state == .fault)
        doubting.pass(5 * Self.tenthNs, peer: 50)
        #expect(doubting.state == .backup)
    }

    /// A doubt that comes and goes within the delay is none.
    @Test func shortDoubtIsNoIsolation() {
        var router = unheardMaster()
        router.pass(Self.graceNs + Self.tenthNs, peer: 50, hears: Self.leg, proven: Self.leg)
        for _ in 0..<10 {
            router.pass(2 * Self.tenthNs, peer: 50, proven: Self.leg)
            router.pass(Self.tenthNs, peer: 50, hears: Self.leg, proven: Self.leg)
        }
        #expect(router.state == .master && router.told == [])
    }

    /// A backup that hears nobody has listened for a down interval before its leg is called deaf; once it is, a
    /// resignation, after which it listens again, does not end that.
    @Test func backupListensBeforeItIsIsolated() {
        var router = Router(cables: 1)
        router.become(.backup)
        router.pass(Self.downNs, peer: 200, holds: Self.leg, proven: Self.leg)
        #expect(router.state == .backup)
        router.pass(Self.delayNs + Self.tenthNs, peer: 200, holds: Self.leg, proven: Self.leg)
        #expect(router.state == .fault)
        router.hear(0)
        router.pass(Router.secondNs, peer: 200, holds: Self.leg, proven: Self.leg)
        #expect(router.state == .fault && router.told == ["isolated:eth0"])
        // It was deaf and no more, so to hear somebody is an answer.
        router.hear(200)
        router.pass(Self.delayNs + Self.tenthNs, peer: 200, holds: Self.leg, proven: Self.leg)
        #expect(router.state == .backup)
    }

    /// A leg without a link is a hard cause, and not isolated beside.
    @Test func brokenLegIsNotIsolated() {
        var router = Router(cables: 1)
        router.become(.backup)
        router.give(.link(interface: "eth0", isUp: false, reason: "mii"))
        router.pass(2 * Self.downNs, peer: 200, holds: Self.leg, proven: Self.leg)
        #expect(router.told == ["link:eth0:mii"])
    }
}
