/// A network interface as the kernel describes it in RTM_NEWLINK, without attributes that are not used here.
///
/// Ten thousand of these are kept at once, so it is flat: names of up to 15 bytes and addresses of up to 23 bytes live
/// inside it, and only alternative names take memory of their own. Words are spelled as `ip -json link` spells them. The
/// attributes are read at the end of this file; what they say of the link's state is decided in `LinkEvidence.swift`.
import CMnl

/// The flags of an interface.
public struct LinkFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Administratively up. The corresponding C constant is `IFF_UP`.
    public static let up = LinkFlags(rawValue: UInt32(IFF_UP))
    /// Operationally up by RFC 2863. The corresponding C constant is `IFF_RUNNING`.
    public static let running = LinkFlags(rawValue: UInt32(IFF_RUNNING))
    /// The driver has carrier. The corresponding C constant is `IFF_LOWER_UP`.
    public static let lowerUp = LinkFlags(rawValue: 1 << 16)
    /// The driver waits for something, 802.1X for example. The corresponding C constant is `IFF_DORMANT`.
    public static let dormant = LinkFlags(rawValue: 1 << 17)
    /// It asks and answers for no neighbour. The corresponding C constant is `IFF_NOARP`.
    public static let noARP = LinkFlags(rawValue: UInt32(IFF_NOARP))
    /// The corresponding C constant is `IFF_LOOPBACK`.
    public static let loopback = LinkFlags(rawValue: UInt32(IFF_LOOPBACK))

    /// In the order in which `ip` prints them, from iproute2's ip/ipaddress.c, `print_link_flags`.
    private static let spelled: [(bit: UInt32, name: String)] = [
        (1 << 3, "LOOPBACK"), (1 << 1, "BROADCAST"), (1 << 4, "POINTOPOINT"), (1 << 12, "MULTICAST"), (1 << 7, "NOARP"),
        (1 << 9, "ALLMULTI"), (1 << 8, "PROMISC"), (1 << 10, "MASTER"), (1 << 11, "SLAVE"), (1 << 2, "DEBUG"),
        (1 << 15, "DYNAMIC"), (1 << 14, "AUTOMEDIA"), (1 << 13, "PORTSEL"), (1 << 5, "NOTRAILERS"), (1 << 0, "UP"),
        (1 << 16, "LOWER_UP"), (1 << 17, "DORMANT"), (1 << 18, "ECHO"),
    ]

    /// As `ip -json link` has them: `NO-CARRIER` first when the interface is up and not running, never `RUNNING`.
    public var names: [String] {
        var names: [String] = []
        if contains(.up) && !contains(.running) { names.append("NO-CARRIER") }
        var rest = subtracting(.running).rawValue
        for flag in Self.spelled where rest & flag.bit != 0 {
            names.append(flag.name)
            rest &= ~flag.bit
        }
        if rest != 0 { names.append(String(rest, radix: 16)) }
        return names
    }
}

/// The operational state of RFC 2863, `ifOperStatus`.
public enum OperState: UInt8, Hashable, Sendable {
    /// The corresponding C constant is `IF_OPER_UNKNOWN`: most drivers without carrier detection.
    case unknown = 0
    /// The corresponding C constant is `IF_OPER_NOTPRESENT`.
    case notPresent = 1
    /// The corresponding C constant is `IF_OPER_DOWN`.
    case down = 2
    /// The interface below is down. The corresponding C constant is `IF_OPER_LOWERLAYERDOWN`.
    case lowerLayerDown = 3
    /// The corresponding C constant is `IF_OPER_TESTING`.
    case testing = 4
    /// The corresponding C constant is `IF_OPER_DORMANT`.
    case dormant = 5
    /// The corresponding C constant is `IF_OPER_UP`.
    case up = 6

    /// The name that `ip` prints.
    public var name: String {
        switch self {
        case .unknown: "UNKNOWN"
        case .notPresent: "NOTPRESENT"
        case .down: "DOWN"
        case .lowerLayerDown: "LOWERLAYERDOWN"
        case .testing: "TESTING"
        case .dormant: "DORMANT"
        case .up: "UP"
        }
    }
}

