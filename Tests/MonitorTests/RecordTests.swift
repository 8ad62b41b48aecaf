import LinkState
import Testing
import Varlink

@testable import Monitor

/// One record of each type, once with everything and once with what must be there.
enum Sample {
    static let evidence = EvidenceRecord(
        state: "stale", last: "up", counted: true, confirmedUsec: 12, detail: "a \"quoted\" word")
    static let mii = MIIRecord(
        phy: 1, bmcr: 0x1140, bmsr: 0x796D, phyId: 0x0141_0C50, link: true, autoneg: true, autonegComplete: true,
        remoteFault: true, isolate: true, loopback: true, powerDown: true, advertised: ["1000baseT-FD"],
        partner: ["100baseTx-FD"], speed: 1000, duplex: "full", duplexMismatchSuspected: true)
    static let dampening = DampeningRecord(penalty: 1000, suppressed: true, reuseUsec: 99)
    static let interface = InterfaceRecord(
        ifindex: 2, ifname: "eth0", altnames: ["enp0s3"], kind: "vlan", driver: "e1000", address: "02:00:00:00:00:01",
        mtu: 1500, master: 5, link: 4, linkNetnsid: 1, flags: ["UP", "LOWER_UP"],
        protoDown: ["3", "17"], operstate: "up", state: "down",
        rawState: "up",
        reason: "mii", since: 123_456_789, sinceBoottimeUsec: 223_456_789,
        evidence: ["mii": evidence, "admin": EvidenceRecord(state: "up", counted: true)],
        mii: mii, speed: 1000, duplex: "full", autoneg: true, duplexMismatchSuspected: true, carrierChanges: 3,
        flaps: 2,
        transitions: 7, dampening: dampening, disagreement: true, conditions: ["dampened"])
    static let route = RouteRecord(
        dst: "0.0.0.0/0", table: 254, protocol: 3, metric: 100, type: "unicast", gateways: ["192.0.2.254"],
        ifindexes: [2], present: false, inferred: true)
    static let event = EventRecord(
        seq: 8, generation: 1, kind: .changed, cause: "mii", monotonicUsec: 1, realtimeUsec: 2, interface: interface,
        route: route)
    static let transition = TransitionRecord(
        ifindex: 2, ifname: "eth0", scope: "raw", state: "down", reason: "mii", monotonicUsec: 5, realtimeUsec: 6)
    static let bucket = BucketRecord(le: 10, count: 3)
    static let probe = ProbeRecord(
        ports: 1, intervalUsec: 2, polls: 3, ioctls: 4, overruns: 5, staleMs: 6, latencyMaxUsec: 7, latencySumUsec: 8,
        latency: [bucket, BucketRecord(le: nil, count: 1)])
    static let statistics = StatisticsRecord(
        version: "1", startedRealtimeUsec: 1, generation: 2, seq: 3, interfaces: 4, routes: 5, subscribers: 6,
        overflows: 7, events: 8, netlinkMessages: 9, netlinkIgnored: 10, netlinkMalformed: 11, netlinkOverruns: 12,
        resyncs: 13, dumpRetries: 14, inconsistent: true, degraded: "links: no", mii: probe, driver: probe,
        probes: ["mii": probe, "driver": probe], reloads: 15,
        reloadError: "linkwatchd.toml:3: no", capabilities: ["CAP_NET_ADMIN"])
    static let dump = DumpRecord(generation: 1, seq: 2, interfaces: [interface], routes: [route], degraded: "links: no")
}

private func encoded(_ value: some JSONEncodable) throws -> JSON.Value {
    var writer = JSONWriter()
    value.encode(into: &writer)
    return try JSON.parse(writer.bytes)
}

/// What a record of everything and one of the least encode, against the fields that the description has for it.
private func check<Record: MonitorRecord>(
    _ full: Record, _ least: Record, _ fields: [InterfaceDescription.Field]?, _ description: InterfaceDescription
) throws {
    let fields = try #require(fields)
    for record in [full, least] {
        let object = try encoded(record).object()
        #expect(description.mismatch(object, fields) == nil)
        #expect(try Record(decoding: object) == record)
    }
    // Every field, and in the description's order.
    #expect(try encoded(full).object().members.map(\.key) == fields.map(\.name))
    // What may be missing is missing, and nothing else.
    let required = fields.filter { if case .maybe = $0.type { false } else { true } }
    #expect(try encoded(least).object().members.map(\.key) == required.map(\.name))
    for field in required {
        var object = try encoded(full).object()
        object.members.removeAll { $0.key == field.name }
        let error = #expect(throws: JSON.FieldError.self) { try Record(decoding: object) }
        #expect(error?.field == field.name)
    }
}

