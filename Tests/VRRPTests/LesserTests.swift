import Addresses
import Testing
import VRRPSimulation

@testable import VRRP

/// Routers of lower priority, and hosts that pretend to be one: what they cannot take from a master, and where they cannot
/// keep a backup from taking over.
struct LesserTests {
    private static let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256

    private func router(
        _ state: GroupState, priority: UInt8 = 100, members: Int = 1, cables: Int = 0,
        change: (inout GroupConfiguration) -> Void = { _ in }
    ) -> Router {
        var router = Router(priority, members: members, cables: cables, change: change)
        router.become(state)
        _ = router.takeDone()
        return router
    }

    /// With an advert, with announcements, or with neither, at most once an interval, on every leg.
    @Test(arguments: [false, true], [false, true])
    func aLesserAdvertIsAnsweredAsConfigured(answers: Bool, announces: Bool) {
        var router = router(.master, members: 2) {
            $0.answersLower = answers
            $0.announcesAfterLower = announces
        }
        for _ in 0..<3 { router.hear(50) }
        let expected = (answers ? ["advert 0 100"] : []) + (announces ? ["announce again 0", "announce again 1"] : [])
        #expect(router.takeDone() == expected && router.state == .master)
        router.pass(Router.intervalNs)
        _ = router.takeDone()
        router.hear(50)
        #expect(router.takeDone() == expected)
    }

    @Test(arguments: [false, true])
    func aMasterThatGivesWaySpeaksBeforeAsConfigured(speaks: Bool) {
        var router = router(.master) { $0.answersHigher = speaks }
        router.hear(150)
        #expect(router.takeDone().first == (speaks ? "advert 100" : "remove") && router.state == .backup)
    }

    /// Ten adverts a second. Returns for how long we were not master.
    @discardableResult
    private func flood(
        _ router: inout Router, seconds: Int64, priority: UInt8 = 1, hosts: [UInt64] = [200],
        intervalNs: Int64 = Router.secondNs, members: [MemberIndex] = [0]
    ) -> Int64 {
        var lostNs: Int64 = 0
        for count in 0..<Int(seconds * 10) {
            for member in members {
                router.hear(priority, host: hosts[count % hosts.count], intervalNs: intervalNs, on: member)
            }
            router.pass(Router.secondNs / 10)
            if router.state != .master { lostNs += Router.secondNs / 10 }
        }
        return lostNs
    }

    // MARK: Master

    /// Adverts alone take nothing from anybody: whatever they claim, whoever they come from, the virtual address included.
    @Test(arguments: [100, 200, 255] as [UInt8], [0, 1])
    func advertsAloneTakeNothing(priority: UInt8, cables: Int) {
        for hosts: [UInt64] in [[200], [1], [200, 201, 202]] {
            for intervalNs in [Router.secondNs / 100, Router.secondNs, 40_950_000_000] {
                var router = router(.master, priority: priority, cables: cables)
                #expect(flood(&router, seconds: 200, hosts: hosts, intervalNs: intervalNs) == 0)
                #expect(router.transitions.map(\.to).last == .master)
            }
        }
    }

    /// Not even with an answer from an owner, or where a cable tells who holds.
    @Test(arguments: [(UInt8(255), 0), (255, 1), (200, 1)])
    func answersTakeNothingEither(priority: UInt8, cables: Int) {
        var router = router(.master, priority: priority, cables: cables)
        router.holder = 200
        #expect(flood(&router, seconds: 100) == 0)
    }

    /// A lesser router that goes on for the down interval and answers for the addresses holds them, and does not hear us.
    @Test func unheardAfterTheDownInterval() {
        var router = router(.master)
        router.holder = 200
        router.hear(50)
        router.pass(Router.intervalNs * 3 / 2)
        router.hear(50)
        router.pass(Self.downNs - Router.intervalNs * 3 / 2 - 1)
        router.hear(50)
        #expect(router.state == .master)
        router.pass(1)
        router.hear(50)
        // One that has just begun is given time to hear us.
        router.pass(Router.intervalNs - 1)
        #expect(router.state == .master && !router.takeDone().contains("probe"))
        router.pass(1)
        #expect(router.state == .backup)
        #expect(router.transitions.last?.reason == .unheard)
        #expect(router.conditions.contains("unheard"))
    }

