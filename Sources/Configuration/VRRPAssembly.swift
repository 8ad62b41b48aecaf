/// Puts the sections of `vrrp.toml` together, and finds the mistakes that no section makes alone.
///
/// Every name must lead somewhere, and what must be unique is: an instance's group, a cable's pool, a group's legs, a
/// VRID on an interface and family (the RFC's identity of a virtual router), a virtual address. A message gives the
/// place of the later mention and the line of the earlier one.
import Addresses

struct VRRPAssembly {
    private let sections: VRRPSections
    private let problems: Problems
    private let instances: [String: InstanceDraft]
    private let heartbeats: [String: HeartbeatDraft]
    private let checks: [String: CheckDraft]
    /// For each instance in a group: which one, and where that says so.
    private var memberships: [String: (group: String, position: SourcePosition)] = [:]
    /// For each heartbeat in a pool: the same.
    private var pools: [String: (group: String, position: SourcePosition)] = [:]

    init(_ sections: VRRPSections, problems: Problems) {
        self.sections = sections
        self.problems = problems
        func byName<Draft>(_ drafts: [Draft], _ name: (Draft) -> String) -> [String: Draft] {
            Dictionary(drafts.map { (name($0), $0) }) { first, _ in first }
        }
        instances = byName(sections.instances, \.name.value)
        heartbeats = byName(sections.heartbeats, \.name.value)
        checks = byName(sections.checks, \.name.value)
    }

    /// The configuration; worthless if a problem was reported.
    mutating func configuration() -> VRRPConfiguration {
        var result = VRRPConfiguration()
        result.socket = sections.socket
        result.monitorSocketPath = sections.monitorSocketPath
        result.process = sections.process
        result.checks = sections.checks.compactMap(\.check)
        for draft in sections.groups { result.groups.append(group(draft)) }
        for draft in sections.instances where memberships[draft.name.value] == nil {
            result.groups.append(ownGroup(of: draft))
        }
        checkHeartbeatsAreUsed()
        checkVrids()
        checkVirtualAddresses()
        if sections.instances.isEmpty, sections.groups.isEmpty {
            problems.report(
                SourcePosition(line: 1, column: 1),
                "there is no instance: expected at least one, such as [instance.outside] with interface, vrid and addresses"
            )
        }
        result.addressLines.lines = addressLines
        result.notifies = notifies(groupNames: result.groups.map(\.name))
        return result
    }

    // MARK: Groups

    private mutating func group(_ draft: GroupDraft) -> VRRPConfiguration.Group {
        let members = draft.instances.compactMap { member($0, of: draft) }
        for instance in members {
            for (key, position) in instance.groupKeys.positions {
                problems.report(
                    position,
                    "\(key) belongs to the group: expected it in [group.\(draft.name.value)] (line "
                        + "\(draft.name.position.line)), of which \(instance.name.value) is a member")
            }
        }
        return complete(draft.keys, members)
    }

    /// The instance that a group names; nil: a mistake.
    private mutating func member(_ name: Located<String>, of group: GroupDraft) -> InstanceDraft? {
        guard let instance = instances[name.value] else {
            reportUnknown("instance", name, known: sections.instances.map(\.name.value))
            return nil
        }
        if let earlier = memberships[name.value] {
            problems.report(
                name.position,
                "instance \(name.value) is already in group \(earlier.group) (line \(earlier.position.line)): "
                    + "expected it once")
            return nil
        }
        memberships[name.value] = (group.name.value, name.position)
        return instance
    }

    private mutating func ownGroup(of draft: InstanceDraft) -> VRRPConfiguration.Group {
        if let namesake = sections.groups.first(where: { $0.name.value == draft.name.value }) {
            problems.report(
                draft.name.position,
                "instance \(draft.name.value) is in no group and so a group of its own, but [group."
                    + "\(draft.name.value)] exists (line \(namesake.name.position.line)): expected it among that group's "
                    + "instances, or another name")
        }
        return complete(draft.groupKeys, [draft])
    }

    private mutating func complete(_ keys: GroupKeys, _ members: [InstanceDraft]) -> VRRPConfiguration.Group {
        var group = keys.group
        checkLegs(members, of: group.name)
        checkAdvertInterval(keys)
        group.instances = members.compactMap { instance($0, keys) }
        group.heartbeats = pool(keys, members)
        group.tracks = tracks(keys)
        return group
    }

    /// The members of a group are its legs: each on a link, or a link's family, of its own.
    private func checkLegs(_ members: [InstanceDraft], of group: String) {
        var legs: [String: InstanceDraft] = [:]
        for member in members {
            guard let interface = member.interface, let family = member.family else { continue }
            let leg = "\(interface.value)/\(family.rawValue)"
            guard let earlier = legs[leg] else {
                legs[leg] = member
                continue
            }
            problems.report(
                interface.position,
                "group \(group) already has \(interface.value) for \(family.title) by instance "
                    + "\(earlier.name.value) (line \(earlier.interface?.position.line ?? 0)): expected another interface, "
                    + "or its addresses in \(earlier.name.value)")
        }
    }

