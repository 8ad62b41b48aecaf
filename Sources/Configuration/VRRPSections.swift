/// The sections of `vrrp.toml` as they stand in the file: each key read and checked for itself, nothing compared yet.
///
/// Everything keeps its place, because `VRRPAssembly` finds the mistakes that two places make together and names both.
import Addresses

struct VRRPSections {
    typealias Configuration = VRRPConfiguration

    var socket: SocketConfiguration
    var monitorSocketPath: String
    var process: Configuration.ProcessSettings
    var groups: [GroupDraft] = []
    var instances: [InstanceDraft] = []
    var heartbeats: [HeartbeatDraft] = []
    var checks: [CheckDraft] = []
    var notifies: [NotifyDraft] = []

    init(_ reader: TableReader) {
        let defaults = Configuration()
        socket = SocketConfiguration(reader, defaultPath: defaults.socket.path)
        let monitor = reader.table("monitor") { $0.socketPath("socket")?.value } ?? nil
        monitorSocketPath = monitor ?? defaults.monitorSocketPath
        process = reader.table("process", Configuration.ProcessSettings.init) ?? defaults.process
        reader.sections("group", atMost: 1024) { groups.append(GroupDraft($0, $1)) }
        reader.sections("instance", atMost: 1024) { instances.append(InstanceDraft($0, $1)) }
        reader.sections("heartbeat", atMost: 64) { heartbeats.append(HeartbeatDraft($0, $1)) }
        reader.sections("check", atMost: 256) { checks.append(CheckDraft($0, $1)) }
        reader.sections("notify", atMost: 64) { notifies.append(NotifyDraft($0, $1)) }
    }
}

/// Limits that more than one section has.
enum VRRPLimits {
    static let hour: Int64 = 3_600_000_000_000
    static let centisecond: Int64 = 10_000_000
    static let second: Int64 = 1_000_000_000
    /// The 12 bits of centiseconds in a version 3 advert, rounded.
    static let advertInterval: ClosedRange<Int64> = centisecond...40 * second
    /// What one advert lists: the count has 8 bits, and an IPv6 packet of 1500 bytes holds 90.
    static let addresses: [IPAddress.Family: Int] = [.ipv4: 255, .ipv6: 90]
    /// A heartbeat lists each instance up to twice and must fit into one frame.
    static let instancesWithPool = 40
    static let members = 255
    static let heartbeatsInPool = 8
    static let tracks = 64
    static let unicastPeers = 16
    static let witnesses = 8
    static let programArguments = 64
}

// MARK: Groups

/// The keys of a group. An instance in no group has them in its own section.
struct GroupKeys {
    /// All of them: in the section of a member they are mistakes.
    static let names = [
        "priority", "advert-interval", "version", "preempt", "preempt-delay", "heartbeats", "track", "packet-filter",
        "probe-before-takeover", "fence", "address-lease", "link-state", "announce-count", "announce-interval",
        "announce-repeat", "announce-refresh",
    ]

    /// With the defaults filled in; what refers to other sections is still to be resolved.
    var group: VRRPConfiguration.Group
    var advertIntervalPosition: SourcePosition
    var versionPosition: SourcePosition
    var heartbeats: [Located<String>]
    var tracks: [Located<TrackDraft>]
    /// Where which key stands.
    var positions: [(key: String, position: SourcePosition)]

    init(_ name: String, _ reader: TableReader) {
        typealias Limits = VRRPLimits
        group = VRRPConfiguration.Group(name: name)
        group.priority = reader.integer("priority", 1...255)?.value ?? group.priority
        let interval = reader.duration("advert-interval", Limits.advertInterval, step: Limits.centisecond)
        group.advertIntervalNs = interval?.value ?? group.advertIntervalNs
        advertIntervalPosition = interval?.position ?? reader.position
        let version = reader.value("version", "2 or 3") {
            if case .integer(let number) = $0 { [2, 3].first { $0 == number } } else { nil }
        }
        group.version = version.map { Int($0.value) } ?? group.version
        versionPosition = version?.position ?? reader.position
        group.preempts = reader.flag("preempt")?.value ?? group.preempts
        group.preemptDelayNs = reader.duration("preempt-delay", 0...Limits.hour)?.value ?? group.preemptDelayNs
        heartbeats = reader.names("heartbeats", atMost: Limits.heartbeatsInPool, "the name of a heartbeat")
        tracks = TrackDraft.list(reader)
        group.packetFilter =
            reader.choice("packet-filter", VRRPConfiguration.PacketFilterAction.self)?.value ?? group.packetFilter
        group.probesBeforeTakeover = reader.flag("probe-before-takeover")?.value ?? group.probesBeforeTakeover
        group.fence = reader.table("fence") { $0.program(defaultTimeoutNs: 5 * Limits.second) } ?? nil
        let lease = reader.duration("address-lease", Limits.second...Limits.hour, step: Limits.second)
        group.addressLeaseNs = lease?.value ?? group.addressLeaseNs
        group.linkState = reader.choice("link-state", VRRPConfiguration.LinkStateChoice.self)?.value ?? group.linkState
        group.announce = VRRPConfiguration.Announce(reader)
        positions = Self.names.compactMap { key in reader.keyPosition(key).map { (key, $0) } }
    }
}

