/// Puts the sections of `vrrp.toml` together, and finds the mistakes that no section makes alone.
///
/// Every name must lead somewhere, and what must be unique is: an instance's group, a cable's pool, a VRID on an interface
/// and family (the RFC's identity of a virtual router), a virtual address. A message gives the
/// place of the later mention and the line of the earlier one.
import Addresses

struct VRRPAssembly {
    private let sections: VRRPSections
    private let problems: Problems
    private let instances: [String: InstanceSection]
    private let heartbeats: [String: NamedSection<VRRPConfiguration.Heartbeat>]
    private let checks: [String: CheckKeys]
    private var trackGroups: [String: VRRPConfiguration.TrackGroup] = [:]
    /// For each instance in a group: which one, and where that says so.
    private var memberships: [String: (group: String, position: SourcePosition)] = [:]
    /// For each heartbeat in a pool: the same.
    private var pools: [String: (group: String, position: SourcePosition)] = [:]

    init(_ sections: VRRPSections, problems: Problems) {
        self.sections = sections
        self.problems = problems
        instances = Dictionary(sections.instances.map { ($0.instance.name.value, $0) }) { first, _ in first }
        heartbeats = Dictionary(sections.heartbeats.map { ($0.name.value, $0) }) { first, _ in first }
        checks = Dictionary(sections.checks.map { ($0.name.value, $0.value) }) { first, _ in first }
    }

    /// Puts together the groups that the sections describe; not usable if a problem was reported.
    mutating func complete(_ result: inout VRRPConfiguration) {
        result.checks = sections.checks.map(\.value.check)
        for section in sections.trackGroups { trackGroups[section.name.value] = trackGroup(section) }
        for section in sections.groups { result.groups.append(group(section)) }
        for section in sections.instances where memberships[section.instance.name.value] == nil {
            result.groups.append(ownGroup(of: section))
        }
        checkHeartbeatsAreUsed()
        judgeChecks(result.groups)
        checkVrids()
        checkVirtualAddresses()
        checkMacvlanNames()
        result.groups.checkHeldRoutes(problems)
        result.groups.checkHeldRules(problems)
        if sections.instances.isEmpty, sections.groups.isEmpty {
            problems.report(
                SourcePosition(line: 1, column: 1),
                "there is no instance: expected at least one, such as [instance.outside] with interface, vrid and addresses"
            )
        }
        result.notifies = sections.notifies.map(\.value)
        checkNotifies(groupNames: result.groups.map(\.name), instanceNames: Array(instances.keys).sorted())
    }

    // MARK: Groups

    private mutating func group(_ section: NamedSection<GroupKeys>) -> VRRPConfiguration.Group {
        let members = section.value.instances.compactMap { member($0, of: section) }
        for member in members {
            for key in member.groupKeys {
                guard let position = member.instance.keys.keyPosition(key) else { continue }
                problems.report(
                    position,
                    "\(key) belongs to the group: expected it in [group.\(section.name.value)] (line "
                        + "\(section.name.position.line)), of which \(member.instance.name.value) is a member")
            }
        }
        return complete(section, members.map(\.instance))
    }

