/// The virtual router's own MAC address (RFC 9568, 7.3), optional: a macvlan in mode `bridge` on the leg's interface.
///
/// It is up only while the addresses are held, so that a backup answers for nothing; adverts are received on the parent and
/// sent through the macvlan. It makes no link-local address (`addrgenmode none`): two routers would derive the same one from
/// the shared MAC. The parent does not answer ARP for addresses that are not its own (`arp_ignore`), nor ask in their
/// name when it answers a packet to one (`arp_announce`): either would teach the host the parent's MAC. The macvlan takes
/// packets whose way back leads over the parent (`rp_filter` 0, which needs `all` at 0 as well).
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class VirtualMAC {
    private let instance: VRRPConfiguration.Instance
    private let kernel: KernelState
    private var socket: RawSocket?
    private var parent: Int32?
    /// It was set up: its addresses are wanted.
    private(set) var isUp = false
    /// The macvlan's number; nil: there is none.
    private(set) var ifindex: Int32?

    init(_ instance: VRRPConfiguration.Instance, kernel: KernelState) {
        self.instance = instance
        self.kernel = kernel
    }

    private var family: IPAddress.Family { instance.family }

    /// `vr4-10-3`: family, VRID, the parent's number; unique in the namespace, and within 15 bytes for any of seven digits.
    private static func name(_ family: IPAddress.Family, _ vrid: UInt8, _ parent: Int32) -> String {
        "vr\(family == .ipv4 ? 4 : 6)-\(vrid)-\(parent)"
    }

    /// The interface beneath a macvlan of ours, told by its name and its address; nil: it is none of ours.
    static func parent(of link: Link) -> Int32? {
        let words = link.name.split(separator: "-")
        guard link.kind == "macvlan", link.linkNetnsID < 0, words.count == 3, let vrid = UInt8(words[1]) else {
            return nil
        }
        let isOurs = [IPAddress.Family.ipv4, .ipv6].contains { family in
            link.name == name(family, vrid, link.link)
                && link.address?.bytes == AdvertCodec.virtualMAC(family, vrid: vrid)
        }
        return isOurs ? link.link : nil
    }

    /// Makes the macvlan on its parent, instead of the one that an earlier process left.
    ///
    /// - Throws: why there is none.
    func attach(to parent: Int32) throws(RtnlError) {
        guard parent != self.parent else { return }
        let name = Self.name(family, instance.vrid, parent)
        if let leftover = try? kernel.requests.link(named: name) {
            try? kernel.requests.perform(.removeLink(ifindex: leftover.ifindex))
        }
        guard let mac = HardwareAddress(AdvertCodec.virtualMAC(family, vrid: instance.vrid)) else { return }
        try kernel.requests.perform(.addMacvlan(name: name, parent: parent, address: mac))
        let link = try kernel.requests.link(named: name)
        try kernel.requests.perform(.setLinkLocalAddress(ifindex: link.ifindex, false))
        ifindex = link.ifindex
        self.parent = parent
        if let link = kernel.link(ifindex: parent) {
            Sysctl.set("ipv4/conf/\(link.name)/arp_ignore", "1")
            Sysctl.set("ipv4/conf/\(link.name)/arp_announce", "2")
        }
        Sysctl.set("ipv4/conf/all/rp_filter", "0")
        Sysctl.set("ipv4/conf/\(name)/rp_filter", "0")
        Sysctl.set("ipv6/conf/\(name)/accept_dad", "0")
    }

    func setUp(_ isUp: Bool) {
        guard let ifindex else { return }
        try? kernel.requests.perform(.setUp(ifindex: ifindex, isUp))
        self.isUp = isUp
        if !isUp { socket = nil }
    }

    /// What adverts are sent through; nil: the parent, as while claiming, or when resigning after the addresses have gone.
    ///
    /// - Throws: what the kernel says when there is no macvlan any more.
    func sender() throws(Errno) -> RawSocket? {
        guard let ifindex, isUp else { return nil }
        if socket == nil { socket = try RawSocket(SocketKey(ifindex: ifindex, family: family)) }
        return socket
    }

    /// Removes the macvlan, unless it has gone with its parent.
    func remove() {
        if let ifindex { try? kernel.requests.perform(.removeLink(ifindex: ifindex)) }
        socket = nil
        ifindex = nil
        parent = nil
        isUp = false
    }
}
