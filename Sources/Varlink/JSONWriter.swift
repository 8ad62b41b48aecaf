/// Writes JSON straight into memory: no tree, no allocation but the buffer's own growth.
///
/// Commas need no state: one is due unless the last byte opened a container or ended a key. Keys are `StaticString`s that
/// the program chose and are copied as they are; values are escaped. Fields that are nil are left out, which in varlink
/// says the same as null. The buffer is malloc's rather than an array's: a field costs one look at the room that is left,
/// and what is written becomes a `SharedBytes` without a copy.
import Glibc

@safe public struct JSONWriter: ~Copyable {
    private var storage: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// How many bytes have been written.
    public private(set) var count = 0
    /// The byte that went before, if this continues what another writer began.
    private let predecessor: UInt8?

    /// - Parameter predecessor: the last byte of the text that this continues; nil: a new text.
    public init(reservingCapacity capacity: Int = 256, after predecessor: UInt8? = nil) {
        self.predecessor = predecessor
        self.capacity = max(capacity, 64)
        unsafe storage = Self.allocate(self.capacity, replacing: nil)
    }

    deinit { unsafe free(storage) }

    /// What has been written.
    public var bytes: [UInt8] { unsafe Array(UnsafeBufferPointer(start: storage, count: count)) }

    /// Hands over the memory, for the taker to free, with a NUL at its end. What is left of it is given back only if it is
    /// much: memory of one size is found again faster.
    ///
    /// - Parameter isWhole: whether there is to be a NUL.
    consuming func finish(isWhole: Bool = true) -> UnsafeMutableRawBufferPointer {
        if isWhole { append(0) }
        let finished = capacity / 2 < count ? unsafe storage : unsafe Self.allocate(count, replacing: storage)
        let result = unsafe UnsafeMutableRawBufferPointer(start: finished, count: count)
        discard self
        return unsafe result
    }

    // MARK: Memory

    private static func allocate(
        _ size: Int, replacing old: UnsafeMutablePointer<UInt8>?
    ) -> UnsafeMutablePointer<UInt8> {
        guard let memory = unsafe realloc(old, size) else { preconditionFailure("out of memory") }
        return unsafe memory.assumingMemoryBound(to: UInt8.self)
    }

    /// Where the next `size` bytes go; the caller writes them all or fewer, and adds to `count` how many.
    private mutating func room(_ size: Int) -> UnsafeMutablePointer<UInt8> {
        if count + size > capacity {
            capacity = max(2 * capacity, count + size)
            unsafe storage = Self.allocate(capacity, replacing: storage)
        }
        return unsafe storage + count
    }

    private mutating func append(_ byte: UInt8) {
        unsafe room(1).pointee = byte
        count += 1
    }

