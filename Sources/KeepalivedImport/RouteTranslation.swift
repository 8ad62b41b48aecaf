/// Routes, word by word (`alloc_route` of vrrp_iproute.c), and those of the master as vrrp.toml has them.
import Addresses

/// A route as keepalived asks the kernel for it.
struct RouteEntry {
    var network: IPPrefix
    var via: IPAddress?
    var source: IPAddress?
    /// The keys of vrrp.toml with their values, `to` aside.
    var values: [String: String]

    /// Types that refuse packets, which lead nowhere.
    private static let refusals: Set<String> = ["blackhole", "unreachable", "prohibit", "throw"]

    /// - Throws: why keepalived or the kernel has no such route, or vrrp.toml cannot say it.
    init(_ entry: Statement.Entry, _ findings: Findings) throws(EntryFailure) {
        var words = EntryWords(entry.words)
        var destination: String?
        var family: IPAddress.Family?
        var scope: String?
        (network, values) = (.everything(.ipv4), [:])
        while var word = words.next() {
            switch word {
            case "inet", "inet6":
                family = try Self.agreed(family, word == "inet" ? .ipv4 : .ipv6)
                // keepalived passes over the word behind it.
                _ = words.next()
            case "via", "gw":
                let address = try words.nextRouter(behind: word)
                family = try Self.agreed(family, address.family)
                via = address
                values["via"] = Toml.text(address.description)
            case "src":
                let address = try words.host(behind: word)
                family = try Self.agreed(family, address.family)
                source = address
                values["source"] = Toml.text(address.description)
            case "dev", "oif": values["interface"] = try words.interface(behind: word)
            case "table": values["table"] = try words.table(behind: word)
            case "metric", "priority", "preference":
                values["metric"] = try words.number(behind: word, 0...4_294_967_295)
            case "scope": scope = try words.scope(behind: word)
            case "mtu":
                values["mtu-lock"] = words.pass("lock") ? "true" : nil
                values["mtu"] = try words.number(behind: word, 0...4_294_967_295)
            case "onlink": values["onlink"] = "true"
            case "protocol":
                _ = try words.value(behind: word)
                try findings.concern(entry, .route, word)
            case "nexthop": family = try nexthops(&words, family)
            case "no_track": try findings.concern(entry, .route, word)
            default:
                if word == "to" { word = try words.value(behind: word) }
                if Self.refusals.contains(word) || word == "unicast" {
                    values["type"] = word == "unicast" ? nil : Toml.text(word)
                    word = try words.value(behind: word)
                } else if Keywords.find(.route, word) != nil {
                    try findings.concern(entry, .route, word)
                }
                if Self.isDestination(word) {
                    destination = word
                } else if Self.otherWords.contains(word) {
                    throw .missing("vrrp.toml has no word for \(word): add the route by a [notify] program")
                } else {
                    throw .ignored("no route has the word \(word)")
                }
            }
        }
        guard let destination else { throw .ignored("it has no destination") }
        // `default` is IPv4 unless another word says something else.
        let everything: [String: IPAddress.Family?] = [
            "default": family, "all": family, "any": family, "default6": .ipv6,
        ]
        if let any = everything[destination] {
            network = .everything(any ?? .ipv4)
        } else if let prefix = routePrefix(destination) {
            network = prefix
        } else {
            throw .ignored("\(destination) is no network")
        }
        _ = try Self.agreed(family, network.address.family)
        try checkKernel(scope)
        network = network.network
    }

    private static func isDestination(_ word: String) -> Bool {
        ["default", "all", "any", "default6"].contains(word) || routePrefix(word) != nil
    }

    private static func agreed(
        _ one: IPAddress.Family?, _ other: IPAddress.Family
    ) throws(EntryFailure) -> IPAddress.Family {
        guard (one ?? other) == other else { throw .ignored("its addresses are of two families") }
        return other
    }

