import Addresses
import Testing

@testable import VRRP

/// A third router beside a pair with a cable is reported, and has no effect while the peer's heartbeats arrive.
struct ThirdRouterTests {
    private static let peer = Router.address(.ipv4, 200)

    private func router(_ state: GroupState) -> Router {
        var router = Router(members: 2, cables: 1)
        router.become(state)
        say(&router)
        _ = router.takeDone()
        _ = router.takeWords()
        return router
    }

    private func say(_ router: inout Router, sources: [IPAddress] = [ThirdRouterTests.peer]) {
        router.hearWord(state(router) == .master ? 50 : 200, proven: .first(2), sources: sources)
    }

    private func state(_ router: Router) -> GroupState { router.state }

    /// Better, lesser, or leaving: no third router elects, is heard, or resigns.
    @Test(arguments: [GroupState.backup, .master], [0, 1, 50, 254] as [UInt8])
    func thirdRouterMovesNothing(state: GroupState, priority: UInt8) {
        var router = router(state)
        let before = router.downNs()
        router.hear(priority, host: 77)
        #expect(router.state == state && router.takeDone() == [])
        #expect(router.downNs() == before)
        #expect(router.conditions == ["third-router:m0:192.0.2.77"])
        #expect(router.takeWords().allSatisfy { $0.hears.isEmpty })
        router.pass(Router.secondNs * 10, peer: state == .master ? 50 : 200, holds: state == .master ? [] : .first(2))
        #expect(!router.conditions.contains { $0.hasPrefix("third-router") })
    }

    /// The peer is who it says it is, and is heard.
    @Test func peerIsHeard() {
        var router = router(.backup)
        router.hear(200)
        #expect(router.takeWords().last?.hears == .first(1))
        #expect(router.conditions == [])
        var master = self.router(.master)
        master.hearWord(200, proven: .first(2), sources: [Self.peer])
        master.hear(200)
        #expect(master.state == .backup)
    }

    /// Whoever sends in the peer's name has to know at least its priority.
    @Test(arguments: [GroupState.backup, .master], [1, 254] as [UInt8])
    func peersNameAloneMovesNothing(state: GroupState, priority: UInt8) {
        var router = router(state)
        let before = router.downNs()
        router.hear(priority)
        #expect(router.state == state && router.downNs() == before && router.takeDone() == [])
        #expect(router.takeWords().allSatisfy { $0.hears.isEmpty })
    }

    /// A daemon of an earlier version does not say where it sends from: everybody may be it, as before.
    @Test func earlierVersionsAreHeard() {
        var router = Router(members: 2, cables: 1)
        router.become(.master)
        say(&router, sources: [])
        router.hear(200, host: 77)
        #expect(router.state == .backup)
        #expect(router.takeWords().last?.hears == .first(1))
    }

    /// When the cables are dead a better router counts, as without a pool, and a lesser one only if it is the peer.
    @Test func withoutTheCableABetterOneCounts() {
        var router = router(.master)
        router.pass(Router.secondNs)
        router.hear(200, host: 77)
        #expect(router.state == .backup)
        var backup = self.router(.backup)
        // The last word that is spoken for a dead peer does not make anybody else the peer.
        var last = PeerWord(priority: 0, identity: Router.address(.ipv6, 200))
        last.isLast = true
        backup.give(.heartbeat(cable: 0, last))
        backup.pass(Router.secondNs)
        for _ in 0..<200 where backup.state == .backup {
            backup.hear(1, host: 77, on: 0)
            backup.pass(Router.secondNs / 10)
        }
        #expect(backup.state == .master)
        #expect(backup.transitions.last?.reason == .dead)
    }

    /// The peer does not hear our heartbeats, so it obeys a better third router, and so do we. A lesser one still has no effect.
    @Test(arguments: [GroupState.backup, .master]) func onAHalfDeadCableABetterOneCounts(state: GroupState) {
        var router = router(state)
        let priority: UInt8 = state == .master ? 50 : 150
        router.hearWord(priority, hearsHeartbeat: false, sources: [Self.peer])
        router.hear(1, host: 77)
        #expect(router.conditions.contains("third-router:m0:192.0.2.77"))
        #expect(router.state == state && router.takeDone() == [])
        router.hear(200, host: 77)
        #expect(router.state == .backup)
        // The other leg is silent meanwhile.
        for _ in 0..<200 {
            router.hearWord(priority, hearsHeartbeat: false, sources: [Self.peer])
            router.hear(200, host: 77)
            router.pass(Router.secondNs / 10)
            #expect(router.state == .backup)
        }
    }

    /// The identities on the cables decide a tie with the peer only; a tie with any other router is decided by the
    /// addresses on the legs.
    @Test(arguments: [(UInt64(77), GroupState.master), (177, .backup)])
    func cablesDecideNoTieWithAThirdRouter(host: UInt64, state: GroupState) {
        var router = router(.master)
        router.pass(Router.secondNs)
        router.hear(100, host: host)
        #expect(router.state == state)
    }

    /// A peer that speaks slower than we do is fresh for three of its intervals.
    @Test func slowPeerIsFresh() {
        var router = Router(cables: 1)
        router.become(.backup)
        for _ in 0..<10 {
            router.hearWord(200, holds: .first(1), intervalNs: Router.secondNs)
            router.pass(Router.secondNs - 1)
            #expect(router.engine.status.peer?.isFresh == true)
            router.pass(1)
        }
        router.pass(3 * Router.secondNs)
        #expect(router.engine.status.peer?.isFresh == false)
    }

    /// Retreats are counted with a pool as well: a peer that holds and never hears us is yielded to twice in a row.
    @Test func retreatsAreCounted() {
        var router = Router(200, cables: 1)
        router.become(.master)
        for _ in 0..<5 {
            for _ in 0..<200 where router.state == .master {
                router.hearWord(50, holds: .first(1))
                router.pass(Router.secondNs / 10)
            }
            router.pass(20 * Router.secondNs) { $0.state == .master }
        }
        #expect(router.transitions.count { $0.reason == .unheard } == 2)
        #expect(router.state == .master)
    }

    /// The last cable dies while a claim waits: whether the peer holds is asked on the legs, and that is not long.
    @Test(arguments: [false, true]) func claimOutlivesItsCable(isAnswered: Bool) {
        var router = Router(200, cables: 1) { $0.probeBeforeTakeover = true }
        router.holder = isAnswered ? 50 : nil
        router.become(.backup)
        for _ in 0..<200 where !router.engine.status.isClaiming {
            router.hear(100, host: 50)
            router.hearWord(100, holds: .first(1))
            router.pass(Router.secondNs / 10)
        }
        #expect(router.engine.status.isClaiming)
        let startNs = router.nowNs
        router.pass(20 * Router.secondNs) { $0.state == .master }
        if isAnswered {
            #expect(router.nowNs - startNs >= 3 * Router.intervalNs)
        } else {
            #expect(router.nowNs - startNs <= Router.secondNs / 2)
        }
    }
}
