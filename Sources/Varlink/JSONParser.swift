/// Reads JSON from bytes that a stranger sent.
///
/// Strict where RFC 8259 is: no leading zeros, no bare control bytes, whole UTF-8, surrogates in pairs, nothing after the
/// value. Bounded: nesting ends at `depthMax`, and nothing is allocated that the message's own length does not pay for,
/// so the limit on the message is the limit on the memory. Duplicate keys are kept; the last one wins.
extension JSON {
    /// How deeply arrays and objects may be nested.
    public static let depthMax = 32

    /// Parses one value that fills the whole message, blanks apart.
    ///
    /// - Throws: where and why it is not JSON.
    public static func parse(_ bytes: [UInt8]) throws(ParseError) -> Value {
        var parser = Parser(bytes: bytes)
        return try parser.wholeMessage()
    }
}

private struct Parser {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func wholeMessage() throws(JSON.ParseError) -> JSON.Value {
        let value = try value(depth: 0)
        skipBlanks()
        if at < bytes.count { throw error(.trailingBytes) }
        return value
    }

    // MARK: Bytes

    private func error(_ reason: JSON.ParseError.Reason) -> JSON.ParseError {
        JSON.ParseError(reason: reason, offset: at)
    }

    private mutating func skipBlanks() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    /// The next byte that is no blank, not taken.
    private mutating func peek() throws(JSON.ParseError) -> UInt8 {
        skipBlanks()
        guard at < bytes.count else { throw error(.unexpectedEnd) }
        return bytes[at]
    }

    private mutating func take(_ wanted: UInt8) throws(JSON.ParseError) {
        guard try peek() == wanted else { throw error(.unexpectedByte) }
        at += 1
    }

    // MARK: Values

    private mutating func value(depth: Int) throws(JSON.ParseError) -> JSON.Value {
        switch try peek() {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSON.ParseError) -> JSON.Object {
        guard depth < JSON.depthMax else { throw error(.tooDeep) }
        at += 1
        var object = JSON.Object()
        if try peek() == UInt8(ascii: "}") {
            at += 1
            return object
        }
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
            let key = try string()
            try take(UInt8(ascii: ":"))
            object.members.append(JSON.Object.Member(key: key, value: try value(depth: depth + 1)))
            guard try continues(until: UInt8(ascii: "}")) else { return object }
        }
    }

    private mutating func array(depth: Int) throws(JSON.ParseError) -> [JSON.Value] {
        guard depth < JSON.depthMax else { throw error(.tooDeep) }
        at += 1
        var values: [JSON.Value] = []
        if try peek() == UInt8(ascii: "]") {
            at += 1
            return values
        }
        while true {
            values.append(try value(depth: depth + 1))
            guard try continues(until: UInt8(ascii: "]")) else { return values }
        }
    }

    /// Takes a comma (true) or the closing byte (false).
    private mutating func continues(until closing: UInt8) throws(JSON.ParseError) -> Bool {
        let byte = try peek()
        guard byte == closing || byte == UInt8(ascii: ",") else { throw error(.unexpectedByte) }
        at += 1
        return byte != closing
    }

    private mutating func word(_ word: StaticString, _ value: JSON.Value) throws(JSON.ParseError) -> JSON.Value {
        let end = at + word.utf8CodeUnitCount
        guard end <= bytes.count else { throw error(.unexpectedEnd) }
        let matches = word.withUTF8Buffer { unsafe bytes[at..<end].elementsEqual($0) }
        guard matches else { throw error(.unexpectedByte) }
        at = end
        return value
    }

    // MARK: Numbers

