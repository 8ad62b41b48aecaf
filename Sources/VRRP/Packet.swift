/// VRRP on the wire: versions 2 (RFC 3768) and 3 (RFC 9568), over IPv4 and IPv6, in both directions.
///
/// The checks of reception are made here and in the order of RFC 9568, 7.1: hop limit, version and type, length, VRID,
/// checksum, and for version 2 authentication and interval. Each failed check is a `Discard` of its own, so that a counter
/// can say what is wrong. Everything in a packet is hostile: no octet is read that has not been counted.
///
/// *The checksum split.* RFC 9568 sums a version 3 IPv4 message without a pseudo-header; keepalived, FRR and MikroTik sum it
/// with one, as they read RFC 5798. Both are accepted, and the advert says which one it was. Over IPv6 there is only the
/// pseudo-header, in version 2 only the message.
///
/// What is not here: which addresses the advert should list, and that a link-local one comes first (a difference has no
/// effect but a condition and a counter), and sockets.
import Addresses

public struct Advert: Hashable, Sendable {
    /// The version.
    public var version: Version
    /// The virtual router.
    public var vrid: UInt8
    /// 0: the master resigns; 255: it owns the addresses.
    public var priority: UInt8
    /// The sender's interval.
    public var intervalNs: Int64
    /// The virtual addresses.
    public var addresses: [IPAddress]
    /// The sender: the packet's source address.
    public var source: IPAddress
    /// Which sum was right.
    public var checksumForm: ChecksumForm

    public init(
        version: Version = .v3, vrid: UInt8, priority: UInt8, intervalNs: Int64, addresses: [IPAddress],
        source: IPAddress, checksumForm: ChecksumForm = .pseudoHeader
    ) {
        self.version = version
        self.vrid = vrid
        self.priority = priority
        self.intervalNs = intervalNs
        self.addresses = addresses
        self.source = source
        self.checksumForm = checksumForm
    }
}

/// What a checksum is computed over.
public enum ChecksumForm: String, Hashable, Sendable {
    /// The pseudo-header of RFC 8200, 8.1 (next header 112) or its IPv4 equal, and the message.
    case pseudoHeader = "pseudo-header"
    /// The message alone.
    case message
}

/// Why a packet was not an advert for us.
public enum Discard: String, Error, Hashable, Sendable, CaseIterable {
    /// The IP header is not one, or is not of protocol 112.
    case header
    /// TTL or hop limit is below 255, or below what is accepted: it crossed a router.
    case hopLimit = "ttl"
    /// Neither version 2 nor 3, not the version configured, version 2 over IPv6, or not an advertisement.
    case version
    /// Shorter than its own count of addresses says.
    case length
    /// No such virtual router on this interface in this family.
    case vrid
    /// Neither sum is right.
    case checksum
    /// Another authentication type than configured, or none.
    case authType = "auth_type_mismatch"
    /// Another password or key.
    case authData = "auth_data_mismatch"
    /// The key is right, but the advert is old.
    case authReplay = "auth_replay"
    /// Version 2: another interval than configured; version 3: an interval of 0.
    case interval = "interval_mismatch"
    /// IPv6: the source is not link-local.
    case source = "source_not_link_local"
    /// It lists no address, and ours do (RFC 9568, 5.2.5; keepalived in version 2 as well).
    case addressCount = "address_count_zero"
    /// The source cannot be one host's own address: multicast, broadcast, loopback or none.
    case sourceKind = "source_not_unicast"
    /// It was sent neither to the group nor to us.
    case destination
    /// The source is none of the peers that adverts are taken from.
    case peer = "source_no_peer"
    /// Our own advert, come back: by a loop, a hairpin, or a macvlan beside ours.
    case reflected
}

/// What an advert for one virtual router must look like.
public struct AdvertExpectation: Hashable, Sendable {
    /// The version configured.
    public var version: Version
    /// Version 2: the interval that must be equal.
    public var intervalNs: Int64
    /// Version 2: the password (RFC 2338 type 1, eight octets, zero-padded); nil: none.
    public var password: [UInt8]?
    /// Whether IPv6 adverts must come from a link-local address.
    public var requiresLinkLocal: Bool
    /// Whether adverts must list an address. Those of a virtual router without addresses need not.
    public var requiresAddresses: Bool
    /// The lowest TTL or hop limit that is accepted.
    public var leastHopLimit: UInt8 = 255
    /// Version 2: within an authentication header, which `AdvertSeal` checks.
    public var hasAuthenticationHeader = false
    /// There may be a trailer behind the message, which `AdvertSeal` checks.
    public var mayHaveTrailer = false

