import Addresses
import Testing

@testable import VRRP

/// A cable that carries heartbeats one way only: nothing is left to a peer that would not know of it.
struct HalfCableTests {
    private static let leg = MemberSet.first(1)

    private func master() -> Router {
        var router = Router(cables: 1)
        router.become(.master)
        return router
    }

    /// Heartbeats of a peer that could serve, for longer than every delay.
    private func hearPeer(_ router: inout Router, hearsHeartbeat: Bool) {
        for _ in 0..<100 {
            router.hearWord(50, hearsHeartbeat: hearsHeartbeat, proven: Self.leg)
            router.pass(Router.secondNs / 10)
        }
    }

    /// A check that fails means FAULT only if the peer will know.
    @Test(arguments: [(false, GroupState.master), (true, .fault)])
    func aSoftCauseIsToleratedIfThePeerDoesNotHear(hearsHeartbeat: Bool, state: GroupState) {
        var router = master()
        router.give(.cause(Cause(.tracked, "check:upstream"), isPresent: true))
        hearPeer(&router, hearsHeartbeat: hearsHeartbeat)
        #expect(router.state == state)
    }

    /// A leg on which the peer does not hear us is reported, and isolates us only if the peer will know.
    @Test(arguments: [(false, GroupState.master), (true, .fault)])
    func aMuteLegIsNotIsolatedIfThePeerDoesNotHear(hearsHeartbeat: Bool, state: GroupState) {
        var router = master()
        hearPeer(&router, hearsHeartbeat: hearsHeartbeat)
        #expect(router.state == state)
        #expect(router.told == (hearsHeartbeat ? ["isolated:eth0"] : []))
        if !hearsHeartbeat { #expect(router.conditions.contains("peer-deaf:m0")) }
    }

    /// The cause ends when our heartbeats no longer arrive.
    @Test func isolationEndsWithTheOtherDirection() {
        var router = master()
        hearPeer(&router, hearsHeartbeat: true)
        #expect(router.state == .fault)
        router.hearWord(50, hearsHeartbeat: false, proven: Self.leg)
        #expect(router.state != .fault && router.told == ["isolated:eth0", "isolated:eth0 is over"])
    }

    /// The peer, which hears no heartbeat, judges a tie by the addresses on the legs, and so do we, whatever the cables'
    /// addresses say. Ours end in 100.
    @Test(arguments: [UInt64(50), 200], [UInt64(77), 177])
    func theLegsDecideATie(onTheCable host: UInt64, onTheLeg source: UInt64) {
        var router = master()
        let sources = [Router.address(.ipv4, source)]
        router.hearWord(100, holds: Self.leg, hearsHeartbeat: false, host: host, sources: sources)
        #expect(router.state == .master)
        router.hear(100, host: source)
        #expect(router.state == (source < 100 ? .master : .backup))
        // When the cable works both ways again, its addresses decide.
        var other = master()
        other.hearWord(100, holds: Self.leg, host: host, sources: sources)
        #expect(other.state == (host < 100 ? .master : .backup))
    }

    /// The priority needs no tie-break.
    @Test func theBetterHolderIsObeyed() {
        var router = master()
        router.hearWord(101, holds: Self.leg, hearsHeartbeat: false, host: 50)
        #expect(router.state == .backup && router.transitions.last?.reason == .twoHolders)
    }
}
