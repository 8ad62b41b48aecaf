import Testing
import VRRPSimulation

@testable import VRRP

/// Every rule of the decision, by name: what happens with it, and what goes wrong without it.
///
///      LAN 0 ---+--- L10 [LVS1 200] L11 ---+--- LAN 1
///               +--- L20 [LVS2 100] L21 ---+            one cable, where the test says so
struct RuleTests {
    private static let secondNs: Int64 = 1_000_000_000

    private func bench(
        cables: Int = 0, without rule: Rules?, legs: Int = 2, priorities: [UInt8] = [200, 100]
    ) -> Bench {
        var bench = Bench(cables: cables, legs: legs, priorities: priorities) { group in
            if let rule { group.rules.remove(rule) }
        }
        bench.settle()
        return bench
    }

    private func silence(_ director: Int, _ port: World.Port = .silent) -> [Fault] {
        [.port(director: director, leg: 0, port), .port(director: director, leg: 1, port)]
    }

    /// 2002: the backup goes deaf on a leg. It must not stir.
    @Test(arguments: [nil, Rules.take]) func take(without rule: Rules?) {
        var bench = bench(without: rule)
        bench.apply(.port(director: 1, leg: 1, .filteredIn))
        bench.run(forNs: 30 * Self.secondNs)
        #expect(bench.changes.isEmpty == (rule == nil))
        if rule == nil { #expect(bench.conditions(1) == ["deaf:inside"]) }
    }

    /// Two masters that were parted meet again on one leg only.
    @Test(arguments: [nil, Rules.lose]) func lose(without rule: Rules?) {
        var bench = bench(without: rule)
        for fault in silence(1) { bench.apply(fault) }
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.states == [.master, .master])
        bench.apply(.port(director: 1, leg: 0, .up))
        bench.run(forNs: 2 * Self.secondNs)
        #expect(bench.states == (rule == nil ? [.master, .backup] : [.master, .master]))
        if rule == nil { #expect(bench.holders == [0]) }
    }

    /// The legs are filtered, the cable lives and says that the peer holds.
    @Test(arguments: [nil, Rules.blocked]) func blocked(without rule: Rules?) {
        var bench = bench(cables: 1, without: rule)
        for fault in silence(1, .filteredIn) { bench.apply(fault) }
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.changes.isEmpty == (rule == nil))
        if rule == nil { #expect(bench.conditions(1).contains("adverts-blocked")) }
        // The timers stay expired: when the peer is gone, nobody waits for them again.
        guard rule == nil else { return }
        bench.apply(.port(director: 0, leg: 0, .noCarrier))
        bench.run(forNs: Self.secondNs / 100)
        #expect(bench.holders == [1])
    }

    /// The legs are filtered and the cable is lost: ARP still tells that somebody has the addresses.
    @Test(arguments: [nil, Rules.dead]) func dead(without rule: Rules?) {
        var bench = bench(cables: 1, without: rule)
        bench.apply(.cable(0, .silent))
        for fault in silence(1, .filteredIn) { bench.apply(fault) }
        bench.run(forNs: 10 * Self.secondNs)
        #expect((bench.overlapNs == 0) == (rule == nil))
        guard rule == nil else { return }
        #expect(bench.conditions(1).contains("adverts-blocked"))
        bench.apply(.shutdown(0))
        bench.run(forNs: 2 * Self.secondNs)
        #expect(bench.holders == [1])
    }

    /// The peer resigns over the cable: no skew, at any advert interval.
    @Test(arguments: [nil, Rules.atOnce]) func atOnce(without rule: Rules?) {
        var bench = bench(cables: 1, without: rule)
        bench.apply(.port(director: 0, leg: 1, .noCarrier))
        bench.run(forNs: 5 * Self.secondNs)
        #expect(bench.states == [.fault, .master])
        #expect(bench.overlapNs == 0)
        #expect((bench.outageNs < Self.secondNs / 1000) == (rule == nil))
    }

    /// A peer that says 0 but still holds has not left yet; one that did not hold had nothing to leave.
    @Test func onlyReleaseIsResignation() {
        var bench = bench(cables: 1, without: nil)
        bench.apply(.port(director: 1, leg: 0, .filteredIn), .port(director: 1, leg: 1, .filteredIn))
        bench.run(forNs: 10 * Self.secondNs)
        let identity = World.cableAddress(of: 0, cable: 0)
        func word(_ priority: UInt8, _ holds: MemberSet, _ stamp: UInt32) -> Input {
            .heartbeat(
                cable: 0,
                PeerWord(
                    priority: priority, identity: identity, stamp: UInt32(bench.world.nowNs / 1000) + stamp,
                    holds: holds))
        }
        bench.give(word(0, .first(2), 1), to: 1)
        #expect(bench.states[1] == .backup)
        bench.give(word(0, [], 2), to: 1)
        #expect(bench.states[1] == .master)
    }

    /// Both hold, the legs are filtered, and the cable comes back.
    @Test(arguments: [nil, Rules.twoHolders]) func twoHolders(without rule: Rules?) {
        var bench = bench(cables: 1, without: rule)
        bench.apply(.cable(0, .silent))
        for fault in silence(1) { bench.apply(fault) }
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.holders == [0, 1])
        for fault in silence(1, .filtered) { bench.apply(fault) }
        bench.apply(.cable(0, .up))
        bench.run(forNs: Self.secondNs / 5)
        #expect(bench.holders == (rule == nil ? [0] : [0, 1]))
    }

