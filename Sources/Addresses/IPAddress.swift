/// An IPv4 or IPv6 address as a value, with its own text form.
///
/// All modules use this type, the pure ones too, so it calls nothing, not even `inet_pton`. An address is two 64-bit
/// words and a family. It is compared unsigned in network order (the tie-break of RFC 9568, 6.4.3); formatting
/// allocates only the resulting string. It deliberately knows no scopes and no interfaces: whoever has a link-local
/// address also knows the interface it came with.
public struct IPAddress: Hashable, Sendable {
    /// The address family, which decides how many octets an address has on the wire.
    public enum Family: String, Hashable, Sendable, CaseIterable {
        case ipv4
        case ipv6

        /// Octets of one address on the wire.
        public var octets: Int { self == .ipv4 ? 4 : 16 }
        /// Bits of one address.
        public var width: Int { octets * 8 }
        /// As people write it.
        public var title: String { self == .ipv4 ? "IPv4" : "IPv6" }

        /// Hashes the case. With a raw value, the text would be hashed at every look-up in a table of addresses.
        public func hash(into hasher: inout Hasher) { hasher.combine(octets) }
    }

    /// The family of the address.
    public let family: Family
    /// The first eight octets in network order; 0 for IPv4.
    public let high: UInt64
    /// The last eight octets in network order; IPv4 in the low 32 bits.
    public let low: UInt64

    /// An IPv4 address from its number in host order: `0xc0000201` is 192.0.2.1.
    public init(ipv4 number: UInt32) {
        family = .ipv4
        high = 0
        low = UInt64(number)
    }

    /// An IPv6 address from its two halves in host order.
    public init(ipv6High high: UInt64, low: UInt64) {
        family = .ipv6
        self.high = high
        self.low = low
    }

    /// Reads an address of `family` from `bytes` at `offset`; nil when the bytes end before it does.
    public init?(_ family: Family, in bytes: Span<UInt8>, at offset: Int) {
        guard offset >= 0, offset <= bytes.count - family.octets else { return nil }
        func word(_ start: Int, _ count: Int) -> UInt64 {
            var word: UInt64 = 0
            for index in start..<start + count { word = word << 8 | UInt64(bytes[index]) }
            return word
        }
        switch family {
        case .ipv4: self.init(ipv4: UInt32(truncatingIfNeeded: word(offset, 4)))
        case .ipv6: self.init(ipv6High: word(offset, 8), low: word(offset + 8, 8))
        }
    }

    /// Reads an address in network order; nil unless there are 4 or 16 octets.
    public init?(_ bytes: [UInt8]) {
        switch bytes.count {
        case Family.ipv4.octets: self.init(.ipv4, in: bytes.span, at: 0)
        case Family.ipv6.octets: self.init(.ipv6, in: bytes.span, at: 0)
        default: return nil
        }
    }

    /// `0.0.0.0` or `::`.
    public static func any(_ family: Family) -> IPAddress {
        family == .ipv4 ? IPAddress(ipv4: 0) : IPAddress(ipv6High: 0, low: 0)
    }

    /// Whether it is an IPv6 address.
    public var isIPv6: Bool { family == .ipv6 }

    /// 4 or 16 octets in network order.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(family.octets)
        append(to: &bytes)
        return bytes
    }

    /// Whether it can be one host's own address on a link: not unspecified, loopback, multicast or broadcast.
    public var isUnicast: Bool {
        switch family {
        case .ipv4: low >> 24 != 0 && low >> 24 != 127 && low >> 24 < 224
        case .ipv6: high >> 56 != 0xff && !(high == 0 && low <= 1)
        }
    }

    /// 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool { family == .ipv6 ? high >> 56 == 0xff : low >> 28 == 0xe }

    /// 224.0.0.0/24 or ff02::/16: a group that no router forwards (RFC 5771, 4; RFC 4291, 2.7).
    public var isLinkLocalGroup: Bool { family == .ipv6 ? high >> 48 & 0xff0f == 0xff02 : low >> 8 == 0xe00000 }

    /// Appends the address in network order: 4 or 16 octets.
    public func append(to bytes: inout [UInt8]) {
        if family == .ipv6 {
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: high >> shift)) }
        }
        let first = family == .ipv6 ? 56 : 24
        for shift in stride(from: first, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: low >> shift)) }
    }

    /// 0.0.0.0 or ::.
    public var isUnspecified: Bool { high == 0 && low == 0 }
    /// fe80::/10 (RFC 4291, 2.5.6) or 169.254.0.0/16 (RFC 3927).
    public var isLinkLocal: Bool { family == .ipv6 ? high >> 54 == 0x3fa : low >> 16 == 0xa9fe }
    /// ::ffff:a.b.c.d (RFC 4291, 2.5.5.2)
    public var isIPv4Mapped: Bool { family == .ipv6 && high == 0 && low >> 32 == 0xffff }
    /// An IPv4 address as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2); an IPv6 address as it is.
    public var mapped: IPAddress { family == .ipv6 ? self : IPAddress(ipv6High: 0, low: 0xffff_0000_0000 | low) }
    /// The IPv4 address inside an IPv4-mapped one; any other as it is.
    public var unmapped: IPAddress {
        family == .ipv6 && high == 0 && low >> 32 == 0xffff
            ? IPAddress(ipv4: UInt32(truncatingIfNeeded: low)) : self
    }
}

