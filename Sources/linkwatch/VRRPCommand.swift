/// `linkwatch vrrp`: what linkwatch-vrrp does and why, once or as it happens, and the two things an operator asks of it.
import ArgumentParser
import Glibc
import Monitor
import VRRPStatus

struct VRRPCommand: Command {
    static let sharedOptions: Set<String> = ["--json"]

    static let configuration = CommandConfiguration(
        commandName: "vrrp",
        abstract: "Show the groups of linkwatch-vrrp: who serves, and why.",
        discussion: "With --watch: the groups as they are, then a line for everything that happens.")

    @Argument(help: ArgumentHelp("The groups to show; without any, all.", valueName: "group"))
    var names: [String] = []

    @Flag(help: "Go on and print what happens, until it is interrupted.")
    var watch = false

    @Flag(help: "Have the configuration read again, and applied if it is good.")
    var reload = false

    @Flag(help: "Say what is wrong with the configuration file, or doubtful, without applying it.")
    var check = false

    @Option(help: ArgumentHelp("Let the peer serve this group.", valueName: "group"))
    var handover: String?

    @Option(help: ArgumentHelp("The socket of linkwatch-vrrp.", valueName: "path"), completion: .file())
    var vrrpSocket: String = VRRPInterface.defaultSocketPath

    @OptionGroup var format: FormatOptions

    func validate() throws {
        if [watch, reload, check, handover != nil].count(where: { $0 }) > 1 {
            throw ValidationError("--watch, --reload, --check and --handover are one at a time")
        }
    }

    func run() throws {
        let connection = try VRRPConnection(path: vrrpSocket)
        if reload { return try connection.call("Reload") { _ in } }
        if let handover { return try connection.call("Handover") { $0.field("group", handover) } }
        if check { return try report(connection.complaints()) }
        if watch { return try follow(connection) }
        let status = try connection.status()
        let groups = try chosen(status.groups)
        if format.json { return try Console.print(groups.map(\.json)) }
        let report = VRRPReport(
            nowUsec: status.nowUsec, nowBoottimeUsec: status.nowBoottimeUsec, palette: Console.palette,
            width: Console.columns)
        try Console.print(Array(groups.map(report.lines).joined(separator: [""])))
    }

    /// As `linkwatch-vrrp --check` does: doubts first, and 78 if the file would be refused.
    private func report(_ complaints: FileComplaints) throws {
        if format.json { try Console.print(complaints.json) }
        if !complaints.errors.isEmpty { throw Failure(.refused, complaints.errors.joined(separator: "\n")) }
        guard !format.json else { return }
        complaints.warnings.forEach(Console.complain)
        try Console.print("the configuration file is good")
    }

    private func chosen(_ groups: [GroupRecord]) throws -> [GroupRecord] {
        for name in names where !groups.contains(where: { $0.name == name }) {
            throw Failure(.noInterface, "no group \(name)")
        }
        return names.isEmpty ? groups : groups.filter { names.contains($0.name) }
    }

    private func follow(_ connection: VRRPConnection) throws {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in _exit(EXIT_SUCCESS) } }
        try connection.watch(names) { event in
            if format.json {
                try Console.print(event.json)
            } else if let line = VRRPReport.line(event, Console.palette) {
                try Console.print(line)
            }
        }
    }
}
