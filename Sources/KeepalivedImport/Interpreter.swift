/// The third stage: statements to what keepalived would run. keepalived's handlers (vrrp_parser.c, global_parser.c)
/// define what each keyword does and in which order, also for keywords that are given twice.
import Addresses

struct Interpreter {
    private typealias Model = KeepalivedConfiguration

    private var model = KeepalivedConfiguration()
    /// By the keyword of the FIFO.
    private var fifoReaders: [String: KeepalivedConfiguration.Notify] = [:]
    private let findings: Findings

    private init(_ findings: Findings) {
        self.findings = findings
    }

    static func read(_ statements: [Statement], findings: Findings) throws(Refusal) -> KeepalivedConfiguration {
        var interpreter = Interpreter(findings)
        for statement in statements { try interpreter.file(statement) }
        for index in interpreter.model.global.fifos.indices {
            let fifo = interpreter.model.global.fifos[index]
            interpreter.model.global.fifos[index].reader = interpreter.fifoReaders[fifo.keyword]
        }
        return interpreter.model
    }

    // MARK: Findings

    /// Reports a keyword that is not carried over by the table, unless it asks for what is always so.
    private func report(_ statement: Statement) {
        guard statement.keyword.isReportedAlways, !Self.isAsAlways(statement) else { return }
        add(statement.keyword, statement.words.joined(separator: " "), statement.place)
    }

    private static func isAsAlways(_ statement: Statement) -> Bool {
        let value = statement.words.dropFirst().first
        return switch statement.keyword.name {
        case "vrrp_delay_after_boot": value == "0"
        case "virtual_routes", "virtual_rules": statement.entries.isEmpty
        // Each entry is reported by itself.
        case "static_ipaddress", "static_routes", "static_rules": true
        default: false
        }
    }

    private func add(_ keyword: Keyword, _ subject: String, _ place: SourceLine) {
        findings.add(keyword.fate.weight, place, subject, keyword.text)
    }

    /// Reports something that keepalived complains about and then ignores.
    private func ignored(_ statement: Statement, _ why: String) {
        ignored(statement.words.joined(separator: " "), statement.place, why)
    }

    private func ignored(_ subject: String, _ place: SourceLine, _ why: String) {
        findings.add(.difference, place, subject, "\(why): keepalived ignores it, and so does the import")
    }

    // MARK: The outermost level

    private mutating func file(_ statement: Statement) throws(Refusal) {
        report(statement)
        switch statement.keyword.name {
        case "global_defs": for inner in statement.body { try global(inner) }
        case "vrrp_instance": try instance(statement)
        case "vrrp_sync_group": try group(statement)
        case "vrrp_script": try script(statement)
        case "vrrp_track_process": try process(statement)
        case "vrrp_track_file", "track_file": try trackedFile(statement)
        case "garp_group": try garpGroup(statement)
        case "static_ipaddress": model.staticAddresses += statement.entries.compactMap(address)
        case "static_routes": model.staticRoutes += statement.entries
        case "static_rules": model.staticRules += statement.entries
        default: break
        }
    }

