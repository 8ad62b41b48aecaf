/// The routes that a leg has while it serves: `routes` of its instance.
///
/// *Put.* They are added after the addresses, since one may prefer a virtual address as source, and removed before
/// them. The kernel takes such a route only when the address is there and usable, so one that is refused is tried again
/// when addresses, links or routes have changed, and every ten seconds. What is refused twice is the condition
/// `holding-missing`, with the reason; it never keeps a group from serving.
///
/// *Whose is it?* Ours carry protocol 112 (`rtm_protocol`), and each removal names that protocol and the way of the route, so
/// that no other goes. What the kernel does not compare is looked at first (`isThere`). There is one route of a destination,
/// table and metric; where another one is there already, it stays and ours is refused, until it is gone.
///
/// *Foreign removal* is noticed by the mirror and repaired (`Upkeep`). The kernel itself removes routes as well: with their
/// interface, which need not be the leg's, and with the address that they prefer. A route has no lease: of a process that is
/// killed together with its runner, routes stay until `--release` or the next start.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class LegRoutes: Held, Upkept {
    private let name: String
    /// The instance's interface, by its name in the file.
    private let interface: String
    /// The networks of the virtual addresses.
    private let networks: [IPPrefix]
    private let kernel: any Kernel
    private let loop: EventLoop

    private var routes: [VRRPConfiguration.HeldRoute]
    private var carrier: Int32?
    private var parent: Int32?
    private var isWanted = false
    /// What was put, as it was put.
    private var placed: [VRRPConfiguration.HeldRoute: RouteRequest] = [:]
    /// Interfaces or addresses have changed by then: the kernel may have removed routes itself.
    private var excusedUntilNs = Int64.min

    private(set) lazy var passing = PassingConditions(loop: loop) { [unowned self] in onCondition($0, $1) }
    private lazy var upkeep = Upkeep(loop: loop, owner: self)
    private lazy var refused = {
        let refused = MissingHoldings<VRRPConfiguration.HeldRoute>("\(name):route", loop: loop)
        refused.onCondition = { [unowned self] in onCondition($0, $1) }
        refused.onRetry = { [unowned self] due in put(routes.filter(due.contains)) }
        return refused
    }()

    var onCondition: (Condition, Bool) -> Void = { _, _ in }

    private static let excuseNs: Int64 = 1_000_000_000

    init(
        _ instance: VRRPConfiguration.Instance, of group: VRRPConfiguration.Group, kernel: any Kernel, loop: EventLoop
    ) {
        name = instance.name
        interface = instance.interface
        networks = instance.addresses.filter { instance.otherInterface(of: $0) == nil }.map(\.network)
        routes = instance.routes
        self.kernel = kernel
        self.loop = loop
    }

    /// What is published: each route, whether the kernel has it, and why not.
    var status: [(route: String, isHeld: Bool, reason: String?)] {
        routes.map { ($0.description, placed[$0] != nil, refused.reason(of: $0)) }
    }

    // MARK: In the kernel

    func bind(to ifindex: Int32?, above parent: Int32?) {
        guard ifindex != carrier || parent != self.parent else { return }
        // Until there is an interface, only a predecessor can have added routes.
        if isWanted, carrier != nil { take(routes) }
        carrier = ifindex
        self.parent = parent
        guard isWanted, ifindex != nil else { return }
        put(routes.filter { placed[$0] == nil })
    }

    func add() {
        isWanted = true
        put(routes)
    }

    func remove() {
        isWanted = false
        take(routes)
        settle()
    }

    private func settle() {
        // An instance without routes needs no memory for any of this.
        guard !routes.isEmpty else { return }
        upkeep.stop()
        refused.forgetAll()
    }

    private func put(_ wanted: [VRRPConfiguration.HeldRoute]) {
        guard isWanted, carrier != nil, !wanted.isEmpty else { return }
        var requests: [(route: VRRPConfiguration.HeldRoute, request: RouteRequest)] = []
        for route in wanted {
            switch request(route) {
            case .success(let request):
                for other in kernel.routes(at: request.key) where isAnother(other, than: request) {
                    for removal in Self.removals(of: other) where isThere(removal) {
                        _ = try? kernel.requests.perform(.removeRoute(removal))
                    }
                }
                requests.append((route, request))
            case .failure(let refusal): refuse(route, refusal.text)
            }
        }
        let answers: [RtnlError?]
        do throws(Errno) { answers = try kernel.requests.perform(requests.map { .addRoute($0.request) }) } catch {
            for (route, _) in requests { refuse(route, error.description) }
            return
        }
        for ((route, request), refusal) in zip(requests, answers) {
            guard let refusal else {
                accept(route, request)
                continue
            }
            let present = kernel.routes(at: request.key)
            if refusal.errno == .fileExists, present.contains(where: { isSame($0, as: request) }) {
                accept(route, request)
            } else if refusal.errno == .fileExists {
                let owner = present.first.map { " (protocol \($0.routeProtocol))" } ?? ""
                refuse(route, "there is another route to it with this table and metric, which is not ours\(owner)")
            } else {
                refuse(route, refusal.description)
            }
        }
    }

    /// How the kernel is asked for a route, or why it is not.
    private func request(_ route: VRRPConfiguration.HeldRoute) -> Result<RouteRequest, RtnlError> {
        let ifindex: Int32
        if route.type != nil {
            // It leads nowhere.
            ifindex = 0
        } else if let name = route.interface {
            guard let link = kernel.link(named: name) else {
                return .failure(RtnlError(.operationNotSupportedByDevice, "there is no interface \(name)"))
            }
            ifindex = link.ifindex
        } else if let carrier {
            ifindex = way(route, carrier)
        } else {
            return .failure(RtnlError(.operationNotSupportedByDevice, "there is no interface \(interface)"))
        }
        if let source = route.source, kernel.isFollowed(source) {
            let places = kernel.places(of: source)
            if !places.isEmpty, places.allSatisfy({ !$0.flags.isDisjoint(with: [.tentative, .dadFailed]) }) {
                return .failure(RtnlError(.addressNotAvailable, "\(source) is not usable yet"))
            }
        }
        let isLink = route.via == nil && route.type == nil && !route.destination.address.isIPv6
        let scope: UInt8 =
            switch route.scope {
            case nil: isLink ? RouteRequest.linkScope : 0
            case .global: 0
            case .site: 200
            case .link: RouteRequest.linkScope
            case .host: 254
            }
        var request = RouteRequest(
            key: route.key, ifindex: ifindex, gateway: route.via, source: route.source, scope: scope,
            routeProtocol: LegAddresses.protocolNumber)
        request.isOnLink = route.isOnLink
        request.mtu = route.mtu ?? 0
        request.isMTULocked = route.isMTULocked
        request.type = route.kernelType
        return .success(request)
    }

    /// The interface of a route that names none: the instance's, which has the networks that next routers are in. With a virtual
    /// MAC address that is the one beneath the macvlan, unless only a virtual address is in the network of the next router.
    private func way(_ route: VRRPConfiguration.HeldRoute, _ carrier: Int32) -> Int32 {
        guard let parent else { return carrier }
        guard let via = route.via, !via.isLinkLocal, networks.contains(where: { $0.contains(via) }) else {
            return parent
        }
        let isBeneath = kernel.addresses(of: parent).contains { $0.key.network?.contains(via) ?? false }
        return isBeneath ? parent : carrier
    }

    private func isSame(_ route: Route, as request: RouteRequest) -> Bool {
        route.routeProtocol == request.routeProtocol && route.type == request.type
            && (request.type != 1
                || route.preferredSource == request.source
                    && route.hops.contains { $0.ifindex == request.ifindex && $0.gateway == request.gateway })
    }

    /// One of ours in the place of another of ours, such as an earlier file had it.
    private func isAnother(_ route: Route, than request: RouteRequest) -> Bool {
        route.routeProtocol == request.routeProtocol && !isSame(route, as: request)
    }

    private func accept(_ route: VRRPConfiguration.HeldRoute, _ request: RouteRequest) {
        placed[route] = request
        refused.forget(route)
    }

    /// Removes those of them that were put.
    private func take(_ going: [VRRPConfiguration.HeldRoute]) {
        let requests = going.compactMap { placed.removeValue(forKey: $0) }.map(Self.removal).filter(isThere)
        guard !requests.isEmpty else { return }
        let answers = try? kernel.requests.perform(requests.map { .removeRoute($0) })
        // With an interface, or the address that it prefers, a route has gone already.
        let harmless: [Errno] = [.noSuchProcess, .operationNotSupportedByDevice]
        for case (let request, let refusal?) in zip(requests, answers ?? []) where !harmless.contains(refusal.errno) {
            Log.error("\(name): the route to \(request.key.destination) cannot be removed: \(refusal)")
        }
    }

    /// What removes it, and nothing beside it. Without its source, which the kernel may have taken from it.
    private static func removal(of request: RouteRequest) -> RouteRequest {
        RouteRequest(
            key: request.key, ifindex: request.ifindex, gateway: request.gateway, scope: request.scope,
            routeProtocol: request.routeProtocol)
    }

    /// What removes a route as the kernel has it: a request for each way that it leads, or one if it leads nowhere.
    private static func removals(of route: Route) -> [RouteRequest] {
        (route.hops.isEmpty ? [RouteHop(ifindex: 0)] : route.hops).map { hop in
            RouteRequest(
                key: route.key, ifindex: hop.ifindex, gateway: hop.gateway, source: route.preferredSource,
                scope: RouteRequest.anyScope, routeProtocol: route.routeProtocol)
        }
    }

    /// Whether a removal can take no other route than the one that it means. The kernel takes metric 0, in the removal of an IPv4
    /// route, for any metric, the lowest first (`fib_table_delete`, net/ipv4/fib_trie.c): if ours has gone, it would remove
    /// another one of our protocol, such as another instance's. So where there is another one, the kernel is asked whether
    /// ours is still there.
    private func isThere(_ removal: RouteRequest) -> Bool {
        let key = removal.key
        guard key.metric == 0, !key.destination.address.isIPv6,
            kernel.routes(to: key.destination, table: key.table).contains(where: {
                $0.key.metric != 0 && $0.routeProtocol == removal.routeProtocol
            })
        else { return true }
        do throws(RtnlError) {
            let present = try kernel.requests.routes(
                isIPv6: false, table: key.table, routeProtocol: removal.routeProtocol)
            return present.contains { $0.key == key && Self.removals(of: $0).contains { $0.leads(as: removal) } }
        } catch {
            Log.error("\(name): the route to \(key.destination) stays: whether it is ours cannot be read: \(error)")
            return false
        }
    }

    private func refuse(_ route: VRRPConfiguration.HeldRoute, _ reason: String, isInVain: Bool = false) {
        placed[route] = nil
        refused.refuse(route, reason, isInVain: isInVain)
    }

    // MARK: What the kernel has

    /// Those that are wanted, neither there nor refused.
    private var missing: [VRRPConfiguration.HeldRoute] { routes.filter { placed[$0] == nil && !refused.contains($0) } }

    var isAmiss: Bool { isWanted && !missing.isEmpty }

    func mend() { put(missing) }

    func giveUpMending() {
        for route in missing { refuse(route, "somebody removes it as often as it is added", isInVain: true) }
    }

    func kernelChanged(_ changes: KernelChanges) {
        guard isWanted, !routes.isEmpty else { return }
        if concerns(changes) { excusedUntilNs = loop.nowNs + Self.excuseNs }
        if changes.hasRoutes { observe() }
        refused.tryAgainSoon()
    }

    /// Whether an interface or an address that routes hang on has changed.
    private func concerns(_ changes: KernelChanges) -> Bool {
        placed.values.contains { request in
            request.ifindex != 0
                && (changes.addresses.contains { $0.ifindex == request.ifindex || $0.address == request.source }
                    || (kernel.link(ifindex: request.ifindex).map { changes.links.contains($0.name) } ?? true))
        }
    }

    func tend() {
        guard isWanted, carrier != nil else { return }
        observe()
        put(missing)
    }

    private func observe() {
        let gone = placed.filter { _, request in
            !kernel.routes(at: request.key).contains { isSame($0, as: request) }
        }
        guard !gone.isEmpty else { return }
        for route in gone.keys { placed[route] = nil }
        let areUp = gone.values.allSatisfy {
            $0.ifindex == 0 || kernel.link(ifindex: $0.ifindex)?.flags.contains(.up) ?? false
        }
        if areUp, loop.nowNs >= excusedUntilNs {
            upkeep.disturbed(.holdingContested, of: name) {
                "\(name): somebody has removed its route \(gone.keys.map(\.description).sorted().first ?? ""), which is "
                    + "added again"
            }
        }
        upkeep.tend()
    }

    // MARK: At a reload

    static func leavingOut(of instance: VRRPConfiguration.Instance) -> VRRPConfiguration.Instance {
        var instance = instance
        instance.routes = []
        return instance
    }

    func letGo(for instance: VRRPConfiguration.Instance) {
        let going = routes.filter { !instance.routes.contains($0) }
        if isWanted { take(going) }
        for route in going { refused.forget(route) }
        if instance.routes.isEmpty, !routes.isEmpty {
            settle()
            passing.keep([])
        }
        routes = instance.routes
    }

    func handOver(to successor: (any Held)?, isSamePlace: Bool) {
        let successor = successor as? LegRoutes
        let kept = isSamePlace ? successor?.routes ?? [] : []
        if isWanted { take(routes.filter { !kept.contains($0) }) }
        successor?.isWanted = isWanted
        successor?.placed = placed
        placed = [:]
        isWanted = false
        settle()
        if !routes.isEmpty { passing.keep([]) }
    }

    // MARK: What --check says

    static func doubts(
        of instance: VRRPConfiguration.Instance, virtual: Set<IPAddress>, on host: RtnlMonitor
    ) -> [(line: Int, text: String)] {
        instance.routes.flatMap { route -> [(line: Int, text: String)] in
            var doubts: [String] = []
            if let name = route.interface, host.link(named: name) == nil {
                doubts.append("there is no interface \(name) on this host")
            }
            if let source = route.source, !virtual.contains(source),
                !host.addresses.keys.contains(where: { $0.address == source })
            {
                doubts.append("its source \(source) is neither a virtual address nor one of this host")
            }
            return doubts.map { (route.place.line, "the route \(route) of instance \(instance.name): \($0)") }
        }
    }

    // MARK: In the record

    /// `route 198.51.100.0/24 table 100 metric 50 via -`. The next router is needed for IPv6 alone, where a route may have been
    /// given another way beside ours.
    static func lines(of instance: VRRPConfiguration.Instance, in group: VRRPConfiguration.Group) -> [String] {
        instance.routes.map { route in
            let via = route.destination.address.isIPv6 ? route.via : nil
            return "route \(route.destination) table \(route.table) metric \(route.metricInForce) via "
                + (via?.description ?? "-")
        }
    }

    static func isLine(_ words: [String]) -> Bool { removal(words) != nil }

    private static func removal(_ words: [String]) -> RouteRequest? {
        guard words.count == 8, words[0] == "route", let destination = IPPrefix(words[1]), let table = UInt32(words[3]),
            let metric = UInt32(words[5])
        else { return nil }
        return RouteRequest(
            key: RouteKey(destination: destination, table: table, metric: metric), gateway: IPAddress(words[7]),
            scope: RouteRequest.anyScope, routeProtocol: LegAddresses.protocolNumber)
    }

    static func tracked(by instance: VRRPConfiguration.Instance) -> [RouteKey] { instance.routes.map(\.key) }

    static func removeLeftovers(
        recorded: [[String]], named: [[String]], in tables: KernelTables, by requester: any KernelRequests,
        resign: (Set<IPAddress>) -> Void
    ) throws(Errno) -> String {
        let wanted = Set((recorded + named).compactMap(removal))
        var removals: Set<RtnlRequest> = []
        for place in Set(wanted.map(\.table)) {
            do throws(RtnlError) {
                for route in try requester.routes(
                    isIPv6: place.isIPv6, table: place.number, routeProtocol: LegAddresses.protocolNumber)
                {
                    removals.formUnion(
                        Self.removals(of: route).filter { isLeft($0, by: wanted) }.map { .removeRoute($0) })
                }
            } catch {
                Log.error("the routes of table \(place.number) cannot be read, those left behind stay there: \(error)")
            }
        }
        let count = try requester.perform(Array(removals)).count { $0 == nil }
        return count == 0 ? "" : "\(count) routes"
    }

    /// Whether one of the lines names it. It is removed by all that the kernel has of it, so that metric 0 is its own.
    private static func isLeft(_ route: RouteRequest, by wanted: Set<RouteRequest>) -> Bool {
        wanted.contains { $0.key == route.key && (!$0.key.destination.address.isIPv6 || $0.gateway == route.gateway) }
    }
}

extension RouteRequest {
    /// Its family and table.
    fileprivate var table: RouteTable { RouteTable(isIPv6: key.destination.address.isIPv6, number: key.table) }

    /// Whether it leads the same way.
    fileprivate func leads(as other: RouteRequest) -> Bool { ifindex == other.ifindex && gateway == other.gateway }
}

private struct RouteTable: Hashable {
    var isIPv6: Bool
    var number: UInt32
}

extension VRRPConfiguration.HeldRoute {
    /// What the kernel knows it by.
    fileprivate var key: RouteKey { RouteKey(destination: destination, table: table, metric: metricInForce) }

    /// The corresponding C constants are `RTN_UNICAST` and its siblings.
    fileprivate var kernelType: UInt8 {
        switch type {
        case nil: 1
        case .blackhole: 6
        case .unreachable: 7
        case .prohibit: 8
        case .throw: 9
        }
    }
}
