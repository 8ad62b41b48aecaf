import Testing

@testable import linkwatch

@Suite struct SpanTests {
    @Test(
        arguments: [
            ("0s", 0), ("1ns", 1), ("7us", 7_000), ("500ms", 500_000_000), ("30s", 30_000_000_000),
            ("5min", 300_000_000_000), ("2h", 7_200_000_000_000), ("007ms", 7_000_000), ("1.5s", 1_500_000_000),
        ] as [(String, Int64)])
    func takes(text: String, ns: Int64) throws {
        #expect(try Span(argument: text).ns == ns)
    }

    @Test(arguments: [
        "", "30", "s", "ms", "-1s", "+1s", "1..5s", " 1s", "1S", "1m", "٣s", "99999999999999999999s",
        "9223372036854775807h", "3651d", "87601h",
    ])
    func refuses(text: String) {
        #expect(throws: (any Error).self) { try Span(argument: text) }
    }

    @Test(
        arguments: [
            (-5, "0ms"), (450_000_000, "450ms"), (12_000_000_000, "12s"), (312_000_000_000, "5m12s"),
            (11_100_000_000_000, "3h05m"), (183_600_000_000_000, "2d03h"), (412 * 86_400_000_000_000, "412d"),
        ] as [(Int64, String)])
    func briefly(ns: Int64, text: String) {
        #expect(Span(ns: ns).brief == text)
    }

    /// What is printed can be typed.
    @Test(arguments: [0, 1, 1_500, 1_500_000, 90_000_000_000, 120_000_000_000, 7_200_000_000_000] as [Int64])
    func describesExactly(ns: Int64) throws {
        #expect(try Span(argument: Span(ns: ns).description).ns == ns)
    }
}
