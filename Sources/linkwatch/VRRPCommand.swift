/// `linkwatch vrrp`: what linkwatch-vrrp does and why, once or as it happens, and the two things an operator asks of it.
import ArgumentParser
import Glibc
import Monitor
import SystemPackage
import VRRPStatus
import Varlink

import enum LinuxSystem.Clock
import enum LinuxSystem.StandardStreams

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
        if format.json { return try Console.print(groups.map(\.jsonLine)) }
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
                try Console.print(event.jsonLine)
            } else if let line = VRRPReport.line(event, Console.palette) {
                try Console.print(line)
            }
        }
    }
}

/// linkwatch-vrrp behind its socket.
private struct VRRPConnection {
    private let client: VarlinkClient
    private let path: String

    private static let answerNsMax: Int64 = 10_000_000_000

    init(path: String) throws {
        self.path = path
        do throws(VarlinkClientError) {
            client = try VarlinkClient(path: path)
        } catch {
            throw Self.failure(error, path)
        }
    }

    func status() throws -> VRRPStatusRecord {
        let reply = try ask { () throws(VarlinkClientError) in
            try client.call("\(VRRPInterface.name).Status", deadlineNs: Clock.monotonicNs() + Self.answerNsMax) { _ in }
        }
        return try decode { () throws(JSON.FieldError) in try VRRPStatusRecord(decoding: reply) }
    }

    func call(_ method: String, _ parameters: (inout JSONWriter) -> Void) throws {
        _ = try ask { () throws(VarlinkClientError) in
            try client.call(
                "\(VRRPInterface.name).\(method)", deadlineNs: Clock.monotonicNs() + Self.answerNsMax, parameters)
        }
    }

    func complaints() throws -> FileComplaints {
        let reply = try ask { () throws(VarlinkClientError) in
            try client.call("\(VRRPInterface.name).CheckConfig", deadlineNs: Clock.monotonicNs() + Self.answerNsMax) {
                _ in
            }
        }
        return try decode { () throws(JSON.FieldError) in
            FileComplaints(
                errors: try reply.decode("errors"), warnings: try reply.decodeIfPresent("warnings") ?? [])
        }
    }

    func watch(_ names: [String], body: (VRRPEventRecord) throws -> Void) throws {
        client.stopsWithReader(of: StandardStreams.output)
        // The groups as they are come at once; what follows may take days.
        var deadlineNs: Int64? = Clock.monotonicNs() + Self.answerNsMax
        try ask { () throws(VarlinkClientError) in
            try client.callMore("\(VRRPInterface.name).Watch", deadlineNs: deadlineNs) {
                $0.field("groups", names.isEmpty ? nil : names)
            }
        }
        while true {
            let reply = try ask { () throws(VarlinkClientError) in try client.nextReply(deadlineNs: deadlineNs) }
            deadlineNs = nil
            try body(decode { () throws(JSON.FieldError) in try reply.parameters.decode("event") })
        }
    }

    private func ask<Answer>(_ question: () throws(VarlinkClientError) -> Answer) throws -> Answer {
        do throws(VarlinkClientError) {
            return try question()
        } catch .readerGone {
            throw Finished()
        } catch {
            throw Self.failure(error, path)
        }
    }

    private func decode<Answer>(_ reading: () throws(JSON.FieldError) -> Answer) throws -> Answer {
        do throws(JSON.FieldError) {
            return try reading()
        } catch {
            throw Failure(.software, "linkwatch-vrrp on \(path) does not speak this program's language: \(error)")
        }
    }

    private static func failure(_ error: VarlinkClientError, _ path: String) -> Failure {
        switch error {
        case .unreachable(_, let number):
            Failure(.unreachable(number), "no linkwatch-vrrp on \(path): \(Errno(rawValue: number))")
        case .timedOut: Failure(.unavailable, "linkwatch-vrrp on \(path) does not answer")
        case .closed, .readerGone: Failure(.unavailable, "linkwatch-vrrp on \(path) closed the connection")
        case .malformed(let what):
            Failure(.software, "linkwatch-vrrp on \(path) does not speak this program's language: \(what)")
        case .refused(let refusal): failure(refusal)
        }
    }