    private mutating func global(_ statement: Statement) throws(Refusal) {
        report(statement)
        switch statement.keyword.name {
        case "vrrp_version":
            guard let version = wholeNumber(try statement.argument(), 2...3) else {
                return ignored(statement, "neither 2 nor 3")
            }
            model.global.version = version
        case "vrrp_garp_master_delay":
            model.global.garp.delayNs = try wholeSeconds(statement) ?? model.global.garp.delayNs
        case "vrrp_garp_master_repeat": model.global.garp.repeats = try repeats(statement) ?? model.global.garp.repeats
        case "vrrp_garp_master_refresh":
            model.global.garp.refreshNs = try wholeSeconds(statement) ?? model.global.garp.refreshNs
        case "vrrp_garp_master_refresh_repeat":
            model.global.garp.refreshRepeats = try repeats(statement) ?? model.global.garp.refreshRepeats
        case "vrrp_garp_lower_prio_repeat":
            model.global.garp.lowerRepeats = wholeNumber(try statement.argument(), 0...4_294_967_295)
        case "vrrp_garp_lower_prio_delay": model.global.garp.lowerDelayNs = try wholeSeconds(statement)
        case "vrrp_lower_prio_no_advert":
            model.global.garp.answersLower = !(flag(statement.words.dropFirst().first) ?? true)
        case "vrrp_higher_prio_send_advert":
            model.global.garp.answersHigher = flag(statement.words.dropFirst().first) ?? true
        case "vrrp_garp_interval": model.global.garpIntervalNs = try interval(statement) ?? model.global.garpIntervalNs
        case "vrrp_gna_interval": model.global.gnaIntervalNs = try interval(statement) ?? model.global.gnaIntervalNs
        case "vrrp_min_garp":
            if flag(statement.words.dropFirst().first) ?? true {
                model.global.garp.repeats = 1
                model.global.garp.delayNs = 0
            }
        case "vrrp_mcast_group4": model.global.groups[.ipv4] = try group(statement, .ipv4) ?? model.global.groups[.ipv4]
        case "vrrp_mcast_group6": model.global.groups[.ipv6] = try group(statement, .ipv6) ?? model.global.groups[.ipv6]
        case "vrrp_strict": model.global.isStrict = flag(statement.words.dropFirst().first) ?? model.global.isStrict
        case "v3_checksum_as_v2":
            model.global.checksumIsAsInV2 = flag(statement.words.dropFirst().first) ?? model.global.checksumIsAsInV2
        case "smtp_alert": model.global.alerts = alerts(statement)
        case "smtp_alert_vrrp": model.global.alertsOfVRRP = alerts(statement)
        case "notification_email": model.global.mail.recipients += statement.entries.flatMap(\.words)
        case "notification_email_from": model.global.mail.sender = try statement.argument()
        case "smtp_server": model.global.mail.server = Mail.server(statement.words.dropFirst())
        case "router_id": model.global.mail.router = try statement.argument()
        case "lvs_sync_daemon":
            guard statement.words.count > 2 else { return ignored(statement, "it has no interface and instance") }
            model.global.syncDaemons[statement.words[2]] = SyncDaemon(
                interface: statement.words[1], words: statement.words[3...], place: statement.place)
        case "enable_script_security": model.global.hasScriptSecurity = flag(statement.words.dropFirst().first) ?? true
        case "script_user": model.global.scriptUser = try account(statement, from: 1)
        case "default_interface": model.global.defaultInterface = try statement.argument()
        case "vrrp_rt_priority": model.global.realtimePriority = wholeNumber(try statement.argument(), 1...99)
        case "notify_fifo", "vrrp_notify_fifo":
            guard !model.global.fifos.contains(where: { $0.keyword == statement.keyword.name }) else {
                return ignored(statement, "there is one already")
            }
            model.global.fifos.append(
                Model.Fifo(
                    keyword: statement.keyword.name, path: try statement.argument(),
                    account: statement.words.count > 2 ? try account(statement, from: 2) : nil, place: statement.place))
        case "notify_fifo_script", "vrrp_notify_fifo_script":
            let keyword = String(statement.keyword.name.dropLast("_script".count))
            guard let reader = try notify(statement) else { return }
            fifoReaders[keyword] = fifoReaders[keyword] ?? reader
        case "vrrp_no_swap": model.global.locksMemory = true
        case "vrrp_down_timer_adverts":
            model.global.downIntervals = try downIntervals(statement) ?? model.global.downIntervals
        case "vrrp_startup_delay": model.global.startDelayNs = try interval(statement) ?? model.global.startDelayNs
        case "vmac_prefix": model.global.macvlanPrefix = try statement.argument()
        default: break
        }
    }

    private mutating func garpGroup(_ statement: Statement) throws(Refusal) {
        var intervals: (garpNs: Int64?, gnaNs: Int64?) = (nil, nil)
        var interfaces: [String] = []
        for inner in statement.body {
            switch inner.keyword.name {
            case "garp_interval": intervals.garpNs = try interval(inner)
            case "gna_interval": intervals.gnaNs = try interval(inner)
            case "interface": interfaces.append(try inner.argument())
            default: interfaces += inner.entries.flatMap(\.words)
            }
        }
        for interface in interfaces { model.global.intervals[interface] = intervals }
    }

