/// The virtual addresses of one leg on one interface: added with a lifetime when the engine wants them, refreshed, and
/// watched. The interface is the one that carries the leg, or another that the file names; `Leg` has one of these for each.
///
/// *Lease.* Each address is added with a valid lifetime and refreshed three times per lifetime. A process that is killed or
/// stopped refreshes nothing, and the kernel itself takes the addresses back. The kernel counts in whole seconds.
///
/// *Prefix.* IPv4 addresses are added as /32, whatever the file says. When the kernel removes the first address of a
/// network, also because its lifetime has ended, it removes all other addresses of that network too. With any other
/// prefix length ours could become the first one, and take addresses of the host along. If no other address puts the
/// network on the link, we add a route to it that prefers the virtual address as source; the kernel removes that route
/// with the address. IPv6 has no such rule: its addresses are added with the prefix length of the file and without a
/// prefix route.
///
/// *Whose is it?* Ours carry protocol 112 (`IFA_PROTO`, since kernel 5.18; before that, a limited lifetime marks them).
/// The addresses of an owner (priority 255) are permanent and are left alone. Any other virtual address without a lease
/// is a *stray*: it is reported, and on the leg's interface it is taken over or removed, unless it is the interface's
/// own (`AddressRemoval`).
///
/// *Foreign removal* is noticed by the mirror and repaired at once, a few times (`Upkeep`); after that the leg counts
/// as unable to hold its addresses, which is a cause of FAULT.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class LegAddresses: Held, Upkept {
    /// The interface by its name; nil: the one that carries the leg.
    let interface: String?
    /// The protocol number that marks our addresses and routes, VRRP's own. (`IFA_PROTO`, `rtm_protocol`)
    static let protocolNumber: UInt8 = 112

    private let name: String
    private let wanted: [VRRPConfiguration.VirtualAddress]
    /// The same addresses, where there are so many that looking through them takes long.
    private let many: Set<IPAddress>?
    private let isOwner: Bool
    private let leaseNs: Int64
    private let kernel: any Kernel
    private let loop: EventLoop

    /// The interface's number; nil: it does not exist, or the leg is not bound.
    private(set) var ifindex: Int32?
    /// Whether the leg is bound to its own interface.
    private var isLegBound = false
    /// The interface beneath, if the addresses are on a macvlan.
    private var parent: Int32?
    /// As many as are wanted, in their order; none without an interface.
    private var keys: [AddressKey] = []
    private var present: Set<AddressKey> = [] {
        didSet { renewal = nil }
    }
    /// The encoded requests that refresh the leases of our addresses that are present, for `RtnlRequester.post`; nil:
    /// they must be encoded again.
    private var renewal: [[UInt8]]?
    private(set) var isWanted = false
    private(set) var isHolding = false
    /// When the lease began last, CLOCK_BOOTTIME.
    private var refreshedNs: Int64 = 0

    private(set) lazy var passing = PassingConditions(loop: loop) { [unowned self] in onCondition($0, $1) }
    private lazy var upkeep = Upkeep(loop: loop, owner: self)
    private var isUnable = false
    private var removals = Tally(spanNs: 10_000_000_000)
    private var removalTimer: EventLoop.TimerID?
    /// Whether one of the addresses is the interface's own, although we are not its owner.
    private(set) var isOwnNamed = false

    /// Called when the kernel lists the first of the addresses, and when it lists none any more.
    var onHolding: (Bool) -> Void = { _ in }
    /// Called when the addresses cannot be added or kept, with the reason. Nothing more is tried until they are added again.
    var onUnable: (Inability) -> Void = { _ in }
    /// Called when an address turns out to be the interface's own although we are not its owner, and when it no longer is.
    var onOwnNamed: (Bool) -> Void = { _ in }
    var onCondition: (Condition, Bool) -> Void = { _, _ in }

    /// The most strays removed within ten seconds; further ones wait.
    private static let removalsMax = 3
    /// The most addresses in one request: of any kind, they fit.
    private static let renewalMax = 200
    /// How long a condition stays after it was last true.
    private static let strayNs: Int64 = 60_000_000_000
    /// The metric of our routes: any other route to the same network is preferred.
    private static let routeMetric: UInt32 = 0x7fff_0000

    /// Those of an instance: one of these for each interface.
    static func all(
        of instance: VRRPConfiguration.Instance, in group: VRRPConfiguration.Group, kernel: any Kernel, loop: EventLoop
    ) -> [LegAddresses] {
        let interfaces = instance.addresses.map(instance.otherInterface)
        let places = interfaces.indices.filter { interfaces.firstIndex(of: interfaces[$0]) == $0 }.map {
            interfaces[$0]
        }
        return (places.isEmpty ? [nil] : places).map {
            LegAddresses(instance, of: group, on: $0, kernel: kernel, loop: loop)
        }
    }

    /// Those on the interface that carries the leg.
    convenience init(
        _ instance: VRRPConfiguration.Instance, of group: VRRPConfiguration.Group, kernel: any Kernel, loop: EventLoop
    ) {
        self.init(instance, of: group, on: nil, kernel: kernel, loop: loop)
    }

    private init(
        _ instance: VRRPConfiguration.Instance, of group: VRRPConfiguration.Group, on interface: String?,
        kernel: any Kernel, loop: EventLoop
    ) {
        name = instance.name
        self.interface = interface
        wanted = instance.addresses.filter { instance.otherInterface(of: $0) == interface }
        many = wanted.count > 16 ? Set(wanted.map(\.address)) : nil
        isOwner = group.priority == 255
        leaseNs = group.addressLeaseNs
        self.kernel = kernel
        self.loop = loop
    }

    deinit { if let removalTimer { loop.cancel(removalTimer) } }

    // MARK: Their interface

    var addresses: [IPAddress] { wanted.map(\.address) }

    func bind(to ifindex: Int32?, above parent: Int32?) {
        isLegBound = ifindex != nil
        if interface == nil { bind(ifindex, above: parent) } else { bindToOther() }
    }

    /// The other interface, which may have come or gone.
    private func bindToOther() {
        bind(isLegBound ? interface.flatMap(kernel.link)?.ifindex : nil, above: nil)
    }

    private func bind(_ ifindex: Int32?, above parent: Int32?) {
        guard ifindex != self.ifindex else { return }
        // An interface that goes takes its addresses along; one that has been renamed does not.
        if isWanted { removeOurs() }
        self.ifindex = ifindex
        self.parent = parent
        findKeys()
        guard isWanted, ifindex != nil else { return observe() }
        present = found
        add()
    }

    /// What is to be in the kernel's table. An owner's address is there as somebody has put it there for good, whatever its
    /// prefix length.
    private func findKeys() {
        guard let ifindex else { return keys = [] }
        keys = wanted.map { wanted in
            let length = wanted.address.isIPv6 ? wanted.length : wanted.address.family.width
            let own = isOwner ? kernel.places(of: wanted.address) : []
            return own.first { $0.key.ifindex == ifindex && !Self.isOurs($0) }?.key
                ?? AddressKey(ifindex: ifindex, address: wanted.address, prefixLength: UInt8(clamping: length))
        }
    }

    // MARK: What the engine wants

    /// From now on their lease is refreshed.
    func add() {
        isWanted = true
        isUnable = false
        refreshedNs = Clock.boottimeNs()
        put(keys.filter { !isForeign($0) || isStray($0) })
    }

    func remove() {
        isWanted = false
        isUnable = false
        upkeep.stop()
        removeOurs()
        report()
    }

    private func removeOurs() {
        // Also removes addresses that we do not know to be there: an error for one that is not is ignored.
        let ours = keys.filter { !isForeign($0) }
        let strays = strays.filter(isLeftover).map(\.key).filter { !ours.contains($0) }
        _ = kernel.remove(ours + strays)
        present.subtract(ours + strays)
    }

    func handOver(to successor: (any Held)?, isSamePlace: Bool) {
        onHolding = { _ in }
        let successor = successor as? LegAddresses
        let kept = isSamePlace ? successor?.wanted ?? [] : []
        let surplus = zip(keys, wanted).filter { key, old in
            !isForeign(key) && !kept.contains { $0.address == old.address && $0.isAlike(old) }
        }.map(\.0)
        if isWanted { _ = kernel.remove(surplus) }
        if let successor { removeRoutes(butThoseOf: successor) }
        successor?.isWanted = isWanted
        isWanted = false
        upkeep.stop()
        passing.keep([])
    }

    /// The leg had none of these until now.
    func begin(isWanted: Bool) { self.isWanted = isWanted }

    private func put(_ keys: [AddressKey]) {
        guard !wanted.isEmpty else { return report() }
        // An IPv6 address is on an interface once, and one that failed its detection stays so until it goes.
        let inTheWay = keys.filter(\.address.isIPv6).flatMap { key in
            kernel.places(of: key.address).filter { place in
                place.key.ifindex == key.ifindex
                    && (place.key != key || !place.flags.isDisjoint(with: [.tentative, .dadFailed]))
            }
        }
        _ = kernel.remove(inTheWay.filter(isLeftover).map(\.key))
        var refused: RtnlError?
        do throws(Errno) {
            for (key, refusal) in zip(keys, try kernel.requests.perform(keys.map { .putAddress(request($0)) })) {
                if let refusal {
                    Log.error("\(name): \(key.address) cannot be added: \(refusal)", about: "addresses \(name)")
                    // The mirror will report that the interface is gone.
                    if refusal.errno != .operationNotSupportedByDevice { refused = refusal }
                } else {
                    present.insert(key)
                }
            }
        } catch {
            Log.error("\(name): its addresses cannot be added: \(error)", about: "addresses \(name)")
        }
        putRoutes()
        report()
        if let refused { return giveUp(.refused(refused)) }
        tend()
    }

    private func request(_ key: AddressKey) -> AddressRequest {
        var request = AddressRequest(key: key, validSeconds: UInt32(clamping: max(1, leaseNs / 1_000_000_000)))
        // A preferred IPv6 address would become the source of the router's own connections.
        request.isPreferred = false
        request.noPrefixRoute = key.address.isIPv6 && key.prefixLength < 128
        request.addressProtocol = Self.protocolNumber
        if let wanted = wanted(key), wanted.hasAttributes {
            request.label = wanted.label
            request.scope = wanted.scope
            request.broadcast = wanted.broadcast
        }
        return request
    }

    private func wanted(_ key: AddressKey) -> VRRPConfiguration.VirtualAddress? {
        keys.firstIndex(of: key).map { wanted[$0] }
    }

    /// Whether its network is to be reachable, though the address is a /32.
    private static func isNetworked(_ address: VRRPConfiguration.VirtualAddress) -> Bool {
        !address.address.isIPv6 && address.length < 32 && address.hasPrefixRoute
    }

    /// Adds routes to the networks that no other address puts on the link.
    private func putRoutes() {
        guard isWanted, let ifindex else { return }
        guard wanted.contains(where: Self.isNetworked), kernel.vrf(of: ifindex) == 0 else { return }
        let around = kernel.addresses(of: ifindex) + (parent.map(kernel.addresses) ?? [])
        let networks = around.filter { !kernel.isFollowed($0.key.address) && !$0.flags.contains(.noPrefixRoute) }
            .compactMap(\.key.network)
        var requests: [RtnlRequest] = []
        var seen: Set<IPPrefix> = []
        for (address, key) in zip(wanted, keys) where Self.isNetworked(address) {
            let network = address.network
            guard present.contains(key), seen.insert(network).inserted,
                !networks.contains(where: { $0.length <= network.length && $0.contains(network.address) })
            else { continue }
            requests.append(.addRoute(route(to: network, from: address.address, ifindex)))
        }
        guard !requests.isEmpty, let answers = try? kernel.requests.perform(requests) else { return }
        // If the address has just gone, it is added again, and its route with it.
        for case let refusal? in answers where ![.fileExists, .invalidArgument].contains(refusal.errno) {
            Log.warning("\(name): cannot add the route to the network of its addresses: \(refusal)")
        }
    }

    private func route(to network: IPPrefix, from source: IPAddress, _ ifindex: Int32) -> RouteRequest {
        RouteRequest(
            key: RouteKey(destination: network, table: RouteRequest.mainTable, metric: Self.routeMetric),
            ifindex: ifindex,
            source: source, scope: RouteRequest.linkScope, routeProtocol: Self.protocolNumber)
    }

    /// Where an address has another prefix length from now on, the route to its old network goes; the address stays.
    private func removeRoutes(butThoseOf successor: LegAddresses) {
        guard isWanted, let ifindex else { return }
        func routes(_ leg: LegAddresses) -> Set<RouteRequest> {
            Set(leg.wanted.filter(Self.isNetworked).map { route(to: $0.network, from: $0.address, ifindex) })
        }
        let old = routes(self).subtracting(routes(successor))
        _ = try? kernel.requests.perform(old.map(RtnlRequest.removeRoute))
    }

    // MARK: The lease

    /// When the leases must be refreshed, CLOCK_BOOTTIME; nil: nothing is leased.
    var refreshDueNs: Int64? { isWanted && !keys.isEmpty ? refreshedNs + leaseNs / 3 : nil }

    /// The sleep from which on it may have ended.
    var sleepNs: Int64 { AddressLease.sleepNs(leaseNs) }

    /// How much earlier than due it may be refreshed, so that one wake-up serves for several things.
    var refreshSlackNs: Int64 { leaseNs / 6 }

    /// Whether the kernel may have taken the addresses back before we came to refresh them, or another router has taken them over:
    /// we slept. The kernel itself counts no time while the machine is suspended.
    func hasLapsed(nowNs: Int64) -> Bool { isWanted && nowNs - refreshedNs >= leaseNs }

    /// The requests that refresh the leases, each of which fits a datagram. An address that somebody removed is left out: adding
    /// it again is the repair's job.
    func refresh(nowNs: Int64) -> [[UInt8]] {
        refreshedNs = nowNs
        if let renewal { return renewal }
        let ours = present.filter { !isForeign($0) }.map { RtnlRequest.putAddress(request($0)) }
        let made = stride(from: 0, to: ours.count, by: Self.renewalMax).compactMap { start in
            kernel.requests.encode(Array(ours[start..<min(start + Self.renewalMax, ours.count)]))
        }
        renewal = made
        return made
    }

    // MARK: What the kernel has

    func kernelChanged(_ changes: KernelChanges) {
        if let interface, changes.links.contains(interface) { bindToOther() }
        if changes.addresses.contains(where: { concerns($0.address) }) { observe() }
        let beneath = parent ?? ifindex
        if changes.addresses.contains(where: { $0.ifindex == beneath && !kernel.isFollowed($0.address) }) {
            putRoutes()
            tend()
        }
    }

    private func concerns(_ address: IPAddress) -> Bool {
        kernel.isFollowed(address) && (many?.contains(address) ?? wanted.contains { $0.address == address })
    }

    /// Looks at the mirror again.
    private func observe() {
        let before = present
        if isOwner { findKeys() }
        present = found
        if isWanted, !isUnable, !before.subtracting(present).isEmpty { noteDisturbance("removed") }
        report()
        tend()
    }

    /// Those that the kernel has and answers for.
    private var found: Set<AddressKey> {
        Set(keys.filter { kernel.addresses[$0]?.flags.isDisjoint(with: [.tentative, .dadFailed]) ?? false })
    }

    /// Those that the file writes as tables, and whether the kernel has each.
    var withAttributes: [(address: VRRPConfiguration.VirtualAddress, isHeld: Bool)] {
        wanted.indices.filter { wanted[$0].hasAttributes }.map { index in
            (
                wanted[index],
                keys.indices.contains(index) && present.contains(keys[index]) && (isWanted || !isForeign(keys[index]))
            )
        }
    }

    private func isForeign(_ key: AddressKey) -> Bool { kernel.addresses[key].map { !Self.isOurs($0) } ?? false }

    static func isOurs(_ address: Address) -> Bool {
        address.addressProtocol == protocolNumber || address.addressProtocol == 0 && address.hasLease
    }

    private func report() {
        // An address that is there for good is the owner's: it is held while it is wanted, and never ours to remove. Who has
        // no addresses holds while it serves.
        let isServed = wanted.isEmpty ? ifindex != nil : !present.isEmpty
        let isHeld = isWanted ? isServed : present.contains { !isForeign($0) }
        guard isHolding != isHeld else { return }
        isHolding = isHeld
        onHolding(isHolding)
    }

    // MARK: Strays

    /// Virtual addresses of ours that somebody else has added, on this interface or another. An owner has no strays.
    private var strays: [Address] {
        guard !isOwner, ifindex != nil else { return [] }
        return keys.flatMap { key in
            kernel.places(of: key.address).filter {
                !(Self.isOurs($0) && $0.key == key) && (isHere($0.key) || isReachable($0.key))
            }
        }
    }

    private func isStray(_ key: AddressKey) -> Bool {
        !isOwner && (kernel.addresses[key].map(isLeftover) ?? false)
    }

    /// On the leg's interface, the one beneath it, or a macvlan on that, which other daemons make too.
    private func isHere(_ key: AddressKey) -> Bool {
        if key.ifindex == ifindex || key.ifindex == parent { return true }
        guard let link = kernel.link(ifindex: key.ifindex), link.kind == "macvlan", link.linkNetnsID < 0 else {
            return false
        }
        return link.link == parent ?? ifindex
    }

    /// The kernel answers on the leg for what another interface has, if that is no link-local address or of another VRF.
    private func isReachable(_ key: AddressKey) -> Bool {
        guard let ifindex, !(key.address.isIPv6 && key.address.isLinkLocal) else { return false }
        return kernel.vrf(of: key.ifindex) == kernel.vrf(of: ifindex)
    }

    private func isLeftover(_ address: Address) -> Bool {
        guard isHere(address.key) else { return false }
        if Self.isOurs(address) { return true }
        // On a macvlan of its own an address has no neighbours; what matters is that the leg has one.
        let isOnLeg = address.key.ifindex == ifindex && parent == nil || address.key.ifindex == parent
        if !isOnLeg { return true }
        return AddressRemoval.isLeftover(
            address, among: kernel.addresses(of: address.key.ifindex), isVirtual: kernel.isFollowed)
    }

    /// Reports strays, and removes those that are on the leg and that nobody uses.
    private func tendStrays() {
        let strays = strays
        for stray in strays where !Self.isOurs(stray) { tell(stray) }
        let isOwnNamed = strays.contains { isHere($0.key) && !isLeftover($0) }
        if isOwnNamed != self.isOwnNamed {
            self.isOwnNamed = isOwnNamed
            onOwnNamed(isOwnNamed)
        }
        // One that is ours and has only lost its lease gets it back in `put`.
        let going =
            strays.filter { isLeftover($0) && !(isWanted && keys.contains($0.key)) }.map(\.key)
            + (isWanted ? [] : present.filter { !isForeign($0) })
        guard !going.isEmpty, removalTimer == nil else { return }
        let nowNs = loop.nowNs
        guard removals.add(nowNs: nowNs) <= Self.removalsMax else {
            removalTimer = loop.schedule(atNs: nowNs + removals.spanNs) { [unowned self] in
                removalTimer = nil
                tendStrays()
            }
            return
        }
        for (key, refusal) in zip(going, kernel.remove(going)) {
            // An interface that is gone has taken its addresses along.
            if let refusal, ![.addressNotAvailable, .operationNotSupportedByDevice].contains(refusal.errno) {
                Log.error("\(name): \(key.address)/\(key.prefixLength) cannot be removed: \(refusal)")
            } else {
                present.remove(key)
            }
        }
        report()
    }

    private func tell(_ stray: Address) {
        let interface = kernel.link(ifindex: stray.key.ifindex)?.name ?? "\(stray.key.ifindex)"
        let subject = "\(name):\(interface)"
        if !passing.has(.foreignAddress, of: subject) {
            let what =
                !isHere(stray.key)
                ? "it stays there, and this host answers for it"
                : !isLeftover(stray)
                    ? "it is the interface's own: expected priority 255, or another virtual address"
                    : isWanted ? "it is taken over" : "it is removed"
            Log.error(
                "\(name): \(stray.key.address)/\(stray.key.prefixLength) is on \(interface) and nobody leased it: \(what)"
            )
        }
        passing.saw(.foreignAddress, of: subject, forNs: Self.strayNs) {
            ""
        } while: { [unowned self] in
            strays.contains { $0.key.ifindex == stray.key.ifindex && !Self.isOurs($0) }
        }
    }

    /// Somebody else removed or changed what we hold. An interface that is put down loses its IPv6 addresses by that, and who
    /// has slept has lost them by the end of the lease.
    private func noteDisturbance(_ what: String) {
        let isUp = ifindex.flatMap { kernel.link(ifindex: $0)?.flags.contains(.up) } ?? false
        guard isUp, !hasLapsed(nowNs: Clock.boottimeNs()) else { return }
        upkeep.disturbed(.addressContested, of: name) {
            "\(name): somebody has \(what) its addresses, which are added again"
        }
    }

    // MARK: Repair

    func tend() {
        tendStrays()
        if isWanted, !isUnable, !keys.isEmpty { upkeep.tend() }
    }

    /// Those that are wanted and missing, or there without a lease.
    private var amiss: [AddressKey] { keys.filter { !present.contains($0) || isForeign($0) && isStray($0) } }

    var isAmiss: Bool { isWanted && !isUnable && !amiss.isEmpty }

    func mend() {
        let amiss = amiss
        if amiss.contains(where: present.contains) { noteDisturbance("changed") }
        put(amiss)
    }

    func mendingFails(_ isFailing: Bool) { onCondition(Condition(.addressMissing, name), isFailing) }

    func giveUpMending() { giveUp(.contested) }

    /// Why a leg cannot hold its addresses.
    enum Inability: CustomStringConvertible {
        case refused(RtnlError)
        case contested
        case macvlan(String)

        var description: String {
            switch self {
            case .refused(let error): "its addresses cannot be added: \(error)"
            case .contested: "somebody takes its addresses away as often as they are added"
            case .macvlan(let reason): "nothing gets through its macvlan: \(reason)"
            }
        }
    }

    private func giveUp(_ reason: Inability) {
        isUnable = true
        onUnable(reason)
    }
}
