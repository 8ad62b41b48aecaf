/// `[instance.NAME]`: a virtual router on an interface, and its keys.
import Addresses

extension VRRPConfiguration {
    /// One virtual router on one interface.
    public struct Instance: Hashable, Sendable {
        public var name: String
        /// The name of the network interface.
        public var interface = ""
        /// 1 to 255.
        public var vrid: UInt8 = 0
        /// In the order of the file. Those that are advertised are of one family, and the first of an IPv6 instance is link-local
        /// unless `requiresLinkLocal` is false. Empty: the instance only takes part in the election.
        public var addresses: [VirtualAddress] = []
        /// As the file says it; nil: the addresses tell.
        var chosenFamily: IPAddress.Family?
        /// VRRP's version, 2 or 3; nil: the group's.
        public var version: Int?
        /// Whether a link that is down is a cause of FAULT.
        public var tracksInterface = true
        /// How adverts of IPv4 and version 3 are sent; both kinds are received.
        public var checksum = ChecksumForm.pseudoHeader
        /// Peers that get adverts by unicast; empty: multicast.
        public var unicastPeers: [IPAddress] = []
        /// The group that multicast adverts go to and come by; nil: 224.0.0.18 or ff02::12.
        public var multicastGroup: IPAddress?
        /// Whether IPv6 adverts come from, and list first, a link-local address (RFC 9568, 5.1.2.1 and 5.2.9).
        public var requiresLinkLocal = true
        /// The TTL or hop limit of adverts to unicast peers.
        public var unicastHopLimit: UInt8 = 255
        /// The lowest TTL or hop limit of theirs that is accepted.
        public var leastHopLimit: UInt8 = 255
        /// The source of adverts; nil: the interface's own.
        public var source: IPAddress?
        /// The password of version 2 adverts, 1 to 8 bytes; nil: none.
        public var authPass: String?
        public var authType = AuthType.pass
        /// nil: none.
        public var authHMAC: AuthHMAC?
        /// Whether adverts come from and addresses live on the virtual router's own MAC address.
        public var hasVirtualMAC = false
        /// What the macvlan of that address is named; nil: `vr4-VRID-NUMBER` or `vr6-VRID-NUMBER`, by the interface's number.
        public var virtualMACName: String?
        /// Whether adverts are sent through it, from the virtual router's MAC address; false: from the interface's own.
        public var sendsFromVirtualMAC = true
        /// Whether the master takes packets to a virtual address that it does not own.
        public var accepts = true
        /// Neighbours on this link that prove it alive.
        public var witnesses: [IPAddress] = []
        /// Routes that the master has besides, at most 64.
        public var routes: [HeldRoute] = []
        /// Policy rules that the master has besides, at most 64.
        public var rules: [HeldRule] = []

        /// VRRP's version in its group.
        public func version(in group: Group) -> Int { version ?? group.version }

        /// The family of its adverts. If they list no address it is that of their source or of a peer, and IPv4 otherwise.
        public var family: IPAddress.Family {
            chosenFamily ?? (addresses.first(where: \.isAdvertised)?.address ?? source ?? unicastPeers.first)?.family
                ?? .ipv4
        }

        /// Octets of one of its adverts with the IP header: what the interface's MTU must hold.
        public func advertOctets(version: Int) -> Int {
            (family == .ipv4 ? 20 : 40) + 8 + advertised.count * family.octets + (version == 2 ? 8 : 0)
                + (authType == .ah ? 24 : 0) + (authHMAC == nil || authHMAC?.mode == .receiveOnly ? 0 : 28)
        }
    }

    /// What the checksum of an IPv4 version 3 advert covers.
    public enum ChecksumForm: String, Hashable, Sendable, CaseIterable {
        case pseudoHeader = "pseudo-header"
        case message
    }
}

// MARK: Keys

extension VRRPConfiguration.Instance: SectionKeys {
    init(name: String) { self.name = name }