    /// A lesser holder that does not hear our adverts, but answers when it is asked, holds for ever: we yield, for some down
    /// intervals. A second time is the last, since a host that only pretends would otherwise have its way.
    @Test(arguments: [nil, Rules.unheard]) func unheard(without rule: Rules?) {
        var bench = Bench(legs: 2) { group in
            group.probeBeforeTakeover = false
            if let rule { group.rules.remove(rule) }
        }
        bench.settle()
        for fault in silence(1, .filteredIn) { bench.apply(fault) }
        bench.run(forNs: 12 * Self.secondNs)
        #expect(bench.holders == (rule == nil ? [1] : [0, 1]))
        guard rule == nil else { return }
        #expect(bench.conditions(0).contains("unheard"))
        bench.run(forNs: 600 * Self.secondNs)
        let retreats = bench.changes.filter { $0.change.transition.reason == .unheard }
        #expect(retreats.map(\.change.director) == [0, 0])
        #expect(bench.holders == [0, 1])
        #expect(bench.conditions(0).contains("unheard"))
        #expect(bench.conditions(0).contains("second-master:outside:\(World.address(of: 1, leg: 0))"))
        // Once it hears us, nothing of that is left.
        for fault in silence(1, .up) { bench.apply(fault) }
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.holders == [0])
        #expect(bench.conditions(0) == [])
    }

    /// One that is deaf answers nobody: to yield to it would give the addresses to a router that no packet reaches.
    @Test func deafRoutersAreNotYieldedTo() {
        var bench = bench(without: nil)
        for fault in silence(1, .deaf) { bench.apply(fault) }
        bench.run(forNs: 60 * Self.secondNs)
        #expect(bench.states == [.master, .master])
        #expect(!bench.changes.contains { $0.change.director == 0 })
    }

    /// Three directors in a ring: the second hears the first and the third the second, and the first hears the third alone,
    /// on one leg. A holder of one leg is none.
    @Test func ringComesToRest() {
        var bench = Bench(priorities: [200, 150, 100]) { _ in }
        bench.settle()
        bench.apply(.port(director: 0, leg: 0, .silent), .port(director: 1, leg: 1, .mute))
        bench.apply(.port(director: 2, leg: 1, .deaf))
        bench.run(forNs: 120 * Self.secondNs)
        let count = bench.changes.count
        bench.run(forNs: 600 * Self.secondNs)
        #expect(bench.changes.count == count)
        #expect(!bench.changes.contains { $0.change.director == 0 })
        bench.apply(.port(director: 2, leg: 1, .up))
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.holders == [0])
    }

    /// Failback: the better director claims, and adds nothing before the other has let go.
    @Test(arguments: [nil, Rules.preempt]) func preempt(without rule: Rules?) {
        var bench = bench(cables: 1, without: rule)
        bench.apply(.shutdown(0))
        bench.run(forNs: 5 * Self.secondNs)
        #expect(bench.holders == [1])
        bench.apply(.start(0))
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.holders == [0])
        #expect((bench.overlapNs == 0) == (rule == nil))
    }

    /// A claim that the peer does not hear is given up, and not made again.
    @Test func claimIsGivenUp() {
        var bench = bench(cables: 1, without: nil)
        bench.apply(.shutdown(0))
        bench.run(forNs: 5 * Self.secondNs)
        for fault in silence(1, .deaf) { bench.apply(fault) }
        bench.apply(.start(0))
        bench.run(forNs: 20 * Self.secondNs)
        #expect(bench.holders == [1])
        #expect(bench.conditions(0).contains("unheard"))
        #expect(bench.overlapNs == 0)
    }

    /// Without heartbeats, a silent leg that nobody proves keeps the better director out, and a proven one lets it in.
    @Test(arguments: [false, true]) func provenLegPreempts(hasNeighbours: Bool) {
        var bench = Bench(change: { _ in })
        bench.settle()
        bench.apply(.shutdown(0))
        bench.run(forNs: 5 * Self.secondNs)
        bench.setNeighbours(hasNeighbours)
        bench.apply(.port(director: 1, leg: 1, .silent), .start(0))
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.holders == (hasNeighbours ? [0] : [1]))
    }

    /// The silent cut of the holder's leg: the other director, whose neighbours answer, serves.
    @Test(arguments: [nil, Rules.isolated]) func isolated(without rule: Rules?) {
        var bench = bench(cables: 1, without: rule)
        bench.apply(.port(director: 0, leg: 1, .silent))
        bench.run(forNs: 4 * Self.secondNs + Self.secondNs / 2)
        #expect(bench.holders == (rule == nil ? [1] : [0]))
        guard rule == nil else { return }
        #expect(bench.status(0)?.causes.map(\.description) == ["isolated:eth1"])
        // Both legs moved, once; and it stays so.
        bench.run(forNs: 60 * Self.secondNs)
        #expect(bench.changes.count == 2)
        #expect(bench.overlapNs == 0)
    }

    /// The same cut on the backup moves nothing.
    @Test func isolatedBackupMovesNothing() {
        var bench = bench(cables: 1, without: nil)
        bench.apply(.port(director: 1, leg: 1, .silent))
        bench.run(forNs: 60 * Self.secondNs)
        #expect(bench.holders == [0])
        #expect(bench.changes.allSatisfy { $0.change.director == 1 })
        #expect(bench.states == [.master, .fault])
    }

    /// A LAN that is dead for both: never yield to nobody.
    @Test func deadLanMovesNothing() {
        var bench = bench(cables: 1, without: nil)
        bench.apply(.port(director: 0, leg: 1, .silent), .port(director: 1, leg: 1, .silent))
        bench.run(forNs: 60 * Self.secondNs)
        #expect(bench.changes.isEmpty)
    }

    /// A cable that loses its carrier is reported, and nothing else happens.
    @Test(arguments: [nil, Rules.degraded]) func degraded(without rule: Rules?) {
        var bench = bench(cables: 1, without: rule)
        bench.apply(.cable(0, .noCarrier))
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.changes.isEmpty == (rule == nil))
        if rule == nil { #expect(bench.conditions(0) == ["heartbeat-degraded:cross1"]) }
    }

    /// A process that was killed starts again: not a packet before what it left behind is gone.
    @Test(arguments: [nil, Rules.start]) func start(without rule: Rules?) throws {
        var group = Search.Scenario.pair(cables: 1, intervalTicks: [1])[0]
        if let rule { group.rules.remove(rule) }
        var engine = Engine(configuration: group)
        let snapshot = Snapshot(
            primaryAddresses: [World.address(of: 0, leg: 0), World.address(of: 0, leg: 1)], holding: [true, true],
            cableAddresses: [World.cableAddress(of: 0, cable: 0)])
        #expect(engine.handle(.timer, nowNs: 0).isEmpty)
        let outputs = engine.handle(.start(snapshot), nowNs: 0)
        #expect(outputs.contains(.removeAddresses(member: 0)) && outputs.contains(.removeAddresses(member: 1)))
        #expect(outputs.speaks == (rule != nil))
        guard rule == nil else { return }
        let first = engine.handle(.holding(member: 0, false), nowNs: 0)
        #expect(!first.speaks)
        let second = engine.handle(.holding(member: 1, false), nowNs: 0)
        #expect(second.speaks)
    }

    /// A backup that was stopped for long wakes up with every timer expired: that is no silence of the master's.
    @Test(arguments: [nil, Rules.awake]) func awake(without rule: Rules?) {
        var bench = Bench { group in
            group.probeBeforeTakeover = false
            if let rule { group.rules.remove(rule) }
        }
        bench.settle()
        bench.apply(.stop(1))
        bench.run(forNs: 10 * Self.secondNs)
        bench.apply(.resume(1))
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.changes.isEmpty == (rule == nil))
    }

    /// The same where adverts are filtered and all that speaks is the cable: a fence would hit a peer that is well.
    @Test(arguments: [nil, Rules.awake]) func awakeBehindAFilter(without rule: Rules?) {
        var bench = Bench(cables: 1) { group in
            group.probeBeforeTakeover = false
            if let rule { group.rules.remove(rule) }
        }
        bench.settle()
        for fault in silence(1, .filteredIn) { bench.apply(fault) }
        bench.run(forNs: 10 * Self.secondNs)
        bench.apply(.stop(1))
        bench.run(forNs: 10 * Self.secondNs)
        bench.apply(.resume(1))
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.changes.isEmpty == (rule == nil))
        // It is one interval's patience and no more.
        bench.apply(.stop(0), .stop(1))
        bench.run(forNs: 10 * Self.secondNs)
        bench.apply(.resume(1))
        bench.run(forNs: Self.secondNs / 5)
        #expect(bench.states[1] == .master)
    }

    /// Whatever comes first after a sleep (an advert, a heartbeat or the timer), the addresses are removed before
    /// anything is sent, and nothing is answered as by a master.
    @Test(arguments: 0..<4) func nothingIsSaidBeforeTheLeaseIsLookedAt(first: Int) {
        var router = Router(200, cables: 1)
        router.become(.master)
        _ = router.takeDone()
        _ = router.takeWords()
        router.sleep(60 * Self.secondNs)
        switch first {
        case 0: router.hear(100)
        case 1: router.hear(0)
        case 2: router.hearWord(100, holds: .first(1))
        default: router.give(.timer)
        }
        #expect(router.takeDone() == ["remove"])
        #expect(router.transitions.last?.reason == .awake)
        #expect(router.takeWords().allSatisfy { $0.holds.isEmpty })
    }

    /// A master that slept through its lease is master no longer.
    @Test func masterThatSleptYields() {
        var bench = bench(without: nil)
        bench.apply(.stop(0))
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.holders == [1])
        bench.apply(.resume(0))
        #expect(bench.holders == [1])
        #expect(bench.changes.last?.change.transition.reason == .awake)
        bench.run(forNs: 10 * Self.secondNs)
        #expect(bench.holders == [0])
    }
}

extension [Output] {
    /// A packet of any kind is sent.
    var speaks: Bool {
        contains { output in
            switch output {
            case .sendAdvert, .sendHeartbeat: true
            default: false
            }
        }
    }
}