    /// The instance that a group names; nil: a mistake.
    private mutating func member(_ name: Located<String>, of group: NamedSection<GroupKeys>) -> InstanceSection? {
        guard let instance = instances[name.value] else {
            reportUnknown("instance", name, known: sections.instances.map(\.instance.name.value))
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

    private mutating func ownGroup(of section: InstanceSection) -> VRRPConfiguration.Group {
        let name = section.instance.name
        if let namesake = sections.groups.first(where: { $0.name.value == name.value }) {
            problems.report(
                name.position,
                "instance \(name.value) is in no group and so a group of its own, but [group.\(name.value)] exists (line "
                    + "\(namesake.name.position.line)): expected it among that group's instances, or another name")
        }
        var group = complete(section.ownGroup, [section.instance])
        group.isOfInstance = true
        return group
    }

    private mutating func complete(
        _ section: NamedSection<GroupKeys>, _ members: [NamedSection<VRRPConfiguration.Instance>]
    ) -> VRRPConfiguration.Group {
        var group = section.value.group
        section.checkAdvertInterval(members)
        for member in members { member.check(in: section) }
        group.instances = members.map(\.value)
        group.heartbeats = pool(section, members)
        group.tracks = tracks(section)
        return group
    }

    private func tracks(_ section: NamedSection<GroupKeys>) -> [VRRPConfiguration.Track] {
        let result = known(section.value.tracks).map { track in
            guard case .check(let name) = track.value.object else { return track }
            var track = track
            track.value.weight = track.value.weight ?? checks[name]?.weight
            return track
        }
        for index in result.indices { warnOfWeight(index, among: result, section.value.group) }
        return result.map(\.value)
    }

    private func trackGroup(_ section: NamedSection<TrackGroupKeys>) -> VRRPConfiguration.TrackGroup {
        var group = section.value.group
        group.anyOf = known(section.value.anyOf).map(\.value)
        return group
    }

    /// Those whose names lead somewhere, each object once.
    private func known(_ tracks: [Located<VRRPConfiguration.Track>]) -> [Located<VRRPConfiguration.Track>] {
        var lines: [String: Int] = [:]
        var result: [Located<VRRPConfiguration.Track>] = []
        for var track in tracks {
            switch track.value.object {
            case .check(let name) where checks[name] == nil:
                let known = sections.checks.map(\.name.value)
                reportUnknown("check", Located(value: name, position: track.position), known: known)
                continue
            case .trackGroup(let named):
                guard let group = trackGroups[named.name] else {
                    let known = sections.trackGroups.map(\.name.value)
                    reportUnknown("track-group", Located(value: named.name, position: track.position), known: known)
                    continue
                }
                track.value.object = .trackGroup(group)
            default: break
            }
            if let line = lines[track.value.name] {
                problems.report(
                    track.position, "\(track.value.name) is tracked already (line \(line)): expected it once")
            }
            lines[track.value.name] = track.position.line
            result.append(track)
        }
        return result
    }

    /// Warns of a weight that has no effect, whatever else fails. The other director's priority is not known here.
    private func warnOfWeight(
        _ index: Int, among tracks: [Located<VRRPConfiguration.Track>], _ group: VRRPConfiguration.Group
    ) {
        guard let weight = tracks[index].value.weight else { return }
        let name = tracks[index].value.name
        let others = tracks.indices.filter { $0 != index }.compactMap { tracks[$0].value.weight }
        let lowest = group.priority + others.filter { $0 < 0 }.reduce(0, +)
        let highest = group.priority + others.filter { $0 > 0 }.reduce(0, +)
        // The number in a file may be of either sign.
        let isOpen = tracks.contains { if case .file = $0.value.object { true } else { false } }
        let why: String
        if group.priority == 255 {
            why = "the priority of an owner stays 255: expected no weight, or a priority of at most 254"
        } else if weight > 0, lowest >= 254, !isOpen {
            why = "a priority of \(group.priority) does not rise: expected a lower one, or a weight below 0"
        } else if weight < 0, highest <= 1, !isOpen {
            why = "a priority of \(group.priority) does not fall: expected a higher one, or a weight above 0"
        } else if !group.preempts {
            why =
                "with preempt = false a change of priority moves nothing but where the other director has preempt = true: "
                + "expected preempt = true on both, or no weight, which makes \(name) a cause of fault"
        } else {
            return
        }
        problems.warn(
            tracks[index].position, "the weight \(weight) of \(name) in group \(group.name) moves nothing: \(why)")
    }

    /// A check that nobody tracks runs and changes nothing, and neither does a track-group.
    private func judgeChecks(_ groups: [VRRPConfiguration.Group]) {
        let objects = groups.flatMap(\.tracks).map(\.object)
        let names = Set(objects.map(\.name))
        for section in sections.trackGroups where !names.contains("track-group:\(section.name.value)") {
            problems.warn(
                section.name.position,
                "track-group \(section.name.value) is tracked by no group: expected it in a group's track")
        }
        // Of an unused track-group one warning is enough.
        let tracked = Set(objects.flatMap(\.parts) + trackGroups.values.flatMap(\.anyOf).map(\.object))
        for check in sections.checks where !tracked.contains(.check(check.name.value)) {
            problems.warn(
                check.name.position,
                "check \(check.name.value) is tracked by no group: expected it in a group's track")
        }
    }

    // MARK: Heartbeats

    /// A heartbeat lists each instance up to twice and must fit into one frame.
    private static let instancesWithPoolMax = 40

    /// A group's cables, with the rules that keep two directors safe.
    private mutating func pool(
        _ section: NamedSection<GroupKeys>, _ members: [NamedSection<VRRPConfiguration.Instance>]
    ) -> [VRRPConfiguration.Heartbeat] {
        guard let first = section.value.heartbeats.first else { return [] }
        let group = section.value.group
        if members.count > Self.instancesWithPoolMax {
            problems.report(
                first.position,
                "group \(group.name) has \(members.count) instances and heartbeats: expected at most "
                    + "\(Self.instancesWithPoolMax), which one heartbeat can list")
        }
        for member in members where member.unicastPeers.count > 1 {
            problems.report(
                member.unicastPeers[1].position,
                "a second unicast peer in group \(group.name), which has heartbeats (line \(first.position.line)): "
                    + "expected one, a pool joins two directors")
        }
        checkListed(members, of: group.name)
        var cables: [String: NamedSection<VRRPConfiguration.Heartbeat>] = [:]
        return section.value.heartbeats.compactMap { name in
            guard var cable = cable(name, of: group.name) else { return nil }
            if let interface = cable.interface {
                if let earlier = cables[interface.value] {
                    problems.report(
                        interface.position,
                        "heartbeat \(earlier.name.value) (line \(earlier.interface?.position.line ?? 0)) of the same pool is "
                            + "on \(interface.value): expected a cable of its own")
                }
                cables[interface.value] = cable
            }
            if cable.keys.place(of: "interval") == nil {
                cable.value.intervalNs = min(cable.value.intervalNs, group.advertIntervalNs)
            }
            return cable.value
        }
    }

    /// Heartbeats list an instance without addresses by its family and VRID.
    private func checkListed(_ members: [NamedSection<VRRPConfiguration.Instance>], of group: String) {
        var known: [String: NamedSection<VRRPConfiguration.Instance>] = [:]
        for member in members where member.value.advertised.isEmpty {
            guard let vrid = member.vrid, let family = member.family else { continue }
            let key = "\(family.rawValue)/\(vrid.value)"
            guard let earlier = known[key] else {
                known[key] = member
                continue
            }
            problems.report(
                vrid.position,
                "VRID \(vrid.value) of instance \(member.name.value) is that of instance \(earlier.name.value) (line "
                    + "\(earlier.vrid?.position.line ?? 0)), and neither has addresses: the heartbeats of group \(group) could "
                    + "not tell them apart; expected another VRID")
        }
    }

    /// The heartbeat that a group names; nil: a mistake.
    private mutating func cable(_ name: Located<String>, of group: String) -> NamedSection<VRRPConfiguration.Heartbeat>?
    {
        guard let section = heartbeats[name.value] else {
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
        return section
    }

    private func checkHeartbeatsAreUsed() {
        for section in sections.heartbeats where pools[section.name.value] == nil {
            problems.report(
                section.name.position,
                "heartbeat \(section.name.value) is in no group's pool: expected it in a group's heartbeats")
        }
    }

    // MARK: What must be unique

    /// One owner for each VRID on one interface and family.
    private func checkVrids() {
        typealias Claim = (owner: String, interface: String?, family: IPAddress.Family?, vrid: Located<UInt8>)
        let routers = sections.instances.flatMap { section -> [Claim] in
            let instance = section.instance
            return [instance.vrid].compactMap { $0 }.map {
                ("instance \(instance.name.value)", instance.interface?.value, instance.family, $0)
            }
        }
        let cables = sections.heartbeats.flatMap { section -> [Claim] in
            section.vrids.map {
                ("heartbeat \(section.name.value)", section.interface?.value, section.value.family, $0)
            }
        }
        var owners: [String: (owner: String, line: Int)] = [:]
        for claim in routers + cables {
            guard let interface = claim.interface, let family = claim.family else { continue }
            let vrid = claim.vrid
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
        for section in sections.instances {
            let own = section.instance.interface?.value
            for prefix in section.instance.addresses {
                let address = prefix.value.address
                let interface = prefix.value.interface ?? own
                guard !address.isLinkLocal || interface != nil else { continue }
                let key = address.isLinkLocal ? "\(address)%\(interface ?? "")" : address.description
                if let earlier = owners[key] {
                    problems.report(
                        prefix.position,
                        "\(address) is already an address of instance \(earlier.instance) (line \(earlier.line)): "
                            + "expected it once")
                } else {
                    owners[key] = (section.instance.name.value, prefix.position.line)
                }
            }
        }
    }

    /// A macvlan has a name of its own.
    private func checkMacvlanNames() {
        var owners: [String: String] = [:]
        let ofAddresses = sections.instances.flatMap { section in
            section.instance.addresses.compactMap { address in
                address.value.interface.map { Located(value: $0, position: address.position) }
            }
        }
        let places =
            sections.instances.compactMap { $0.instance.interface } + sections.heartbeats.compactMap { $0.interface }
            + ofAddresses
        for place in places { owners[place.value] = "an interface of this file (line \(place.position.line))" }
        for section in sections.instances {
            let instance = section.instance
            guard let name = instance.value.virtualMACName, let position = instance.keys.place(of: "virtual-mac-name")
            else { continue }
            if let owner = owners[name] {
                problems.report(position, "virtual-mac-name = \(quoted(name)) is \(owner): expected another name")
            } else if ["vr4-", "vr6-"].contains(where: name.hasPrefix) {
                problems.report(
                    position,
                    "virtual-mac-name = \(quoted(name)) may be that of an instance without the key: expected another name"
                )
            }
            owners[name] = "that of instance \(instance.name.value) (line \(position.line))"
        }
    }

    // MARK: Names

    private func checkNotifies(groupNames: [String], instanceNames: [String]) {
        var fifos: [String: Int] = [:]
        for section in sections.notifies {
            if let fifo = section.value.fifo, let position = section.keys.place(of: "fifo") {
                if let line = fifos[fifo] {
                    problems.report(
                        position, "\(fifo) is the fifo of another [notify] (line \(line)): expected it once")
                }
                fifos[fifo] = position.line
            }
            for (kind, names, known) in [
                ("group", section.value.groups, groupNames), ("instance", section.value.instances, instanceNames),
            ] {
                for name in section.keys.located("\(kind)s", names ?? []) where !known.contains(name.value) {
                    reportUnknown(kind, name, known: known)
                }
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