    // MARK: Values

    private func wholeSeconds(_ statement: Statement) throws(Refusal) -> Int64? {
        guard let number = wholeNumber(try statement.argument(), 0...4294) else {
            ignored(statement, "not a number of seconds")
            return nil
        }
        return Int64(number) * second
    }

    private func downIntervals(_ statement: Statement) throws(Refusal) -> Int? {
        guard let number = wholeNumber(try statement.argument(), 1...100) else {
            ignored(statement, "not from 1 to 100")
            return nil
        }
        return number
    }

    private func interval(_ statement: Statement) throws(Refusal) -> Int64? {
        guard let interval = seconds(try statement.argument(), digits: 6, 0...4294 * second) else {
            ignored(statement, "not a number of seconds")
            return nil
        }
        return interval
    }

    /// A multicast group; nil: keepalived ignores it. A family: the one that it has to have.
    private func group(_ statement: Statement, _ family: IPAddress.Family?) throws(Refusal) -> IPAddress? {
        guard let group = IPAddress(try statement.argument()), group.isMulticast, group.family == family ?? group.family
        else {
            ignored(statement, "not a multicast address" + (family.map { " of \($0.title)" } ?? ""))
            return nil
        }
        return group
    }

    private func repeats(_ statement: Statement) throws(Refusal) -> Int? {
        guard let number = wholeNumber(try statement.argument(), 0...4_294_967_295) else {
            ignored(statement, "not a number")
            return nil
        }
        return max(1, number)
    }

    private func account(_ statement: Statement, from index: Int) throws(Refusal) -> KeepalivedConfiguration.Account {
        Model.Account(
            user: try statement.argument(index),
            group: statement.words.count > index + 1 ? statement.words[index + 1] : nil)
    }

    /// A script or a notify program: the line is read by the shell's rules, and its second word once more; what follows is a user
    /// and a group. nil: nothing to run.
    private func program(_ statement: Statement) throws(Refusal) -> (
        arguments: [String], account: KeepalivedConfiguration.Account?
    )? {
        _ = try statement.argument()
        guard let words = quotedWords(statement.line, decodes: false), words.count > 1 else {
            ignored(statement, "its quotes do not match")
            return nil
        }
        guard let arguments = quotedWords(words[1], decodes: true), !arguments.isEmpty else {
            ignored(statement, "nothing to run")
            return nil
        }
        let account =
            words.count > 2
            ? Model.Account(user: words[2].text, group: words.count > 3 ? words[3].text : nil) : nil
        return (arguments.map(\.text), account)
    }

    private func alerts(_ statement: Statement) -> KeepalivedConfiguration.Alerts {
        Model.Alerts(areSent: flag(statement.words.dropFirst().first) ?? true, place: statement.place)
    }

    private func notify(_ statement: Statement) throws(Refusal) -> KeepalivedConfiguration.Notify? {
        guard let program = try program(statement) else { return nil }
        return Model.Notify(
            keyword: statement.keyword.name, arguments: program.arguments, account: program.account,
            place: statement.place)
    }

    private func tracks(_ statement: Statement, _ kind: KeepalivedConfiguration.Track.Kind) -> [KeepalivedConfiguration
        .Track]
    {
        statement.entries.compactMap { entry in
            var track = Model.Track(kind: kind, name: entry.words[0], place: entry.place)
            guard entry.words.count > 1 else { return track }
            let subject = entry.words.joined(separator: " ")
            guard entry.words[1] == "weight", entry.words.count > 2 else {
                ignored(subject, entry.place, "only weight may stand behind the name, and a number behind that")
                return nil
            }
            if let weight = wholeNumber(entry.words[2], -254...254) {
                track.weight = min(253, max(-253, weight))
            } else {
                ignored("weight \(entry.words[2])", entry.place, "not a weight from -253 to 253")
                if kind == .interface { track.weight = 0 }
            }
            if entry.words.count > 3 {
                switch entry.words[3] {
                case "reverse": track.isReversed = true
                case "noreverse": track.isReversed = false
                default: ignored(subject, entry.place, "unknown option \(entry.words[3])")
                }
            }
            return track
        }
    }

