/// From bytes to values: what the kernel wrote to a rtnetlink socket (RFC 3549, rtnetlink(7)).
///
/// Pure, and total: any bytes give messages, some of them `malformed`; none stop the program or read beyond their end.
/// Unknown messages and attributes are skipped, which is how the kernel adds to this protocol.
///
/// It does not decide what a message means for the picture as a whole; the mirrors do.
import Addresses
import CMnl
import SystemPackage

/// The part that every message begins with, `struct nlmsghdr`.
public struct RtnlHeader: Hashable, Sendable {
    /// `RTM_NEWLINK` and its kin. (`nlmsg_type`)
    public var type: UInt16
    /// `NLM_F_MULTI`, `NLM_F_DUMP_INTR`, `NLM_F_REPLACE`... (`nlmsg_flags`)
    public var flags: UInt16
    /// The number of the request that this answers; of an event, of the request that caused it, or 0. (`nlmsg_seq`)
    public var sequence: UInt32
    /// The port of whoever asked for it or caused it. (`nlmsg_pid`)
    public var port: UInt32

    /// Something changed while the dump was being made: it may lack entries. (`NLM_F_DUMP_INTR`)
    public var isInterrupted: Bool { flags & UInt16(NLM_F_DUMP_INTR) != 0 }
    /// It takes the place of another. (`NLM_F_REPLACE`)
    public var isReplacement: Bool { flags & UInt16(NLM_F_REPLACE) != 0 }
}

/// What a message says.
public enum RtnlMessage: Hashable, Sendable {
    case link(Link, isRemoval: Bool)
    case route(Route, isRemoval: Bool)
    case nexthop(Nexthop, isRemoval: Bool)
    case rule(PolicyRule, isRemoval: Bool)
    case address(Address, isRemoval: Bool)
    case neighbour(Neighbour, isRemoval: Bool)
    /// The end of a dump; the error that ended it, if one did. (`NLMSG_DONE`)
    case done(RtnlError?)
    /// The answer to a request: nil is an acknowledgement. (`NLMSG_ERROR`)
    case reply(RtnlError?)
    /// Well-formed but of no interest here: another type or family, a bridge's message about its port, a cached route.
    case ignored
    /// An impossible length, or a required field is missing.
    case malformed
}

/// Why the kernel refused.
public struct RtnlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The error's number.
    public var errno: Errno
    /// The kernel's error text, if it sent one (extended acknowledgement, `NLMSGERR_ATTR_MSG`).
    public var text: String

    public init(_ errno: Errno, _ text: String = "") {
        self.errno = errno
        self.text = text
    }

    public var description: String { text.isEmpty ? "\(errno)" : "\(errno): \(text)" }
}

public enum RtnlDecoder {
    /// Calls `body` with each message of a datagram, in order. A broken header ends it with one `malformed`.
    public static func decode(_ datagram: UnsafeRawBufferPointer, _ body: (RtnlHeader, RtnlMessage) -> Void) {
        let bytes = unsafe Bytes(datagram)
        let headerSize = MemoryLayout<nlmsghdr>.size
        var offset = 0
        while let raw = bytes.load(nlmsghdr.self, at: offset) {
            let header = RtnlHeader(
                type: raw.nlmsg_type, flags: raw.nlmsg_flags, sequence: raw.nlmsg_seq, port: raw.nlmsg_pid)
            let length = Int(raw.nlmsg_len)
            guard length >= headerSize,
                let payload = bytes.window(from: offset + headerSize, count: length - headerSize)
            else { return body(header, .malformed) }
            body(header, message(header, payload))
            offset += (length + 3) & ~3  // NLMSG_ALIGN; at least 16, so this ends
        }
    }

    private static func message(_ header: RtnlHeader, _ payload: Bytes) -> RtnlMessage {
        switch Int(header.type) {
        case Int(RTM_NEWLINK): link(payload, isRemoval: false)
        case Int(RTM_DELLINK): link(payload, isRemoval: true)
        case Int(RTM_NEWROUTE): route(payload, isRemoval: false)
        case Int(RTM_DELROUTE): route(payload, isRemoval: true)
        case Int(RTM_NEWNEXTHOP): nexthop(payload, isRemoval: false)
        case Int(RTM_DELNEXTHOP): nexthop(payload, isRemoval: true)
        case Int(RTM_NEWRULE): rule(payload, isRemoval: false)
        case Int(RTM_DELRULE): rule(payload, isRemoval: true)
        case Int(RTM_NEWADDR): address(payload, isRemoval: false)
        case Int(RTM_DELADDR): address(payload, isRemoval: true)
        case Int(RTM_NEWNEIGH): neighbour(payload, isRemoval: false)
        case Int(RTM_DELNEIGH): neighbour(payload, isRemoval: true)
        case Int(NLMSG_ERROR): reply(header, payload)
        case Int(NLMSG_DONE): done(header, payload)
        default: .ignored
        }
    }
}

