import Addresses
import Testing

@testable import VRRP

/// What is published besides the state, and inputs that the engine ignores.
struct StatusTests {
    private static let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256

    /// A stranger that uses our address is reported for a down interval, and nothing else happens.
    @Test func strangerWithOurAddressIsTold() {
        var router = Router(cables: 1)
        router.become(.backup)
        router.hear(200, host: Router.ownHost)
        #expect(router.conditions == ["own-address:m0"])
        let counts = router.engine.status.members[0].statistics
        #expect(counts.ownAddressReceived == 1 && counts.advertsReceived == 0)
        router.pass(Self.downNs - 1)
        #expect(router.conditions.contains("own-address:m0"))
        router.pass(1)
        #expect(!router.conditions.contains("own-address:m0"))
    }

    /// Adverts with other addresses than ours are reported while their master is heard; the order does not matter.
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

    /// The router heard last, its form of checksum, and the counters of adverts from any router.
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

    /// The shutdown of a backup and of a director in FAULT is published as well.
    @Test(arguments: [GroupState.backup, .fault]) func endIsTold(state: GroupState) {
        var router = Router()
        router.become(state)
        router.give(.shutdown)
        #expect(router.transitions.last.map { "\($0.from) \($0.to) \($0.reason)" } == "\(state) initialize shutdown")
    }

    /// The peer's last heartbeat is still shown when the peer has fallen silent, marked as old.
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

    // MARK: Conditions

    /// Each condition is reported once when it comes and once when it goes.
    @Test func conditionsAreToldOnce() {
        var router = Router(members: 2, cables: 1)
        router.become(.backup)
        for _ in 0..<4 {
            router.hear(100, on: 0)
            router.pass(2 * Router.secondNs)
        }
        router.hear(100, on: 0)
        router.hear(100, on: 1)
        router.hearWord(50)
        router.hear(200, on: 0)
        router.hear(200, on: 1)
        let expected = ["heartbeat-degraded:cross0", "equal-priority", "deaf:m1"]
        #expect(router.news.sorted() == (expected + expected.map { "\($0) is over" }).sorted())
    }

    /// A leg is deaf when its timer has run out while another leg hears: not before, not with a cause of its own, and not
    /// while we serve.
    @Test func deafIsABackupsLegThatHearsNobody() {
        var router = Router(members: 2)
        router.become(.backup)
        router.hear(200, on: 0)
        #expect(router.conditions == [])
        for _ in 0..<4 {
            router.pass(2 * Router.secondNs)
            router.hear(200, on: 0)
        }
        #expect(router.conditions == ["deaf:m1"])
        router.give(.cause(Cause(.sendDenied, "eth1"), isPresent: true))
        #expect(router.conditions == [])
        router.give(.cause(Cause(.sendDenied, "eth1"), isPresent: false))
        router.pass(Self.downNs) { _ in false }
        #expect(router.state == .master)
        router.hear(50, on: 0)
        #expect(router.conditions == [])
        router.give(.shutdown)
        #expect(router.conditions == [])
    }

    /// A lesser master that is heard, and borne for the preempt delay, is no silence.
    @Test func lesserMasterThatIsBorneIsHeard() {
        var router = Router(200, cables: 1) { $0.preemptDelayNs = 3600 * Router.secondNs }
        router.become(.backup)
        for _ in 0..<20 {
            router.hear(100)
            router.pass(Router.secondNs, peer: 100, holds: .first(1))
        }
        #expect(router.state == .backup && router.conditions == [])
    }

    /// Adverts are blocked when the peer holds and every timer has run out: not before, and not for one who cannot serve.
    @Test(arguments: [(GroupState.backup, true), (.fault, false)]) func blocked(state: GroupState, isTold: Bool) {
        var router = Router(cables: 1)
        router.become(state)
        router.hearWord(200, holds: .first(1))
        #expect(router.conditions == [])
        router.pass(Self.downNs, peer: 200, holds: .first(1))
        #expect(router.conditions == (isTold ? ["adverts-blocked"] : []))
        var master = Router(cables: 1)
        master.become(.master)
        master.hearWord(50, holds: .first(1))
        #expect(master.conditions == [])
    }

    /// Nobody serves: we cannot, nobody was heard for a down interval, and the peer neither holds nor could.
    @Test func nobodyServesIsTold() {
        var router = Router(cables: 1)
        router.become(.fault)
        func isTold() -> Bool { router.conditions.contains("no-director") }
        router.pass(Self.downNs - 1)
        #expect(!isTold())
        router.pass(1)
        #expect(isTold())
        for (priority, holds, told) in [(UInt8(50), MemberSet(), false), (0, .first(1), false), (0, [], true)] {
            router.hearWord(priority, holds: holds)
            #expect(isTold() == told)
        }
        router.hear(50)
        #expect(!isTold())
        var able = Router(cables: 1)
        able.become(.backup)
        able.pass(Self.downNs, peer: 0, holds: .first(1))
        able.hearWord(0)
        #expect(!able.conditions.contains("no-director"))
    }

    /// A cable over which the peer does not hear us is degraded as well.
    @Test func oneWayCableIsDegraded() {
        var router = Router(cables: 1)
        router.become(.backup)
        for (hears, conditions) in [(false, ["heartbeat-degraded:cross0"]), (true, [])] {
            let stamp: UInt32 = hears ? 2 : 1
            let peer = Router.address(.ipv6, 200)
            let word = PeerWord(priority: 200, identity: peer, stamp: stamp, hearsHeartbeat: hears)
            router.give(.heartbeat(cable: 0, word))
            #expect(router.conditions == conditions)
        }
    }

    // MARK: What is not listened to

    /// Members and cables that there are none of.
    @Test(arguments: [-1, 1, 64]) func outOfRangeIsIgnored(number: Int) {
        let (index, cable) = (MemberIndex(number), CableIndex(number))
        var router = Router(cables: 1)
        router.become(.backup)
        let before = router.engine
        let source = Router.address(.ipv4, 200)
        let advert = Advert(vrid: 10, priority: 200, intervalNs: 1, addresses: [], source: source)
        let word = PeerWord(priority: 200, identity: Router.address(.ipv6, 200))
        let inputs: [Input] = [
            .advert(member: index, advert), .heartbeat(cable: cable, word), .holding(member: index, true),
            .primaryAddress(member: index, nil), .cableAddress(cable: cable, nil), .proof(member: index),
            .foreignAnswer(member: index, by: .stranger),
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
        router.start(causes: [Cause(.tracked, "check:upstream")])
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
