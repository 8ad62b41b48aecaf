/// The classic BPF program on the socket of routes and addresses: a message that it drops costs the kernel some
/// instructions, and this process nothing. It runs before the receive buffer is charged, so that a flood of foreign
/// routes cannot overrun it.
///
/// The kernel runs it on each datagram and looks at the first message only. Notifications carry one; the parts of a dump
/// carry many: so it is never attached to a socket that dumps. A message is in host order and BPF loads in network order,
/// so numbers are compared with their bytes swapped, while addresses are in network order already. Attributes are found
/// by SKF_AD_NLATTR (`net/core/filter.c`). A program has at most 4,096 instructions by BPF_MAXINSNS; the limit here is
/// 2,500, and where the prefixes would need more their lengths alone are compared: the mirror looks again in any case.
import Addresses
import CMnl

struct RouteFilter {
    /// The instructions, for SO_ATTACH_FILTER.
    let program: [sock_filter]

    /// The requester whose refreshes of leases are dropped.
    struct Quiet {
        var port: UInt32
        var addressProtocol: UInt8
    }

    static let instructionsMax = 2500

    /// - Parameters:
    ///   - tracking: the routes to let pass; nil: none.
    ///   - addresses: whether all addresses are wanted; otherwise only their removals pass, which take routes along.
    ///   - quiet: whose refreshes of leases are dropped.
    init(tracking: RouteTracking?, addresses: Bool, quiet: Quiet? = nil) {
        let others = Self.others(addresses: addresses, quiet: quiet)
        var routes = Self.routes(tracking, isCoarse: false)
        if routes.count + others.count > Self.instructionsMax - 4 { routes = Self.routes(tracking, isCoarse: true) }
        program =
            [
                .load(.half, 4),  // nlmsg_type
                .equal(Self.swapped(RTM_NEWROUTE), then: 1, else: 0),
                .equal(Self.swapped(RTM_DELROUTE), then: 0, else: 1),
                .jump(others.count),
            ] + others + routes
    }

    private static func swapped(_ type: Int) -> UInt32 { UInt32(UInt16(truncatingIfNeeded: type).bigEndian) }

    /// Everything that is not a route: addresses and nexthops. The type is in the accumulator.
    private static func others(addresses: Bool, quiet: Quiet?) -> [sock_filter] {
        guard addresses else { return [.equal(swapped(RTM_NEWADDR), then: 0, else: 1), .drop, .accept] }
        guard let quiet else { return [.accept] }
        let refresh = dropRefresh
        // IPv6 does not say whose request it was (inet6_ifa_notify, net/ipv6/addrconf.c): port 0.
        let ipv6: [sock_filter] =
            [.equal(0, then: 1, else: 0), .accept] + attribute(IFA_PROTO, from: 24, otherwise: .accept)
            + [.load(.byteAtX, 4), .equal(UInt32(quiet.addressProtocol), then: 1, else: 0), .accept]
        return [
            .equal(swapped(RTM_NEWADDR), then: 1, else: 0),
            .accept,
            .load(.word, 12),  // nlmsg_pid
            .equal(quiet.port.bigEndian, then: ipv6.count, else: 0),
        ] + ipv6 + refresh
    }

    /// Drops an address that was changed since it was created, by ifa_cacheinfo's times at 8 and 12. A refresh that had to
    /// create it anew, as it had gone meanwhile, must be heard.
    private static var dropRefresh: [sock_filter] {
        attribute(IFA_CACHEINFO, from: 24, otherwise: .accept) + [
            .load(.wordAtX, 4 + 8),
            .store(0),
            .load(.wordAtX, 4 + 12),
            .fetchX(0),
            .equalX(then: 1, else: 0),
            .drop,
            .accept,
        ]
    }

    private static func routes(_ tracking: RouteTracking?, isCoarse: Bool) -> [sock_filter] {
        guard let tracking else { return [.drop] }
        let ipv4 = destinations(tracking.prefixes.filter { !$0.address.isIPv6 }, isCoarse: isCoarse)
        let ipv6 = destinations(tracking.prefixes.filter { $0.address.isIPv6 }, isCoarse: isCoarse)
        return tables(tracking.tables)
            + [
                .load(.byte, 16),  // rtm_family
                .equal(UInt32(AF_INET), then: 1, else: 0),
                .jump(ipv4.count),
            ] + ipv4 + [.equal(UInt32(AF_INET6), then: 1, else: 0), .drop] + ipv6
    }

    /// Goes on for a table that is tracked, by rtm_table at 20. Those above 255 are RT_TABLE_COMPAT (252)
    /// there and have RTA_TABLE.
    private static func tables(_ tables: [UInt32]) -> [sock_filter] {
        let small = tables.filter { $0 < 256 }
        let large = tables.filter { $0 >= 256 }
        let compat = UInt32(RT_TABLE_COMPAT.rawValue)
        let byHeader: [sock_filter] =
            [.load(.byte, 20)] + any(of: small + (large.isEmpty || small.contains(compat) ? [] : [compat]))
        if large.isEmpty || small.contains(compat) { return byHeader }
        let byAttribute = attribute(RTA_TABLE) + [.load(.wordAtX, 4)] + any(of: large.map(\.bigEndian))
        return byHeader + [.equal(compat, then: 0, else: byAttribute.count)] + byAttribute
    }

