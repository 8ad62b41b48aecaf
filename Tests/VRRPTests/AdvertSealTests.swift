import Addresses
import Testing

@testable import VRRP

/// Authentication headers and trailers, against the vectors of their documents and an independent packet.
struct AdvertSealTests {
    private static let second: Int64 = 1_000_000_000
    /// The key of the draft's appendix: 00, 01 to 1f.
    private static let key = [UInt8](0..<32)

    private func octets(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap { $0.hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    private func seal(
        _ mode: AdvertSeal.Trailer.Mode = .enforce, windowSeconds: Int64? = nil, key: [UInt8] = Self.key,
        id: UInt8 = 1
    ) -> AdvertSeal {
        AdvertSeal(.trailer(.init(keys: [id: key], activeKey: id, mode: mode, windowSeconds: windowSeconds)))
    }

    private func header(_ source: String, _ count: Int) throws -> IPHeader {
        let source = try #require(IPAddress(source))
        return IPHeader(
            source: source, destination: AdvertCodec.group(source.family), hopLimit: 255, payload: 0..<count)
    }

    private func verdict(_ seal: inout AdvertSeal, _ message: [UInt8], _ source: String, nowNs: Int64 = 0) throws
        -> Discard?
    {
        let header = try header(source, message.count)
        do throws(Discard) {
            try seal.check(message.span, header, nowNs: nowNs)
            return nil
        } catch { return error }
    }

    // MARK: The trailer

    /// The images of draft-cassen-vrrp-auth-hmac, appendix.
    @Test(arguments: [
        ("198.51.100.10", "3133c80100644402c0000264 010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265"),
        (
            "fe80::10",
            "3133c8010064a2e9fe800000000000000000000000000100 010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78"
        ),
    ])
    func draftsVectorsAreRight(source: String, hex: String) throws {
        let message = octets(hex)
        var receiver = seal()
        #expect(try verdict(&receiver, message, source) == nil)
        // The same once more is a replay, from another source a forgery.
        #expect(try verdict(&receiver, message, source) == .authReplay)
        #expect(try verdict(&receiver, message, source.replacing("10", with: "20")) == .authData)
        for (index, octet) in message.enumerated() where index != 3 {
            var changed = message
            changed[index] = octet ^ 1
            var receiver = seal()
            let isChecksum = index == 6 || index == 7
            #expect((try verdict(&receiver, changed, source) == nil) == isChecksum, "octet \(index)")
        }
        var other = seal(id: 2)
        #expect(try verdict(&other, message, source) == .authData)
    }

    @Test func theDraftsAdvertIsDecoded() throws {
        let message = octets(
            "3133c80100644402c0000264 010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265")
        var expectation = AdvertExpectation()
        expectation.mayHaveTrailer = true
        let header = try header("198.51.100.10", message.count)
        let advert = try AdvertCodec.decode(message.span, header: header) { _ in expectation }
        #expect(advert.priority == 200 && advert.addresses == [IPAddress("192.0.2.100")])
    }

    @Test(arguments: ["192.0.2.2", "fe80::2"], [Version.v2, .v3])
    func whatIsSentIsAccepted(source: String, version: Version) throws {
        let source = try #require(IPAddress(source))
        guard version == .v3 || source.family == .ipv4 else { return }
        let address = try #require(IPAddress(source.isIPv6 ? "fe80::1" : "192.0.2.1"))
        let advert = Advert(
            version: version, vrid: 7, priority: 100, intervalNs: Self.second, addresses: [address], source: source)
        var sender = seal(windowSeconds: 5)
        var receiver = seal(windowSeconds: 5)
        let nowNs = 1_700_000_000 * Self.second
        for afterNs in [0, 0, 1, Self.second] {
            sender.advance(nowNs: nowNs + afterNs)
            let group = AdvertCodec.group(source.family)
            let message = AdvertCodec.encode(advert, destination: group, seal: sender)
            var expectation = AdvertExpectation(version: version)
            expectation.mayHaveTrailer = true
            let header = IPHeader(source: source, destination: group, hopLimit: 255, payload: 0..<message.count)
            let read = try AdvertCodec.decode(message.span, header: header) { _ in expectation }
            #expect(read.addresses == advert.addresses && read.priority == 100)
            #expect(try verdict(&receiver, message, source.description, nowNs: nowNs + afterNs) == nil)
            // Somebody who recorded it.
            let lateNs = nowNs + afterNs + 7 * Self.second
            var fresh = seal(windowSeconds: 5)
            #expect(try verdict(&fresh, message, source.description, nowNs: lateNs) == .authReplay)
        }
    }

    @Test func theModesDiffer() throws {
        let source = try #require(IPAddress("192.0.2.2"))
        let advert = Advert(vrid: 7, priority: 100, intervalNs: Self.second, addresses: [source], source: source)
        let plain = AdvertCodec.encode(advert, destination: AdvertCodec.ipv4Group)
        for mode in AdvertSeal.Trailer.Mode.allCases {
            var seal = seal(mode)
            #expect(try verdict(&seal, plain, "192.0.2.2") == (mode == .enforce ? .authType : nil))
            let sent = AdvertCodec.encode(advert, destination: AdvertCodec.ipv4Group, seal: seal)
            #expect(
                sent.count - plain.count == seal.sentOctets
                    && sent.count == plain.count + (mode == .receiveOnly ? 0 : 28))
        }
    }

    /// A clock that was set back by more than the window: senders begin anew, and so do their receivers.
    @Test func aClockThatWasSetIsFollowed() throws {
        let source = try #require(IPAddress("192.0.2.2"))
        let advert = Advert(vrid: 7, priority: 100, intervalNs: Self.second, addresses: [source], source: source)
        var (sender, receiver) = (seal(windowSeconds: 5), seal(windowSeconds: 5))
        for nowNs in [2000 * Self.second, 1000 * Self.second, 1001 * Self.second] {
            sender.advance(nowNs: nowNs)
            let message = AdvertCodec.encode(advert, destination: AdvertCodec.ipv4Group, seal: sender)
            #expect(try verdict(&receiver, message, "192.0.2.2", nowNs: nowNs) == nil)
        }
    }

    // MARK: The authentication header

    private func packet(_ seal: AdvertSeal) throws -> [UInt8] {
        let (source, group) = (try #require(IPAddress("192.0.2.2")), AdvertCodec.ipv4Group)
        let advert = Advert(
            version: .v2, vrid: 51, priority: 100, intervalNs: Self.second,
            addresses: [try #require(IPAddress("192.0.2.1"))], source: source)
        let message = AdvertCodec.encode(advert, destination: group, seal: seal)
        var packet: [UInt8] = [0x45, 0xc0, 0, UInt8(44 + message.count), 0x12, 0x34, 0, 0, 255, 51, 0, 0]
        packet += source.bytes + group.bytes + message
        seal.addHeader(to: &packet)
        let covered = Array(packet[0..<20])
        let sum = ~AdvertCodec.sum(covered.span, initial: 0)
        packet[10] = UInt8(sum >> 8)
        packet[11] = UInt8(sum & 255)
        return packet
    }

    private func receive(_ seal: inout AdvertSeal, _ packet: [UInt8]) throws(Discard) -> Advert {
        var expectation = AdvertExpectation(version: .v2)
        expectation.hasAuthenticationHeader = true
        let header = try IPHeader(.ipv4, packet: packet.span)
        try header.verify(packet.span)
        let advert = try AdvertCodec.decode(packet.span, header: header) { _ in expectation }
        try seal.check(packet.span, header, nowNs: 0)
        return advert
    }

    @Test func aHeaderProvesTheSender() throws {
        var sender = AdvertSeal(.header(key: Array("secret".utf8), isUnicast: false))
        var receiver = sender
        for _ in 0..<2 {
            sender.advance(nowNs: 1_700_000_000 * Self.second)
            let packet = try packet(sender)
            let advert = try receive(&receiver, packet)
            #expect(advert.priority == 100 && advert.vrid == 51)
            #expect(throws: Discard.authReplay) { try receive(&receiver, packet) }
        }
        // Whoever takes over goes on above what it has heard.
        sender.advance(nowNs: 1_700_000_000 * Self.second)
        receiver.advance(nowNs: 1000 * Self.second)
        receiver.advance(nowNs: 1000 * Self.second)
        #expect(throws: Never.self) { try receive(&sender, packet(receiver)) }
        let right = try packet(sender)
        // Class of service, flags and the sum are no part of the code, and the TTL only of unicast not; the rest is.
        for index in right.indices where ![1, 3, 6, 10, 11].contains(index) {
            var changed = right
            changed[index] ^= 4
            let covered = [0, 0] + changed[0..<10] + [0, 0] + changed[12..<20]
            let sum = ~AdvertCodec.sum(covered.span, initial: 0)
            changed[10] = UInt8(sum >> 8)
            changed[11] = UInt8(sum & 255)
            var receiver = AdvertSeal(.header(key: Array("secret".utf8), isUnicast: false))
            #expect(throws: Discard.self, "octet \(index)") { try receive(&receiver, changed) }
        }
        var other = AdvertSeal(.header(key: Array("secreT".utf8), isUnicast: false))
        #expect(throws: Discard.authData) { try receive(&other, right) }
    }

    @Test func aHeaderIsExpectedOrNot() throws {
        var sender = AdvertSeal(.header(key: Array("secret".utf8), isUnicast: false))
        sender.advance(nowNs: 0)
        let packet = try packet(sender)
        let header = try IPHeader(.ipv4, packet: packet.span)
        #expect(header.authentication == 20 && header.payload.lowerBound == 44)
        #expect(throws: Discard.authType) {
            try AdvertCodec.decode(packet.span, header: header) { _ in AdvertExpectation(version: .v2) }
        }
        for length in 20..<44 {
            var short = Array(packet.prefix(length))
            short[3] = UInt8(length)
            #expect(throws: Discard.header) { try IPHeader(.ipv4, packet: short.span) }
        }
        var other = packet
        other[20] = 17
        #expect(throws: Discard.header) { try IPHeader(.ipv4, packet: other.span) }
    }
}