// MARK: - Routes and nexthops

extension RtnlDecoder {
    private static func isIP(_ family: UInt8) -> Bool { family == UInt8(AF_INET) || family == UInt8(AF_INET6) }

    private static func route(_ payload: Bytes, isRemoval: Bool) -> RtnlMessage {
        guard let header = payload.load(rtmsg.self) else { return .malformed }
        guard isIP(header.rtm_family), header.rtm_flags & UInt32(RTM_F_CLONED) == 0 else { return .ignored }
        let isIPv6 = header.rtm_family == UInt8(AF_INET6)
        var destination: IPAddress? = .any(isIPv6 ? .ipv6 : .ipv4)
        var key = RouteKey(
            destination: .everything(isIPv6 ? .ipv6 : .ipv4), table: UInt32(header.rtm_table), tos: header.rtm_tos)
        var route = Route(key: key)
        route.routeProtocol = header.rtm_protocol
        route.type = header.rtm_type
        var single = RouteHop(ifindex: 0, flags: hopFlags(header.rtm_flags))
        var hops: [RouteHop]? = []
        let isWhole = payload.dropping(MemoryLayout<rtmsg>.size).forEachAttribute { type, value in
            switch type {
            case Int(RTA_DST.rawValue): destination = IPAddress(value)
            case Int(RTA_TABLE.rawValue): key.table = value.load(UInt32.self) ?? key.table
            case Int(RTA_PRIORITY.rawValue): key.metric = value.load(UInt32.self) ?? 0
            case Int(RTA_PREFSRC.rawValue): route.preferredSource = IPAddress(value)
            case Int(RTA_NH_ID.rawValue): route.nexthopID = value.load(UInt32.self) ?? 0
            case Int(RTA_MULTIPATH.rawValue): hops = multipath(value)
            default: hopAttribute(type, value, &single)
            }
        }
        guard isWhole, let destination, destination.isIPv6 == isIPv6, let hops,
            let prefix = IPPrefix(destination, length: Int(header.rtm_dst_len))?.network
        else { return .malformed }
        key.destination = prefix
        route.key = key
        route.hops = !hops.isEmpty ? hops : single.ifindex != 0 || single.gateway != nil ? [single] : []
        return .route(route, isRemoval: isRemoval)
    }

    private static func hopFlags(_ flags: UInt32) -> HopFlags {
        HopFlags(rawValue: flags).intersection([.dead, .linkDown])
    }

    private static func hopAttribute(_ type: Int, _ value: Bytes, _ hop: inout RouteHop) {
        switch type {
        case Int(RTA_OIF.rawValue): hop.ifindex = value.load(Int32.self) ?? 0
        case Int(RTA_GATEWAY.rawValue): hop.gateway = IPAddress(value)
        case Int(RTA_VIA.rawValue): hop.gateway = IPAddress(value.dropping(MemoryLayout<rtvia>.size))
        default: break
        }
    }

    /// A chain of `struct rtnexthop`, each with attributes of its own; nil when it is broken.
    private static func multipath(_ bytes: Bytes) -> [RouteHop]? {
        let headerSize = MemoryLayout<rtnexthop>.size
        var hops: [RouteHop] = []
        var offset = 0
        while let header = bytes.load(rtnexthop.self, at: offset) {
            let length = Int(header.rtnh_len)
            guard length >= headerSize,
                let attributes = bytes.window(from: offset + headerSize, count: length - headerSize)
            else { return nil }
            var hop = RouteHop(ifindex: header.rtnh_ifindex, flags: hopFlags(UInt32(header.rtnh_flags)))
            guard attributes.forEachAttribute({ hopAttribute($0, $1, &hop) }) else { return nil }
            hops.append(hop)
            offset += (length + 3) & ~3  // RTNH_ALIGN; at least 8, so this ends
        }
        return hops
    }