    /// The words behind `use_vmac` (`vrrp_vmac_handler`).
    private func macvlan(_ words: ArraySlice<String>, _ instance: inout KeepalivedConfiguration.Instance) {
        var words = words
        while let word = words.popFirst() {
            if word.contains(":") {
                instance.tunesVirtualMAC = true
            } else if word == "group" {
                _ = words.popFirst()
                instance.tunesVirtualMAC = true
            } else if word != "netlink_notify_msg" {
                let name = word == "name" ? words.popFirst() : word
                if let name, isInterfaceName(name), !model.instances.contains(where: { $0.virtualMACName == name }) {
                    instance.virtualMACName = instance.virtualMACName ?? name
                }
            }
        }
    }

    // MARK: Instances

    private mutating func instance(_ statement: Statement) throws(Refusal) {
        guard statement.words.count == 2 else { return ignored(statement, "an instance has one name") }
        let name = statement.words[1]
        guard !model.instances.contains(where: { $0.name == name }) else {
            return ignored(statement, "there is an instance of this name")
        }
        var instance = Model.Instance(
            name: name, place: statement.place, checksumIsAsInV2: model.global.checksumIsAsInV2, garp: model.global.garp
        )
        for inner in statement.body {
            instance.places[inner.keyword.name] = inner.place
            try keyword(inner, &instance)
        }
        model.instances.append(instance)
    }

