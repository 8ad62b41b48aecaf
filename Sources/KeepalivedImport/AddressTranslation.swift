/// Virtual addresses as vrrp.toml has them: each in one place, of the instance's family, hosts of their network.
import Addresses

struct AddressTranslation {
    private let findings: Findings
    /// Where each address stands already: in which instance, and on which interface.
    private var owners: [String: (instance: String, interface: String)] = [:]

    init(_ findings: Findings) {
        self.findings = findings
    }

    private func report(
        _ section: Keyword.Section, _ name: String, _ address: KeepalivedConfiguration.Address,
        _ weight: Finding.Weight? = nil
    ) {
        guard let keyword = Keywords.find(section, name) else { return }
        let subject = section == .address ? "\(address.prefix) \(name)" : "\(name) \(address.prefix)"
        findings.add(weight ?? keyword.fate.weight, address.place, subject, keyword.text)
    }

    /// One address that is written.
    private struct Entry {
        var address: KeepalivedConfiguration.Address
        var prefix: IPPrefix
        var isAdvertised: Bool
        var attributes: [(key: String, value: String)]
    }

    /// The elements of `addresses`, and the first address that adverts list.
    ///
    /// - Parameter macvlan: of the instance, which has the addresses that name no interface; nil: it has none.
    mutating func translate(_ leg: CompleteInstance, on macvlan: String?) -> (elements: [String], first: IPAddress?) {
        let instance = leg.instance
        // As many as one advert of keepalived has room for in 1500 bytes; it does not advertise the others.
        let most = leg.family == .ipv4 ? 255 : 89
        let all =
            instance.addresses.prefix(most).map { ($0, false) }
            + instance.addresses.dropFirst(most).map { ($0, true) } + instance.excluded.map { ($0, true) }
        var entries: [Entry] = []
        for (address, isExcluded) in all {
            guard let entry = entry(address, isExcluded: isExcluded, leg, macvlan) else { continue }
            entries.append(entry)
        }
        entries = hosts(entries, leg)
        if entries.count > Self.perInstance {
            findings.add(
                .missing, entries[Self.perInstance].address.place, "\(entries[Self.perInstance].prefix)",
                "more than \(Self.perInstance) addresses: give the others an instance of their own in the same group")
        }
        entries = Array(entries.prefix(Self.perInstance))
        return (entries.map(Self.element), entries.first(where: \.isAdvertised)?.prefix.address)
    }

    /// The most that vrrp.toml takes.
    private static let perInstance = 1024

    private mutating func entry(
        _ address: KeepalivedConfiguration.Address, isExcluded: Bool, _ leg: CompleteInstance, _ macvlan: String?
    ) -> Entry? {
        let prefix = address.prefix
        var attributes: [(key: String, value: String)] = []
        // keepalived puts it on the macvlan too if `dev` names the interface beneath.
        let isOnOther = address.interface.map { $0 != leg.interface && $0 != macvlan } ?? false
        let interface = isOnOther ? address.interface ?? leg.interface : leg.interface
        guard isInterfaceName(interface) else {
            findings.add(
                .missing, address.place, "\(prefix) dev \(interface)",
                "no interface can have this name: name the right one")
            return nil
        }
        if isOnOther { attributes.append(("interface", Toml.text(interface))) }
        if isExcluded { attributes.append(("advertised", "false")) }
        for word in address.others {
            if word == "no_track", isOnOther {
                attributes.append(("track-interface", "false"))
                continue
            }
            report(.address, word, address)
            if word == "peer" || word == "use_vmac" { return nil }
        }
        addAttribute("label", address.label.map(Toml.text), address, &attributes)
        let scope = address.scope.map { $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } ? $0 : Toml.text($0) }
        addAttribute("scope", scope, address, &attributes)
        addAttribute("brd", address.broadcast.map(Toml.text), address, &attributes, key: "broadcast")
        addAttribute(
            "noprefixroute", address.hasNoPrefixRoute ? "false" : nil, address, &attributes, key: "prefix-route")
        guard prefix.address.isUnicast else {
            findings.add(.missing, address.place, "\(prefix)", "it is not the address of a host: give it one that is")
            return nil
        }
        let key = prefix.address.isLinkLocal ? "\(prefix.address)%\(interface)" : "\(prefix.address)"
        if let owner = owners[key] {
            guard owner != (leg.instance.name, interface) else { return nil }
            findings.add(
                .missing, address.place, "\(prefix)",
                "it is an address of vrrp_instance \(owner.instance) on \(owner.interface) already, and vrrp.toml has each in one place: take it out of one"
            )
            return nil
        }
        owners[key] = (leg.instance.name, interface)
        return Entry(address: address, prefix: prefix, isAdvertised: !isExcluded, attributes: attributes)
    }

    private func addAttribute(
        _ word: String, _ value: String?, _ address: KeepalivedConfiguration.Address,
        _ attributes: inout [(key: String, value: String)], key: String? = nil
    ) {
        guard let value else { return }
        // These are what every address has.
        if word == "scope", address.scope == "global" || address.scope == "0" { return }
        guard Keywords.isCarried(.address, word) else { return report(.address, word, address) }
        attributes.append((key ?? word, value))
    }

    /// Those that a host can have; the address of a network itself becomes one without its network.
    private func hosts(_ entries: [Entry], _ leg: CompleteInstance) -> [Entry] {
        var entries = entries
        for index in entries.indices {
            let prefix = entries[index].prefix
            guard prefix.length == 0 || prefix.reserved(prefix.address) != nil else { continue }
            findings.add(
                .loss, entries[index].address.place, "\(prefix)",
                "the address of the network itself, or its broadcast address, is no host's: it is taken without its network"
            )
            entries[index].prefix = IPPrefix(prefix.address, length: prefix.address.family.width) ?? prefix
        }
        return entries.filter { entry in
            guard let network = entries.first(where: { $0.prefix.reserved(entry.prefix.address) != nil }) else {
                return true
            }
            findings.add(
                .missing, entry.address.place, "\(entry.prefix)",
                "it is the network's own or the broadcast address of \(network.prefix): give it another")
            return false
        }
    }

    private static func element(_ entry: Entry) -> String {
        let isWhole = entry.prefix.length == entry.prefix.address.family.width
        let text = Toml.text(isWhole ? entry.prefix.address.description : entry.prefix.description)
        return entry.attributes.isEmpty ? text : Toml.table([("address", text)] + entry.attributes)
    }
}