    private static func nexthop(_ payload: Bytes, isRemoval: Bool) -> RtnlMessage {
        guard let header = payload.load(nhmsg.self) else { return .malformed }
        var nexthop = Nexthop(id: 0)
        var hop = RouteHop(ifindex: 0, flags: hopFlags(header.nh_flags))
        let isWhole = payload.dropping(MemoryLayout<nhmsg>.size).forEachAttribute { type, value in
            switch type {
            case Int(NHA_ID): nexthop.id = value.load(UInt32.self) ?? 0
            case Int(NHA_OIF): hop.ifindex = value.load(Int32.self) ?? 0
            case Int(NHA_GATEWAY): hop.gateway = IPAddress(value)
            case Int(NHA_GROUP): nexthop.members = members(value)
            default: break
            }
        }
        guard isWhole, nexthop.id != 0 else { return .malformed }
        if hop.ifindex != 0 || hop.gateway != nil { nexthop.hop = hop }
        return .nexthop(nexthop, isRemoval: isRemoval)
    }

    private static func members(_ bytes: Bytes) -> [UInt32] {
        var members: [UInt32] = []
        var offset = 0
        while let entry = bytes.load(nexthop_grp.self, at: offset) {
            members.append(entry.id)
            offset += MemoryLayout<nexthop_grp>.size
        }
        return members
    }
}

// MARK: - Rules

extension RtnlDecoder {
    private static func rule(_ payload: Bytes, isRemoval: Bool) -> RtnlMessage {
        guard let header = payload.load(fib_rule_hdr.self) else { return .malformed }
        // Multicast routing has rules as well.
        guard isIP(header.family) else { return .ignored }
        let family: IPAddress.Family = header.family == UInt8(AF_INET6) ? .ipv6 : .ipv4
        var rule = PolicyRule(priority: 0, family: family, action: .other(header.action))
        rule.isInverted = header.flags & UInt32(FIB_RULE_INVERT) != 0
        rule.tos = header.tos
        var table = UInt32(header.table)
        var (source, destination): (IPAddress?, IPAddress?) = (.any(family), .any(family))
        var isL3mdev = false
        let isWhole = payload.dropping(MemoryLayout<fib_rule_hdr>.size).forEachAttribute { type, value in
            switch type {
            case FRA_PRIORITY: rule.priority = value.load(UInt32.self) ?? 0
            case FRA_SRC: source = IPAddress(value)
            case FRA_DST: destination = IPAddress(value)
            case FRA_TABLE: table = value.load(UInt32.self) ?? table
            case FRA_L3MDEV: isL3mdev = value.load(UInt8.self) == 1
            case FRA_IIFNAME: rule.inputInterface = value.text
            case FRA_OIFNAME: rule.outputInterface = value.text
            case FRA_FWMARK: rule.mark = value.load(UInt32.self) ?? 0
            case FRA_FWMASK: rule.markMask = value.load(UInt32.self) ?? 0
            case FRA_IP_PROTO: rule.ipProtocol = value.load(UInt8.self) ?? 0
            case FRA_SPORT_RANGE: rule.sourcePorts = ports(value)
            case FRA_DPORT_RANGE: rule.destinationPorts = ports(value)
            case FRA_UID_RANGE: rule.users = users(value)
            // -1: not given.
            case FRA_SUPPRESS_PREFIXLEN:
                rule.suppressedPrefixLength = value.load(Int32.self).flatMap { $0 < 0 ? nil : $0 }
            case FRA_PROTOCOL: rule.ruleProtocol = value.load(UInt8.self) ?? 0
            default: break
            }
        }
        guard isWhole, let source, let destination, source.family == family, destination.family == family,
            let from = IPPrefix(source, length: Int(header.src_len)),
            let to = IPPrefix(destination, length: Int(header.dst_len))
        else { return .malformed }
        (rule.from, rule.to) = (from, to)
        switch Int(header.action) {
        case FR_ACT_TO_TBL: rule.action = isL3mdev ? .l3mdev : .table(table)
        case FR_ACT_BLACKHOLE: rule.action = .blackhole
        case FR_ACT_UNREACHABLE: rule.action = .unreachable
        case FR_ACT_PROHIBIT: rule.action = .prohibit
        default: break
        }
        return .rule(rule, isRemoval: isRemoval)
    }

    private static func ports(_ value: Bytes) -> ClosedRange<UInt16>? {
        guard let range = value.load(fib_rule_port_range.self), range.start <= range.end else { return nil }
        return range.start...range.end
    }

