/// Addresses, routes and rules that keepalived adds when it starts and deletes when it ends, whoever is master.
///
/// They do not move, so they are no concern of linkwatch-vrrp: a unit of systemd adds and deletes them by `ip`, as keepalived
/// does. Each is a loss, with its command, as without the unit somebody else has to see to it.
struct StaticTranslation {
    private let findings: Findings
    /// What `ip` is called with: `route`, and the words behind `add` and `delete`.
    private var items: [(object: String, isIPv6: Bool, added: [String], deleted: [String])] = []

    init(_ findings: Findings) {
        self.findings = findings
    }

    mutating func translate(_ model: KeepalivedConfiguration, _ rules: inout RuleTranslation) {
        for address in model.staticAddresses { take(address, model.global.defaultInterface ?? "eth0") }
        for entry in model.staticRoutes {
            do throws(EntryFailure) {
                let route = try RouteEntry(entry, findings)
                take(entry, "route", isIPv6: route.network.address.isIPv6, route.arguments)
            } catch { findings.report(entry, error) }
        }
        for entry in model.staticRules {
            do throws(EntryFailure) {
                let (arguments, isIPv6) = try rules.arguments(entry)
                take(entry, "rule", isIPv6: isIPv6, arguments)
            } catch { findings.report(entry, error) }
        }
    }

    private mutating func take(_ address: KeepalivedConfiguration.Address, _ defaultInterface: String) {
        let interface = address.interface ?? defaultInterface
        let place = ["\(address.prefix)", "dev", interface]
        var words = place
        for (key, value) in [("label", address.label), ("scope", address.scope), ("broadcast", address.broadcast)] {
            if let value { words += [key, value] }
        }
        if address.hasNoPrefixRoute { words.append("noprefixroute") }
        let entry = Statement.Entry(words: ["\(address.prefix)"], place: address.place)
        if address.others.contains("peer") {
            return findings.report(entry, .missing("there are no peer addresses: add it by a unit of your own"))
        }
        take(entry, "address", isIPv6: address.prefix.address.isIPv6, words, deleted: place)
    }

    private mutating func take(
        _ entry: Statement.Entry, _ object: String, isIPv6: Bool, _ added: [String], deleted: [String]? = nil
    ) {
        let subject = "static_\(object == "address" ? "ipaddress" : object + "s") \(entry.words.joined(separator: " "))"
        let isPlain = added.allSatisfy { word in
            word.utf8.allSatisfy { $0.isName || "-./:+@ ".utf8.contains($0) }
        }
        guard isPlain else {
            return findings.add(
                .missing, entry.place, subject, "a name in it needs quotes in a unit: add it by a unit of your own")
        }
        let command = "ip \(isIPv6 ? "-6 " : "")\(object) add \(added.joined(separator: " "))"
        findings.add(
            .loss, entry.place, subject,
            "linkwatch-vrrp adds only what moves with a group: `\(command)`, which linkwatch-static.service of --output runs"
        )
        items.append((object, isIPv6, added, deleted ?? added))
    }

    /// The unit; nil: there is nothing to add.
    var unit: (name: String, text: String)? {
        guard !items.isEmpty else { return nil }
        func lines(_ key: String, _ verb: String, _ items: some Sequence<(String, Bool, [String])>) -> String {
            items.map { object, isIPv6, words in
                "\(key)=-/sbin/ip \(isIPv6 ? "-6 " : "")\(object) \(verb) \(words.joined(separator: " "))\n"
            }.joined()
        }
        return (
            "linkwatch-static.service",
            """
            # In /etc/systemd/system: what keepalived.conf has as static_ipaddress, static_routes and static_rules. It is added at
            # the start and deleted at the end, whoever is master; what fails is passed over, as by keepalived.
            [Unit]
            Description=Addresses, routes and rules that do not move
            Wants=network-online.target
            After=network-online.target
            Before=linkwatch-vrrp.service
            Conflicts=keepalived.service

            [Service]
            Type=oneshot
            RemainAfterExit=yes
            \(lines("ExecStart", "add", items.map { ($0.object, $0.isIPv6, $0.added) }))\
            \(lines("ExecStop", "delete", items.reversed().map { ($0.object, $0.isIPv6, $0.deleted) }))
            [Install]
            WantedBy=multi-user.target

            """
        )
    }
}
