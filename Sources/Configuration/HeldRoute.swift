/// `routes` of an instance: what they are, how they are read, and what no kernel would take.
import Addresses

extension VRRPConfiguration {
    /// A route that a master has.
    public struct HeldRoute: Hashable, Sendable, CustomStringConvertible {
        /// How far away the destination is. (rtm_scope)
        public enum Scope: String, Hashable, Sendable, CaseIterable {
            case global, site, link, host
        }

        /// What becomes of packets, instead of being sent on. (rtm_type)
        public enum Refusal: String, Hashable, Sendable, CaseIterable {
            case blackhole, unreachable, prohibit, `throw`
        }

        /// The destination.
        public var destination: IPPrefix
        /// The next router; nil: the destination is on the link.
        public var via: IPAddress?
        /// The interface; nil: the instance's.
        public var interface: String?
        /// The routing table, as the kernel numbers them.
        public var table: UInt32 = 254
        /// The lowest wins; 0 is none, which IPv6 takes for 1024.
        public var metric: UInt32 = 0
        /// The address that the host's own packets come from; nil: as the kernel chooses.
        public var source: IPAddress?
        /// nil: `link` without a next router, else `global`. IPv6 has none.
        public var scope: Scope?
        /// Whether the next router is taken for one on the link, whatever other routes say.
        public var isOnLink = false
        /// The largest packet, bytes; nil: the interface's.
        public var mtu: UInt32?
        /// Whether a smaller one that is found on the way does not count.
        public var isMTULocked = false
        /// nil: packets are sent on, as for any route.
        public var type: Refusal?
        /// Where it stands in the file.
        public var place = FilePlace()

        /// The most that a file has.
        fileprivate static let perFile = 1024
        /// The most tables that a file names, in routes that are held or tracked.
        fileprivate static let tablesMax = 16

        init(to destination: IPPrefix) { self.destination = destination }

        /// The metric that the kernel gives it. The corresponding C constant of IPv6's default is `IP6_RT_PRIO_USER`.
        public var metricInForce: UInt32 { metric == 0 && destination.address.isIPv6 ? 1024 : metric }

        /// What the kernel knows it by: there is one route of a destination, table and metric.
        fileprivate var identity: String { "\(destination) table \(table) metric \(metricInForce)" }

        /// `198.51.100.0/24 via 192.0.2.254 dev eth0 table 100 metric 50`, as ip-route(8) writes it.
        public var description: String {
            let parts = [
                via.map { "via \($0)" }, interface.map { "dev \($0)" }, table == 254 ? nil : "table \(table)",
                source.map { "src \($0)" }, metric == 0 ? nil : "metric \(metric)",
                scope.map { "scope \($0.rawValue)" },
                mtu.map { "mtu \(isMTULocked ? "lock " : "")\($0)" }, isOnLink ? "onlink" : nil,
            ]
            let to = destination.length == 0 ? "default" : destination.description
            return ([type?.rawValue, to] + parts).compactMap { $0 }.joined(separator: " ")
        }
    }

    /// A place in the file. It has no effect, so any two are equal.
    public struct FilePlace: Hashable, Sendable {
        var position = SourcePosition()

        /// The line, from 1; 0: unknown.
        public var line: Int { position.line }

        public static func == (one: FilePlace, other: FilePlace) -> Bool { true }
        public func hash(into hasher: inout Hasher) {}
    }
}

// MARK: Keys

/// What `to` takes.
private enum Destination {
    case network(IPPrefix)
    /// `default`, of whatever family.
    case everything
}

extension Kind where Value == Destination {
    fileprivate static var destination: Kind {
        Kind(
            form: "text", expected: { "a network, such as \"198.51.100.0/24\", or \"default\"" },
            read: { value in
                if case .string("default") = value { return .everything }
                return Kind<IPPrefix>.network.read(value).map { .network($0) }
            }, write: { _ in "" }, correction: Kind<IPPrefix>.network.correction)
    }
}

extension VRRPConfiguration.HeldRoute {
    /// The elements of `key`, without those that are mistakes.
    ///
    /// - Parameter instance: whose they are, with its addresses.
    static func list(_ key: String, _ keys: TableReader, of instance: VRRPConfiguration.Instance) -> [Self] {
        // The inner nil is a mistake that has been reported.
        let routes: [Self?]? = keys.elements(
            key, 0...64, "a table, such as { to = \"198.51.100.0/24\", via = \"192.0.2.254\" }"
        ) { node in
            keys.element(node, of: key).map { Self($0, of: instance) }
        }
        return (routes ?? []).compactMap { $0 }
    }