@Suite struct RecordTests {
    let description: InterfaceDescription

    init() throws {
        description = try InterfaceDescription(parsing: MonitorInterface.description)
    }

    private func fields(_ type: String) -> [InterfaceDescription.Field]? {
        guard case .structure(let fields) = description.types[type] else { return nil }
        return fields
    }

    @Test func theDescriptionParses() {
        #expect(description.name == MonitorInterface.name)
        #expect(
            Set(description.methods.keys) == ["Dump", "Watch", "Registers", "History", "Statistics", "Reload"])
    }

    @Test func recordsAreAsDescribed() throws {
        try check(Sample.evidence, EvidenceRecord(state: "up"), fields("Evidence"), description)
        try check(Sample.mii, MIIRecord(), fields("MII"), description)
        try check(Sample.dampening, DampeningRecord(penalty: 0, suppressed: false), fields("Dampening"), description)
        try check(Sample.interface, InterfaceRecord(ifindex: 1, ifname: "lo"), fields("Interface"), description)
        try check(Sample.route, RouteRecord(dst: "::/0"), fields("Route").map { $0 }, description)
        try check(Sample.event, EventRecord(kind: .heartbeat), fields("Event"), description)
        try check(Sample.transition, TransitionRecord(), fields("Transition"), description)
        try check(Sample.bucket, BucketRecord(le: nil, count: 0), fields("Bucket"), description)
        try check(Sample.probe, ProbeRecord(), fields("Probe"), description)
        try check(Sample.statistics, StatisticsRecord(), description.methods["Statistics"]?.output, description)
        try check(Sample.dump, DumpRecord(), description.methods["Dump"]?.output, description)
    }

    @Test func everyTypeHasARecord() {
        let checked: Set = [
            "Evidence", "MII", "Dampening", "Interface", "Route", "Event", "Transition", "Bucket", "Probe",
        ]
        #expect(Set(description.types.keys) == checked)
    }

    @Test func errorsAreAsDescribed() throws {
        let errors = [
            MonitorInterface.noSuchInterface("eth9"), MonitorInterface.noRegisters("eth0", detail: "veth"),
            MonitorInterface.reloadFailed("linkwatchd.toml:3: no"),
        ]
        for error in errors {
            let name = String(error.name.dropFirst(MonitorInterface.name.count + 1))
            let fields = try #require(description.errors[name])
            #expect(description.mismatch(error.parameters, fields) == nil)
        }
        #expect(errors.count == description.errors.count)
    }

    @Test func evidenceKeepsItsOrder() throws {
        var interface = Sample.interface
        interface.evidence = ["zebra": EvidenceRecord(state: "up"), "mii": EvidenceRecord(state: "up")]
        interface.evidence["carrier"] = EvidenceRecord(state: "down")
        interface.evidence["zebra"] = EvidenceRecord(state: "down")
        interface.evidence["mii"] = nil
        interface.evidence["admin"] = nil
        let evidence = try encoded(interface).object().decode("evidence", as: JSON.Object.self)
        #expect(evidence.members.map(\.key) == ["zebra", "carrier"])
        #expect(try InterfaceRecord(decoding: encoded(interface)) == interface)
    }

    @Test func whatANewerDaemonAddsIsIgnored() throws {
        var object = try encoded(Sample.event).object()
        object.members.append(.init(key: "future", value: .array([.null])))
        object.members.append(.init(key: "kind", value: .string("novel")))
        let event = try EventRecord(decoding: object)
        #expect(event.kind == "novel")
        #expect(event.interface == Sample.interface)
    }

    @Test func errorsNameThePath() throws {
        var interface = try encoded(Sample.interface).object()
        interface.members.append(.init(key: "evidence", value: .object(["mii": .object(["state": .int(1)])])))
        #expect(throws: JSON.FieldError(field: "evidence.mii.state", expected: "string")) {
            try InterfaceRecord(decoding: interface)
        }
        #expect(throws: JSON.FieldError(field: "interfaces[0].ifindex", expected: "int")) {
            try DumpRecord(decoding: JSON.parse(Array(#"{"generation":1,"seq":1,"interfaces":[{}]}"#.utf8)))
        }
    }
}
