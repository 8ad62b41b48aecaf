/// Lengths of time as configurations write them: one number, one unit, no space needed: `100ms`, `1.5s`, `2 min`.
///
/// A unit is always there: a bare number would be a guess between seconds and milliseconds, and a wrong guess is a
/// failover. Arithmetic is whole nanoseconds, so 0.1s is exactly 100ms.
public enum DurationText {
    /// Units and their nanoseconds, the longest first.
    static let units: [(name: String, ns: Int64)] = [
        ("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
        ("ns", 1),
    ]

    /// Nanoseconds, 0 or more; nil: not a duration, finer than 1 ns, or longer than 292 years.
    public static func parse(_ text: String) -> Int64? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).drop { $0 == " " }
        guard let scale = units.first(where: { $0.name == unit })?.ns else { return nil }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = Int64(parts[0]) else { return nil }
        let (ns, overflow) = whole.multipliedReportingOverflow(by: scale)
        guard !overflow else { return nil }
        guard parts.count == 2 else { return ns }
        guard let fraction = nanoseconds(of: parts[1], scale: scale) else { return nil }
        let (sum, isTooLong) = ns.addingReportingOverflow(fraction)
        return isTooLong ? nil : sum
    }

    /// What the digits after the point are worth.
    private static func nanoseconds(of digits: Substring, scale: Int64) -> Int64? {
        guard (1...9).contains(digits.count), let numerator = Int64(digits) else { return nil }
        var denominator: Int64 = 1
        for _ in digits { denominator *= 10 }
        // At most 10^9 * 3.6 * 10^12, which needs more than 63 bits: the two-word product is exact.
        let product = scale.multipliedFullWidth(by: numerator)
        let (ns, rest) = denominator.dividingFullWidth(product)
        return rest == 0 ? ns : nil
    }

    /// In the longest unit that leaves a whole number.
    public static func format(_ ns: Int64) -> String {
        guard ns != 0, let unit = units.first(where: { ns % $0.ns == 0 }) else { return "\(ns)s" }
        return "\(ns / unit.ns)\(unit.name)"
    }
}
