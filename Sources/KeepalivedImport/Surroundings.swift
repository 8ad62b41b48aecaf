/// What an import asks of the machine it runs on. The module itself opens no file and reads no variable, so that it can be
/// tested with files that exist nowhere.
public struct Surroundings {
    /// The result of reading a file.
    public enum Reading: Sendable {
        case text([UInt8])
        /// There is no file of this name.
        case absent
        /// A folder, a device, or a file with an execute bit: keepalived includes none of them.
        case notPlain
        /// The reason, in words.
        case unreadable(String)
    }

    /// Reads a whole file; of one that is larger than the limit, at least one byte more than the limit.
    public var read: (_ path: String, _ limit: Int) -> Reading
    /// The files that a pattern of glob(7) with braces matches, sorted; empty: none.
    public var matches: (_ pattern: String) -> [String]
    /// A variable of the environment, for `${_ENV NAME}`.
    public var variable: (_ name: String) -> String?
    /// Whether the machine has this user: keepalived's default for scripts is `keepalived_script`, and root without it.
    public var hasUser: (_ name: String) -> Bool
    /// A number for `$_RANDOM`.
    public var random: (ClosedRange<Int>) -> Int

    public init(
        read: @escaping (_ path: String, _ limit: Int) -> Reading,
        matches: @escaping (_ pattern: String) -> [String] = { _ in [] },
        variable: @escaping (_ name: String) -> String? = { _ in nil },
        hasUser: @escaping (_ name: String) -> Bool = { _ in false },
        random: @escaping (ClosedRange<Int>) -> Int = { $0.lowerBound }
    ) {
        self.read = read
        self.matches = matches
        self.variable = variable
        self.hasUser = hasUser
        self.random = random
    }
}
