/// Routes and rules of the master, word by word (`alloc_route` of vrrp_iproute.c, `alloc_rule` of vrrp_iprule.c).
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

    /// Why an entry is not written.
    private enum Failure: Error {
        /// keepalived leaves it out as well.
        case ignored(String)
        case missing(String)
    }

    // MARK: Routes

    /// Those of an instance that vrrp.toml can have.
    mutating func routes(of leg: CompleteInstance) -> [String] {
        var result: [String] = []
        for entry in leg.instance.routes {
            guard let text = element(entry, { (entry) throws(Failure) in try route(entry, leg) }) else { continue }
            guard result.count < Limits.ofInstance, known.count <= Limits.all else {
                report(
                    entry,
                    .missing("vrrp.toml takes \(Limits.ofInstance) routes of an instance, and \(Limits.all) in all"))
                continue
            }
            result.append(text)
        }
        return result
    }

    private mutating func route(_ entry: Statement.Entry, _ leg: CompleteInstance) throws(Failure) -> String {
        var words = Words(entry.words)
        var destination: String?
        var values: [(key: String, value: String)] = []
        var via: IPAddress?
        var family: IPAddress.Family?
        while let word = words.next() {
            switch word {
            case "inet", "inet6": family = word == "inet" ? .ipv4 : .ipv6
            case "via", "gw":
                let address = try host(try words.address(behind: word))
                via = address
                family = address.family
                values.append(("via", Toml.text(address.description)))
            case "src":
                let address = try host(try words.value(behind: word))
                family = family ?? address.family
                values.append(("source", Toml.text(address.description)))
            case "dev", "oif": values.append(("interface", try interface(try words.value(behind: word))))
            case "table": values.append(("table", try table(try words.value(behind: word))))
            case "metric", "priority", "preference":
                values.append(("metric", try number(try words.value(behind: word), 0...4_294_967_295)))
            case "scope": values.append(("scope", try scope(try words.value(behind: word))))
            case "mtu":
                let value = try words.value(behind: word)
                values.append(("mtu", try number(value == "lock" ? try words.value(behind: word) : value, 68...65535)))
            case "onlink": values.append(("onlink", "true"))
            case "protocol":
                _ = try words.value(behind: word)
                try concern(entry, .route, word)
            case "to": destination = try words.value(behind: word)
            default:
                if Keywords.find(.route, word) != nil {
                    try concern(entry, .route, word)
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
        let network = try network(destination, family ?? leg.family)
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

    // MARK: Rules

    /// Those of an instance that vrrp.toml can have.
    func rules(of leg: CompleteInstance) -> [String] {
        leg.instance.rules.compactMap { entry in element(entry) { (entry) throws(Failure) in try rule(entry) } }
    }

    private func rule(_ entry: Statement.Entry) throws(Failure) -> String {
        var words = Words(entry.words)
        var values: [(key: String, value: String)] = []
        while let word = words.next() {
            switch word {
            case "inet", "inet6": continue
            case "from", "to":
                let value = try words.value(behind: word)
                if ["all", "any", "default"].contains(value) { continue }
                guard let prefix = IPPrefix(value) else { throw .ignored("\(value) is no network") }
                values.append((word, Toml.text(prefix.network.description)))
            case "table", "lookup": values.append(("table", try table(try words.value(behind: word))))
            case "priority", "preference", "order":
                values.append(("priority", try number(try words.value(behind: word), 0...4_294_967_295)))
            case "iif", "dev": values.append(("iif", try interface(try words.value(behind: word))))
            case "oif": values.append(("oif", try interface(try words.value(behind: word))))
            case "fwmark": values.append(("fwmark", Toml.text(try words.value(behind: word))))
            default:
                guard Keywords.find(.rule, word) != nil else {
                    throw .missing("vrrp.toml has no word for \(word): add the rule by a [notify] program")
                }
                try concern(entry, .rule, word)
            }
        }
        return Toml.table(values)
    }

    // MARK: Words

    /// The words of an entry, one after the other.
    private struct Words {
        private var rest: ArraySlice<String>

        init(_ words: [String]) {
            rest = words[...]
        }

        mutating func next() -> String? { rest.popFirst() }

        mutating func value(behind word: String) throws(Failure) -> String {
            guard let value = rest.popFirst() else { throw .ignored("nothing stands behind \(word)") }
            return value
        }

        /// An address may have its family before it.
        mutating func address(behind word: String) throws(Failure) -> String {
            let value = try value(behind: word)
            return value == "inet" || value == "inet6" ? try self.value(behind: value) : value
        }
    }

    private func host(_ text: String) throws(Failure) -> IPAddress {
        guard let address = IPAddress(text), address.isUnicast else {
            throw .ignored("\(text) is no address of a host")
        }
        return address
    }

    private func interface(_ text: String) throws(Failure) -> String {
        guard isInterfaceName(text) else { throw .ignored("no interface can be named \(text)") }
        return Toml.text(text)
    }

    private func network(_ text: String, _ family: IPAddress.Family) throws(Failure) -> IPPrefix {
        if text == "default" || text == "all" { return .everything(family) }
        guard let prefix = IPPrefix(text) else { throw .ignored("\(text) is no network") }
        return prefix.network
    }

    private func table(_ text: String) throws(Failure) -> String {
        let known = ["main": "254", "local": "255", "default": "253"]
        if let number = known[text] { return number }
        guard wholeNumber(text, 1...4_294_967_295) != nil else {
            throw .missing(
                "the table \(text) has a name of this machine: write its number, from /etc/iproute2/rt_tables")
        }
        return text
    }

    private func number(_ text: String, _ range: ClosedRange<Int>) throws(Failure) -> String {
        guard let number = wholeNumber(text, range) else {
            throw .ignored("\(text) is not from \(range.lowerBound) on")
        }
        return String(number)
    }

    private func scope(_ text: String) throws(Failure) -> String {
        let known = [
            "global": "global", "universe": "global", "0": "global", "site": "site", "200": "site", "link": "link",
            "253": "link", "host": "host", "254": "host",
        ]
        guard let scope = known[text] else { throw .missing("vrrp.toml has no scope \(text)") }
        return Toml.text(scope)
    }

    /// A word that the table has: reported, and a reason to leave the entry out if it weighs that much.
    private func concern(_ entry: Statement.Entry, _ section: Keyword.Section, _ word: String) throws(Failure) {
        guard let keyword = Keywords.find(section, word), keyword.fate != .carried else { return }
        if keyword.fate.weight >= .missing { throw .missing(keyword.text) }
        findings.add(keyword.fate.weight, entry.place, entry.words.joined(separator: " "), keyword.text)
    }

    private func element(
        _ entry: Statement.Entry, _ read: (Statement.Entry) throws(Failure) -> String
    ) -> String? {
        do throws(Failure) {
            return try read(entry)
        } catch {
            report(entry, error)
            return nil
        }
    }

    private func report(_ entry: Statement.Entry, _ failure: Failure) {
        let subject = entry.words.joined(separator: " ")
        switch failure {
        case .ignored(let why):
            findings.add(.difference, entry.place, subject, "\(why): keepalived leaves it out, and so does the import")
        case .missing(let why): findings.add(.missing, entry.place, subject, why)
        }
    }
}
