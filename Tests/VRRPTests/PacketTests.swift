import Addresses
import Foundation
import Testing

@testable import VRRP

/// One packet and what is to be thought of it: `Tests/vectors/vrrp.json`, collected from other implementations.
struct Vector: Decodable, CustomTestStringConvertible {
    struct Expected: Decodable {
        var verdict: String
        var reason: String?
        var vrid: Int?
        var priority: Int?
        var adver_int_s: Int64?
        var max_adver_int_cs: Int64?
        var addresses: [String]?
        var rfc9568_errata_8300: String?
        var lenient_rfc5798: String?
    }
    struct Config: Decodable {
        var v2_interval_s: Int64?
        var auth: String?
    }
    struct File: Decodable { var vectors: [Vector] }

    var name: String
    var hex: String
    var src: String
    var dst: String
    var version: UInt8
    var af: String
    var ttl: UInt8
    var expected: Expected
    var config: Config?
    var checksum_matches: String

    var testDescription: String { name }

    static let all: [Vector] = {
        let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../vectors/vrrp.json")
        let data = try? Data(contentsOf: url)
        return data.flatMap { try? JSONDecoder().decode(File.self, from: $0) }?.vectors ?? []
    }()

    var octets: [UInt8] {
        var octets: [UInt8] = []
        var rest = hex[...]
        while let octet = UInt8(rest.prefix(2), radix: 16), rest.count >= 2 {
            octets.append(octet)
            rest = rest.dropFirst(2)
        }
        return octets
    }

    func expectation(requiresLinkLocal: Bool = true) throws -> AdvertExpectation {
        AdvertExpectation(
            version: try #require(Version(rawValue: version)), intervalNs: (config?.v2_interval_s ?? 1) * 1_000_000_000,
            password: config?.auth.flatMap { $0.hasPrefix("PASS ") ? Array($0.dropFirst(5).utf8) : nil },
            requiresLinkLocal: requiresLinkLocal)
    }

    func decode(requiresLinkLocal: Bool = true) throws -> Advert {
        let octets = octets
        let header = IPHeader(
            source: try #require(IPAddress(src)), destination: try #require(IPAddress(dst)), hopLimit: ttl,
            payload: 0..<octets.count)
        let expectation = try expectation(requiresLinkLocal: requiresLinkLocal)
        return try AdvertCodec.decode(octets.span, header: header) { _ in expectation }
    }
}