    /// One next hop is the same as a route without the word.
    private mutating func nexthops(
        _ words: inout EntryWords, _ family: IPAddress.Family?
    ) throws(EntryFailure) -> IPAddress.Family? {
        var family = family
        while let word = words.next() {
            switch word {
            case "via":
                let address = try words.nextRouter(behind: word)
                family = try Self.agreed(family, address.family)
                via = address
                values["via"] = Toml.text(address.description)
            case "dev": values["interface"] = try words.interface(behind: word)
            case "weight": _ = try words.number(behind: word, 1...256)
            case "onlink": values["onlink"] = "true"
            case "nexthop": throw .missing(Keywords.find(.route, "nexthop")?.text ?? "")
            default: throw .missing("vrrp.toml has no word for \(word) of a next hop")
            }
        }
        return family
    }

    /// What the kernel refuses, so that keepalived has it no more than the import (net/ipv4/fib_semantics.c and fib_trie.c,
    /// net/ipv6/route.c).
    private mutating func checkKernel(_ scope: String?) throws(EntryFailure) {
        let isIPv6 = network.address.isIPv6
        if !isIPv6, !network.isNetwork {
            throw .refused("as bits of the host are set: \(network.network) would be right")
        }
        if values["type"] != nil {
            guard isIPv6 || via == nil && values["interface"] == nil && values["onlink"] == nil else {
                throw .refused("as a route of this type leads nowhere")
            }
            for key in ["via", "interface", "source", "onlink", "mtu", "mtu-lock"] { values[key] = nil }
            (via, source) = (nil, nil)
            return
        }
        guard via != nil || values["interface"] != nil else { throw .refused("without via and dev") }
        if values["onlink"] != nil {
            guard values["interface"] != nil else { throw .refused("with onlink and without dev") }
            if via == nil, !isIPv6 { throw .refused("with onlink and without via") }
            if via == nil { values["onlink"] = nil }
        }
        if let text = values["mtu"], let mtu = Int(text) {
            let least = isIPv6 ? 1280 : 68
            if mtu == 0 {
                values["mtu"] = nil
                values["mtu-lock"] = nil
            } else if !(least...65535).contains(mtu) {
                throw .missing("vrrp.toml takes an mtu from \(least) to 65535")
            }
        }
        // IPv6 has none.
        guard !isIPv6 else { return }
        if via != nil {
            if scope == Toml.text("link") || scope == Toml.text("host") {
                throw .refused("as what a router leads to has not the scope \(scope ?? "")")
            }
            values["scope"] = scope
        } else {
            // linkwatch's default without a next router is the scope `link`.
            values["scope"] = scope ?? Toml.text("global")
        }
    }

    /// Words of keepalived's that are in no row of the table: they tune what a route does.
    private static let otherWords: Set<String> = [
        "from", "tos", "dsfield", "encap", "expires", "hoplimit", "advmss", "rtt", "rttvar", "reordering", "window",
        "cwnd", "ssthresh", "realms", "rto_min", "initcwnd", "initrwnd", "features", "quickack", "congctl", "pref",
        "ttl-propagate", "fastopen_no_cookie", "add", "prepend", "append", "or", "vrf", "as",
    ]

    /// The kernel distinguishes routes by this, apart from where they lead.
    var identity: String {
        let metric = values["metric"] ?? "0"
        return "\(network) \(values["table"] ?? "254") \(network.address.isIPv6 && metric == "0" ? "1024" : metric)"
    }

    /// An element of `routes`.
    ///
    /// - Parameter family: of the instance, which `default` is of if no address says another.
    func toml(_ family: IPAddress.Family) -> String {
        let isDefault = network.length == 0 && network.address.family == (via ?? source)?.family ?? family
        let keys = ["type", "via", "interface", "source", "table", "metric", "scope", "onlink", "mtu", "mtu-lock"]
        return Toml.table(
            [("to", Toml.text(isDefault ? "default" : network.description))]
                + keys.compactMap { key in values[key].map { (key, $0) } })
    }

