/// The nftables table that drops packets for `accept = false`: its name, its rules, and the addresses they are for.
import Addresses
import Configuration

enum AcceptTable {
    static let name = "inet linkwatch_vrrp"

    /// The addresses that take no packets.
    static func refused(by configuration: VRRPConfiguration) -> [IPAddress] {
        let instances = configuration.groups.filter { $0.priority < 255 }.flatMap(\.instances)
        return instances.filter { !$0.accepts }.flatMap { $0.addresses.map(\.address) }
    }

    /// Whether there may be such a table.
    static func isNeeded(by configuration: VRRPConfiguration) -> Bool { !refused(by: configuration).isEmpty }

    /// One transaction: the old table goes, the new one comes.
    static func script(_ addresses: [IPAddress]) -> String {
        // Deleting needs a table to be there.
        var script = "add table \(name); delete table \(name);"
        guard !addresses.isEmpty else { return script }
        script += " table \(name) { chain input { type filter hook input priority -10; policy accept;"
        for (family, word) in [(IPAddress.Family.ipv4, "ip"), (.ipv6, "ip6")] {
            let list = addresses.filter { $0.family == family }.map(\.description).joined(separator: ", ")
            guard !list.isEmpty else { continue }
            if family == .ipv6 { script += " ip6 daddr { \(list) } icmpv6 type { 135, 136 } accept;" }
            script += " \(word) daddr { \(list) } drop;"
        }
        return script + " }; }"
    }

    /// How many rules the script makes.
    static func ruleCount(_ addresses: [IPAddress]) -> Int {
        (addresses.contains { $0.family == .ipv4 } ? 1 : 0) + (addresses.contains { $0.family == .ipv6 } ? 2 : 0)
    }
}
