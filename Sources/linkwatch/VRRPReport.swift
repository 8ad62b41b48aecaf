/// What `linkwatch vrrp` prints: a group, its members and its peer laid out for a person, and an event in a line.
import Monitor
import VRRPStatus

struct VRRPReport {
    var nowUsec: Int64
    var nowBoottimeUsec: Int64?
    var palette: Palette
    var width: Int?

    /// For how long it has been as it is, time asleep included.
    private func age(_ group: GroupRecord) -> Span {
        guard let nowBoottimeUsec, let since = group.sinceBoottimeUsec else {
            return Span(fromUsec: group.sinceUsec, toUsec: nowUsec)
        }
        return Span(fromUsec: since, toUsec: nowBoottimeUsec)
    }

    func lines(_ group: GroupRecord) -> [String] {
        let state = palette.paint(group.state.uppercased(), Self.style(group.state))
        let interval = Span(fromUsec: 0, toUsec: group.advertIntervalUsec)
        let weighed = group.priority == group.configuredPriority ? "" : " (configured \(group.configuredPriority))"
        var lines = [
            "\(group.name.printable): \(state) for \(age(group).brief), priority \(group.priority)\(weighed), VRRPv\(group.version), "
                + "adverts every \(interval)"
                + (group.claiming ? ", claiming" : "")
        ]
        lines += group.causes.map { "  cause      " + palette.paint($0, .bad) }
        lines += (group.tracked ?? []).filter { $0.contribution != 0 }.map {
            "  weight     \($0.contribution) by \($0.name.printable), which \($0.well ? "is well" : "fails")"
        }
        lines += group.conditions.map { "  condition  " + palette.paint($0, .caution) }
        lines += table(group.members).lines(width: width.map { $0 - 2 }, palette: palette).map { "  " + $0 }
        for member in group.members {
            lines += (member.attributes ?? []).map(address)
            lines += (member.routes ?? []).map { held("route", $0.route, $0.held, $0.reason) }
            lines += (member.rules ?? []).map { held("rule ", $0.rule, $0.held, $0.reason) }
        }
        lines += peer(group)
        lines += group.transitions.suffix(3).map { "  " + Self.words($0, palette) }
        return lines
    }

    private func table(_ members: [MemberRecord]) -> Table {
        let titles = ["INSTANCE", "INTERFACE", "VRID", "HOLDS", "LEG", "MASTER", "DOWN-IN", "ADDRESSES"]
        var table = Table(columns: titles.map { Table.Column(title: $0) })
        table.rows = members.map { member in
            let master = member.lastSource.map { "\($0) (\(member.lastPriority ?? 0))" }
            return [
                Cell(member.name), Cell(member.ifindex == nil ? "\(member.interface) (absent)" : member.interface),
                Cell(String(member.vrid)), member.holding ? Cell("yes", .good) : Cell("no", .faint),
                member.proven ? Cell("proven", .good) : Cell("doubted", .caution),
                member.heard ? Cell(master ?? "-") : .none,
                member.downUsec.map { Cell(Span(fromUsec: nowUsec, toUsec: $0).brief) } ?? .none,
                member.addresses.isEmpty ? .none : Cell(member.addresses.joined(separator: " ")),
            ]
        }
        return table
    }

    private func address(_ address: HeldAddressRecord) -> String {
        let state = address.held ? palette.paint("held", .good) : palette.paint("not held", .faint)
        return "  address    \(address.address.printable): \(address.advertised ? "" : "not advertised, ")\(state)"
    }

    private func held(_ kind: String, _ text: String, _ isHeld: Bool, _ reason: String?) -> String {
        let state =
            isHeld
            ? palette.paint("held", .good)
            : reason.map { palette.paint("missing: \($0.printable)", .bad) } ?? palette.paint("not held", .faint)
        return "  \(kind)      \(text.printable): \(state)"
    }

    private func peer(_ group: GroupRecord) -> [String] {
        guard !group.cables.isEmpty else { return [] }
        let cables = group.cables.map { "\($0.name) on \($0.interface) \($0.alive ? "alive" : "silent")" }
        let line = "  cables     " + cables.joined(separator: ", ").printable
        guard let peer = group.peer else { return [line, "  peer       never heard"] }
        let holds = peer.holds.isEmpty ? "holds nothing" : "holds " + peer.holds.joined(separator: " ")
        let words = "\(peer.identity), priority \(peer.priority), \(peer.fresh ? holds : "silent")"
        return [line, "  peer       " + words.printable]
    }

    /// One event in one line; nil: nothing to say.
    static func line(_ event: VRRPEventRecord, _ palette: Palette) -> String? {
        let time = palette.paint(WallClock.dateAndTime(usec: event.realtimeUsec), .faint)
        let name = (event.group?.name ?? "").printable
        switch event.kind {
        case .snapshot:
            let state = event.group?.state ?? ""
            return "\(time) \(name) is \(palette.paint(state, style(state)))"
        case .transition: return event.transition.map { words($0, palette) }
        case .cause, .condition:
            let isPresent = event.present == true
            let what = palette.paint(event.what ?? "", isPresent ? event.kind == .cause ? .bad : .caution : .good)
            return "\(time) \(name): \(isPresent ? "" : "no longer ")\(what)"
        case .reload: return "\(time) reload: \((event.what ?? "applied").printable)"
        case .synced: return nil
        default: return "\(time) \(event.kind.rawValue.printable)"
        }
    }

    private static func words(_ transition: VRRPTransitionRecord, _ palette: Palette) -> String {
        let state = palette.paint(transition.state, style(transition.state))
        return palette.paint(WallClock.dateAndTime(usec: transition.realtimeUsec), .faint)
            + " \(transition.group.printable): \(transition.previous.printable) -> \(state)"
            + " (\(transition.reason.printable))"
    }

    private static func style(_ state: String) -> Style {
        switch state {
        case "master": .good
        case "fault": .bad
        case "initialize": .faint
        default: .plain
        }
    }
}
