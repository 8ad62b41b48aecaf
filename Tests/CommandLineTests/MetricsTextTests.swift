import Testing

@testable import linkwatch

@Suite struct MetricsTextTests {
    @Test func namesAreEscaped() {
        var metrics = MetricsText(.prometheus)
        metrics.family("x", .gauge, help: "a \\ and\na line, \"quoted\"")
        metrics.sample("x", [("ifname", "a\\b\"c\nd")], true)
        #expect(
            metrics.text == """
                # TYPE x gauge
                # HELP x a \\\\ and\\na line, "quoted"
                x{ifname="a\\\\b\\"c\\nd"} 1

                """)
    }

    /// A quote and a mark that combines with it are one character, and still a quote.
    @Test func marksHideNothing() {
        var metrics = MetricsText(.prometheus)
        metrics.sample("x", [("ifname", "a\"\u{301}b\\\u{301}c\n\u{301}")], true)
        #expect(metrics.text == "x{ifname=\"a\\\"\u{301}b\\\\\u{301}c\\n\u{301}\"} 1\n")
    }

    @Test func nothingDrivesTheTerminal() {
        var metrics = MetricsText(.openmetrics)
        metrics.sample("x", [("ifname", "\u{1b}[2J\u{9b}\u{2028}")], true)
        #expect(metrics.text == #"x{ifname="\\x1b[2J\\u009b\\u2028"} 1"# + "\n# EOF\n")
    }

    /// Where they differ: a counter's type and help, units, the end.
    @Test func theDialectsDiffer() {
        func text(_ dialect: MetricsText.Dialect) -> String {
            var metrics = MetricsText(dialect)
            metrics.family("flaps", .counter, help: "Flaps.")
            metrics.sample("flaps_total", [], 3)
            metrics.family("age_seconds", .gauge, unit: "seconds", help: "Age.")
            return metrics.text
        }
        #expect(
            text(.prometheus) == """
                # TYPE flaps_total counter
                # HELP flaps_total Flaps.
                flaps_total 3
                # TYPE age_seconds gauge
                # HELP age_seconds Age.

                """)
        #expect(
            text(.openmetrics) == """
                # TYPE flaps counter
                # HELP flaps Flaps.
                flaps_total 3
                # TYPE age_seconds gauge
                # UNIT age_seconds seconds
                # HELP age_seconds Age.
                # EOF

                """)
    }

    @Test func aHistogramAddsUp() {
        var metrics = MetricsText(.prometheus)
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

                """)
    }

    @Test func secondsAreExact() {
        var metrics = MetricsText(.prometheus)
        metrics.sample("t", [], microseconds: 1_700_000_000_000_001)
        metrics.sample("t", [], microseconds: -1_500_000)
        #expect(metrics.text == "t 1700000000.000001\nt -1.500000\n")
    }
}
