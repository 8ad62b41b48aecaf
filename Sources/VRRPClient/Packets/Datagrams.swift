/// Adverts and heartbeats as they are sent, with their IP header: for this process, and for the runner that resigns in
/// place of a dead one.
import Addresses
import Configuration
import VRRP

extension VRRPConfiguration.Instance {
    /// The multicast group of its adverts.
    var group: IPAddress { multicastGroup ?? AdvertCodec.group(family) }

    /// Where its adverts go: to the group, or to every unicast peer.
    var destinations: [IPAddress] { unicastPeers.isEmpty ? [group] : unicastPeers }
}

extension VRRPConfiguration.Instance {
    /// The lowest TTL or hop limit that is accepted.
    var expectedHopLimit: UInt8 { unicastPeers.isEmpty ? 255 : leastHopLimit }

    /// The password in the text of version 2.
    var password: [UInt8]? { authType == .pass ? authPass.map { Array($0.utf8) } : nil }

    /// What its adverts are signed with; nil: nothing.
    func seal(of group: VRRPConfiguration.Group) -> AdvertSeal? {
        if authType == .ah, let authPass {
            return AdvertSeal(.header(key: Array(authPass.utf8), isUnicast: !unicastPeers.isEmpty))
        }
        guard let hmac = authHMAC else { return nil }
        let windowNs = hmac.windowNs ?? max(5_000_000_000, 3 * group.advertIntervalNs)
        return AdvertSeal(
            .trailer(
                AdvertSeal.Trailer(
                    keys: Dictionary(hmac.keys.map { ($0.id, $0.octets) }) { first, _ in first },
                    activeKey: hmac.activeKey ?? hmac.keys.first?.id ?? 0,
                    mode: AdvertSeal.Trailer.Mode(rawValue: hmac.mode.rawValue) ?? .enforce,
                    windowSeconds: hmac.replay == .time ? windowNs / 1_000_000_000 : nil)))
    }
}

extension PacketCraft {
    /// An advert of an instance.
    ///
    /// - Parameter seal: that of the instance, with the sequence to be sent; nil: it has none.
    static func advert(
        of instance: VRRPConfiguration.Instance, version: Version, intervalNs: Int64, priority: UInt8,
        source: IPAddress, destination: IPAddress, seal: AdvertSeal?
    ) -> [UInt8] {
        let advert = Advert(
            version: version, vrid: instance.vrid, priority: priority, intervalNs: intervalNs,
            addresses: instance.advertised, source: source,
            checksumForm: instance.checksum == .message ? .message : .pseudoHeader)
        let message = AdvertCodec.encode(advert, destination: destination, password: instance.password, seal: seal)
        let hopLimit = instance.unicastPeers.isEmpty ? 255 : instance.unicastHopLimit
        return datagram(message, source: source, destination: destination, hopLimit: hopLimit, seal: seal)
    }

    /// A heartbeat, made by `HeartbeatCodec`.
    static func heartbeat(_ advert: Advert) -> [UInt8] {
        let group = AdvertCodec.group(advert.source.family)
        return datagram(AdvertCodec.encode(advert, destination: group), source: advert.source, destination: group)
    }
}
