/// What `--dump` prints: every interface on a line, down to up in colour, its evidence side by side, tracked routes below.
import Monitor

enum DumpTable {
    /// - Parameters:
    ///   - now: for the ages; nil: without a daemon, ages and flaps are unknown.
    ///   - width: the terminal's columns; nil: not on one.
    static func lines(
        _ interfaces: [InterfaceRecord], _ routes: [RouteRecord], now: Instant?, width: Int?, palette: Palette
    ) -> [String] {
        let sorted = interfaces.sorted { $0.ifindex < $1.ifindex }
        let links = linkTable(sorted, now: now).lines(width: width, palette: palette)
        if links.isEmpty { return ["no interfaces"] }
        let names = Dictionary(interfaces.map { ($0.ifindex, $0.ifname) }, uniquingKeysWith: { first, _ in first })
        let paths = routeTable(routes, names: names).lines(width: width, palette: palette)
        return paths.isEmpty ? links : links + [""] + paths
    }

    private static func linkTable(_ interfaces: [InterfaceRecord], now: Instant?) -> Table {
        let hasNotes = interfaces.contains { !$0.notes.isEmpty }
        let sources = interfaces.first?.sources ?? []
        var columns: [Table.Column] = ["INTERFACE", "STATE", "WHY"].map { Table.Column(title: $0) }
        columns.append(Table.Column(title: "SINCE", isRight: true))
        columns += sources.map { Table.Column(title: $0.uppercased()) }
        columns += [Table.Column(title: "OPERSTATE"), Table.Column(title: "SPEED")]
        columns.append(Table.Column(title: "FLAPS", isRight: true))
        if hasNotes { columns.append(Table.Column(title: "NOTES")) }
        let rows = interfaces.map { interface in
            linkRow(interface, sources, now: now) + (hasNotes ? [notesCell(interface)] : [])
        }
        return Table(columns: columns, rows: rows)
    }

    private static func linkRow(_ interface: InterfaceRecord, _ sources: [String], now: Instant?) -> [Cell] {
        let style = interface.stateStyle
        let age = now.map { Cell($0.age(of: interface).brief) } ?? .none
        let flaps = Cell("\(interface.flaps)", interface.flaps == 0 ? .faint : .plain)
        let words = sources.map { source in
            interface.word(of: source).map { Cell($0.text, style == .faint ? .faint : $0.style) } ?? .none
        }
        let operstate = interface.word(of: "operstate")?.style ?? .faint
        return [
            Cell(interface.ifname), Cell(interface.stateWords, style), interface.why.map { Cell($0) } ?? .none,
            age,
        ] + words + [
            Cell(interface.operstate, style == .faint ? .faint : operstate),
            interface.speedWords.map { Cell($0, interface.duplex == "half" ? .caution : .plain) } ?? .none,
            now == nil ? .none : flaps,
        ]
    }

    private static func notesCell(_ interface: InterfaceRecord) -> Cell {
        let notes = interface.notes
        return notes.isEmpty ? .none : Cell(notes.joined(separator: ","), .caution)
    }

    private static func routeTable(_ routes: [RouteRecord], names: [Int: String]) -> Table {
        var table = Table(columns: ["ROUTE", "STATE", "VIA", "DEV", "TABLE", "METRIC"].map { Table.Column(title: $0) })
        table.rows = routes.map { route in
            let devices = route.ifindexes.map { names[$0] ?? "#\($0)" }.joined(separator: ",")
            let gateways = route.gateways.joined(separator: ",")
            return [
                Cell(route.destinationWords), Cell(route.stateWords, route.present ? .good : .bad),
                gateways.isEmpty ? .none : Cell(gateways), devices.isEmpty ? .none : Cell(devices),
                Cell("\(route.table)"), Cell("\(route.metric)"),
            ]
        }
        return table
    }
}
