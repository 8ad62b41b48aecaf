import Monitor
import Testing

@testable import linkwatch

@Suite struct DumpTableTests {
    private func lines(_ interfaces: [InterfaceRecord], _ routes: [RouteRecord] = []) -> [String] {
        DumpTable.lines(
            interfaces, routes, now: Instant(monotonicUsec: 13_000_000, boottimeUsec: 14_000_000), width: nil,
            palette: .plain)
    }

    /// What follows the heading, by it.
    private func fields(_ interface: InterfaceRecord) -> [String: String] {
        let words = lines([interface]).prefix(2).map { $0.split(separator: " ").map(String.init) }
        return Dictionary(uniqueKeysWithValues: zip(words[0], words[1]))
    }

    @Test func everyInterfaceHasALine() {
        #expect(
            lines([Sample.cut("eth1", ifindex: 3), Sample.up("eth0", ifindex: 2)], [Sample.defaultRoute]) == [
                "INTERFACE  STATE  WHY  SINCE  ADMIN  MII   DRIVER  CARRIER  OPERSTATE  SPEED    FLAPS  NOTES",
                "eth0       up     -      12s  up     up    up      up       up         1G/full      0  -",
                "eth1       down   mii    12s  up     down  up      up       up         -            0  disagreement",
                "",
                "ROUTE      STATE    VIA          DEV   TABLE  METRIC",
                "0.0.0.0/0  present  192.0.2.254  eth0  254    100",
            ])
    }

    /// The sample's `since` is of CLOCK_MONOTONIC, twelve seconds ago; the machine has slept an hour since.
    @Test func timeAsleepIsPartOfAnAge() {
        var link = Sample.up("eth0", ifindex: 2)
        #expect(fields(link)["SINCE"] == "12s")
        link.sinceBoottimeUsec = 14_000_000 - 3_612_000_000
        #expect(fields(link)["SINCE"] == "1h00m")
        let now = Instant(monotonicUsec: 13_000_000, boottimeUsec: 14_000_000, realtimeUsec: 1_700_000_000_000_000)
        #expect(now.sinceRealtimeUsec(of: link) == 1_699_996_388_000_000)
    }

    @Test func theRawStateStandsInBracketsWhereItDiffers() {
        var held = Sample.up("eth0", ifindex: 2)
        held.state = "down"
        #expect(held.stateWords == "down [up]")
        #expect(held.why == "hold")
        held.dampening = DampeningRecord(penalty: 2500, suppressed: true, reuseUsec: nil)
        #expect(held.why == "dampened")
    }

    @Test func evidenceSaysHowMuchItIsWorth() {
        var interface = Sample.up("eth0", ifindex: 2)
        interface.evidence["mii"] = EvidenceRecord(state: "down", counted: false)
        interface.evidence["driver"] = EvidenceRecord(state: "stale", last: "up", counted: true)
        interface.evidence["carrier"] = EvidenceRecord(state: "unsupported", counted: false)
        let row = fields(interface)
        #expect(row["MII"] == "(down)")
        #expect(row["DRIVER"] == "up?")
        #expect(row["CARRIER"] == "-")
    }

    @Test(
        arguments: [
            (10, "half", "10M/half"), (1000, "full", "1G/full"), (2500, nil, "2.5G"), (100_000, "full", "100G/full"),
            (0, "full", "-"), (-1, nil, "-"),
        ] as [(Int, String?, String)])
    func speeds(speed: Int, duplex: String?, words: String) {
        var interface = Sample.up("eth0", ifindex: 2)
        (interface.speed, interface.duplex) = (speed, duplex)
        #expect(fields(interface)["SPEED"] == words)
    }

    @Test func downIsPaintedAndSwitchedOffIsNot() {
        var interface = Sample.cut("eth0", ifindex: 2)
        #expect(interface.stateStyle == .bad)
        interface.reason = "admin"
        #expect(interface.stateStyle == .faint)
        interface.rawState = "up"
        #expect(interface.stateStyle == .caution)
    }

    @Test func aClockThatIsBehindMakesNoAge() {
        var interface = Sample.up("eth0", ifindex: 2)
        interface.since = .max
        #expect(fields(interface)["SINCE"] == "0ms")
        interface.since = .min
        #expect(fields(interface)["SINCE"] == "3650d")
    }

    @Test func aRouteIsGoneInWords() {
        var route = Sample.defaultRoute
        (route.present, route.inferred, route.type, route.gateways) = (false, true, "blackhole", [])
        let line = lines([], [route])
        #expect(line == ["no interfaces"])
        #expect(
            lines([Sample.up("eth0", ifindex: 2)], [route]).last?.contains("blackhole 0.0.0.0/0  gone (inferred)")
                == true)
    }
}

