/// `linkwatch history`: what happened, oldest first, so that the newest stands above the prompt.
import ArgumentParser
import Monitor

struct HistoryCommand: Command {
    static let sharedOptions = CommandLineRules.ofConnection.union(["--json"])

    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Print the last transitions of an interface, or of all.")

    @Argument(
        help: ArgumentHelp("The interface; without it, all.", valueName: "ifname"),
        completion: InterfaceNames.completion, transform: InterfaceNames.published)
    var name: String?

    @Option(
        help: ArgumentHelp("How many at most, the newest of them; 100 unless told otherwise.", valueName: "count"),
        transform: Self.count)
    var limit: Int?

    @OptionGroup var format: FormatOptions
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        let transitions = try MonitorConnection(connection).history(of: name, limit: limit)
        if format.json { return try Console.print(transitions.map(\.json)) }
        let table = HistoryTable.table(transitions)
        try Console.print(table.lines(width: Console.columns, palette: Console.palette))
    }

    private static func count(_ argument: String) throws -> Int {
        guard let count = Int(argument), 1...10_000 ~= count else {
            throw ValidationError("a count is a whole number from 1 to 10000")
        }
        return count
    }
}

enum HistoryTable {
    static func table(_ transitions: [TransitionRecord]) -> Table {
        var table = Table(columns: ["TIME", "INTERFACE", "WHAT", "STATE", "WHY"].map { Table.Column(title: $0) })
        table.rows = transitions.map { transition in
            [
                Cell(WallClock.dateAndTime(usec: Int64(transition.realtimeUsec)), .faint), Cell(transition.ifname),
                Cell(transition.scope, transition.scope == "settled" ? .heading : .plain), stateCell(transition),
                transition.reason.map { Cell($0) } ?? .none,
            ]
        }
        return table
    }

    private static func stateCell(_ transition: TransitionRecord) -> Cell {
        guard let state = transition.state else { return .none }
        return Cell(state, state == "up" ? .good : .bad)
    }
}
