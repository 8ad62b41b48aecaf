/// What proves who sent an advert, for peers that ask for it: keepalived's two kinds of message authentication.
///
/// *Header*: version 2 over IPv4 within an IP Authentication Header (RFC 2402, HMAC-MD5-96; RFC 3768 no longer has it). The
/// code covers the IP header without what routers may change, the header itself and the message. keepalived counts the TTL
/// only with unicast among what may change. Its one counter is the highest that it has sent or heard, so ours is too, and
/// begins with the seconds since 1970: it is above what we sent before a restart.
///
/// *Trailer*: any version, 28 octets behind the message (draft-cassen-vrrp-auth-hmac, HMAC-SHA-256-128). The code covers the
/// family, version, VRID and source, and the message with its checksum as 0. The sequence is the UTC time, so that a packet
/// can be recognised as old without a state; of each sender it must rise.
///
/// A value without a clock: the caller passes the time, in nanoseconds since 1970.
import Addresses
import CDigest

public struct AdvertSeal: Sendable {
    /// Which kind.
    public enum Method: Hashable, Sendable {
        /// - Parameters:
        ///   - key: 1 to 8 octets, which are padded with zeros.
        ///   - isUnicast: whether adverts go to peers' own addresses.
        case header(key: [UInt8], isUnicast: Bool)
        case trailer(Trailer)
    }

    /// What a trailer needs.
    public struct Trailer: Hashable, Sendable {
        public enum Mode: String, Hashable, Sendable, CaseIterable {
            /// Adverts without a trailer are refused.
            case enforce
            /// They are accepted, and ours have one.
            case permissive
            /// They are accepted, and ours have none.
            case receiveOnly = "receive-only"
        }
        /// By their number, 1 to 255.
        public var keys: [UInt8: [UInt8]]
        /// The key of what is sent.
        public var activeKey: UInt8
        public var mode: Mode
        /// How far the time of a packet may be off, seconds; nil: it need only rise.
        public var windowSeconds: Int64?

        public init(keys: [UInt8: [UInt8]], activeKey: UInt8, mode: Mode = .enforce, windowSeconds: Int64? = 5) {
            (self.keys, self.activeKey, self.mode, self.windowSeconds) = (keys, activeKey, mode, windowSeconds)
        }
    }

    /// Octets of an authentication header, and of a trailer.
    public static let headerOctets = 24
    public static let trailerOctets = 28
    /// Octets of the code, which comes last.
    private static let headerCodeOctets = 12
    private static let trailerCodeOctets = 16
    /// Senders whose sequence is remembered: those that have proved that they have the key.
    private static let sendersMax = 16

    public let method: Method
    /// The last sequence that was sent, or with a header heard.
    private var sequence: UInt64 = 0
    /// The newest first.
    private var senders: [(source: IPAddress, sequence: UInt64)] = []

    public init(_ method: Method) { self.method = method }

    /// Goes on where the seal of an older configuration was.
    public mutating func goOn(from other: AdvertSeal?) {
        guard let other, isHeader == other.isHeader else { return }
        (sequence, senders) = (other.sequence, other.senders)
    }

    /// Whether it is an authentication header.
    public var isHeader: Bool { if case .header = method { true } else { false } }

    /// Octets that it adds to what is sent.
    public var sentOctets: Int {
        switch method {
        case .header: Self.headerOctets
        case .trailer(let trailer): trailer.mode == .receiveOnly ? 0 : Self.trailerOctets
        }
    }

    // MARK: Out

    /// Takes the next sequence; the copies of one advert to several peers have the same.
    public mutating func advance(nowNs: Int64) {
        let now = UInt64(clamping: nowNs)
        switch method {
        case .header:
            sequence = min(max(sequence &+ 1, now / 1_000_000_000), 0xffff_fffd)
        case .trailer(let trailer):
            let clock = (now / 1_000_000_000) << 32 | (now % 1_000_000_000 << 16 / 1_000_000_000) << 16
            let aheadSeconds = Int64(sequence >> 32) - Int64(clock >> 32)
            // Beyond the window, after the clock was set back, nobody would accept it.
            let isStranded = trailer.windowSeconds.map { aheadSeconds > $0 } ?? false
            sequence = clock > sequence || isStranded ? clock : sequence &+ 1
        }
    }

