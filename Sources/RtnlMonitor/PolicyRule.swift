/// Policy rules as the kernel describes them in RTM_NEWRULE.
import Addresses
import CMnl

/// A rule of the policy routing: which packets it is for, and which routing table they are looked up in, or what becomes of
/// them. Source: `fib_nl_fill_rule` in `net/core/fib_rules.c`.
public struct PolicyRule: Hashable, Sendable {
    public enum Action: Hashable, Sendable {
        /// Looks in this routing table. (`FR_ACT_TO_TBL`, `FRA_TABLE`)
        case table(UInt32)
        /// Looks in the table of the VRF that the packet belongs to. (`FRA_L3MDEV`)
        case l3mdev
        /// Drops it, of which the sender is not told, is told that it is unreachable, or that it is prohibited.
        case blackhole, unreachable, prohibit
        /// Another one, by its number. (`FR_ACT_GOTO`, `FR_ACT_NOP`)
        case other(UInt8)
    }

    /// The lowest is asked first. (`FRA_PRIORITY`)
    public var priority: UInt32
    /// The source of packets; with length 0 any, and then it only says the family. (`FRA_SRC`)
    public var from: IPPrefix
    /// The destination, of the same family; with length 0 any. (`FRA_DST`)
    public var to: IPPrefix
    public var action: Action
    /// Whether it is for the packets that do not match. (`FIB_RULE_INVERT`)
    public var isInverted = false
    /// The interface that they arrive on, `lo` for the host's own; nil: any. (`FRA_IIFNAME`)
    public var inputInterface: String?
    /// The interface that the socket is bound to; nil: any. (`FRA_OIFNAME`)
    public var outputInterface: String?
    /// Their mark, under the mask; a mask of 0: any. (`FRA_FWMARK`, `FRA_FWMASK`)
    public var mark: UInt32 = 0
    public var markMask: UInt32 = 0
    /// Their type of service; 0: any. (`fib_rule_hdr.tos`)
    public var tos: UInt8 = 0
    /// Their protocol; 0: any. (`FRA_IP_PROTO`)
    public var ipProtocol: UInt8 = 0
    /// nil: any. (`FRA_SPORT_RANGE`)
    public var sourcePorts: ClosedRange<UInt16>?
    /// nil: any. (`FRA_DPORT_RANGE`)
    public var destinationPorts: ClosedRange<UInt16>?
    /// The users whose sockets send them; nil: any. (`FRA_UID_RANGE`)
    public var users: ClosedRange<UInt32>?
    /// A route of the table whose prefix is no longer than this does not count; nil: all do. (`FRA_SUPPRESS_PREFIXLEN`)
    public var suppressedPrefixLength: Int32?
    /// Who made it: 2 kernel, 3 boot, 4 static... Kernels before 4.17 forget it. (`FRA_PROTOCOL`)
    public var ruleProtocol: UInt8 = 0

    /// - Parameter family: of a rule whose `from` and `to` are any.
    public init(priority: UInt32, family: IPAddress.Family, action: Action) {
        self.priority = priority
        self.action = action
        from = .everything(family)
        to = .everything(family)
    }

    public var isIPv6: Bool { from.address.isIPv6 }
}
