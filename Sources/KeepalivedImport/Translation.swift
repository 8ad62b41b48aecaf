/// The last stage: what keepalived would run, as vrrp.toml.
///
/// A sync group becomes a group with the same name; an instance in none is a group of its own, with the keys of a group
/// in its own section. Everything that is not carried over unchanged is in the report, and what matters of that also in
/// a comment of the output.
import Addresses

struct Translation {
    private let model: KeepalivedConfiguration
    private let findings: Findings
    private let surroundings: Surroundings
    private let names = Names()
    private var addresses: AddressTranslation
    private var routes: RouteTranslation
    private var rules: RuleTranslation
    private var sections: [TomlSection] = []
    private var notifies: [NotifyTranslation] = []
    private var statics: StaticTranslation
    /// The names of macvlans, those that the file gives first.
    private var macvlans: Set<String>
    /// Programs that do what keepalived does itself.
    private var substitutes: [TomlSection] = []
    /// The checks that are tracked, by keepalived's name.
    private var usedScripts: [String: String] = [:]

    /// Limits of vrrp.toml.
    private enum Limits {
        static let tracks = 64
        static let checks = 256
        static let notifies = 256
        static let advertNs: Int64 = 40 * second
        static let hourNs: Int64 = 3600 * second
    }

    private init(_ model: KeepalivedConfiguration, _ findings: Findings, _ surroundings: Surroundings) {
        self.model = model
        self.findings = findings
        self.surroundings = surroundings
        addresses = AddressTranslation(findings)
        routes = RouteTranslation(findings)
        rules = RuleTranslation(findings)
        statics = StaticTranslation(findings)
        macvlans = Set(model.instances.compactMap(\.virtualMACName))
    }

    /// - Returns: the sections, in order; none, if nothing can be carried; and a unit for what does not move.
    static func sections(
        of model: KeepalivedConfiguration, findings: Findings, surroundings: Surroundings
    ) throws(Refusal) -> (sections: [TomlSection], unit: (name: String, text: String)?) {
        var translation = Translation(model, findings, surroundings)
        try translation.translate()
        return (translation.sections, translation.statics.unit)
    }

    private mutating func translate() throws(Refusal) {
        let completion = Completion(model.global, findings)
        statics.translate(model, &rules)
        var legs: [CompleteInstance] = []
        for instance in model.instances {
            if let leg = try completion.complete(instance) { legs.append(leg) }
        }
        legs = try completion.distinct(legs)
        var members: [(leg: CompleteInstance, section: TomlSection)] = []
        for leg in legs.map(sendable) { members.append((leg, section(of: leg))) }
        var grouped: Set<String> = []
        for group in model.groups { translate(group, &members, &grouped) }
        for member in members where !grouped.contains(member.leg.instance.name) { lone(member.leg, member.section) }
        appendChecks()
        for (name, daemon) in model.global.syncDaemons where !model.instances.contains(where: { $0.name == name }) {
            findings.add(
                .difference, daemon.place, "lvs_sync_daemon \(name)",
                "there is no such instance: it is ignored, in keepalived as here")
        }
        if notifies.count + substitutes.count > Limits.notifies,
            let place = notifies.last?.place ?? model.instances.first?.place
        {
            findings.add(
                .loss, place, "notify",
                "more than \(Limits.notifies) programs, and vrrp.toml takes no more: the last ones are left out"
            )
        }
        appendFifos()
        for notify in notifies.prefix(Limits.notifies) {
            sections.append(notify.section(named: names.notify(notify, findings)))
        }
        sections += substitutes.prefix(max(0, Limits.notifies - notifies.count))
        appendProcess()
    }

    private func report(_ section: Keyword.Section, _ name: String, _ subject: String, _ place: SourceLine) {
        guard let keyword = Keywords.find(section, name) else { return }
        findings.add(keyword.fate.weight, place, subject, keyword.text)
    }

    // MARK: Instances

    /// In a version that linkwatch sends.
    private func sendable(_ leg: CompleteInstance) -> CompleteInstance {
        guard leg.version == 2, leg.family == .ipv6 else { return leg }
        findings.add(
            .loss, leg.instance.line("version"), "version 2",
            "IPv6 has version 3 alone: a keepalived that sends version 2 does not understand it")
        var leg = leg
        (leg.version, leg.password) = (3, nil)
        return leg
    }

