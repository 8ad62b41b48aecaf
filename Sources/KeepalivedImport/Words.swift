/// How keepalived cuts a line into words. It has two ways, and a script's line goes through both.

/// The plain way, for everything (`alloc_strvec_r`): blanks separate, double quotes hold together, and there are no escapes.
/// A quote also ends the word before it: `a"b c"d` is three words.
///
/// - Returns: the words, and whether the last quote is left open, which makes keepalived forget the rest.
func plainWords(_ line: [UInt8]) -> (words: [[UInt8]], isOpen: Bool) {
    var words: [[UInt8]] = []
    var index = 0
    while true {
        while index < line.count, line[index].isSpace { index += 1 }
        guard index < line.count else { return (words, false) }
        let start: Int
        let end: Int
        if line[index] == .quote {
            start = index + 1
            end = line.first(of: [.quote], from: start)
            guard end < line.count else { return (words, true) }
            index = end + 1
        } else {
            start = index
            while index < line.count, !line[index].isSpace, line[index] != .quote { index += 1 }
            end = index
        }
        words.append([UInt8](line[start..<end]))
    }
}

/// The way of the shell, for scripts (`alloc_strvec_quoted_escaped_common`): either kind of quotes, anywhere in a word, and
/// backslashes.
///
/// - Parameter decodes: whether an escape becomes what it stands for, `\n`, `\x41`, `\101`, `\cA`; if not it is kept for a
///   second reading.
/// - Returns: nil if a quote is left open, or nothing follows a backslash.
func quotedWords(_ line: [UInt8], decodes: Bool) -> [[UInt8]]? {
    var words: [[UInt8]] = []
    var index = 0
    while true {
        while index < line.count, line[index].isSpace { index += 1 }
        guard index < line.count else { return words }
        var word: [UInt8] = []
        var quote: UInt8?
        while index < line.count {
            let byte = line[index]
            if byte == .backslash {
                guard index + 1 < line.count else { return nil }
                if decodes {
                    word.append(escape(line, &index))
                } else {
                    word += [byte, line[index + 1]]
                    index += 2
                }
            } else if let open = quote {
                if byte == open { quote = nil } else { word.append(byte) }
                index += 1
            } else if byte == .quote || byte == .apostrophe {
                quote = byte
                index += 1
            } else if byte.isSpace {
                break
            } else {
                word.append(byte)
                index += 1
            }
        }
        guard quote == nil else { return nil }
        words.append(word)
    }
}

/// What the escape at `index`, a backslash with something behind it, stands for; moves behind it.
private func escape(_ line: [UInt8], _ index: inout Int) -> UInt8 {
    func byte(_ offset: Int) -> UInt8? { index + offset < line.count ? line[index + offset] : nil }
    let letter = line[index + 1]
    if letter == UInt8(ascii: "x"), let first = byte(2)?.hexadecimal {
        let second = byte(3)?.hexadecimal
        index += second == nil ? 3 : 4
        return second.map { first << 4 | $0 } ?? first
    }
    if letter == UInt8(ascii: "c"), let control = byte(2) {
        index += 3
        return control & 0x1f
    }
    let octal = (0...2).prefix { byte(1 + $0).map { (0x30...0x37).contains($0) } ?? false }
    if !octal.isEmpty {
        let value = octal.reduce(0) { $0 << 3 + Int(line[index + 1 + $1] - 0x30) }
        index += 1 + octal.count
        return UInt8(truncatingIfNeeded: value)
    }
    index += 2
    switch letter {
    case UInt8(ascii: "a"): return 0x07
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "E"): return 0x1b
    case UInt8(ascii: "f"): return 0x0c
    case UInt8(ascii: "n"): return 0x0a
    case UInt8(ascii: "r"): return 0x0d
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "v"): return 0x0b
    default: return letter
    }
}
