import Addresses
import Testing

@testable import VRRP

/// The state tables of RFC 9568, 6.4.1 to 6.4.3, and RFC 3768, row by row.
///
/// Our priority is 100 and our address ends in 100, our interval is two seconds, the peer's four. An event happens half
/// a second after its state was entered, so that a timer which goes on differs from one that begins anew.
struct TableTests {
    enum Event: Sendable {
        case startup
        case shutdown
        case timer
        /// An advert of a priority, from an address that ends in `host`.
        case advert(UInt8, host: UInt64 = 200)
    }

    /// What a timer shows after the event.
    enum Timer: Sendable {
        case none
        /// It goes on as if nothing had happened.
        case untouched
        /// The RFC's Down interval of our own interval, or of the peer's.
        case down(learned: Bool)
        /// The RFC's skew of our own interval.
        case skew
        /// Our interval, from the beginning.
        case interval
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var state: GroupState
        var event: Event
        var priority: UInt8 = 100
        var preempt = true
        var does: [String] = []
        var next: GroupState
        var downTimer = Timer.none
        var advertTimer = Timer.none
        var versions: [Version] = [.v2, .v3]

        var testDescription: String { "\(state) | \(event) | \(priority)\(preempt ? "" : ", no preempt") | \(next)" }
    }

    static let rows: [Row] = [
        Row(
            state: .initialize, event: .startup, priority: 255, does: ["advert 255", "add", "announce"], next: .master,
            advertTimer: .interval),
        Row(state: .initialize, event: .startup, priority: 254, next: .backup, downTimer: .down(learned: false)),
        Row(state: .initialize, event: .startup, next: .backup, downTimer: .down(learned: false)),
        Row(state: .initialize, event: .startup, priority: 1, next: .backup, downTimer: .down(learned: false)),
        Row(state: .initialize, event: .timer, next: .initialize),
        Row(state: .initialize, event: .shutdown, next: .initialize),
        Row(state: .initialize, event: .advert(0), next: .initialize),
        Row(state: .initialize, event: .advert(50), next: .initialize),
        Row(state: .initialize, event: .advert(255), next: .initialize),

        Row(state: .backup, event: .shutdown, next: .initialize),
        Row(
            state: .backup, event: .timer, does: ["advert 100", "add", "announce"], next: .master,
            advertTimer: .interval),
        Row(state: .backup, event: .advert(0), next: .backup, downTimer: .skew),
        Row(state: .backup, event: .advert(0), preempt: false, next: .backup, downTimer: .skew),
        Row(state: .backup, event: .advert(101), next: .backup, downTimer: .down(learned: true)),
        Row(state: .backup, event: .advert(255), next: .backup, downTimer: .down(learned: true)),
        // Equal is enough, and no address is looked at.
        Row(state: .backup, event: .advert(100, host: 200), next: .backup, downTimer: .down(learned: true)),
        Row(state: .backup, event: .advert(100, host: 50), next: .backup, downTimer: .down(learned: true)),
        // Whether that one holds is asked.
        Row(
            state: .backup, event: .advert(99), preempt: false, does: ["probe"], next: .backup,
            downTimer: .down(learned: true)),
        Row(
            state: .backup, event: .advert(1), preempt: false, does: ["probe"], next: .backup,
            downTimer: .down(learned: true)),
        Row(state: .backup, event: .advert(99), next: .backup, downTimer: .untouched),
        Row(state: .backup, event: .advert(1), next: .backup, downTimer: .untouched),
        // From our own address: forged, or an echo.
        Row(state: .backup, event: .advert(200, host: 100), next: .backup, downTimer: .untouched),

        Row(state: .master, event: .shutdown, does: ["remove", "advert 0"], next: .initialize),
        Row(state: .master, event: .timer, does: ["advert 100"], next: .master, advertTimer: .interval),
        Row(state: .master, event: .advert(0), does: ["advert 100"], next: .master, advertTimer: .interval),
        Row(
            state: .master, event: .advert(101), does: ["remove"], next: .backup, downTimer: .down(learned: true)),
        Row(
            state: .master, event: .advert(101), preempt: false, does: ["remove"], next: .backup,
            downTimer: .down(learned: true)),
        Row(
            state: .master, event: .advert(100, host: 101), does: ["remove"], next: .backup,
            downTimer: .down(learned: true)),
        Row(
            state: .master, event: .advert(100, host: 99), does: ["advert 100"], next: .master,
            advertTimer: .untouched, versions: [.v3]),
        Row(
            state: .master, event: .advert(100, host: 99), next: .master, advertTimer: .untouched, versions: [.v2]),
        Row(
            state: .master, event: .advert(99), does: ["advert 100"], next: .master, advertTimer: .untouched,
            versions: [.v3]),
        Row(state: .master, event: .advert(99), next: .master, advertTimer: .untouched, versions: [.v2]),
        // Preempt is not looked at.
        Row(
            state: .master, event: .advert(99), preempt: false, does: ["advert 100"], next: .master,
            advertTimer: .untouched, versions: [.v3]),
        Row(state: .master, event: .advert(200, host: 100), next: .master, advertTimer: .untouched),
        Row(
            state: .master, event: .advert(254), priority: 255, does: ["advert 255"], next: .master,
            advertTimer: .untouched, versions: [.v3]),
        Row(
            state: .master, event: .advert(0), priority: 255, does: ["advert 255"], next: .master,
            advertTimer: .interval),

        Row(state: .fault, event: .shutdown, next: .initialize),
        Row(state: .fault, event: .timer, next: .fault),
        Row(state: .fault, event: .advert(0), next: .fault, downTimer: .skew),
        Row(state: .fault, event: .advert(99), next: .fault, downTimer: .untouched),
        Row(state: .fault, event: .advert(101), next: .fault, downTimer: .down(learned: true)),
        Row(state: .fault, event: .timer, priority: 255, next: .fault),
    ]

