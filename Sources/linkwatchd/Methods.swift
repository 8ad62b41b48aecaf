/// The methods of `io.linkwatch.Monitor`: each takes its parameters, asks the daemon, and answers.
import Links
import LinuxSystem
import MIIRegisters
import Monitor
import SystemPackage
import Varlink

extension Daemon {
    /// Heartbeats are 10 ms to an hour apart.
    private static let heartbeatsMs = 10...3_600_000
    /// The shortest heartbeat interval for a user who is not trusted: a thousand subscribers with 10 ms heartbeats cost
    /// half a core.
    private static let strangersHeartbeatMs = 100
    /// A subscriber names at most so many interfaces.
    private static let watchedNamesMax = 1024
    /// What `History` returns without a limit, and at most.
    private static let historyDefault = 100
    private static let historyMax = 10_000
    /// How many transitions are encoded in one turn.
    private static let transitionsAtOnce = 100

    func makeInterface() throws(InterfaceDescription.SyntaxError) -> VarlinkInterface {
        var interface = try VarlinkInterface(description: MonitorInterface.description)
        interface.on("Dump", replies: .oneOrMany) { [unowned self] call in afresh { [unowned self] in dump(call) } }
        interface.on("Watch", replies: .many) { [unowned self] in watch($0) }
        interface.on("Registers") { [unowned self] call in afresh { [unowned self] in registers(call) } }
        interface.on("History") { [unowned self] call in afresh { [unowned self] in history(call) } }
        interface.on("Statistics") { [unowned self] call in
            call.reply { self.statistics.encodeFields(into: &$0) }
        }
        interface.on("Reload", access: .privileged) { [unowned self] in reload($0) }
        return interface
    }

    /// Up to this many interfaces are dumped in one piece, which shows one instant. With more, the reply is written
    /// over several turns, and each interface is shown as it is in its turn.
    private static let dumpedAtOnce = 256

    private func dump(_ call: VarlinkCall) {
        let generation = rtnl.generation
        let seq = hub.seq
        if call.wantsMore {
            return DumpStream(
                call, DumpRecord(generation: generation, seq: seq, degraded: degraded(routes: true)),
                record: { [unowned self] in firstRecord(from: $0) }, routes: { [unowned self] in routeRecords }
            ).pump()
        }
        if interfaces.states.count <= Self.dumpedAtOnce {
            let all = DumpRecord(
                generation: generation, seq: seq, interfaces: interfaces.sorted.map(record), routes: routeRecords,
                degraded: degraded(routes: true))
            return call.reply { all.encodeFields(into: &$0) }
        }
        var next = 0
        var hasBegun = false
        call.replyInPieces { [unowned self] writer in
            if !hasBegun {
                writer.field("generation", generation)
                writer.field("seq", seq)
                writer.field("degraded", degraded(routes: true))
                writer.beginArray("interfaces")
                hasBegun = true
            }
            let begun = writer.count
            while writer.count - begun < VarlinkCall.pieceBytes {
                guard let record = firstRecord(from: next) else {
                    writer.endArray()
                    writer.field("routes", routeRecords)
                    return false
                }
                record.encode(into: &writer)
                next = record.ifindex + 1
            }
            return true
        }
    }

    private func watch(_ call: VarlinkCall) {
        var names: Set<String>?
        if case .array(let list)? = call.parameters["interfaces"] {
            guard list.count <= Self.watchedNamesMax else { return call.fail(.invalidParameter("interfaces")) }
            names = Set(list.compactMap { if case .string(let name) = $0 { name } else { nil } })
        }
        var wantsRoutes = true
        if case .bool(let flag)? = call.parameters["routes"] { wantsRoutes = flag }
        var heartbeatNs: Int64?
        if case .int(let ms)? = call.parameters["heartbeatMs"] {
            let least = call.isTrusted ? Self.heartbeatsMs.lowerBound : Self.strangersHeartbeatMs
            guard Self.heartbeatsMs ~= Int(ms), ms >= least else {
                return call.fail(.invalidParameter("heartbeatMs"))
            }
            heartbeatNs = ms * 1_000_000
        }
        hub.subscribe(call, names: names, wantsRoutes: wantsRoutes, heartbeatNs: heartbeatNs)
        // What the kernel did not announce follows as changes.
        afresh {}
        settle()
    }

