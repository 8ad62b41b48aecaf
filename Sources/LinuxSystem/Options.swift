/// A daemon's command line, read by hand: a parsing library would cost each daemon more memory than all of its state.
///
/// One table gives the parser, `--help` and, through the test that compares the two, the man page. Long options only, as
/// `--name value` or `--name=value`.

/// One option of a table.
public struct Option: Hashable, Sendable {
    /// The name without its dashes.
    public let name: String
    /// What stands for the value in the help; nil: the option takes none.
    public let value: String?
    /// One line of help.
    public let help: String

    public init(_ name: String, value: String? = nil, help: String) {
        self.name = name
        self.value = value
        self.help = help
    }
}

/// A command line that is refused, with a text that says what would be right.
public struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ message: String) {
        description = message
    }
}

/// The options of a program and what its command line says of them.
public struct Options: Sendable {
    /// The exit status of a usage error. The corresponding C constant is `EX_USAGE`.
    public static let exitUsage: Int32 = 64

    private let values: [String: String]

    /// Whether the option was given; for those without a value.
    public func has(_ name: String) -> Bool { values[name] != nil }

    public subscript(name: String) -> String? { values[name] }

    /// - Parameter arguments: without the program's name.
    /// - Throws: `UsageError` for an unknown or repeated option, a missing or superfluous value, and any other argument.
    public init(_ arguments: [String], table: [Option]) throws(UsageError) {
        var values: [String: String] = [:]
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--"), argument.count > 2 else {
                throw UsageError("unexpected argument '\(argument)'; options begin with --")
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard let option = table.first(where: { $0.name == name }) else {
                throw UsageError("unknown option --\(name); --help lists them")
            }
            guard values[name] == nil else { throw UsageError("--\(name) is given twice") }
            if option.value == nil {
                guard parts.count == 1 else { throw UsageError("--\(name) takes no value") }
                values[name] = ""
            } else if parts.count == 2 {
                values[name] = String(parts[1])
            } else if let value = rest.popFirst() {
                values[name] = value
            }
            // No option takes an empty value, which a script gives for a variable that is not set.
            if option.value != nil, values[name]?.isEmpty ?? true {
                throw UsageError("--\(name) needs a value: --\(name) \(option.value ?? "")")
            }
        }
        self.values = values
    }

    /// The table as `--help` prints it.
    public static func help(_ table: [Option]) -> String {
        let left = table.map { "  --" + $0.name + ($0.value.map { " " + $0 } ?? "") }
        let width = (left.map(\.count).max() ?? 0) + 3
        return zip(left, table).map { names, option in
            names + String(repeating: " ", count: width - names.count) + option.help + "\n"
        }.joined()
    }
}
