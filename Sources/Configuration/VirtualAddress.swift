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

        /// `192.0.2.9/24 dev eth2`, as ip-address(8) takes it.
        public var description: String {
            ([prefix.description] + [interface.map { "dev \($0)" }].compactMap { $0 }).joined(separator: " ")
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
        keys.read("track-interface", .flag, into: &tracksInterface)
        keys.finish()
        guard isGiven else { return nil }
        if !tracksInterface, interface == nil, let position = keys.place(of: "track-interface") {
            keys.problems.report(
                position, "track-interface without interface: expected the interface of the address, in interface")
        }
    }
}