    /// What follows a message; its checksum may still be missing.
    ///
    /// - Parameter source: where the packet comes from.
    func trailer(of message: [UInt8], source: IPAddress) -> [UInt8] {
        guard case .trailer(let trailer) = method, trailer.mode != .receiveOnly,
            let key = trailer.keys[trailer.activeKey]
        else { return [] }
        var octets: [UInt8] = [1, trailer.activeKey, 0, 0]
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            octets.append(UInt8(truncatingIfNeeded: sequence >> shift))
        }
        return octets + Self.code(of: message + octets, source: source, key)
    }

    /// Puts an authentication header between the IP header of a packet and its message. The packet's identification must not
    /// be 0, since the kernel would choose one.
    ///
    /// - Parameter packet: IPv4, without options, its length counting the header already.
    public func addHeader(to packet: inout [UInt8]) {
        guard case .header(let key, let isUnicast) = method, packet.count >= 20 else { return }
        var octets: [UInt8] = [AdvertCodec.ipProtocol, 4, 0, 0] + packet[12..<16]
        for shift in stride(from: UInt64(24), through: 0, by: -8) {
            octets.append(UInt8(truncatingIfNeeded: sequence >> shift))
        }
        octets += [UInt8](repeating: 0, count: Self.headerCodeOctets)
        packet.insert(contentsOf: octets, at: 20)
        let code = Self.code(ofHeaderIn: packet, at: 20, key, isUnicast: isUnicast)
        packet.replaceSubrange(32..<44, with: code)
    }

    /// The identification of a packet with the present sequence: never 0.
    public var identification: UInt16 { UInt16(truncatingIfNeeded: sequence % 0xffff) + 1 }

    // MARK: In

    /// Whether a message of this length has a trailer: one that is as long as it counts, and a trailer.
    static func hasTrailer(_ octets: Int, after length: Int) -> Bool { octets == length + trailerOctets }

    /// Checks an advert that has been decoded.
    ///
    /// - Throws: `authType` without what is asked for, `authData` if the sender does not have the key, `authReplay` if it is
    ///   older than another, or than the window.
    public mutating func check(_ packet: Span<UInt8>, _ header: IPHeader, nowNs: Int64) throws(Discard) {
        guard header.payload.count >= 8, header.payload.upperBound <= packet.count else { throw .length }
        switch method {
        case .header(let key, let isUnicast):
            guard let start = header.authentication else { throw .authType }
            try checkHeader(packet, header, at: start, key, isUnicast: isUnicast)
        case .trailer(let trailer): try checkTrailer(packet.extracting(header.payload), header.source, trailer, nowNs)
        }
    }

    private mutating func checkHeader(
        _ packet: Span<UInt8>, _ header: IPHeader, at start: Int, _ key: [UInt8], isUnicast: Bool
    ) throws(Discard) {
        let octets = Self.array(packet.extracting(first: header.payload.upperBound))
        let given = octets[(start + 12)..<(start + 24)]
        guard Self.isEqual(Self.code(ofHeaderIn: octets, at: start, key, isUnicast: isUnicast), given),
            octets[(start + 4)..<(start + 8)] == octets[12..<16]
        else { throw .authData }
        let heard = Self.number(octets[(start + 8)..<(start + 12)])
        guard isNewer(heard, of: header.source, expiring: nil) else { throw .authReplay }
        remember(heard, of: header.source)
        sequence = max(sequence, heard)
    }

    private mutating func checkTrailer(
        _ message: Span<UInt8>, _ source: IPAddress, _ trailer: Trailer, _ nowNs: Int64
    ) throws(Discard) {
        let addressOctets = Int(message[3]) * source.family.octets
        let length = 8 + addressOctets + (message[0] >> 4 == Version.v2.rawValue ? 8 : 0)
        guard Self.hasTrailer(message.count, after: length) else {
            if trailer.mode == .enforce { throw .authType }
            return
        }
        let octets = Self.array(message)
        guard octets[length] == 1, octets[length + 2] == 0, octets[length + 3] == 0 else { throw .authData }
        let heard = Self.number(octets[(length + 4)..<(length + 12)])
        let nowSeconds = nowNs / 1_000_000_000
        let window = trailer.windowSeconds.map { (nowSeconds - $0)...(nowSeconds + $0) }
        // Before the code is computed, so that a flood of old packets costs little.
        if let window, !window.contains(Int64(heard >> 32)) { throw .authReplay }
        let covered = Array(octets[..<(length + 12)])
        guard let key = trailer.keys[octets[length + 1]],
            Self.isEqual(Self.code(of: covered, source: source, key), octets[(length + 12)...])
        else { throw .authData }
        guard isNewer(heard, of: source, expiring: window) else { throw .authReplay }
        remember(heard, of: source)
    }

    /// - Parameter window: a mark outside of it no longer counts: its sender's clock was set.
    private func isNewer(_ heard: UInt64, of source: IPAddress, expiring window: ClosedRange<Int64>?) -> Bool {
        guard let last = senders.first(where: { $0.source == source })?.sequence else { return true }
        if let window, !window.contains(Int64(last >> 32)) { return true }
        return heard > last
    }

    private mutating func remember(_ heard: UInt64, of source: IPAddress) {
        if let first = senders.first, first.source == source {
            senders[0].sequence = heard
            return
        }
        senders.removeAll { $0.source == source }
        senders.insert((source, heard), at: 0)
        if senders.count > Self.sendersMax { senders.removeLast() }
    }

    // MARK: Codes

    /// - Parameter octets: the message and the trailer up to the code.
    private static func code(of octets: [UInt8], source: IPAddress, _ key: [UInt8]) -> ArraySlice<UInt8> {
        var covered: [UInt8] = [source.family == .ipv6 ? 6 : 4, octets[0] >> 4, octets[1], 0]
        source.append(to: &covered)
        covered += [UInt8](repeating: 0, count: 16 - source.family.octets)
        covered += octets[..<6] + [0, 0] + octets[8...]
        covered += [UInt8](repeating: 0, count: trailerCodeOctets)
        var code = [UInt8](repeating: 0, count: Int(CDIGEST_SHA256_OCTETS))
        unsafe cdigest_hmac_sha256(key, key.count, covered, covered.count, &code)
        return code.prefix(trailerCodeOctets)
    }

    /// - Parameter start: where the authentication header begins.
    private static func code(
        ofHeaderIn packet: [UInt8], at start: Int, _ key: [UInt8], isUnicast: Bool
    ) -> ArraySlice<UInt8> {
        var covered = packet
        // Class of service, flags and fragment, the TTL, the checksum, and the code.
        for index in [1, 6, 7, 10, 11] + (isUnicast ? [8] : []) { covered[index] = 0 }
        for index in (start + 12)..<(start + 24) { covered[index] = 0 }
        let padded = Array((key + [UInt8](repeating: 0, count: 8)).prefix(8))
        var code = [UInt8](repeating: 0, count: Int(CDIGEST_MD5_OCTETS))
        unsafe cdigest_hmac_md5(padded, padded.count, covered, covered.count, &code)
        return code.prefix(headerCodeOctets)
    }

    private static func isEqual(_ one: ArraySlice<UInt8>, _ other: ArraySlice<UInt8>) -> Bool {
        let (one, other) = (Array(one), Array(other))
        guard one.count == other.count else { return false }
        return unsafe cdigest_is_equal(one, other, one.count)
    }

    private static func number(_ octets: ArraySlice<UInt8>) -> UInt64 { octets.reduce(0) { $0 << 8 | UInt64($1) } }

    private static func array(_ octets: Span<UInt8>) -> [UInt8] { octets.indices.map { octets[$0] } }
}