    public init(
        version: Version = .v3, intervalNs: Int64 = 1_000_000_000, password: [UInt8]? = nil,
        requiresLinkLocal: Bool = true, requiresAddresses: Bool = true
    ) {
        self.requiresAddresses = requiresAddresses
        self.version = version
        self.intervalNs = intervalNs
        self.password = password
        self.requiresLinkLocal = requiresLinkLocal
    }
}

/// An IP packet's header, read as far as VRRP needs it.
public struct IPHeader: Hashable, Sendable {
    /// Source address.
    public var source: IPAddress
    /// Destination address.
    public var destination: IPAddress
    /// TTL or hop limit.
    public var hopLimit: UInt8
    /// Where the VRRP message lies in the packet: after the IPv4 options, cut to the header's total length.
    public var payload: Range<Int>
    /// Where an IP Authentication Header (RFC 2402) begins, of IPv4; nil: there is none.
    public var authentication: Int?

    public init(
        source: IPAddress, destination: IPAddress, hopLimit: UInt8, payload: Range<Int>, authentication: Int? = nil
    ) {
        self.authentication = authentication
        self.source = source
        self.destination = destination
        self.hopLimit = hopLimit
        self.payload = payload
    }

    /// Reads the header of a packet that a packet socket delivered. Throws `Discard.header`, or `.length` when the packet
    /// is shorter than its header says. Fragments and IPv6 extension headers are refused: no router sends them for VRRP.
    public init(_ family: IPAddress.Family, packet: Span<UInt8>) throws(Discard) {
        switch family {
        case .ipv4: try self.init(ipv4: packet)
        case .ipv6: try self.init(ipv6: packet)
        }
    }

    private init(ipv4 packet: Span<UInt8>) throws(Discard) {
        guard packet.count >= 20, packet[0] >> 4 == 4,
            packet[9] == AdvertCodec.ipProtocol || packet[9] == AdvertCodec.authenticationProtocol
        else { throw .header }
        let isFragment = packet[6] & 0x3f != 0 || packet[7] != 0
        let headerLength = Int(packet[0] & 15) * 4
        let totalLength = Int(packet[2]) << 8 | Int(packet[3])
        guard headerLength >= 20, totalLength >= headerLength, !isFragment else { throw .header }
        guard totalLength <= packet.count, let source = IPAddress(.ipv4, in: packet, at: 12),
            let destination = IPAddress(.ipv4, in: packet, at: 16)
        else { throw .length }
        var start = headerLength
        if packet[9] == AdvertCodec.authenticationProtocol {
            start += AdvertSeal.headerOctets
            // What is within, and its length in words of 4 octets, less 2.
            guard start <= totalLength, packet[headerLength] == AdvertCodec.ipProtocol, packet[headerLength + 1] == 4
            else { throw .header }
        }
        self.init(
            source: source, destination: destination, hopLimit: packet[8], payload: start..<totalLength,
            authentication: start > headerLength ? headerLength : nil)
    }

    /// Refuses what an IP stack drops before anybody hears of it, and a packet socket shows all the same: a wrong sum of the
    /// IPv4 header, a source route (RFC 791, 3.1), a source that is no host's.
    public func verify(_ packet: Span<UInt8>) throws(Discard) {
        guard source.isUnicast else { throw .sourceKind }
        guard source.family == .ipv4 else { return }
        let header = packet.extracting(first: authentication ?? payload.lowerBound)
        guard AdvertCodec.sum(header, initial: 0) == 0xffff, !Self.hasSourceRoute(header) else { throw .header }
    }

    /// Loose or strict: options 131 and 137.
    private static func hasSourceRoute(_ header: Span<UInt8>) -> Bool {
        var index = 20
        while index < header.count, header[index] != 0 {
            if header[index] == 131 || header[index] == 137 { return true }
            if header[index] == 1 {
                index += 1
            } else {
                guard index + 1 < header.count, header[index + 1] >= 2 else { return false }
                index += Int(header[index + 1])
            }
        }
        return false
    }

    private init(ipv6 packet: Span<UInt8>) throws(Discard) {
        guard packet.count >= 40, packet[0] >> 4 == 6, packet[6] == AdvertCodec.ipProtocol else { throw .header }
        let end = 40 + (Int(packet[4]) << 8 | Int(packet[5]))
        guard end <= packet.count, let source = IPAddress(.ipv6, in: packet, at: 8),
            let destination = IPAddress(.ipv6, in: packet, at: 24)
        else { throw .length }
        self.init(source: source, destination: destination, hopLimit: packet[7], payload: 40..<end)
    }
}

