/// The tracked routes: what the kernel reported, and what follows from the state of their interfaces. Pure.
///
/// The kernel does not announce everything. It removes IPv4 routes silently with their interface, with its last
/// address, or with a nexthop object, and marks next hops silently when carrier is lost (`fib_sync_down_dev`,
/// net/ipv4/fib_semantics.c). Two things make up for it. What is published combines the kernel's reports *with the
/// state of the links*, so that a route whose interfaces are all gone or down is gone at once. And whenever more may
/// have changed than was reported, `isDoubtful` asks for a dump, which settles it.
///
/// Several routes may share a key: IPv4 allows `append`, IPv6 changes one hop of several at a time. Where a message leaves
/// open which of them it means, the likeliest is taken, and a dump is asked for.
import CMnl

package struct RouteMirror {
    /// At most this many routes are kept; beyond it the mirror says that it is not whole.
    static let routesMax = 4096

    let tracking: RouteTracking
    /// As the kernel reported it.
    private var said: [RouteKey: [Route]] = [:]
    /// Seen through the links: what is published.
    package private(set) var routes: [RouteKey: [Route]] = [:]
    private var count = 0
    private var reconciliation: Reconciliation<RouteKey>?
    private var dumped: [RouteKey: [Route]] = [:]
    private var dumpedCount = 0
    private var isDumpOverfull = false
    private var nexthops: [UInt32: Nexthop] = [:]

    /// Whether the kernel must be asked, because it may have changed more than it said.
    package var isDoubtful = false
    /// Whether routes had to be left out, `routesMax` being reached.
    package private(set) var isOverfull = false
    /// Whether the dump under way has missed something and must be made again.
    package private(set) var isSpoiled = false

    package init(tracking: RouteTracking) {
        self.tracking = tracking
    }

    /// The published routes, in no particular order.
    package var all: [Route] { routes.values.flatMap { $0 } }

    /// How many these are.
    package var publishedCount: Int { routes.values.reduce(0) { $0 + $1.count } }
}

// MARK: - Events

extension RouteMirror {
    package mutating func apply(
        _ route: Route, isRemoval: Bool, isReplacement: Bool, _ links: [Int32: Link], _ changes: inout [MirrorChange]
    ) {
        guard tracking.isTracked(route.key) else { return }
        if reconciliation?.touch(route.key) == false { isSpoiled = true }
        var list = said[route.key] ?? []
        if isRemoval { remove(route, from: &list) } else { put(route, into: &list, isReplacement: isReplacement) }
        set(route.key, list)
        publish(route.key, links, isInferred: false, &changes)
    }

    private mutating func put(_ route: Route, into list: inout [Route], isReplacement: Bool) {
        // Only the nexthop object has its next hops.
        if route.hops.isEmpty && route.nexthopID != 0 { isDoubtful = true }
        if let same = list.firstIndex(where: { $0.isSame(as: route) }) {
            list[same] = route
            return
        }
        if list.isEmpty { return list.append(route) }
        // IPv6 announces the whole set of hops when one is added; IPv4 adds another route beside.
        let grown = route.key.destination.address.isIPv6 ? list.firstIndex { $0.isPart(of: route) } : nil
        if let index = grown ?? (isReplacement ? 0 : nil) { list[index] = route } else { list.append(route) }
        isDoubtful = true
    }

    private mutating func remove(_ route: Route, from list: inout [Route]) {
        if let same = list.firstIndex(where: { $0.isSame(as: route) }) {
            list.remove(at: same)
        } else if let whole = list.firstIndex(where: { route.isPart(of: $0) }), !route.hops.isEmpty {
            let leaving = route.hops
            list[whole].hops.removeAll { hop in leaving.contains { $0.leads(as: hop) } }
            if list[whole].hops.isEmpty { list.remove(at: whole) }
            isDoubtful = true
        } else if !list.isEmpty {
            isDoubtful = true
        }
    }

    private mutating func set(_ key: RouteKey, _ list: [Route]) {
        let before = said[key]?.count ?? 0
        guard count - before + list.count <= Self.routesMax else { return isOverfull = true }
        count += list.count - before
        said[key] = list.isEmpty ? nil : list
    }

    /// An interface came, went, or changed its state: so may its routes, and the kernel may have changed more.
    package mutating func linkChanged(_ ifindex: Int32, _ links: [Int32: Link], _ changes: inout [MirrorChange]) {
        let isDown = links[ifindex]?.flags.contains(.up) != true
        for key in keys(using: ifindex) {
            // Such a route does not come back with its interface.
            if isDown { set(key, (said[key] ?? []).filter { $0.seen(through: links) != nil }) }
            publish(key, links, isInferred: true, &changes)
            isDoubtful = true
        }
    }

    /// An address went; routes that preferred it, or the last one's interface, may have gone with it.
    package mutating func addressRemoved(_ address: Address) {
        isDoubtful =
            isDoubtful
            || said.values.joined().contains { route in
                route.preferredSource == address.key.address
                    || route.hops.contains { $0.ifindex == address.key.ifindex }
            }
    }

    /// A nexthop object came, changed or went.
    package mutating func nexthopChanged() {
        isDoubtful = isDoubtful || said.values.joined().contains { $0.nexthopID != 0 }
    }

    private func keys(using ifindex: Int32) -> [RouteKey] {
        said.filter { $0.value.contains { $0.hops.contains { $0.ifindex == ifindex } } }.map(\.key)
    }
}

// MARK: - Dumps

