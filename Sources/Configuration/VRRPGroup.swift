/// `[group.NAME]`: the settings of a group and their keys, which an instance without a group has in its own section.
import Addresses

extension VRRPConfiguration {
    /// What moves together: one state, one priority.
    public struct Group: Hashable, Sendable {
        /// Unique; an instance in no group gives its name to a group of its own.
        public var name: String
        /// Whether it is the group of an instance that is in none.
        public var isOfInstance = false
        /// 255: the owner of the addresses.
        public var priority = 100
        /// In steps of 10 ms; whole seconds with version 2.
        public var advertIntervalNs = Time.second
        /// VRRP's version, 2 or 3, of the members that do not say another.
        public var version = 3
        /// After how many of its intervals, and the skew, a master that is not heard counts as gone.
        public var downIntervals: Int64 = 3
        /// How long the group waits at the start of the process before it listens.
        public var startDelayNs: Int64 = 0
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
        public var addressLeaseNs = 3 * Time.second
        public var linkState = LinkStateChoice.raw
        public var announce = Announce()
        /// Whether a master answers an advert of lower priority with one of its own.
        public var answersLower = true
        /// Whether a master that gives way to an advert sends one of its own before.
        public var answersHigher = false
        /// 1 or more, on different (interface, family, VRID).
        public var instances: [Instance] = []
        /// The pool; empty: none.
        public var heartbeats: [Heartbeat] = []
    }

    /// Gratuitous ARP and unsolicited neighbour advertisements.
    public struct Announce: Hashable, Sendable {
        /// Announcements of each address in one burst.
        public var count = 5
        /// Between the announcements of a burst.
        public var intervalNs = 100 * Time.millisecond
        /// When a second burst follows; 0: never.
        public var repeatAfterNs = 5 * Time.second
        /// How often announcements follow while master; 0: never.
        public var refreshNs: Int64 = 0
        /// How many announcements then follow.
        public var refreshCount = 1
        /// Announcements after an advert of lower priority; 0: none.
        public var lowerCount = 0
        /// When as many follow once more; 0: never.
        public var lowerRepeatNs: Int64 = 0
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
}

// MARK: Keys

/// The keys of a group. What refers to other sections is resolved by `VRRPAssembly`.
struct GroupKeys: SectionKeys {
    var group: VRRPConfiguration.Group
    /// Names of the members; of an instance in no group, none.
    var instances: [Located<String>] = []
    /// Names of the heartbeats of the pool.
    var heartbeats: [Located<String>] = []
    var tracks: [Located<VRRPConfiguration.Track>] = []

    init(name: String) { group = VRRPConfiguration.Group(name: name) }

    mutating func read(_ keys: TableReader) {
        var names: [String] = []
        keys.read(
            "instances", .name("the name of an instance"), 1...255, of: "instance", into: &names,
            required: "the names of its instances, such as [\"outside\", \"inside\"]")
        instances = keys.located("instances", names)
        keys.read("version", .version, into: &group.version)
        readOwn(keys)
    }

    /// Those that an instance in no group has as well.
    mutating func readOwn(_ keys: TableReader) {
        keys.read("priority", .number(1...255), into: &group.priority)
        keys.read("advert-interval", .advertInterval, into: &group.advertIntervalNs)
        keys.read("down-intervals", .number(1...100), into: &group.downIntervals)
        keys.read("start-delay", .duration(0...Time.hour), into: &group.startDelayNs)
        keys.read("preempt", .flag, into: &group.preempts)
        keys.read("preempt-delay", .duration(0...Time.hour), into: &group.preemptDelayNs)
        var names: [String] = []
        keys.read("heartbeats", .name("the name of a heartbeat"), 0...8, into: &names)
        heartbeats = keys.located("heartbeats", names)
        tracks = VRRPConfiguration.Track.list("track", keys)
        keys.read("packet-filter", .choice, into: &group.packetFilter)
        keys.read("probe-before-takeover", .flag, into: &group.probesBeforeTakeover)
        keys.table("fence") { keys in
            var program = VRRPConfiguration.Program(timeoutNs: 5 * Time.second)
            program.read(keys)
            group.fence = program
        }
        keys.read(
            "address-lease", .duration(Time.second...Time.hour, step: Time.second), into: &group.addressLeaseNs)
        keys.read("link-state", .choice, into: &group.linkState)
        group.announce.read(keys)
        keys.read("answer-lower", .flag, into: &group.answersLower)
        keys.read("answer-higher", .flag, into: &group.answersHigher)
    }
}

extension VRRPConfiguration.Announce {
    fileprivate mutating func read(_ keys: TableReader) {
        keys.read("announce-count", .number(1...50), into: &count)
        keys.read("announce-interval", .duration(0...10 * Time.second), into: &intervalNs)
        keys.read("announce-repeat", .duration(0...Time.hour), into: &repeatAfterNs)
        keys.read("announce-refresh", .duration(0...Time.hour), into: &refreshNs)
        keys.read("announce-refresh-count", .number(1...50), into: &refreshCount)
        keys.read("announce-lower-count", .number(0...50), into: &lowerCount)
        keys.read("announce-lower-repeat", .duration(0...Time.hour), into: &lowerRepeatNs)
        if lowerCount == 0, let position = keys.place(of: "announce-lower-repeat") {
            keys.problems.warn(position, "announce-lower-repeat has no effect without announce-lower-count")
        }
    }
}

extension Kind where Value == Int64 {
    /// What the 12 bits of centiseconds in a version 3 advert hold, rounded.
    static var advertInterval: Kind {
        .duration(10 * Time.millisecond...40 * Time.second, step: 10 * Time.millisecond)
    }
}

extension Kind where Value == Int {
    /// VRRP's.
    static var version: Kind {
        Kind(
            form: "2 | 3", expected: { "2 or 3" },
            read: { if case .integer(let number) = $0 { [2, 3].first { $0 == number } } else { nil } },
            write: { "\($0)" })
    }
}

// MARK: Mistakes of the group alone

extension NamedSection<GroupKeys> {
    /// Where the version stands, or would.
    var versionPosition: SourcePosition { keys.place(of: "version") ?? keys.position }

    /// The interval of a version 2 advert is a whole number of seconds.
    func checkAdvertInterval(_ members: [NamedSection<VRRPConfiguration.Instance>]) {
        let group = value.group
        guard let member = members.first(where: { $0.value.version(in: group) == 2 }),
            group.advertIntervalNs % Time.second != 0
        else { return }
        keys.problems.report(
            keys.place(of: "advert-interval") ?? keys.position,
            "advert-interval = \(quoted(DurationText.format(group.advertIntervalNs))) with version = 2 (line "
                + "\(member.versionPosition(in: self).line)): expected whole seconds, such as \"1s\", or version = 3")
    }
}
