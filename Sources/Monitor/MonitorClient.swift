/// linkwatchd's methods for a program that waits for the answer.
import LinuxSystem
import Varlink

public final class MonitorClient {
    private let client: VarlinkClient

    /// Connects to linkwatchd.
    ///
    /// - Throws: `VarlinkClientError.unreachable` if nobody listens at `path`.
    public init(
        path: String = MonitorInterface.defaultSocketPath, timeoutNs: Int64 = 5_000_000_000
    ) throws(VarlinkClientError) {
        client = try VarlinkClient(path: path, timeoutNs: timeoutNs)
    }

    /// See `VarlinkClient.stopsWithReader`.
    public func stopsWithReader(of descriptor: CInt) { client.stopsWithReader(of: descriptor) }

    /// Everything now. Asked for piece by piece, which spares the daemon one large reply.
    ///
    /// - Throws: as do all methods here: the daemon's error as `refused`, `timedOut`, `closed` or `malformed`.
    public func dump(deadlineNs: Int64?) throws(VarlinkClientError) -> DumpRecord {
        try client.callMore(qualified("Dump"), deadlineNs: deadlineNs)
        var whole = DumpRecord()
        let begunBytes = client.receivedBytes
        while true {
            let reply = try client.nextReply(deadlineNs: deadlineNs)
            // Replies that never end are no dump, though each may come in time.
            if let deadlineNs, Clock.monotonicNs() >= deadlineNs { throw .timedOut }
            guard client.receivedBytes - begunBytes <= Self.dumpBytesMax else {
                throw .malformed("a dump of more than \(Self.dumpBytesMax) bytes")
            }
            let piece: DumpRecord = try decode(reply.parameters)
            (whole.generation, whole.seq) = (piece.generation, piece.seq)
            whole.interfaces += piece.interfaces
            whole.routes += piece.routes
            whole.degraded = piece.degraded ?? whole.degraded
            if !reply.continues { return whole }
        }
    }

    /// Starts to watch; read the events with `nextEvent`.
    ///
    /// - Parameters:
    ///   - interfaces: names to watch; nil: all.
    ///   - heartbeatMs: 10 to 3600000; nil: none.
    public func watch(
        interfaces: [String]? = nil, routes: Bool = true, heartbeatMs: Int? = nil, deadlineNs: Int64? = nil
    ) throws(VarlinkClientError) {
        try client.callMore(qualified("Watch"), deadlineNs: deadlineNs) { writer in
            writer.field("interfaces", interfaces)
            writer.field("routes", routes)
            writer.field("heartbeatMs", heartbeatMs)
        }
    }

    /// Waits for the next event of a watch.
    ///
    /// - Parameter deadlineNs: CLOCK_MONOTONIC; after `timedOut` waiting on is allowed.
    public func nextEvent(deadlineNs: Int64?) throws(VarlinkClientError) -> EventRecord {
        try decodeField("event", client.nextReply(deadlineNs: deadlineNs).parameters)
    }

    /// The PHY's registers 0 to 15, read now.
    public func registers(
        ifname: String, deadlineNs: Int64?
    ) throws(VarlinkClientError) -> (registers: [Int], decoded: MIIRecord) {
        let parameters = try call("Registers", deadlineNs: deadlineNs) { $0.field("ifname", ifname) }
        return (try decodeField("registers", parameters), try decodeField("decoded", parameters))
    }

    /// The newest transitions, newest last.
    ///
    /// - Parameters:
    ///   - ifname: of this interface; nil: of all.
    ///   - limit: at most so many; nil: all that are kept.
    public func history(
        ifname: String? = nil, limit: Int? = nil, deadlineNs: Int64?
    ) throws(VarlinkClientError) -> [TransitionRecord] {
        let parameters = try call("History", deadlineNs: deadlineNs) { writer in
            writer.field("ifname", ifname)
            writer.field("limit", limit)
        }
        return try decodeField("transitions", parameters)
    }

    /// Counters since the daemon's start.
    public func statistics(deadlineNs: Int64?) throws(VarlinkClientError) -> StatisticsRecord {
        try decode(call("Statistics", deadlineNs: deadlineNs))
    }

    /// Has the daemon read its configuration again.
    public func reload(deadlineNs: Int64?) throws(VarlinkClientError) {
        _ = try call("Reload", deadlineNs: deadlineNs)
    }

    /// How much a dump may be: room for a hundred thousand interfaces.
    private static let dumpBytesMax = 256 * 1024 * 1024

    // MARK: Calls and their answers

    private func qualified(_ method: String) -> String { "\(MonitorInterface.name).\(method)" }

    private func call(
        _ method: String, deadlineNs: Int64?, _ parameters: (inout JSONWriter) -> Void = { _ in }
    ) throws(VarlinkClientError) -> JSON.Object {
        try client.call(qualified(method), deadlineNs: deadlineNs, parameters)
    }

    private func decode<Record: MonitorRecord>(_ parameters: JSON.Object) throws(VarlinkClientError) -> Record {
        do throws(JSON.FieldError) {
            return try Record(decoding: parameters)
        } catch {
            throw .malformed("\(error)")
        }
    }

    private func decodeField<T: JSONDecodable>(
        _ name: String, _ parameters: JSON.Object
    ) throws(VarlinkClientError) -> T {
        do throws(JSON.FieldError) {
            return try parameters.decode(name)
        } catch {
            throw .malformed("\(error)")
        }
    }
}
