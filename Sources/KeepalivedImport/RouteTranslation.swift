/// Routes of the master, word by word (`alloc_route` of vrrp_iproute.c).
import Addresses

struct RouteTranslation {
    private let findings: Findings
    /// The destination, table and metric of those that are written: the kernel has one route of each.
    private var known: Set<String> = []
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
    mutating func routes(of leg: CompleteInstance) -> [String] {
        var result: [String] = []
        for entry in leg.instance.routes {
            guard let text = findings.element(entry, { (entry) throws(EntryFailure) in try route(entry, leg) }) else {
                continue
            }
            guard result.count < Limits.ofInstance, known.count <= Limits.all else {
                findings.report(
                    entry,
                    .missing("vrrp.toml takes \(Limits.ofInstance) routes of an instance, and \(Limits.all) in all"))
                continue
            }
            result.append(text)
        }
        return result
    }

    private mutating func route(_ entry: Statement.Entry, _ leg: CompleteInstance) throws(EntryFailure) -> String {
        var words = EntryWords(entry.words)
        var destination: String?
        var values: [(key: String, value: String)] = []
        var via: IPAddress?
        var family: IPAddress.Family?
        while let word = words.next() {
            switch word {
            case "inet", "inet6": family = word == "inet" ? .ipv4 : .ipv6
            case "via", "gw":
                let address = try words.nextRouter(behind: word)
                via = address
                family = address.family
                values.append(("via", Toml.text(address.description)))
            case "src":
                let address = try words.host(behind: word)
                family = family ?? address.family
                values.append(("source", Toml.text(address.description)))
            case "dev", "oif": values.append(("interface", try words.interface(behind: word)))
            case "table": values.append(("table", try words.table(behind: word)))
            case "metric", "priority", "preference":
                values.append(("metric", try words.number(behind: word, 0...4_294_967_295)))
            case "scope": values.append(("scope", try words.scope(behind: word)))
            case "mtu":
                words.pass("lock")
                values.append(("mtu", try words.number(behind: word, 68...65535)))
            case "onlink": values.append(("onlink", "true"))
            case "protocol":
                _ = try words.value(behind: word)
                try findings.concern(entry, .route, word)
            case "to": destination = try words.value(behind: word)
            default:
                if Keywords.find(.route, word) != nil {
                    try findings.concern(entry, .route, word)
                } else if word == "default" || word == "all" || IPPrefix(word) != nil {
                    destination = word
                } else if Self.otherWords.contains(word) {
                    throw .missing("vrrp.toml has no word for \(word): add the route by a [notify] program")
                } else {
                    throw .ignored("no route has the word \(word)")
                }
            }
        }
        guard let destination else { throw .ignored("it has no destination") }
        let isEverything = destination == "default" || destination == "all"
        guard let network = isEverything ? .everything(family ?? leg.family) : network(destination)?.network else {
            throw .ignored("\(destination) is no network")
        }
        if let via {
            if leg.instance.addresses.contains(where: { $0.prefix.address == via }) {
                throw .missing("it leads to a virtual address of this instance: name the router behind it")
            }
            if via.isIPv6 != network.address.isIPv6 { throw .ignored("its addresses are of two families") }
            values.removeAll { $0.key == "scope" && ($0.value == Toml.text("link") || $0.value == Toml.text("host")) }
        } else if !network.address.isIPv6, !values.contains(where: { $0.key == "scope" }) {
            // linkwatch's default without a next router is the scope `link`.
            values.append(("scope", Toml.text("global")))
        }
        if via == nil { values.removeAll { $0.key == "onlink" } }
        if network.address.isIPv6 { values.removeAll { $0.key == "scope" } }
        // Through a macvlan of keepalived's: linkwatch chooses between its own and the interface beneath it.
        if leg.instance.hasVirtualMAC {
            let name = Toml.text(leg.instance.virtualMACName ?? "vrrp.\(leg.vrid)")
            values.removeAll { $0.key == "interface" && $0.value == name }
        }
        func value(_ key: String) -> String { values.last { $0.key == key }?.value ?? "" }
        tables.insert(value("table"))
        guard tables.count <= Limits.tables else { throw .missing("vrrp.toml takes \(Limits.tables) tables") }
        let identity = "\(network) \(value("table")) \(value("metric"))"
        guard known.insert(identity).inserted else {
            throw .missing("there is a route with this destination, table and metric already: give it another metric")
        }
        // Of an attribute that is given twice, the last one counts.
        let keys = ["via", "interface", "source", "table", "metric", "scope", "onlink", "mtu"]
        return Toml.table(
            // `default` is of the family of the addresses beside it, or of the instance.
            [
                (
                    "to",
                    Toml.text(
                        network.length == 0 && network.address.family == leg.family ? "default" : network.description)
                )
            ]
                + keys.compactMap { key in value(key).isEmpty ? nil : (key, value(key)) })
    }

    /// Words of keepalived's that are in no row of the table: they tune what a route does.
    private static let otherWords: Set<String> = [
        "from", "tos", "dsfield", "encap", "expires", "hoplimit", "advmss", "rtt", "rttvar", "reordering", "window",
        "cwnd",
        "ssthresh", "realms", "rto_min", "initcwnd", "initrwnd", "features", "quickack", "congctl", "pref",
        "ttl-propagate", "fastopen_no_cookie", "add", "prepend", "append", "or", "vrf", "as",
    ]
}