    private func tracks(_ keys: GroupKeys) -> [VRRPConfiguration.Track] {
        var lines: [VRRPConfiguration.Track.Object: Int] = [:]
        var result: [VRRPConfiguration.Track] = []
        var weighed: [(name: String, weight: Int, position: SourcePosition)] = []
        for track in keys.tracks {
            guard let object = track.value.object else { continue }
            var resolved = VRRPConfiguration.Track(object: object, weight: track.value.weight)
            if case .check(let name) = object {
                guard let check = checks[name] else {
                    let known = sections.checks.map(\.name.value)
                    reportUnknown("check", Located(value: name, position: track.position), known: known)
                    continue
                }
                resolved.weight = resolved.weight ?? check.weight
            }
            if let line = lines[object] {
                problems.report(track.position, "\(resolved.name) is tracked already (line \(line)): expected it once")
            }
            lines[object] = track.position.line
            result.append(resolved)
            if let weight = resolved.weight { weighed.append((resolved.name, weight, track.position)) }
        }
        for index in weighed.indices { warnOfWeight(index, among: weighed, keys.group) }
        return result
    }

    /// A weight that moves nothing whatever else is well or fails. How far the other director's priority is away nobody knows
    /// here.
    private func warnOfWeight(
        _ index: Int, among weighed: [(name: String, weight: Int, position: SourcePosition)],
        _ group: VRRPConfiguration.Group
    ) {
        let (name, weight, position) = weighed[index]
        let others = weighed.indices.filter { $0 != index }.map { weighed[$0].weight }
        let lowest = group.priority + others.filter { $0 < 0 }.reduce(0, +)
        let highest = group.priority + others.filter { $0 > 0 }.reduce(0, +)
        let why: String
        if group.priority == 255 {
            why = "the priority of an owner stays 255: expected no weight, or a priority of at most 254"
        } else if weight > 0, lowest >= 254 {
            why = "a priority of \(group.priority) does not rise: expected a lower one, or a weight below 0"
        } else if weight < 0, highest <= 1 {
            why = "a priority of \(group.priority) does not fall: expected a higher one, or a weight above 0"
        } else if !group.preempts {
            why =
                "with preempt = false a change of priority moves nothing but where the other director has preempt = true: "
                + "expected preempt = true on both, or no weight, which makes \(name) a cause of fault"
        } else {
            return
        }
        problems.warn(position, "the weight \(weight) of \(name) in group \(group.name) moves nothing: \(why)")
    }

    // MARK: Instances

    private func instance(_ draft: InstanceDraft, _ keys: GroupKeys) -> VRRPConfiguration.Instance? {
        checkFamily(draft)
        checkHosts(draft)
        checkVersion(draft, keys)
        checkPeers(draft)
        guard let interface = draft.interface?.value, let vrid = draft.vrid?.value, !draft.addresses.isEmpty else {
            return nil
        }
        var result = VRRPConfiguration.Instance(
            name: draft.name.value, interface: interface, vrid: UInt8(vrid), addresses: draft.addresses.map(\.value))
        result.checksum = draft.checksum ?? result.checksum
        result.unicastPeers = draft.unicastPeers.map(\.value)
        result.source = draft.source?.value
        result.authPass = draft.authPass?.value
        result.hasVirtualMAC = draft.hasVirtualMAC
        result.accepts = draft.accepts
        result.witnesses = draft.witnesses.map(\.value)
        return result
    }

    /// The line of each virtual address, by instance.
    private var addressLines: [String: [IPAddress: Int]] {
        var lines: [String: [IPAddress: Int]] = [:]
        for draft in sections.instances {
            for prefix in draft.addresses {
                lines[draft.name.value, default: [:]][prefix.value.address] = prefix.position.line
            }
        }
        return lines
    }