    /// The instance without the keys of a group.
    private mutating func section(of leg: CompleteInstance) -> TomlSection {
        let instance = leg.instance
        let macvlan = instance.hasVirtualMAC ? macvlanName(leg) : nil
        let (list, first) = addresses.translate(leg, on: macvlan)
        var section = TomlSection(
            header: "instance.\(Toml.key(names.instance(instance.name, instance.place, findings)))")
        section.set("interface", Toml.text(leg.interface))
        section.set("vrid", String(leg.vrid))
        section.set("addresses", Toml.array(list))
        // Otherwise the addresses tell.
        if list.isEmpty, leg.family == .ipv6 { section.set("family", Toml.text("ipv6")) }
        if !instance.tracksInterface { section.set("track-interface", "false") }
        let isGlobal = { (address: IPAddress?) in address.map { $0.isIPv6 && !$0.isLinkLocal } ?? false }
        if isGlobal(first) || (isGlobal(instance.source) && instance.peers.isEmpty) {
            section.set("require-link-local", "false")
        }
        if let group = leg.multicastGroup, instance.peers.isEmpty {
            section.set("multicast-group", Toml.text(group.description))
        }
        if leg.version == 3, leg.family == .ipv4, instance.checksumIsAsInV2 {
            section.set("checksum", Toml.text("message"))
        }
        setPeers(of: leg, &section)
        if let password = leg.password {
            section.set("auth-pass", Toml.text(password))
            if instance.auth?.type == "AH" { section.set("auth-type", Toml.text("ah")) }
        }
        if let hmac = instance.hmac { setHMAC(hmac, of: instance, &section) }
        if let macvlan {
            section.set("virtual-mac", "true")
            section.set("virtual-mac-name", Toml.text(macvlan))
            let text = Keywords.find(.instance, "use_vmac")?.text ?? ""
            findings.add(instance.tunesVirtualMAC ? .loss : .difference, instance.line("use_vmac"), "use_vmac", text)
            // What strict_mode forbids.
            if instance.places["vmac_xmit_base"] != nil, !(instance.isStrict ?? model.global.isStrict) {
                section.set("virtual-mac-adverts", "false")
            }
        }
        if !leg.accepts { section.set("accept", "false") }
        if Keywords.isCarried(.instance, "virtual_routes") {
            let list = routes.routes(of: leg, on: macvlan)
            if !list.isEmpty { section.set("routes", Toml.array(list)) }
        }
        if Keywords.isCarried(.instance, "virtual_rules") {
            let list = rules.rules(of: leg)
            if !list.isEmpty { section.set("rules", Toml.array(list)) }
        }
        return section
    }

    private func setHMAC(
        _ hmac: KeepalivedConfiguration.HMAC, of instance: KeepalivedConfiguration.Instance,
        _ section: inout TomlSection
    ) {
        guard hmac.keys.contains(where: { $0.id == hmac.activeKey }) else {
            findings.add(
                .difference, instance.line("auth_hmac"), "auth_hmac",
                "active_key names no key: it is not used, in keepalived as here")
            return
        }
        let keys = hmac.keys.prefix(8).filter { key in
            let octets = key.value.hasPrefix("hex:") ? (key.value.utf8.count - 4) / 2 : key.value.utf8.count
            return !key.value.hasPrefix("file:") && (32...64).contains(octets)
                && key.value.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        }
        if keys.count < hmac.keys.count {
            let key = hmac.keys.first { key in !keys.contains { $0.id == key.id } }
            report(.hmac, "key", "key \(key?.id ?? 0)", key?.place ?? instance.place)
        }
        guard keys.contains(where: { $0.id == hmac.activeKey }) else { return }
        var pairs = [
            ("keys", Toml.array(keys.map { Toml.text("\($0.id) \($0.value)") })),
            ("active-key", String(hmac.activeKey)),
        ]
        if hmac.mode != "enforce" { pairs.append(("mode", Toml.text(hmac.mode))) }
        if hmac.isMonotonic {
            pairs.append(("replay", Toml.text("monotonic")))
        } else if let seconds = hmac.windowSeconds {
            pairs.append(("window", Toml.duration(Int64(seconds) * second)))
        }
        section.set("auth-hmac", Toml.table(pairs.map { (key: $0.0, value: $0.1) }))
    }

    /// The first name that is free: `vrrp.51`, `vrrp1.51`, of IPv6 `vrrp6.51` second (`create_vmac_name`).
    private mutating func macvlanName(_ leg: CompleteInstance) -> String {
        if let name = leg.instance.virtualMACName { return name }
        let numbers = [""] + (leg.family == .ipv6 ? ["6"] : []) + (1...255).map(String.init)
        let names = numbers.map { number in
            let end = "\(number).\(leg.vrid)"
            return String(model.global.macvlanPrefix.prefix(15 - end.utf8.count)) + end
        }
        let name = names.first { !macvlans.contains($0) && isInterfaceName($0) } ?? "vrrp.\(leg.vrid)"
        macvlans.insert(name)
        return name
    }

