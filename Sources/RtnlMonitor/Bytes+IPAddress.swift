import Addresses
import Glibc

extension IPAddress {
    /// An attribute's payload: 4 or 16 bytes in network order; nil: anything else.
    init?(_ bytes: Bytes) {
        guard let words = bytes.packed else { return nil }
        switch bytes.count {
        case Family.ipv4.octets: self.init(ipv4: UInt32(truncatingIfNeeded: words.0 >> 32))
        case Family.ipv6.octets: self.init(ipv6High: words.0, low: words.1)
        default: return nil
        }
    }

    /// The kernel's number of the family, `AF_INET` or `AF_INET6`.
    var kernelFamily: UInt8 { UInt8(isIPv6 ? AF_INET6 : AF_INET) }

    /// The address as 32-bit words, one or four, the first one first.
    var words: [UInt32] {
        let low = [UInt32(truncatingIfNeeded: low >> 32), UInt32(truncatingIfNeeded: low)]
        return isIPv6 ? [UInt32(truncatingIfNeeded: high >> 32), UInt32(truncatingIfNeeded: high)] + low : [low[1]]
    }
}