/// A link-layer address of 1 to 23 bytes. The kernel's limit (`MAX_ADDR_LEN`) is 32; the longest in use is InfiniBand's 20.
public struct HardwareAddress: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let middle: UInt64
    /// Seven bytes of address, then the length.
    private let low: UInt64

    /// - Returns: nil when there are no bytes, or more than 23.
    public init?(_ bytes: [UInt8]) {
        let address = unsafe bytes.withUnsafeBytes { unsafe HardwareAddress(Bytes($0)) }
        guard let address else { return nil }
        self = address
    }

    init?(_ bytes: Bytes) {
        guard (1...23).contains(bytes.count), let words = bytes.packed else { return nil }
        high = words.0
        middle = words.1
        low = words.2 | UInt64(bytes.count)
    }

    private var count: Int { Int(low & 0xff) }

    private func byte(_ index: Int) -> UInt8 {
        let word = index < 8 ? high : index < 16 ? middle : low
        return UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (index % 8)))
    }

    /// The address, first byte first.
    public var bytes: [UInt8] { (0..<count).map(byte) }

    /// `52:54:00:12:34:56`.
    public var description: String {
        unsafe String(unsafeUninitializedCapacity: 3 * count) { text in
            for index in 0..<count {
                unsafe text[3 * index] = Self.digit(byte(index) >> 4)
                unsafe text[3 * index + 1] = Self.digit(byte(index) & 15)
                unsafe text[3 * index + 2] = UInt8(ascii: ":")
            }
            return 3 * count - 1
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

/// A network interface. Source: RTM_NEWLINK, `net/core/rtnetlink.c`, `rtnl_fill_ifinfo`.
public struct Link: Hashable, Sendable {
    /// The interface's number, above 0: the key. It stays when the name changes. (`ifi_index`)
    public var ifindex: Int32
    /// The flags. (`ifi_flags`)
    public var flags: LinkFlags = []
    /// The largest packet, bytes. (`IFLA_MTU`)
    public var mtu: UInt32 = 0
    /// The ifindex of the bridge, bond or team it belongs to; 0: none. (`IFLA_MASTER`)
    public var master: Int32 = 0
    /// The ifindex of the interface it is built on, a VLAN's parent or a veth's peer; 0: none, or unknown. It is one of
    /// another network namespace when `linkNetnsID` is not negative. (`IFLA_LINK`)
    public var link: Int32 = 0
    /// The namespace of `link`, by this namespace's own numbering; -1: the same namespace. (`IFLA_LINK_NETNSID`)
    public var linkNetnsID: Int32 = -1
    /// How often carrier came and went, in all. (`IFLA_CARRIER_CHANGES`)
    public var carrierChanges: UInt32 = 0
    /// The kind of link layer, an ARP hardware type. (`ifi_type`, `ARPHRD_...`)
    public var hardwareType: UInt16 = 0
    /// The operational state. (`IFLA_OPERSTATE`)
    public var operState: OperState = .unknown
    /// Whether the driver has carrier; nil: the kernel did not say. (`IFLA_CARRIER`)
    public var carrier: Bool?
    /// The device of a bus that stands behind it, `pci/0000:00:03.0`; empty: none, it is a virtual interface. Kernels
    /// before 5.14 do not say. (`IFLA_PARENT_DEV_BUS_NAME`, `IFLA_PARENT_DEV_NAME`)
    public var parentDevice = ""
    /// The name, up to 15 bytes; an attribute, not the key. (`IFLA_IFNAME`)
    public var name: String
    /// What it is: `veth`, `bridge`, `macvlan`...; empty: a port, or the loopback. (`IFLA_INFO_KIND`)
    public var kind = ""
    /// Its link-layer address. (`IFLA_ADDRESS`)
    public var address: HardwareAddress?
    /// A program keeps it down: the kernel takes its carrier away. (`IFLA_PROTO_DOWN`)
    public var isProtoDown = false
    /// Its alias is `Link.mark`. (`IFLA_IFALIAS`)
    public var isMarked = false
    /// Which programs do, a bit each; the names of the bits are in `protodown_reasons.d` of ip(8).
    /// (`IFLA_PROTO_DOWN_REASON_VALUE`)
    public var protoDownReasons: UInt32 = 0
    /// Its further names, up to 127 bytes each. (`IFLA_ALT_IFNAME` in `IFLA_PROP_LIST`)
    public var altnames: [String] = []

    public init(ifindex: Int32, name: String) {
        self.ifindex = ifindex
        self.name = name
    }

    /// The alias of the interfaces that linkwatch-vrrp makes: it stays with an interface whatever that is called later.
    public static let mark = "linkwatch-vrrp"

    /// The kind of link layer as `ip -json link` has it in `link_type`; a number where that has more names than this.
    public var hardwareTypeName: String {
        switch CInt(hardwareType) {
        case ARPHRD_ETHER: "ether"
        case ARPHRD_LOOPBACK: "loopback"
        case ARPHRD_PPP: "ppp"
        case ARPHRD_INFINIBAND: "infiniband"
        case ARPHRD_TUNNEL: "ipip"
        case ARPHRD_TUNNEL6: "tunnel6"
        case ARPHRD_SIT: "sit"
        case ARPHRD_IPGRE: "gre"
        case ARPHRD_IP6GRE: "gre6"
        case 0xfffe: "none"
        default: "[\(hardwareType)]"
        }
    }

    /// The interface that it is built on, if that is one of this namespace; nil: there is none here.
    public var lower: Int32? { link != 0 && linkNetnsID < 0 ? link : nil }

    /// Whether it looks like a port with a wire: Ethernet, and a device of a bus behind it.
    public var isPhysicalPort: Bool { !parentDevice.isEmpty && CInt(hardwareType) == ARPHRD_ETHER }
}

// MARK: - From bytes

extension RtnlDecoder {
    static func link(_ payload: Bytes, isRemoval: Bool) -> RtnlMessage {
        guard let header = payload.load(ifinfomsg.self) else { return .malformed }
        // AF_BRIDGE: a bridge on its port; an RTM_DELLINK of that family says that the port left, not that it is gone.
        guard header.ifi_family == UInt8(AF_UNSPEC) else { return .ignored }
        guard header.ifi_index > 0 else { return .malformed }
        var link = Link(ifindex: header.ifi_index, name: "")
        link.flags = LinkFlags(rawValue: header.ifi_flags)
        link.hardwareType = header.ifi_type
        var seen: UInt64 = 0
        let isWhole = payload.dropping(MemoryLayout<ifinfomsg>.size).forEachAttribute { type, value in
            guard type < UInt64.bitWidth, seen & 1 << UInt64(type) == 0 else { return }
            seen |= 1 << UInt64(type)
            linkAttribute(type, value, &link)
        }
        // A nest's length has 16 bits, and the kernel lets a longer one wrap (the addresses of a macvlan in mode `source`): the
        // rest of it then looks like more attributes. The state and the name stand before it, so the first of a type counts.
        guard isWhole || payload.count > Int(UInt16.max) && !link.name.isEmpty else { return .malformed }
        // Wireless drivers send RTM_NEWLINK with nothing but IFLA_WIRELESS (net/wireless/wext-core.c).
        if link.name.isEmpty && !isRemoval { return .ignored }
        return .link(link, isRemoval: isRemoval)
    }

    private static func linkAttribute(_ type: Int, _ value: Bytes, _ link: inout Link) {
        switch type {
        case Int(IFLA_IFNAME): link.name = value.text
        case Int(IFLA_MTU): link.mtu = value.load(UInt32.self) ?? 0
        case Int(IFLA_MASTER): link.master = value.load(Int32.self) ?? 0
        case Int(IFLA_LINK): link.link = value.load(Int32.self) ?? 0
        case Int(IFLA_LINK_NETNSID): link.linkNetnsID = value.load(Int32.self) ?? -1
        case Int(IFLA_CARRIER): link.carrier = value.load(UInt8.self).map { $0 != 0 }
        case Int(IFLA_CARRIER_CHANGES): link.carrierChanges = value.load(UInt32.self) ?? 0
        case Int(IFLA_OPERSTATE): link.operState = value.load(UInt8.self).flatMap(OperState.init) ?? .unknown
        case Int(IFLA_ADDRESS): link.address = HardwareAddress(value)
        case Int(IFLA_PARENT_DEV_NAME): link.parentDevice += "/" + value.text
        // It comes after the name.
        case Int(IFLA_PARENT_DEV_BUS_NAME): link.parentDevice = value.text + link.parentDevice
        case Int(IFLA_IFALIAS): link.isMarked = value.text == Link.mark
        case Int(IFLA_PROTO_DOWN): link.isProtoDown = value.load(UInt8.self) ?? 0 != 0
        case Int(IFLA_PROTO_DOWN_REASON): link.protoDownReasons = protoDownReasons(value)
        case Int(IFLA_LINKINFO): link.kind = kind(value)
        case Int(IFLA_PROP_LIST): link.altnames = altnames(value)
        default: break
        }
    }

    private static func kind(_ nest: Bytes) -> String {
        var kind = ""
        _ = nest.forEachAttribute { type, value in
            if type == Int(IFLA_INFO_KIND) { kind = value.text }
        }
        return kind
    }

    private static func protoDownReasons(_ nest: Bytes) -> UInt32 {
        var reasons: UInt32 = 0
        _ = nest.forEachAttribute { type, value in
            if type == Int(IFLA_PROTO_DOWN_REASON_VALUE) { reasons = value.load(UInt32.self) ?? 0 }
        }
        return reasons
    }

    private static func altnames(_ nest: Bytes) -> [String] {
        var names: [String] = []
        _ = nest.forEachAttribute { type, value in
            if type == Int(IFLA_ALT_IFNAME) { names.append(value.text) }
        }
        return names
    }
}
