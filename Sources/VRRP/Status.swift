/// The group as it is published; built when somebody asks.
import Addresses

public struct GroupStatus: Hashable, Sendable {
    /// The published state.
    public var state: GroupState
    /// The effective priority: configured, weighted, clamped; in FAULT it is what it would be.
    public var priority: UInt8
    /// Adverts are sent and the peer's release is waited for.
    public var isClaiming = false
    /// Whether the kernel lists a virtual address of any member.
    public var isHolding = false
    /// Everything that is wrong, hard and soft, in order of their text.
    public var causes: [Cause] = []
    /// What else an operator should know.
    public var conditions: [Condition] = []
    /// The members, in the configuration's order.
    public var members: [MemberStatus] = []
    /// The peer, as heartbeats tell; nil: no pool or never heard.
    public var peer: PeerStatus?
    /// When the published state last changed, by the clock of `Engine.handle`.
    public var sinceNs: Int64 = 0
    /// When the next advert is sent; nil unless master or claiming.
    public var advertAtNs: Int64?
    /// Counters.
    public var statistics = GroupStatistics()
}

/// One member as it is published.
public struct MemberStatus: Hashable, Sendable {
    /// The instance's name.
    public var name: String
    /// The address its adverts are sent from.
    public var primaryAddress: IPAddress?
    /// Whether the kernel lists a virtual address of the member.
    public var isHolding = false
    /// Whether another router's advert was heard within its down interval.
    public var isHeard = false
    /// Whether the leg is proven to work.
    public var isProven = false
    /// When the down timer runs out; nil when it has, or as master.
    public var downAtNs: Int64?
    /// The interval learned from the master in force.
    public var masterIntervalNs: Int64
    /// The last router heard.
    public var lastSource: IPAddress?
    /// Its priority.
    public var lastPriority: UInt8 = 0
    /// The checksum form it uses (version 3 over IPv4).
    public var checksumForm: ChecksumForm?
    /// Counters.
    public var statistics = MemberStatistics()
}

/// The peer as its heartbeats tell.
public struct PeerStatus: Hashable, Sendable {
    /// Its newest heartbeat.
    public var word: PeerWord
    /// Whether that heartbeat is younger than three intervals.
    public var isFresh: Bool
    /// Per cable: whether a heartbeat arrived within three intervals.
    public var cables: [Bool]
}

/// Counters of one group. They are no part of the engine's state: two engines that differ in these alone are equal.
public struct GroupStatistics: Hashable, Sendable {
    /// Times the group became master.
    public var becameMaster: UInt64 = 0
    /// Times it left master.
    public var leftMaster: UInt64 = 0
    /// Heartbeats accepted.
    public var heartbeatsReceived: UInt64 = 0
    /// Heartbeats asked for.
    public var heartbeatsSent: UInt64 = 0
    /// Heartbeats of our own that came back.
    public var heartbeatEchoes: UInt64 = 0
    /// Heartbeats that were older than the newest.
    public var heartbeatsStale: UInt64 = 0

    public init() {}
}

/// Counters of one member.
public struct MemberStatistics: Hashable, Sendable {
    /// Adverts that reached the state machine.
    public var advertsReceived: UInt64 = 0
    /// Adverts asked for.
    public var advertsSent: UInt64 = 0
    /// Adverts of priority 0 received.
    public var resignationsReceived: UInt64 = 0
    /// Adverts of priority 0 asked for.
    public var resignationsSent: UInt64 = 0
    /// Adverts that came from our own address.
    public var ownAddressReceived: UInt64 = 0
    /// IPv6 adverts whose first address is not link-local (RFC 9568, 5.2.9).
    public var firstNotLinkLocalReceived: UInt64 = 0

    public init() {}
}