struct PacketTests {
    @Test func vectorsAreThere() { #expect(Vector.all.count >= 25) }

    @Test(arguments: Vector.all) func vectorGivesItsVerdict(_ vector: Vector) throws {
        switch vector.expected.verdict {
        case "accept": try expectAccepted(vector)
        case "discard":
            let discard = try #require(Discard(rawValue: vector.expected.reason ?? ""))
            #expect(throws: discard) { try vector.decode() }
        default:
            #expect(vector.expected.rfc9568_errata_8300 == "discard first_address_not_link_local")
            let source = try #require(IPAddress(vector.src))
            if !source.isLinkLocal { #expect(throws: Discard.source) { try vector.decode() } }
            #expect(vector.expected.lenient_rfc5798 == "accept")
            try expectAccepted(vector, requiresLinkLocal: false)
        }
    }

    private func expectAccepted(_ vector: Vector, requiresLinkLocal: Bool = true) throws {
        let advert = try vector.decode(requiresLinkLocal: requiresLinkLocal)
        #expect(advert.version.rawValue == vector.version)
        if let vrid = vector.expected.vrid { #expect(Int(advert.vrid) == vrid) }
        if let priority = vector.expected.priority { #expect(Int(advert.priority) == priority) }
        if let seconds = vector.expected.adver_int_s { #expect(advert.intervalNs == seconds * 1_000_000_000) }
        if let cs = vector.expected.max_adver_int_cs { #expect(advert.intervalNs == cs * 10_000_000) }
        if let addresses = vector.expected.addresses { #expect(advert.addresses.map(\.description) == addresses) }
        #expect(advert.checksumForm == (vector.checksum_matches == "M" ? .message : .pseudoHeader))
        // What we would send in its place is the same, octet for octet.
        let password = try vector.expectation().password
        #expect(
            AdvertCodec.encode(advert, destination: try #require(IPAddress(vector.dst)), password: password)
                == vector.octets)
    }

    // MARK: Each check, and their order

    private enum Verdict: Equatable {
        case accepted(Advert)
        case refused(Discard)

        var isRefused: Bool { if case .refused = self { true } else { false } }
    }

    private let sender = IPAddress(ipv4: 0xc000_02fb)
    private var advert: Advert {
        Advert(
            vrid: 10, priority: 200, intervalNs: 1_000_000_000, addresses: [IPAddress(ipv4: 0xc000_0201)],
            source: sender)
    }

    private func verdict(
        _ octets: [UInt8], hopLimit: UInt8 = 255, destination: IPAddress = AdvertCodec.ipv4Group,
        expecting: AdvertExpectation = AdvertExpectation()
    ) -> Verdict {
        let header = IPHeader(
            source: sender, destination: destination, hopLimit: hopLimit, payload: 0..<octets.count)
        do {
            return .accepted(
                try AdvertCodec.decode(octets.span, header: header) { $0 == 10 ? expecting : nil })
        } catch {
            return .refused(error)
        }
    }

    private var octets: [UInt8] { AdvertCodec.encode(advert, destination: AdvertCodec.ipv4Group) }

    @Test func wholeIsAccepted() { #expect(verdict(octets) == .accepted(advert)) }

    @Test func routedIsRefusedFirst() {
        #expect(verdict([], hopLimit: 254) == .refused(.hopLimit))
        #expect(verdict(octets, hopLimit: 254) == .refused(.hopLimit))
    }

    @Test func otherVersionsAndTypesAreRefused() {
        for first: UInt8 in [0x11, 0x41, 0x32, 0x30] {
            var octets = octets
            octets[0] = first
            #expect(verdict(octets) == .refused(.version))
        }
        #expect(verdict(octets, expecting: AdvertExpectation(version: .v2)) == .refused(.version))
    }

    @Test func everyTruncationIsRefused() {
        for count in 0..<octets.count { #expect(verdict(Array(octets.prefix(count))) == .refused(.length)) }
    }

    @Test func longerThanItSaysIsCut() { #expect(verdict(octets + [1, 2, 3]) == .accepted(advert)) }

    @Test func strangersVridIsRefusedBeforeItsChecksum() {
        var octets = octets
        octets[1] = 11
        #expect(verdict(octets) == .refused(.vrid))
    }

    @Test func everyFlippedBitIsSeen() {
        for index in octets.indices where index != 1 {
            for bit in 0..<8 {
                var octets = octets
                octets[index] ^= 1 << UInt8(bit)
                #expect(verdict(octets).isRefused)
            }
        }
    }

    @Test func reservedNibbleIsIgnored() {
        var octets = octets
        // The sum stays right: what goes to the reserved nibble comes from the address.
        octets[4] |= 0x50
        octets[8] -= 0x50
        #expect(!verdict(octets).isRefused)
    }

    @Test func intervalZeroIsRefused() {
        var octets = octets
        (octets[9], octets[5]) = (octets[9] + octets[5], 0)
        #expect(verdict(octets) == .refused(.interval))
    }

    /// RFC 9568, 5.2.5; in version 2 keepalived refuses it as well. A router without addresses accepts both.
    @Test(arguments: [Version.v2, .v3]) func noAddressesAreRefusedByRoutersWithSome(_ version: Version) {
        var empty = advert
        (empty.version, empty.addresses) = (version, [])
        if version == .v2 { empty.checksumForm = .message }
        let octets = AdvertCodec.encode(empty, destination: AdvertCodec.ipv4Group)
        var expectation = AdvertExpectation(version: version)
        #expect(verdict(octets, expecting: expectation) == .refused(.addressCount))
        expectation.requiresAddresses = false
        #expect(verdict(octets, expecting: expectation) == .accepted(empty))
    }

    @Test func unicastSumsTheRealDestination() {
        let peer = IPAddress(ipv4: 0xc000_02fc)
        let octets = AdvertCodec.encode(advert, destination: peer)
        #expect(verdict(octets, destination: peer) == .accepted(advert))
        #expect(verdict(octets) == .refused(.checksum))
    }

    @Test func messageFormIsToldApart() {
        var other = advert
        other.checksumForm = .message
        #expect(verdict(AdvertCodec.encode(other, destination: AdvertCodec.ipv4Group)) == .accepted(other))
    }

    // MARK: The IP header

    @Test func optionsAreSkipped() throws {
        // 4500 -> 4700: a header of 28 octets with a router alert option (RFC 2113) and its padding.
        let packet: [UInt8] =
            [0x47, 0xc0, 0, 40, 0, 1, 0, 0, 255, 112, 0, 0, 192, 0, 2, 251, 224, 0, 0, 18]
            + [0x94, 4, 0, 0, 0, 0, 0, 0] + octets + [0xee, 0xee]
        let header = try IPHeader(.ipv4, packet: packet.span)
        #expect(header.payload == 28..<40)
        let decoded = try AdvertCodec.decode(packet.span, header: header) { _ in AdvertExpectation() }
        #expect(decoded == advert)
    }

    /// A good header of this source, with these options.
    private func packet(from source: [UInt8] = [192, 0, 2, 251], options: [UInt8] = []) -> [UInt8] {
        var header: [UInt8] =
            [0x45 + UInt8(options.count / 4), 0xc0, 0, UInt8(20 + options.count + octets.count), 0, 1, 0, 0, 255, 112]
            + [0, 0] + source + [224, 0, 0, 18] + options
        var sum = 0
        for index in stride(from: 0, to: header.count, by: 2) {
            sum += Int(header[index]) << 8 + Int(header[index + 1])
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        (header[10], header[11]) = (UInt8(~sum >> 8 & 255), UInt8(~sum & 255))
        return header + octets
    }

    private func refusal(_ packet: [UInt8]) -> Discard? {
        do {
            try IPHeader(.ipv4, packet: packet.span).verify(packet.span)
            return nil
        } catch {
            return error
        }
    }

    /// What the kernel drops before any filter sees it, and a packet socket shows.
    @Test func whatNoStackDeliversIsRefused() {
        #expect(refusal(packet()) == nil)
        #expect(refusal(packet(options: [0x94, 4, 0, 0])) == nil, "router alert")
        for options: [UInt8] in [
            [131, 7, 4, 192, 0, 2, 9, 0], [137, 7, 4, 192, 0, 2, 9, 0], [1, 1, 1, 131, 3, 4, 0, 0],
            [7, 3, 4, 137, 3, 4, 0, 0],
        ] {
            #expect(refusal(packet(options: options)) == .header, "\(options)")
        }
        for options: [UInt8] in [[0, 131, 0, 0], [7, 1, 131, 0], [7, 0, 131, 0], [1, 1, 1, 7], [7, 255, 131, 0]] {
            #expect(refusal(packet(options: options)) == nil, "what is no list of options holds no source route")
        }
        for index in 0..<20 where ![0, 2, 3, 6, 7, 9].contains(index) {
            var packet = self.packet()
            packet[index] ^= 0x10
            #expect(refusal(packet) == .header || refusal(packet) == .sourceKind, "octet \(index)")
        }
        for source: [UInt8] in [[224, 0, 0, 1], [255, 255, 255, 255], [127, 0, 0, 1], [0, 0, 0, 0], [0, 1, 2, 3]] {
            #expect(refusal(packet(from: source)) == .sourceKind, "\(source)")
        }
    }

    @Test func malformedHeadersAreRefused() {
        let good: [UInt8] = [0x45, 0, 0, 20, 0, 0, 0, 0, 255, 112, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
        #expect(throws: Never.self) { try IPHeader(.ipv4, packet: good.span) }
        let changes: [(Int, UInt8, Discard)] = [
            (0, 0x65, .header), (0, 0x44, .header), (3, 19, .header), (3, 21, .length), (6, 0x20, .header),
            (7, 1, .header), (9, 17, .header),
        ]
        for (index, octet, discard) in changes {
            var packet = good
            packet[index] = octet
            #expect(throws: discard) { try IPHeader(.ipv4, packet: packet.span) }
        }
        for count in 0..<20 {
            #expect(throws: Discard.self) { try IPHeader(.ipv4, packet: Array(good.prefix(count)).span) }
        }
        for count in 0..<40 {
            let packet = [UInt8](repeating: 0x60, count: count)
            #expect(throws: Discard.self) { try IPHeader(.ipv6, packet: packet.span) }
        }
    }

    /// The length is that of what follows the header; octets after it are not the advert's.
    @Test func ipv6HeaderIsRead() throws {
        let (source, destination) = (IPAddress(ipv6High: 0xfe80 << 48, low: 1), AdvertCodec.ipv6Group)
        let addresses = [source, destination].flatMap { address in
            [address.high, address.low].flatMap { half in
                (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) }
            }
        }
        let good: [UInt8] = [0x60, 0, 0, 0, 0, 12, 112, 255] + addresses + [UInt8](repeating: 0xee, count: 14)
        let header = try IPHeader(.ipv6, packet: good.span)
        #expect(header == IPHeader(source: source, destination: destination, hopLimit: 255, payload: 40..<52))
        for (index, octet, discard) in [(0, 0x40, .header), (6, 17, .header), (5, 15, .length)]
            as [(Int, UInt8, Discard)]
        {
            var packet = good
            packet[index] = octet
            #expect(throws: discard) { try IPHeader(.ipv6, packet: packet.span) }
        }
    }

    @Test func randomOctetsNeverTrap() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...80, using: &generator)
            var octets = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if count > 9, Bool.random(using: &generator) { (octets[0], octets[9]) = (0x45, 112) }
            for family in IPAddress.Family.allCases {
                guard let header = try? IPHeader(family, packet: octets.span) else { continue }
                _ = try? AdvertCodec.decode(octets.span, header: header) { _ in AdvertExpectation() }
            }
        }
    }
}
