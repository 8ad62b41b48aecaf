import Addresses
import LinkState

/// `linkwatchd.toml`: what linkwatchd watches, how fast, and for whom. linkwatchd.toml(5) describes every key.
///
/// A missing file is not a mistake: every key has a default. Names of interfaces are patterns, see `InterfaceRules`.
public struct MonitorConfiguration: Hashable, Sendable {
    /// Where linkwatchd looks unless told otherwise.
    public static let defaultPath = "/etc/linkwatch/linkwatchd.toml"

    /// Between two polls of a port, by source, in nanoseconds.
    public var intervalsNs = EvidenceSource.defaultIntervalsNs
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
    /// The user that linkwatchd becomes once its socket is open; nil: `linkwatch`, if that exists.
    public var user: String?
    /// The users and groups that the file names, in its order.
    public var accounts: [AccountMention] = []

    /// The defaults.
    public init() {}

    /// Reads `path`.
    ///
    /// - Parameter acceptsPipe: whether it may be a pipe that is open already, which is waited for.
    public init(path: String, acceptsPipe: Bool = false) throws(ConfigurationRefused) {
        try self.init(root: TomlNode.load(path, acceptsPipe: acceptsPipe), file: path)
    }

    /// Reads `text`; `file` names it in messages.
    public init(text: [UInt8], file: String) throws(ConfigurationRefused) {
        try self.init(root: TomlNode.parse(text, file: file), file: file)
    }

    private init(root: TomlNode, file: String) throws(ConfigurationRefused) {
        let problems = Problems(file: file)
        let keys = TableReader(root: root, problems: problems)
        read(keys)
        keys.finish()
        accounts = problems.accounts
        try problems.check()
    }

    /// What holds for one interface.
    public func policy(forInterface ifname: String, altnames: [String] = []) -> InterfacePolicy {
        interfaces.policy(ifname: ifname, altnames: altnames)
    }

    /// Every key that the reader knows, by section.
    static var knownKeys: [KeyList.Key] {
        KeyList.known { keys in
            var configuration = MonitorConfiguration()
            configuration.read(keys)
        }
    }

    private static let defaultRoutes = [IPPrefix.everything(.ipv4), .everything(.ipv6)]

    private mutating func read(_ keys: TableReader) {
        for (source, probe) in EvidenceSource.probes {
            keys.read(
                probe.intervalKey, .duration(EvidenceSource.intervalsNs),
                into: &intervalsNs[source, default: probe.intervalNs])
        }
        keys.read("probe-limit", .number(1...4096), into: &probeLimit)
        keys.read("history", .number(1...4096), into: &historySize)
        keys.read("receive-buffer", .size(2048...268_435_456), into: &receiveBuffer)
        keys.read("user", .user, into: &user)
        socket.read(keys)
        keys.table("routes") { keys in
            keys.read("track", .network, 0...64, into: &trackedRoutes)
            keys.read("tables", .routingTable, 0...16, into: &routeTables)
        }
        interfaces.read(keys)
    }
}