    private static func failure(_ refusal: VarlinkError) -> Failure {
        func text(_ key: String) -> String {
            guard case .string(let text) = refusal.parameters[key] else { return "" }
            return text
        }
        switch refusal.name {
        case "\(VRRPInterface.name).NoSuchGroup": return Failure(.noInterface, "no group \(text("group"))")
        case "\(VRRPInterface.name).HandoverRefused": return Failure(.refused, "no handover: \(text("reason"))")
        case "\(VRRPInterface.name).ReloadFailed": return Failure(.refused, text("message"))
        case VarlinkError.permissionDenied.name:
            return Failure(.permission, "not permitted: linkwatch-vrrp takes that from root and its own user")
        default: return Failure(.software, "linkwatch-vrrp refuses: \(refusal)")
        }
    }
}

/// What the process says of its file.
private struct FileComplaints: JSONEncodable {
    var errors: [String]
    /// A daemon of an earlier version says none.
    var warnings: [String]

    func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("errors", errors)
            writer.field("warnings", warnings)
        }
    }
}

/// Lays a group out for a person.
struct VRRPReport {
    var nowUsec: Int64
    var nowBoottimeUsec: Int64?
    var palette: Palette
    var width: Int?

    /// For how long it has been as it is, time asleep included.
    private func sinceUsec(_ group: GroupRecord) -> Int64 {
        guard let nowBoottimeUsec, let since = group.sinceBoottimeUsec else { return nowUsec - group.sinceUsec }
        return nowBoottimeUsec - since
    }

    func lines(_ group: GroupRecord) -> [String] {
        let state = palette.paint(group.state.uppercased(), Self.style(group.state))
        let since = Self.duration(sinceUsec(group))
        let weighed = group.priority == group.configuredPriority ? "" : " (configured \(group.configuredPriority))"
        var lines = [
            "\(group.name.printable): \(state) for \(since), priority \(group.priority)\(weighed), VRRPv\(group.version), "
                + "adverts every \(Self.duration(group.advertIntervalUsec))"
                + (group.claiming ? ", claiming" : "")
        ]
        lines += group.causes.map { "  cause      " + palette.paint($0, .bad) }
        lines += group.conditions.map { "  condition  " + palette.paint($0, .caution) }
        lines += table(group.members).lines(width: width.map { $0 - 2 }, palette: palette).map { "  " + $0 }
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
                member.downUsec.map { Cell(Self.duration(max(0, $0 - nowUsec))) } ?? .none,
                Cell(member.addresses.joined(separator: " ")),
            ]
        }
        return table
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
        case "snapshot":
            let state = event.group?.state ?? ""
            return "\(time) \(name) is \(palette.paint(state, style(state)))"
        case "transition": return event.transition.map { words($0, palette) }
        case "cause", "condition":
            let isPresent = event.present == true
            let what = palette.paint(event.what ?? "", isPresent ? event.kind == "cause" ? .bad : .caution : .good)
            return "\(time) \(name): \(isPresent ? "" : "no longer ")\(what)"
        case "reload": return "\(time) reload: \((event.what ?? "applied").printable)"
        case "synced": return nil
        default: return "\(time) \(event.kind.printable)"
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

    private static func duration(_ usec: Int64) -> String {
        switch usec {
        case ..<1_000_000: "\(usec / 1000)ms"
        case ..<60_000_000: "\(usec / 1_000_000).\(usec / 100_000 % 10)s"
        case ..<3_600_000_000: "\(usec / 60_000_000)min"
        default: "\(usec / 3_600_000_000)h"
        }
    }
}

extension MonitorRecord {
    fileprivate var jsonLine: String {
        var writer = JSONWriter()
        encode(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