    private init?(_ keys: TableReader, of instance: VRRPConfiguration.Instance) {
        self.init(to: .everything(instance.family))
        place.position = keys.position
        var to = Destination.everything
        let isGiven = keys.read(
            "to", .destination, into: &to, required: "a network, such as \"198.51.100.0/24\", or \"default\"")
        keys.read("via", .host, into: &via)
        keys.read("interface", .interfaceName, into: &interface)
        keys.read("table", .routingTable, into: &table)
        keys.read("metric", .number(0...UInt32.max), into: &metric)
        keys.read("source", .host, into: &source)
        keys.read("scope", .choice, into: &scope)
        keys.read("onlink", .flag, into: &isOnLink)
        keys.read("mtu", .number(68...65535), into: &mtu)
        keys.read("mtu-lock", .flag, into: &isMTULocked)
        keys.read("type", .choice, into: &type)
        keys.finish()
        guard isGiven else { return nil }
        switch to {
        case .network(let network): destination = network
        case .everything: destination = .everything((via ?? source)?.family ?? instance.family)
        }
        let mistakes = keys.problems.count
        checkAddresses(keys, instance)
        checkReach(keys)
        checkType(keys)
        guard keys.problems.count == mistakes else { return nil }
    }

    private func checkAddresses(_ keys: TableReader, _ instance: VRRPConfiguration.Instance) {
        let family = destination.address.family
        for (key, address) in [("via", via), ("source", source)] {
            guard let address, address.family != family, let position = keys.place(of: key) else { continue }
            keys.problems.report(
                position,
                "\(key) = \(quoted(address.description)) in a route to \(destination): expected \(family.title)")
        }
        if let via, let position = keys.place(of: "via"), instance.addresses.contains(where: { $0.address == via }) {
            keys.problems.report(
                position,
                "via = \(quoted(via.description)) is a virtual address of instance \(instance.name): expected another "
                    + "router's")
        }
    }

    /// What the kernel refuses in any case (`fib_check_nh`, net/ipv4/fib_semantics.c).
    private func checkReach(_ keys: TableReader) {
        let isIPv6 = destination.address.isIPv6
        if isOnLink, via == nil, let position = keys.place(of: "onlink") {
            keys.problems.report(position, "onlink without via: expected the next router, in via, or no onlink")
        }
        if let mtu, isIPv6, mtu < 1280, let position = keys.place(of: "mtu") {
            keys.problems.report(position, "mtu = \(mtu) in an IPv6 route: expected 1280 or more (RFC 8200, 5)")
        }
        if isMTULocked, mtu == nil, let position = keys.place(of: "mtu-lock") {
            keys.problems.report(position, "mtu-lock without mtu: expected an mtu beside it")
        }
        guard let scope, let position = keys.place(of: "scope") else { return }
        if isIPv6 {
            keys.problems.warn(position, "scope = \(quoted(scope.rawValue)) has no effect: IPv6 routes have no scope")
        } else if via != nil, [.link, .host].contains(scope) {
            keys.problems.report(
                position,
                "scope = \(quoted(scope.rawValue)) with via: expected \"global\" or no scope, since what a router leads to "
                    + "is not on the link")
        }
    }
}

extension VRRPConfiguration.HeldRoute {
    /// A route that refuses packets leads nowhere (`fib_create_info`).
    private func checkType(_ keys: TableReader) {
        guard let type else { return }
        for key in ["via", "interface", "source", "scope", "onlink", "mtu"] {
            guard let position = keys.place(of: key) else { continue }
            keys.problems.report(position, "\(key) with type = \(quoted(type.rawValue)): expected one of the two")
        }
    }
}

// MARK: Mistakes of several together

extension [VRRPConfiguration.Group] {
    /// One route in two places, and more than are followed.
    func checkHeldRoutes(_ problems: Problems) {
        typealias HeldRoute = VRRPConfiguration.HeldRoute
        var known: [String: (instance: String, line: Int)] = [:]
        var tables: Set<UInt32> = []
        for case .route(let route) in flatMap(\.tracks).flatMap(\.object.parts) { tables.insert(route.table) }
        var count = 0
        for instance in flatMap(\.instances) {
            for route in instance.routes {
                let position = route.place.position
                if let earlier = known[route.identity] {
                    problems.report(
                        position,
                        "the route to \(route.identity) is already one of instance \(earlier.instance) (line "
                            + "\(earlier.line)): expected it once, or with another table or metric")
                }
                known[route.identity] = (instance.name, position.line)
                if tables.insert(route.table).inserted, tables.count == HeldRoute.tablesMax + 1 {
                    problems.report(
                        position,
                        "table = \(route.table) is one more than the \(HeldRoute.tablesMax) tables that routes and track may "
                            + "name: expected one of those")
                }
                count += 1
                if count == HeldRoute.perFile + 1 {
                    problems.report(
                        position, "more than \(HeldRoute.perFile) routes: expected at most as many in a file")
                }
            }
        }
    }
}
