/// What the keys of both files have in common: names, paths, sockets.

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
    init(_ reader: TableReader, defaultPath: String) {
        self.init(path: defaultPath)
        reader.table("socket") { socket in
            path = socket.socketPath("path")?.value ?? path
            mode = socket.mode("mode")?.value ?? mode
            let named = socket.string("group", "the name or number of a group", where: isAccountName)
            socket.problems.note(.group, named)
            group = named?.value
            maxClients = socket.integer("max-clients", 1...65536)?.value ?? maxClients
            let perUid = socket.integer("max-clients-per-uid", 1...65536)
            maxClientsPerUid = perUid?.value ?? min(maxClientsPerUid, maxClients)
            if let perUid, perUid.value > maxClients {
                socket.problems.report(
                    perUid.position,
                    "max-clients-per-uid = \(perUid.value): expected at most max-clients, which is \(maxClients)")
            }
            queueLimit = socket.size("queue-limit", 65536...16_777_216)?.value ?? queueLimit
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
func isInterfaceName(_ text: String) -> Bool {
    (1...15).contains(text.utf8.count) && isInterfacePattern(text)
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

extension TableReader {
    func interfaceName(_ key: String) -> Located<String>? {
        string(key, interfaceNameExpected, where: isInterfaceName)
    }

    /// A user, by name or number.
    func userName(_ key: String) -> String? {
        let named = string(key, "the name or number of a user", where: isAccountName)
        problems.note(.user, named)
        return named?.value
    }

    func socketPath(_ key: String) -> Located<String>? {
        string(key, "an absolute path of at most 107 bytes") { isAbsolutePath($0) && $0.utf8.count <= 107 }
    }

    /// Permission bits, in octal as text: a bare 666 would be decimal.
    func mode(_ key: String) -> Located<UInt32>? {
        value(key, "permissions in octal and in quotes, such as \"0660\"") {
            guard case .string(let text) = $0, let mode = UInt32(text, radix: 8), mode <= 0o777 else { return nil }
            return mode
        }
    }

    /// Bytes: a number, or text with KiB or MiB.
    func size(_ key: String, _ range: ClosedRange<Int>) -> Located<Int>? {
        value(key, "a size from \(formatSize(range.lowerBound)) to \(formatSize(range.upperBound)), such as \"256KiB\"")
        {
            let size: Int? =
                switch $0 {
                case .integer(let number): Int(exactly: number)
                case .string(let text): parseSize(text)
                default: nil
                }
            guard let size, range ~= size else { return nil }
            return size
        }
    }
}

private func parseSize(_ text: String) -> Int? {
    for (unit, scale) in [("KiB", 1024), ("MiB", 1_048_576)] where text.hasSuffix(unit) {
        guard let number = Int(text.dropLast(3)) else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: scale)
        return overflow ? nil : size
    }
    return nil
}

private func formatSize(_ size: Int) -> String {
    if size % 1_048_576 == 0 { return "\(size / 1_048_576)MiB" }
    return size % 1024 == 0 ? "\(size / 1024)KiB" : "\(size)"
}
