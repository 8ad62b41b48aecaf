/// The content of a heartbeat: what one director says of itself over a cable.
///
/// A heartbeat is an ordinary version 3 advert that any dissector reads. Its priority is the sender's effective priority, 0
/// when it is unable or leaving. Its address list carries the rest: who the sender is, when it spoke, and three lists
/// separated by an unspecified address: what it holds, what it hears, and what it has proven, with the addresses that its
/// adverts come from. A member is listed by its first virtual address. `HeartbeatCodec` translates between list and value.
import Addresses

public struct PeerWord: Hashable, Sendable {
    /// The sender's effective priority; 0: unable or leaving.
    public var priority: UInt8
    /// The sender's identity: its address on the first cable of its pool, the same on every cable. It is the pool's
    /// tie-break.
    public var identity: IPAddress
    /// When the heartbeat was sent, on the sender's clock, in microseconds modulo 2^28. It only orders heartbeats of
    /// one sender.
    public var stamp: UInt32
    /// Whether this is a last word: prepared in advance, and sent by the runner when the director's process has died.
    /// It is newer than any heartbeat of that process, older than any of its successor's, and has no stamp.
    public var isLast = false
    /// Members whose virtual addresses are in the sender's kernel.
    public var holds: MemberSet
    /// Members on which the sender hears our adverts; those of another router are no sign that it hears us.
    public var hears: MemberSet
    /// Whether the sender hears our heartbeats.
    public var hearsHeartbeat: Bool
    /// Members whose leg is proven; none while the sender has a soft cause.
    public var proven: MemberSet
    /// The addresses that the sender's adverts come from; empty: it does not say, as daemons before this one do not.
    public var sources: [IPAddress]
    /// The sender's heartbeat interval; 0: unknown.
    public var intervalNs: Int64 = 0

    public init(
        priority: UInt8, identity: IPAddress, stamp: UInt32 = 0, holds: MemberSet = [], hears: MemberSet = [],
        hearsHeartbeat: Bool = false, proven: MemberSet = [], sources: [IPAddress] = []
    ) {
        self.sources = sources
        self.priority = priority
        self.identity = identity
        self.stamp = stamp
        self.holds = holds
        self.hears = hears
        self.hearsHeartbeat = hearsHeartbeat
        self.proven = proven
    }
}

/// A set of members of a group with a pool, by index: 64 at most, of which `GroupConfiguration.membersMaxWithPool` are used.
public struct MemberSet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The set of one member; empty when the index is out of range.
    public init(member index: MemberIndex) {
        rawValue = (0..<64).contains(index.number) ? 1 << UInt64(index.number) : 0
    }

    /// All members below `count`.
    public static func first(_ count: Int) -> MemberSet {
        MemberSet(rawValue: count >= 64 ? .max : (1 << UInt64(max(0, count))) - 1)
    }

    /// Whether the member is in the set.
    public func contains(member index: MemberIndex) -> Bool {
        contains(MemberSet(member: index)) && (0..<64).contains(index.number)
    }
}