    private static func users(_ value: Bytes) -> ClosedRange<UInt32>? {
        guard let range = value.load(fib_rule_uid_range.self), range.start <= range.end else { return nil }
        return range.start...range.end
    }
}

// MARK: - Addresses and neighbours

extension RtnlDecoder {
    private static func address(_ payload: Bytes, isRemoval: Bool) -> RtnlMessage {
        guard let header = payload.load(ifaddrmsg.self) else { return .malformed }
        guard isIP(header.ifa_family) else { return .ignored }
        guard let ifindex = Int32(exactly: header.ifa_index), ifindex > 0 else { return .malformed }
        var local: IPAddress?
        var other: IPAddress?
        var flags = UInt32(header.ifa_flags)
        var lease = false
        var addressProtocol: UInt8 = 0
        let isWhole = payload.dropping(MemoryLayout<ifaddrmsg>.size).forEachAttribute { type, value in
            switch type {
            case Int(IFA_LOCAL): local = IPAddress(value)
            case Int(IFA_ADDRESS): other = IPAddress(value)
            case Int(IFA_FLAGS): flags = value.load(UInt32.self) ?? flags
            case Int(IFA_PROTO): addressProtocol = value.load(UInt8.self) ?? 0
            case Int(IFA_CACHEINFO): lease = value.load(ifa_cacheinfo.self).map { $0.ifa_valid != .max } ?? false
            default: break
            }
        }
        guard isWhole, let own = local ?? other, own.kernelFamily == header.ifa_family,
            Int(header.ifa_prefixlen) <= own.family.width
        else { return .malformed }
        var address = Address(
            key: AddressKey(
                ifindex: ifindex, address: own, prefixLength: header.ifa_prefixlen, peer: other == own ? nil : other))
        address.flags = AddressFlags(rawValue: flags)
        address.scope = header.ifa_scope
        address.addressProtocol = addressProtocol
        address.hasLease = lease
        return .address(address, isRemoval: isRemoval)
    }

    private static func neighbour(_ payload: Bytes, isRemoval: Bool) -> RtnlMessage {
        guard let header = payload.load(ndmsg.self) else { return .malformed }
        guard isIP(header.ndm_family) else { return .ignored }
        var address: IPAddress?
        var hardwareAddress: HardwareAddress?
        let isWhole = payload.dropping(MemoryLayout<ndmsg>.size).forEachAttribute { type, value in
            switch type {
            case Int(NDA_DST): address = IPAddress(value)
            case Int(NDA_LLADDR): hardwareAddress = HardwareAddress(value)
            default: break
            }
        }
        guard isWhole, header.ndm_ifindex > 0, let address, address.kernelFamily == header.ndm_family else {
            return .malformed
        }
        let neighbour = Neighbour(
            ifindex: header.ndm_ifindex, address: address, hardwareAddress: hardwareAddress, state: header.ndm_state)
        return .neighbour(neighbour, isRemoval: isRemoval)
    }
}

// MARK: - Answers to requests

extension RtnlDecoder {
    private static func reply(_ header: RtnlHeader, _ payload: Bytes) -> RtnlMessage {
        guard let message = payload.load(nlmsgerr.self) else { return .malformed }
        // The request's header is repeated; its body too, unless the answer was capped.
        var attributes = MemoryLayout<nlmsgerr>.size
        if header.flags & UInt16(NLM_F_CAPPED) == 0 {
            attributes += max(0, (Int(message.msg.nlmsg_len) + 3) & ~3 - MemoryLayout<nlmsghdr>.size)
        }
        return .reply(error(message.error, header, payload.dropping(attributes)))
    }

    private static func done(_ header: RtnlHeader, _ payload: Bytes) -> RtnlMessage {
        // Kernels before 2.6 and tests may leave the number out.
        guard let number = payload.load(Int32.self) else { return .done(nil) }
        return .done(error(number, header, payload.dropping(MemoryLayout<Int32>.size)))
    }

    private static func error(_ number: Int32, _ header: RtnlHeader, _ attributes: Bytes) -> RtnlError? {
        guard number < 0 else { return nil }
        var text = ""
        if header.flags & UInt16(NLM_F_ACK_TLVS) != 0 {
            _ = attributes.forEachAttribute { type, value in
                if type == Int(NLMSGERR_ATTR_MSG.rawValue) { text = value.text }
            }
        }
        return RtnlError(Errno(rawValue: 0 &- number), text)
    }
}
