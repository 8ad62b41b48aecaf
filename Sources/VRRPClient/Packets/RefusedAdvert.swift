/// An advert for one of our virtual routers, or a heartbeat, that failed a check: what differs, as text.
///
/// Two routers that refuse each other's adverts both serve, and neither hears of it from the other. What is kept here is as
/// much of the packet as an operator needs to find the other router and what is wrong with it; all of it may be made up.
import Addresses
import Configuration
import VRRP

struct RefusedAdvert {
    let reason: Discard
    let source: IPAddress
    let vrid: UInt8
    /// Its address list has an address that only heartbeats list.
    let isHeartbeat: Bool
    private let hopLimit: UInt8
    private let hasAuthenticationHeader: Bool
    private let version: UInt8
    private let octets: Int
    /// Authentication type and seconds in version 2, centiseconds in version 3.
    private let fields: (UInt8, UInt8)

    /// nil: it is too short to name a virtual router.
    init?(_ reason: Discard, _ header: IPHeader, _ packet: Span<UInt8>) {
        let start = header.payload.lowerBound
        guard header.payload.count >= 6, header.payload.upperBound <= packet.count else { return nil }
        self.reason = reason
        source = header.source
        hopLimit = header.hopLimit
        hasAuthenticationHeader = header.authentication != nil
        octets = header.payload.count
        version = packet[start] >> 4
        vrid = packet[start + 1]
        fields = (packet[start + 4], packet[start + 5])
        let family = header.source.family
        // The second address, if it lies within the packet.
        let second = start + 8 + family.octets
        isHeartbeat =
            version == 3 && second + family.octets <= header.payload.upperBound
            && IPAddress(family, in: packet, at: second).map(HeartbeatCodec.isStamp) ?? false
    }

    /// What it is published as; nil: it is none of our router's.
    var kind: Condition.Kind? {
        switch reason {
        case .hopLimit: .peerTTL
        case .version: .peerVersion
        case .length: .peerLength
        case .checksum: .peerChecksum
        case .authType, .authData, .authReplay: .peerAuthentication
        case .interval: .peerInterval
        case .source, .peer: .peerSource
        case .addressCount: .peerAddresses
        case .header, .vrid, .sourceKind, .destination, .reflected: nil
        }
    }

    /// The interval that it claims, in nanoseconds.
    var intervalNs: Int64 {
        version == 2
            ? Int64(fields.1) * 1_000_000_000 : (Int64(fields.0 & 15) << 8 | Int64(fields.1)) * 10_000_000
    }

    /// The text for the condition: who sends it, and what differs.
    ///
    /// - Parameters:
    ///   - version: the one that is expected.
    ///   - intervalNs: the interval that is expected.
    ///   - leastHopLimit: the lowest TTL that is accepted.
    func words(version expected: Int, intervalNs: Int64, leastHopLimit: UInt8 = 255) -> String {
        let difference =
            switch reason {
            case .hopLimit: "TTL \(hopLimit), expected \(leastHopLimit == 255 ? "" : "at least ")\(leastHopLimit)"
            case .version: "version \(version), expected \(expected)"
            case .length: "\(octets) octets, too few for the addresses it counts"
            case .checksum: "a wrong checksum"
            case .authType: authenticationWords
            case .authData: "another password or key"
            case .authReplay: "adverts that are replayed or, by the clocks of both, old"
            case .interval:
                "an interval of \(DurationText.format(self.intervalNs)), expected \(DurationText.format(intervalNs))"
            case .source: "a source that is not link-local"
            case .peer: "a source that is not in unicast-peers"
            case .addressCount: "no address"
            case .header, .vrid, .sourceKind, .destination, .reflected: reason.rawValue
            }
        return "\(source) sends \(difference)"
    }

    private var authenticationWords: String {
        switch (version, hasAuthenticationHeader, fields.0) {
        case (2, true, _): "an authentication header (AH), expected another authentication"
        case (2, false, 0): "no authentication, expected one"
        case (2, false, let type): "authentication type \(type), expected another"
        default: "no authentication, expected auth-hmac"
        }
    }
}
