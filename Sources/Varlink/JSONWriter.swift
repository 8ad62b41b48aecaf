/// Writes JSON straight into bytes: no tree, no allocation but the buffer's own growth.
///
/// Commas need no state: one is due unless the last byte opened a container or ended a key. Keys are `StaticString`s that
/// the program chose and are copied as they are; values are escaped. Fields that are nil are left out, which in varlink
/// says the same as null.
public struct JSONWriter: Sendable {
    /// What has been written.
    public private(set) var bytes: [UInt8] = []

    public init(reservingCapacity capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    // MARK: Containers

    /// Writes an object as the next value.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        comma()
        bytes.append(UInt8(ascii: "{"))
        body(&self)
        bytes.append(UInt8(ascii: "}"))
    }

    /// Writes an array as the next value.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        comma()
        bytes.append(UInt8(ascii: "["))
        body(&self)
        bytes.append(UInt8(ascii: "]"))
    }

    /// Writes a field whose value is an object.
    public mutating func object(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        object(body)
    }

    /// Writes a field whose value is an array.
    public mutating func array(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.key(key)
        array(body)
    }

    // MARK: Keys

    /// Writes a key that the program knows: ASCII, without quotes or backslashes.
    public mutating func key(_ key: StaticString) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    /// Writes a key that is data.
    public mutating func key(named key: String) {
        value(key)
        bytes.append(UInt8(ascii: ":"))
    }

    // MARK: Fields

    /// Writes a field; nil: nothing.
    public mutating func field<T: JSONEncodable>(_ key: StaticString, _ value: T?) {
        guard let value else { return }
        self.key(key)
        value.encode(into: &self)
    }

    /// Writes a field.
    public mutating func field<T: JSONEncodable>(_ key: StaticString, _ value: T) {
        self.key(key)
        value.encode(into: &self)
    }

    // MARK: Values

    /// Writes a value that is encoded already.
    public mutating func raw(_ encoded: [UInt8]) {
        comma()
        bytes.append(contentsOf: encoded)
    }

    public mutating func null() {
        comma()
        append("null")
    }

    public mutating func value(_ bool: Bool) {
        comma()
        append(bool ? "true" : "false")
    }

    public mutating func value(_ int: Int64) {
        comma()
        if int < 0 { bytes.append(UInt8(ascii: "-")) }
        append(magnitude: int.magnitude)
    }

    /// Writes a number; what JSON cannot say (infinity, not a number) becomes null.
    public mutating func value(_ double: Double) {
        guard double.isFinite else { return null() }
        comma()
        bytes.append(contentsOf: double.description.utf8)
    }

    public mutating func value(_ string: String) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        // The copy is for strings that are not stored contiguously; those of this project are.
        var string = string
        string.withUTF8 { unsafe append(escaping: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    // MARK: Bytes

    private mutating func comma() {
        switch bytes.last {
        case nil, UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ":"): return
        default: bytes.append(UInt8(ascii: ","))
        }
    }

    private mutating func append(_ word: StaticString) {
        word.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func append(magnitude: UInt64) {
        guard magnitude >= 10 else { return bytes.append(UInt8(ascii: "0") + UInt8(magnitude)) }
        let start = bytes.count
        var rest = magnitude
        while rest > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes[start...].reverse()
    }

    /// Copies runs that need no escape in one piece.
    private mutating func append(escaping text: UnsafeBufferPointer<UInt8>) {
        var runStart = 0
        for index in 0..<text.count {
            let byte = unsafe text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            unsafe bytes.append(contentsOf: text[runStart..<index])
            append(escaped: byte)
            runStart = index + 1
        }
        unsafe bytes.append(contentsOf: text[runStart...])
    }

    private mutating func append(escaped byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        default:
            append("\\u00")
            for digit in [byte >> 4, byte & 15] {
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}

/// What can be written as one JSON value.
public protocol JSONEncodable {
    func encode(into writer: inout JSONWriter)
}

extension Bool: JSONEncodable {
    public func encode(into writer: inout JSONWriter) { writer.value(self) }
}

extension Int: JSONEncodable {
    public func encode(into writer: inout JSONWriter) { writer.value(Int64(self)) }
}

extension Int64: JSONEncodable {
    public func encode(into writer: inout JSONWriter) { writer.value(self) }
}

extension Double: JSONEncodable {
    public func encode(into writer: inout JSONWriter) { writer.value(self) }
}

extension String: JSONEncodable {
    public func encode(into writer: inout JSONWriter) { writer.value(self) }
}

extension Array: JSONEncodable where Element: JSONEncodable {
    public func encode(into writer: inout JSONWriter) {
        writer.array { writer in
            for element in self { element.encode(into: &writer) }
        }
    }
}

extension JSON.Object: JSONEncodable {
    public func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            for member in members {
                writer.key(named: member.key)
                member.value.encode(into: &writer)
            }
        }
    }
}

extension JSON.Value: JSONEncodable {
    public func encode(into writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let bool): writer.value(bool)
        case .int(let int): writer.value(int)
        case .double(let double): writer.value(double)
        case .string(let string): writer.value(string)
        case .array(let values): values.encode(into: &writer)
        case .object(let object): object.encode(into: &writer)
        }
    }
}
