/// Routes and nexthop objects as the kernel describes them in RTM_NEWROUTE and RTM_NEWNEXTHOP.
import Addresses
import CMnl

/// The flags of a next hop.
public struct HopFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Its interface is down. The corresponding C constant is `RTNH_F_DEAD`.
    public static let dead = HopFlags(rawValue: UInt32(RTNH_F_DEAD))
    /// Its interface has no carrier. The corresponding C constant is `RTNH_F_LINKDOWN`.
    public static let linkDown = HopFlags(rawValue: UInt32(RTNH_F_LINKDOWN))
}

/// One way that a route leads.
public struct RouteHop: Hashable, Sendable {
    /// The interface; 0: none, as for a blackhole. (`RTA_OIF`, `rtnh_ifindex`)
    public var ifindex: Int32
    /// The next router; nil: the destination is on the link. It may be of the other family. (`RTA_GATEWAY`, `RTA_VIA`)
    public var gateway: IPAddress?
    /// `dead` and `linkDown`; other bits are left out.
    public var flags: HopFlags

    public init(ifindex: Int32, gateway: IPAddress? = nil, flags: HopFlags = []) {
        self.ifindex = ifindex
        self.gateway = gateway
        self.flags = flags
    }
}

/// The key by which the kernel distinguishes routes, apart from their hops.
public struct RouteKey: Hashable, Sendable {
    /// The destination.
    public var destination: IPPrefix
    /// The routing table. (`RTA_TABLE`)
    public var table: UInt32
    /// The metric: the lowest wins. (`RTA_PRIORITY`)
    public var metric: UInt32
    /// The type of service it is for; 0: any. (`rtm_tos`)
    public var tos: UInt8

    public init(destination: IPPrefix, table: UInt32, metric: UInt32 = 0, tos: UInt8 = 0) {
        self.destination = destination
        self.table = table
        self.metric = metric
        self.tos = tos
    }
}

/// A route. Source: RTM_NEWROUTE, `fib_dump_info` in `net/ipv4/fib_semantics.c`, `rt6_fill_node` in `net/ipv6/route.c`.
public struct Route: Hashable, Sendable {
    public var key: RouteKey
    /// Who made it: 2 kernel, 3 boot, 4 static, 186 BGP... (`rtm_protocol`)
    public var routeProtocol: UInt8 = 0
    /// 1 unicast, 6 blackhole, 7 unreachable... (`rtm_type`)
    public var type: UInt8 = 1
    /// Where it leads. Empty for a route that goes nowhere, or whose nexthop object is not known yet.
    public var hops: [RouteHop] = []
    /// The nexthop object that it uses; 0: none. (`RTA_NH_ID`)
    public var nexthopID: UInt32 = 0
    /// The source address that it prefers. (`RTA_PREFSRC`)
    public var preferredSource: IPAddress?
    /// The kernel did not announce this: it follows from the state of the route's interfaces.
    public var isInferred = false

    public init(key: RouteKey) {
        self.key = key
    }

    /// Whether any hop's interface is up with carrier, or the route needs none.
    public var isUsable: Bool {
        hops.isEmpty || hops.contains { $0.flags.isDisjoint(with: [.dead, .linkDown]) }
    }

    /// The type as `ip` prints it.
    public var typeName: String {
        let names = [
            "unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit",
            "throw", "nat",
        ]
        return Int(type) < names.count ? names[Int(type)] : String(type)
    }
}

/// A nexthop object, which many routes may share. Source: RTM_NEWNEXTHOP, `nh_fill_node` in `net/ipv4/nexthop.c`.
public struct Nexthop: Hashable, Sendable {
    /// Its number, above 0. (`NHA_ID`)
    public var id: UInt32
    /// Where it leads; nil: a blackhole, or a group.
    public var hop: RouteHop?
    /// The members of a group. (`NHA_GROUP`)
    public var members: [UInt32] = []

    public init(id: UInt32) {
        self.id = id
    }
}
