/// Recorded messages; see `DecoderTests`. The bytes are a little-endian machine's.
@testable import RtnlMonitor

struct Unexpected: Error {}

func decode(_ bytes: [UInt8]) -> [RtnlMessage] {
    var messages: [RtnlMessage] = []
    unsafe bytes.withUnsafeBytes { unsafe RtnlDecoder.decode($0) { messages.append($1) } }
    return messages
}

func only(_ bytes: [UInt8]) throws -> RtnlMessage {
    let messages = decode(bytes)
    guard messages.count == 1 else { throw Unexpected() }
    return messages[0]
}

private func hex(_ lines: String...) -> [UInt8] {
    let digits = Array(lines.joined().utf8)
    return stride(from: 0, to: digits.count - 1, by: 2).map { index in
        UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) ?? 0
    }
}

enum Transcript {
    static let all = [
        port, bridgedVeth, keptDown, leftBridge, deleted, defaultRoute, defaultRoute6, twoHops, viaOtherFamily,
        blackhole,
        byNexthop, nexthop, nexthopGroupDeleted, leasedAddress, linkLocalAddress, peerAddress, neighbour, refused,
        acknowledged, done,
    ]

    /// Part of a dump: a virtio port.
    static let port = hex(
        "70000000100002004d000000b87f0000",  // RTM_NEWLINK, 112 bytes, NLM_F_MULTI, sequence 77
        "00000100040000004310010000000000",  // ifinfomsg: ARPHRD_ETHER, ifindex 4
        "090003006574683000000000",  // IFLA_IFNAME
        "0500100006000000",  // IFLA_OPERSTATE
        "0800040078050000",  // IFLA_MTU
        "0500210001000000",  // IFLA_CARRIER
        "0800230002000000",  // IFLA_CARRIER_CHANGES
        "0600450000000000",  // 69, unknown to the headers this was built with
        "0a00010002fc000000010000",  // IFLA_ADDRESS
        "0c00380076697274696f3200",  // IFLA_PARENT_DEV_NAME
        "04003e80"  // IFLA_DEVLINK_PORT, empty nest
    )

    /// `ip link set right down`: its peer, in a bridge, loses carrier. IFLA_INFO_SLAVE_DATA is cut to one attribute.
    static let bridgedVeth = hex(
        "c0000000100000000000000000000000",  // RTM_NEWLINK, 192 bytes
        "00000100030000000310000000000000",  // ifinfomsg: ARPHRD_ETHER, ifindex 3, up without carrier
        "090003006c65667400000000",  // IFLA_IFNAME
        "0500100003000000",  // IFLA_OPERSTATE
        "08000400dc050000",  // IFLA_MTU
        "08000a0004000000",  // IFLA_MASTER
        "0500210000000000",  // IFLA_CARRIER
        "0800230003000000",  // IFLA_CARRIER_CHANGES
        "0600450000000000",  // 69
        "0a0001000200000000110000",  // IFLA_ADDRESS
        "280012000900010076657468000000000b00040062726964676500000c0005000500010000000000",  // IFLA_LINKINFO
        "0800050002000000",  // IFLA_LINK
        "2400348020003500612d6d7563682d6c6f6e6765722d6e616d652d666f722d6c65667400",  // IFLA_PROP_LIST
        "04003e80"  // IFLA_DEVLINK_PORT
    )

    /// `ip link set mv0 protodown on protodown_reason 3 on`, and 17: a macvlan.
    static let keptDown = hex(
        "4c000000100000000000000000000000",  // RTM_NEWLINK, 76 bytes
        "00000100040000000310000000000000",  // ifinfomsg: ARPHRD_ETHER, ifindex 4, up without carrier
        "080003006d763000",  // IFLA_IFNAME
        "0500100002000000",  // IFLA_OPERSTATE
        "0500210000000000",  // IFLA_CARRIER
        "0500270001000000",  // IFLA_PROTO_DOWN
        "0c0037800800020008000200"  // IFLA_PROTO_DOWN_REASON: IFLA_PROTO_DOWN_REASON_VALUE
    )