    /// Goes on when the accumulator is one of the values, drops otherwise.
    private static func any(of values: [UInt32]) -> [sock_filter] {
        var code: [sock_filter] = []
        for (index, value) in values.enumerated() {
            code += [.equal(value, then: 0, else: 1), .jump(2 * (values.count - 1 - index) + 1)]
        }
        return code + [.drop]
    }

    /// Puts an attribute's place into X; ends when there is none.
    private static func attribute(
        _ type: Int, from offset: UInt32, otherwise end: sock_filter = .drop
    ) -> [sock_filter] {
        [
            .set(offset),
            .setX(UInt32(type)),
            .load(.word, UInt32(bitPattern: SKF_AD_OFF + SKF_AD_NLATTR)),
            .equal(0, then: 0, else: 1),
            end,
            .copyToX,
        ]
    }

    /// Of a route: behind nlmsghdr and rtmsg.
    private static func attribute(_ type: rtattr_type_t) -> [sock_filter] { attribute(Int(type.rawValue), from: 28) }

    /// Accepts a destination of the list and drops all others.
    private static func destinations(_ prefixes: [IPPrefix], isCoarse: Bool) -> [sock_filter] {
        guard let first = prefixes.first else { return [.drop] }
        var code: [sock_filter] = [.load(.byte, 17)]  // rtm_dst_len
        let compared = prefixes.filter { !isCoarse && $0.length > 0 }
        let lengths = Set((isCoarse ? prefixes : prefixes.filter { $0.length == 0 }).map(\.length))
        for length in lengths.sorted() { code += [.equal(UInt32(length), then: 0, else: 1), .accept] }
        if compared.isEmpty { return code + [.drop] }
        code += attribute(RTA_DST)
        for word in first.address.words.indices {
            code += [.load(.wordAtX, UInt32(4 + 4 * word)), .store(UInt32(word))]
        }
        return code + compared.flatMap(comparison) + [.drop]
    }

    private static func comparison(_ prefix: IPPrefix) -> [sock_filter] {
        let words = prefix.address.words
        var code: [sock_filter] = [.load(.byte, 17), .equal(UInt32(prefix.length), then: 0, else: 2 * words.count + 1)]
        for (index, word) in words.enumerated() {
            code += [.fetch(UInt32(index)), .equal(word, then: 0, else: 2 * (words.count - 1 - index) + 1)]
        }
        return code + [.accept]
    }
}

extension sock_filter {
    fileprivate enum Operand: CInt {
        case word = 0x20  // BPF_LD | BPF_W | BPF_ABS
        case half = 0x28  // BPF_LD | BPF_H | BPF_ABS
        case byte = 0x30  // BPF_LD | BPF_B | BPF_ABS
        case wordAtX = 0x40  // BPF_LD | BPF_W | BPF_IND
        case byteAtX = 0x50  // BPF_LD | BPF_B | BPF_IND
    }

    fileprivate static func make(_ code: CInt, _ value: UInt32, then: Int = 0, else other: Int = 0) -> sock_filter {
        sock_filter(code: UInt16(code), jt: UInt8(then), jf: UInt8(other), k: value)
    }

    fileprivate static func load(_ operand: Operand, _ offset: UInt32) -> sock_filter { make(operand.rawValue, offset) }
    fileprivate static func set(_ value: UInt32) -> sock_filter { make(BPF_LD | BPF_IMM, value) }
    fileprivate static func setX(_ value: UInt32) -> sock_filter { make(BPF_LDX | BPF_IMM, value) }
    fileprivate static func store(_ slot: UInt32) -> sock_filter { make(BPF_ST, slot) }
    fileprivate static func fetch(_ slot: UInt32) -> sock_filter { make(BPF_LD | BPF_MEM, slot) }
    fileprivate static func fetchX(_ slot: UInt32) -> sock_filter { make(BPF_LDX | BPF_MEM, slot) }
    fileprivate static func equalX(then: Int, else other: Int) -> sock_filter {
        make(BPF_JMP | BPF_JEQ | BPF_X, 0, then: then, else: other)
    }
    fileprivate static func jump(_ count: Int) -> sock_filter { make(BPF_JMP | BPF_JA, UInt32(count)) }
    fileprivate static func equal(_ value: UInt32, then: Int, else other: Int) -> sock_filter {
        make(BPF_JMP | BPF_JEQ | BPF_K, value, then: then, else: other)
    }
    fileprivate static var copyToX: sock_filter { make(BPF_MISC | BPF_TAX, 0) }
    fileprivate static var accept: sock_filter { make(BPF_RET | BPF_K, .max) }
    fileprivate static var drop: sock_filter { make(BPF_RET | BPF_K, 0) }
}
