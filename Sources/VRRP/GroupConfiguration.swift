/// The configuration of one sync group: everything that the engine knows before anything happens.
///
/// A plain instance is a group of one member, so there is no second kind of configuration. The file's syntax, defaults
/// and checks belong to the module `Configuration`; the values here have already been checked. What a process needs and
/// the engine does not (unicast peers, prefix lengths, virtual MAC, notify programs) is not here either.
import Addresses

public struct GroupConfiguration: Hashable, Sendable {
    /// The group's name, or the instance's if it is in no group.
    public var name: String
    /// 1 to 254, or 255: the owner of the addresses.
    public var priority: UInt8
    /// The protocol version of the adverts of members that have none of their own.
    public var version: Version
    /// Time between two adverts: 10 ms to 40.95 s in version 3, whole seconds in version 2.
    public var advertIntervalNs: Int64
    /// Whether a router with a higher priority takes over from a master that works.
    public var preempt: Bool
    /// How long a lower-priority master is borne before it is preempted.
    public var preemptDelayNs: Int64
    /// After how many of its intervals, and the skew, a master that is not heard counts as gone; 3 in the RFCs.
    public var downIntervals: Int64 = 3
    /// How long after `start` the group goes on waiting: it neither sends nor listens.
    public var startDelayNs: Int64 = 0
    /// The instances that move together, in the order of the file. The first one's primary address is the tie-break of a
    /// group without cables.
    public var members: [MemberConfiguration]
    /// The heartbeat pool; empty: none.
    public var cables: [CableConfiguration]
    /// Whether a fence program must succeed before a takeover from a peer that is silent everywhere.
    public var hasFence: Bool
    /// Whether the virtual addresses are probed with ARP or ND before such a takeover.
    public var probeBeforeTakeover: Bool
    /// The valid lifetime of an address in the kernel; 0: for ever. The process refreshes it, the engine only needs to
    /// know after how long a sleep its addresses are gone.
    public var addressLeaseNs: Int64
    /// Whether a master answers an advert of lower priority with one of its own; version 3 only.
    public var answersLower = true
    /// Whether a master that loses against an advert sends a last one of its own before.
    public var answersHigher = false
    /// Whether a master announces its addresses again when it hears an advert of lower priority.
    public var announcesAfterLower = false
    /// The constants of the rules, which only a test has reason to change.
    public var timing = Timing()
    /// The rules in force: all of them, except in tests that show what each is for.
    package var rules = Rules.all
    /// Bugs planted for the search to find: none.
    package var bugs = PlantedBugs()

    public init(
        name: String, priority: UInt8 = 100, version: Version = .v3, advertIntervalNs: Int64 = 1_000_000_000,
        preempt: Bool = true, preemptDelayNs: Int64 = 0, members: [MemberConfiguration],
        cables: [CableConfiguration] = [], hasFence: Bool = false, probeBeforeTakeover: Bool = true,
        addressLeaseNs: Int64 = 3_000_000_000
    ) {
        self.name = name
        self.priority = priority
        self.version = version
        self.advertIntervalNs = advertIntervalNs
        self.preempt = preempt
        self.preemptDelayNs = preemptDelayNs
        self.members = members
        self.cables = cables
        self.hasFence = hasFence
        self.probeBeforeTakeover = probeBeforeTakeover
        self.addressLeaseNs = addressLeaseNs
    }

    /// More members than this do not fit into one heartbeat: see `PeerWord`.
    public static let membersMaxWithPool = 40

    /// Whether there is a heartbeat pool.
    public var hasPool: Bool { !cables.isEmpty }

    /// The protocol version of a member's adverts.
    package func version(of index: MemberIndex) -> Version { members[index].version ?? version }

    /// Whether anybody can be asked who has the virtual addresses: there are some.
    public var hasAddresses: Bool { members.contains { !$0.addresses.isEmpty } }
}

/// VRRP's version on the wire.
public enum Version: UInt8, Hashable, Sendable {
    /// RFC 3768: IPv4 only, whole seconds, no learning of the master's interval.
    case v2 = 2
    /// RFC 9568: IPv4 and IPv6, centiseconds.
    case v3 = 3
}

