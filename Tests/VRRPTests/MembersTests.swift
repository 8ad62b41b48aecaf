import Addresses
import Testing

@testable import VRRP

/// Members that differ from each other, and a group's own patience and start.
struct MembersTests {
    private static let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256

    private func causes(_ router: Router) -> [String] { router.engine.status.causes.map(\.description) }

    // MARK: Versions

    /// In version 2 the skew is a part of a second and the interval is the configured one; version 3 learns it.
    @Test func aMemberHasItsOwnVersion() {
        var router = Router(members: 2) { $0.members[1].version = .v2 }
        router.become(.backup)
        for member in 0...1 { router.hear(200, intervalNs: Router.otherNs, on: Place(member)) }
        let learnedNs = 3 * Router.otherNs + 156 * Router.otherNs / 256
        #expect(router.downNs(0) == learnedNs)
        #expect(router.downNs(1) == 3 * Router.intervalNs + 156 * Router.secondNs / 256)
    }

    /// Only in version 3 is a lesser master answered at once.
    @Test func aLesserMasterIsAnsweredInVersion3() {
        var router = Router(members: 2) { $0.members[1].version = .v2 }
        router.become(.master)
        for member in 0...1 { router.hear(50, on: Place(member)) }
        #expect(router.takeDone() == ["advert 0 100"])
    }

    // MARK: Patience

    @Test(arguments: [1, 2, 5, 100] as [Int64]) func aMasterIsGoneAfterSoManyIntervals(count: Int64) {
        var router = Router { $0.downIntervals = count }
        router.become(.backup)
        let downNs = count * Router.intervalNs + 156 * Router.intervalNs / 256
        router.hear(200)
        #expect(router.downNs() == downNs)
        router.pass(downNs - 1)
        #expect(router.state == .backup)
        router.pass(1)
        #expect(router.state == .master)
    }

    /// As master it bears a lesser router for as long.
    @Test func patienceWithALesserMasterIsAsLong() {
        var router = Router { $0.downIntervals = 8 }
        router.holder = 200
        router.become(.master)
        let beginNs = router.nowNs
        while router.state == .master, router.nowNs < beginNs + 100 * Router.intervalNs {
            router.hear(50)
            router.pass(Router.secondNs / 10)
        }
        #expect(router.nowNs - beginNs > 8 * Router.intervalNs && router.transitions.last?.reason == .unheard)
    }

    // MARK: Start

    /// Nothing is sent and nothing counts before the delay is over; then the down timer begins.
    @Test func theStartCanBeDelayed() {
        var router = Router { $0.startDelayNs = 10 * Router.secondNs }
        router.start()
        router.hear(200)
        router.pass(10 * Router.secondNs - 1)
        #expect(router.state == .initialize && router.takeDone() == [] && router.engine.isHeldBack)
        router.pass(1)
        #expect(router.state == .backup && router.downNs() == Self.downNs && !router.engine.isHeldBack)
    }

    /// An owner waits as well, and a cause that comes meanwhile is known at the start.
    @Test func theDelayIsEverybodys() {
        var router = Router(255) { $0.startDelayNs = Router.secondNs }
        router.start()
        router.give(.cause(Cause(.tracked, "check:upstream"), isPresent: true))
        router.pass(Router.secondNs)
        #expect(router.transitions.map(\.to) == [.fault])
        var shut = Router { $0.startDelayNs = Router.secondNs }
        shut.start()
        shut.give(.shutdown)
        shut.pass(2 * Router.secondNs)
        #expect(shut.transitions.isEmpty && shut.engine.nextDeadlineNs == nil)
    }

    /// A reload shortens the wait, or ends it.
    @Test func aReloadMayEndTheDelay() {
        for (newNs, waitNs) in [(0, 0), (Router.secondNs, Router.secondNs)] as [(Int64, Int64)] {
            var router = Router { $0.startDelayNs = 100 * Router.secondNs }
            router.start()
            router.reload { $0.startDelayNs = newNs }
            #expect((router.state == .backup) == (waitNs == 0))
            router.pass(waitNs)
            #expect(router.state == .backup)
        }
    }

    /// A director whose check has not answered yet does not begin; if it fails, the director is in fault at once.
    @Test(arguments: [false, true]) func theFirstAnswersAreWaitedFor(fails: Bool) {
        var router = Router(255)
        var snapshot = router.snapshot(router.engine.configuration)
        snapshot.isInformed = false
        router.give(.start(snapshot))
        router.pass(100 * Router.secondNs)
        #expect(router.state == .initialize && router.takeDone() == [])
        if fails { router.give(.cause(Cause(.tracked, "check:upstream"), isPresent: true)) }
        router.give(.informed)
        #expect(router.transitions.map(\.to) == (fails ? [.fault] : [.backup, .master]))
    }

    // MARK: Interfaces

    /// The link of an interface that does not count is no cause; tracked by its name it is one.
    @Test func anInterfaceNeedNotCount() {
        var router = Router(members: 2, cables: 1) {
            $0.members[1].tracksInterface = false
            $0.cables[0].interface = "eth1"
        }
        router.become(.master)
        router.give(.link(interface: "eth1", isUp: false, reason: "mii"))
        #expect(router.state == .master && causes(router) == [])
        #expect(router.conditions.contains("heartbeat-degraded:cross0"))
        router.give(.link(interface: "eth0", isUp: false, reason: "mii"))
        #expect(causes(router) == ["link:eth0:mii"])
    }

    /// A leg that cannot be proven is not isolated where its interface does not count.
    @Test(arguments: [true, false]) func whereAnInterfaceDoesNotCountNothingIsIsolated(counts: Bool) {
        var router = Router(members: 2, cables: 1) {
            for index in 0...1 {
                $0.members[index].tracksInterface = counts
                $0.members[index].interface = "eth0"
            }
        }
        router.become(.master)
        let both = MemberSet.first(2)
        router.pass(20 * Router.secondNs, peer: 50, hears: [], proven: both)
        // Two members on one interface are one cause.
        #expect(router.told.filter { $0.hasPrefix("isolated") } == (counts ? ["isolated:eth0"] : []))
        #expect(causes(router) == (counts ? ["isolated:eth0"] : []))
    }
}
