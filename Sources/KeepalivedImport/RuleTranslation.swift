/// Rules of the master, word by word (`alloc_rule` of vrrp_iprule.c).
import Addresses

struct RuleTranslation {
    private let findings: Findings
    /// Those that are written: the kernel has to tell them apart.
    private var known: [[String: String]] = []
    /// What a rule without a priority gets, by family: each one less than the one before.
    private var nextPriority: [IPAddress.Family: Int] = [.ipv4: 16384, .ipv6: 16384]

    /// Limits of vrrp.toml.
    private enum Limits {
        static let ofInstance = 64
        static let all = 1024
    }

    /// The order in which they are written; `l3mdev` and `not` are flags.
    private static let keys = [
        "not", "from", "to", "iif", "oif", "fwmark", "tos", "ipproto", "sport", "dport", "uidrange", "table", "l3mdev",
        "type", "suppress-prefixlength", "priority",
    ]

    init(_ findings: Findings) {
        self.findings = findings
    }

    /// Those of an instance that vrrp.toml can have.
    mutating func rules(of leg: CompleteInstance) -> [String] {
        var result: [String] = []
        for entry in leg.instance.rules {
            guard let text = findings.element(entry, { (entry) throws(EntryFailure) in try rule(entry, leg) }) else {
                continue
            }
            guard result.count < Limits.ofInstance, known.count <= Limits.all else {
                findings.report(
                    entry,
                    .missing("vrrp.toml takes \(Limits.ofInstance) rules of an instance, and \(Limits.all) in all"))
                continue
            }
            result.append(text)
        }
        return result
    }

    private mutating func rule(_ entry: Statement.Entry, _ leg: CompleteInstance) throws(EntryFailure) -> String {
        var (values, family) = try read(entry)
        if family != leg.family, values["from"] == nil, values["to"] == nil {
            values["from"] = Toml.text(IPPrefix.everything(family).description)
        }
        try tellApart(values, family)
        return Toml.table(Self.keys.compactMap { key in values[key].map { (key, $0) } })
    }

    /// As arguments of `ip rule add` and `ip rule delete`.
    mutating func arguments(_ entry: Statement.Entry) throws(EntryFailure) -> (words: [String], isIPv6: Bool) {
        let (values, family) = try read(entry)
        let words = Self.keys.flatMap { key -> [String] in
            guard let value = values[key].map(Toml.plain) else { return [] }
            switch key {
            case "not", "l3mdev": return [key]
            case "type": return [value]
            case "suppress-prefixlength": return ["suppress_prefixlength", value]
            default: return [key, value]
            }
        }
        return (words, family == .ipv6)
    }

    /// The keys of vrrp.toml with their values.
    private mutating func read(
        _ entry: Statement.Entry
    ) throws(EntryFailure) -> (values: [String: String], family: IPAddress.Family) {
        var words = EntryWords(entry.words)
        var values: [String: String] = [:]
        var family: IPAddress.Family?
        /// What a rule does is said once.
        func act(_ key: String, _ value: String) throws(EntryFailure) {
            guard ["table", "l3mdev", "type"].allSatisfy({ values[$0] == nil }) else {
                throw .ignored("it has two actions")
            }
            values[key] = value
        }
        while var word = words.next() {
            switch word {
            case "inet", "inet6":
                let named: IPAddress.Family = word == "inet" ? .ipv4 : .ipv6
                guard (family ?? named) == named else { throw .ignored("its addresses are of two families") }
                family = named
                // keepalived passes over the word behind it.
                _ = words.next()
            case "from", "to":
                let text = try words.value(behind: word)
                values[word] = nil
                if ["all", "any", "default"].contains(text) { continue }
                guard let prefix = routePrefix(text) else { throw .ignored("\(text) is no network") }
                guard (family ?? prefix.address.family) == prefix.address.family else {
                    throw .ignored("its addresses are of two families")
                }
                family = prefix.address.family
                if prefix.length > 0 { values[word] = Toml.text(prefix.network.description) }
            case "table", "lookup": try act("table", try words.table(behind: word))
            case "l3mdev": try act("l3mdev", "true")
            case "not": values["not"] = "true"
            case "priority", "preference", "order":
                let text = try words.value(behind: word)
                guard let number = anyBase(text) else { throw .ignored("\(text) is no priority") }
                values["priority"] = String(number)
            case "iif", "dev": values["iif"] = try words.interface(behind: word)
            case "oif": values["oif"] = try words.interface(behind: word)
            case "fwmark": values["fwmark"] = try mark(try words.value(behind: word))
            case "tos", "dsfield":
                let text = try words.value(behind: word)
                guard let number = anyBase(text), number < 256 else {
                    throw .missing("the \(word) \(text) has a name of this machine: write its number")
                }
                values["tos"] = number == 0 ? nil : String(number)
            case "ipproto": values["ipproto"] = try ipProtocol(entry, try words.value(behind: word))
            case "sport", "dport": values[word] = ports(entry, try words.value(behind: word))
            case "uidrange":
                let text = try words.value(behind: word)
                guard range(text, 0...4_294_967_294) != nil else { throw .ignored("\(text) is no range of users") }
                values["uidrange"] = Toml.text(text)
            case "suppress_prefixlength", "sup_pl":
                values["suppress-prefixlength"] = try words.number(behind: word, 0...128)
            case "protocol":
                _ = try words.value(behind: word)
                try findings.concern(entry, .rule, word)
            default:
                if word == "type" { word = try words.value(behind: word) }
                if ["blackhole", "unreachable", "prohibit"].contains(word) {
                    try act("type", Toml.text(word))
                } else if Keywords.find(.rule, word) != nil {
                    try findings.concern(entry, .rule, word)
                } else {
                    throw .ignored("no rule has the word \(word)")
                }
            }
        }
        guard ["table", "l3mdev", "type"].contains(where: { values[$0] != nil }) else {
            throw .ignored("it says no table")
        }
        if values["suppress-prefixlength"] != nil, values["table"] == nil {
            throw .ignored("suppress_prefixlength is for a table")
        }
        // A rule without addresses is IPv4.
        let of = family ?? .ipv4
        if values["priority"] == nil {
            values["priority"] = String(nextPriority[of] ?? 0)
            nextPriority[of]? -= 1
            findings.add(
                .difference, entry.place, entry.words.joined(separator: " "),
                "it has no priority: keepalived gives it \(values["priority"] ?? ""), and so does the import; say which you want"
            )
        }
        return (values, of)
    }

