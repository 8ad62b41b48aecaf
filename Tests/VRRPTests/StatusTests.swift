import Addresses
import Testing

@testable import VRRP

/// What an operator is told beside the state, and what the engine does not listen to.
struct StatusTests {
    private static let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256

    /// A stranger that uses our address is told for a down interval, and moves nothing.
    @Test func strangerWithOurAddressIsTold() {
        var router = Router()
        router.become(.backup)
        router.hear(200, host: Router.ownHost)
        #expect(router.conditions == ["own-address:m0"])
        let counts = router.engine.status.members[0].statistics
        #expect(counts.ownAddressReceived == 1 && counts.advertsReceived == 0)
        router.pass(Self.downNs - 1)
        #expect(router.conditions == ["own-address:m0"])
        router.pass(1)
        #expect(router.conditions == [])
    }

    /// Other addresses than ours are told while their master is heard; the same in another order are the same.
    @Test func otherAddressesAreTold() {
        let addresses = [1, 99].map { Router.address(.ipv4, $0) }
        var router = Router { $0.members[0].addresses = addresses }
        router.become(.backup)
        func hear(_ listed: [IPAddress]) {
            let advert = Advert(
                vrid: 10, priority: 200, intervalNs: Router.intervalNs, addresses: listed,
                source: Router.address(.ipv4, 200))
            router.give(.advert(member: 0, advert))
        }
        for (listed, isTold) in [(addresses, false), ([addresses[0]], true), (addresses.reversed(), false), ([], true)]
        {
            hear(listed)
            #expect(router.conditions == (isTold ? ["addresses-differ:m0"] : []))
        }
        router.pass(Self.downNs)
        #expect(router.conditions == [])
    }

    /// Who was heard last, how it computes its checksums, and how often whoever was.
    @Test func lastRouterHeardIsShown() {
        var router = Router()
        router.become(.backup)
        let source = Router.address(.ipv4, 201)
        let advert = Advert(
            vrid: 10, priority: 210, intervalNs: Router.intervalNs, addresses: [], source: source,
            checksumForm: .message)
        router.give(.advert(member: 0, advert))
        var member = router.engine.status.members[0]
        #expect(member.lastSource == source && member.lastPriority == 210 && member.checksumForm == .message)
        #expect(member.isHeard && member.statistics.advertsReceived == 1)
        router.hear(0)
        member = router.engine.status.members[0]
        #expect(member.statistics.advertsReceived == 2 && member.statistics.resignationsReceived == 1)
    }

    @Test func changesOfRoleAreCountedAndDated() {
        var router = Router()
        router.start()
        router.pass(Self.downNs)
        #expect(router.engine.status.sinceNs == router.nowNs)
        router.pass(Router.intervalNs)
        router.hear(200)
        #expect(router.engine.status.sinceNs == router.nowNs)
        router.pass(20 * Router.secondNs)
        router.give(.shutdown)
        let status = router.engine.status
        #expect(status.statistics.becameMaster == 2 && status.statistics.leftMaster == 2)
        let sent = status.members[0].statistics
        #expect(sent.resignationsSent == 1 && sent.advertsSent == router.takeDone().count { $0 == "advert 100" })
        #expect(router.transitions.last.map { "\($0.from) \($0.to) \($0.reason)" } == "backup initialize shutdown")
        router.give(.shutdown)
        #expect(router.takeDone() == [])
    }

    /// The end of a backup and of a director in FAULT is told as well.
    @Test(arguments: [GroupState.backup, .fault]) func endIsTold(state: GroupState) {
        var router = Router()
        router.become(state)
        router.give(.shutdown)
        #expect(router.transitions.last.map { "\($0.from) \($0.to) \($0.reason)" } == "\(state) initialize shutdown")
    }

