import Monitor

@testable import linkwatch

/// Interfaces to render.
enum Sample {
    /// A link as it should be.
    static func up(_ ifname: String, ifindex: Int) -> InterfaceRecord {
        let evidence = ["admin", "mii", "driver", "carrier", "operstate"].reduce(into: [:] as EvidenceTable) {
            $0[$1] = EvidenceRecord(state: "up", counted: true)
        }
        return record(ifname, ifindex: ifindex, state: "up", rawState: "up", reason: nil, evidence: evidence)
    }

    /// A wire that only the PHY knows to be cut.
    static func cut(_ ifname: String, ifindex: Int) -> InterfaceRecord {
        var cut = up(ifname, ifindex: ifindex)
        (cut.state, cut.rawState, cut.reason) = ("down", "down", "mii")
        cut.evidence["mii"] = EvidenceRecord(state: "down", counted: true)
        cut.disagreement = true
        cut.conditions = ["disagreement"]
        (cut.speed, cut.duplex) = (nil, nil)
        return cut
    }

    static func event(_ kind: EventKind, _ interface: InterfaceRecord? = nil, route: RouteRecord? = nil) -> EventRecord
    {
        EventRecord(
            seq: 1, generation: 0, kind: kind, cause: "netlink", monotonicUsec: 5_000_000,
            realtimeUsec: 1_700_000_000_123_456, interface: interface, route: route)
    }

    static let defaultRoute = RouteRecord(
        dst: "0.0.0.0/0", table: 254, protocol: 3, metric: 100, type: "unicast", gateways: ["192.0.2.254"],
        ifindexes: [2], present: true, inferred: false)

    private static func record(
        _ ifname: String, ifindex: Int, state: String, rawState: String, reason: String?,
        evidence: EvidenceTable
    ) -> InterfaceRecord {
        InterfaceRecord(
            ifindex: ifindex, ifname: ifname, altnames: [], kind: nil, driver: "e1000", address: "02:00:00:00:00:01",
            mtu: 1500, master: nil, link: nil, flags: ["UP"], operstate: "up", state: state, rawState: rawState,
            reason: reason, since: 1_000_000, evidence: evidence, mii: nil, speed: 1000, duplex: "full",
            autoneg: true, duplexMismatchSuspected: false, carrierChanges: 2, flaps: 0, dampening: nil,
            disagreement: false, conditions: [])
    }
}