/// `[group.NAME]`
struct GroupDraft {
    var name: Located<String>
    var keys: GroupKeys
    var instances: [Located<String>]

    init(_ name: Located<String>, _ reader: TableReader) {
        self.name = name
        instances = reader.names("instances", atMost: VRRPLimits.members, "the name of an instance")
        reader.require("instances", "the names of its instances, such as [\"outside\", \"inside\"]")
        if instances.isEmpty, let position = reader.keyPosition("instances") {
            reader.problems.report(position, "\(reader.title) has no instance: expected at least one in instances")
        }
        keys = GroupKeys(name.value, reader)
    }
}

// MARK: Instances

/// `[instance.NAME]`
struct InstanceDraft {
    var name: Located<String>
    var interface: Located<String>?
    var vrid: Located<Int>?
    var addresses: [Located<IPPrefix>]
    var unicastPeers: [Located<IPAddress>]
    var source: Located<IPAddress>?
    var authPass: Located<String>?
    var hasVirtualMAC: Bool
    var accepts: Bool
    var witnesses: [Located<IPAddress>]
    var checksum: VRRPConfiguration.ChecksumForm?
    var groupKeys: GroupKeys

    /// Of its first address; nil: it has none.
    var family: IPAddress.Family? { addresses.first?.value.address.family }

    init(_ name: Located<String>, _ reader: TableReader) {
        self.name = name
        interface = reader.interfaceName("interface")
        vrid = reader.integer("vrid", 1...255)
        let mistakes = reader.problems.count
        addresses =
            reader.list(
                "addresses", atMost: 255, "an address of a host, such as \"192.0.2.1\" or \"192.0.2.1/24\"", hostPrefix)
            ?? []
        let wereRefused = reader.problems.count > mistakes
        checksum = reader.choice("checksum", VRRPConfiguration.ChecksumForm.self)?.value
        unicastPeers = reader.addresses("unicast-peers", atMost: VRRPLimits.unicastPeers)
        source = reader.address("source")
        authPass = reader.string("auth-pass", "a password of 1 to 8 ASCII characters") {
            (1...8).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        }
        hasVirtualMAC = reader.flag("virtual-mac")?.value ?? false
        accepts = reader.flag("accept")?.value ?? true
        witnesses = reader.addresses("witness", atMost: VRRPLimits.witnesses)
        reader.require("interface", interfaceNameExpected)
        reader.require("vrid", "a whole number from 1 to 255")
        reader.require("addresses", "its virtual addresses, such as [\"192.0.2.1/24\"]")
        groupKeys = reader.documented(under: "group.NAME") { GroupKeys(name.value, reader) }
        if addresses.isEmpty, !wereRefused, let position = reader.keyPosition("addresses") {
            reader.problems.report(position, "\(reader.title) has no address: expected at least one in addresses")
        }
    }
}

// MARK: Heartbeats

/// `[heartbeat.NAME]`
struct HeartbeatDraft {
    var name: Located<String>
    var interface: Located<String>?
    var family: IPAddress.Family
    var vrid: Located<Int>?
    var peerVrid: Located<Int>?
    var intervalNs: Int64?

    init(_ name: Located<String>, _ reader: TableReader) {
        self.name = name
        interface = reader.interfaceName("interface")
        family = reader.choice("family", IPAddress.Family.self)?.value ?? .ipv6
        vrid = reader.integer("vrid", 1...255)
        peerVrid = reader.integer("peer-vrid", 1...255)
        intervalNs = reader.duration("interval", VRRPLimits.advertInterval, step: VRRPLimits.centisecond)?.value
        reader.require("interface", "the name of the cable's network interface, such as \"hb0\"")
        reader.require("vrid", "the VRID that we send, from 1 to 255")
        reader.require("peer-vrid", "the VRID that the peer sends, from 1 to 255")
        if let vrid, let peerVrid, vrid.value == peerVrid.value {
            reader.problems.report(
                peerVrid.position,
                "peer-vrid = \(peerVrid.value) is our own vrid (line \(vrid.position.line)): expected another number")
        }
    }
}

// MARK: What is tracked

/// One element of `track`.
struct TrackDraft {
    /// nil: a mistake that has been reported.
    var object: VRRPConfiguration.Track.Object?
    var weight: Int?