    /// The peer's last word is shown when it has fallen silent, and said to be old.
    @Test func silentPeerIsRemembered() throws {
        var router = Router(cables: 2)
        router.become(.backup)
        #expect(router.engine.status.peer == nil)
        router.hearWord(200, holds: .first(1), on: 1)
        router.pass(Router.secondNs / 5)
        router.hearWord(200, holds: .first(1), on: 1)
        router.pass(Router.secondNs / 5)
        #expect(router.engine.status.peer?.isFresh == true && router.engine.status.peer?.cables == [false, true])
        router.hearWord(200, host: Router.ownHost)
        let late = PeerWord(priority: 200, identity: Router.address(.ipv6, 200), stamp: 1)
        router.give(.heartbeat(cable: 0, late))
        router.pass(Router.secondNs)
        let peer = try #require(router.engine.status.peer)
        #expect(!peer.isFresh && peer.word.holds == .first(1) && peer.cables == [false, false])
        let counts = router.engine.status.statistics
        #expect(counts.heartbeatsReceived == 2 && counts.heartbeatEchoes == 1 && counts.heartbeatsStale == 1)
        #expect(counts.heartbeatsSent == UInt64(router.takeWords().count))
    }

    /// What the process knows is published with the rest, once.
    @Test func conditionOfTheProcessIsPublished() {
        var router = Router()
        router.become(.backup)
        let lost = Condition(.monitorLost)
        var engine = router.engine
        let inputs = [true, true, false, false].map { Input.condition(lost, isPresent: $0) }
        #expect(inputs.map { engine.handle($0, nowNs: router.nowNs) } == [[.raised(lost)], [], [.cleared(lost)], []])
        router.give(inputs[0])
        #expect(router.conditions == ["monitor-lost"])
        router.give(inputs[2])
        #expect(router.conditions == [])
    }

    // MARK: What is not listened to

    /// Members and cables that there are none of.
    @Test(arguments: [-1, 1, 64]) func outOfRangeIsIgnored(index: Int) {
        var router = Router(cables: 1)
        router.become(.backup)
        let before = router.engine
        let source = Router.address(.ipv4, 200)
        let advert = Advert(vrid: 10, priority: 200, intervalNs: 1, addresses: [], source: source)
        let word = PeerWord(priority: 200, identity: Router.address(.ipv6, 200))
        let inputs: [Input] = [
            .advert(member: index, advert), .heartbeat(cable: index, word), .holding(member: index, true),
            .primaryAddress(member: index, nil), .cableAddress(cable: index, nil), .proof(member: index),
            .foreignAnswer(member: index),
        ]
        for input in inputs { router.give(input) }
        #expect(router.engine == before && router.takeDone() == [])
    }

    /// Before the start, after another start, and after the end.
    @Test func whatIsOutOfTurnIsIgnored() {
        var router = Router(cables: 1)
        router.hearWord(200, holds: .first(1))
        router.hear(200)
        router.give(.holding(member: 0, true))
        router.give(.holding(member: 0, false))
        router.pass(20 * Router.secondNs)
        #expect(router.state == .initialize && router.takeWords() == [] && router.engine.status.peer == nil)
        router.become(.backup)
        router.start(causes: [Cause(.check, "upstream")])
        #expect(router.engine.status.causes == [])
        router.give(.shutdown)
        _ = router.takeWords()
        router.start()
        router.hearWord(200)
        #expect(router.state == .initialize && router.takeWords() == [])
        var early = Router()
        early.give(.shutdown)
        early.start()
        #expect(early.state == .initialize)
    }

    /// The cable's own address is who we are; without one nothing can be said, and nothing is due.
    @Test func cableAddressIsWhoWeAre() {
        var router = Router(cables: 1)
        router.become(.backup)
        let new = Router.address(.ipv6, 101)
        _ = router.takeWords()
        router.give(.cableAddress(cable: 0, new))
        #expect(router.takeWords().map(\.identity) == [new])
        router.give(.cableAddress(cable: 0, nil))
        router.pass(Router.secondNs)
        #expect(router.takeWords() == [])
    }
}
