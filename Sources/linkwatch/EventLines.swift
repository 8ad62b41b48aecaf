/// What `watch` prints: a line an event, that says what changed and not what was known.
///
/// An event carries the whole interface. This keeps the last one of each, so that the line can say `mii up -> down` and
/// leave the rest out.
import Monitor

struct EventLines {
    private let palette: Palette
    private var known: [Int: InterfaceRecord] = [:]
    /// How many came since the snapshot began.
    private var interfaces = 0
    private var routes = 0

    init(palette: Palette) { self.palette = palette }

    /// The line for an event; nil: it is none of the reader's business.
    mutating func line(for event: EventRecord) -> String? {
        if let interface = event.interface { return line(for: event, interface) }
        if let route = event.route { return line(for: event, route) }
        switch event.kind {
        case "synced":
            defer { (interfaces, routes) = (0, 0) }
            return remark(event, "synced: \(count(interfaces, "interface")), \(count(routes, "route"))")
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
            Self.words(for: event, interface, before: before))
    }

    private static func words(for event: EventRecord, _ interface: InterfaceRecord, before: InterfaceRecord?) -> String
    {
        switch event.kind {
        case "snapshot": return summary(interface)
        case "added": return "added; " + summary(interface)
        case "removed": return "removed"
        case "renamed":
            return before.map { $0.ifname != interface.ifname ? "was \($0.ifname)" : "renamed" } ?? "renamed"
        case "flap":
            let drops = interface.flaps &- (before?.flaps ?? interface.flaps)
            return drops > 1 ? "blinked \(drops) times" : "blinked"
        default:
            guard let before else { return summary(interface) }
            let changes = changes(from: before, to: interface)
            return changes.isEmpty ? event.cause : changes.joined(separator: ", ")
        }
    }

    /// All there is to say of an interface that is new to the reader.
    private static func summary(_ interface: InterfaceRecord) -> String {
        var words = because(interface).map { [$0] } ?? []
        for source in ["admin", "mii", "driver", "carrier"] {
            if let word = interface.word(of: source) { words.append("\(source) \(word.text)") }
        }
        words.append("operstate \(interface.operstate)")
        if let speed = interface.speedWords { words.append(speed) }
        return (words + interface.notes).joined(separator: ", ")
    }

    /// What differs, each as `name old -> new`.
    static func changes(from old: InterfaceRecord, to new: InterfaceRecord) -> [String] {
        func change(_ name: String, _ old: String?, _ new: String?) -> String? {
            old == new ? nil : "\(name) \(old ?? "-") -> \(new ?? "-")"
        }
        var changes = ["admin", "mii", "driver", "carrier"].map { source in
            change(source, old.word(of: source)?.text, new.word(of: source)?.text)
        }
        changes.append(change("operstate", old.operstate, new.operstate))
        if new.why != old.why { changes.append(because(new)) }
        changes.append(change("speed", old.speedWords, new.speedWords))
        changes.append(change("mtu", "\(old.mtu)", "\(new.mtu)"))
        changes.append(change("address", old.address, new.address))
        changes.append(change("master", old.master.map { "#\($0)" }, new.master.map { "#\($0)" }))
        changes += new.notes.filter { !old.notes.contains($0) }
        changes += old.notes.filter { !new.notes.contains($0) }.map { "no longer \($0)" }
        return changes.compactMap { $0 }
    }

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
        let devices = route.ifindexes.map { known[$0]?.ifname ?? "#\($0)" }
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
        let paintedState = palette.paint(state, style) + String(repeating: " ", count: max(0, 9 - state.count))
        return "\(time)  \(name.printable.padded(9))  \(paintedState)  \(words.printable)"
    }
}