    /// What no host can have as its address in the networks that the virtual addresses name.
    private func checkHosts(_ draft: InstanceDraft) {
        let networks = draft.addresses.filter { $0.value.length < $0.value.address.family.width - 1 }
        let hosts =
            draft.addresses.map { ("addresses", Located(value: $0.value.address, position: $0.position)) }
            + [draft.source].compactMap { $0 }.map { ("source", $0) } + draft.unicastPeers.map { ("unicast-peers", $0) }
            + draft.witnesses.map { ("witness", $0) }
        for (key, host) in hosts {
            for network in networks where network.value.network.address.family == host.value.family {
                guard let what = network.value.reserved(host.value) else { continue }
                problems.report(
                    host.position,
                    "\(key) has \(host.value), \(what) of \(network.value.network)"
                        + (network.position.line == host.position.line ? "" : " (line \(network.position.line))")
                        + ": expected the address of a host, such as \(quoted(network.value.example))")
                break
            }
            if host.value.isIPv4Mapped {
                problems.report(
                    host.position,
                    "\(key) has \(host.value), an IPv4 address in the form of IPv6: expected \(host.value.unmapped)")
            }
        }
        if let source = draft.source, source.value.isIPv6, !source.value.isLinkLocal, draft.unicastPeers.isEmpty {
            problems.report(
                source.position,
                "source = \(quoted(source.value.description)): expected a link-local address, such as \"fe80::2\" (RFC 9568, 5.1.2.1)"
            )
        }
    }

    /// One family throughout, and what the family asks of the addresses.
    private func checkFamily(_ draft: InstanceDraft) {
        guard let first = draft.addresses.first, let family = draft.family else { return }
        let others =
            draft.addresses.map { ("addresses", $0.value.address, $0.position) }
            + draft.unicastPeers.map { ("unicast-peers", $0.value, $0.position) }
            + draft.witnesses.map { ("witness", $0.value, $0.position) }
            + [draft.source].compactMap { $0 }.map { ("source", $0.value, $0.position) }
        for (key, address, position) in others where address.family != family {
            problems.report(
                position,
                "\(key) has \(address), but the first address of instance \(draft.name.value) (line "
                    + "\(first.position.line)) is \(family.title): expected \(family.title); the other family takes an "
                    + "instance of its own")
        }
        if family == .ipv6, !first.value.address.isLinkLocal {
            problems.report(
                first.position,
                "addresses begins with \(first.value.address): expected the virtual router's link-local address first, "
                    + "such as \"fe80::1:\(draft.vrid?.value ?? 1)\" (RFC 9568, 5.2.9)")
        }
        if let limit = VRRPLimits.addresses[family], draft.addresses.count > limit {
            problems.report(
                draft.addresses[limit].position,
                "instance \(draft.name.value) has more than \(limit) \(family.title) addresses: expected what one advert "
                    + "can list")
        }
    }

    /// What version 2 cannot say, and what version 3 no longer does.
    private func checkVersion(_ draft: InstanceDraft, _ keys: GroupKeys) {
        let name = draft.name.value
        guard keys.group.version == 2 else {
            guard let authPass = draft.authPass else { return }
            return problems.report(
                authPass.position, "auth-pass in version 3: expected none, or version = 2 (RFC 9568 has no passwords)")
        }
        if draft.family == .ipv6, let first = draft.addresses.first {
            problems.report(
                keys.versionPosition,
                "version = 2 with the IPv6 addresses of instance \(name) (line \(first.position.line)): expected 3")
        }
    }

    /// The interval of a version 2 advert is a whole number of seconds.
    private func checkAdvertInterval(_ keys: GroupKeys) {
        guard keys.group.version == 2, keys.group.advertIntervalNs % VRRPLimits.second != 0 else { return }
        problems.report(
            keys.advertIntervalPosition,
            "advert-interval = \(quoted(DurationText.format(keys.group.advertIntervalNs))) with version = 2 (line "
                + "\(keys.versionPosition.line)): expected whole seconds, such as \"1s\", or version = 3")
    }

    private func checkPeers(_ draft: InstanceDraft) {
        let own = Set(draft.addresses.map(\.value.address) + [draft.source?.value].compactMap { $0 })
        for (key, list) in [("unicast-peers", draft.unicastPeers), ("witness", draft.witnesses)] {
            var seen: Set<IPAddress> = []
            for address in list {
                if own.contains(address.value) {
                    problems.report(
                        address.position,
                        "\(key) has \(address.value), an address of instance \(draft.name.value): expected another host's"
                    )
                }
                if !seen.insert(address.value).inserted {
                    problems.report(address.position, "\(key) has \(address.value) twice: expected it once")
                }
            }
        }
    }

    // MARK: Heartbeats

