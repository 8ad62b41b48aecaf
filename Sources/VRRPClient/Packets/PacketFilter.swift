/// The classic BPF programs on our packet sockets (`linux/filter.h`): packets that a socket is not for never wake us.
///
/// A packet socket that is bound to an interface still sees what its VLANs and bond slaves receive, so the filter asks for
/// the ifindex itself; and it sees what others on the host send, so it asks for the packet's type (host, broadcast or
/// multicast: below `PACKET_OTHERHOST`). Offsets count from the network header, as on any SOCK_DGRAM packet socket.
import Addresses
import CLinux

struct PacketFilter {
    private var program: [sock_filter] = []

    private static let offset = UInt32(bitPattern: SKF_AD_OFF)

    /// Adverts of the family that arrive on the interface, in an IP Authentication Header as well.
    static func adverts(_ ifindex: Int32, isIPv6: Bool) -> PacketFilter {
        var filter = PacketFilter(ifindex)
        if isIPv6 {
            filter.require(byte: 6, 112)
            return filter.accepting()
        }
        filter.add(BPF_LD | BPF_B | BPF_ABS, 9)
        filter.acceptIf(112)
        filter.dropUnless(BPF_JEQ, 51)
        // The octet after the IP header: what is within.
        filter.add(BPF_LDX | BPF_B | BPF_MSH, 0)
        filter.add(BPF_LD | BPF_B | BPF_IND, 0)
        filter.acceptIf(112)
        return filter.refusing()
    }

    /// ARP on the interface.
    static func arp(_ ifindex: Int32) -> PacketFilter { PacketFilter(ifindex).accepting() }

    /// Neighbour advertisements and echo replies on the interface.
    static func neighbourAnswers(_ ifindex: Int32) -> PacketFilter {
        var filter = PacketFilter(ifindex)
        filter.require(byte: 6, 58)
        filter.add(BPF_LD | BPF_B | BPF_ABS, 40)
        filter.acceptIf(129)
        filter.acceptIf(136)
        return filter.refusing()
    }

    /// ARP of whoever names one of the addresses as its own, or neighbour advertisements for one of them. IPv6 addresses are
    /// compared by their last four octets; beyond so many addresses everything passes.
    static func claims(_ ifindex: Int32, isIPv6: Bool, of addresses: Set<IPAddress>) -> PacketFilter {
        var filter = PacketFilter(ifindex)
        if isIPv6 {
            filter.require(byte: 6, 58)
            filter.require(byte: 40, 136)
        }
        guard addresses.count <= claimsMax else { return filter.accepting() }
        filter.add(BPF_LD | BPF_W | BPF_ABS, isIPv6 ? 60 : 14)
        for address in addresses { filter.acceptIf(UInt32(truncatingIfNeeded: address.low)) }
        return filter.refusing()
    }

    /// The kernel takes 4096 instructions, and charges them to the socket's option memory.
    private static let claimsMax = 1000

    private init(_ ifindex: Int32) {
        add(BPF_LD | BPF_W | BPF_ABS, Self.offset &+ UInt32(SKF_AD_IFINDEX))
        dropUnless(BPF_JEQ, UInt32(bitPattern: ifindex))
        add(BPF_LD | BPF_W | BPF_ABS, Self.offset &+ UInt32(SKF_AD_PKTTYPE))
        dropIf(BPF_JGE, UInt32(PACKET_OTHERHOST))
    }

    private mutating func require(byte offset: UInt32, _ value: UInt32) {
        add(BPF_LD | BPF_B | BPF_ABS, offset)
        dropUnless(BPF_JEQ, value)
    }

    private mutating func acceptIf(_ value: UInt32) {
        program.append(sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: 0, jf: 1, k: value))
        add(BPF_RET | BPF_K, .max)
    }

    private mutating func dropUnless(_ test: Int32, _ value: UInt32) {
        program.append(sock_filter(code: UInt16(BPF_JMP | test | BPF_K), jt: 1, jf: 0, k: value))
        add(BPF_RET | BPF_K, 0)
    }

    private mutating func dropIf(_ test: Int32, _ value: UInt32) {
        program.append(sock_filter(code: UInt16(BPF_JMP | test | BPF_K), jt: 0, jf: 1, k: value))
        add(BPF_RET | BPF_K, 0)
    }

    private mutating func add(_ code: Int32, _ value: UInt32) {
        program.append(sock_filter(code: UInt16(code), jt: 0, jf: 0, k: value))
    }

    private func accepting() -> PacketFilter {
        var filter = self
        filter.add(BPF_RET | BPF_K, .max)
        return filter
    }

    private func refusing() -> PacketFilter {
        var filter = self
        filter.add(BPF_RET | BPF_K, 0)
        return filter
    }

    /// Hands the program to the kernel.
    func attach(to fd: CInt) -> CInt {
        unsafe clinux_attach_filter(fd, program, UInt16(program.count))
    }
}
