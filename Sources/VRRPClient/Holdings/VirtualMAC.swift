/// The virtual router's own MAC address (RFC 9568, 7.3), optional: a macvlan in mode `bridge` on the leg's interface.
///
/// It is up only while the addresses are held, so that a backup answers for nothing; adverts are received on the parent and
/// sent through the macvlan, or through the parent (`virtual-mac-adverts`). It is in the VRF of its parent. Both see every
/// ARP request on the wire, and each answers for its own addresses alone (`arp_ignore`) and asks in their name alone
/// (`arp_announce`): anything else would teach the neighbours two MAC addresses for one IP address. The switches of the
/// parent are borrowed, see `InterfaceSwitches`; the macvlan's go with it.
///
/// The kernel undoes some of this by itself when an interface is reconfigured, and so may an administrator: `restore` looks
/// at all of it again. Where nothing gets through the macvlan any more, which sending does not always show (`obstacle`), it
/// is made again.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class VirtualMAC {
    private let instance: VRRPConfiguration.Instance
    private let kernel: any Kernel
    private let wire: any Wire
    private var socket: (any AdvertSender)?
    private var parent: Int32?
    private var complaints: [String] = []
    /// It was set up: its addresses are wanted.
    private(set) var isUp = false
    /// The macvlan's number; nil: there is none.
    private(set) var ifindex: Int32?

    /// Called when a sysctl stops being as it has to be, and when it is so again.
    var onRefusal: (Bool) -> Void = { _ in }

    init(_ instance: VRRPConfiguration.Instance, kernel: any Kernel, wire: any Wire) {
        self.instance = instance
        self.kernel = kernel
        self.wire = wire
    }

    private var family: IPAddress.Family { instance.family }

    /// Its adverts' family, and those of its addresses.
    private func has(_ family: IPAddress.Family) -> Bool {
        self.family == family || instance.addresses.contains { $0.address.family == family }
    }

    /// `vr4-10-3`: family, VRID, the parent's number; unique in the namespace, and within 15 bytes for any of seven digits.
    private static func name(_ family: IPAddress.Family, _ vrid: UInt8, _ parent: Int32) -> String {
        "vr\(family == .ipv4 ? 4 : 6)-\(vrid)-\(parent)"
    }

    private var address: HardwareAddress? { HardwareAddress(AdvertCodec.virtualMAC(family, vrid: instance.vrid)) }

    /// The interface beneath a macvlan of ours; nil: it is none of ours. Ours has the address of a virtual router, and the mark
    /// that stays with it when it is renamed, or, from before it was marked, the name that we give.
    static func parent(of link: Link) -> Int32? {
        guard link.kind == "macvlan", link.linkNetnsID < 0, let bytes = link.address?.bytes, let vrid = bytes.last
        else {
            return nil
        }
        let isOurs = [IPAddress.Family.ipv4, .ipv6].contains { family in
            bytes == AdvertCodec.virtualMAC(family, vrid: vrid)
                && (link.isMarked || link.name == name(family, vrid, link.link))
        }
        return isOurs ? link.link : nil
    }

    // MARK: Making it

    /// Makes the macvlan on its parent, instead of the one that an earlier process left.
    ///
    /// - Throws: why there is none, or none through which anybody could reach its addresses.
    func attach(to parent: Int32) throws(RtnlError) {
        guard parent != self.parent else { return }
        let name = instance.virtualMACName ?? Self.name(family, instance.vrid, parent)
        guard let address else { return }
        if let leftover = try? kernel.requests.link(named: name) {
            // Also one of keepalived, which has the same address.
            let isLeftover = leftover.isMarked || leftover.kind == "macvlan" && leftover.address == address
            guard isLeftover || instance.virtualMACName == nil else {
                throw RtnlError(.fileExists, "there is another interface \(name)")
            }
            try? kernel.requests.perform(.removeLink(ifindex: leftover.ifindex))
        }
        try kernel.requests.perform(
            .addMacvlan(name: name, parent: parent, address: address, vrf: kernel.vrf(of: parent)))
        let link = try kernel.requests.link(named: name)
        ifindex = link.ifindex
        try kernel.requests.perform(.mark(ifindex: link.ifindex))
        try kernel.requests.perform(.setLinkLocalAddress(ifindex: link.ifindex, false))
        self.parent = parent
        judge(parentNeeds.compactMap { kernel.switches.borrow($0, on: parent) } + meetOwnNeeds(name, parent))
        guard isReachable(name) else { throw RtnlError(.permissionDenied, "its address could not be reached") }
    }

    /// What the parent's switches have to be.
    private var parentNeeds: [SwitchNeed] { has(.ipv4) ? [.arpIgnore, .arpAnnounce] : [] }

    /// What has to be so that an address can be reached: that ARP is answered, and that what is sent to it is taken, although
    /// the way back leads over the parent. 2 is the loose check, which that passes; it is written only where `all` says 1.
    private static let vital = [
        SwitchNeed(name: "rp_filter", value: 0, alsoGood: [2], isRaisedByAll: true),
        SwitchNeed(name: "arp_filter", value: 0, isRaisedByAll: true),
    ]

    private func vitalNeeds() -> [SwitchNeed] {
        guard has(.ipv4) else { return [] }
        var needs = Self.vital
        if (try? Sysctl.value(needs[0].path("all"))) == 1 { needs[0].value = 2 }
        return needs
    }

    /// The macvlan's own: those it would inherit from `default` are for an interface that is somebody's. It forwards as its
    /// parent does, or what is sent to the virtual MAC address would go nowhere; it speaks for no proxied address
    /// (`medium_id` -1: neither `proxy_arp` nor that of `all` count); and no router's advertisement gives it an address of
    /// its own, which would be the other director's as well.
    private func needs(like parent: String) -> [SwitchNeed] {
        var needs: [SwitchNeed] = []
        for isIPv6 in [false, true] where has(isIPv6 ? .ipv6 : .ipv4) {
            var forwarding = SwitchNeed(name: "forwarding", isIPv6: isIPv6, value: 0)
            guard let value = try? Sysctl.value(forwarding.path(parent)) else { continue }
            forwarding.value = value
            needs.append(forwarding)
        }
        if has(.ipv6) {
            needs += [
                SwitchNeed(name: "disable_ipv6", isIPv6: true, value: 0),
                SwitchNeed(name: "accept_dad", isIPv6: true, value: 0),
                SwitchNeed(name: "accept_ra", isIPv6: true, value: 0),
                SwitchNeed(name: "autoconf", isIPv6: true, value: 0),
            ]
        }
        if has(.ipv4) {
            needs += [
                // Nothing that is greater: 2 would refuse whoever is in another network than the address.
                SwitchNeed(name: "arp_ignore", value: 1, isRaisedByAll: true), .arpAnnounce,
                SwitchNeed(name: "medium_id", value: -1), SwitchNeed(name: "proxy_arp_pvlan", value: 0),
            ]
        }
        return needs
    }

    private func meetOwnNeeds(_ name: String, _ parent: Int32) -> [String] {
        let parentName = kernel.link(ifindex: parent)?.name ?? ""
        return (vitalNeeds() + needs(like: parentName)).compactMap { $0.meet(on: name) }
    }

    private func isReachable(_ name: String) -> Bool {
        vitalNeeds().allSatisfy { need in (try? need.inForce(on: name)).map(need.isMet) ?? false }
    }

    private func judge(_ now: [String]) {
        for complaint in now where !complaints.contains(complaint) { Log.error("\(instance.name): \(complaint)") }
        let was = complaints
        complaints = now
        if was.isEmpty != now.isEmpty { onRefusal(!now.isEmpty) }
    }

    // MARK: Keeping it

    /// Looks at the switches again, and turns what somebody else has turned.
    func checkSwitches() {
        guard let ifindex, let parent, let link = kernel.link(ifindex: ifindex) else { return }
        judge(parentNeeds.compactMap { kernel.switches.meet($0, on: parent) } + meetOwnNeeds(link.name, parent))
    }

    /// The macvlan or its parent has changed: puts back what the kernel or somebody else has taken. The kernel lowers a
    /// macvlan's MTU with its parent's and never raises it, and below 1280 it forgets all that is said here of IPv6.
    ///
    /// - Returns: whether the neighbours have to be told again who has the addresses.
    func restore() -> Bool {
        guard let ifindex, let parent, let link = kernel.link(ifindex: ifindex),
            let beneath = kernel.link(ifindex: parent)
        else { return false }
        if link.mtu != beneath.mtu {
            // When the kernel enables IPv6 again on an interface that is up, it adds a link-local address of its own
            // before we can forbid it.
            if isUp { try? kernel.requests.perform(.setUp(ifindex: ifindex, false)) }
            try? kernel.requests.perform(.setMTU(ifindex: ifindex, beneath.mtu))
            try? kernel.requests.perform(.setLinkLocalAddress(ifindex: ifindex, false))
            checkSwitches()
            if isUp { try? kernel.requests.perform(.setUp(ifindex: ifindex, true)) }
        }
        if kernel.vrf(of: ifindex) != kernel.vrf(of: parent) {
            try? kernel.requests.perform(.setMaster(ifindex: ifindex, kernel.vrf(of: parent)))
        }
        guard let address, link.address != address else { return false }
        Log.warning("\(instance.name): \(link.name) has lost its MAC address \(address), setting it again")
        try? kernel.requests.perform(.setHardwareAddress(ifindex: ifindex, address))
        return true
    }

    /// Why nothing gets through the macvlan although the interface beneath it works; nil: nothing is known to be wrong.
    ///
    /// An interface without carrier takes packets and drops them, so that sending shows nothing. The mirror may still have what
    /// was so before we changed it: the kernel is asked.
    var obstacle: String? {
        guard isUp, let ifindex, let parent, let link = kernel.link(ifindex: ifindex), Self.hindrance(of: link) != nil,
            let now = try? kernel.requests.link(ifindex: ifindex),
            let beneath = try? kernel.requests.link(ifindex: parent),
            beneath.flags.isSuperset(of: [.up, .running, .lowerUp])
        else { return nil }
        return Self.hindrance(of: now).map { "\(now.name) \($0)" }
    }

    private static func hindrance(of link: Link) -> String? {
        if !link.flags.contains(.up) { return "was taken down" }
        if link.isProtoDown { return "was taken down (protodown)" }
        if !link.flags.contains(.lowerUp) { return "has lost its carrier" }
        return link.flags.contains(.noARP) ? "does not answer ARP any more" : nil
    }

    /// Whether it was this interface, which is gone, and the one beneath it is still there.
    func isTaken(_ ifindex: Int32) -> Bool {
        guard ifindex == self.ifindex, let parent else { return false }
        return (try? kernel.requests.link(ifindex: parent)) != nil
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
    func sender() throws(Errno) -> (any AdvertSender)? {
        guard let ifindex, isUp else { return nil }
        if socket == nil { socket = try wire.sender(SocketKey(ifindex: ifindex, family: family)) }
        return socket
    }

    /// Removes the macvlan, unless it has gone with its parent, and gives back what was borrowed of the parent.
    func remove() {
        if let ifindex { try? kernel.requests.perform(.removeLink(ifindex: ifindex)) }
        if let parent { for need in parentNeeds { kernel.switches.giveBack(need, on: parent) } }
        judge([])
        socket = nil
        ifindex = nil
        parent = nil
        isUp = false
    }
}