    /// `ip link set left nomaster`.
    static let leftBridge = hex(
        "58000000110000000000000000000000",  // RTM_DELLINK, 88 bytes
        "07000100030000004310010000000000",  // ifinfomsg: AF_BRIDGE
        "090003006c65667400000000",  // IFLA_IFNAME
        "08000a0004000000",  // IFLA_MASTER
        "08000400dc050000",  // IFLA_MTU
        "0500100006000000",  // IFLA_OPERSTATE
        "0a00010046cb43d0b5090000",  // IFLA_ADDRESS
        "0800050002000000"  // IFLA_LINK
    )

    /// `ip link del left`.
    static let deleted = hex(
        "7c000000110000000000000000000000",  // RTM_DELLINK, 124 bytes
        "000001000300000002100000ffffffff",  // ifinfomsg
        "090003006c65667400000000",  // IFLA_IFNAME
        "0500100002000000",  // IFLA_OPERSTATE
        "08000400dc050000",  // IFLA_MTU
        "0500210000000000",  // IFLA_CARRIER
        "0800230005000000",  // IFLA_CARRIER_CHANGES
        "0600450000000000",  // 69
        "0a00010046cb43d0b5090000",  // IFLA_ADDRESS
        "10001200090001007665746800000000",  // IFLA_LINKINFO
        "0800050000000000",  // IFLA_LINK
        "04003e80"  // IFLA_DEVLINK_PORT
    )

    /// `ip route add default via 198.51.100.254 metric 100`.
    static let defaultRoute = hex(
        "3c00000018000006b827056b1d7d0000",  // RTM_NEWROUTE, 60 bytes, NLM_F_CREATE | NLM_F_EXCL
        "02000000fe03000100000000",  // rtmsg: AF_INET, /0, table main, static, universe, unicast
        "08000f00fe000000",  // RTA_TABLE
        "0800060064000000",  // RTA_PRIORITY
        "08000500c63364fe",  // RTA_GATEWAY
        "0800040003000000"  // RTA_OIF
    )

    /// `ip -6 route add default via 2001:db8::1 dev left`.
    static let defaultRoute6 = hex(
        "7400000018000006b827056b2d7d0000",  // RTM_NEWROUTE, 116 bytes
        "0a000000fe03000100000000",  // rtmsg: AF_INET6
        "08000f00fe000000",  // RTA_TABLE
        "0800060000040000",  // RTA_PRIORITY
        "1400050020010db8000000000000000000000001",  // RTA_GATEWAY
        "0800040003000000",  // RTA_OIF
        "24000c000000000000000000000000000000000000000000000000000000000000000000",  // RTA_CACHEINFO
        "0500140000000000"  // RTA_PREF
    )

    /// `ip route add 203.0.113.0/24 proto 186 table 1000 nexthop via 198.51.100.2 nexthop via 198.51.100.3 weight 2`.
    static let twoHops = hex(
        "5000000018000006b827056b677d0000",  // RTM_NEWROUTE, 80 bytes
        "02180000fcba000100000000",  // rtmsg: /24, RT_TABLE_COMPAT, BGP
        "08000f00e8030000",  // RTA_TABLE
        "08000100cb007100",  // RTA_DST
        "24000900100000000300000008000500c6336402100000010300000008000500c6336403"  // RTA_MULTIPATH
    )

    /// `ip route add 203.0.113.0/25 via inet6 2001:db8::9 dev left`.
    static let viaOtherFamily = hex(
        "4c00000018000006b927056b7d7d0000",  // RTM_NEWROUTE, 76 bytes
        "02190000fe03000100000000",  // rtmsg
        "08000f00fe000000",  // RTA_TABLE
        "08000100cb007100",  // RTA_DST
        "160012000a0020010db80000000000000000000000090000",  // RTA_VIA
        "0800040003000000"  // RTA_OIF
    )

    /// `ip route add blackhole 203.0.113.64/26`.
    static let blackhole = hex(
        "2c00000018000006ba27056b9a7d0000",  // RTM_NEWROUTE, 44 bytes
        "021a0000fe03000600000000",  // rtmsg
        "08000f00fe000000",  // RTA_TABLE
        "08000100cb007140"  // RTA_DST
    )

    /// `ip route add 203.0.113.128/25 nhid 8`.
    static let byNexthop = hex(
        "4400000018000006b927056b987d0000",  // RTM_NEWROUTE, 68 bytes
        "02190000fe03000100000000",  // rtmsg
        "08000f00fe000000",  // RTA_TABLE
        "08000100cb007180",  // RTA_DST
        "08001e0008000000",  // RTA_NH_ID
        "08000500c6336409",  // RTA_GATEWAY
        "0800040003000000"  // RTA_OIF
    )

