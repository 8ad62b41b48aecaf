/// `addresses` of an instance: what they are, how they are read, and what no kernel would take.
import Addresses

extension VRRPConfiguration {
    /// A virtual address, and how the kernel is to have it.
    public struct VirtualAddress: Hashable, Sendable, CustomStringConvertible {
        /// The address, with the length of its network's prefix.
        public var prefix: IPPrefix
        /// The interface that has it; nil: the one that carries the instance.
        public var interface: String?
        /// Whether adverts list it.
        public var isAdvertised = true
        /// Whether the state of `interface` counts as that of the instance's own does.
        public var tracksInterface = true
        /// The name that ifconfig(8) shows it by, at most 15 bytes; nil: that of its interface. (`IFA_LABEL`)
        public var label: String?
        /// How far it is valid. The corresponding C constants are `RT_SCOPE_UNIVERSE` and so on. (`ifa_scope`)
        public var scope: UInt8 = 0
        /// Its broadcast address; nil: none. (`IFA_BROADCAST`)
        public var broadcast: IPAddress?
        /// Whether its network is reachable by it.
        public var hasPrefixRoute = true
        /// Where it stands in the file.
        public var place = FilePlace()

        /// The most that an instance has.
        fileprivate static let perInstance = 1024

        init(_ prefix: IPPrefix) { self.prefix = prefix }

        public var address: IPAddress { prefix.address }
        /// 1 to 32, or 1 to 128.
        public var length: Int { prefix.length }
        public var network: IPPrefix { prefix.network }

        /// Whether the file says more of it than the address.
        public var hasAttributes: Bool { self != Self(prefix) }

        /// `192.0.2.9/24 dev eth2 label eth2:1`, as ip-address(8) takes it.
        public var description: String {
            let words: [String?] = [
                prefix.description, broadcast.map { "broadcast \($0)" }, interface.map { "dev \($0)" },
                scope == 0 ? nil : "scope \(AddressScope.name(scope))", label.map { "label \($0)" },
                hasPrefixRoute ? nil : "noprefixroute",
            ]
            return words.compactMap { $0 }.joined(separator: " ")
        }

        /// Whether the kernel is to have both in the same way. It keeps a label, a scope and a broadcast address as they
        /// were when the address was added.
        public func isAlike(_ other: Self) -> Bool {
            label == other.label && scope == other.scope && broadcast == other.broadcast
        }
    }
}

extension VRRPConfiguration.Instance {
    /// What its adverts list, in the order of the file.
    public var advertised: [IPAddress] { addresses.lazy.filter(\.isAdvertised).map(\.address) }

    /// The interface of an address where that is not the one that carries the instance; nil: it is. With a virtual MAC address
    /// that one is the macvlan, and the interface beneath it is another.
    public func otherInterface(of address: VRRPConfiguration.VirtualAddress) -> String? {
        address.interface == interface && !hasVirtualMAC ? nil : address.interface
    }

    /// The interfaces whose state counts: its own and those of its addresses, but where the file says otherwise.
    public var countingInterfaces: Set<String> {
        Set((tracksInterface ? [interface] : []) + addresses.lazy.filter(\.tracksInterface).compactMap(\.interface))
    }
}

// MARK: Keys

extension VRRPConfiguration.VirtualAddress {
    /// The elements of `key`, without those that are mistakes; nil: there are none.
    static func list(_ key: String, _ keys: TableReader) -> [Self]? {
        let expected = Kind<IPPrefix>.hostInNetwork.expected()
        // The inner nil is a mistake that has been reported.
        let addresses: [Self?]? = keys.elements(
            key, 0...perInstance, of: "address", "\(expected), or a table, such as { address = \"192.0.2.1/24\" }",
            required: "its virtual addresses, such as [\"192.0.2.1/24\"]; [] for an election without any"
        ) { node in
            if let table = keys.element(node, of: key) { return .some(Self(table)) }
            guard let prefix = Kind<IPPrefix>.hostInNetwork.read(node.value) else { return nil }
            var address = Self(prefix)
            address.place.position = node.position
            return address
        }
        return addresses?.compactMap { $0 }
    }

