/// The few questions that keepalived's parser asks of a byte, as C's `ctype.h` answers them in the C locale.
extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let quote = UInt8(ascii: "\"")
    static let apostrophe = UInt8(ascii: "'")
    static let backslash = UInt8(ascii: "\\")
    static let dollar = UInt8(ascii: "$")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let comma = UInt8(ascii: ",")
    static let openParenthesis = UInt8(ascii: "(")
    static let closeParenthesis = UInt8(ascii: ")")

    /// A space or a tab.
    var isBlank: Bool { self == 0x20 || self == 0x09 }
    /// `WHITE_SPACE` of lib/parser.c.
    var isSpace: Bool { self == 0x20 || (0x09...0x0d).contains(self) }
    var isDigit: Bool { (0x30...0x39).contains(self) }
    var isLetter: Bool { (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self) }
    /// What a name of a definition is made of; its first byte is no digit.
    var isName: Bool { isLetter || isDigit || self == UInt8(ascii: "_") }
    /// 0 to 15; nil: no hexadecimal digit.
    var hexadecimal: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}

extension [UInt8] {
    /// The first place from `start` where the bytes are no blanks; the end, if there is none.
    func afterBlanks(_ start: Int) -> Int {
        var index = start
        while index < count, self[index].isBlank { index += 1 }
        return index
    }

    /// The first place from `start` with one of these bytes; the end, if there is none.
    func first(of bytes: [UInt8], from start: Int) -> Int {
        var index = start
        while index < count, !bytes.contains(self[index]) { index += 1 }
        return index
    }

    mutating func trimBlanksAtEnd() {
        while let byte = last, byte.isBlank { removeLast() }
    }

    /// Whether this text stands at `index`.
    func has(_ text: StaticString, at index: Int = 0) -> Bool {
        let wanted = "\(text)".utf8
        return count - index >= wanted.count && self[index...].starts(with: wanted)
    }

    /// As text; what is no UTF-8 is replaced.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension ArraySlice<UInt8> {
    var text: String { String(decoding: self, as: UTF8.self) }
}
