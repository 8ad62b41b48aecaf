import Addresses
import LinkState

/// `linkwatchd.toml`: what linkwatchd watches, how fast, and for whom. linkwatchd.toml(5) describes every key.
///
/// A missing file is not a mistake: every key has a default. Names of interfaces are patterns, see `InterfaceRules`.
public struct MonitorConfiguration: Hashable, Sendable {
    /// Where linkwatchd looks unless told otherwise.
    public static let defaultPath = "/etc/linkwatch/linkwatchd.toml"

    /// Between two reads of a PHY's registers, 1 ms to 60 s.
    public var miiIntervalNs: Int64 = 100_000_000
    /// Between two fast probes of a port, 1 ms to 60 s.
    public var probeIntervalNs: Int64 = 100_000_000
    /// How many ports are probed at most.
    public var probeLimit = 256
    /// How many transitions are kept for each interface.
    public var historySize = 64
    /// The netlink event sockets' receive buffer, bytes.
    public var receiveBuffer = 4_194_304
    public var socket = SocketConfiguration(path: "/run/linkwatch/linkwatchd.sock")
    /// Which routes are mirrored.
    public var trackedRoutes = defaultRoutes
    /// In which tables, as the kernel numbers them.
    public var routeTables: [UInt32] = [254]
    /// What holds for which interface.
    public var interfaces = InterfaceRules()
    /// Whom linkwatchd becomes once its socket is open; nil: `linkwatch`, if there is one.
    public var user: String?
    /// The users and groups that the file names, in its order.
    public var accounts: [AccountMention] = []

    /// The defaults.
    public init() {}

    /// Reads `path`.
    public init(path: String) throws(ConfigurationRefused) {
        try self.init(root: TomlNode.load(path), file: path)
    }

    /// Reads `text`; `file` names it in messages.
    public init(text: [UInt8], file: String) throws(ConfigurationRefused) {
        try self.init(root: TomlNode.parse(text, file: file), file: file)
    }

    private init(root: TomlNode, file: String) throws(ConfigurationRefused) {
        let problems = Problems(file: file)
        let reader = TableReader(root: root, problems: problems)
        self.init(reader)
        reader.finish()
        accounts = problems.accounts
        try problems.check()
    }

    /// What holds for one interface.
    public func policy(forInterface ifname: String, altnames: [String] = []) -> InterfacePolicy {
        interfaces.policy(ifname: ifname, altnames: altnames)
    }

    /// Every key that the reader knows, by section.
    static var knownKeys: [(section: String, key: String)] { KeyList.known { _ = MonitorConfiguration($0) } }

    private static let intervals: ClosedRange<Int64> = 1_000_000...60_000_000_000
    private static let defaultRoutes = ["0.0.0.0/0", "::/0"].compactMap { IPPrefix($0) }

    private init(_ reader: TableReader) {
        miiIntervalNs = reader.duration("mii-interval", Self.intervals)?.value ?? miiIntervalNs
        probeIntervalNs = reader.duration("probe-interval", Self.intervals)?.value ?? probeIntervalNs
        probeLimit = reader.integer("probe-limit", 1...4096)?.value ?? probeLimit
        historySize = reader.integer("history", 1...4096)?.value ?? historySize
        receiveBuffer = reader.size("receive-buffer", 2048...268_435_456)?.value ?? receiveBuffer
        user = reader.userName("user")
        socket = SocketConfiguration(reader, defaultPath: socket.path)
        reader.table("routes") { routes in
            trackedRoutes =
                routes.list("track", atMost: 64, "a network, such as \"0.0.0.0/0\" or \"10.0.0.0/8\"", network)?
                .map(\.value) ?? trackedRoutes
            routeTables =
                routes.list("tables", atMost: 16, "the number of a routing table, from 1 to 4294967295", tableNumber)?
                .map(\.value) ?? routeTables
        }
        interfaces = InterfaceRules(reader)
    }
}

/// A network: a prefix without host bits.
func network(_ node: TomlNode) -> IPPrefix? {
    guard case .string(let text) = node.value, let prefix = IPPrefix(text), prefix.isNetwork else { return nil }
    return prefix
}

func tableNumber(_ node: TomlNode) -> UInt32? {
    guard case .integer(let number) = node.value, number > 0 else { return nil }
    return UInt32(exactly: number)
}