/// Reads and writes adverts.
public enum AdvertCodec {
    /// The IP protocol number of VRRP.
    public static let ipProtocol: UInt8 = 112
    /// The IP protocol number of the Authentication Header.
    public static let authenticationProtocol: UInt8 = 51
    /// 224.0.0.18 (RFC 9568, 5.1.1.2).
    public static let ipv4Group = IPAddress(ipv4: 0xe000_0012)
    /// ff02::12 (RFC 9568, 5.1.2.2).
    public static let ipv6Group = IPAddress(ipv6High: 0xff02_0000_0000_0000, low: 0x12)
    /// What version 3 can say of an interval: 12 bits of centiseconds.
    public static let v3IntervalMaxNs: Int64 = 4095 * centisecondNs

    private static let centisecondNs: Int64 = 10_000_000
    private static let secondNs: Int64 = 1_000_000_000

    /// The group address of a family.
    public static func group(_ family: IPAddress.Family) -> IPAddress { family == .ipv4 ? ipv4Group : ipv6Group }

    /// The virtual MAC address: 00-00-5E-00-01-VRID for IPv4, 00-00-5E-00-02-VRID for IPv6 (RFC 9568, 7.3).
    public static func virtualMAC(_ family: IPAddress.Family, vrid: UInt8) -> [UInt8] {
        [0x00, 0x00, 0x5e, 0x00, family == .ipv4 ? 0x01 : 0x02, vrid]
    }

    /// Reads the VRRP message that `header` frames in `packet`. `expectation` says what is expected of a VRID on the
    /// interface and family the packet came by; nil: no such VRID.
    public static func decode(
        _ packet: Span<UInt8>, header: IPHeader, expectation: (UInt8) -> AdvertExpectation?
    ) throws(Discard) -> Advert {
        let family = header.source.family
        guard header.payload.lowerBound >= 0, header.payload.upperBound <= packet.count else { throw .length }
        let message = packet.extracting(header.payload)
        let found = message.count > 1 ? expectation(message[1]) : nil
        guard header.hopLimit >= found?.leastHopLimit ?? 255 else { throw .hopLimit }
        guard message.count >= 8 else { throw .length }
        guard message[0] & 15 == 1, let version = Version(rawValue: message[0] >> 4), version == .v3 || family == .ipv4
        else { throw .version }

        let addressCount = Int(message[3])
        let trailer = version == .v2 ? 8 : 0
        let length = 8 + addressCount * family.octets + trailer
        guard message.count >= length else { throw .length }
        guard let expected = found else { throw .vrid }
        guard expected.version == version else { throw .version }
        // Octets after the message (padding of a short Ethernet frame is already cut by the IP length) are not summed.
        guard (header.authentication != nil) == expected.hasAuthenticationHeader else { throw .authType }
        // Over IPv6 the sender's kernel sums all that is sent, a trailer too.
        let isTrailerSummed =
            expected.mayHaveTrailer && family == .ipv6 && AdvertSeal.hasTrailer(message.count, after: length)
        let form = try checksumForm(
            message.extracting(first: isTrailerSummed ? message.count : length), version: version, header: header)
        let interval = try interval(message, version: version, length: length, expected: expected)
        guard addressCount > 0 || !expected.requiresAddresses else { throw .addressCount }

        var addresses: [IPAddress] = []
        addresses.reserveCapacity(addressCount)
        for index in 0..<addressCount {
            guard let address = IPAddress(family, in: message, at: 8 + index * family.octets) else { throw .length }
            addresses.append(address)
        }
        if family == .ipv6, expected.requiresLinkLocal, !header.source.isLinkLocal { throw .source }
        return Advert(
            version: version, vrid: message[1], priority: message[2], intervalNs: interval, addresses: addresses,
            source: header.source, checksumForm: form)
    }

