/// What the records encode, against the interface description: every field, in its order and of its type.
import Monitor
import Testing
import VRRPStatus
import Varlink

private enum Sample {
    static let member = MemberRecord(
        name: "outside", interface: "eth0", ifindex: 3, vrid: 10, version: 2, addresses: ["192.0.2.1"],
        primaryAddress: "192.0.2.2", multicastGroup: "224.0.0.66", holding: true, heard: false, proven: true,
        downUsec: 1, masterIntervalUsec: 2,
        lastSource: "192.0.2.3", lastPriority: 100, checksumForm: "message", advertsReceived: 4, advertsSent: 5,
        resignationsReceived: 6, resignationsSent: 7, ownAddressReceived: 8,
        firstNotLinkLocalReceived: 10, sendErrors: 9,
        lastSendError: "Message too long",
        routes: [HeldRouteRecord(route: "default via 192.0.2.254", held: false, reason: "No route to host")],
        rules: [HeldRuleRecord(rule: "from all table 5 priority 7", held: false, reason: "File exists")],
        attributes: [
            HeldAddressRecord(address: "192.0.2.9/24 dev eth2", interface: "eth2", advertised: false, held: true)
        ])
    static let cable = CableRecord(name: "cross1", interface: "hb0", vrid: 11, peerVrid: 21, alive: true, sendErrors: 1)
    static let peer = PeerRecord(
        identity: "fe80::1", priority: 90, fresh: true, holds: [], hears: ["outside"], hearsHeartbeat: true,
        proven: ["outside"])
    static let transition = VRRPTransitionRecord(
        group: "lvs", state: "master", previous: "backup", reason: "take", priority: 200, monotonicUsec: 1,
        realtimeUsec: 2)
    static let tracked = TrackedRecord(name: "check:upstream", well: false, weight: -50, contribution: -50)
    static let group = GroupRecord(
        name: "lvs", state: "master", sinceUsec: 1, sinceBoottimeUsec: 2, priority: 200, configuredPriority: 200,
        version: 3,
        advertIntervalUsec: 1_000_000, preempt: true, claiming: false, holding: true, advertUsec: 9,
        causes: ["check:upstream"], conditions: ["monitor-lost"], tracked: [tracked], members: [member],
        cables: [cable], peer: peer,
        becameMaster: 1, leftMaster: 0, heartbeatsReceived: 2, heartbeatsSent: 3, heartbeatEchoes: 4,
        heartbeatsStale: 5, transitions: [transition])
    static let event = VRRPEventRecord(
        seq: 1, kind: "cause", monotonicUsec: 2, realtimeUsec: 3, group: group, transition: transition,
        what: "check:upstream", present: true)
    static let status = VRRPStatusRecord(
        groups: [group], version: "1", nowUsec: 2, nowBoottimeUsec: 4,
        discards: [DiscardRecord(reason: "ttl", count: 3)], reloads: 1,
        reloadError: "vrrp.toml:3: no")
}

@Suite struct RecordTests {
    let description: InterfaceDescription

    init() throws { description = try InterfaceDescription(parsing: VRRPInterface.description) }

    private func check<Record: MonitorRecord>(_ record: Record, _ fields: [InterfaceDescription.Field]?) throws {
        let fields = try #require(fields)
        var writer = JSONWriter()
        record.encode(into: &writer)
        let object = try JSON.parse(writer.bytes).object()
        #expect(description.mismatch(object, fields) == nil)
        #expect(object.members.map(\.key) == fields.map(\.name))
        #expect(try Record(decoding: object) == record)
        for field in fields {
            var object = object
            object.members.removeAll { $0.key == field.name }
            if case .maybe = field.type {
                #expect(throws: Never.self) { try Record(decoding: object) }
            } else {
                #expect(throws: JSON.FieldError.self) { try Record(decoding: object) }
            }
        }
    }

    private func fields(_ type: String) -> [InterfaceDescription.Field]? {
        guard case .structure(let fields) = description.types[type] else { return nil }
        return fields
    }

    @Test func everyRecordIsAsDescribed() throws {
        try check(Sample.member, fields("Member"))
        try check(#require(Sample.member.routes?.first), fields("HeldRoute"))
        try check(#require(Sample.member.rules?.first), fields("HeldRule"))
        try check(#require(Sample.member.attributes?.first), fields("HeldAddress"))
        try check(Sample.cable, fields("Cable"))
        try check(Sample.peer, fields("Peer"))
        try check(Sample.transition, fields("Transition"))
        try check(Sample.tracked, fields("Tracked"))
        try check(Sample.group, fields("Group"))
        try check(Sample.event, fields("Event"))
        try check(Sample.status, description.methods["Status"]?.output)
    }

    @Test func hasTheMethodsThatItsUsersKnow() {
        #expect(description.name == VRRPInterface.name)
        #expect(Set(description.methods.keys) == ["Status", "Watch", "Reload", "Handover", "CheckConfig"])
    }
}
