/// `vrrp.toml`: the groups that linkwatch-vrrp runs, and what they watch. vrrp.toml(5) describes every key.
///
/// Values only, and all of them Hashable: a reload compares the old configuration with the new one and applies the
/// difference. What the file leaves out is filled in here, so nobody else knows a default. A configuration that exists
/// has passed every check of `VRRPAssembly`: names refer to something, VRIDs are unique, families are not mixed.
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
    /// Where the virtual addresses stand in the file.
    public var addressLines = AddressLines()
    /// What is sound and does not do what it seems to.
    public var warnings: [ConfigurationError] = []

    /// Nothing to do.
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
        let sections = VRRPSections(reader)
        reader.finish()
        var assembly = VRRPAssembly(sections, problems: problems)
        self = assembly.configuration()
        accounts = problems.accounts
        try problems.check()
        warnings = problems.warnings
    }

    /// Every key that the reader knows, by section.
    static var knownKeys: [(section: String, key: String)] { KeyList.known { _ = VRRPSections($0) } }
}

extension VRRPConfiguration {
    /// The line of each virtual address, by instance. It moves nothing, so any two are equal.
    public struct AddressLines: Hashable, Sendable {
        var lines: [String: [IPAddress: Int]] = [:]

        /// The line, from 1; 0: unknown.
        public func line(of address: IPAddress, in instance: String) -> Int { lines[instance]?[address] ?? 0 }

        public static func == (one: AddressLines, other: AddressLines) -> Bool { true }

        public func hash(into hasher: inout Hasher) {}
    }

    /// What moves together: one state, one priority.
    public struct Group: Hashable, Sendable {
        /// Unique; an instance in no group gives its name to a group of its own.
        public var name: String
        /// 1 to 255; 255: the owner of the addresses.
        public var priority = 100
        /// 10 ms to 40 s in steps of 10 ms; whole seconds with version 2.
        public var advertIntervalNs: Int64 = 1_000_000_000
        /// VRRP's version, 3, or 2 if all members are IPv4.
        public var version = 3
        public var preempts = true
        public var preemptDelayNs: Int64 = 0
        /// What else must be well.
        public var tracks: [Track] = []
        public var packetFilter = PacketFilterAction.warn
        /// Whether the virtual addresses are asked for once more before a takeover from a peer that is silent everywhere.
        public var probesBeforeTakeover = true
        /// Run before a takeover from a peer that is silent everywhere.
        public var fence: Program?
        /// For how long the kernel keeps an address that nobody refreshes; whole seconds.
        public var addressLeaseNs: Int64 = 3_000_000_000
        public var linkState = LinkStateChoice.raw
        public var announce = Announce()
        /// 1 or more, on different (interface, family).
        public var instances: [Instance] = []
        /// The pool; empty: none.
        public var heartbeats: [Heartbeat] = []
    }

    /// One virtual router on one interface.
    public struct Instance: Hashable, Sendable {
        public var name: String
        /// The name of the network interface.
        public var interface: String
        /// 1 to 255.
        public var vrid: UInt8
        /// 1 or more, all of one family, in the order of the file; the first of an IPv6 instance is link-local.
        public var addresses: [IPPrefix]
        /// How adverts of IPv4 and version 3 are sent; both kinds are received.
        public var checksum = ChecksumForm.pseudoHeader
        /// Peers that are told by unicast; empty: multicast.
        public var unicastPeers: [IPAddress] = []
        /// The source of adverts; nil: the interface's own.
        public var source: IPAddress?
        /// The password of version 2 adverts, 1 to 8 bytes; nil: none.
        public var authPass: String?
        /// Whether adverts come from and addresses live on the virtual router's own MAC address.
        public var hasVirtualMAC = false
        /// Whether the master takes packets to a virtual address that it does not own.
        public var accepts = true
        /// Neighbours on this link that prove it alive.
        public var witnesses: [IPAddress] = []

        public var family: IPAddress.Family { addresses.first?.address.family ?? .ipv4 }

        /// Octets of one of its adverts with the IP header: what the interface's MTU must hold.
        public func advertOctets(version: Int) -> Int {
            (family == .ipv4 ? 20 : 40) + 8 + addresses.count * family.octets + (version == 2 ? 8 : 0)
        }
    }

