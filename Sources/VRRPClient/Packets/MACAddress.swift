/// An Ethernet address as a number: what every received packet is compared with, so it takes no memory of its own.
struct MACAddress: Hashable, CustomStringConvertible {
    /// The six octets in network order, in the low 48 bits.
    let number: UInt64

    init(number: UInt64) { self.number = number & 0xffff_ffff_ffff }

    /// nil unless there are six octets.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == 6 else { return nil }
        self.init(bytes.span, at: 0)
    }

    /// Reads six octets of a packet; nil when it ends before.
    init?(_ packet: Span<UInt8>, at offset: Int) {
        guard offset >= 0, offset <= packet.count - 6 else { return nil }
        var number: UInt64 = 0
        for index in offset..<offset + 6 { number = number << 8 | UInt64(packet[index]) }
        self.init(number: number)
    }

    /// `02:00:5e:00:01:0a`
    var description: String {
        (0..<6).map { index in
            let octet = UInt8(truncatingIfNeeded: number >> UInt64(40 - 8 * index))
            return (octet < 16 ? "0" : "") + String(octet, radix: 16)
        }.joined(separator: ":")
    }
}