@Suite struct EventLinesTests {
    private var lines = EventLines(palette: .plain)

    /// The line without the time, which depends on the reader's zone.
    private mutating func words(_ event: EventRecord) -> String? {
        lines.line(for: event).map { String($0.dropFirst("00:00:00.000  ".count)) }
    }

    @Test mutating func aCutWireInThreeLines() {
        let before = Sample.up("eth0", ifindex: 2)
        #expect(
            words(Sample.event("snapshot", before))
                == "eth0       up         1G/full")
        #expect(
            words(Sample.event("snapshot", route: Sample.defaultRoute))
                == "-          present    route 0.0.0.0/0 via 192.0.2.254 dev eth0 metric 100")
        #expect(words(Sample.event("synced")) == "--- synced: 1 interface, 1 route")
        let cut = Sample.cut("eth0", ifindex: 2)
        #expect(
            words(Sample.event("changed", cut))
                == "eth0       down       mii up -> down, disagreement")
        var late = cut
        late.evidence["carrier"] = EvidenceRecord(state: "down", counted: true)
        (late.operstate, late.conditions) = ("down", [])
        #expect(
            words(Sample.event("changed", late))
                == "eth0       down       carrier up -> down, operstate up -> down, no longer disagreement")
    }

    @Test mutating func whatHappensToAName() {
        let first = Sample.up("eth0", ifindex: 2)
        _ = words(Sample.event("snapshot", first))
        var renamed = first
        renamed.ifname = "wan0"
        #expect(words(Sample.event("renamed", renamed)) == "wan0       up         was eth0")
        #expect(words(Sample.event("removed", renamed)) == "wan0       gone       removed")
        #expect(words(Sample.event("added", first)) == "eth0       up         added, 1G/full")
    }

    @Test mutating func aSnapshotSaysWhatIsNotSimplyUp() {
        #expect(
            words(Sample.event("snapshot", Sample.cut("eth1", ifindex: 3)))
                == "eth1       down       by mii, disagreement")
        var plain = Sample.up("lo", ifindex: 1)
        (plain.operstate, plain.speed, plain.duplex) = ("unknown", nil, nil)
        #expect(words(Sample.event("snapshot", plain)) == "lo         up")
        plain.evidence["mii"] = EvidenceRecord(state: "down", counted: false)
        plain.evidence["driver"] = EvidenceRecord(state: "stale", last: "up", counted: true)
        #expect(words(Sample.event("snapshot", plain)) == "lo         up         mii (down), driver up?")
    }

    @Test mutating func theReasonIsSaidWhereTheChangesDoNot() {
        var link = Sample.cut("eth0", ifindex: 2)
        link.evidence["carrier"] = EvidenceRecord(state: "down", counted: true)
        _ = words(Sample.event("snapshot", link))
        link.evidence["mii"] = EvidenceRecord(state: "unsupported")
        (link.reason, link.conditions) = ("carrier", [])
        #expect(
            words(Sample.event("changed", link))
                == "eth0       down       mii down -> -, by carrier, no longer disagreement")
        link = Sample.up("eth0", ifindex: 2)
        #expect(
            words(Sample.event("changed", link)) == "eth0       up         mii - -> up, carrier down -> up, 1G/full")
    }

    /// When a hold or a suppression begins or ends, the state changes and no evidence does.
    @Test mutating func aStateThatTimeChangedSaysWhy() {
        var link = Sample.up("eth0", ifindex: 2)
        link.state = "down"
        _ = words(Sample.event("snapshot", link))
        link.state = "up"
        #expect(words(Sample.event("changed", link)) == "eth0       up         held long enough")
        link.dampening = DampeningRecord(penalty: 2500, suppressed: true)
        (link.state, link.conditions) = ("down", ["dampened"])
        #expect(words(Sample.event("changed", link))?.hasPrefix("eth0       down [up]  dampened") == true)
        link.dampening = DampeningRecord(penalty: 900, suppressed: false)
        (link.state, link.conditions) = ("up", [])
        #expect(words(Sample.event("changed", link)) == "eth0       up         no longer dampened")
    }

    @Test mutating func whatIsNotWholeIsSaid() {
        var degraded = Sample.event("degraded")
        degraded.cause = "links: no answer"
        #expect(words(degraded) == "--- degraded: links: no answer")
        #expect(words(Sample.event("synced")) == "--- synced: the kernel's tables are complete again")
        #expect(words(Sample.event("synced")) == "--- synced: 0 interfaces, 0 routes")
    }

    @Test mutating func nothingElseThanDetails() {
        var link = Sample.up("eth0", ifindex: 2)
        _ = words(Sample.event("snapshot", link))
        link.flags = ["UP", "PROMISC"]
        #expect(words(Sample.event("changed", link)) == "eth0       up         +PROMISC")
        #expect(words(Sample.event("changed", link)) == "eth0       up         details (netlink)")
        link.master = 9
        #expect(words(Sample.event("changed", link)) == "eth0       up         master - -> #9")
        var bridge = Sample.up("br0", ifindex: 9)
        bridge.mtu = 1400
        _ = words(Sample.event("added", bridge))
        link.master = nil
        #expect(words(Sample.event("changed", link)) == "eth0       up         master br0 -> -")
    }

    @Test mutating func blinksAreCounted() {
        var blinking = Sample.up("eth0", ifindex: 2)
        _ = words(Sample.event("snapshot", blinking))
        blinking.flaps += 1
        #expect(words(Sample.event("flap", blinking)) == "eth0       up         blinked")
        blinking.flaps += 3
        #expect(words(Sample.event("flap", blinking)) == "eth0       up         blinked 3 times")
    }

    @Test mutating func remarks() {
        #expect(words(Sample.event("heartbeat")) == nil)
        #expect(words(Sample.event("overflow"))?.hasPrefix("--- overflow") == true)
        #expect(words(Sample.event("resync"))?.hasPrefix("--- resync") == true)
        // A kind that a newer daemon may have.
        #expect(words(Sample.event("eclipse")) == "--- eclipse")
    }

    @Test mutating func anAddressCannotDriveTheTerminal() {
        var first = Sample.up("eth0", ifindex: 2)
        _ = words(Sample.event("snapshot", first))
        first.address = "\u{1b}]0;x\u{7}"
        #expect(words(Sample.event("changed", first))?.unicodeScalars.contains("\u{1b}") == false)
    }
}