extension RouteMirror {
    package mutating func beginDump() {
        reconciliation = Reconciliation()
        dumped = [:]
        dumpedCount = 0
        nexthops = [:]
        isSpoiled = false
        isDumpOverfull = false
        isDoubtful = false
    }

    package mutating func applyDumped(_ route: Route) {
        guard reconciliation != nil, tracking.isTracked(route.key) else { return }
        // The kernel may list one twice.
        if let same = dumped[route.key]?.firstIndex(where: route.isSame) {
            dumped[route.key]?[same] = route
            return
        }
        guard dumpedCount < Self.routesMax else { return isDumpOverfull = true }
        dumpedCount += 1
        dumped[route.key, default: []].append(route)
    }

    /// Whether the dump has routes of which only the nexthop object says where they lead (`nexthop_compat_mode` 0).
    package var needsNexthops: Bool { dumped.values.joined().contains { $0.nexthopID != 0 && $0.hops.isEmpty } }

    package mutating func applyDumped(_ nexthop: Nexthop) {
        if nexthops.count < 65536 { nexthops[nexthop.id] = nexthop } else { isDumpOverfull = true }
    }

    /// - Parameter isWhole: whether the dump can be trusted to have named everything.
    package mutating func endDump(isWhole: Bool, _ links: [Int32: Link], _ changes: inout [MirrorChange]) {
        defer {
            reconciliation = nil
            dumped = [:]
            nexthops = [:]
        }
        guard isWhole, let reconciliation else { return }
        isOverfull = isDumpOverfull
        // Routes that are gone are removed first, to make room.
        for key in said.keys.filter({ dumped[$0] == nil }) + dumped.keys where !reconciliation.isTouched(key) {
            set(key, (dumped[key] ?? []).map(resolved))
            publish(key, links, isInferred: true, &changes)
        }
    }

    private func resolved(_ route: Route) -> Route {
        guard route.hops.isEmpty, let nexthop = nexthops[route.nexthopID] else { return route }
        var route = route
        let parts = nexthop.members.isEmpty ? [nexthop] : nexthop.members.compactMap { nexthops[$0] }
        route.hops = parts.compactMap(\.hop)
        return route
    }
}

// MARK: - What is published

extension RouteMirror {
    /// Compares what the kernel said, seen through the links, with what was published.
    ///
    /// - Parameter isInferred: whether the kernel did not announce what made the difference.
    private mutating func publish(
        _ key: RouteKey, _ links: [Int32: Link], isInferred: Bool, _ changes: inout [MirrorChange]
    ) {
        let old = routes[key] ?? []
        var new = (said[key] ?? []).compactMap { $0.seen(through: links) }
        for index in new.indices {
            // An entry that stays as it is keeps its mark.
            let same = old.first { $0.isAlike(new[index]) }
            new[index].isInferred = same?.isInferred ?? (isInferred && !old.isEmpty && !new[index].isUsable)
        }
        routes[key] = new.isEmpty ? nil : new
        if old == new { return }
        if let before = old.first, let after = new.first, old.count == 1, new.count == 1 {
            return changes.append(.routeChanged(old: before, new: after))
        }
        for var route in old where !new.contains(where: route.isSame) {
            route.isInferred = isInferred
            changes.append(.routeRemoved(route))
        }
        for route in new {
            guard let before = old.first(where: route.isSame) else { changes.append(.routeAdded(route)); continue }
            if before != route { changes.append(.routeChanged(old: before, new: route)) }
        }
    }
}

extension RouteHop {
    /// Whether it is the same hop, whatever its state.
    func leads(as other: RouteHop) -> Bool { ifindex == other.ifindex && gateway == other.gateway }
}

extension Route {
    /// Whether it is the same route, whatever the state of its hops.
    func isSame(as other: Route) -> Bool {
        key == other.key && type == other.type && routeProtocol == other.routeProtocol
            && preferredSource == other.preferredSource && nexthopID == other.nexthopID
            && hops.count == other.hops.count
            && zip(hops, other.hops).allSatisfy { $0.leads(as: $1) }
    }

    /// Whether all its hops are among another's, which has more.
    func isPart(of other: Route) -> Bool {
        hops.count < other.hops.count && hops.allSatisfy { hop in other.hops.contains { $0.leads(as: hop) } }
    }

    func isAlike(_ other: Route) -> Bool {
        var other = other
        other.isInferred = isInferred
        return self == other
    }

    /// What the kernel reported, corrected by the state of the links; nil: the route cannot exist any more.
    ///
    /// A hop is dead when its interface is gone or administratively down, and has `linkDown` when that is up and not
    /// running. A route whose hops are all dead has been removed. An interface of which nothing is known changes nothing.
    ///
    /// A route that refuses packets does not hang on the loopback that IPv6 names for it.
    func seen(through links: [Int32: Link]) -> Route? {
        if hops.isEmpty || links.isEmpty || (UInt8(RTN_BLACKHOLE)...UInt8(RTN_THROW)).contains(type) { return self }
        var route = self
        for index in route.hops.indices where hops[index].ifindex != 0 {
            guard let link = links[hops[index].ifindex], link.flags.contains(.up) else {
                route.hops[index].flags = [.dead, .linkDown]
                continue
            }
            route.hops[index].flags.remove(.dead)
            if link.flags.isDisjoint(with: [.running, .lowerUp]) {
                route.hops[index].flags.insert(.linkDown)
            } else {
                route.hops[index].flags.remove(.linkDown)
            }
        }
        return route.hops.allSatisfy { $0.flags.contains(.dead) } ? nil : route
    }
}