    /// One cable of a pool.
    public struct Heartbeat: Hashable, Sendable {
        public var name: String
        public var interface: String
        public var family: IPAddress.Family
        /// Sent by us; 1 to 255.
        public var vrid: UInt8
        /// Sent by the peer; not `vrid`.
        public var peerVrid: UInt8
        /// 10 ms to 40 s in steps of 10 ms.
        public var intervalNs: Int64
    }

    /// What a group tracks.
    public struct Track: Hashable, Sendable {
        public enum Object: Hashable, Sendable {
            /// The check of this name succeeds.
            case check(String)
            case route(Route)
            /// The interface of this name is up.
            case link(String)
        }
        public var object: Object
        /// Added to the priority while the object fails (below 0) or is well (above 0), -253 to 253; nil: it is a cause of
        /// FAULT.
        public var weight: Int?

        /// As causes name it: `check:NAME`, `route:PREFIX` and what else is asked of it, `link:INTERFACE`.
        public var name: String {
            switch object {
            case .check(let name): "check:\(name)"
            case .route(let route): "route:\(route)"
            case .link(let interface): "link:\(interface)"
            }
        }
    }

    /// A route that must be there.
    public struct Route: Hashable, Sendable, CustomStringConvertible {
        public var prefix: IPPrefix
        /// Through this next hop; nil: any.
        public var via: IPAddress?
        /// Out of this interface; nil: any.
        public var interface: String?
        /// In this table, as the kernel numbers them.
        public var table: UInt32 = 254

        /// As ip-route(8) writes it, `0.0.0.0/0 via 192.0.2.254 dev eth0 table 100`, without what is not asked.
        public var description: String {
            let parts = [
                via.map { "via \($0)" }, interface.map { "dev \($0)" }, table == 254 ? nil : "table \(table)",
            ]
            return ([prefix.description] + parts.compactMap { $0 }).joined(separator: " ")
        }
    }

    /// Something asked again and again.
    public struct Check: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// Succeeds with exit status 0.
            case program(Program)
            /// Answers ARP or neighbour solicitation.
            case witness(IPAddress, interface: String)
        }
        public var name: String
        public var kind: Kind
        public var intervalNs: Int64
        /// At most the interval.
        public var timeoutNs: Int64
        /// How many failures in a row make it fail.
        public var fall: Int
        /// How many successes in a row make it succeed.
        public var rise: Int
    }

    /// A program that is run, never through a shell.
    public struct Program: Hashable, Sendable {
        /// The path, then the arguments.
        public var arguments: [String]
        public var timeoutNs: Int64
        /// As whom; nil: as the user of `ProcessSettings`.
        public var user: String?
    }

    /// A program that is told of transitions.
    public struct Notify: Hashable, Sendable {
        public var name: String
        public var program: Program
        /// Of these groups; nil: of all.
        public var groups: [String]?
    }

    /// Gratuitous ARP and unsolicited neighbour advertisements.
    public struct Announce: Hashable, Sendable {
        /// Announcements of each address in one burst, 1 to 50.
        public var count = 5
        /// Between the announcements of a burst.
        public var intervalNs: Int64 = 100_000_000
        /// When a second burst follows; 0: never.
        public var repeatAfterNs: Int64 = 5_000_000_000
        /// How often one announcement follows while master; 0: never.
        public var refreshNs: Int64 = 0
    }

    /// How the process runs.
    public struct ProcessSettings: Hashable, Sendable {
        /// Whom the process becomes once its sockets are open; nil: `linkwatch`, if there is one.
        public var user: String?
        /// SCHED_RR at this priority, 1 to 99; 0: ordinary scheduling.
        public var realtimePriority = 0
        /// mlockall(2)
        public var locksMemory = false
        /// Where holdings are recorded.
        public var stateDirectory = "/run/linkwatch"
    }

    /// What is done when a packet filter drops the peer's adverts.
    public enum PacketFilterAction: String, Hashable, Sendable, CaseIterable {
        case warn
        case fault
        case ignore
    }

    /// Which of linkwatchd's states counts.
    public enum LinkStateChoice: String, Hashable, Sendable, CaseIterable {
        case raw
        case settled
    }

    /// What the checksum of an IPv4 version 3 advert covers.
    public enum ChecksumForm: String, Hashable, Sendable, CaseIterable {
        case pseudoHeader = "pseudo-header"
        case message
    }
}
