/// Text that others chose (names, paths, a peer's words) made safe for a terminal and for a log.
///
/// The kernel lets an interface be named with an escape sequence in it (`dev_valid_name` refuses blanks, slashes and
/// colons alone). Characters that control a terminal, or that a log viewer takes for the end of a line, are written as
/// escapes, so that different names still look different. The text is examined scalar by scalar, since a combining mark
/// would hide the character before it.
import CLinux

extension Unicode.Scalar {
    /// A control or format character, C1 and the two separators of lines and paragraphs included.
    public var isUnprintable: Bool {
        if value < 0x80 { return value < 0x20 || value == 0x7f }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }

    /// As it is written where it must not act: `\x1b`, `\u009b`, `\U000e0001`.
    public var escaped: String {
        let digits = String(value, radix: 16)
        let (prefix, width) = value < 0x80 ? ("\\x", 2) : value < 0x1_0000 ? ("\\u", 4) : ("\\U", 8)
        return prefix + String(repeating: "0", count: width - digits.count) + digits
    }
}

extension String {
    /// Without anything that drives a terminal or ends a line; see `Unicode.Scalar.escaped`.
    public var printable: String {
        if utf8.allSatisfy({ 0x20..<0x7f ~= $0 }) { return self }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isUnprintable { result += scalar.escaped } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    /// How many columns of a terminal this takes: two for the wide characters of East Asian scripts, none for a mark that is
    /// put upon the one before. Needs a locale with UTF-8, see setlocale(3). (`wcwidth(3)`)
    public var columns: Int {
        if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
        return unicodeScalars.reduce(0) { $0 + Int(clinux_columns($1.value)) }
    }
}