@Suite struct WaitingTests {
    private func outcome(
        _ names: [String], up: Bool = true, any: Bool = false, raw: Bool = false, _ events: [EventRecord]
    ) -> [Bool] {
        var waiting = Waiting(names: names, wantsUp: up, isAny: any, isRaw: raw)
        return events.map { waiting.take($0) }
    }

    private let up = Sample.up("eth0", ifindex: 2)
    private let down = Sample.cut("eth0", ifindex: 2)

    @Test func nothingIsSaidBeforeTheSnapshotIsComplete() {
        #expect(outcome(["eth0"], [Sample.event("snapshot", up), Sample.event("synced")]) == [false, true])
        #expect(outcome(["eth9"], up: false, [Sample.event("snapshot", up), Sample.event("synced")]) == [false, true])
    }

    @Test func whatIsNotThereIsDown() {
        let events = [Sample.event("synced"), Sample.event("added", up), Sample.event("removed", up)]
        #expect(outcome(["eth0"], events) == [false, true, false])
        #expect(outcome(["eth0"], up: false, events) == [true, false, true])
    }

    @Test func aNameIsFollowedAndNotADevice() {
        var renamed = up
        renamed.ifname = "wan0"
        let events = [Sample.event("snapshot", up), Sample.event("synced"), Sample.event("renamed", renamed)]
        #expect(outcome(["eth0"], events) == [false, true, false])
        #expect(outcome(["wan0"], events) == [false, false, true])
        renamed.altnames = ["eth0"]
        #expect(outcome(["eth0"], [Sample.event("snapshot", renamed), Sample.event("synced")]) == [false, true])
    }

    @Test func allOrAny() {
        let other = Sample.cut("eth1", ifindex: 3)
        let events = [Sample.event("snapshot", up), Sample.event("snapshot", other), Sample.event("synced")]
        #expect(outcome(["eth0", "eth1"], events).last == false)
        #expect(outcome(["eth0", "eth1"], any: true, events).last == true)
        #expect(outcome(["eth0", "eth1"], up: false, events).last == false)
        #expect(outcome(["eth0", "eth1"], up: false, any: true, events).last == true)
    }

    @Test func rawIsBeforeTheHold() {
        var held = up
        held.state = "down"
        let events = [Sample.event("snapshot", held), Sample.event("synced")]
        #expect(outcome(["eth0"], events).last == false)
        #expect(outcome(["eth0"], raw: true, events).last == true)
    }

    @Test func anOverflowBeginsAnew() {
        let events = [
            Sample.event("snapshot", up), Sample.event("synced"), Sample.event("overflow"),
            Sample.event("snapshot", down), Sample.event("synced"),
        ]
        #expect(outcome(["eth0"], up: false, events) == [false, false, false, false, true])
    }
}
