/// Metrics as text, in the two dialects that collectors read.
///
/// Prometheus' own text format 0.0.4 is what node_exporter's textfile collector takes; OpenMetrics 1.0 is the newer one. They
/// differ where it matters: the type and the help of a counter stand at the name with `_total` in the older one, without it in
/// the newer one, which also names units and closes with `# EOF`. What is only in one of them is not used: no timestamps, no
/// exemplars; a state is a gauge of 0 or 1 and never a `stateset`, and facts are a gauge of 1 and never an `info`.
import ArgumentParser
import LinuxSystem

struct MetricsText {
    enum Dialect: String, CaseIterable, ExpressibleByArgument {
        /// Text format 0.0.4.
        case prometheus
        /// Version 1.0.
        case openmetrics
    }

    enum Kind: String {
        /// Only ever grows; its samples end in `_total`.
        case counter
        case gauge
        case histogram
    }

    typealias Labels = [(name: String, value: String)]

    let dialect: Dialect
    private var lines: [String] = []

    init(_ dialect: Dialect) { self.dialect = dialect }

    /// All of it, its last line included.
    var text: String { (lines + (dialect == .openmetrics ? ["# EOF"] : [])).map { $0 + "\n" }.joined() }

    /// Begins a family; its samples follow at once, as both formats want them together.
    ///
    /// - Parameters:
    ///   - unit: the last part of the name, such as `seconds`; nil: a mere number.
    ///   - help: one sentence.
    mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, help: String) {
        let name = name + (kind == .counter && dialect == .prometheus ? "_total" : "")
        lines.append("# TYPE \(name) \(kind.rawValue)")
        if let unit, dialect == .openmetrics { lines.append("# UNIT \(name) \(unit)") }
        lines.append("# HELP \(name) \(Self.escaped(help, quotes: false))")
    }

    mutating func sample(_ name: String, _ labels: Labels, _ value: Int64) { sample(name, labels, "\(value)") }

    mutating func sample(_ name: String, _ labels: Labels, _ value: Bool) { sample(name, labels, value ? "1" : "0") }

    /// A sample whose value is a number of seconds, exactly.
    mutating func sample(_ name: String, _ labels: Labels, microseconds: Int64) {
        sample(name, labels, Self.seconds(microseconds))
    }

    /// The samples of one histogram of durations.
    ///
    /// - Parameter buckets: the count *within* each bucket and its upper bound in microseconds, ascending; the bound of
    ///   the last is nil.
    mutating func histogram(
        _ name: String, _ labels: Labels, buckets: [(leUsec: Int64?, count: Int64)], sumUsec: Int64
    ) {
        var total: Int64 = 0
        for bucket in buckets {
            total &+= bucket.count
            guard let leUsec = bucket.leUsec else { continue }
            sample(name + "_bucket", labels + [("le", Self.bound(leUsec))], total)
        }
        sample(name + "_bucket", labels + [("le", "+Inf")], total)
        sample(name + "_count", labels, total)
        sample(name + "_sum", labels, microseconds: sumUsec)
    }

    private mutating func sample(_ name: String, _ labels: Labels, _ value: String) {
        let list = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }.joined(separator: ",")
        lines.append(list.isEmpty ? "\(name) \(value)" : "\(name){\(list)} \(value)")
    }

    /// Both dialects escape the backslash and the line's end, and the quote inside a label's value. What would drive a terminal
    /// on which the text is shown becomes `\x1b`, as elsewhere, with its backslash escaped. Scalar by scalar: a mark that
    /// combines with a quote would hide it from a walk over characters, and a bare quote ends the value.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            case _ where scalar.isUnprintable: result += "\\" + scalar.escaped
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func seconds(_ microseconds: Int64) -> String {
        let magnitude = microseconds.magnitude
        let fraction = "\(1_000_000 + magnitude % 1_000_000)".dropFirst()
        return (microseconds < 0 ? "-" : "") + "\(magnitude / 1_000_000).\(fraction)"
    }

    /// A bound in OpenMetrics' canonical form: no zeros at the end but one after the point.
    private static func bound(_ microseconds: Int64) -> String {
        var text = seconds(microseconds)
        while text.hasSuffix("0"), !text.hasSuffix(".0") { text.removeLast() }
        return text
    }
}