    private init?(_ keys: TableReader) {
        self.init(.everything(.ipv4))
        place.position = keys.position
        let isGiven = keys.read(
            "address", .hostInNetwork, into: &prefix, required: "an address of a host, such as \"192.0.2.1/24\"")
        keys.read("interface", .interfaceName, into: &interface)
        keys.read("advertised", .flag, into: &isAdvertised)
        keys.read("label", .label, into: &label)
        keys.read("scope", .scope, into: &scope)
        var chosen: Broadcast?
        keys.read("broadcast", .broadcast, into: &chosen)
        keys.read("prefix-route", .flag, into: &hasPrefixRoute)
        keys.read("track-interface", .flag, into: &tracksInterface)
        keys.finish()
        guard isGiven else { return nil }
        broadcast = chosen?.address(of: prefix)
        checkOfIPv4(keys)
        if !tracksInterface, interface == nil, let position = keys.place(of: "track-interface") {
            keys.problems.report(
                position, "track-interface without interface: expected the interface of the address, in interface")
        }
    }

    /// What IPv6 addresses have none of.
    private func checkOfIPv4(_ keys: TableReader) {
        guard address.isIPv6 else { return }
        for key in ["label", "scope", "broadcast", "prefix-route"] {
            guard let position = keys.place(of: key) else { continue }
            keys.problems.report(
                position, "\(key) with the IPv6 address \(address): expected it with IPv4 addresses only")
        }
    }
}

/// `broadcast` of an address.
private enum Broadcast: Hashable {
    /// All bits of the host part.
    case ones
    /// None of them, as it was before RFC 919.
    case zeros
    case address(IPAddress)

    func address(of prefix: IPPrefix) -> IPAddress {
        switch self {
        case .ones:
            IPAddress(
                ipv4: UInt32(truncatingIfNeeded: prefix.network.address.low) | UInt32.max >> UInt32(prefix.length))
        case .zeros: prefix.network.address
        case .address(let address): address
        }
    }
}

extension Kind where Value == Broadcast {
    fileprivate static var broadcast: Kind {
        Kind(
            form: "text", expected: { "\"+\", \"-\", or an IPv4 address, such as \"192.0.2.255\"" },
            read: { value in
                guard case .string(let text) = value else { return nil }
                if text == "+" { return .ones }
                if text == "-" { return .zeros }
                return IPAddress(text).flatMap { $0.isIPv6 ? nil : .address($0) }
            }, write: { "\($0)" })
    }
}

extension Kind where Value == String {
    /// The kernel takes any bytes. (`IFNAMSIZ`)
    fileprivate static var label: Kind {
        .text("a label of at most 15 bytes, such as \"eth0:1\"") { text in
            (1...15).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        }
    }
}

/// Names of the scopes of addresses, as /etc/iproute2/rt_scopes has them.
public enum AddressScope {
    private static let names: [(name: String, number: UInt8)] = [
        ("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255),
    ]

    static func name(_ number: UInt8) -> String { names.first { $0.number == number }?.name ?? "\(number)" }

    fileprivate static func number(_ name: String) -> UInt8? { names.first { $0.name == name }?.number }
}

extension Kind where Value == UInt8 {
    fileprivate static var scope: Kind {
        Kind(
            form: "\"global\" | \"site\" | \"link\" | \"host\" | \"nowhere\" | number",
            expected: { "\"global\", \"site\", \"link\", \"host\", \"nowhere\", or a number from 0 to 255" },
            read: { value in
                switch value {
                case .string(let name): AddressScope.number(name)
                case .integer(let number): UInt8(exactly: number)
                default: nil
                }
            }, write: { "\"\(AddressScope.name($0))\"" })
    }
}
