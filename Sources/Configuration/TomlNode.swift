import CToml

/// A TOML document as a tree of Swift values, each with its place in the file.
///
/// The only file of this module that touches C memory. The tree lives as long as the reading: configurations copy what
/// they want out of it.
struct TomlNode: Sendable {
    enum Value: Sendable {
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        /// A date or a time, which no key takes.
        case other
        case array([TomlNode])
        case table([Entry])
    }

    struct Entry: Sendable {
        var key: String
        var keyPosition: SourcePosition
        var node: TomlNode
    }

    var value: Value
    var position: SourcePosition

    /// As it may be quoted in a message: short, and without control characters whatever the file holds.
    var rendered: String {
        switch value {
        case .string(let text): quoted(text)
        case .integer(let number): "\(number)"
        case .float(let number): "\(number)"
        case .boolean(let flag): "\(flag)"
        case .other: "a date or time"
        case .array: "an array"
        case .table: "a table"
        }
    }
}

/// Foreign text for a message: quoted, see `printable`.
func quoted(_ text: String) -> String { "\"\(printable(text))\"" }

/// Foreign text for a message: control characters escaped, cut after 48 characters.
func printable(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(48) {
        result += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return result + (text.unicodeScalars.count > 48 ? "..." : "")
}

// MARK: Parsing

extension TomlNode {
    /// Parses a whole document; the result is a table.
    static func parse(_ text: [UInt8], file: String) throws(ConfigurationRefused) -> TomlNode {
        var error = ctoml_error()
        let document = unsafe text.withUnsafeBytes { bytes in
            unsafe ctoml_parse(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, &error)
        }
        guard let document = unsafe document else {
            let message = unsafe withUnsafeBytes(of: &error.message) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            throw ConfigurationRefused(errors: [
                ConfigurationError(
                    file: file, line: Int(error.line), column: Int(error.column), message: "not valid TOML: \(message)")
            ])
        }
        defer { unsafe ctoml_free(document) }
        var count = 0
        let first = unsafe ctoml_nodes(document, &count)
        let nodes = unsafe UnsafeBufferPointer(start: first, count: count)
        var index = 0
        return unsafe build(nodes, &index).node
    }

    /// Takes the node at `index` with everything below it. CToml bounds the depth.
    private static func build(_ nodes: UnsafeBufferPointer<ctoml_node>, _ index: inout Int) -> Entry {
        let source = unsafe nodes[index]
        index += 1
        let value: Value
        switch unsafe source.kind {
        case CTOML_STRING: value = .string(unsafe string(source.string, source.string_length))
        case CTOML_INTEGER: value = .integer(unsafe source.integer)
        case CTOML_FLOAT: value = .float(unsafe source.real)
        case CTOML_BOOLEAN: value = .boolean(unsafe source.integer != 0)
        case CTOML_ARRAY: value = .array(unsafe children(of: source, nodes, &index).map(\.node))
        case CTOML_TABLE: value = .table(unsafe children(of: source, nodes, &index))
        default: value = .other
        }
        let keyPosition = unsafe SourcePosition(line: Int(source.key_line), column: Int(source.key_column))
        let position = unsafe SourcePosition(line: Int(source.line), column: Int(source.column))
        // A table that only dotted keys make has no place of its own.
        return Entry(
            key: unsafe string(source.key, source.key_length), keyPosition: keyPosition,
            node: TomlNode(value: value, position: position.line > 0 ? position : keyPosition))
    }

    private static func children(
        of source: ctoml_node, _ nodes: UnsafeBufferPointer<ctoml_node>, _ index: inout Int
    ) -> [Entry] {
        var result: [Entry] = []
        for _ in 0..<(unsafe source.children) { result.append(unsafe build(nodes, &index)) }
        return result
    }

    private static func string(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : length)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}

// MARK: Files

extension TomlNode {
    /// Reads and parses a file, see `ConfigurationText`.
    static func load(_ path: String, acceptsPipe: Bool) throws(ConfigurationRefused) -> TomlNode {
        try parse(ConfigurationText.read(path, acceptsPipe: acceptsPipe), file: path)
    }
}
