/// IPv4 and IPv6 addresses and prefixes as values: flat, hashable, in network order where bytes are asked for.
import Glibc

/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// For IPv4 the address is in the upper half of `high`, so that a prefix is the same arithmetic for both.
    let high: UInt64
    let low: UInt64
    /// Whether it is an IPv6 address.
    public let isIPv6: Bool

    init(high: UInt64, low: UInt64, isIPv6: Bool) {
        self.high = high
        self.low = low
        self.isIPv6 = isIPv6
    }

    /// - Returns: nil unless there are 4 or 16 bytes. They are in network order.
    public init?(_ bytes: [UInt8]) {
        let address = unsafe bytes.withUnsafeBytes { unsafe IPAddress(Bytes($0)) }
        guard let address else { return nil }
        self = address
    }

    init?(_ bytes: Bytes) {
        guard bytes.count == 4 || bytes.count == 16, let words = bytes.packed else { return nil }
        self.init(high: words.0, low: words.1, isIPv6: bytes.count == 16)
    }

    /// Reads an address as `inet_pton(3)` takes it.
    public init?(parsing text: String) {
        var storage = in6_addr()
        if unsafe inet_pton(AF_INET, text, &storage) == 1 {
            self.init(unsafe withUnsafeBytes(of: &storage) { unsafe [UInt8]($0.prefix(4)) })
        } else if unsafe inet_pton(AF_INET6, text, &storage) == 1 {
            self.init(unsafe withUnsafeBytes(of: &storage) { unsafe [UInt8]($0) })
        } else {
            return nil
        }
    }

    /// `0.0.0.0` or `::`.
    public static func any(isIPv6: Bool) -> IPAddress { IPAddress(high: 0, low: 0, isIPv6: isIPv6) }

    /// 4 or 16 bytes in network order.
    public var bytes: [UInt8] {
        (0..<(isIPv6 ? 16 : 4)).map { index in
            UInt8(truncatingIfNeeded: (index < 8 ? high : low) >> UInt64(56 - 8 * (index % 8)))
        }
    }

    /// Its bits: 32 or 128.
    public var bitWidth: Int { isIPv6 ? 128 : 32 }

    /// The address family, `AF_INET` or `AF_INET6`.
    var family: UInt8 { UInt8(isIPv6 ? AF_INET6 : AF_INET) }

    /// The text form of RFC 5952.
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard unsafe inet_ntop(CInt(family), bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A destination: an address and how many of its bits count.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The address; bits beyond `length` are zero.
    public let address: IPAddress
    /// 0 to 32 for IPv4, 0 to 128 for IPv6.
    public let length: UInt8

    /// Bits beyond the length are cleared.
    ///
    /// - Returns: nil when there are more bits than the address has.
    public init?(_ address: IPAddress, length: Int) {
        guard (0...address.bitWidth).contains(length) else { return nil }
        let high: UInt64 = length >= 64 ? .max : ~(.max >> UInt64(length))
        let low: UInt64 = length <= 64 ? 0 : length == 128 ? .max : ~(.max >> UInt64(length - 64))
        self.address = IPAddress(high: address.high & high, low: address.low & low, isIPv6: address.isIPv6)
        self.length = UInt8(length)
    }

    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or an address alone, which is then taken whole.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parsing: String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(address, length: address.bitWidth)
            return
        }
        guard parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let length = Int(parts[1]) else { return nil }
        self.init(address, length: length)
    }

    /// `0.0.0.0/0` or `::/0`.
    public static func everything(isIPv6: Bool) -> IPPrefix {
        IPPrefix(unchecked: .any(isIPv6: isIPv6), length: 0)
    }

    private init(unchecked address: IPAddress, length: UInt8) {
        self.address = address
        self.length = length
    }

    /// `192.0.2.0/24`.
    public var description: String { "\(address)/\(length)" }
}