    /// The octets of an advert to `destination`, from its `source`, without an IP header. The interval is rounded down to
    /// what the version can say and kept in its range; at most 255 addresses are written.
    ///
    /// - Parameter seal: what its trailer is made with, or its authentication header will be.
    public static func encode(
        _ advert: Advert, destination: IPAddress, password: [UInt8]? = nil, seal: AdvertSeal? = nil
    ) -> [UInt8] {
        let addresses = advert.addresses.prefix(255)
        let family = advert.source.family
        var message: [UInt8] = []
        message.reserveCapacity(16 + addresses.count * family.octets)
        message += [advert.version.rawValue << 4 | 1, advert.vrid, advert.priority, UInt8(addresses.count)]
        switch advert.version {
        case .v2:
            let seconds = min(max(advert.intervalNs / secondNs, 1), 255)
            message += [seal?.isHeader == true ? 2 : password == nil ? 0 : 1, UInt8(seconds), 0, 0]
        case .v3:
            let centiseconds = min(max(advert.intervalNs / centisecondNs, 1), 4095)
            message += [UInt8(centiseconds >> 8), UInt8(centiseconds & 255), 0, 0]
        }
        for address in addresses { address.append(to: &message) }
        if advert.version == .v2 {
            for index in 0..<8 { message.append(index < password?.count ?? 0 ? password?[index] ?? 0 : 0) }
        }
        let trailer = seal?.trailer(of: message, source: advert.source) ?? []
        if family == .ipv6 { message += trailer }
        let header = IPHeader(
            source: advert.source, destination: destination, hopLimit: 255, payload: 0..<message.count)
        let form = onlyForm(version: advert.version, family: family) ?? advert.checksumForm
        let sum = ~sum(message.span, initial: form == .message ? 0 : pseudoHeaderSum(header, length: message.count))
        message[6] = UInt8(sum >> 8)
        message[7] = UInt8(sum & 255)
        if family == .ipv4 { message += trailer }
        return message
    }

    // MARK: Parts

    private static func interval(
        _ message: Span<UInt8>, version: Version, length: Int, expected: AdvertExpectation
    ) throws(Discard) -> Int64 {
        switch version {
        case .v3:
            // The upper nibble is reserved: ignored on reception.
            let centiseconds = Int64(message[4] & 15) << 8 | Int64(message[5])
            guard centiseconds > 0 else { throw .interval }
            return centiseconds * centisecondNs
        case .v2:
            let type: UInt8 = expected.hasAuthenticationHeader ? 2 : expected.password == nil ? 0 : 1
            guard message[4] == type else { throw .authType }
            if let password = expected.password {
                for index in 0..<8 where message[length - 8 + index] != (index < password.count ? password[index] : 0) {
                    throw .authData
                }
            }
            let interval = Int64(message[5]) * secondNs
            guard interval == expected.intervalNs else { throw .interval }
            return interval
        }
    }

    /// The form that version and family dictate; nil: version 3 over IPv4, where both are in use.
    private static func onlyForm(version: Version, family: IPAddress.Family) -> ChecksumForm? {
        switch (version, family) {
        case (.v2, _): .message
        case (.v3, .ipv6): .pseudoHeader
        case (.v3, .ipv4): nil
        }
    }

    private static func checksumForm(
        _ message: Span<UInt8>, version: Version, header: IPHeader
    ) throws(Discard) -> ChecksumForm {
        let only = onlyForm(version: version, family: header.source.family)
        if only != .pseudoHeader, sum(message, initial: 0) == 0xffff { return .message }
        let initial = pseudoHeaderSum(header, length: message.count)
        if only != .message, sum(message, initial: initial) == 0xffff { return .pseudoHeader }
        throw .checksum
    }

    /// The pseudo-header's part of the sum: addresses, length, protocol (RFC 8200, 8.1; for IPv4 as RFC 768 has it).
    private static func pseudoHeaderSum(_ header: IPHeader, length: Int) -> UInt32 {
        var total = UInt32(ipProtocol) + UInt32(truncatingIfNeeded: length)
        for word in [header.source.high, header.source.low, header.destination.high, header.destination.low] {
            for shift in [0, 16, 32, 48] { total += UInt32(truncatingIfNeeded: word >> UInt64(shift) & 0xffff) }
        }
        return total
    }

    /// The one's complement sum of RFC 1071. A message has at most 8 + 255 * 16 + 8 octets, so 32 bits do not overflow.
    static func sum(_ bytes: Span<UInt8>, initial: UInt32) -> UInt16 {
        var total = initial
        var index = 0
        while index + 1 < bytes.count {
            total &+= UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
            index += 2
        }
        if index < bytes.count { total &+= UInt32(bytes[index]) << 8 }
        while total > 0xffff { total = (total & 0xffff) + (total >> 16) }
        return UInt16(truncatingIfNeeded: total)
    }
}