    /// Without an answer we stay master and announce our addresses again; the condition names the lesser router.
    @Test func withoutAnAnswerWeStay() {
        var router = router(.master)
        flood(&router, seconds: 60)
        #expect(router.conditions == ["second-master:m0:192.0.2.200"])
        let done = router.takeDone()
        let spans = 60 * Router.secondNs / Self.downNs
        #expect((1...spans).contains(Int64(done.count { $0 == "probe" })))
        #expect(done.count { $0 == "announce" } <= 2 * spans)
        router.pass(2 * Self.downNs)
        #expect(router.conditions == [])
    }

    /// A station that answers and is not the one that sends the adverts is no router.
    @Test func strangersAnswerIsNone() {
        var router = router(.master)
        for _ in 0..<300 {
            router.hear(1)
            router.give(.foreignAnswer(member: 0, by: .stranger))
            router.pass(Router.secondNs / 10)
        }
        #expect(router.state == .master)
    }

    // MARK: Without addresses

    /// Nobody can be asked who has an address that does not exist: the fence and the adverts decide, and nothing waits.
    @Test func withoutAddressesNobodyIsAsked() {
        for members in 1...2 {
            var router = Router(members: members) {
                $0.probeBeforeTakeover = true
                for index in $0.members.indices { $0.members[index].addresses = [] }
            }
            router.holder = 200
            router.become(.master)
            #expect(router.nowNs == Router.secondNs + Self.downNs)
            let all = Array(router.engine.configuration.members.places)
            for member in all { flood(&router, seconds: 200, members: [member]) }
            #expect(flood(&router, seconds: 200, members: all) == 0)
            #expect(!router.takeDone().contains { $0.hasPrefix("probe") })
            #expect(router.conditions.contains("second-master:m0:192.0.2.200"))
        }
    }

    /// Where one leg has addresses, those who answer for them count, and on the other leg the adverts.
    @Test func onlyLegsWithAddressesAreAsked() {
        var router = router(.master, members: 2) { $0.members[1].addresses = [] }
        router.holder = 200
        #expect(flood(&router, seconds: 60, members: [0, 1]) > 0)
        let asked = router.takeDone().filter { $0.hasPrefix("probe") }
        #expect(!asked.isEmpty && asked.allSatisfy { $0 == "probe 0" })
        #expect(router.transitions.contains { $0.reason == .unheard })
    }

    /// A backup that may not preempt obeys a lesser master without asking what it holds.
    @Test func withoutAddressesALesserMasterIsObeyed() {
        var router = router(.backup) {
            $0.preempt = false
            $0.members[0].addresses = []
        }
        flood(&router, seconds: 60)
        #expect(router.state == .backup && !router.takeDone().contains("probe"))
    }

    /// The last cable fails while a claim waits for the peer's release: our adverts have to do.
    @Test func withoutAddressesAClaimNeedsNoAnswer() {
        var router = Router(cables: 1) { $0.members[0].addresses = [] }
        router.become(.backup)
        for _ in 0..<100 where !router.engine.status.isClaiming {
            router.hear(50)
            router.pass(Router.secondNs / 10, peer: 50, holds: [.first(1)], hears: [.first(1)], proven: [.first(1)])
        }
        #expect(router.engine.status.isClaiming)
        router.pass(Router.secondNs)
        #expect(router.transitions.last?.reason == .preempt)
    }

    /// Whoever holds holds all of it: one LAN is not enough, with or without adverts on the other.
    @Test(arguments: [[0], [0, 1]] as [[MemberIndex]]) func everyLegMustAnswer(members: [MemberIndex]) {
        var router = router(.master, members: 2)
        for _ in 0..<600 {
            for member in members { router.hear(1, on: member) }
            let asked = router.takeDone().contains("probe 0")
            if asked { router.give(.foreignAnswer(member: 0, by: .router(Router.address(.ipv4, 200)))) }
            router.pass(Router.secondNs / 10)
        }
        #expect(router.state == .master)
    }

    /// Adverts of these routers at this distance, of which the first one is heard once more in the end.
    struct NowAndThen: Sendable {
        var ownNs: Int64
        var hosts: [UInt64]
        var intervalNs: Int64
        var gapNs: Int64
    }

    static let nowAndThen = [
        NowAndThen(
            ownNs: Router.secondNs / 10, hosts: [200], intervalNs: Router.secondNs, gapNs: Router.secondNs * 13 / 10),
        NowAndThen(
            ownNs: Router.secondNs, hosts: [200, 201], intervalNs: 40_950_000_000, gapNs: 100 * Router.secondNs),
        NowAndThen(
            ownNs: Router.secondNs, hosts: [200, 201, 202], intervalNs: Router.secondNs, gapNs: Router.secondNs),
    ]