    private func setPeers(of leg: CompleteInstance, _ section: inout TomlSection) {
        let instance = leg.instance
        var peers = instance.peers.filter { peer in
            guard peer.address != instance.source,
                !instance.addresses.contains(where: { $0.prefix.address == peer.address })
            else {
                findings.add(
                    .difference, peer.place, peer.address.description,
                    "an address of this router or a virtual one is no peer: it is left out")
                return false
            }
            guard peer.address.isUnicast else {
                findings.add(
                    .missing, peer.place, peer.address.description, "not an address of a host: name the peer's own")
                return false
            }
            return true
        }
        if peers.isEmpty, let first = instance.peers.first {
            findings.add(
                .missing, first.place, "unicast_peer", "no peer is left, and without one it is multicast: name one")
        }
        if peers.count > 16 {
            report(.instance, "unicast_peer", "unicast_peer", peers[16].place)
            peers = Array(peers.prefix(16))
        }
        if !peers.isEmpty {
            section.set("unicast-peers", Toml.array(peers.map { Toml.text($0.address.description) }))
            let networks = instance.addresses.map(\.prefix).filter { $0.length < $0.address.family.width }
            let areNear = networks.contains { network in
                peers.allSatisfy { network.contains($0.address) }
                    && (instance.source.map(network.contains) ?? true)
            }
            // keepalived takes any TTL of a peer without `min_ttl`. Of one on the same link it is 255, and 64 with IPv6.
            let isLimited = !instance.leastTTLs.isEmpty && instance.leastTTLs.count == instance.peers.count
            let least = isLimited ? max(1, instance.leastTTLs.min() ?? 1) : areNear && leg.family == .ipv4 ? 255 : 1
            if least < 255 { section.set("least-hop-limit", String(least)) }
            if let limit = instance.unicastTTL, limit > 0, limit < 255 {
                section.set("unicast-hop-limit", String(limit))
            }
        }
        if let source = instance.source, source.isUnicast { section.set("source", Toml.text(source.description)) }
    }

    // MARK: Groups

    private mutating func lone(_ leg: CompleteInstance, _ section: TomlSection) {
        var section = section
        let name = names.instance(leg.instance.name, leg.instance.place, findings)
        section.comments = comments(of: leg.instance)
        setGroupKeys([leg], tracks: tracks(of: [leg], nil), &section)
        sections.append(section)
        appendNotifies(of: leg.instance, name)
        appendSyncDaemon(of: leg, group: name)
        appendMail(leg.instance.alerts, of: leg.instance.name, group: name)
    }

    private mutating func translate(
        _ group: KeepalivedConfiguration.SyncGroup, _ members: inout [(leg: CompleteInstance, section: TomlSection)],
        _ grouped: inout Set<String>
    ) {
        var chosen: [(leg: CompleteInstance, section: TomlSection)] = []
        for (name, place) in group.members {
            guard let member = members.first(where: { $0.leg.instance.name == name }) else {
                let isKnown = model.instances.contains { $0.name == name }
                findings.add(
                    .difference, place, name,
                    isKnown
                        ? "it is not carried, and so not in the group"
                        : "there is no such instance: it is left out, in keepalived as here")
                continue
            }
            guard !grouped.contains(name) else {
                findings.add(
                    .difference, place, name, "it is in a group already: it is left out, in keepalived as here")
                continue
            }
            grouped.insert(name)
            chosen.append(member)
        }
        guard !chosen.isEmpty else {
            findings.add(
                .difference, group.place, "vrrp_sync_group \(group.name)",
                "it has no member that is carried: it is left out")
            return
        }
        let lone = model.instances.map(\.name).filter { !grouped.contains($0) }
        let name = names.group(group.name, group.place, lone: lone, findings)
        var section = TomlSection(header: "group.\(Toml.key(name))")
        section.set(
            "instances",
            Toml.array(chosen.map { Toml.text(names.instance($0.leg.instance.name, $0.leg.instance.place, findings)) }))
        let legs = agreed(chosen.map(\.leg))
        setGroupKeys(legs, tracks: tracks(of: legs, group), &section)
        section.comments = comments(at: group.place, "vrrp_sync_group \(group.name)")
        sections.append(section)
        for member in chosen {
            var section = member.section
            section.comments = comments(of: member.leg.instance)
            if member.leg.version != legs[0].version { section.set("version", String(member.leg.version)) }
            sections.append(section)
            let instance = member.leg.instance
            appendNotifies(of: instance, names.instance(instance.name, instance.place, findings))
            appendSyncDaemon(of: member.leg, group: name)
            appendMail(instance.alerts, of: instance.name, group: name)
        }
        for notify in group.notifies { append(notify, "vrrp_sync_group \(group.name)", group: name) }
        appendMail(group.alerts, of: group.name, group: name)
    }