    /// As arguments of `ip route add` and `ip route delete`.
    var arguments: [String] {
        func words(_ key: String, _ name: String) -> [String] { values[key].map { [name, Toml.plain($0)] } ?? [] }
        return (values["type"].map { [Toml.plain($0)] } ?? []) + [network.description] + words("via", "via")
            + words("interface", "dev") + words("source", "src") + words("table", "table") + words("metric", "metric")
            + words("scope", "scope") + (values["onlink"] == nil ? [] : ["onlink"])
            + words("mtu", values["mtu-lock"] == nil ? "mtu" : "mtu lock")
    }
}

struct RouteTranslation {
    private let findings: Findings
    /// Those that are written, by destination, table and metric: the kernel has one route of each. With the instance.
    private var known: [String: String] = [:]
    private var tables: Set<String> = []

    /// Limits of vrrp.toml.
    private enum Limits {
        static let ofInstance = 64
        static let all = 1024
        static let tables = 16
    }

    init(_ findings: Findings) {
        self.findings = findings
    }

    /// Those of an instance that vrrp.toml can have.
    ///
    /// - Parameter macvlan: of the instance. In keepalived it has the networks of the virtual addresses, and here only those that
    ///   the interface beneath has not; linkwatch-vrrp itself chooses between the two.
    mutating func routes(of leg: CompleteInstance, on macvlan: String?) -> [String] {
        var result: [(identity: String, text: String, entry: Statement.Entry)] = []
        for entry in leg.instance.routes {
            var identity = ""
            let text = findings.element(entry) { (entry) throws(EntryFailure) in
                var route = try RouteEntry(entry, findings)
                identity = route.identity
                if let macvlan, route.via != nil, route.values["interface"] == Toml.text(macvlan) {
                    route.values["interface"] = nil
                    findings.add(
                        .difference, entry.place, entry.words.joined(separator: " "),
                        "the route goes through \(leg.interface) if that has the network of the next router, and through the "
                            + "macvlan otherwise")
                }
                return try write(route, of: leg)
            }
            guard let text else { continue }
            if let index = result.firstIndex(where: { $0.identity == identity }) {
                supersede(result[index], by: text)
                result.remove(at: index)
            }
            guard result.count < Limits.ofInstance, known.count <= Limits.all else {
                findings.report(
                    entry,
                    .missing("vrrp.toml takes \(Limits.ofInstance) routes of an instance, and \(Limits.all) in all"))
                continue
            }
            result.append((identity, text, entry))
        }
        return result.map(\.text)
    }

    /// keepalived adds each before those that are there, so the last one is used.
    private func supersede(_ earlier: (identity: String, text: String, entry: Statement.Entry), by text: String) {
        let subject = earlier.entry.words.joined(separator: " ")
        guard earlier.text != text else {
            return findings.add(
                .difference, earlier.entry.place, subject, "it is there twice: the kernel takes it once")
        }
        findings.add(
            .loss, earlier.entry.place, subject,
            "a later route has this destination, table and metric, and goes before it: this one is left out; with a higher metric "
                + "it is used while the other cannot be")
    }

    private mutating func write(_ route: RouteEntry, of leg: CompleteInstance) throws(EntryFailure) -> String {
        if let via = route.via, leg.instance.addresses.contains(where: { $0.prefix.address == via }) {
            throw .missing("it leads to a virtual address of this instance: name the router behind it")
        }
        tables.insert(route.values["table"] ?? "")
        guard tables.count <= Limits.tables else { throw .missing("vrrp.toml takes \(Limits.tables) tables") }
        guard (known[route.identity] ?? leg.instance.name) == leg.instance.name else {
            throw .missing(
                "another instance has a route with this destination, table and metric: give it another metric")
        }
        known[route.identity] = leg.instance.name
        return route.toml(leg.family)
    }
}
