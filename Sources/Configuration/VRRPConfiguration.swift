/// `vrrp.toml`: the groups that linkwatch-vrrp runs, and what they watch. vrrp.toml(5) describes every key.
///
/// Values only, and all of them Hashable: a reload compares the old configuration with the new one and applies the
/// difference. Each section has a file of its own, with its values, their defaults and their keys. A configuration that
/// exists has passed every check of `VRRPAssembly`: names refer to something, VRIDs are unique, families are not mixed.
///
/// All times are nanoseconds.
import Addresses

public struct VRRPConfiguration: Hashable, Sendable {
    /// Where linkwatch-vrrp looks unless told otherwise.
    public static let defaultPath = "/etc/linkwatch/vrrp.toml"

    /// Where linkwatch-vrrp listens.
    public var socket = SocketConfiguration(path: "/run/linkwatch/vrrp.sock")
    /// Where linkwatchd listens.
    public var monitorSocketPath = "/run/linkwatch/linkwatchd.sock"
    public var process = ProcessSettings()
    /// The groups of the file, in its order, then one for each instance that is in none.
    public var groups: [Group] = []
    public var checks: [Check] = []
    public var notifies: [Notify] = []
    /// The users and groups that the file names, in its order.
    public var accounts: [AccountMention] = []
    /// Warnings about settings that are valid but do not do what they seem to.
    public var warnings: [ConfigurationError] = []

    /// Nothing to do.
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
        let sections = VRRPSections(keys)
        keys.finish()
        var assembly = VRRPAssembly(sections, problems: problems)
        assembly.complete(&self)
        accounts = problems.accounts
        try problems.check()
        warnings = problems.warnings
    }

    /// Reads the sections that have no name of their own.
    private mutating func read(_ keys: TableReader) {
        socket.read(keys)
        keys.table("monitor") { $0.read("socket", .socketPath, into: &monitorSocketPath) }
        keys.table("process") { process.read($0) }
    }

    /// Every key that the reader knows, by section.
    static var knownKeys: [KeyList.Key] {
        KeyList.known { keys in
            var configuration = VRRPConfiguration()
            configuration.read(keys)
            _ = VRRPSections(keys)
        }
    }
}

/// The sections with names, as they stand in the file: each read and checked for itself, nothing compared yet.
struct VRRPSections {
    let groups: [NamedSection<GroupKeys>]
    let instances: [InstanceSection]
    let heartbeats: [NamedSection<VRRPConfiguration.Heartbeat>]
    let checks: [NamedSection<CheckKeys>]
    let trackGroups: [NamedSection<TrackGroupKeys>]
    let notifies: [NamedSection<VRRPConfiguration.Notify>]

    init(_ keys: TableReader) {
        groups = keys.sections("group", atMost: 1024)
        var instances: [InstanceSection] = []
        keys.sections("instance", atMost: 1024) { instances.append(InstanceSection($0, $1)) }
        self.instances = instances
        heartbeats = keys.sections("heartbeat", atMost: 64)
        checks = keys.sections("check", atMost: 256)
        trackGroups = keys.sections("track-group", atMost: 256)
        notifies = keys.sections("notify", atMost: 64)
    }
}

extension VRRPConfiguration {
    /// How the process runs.
    public struct ProcessSettings: Hashable, Sendable {
        /// The user that the process becomes once its sockets are open; nil: `linkwatch`, if that exists.
        public var user: String?
        /// SCHED_RR at this priority; 0: ordinary scheduling.
        public var realtimePriority = 0
        /// mlockall(2)
        public var locksMemory = false
        /// Where holdings are recorded.
        public var stateDirectory = "/run/linkwatch"
    }
}

extension VRRPConfiguration.ProcessSettings {
    fileprivate mutating func read(_ keys: TableReader) {
        keys.read("user", .user, into: &user)
        keys.read("realtime-priority", .number(0...99), into: &realtimePriority)
        keys.read("lock-memory", .flag, into: &locksMemory)
        keys.read("state-directory", .path(), into: &stateDirectory)
    }
}