    /// Makes the members agree: a group decides once, with one priority and one interval. In version 2 the peers refuse
    /// adverts of another interval.
    private func agreed(_ legs: [CompleteInstance]) -> [CompleteInstance] {
        func say(_ leg: CompleteInstance, _ keyword: String, _ what: String) {
            findings.add(
                .loss, leg.instance.line(keyword), "\(keyword) of \(leg.instance.name)",
                "a group has one \(keyword), and its members differ: \(what); give them one on all routers")
        }
        let priority = legs.map(\.priority).min() ?? 100
        let strict = legs.contains { $0.version == 2 } ? legs.filter { $0.version == 2 } : legs
        let advertNs = strict.map(\.advertNs).min() ?? second
        let downIntervals = legs.map(\.downIntervals).max() ?? 3
        let preempts = legs.allSatisfy(\.preempts)
        let delayNs = legs.map(\.preemptDelayNs).max() ?? 0
        return legs.map { leg in
            if leg.priority != priority { say(leg, "priority", "it is the lowest, \(priority)") }
            if leg.advertNs != advertNs { say(leg, "advert_int", "it is \(Toml.duration(advertNs))") }
            if leg.downIntervals != downIntervals {
                say(leg, "down_timer_adverts", "it is the highest, \(downIntervals)")
            }
            if leg.preempts != preempts { say(leg, "nopreempt", "nobody preempts") }
            if leg.preemptDelayNs != delayNs {
                say(leg, "preempt_delay", "it is the longest, \(Toml.duration(delayNs))")
            }
            var leg = leg
            (leg.priority, leg.advertNs, leg.downIntervals) = (priority, advertNs, downIntervals)
            (leg.preempts, leg.preemptDelayNs) = (preempts, preempts ? delayNs : 0)
            return leg
        }
    }

    /// What holds for all members, from the first of them.
    private func setGroupKeys(_ legs: [CompleteInstance], tracks: [String], _ section: inout TomlSection) {
        let leg = legs[0]
        let instance = leg.instance
        section.set("priority", String(leg.priority))
        section.set("version", String(leg.version))
        if leg.advertNs > Limits.advertNs { report(.instance, "advert_int", "advert_int", instance.line("advert_int")) }
        section.set("advert-interval", Toml.duration(min(leg.advertNs, Limits.advertNs)))
        if leg.downIntervals != 3 { section.set("down-intervals", String(leg.downIntervals)) }
        if model.global.startDelayNs > 0 {
            section.set("start-delay", Toml.duration(min(Limits.hourNs, model.global.startDelayNs)))
        }
        if !leg.preempts { section.set("preempt", "false") }
        if leg.preemptDelayNs > 0 {
            section.set("preempt-delay", Toml.duration(min(leg.preemptDelayNs, Limits.hourNs)))
        }
        if !tracks.isEmpty { section.set("track", Toml.array(tracks)) }
        setAnnouncements(legs, &section)
    }

