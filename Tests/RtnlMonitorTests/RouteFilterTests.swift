/// The filter run by a small interpreter of classic BPF, over recorded and altered messages. That the kernel takes it and
/// agrees is shown in `RouteNamespaceTests`.
import Addresses
import CMnl
import Testing

@testable import RtnlMonitor

/// What the kernel answers: whether the message passes. Only the instructions that the filter uses; nil: a fault, such as
/// a jump out of the program.
private func passes(_ program: [sock_filter], _ message: [UInt8]) -> Bool? {
    var accumulator: UInt32 = 0
    var index: UInt32 = 0
    var memory = [UInt32](repeating: 0, count: 16)
    var counter = 0
    func word(_ offset: Int, _ size: Int) -> UInt32? {
        guard offset >= 0, offset + size <= message.count else { return nil }
        return message[offset..<offset + size].reduce(0) { $0 << 8 | UInt32($1) }
    }
    while counter < program.count {
        let step = program[counter]
        counter += 1
        switch CInt(step.code) {
        case BPF_LD | BPF_W | BPF_ABS where step.k == UInt32(bitPattern: SKF_AD_OFF + SKF_AD_NLATTR):
            accumulator = attribute(message, from: Int(accumulator), type: index)
        case BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS:
            let size = CInt(step.code) & 0x18 == BPF_W ? 4 : CInt(step.code) & 0x18 == BPF_H ? 2 : 1
            guard let value = word(Int(step.k), size) else { return false }
            accumulator = value
        case BPF_LD | BPF_B | BPF_IND:
            guard let value = word(Int(step.k) + Int(index), 1) else { return false }
            accumulator = value
        case BPF_LD | BPF_W | BPF_IND:
            guard let value = word(Int(step.k) + Int(index), 4) else { return false }
            accumulator = value
        case BPF_LD | BPF_IMM: accumulator = step.k
        case BPF_LDX | BPF_IMM: index = step.k
        case BPF_LDX | BPF_MEM: index = memory[Int(step.k)]
        case BPF_JMP | BPF_JEQ | BPF_X: counter += Int(accumulator == index ? step.jt : step.jf)
        case BPF_LD | BPF_MEM: accumulator = memory[Int(step.k)]
        case BPF_ST: memory[Int(step.k)] = accumulator
        case BPF_MISC | BPF_TAX: index = accumulator
        case BPF_JMP | BPF_JA: counter += Int(step.k)
        case BPF_JMP | BPF_JEQ | BPF_K: counter += Int(accumulator == step.k ? step.jt : step.jf)
        case BPF_RET | BPF_K: return step.k != 0
        default: return nil
        }
    }
    return nil
}

/// SKF_AD_NLATTR: where the attribute is, or 0.
private func attribute(_ message: [UInt8], from start: Int, type: UInt32) -> UInt32 {
    var offset = start
    while offset + 4 <= message.count {
        let length = Int(message[offset]) | Int(message[offset + 1]) << 8
        guard length >= 4, offset + length <= message.count else { return 0 }
        if UInt32(message[offset + 2]) == type { return UInt32(offset) }
        offset += (length + 3) & ~3
    }
    return 0
}

@Suite struct RouteFilterTests {
    private func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

    private func filter(
        _ prefixes: [String], tables: [UInt32] = [254], addresses: Bool = false, quiet: RouteFilter.Quiet? = nil
    ) throws -> [sock_filter] {
        let tracking = RouteTracking(prefixes: try prefixes.map(prefix), tables: tables)
        return RouteFilter(tracking: tracking, addresses: addresses, quiet: quiet).program
    }

    @Test func defaultRoutesOfTheMainTable() throws {
        let program = RouteFilter(tracking: RouteTracking(), addresses: false).program
        #expect(passes(program, Transcript.defaultRoute) == true)
        #expect(passes(program, Transcript.defaultRoute6) == true)
        #expect(passes(program, Transcript.twoHops) == false)
        #expect(passes(program, Transcript.viaOtherFamily) == false)
        var otherTable = Transcript.defaultRoute
        otherTable[20] = 100
        #expect(passes(program, otherTable) == false)
        var deletion = Transcript.defaultRoute
        deletion[4] = 25
        #expect(passes(program, deletion) == true)
    }

    @Test func oneFamilyOnly() throws {
        let program = try filter(["::/0"])
        #expect(passes(program, Transcript.defaultRoute) == false)
        #expect(passes(program, Transcript.defaultRoute6) == true)
    }

    @Test func aTableAbove255() throws {
        #expect(passes(try filter(["203.0.113.0/24"], tables: [254, 1000]), Transcript.twoHops) == true)
        #expect(passes(try filter(["203.0.113.0/24"], tables: [254, 1001]), Transcript.twoHops) == false)
        #expect(passes(try filter(["203.0.113.0/24"], tables: [1001, 1000]), Transcript.twoHops) == true)
        #expect(passes(try filter(["203.0.113.0/25"], tables: [1000]), Transcript.twoHops) == false)
        #expect(passes(try filter(["203.0.114.0/24"], tables: [1000]), Transcript.twoHops) == false)
        let some = try filter(["0.0.0.0/0"], tables: [10, 20, 254, 1000])
        #expect(passes(some, Transcript.defaultRoute) == true)
    }