    /// A row in a version and a family.
    struct Case: Sendable, CustomTestStringConvertible {
        var row: Row
        var version: Version
        var family: IPAddress.Family

        var testDescription: String { "\(version) \(family) | \(row.testDescription)" }
    }

    static let cases = rows.flatMap { row in
        row.versions.flatMap { version in
            (version == .v2 ? [.ipv4] : IPAddress.Family.allCases).map { Case(row: row, version: version, family: $0) }
        }
    }

    @Test(arguments: cases) func row(_ example: Case) {
        let (row, version) = (example.row, example.version)
        var router = Router(row.priority, version, family: example.family) { $0.preempt = row.preempt }
        router.become(row.state)
        router.pass(Router.secondNs / 2)
        let downBeforeNs = router.downNs()
        let advertBeforeNs = router.advertNs
        happen(row.event, to: &router)
        #expect(router.takeDone() == row.does)
        #expect(router.state == row.next)
        #expect(router.downNs() == expected(row.downTimer, row, version, beforeNs: downBeforeNs))
        #expect(router.advertNs == expected(row.advertTimer, row, version, beforeNs: advertBeforeNs))
    }

    private func happen(_ event: Event, to router: inout Router) {
        switch event {
        case .startup: router.start()
        case .shutdown: router.give(.shutdown)
        case .timer: router.pass(router.downNs() ?? router.advertNs ?? 0)
        case .advert(let priority, let host):
            router.hear(priority, host: host, intervalNs: Router.otherNs)
        }
    }

    private func expected(_ timer: Timer, _ row: Row, _ version: Version, beforeNs: Int64?) -> Int64? {
        switch timer {
        case .none: return nil
        case .untouched: return beforeNs
        case .interval: return Router.intervalNs
        case .skew: return Self.skewNs(row.priority, version, Router.intervalNs)
        case .down(let isLearned):
            let masterNs = isLearned && version == .v3 ? Router.otherNs : Router.intervalNs
            return 3 * masterNs + Self.skewNs(row.priority, version, masterNs)
        }
    }

    private static func skewNs(_ priority: UInt8, _ version: Version, _ masterNs: Int64) -> Int64 {
        let parts = 256 - Int64(priority)
        return version == .v2 ? parts * Router.secondNs / 256 : parts * masterNs / 256
    }

    // MARK: Times, in numbers

    /// `Skew_Time` and `Master_Down_Interval` as an operator would work them out.
    @Test(
        arguments: [
            (UInt8(255), Version.v3, 6_007_812_500), (254, .v3, 6_015_625_000), (100, .v3, 7_218_750_000),
            (1, .v3, 7_992_187_500), (100, .v2, 6_609_375_000), (1, .v2, 6_996_093_750),
        ] as [(UInt8, Version, Int64)])
    func downInterval(priority: UInt8, version: Version, ns: Int64) {
        var router = Router(priority, version)
        router.start(causes: [Cause(.link, "eth0")])
        #expect(router.downNs() == ns)
    }