    private func registers(_ call: VarlinkCall) {
        guard case .string(let name)? = call.parameters["ifname"] else {
            return call.fail(.invalidParameter("ifname"))
        }
        guard let state = interfaces.named(name) else { return call.fail(MonitorInterface.noSuchInterface(name)) }
        guard ports.mayReadRegisters else {
            return call.fail(MonitorInterface.noRegisters(name, detail: "linkwatchd runs without CAP_NET_ADMIN"))
        }
        askRegisters(state.link.ifindex) { result in
            switch result {
            case .success(let file):
                let phy = PHYStatus(file)
                call.reply { writer in
                    writer.field("registers", phy.registers.all.map(Int.init))
                    writer.field("decoded", MIIRecord(phy))
                }
            case .failure(let errno):
                call.fail(MonitorInterface.noRegisters(name, detail: probeDetail(errno, .mii)))
            }
        }
    }

    private func history(_ call: VarlinkCall) {
        var limit = Self.historyDefault
        if case .int(let number)? = call.parameters["limit"] {
            guard (1...Int64(Self.historyMax)).contains(number) else { return call.fail(.invalidParameter("limit")) }
            limit = Int(number)
        }
        var name: String?
        if case .string(let ifname)? = call.parameters["ifname"] {
            name = ifname
            guard interfaces.hasHistory(of: ifname) else {
                return call.fail(MonitorInterface.noSuchInterface(ifname))
            }
        }
        var transitions = interfaces.transitions(of: name, limit: limit)[...]
        var hasBegun = false
        call.replyInPieces { writer in
            if !hasBegun { writer.beginArray("transitions") }
            hasBegun = true
            for transition in transitions.prefix(Self.transitionsAtOnce) { transition.encode(into: &writer) }
            transitions = transitions.dropFirst(Self.transitionsAtOnce)
            if transitions.isEmpty { writer.endArray() }
            return !transitions.isEmpty
        }
    }

    private func reload(_ call: VarlinkCall) {
        if let complaint = reload() {
            call.fail(MonitorInterface.reloadFailed(complaint))
        } else {
            call.reply()
        }
    }
}

/// `Dump` with `more`: one interface or route a reply, as fast as the caller takes them and a few in a turn.
private final class DumpStream {
    private let call: VarlinkCall
    private let header: DumpRecord
    private var next = 0
    private let record: (Int) -> InterfaceRecord?
    private let routes: () -> [RouteRecord]

    /// How many interfaces are encoded in one turn.
    private static let atOnce = 16

    init(
        _ call: VarlinkCall, _ header: DumpRecord, record: @escaping (Int) -> InterfaceRecord?,
        routes: @escaping () -> [RouteRecord]
    ) {
        (self.call, self.header, self.record, self.routes) = (call, header, record, routes)
    }

    /// The call keeps the stream while the stream waits for the caller, or for its turn.
    func pump() {
        var left = Self.atOnce
        while let record = record(next) {
            guard left > 0 else { return call.later { [self] in pump() } }
            left -= 1
            let reply = DumpRecord(generation: header.generation, seq: header.seq, interfaces: [record])
            guard call.send(SharedBytes.reply(continues: true) { reply.encodeFields(into: &$0) }) else {
                call.onDrained = { [self] in pump() }
                return
            }
            next = record.ifindex + 1
        }
        let last = DumpRecord(
            generation: header.generation, seq: header.seq, routes: routes(), degraded: header.degraded)
        call.reply { last.encodeFields(into: &$0) }
    }
}
