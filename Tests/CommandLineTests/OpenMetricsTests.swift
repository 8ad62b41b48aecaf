import Testing

@testable import linkwatch

@Suite struct OpenMetricsTests {
    @Test func namesAreEscaped() {
        var metrics = OpenMetrics()
        metrics.family("x", .gauge, help: "a \\ and\na line, \"quoted\"")
        metrics.sample("x", [("ifname", "a\\b\"c\nd")], true)
        #expect(
            metrics.text == """
                # TYPE x gauge
                # HELP x a \\\\ and\\na line, "quoted"
                x{ifname="a\\\\b\\"c\\nd"} 1
                # EOF

                """)
    }

    @Test func aHistogramAddsUp() {
        var metrics = OpenMetrics()
        metrics.histogram(
            "h", [("source", "mii")],
            buckets: [(leUsec: 1, count: 5), (leUsec: 1_000, count: 2), (leUsec: nil, count: 1)],
            sumUsec: 3_250_001)
        #expect(
            metrics.text == """
                h_bucket{source="mii",le="0.000001"} 5
                h_bucket{source="mii",le="0.001"} 7
                h_bucket{source="mii",le="+Inf"} 8
                h_count{source="mii"} 8
                h_sum{source="mii"} 3.250001
                # EOF

                """)
    }

    @Test func secondsAreExact() {
        var metrics = OpenMetrics()
        metrics.sample("t", [], microseconds: 1_700_000_000_000_001)
        metrics.sample("t", [], microseconds: -1_500_000)
        #expect(metrics.text == "t 1700000000.000001\nt -1.500000\n# EOF\n")
    }
}
