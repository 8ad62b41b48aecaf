/// A varlink interface description, read far enough to check calls against it.
///
/// The text that a service publishes through `GetInterfaceDescription` is also what its calls are checked against, so
/// the two cannot drift apart. The grammar is that of varlink.org's "Interface Definition"; comments are skipped, and
/// names are resolved once, when the text is read. What it does not do: format, compare versions, generate code.
public struct InterfaceDescription: Sendable {
    /// A type, as the language has them.
    public indirect enum FieldType: Hashable, Sendable {
        case bool, int, float, string
        /// Any object, the language's `object`.
        case object
        case array(FieldType)
        /// The language's `[string]`.
        case map(FieldType)
        /// The language's `?`: may be null or missing.
        case maybe(FieldType)
        case structure([Field])
        case enumeration([String])
        /// A type of this interface.
        case named(String)
    }

    /// One field of a structure.
    public struct Field: Hashable, Sendable {
        public var name: String
        public var type: FieldType
    }

    /// What a method takes and gives.
    public struct Method: Hashable, Sendable {
        public var input: [Field]
        public var output: [Field]
    }

    /// Why a text is not a description, and where.
    public struct SyntaxError: Error, Hashable, CustomStringConvertible {
        public var line: Int
        public var message: String
        public var description: String { "line \(line): \(message)" }
    }

    /// The interface's name, such as `io.linkwatch.Monitor`.
    public private(set) var name = ""
    public private(set) var types: [String: FieldType] = [:]
    public private(set) var methods: [String: Method] = [:]
    public private(set) var errors: [String: [Field]] = [:]
    /// The text as it was given.
    public let text: String

    /// How deeply types may be nested in the text.
    public static let depthMax = 16

    /// Reads a description.
    ///
    /// - Throws: the first line that is wrong, or names a type that does not exist.
    public init(parsing text: String) throws(SyntaxError) {
        self.text = text
        var parser = DescriptionParser(text)
        try parser.word("interface")
        name = try parser.interfaceName()
        while let keyword = parser.next() { try member(keyword, &parser) }
        try resolve()
    }

    private mutating func member(_ keyword: String, _ parser: inout DescriptionParser) throws(SyntaxError) {
        let known = keyword == "type" || keyword == "method" || keyword == "error"
        guard known else { throw parser.error("expected type, method or error, not '\(keyword)'") }
        let name = try parser.memberName()
        guard types[name] == nil, methods[name] == nil, errors[name] == nil else {
            throw parser.error("\(name) is declared twice")
        }
        switch keyword {
        case "type": types[name] = try parser.structureOrEnumeration(depth: 0)
        case "error": errors[name] = try parser.structure(depth: 0)
        default:
            let input = try parser.structure(depth: 0)
            try parser.word("->")
            methods[name] = Method(input: input, output: try parser.structure(depth: 0))
        }
    }

    /// Checks that every name that is used is declared.
    private func resolve() throws(SyntaxError) {
        var unchecked = Array(types.values)
        for method in methods.values { unchecked += (method.input + method.output).map(\.type) }
        for fields in errors.values { unchecked += fields.map(\.type) }
        while let type = unchecked.popLast() {
            switch type {
            case .array(let inner), .map(let inner), .maybe(let inner): unchecked.append(inner)
            case .structure(let fields): unchecked += fields.map(\.type)
            case .named(let name) where types[name] == nil:
                throw SyntaxError(line: 0, message: "no type \(name)")
            default: break
            }
        }
    }

    // MARK: Checking

    /// The path of the first field that is missing, unknown or of the wrong type; nil: the fields are as described.
    public func mismatch(_ object: JSON.Object, _ fields: [Field]) -> String? {
        for field in fields {
            if let path = mismatch(object[field.name] ?? .null, field.type) { return field.name + path }
        }
        return object.members.first { member in !fields.contains { $0.name == member.key } }?.key
    }

    /// The path below `value`; empty: `value` itself is wrong.
    private func mismatch(_ value: JSON.Value, _ type: FieldType) -> String? {
        switch (type, value) {
        case (.maybe, .null), (.bool, .bool), (.int, .int), (.float, .int), (.float, .double), (.string, .string),
            (.object, .object):
            return nil
        case (.maybe(let inner), _):
            return mismatch(value, inner)
        case (.named(let name), _):
            guard let type = types[name] else { return "" }
            return mismatch(value, type)
        case (.enumeration(let names), .string(let name)):
            return names.contains(name) ? nil : ""
        case (.structure(let fields), .object(let object)):
            return mismatch(object, fields).map { "." + $0 }
        case (.array(let inner), .array(let values)):
            for (index, value) in values.enumerated() {
                if let path = mismatch(value, inner) { return "[\(index)]" + path }
            }
            return nil
        case (.map(let inner), .object(let object)):
            for member in object.members {
                if let path = mismatch(member.value, inner) { return ".\(member.key)" + path }
            }
            return nil
        default:
            return ""
        }
    }
}

