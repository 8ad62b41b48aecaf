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
    /// A subscriber names at most so many interfaces.
    private static let watchedNamesMax = 1024
    /// What `History` returns without a limit, and at most.
    private static let historyDefault = 100
    private static let historyMax = 10_000

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

    private func dump(_ call: VarlinkCall) {
        let generation = rtnl.generation
        let seq = hub.seq
        guard call.wantsMore else {
            let all = DumpRecord(
                generation: generation, seq: seq, interfaces: interfaces.sorted.map(record), routes: routeRecords,
                degraded: degraded(routes: true))
            return call.reply { all.encodeFields(into: &$0) }
        }
        DumpStream(
            call, generation: generation, seq: seq, degraded: degraded(routes: true),
            interfaces: interfaces.sorted.map(\.link.ifindex)
        ) {
            [unowned self] in
            interfaces.states[$0].map(record)
        } routes: { [unowned self] in
            routeRecords
        }
        .pump()
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
            guard Self.heartbeatsMs ~= Int(ms) else { return call.fail(.invalidParameter("heartbeatMs")) }
            heartbeatNs = ms * 1_000_000
        }
        hub.subscribe(call, names: names, wantsRoutes: wantsRoutes, heartbeatNs: heartbeatNs)
        // What has not been announced follows as changes.
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
        let transitions = interfaces.transitions(of: name, limit: limit)
        call.reply { $0.field("transitions", transitions) }
    }

    private func reload(_ call: VarlinkCall) {
        if let complaint = reload() {
            call.fail(MonitorInterface.reloadFailed(complaint))
        } else {
            call.reply()
        }
    }
}

/// `Dump` with `more`: one interface or route a reply, as fast as the caller takes them.
private final class DumpStream {
    private let call: VarlinkCall
    private let generation: Int
    private let seq: Int
    private let degraded: String?
    private var interfaces: ArraySlice<Int32>
    private let record: (Int32) -> InterfaceRecord?
    private let routes: () -> [RouteRecord]

    init(
        _ call: VarlinkCall, generation: Int, seq: Int, degraded: String?, interfaces: [Int32],
        record: @escaping (Int32) -> InterfaceRecord?, routes: @escaping () -> [RouteRecord]
    ) {
        self.call = call
        self.generation = generation
        self.seq = seq
        self.degraded = degraded
        self.interfaces = interfaces[...]
        self.record = record
        self.routes = routes
    }

    /// The call keeps the stream while the stream waits for the caller.
    func pump() {
        while let ifindex = interfaces.first {
            if let record = record(ifindex) {
                let reply = DumpRecord(generation: generation, seq: seq, interfaces: [record])
                guard call.send(SharedBytes.reply(continues: true) { reply.encodeFields(into: &$0) }) else {
                    call.onDrained = { [self] in pump() }
                    return
                }
            }
            interfaces.removeFirst()
        }
        let last = DumpRecord(generation: generation, seq: seq, routes: routes(), degraded: degraded)
        call.reply { last.encodeFields(into: &$0) }
    }
}