    private mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        guard let base = text.baseAddress else { return }
        unsafe room(text.count).update(from: base, count: text.count)
        count += text.count
    }

    private mutating func append(_ word: StaticString) {
        word.withUTF8Buffer { unsafe append($0) }
    }

    /// Whether what comes next is not the first of its container.
    private var needsComma: Bool {
        switch lastByte {
        case nil, UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ":"): return false
        default: return true
        }
    }

    /// What was written last; nil: nothing.
    var lastByte: UInt8? { count > 0 ? unsafe storage[count - 1] : predecessor }

    private mutating func comma() {
        if needsComma { append(UInt8(ascii: ",")) }
    }

    // MARK: Containers

    /// Writes an object as the next value.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        comma()
        append(UInt8(ascii: "{"))
        body(&self)
        append(UInt8(ascii: "}"))
    }

    /// Writes an array as the next value.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        comma()
        append(UInt8(ascii: "["))
        body(&self)
        append(UInt8(ascii: "]"))
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

    /// Begins a field whose value is an array, to be ended by `endArray`: for what is written in pieces.
    public mutating func beginArray(_ key: StaticString) {
        self.key(key)
        append(UInt8(ascii: "["))
    }

    /// Ends what `beginArray` began.
    public mutating func endArray() { append(UInt8(ascii: "]")) }

    /// Begins the parameters of a reply; the first piece.
    mutating func beginReply() { append("{\"parameters\":{") }

    /// Ends a reply; the last piece.
    mutating func endReply() { append("}}") }

    // MARK: Keys

    /// Writes a key that the program knows: ASCII, without quotes or backslashes.
    public mutating func key(_ key: StaticString) {
        // Half of what is written are keys, so they are written in one go.
        let length = key.utf8CodeUnitCount
        let hasComma = needsComma
        var end = unsafe room(length + 4)
        if hasComma {
            unsafe end.pointee = UInt8(ascii: ",")
            unsafe end += 1
        }
        unsafe end.pointee = UInt8(ascii: "\"")
        unsafe (end + 1).update(from: key.utf8Start, count: length)
        unsafe end[length + 1] = UInt8(ascii: "\"")
        unsafe end[length + 2] = UInt8(ascii: ":")
        count += length + (hasComma ? 4 : 3)
    }

    /// Writes a key that is data.
    public mutating func key(named key: String) {
        value(key)
        append(UInt8(ascii: ":"))
    }

    // MARK: Fields

    /// Writes a field; nil: nothing.
    @inlinable
    public mutating func field<T: JSONEncodable>(_ key: StaticString, _ value: T?) {
        guard let value else { return }
        self.key(key)
        value.encode(into: &self)
    }

    /// Writes a field.
    @inlinable
    public mutating func field<T: JSONEncodable>(_ key: StaticString, _ value: T) {
        self.key(key)
        value.encode(into: &self)
    }

    // MARK: Values

    /// Writes a value that is encoded already.
    public mutating func raw(_ encoded: [UInt8]) {
        comma()
        unsafe encoded.withUnsafeBufferPointer { unsafe append($0) }
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
        if int < 0 { append(UInt8(ascii: "-")) }
        append(magnitude: int.magnitude)
    }

    /// Writes a number; what JSON cannot say (infinity, not a number) becomes null.
    public mutating func value(_ double: Double) {
        guard double.isFinite else { return null() }
        comma()
        var text = double.description
        text.withUTF8 { unsafe append($0) }
    }

    public mutating func value(_ string: String) {
        comma()
        append(UInt8(ascii: "\""))
        // The copy is for strings that are not stored contiguously; those of this project are.
        var string = string
        string.withUTF8 { unsafe append(escaping: $0) }
        append(UInt8(ascii: "\""))
    }

    // MARK: Bytes

    private mutating func append(magnitude: UInt64) {
        var length = 1
        var bound = magnitude
        while bound >= 10 {
            bound /= 10
            length += 1
        }
        let digits = unsafe room(length)
        var rest = magnitude
        for index in (0..<length).reversed() {
            unsafe digits[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        count += length
    }

    /// Copies runs that need no escape in one piece.
    private mutating func append(escaping text: UnsafeBufferPointer<UInt8>) {
        var runStart = 0
        var index = 0
        while index < text.count {
            let byte = unsafe text[index]
            var length = 1
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7f {
                unsafe append(UnsafeBufferPointer(rebasing: text[runStart..<index]))
                append(escaped: byte)
                runStart = index + 1
            } else if byte >= 0xc2, let (scalar, size) = unsafe Self.unprintable(text, at: index) {
                unsafe append(UnsafeBufferPointer(rebasing: text[runStart..<index]))
                append(escaped: scalar)
                length = size
                runStart = index + size
            }
            index += length
        }
        unsafe append(UnsafeBufferPointer(rebasing: text[runStart...]))
    }

    /// A scalar that would drive a terminal on which the JSON is shown, or end a line of it, and its length: the C1
    /// controls, the marks of direction and of joining, the separators of lines and paragraphs, U+FEFF.
    private static func unprintable(
        _ text: UnsafeBufferPointer<UInt8>, at index: Int
    ) -> (scalar: UInt16, size: Int)? {
        let first = unsafe text[index]
        guard [0xc2, 0xd8, 0xe2, 0xef].contains(first), index + 1 < text.count else { return nil }
        let second = unsafe UInt16(text[index + 1] & 0x3f)
        if first < 0xe0 {
            let scalar = UInt16(first & 0x1f) << 6 | second
            return 0x80...0x9f ~= scalar || scalar == 0xad || scalar == 0x61c ? (scalar, 2) : nil
        }
        guard index + 2 < text.count else { return nil }
        let scalar = unsafe UInt16(first & 0x0f) << 12 | second << 6 | UInt16(text[index + 2] & 0x3f)
        switch scalar {
        case 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff: return (scalar, 3)
        default: return nil
        }
    }

    private mutating func append(escaped byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        default: append(escaped: UInt16(byte))
        }
    }

    private mutating func append(escaped unit: UInt16) {
        append("\\u")
        for shift in [12, 8, 4, 0] {
            let digit = UInt8(truncatingIfNeeded: unit >> UInt16(shift) & 15)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

/// What can be written as one JSON value.
public protocol JSONEncodable {
    func encode(into writer: inout JSONWriter)
}

extension Bool: JSONEncodable {
    @inlinable
    public func encode(into writer: inout JSONWriter) { writer.value(self) }
}

extension Int: JSONEncodable {
    @inlinable
    public func encode(into writer: inout JSONWriter) { writer.value(Int64(self)) }
}

extension Int64: JSONEncodable {
    @inlinable
    public func encode(into writer: inout JSONWriter) { writer.value(self) }
}

extension Double: JSONEncodable {
    @inlinable
    public func encode(into writer: inout JSONWriter) { writer.value(self) }
}

extension String: JSONEncodable {
    @inlinable
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