    private func keyword(_ statement: Statement, _ instance: inout KeepalivedConfiguration.Instance) throws(Refusal) {
        let option = statement.words.dropFirst().first
        // Of these the translation knows whether they matter.
        if statement.keyword.name != "virtual_ipaddress_excluded" { report(statement) }
        switch statement.keyword.name {
        case "state":
            let state = try statement.argument()
            if state != "MASTER", state != "BACKUP" { ignored(statement, "neither MASTER nor BACKUP") }
            // A second BACKUP behind a MASTER does not count.
            if state == "MASTER" || instance.isMaster != true { instance.isMaster = state == "MASTER" }
        case "interface":
            let name = try statement.argument()
            guard name.utf8.count < 16 else { return ignored(statement, "a name of more than 15 bytes") }
            instance.interface = name
        case "smtp_alert": instance.alerts = alerts(statement)
        case "lvs_sync_daemon_interface":
            instance.syncDaemon = SyncDaemon(interface: try statement.argument(), place: statement.place)
        case "virtual_router_id":
            guard let vrid = wholeNumber(try statement.argument(), 1...255) else {
                return ignored(statement, "not from 1 to 255")
            }
            instance.vrid = vrid
        case "priority":
            instance.priority = wholeNumber(try statement.argument(), 1...255)
            if instance.priority == nil {
                findings.add(
                    .difference, statement.place, statement.words.joined(separator: " "),
                    "not from 1 to 255: keepalived takes 100, and so does the import")
                instance.priority = 100
            }
        case "advert_int":
            guard let interval = seconds(try statement.argument(), digits: 6, 10_000_000...255 * second) else {
                return ignored(statement, "not from 0.01 to 255 seconds")
            }
            instance.advertNs = interval
        case "version":
            guard let version = wholeNumber(try statement.argument(), 2...3) else {
                return ignored(statement, "neither 2 nor 3")
            }
            if (instance.version ?? version) != version || (version == 2 && instance.family == .ipv6) {
                return ignored(statement, "it contradicts what was said before")
            }
            instance.version = version
        case "native_ipv6":
            guard instance.family != .ipv4 else { return ignored(statement, "the instance has IPv4 addresses") }
            instance.family = .ipv6
            instance.version = 3
        case "virtual_ipaddress": addresses(statement, &instance, areExcluded: false)
        case "virtual_ipaddress_excluded": addresses(statement, &instance, areExcluded: true)
        case "no_virtual_ipaddress": instance.allowsNoAddress = true
        case "virtual_routes": instance.routes += statement.entries
        case "virtual_rules": instance.rules += statement.entries
        case "unicast_peer":
            instance.isUnicastConfigured = true
            for entry in statement.entries { peer(entry, &instance) }
        case "unicast_src_ip", "mcast_src_ip":
            if statement.keyword.name == "unicast_src_ip" { instance.isUnicastConfigured = true }
            guard let address = IPAddress(try statement.argument()) else { return ignored(statement, "not an address") }
            guard (instance.family ?? address.family) == address.family else {
                return ignored(statement, "not an address of the instance's family")
            }
            instance.family = address.family
            instance.source = address
            instance.places["source"] = statement.place
        case "mcast_dst_ip":
            guard let group = try group(statement, instance.family) else { return }
            instance.family = group.family
            instance.multicastGroup = group
        case "check_unicast_src", "unicast_fault_no_peer", "old_unicast_checksum": instance.isUnicastConfigured = true
        case "v3_checksum_as_v2": instance.checksumIsAsInV2 = flag(option) ?? instance.checksumIsAsInV2
        case "nopreempt": instance.preempts = false
        case "preempt": instance.preempts = true
        case "preempt_delay":
            guard let delay = seconds(try statement.argument(), digits: 6, 0...1000 * second) else {
                return ignored(statement, "not from 0 to 1000 seconds")
            }
            instance.preemptDelayNs = delay
        case "authentication": try authentication(statement, &instance)
        case "auth_hmac": instance.hmac = try hmac(statement, instance.hmac ?? Model.HMAC())
        case "unicast_ttl":
            instance.unicastTTL = wholeNumber(try statement.argument(), 0...255)
            if instance.unicastTTL == nil { ignored(statement, "not from 0 to 255") }
        case "use_vmac":
            instance.hasVirtualMAC = true
            macvlan(statement.words.dropFirst(), &instance)
        case "track_interface": add(tracks(statement, .interface), to: &instance.tracks)
        case "track_script": add(tracks(statement, .script), to: &instance.tracks)
        case "track_process": add(tracks(statement, .process), to: &instance.tracks)
        case "track_file": add(tracks(statement, .file), to: &instance.tracks)
        case "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_master_rx_lower_pri", "notify":
            add(try notify(statement), to: &instance.notifies)
        case "notify_deleted":
            instance.isToldOfDeletion = true
            if statement.words.count > 1 { add(try notify(statement), to: &instance.notifies) }
        case "down_timer_adverts": instance.downIntervals = try downIntervals(statement)
        case "dont_track_primary": instance.tracksInterface = false
        case "accept": instance.accepts = true
        case "no_accept": instance.accepts = false
        case "strict_mode": instance.isStrict = flag(option) ?? instance.isStrict
        case "garp_master_delay": instance.garp.delayNs = try wholeSeconds(statement) ?? instance.garp.delayNs
        case "garp_master_repeat": instance.garp.repeats = try repeats(statement) ?? instance.garp.repeats
        case "garp_master_refresh": instance.garp.refreshNs = try wholeSeconds(statement) ?? instance.garp.refreshNs
        case "garp_master_refresh_repeat":
            instance.garp.refreshRepeats = try repeats(statement) ?? instance.garp.refreshRepeats
        case "garp_lower_prio_repeat":
            instance.garp.lowerRepeats = wholeNumber(try statement.argument(), 0...4_294_967_295)
        case "garp_lower_prio_delay": instance.garp.lowerDelayNs = try wholeSeconds(statement)
        case "lower_prio_no_advert": instance.garp.answersLower = !(flag(option) ?? true)
        case "higher_prio_send_advert": instance.garp.answersHigher = flag(option) ?? true
        default: break
        }
    }

    private func authentication(
        _ statement: Statement, _ instance: inout KeepalivedConfiguration.Instance
    ) throws(Refusal) {
        for inner in statement.body {
            instance.places[inner.keyword.name] = inner.place
            let word = try inner.argument()
            switch inner.keyword.name {
            case "auth_type" where word == "AH" || word == "PASS": instance.auth = (word, inner.place)
            case "auth_type": ignored(inner, "neither PASS nor AH")
            default: instance.password = word
            }
        }
    }