    static func list(_ reader: TableReader) -> [Located<TrackDraft>] {
        let expected =
            "\"check:NAME\", \"route:PREFIX\" or \"link:INTERFACE\", or a table, { check = \"NAME\", weight = -50 }"
        return reader.list("track", atMost: VRRPLimits.tracks, expected) { node in
            if case .string(let text) = node.value { return TrackDraft(text) }
            return reader.element(node, of: "track").map(TrackDraft.init)
        } ?? []
    }

    private init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let name = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "check" where isSectionName(name): object = .check(name)
        case "link" where isInterfaceName(name): object = .link(name)
        case "route":
            guard let prefix = IPPrefix(name), prefix.isNetwork else { return nil }
            object = .route(VRRPConfiguration.Route(prefix: prefix))
        default: return nil
        }
    }

    private init(_ reader: TableReader) {
        let check = reader.string("check", "the name of a check", where: isSectionName)?.value
        let link = reader.interfaceName("link")?.value
        let route = VRRPConfiguration.Route(reader)
        weight = reader.weight("weight")
        reader.finish()
        let given = ["check", "link", "route"].filter { reader.keyPosition($0) != nil }
        guard given.count == 1 else {
            reader.problems.report(
                reader.position, "an element of track: expected exactly one of check, link and route")
            return
        }
        object = check.map { .check($0) } ?? link.map { .link($0) } ?? route.map { .route($0) }
    }
}

extension VRRPConfiguration.Route {
    /// Reads `route` and the keys that go with it; nil: there is none.
    fileprivate init?(_ reader: TableReader) {
        let prefix = reader.value("route", "a network, such as \"0.0.0.0/0\"") { value in
            network(TomlNode(value: value, position: SourcePosition()))
        }
        let via = reader.address("via")
        let interface = reader.interfaceName("interface")
        let table = reader.value("table", "the number of a routing table, from 1 to 4294967295") { value in
            tableNumber(TomlNode(value: value, position: SourcePosition()))
        }
        if reader.keyPosition("route") == nil {
            for key in ["via", "interface", "table"] {
                guard let position = reader.keyPosition(key) else { continue }
                reader.problems.report(position, "\(key) without route: expected it beside a route")
            }
        }
        guard let prefix else { return nil }
        if let via, via.value.family != prefix.value.address.family {
            reader.problems.report(via.position, "via = \"\(via.value)\": expected an address of the route's family")
        }
        self.init(
            prefix: prefix.value, via: via?.value, interface: interface?.value, table: table?.value ?? 254)
    }
}

// MARK: Checks and programs

/// `[check.NAME]`
struct CheckDraft {
    var name: Located<String>
    /// nil: a mistake that has been reported.
    var check: VRRPConfiguration.Check?
    var weight: Int?

    init(_ name: Located<String>, _ reader: TableReader) {
        typealias Limits = VRRPLimits
        self.name = name
        let arguments = reader.arguments("exec")
        let user = reader.userName("user")
        let witness = reader.address("witness")
        let interface = reader.interfaceName("interface")
        let interval = reader.duration("interval", Limits.centisecond...Limits.hour)
        let timeout = reader.duration("timeout", Limits.centisecond...Limits.hour)
        let fall = reader.integer("fall", 1...100)?.value ?? 3
        let rise = reader.integer("rise", 1...100)?.value ?? 2
        weight = reader.weight("weight")

        let intervalNs = interval?.value ?? 2 * Limits.second
        let timeoutNs = timeout?.value ?? min(Limits.second, intervalNs)
        if let timeout, timeoutNs > intervalNs {
            reader.problems.report(
                timeout.position,
                "timeout = \(quoted(DurationText.format(timeoutNs))): expected at most the interval, "
                    + DurationText.format(intervalNs))
        }
        guard Self.isOneKind(reader) else { return }
        let kind: VRRPConfiguration.Check.Kind
        if let arguments {
            kind = .program(VRRPConfiguration.Program(arguments: arguments, timeoutNs: timeoutNs, user: user))
        } else if let witness, let interface {
            kind = .witness(witness.value, interface: interface.value)
        } else {
            return
        }
        check = VRRPConfiguration.Check(
            name: name.value, kind: kind, intervalNs: intervalNs, timeoutNs: timeoutNs, fall: fall, rise: rise)
    }