    mutating func read(_ keys: TableReader) {
        keys.read("interface", .interfaceName, into: &interface, required: interfaceNameExpected)
        keys.read("vrid", .number(1...255), into: &vrid, required: "a whole number from 1 to 255")
        addresses = VRRPConfiguration.VirtualAddress.list("addresses", keys) ?? []
        keys.read("family", .choice, into: &chosenFamily)
        keys.read("version", .version, into: &version)
        keys.read("track-interface", .flag, into: &tracksInterface)
        keys.read("checksum", .choice, into: &checksum)
        keys.read("unicast-peers", .host, 0...16, into: &unicastPeers)
        keys.read("source", .host, into: &source)
        keys.read("unicast-hop-limit", .number(1...255), into: &unicastHopLimit)
        keys.read("least-hop-limit", .number(1...255), into: &leastHopLimit)
        keys.read("multicast-group", .multicastGroup, into: &multicastGroup)
        keys.read("require-link-local", .flag, into: &requiresLinkLocal)
        keys.read("auth-pass", .password, into: &authPass)
        keys.read("auth-type", .choice, into: &authType)
        authHMAC = keys.table("auth-hmac") { keys in
            var hmac = VRRPConfiguration.AuthHMAC()
            hmac.read(keys)
            return hmac
        }
        keys.read("virtual-mac", .flag, into: &hasVirtualMAC)
        keys.beside("virtual-mac") {
            keys.read("virtual-mac-name", .interfaceName, into: &virtualMACName)
            keys.read("virtual-mac-adverts", .flag, into: &sendsFromVirtualMAC)
        }
        keys.read("accept", .flag, into: &accepts)
        keys.read("witness", .host, 0...8, into: &witnesses)
        routes = VRRPConfiguration.HeldRoute.list("routes", keys, of: self)
        rules = VRRPConfiguration.HeldRule.list("rules", keys, of: self)
    }
}

extension Kind where Value == IPAddress {
    /// A group that adverts can be sent to: none that all hosts are in, and none that does not leave the host.
    fileprivate static var multicastGroup: Kind {
        let allHosts = [IPAddress("224.0.0.1"), IPAddress("ff02::1")]
        return Kind(
            form: "text",
            expected: {
                "a multicast group that only routers of this kind are in, such as \"224.0.0.66\" or \"ff02::66\""
            },
            read: { value in
                guard case .string(let text) = value, let address = IPAddress(text), address.isMulticast,
                    !allHosts.contains(address), !address.isIPv6 || address.high >> 48 & 15 > 1
                else { return nil }
                return address
            }, write: { "\"\($0)\"" })
    }
}

extension Kind where Value == String {
    /// The eight octets of RFC 2338's simple text password.
    fileprivate static var password: Kind {
        var kind = text("a password of 1 to 8 ASCII characters") {
            (1...8).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        }
        kind.isSecret = true
        return kind
    }
}

/// The section of an instance, with the keys of the group that it is if no group names it.
struct InstanceSection {
    let instance: NamedSection<VRRPConfiguration.Instance>
    let ownGroup: NamedSection<GroupKeys>
    /// The keys of `ownGroup`: in the section of a member they are mistakes.
    let groupKeys: [String]

    init(_ name: Located<String>, _ keys: TableReader) {
        instance = NamedSection(name, keys)
        var group = GroupKeys(name: name.value)
        groupKeys = keys.documented(under: "group.NAME") { group.readOwn(keys) }
        // An instance without a group has one version, too.
        group.group.version = instance.value.version ?? group.group.version
        ownGroup = NamedSection(name: name, value: group, keys: keys)
    }
}

// MARK: Mistakes of the instance alone

