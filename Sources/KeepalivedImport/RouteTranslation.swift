/// Routes and rules of the master, word by word (`alloc_route` of vrrp_iproute.c, `alloc_rule` of vrrp_iprule.c).
import Addresses

struct RouteTranslation {
    private let findings: Findings

    init(_ findings: Findings) {
        self.findings = findings
    }

    /// nil: it is not carried; the report says why.
    func route(_ entry: Statement.Entry) -> String? {
        element(
            entry, .route,
            keys: [
                "via": "via", "gw": "via", "dev": "interface", "oif": "interface", "table": "table", "src": "source",
                "metric": "metric", "priority": "metric", "preference": "metric", "scope": "scope", "mtu": "mtu",
            ],
            numbers: ["metric", "mtu"], flags: ["onlink"], target: "to")
    }

    /// nil: it is not carried; the report says why.
    func rule(_ entry: Statement.Entry) -> String? {
        element(
            entry, .rule,
            keys: [
                "from": "from", "to": "to", "table": "table", "lookup": "table", "priority": "priority",
                "preference": "priority", "order": "priority", "iif": "iif", "dev": "iif", "oif": "oif",
                "fwmark": "fwmark",
            ],
            numbers: ["priority"], flags: [], target: nil)
    }

    private func element(
        _ entry: Statement.Entry, _ section: Keyword.Section, keys: [String: String], numbers: Set<String>,
        flags: Set<String>, target: String?
    ) -> String? {
        let subject = entry.words.joined(separator: " ")
        var values: [(key: String, value: String)] = []
        var index = 0
        func refuse(_ text: String) -> String? {
            findings.add(.missing, entry.place, subject, text)
            return nil
        }
        while index < entry.words.count {
            let word = entry.words[index]
            index += 1
            if ["inet", "inet6", "unicast", "no_track"].contains(word) { continue }
            if flags.contains(word) {
                values.append((word, "true"))
            } else if let key = keys[word] {
                guard index < entry.words.count else { return refuse("nothing stands behind \(word)") }
                var value = entry.words[index]
                index += 1
                if value == "inet" || value == "inet6", index < entry.words.count {
                    value = entry.words[index]
                    index += 1
                }
                guard let text = text(key, value, numbers) else {
                    return refuse("\(word) \(value) is nothing that vrrp.toml can say")
                }
                if let text = text { values.append((key, text)) }
            } else if let keyword = Keywords.find(section, word) {
                findings.add(keyword.fate.weight, entry.place, subject, keyword.text)
                if keyword.fate.weight >= .loss { return nil }
                if word == "protocol" { index += 1 }
            } else if let target, !values.contains(where: { $0.key == target }), let network = destination(word, entry)
            {
                values.insert((target, Toml.text(network)), at: 0)
            } else {
                return refuse("vrrp.toml has no word for \(word): add it by a [notify] program")
            }
        }
        if let target, !values.contains(where: { $0.key == target }) { return refuse("it has no destination") }
        return Toml.table(values)
    }

    /// The value of a key; nil inside: it says nothing, such as `to all`.
    private func text(_ key: String, _ value: String, _ numbers: Set<String>) -> String?? {
        switch key {
        case "via", "source":
            guard let address = IPAddress(value) else { return nil }
            return .some(Toml.text(address.description))
        case "from", "to":
            if ["all", "any", "default"].contains(value) { return .some(nil) }
            guard let prefix = IPPrefix(value)?.network else { return nil }
            return .some(Toml.text(prefix.description))
        case "table":
            let known = ["main": 254, "local": 255, "default": 253]
            guard let number = known[value] ?? wholeNumber(value, 1...4_294_967_295) else { return nil }
            return .some(String(number))
        case "fwmark": return .some(Toml.text(value))
        case "interface", "iif", "oif", "scope": return .some(Toml.text(value))
        default:
            guard numbers.contains(key), let number = wholeNumber(value, 0...4_294_967_295) else { return nil }
            return .some(String(number))
        }
    }

    private func destination(_ word: String, _ entry: Statement.Entry) -> String? {
        if word == "default" {
            return entry.words.contains { $0.contains(":") } || entry.words.contains("inet6") ? "::/0" : "0.0.0.0/0"
        }
        return IPPrefix(word)?.network.description
    }
}
