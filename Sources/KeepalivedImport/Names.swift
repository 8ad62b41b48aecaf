/// Names of sections: those of keepalived where vrrp.toml can have them, and otherwise the nearest that it can.
final class Names {
    private var given: [String: [String: String]] = [:]

    func instance(_ name: String, _ place: SourceLine, _ findings: Findings) -> String {
        pick("instance", name, taken: [], place, findings)
    }

    /// - Parameter lone: instances that are in no group yet. One that stays so is a group of its own name.
    func group(_ name: String, _ place: SourceLine, lone: [String], _ findings: Findings) -> String {
        pick("group", name, taken: Set(lone), place, findings)
    }

    func check(_ name: String, _ place: SourceLine, _ findings: Findings) -> String {
        pick("check", name, taken: [], place, findings)
    }

    /// The first one it is told of, with the event. Of a sync group and an instance of the same name the second has a number.
    func notify(_ notify: NotifyTranslation, _ findings: Findings) -> String {
        let suffix = notify.keyword == "notify" ? "" : "-" + notify.keyword.dropFirst("notify_".count)
        let wish = (notify.groups.first ?? notify.instances.first ?? "") + suffix
        return pick(
            "notify", "\(notify.place) \(notify.keyword)", wish: wish, taken: [], notify.place, findings)
    }

    /// Of a program that does what keepalived does itself.
    func program(_ wish: String, _ place: SourceLine, _ findings: Findings) -> String {
        pick("notify", "\(place) \(wish)", wish: wish, taken: [], place, findings)
    }

    private func pick(
        _ kind: String, _ name: String, wish: String? = nil, taken: Set<String>, _ place: SourceLine,
        _ findings: Findings
    ) -> String {
        if let known = given[kind]?[name] { return known }
        let used = Set(given[kind]?.values.map { $0 } ?? [])
        let plain = Self.plain(wish ?? name)
        var candidate = taken.contains(plain) ? Self.plain("\(plain)-group") : plain
        var number = 2
        while used.contains(candidate) || taken.contains(candidate) {
            candidate = "\(plain.prefix(58))-\(number)"
            number += 1
        }
        if candidate != name, kind != "notify" {
            findings.add(
                .difference, place, name,
                "the name of a section has letters, digits, dots, dashes and underscores, and is there once: it is \(candidate)"
            )
        }
        given[kind, default: [:]][name] = candidate
        return candidate
    }

    private static func plain(_ name: String) -> String {
        var bytes = name.utf8.prefix(64).map {
            $0.isName || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") ? $0 : UInt8(ascii: "_")
        }
        if bytes.isEmpty { bytes = [UInt8(ascii: "_")] }
        if bytes[0] == UInt8(ascii: "-") || bytes[0] == UInt8(ascii: ".") { bytes[0] = UInt8(ascii: "_") }
        return bytes.text
    }
}