extension NamedSection<VRRPConfiguration.Instance> {
    var interface: Located<String>? { keys.located("interface", value.interface) }
    var vrid: Located<UInt8>? { keys.located("vrid", value.vrid) }
    var addresses: [Located<VRRPConfiguration.VirtualAddress>] {
        value.addresses.map { Located(value: $0, position: $0.place.position) }
    }
    var advertised: [Located<VRRPConfiguration.VirtualAddress>] { addresses.filter(\.value.isAdvertised) }
    var unicastPeers: [Located<IPAddress>] { keys.located("unicast-peers", value.unicastPeers) }
    /// The family of its adverts; nil: its addresses are missing, or all of them are wrong.
    var family: IPAddress.Family? {
        value.addresses.isEmpty && !keys.isEmptyList("addresses") ? nil : value.family
    }

    /// What one advert lists: the count has 8 bits, and an IPv6 packet of 1500 bytes holds 90.
    private static let addressesMax: [IPAddress.Family: Int] = [.ipv4: 255, .ipv6: 90]

    /// The addresses beside the virtual ones.
    private var others: [(key: String, address: Located<IPAddress>)] {
        unicastPeers.map { ("unicast-peers", $0) } + keys.located("witness", value.witnesses).map { ("witness", $0) }
            + (source.map { [("source", $0)] } ?? [])
    }

    private var source: Located<IPAddress>? { value.source.flatMap { keys.located("source", $0) } }
    private var multicastGroup: Located<IPAddress>? {
        value.multicastGroup.flatMap { keys.located("multicast-group", $0) }
    }

    /// Reports what is wrong with it in a group of these keys.
    func check(in group: NamedSection<GroupKeys>) {
        checkFamily()
        checkHosts()
        checkVersion(group)
        checkPeers()
        checkGroup()
        checkAuthentication(group)
        checkHopLimits()
    }

    /// One family throughout, and what the family asks of the addresses.
    private func checkFamily() {
        guard let family else { return }
        if let chosen = keys.place(of: "family"), let first = advertised.first, first.value.address.family != family {
            return keys.problems.report(
                chosen,
                "family = \(quoted(family.rawValue)) with \(first.value.address) in addresses (line \(first.position.line)): "
                    + "expected the family of the addresses, or no family")
        }
        let all = advertised.map { ("addresses", $0.value.address, $0.position) }
        let group = multicastGroup.map { [("multicast-group", $0.value, $0.position)] } ?? []
        let own = all + group + others.map { ($0.key, $0.address.value, $0.address.position) }
        for (key, address, position) in own where address.family != family {
            let why =
                advertised.first.map { "the first address of instance \(name.value) (line \($0.position.line)) is" }
                ?? "instance \(name.value) is for"
            keys.problems.report(
                position,
                "\(key) has \(address), but \(why) \(family.title): expected \(family.title)"
                    + (key == "addresses"
                        ? "; the other family takes advertised = false, or an instance of its own" : ""))
        }
        if family == .ipv6, value.requiresLinkLocal, let first = advertised.first, !first.value.address.isLinkLocal {
            keys.problems.report(
                first.position,
                "addresses begins with \(first.value.address): expected the virtual router's link-local address first, "
                    + "such as \"fe80::1:\(vrid?.value ?? 1)\" (RFC 9568, 5.2.9), or require-link-local = false")
        }
        if let limit = Self.addressesMax[family], advertised.count > limit {
            keys.problems.report(
                advertised[limit].position,
                "instance \(name.value) has more than \(limit) \(family.title) addresses: expected what one advert can "
                    + "list, and advertised = false for the others")
        }
    }