    /// keepalived sends a burst without a pause, and a second one five seconds later.
    private func setAnnouncements(_ legs: [CompleteInstance], _ section: inout TomlSection) {
        let instance = legs[0].instance
        let garp = instance.garp
        for leg in legs where leg.instance.garp != garp {
            report(.instance, "garp_master_delay", "garp_master_* of \(leg.instance.name)", leg.instance.place)
        }
        if garp.repeats > 50 {
            report(.instance, "garp_master_repeat", "garp_master_repeat", instance.line("garp_master_repeat"))
        }
        if garp.repeats != 5 { section.set("announce-count", String(min(50, garp.repeats))) }
        let intervals = legs.map { leg in
            let own = model.global.intervals[leg.interface]
            return leg.family == .ipv4
                ? own?.garpNs ?? model.global.garpIntervalNs : own?.gnaNs ?? model.global.gnaIntervalNs
        }
        section.set("announce-interval", Toml.duration(min(10 * second, intervals.max() ?? 0)))
        if garp.delayNs != 5 * second {
            section.set("announce-repeat", Toml.duration(min(Limits.hourNs, garp.delayNs)))
        }
        // Unless it says otherwise, keepalived does after an advert of lower priority what it does as a new master.
        let isStrict = instance.isStrict ?? model.global.isStrict
        let lowerCount = isStrict ? 0 : min(50, garp.lowerRepeats ?? model.global.garp.repeats)
        if lowerCount > 0 {
            section.set("announce-lower-count", String(lowerCount))
            let delayNs = min(Limits.hourNs, garp.lowerDelayNs ?? model.global.garp.delayNs)
            if delayNs > 0 { section.set("announce-lower-repeat", Toml.duration(delayNs)) }
        }
        if !garp.answersLower || isStrict { section.set("answer-lower", "false") }
        if garp.answersHigher, !isStrict { section.set("answer-higher", "true") }
        guard garp.refreshNs != 0 else { return }
        section.set("announce-refresh", Toml.duration(min(Limits.hourNs, garp.refreshNs)))
        if garp.refreshRepeats > 50 {
            let keyword = "garp_master_refresh_repeat"
            report(.instance, keyword, keyword, instance.line(keyword))
        }
        if garp.refreshRepeats != 1 { section.set("announce-refresh-count", String(min(50, garp.refreshRepeats))) }
    }

    // MARK: Comments

    private func comments(of instance: KeepalivedConfiguration.Instance) -> [String] {
        comments(
            at: instance.place, "vrrp_instance \(instance.name)",
            Set(instance.places.values).union(instance.entryPlaces))
    }

    /// Where it came from, and what has been lost of it.
    private func comments(at place: SourceLine, _ what: String, _ places: Set<SourceLine> = []) -> [String] {
        let lost = findings.list.filter { ($0.line == place || places.contains($0.line)) && $0.weight >= .loss }
        return ["\(what), line \(place.number)"] + lost.map { "line \($0.line.number), \($0.subject): \($0.text)" }
    }

    // MARK: What is tracked

    /// The objects of a group, each once, with the weights that count.
    private mutating func tracks(of legs: [CompleteInstance], _ group: KeepalivedConfiguration.SyncGroup?) -> [String] {
        var result: [(key: String, object: Object, place: SourceLine)] = []
        let interfaces = Set(legs.filter(\.instance.tracksInterface).map(\.interface))
        let hasOwner = legs.contains(where: \.isOwner)
        var all: [(track: KeepalivedConfiguration.Track, member: CompleteInstance?)] = legs.flatMap { leg in
            leg.instance.tracks.map { ($0, leg) }
        }
        all += group?.tracks.map { ($0, nil) } ?? []
        for (track, member) in all {
            let rule: WeightRule =
                if let member {
                    group != nil && group?.weighsMembers == false ? .ofMember : member.isOwner ? .ofOwner : .counts
                } else {
                    hasOwner ? .ofGroupWithOwner : .counts
                }
            guard let object = object(track, rule) else { continue }
            let key = "\(track.kind.rawValue) \(track.name)"
            if track.kind == .interface, interfaces.contains(track.name) {
                if object.weight != nil || group == nil {
                    findings.add(
                        .difference, track.place, track.name,
                        "an interface of the group's own always counts, without a weight")
                }
                continue
            }
            if let earlier = result.first(where: { $0.key == key }) {
                if element(earlier.object) != element(object) {
                    findings.add(
                        .difference, track.place, track.name,
                        "it is tracked in this group already, with another weight (line \(earlier.place.number)): that one counts"
                    )
                }
                continue
            }
            if member != nil, group != nil, object.weight != nil {
                findings.add(
                    .difference, track.place, track.name, "the weight counts for the group, which has one priority")
            }
            guard result.count < Limits.tracks else {
                report(.instance, "track_script", track.name, track.place)
                continue
            }
            if track.kind == .script {
                guard usedScripts[track.name] != nil || usedScripts.count < Limits.checks else {
                    findings.add(.missing, track.place, track.name, "more than \(Limits.checks) checks")
                    continue
                }
                usedScripts[track.name] = names.check(track.name, track.place, findings)
            }
            // Two of keepalived's objects may ask for one process.
            let isSame = { (other: Object) in other.kind == "process" && other.value == object.value }
            if track.kind == .process, let index = result.firstIndex(where: { isSame($0.object) }) {
                let earlier = result[index]
                if let both = earlier.object.joined(with: object) {
                    result[index].object = both
                } else {
                    findings.add(
                        .loss, track.place, track.name,
                        "\(object.value) is tracked already (line \(earlier.place.number)), and vrrp.toml tracks a process once: that one counts"
                    )
                }
                continue
            }
            result.append((key, object, track.place))
        }
        return result.map { element($0.object) }
    }