    /// Patience and memory run by the slower clock, for one sender: what comes now and then, or from one after another, is
    /// never long enough to be asked about.
    @Test(arguments: nowAndThen) func nowAndThenIsNotAlways(_ example: NowAndThen) {
        var router = router(.master) { $0.advertIntervalNs = example.ownNs }
        router.holder = 200
        for host in example.hosts {
            router.hear(50, host: host, intervalNs: example.intervalNs)
            router.pass(example.gapNs)
        }
        router.hear(50, host: example.hosts[0], intervalNs: example.intervalNs)
        router.pass(2 * example.ownNs)
        #expect(router.state == .master && !router.takeDone().contains("probe"))
    }

    /// A router that has become master again is as patient with a lesser one as before.
    @Test func patienceBeginsAnew() {
        var router = router(.master)
        router.holder = 200
        func bearForSeconds(_ count: Int) {
            for _ in 0..<count where router.state == .master {
                router.hear(50)
                router.pass(Router.secondNs)
            }
        }
        bearForSeconds(8)
        router.hear(200)
        router.hear(0)
        router.pass(2 * Router.secondNs) { $0.state == .master }
        bearForSeconds(9)
        #expect(router.state == .master)
        bearForSeconds(2)
        #expect(router.transitions.last?.reason == .unheard)
    }

    /// Addresses that were yielded are taken back as soon as nobody answers for them, although the adverts go on.
    @Test(arguments: [Router.secondNs, 40_950_000_000]) func isTakenBack(intervalNs: Int64) {
        var router = router(.master)
        router.holder = 200
        while router.state == .master { flood(&router, seconds: 1, intervalNs: intervalNs) }
        flood(&router, seconds: 2, intervalNs: intervalNs)
        #expect(router.state == .backup)
        router.holder = nil
        #expect(flood(&router, seconds: 30, intervalNs: intervalNs) <= 4 * Router.intervalNs)
        #expect(router.state == .master)
    }

    /// We yield twice, for some down intervals each, to a lesser router that also answers for ever; then never again
    /// while it goes on.
    @Test func whoAnswersForEverIsYieldedToTwice() {
        var router = router(.master)
        router.holder = 200
        #expect(flood(&router, seconds: 300) <= 2 * 6 * Self.downNs)
        #expect(flood(&router, seconds: 3000) == 0)
        #expect(router.transitions.count { $0.reason == .unheard } == 2)
        #expect(router.conditions.contains("unheard"))
        // A pause does not make that forgotten, but a long one does.
        router.pass(16 * Self.downNs)
        #expect(flood(&router, seconds: 100) == 0)
        router.pass(300 * Self.downNs)
        #expect(flood(&router, seconds: 100) > 0)
    }

    // MARK: Backup

    /// A director that does not preempt waits for a lesser master that holds the addresses, not for one that only sends
    /// adverts.
    @Test func advertsAloneKeepNobodyWaiting() {
        for hosts: [UInt64] in [[201], [201, 202, 203]] {
            var router = router(.backup) { $0.preempt = false }
            router.holder = 200
            for _ in 0..<100 {
                router.hear(200)
                router.hear(50, host: 201)
                router.pass(Router.secondNs / 5)
            }
            router.holder = nil
            let startNs = router.nowNs
            for count in 0..<600 where router.state == .backup {
                router.hear(1, host: hosts[count % hosts.count], intervalNs: 40_950_000_000)
                router.pass(Router.secondNs / 10)
            }
            #expect(router.state == .master)
            #expect(router.nowNs - startNs <= 3 * Self.downNs)
        }
    }

    /// A lesser master that holds is asked once: an idle backup has nothing to do.
    @Test func aHolderIsAskedOnce() {
        var router = router(.backup) { $0.preempt = false }
        router.holder = 200
        for _ in 0..<100 {
            router.hear(50)
            router.pass(Router.secondNs)
        }
        #expect(router.takeDone() == ["probe"] && router.state == .backup)
        router.hear(50, host: 201)
        #expect(router.takeDone() == ["probe"])
    }

    /// A host that claims a long interval, and a short one in between, is asked about all the same.
    @Test func shortIntervalsStopNoQuestion() {
        var router = router(.backup) { $0.preempt = false }
        for count in 0..<400 where router.state == .backup {
            router.hear(50, intervalNs: count % 10 == 0 ? 2 * Router.intervalNs : Router.secondNs / 100)
            router.pass(Router.secondNs / 10)
        }
        #expect(router.state == .master)
    }

