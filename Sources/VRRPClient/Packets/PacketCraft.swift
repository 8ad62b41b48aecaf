/// The packets that are sent beside VRRP's own message: IP headers around it, ARP (RFC 826, 5227) and neighbour discovery
/// (RFC 4861). Pure: values in, bytes out.
import Addresses
import VRRP

enum PacketCraft {
    static let broadcastMAC: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
    private static let icmpv6: UInt8 = 58
    private static let solicitation: UInt8 = 135
    private static let advertisement: UInt8 = 136
    /// ff02::1
    static let allNodes = IPAddress(ipv6High: 0xff02_0000_0000_0000, low: 1)

    /// The MAC address that a multicast address maps to (RFC 1112, 6.4; RFC 2464, 7).
    static func multicastMAC(_ group: IPAddress) -> [UInt8] {
        let tail = group.bytes.suffix(group.family == .ipv4 ? 3 : 4)
        return group.family == .ipv4
            ? [0x01, 0x00, 0x5e, tail[tail.startIndex] & 0x7f] + tail.dropFirst() : [0x33, 0x33] + tail
    }

    // MARK: VRRP

    /// A VRRP message with its IP header: class of service "internetwork control".
    ///
    /// - Parameter seal: with which an authentication header is put between the two; nil, or another kind: none is.
    static func datagram(
        _ message: [UInt8], source: IPAddress, destination: IPAddress, hopLimit: UInt8 = 255, seal: AdvertSeal? = nil
    ) -> [UInt8] {
        guard let seal, seal.isHeader else {
            return datagram(
                message, protocol: AdvertCodec.ipProtocol, source: source, destination: destination, hopLimit: hopLimit)
        }
        var packet = datagram(
            message, protocol: AdvertCodec.authenticationProtocol, source: source, destination: destination,
            hopLimit: hopLimit, extra: AdvertSeal.headerOctets, identification: Int(seal.identification))
        seal.addHeader(to: &packet)
        return packet
    }

    /// - Parameters:
    ///   - extra: octets that are put before the message later, with IPv4.
    ///   - identification: with IPv4; 0: the kernel chooses.
    private static func datagram(
        _ message: [UInt8], protocol number: UInt8, source: IPAddress, destination: IPAddress, hopLimit: UInt8 = 255,
        extra: Int = 0, identification: Int = 0
    ) -> [UInt8] {
        var packet: [UInt8] = []
        packet.reserveCapacity(40 + extra + message.count)
        switch source.family {
        case .ipv4:
            packet += [0x45, 0xc0]
            packet += be16(20 + extra + message.count)
            packet += be16(identification)
            packet += [0x40, 0, hopLimit, number, 0, 0]
            source.append(to: &packet)
            destination.append(to: &packet)
            packet.replaceSubrange(10..<12, with: be16(Int(checksum(packet[0..<20]))))
        case .ipv6:
            packet += [0x6c, 0, 0, 0]
            packet += be16(message.count)
            packet += [number, hopLimit]
            source.append(to: &packet)
            destination.append(to: &packet)
        }
        return packet + message
    }

    // MARK: ARP

    /// A broadcast request in which sender and target are the same: whoever knows the address learns who has it now.
    static func gratuitousARP(_ address: IPAddress, mac: [UInt8]) -> [UInt8] {
        arpRequest(sender: address, senderMAC: mac, target: address)
    }

    /// Who has `target`? `sender` 0.0.0.0: a probe of RFC 5227, which changes nobody's table.
    static func arpRequest(sender: IPAddress, senderMAC: [UInt8], target: IPAddress) -> [UInt8] {
        var packet: [UInt8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1]
        packet += senderMAC
        packet += sender.bytes
        packet += [UInt8](repeating: 0, count: 6)
        packet += target.bytes
        return packet
    }

    // MARK: Neighbour discovery

    /// Tells all nodes who has the address: R=1, S=0, O=1 (RFC 9568, 8.2.2).
    static func unsolicitedAdvertisement(_ address: IPAddress, mac: [UInt8]) -> [UInt8] {
        var message: [UInt8] = [advertisement, 0, 0, 0, 0xa0, 0, 0, 0]
        address.append(to: &message)
        message += [2, 1] + mac
        return icmp(message, source: address, destination: allNodes)
    }

    /// Who has `target`? The answer comes to `source` alone.
    static func solicitation(source: IPAddress, mac: [UInt8], target: IPAddress) -> [UInt8] {
        var message: [UInt8] = [solicitation, 0, 0, 0, 0, 0, 0, 0]
        target.append(to: &message)
        message += [1, 1] + mac
        return icmp(message, source: source, destination: solicitedNode(target))
    }

    /// Who is there? Each node that hears it answers (RFC 4443, 4.1; a host may be told not to).
    static func echoRequest(source: IPAddress, identifier: UInt16) -> [UInt8] {
        icmp([128, 0, 0, 0] + be16(Int(identifier)) + [0, 1], source: source, destination: allNodes)
    }

    /// ff02::1:ffXX:XXXX (RFC 4291, 2.7.1).
    static func solicitedNode(_ target: IPAddress) -> IPAddress {
        IPAddress(ipv6High: 0xff02_0000_0000_0000, low: 0x0000_0001_ff00_0000 | target.low & 0xff_ffff)
    }

    private static func icmp(_ message: [UInt8], source: IPAddress, destination: IPAddress) -> [UInt8] {
        var message = message
        let pseudo = source.bytes + destination.bytes + [0, 0] + be16(message.count) + [0, 0, 0, icmpv6]
        message.replaceSubrange(2..<4, with: be16(Int(checksum((pseudo + message)[...]))))
        return datagram(message, protocol: icmpv6, source: source, destination: destination)
    }

    // MARK: Numbers

    private static func be16(_ number: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
    }

    /// RFC 1071.
    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() { sum &+= index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte) }
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}
