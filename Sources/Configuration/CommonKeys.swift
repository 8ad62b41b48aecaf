/// What the keys of both files have in common: names, paths, lengths of time, sockets.

/// Lengths of time, in nanoseconds.
enum Time {
    static let millisecond: Int64 = 1_000_000
    static let second: Int64 = 1_000_000_000
    static let minute: Int64 = 60 * second
    static let hour: Int64 = 60 * minute
}

/// Where a daemon listens, and for whom.
public struct SocketConfiguration: Hashable, Sendable {
    /// Absolute, at most 107 bytes (`sockaddr_un`).
    public var path: String
    /// The file's permission bits.
    public var mode: UInt32 = 0o666
    /// The file's group; nil: the daemon's own.
    public var group: String?
    /// Connections at one time.
    public var maxClients = 2048
    /// Connections of one user at one time.
    public var maxClientsPerUid = 1024
    /// What may wait for one slow client, bytes.
    public var queueLimit = 262_144

    public init(path: String) {
        self.path = path
    }

    /// Reads `[socket]`.
    mutating func read(_ root: TableReader) {
        root.table("socket") { keys in
            keys.read("path", .socketPath, into: &path)
            keys.read("mode", .mode, into: &mode)
            keys.read("group", .group, into: &group)
            keys.read("max-clients", .number(1...65536), into: &maxClients)
            keys.read("max-clients-per-uid", .number(1...65536), into: &maxClientsPerUid)
            keys.read("queue-limit", .size(65536...16_777_216), into: &queueLimit)
            guard maxClientsPerUid > maxClients else { return }
            if let position = keys.place(of: "max-clients-per-uid") {
                keys.problems.report(
                    position,
                    "max-clients-per-uid = \(maxClientsPerUid): expected at most max-clients, which is \(maxClients)")
            }
            maxClientsPerUid = maxClients
        }
    }
}

/// A name of a user or a group, or its number.
func isAccountName(_ text: String) -> Bool {
    (1...32).contains(text.utf8.count) && !text.hasPrefix("-")
        && text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
}

/// The name of a group, a check and so on: it becomes part of causes, of log lines and of environment variables.
func isSectionName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count) && !text.hasPrefix("-") && !text.hasPrefix(".")
        && text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
}

let sectionNameExpected = "1 to 64 letters, digits, '-', '_' or '.'"

/// What the kernel takes as the name of an interface (`dev_valid_name`, net/core/dev.c).
///
/// The kernel makes a number of `%d`, and has folders of the names `all` and `default` beside those of interfaces (`__dev_alloc_name`
/// of net/core/dev.c, `sysctl_dev_name_is_allowed` of net/ipv4/devinet.c).
func isInterfaceName(_ text: String) -> Bool {
    (1...15).contains(text.utf8.count) && isInterfacePattern(text) && !text.utf8.contains(UInt8(ascii: "%"))
        && text != "all" && text != "default"
}

/// A pattern of interface names: the same characters, as long as an alternative name (ALTIFNAMSIZ).
func isInterfacePattern(_ text: String) -> Bool {
    (1...127).contains(text.utf8.count) && text != "." && text != ".."
        && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
}

let interfaceNameExpected = "the name of a network interface, such as \"eth0\""

/// An absolute path without a NUL.
func isAbsolutePath(_ text: String) -> Bool {
    text.hasPrefix("/") && text.utf8.count < 4096 && !text.utf8.contains(0)
}

private func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"):
        true
    default: false
    }
}