    /// Which weights count (`vrrp_complete_instance`, `sync_group_tracking_init`).
    private enum WeightRule {
        case counts
        /// In a sync group that does not weigh its members: interfaces count without, what else has a weight does not.
        case ofMember
        /// Objects with a weight do not count.
        case ofOwner
        /// All counts, without weights.
        case ofGroupWithOwner
    }

    /// What is tracked, in the words of vrrp.toml.
    private struct Object {
        /// `check`, `link`, `process` or `file`.
        var kind: String
        var value: String
        var others: [(key: String, value: String)] = []
        /// nil: a cause of FAULT.
        var weight: Int?
        var isInverted = false

        /// What both do at a time; nil: no one object does that.
        func joined(with other: Object) -> Object? {
            guard kind == other.kind, value == other.value, isInverted == other.isInverted,
                others.elementsEqual(other.others, by: ==)
            else {
                return nil
            }
            var both = self
            switch (weight, other.weight) {
            case (let one?, let two?) where (one < 0) == (two < 0): both.weight = max(-253, min(253, one + two))
            // While the group is in fault its priority is nobody's affair.
            case (nil, let other): if other ?? -1 > 0 { return nil }
            case (let own?, nil) where own < 0: both.weight = nil
            default: return nil
            }
            return both
        }
    }

    /// nil: it does not count, in keepalived or here.
    private func object(_ track: KeepalivedConfiguration.Track, _ rule: WeightRule) -> Object? {
        func missing() -> Object? {
            findings.add(
                .difference, track.place, track.name,
                "there is no such \(track.kind.rawValue): it is ignored, in keepalived as here")
            return nil
        }
        var weight = track.weight ?? 0
        var isReversed = track.isReversed ?? false
        var object: Object
        switch track.kind {
        case .interface:
            guard isInterfaceName(track.name) else { return missing() }
            object = Object(kind: "link", value: track.name)
        case .script:
            guard let script = model.scripts.first(where: { $0.name == track.name }) else { return missing() }
            object = Object(kind: "check", value: names.check(track.name, track.place, findings))
            (weight, isReversed) = (track.weight ?? script.weight, track.isReversed ?? script.isReversed)
            if program(script) == nil { return nil }
        case .process:
            guard let process = model.processes.first(where: { $0.name == track.name }), let path = process.path else {
                return missing()
            }
            guard Keywords.isCarried(.process, "process") else { return nil }
            // By its path, or by its name.
            let value = path.hasPrefix("/") ? path : path.split(separator: "/").last.map(String.init) ?? path
            guard (1...255).contains(value.utf8.count), !value.hasSuffix("/") else { return missing() }
            object = Object(kind: "process", value: value)
            if process.quorum != 1 { object.others.append(("at-least", String(min(1024, process.quorum)))) }
            for (key, delayNs) in [("up-delay", process.upDelayNs), ("down-delay", process.downDelayNs)]
            where delayNs > 0 {
                object.others.append((key, Toml.duration(delayNs)))
            }
            (weight, isReversed) = (track.weight ?? process.weight, track.isReversed ?? process.isReversed)
        case .file:
            guard let file = model.files.first(where: { $0.name == track.name }), let path = file.path else {
                return missing()
            }
            guard Keywords.isCarried(.trackedFile, "file") else { return nil }
            object = Object(kind: "file", value: path)
            (weight, isReversed) = (track.weight ?? file.weight, track.isReversed ?? file.isReversed)
        }
        if weight != 0, rule != .counts {
            // A file's weight is 1 unless it is said.
            let isKept =
                rule == .ofGroupWithOwner || (rule == .ofMember && track.kind == .interface)
                || (track.kind == .file && weight == 1)
            findings.add(
                .difference, track.place, track.name,
                "in a sync group without sync_group_tracking_weight, and with priority 255, there are no weights: "
                    + (isKept ? "it counts without" : "it does not count") + ", in keepalived as here")
            guard isKept else { return nil }
            weight = 0
        }
        if isReversed, Keywords.isCarried(.track, "reverse") {
            // keepalived adds the weight for the same state, with the other sign. A file with a weight is a number.
            weight = -weight
            object.isInverted = track.kind != .file || weight == 0
        }
        object.weight = weight == 0 ? nil : weight
        return object
    }

