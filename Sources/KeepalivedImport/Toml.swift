/// TOML as a person would write it.
enum Toml {
    /// A text in quotes.
    static func text(_ value: String) -> String {
        var result = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7f {
                    let digits = String(scalar.value, radix: 16, uppercase: true)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }

    /// A value without its quotes, where nothing in it had to be escaped.
    static func plain(_ value: String) -> String {
        value.hasPrefix("\"") && value.hasSuffix("\"") ? String(value.dropFirst().dropLast()) : value
    }

    /// A text with double quotes in it, which reads better in single ones; others as `text`.
    static func literal(_ value: String) -> String {
        let isPlain = value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f && $0 != UInt8.apostrophe }
        return isPlain && value.contains("\"") ? "'\(value)'" : text(value)
    }

    /// An array, on one line or on one for each element.
    static func array(_ elements: [String]) -> String {
        let line = "[" + elements.joined(separator: ", ") + "]"
        return line.utf8.count <= 100 || elements.count < 2
            ? line : "[\n" + elements.map { "    \($0),\n" }.joined() + "]"
    }

    /// A table on one line.
    static func table(_ entries: [(key: String, value: String)]) -> String {
        "{ " + entries.map { "\($0.key) = \($0.value)" }.joined(separator: ", ") + " }"
    }

    /// Nanoseconds with a unit, in the longest that leaves a whole number.
    static func duration(_ ns: Int64) -> String {
        let units: [(name: String, ns: Int64)] = [
            ("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
        ]
        guard ns != 0, let unit = units.first(where: { ns % $0.ns == 0 }) else {
            return text("\(ns)\(ns == 0 ? "s" : "ns")")
        }
        return text("\(ns / unit.ns)\(unit.name)")
    }

    /// A section's name behind its kind.
    static func key(_ name: String) -> String {
        name.utf8.allSatisfy { $0.isName || $0 == UInt8(ascii: "-") } ? name : text(name)
    }
}

/// One section of the output.
struct TomlSection {
    /// Such as `instance.VI_1`.
    var header: String
    /// Lines without their `#`, before the header.
    var comments: [String] = []
    var keys: [(key: String, value: String)] = []

    mutating func set(_ key: String, _ value: String) { keys.append((key, value)) }

    var text: String {
        comments.flatMap { Self.wrapped($0) }.map { $0 + "\n" }.joined() + "[\(header)]\n"
            + keys.map { "\($0.key) = \($0.value)\n" }.joined()
    }

    /// A comment on lines of at most 100 characters.
    static func wrapped(_ comment: String) -> [String] {
        var lines: [String] = []
        var line = "#"
        for word in comment.split(separator: " ") {
            // keepalived's file may contain any byte; line ends in it must not end the comment.
            let word = String(
                String.UnicodeScalarView(word.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f }))
            if line.utf8.count + word.utf8.count > 100, line != "#" {
                lines.append(line)
                line = "#  "
            }
            line += " " + word
        }
        return lines + [line]
    }
}
