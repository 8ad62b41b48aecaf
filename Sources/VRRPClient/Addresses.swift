/// One address, three rooms: each has a type of its own because none may import another. They meet here.
import Configuration
import RtnlMonitor
import VRRP

/// An address as VRRP has it: what this process uses throughout.
typealias IP = VRRP.IPAddress

extension IP {
    init?(_ bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.init(.ipv4, in: bytes.span, at: 0)
        case 16: self.init(.ipv6, in: bytes.span, at: 0)
        default: return nil
        }
    }

    init(_ address: KernelIP) {
        self = IP(address.bytes) ?? IP(ipv4: 0)
    }

    init(_ address: Configuration.IPAddress) {
        self = IP(address.bytes) ?? IP(ipv4: 0)
    }

    /// 4 or 16, in network order.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(family.octets)
        append(to: &bytes)
        return bytes
    }

    var kernel: KernelIP { KernelIP(bytes) ?? .any(isIPv6: family == .ipv6) }

    /// Bits of an address of its family.
    var width: Int { family.octets * 8 }

    /// Whether both are in one network of this prefix length.
    func shares(_ length: Int, with other: IP) -> Bool {
        guard family == other.family else { return false }
        let (mine, theirs) = (bytes, other.bytes)
        for bit in stride(from: 0, to: length, by: 8) {
            let rest = length - bit
            let mask: UInt8 = rest >= 8 ? 0xff : 0xff << UInt8(8 - rest)
            if (mine[bit / 8] ^ theirs[bit / 8]) & mask != 0 { return false }
        }
        return true
    }
}

extension IP.Family {
    init(_ family: AddressFamily) { self = family == .ipv4 ? .ipv4 : .ipv6 }
}