    private func element(_ object: Object) -> String {
        if object.others.isEmpty, object.weight == nil, !object.isInverted,
            ["check", "link", "process"].contains(object.kind)
        {
            return Toml.text("\(object.kind):\(object.value)")
        }
        return Toml.table(
            [(object.kind, Toml.text(object.value))] + object.others
                + (object.isInverted ? [("inverted", "true")] : [])
                + (object.weight.map { [("weight", String($0))] } ?? []))
    }

    // MARK: Programs

    private mutating func appendChecks() {
        let all = model.instances.flatMap(\.tracks) + model.groups.flatMap(\.tracks)
        let tracked = Set(all.filter { $0.kind == .script }.map(\.name))
        for script in model.scripts {
            guard let name = usedScripts[script.name], let arguments = program(script) else {
                if !tracked.contains(script.name) {
                    findings.add(
                        .difference, script.place, "vrrp_script \(script.name)",
                        "nobody tracks it: it is left out, in keepalived as here")
                }
                continue
            }
            var section = TomlSection(header: "check.\(Toml.key(name))")
            section.comments = comments(at: script.place, "vrrp_script \(script.name)", Set(script.places.values))
            section.set("exec", Toml.array(arguments.map(Toml.text)))
            for (key, value) in [
                ("interval", script.intervalNs), ("timeout", script.timeoutNs ?? script.intervalNs),
            ] {
                let most = min(Limits.hourNs, max(10_000_000, value))
                if most != value, key == "interval" || script.timeoutNs != nil {
                    report(.script, key, "\(key) \(Toml.duration(value))", script.line(key))
                }
                section.set(key, Toml.duration(most))
            }
            for (key, value) in [("rise", script.rise), ("fall", script.fall)] {
                if value > 100 { report(.script, key, "\(key) \(value)", script.line(key)) }
                section.set(key, String(min(100, value)))
            }
            if script.failsAtFirst { section.set("initially", Toml.text("failed")) }
            section.set("user", Toml.text(user(script.account, script.line("user"))))
            sections.append(section)
        }
    }

    private func program(_ script: KeepalivedConfiguration.Script) -> [String]? {
        program(script.arguments ?? [], script.line("script"))
    }

    /// What `exec` runs; nil: vrrp.toml cannot say it.
    private func program(_ arguments: [String], _ place: SourceLine) -> [String]? {
        guard let first = arguments.first, !first.isEmpty else { return nil }
        var result = arguments
        let subject = arguments.joined(separator: " ")
        if first.hasPrefix("<") {
            result = ["/bin/sh", "-c", subject]
        } else if !first.contains("/") {
            findings.add(
                .difference, place, subject,
                "\(first) is looked up in PATH, as in keepalived: name it by its path, so that nobody can put another before it"
            )
            result = ["/usr/bin/env"] + arguments
        } else if !first.hasPrefix("/") {
            findings.add(
                .loss, place, subject, "a path from where keepalived was started: name it by its path from the root")
            return nil
        }
        if !first.hasPrefix("<"), !first.hasSuffix("sh"),
            arguments.contains(where: { ["|", "||", "&&", ";", ">", "<", "2>&1", "&>"].contains($0) })
        {
            findings.add(
                .difference, place, subject,
                "no shell reads it, in keepalived as here: `|`, `>` and the like are arguments; if it never worked that is why, and "
                    + "\"/bin/sh\", \"-c\" before it would help")
        }
        guard result.count <= 64, result.allSatisfy({ $0.utf8.count <= 4096 && !$0.utf8.contains(0) }) else {
            findings.add(
                .loss, place, subject, "vrrp.toml takes 63 arguments of at most 4096 bytes: let a script have them")
            return nil
        }
        return result
    }

    /// As whom keepalived runs programs: its default is `keepalived_script`, or root where there is none.
    private func user(_ account: KeepalivedConfiguration.Account?, _ place: SourceLine) -> String {
        guard let account = account ?? model.global.scriptUser else {
            if surroundings.hasUser("keepalived_script") { return "keepalived_script" }
            if model.global.hasScriptSecurity {
                findings.add(
                    .difference, place, "user",
                    "there is no user keepalived_script on this machine, and with enable_script_security keepalived leaves "
                        + "the program out; here it runs, as root: name a user with script_user")
            }
            return "root"
        }
        // A colon asks for what is always so: the other groups of the user.
        let group = account.group.map { $0.hasPrefix(":") ? String($0.dropFirst()) : $0 } ?? ""
        guard Self.isAccountName(account.user) else {
            findings.add(.loss, place, "user \(account.user)", "no user can have this name: it is root")
            return "root"
        }
        guard !group.isEmpty, group != account.user else { return account.user }
        guard Self.isAccountName(group) else {
            report(.script, "user", "user \(account.user) \(group)", place)
            return account.user
        }
        return "\(account.user):\(group)"
    }

