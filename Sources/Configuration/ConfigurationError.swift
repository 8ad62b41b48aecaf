/// What is wrong with a configuration, so that the operator can go there and mend it.
///
/// A reader does not stop at the first mistake: it goes on and reports up to `Problems.limit` of them at once, in the
/// order of the file. Nothing of a file with a mistake is used.

/// One mistake, and what would be right.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file as it was named to us.
    public var file: String
    /// From 1; 0: the mistake has no place in the file.
    public var line: Int
    /// In characters, from 1; 0 together with `line`.
    public var column: Int
    /// What is wrong and what would be right, one line.
    public var message: String

    public init(file: String, line: Int, column: Int, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    /// `file:line:column: message`, as compilers write it.
    public var description: String {
        line > 0 ? "\(file):\(line):\(column): \(message)" : "\(file): \(message)"
    }
}

/// A configuration is refused.
public struct ConfigurationRefused: Error, Hashable, Sendable, CustomStringConvertible {
    /// At least one mistake, in the order of the file, at most `Problems.limit`.
    public var errors: [ConfigurationError]
    /// How many more were found than are listed.
    public var unlisted = 0
    /// The file does not exist: a daemon asked for its default path may go on with the defaults.
    public var isFileMissing = false

    public init(errors: [ConfigurationError], unlisted: Int = 0, isFileMissing: Bool = false) {
        (self.errors, self.unlisted, self.isFileMissing) = (errors, unlisted, isFileMissing)
    }

    /// One line for each mistake.
    public var description: String {
        let lines = errors.map(\.description) + (unlisted > 0 ? ["and \(unlisted) more"] : [])
        return lines.joined(separator: "\n")
    }
}

/// A place in a file.
struct SourcePosition: Hashable, Comparable, Sendable {
    /// From 1; 0: unknown.
    var line = 0
    var column = 0

    static func < (one: SourcePosition, other: SourcePosition) -> Bool {
        (one.line, one.column) < (other.line, other.column)
    }
}

/// A value and where it stands.
struct Located<Value> {
    var value: Value
    var position: SourcePosition
}

/// Where a reader leaves the mistakes it finds.
final class Problems {
    /// How many mistakes are kept.
    static let limit = 20

    private let file: String
    private var errors: [ConfigurationError] = []
    private var unlisted = 0
    /// The users and groups that were read.
    private(set) var accounts: [AccountMention] = []
    /// Settings that are valid but do not do what they seem to; in the order of the file, up to the limit for mistakes.
    private(set) var warnings: [ConfigurationError] = []

    init(file: String) {
        self.file = file
    }

    /// How many mistakes there are so far.
    var count: Int { errors.count + unlisted }

    func report(_ position: SourcePosition, _ message: String) {
        guard errors.count < Self.limit else { return unlisted += 1 }
        errors.append(
            ConfigurationError(file: file, line: position.line, column: position.column, message: message))
    }

    /// Notes a user or a group.
    func note(_ kind: AccountMention.Kind, _ name: String, _ position: SourcePosition) {
        accounts.append(AccountMention(kind: kind, name: name, line: position.line, column: position.column))
    }

    func warn(_ position: SourcePosition, _ message: String) {
        guard warnings.count < Self.limit else { return }
        warnings.append(
            ConfigurationError(file: file, line: position.line, column: position.column, message: message))
        warnings.sort { ($0.line, $0.column) < ($1.line, $1.column) }
    }

    /// Throws what was found, if anything was.
    func check() throws(ConfigurationRefused) {
        guard !errors.isEmpty else { return }
        let sorted = errors.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        throw ConfigurationRefused(errors: sorted, unlisted: unlisted)
    }
}
