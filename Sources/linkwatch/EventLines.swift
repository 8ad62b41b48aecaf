/// What `watch` prints: a line an event, that says what changed and not what was known.
///
/// An event carries the whole interface. This keeps the last one of each, so that the line can say `mii up -> down` and
/// leave the rest out.
import LinuxSystem
import Monitor

struct EventLines {
    private let palette: Palette
    private var known: [Int: InterfaceRecord] = [:]
    /// How many came since the snapshot began.
    private var interfaces = 0
    private var routes = 0
    private var isDegraded = false

    init(palette: Palette) { self.palette = palette }

    /// The line for an event; nil: it is none of the reader's business.
    mutating func line(for event: EventRecord) -> String? {
        if let interface = event.interface { return line(for: event, interface) }
        if let route = event.route { return line(for: event, route) }
        switch event.kind {
        case "synced":
            defer { (interfaces, routes) = (0, 0) }
            if isDegraded {
                isDegraded = false
                return remark(event, "synced: the kernel's tables are complete again")
            }
            return remark(event, "synced: \(count(interfaces, "interface")), \(count(routes, "route"))")
        case "degraded":
            isDegraded = true
            return remark(event, "degraded: \(event.cause)")
        case "resync": return remark(event, "resync: the kernel's messages overran, its state is read again")
        case "overflow":
            known.removeAll()
            return remark(event, "overflow: this reader was too slow, a new snapshot follows")
        case "heartbeat": return nil
        default: return remark(event, event.kind.rawValue)
        }
    }

    private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    // MARK: Interfaces

    private mutating func line(for event: EventRecord, _ interface: InterfaceRecord) -> String {
        let before = known[interface.ifindex]
        known[interface.ifindex] = event.kind == "removed" ? nil : interface
        if event.kind == "snapshot" { interfaces += 1 }
        let isGone = event.kind == "removed"
        let state = isGone ? "gone" : interface.stateWords
        return compose(
            event, interface.ifname, state, isGone ? .bad : interface.stateStyle,
            words(for: event, interface, before: before))
    }

    private func words(for event: EventRecord, _ interface: InterfaceRecord, before: InterfaceRecord?) -> String {
        switch event.kind {
        case "snapshot": return Self.summary(interface)
        case "added": return (["added"] + [Self.summary(interface)].filter { !$0.isEmpty }).joined(separator: ", ")
        case "removed": return "removed"
        case "renamed":
            return before.map { $0.ifname != interface.ifname ? "was \($0.ifname)" : "renamed" } ?? "renamed"
        case "flap":
            let drops = interface.flaps &- (before?.flaps ?? interface.flaps)
            return drops > 1 ? "blinked \(drops) times" : "blinked"
        default:
            guard let before else { return Self.summary(interface) }
            let changes = changes(from: before, to: interface)
            if !changes.isEmpty { return changes.joined(separator: ", ") }
            // The state itself stands in its column.
            guard before.stateWords == interface.stateWords else { return Self.becauseOfTime(before, interface) }
            return "details (\(event.cause))"
        }
    }

    /// What no evidence says: a hold, or a suppression, began or is over.
    private static func becauseOfTime(_ old: InterfaceRecord, _ new: InterfaceRecord) -> String {
        if let why = new.why { return why }
        return old.why == "dampened" ? "no longer dampened" : old.why == "hold" ? "held long enough" : ""
    }

    /// What is worth saying of an interface that is new to the reader: what is not simply up.
    private static func summary(_ interface: InterfaceRecord) -> String {
        var words = [because(interface)]
        for source in interface.sources where source != interface.reason {
            words.append(interface.word(of: source).flatMap { $0.text == "up" ? nil : "\(source) \($0.text)" })
        }
        words.append(["up", "unknown"].contains(interface.operstate) ? nil : "operstate \(interface.operstate)")
        words.append(interface.speedWords)
        return (words.compactMap { $0 } + interface.notes).joined(separator: ", ")
    }

    /// What differs, each as `name old -> new`.
    private func changes(from old: InterfaceRecord, to new: InterfaceRecord) -> [String] {
        func change(_ name: String, _ old: String?, _ new: String?) -> String? {
            old == new ? nil : "\(name) \(old ?? "-") -> \(new ?? "-")"
        }
        var changes = new.sources.map { change($0, old.word(of: $0)?.text, new.word(of: $0)?.text) }
        changes.append(change("operstate", old.operstate, new.operstate))
        let isSaid = new.reason.map { old.evidence[$0]?.state != new.evidence[$0]?.state } ?? false
        if new.why != old.why, !isSaid { changes.append(Self.because(new)) }
        // A link that is down has no speed: that is not worth a remark.
        if let speed = new.speedWords, speed != old.speedWords {
            changes.append(old.speedWords.map { "speed \($0) -> \(speed)" } ?? speed)
        }
        changes.append(change("mtu", "\(old.mtu)", "\(new.mtu)"))
        changes.append(change("address", old.address, new.address))
        changes.append(change("master", old.master.map(name), new.master.map(name)))
        changes += new.notes.filter { !old.notes.contains($0) }
        changes += old.notes.filter { !new.notes.contains($0) }.map { "no longer \($0)" }
        let said = changes.compactMap { $0 }
        return said.isEmpty ? flagChanges(from: old, to: new) : said
    }

    /// The kernel's flags, which come and go with what is said already: `+DORMANT`, `-RUNNING`.
    private func flagChanges(from old: InterfaceRecord, to new: InterfaceRecord) -> [String] {
        new.flags.filter { !old.flags.contains($0) }.map { "+\($0)" }
            + old.flags.filter { !new.flags.contains($0) }.map { "-\($0)" }
    }

    /// An interface's name, as far as it has been seen.
    private func name(_ ifindex: Int) -> String { known[ifindex]?.ifname ?? "#\(ifindex)" }

    /// Who says down, or what holds the state back; nil: it is up, or a condition says it.
    private static func because(_ interface: InterfaceRecord) -> String? {
        if let reason = interface.reason { return "by \(reason)" }
        return interface.why.flatMap { interface.conditions.contains($0) ? nil : $0 }
    }

    // MARK: Routes and remarks

    private mutating func line(for event: EventRecord, _ route: RouteRecord) -> String {
        if event.kind == "snapshot" { routes += 1 }
        var words = ["route \(route.destinationWords)"]
        words += route.gateways.map { "via \($0)" }
        let devices = route.ifindexes.map(name)
        if !devices.isEmpty { words.append("dev " + devices.joined(separator: ",")) }
        if route.metric != 0 { words.append("metric \(route.metric)") }
        if route.inferred { words.append("(inferred)") }
        return compose(
            event, "-", route.present ? "present" : "gone", route.present ? .good : .bad, words.joined(separator: " "))
    }

    private func remark(_ event: EventRecord, _ words: String) -> String {
        palette.paint("\(WallClock.timeOfDay(usec: event.realtimeUsec))  --- \(words)", .faint)
    }

    private func compose(_ event: EventRecord, _ name: String, _ state: String, _ style: Style, _ words: String)
        -> String
    {
        let time = palette.paint(WallClock.timeOfDay(usec: event.realtimeUsec), .faint)
        let paintedState = palette.paint(state, style) + String(repeating: " ", count: max(0, 9 - state.columns))
        let line = "\(time)  \(name.printable.padded(9))  "
        return words.isEmpty ? line + palette.paint(state, style) : line + paintedState + "  " + words.printable
    }
}
