import Glibc

/// The family of an IP address.
public enum AddressFamily: String, Hashable, Sendable, CaseIterable {
    case ipv4
    case ipv6

    /// Bits of an address.
    public var width: Int { self == .ipv4 ? 32 : 128 }

    /// As people write it.
    public var title: String { self == .ipv4 ? "IPv4" : "IPv6" }
}

/// An IPv4 or IPv6 address without a scope.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    public let family: AddressFamily
    /// Network order: 4 or 16.
    public let bytes: [UInt8]

    /// The address with these bytes in network order; nil: neither 4 nor 16.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        family = bytes.count == 4 ? .ipv4 : .ipv6
        self.bytes = bytes
    }

    /// Dotted quad or RFC 4291 text, as inet_pton(3) takes it.
    public init?(_ text: String) {
        let family: AddressFamily = text.utf8.contains(UInt8(ascii: ":")) ? .ipv6 : .ipv4
        var bytes = [UInt8](repeating: 0, count: family.width / 8)
        guard text.utf8.count < INET6_ADDRSTRLEN,
            unsafe inet_pton(family == .ipv4 ? AF_INET : AF_INET6, text, &bytes) == 1
        else { return nil }
        self.family = family
        self.bytes = bytes
    }

    /// As inet_ntop(3) writes it.
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        unsafe inet_ntop(family == .ipv4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// fe80::/10
    public var isLinkLocal: Bool { family == .ipv6 && bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 }

    /// Whether it can be one host's own address on a link: not unspecified, loopback, multicast or broadcast.
    public var isUnicast: Bool {
        switch family {
        case .ipv4: bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224
        case .ipv6: bytes[0] != 0xff && bytes.dropLast().contains { $0 != 0 }
        }
    }
}

/// An address with the length of its network's prefix.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    /// 0 to 32 or 128.
    public var length: Int

    public init(address: IPAddress, length: Int) {
        self.address = address
        self.length = length
    }

    /// `ADDRESS/LENGTH`; without a length, all bits.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let address = IPAddress(String(parts[0])) else { return nil }
        var length = address.family.width
        if parts.count == 2 {
            guard parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let given = Int(parts[1]), 0...length ~= given
            else { return nil }
            length = given
        }
        self.init(address: address, length: length)
    }

    /// No bit is set behind the prefix: it names a network and not a host in it.
    public var isNetwork: Bool {
        (length..<address.family.width).allSatisfy { address.bytes[$0 / 8] & (0x80 >> UInt8($0 % 8)) == 0 }
    }

    public var description: String { "\(address)/\(length)" }
}