    /// The kernel takes one for the other if they agree in all that one of them says, `not` aside.
    private mutating func tellApart(_ values: [String: String], _ family: IPAddress.Family) throws(EntryFailure) {
        var identity = values
        identity["not"] = nil
        identity["family"] = family == .ipv4 ? "4" : "6"
        func fits(_ one: [String: String], _ other: [String: String]) -> Bool {
            one.allSatisfy { other[$0.key] == $0.value }
        }
        if let same = known.first(where: { fits($0, identity) || fits(identity, $0) }) {
            if same == identity { throw .ignored("there is such a rule already, and the kernel takes it once") }
            throw .missing(
                "the kernel cannot tell it from another one with its priority and table: give it another priority")
        }
        known.append(identity)
    }

    // MARK: Words

    private func mark(_ text: String) throws(EntryFailure) -> String? {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map {
            anyBase(String($0))
        }
        guard let mark = parts[0], parts.count == 1 || parts[1] != nil else { throw .ignored("\(text) is no mark") }
        // A mark of 0 without a mask is any; a mask of 0 with a mark is all bits.
        guard let mask = parts.count > 1 ? parts[1] : 0, mask > 0 else {
            return mark == 0 ? nil : Toml.text(hexadecimal(mark))
        }
        return Toml.text("\(hexadecimal(mark))/\(hexadecimal(mask))")
    }

    private func hexadecimal(_ number: Int) -> String { "0x" + String(number, radix: 16) }

    /// As `inet_proto_a2n`, which takes names of /etc/protocols.
    private func ipProtocol(_ entry: Statement.Entry, _ text: String) throws(EntryFailure) -> String? {
        if let number = wholeNumber(text, 0...127) { return number == 0 ? nil : String(number) }
        let known = ["icmp", "igmp", "tcp", "udp", "ipv6", "gre", "esp", "ah", "ipv6-icmp", "ospf", "vrrp", "sctp"]
        guard known.contains(text) else {
            throw .missing("vrrp.toml does not know the protocol \(text) by its name: write its number")
        }
        return Toml.text(text)
    }

    /// keepalived takes a range, and passes over a single port.
    private func ports(_ entry: Statement.Entry, _ text: String) -> String? {
        guard range(text, 1...65534) != nil else {
            findings.add(
                .difference, entry.place, entry.words.joined(separator: " "),
                "\(text) is no range of ports: keepalived has the rule without it, and so does the import; a single port is "
                    + "written as 80-80")
            return nil
        }
        return Toml.text(text)
    }

    private func range(_ text: String, _ limits: ClosedRange<Int>) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { wholeNumber(String($0), limits) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else { return nil }
        return first...last
    }
}