    /// The interval that was learned counts, for the skew too, until another is learned.
    @Test func learnedIntervalOutlastsItsMaster() {
        var router = Router()
        router.become(.backup)
        router.hear(200, intervalNs: Router.otherNs)
        router.hear(0, intervalNs: Router.intervalNs)
        #expect(router.downNs() == 156 * Router.otherNs / 256)
        router.hear(200, host: 201, intervalNs: Router.secondNs)
        #expect(router.downNs() == 3 * Router.secondNs + 156 * Router.secondNs / 256)
        router.hear(0, host: 201)
        #expect(router.downNs() == 156 * Router.secondNs / 256)
    }

    /// What a lesser master says of its interval is discarded with the rest of it.
    @Test func lesserTeachesNothing() {
        var router = Router()
        router.become(.backup)
        router.hear(99, intervalNs: Router.otherNs)
        router.hear(0)
        #expect(router.downNs() == 156 * Router.intervalNs / 256)
    }

    /// A master that was deposed learns, and its own adverts later go out at its own interval.
    @Test func ownIntervalStaysOwn() {
        var router = Router()
        router.become(.master)
        router.hear(200, intervalNs: Router.otherNs)
        router.pass(20 * Router.secondNs) { $0.state == .master }
        #expect(router.advertNs == Router.intervalNs)
    }

    // MARK: The tie-break