    private func hmac(
        _ statement: Statement, _ earlier: KeepalivedConfiguration.HMAC
    ) throws(Refusal) -> KeepalivedConfiguration.HMAC {
        var hmac = earlier
        for inner in statement.body {
            let word = try inner.argument()
            switch inner.keyword.name {
            case "key":
                guard let id = wholeNumber(word, 1...255) else {
                    ignored("key", inner.place, "its number is not from 1 to 255")
                    continue
                }
                guard !hmac.keys.contains(where: { $0.id == id }) else {
                    ignored("key \(id)", inner.place, "there is a key of this number")
                    continue
                }
                hmac.keys.append((id, try inner.argument(2), inner.place))
            case "active_key": hmac.activeKey = wholeNumber(word, 1...255) ?? hmac.activeKey
            case "time_window":
                hmac.windowSeconds = wholeNumber(word, 1...300)
                if hmac.windowSeconds == nil { ignored(inner, "not from 1 to 300 seconds") }
            case "anti_replay" where word == "time" || word == "monotonic": hmac.isMonotonic = word == "monotonic"
            case "mode" where ["enforce", "permissive", "receive-only"].contains(word): hmac.mode = word
            default: ignored(inner, "keepalived knows no such value")
            }
        }
        return hmac
    }

    private func peer(_ entry: Statement.Entry, _ instance: inout KeepalivedConfiguration.Instance) {
        let subject = entry.words.joined(separator: " ")
        guard let address = IPAddress(entry.words[0]) else { return ignored(subject, entry.place, "not an address") }
        guard (instance.family ?? address.family) == address.family else {
            return ignored(subject, entry.place, "not an address of the instance's family")
        }
        instance.family = address.family
        var index = 1
        while index < entry.words.count {
            guard let keyword = Keywords.find(.peer, entry.words[index]) else {
                ignored(entry.words[index], entry.place, "each peer has a line of its own, so this is none")
                break
            }
            if keyword.isReportedAlways { add(keyword, subject, entry.place) }
            let value = index + 1 < entry.words.count ? wholeNumber(entry.words[index + 1], 0...255) : nil
            if keyword.name == "min_ttl", let value { instance.leastTTLs.append(value) }
            index += 2
        }
        guard !instance.peers.contains(where: { $0.address == address }) else {
            return ignored(subject, entry.place, "the peer is there already")
        }
        instance.peers.append((address, entry.place))
    }

    /// An object that is tracked already is not added again.
    private func add(_ new: [KeepalivedConfiguration.Track], to tracks: inout [KeepalivedConfiguration.Track]) {
        for track in new {
            guard !tracks.contains(where: { $0.kind == track.kind && $0.name == track.name }) else {
                ignored(track.name, track.place, "it is tracked already")
                continue
            }
            tracks.append(track)
        }
    }

    /// The first program of a kind counts.
    private func add(_ notify: KeepalivedConfiguration.Notify?, to notifies: inout [KeepalivedConfiguration.Notify]) {
        guard let notify else { return }
        guard !notifies.contains(where: { $0.keyword == notify.keyword }) else {
            return ignored(notify.keyword, notify.place, "there is one already")
        }
        notifies.append(notify)
    }

    // MARK: Addresses

    private func addresses(
        _ statement: Statement, _ instance: inout KeepalivedConfiguration.Instance, areExcluded: Bool
    ) {
        for entry in statement.entries {
            guard let address = address(entry) else { continue }
            let subject = entry.words.joined(separator: " ")
            if !areExcluded {
                guard (instance.family ?? address.prefix.address.family) == address.prefix.address.family else {
                    ignored(
                        subject, entry.place,
                        "not an address of the instance's family, and so not for virtual_ipaddress")
                    continue
                }
                instance.family = address.prefix.address.family
            }
            let known = instance.addresses + instance.excluded
            guard !known.contains(where: { $0.prefix == address.prefix && $0.interface == address.interface }) else {
                findings.add(
                    .difference, entry.place, subject,
                    "the address is there already; keepalived advertises it twice, and complains of a peer that does not: "
                        + "take it out on all routers")
                continue
            }
            if areExcluded { instance.excluded.append(address) } else { instance.addresses.append(address) }
        }
    }

