/// The connection to linkwatch-vrrp.
import VRRPStatus
import Varlink

import enum LinuxSystem.Clock
import enum LinuxSystem.StandardStreams

struct VRRPConnection {
    private let client: VarlinkClient
    private let service: DaemonSocket

    private static let answerNsMax: Int64 = 10_000_000_000

    init(path: String) throws {
        service = DaemonSocket(name: "linkwatch-vrrp", path: path, explain: Self.explanation)
        do throws(VarlinkClientError) {
            client = try VarlinkClient(path: path)
        } catch {
            throw service.failure(error)
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
            FileComplaints(errors: try reply.decode("errors"), warnings: try reply.decodeIfPresent("warnings") ?? [])
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
            throw service.failure(error)
        }
    }

    private func decode<Answer>(_ reading: () throws(JSON.FieldError) -> Answer) throws -> Answer {
        do throws(JSON.FieldError) {
            return try reading()
        } catch {
            throw service.failure(.malformed("\(error)"))
        }
    }

    private static func explanation(_ refusal: VarlinkError) -> Failure? {
        switch refusal.name {
        case "\(VRRPInterface.name).NoSuchGroup": Failure(.noInterface, "no group \(refusal.text("group") ?? "")")
        case "\(VRRPInterface.name).HandoverRefused": Failure(.refused, "no handover: \(refusal.text("reason") ?? "")")
        case "\(VRRPInterface.name).ReloadFailed": Failure(.refused, refusal.text("message") ?? "")
        default: nil
        }
    }
}

/// What the process says of its file.
struct FileComplaints: JSONEncodable {
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
