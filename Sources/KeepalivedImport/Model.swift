/// What keepalived would run: its configuration with its defaults filled in and its corrections made, still in its own terms.
import Addresses

struct KeepalivedConfiguration {
    var global = Global()
    var instances: [Instance] = []
    var groups: [SyncGroup] = []
    var scripts: [Script] = []
    var processes: [TrackedProcess] = []
    var files: [TrackedFile] = []
    /// What is there whoever is master.
    var staticAddresses: [Address] = []
    var staticRoutes: [Statement.Entry] = []
    var staticRules: [Statement.Entry] = []

    struct Global {
        var version = 2
        var garp = Garp()
        var garpIntervalNs: Int64 = 0
        var gnaIntervalNs: Int64 = 0
        /// By interface, from `garp_group`.
        var intervals: [String: (garpNs: Int64?, gnaNs: Int64?)] = [:]
        var isStrict = false
        /// Multicast groups other than the standard ones.
        var groups: [IPAddress.Family: IPAddress] = [:]
        var checksumIsAsInV2 = false
        var scriptUser: Account?
        var hasScriptSecurity = false
        var mail = Mail()
        /// `smtp_alert`, and `smtp_alert_vrrp`, which goes before it.
        var alerts: Alerts?
        var alertsOfVRRP: Alerts?
        /// By instance.
        var syncDaemons: [String: SyncDaemon] = [:]
        var defaultInterface: String?
        var realtimePriority: Int?
        var downIntervals = 3
        var startDelayNs: Int64 = 0
        var locksMemory = false
        /// What names of macvlans begin with.
        var macvlanPrefix = "vrrp"
        /// `notify_fifo` and `vrrp_notify_fifo`.
        var fifos: [Fifo] = []
    }

    /// Whether transitions send mail, and where that is said.
    struct Alerts {
        var areSent: Bool
        var place: SourceLine
    }

    /// Announcements, `VRRP_GARP_*` of vrrp.h.
    struct Garp: Hashable {
        var delayNs: Int64 = 5 * second
        var repeats = 5
        var refreshNs: Int64 = 0
        var refreshRepeats = 1
        /// nil: as many as when it becomes master, and as late.
        var lowerRepeats: Int?
        var lowerDelayNs: Int64?
        var answersLower = true
        var answersHigher = false
    }

    struct Fifo {
        var keyword: String
        var path: String
        var account: Account?
        var place: SourceLine
        /// `notify_fifo_script`
        var reader: Notify?
    }

    struct Account: Hashable {
        var user: String
        var group: String?
    }

    struct Instance {
        var name: String
        var place: SourceLine
        /// Where which keyword stands.
        var places: [String: SourceLine] = [:]
        var isMaster: Bool?
        var interface: String?
        var vrid: Int?
        var priority: Int?
        var advertNs: Int64 = second
        var version: Int?
        var family: IPAddress.Family?
        var addresses: [Address] = []
        var excluded: [Address] = []
        var peers: [(address: IPAddress, place: SourceLine)] = []
        var isUnicastConfigured = false
        var unicastTTL: Int?
        /// `min_ttl` of each peer that has one.
        var leastTTLs: [Int] = []
        var source: IPAddress?
        /// nil: that of the family.
        var multicastGroup: IPAddress?
        var auth: (type: String, place: SourceLine)?
        var password: String?
        var hmac: HMAC?
        var preempts = true
        var preemptDelayNs: Int64 = 0
        /// nil: the global number.
        var downIntervals: Int?
        var tracksInterface = true
        var hasVirtualMAC = false
        /// What its macvlan is named; nil: see `Translation.macvlanName`.
        var virtualMACName: String?
        /// Whether its macvlan is given an address or a group of interfaces.
        var tunesVirtualMAC = false
        var checksumIsAsInV2: Bool
        var isStrict: Bool?
        var accepts: Bool?
        var allowsNoAddress = false
        var garp: Garp
        var routes: [Statement.Entry] = []
        var rules: [Statement.Entry] = []
        var tracks: [Track] = []
        var notifies: [Notify] = []
        /// `notify_deleted`, with or without a program.
        var isToldOfDeletion = false
        var syncDaemon: SyncDaemon?
        /// nil: as for all.
        var alerts: Alerts?

        /// The line of a keyword of this instance.
        func line(_ keyword: String) -> SourceLine { places[keyword] ?? place }
    }

    /// `auth_hmac`.
    struct HMAC {
        var keys: [(id: Int, value: String, place: SourceLine)] = []
        var activeKey = 0
        var windowSeconds: Int?
        var isMonotonic = false
        var mode = "enforce"
    }

    struct Address {
        var prefix: IPPrefix
        var place: SourceLine
        var interface: String?
        var label: String?
        var scope: String?
        var broadcast: String?
        var hasNoPrefixRoute = false
        /// The words behind the address that the import has no field for.
        var others: [String] = []
    }

    struct SyncGroup {
        var name: String
        var place: SourceLine
        var members: [(name: String, place: SourceLine)] = []
        var hasMembers = false
        var tracks: [Track] = []
        var notifies: [Notify] = []
        /// nil: as for all.
        var alerts: Alerts?
        /// Whether weights of members count.
        var weighsMembers = false
    }

    struct Track {
        enum Kind: String {
            case interface
            case script
            case process
            case file
        }
        var kind: Kind
        var name: String
        /// nil: that of the object.
        var weight: Int?
        var isReversed: Bool?
        var place: SourceLine
    }

    struct Script {
        var name: String
        var place: SourceLine
        var places: [String: SourceLine] = [:]
        /// nil: none.
        var arguments: [String]?
        var intervalNs: Int64 = second
        /// nil: the interval.
        var timeoutNs: Int64?
        var weight = 0
        var isReversed = false
        var rise = 1
        var fall = 1
        /// `init_fail`
        var failsAtFirst = false
        var account: Account?

        func line(_ keyword: String) -> SourceLine { places[keyword] ?? place }
    }

    struct TrackedProcess {
        var name: String
        var place: SourceLine
        var path: String?
        var weight = 0
        var isReversed = false
        var quorum = 1
        /// `fork_delay`
        var upDelayNs: Int64 = 0
        /// `terminate_delay`
        var downDelayNs: Int64 = 0
    }

    struct TrackedFile {
        var name: String
        var place: SourceLine
        var path: String?
        var weight = 1
        var isReversed = false
    }

    /// A program that is told of transitions.
    struct Notify {
        /// The keyword.
        var keyword: String
        var arguments: [String]
        var account: Account?
        var place: SourceLine
    }
}
