/// Packets byte by byte, against RFC 826, 4861 and 9568; and what is decided without a socket.
import Addresses
import RtnlMonitor
import Testing
import VRRP

@testable import VRRPClient

private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

@Suite struct PacketCraftTests {
    private let mac: [UInt8] = [0x02, 0, 0, 0, 0, 1]

    @Test func gratuitousARP() throws {
        #expect(
            hex(PacketCraft.gratuitousARP(try address("192.0.2.1"), mac: mac))
                == "0001080006040001"  // Ethernet, IPv4, lengths, request
                + "020000000001" + "c0000201"  // sender
                + "000000000000" + "c0000201")  // target: itself
    }

    @Test func unsolicitedAdvertisement() throws {
        let packet = PacketCraft.unsolicitedAdvertisement(try address("fe80::1"), mac: mac)
        #expect(
            hex(Array(packet[..<40]))
                == "6c000000" + "0020" + "3aff"  // class, length 32, ICMPv6, hop limit 255
                + "fe800000000000000000000000000001" + "ff020000000000000000000000000001")
        #expect(hex(Array(packet[40..<42])) == "8800")
        // R and O, not S.
        #expect(hex(Array(packet[44...])) == "a0000000" + "fe800000000000000000000000000001" + "0201020000000001")
        let pseudo = Array(packet[8..<40]) + [0, 0, 0, 32, 0, 0, 0, 58]
        #expect(PacketCraft.checksum((pseudo + packet[40...])[...]) == 0)
        let read = NeighbourAdvertisement(packet.span)
        let target = try address("fe80::1")
        #expect(read?.target == target && read?.targetMAC == MACAddress(mac))
        #expect(read?.isSolicited == false)
    }

    @Test func anAdvertThatWeSendIsOneThatWeWouldTake() throws {
        for (source, group) in [("192.0.2.2", AdvertCodec.ipv4Group), ("fe80::2", AdvertCodec.ipv6Group)] {
            let source = try address(source)
            let advert = Advert(vrid: 7, priority: 100, intervalNs: 1_000_000_000, addresses: [source], source: source)
            let packet = PacketCraft.datagram(
                AdvertCodec.encode(advert, destination: group), source: source, destination: group)
            if source.family == .ipv4 { #expect(PacketCraft.checksum(packet[..<20]) == 0) }
            let header = try IPHeader(source.family, packet: packet.span)
            #expect(header.hopLimit == 255)
            #expect(try AdvertCodec.decode(packet.span, header: header) { _ in AdvertExpectation() } == advert)
        }
    }

    @Test func multicastAddressesMapToTheirMACs() throws {
        #expect(hex(PacketCraft.multicastMAC(AdvertCodec.ipv4Group)) == "01005e000012")
        #expect(hex(PacketCraft.multicastMAC(AdvertCodec.ipv6Group)) == "333300000012")
        #expect(
            hex(PacketCraft.multicastMAC(PacketCraft.solicitedNode(try address("2001:db8::12:3456")))) == "3333ff123456"
        )
    }

    @Test func whatIsCutShortIsNoAnswer() throws {
        let arp = PacketCraft.arpRequest(sender: .any(.ipv4), senderMAC: mac, target: try address("192.0.2.1"))
        let read = ARPPacket(arp.span)
        let target = try address("192.0.2.1")
        #expect(read?.senderMAC == MACAddress(mac) && read?.target == target && read?.isReply == false)
        for length in 0..<arp.count { #expect(ARPPacket(Array(arp[..<length]).span) == nil) }
        let advertisement = PacketCraft.unsolicitedAdvertisement(try address("fe80::1"), mac: mac)
        for length in 0..<64 { #expect(NeighbourAdvertisement(Array(advertisement[..<length]).span) == nil) }
        #expect(NeighbourAdvertisement(Array(advertisement[..<71]).span)?.targetMAC == nil)
    }
}

@Suite struct MACAddressTests {
    @Test func isSixOctetsInTheirOrder() throws {
        let mac = try #require(MACAddress([0x02, 0, 0x5e, 0, 0x01, 0x0a]))
        #expect(mac.description == "02:00:5e:00:01:0a" && mac == MACAddress(number: 0x0200_5e00_010a))
        #expect(MACAddress([1, 2, 3, 4, 5]) == nil)
    }
}

@Suite struct ChoiceTests {
    @Test func refusesWhatIsNotToBeAccepted() throws {
        #expect(AcceptTable.script([]) == "add table inet linkwatch_vrrp; delete table inet linkwatch_vrrp;")
        let script = AcceptTable.script([try address("192.0.2.1"), try address("fe80::1")])
        #expect(script.contains("ip daddr { 192.0.2.1 } drop;"))
        // Neighbour discovery is answered before the rest is dropped.
        #expect(script.contains("ip6 daddr { fe80::1 } icmpv6 type { 135, 136 } accept; ip6 daddr { fe80::1 } drop;"))
    }
}
