/// A user or group that a file names. Whether it exists depends on the machine, not on the file: it is checked by the
/// program that uses the configuration.
public struct AccountMention: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case user
        case group
    }
    public var kind: Kind
    /// A name or a number.
    public var name: String
    /// Where it stands, from 1.
    public var line: Int
    public var column: Int
}

extension [AccountMention] {
    /// Refuses users and groups that do not exist.
    ///
    /// - Parameters:
    ///   - file: names the file in messages.
    ///   - exists: whether this machine knows it.
    public func check(file: String, exists: (AccountMention) -> Bool) throws(ConfigurationRefused) {
        let errors = filter { !exists($0) }.map { mention in
            ConfigurationError(
                file: file, line: mention.line, column: mention.column,
                message: "there is no \(mention.kind) '\(mention.name)' on this machine: expected one, such as "
                    + "\(mention.kind)add --system \(mention.name) makes")
        }
        if !errors.isEmpty {
            throw ConfigurationRefused(
                errors: [ConfigurationError](errors.prefix(Problems.limit)),
                unlisted: errors.dropFirst(Problems.limit).count)
        }
    }
}