    /// Either a program or a witness, and only the keys of the one that it is.
    private static func isOneKind(_ reader: TableReader) -> Bool {
        let (exec, witness) = (reader.keyPosition("exec"), reader.keyPosition("witness"))
        guard (exec == nil) != (witness == nil) else {
            reader.problems.report(
                witness ?? reader.position, "\(reader.title) is one check: expected either exec or witness")
            return false
        }
        let foreign = exec == nil ? "user" : "interface"
        if let position = reader.keyPosition(foreign) {
            let other = exec == nil ? "exec" : "witness"
            reader.problems.report(position, "\(foreign) goes with \(other) alone: expected no \(foreign) here")
        }
        if exec == nil { reader.require("interface", "the network interface on which the witness is asked") }
        return true
    }
}

/// `[notify.NAME]`
struct NotifyDraft {
    var name: Located<String>
    var program: VRRPConfiguration.Program?
    /// nil: all.
    var groups: [Located<String>]?

    init(_ name: Located<String>, _ reader: TableReader) {
        self.name = name
        program = reader.program(defaultTimeoutNs: 10 * VRRPLimits.second)
        let named = reader.names("groups", atMost: 1024, "the name of a group")
        groups = reader.keyPosition("groups") == nil ? nil : named
    }
}

// MARK: Shared readers

extension VRRPConfiguration.ProcessSettings {
    fileprivate init(_ reader: TableReader) {
        self.init()
        user = reader.userName("user")
        realtimePriority = reader.integer("realtime-priority", 0...99)?.value ?? realtimePriority
        locksMemory = reader.flag("lock-memory")?.value ?? locksMemory
        stateDirectory =
            reader.string("state-directory", "an absolute path", where: isAbsolutePath)?.value ?? stateDirectory
    }
}

extension VRRPConfiguration.Announce {
    fileprivate init(_ reader: TableReader) {
        self.init()
        count = reader.integer("announce-count", 1...50)?.value ?? count
        intervalNs = reader.duration("announce-interval", 0...10 * VRRPLimits.second)?.value ?? intervalNs
        repeatAfterNs = reader.duration("announce-repeat", 0...VRRPLimits.hour)?.value ?? repeatAfterNs
        refreshNs = reader.duration("announce-refresh", 0...VRRPLimits.hour)?.value ?? refreshNs
    }
}

private func hostPrefix(_ node: TomlNode) -> IPPrefix? {
    guard case .string(let text) = node.value, let prefix = IPPrefix(text), prefix.address.isUnicast, prefix.length > 0
    else { return nil }
    return prefix
}

private func hostAddress(_ value: TomlNode.Value) -> IPAddress? {
    guard case .string(let text) = value, let address = IPAddress(text), address.isUnicast else { return nil }
    return address
}

extension TableReader {
    fileprivate func sections(_ key: String, atMost limit: Int, _ body: (Located<String>, TableReader) -> Void) {
        sections(key, atMost: limit, nameExpected: sectionNameExpected, isName: isSectionName, body)
    }

    fileprivate func names(_ key: String, atMost limit: Int, _ expected: String) -> [Located<String>] {
        strings(key, atMost: limit, expected, where: isSectionName) ?? []
    }

    fileprivate func address(_ key: String) -> Located<IPAddress>? {
        value(key, "an address of a host", hostAddress)
    }

    fileprivate func addresses(_ key: String, atMost limit: Int) -> [Located<IPAddress>] {
        list(key, atMost: limit, "an address of a host") { hostAddress($0.value) } ?? []
    }

    fileprivate func weight(_ key: String) -> Int? {
        value(key, "a whole number from -253 to 253 that is not 0") { (value: TomlNode.Value) -> Int? in
            guard case .integer(let number) = value, number != 0, -253...253 ~= number else { return nil }
            return Int(number)
        }?.value
    }

    /// `exec`, `timeout` and `user`; nil: a mistake that has been reported.
    fileprivate func program(defaultTimeoutNs: Int64) -> VRRPConfiguration.Program? {
        let arguments = arguments("exec")
        let timeoutNs = duration("timeout", VRRPLimits.centisecond...VRRPLimits.hour)?.value ?? defaultTimeoutNs
        let user = userName("user")
        require("exec", "the program and its arguments, such as [\"/usr/bin/logger\", \"hello\"]")
        return arguments.map { VRRPConfiguration.Program(arguments: $0, timeoutNs: timeoutNs, user: user) }
    }

    /// A program by its absolute path, then its arguments; nil: absent, or a mistake that has been reported.
    fileprivate func arguments(_ key: String) -> [String]? {
        let texts = strings(key, atMost: VRRPLimits.programArguments, "text of at most 4096 bytes without a NUL") {
            $0.utf8.count <= 4096 && !$0.utf8.contains(0)
        }
        guard let texts, let position = keyPosition(key) else { return nil }
        guard let program = texts.first, isAbsolutePath(program.value) else {
            problems.report(
                texts.first?.position ?? position, "\(key) runs no shell: expected a program by its absolute path first"
            )
            return nil
        }
        return texts.map(\.value)
    }
}
