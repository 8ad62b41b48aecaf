/// What neighbours say of themselves: ARP (RFC 826), neighbour advertisements (RFC 4861) and echo replies (RFC 4443), read from
/// bytes that anybody on the link may have made up. Pure.
import Addresses

/// An ARP packet for IPv4 over Ethernet.
struct ARPPacket: Hashable {
    /// Whether it is a reply; else it is a request, or has an unknown operation code.
    var isReply: Bool
    /// The sender, and the address that it claims; 0.0.0.0 in a probe.
    var sender: IPAddress
    var senderMAC: MACAddress
    /// The target: whom it is sent to, or which address it asks for.
    var target: IPAddress
    var targetMAC: MACAddress

    /// nil: it is none.
    init?(_ packet: Span<UInt8>) {
        guard packet.count >= 28, packet[0] == 0, packet[1] == 1, packet[2] == 0x08, packet[3] == 0, packet[4] == 6,
            packet[5] == 4, packet[6] == 0, let sender = IPAddress(.ipv4, in: packet, at: 14),
            let target = IPAddress(.ipv4, in: packet, at: 24), let senderMAC = MACAddress(packet, at: 8),
            let targetMAC = MACAddress(packet, at: 18)
        else { return nil }
        isReply = packet[7] == 2
        self.sender = sender
        self.senderMAC = senderMAC
        self.target = target
        self.targetMAC = targetMAC
    }
}

/// A neighbour advertisement.
struct NeighbourAdvertisement: Hashable {
    /// It answers a solicitation of its receiver. (S)
    var isSolicited: Bool
    /// The address it is about.
    var target: IPAddress
    /// The link-layer address that it gives, if any.
    var targetMAC: MACAddress?
    /// Where the packet was sent to.
    var destination: IPAddress

    private static let icmpv6: UInt8 = 58
    private static let advertisement: UInt8 = 136

    /// nil: it is none, or it has crossed a router.
    init?(_ packet: Span<UInt8>) {
        guard packet.count >= 64, packet[6] == Self.icmpv6, packet[7] == 255, packet[40] == Self.advertisement,
            packet[41] == 0, let destination = IPAddress(.ipv6, in: packet, at: 24),
            let target = IPAddress(.ipv6, in: packet, at: 48)
        else { return nil }
        isSolicited = packet[44] & 0x40 != 0
        self.target = target
        self.destination = destination
        // Target link-layer address, of one unit of eight octets; the first option, as every system sends it.
        if packet.count >= 72, packet[64] == 2, packet[65] == 1 { targetMAC = MACAddress(packet, at: 66) }
    }
}

/// An ICMPv6 echo reply.
struct EchoReply: Hashable {
    var source: IPAddress
    var destination: IPAddress
    var identifier: UInt16

    /// nil: it is none.
    init?(_ packet: Span<UInt8>) {
        guard packet.count >= 48, packet[6] == 58, packet[40] == 129, packet[41] == 0,
            let source = IPAddress(.ipv6, in: packet, at: 8), let destination = IPAddress(.ipv6, in: packet, at: 24),
            source.isUnicast
        else { return nil }
        self.source = source
        self.destination = destination
        identifier = UInt16(packet[44]) << 8 | UInt16(packet[45])
    }
}
