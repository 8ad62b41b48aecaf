/// JSON (RFC 8259) as values in memory: what a message is before anybody looks at its meaning.
///
/// Why not Foundation's: it is five to ten times slower on one record of this project and doubles the memory of a daemon
/// that otherwise links Glibc alone. Writing needs no tree at all (`JSONWriter`); this tree is for what arrives.
///
/// An object is a list of members rather than a hash table: messages are small, looking up from the end gives "the last
/// one wins" for duplicates without a search while parsing, and no peer can make keys collide.
public enum JSON {
    /// One value.
    public enum Value: Hashable, Sendable {
        case null
        case bool(Bool)
        /// A number without fraction or exponent that fits 64 bits.
        case int(Int64)
        /// Any other number; always finite.
        case double(Double)
        case string(String)
        case array([Value])
        case object(Object)
    }

    /// The members of an object, in the order in which they came.
    public struct Object: Hashable, Sendable, ExpressibleByDictionaryLiteral {
        public struct Member: Hashable, Sendable {
            public var key: String
            public var value: Value

            public init(key: String, value: Value) {
                self.key = key
                self.value = value
            }
        }

        /// All members; a key may come twice, and then the later one counts.
        public var members: [Member]

        public init(members: [Member] = []) {
            self.members = members
        }

        public init(dictionaryLiteral elements: (String, Value)...) {
            members = elements.map { Member(key: $0.0, value: $0.1) }
        }

        /// The member of this name; nil: there is none, which is not the same as null.
        public subscript(key: String) -> Value? {
            members.last { $0.key == key }?.value
        }
    }

    /// Why some bytes are not JSON, and where.
    public struct ParseError: Error, Hashable, CustomStringConvertible {
        public enum Reason: String, Sendable {
            case unexpectedByte = "unexpected byte"
            case unexpectedEnd = "unexpected end"
            case tooDeep = "nested too deeply"
            case badString = "control byte or bad escape in a string"
            case badUTF8 = "not UTF-8"
            case badNumber = "bad number"
            case trailingBytes = "bytes after the value"
        }
        public var reason: Reason
        /// Counted in bytes from the start of the message.
        public var offset: Int

        public var description: String { "\(reason.rawValue) at byte \(offset)" }
    }

    /// A value is not what its reader needs it to be.
    public struct FieldError: Error, Hashable, CustomStringConvertible {
        /// The path of the field, such as `interfaces[3].mii.phy`.
        public var field: String
        /// What it should have been, such as `int`.
        public var expected: String

        public init(field: String, expected: String) {
            self.field = field
            self.expected = expected
        }

        public var description: String { "\(field.isEmpty ? "value" : field): expected \(expected)" }

        /// The same error seen from one level up.
        public func within(_ parent: String) -> FieldError {
            let separator = field.isEmpty || field.hasPrefix("[") ? "" : "."
            return FieldError(field: parent + separator + field, expected: expected)
        }
    }
}

/// What can be made from a JSON value.
public protocol JSONDecodable {
    /// - Throws: the field that is missing or of the wrong type. Unknown fields are no error.
    init(decoding value: JSON.Value) throws(JSON.FieldError)
}

extension JSON.Value {
    /// The members, if this is an object.
    ///
    /// - Throws: if it is not.
    public func object() throws(JSON.FieldError) -> JSON.Object {
        guard case .object(let object) = self else { throw JSON.FieldError(field: "", expected: "object") }
        return object
    }
}

extension JSON.Object {
    /// The member of this name.
    ///
    /// - Throws: if it is missing, null or of another type.
    @inlinable
    public func decode<T: JSONDecodable>(_ key: String, as type: T.Type = T.self) throws(JSON.FieldError) -> T {
        do throws(JSON.FieldError) {
            return try T(decoding: self[key] ?? .null)
        } catch {
            throw error.within(key)
        }
    }

    /// The member of this name; nil: it is missing or null.
    ///
    /// - Throws: if it is of another type.
    @inlinable
    public func decodeIfPresent<T: JSONDecodable>(
        _ key: String, as type: T.Type = T.self
    ) throws(JSON.FieldError) -> T? {
        guard let value = self[key], value != .null else { return nil }
        do throws(JSON.FieldError) {
            return try T(decoding: value)
        } catch {
            throw error.within(key)
        }
    }
}

extension Bool: JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        guard case .bool(let bool) = value else { throw JSON.FieldError(field: "", expected: "bool") }
        self = bool
    }
}

extension Int64: JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        guard case .int(let int) = value else { throw JSON.FieldError(field: "", expected: "int") }
        self = int
    }
}

extension Int: JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        guard case .int(let wide) = value, let int = Int(exactly: wide) else {
            throw JSON.FieldError(field: "", expected: "int")
        }
        self = int
    }
}

extension Double: JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        switch value {
        case .double(let double): self = double
        case .int(let int): self = Double(int)
        default: throw JSON.FieldError(field: "", expected: "float")
        }
    }
}

extension String: JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        guard case .string(let string) = value else { throw JSON.FieldError(field: "", expected: "string") }
        self = string
    }
}

extension Array: JSONDecodable where Element: JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        guard case .array(let values) = value else { throw JSON.FieldError(field: "", expected: "array") }
        self = []
        reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            do throws(JSON.FieldError) {
                append(try Element(decoding: value))
            } catch {
                throw error.within("[\(index)]")
            }
        }
    }
}