    /// One address with its attributes (`alloc_ipaddress`); nil: keepalived leaves it out.
    private func address(_ entry: Statement.Entry) -> KeepalivedConfiguration.Address? {
        let subject = entry.words.joined(separator: " ")
        let parts = entry.words[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        guard let address = IPAddress(parts[0]) else {
            ignored(subject, entry.place, "not an address")
            return nil
        }
        let width = address.family.width
        let length = parts.count > 1 ? wholeNumber(parts[1], 0...width) : width
        if length == nil { ignored("/\(parts[1])", entry.place, "not a prefix length, \(width) it is") }
        guard let prefix = IPPrefix(address, length: length ?? width) else { return nil }
        var result = Model.Address(prefix: prefix, place: entry.place)
        var index = 1
        while index < entry.words.count {
            let word = entry.words[index]
            index += 1
            if ["dev", "scope", "brd", "broadcast", "label", "peer", "preferred_lft"].contains(word) {
                guard index < entry.words.count else {
                    ignored(subject, entry.place, "nothing stands behind \(word)")
                    return nil
                }
                let value = entry.words[index]
                index += 1
                switch word {
                case "dev": result.interface = value
                case "scope": result.scope = value
                case "label": result.label = value
                case "brd", "broadcast": result.broadcast = value
                default: result.others.append(word)
                }
            } else if word == "noprefixroute" {
                result.hasNoPrefixRoute = true
            } else if Keywords.find(.address, word) != nil {
                result.others.append(word)
            } else {
                ignored(word, entry.place, "keepalived knows no such word for an address")
            }
        }
        if let label = result.label, label.utf8.count > 15 {
            ignored(subject, entry.place, "a label of more than 15 bytes")
            return nil
        }
        if prefix.address.isIPv6 {
            if result.broadcast != nil {
                ignored(subject, entry.place, "IPv6 has no broadcast")
                return nil
            }
            result.label = nil
            result.scope = nil
            // These bring no route to their prefix anyway.
            result.hasNoPrefixRoute = false
        }
        return result
    }

    // MARK: Sync groups

    private mutating func group(_ statement: Statement) throws(Refusal) {
        guard statement.words.count == 2 else { return ignored(statement, "a sync group has one name") }
        guard !model.groups.contains(where: { $0.name == statement.words[1] }) else {
            return ignored(statement, "there is a sync group of this name")
        }
        var group = Model.SyncGroup(name: statement.words[1], place: statement.place)
        for inner in statement.body {
            report(inner)
            switch inner.keyword.name {
            case "group":
                guard !group.hasMembers else {
                    ignored(inner, "the group has its members already")
                    continue
                }
                group.hasMembers = true
                group.members = inner.entries.flatMap { entry in entry.words.map { ($0, entry.place) } }
            case "track_interface": add(tracks(inner, .interface), to: &group.tracks)
            case "track_script": add(tracks(inner, .script), to: &group.tracks)
            case "track_process": add(tracks(inner, .process), to: &group.tracks)
            case "track_file": add(tracks(inner, .file), to: &group.tracks)
            case "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify":
                add(try notify(inner), to: &group.notifies)
            case "smtp_alert": group.alerts = alerts(inner)
            case "global_tracking", "sync_group_tracking_weight": group.weighsMembers = true
            default: break
            }
        }
        guard !group.members.isEmpty else { return ignored(statement, "the group has no member") }
        model.groups.append(group)
    }

    // MARK: What is tracked

    private mutating func script(_ statement: Statement) throws(Refusal) {
        var script = Model.Script(name: try statement.argument(), place: statement.place)
        for inner in statement.body {
            script.places[inner.keyword.name] = inner.place
            report(inner)
            switch inner.keyword.name {
            case "script": script.arguments = try program(inner)?.arguments ?? script.arguments
            case "interval": script.intervalNs = try period(inner) ?? script.intervalNs
            case "timeout": script.timeoutNs = try period(inner) ?? script.timeoutNs
            case "weight":
                let weight = wholeNumber(try inner.argument(), -254...254)
                if weight == nil { ignored(inner, "not a weight from -253 to 253") }
                script.weight = min(253, max(-253, weight ?? 0))
                script.isReversed = inner.words.count > 2 && inner.words[2] == "reverse"
            case "rise": script.rise = try count(inner)
            case "fall": script.fall = try count(inner)
            case "user": script.account = try account(inner, from: 1)
            case "init_fail": script.failsAtFirst = true
            default: break
            }
        }
        guard script.arguments != nil else { return ignored(statement, "the script runs nothing") }
        // Of two of a name, the first is the one that is found.
        guard !model.scripts.contains(where: { $0.name == script.name }) else {
            return ignored(statement, "there is a script of this name")
        }
        model.scripts.append(script)
    }

    /// An interval or a timeout: milliseconds count, and 0 is 1 s.
    private func period(_ statement: Statement) throws(Refusal) -> Int64? {
        guard let period = seconds(try statement.argument(), digits: 3, 0...4_294 * second) else {
            ignored(statement, "not a number of seconds")
            return nil
        }
        return period == 0 ? second : period
    }

    private func delay(_ statement: Statement) throws(Refusal) -> Int64? {
        let delayNs = seconds(try statement.argument(), digits: 6, 0...3_600 * second)
        if delayNs == nil { ignored(statement, "not a number of seconds up to 3600") }
        return delayNs
    }

    private func count(_ statement: Statement) throws(Refusal) -> Int {
        guard let count = wholeNumber(try statement.argument(), 1...2_147_483_647) else {
            findings.add(
                .difference, statement.place, statement.words.joined(separator: " "),
                "not a number above 0: keepalived takes 1, and so does the import")
            return 1
        }
        return count
    }

    private mutating func process(_ statement: Statement) throws(Refusal) {
        var process = Model.TrackedProcess(name: try statement.argument(), place: statement.place)
        for inner in statement.body {
            report(inner)
            switch inner.keyword.name {
            case "process":
                process.path = try inner.argument()
                if inner.words.count > 2, let keyword = Keywords.find(.process, "param_match") {
                    add(keyword, inner.words.joined(separator: " "), inner.place)
                }
            case "weight":
                process.weight = wholeNumber(try inner.argument(), -254...254).map { min(253, max(-253, $0)) } ?? 0
                process.isReversed = inner.words.count > 2 && inner.words[2] == "reverse"
            case "delay":
                if let delayNs = try delay(inner) { (process.upDelayNs, process.downDelayNs) = (delayNs, delayNs) }
            case "fork_delay": process.upDelayNs = try delay(inner) ?? process.upDelayNs
            case "terminate_delay": process.downDelayNs = try delay(inner) ?? process.downDelayNs
            case "quorum": process.quorum = wholeNumber(try inner.argument(), 1...65535) ?? 1
            default: break
            }
        }
        guard process.path != nil else { return ignored(statement, "no process is named") }
        model.processes.append(process)
    }

    private mutating func trackedFile(_ statement: Statement) throws(Refusal) {
        var file = Model.TrackedFile(name: try statement.argument(), place: statement.place)
        for inner in statement.body {
            report(inner)
            switch inner.keyword.name {
            case "file": file.path = try inner.argument()
            case "weight":
                file.weight = wholeNumber(try inner.argument(), -254...254) ?? 1
                file.isReversed = inner.words.count > 2 && inner.words[2] == "reverse"
            case "init_file":
                // keepalived writes 0 unless a number is given.
                if inner.words.dropFirst().contains(where: { wholeNumber($0, -254...254) ?? 0 != 0 }) {
                    add(inner.keyword, inner.words.joined(separator: " "), inner.place)
                }
            default: break
            }
        }
        guard file.path != nil else { return ignored(statement, "no file is named") }
        model.files.append(file)
    }
}