    private mutating func number() throws(JSON.ParseError) -> JSON.Value {
        let start = at
        let isNegative = bytes[at] == UInt8(ascii: "-")
        if isNegative { at += 1 }
        let magnitude = try integerDigits()
        var isInteger = true
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            try digits()
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") { at += 1 }
            try digits()
        }
        if isInteger, let magnitude, let int = Self.signed(magnitude, isNegative: isNegative) { return .int(int) }
        guard let double = Double(String(decoding: bytes[start..<at], as: UTF8.self)), double.isFinite else {
            throw error(.badNumber)
        }
        return .double(double)
    }

    /// Takes the digits before the point; nil: more than 64 bits hold.
    private mutating func integerDigits() throws(JSON.ParseError) -> UInt64? {
        let start = at
        var magnitude: UInt64? = 0
        while at < bytes.count, case let digit = bytes[at] &- UInt8(ascii: "0"), digit < 10 {
            magnitude = magnitude.flatMap { Self.shiftIn($0, UInt64(digit)) }
            at += 1
        }
        if at == start { throw error(at < bytes.count ? .unexpectedByte : .unexpectedEnd) }
        if at > start + 1, bytes[start] == UInt8(ascii: "0") { throw error(.badNumber) }
        return magnitude
    }

    private mutating func digits() throws(JSON.ParseError) {
        let start = at
        while at < bytes.count, bytes[at] &- UInt8(ascii: "0") < 10 { at += 1 }
        if at == start { throw error(.badNumber) }
    }

    private static func shiftIn(_ value: UInt64, _ digit: UInt64) -> UInt64? {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(digit)
        return overflow || carry ? nil : sum
    }

    private static func signed(_ magnitude: UInt64, isNegative: Bool) -> Int64? {
        guard isNegative else { return Int64(exactly: magnitude) }
        return magnitude == Int64.min.magnitude ? .min : Int64(exactly: magnitude).map { -$0 }
    }

    // MARK: Strings

    /// Takes a string; the quote is the next byte. Most strings have no escape and are one validated copy.
    private mutating func string() throws(JSON.ParseError) -> String {
        at += 1
        let start = at
        var union: UInt8 = 0
        while at < bytes.count {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""):
                let text = bytes[start..<at]
                // Validating is generic and slow; nearly all strings are ASCII, where there is nothing to validate.
                let string = union < 0x80 ? String(decoding: text, as: UTF8.self) : try validated(text)
                at += 1
                return string
            case UInt8(ascii: "\\"):
                return try escapedString(start: start)
            case 0..<0x20:
                throw error(.badString)
            default:
                union |= byte
                at += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    /// The slow path: from the first escape on, bytes are gathered in a copy.
    private mutating func escapedString(start: Int) throws(JSON.ParseError) -> String {
        var text = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""):
                let string = try validated(text[...])
                at += 1
                return string
            case UInt8(ascii: "\\"):
                at += 1
                try escape(into: &text)
            case 0..<0x20:
                throw error(.badString)
            default:
                text.append(byte)
                at += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private func validated(_ text: ArraySlice<UInt8>) throws(JSON.ParseError) -> String {
        guard let string = String(validating: text, as: UTF8.self) else { throw error(.badUTF8) }
        return string
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSON.ParseError) {
        guard at < bytes.count else { throw error(.unexpectedEnd) }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(Character(try escapedScalar())).utf8)
        default: throw error(.badString)
        }
    }

    /// The scalar of one `\uXXXX`, or of two that are a surrogate pair; half a pair is refused.
    private mutating func escapedScalar() throws(JSON.ParseError) -> Unicode.Scalar {
        let first = try hexUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
            bytes[at + 1] == UInt8(ascii: "u")
        else { throw error(.badString) }
        at += 2
        let second = try hexUnit()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
        else { throw error(.badString) }
        return scalar
    }

    private mutating func hexUnit() throws(JSON.ParseError) -> UInt16 {
        guard at + 4 <= bytes.count else { throw error(.unexpectedEnd) }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = Self.hexDigit(bytes[at]) else { throw error(.badString) }
            unit = unit << 4 | digit
            at += 1
        }
        return unit
    }

    private static func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
