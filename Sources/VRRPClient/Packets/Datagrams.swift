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

extension PacketCraft {
    /// An advert of an instance.
    static func advert(
        of instance: VRRPConfiguration.Instance, version: Version, intervalNs: Int64, priority: UInt8,
        source: IPAddress, destination: IPAddress
    ) -> [UInt8] {
        let advert = Advert(
            version: version, vrid: instance.vrid, priority: priority, intervalNs: intervalNs,
            addresses: instance.addresses.map { $0.address }, source: source,
            checksumForm: instance.checksum == .message ? .message : .pseudoHeader)
        let password = instance.authPass.map { Array($0.utf8) }
        let message = AdvertCodec.encode(advert, destination: destination, password: password)
        return datagram(message, source: source, destination: destination)
    }

    /// A heartbeat, made by `HeartbeatCodec`.
    static func heartbeat(_ advert: Advert) -> [UInt8] {
        let group = AdvertCodec.group(advert.source.family)
        return datagram(AdvertCodec.encode(advert, destination: group), source: advert.source, destination: group)
    }
}