    /// A lesser master on one leg, and silence on the other, which is not proven: if the lesser master holds, it goes
    /// on serving; if nobody answers, we take over.
    @Test(arguments: [nil, UInt64(200)]) func oneLegIsNotBlockedForEver(holder: UInt64?) {
        var router = router(.backup, members: 2)
        router.holder = holder
        flood(&router, seconds: 60)
        #expect(router.state == (holder == nil ? .master : .backup))
    }

    /// The preempt delay is for masters that hold.
    @Test func preemptDelayIsNotForStrangers() {
        var router = router(.backup) { $0.preemptDelayNs = 3600 * Router.secondNs }
        flood(&router, seconds: 30)
        #expect(router.state == .master)
    }

    /// Nobody can resign for the master that is heard.
    @Test func strangersCannotResignForAMaster() {
        var router = router(.backup)
        for _ in 0..<100 {
            router.hear(200)
            for _ in 0..<10 {
                router.pass(Router.intervalNs / 10)
                router.hear(0, host: 77)
            }
        }
        #expect(router.transitions.map(\.to) == [.backup])
    }

    /// As long as a master is heard that we cannot beat, a lesser one beside it is not remembered.
    @Test func aLesserOneDoesNotHideTheMaster() {
        var router = router(.backup)
        router.hear(200, host: 201)
        router.hear(1, intervalNs: 40_950_000_000)
        router.pass(Self.downNs + Router.secondNs / 10)
        #expect(router.state == .master)
    }

    /// That nobody holds is asked again, also by whoever may preempt by now: or a lesser master that holds after all would be
    /// taken for a silent one whose answers block the takeover.
    @Test func aHolderThatWasNoneIsPreempted() {
        var router = router(.backup) {
            $0.preempt = false
            $0.probeBeforeTakeover = true
        }
        for _ in 0..<200 where !router.engine.state.members[0].check.isUnheld {
            router.hear(50)
            router.pass(Router.secondNs / 10)
        }
        #expect(router.state == .backup)
        router.reload { $0.preempt = true }
        router.holder = 200
        for _ in 0..<200 where router.state == .backup {
            router.hear(50)
            router.pass(Router.secondNs / 10)
        }
        #expect(router.transitions.last?.reason == .preempt)
    }

    // MARK: Takeover

    /// Silence everywhere, and somebody answers for the addresses: whether that is the master decides. Another station costs
    /// two more questions.
    @Test(arguments: [
        (Answerer.stranger, false), (.router(Router.address(.ipv4, 77)), false), (.virtualRouter, true),
        (.router(Router.address(.ipv4, 200)), true),
    ])
    func onlyTheMasterBlocksATakeover(answerer: Answerer, isBlocked: Bool) {
        var router = router(.backup) { $0.probeBeforeTakeover = true }
        router.hear(200)
        let startNs = router.nowNs
        for _ in 0..<600 where router.state == .backup {
            router.give(.foreignAnswer(member: 0, by: answerer))
            router.pass(Router.secondNs / 10)
        }
        #expect((router.state == .backup) == isBlocked)
        if !isBlocked { #expect(router.nowNs - startNs <= Self.downNs + 3 * Router.intervalNs) }
    }

    // MARK: Several

    /// A pair at 100 ms and 1 s: the lesser goes deaf again and again, for as long as it takes to take over.
    @Test func aDeafLesserRouterTakesNothing() {
        var bench = Bench(legs: 1) { group in
            group.probeBeforeTakeover = false
            if group.priority == 200 { group.advertIntervalNs = 100_000_000 }
        }
        bench.settle()
        for _ in 0..<5 {
            bench.apply(.port(director: 1, leg: 0, .filteredIn))
            for _ in 0..<100 where bench.states[1] == .backup { bench.run(forNs: 100_000_000) }
            bench.apply(.port(director: 1, leg: 0, .up))
            bench.run(forNs: 1_000_000_000)
        }
        bench.run(forNs: 20_000_000_000)
        #expect(bench.holders == [0])
        #expect(!bench.changes.contains { $0.change.director == 0 })
    }

    /// Owners that start one after another: the address decides, and whoever has it stays.
    @Test func ownersDeposeNobody() {
        var bench = Bench(legs: 1, priorities: [255, 255, 255])
        bench.settle()
        #expect(bench.holders == [2])
        bench.apply(.kill(0), .kill(1))
        for index in 0..<2 {
            bench.run(forNs: 3_000_000_000)
            bench.apply(.start(index))
        }
        bench.run(forNs: 20_000_000_000)
        #expect(bench.holders == [2])
        #expect(!bench.changes.contains { $0.change.director == 2 })
    }
}