    private static func isAccountName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count) && !name.hasPrefix("-")
            && name.utf8.allSatisfy { $0.isName || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    private mutating func appendFifos() {
        var paths: Set<String> = []
        for fifo in model.global.fifos {
            guard fifo.path.hasPrefix("/"), fifo.path.utf8.count <= 4000 else {
                report(.global, "notify_fifo", "\(fifo.keyword) \(fifo.path)", fifo.place)
                continue
            }
            guard paths.insert(fifo.path).inserted else {
                findings.add(
                    .difference, fifo.place, fifo.keyword,
                    "there is a FIFO of this path already: keepalived writes each line twice, and linkwatch once")
                continue
            }
            var section = TomlSection(header: "notify.\(fifo.keyword)")
            section.comments = ["\(fifo.keyword), line \(fifo.place.number)"]
            section.set("fifo", Toml.text(fifo.path))
            if let reader = fifo.reader, let arguments = program(reader.arguments, reader.place) {
                section.set("exec", Toml.array(arguments.map(Toml.text)))
            }
            section.set("user", Toml.text(user(fifo.reader?.account ?? fifo.account, fifo.place)))
            sections.append(section)
        }
    }

    private mutating func appendNotifies(of instance: KeepalivedConfiguration.Instance, _ name: String) {
        for notify in instance.notifies {
            append(
                notify, "vrrp_instance \(instance.name)", instance: name, isToldOfDeletion: instance.isToldOfDeletion)
        }
    }

    /// One section for each program and what it is told, whoever it is told of.
    private mutating func append(
        _ notify: KeepalivedConfiguration.Notify, _ owner: String, instance: String? = nil, group: String? = nil,
        isToldOfDeletion: Bool = false
    ) {
        guard let program = program(notify.arguments, notify.place) else { return }
        var new = NotifyTranslation(
            keyword: notify.keyword, place: notify.place, program: program, user: user(notify.account, notify.place),
            isToldOfDeletion: isToldOfDeletion)
        let known = notifies.firstIndex { $0.isSameProgram(as: new) }
        if let known { new = notifies[known] }
        new.owners.append("\(owner), line \(notify.place.number)")
        new.instances += instance.map { [$0] } ?? []
        new.groups += group.map { [$0] } ?? []
        if let known { notifies[known] = new } else { notifies.append(new) }
    }

    private mutating func appendMail(
        _ own: KeepalivedConfiguration.Alerts?, of owner: String, group: String
    ) {
        guard let alerts = own ?? model.global.alertsOfVRRP ?? model.global.alerts, alerts.areSent else { return }
        let mail = model.global.mail
        guard mail.isSent else {
            findings.add(
                .difference, alerts.place, "smtp_alert",
                "without notification_email and smtp_server it has no effect, in keepalived as here")
            return
        }
        let name = names.program("\(owner)-mail", alerts.place, findings)
        let user = surroundings.hasUser("nobody") ? "nobody" : "root"
        substitutes.append(mail.section(named: name, owner: owner, user: user, place: alerts.place, group: group))
        report(.global, "smtp_alert", "smtp_alert", alerts.place)
    }

    private mutating func appendSyncDaemon(of leg: CompleteInstance, group: String) {
        guard let daemon = leg.instance.syncDaemon ?? model.global.syncDaemons[leg.instance.name] else { return }
        let name = names.program("\(leg.instance.name)-ipvs", daemon.place, findings)
        substitutes.append(daemon.section(named: name, of: leg, group: group))
        report(.global, "lvs_sync_daemon", "lvs_sync_daemon", daemon.place)
    }

    private mutating func appendProcess() {
        var section = TomlSection(header: "process")
        if let priority = model.global.realtimePriority { section.set("realtime-priority", String(priority)) }
        if model.global.locksMemory { section.set("lock-memory", "true") }
        if !section.keys.isEmpty { sections.append(section) }
    }
}

extension KeepalivedConfiguration.Instance {
    /// The lines of its lists.
    fileprivate var entryPlaces: Set<SourceLine> {
        Set(
            addresses.map(\.place) + excluded.map(\.place) + peers.map(\.place) + tracks.map(\.place)
                + notifies.map(\.place) + routes.map(\.place) + rules.map(\.place))
    }
}