    /// What no host can have as its address in the networks that the virtual addresses name.
    private func checkHosts() {
        let networks = addresses.map { Located(value: $0.value.prefix, position: $0.position) }
            .filter { $0.value.length < $0.value.address.family.width - 1 }
        let own = addresses.map { ("addresses", Located(value: $0.value.address, position: $0.position)) }
        for (key, host) in own + others.map({ ($0.key, $0.address) }) {
            for network in networks where network.value.network.address.family == host.value.family {
                guard let what = network.value.reserved(host.value) else { continue }
                keys.problems.report(
                    host.position,
                    "\(key) has \(host.value), \(what) of \(network.value.network)"
                        + (network.position.line == host.position.line ? "" : " (line \(network.position.line))")
                        + ": expected the address of a host, such as \(quoted(network.value.example))")
                break
            }
            if host.value.isIPv4Mapped {
                keys.problems.report(
                    host.position,
                    "\(key) has \(host.value), an IPv4 address in the form of IPv6: expected \(host.value.unmapped)")
            }
        }
        if let source, source.value.isIPv6, !source.value.isLinkLocal, unicastPeers.isEmpty,
            value.requiresLinkLocal
        {
            keys.problems.report(
                source.position,
                "source = \(quoted(source.value.description)): expected a link-local address, such as \"fe80::2\" "
                    + "(RFC 9568, 5.1.2.1), or require-link-local = false")
        }
    }

    /// Where its version stands, or would.
    func versionPosition(in group: NamedSection<GroupKeys>) -> SourcePosition {
        keys.place(of: "version") ?? group.versionPosition
    }

    /// What version 2 cannot say, and what version 3 no longer does.
    private func checkVersion(_ group: NamedSection<GroupKeys>) {
        guard value.version(in: group.value.group) == 2 else {
            guard let authPass = keys.place(of: "auth-pass") else { return }
            return keys.problems.report(
                authPass, "auth-pass in version 3: expected none, or version = 2 (RFC 9568 has no passwords)")
        }
        if family == .ipv6, let position = advertised.first?.position ?? keys.keyPosition("addresses") {
            keys.problems.report(
                versionPosition(in: group),
                "version = 2 with the IPv6 addresses of instance \(name.value) (line \(position.line)): expected 3")
        }
    }

    /// One kind of authentication, and one that goes with the version.
    private func checkAuthentication(_ group: NamedSection<GroupKeys>) {
        if let authType = keys.place(of: "auth-type") {
            if value.authType == .ah, value.authPass == nil {
                keys.problems.report(authType, "auth-type = \"ah\" without auth-pass: expected its key there")
            } else if value.authPass == nil {
                keys.problems.warn(authType, "auth-type has no effect without auth-pass")
            }
        }
        if value.authHMAC != nil, let authPass = keys.place(of: "auth-pass") {
            keys.problems.report(authPass, "auth-pass with auth-hmac: expected one of them")
        }
    }

    /// They are for peers behind routers.
    private func checkHopLimits() {
        guard unicastPeers.isEmpty else { return }
        for key in ["unicast-hop-limit", "least-hop-limit"] {
            guard let position = keys.place(of: key) else { continue }
            keys.problems.warn(position, "\(key) has no effect without unicast-peers")
        }
    }

    /// A multicast group that has no effect, or that routers of multicast forward.
    private func checkGroup() {
        guard let group = multicastGroup else { return }
        let text = "multicast-group = \(quoted(group.value.description))"
        if !unicastPeers.isEmpty {
            keys.problems.warn(group.position, "\(text) has no effect: adverts go to unicast-peers")
        } else if !group.value.isLinkLocalGroup {
            keys.problems.warn(
                group.position, "\(text) may be forwarded to other links: expected one of 224.0.0.0/24 or ff02::/16")
        }
    }

    /// Peers and witnesses are other hosts, each named once.
    private func checkPeers() {
        let own = Set(value.addresses.map(\.address) + [value.source].compactMap { $0 })
        var seen: [String: Set<IPAddress>] = [:]
        for (key, address) in others where key != "source" {
            if own.contains(address.value) {
                keys.problems.report(
                    address.position,
                    "\(key) has \(address.value), an address of instance \(name.value): expected another host's")
            }
            if !seen[key, default: []].insert(address.value).inserted {
                keys.problems.report(address.position, "\(key) has \(address.value) twice: expected it once")
            }
        }
    }
}
