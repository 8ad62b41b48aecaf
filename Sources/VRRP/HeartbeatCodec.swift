/// A heartbeat's content as the address list of a version 3 advert, and back.
///
///     identity, stamp, holds..., ::, hears..., [peer's identity], ::, proven..., sources...
///
/// The identity comes first, so over IPv6 the first address is link-local, as RFC 9568 wants it. The stamp says when
/// the heartbeat was sent, so that one that was overtaken on another cable is known as old; the highest stamp marks a
/// last word. Over IPv6 it is an address of the discard-only prefix 100::/64 (RFC 6666), over IPv4 one of the reserved
/// block 240.0.0.0/4. Neither can be a virtual address, and no router acts on what an advert lists. An IPv4 member is
/// listed IPv4-mapped in an IPv6 heartbeat; an IPv6 member cannot be listed in an IPv4 heartbeat, and the configuration
/// refuses that. A member without virtual addresses is listed by its family and VRID: as 100::1:0:F:VRID, or 240.0.F.VRID,
/// with F 0 for IPv4 and 1 for IPv6.
///
/// The sources of adverts are part of the last list: an older daemon ignores addresses there that are not virtual ones.
/// A daemon that knows sources takes every address there that is none of its own virtual addresses for a source.
///
/// With 40 members holding and hearing at once there is no room for every proven leg in one Ethernet frame, so that list is
/// cut; a leg that is not listed counts as unproven, which makes the peer less eager, never more. Sources are listed all or
/// none: a router of which one is missing would be taken for a stranger.
import Addresses

public enum HeartbeatCodec {
    /// Addresses in a heartbeat, at most: (1500 - 40 - 8) / 16, one Ethernet frame over IPv6.
    public static let addressesMax = 90

    private static let stampBits: UInt32 = 0x0fff_ffff
    /// The stamp that marks a last word.
    private static let lastStamp = stampBits
    private static let discardPrefix: UInt64 = 0x0100_0000_0000_0000
    private static let reservedBlock: UInt32 = 0xf000_0000

    /// The heartbeat that carries `word` over a cable of the given configuration. `peerIdentity` is listed when `word`
    /// says that the peer's heartbeats are heard.
    public static func advert(
        _ word: PeerWord, cable: CableConfiguration, source: IPAddress, peerIdentity: IPAddress?,
        members: [MemberConfiguration]
    ) -> Advert {
        let family = cable.family
        let separator = family == .ipv6 ? IPAddress(ipv6High: 0, low: 0) : IPAddress(ipv4: 0)
        func list(_ set: MemberSet) -> [IPAddress] {
            members.places.filter(set.contains(member:)).compactMap { listed(members[$0], family: family) }
        }
        let stamp = word.isLast ? lastStamp : min(word.stamp, lastStamp - 1)
        var addresses = [word.identity, stampAddress(stamp, family: family)]
        addresses += list(word.holds) + [separator] + list(word.hears)
        if word.hearsHeartbeat, let peerIdentity { addresses.append(peerIdentity) }
        addresses += [separator] + list(word.proven)
        let sources = word.sources.compactMap { listed($0, family: family) }
        if addresses.count + sources.count <= addressesMax { addresses += sources }
        return Advert(
            vrid: cable.vrid, priority: word.priority, intervalNs: cable.intervalNs,
            addresses: Array(addresses.prefix(addressesMax)), source: source)
    }

    /// The content of a heartbeat; nil when the advert is not one. Addresses of members that we do not have are
    /// ignored.
    public static func word(
        _ advert: Advert, ownIdentity: IPAddress?, members: [MemberConfiguration]
    ) -> PeerWord? {
        guard advert.addresses.count >= 4, let stamp = stamp(advert.addresses[1]) else { return nil }
        let family = advert.source.family
        let lists = advert.addresses[2...].split(omittingEmptySubsequences: false, whereSeparator: \.isUnspecified)
        guard lists.count == 3 else { return nil }
        func set(_ list: ArraySlice<IPAddress>) -> MemberSet {
            var set: MemberSet = []
            for index in members.places {
                if let address = listed(members[index], family: family), list.contains(address) {
                    set.insert(MemberSet(member: index))
                }
            }
            return set
        }
        let virtual = Set(members.compactMap { listed($0, family: family) })
        var word = PeerWord(
            priority: advert.priority, identity: advert.addresses[0], stamp: stamp, holds: set(lists[0]),
            hears: set(lists[1]), hearsHeartbeat: ownIdentity.map(lists[1].contains) ?? false, proven: set(lists[2]),
            sources: lists[2].filter { !virtual.contains($0) }.map(\.unmapped))
        word.isLast = stamp == lastStamp
        word.intervalNs = advert.intervalNs
        return word
    }

    /// How a member is listed in a heartbeat of the family; nil: it cannot be.
    static func listed(_ member: MemberConfiguration, family: IPAddress.Family) -> IPAddress? {
        if let address = member.addresses.first { return listed(address, family: family) }
        let isIPv6: UInt32 = member.family == .ipv6 ? 1 : 0
        let vrid = UInt32(member.vrid)
        return family == .ipv6
            ? IPAddress(ipv6High: discardPrefix, low: 1 << 32 | UInt64(isIPv6 << 16 | vrid))
            : IPAddress(ipv4: reservedBlock | isIPv6 << 8 | vrid)
    }

    private static func listed(_ address: IPAddress, family: IPAddress.Family) -> IPAddress? {
        if family == .ipv6 { return address.mapped }
        return address.family == .ipv4 ? address : nil
    }

    private static func stampAddress(_ stamp: UInt32, family: IPAddress.Family) -> IPAddress {
        family == .ipv6
            ? IPAddress(ipv6High: discardPrefix, low: UInt64(stamp & stampBits))
            : IPAddress(ipv4: reservedBlock | stamp & stampBits)
    }

    /// Whether an address is one that only heartbeats list, the second of theirs.
    public static func isStamp(_ address: IPAddress) -> Bool { stamp(address) != nil }

    private static func stamp(_ address: IPAddress) -> UInt32? {
        switch address.family {
        case .ipv6: address.high == discardPrefix && address.low <= stampBits ? UInt32(address.low) : nil
        case .ipv4: address.low >> 28 == 0xf ? UInt32(address.low) & stampBits : nil
        }
    }
}
