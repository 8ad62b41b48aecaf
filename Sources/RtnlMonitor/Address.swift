/// Addresses of interfaces, and neighbours, as the kernel describes them in RTM_NEWADDR and RTM_NEWNEIGH.
import Addresses
import CMnl

/// The flags of an address.
public struct AddressFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// IPv4: another address of the same network came first. The corresponding C constant is `IFA_F_SECONDARY`.
    public static let secondary = AddressFlags(rawValue: UInt32(IFA_F_SECONDARY))
    /// No duplicate address detection. The corresponding C constant is `IFA_F_NODAD`.
    public static let noDAD = AddressFlags(rawValue: UInt32(IFA_F_NODAD))
    /// Detection found a duplicate. The corresponding C constant is `IFA_F_DADFAILED`.
    public static let dadFailed = AddressFlags(rawValue: UInt32(IFA_F_DADFAILED))
    /// Not to be used as a source by choice. The corresponding C constant is `IFA_F_DEPRECATED`.
    public static let deprecated = AddressFlags(rawValue: UInt32(IFA_F_DEPRECATED))
    /// Detection is under way: not usable yet. The corresponding C constant is `IFA_F_TENTATIVE`.
    public static let tentative = AddressFlags(rawValue: UInt32(IFA_F_TENTATIVE))
    /// It has no end of validity. The corresponding C constant is `IFA_F_PERMANENT`.
    public static let permanent = AddressFlags(rawValue: UInt32(IFA_F_PERMANENT))
    /// No route for its prefix comes with it. The corresponding C constant is `IFA_F_NOPREFIXROUTE`.
    public static let noPrefixRoute = AddressFlags(rawValue: UInt32(IFA_F_NOPREFIXROUTE))
}

/// The key by which the kernel distinguishes addresses.
public struct AddressKey: Hashable, Sendable {
    public var ifindex: Int32
    /// The interface's own address. (`IFA_LOCAL`, else `IFA_ADDRESS`)
    public var address: IPAddress
    /// 0 to 32, or 0 to 128. (`ifa_prefixlen`)
    public var prefixLength: UInt8
    /// The other end of a point-to-point link; nil: none. (`IFA_ADDRESS` where `IFA_LOCAL` differs)
    public var peer: IPAddress?

    public init(ifindex: Int32, address: IPAddress, prefixLength: UInt8, peer: IPAddress? = nil) {
        self.ifindex = ifindex
        self.address = address
        self.prefixLength = prefixLength
        self.peer = peer
    }

    /// The network that it is an address of, which is the other end's on a point-to-point link.
    public var network: IPPrefix? { IPPrefix(peer ?? address, length: Int(prefixLength))?.network }
}

/// An address of an interface. How long it is still valid is not kept: it changes with every refresh of a lease.
public struct Address: Hashable, Sendable {
    public var key: AddressKey
    /// The flags. (`IFA_FLAGS`)
    public var flags: AddressFlags = []
    /// 0 global, 253 link, 254 host. (`ifa_scope`)
    public var scope: UInt8 = 0
    /// Who added it; 0: unknown, or a kernel before 5.18. (`IFA_PROTO`)
    public var addressProtocol: UInt8 = 0
    /// Whether it ends by itself unless it is refreshed. (`IFA_CACHEINFO`)
    public var hasLease = false

    public init(key: AddressKey) {
        self.key = key
    }
}

/// An entry of the kernel's neighbour table: who was found at an address on a link.
public struct Neighbour: Hashable, Sendable {
    public var ifindex: Int32
    /// The neighbour. (`NDA_DST`)
    public var address: IPAddress
    /// Its link-layer address, if it is known. (`NDA_LLADDR`)
    public var hardwareAddress: HardwareAddress?
    /// `NUD_REACHABLE` 2, `NUD_STALE` 4, `NUD_FAILED` 32, `NUD_PERMANENT` 128...: one bit. (`ndm_state`)
    public var state: UInt16

    /// Whether it answered at some time and has not failed since.
    public var hasAnswered: Bool {
        state & UInt16(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE) != 0 && hardwareAddress != nil
    }
}