    /// Addresses compare as unsigned numbers in network order; our own ends in 100.
    @Test(
        arguments: [
            (IPAddress.Family.ipv4, 0x7fff_ffff, 0x8000_0000), (.ipv4, 0x0a00_0002, 0x0a00_0100),
            (.ipv4, 0x0100_0000, 0xff00_0000), (.ipv6, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000),
            (.ipv6, 0x02, 0x0100), (.ipv6, 1, .max),
        ] as [(IPAddress.Family, UInt64, UInt64)])
    func tieBreak(family: IPAddress.Family, lower: UInt64, higher: UInt64) {
        func address(_ number: UInt64) -> IPAddress {
            family == .ipv4
                ? IPAddress(ipv4: UInt32(number)) : IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: number)
        }
        for (own, other, isMaster) in [(lower, higher, false), (higher, lower, true)] {
            var router = Router(family: family)
            router.become(.master)
            router.give(.primaryAddress(member: 0, address(own)))
            let advert = Advert(
                vrid: 10, priority: 100, intervalNs: Router.intervalNs, addresses: [], source: address(other))
            router.give(.advert(member: 0, advert))
            #expect((router.state == .master) == isMaster)
        }
    }

    // MARK: Collisions

    /// Caches are set right when the lesser master has fallen silent, and once more a second later.
    @Test(arguments: [Version.v2, .v3]) func announcesWhenTheCollisionEnds(version: Version) {
        var router = Router(100, version)
        router.become(.master)
        router.hear(50)
        router.pass(Router.intervalNs)
        router.hear(50)
        _ = router.takeDone()
        router.pass(Router.intervalNs * 5 / 4 - 1)
        #expect(!router.takeDone().contains("announce"))
        router.pass(1)
        #expect(router.takeDone().contains("announce"))
        router.pass(Router.secondNs - 1)
        #expect(!router.takeDone().contains("announce"))
        router.pass(1)
        #expect(router.takeDone().contains("announce"))
        router.pass(10 * Router.intervalNs)
        #expect(!router.takeDone().contains("announce"))
    }

    /// The loser announces nothing, and forgets the collision.
    @Test func loserNeverAnnounces() {
        var router = Router()
        router.become(.master)
        router.hear(50)
        router.hear(200)
        #expect(router.state == .backup)
        for _ in 0..<10 {
            router.pass(Router.intervalNs)
            router.hear(200)
        }
        #expect(!router.takeDone().contains("announce"))
    }

    /// A flood is not answered by a flood: one answer an interval.
    @Test(arguments: [UInt8(0), 50]) func answersOnceAnInterval(priority: UInt8) {
        var router = Router()
        router.become(.master)
        router.pass(Router.secondNs / 2)
        for _ in 0..<100 { router.hear(priority) }
        #expect(router.takeDone() == ["advert 100"])
        router.pass(Router.intervalNs)
        _ = router.takeDone()
        router.hear(priority)
        #expect(router.takeDone() == ["advert 100"])
    }

    /// A resignation restarts the advert interval, which the whole group shares: so all members send once.
    @Test func groupAnswersResignationTogether() {
        var router = Router(members: 2)
        router.become(.master)
        router.pass(Router.secondNs / 2)
        router.hear(0, on: 0)
        router.hear(0, on: 1)
        #expect(router.takeDone() == ["advert 0 100", "advert 1 100"])
        #expect(router.advertNs == Router.intervalNs)
    }

    // MARK: Groups

    /// A priority 0 is the skew where it was heard; elsewhere a master that lives has one interval to say so.
    @Test func resignationOnOneLeg() {
        let skewNs = 156 * Router.intervalNs / 256
        var router = Router(members: 2)
        router.become(.backup)
        for member: MemberIndex in [0, 1] { router.hear(200, on: member) }
        router.hear(0, on: 0)
        #expect(router.downNs(0) == skewNs)
        #expect(router.downNs(1) == Router.intervalNs + skewNs)
        router.pass(Router.intervalNs)
        router.hear(0, on: 0)
        #expect(router.downNs(1) == skewNs)
        router.pass(skewNs)
        #expect(router.state == .master)
    }

    /// A group has one tie-break, that of its first leg; an equal that goes on speaking on another for two intervals has not
    /// heard us there.
    @Test(arguments: [(UInt64(200), 2), (50, 4)]) func tieOnALaterLeg(host: UInt64, intervalsAsMaster: Int) {
        // A cable tells who is who only if the peer has been heard there and we have an address.
        for (cables, isKnown, hasAddress) in [(0, false, false), (1, false, true), (1, true, false)] {
            var router = Router(members: 2, cables: cables)
            router.become(.master)
            if isKnown { router.hearWord(100) }
            if !hasAddress { router.give(.cableAddress(cable: 0, nil)) }
            var intervals = 0
            while router.state == .master, intervals < 4 {
                _ = router.takeDone()
                router.hear(100, host: host, on: 1)
                if router.state == .master {
                    intervals += 1
                    #expect(router.takeDone() == ["advert 1 100"])
                }
                router.pass(Router.intervalNs)
            }
            #expect(intervals == intervalsAsMaster)
        }
    }

    /// One that fell silent meanwhile is borne for two intervals again.
    @Test func tiePatienceBeginsAnew() {
        var router = Router(members: 2)
        router.become(.master)
        for _ in 0..<4 {
            router.hear(100, on: 1)
            router.pass(2 * Router.intervalNs)
        }
        #expect(router.state == .master)
    }

    /// Where cables tell who the other is, that decides, on every leg at once.
    @Test(arguments: [0, 1] as [MemberIndex]) func tieByIdentity(leg: MemberIndex) {
        for (identity, isMaster) in [(UInt64(50), true), (150, false)] {
            for host: UInt64 in [50, 200] {
                var router = Router(members: 2, cables: 1)
                router.become(.master)
                router.hearWord(100, host: identity)
                router.hear(100, host: host, on: leg)
                #expect((router.state == .master) == isMaster)
            }
        }
    }

    /// The legs' timers run out one after the other: a leg is deaf when the master is heard again on the other one.
    @Test func deafOnceTheMasterIsHeardElsewhere() {
        var router = Router(members: 2)
        router.become(.backup)
        router.hear(200, on: 0)
        router.pass(1)
        router.hear(200, on: 1)
        router.pass(router.downNs(0) ?? 0)
        #expect(router.state == .backup && router.downNs(0) == nil && router.conditions == [])
        router.hear(200, on: 1)
        #expect(router.conditions == ["deaf:m0"])
        router.pass(1)
        #expect(router.conditions == ["deaf:m0"])
        router.hear(200, on: 0)
        #expect(router.conditions == [])
    }

    /// A resignation that is not that of the master heard does not end it.
    @Test func strangersResignationIsNotTheMasters() {
        var router = Router { $0.preempt = false }
        router.become(.backup)
        router.hear(50, host: 201)
        router.hear(0, host: 50)
        router.pass(Router.intervalNs - 1)
        #expect(router.state == .backup)
        router.hear(0, host: 201)
        router.pass(Router.intervalNs)
        #expect(router.state == .master)
    }

    /// The router that we preempted may have announced its addresses until then: we announce again when it must have
    /// heard us, and once more.
    @Test func preemptionIsAnnouncedAgain() {
        var router = Router()
        router.become(.backup)
        while router.state == .backup {
            router.hear(50)
            router.pass(Router.secondNs) { $0.state == .master }
        }
        #expect(router.takeDone() == ["advert 100", "add", "announce"])
        for ns in [Router.intervalNs, Router.secondNs] {
            router.pass(ns - 1)
            #expect(!router.takeDone().contains("announce"))
            router.pass(1)
            #expect(router.takeDone().contains("announce"))
        }
    }

    // MARK: The owner

    /// An owner that was in FAULT waits as any backup does, and preempts even with preempt = false.
    @Test func ownerPreemptsAlways() {
        var router = Router(255) { $0.preempt = false }
        router.become(.fault)
        router.hear(254)
        router.give(.link(interface: "eth0", isUp: true, reason: ""))
        #expect(router.state == .backup)
        for _ in 0..<3 {
            router.pass(Router.intervalNs)
            router.hear(254)
            #expect(router.state == .backup)
        }
        router.pass(Router.intervalNs / 256)
        #expect(router.state == .master)
        #expect(router.takeDone() == ["advert 255", "add", "announce"])
    }

    // MARK: Preemption

    /// With preemption the timer of whoever hears a lesser master only runs out; without it never does.
    @Test(arguments: [true, false]) func preempts(isAllowed: Bool) {
        var router = Router { $0.preempt = isAllowed }
        router.holder = 200
        router.become(.backup)
        for _ in 0..<20 where router.state == .backup {
            router.hear(99)
            router.pass(Router.intervalNs / 2)
        }
        #expect((router.state == .master) == isAllowed)
        #expect(router.transitions.last?.reason == (isAllowed ? .preempt : .start))
    }

    /// The preempt delay begins when the timer has run out, at the start as later, and is for masters that live.
    @Test(arguments: [0, 1, 5] as [Int64]) func preemptDelay(seconds: Int64) {
        // Heartbeats of our own fall due meanwhile.
        var router = Router(cables: 1) { $0.preemptDelayNs = seconds * Router.secondNs }
        router.holder = 200
        router.become(.backup)
        let startNs = router.nowNs
        while router.state != .master, router.nowNs < startNs + 60 * Router.secondNs {
            router.hear(99)
            router.pass(Router.secondNs / 8) { $0.state == .master }
        }
        #expect(
            router.nowNs - startNs == 3 * Router.intervalNs + 156 * Router.intervalNs / 256 + seconds * Router.secondNs)
    }

    /// A lesser master that falls silent during the delay is not waited for.
    @Test func preemptDelayEndsWithItsMaster() {
        var router = Router { $0.preemptDelayNs = 3600 * Router.secondNs }
        router.holder = 200
        router.become(.backup)
        for _ in 0..<10 {
            router.hear(99)
            router.pass(Router.secondNs)
        }
        #expect(router.state == .backup)
        router.hear(99)
        router.holder = nil
        router.pass(3 * Router.intervalNs + 156 * Router.intervalNs / 256)
        #expect(router.state == .master)
        #expect(router.transitions.last?.reason == .take)
    }

    /// A preempt delay that was cancelled starts again with the next lesser master.
    @Test func preemptDelayIsNotSaved() {
        var router = Router { $0.preemptDelayNs = 6 * Router.secondNs }
        router.holder = 200
        router.become(.backup)
        func hearForSeconds(_ priority: UInt8, _ count: Int) {
            for _ in 0..<count * 2 where router.state == .backup {
                router.hear(priority)
                router.pass(Router.secondNs / 2) { $0.state == .master }
            }
        }
        hearForSeconds(99, 10)  // 7.2 s of timer, 2.8 s of delay
        hearForSeconds(200, 3)
        hearForSeconds(99, 12)
        #expect(router.state == .backup)
        hearForSeconds(99, 3)
        #expect(router.state == .master)
    }

    // MARK: Weights

    @Test(
        arguments: [
            (UInt8(100), [-30], UInt8(70)), (100, [-30, 10], 80), (100, [-100], 1), (100, [-254, -254, 1], 1),
            (100, [154], 254), (100, [155], 254), (100, [254, 254, -1], 254), (1, [-1], 1), (254, [1], 254),
            (255, [-100], 255), (255, [100], 255), (100, [1000], 254), (100, [-1000], 1), (100, [0], 100),
            (100, [], 100),
        ] as [(UInt8, [Int], UInt8)])
    func weightsMovePriorityWithinBounds(base: UInt8, weights: [Int], effective: UInt8) {
        var atStart = Router(base)
        let named = weights.enumerated().map { ("check:\($0)", $1) }
        atStart.start(weights: Dictionary(uniqueKeysWithValues: named))
        #expect(atStart.priority == effective)
        var later = Router(base)
        later.become(.backup)
        for (name, weight) in named { later.give(.weight(name: name, weight)) }
        #expect(later.priority == effective)
        for (name, _) in named { later.give(.weight(name: name, 0)) }
        #expect(later.priority == base)
    }

    /// A master that loses weight says so with its next advert, and yields only to who is better then.
    @Test func lostWeightIsTold() {
        var router = Router()
        router.become(.master)
        router.give(.weight(name: "check:upstream", -60))
        #expect(router.state == .master)
        router.pass(Router.intervalNs)
        #expect(router.takeDone() == ["advert 40"])
        router.hear(50)
        #expect(router.state == .backup)
    }

    // MARK: Fence

    private func fenced(hasProbe: Bool = false, cables: Int = 0) -> Router {
        var router = Router(cables: cables) {
            $0.hasFence = true
            $0.probeBeforeTakeover = hasProbe
        }
        router.become(.backup)
        router.pass(8 * Router.secondNs)
        return router
    }

    @Test func nothingIsTakenBeforeTheFenceSucceeds() {
        var router = fenced()
        #expect(router.takeDone() == ["fence"])
        #expect(router.conditions == ["fencing"])
        // Not even for a program that hangs; its timeout is the process's, and a failure.
        router.pass(100 * Router.secondNs)
        #expect(router.takeDone() == [])
        router.give(.fence(succeeded: true))
        #expect(router.takeDone() == ["advert 100", "add", "announce"])
        #expect(router.state == .master)
        #expect(router.conditions == [])
    }

    @Test func failedFenceIsTriedAgain() {
        var router = fenced(cables: 1)
        router.give(.fence(succeeded: false))
        _ = router.takeDone()
        #expect(router.conditions == ["fence-failed", "heartbeat-degraded:cross0"])
        router.pass(5 * Router.secondNs - 1)
        #expect(router.takeDone() == [] && router.state == .backup)
        router.pass(1)
        #expect(router.takeDone() == ["fence"])
        router.give(.fence(succeeded: true))
        #expect(router.state == .master)
    }

    @Test func probeFollowsTheFence() {
        var router = fenced(hasProbe: true)
        #expect(router.takeDone() == ["fence"])
        router.give(.fence(succeeded: true))
        #expect(router.takeDone() == ["probe"] && router.state == .backup)
        router.pass(Router.secondNs / 10)
        #expect(router.state == .master)
    }

    /// Somebody is heard while the program runs: what it says later is of no use, and until then no second one starts.
    @Test(arguments: [true, false]) func outdatedFenceIsIgnored(succeeds: Bool) {
        var router = fenced()
        _ = router.takeDone()
        router.hear(200)
        router.pass(20 * Router.secondNs)
        #expect(router.takeDone() == [] && router.conditions == ["fencing"])
        router.give(.fence(succeeded: succeeds))
        // The result was of another silence than this one.
        #expect(router.state == .backup)
        #expect(router.takeDone() == ["fence"])
        router.give(.fence(succeeded: true))
        #expect(router.state == .master)
    }

    @Test func unaskedResultIsIgnored() {
        var router = Router { $0.hasFence = true }
        router.become(.backup)
        router.give(.fence(succeeded: true))
        router.pass(8 * Router.secondNs)
        #expect(router.takeDone() == ["fence"] && router.state == .backup)
    }

    /// A success is good for the silence that it was for: each silence is fenced.
    @Test func everySilenceIsFenced() {
        var router = fenced(hasProbe: true)
        router.give(.fence(succeeded: true))
        router.hear(200)
        _ = router.takeDone()
        router.pass(8 * Router.secondNs)
        #expect(router.takeDone() == ["fence"] && router.state == .backup)
    }

    // MARK: Who was not scheduled

    /// A backup that is late reads the adverts that wait before it looks at the clock: in whatever order, none is missed.
    @Test(arguments: [[0, 1], [1, 0]] as [[MemberIndex]]) func lateReaderMissesNothing(order: [MemberIndex]) {
        var router = Router(members: 2)
        router.become(.backup)
        for member: MemberIndex in [0, 1] { router.hear(200, on: member) }
        // Past the down timers, but not so far that it would count as sleep.
        router.sleep(3 * Router.intervalNs + 156 * Router.intervalNs / 256 + Router.secondNs / 10)
        for member in order { router.hear(200, on: member) }
        router.give(.timer)
        #expect(router.state == .backup)
        #expect(router.takeDone() == [])
        #expect(router.conditions == [])
    }
}