    @Test func amongManyPrefixes() throws {
        let many = (0..<400).map { "10.\($0 / 256).\($0 % 256).0/24" } + ["203.0.113.0/25", "0.0.0.0/0"]
        let program = try filter(many)
        #expect(program.count > 1000 && program.count <= RouteFilter.instructionsMax)
        #expect(passes(program, Transcript.viaOtherFamily) == true)  // 203.0.113.0/25
        #expect(passes(program, Transcript.byNexthop) == false)  // 203.0.113.128/25
        #expect(passes(program, Transcript.defaultRoute) == true)
        #expect(passes(program, Transcript.defaultRoute6) == false)
    }

    @Test func ipv6Prefixes() throws {
        var route = Array(Transcript.defaultRoute6)
        route[17] = 48
        route += [20, 0, 1, 0, 0x20, 1, 0x0d, 0xb8, 0, 7] + [UInt8](repeating: 0, count: 10)
        route[0] = UInt8(route.count)
        #expect(passes(try filter(["2001:db8:6::/48", "2001:db8:7::/48"]), route) == true)
        #expect(passes(try filter(["2001:db8:7::/49", "2001:db8:8::/48"]), route) == false)
        #expect(passes(try filter(["::/0"]), route) == false)
    }

    /// Too many to compare: their lengths are, and the mirror does the rest.
    @Test func tooManyPrefixes() throws {
        let many = (0..<3000).map { "10.\($0 / 256).\($0 % 256).0/24" }
        let program = try filter(many, tables: [254, 1000])
        #expect(program.count <= RouteFilter.instructionsMax)
        #expect(passes(program, Transcript.twoHops) == true)
        #expect(passes(program, Transcript.viaOtherFamily) == false)
    }

    @Test func addressesAndNexthops() throws {
        let quiet = try filter(["0.0.0.0/0"])
        #expect(passes(quiet, Transcript.leasedAddress) == false)
        #expect(passes(quiet, Transcript.nexthop) == true)
        var deletion = Transcript.leasedAddress
        deletion[4] = 21
        #expect(passes(quiet, deletion) == true)
        let wanted = try filter(["0.0.0.0/0"], addresses: true)
        #expect(passes(wanted, Transcript.leasedAddress) == true)
        #expect(passes(wanted, Transcript.defaultRoute) == true)
        let onlyAddresses = RouteFilter(tracking: nil, addresses: true).program
        #expect(passes(onlyAddresses, Transcript.leasedAddress) == true)
        #expect(passes(onlyAddresses, Transcript.defaultRoute) == false)
    }

    @Test func refreshesOfOnesOwnLeases() throws {
        let quiet = RouteFilter.Quiet(port: 0x1234_5678, addressProtocol: 112)
        let program = try filter(["0.0.0.0/0"], addresses: true, quiet: quiet)
        var refresh = Transcript.peerAddress
        refresh[refresh.count - 4] ^= 1  // ifa_cacheinfo.tstamp
        #expect(passes(program, refresh) == true)  // somebody else's
        refresh.replaceSubrange(12..<16, with: [0x78, 0x56, 0x34, 0x12])  // nlmsg_pid
        #expect(passes(program, refresh) == false)
        refresh[refresh.count - 4] ^= 1
        #expect(passes(program, refresh) == true)  // it had gone and was created
        refresh[refresh.count - 4] ^= 1
        refresh[4] = 21  // RTM_DELADDR
        #expect(passes(program, refresh) == true)
        #expect(passes(program, Transcript.nexthop) == true)
    }

    @Test func refreshesOfOnesOwnIPv6Leases() throws {
        let quiet = RouteFilter.Quiet(port: 0x1234_5678, addressProtocol: 3)
        let program = try filter(["0.0.0.0/0"], addresses: true, quiet: quiet)
        var refresh = Transcript.linkLocalAddress  // protocol 3
        #expect(passes(program, refresh) == true)
        refresh[60] ^= 1  // ifa_cacheinfo.tstamp
        #expect(passes(program, refresh) == false)
        refresh[refresh.count - 4] = 4  // IFA_PROTO
        #expect(passes(program, refresh) == true)
        var withoutProtocol = Transcript.leasedAddress
        withoutProtocol[60] ^= 1
        #expect(passes(program, withoutProtocol) == true)
    }

    @Test func damagedMessagesDoNotFault() throws {
        let program = try filter(["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"], tables: [254, 1000], addresses: true)
        for transcript in Transcript.all {
            for length in 0...transcript.count {
                #expect(passes(program, Array(transcript[..<length])) != nil)
            }
        }
    }
}
