import Monitor
import Testing

@testable import linkwatch

@Suite struct MetricsReportTests {
    private func lines(_ interfaces: [InterfaceRecord], _ statistics: StatisticsRecord = StatisticsRecord()) -> [String]
    {
        let text = MetricsReport.text(
            interfaces, [Sample.defaultRoute], statistics,
            now: Instant(monotonicUsec: 10_000_000, boottimeUsec: 15_000_000, realtimeUsec: 1_700_000_010_000_000),
            dialect: .openmetrics)
        return text.split(separator: "\n").map(String.init)
    }

    @Test func aCutWireInNumbers() {
        let lines = lines([Sample.cut("eth1", ifindex: 3)])
        for expected in [
            "linkwatch_interface_up{ifname=\"eth1\"} 0", "linkwatch_interface_admin_up{ifname=\"eth1\"} 1",
            "linkwatch_interface_evidence_up{ifname=\"eth1\",source=\"mii\"} 0",
            "linkwatch_interface_evidence_up{ifname=\"eth1\",source=\"carrier\"} 1",
            "linkwatch_interface_condition{ifname=\"eth1\",condition=\"disagreement\"} 1",
            // CLOCK_MONOTONIC 1 s is 9 s ago.
            "linkwatch_interface_since_timestamp_seconds{ifname=\"eth1\"} 1700000001.000000",
        ] {
            #expect(lines.contains(expected))
        }
        #expect(!lines.contains { $0.hasPrefix("linkwatch_interface_speed_bytes_per_second{") })
    }

    /// Bytes are the base unit, as node_exporter's `node_network_speed_bytes` has it.
    @Test func speedIsInBytes() {
        var link = Sample.up("eth0", ifindex: 2)
        link.speed = 1_000
        #expect(lines([link]).contains("linkwatch_interface_speed_bytes_per_second{ifname=\"eth0\"} 125000000"))
    }

    @Test func aDaemonThatDoesNotAnswerIsDown() {
        let text = MetricsReport.unavailable(nowRealtimeUsec: 1_700_000_010_000_000, dialect: .prometheus)
        let samples = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(samples == ["linkwatch_up 0", "linkwatch_read_timestamp_seconds 1700000010.000000"])
        #expect(lines([]).contains("linkwatch_up 1"))
    }

    @Test func aMirrorThatIsNotWholeIsSaid() {
        var statistics = StatisticsRecord()
        #expect(lines([], statistics).contains("linkwatch_degraded 0"))
        statistics.degraded = "links: the kernel refuses to list them"
        #expect(lines([], statistics).contains("linkwatch_degraded 1"))
    }

    @Test func aStaleSourceKeepsItsLastWordAndAnUnsupportedOneHasNone() {
        var link = Sample.up("eth0", ifindex: 2)
        link.evidence["mii"] = EvidenceRecord(state: "stale", last: "down", counted: true)
        link.evidence["driver"] = EvidenceRecord(state: "unsupported")
        let lines = lines([link])
        #expect(lines.contains("linkwatch_interface_evidence_up{ifname=\"eth0\",source=\"mii\"} 0"))
        #expect(!lines.contains { $0.contains("source=\"driver\"") && $0.contains("evidence") })
    }

    /// Each family once, with its samples behind it: both formats want that.
    @Test func familiesAreNotScattered() {
        let names = lines([Sample.up("eth0", ifindex: 2), Sample.cut("eth1", ifindex: 3)])
            .filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
        #expect(Set(names).count == names.count)
        #expect(names.count > 30)
    }

    /// A daemon of another version, or none of ours, may send anything that fits 64 bits.
    @Test func absurdNumbersAreNoCrash() {
        var link = Sample.up("eth0", ifindex: 2)
        (link.since, link.speed, link.flaps) = (.max, .max, .min)
        var statistics = StatisticsRecord()
        statistics.mii = ProbeRecord(
            staleMs: .max, latencySumUsec: .min,
            latency: [BucketRecord(le: .max, count: .max), BucketRecord(le: nil, count: .max)])
        #expect(lines([link], statistics).last == "# EOF")
    }
}
