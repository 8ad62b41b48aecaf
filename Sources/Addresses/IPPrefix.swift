/// An address with the length of its network's prefix: a host in a network (`192.0.2.1/24`), or a network
/// (`192.0.2.0/24`), which has no bit set behind the prefix.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The address, bits behind the prefix included.
    public let address: IPAddress
    /// 0 to 32 for IPv4, 0 to 128 for IPv6.
    public let length: Int

    /// - Returns: nil when there are more bits than the address has, or fewer than none.
    public init?(_ address: IPAddress, length: Int) {
        guard 0...address.family.width ~= length else { return nil }
        self.init(unchecked: address, length)
    }

    /// Reads `ADDRESS/LENGTH`, or an address alone, which is then taken whole.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(unchecked: address, address.family.width)
            return
        }
        guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(parts[1]) else { return nil }
        self.init(address, length: length)
    }

    private init(unchecked address: IPAddress, _ length: Int) {
        self.address = address
        self.length = length
    }

    /// `0.0.0.0/0` or `::/0`.
    public static func everything(_ family: IPAddress.Family) -> IPPrefix { IPPrefix(unchecked: .any(family), 0) }

    /// The same without the bits behind the prefix.
    public var network: IPPrefix {
        if !address.isIPv6 {
            let mask: UInt32 = length == 0 ? 0 : .max << UInt32(32 - length)
            return IPPrefix(unchecked: IPAddress(ipv4: UInt32(truncatingIfNeeded: address.low) & mask), length)
        }
        let high: UInt64 = length >= 64 ? .max : ~(.max >> UInt64(length))
        let low: UInt64 = length <= 64 ? 0 : length == 128 ? .max : ~(.max >> UInt64(length - 64))
        return IPPrefix(unchecked: IPAddress(ipv6High: address.high & high, low: address.low & low), length)
    }

    /// No bit is set behind the prefix: it names a network and not a host in it.
    public var isNetwork: Bool { network == self }

    /// Whether the address is in this network.
    public func contains(_ other: IPAddress) -> Bool {
        IPPrefix(other, length: length).map { $0.network == network } ?? false
    }

    /// What an address is in this network if it is no host's: the network itself (for IPv6 the subnet-router anycast
    /// address, RFC 4291, 2.6.1), or for IPv4 its broadcast address (RFC 922, 7); nil: it may be a host's. The two addresses of
    /// a /31 or /127 are hosts (RFC 3021, RFC 6164).
    public func reserved(_ host: IPAddress) -> String? {
        guard length < address.family.width - 1, contains(host) else { return nil }
        if host == network.address {
            return address.isIPv6 ? "the subnet-router anycast address" : "the network address"
        }
        if address.isIPv6 { return nil }
        let hostBits: UInt64 = (1 << UInt64(32 - length)) - 1
        return host.low & hostBits == hostBits ? "the broadcast address" : nil
    }

    /// The first host of the network, with its prefix length.
    public var example: String {
        let first = network.address
        let host =
            first.isIPv6
            ? IPAddress(ipv6High: first.high, low: first.low | 1)
            : IPAddress(ipv4: UInt32(truncatingIfNeeded: first.low) | 1)
        return "\(host)/\(length)"
    }

    /// `192.0.2.0/24`.
    public var description: String { "\(address)/\(length)" }
}