    /// `ip nexthop add id 7 via 198.51.100.9 dev left`.
    static let nexthop = hex(
        "3000000068000506b927056b947d0000",  // RTM_NEWNEXTHOP, 48 bytes
        "02fd000000000000",  // nhmsg
        "0800010007000000",  // NHA_ID
        "0800050003000000",  // NHA_OIF
        "08000600c6336409"  // NHA_GATEWAY
    )

    /// `ip nexthop del id 8`, a group of one.
    static let nexthopGroupDeleted = hex(
        "3c00000069000500ba27056b9d7d0000",  // RTM_DELNEXTHOP, 60 bytes
        "0000000000000000",  // nhmsg
        "0800010008000000",  // NHA_ID
        "0600030000000000",  // NHA_GROUP_TYPE
        "0c0002000700000000000000",  // NHA_GROUP
        "08000e0000000080"  // NHA_OP_FLAGS
    )

    /// `ip -6 addr add 2001:db8::7/64 dev left nodad preferred_lft 0 valid_lft 3`.
    static let leasedAddress = hex(
        "48000000140000000000000000000000",  // RTM_NEWADDR, 72 bytes
        "0a40220003000000",  // ifaddrmsg: AF_INET6, /64
        "1400010020010db8000000000000000000000007",  // IFA_ADDRESS
        "140006000000000003000000a0250200a0250200",  // IFA_CACHEINFO
        "0800080022000000"  // IFA_FLAGS
    )

    /// The kernel's own, when an interface comes up.
    static let linkLocalAddress = hex(
        "50000000140000000000000000000000",  // RTM_NEWADDR, 80 bytes
        "0a4080fd03000000",  // ifaddrmsg: permanent, scope link
        "14000100fe8000000000000044cb43fffed0b509",  // IFA_ADDRESS
        "14000600ffffffffffffffffff240200ff240200",  // IFA_CACHEINFO
        "0800080080000000",  // IFA_FLAGS
        "05000b0003000000"  // IFA_PROTO
    )

    /// `ip addr add 192.0.2.1 peer 192.0.2.2/32 dev right`.
    static let peerAddress = hex(
        "5000000014000000b827056b177d0000",  // RTM_NEWADDR, 80 bytes
        "0220800002000000",  // ifaddrmsg
        "08000100c0000202",  // IFA_ADDRESS
        "08000200c0000201",  // IFA_LOCAL
        "0a0003007269676874000000",  // IFA_LABEL
        "0800080080000000",  // IFA_FLAGS
        "14000600ffffffffffffffffc9250200c9250200"  // IFA_CACHEINFO
    )

    /// Part of a dump, after `ip neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev left nud reachable`.
    static let neighbour = hex(
        "4c0000001c0002004d0000003424fda2",  // RTM_NEWNEIGH, 76 bytes, NLM_F_MULTI
        "020000000300000002000001",  // ndmsg: NUD_REACHABLE
        "08000100c0000263",  // NDA_DST
        "0a0002000200000000990000",  // NDA_LLADDR
        "0800040000000000",  // NDA_PROBES
        "1400030000000000000000000000000001000000"  // NDA_CACHEINFO
    )

    /// The answer to RTM_DELADDR of an address that is not there.
    static let refused = hex(
        "40000000020000034d0000003424fda2",  // NLMSG_ERROR, 64 bytes, NLM_F_CAPPED | NLM_F_ACK_TLVS
        "9dffffff20000000150005004d00000000000000",  // nlmsgerr: -EADDRNOTAVAIL, and the request's header
        "1c000100697076343a2041646472657373206e6f7420666f756e6400"  // NLMSGERR_ATTR_MSG
    )

    static let acknowledged = hex(
        "24000000020000014d0000003424fda2",  // NLMSG_ERROR, 36 bytes, NLM_F_CAPPED
        "0000000020000000100005004d00000000000000"  // nlmsgerr: 0
    )

    static let done = hex(
        "14000000030002004d0000003424fda2",  // NLMSG_DONE, 20 bytes, NLM_F_MULTI
        "00000000"  // no error
    )
}
