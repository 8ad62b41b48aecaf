/// `linkwatch --dump`: everything now, as a table for people or as NDJSON.
import ArgumentParser
import Monitor
import Varlink

struct DumpCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print every interface and its evidence.",
        usage: "linkwatch [--dump] [--json] [--routes] [--direct] [<ifname> ...]")

    static let sharedOptions = CommandLineRules.ofConnection.union(["--json", "--routes", "--direct"])

    @Flag(help: "Says that this is meant, where no command is named.")
    var dump = false

    @Argument(
        help: ArgumentHelp("The interfaces to print; without any, all.", valueName: "ifname"),
        completion: InterfaceNames.completion, transform: InterfaceNames.published)
    var names: [String] = []

    @OptionGroup var format: FormatOptions
    @OptionGroup var content: RouteOptions
    @OptionGroup var source: SourceOptions
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        if let name = names.first?.printable, !dump, !CommandLine.arguments.contains("dump") {
            throw ValidationError("'\(name)' is no command, see --help; for an interface: linkwatch --dump \(name)")
        }
        let found = try source.direct ? Direct.dump() : MonitorConnection(connection).dump()
        var (interfaces, routes) = (found.interfaces, found.routes)
        let missing = names.filter { name in !interfaces.contains { $0.goes(by: name) } }
        if !names.isEmpty {
            interfaces.removeAll { interface in !names.contains(where: interface.goes(by:)) }
            let ifindexes = Set(interfaces.map(\.ifindex))
            routes.removeAll { ifindexes.isDisjoint(with: $0.ifindexes) }
        }
        if !interfaces.isEmpty || names.isEmpty { try print(interfaces, routes) }
        // What there is has been printed; a script must not take it for everything.
        if let why = found.degraded { throw Failure(.unavailable, "linkwatchd is degraded: \(why)") }
        if let name = missing.first { throw Failure(.noInterface, "no interface \(name)") }
    }

    private func print(_ interfaces: [InterfaceRecord], _ routes: [RouteRecord]) throws {
        guard !format.json else {
            try Console.print(interfaces.sorted { $0.ifindex < $1.ifindex }.map(\.json))
            return try Console.print(content.routes ? routes.map(\.json) : [])
        }
        let lines = DumpTable.lines(
            interfaces, routes, now: source.direct ? nil : .current, width: Console.columns, palette: Console.palette)
        try Console.print(lines)
    }
}

extension JSONEncodable {
    /// This as one line of JSON.
    var json: String {
        var writer = JSONWriter()
        encode(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension InterfaceRecord {
    /// Whether this is one of its names.
    fileprivate func goes(by name: String) -> Bool { ifname == name || altnames.contains(name) }
}