    /// A group's cables, with the rules that keep two directors safe.
    private mutating func pool(_ keys: GroupKeys, _ members: [InstanceDraft]) -> [VRRPConfiguration.Heartbeat] {
        guard let first = keys.heartbeats.first else { return [] }
        if members.count > VRRPLimits.instancesWithPool {
            problems.report(
                first.position,
                "group \(keys.group.name) has \(members.count) instances and heartbeats: expected at most "
                    + "\(VRRPLimits.instancesWithPool), which one heartbeat can list")
        }
        for member in members where member.unicastPeers.count > 1 {
            problems.report(
                member.unicastPeers[1].position,
                "a second unicast peer in group \(keys.group.name), which has heartbeats (line \(first.position.line)): "
                    + "expected one, a pool joins two directors")
        }
        var cables: [String: HeartbeatDraft] = [:]
        return keys.heartbeats.compactMap { name in
            guard let draft = cable(name, of: keys.group.name) else { return nil }
            if let interface = draft.interface, let earlier = cables[interface.value] {
                problems.report(
                    interface.position,
                    "heartbeat \(earlier.name.value) (line \(earlier.interface?.position.line ?? 0)) of the same pool is "
                        + "on \(interface.value): expected a cable of its own")
            }
            guard let interface = draft.interface?.value, let vrid = draft.vrid?.value,
                let peerVrid = draft.peerVrid?.value
            else { return nil }
            cables[interface] = draft
            return VRRPConfiguration.Heartbeat(
                name: draft.name.value, interface: interface, family: draft.family, vrid: UInt8(vrid),
                peerVrid: UInt8(peerVrid),
                intervalNs: draft.intervalNs ?? min(100_000_000, keys.group.advertIntervalNs))
        }
    }

    /// The heartbeat that a group names; nil: a mistake.
    private mutating func cable(_ name: Located<String>, of group: String) -> HeartbeatDraft? {
        guard let draft = heartbeats[name.value] else {
            reportUnknown("heartbeat", name, known: sections.heartbeats.map(\.name.value))
            return nil
        }
        if let earlier = pools[name.value] {
            problems.report(
                name.position,
                "heartbeat \(name.value) is already in the pool of group \(earlier.group) (line "
                    + "\(earlier.position.line)): expected it once, in one pool")
            return nil
        }
        pools[name.value] = (group, name.position)
        return draft
    }

    private func checkHeartbeatsAreUsed() {
        for draft in sections.heartbeats where pools[draft.name.value] == nil {
            problems.report(
                draft.name.position,
                "heartbeat \(draft.name.value) is in no group's pool: expected it in a group's heartbeats")
        }
    }

    // MARK: What must be unique

    /// One owner for each VRID on one interface and family.
    private func checkVrids() {
        typealias Claim = (owner: String, interface: String?, family: IPAddress.Family?, vrid: Located<Int>?)
        let routers: [Claim] = sections.instances.map {
            ("instance \($0.name.value)", $0.interface?.value, $0.family, $0.vrid)
        }
        let cables: [Claim] = sections.heartbeats.flatMap { draft -> [Claim] in
            [draft.vrid, draft.peerVrid].map {
                ("heartbeat \(draft.name.value)", draft.interface?.value, draft.family, $0)
            }
        }
        var owners: [String: (owner: String, line: Int)] = [:]
        for claim in routers + cables {
            guard let interface = claim.interface, let family = claim.family, let vrid = claim.vrid else { continue }
            let key = "\(interface)/\(family.rawValue)/\(vrid.value)"
            guard let earlier = owners[key] else {
                owners[key] = (claim.owner, vrid.position.line)
                continue
            }
            guard earlier.owner != claim.owner else { continue }
            problems.report(
                vrid.position,
                "VRID \(vrid.value) on \(interface) for \(family.title) belongs to \(earlier.owner) (line \(earlier.line)): "
                    + "expected another")
        }
    }

    /// A virtual address lives in one place; link-local ones in one place on each interface.
    private func checkVirtualAddresses() {
        var owners: [String: (instance: String, line: Int)] = [:]
        for draft in sections.instances {
            for prefix in draft.addresses {
                let address = prefix.value.address
                guard !address.isLinkLocal || draft.interface != nil else { continue }
                let key = address.isLinkLocal ? "\(address)%\(draft.interface?.value ?? "")" : address.description
                if let earlier = owners[key] {
                    problems.report(
                        prefix.position,
                        "\(address) is already an address of instance \(earlier.instance) (line \(earlier.line)): "
                            + "expected it once")
                } else {
                    owners[key] = (draft.name.value, prefix.position.line)
                }
            }
        }
    }

    // MARK: Names

    private func notifies(groupNames: [String]) -> [VRRPConfiguration.Notify] {
        sections.notifies.compactMap { draft in
            for group in draft.groups ?? [] where !groupNames.contains(group.value) {
                reportUnknown("group", group, known: groupNames)
            }
            return draft.program.map {
                VRRPConfiguration.Notify(
                    name: draft.name.value, program: $0, groups: draft.groups.map { $0.map(\.value) })
            }
        }
    }

    private func reportUnknown(_ kind: String, _ name: Located<String>, known: [String]) {
        let hint =
            nearestName(to: name.value, among: known).map { "did you mean \($0)?" }
            ?? "expected a section [\(kind).\(name.value)]"
        problems.report(name.position, "unknown \(kind) \(name.value): \(hint)")
    }
}
