/// The record's lines: what is written is read again, and nothing else is.
import Addresses
import Testing
import VRRP

@testable import VRRPClient

@Suite struct LegacyTests {
    private let address = IPAddress(ipv4: 0xc000_0201)
    private let source = IPAddress(ipv4: 0xc000_020b)

    private func packet(priority: UInt8, version: Version = .v3) -> [UInt8] {
        let group = AdvertCodec.group(.ipv4)
        let advert = Advert(
            version: version, vrid: 10, priority: priority, intervalNs: 1_000_000_000, addresses: [address],
            source: source, checksumForm: .pseudoHeader)
        let message = AdvertCodec.encode(advert, destination: group)
        return PacketCraft.datagram(message, source: source, destination: group)
    }

    private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

    @Test(arguments: [Version.v2, .v3]) func aResignationIsReadAgain(_ version: Version) {
        let last = Resignation(interface: "eth0.100", address: address, packet: packet(priority: 0, version: version))
        #expect(Resignation(words: words(last.line)) == last)
        let bare = Resignation(interface: "eth0", address: nil, packet: last.packet)
        #expect(Resignation(words: words(bare.line)) == bare && words(bare.line)[2] == "-")
    }

    @Test func nothingElseIsSaidForAnybody() {
        let serving = Resignation(interface: "eth0", address: address, packet: packet(priority: 100))
        #expect(Resignation(words: words(serving.line)) == nil)
        let whole = Resignation(interface: "eth0", address: address, packet: packet(priority: 0))
        let digits = words(whole.line)[3]
        for length in 0..<digits.count {
            let cut = ["resign", "eth0", "192.0.2.1", String(digits.prefix(length))]
            #expect(Resignation(words: cut) == nil)
        }
        #expect(Resignation(words: ["resign", "eth0", "192.0.2.1", digits + "00"]) == nil)
        #expect(Resignation(words: ["resign", "eth0", "192.0.2.1", "zz" + digits.dropFirst(2)]) == nil)
        #expect(Resignation(words: ["resign", "eth0", "nobody", digits]) == nil)
        // Of another protocol.
        var other = packet(priority: 0)
        other[9] = 17
        let foreign = Resignation(interface: "eth0", address: address, packet: other)
        #expect(Resignation(words: words(foreign.line)) == nil)
    }

    @Test func aSwitchIsReadAgainIfItIsOneThatIsBorrowed() {
        let borrowed = BorrowedSwitch(ifindex: 3, need: .arpIgnore, original: 0, written: 1)
        #expect(borrowed.line == "sysctl arp_ignore 3 0 1")
        #expect(BorrowedSwitch(words: words(borrowed.line)) == borrowed)
        for line in [
            "sysctl rp_filter 3 0 1", "sysctl ../../../kernel/panic 3 0 1", "sysctl arp_ignore x 0 1",
            "sysctl arp_ignore 3 0", "sysctl arp_ignore 3 0 1 2",
        ] {
            #expect(BorrowedSwitch(words: words(line)) == nil)
        }
    }

    @Test func theRunnerIsToldInTheSameWords() {
        let borrowed = BorrowedSwitch(ifindex: 3, need: .arpAnnounce, original: 0, written: 2)
        for isOver in [false, true] {
            let request = RunnerRequest.borrowed(borrowed, isOver: isOver)
            #expect(RunnerRequest(request.encoded()) == request)
        }
    }

    @Test func aNeedIsMetByWhatDoesAsWell() {
        #expect([0, 1, 2, 3, 8].map(SwitchNeed.arpIgnore.isMet) == [false, true, true, false, true])
        #expect([0, 1, 2].map(SwitchNeed.arpAnnounce.isMet) == [false, false, true])
    }

    @Test func aMembershipIsFoundByNumberAndGroup() {
        let text = """
            1    lo              ff020000000000000000000000000001     1 0000000C 0
            12   eth0            ff020000000000000000000000000012     1 00000004 0
            """
        let group = AdvertCodec.group(.ipv6)
        #expect(Memberships.lists(group, on: 12, in: text))
        #expect(!Memberships.lists(group, on: 1, in: text))
        #expect(!Memberships.lists(group, on: 2, in: text))
    }
}