extension IPAddress: Comparable {
    /// Unsigned, in network order; an IPv4 address is below any IPv6 address.
    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.family.octets, left.high, left.low) < (right.family.octets, right.high, right.low)
    }
}

extension IPAddress: LosslessStringConvertible {
    /// Dotted quad, or RFC 5952: lower case, the longest run of zeros as `::`.
    public var description: String {
        if family == .ipv4 { return Self.quad(low) }
        if high == 0, low >> 32 == 0xffff { return "::ffff:" + Self.quad(low & 0xffff_ffff) }
        let groups = (0..<8).map { index in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> (48 - 16 * UInt64(index % 4)))
        }
        guard let zeros = Self.longestZeroRun(groups) else { return Self.hex(groups[...]) }
        return Self.hex(groups[..<zeros.lowerBound]) + "::" + Self.hex(groups[zeros.upperBound...])
    }

    /// Parses a dotted quad or the text of an IPv6 address, without a scope and without a prefix length.
    public init?(_ text: String) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let address = Self.parseIPv6(text) else { return nil }
            self = address
        } else {
            guard let number = Self.parseQuad(text[...]) else { return nil }
            self.init(ipv4: number)
        }
    }

    private static func quad(_ number: UInt64) -> String {
        "\(number >> 24 & 255).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
    }

    private static func hex(_ groups: ArraySlice<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// RFC 5952, 4.2: the first of the longest runs, and never a single zero.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > max(1, best?.count ?? 1) { best = start..<end }
            start = max(end, start + 1)
        }
        return best
    }

    private static func parseQuad(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.first != "0", let octet = UInt8(part)
            else { return nil }
            number = number << 8 | UInt32(octet)
        }
        return number
    }

    private static func parseIPv6(_ text: String) -> IPAddress? {
        guard text.utf8.count <= 45 else { return nil }
        let groups: [UInt16]
        if let gap = firstGap(in: text) {
            guard let before = parseGroups(text[..<gap]),
                let after = parseGroups(text[text.index(gap, offsetBy: 2)...]),
                before.count + after.count < 8
            else { return nil }
            groups = before + Array(repeating: 0, count: 8 - before.count - after.count) + after
        } else {
            guard let all = parseGroups(text[...]), all.count == 8 else { return nil }
            groups = all
        }
        let words = groups.map(UInt64.init)
        return IPAddress(
            ipv6High: words[0] << 48 | words[1] << 32 | words[2] << 16 | words[3],
            low: words[4] << 48 | words[5] << 32 | words[6] << 16 | words[7])
    }

    private static func firstGap(in text: String) -> String.Index? {
        zip(text.indices, text.indices.dropFirst()).first { text[$0] == ":" && text[$1] == ":" }?.0
    }

    /// The 16-bit groups between colons, the last of which may be a dotted quad; an empty text has none.
    private static func parseGroups(_ text: Substring) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains("."), let quad = parseQuad(part) {
                groups += [UInt16(quad >> 16), UInt16(quad & 0xffff)]
            } else if (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
                let group = UInt16(part, radix: 16)
            {
                groups.append(group)
            } else {
                return nil
            }
        }
        return groups.count <= 8 ? groups : nil
    }
}