/// Reads the language token by token: words, and the punctuation `( ) , : -> ? [ ]`.
private struct DescriptionParser {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    func error(_ message: String) -> InterfaceDescription.SyntaxError {
        InterfaceDescription.SyntaxError(line: line, message: message)
    }

    // MARK: Tokens

    private mutating func skipBlanksAndComments() {
        var isComment = false
        while at < bytes.count {
            switch bytes[at] {
            case 0x0A:
                line += 1
                isComment = false
            case UInt8(ascii: "#"): isComment = true
            case 0x20, 0x09, 0x0D: break
            default: if !isComment { return }
            }
            at += 1
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// The next token; nil: the end.
    mutating func next() -> String? {
        skipBlanksAndComments()
        guard at < bytes.count else { return nil }
        let start = at
        if bytes[at...].starts(with: "->".utf8) {
            at += 2
        } else {
            while at < bytes.count, Self.isWordByte(bytes[at]), !bytes[at...].starts(with: "->".utf8) { at += 1 }
            if at == start { at += 1 }
        }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func peek() -> String? {
        let (savedAt, savedLine) = (at, line)
        defer { (at, line) = (savedAt, savedLine) }
        return next()
    }

    /// Takes this token.
    mutating func word(_ wanted: String) throws(InterfaceDescription.SyntaxError) {
        let token = next()
        guard token == wanted else { throw error("expected '\(wanted)', not '\(token ?? "the end")'") }
    }

    // MARK: Names

    mutating func interfaceName() throws(InterfaceDescription.SyntaxError) -> String {
        guard let name = next(), name.contains("."), !name.hasPrefix("."), !name.hasSuffix("."),
            name.utf8.allSatisfy({ $0 != UInt8(ascii: "_") && Self.isWordByte($0) })
        else { throw error("expected an interface's name") }
        return name
    }

    /// The name of a type, a method or an error: a capital first, letters and digits.
    mutating func memberName() throws(InterfaceDescription.SyntaxError) -> String {
        guard let name = next(), Self.isMemberName(name) else { throw error("expected a name with a capital first") }
        return name
    }

    private static func isMemberName(_ name: String) -> Bool {
        let allowed = name.utf8.allSatisfy {
            isWordByte($0) && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_")
        }
        return allowed && name.utf8.first.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) } ?? false
    }

    private mutating func fieldName() throws(InterfaceDescription.SyntaxError) -> String {
        guard let name = next(), let first = name.utf8.first, Self.isWordByte(first),
            !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first), !name.contains("."), !name.contains("-")
        else { throw error("expected a field's name") }
        return name
    }

    // MARK: Types

    mutating func structure(depth: Int) throws(InterfaceDescription.SyntaxError) -> [InterfaceDescription.Field] {
        guard case .structure(let fields) = try structureOrEnumeration(depth: depth) else {
            throw error("expected fields with types")
        }
        return fields
    }

    /// `(a: int, b: string)` or `(one, two)`; `()` is a structure without fields.
    mutating func structureOrEnumeration(
        depth: Int
    ) throws(InterfaceDescription.SyntaxError) -> InterfaceDescription.FieldType {
        guard depth < InterfaceDescription.depthMax else { throw error("nested too deeply") }
        try word("(")
        if peek() == ")" {
            try word(")")
            return .structure([])
        }
        var names: [String] = []
        var fields: [InterfaceDescription.Field] = []
        while true {
            let name = try fieldName()
            guard !names.contains(name) else { throw error("\(name) is there twice") }
            names.append(name)
            if peek() == ":" {
                try word(":")
                fields.append(InterfaceDescription.Field(name: name, type: try fieldType(depth: depth + 1)))
            }
            guard fields.isEmpty || fields.count == names.count else { throw error("\(name) has no type") }
            if peek() != "," { break }
            try word(",")
        }
        try word(")")
        return fields.isEmpty ? .enumeration(names) : .structure(fields)
    }

    private mutating func fieldType(
        depth: Int
    ) throws(InterfaceDescription.SyntaxError) -> InterfaceDescription.FieldType {
        guard depth < InterfaceDescription.depthMax else { throw error("nested too deeply") }
        switch peek() {
        case "(": return try structureOrEnumeration(depth: depth)
        case "?":
            try word("?")
            let inner = try fieldType(depth: depth + 1)
            if case .maybe = inner { throw error("'??'") }
            return .maybe(inner)
        case "[":
            try word("[")
            let isMap = peek() == "string"
            if isMap { try word("string") }
            try word("]")
            let inner = try fieldType(depth: depth + 1)
            return isMap ? .map(inner) : .array(inner)
        default: return try simpleType()
        }
    }

    private mutating func simpleType() throws(InterfaceDescription.SyntaxError) -> InterfaceDescription.FieldType {
        switch next() {
        case "bool": return .bool
        case "int": return .int
        case "float": return .float
        case "string": return .string
        case "object": return .object
        case let name?:
            guard Self.isMemberName(name) else { throw error("no type '\(name)'") }
            return .named(name)
        case nil: throw error("expected a type, not the end")
        }
    }
}