/// One leg of the group: a VRID on an interface.
public struct MemberConfiguration: Hashable, Sendable {
    /// The instance's name; across a reload a member is recognised by it.
    public var name: String
    /// The interface that carries its adverts and addresses, and whose link is watched.
    public var interface: String
    /// 1 to 255.
    public var vrid: UInt8
    /// The protocol version of its adverts; nil: the group's.
    public var version: Version?
    /// Whether its interface counts: a link that is down, a send that fails for that, or a leg that cannot be proven is a
    /// cause of FAULT.
    public var tracksInterface: Bool
    /// The virtual addresses that its adverts list, all of one family; the first one stands for the member in heartbeats.
    /// Empty: the member only takes part in the election.
    public var addresses: [IPAddress]
    /// The family of the member's adverts.
    public var family: IPAddress.Family
    /// Whether its adverts go to the peers' own addresses: these may be behind routers, where nobody can be asked for the
    /// virtual ones.
    public var isUnicast: Bool

    /// - Parameter family: nil: that of the addresses; IPv4, if there are none.
    public init(
        name: String, interface: String, vrid: UInt8, addresses: [IPAddress], family: IPAddress.Family? = nil,
        version: Version? = nil, isUnicast: Bool = false, tracksInterface: Bool = true
    ) {
        self.version = version
        self.tracksInterface = tracksInterface
        self.family = family ?? addresses.first?.family ?? .ipv4
        self.isUnicast = isUnicast
        self.name = name
        self.interface = interface
        self.vrid = vrid
        self.addresses = addresses
    }

    /// Whether hosts on the link can be asked who has its addresses.
    var isAskable: Bool { !isUnicast && !addresses.isEmpty }
}

/// One crossover cable of the pool: two one-way heartbeats, each with a VRID of its own.
public struct CableConfiguration: Hashable, Sendable {
    /// The heartbeat's name.
    public var name: String
    /// The interface at our end of the cable.
    public var interface: String
    /// The VRID of what we send.
    public var vrid: UInt8
    /// The VRID of what the peer sends.
    public var peerVrid: UInt8
    /// Time between two heartbeats, ours and the peer's.
    public var intervalNs: Int64
    /// The family the heartbeats travel in: IPv6 link-local unless chosen otherwise.
    public var family: IPAddress.Family

    public init(
        name: String, interface: String, vrid: UInt8, peerVrid: UInt8, intervalNs: Int64 = 100_000_000,
        family: IPAddress.Family = .ipv6
    ) {
        self.name = name
        self.interface = interface
        self.vrid = vrid
        self.peerVrid = peerVrid
        self.intervalNs = intervalNs
        self.family = family
    }
}

/// The constants of the rules. The search counts time in ticks and sets its own.
public struct Timing: Hashable, Sendable {
    /// How long a leg must have been unproven, while the peer's are proven, before it is `isolated`; and how long the
    /// peer's must have been unproven before it no longer is.
    public var isolationDelayNs: Int64 = 300_000_000
    /// Time between two probes of a leg whose doubt is young.
    public var probeIntervalNs: Int64 = 100_000_000
    /// How long a doubt is young.
    public var probeBurstNs: Int64 = 1_000_000_000
    /// Time between two probes of a leg that has been in doubt for longer.
    public var probeCalmIntervalNs: Int64 = 1_000_000_000
    /// How long an answer proves a leg in doubt.
    public var proofValidNs: Int64 = 3_000_000_000
    /// How long the answer to a probe of the virtual addresses is waited for, at most; never more than one advert
    /// interval.
    public var takeoverProbeNs: Int64 = 100_000_000
    /// When the winner of a collision announces a second time.
    public var announceAgainNs: Int64 = 1_000_000_000
    /// How long after a failure the fence program is tried again.
    public var fenceRetryNs: Int64 = 5_000_000_000
    /// A deadline missed by more than this, and by more than one advert interval, was slept through.
    public var sleepMinNs: Int64 = 200_000_000
    /// For how many down intervals a lesser holder is left alone to which we have yielded, without a cable.
    public var retreatHold: Int64 = 4
    /// For how many down intervals it is remembered that a lesser holder was yielded to, since one was last heard.
    public var retreatMemory: Int64 = 256
    /// The unit of a heartbeat's stamp.
    public var stampUnitNs: Int64 = 1_000

    public init() {}
}
