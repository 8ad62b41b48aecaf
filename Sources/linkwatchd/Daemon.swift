/// linkwatchd itself: passes what comes in to the interface table, and publishes what changes.
///
///     rtnetlink ────> RtnlMonitor ──> InterfaceTable ──> Hub ──> subscribers
///     PHY, driver ──> Sweep ──────────────^  ^
///     clock, operator ───────────────────────┘
///
/// Everything here runs on the event loop's thread, and nothing waits for the kernel: calls that may block are made on
/// the sweep's thread. Time is read from the loop alone, so everything in one turn has the same timestamp.
import Configuration
import Glibc
import LinkState
import Links
import LinuxSystem
import MIIRegisters
import Monitor
import RtnlMonitor
import SystemPackage
import Varlink

final class Daemon: HubSource {
    let rtnl: RtnlMonitor
    let interfaces: InterfaceTable
    private(set) var ports: Ports
    private(set) lazy var hub = Hub(loop: loop, source: self)

    private let loop: EventLoop
    private let sweep: Sweep
    private let server: VarlinkServer
    private let manager: ServiceManager
    private let startPages: StartPages
    private let arguments: Arguments
    private var configuration: MonitorConfiguration
    private let capabilities: Capabilities
    private let startedRealtimeNs = Clock.realtimeNs()
    private var reloads = 0
    private var reloadError: String?
    private var resyncs = 0

    /// The socket on which the service will be offered; nil once it is.
    private var listener: ListeningSocket?
    private var armed: (timer: EventLoop.TimerID, atNs: Int64)?
    private var arePortsOutdated = false
    /// When subscribers' wishes are looked at next, and were last.
    private var portsTimer: EventLoop.TimerID?
    private var portsLookedAtNs: Int64 = 0
    /// A port has gone or was switched off, and the sweep has not been told yet.
    private var isPortForgotten = false
    private var isOverLimit = false
    /// What waits until the kernel's links have been read once more.
    private var waitingForLinks: [() -> Void] = []
    /// The requests for details that are under way, by number.
    private var requests: [UInt64: DetailsRequest] = [:]
    /// Those that wait for one of them to end.
    private var waitingRequests: [DetailsRequest] = []

    /// A port whose registers are to be read, and who waits for them.
    private struct DetailsRequest {
        var ifindex: Int32
        /// nil: the reading is for the interface table.
        var reply: ((Result<RegisterFile, Errno>) -> Void)?
    }

    /// How often subscribers' wishes are looked at, at most.
    private static let portsIntervalNs: Int64 = 50_000_000
    /// How many requests of clients wait at most.
    private static let waitingMax = 1024

    /// The loop's signals must be blocked already, and all privileges dropped: a thread starts here.
    init(
        _ loop: EventLoop, _ arguments: Arguments, _ configuration: MonitorConfiguration, capabilities: Capabilities
    ) throws {
        self.loop = loop
        self.arguments = arguments
        self.configuration = configuration
        self.capabilities = capabilities
        rtnl = try RtnlMonitor(
            options: RtnlMonitor.Options(
                routes: RouteTracking(prefixes: configuration.trackedRoutes, tables: configuration.routeTables),
                receiveBufferBytes: Int32(clamping: configuration.receiveBuffer)))
        interfaces = InterfaceTable(
            configuration, clocks: .init(realtimeNs: Clock.realtimeNs, boottimeNs: Clock.boottimeNs))
        ports = Ports(mayReadRegisters: capabilities.contains(.netAdmin))
        var limits = VarlinkServer.Limits()
        limits.clientsMax = configuration.socket.maxClients
        limits.clientsPerUserMax = configuration.socket.maxClientsPerUid
        limits.queuedBytesMax = configuration.socket.queueLimit
        if let account = Account.ofDaemons { limits.trustedUsers = [account.uid] }
        let info = VarlinkServiceInfo(
            vendor: "linkwatch", product: "linkwatchd", version: Linkwatchd.version, url: Linkwatchd.url)
        server = VarlinkServer(loop: loop, info: info, limits: limits)
        manager = ServiceManager(loop: loop)
        startPages = StartPages(loop: loop, locksMemory: arguments.locksMemory)
        var options = SweepOptions()
        options.intervalsNs = configuration.intervalsNs
        sweep = try Sweep(options)
    }

    /// Watches, and offers the service once everything has been read, until a signal ends it.
    ///
    /// - Throws: what epoll says.
    func run(_ listener: ListeningSocket) throws {
        server.add(try makeInterface())
        interfaces.publish = { [unowned self] in publish($0) }
        for fd in rtnl.descriptors {
            try loop.watch(fd, .readable) { [unowned self] _ in
                take(rtnl.handleReadable(fd, nowNs: loop.nowNs))
            }
        }
        try loop.watch(sweep.notifyDescriptor, .readable) { [unowned self] _ in drainSweep() }
        try loop.watch(sweep.watchdogDescriptor, .readable) { [unowned self] _ in
            sweep.handleWatchdog()
            drainSweep()
        }
        self.listener = listener
        take(rtnl.start(nowNs: loop.nowNs))
        try loop.run()
        server.close()
    }

    /// SIGHUP reads the configuration again, the others end the daemon.
    func handle(signal: CInt) {
        if signal == SIGHUP {
            _ = reload()
        } else {
            manager.stopping(status: "ending")
            loop.stop()
        }
    }

    /// What `systemctl status` shows.
    private var statusText: String {
        let watching = "Watching \(interfaces.states.count) interfaces"
        return degraded(routes: true).map { "Degraded: \($0). \(watching)" } ?? watching
    }

    /// Tells it soon: many changes at once are one status.
    private func tellStatus() {
        if listener == nil { manager.statusSoon { [unowned self] in statusText } }
    }

    // MARK: From rtnetlink

    private func take(_ changes: [MirrorChange]) {
        let nowNs = loop.nowNs
        for change in changes {
            switch change {
            case .linkAdded(let link), .linkChanged(_, let link), .linkRenamed(_, let link):
                interfaces.observed(link.withParentDevice, nowNs: nowNs, driver: \.driverName)
            case .linkRemoved(let link): interfaces.removed(link.ifindex, nowNs: nowNs)
            case .routeAdded(let route), .routeChanged(_, let route):
                hub.publish(route: RouteRecord(route), cause: "netlink", atNs: nowNs)
            case .routeRemoved(let route):
                hub.publish(route: RouteRecord(route, isThere: false), cause: "netlink", atNs: nowNs)
            case .addressAdded, .addressChanged, .addressRemoved, .ruleAdded, .ruleRemoved: break
            case .resync: startResync(nowNs: nowNs)
            case .synced: mirrorChanged(nowNs: nowNs)
            case .degraded(let degradation):
                if degradation.isEmpty {
                    Log.notice("the kernel's tables are complete again", about: "whole")
                } else {
                    Log.error(
                        "degraded: interfaces or routes may be missing or out of date: \(degradation.text)",
                        about: "degraded")
                }
                mirrorChanged(nowNs: nowNs)
            }
        }
        finishStep()
        guard !rtnl.isReadingLinks, !waitingForLinks.isEmpty else { return }
        let waiting = waitingForLinks
        waitingForLinks = []
        waiting.forEach { $0() }
    }

    /// Calls `body` after the kernel has been asked for what it does not announce: further names of interfaces that are
    /// down. So only a request costs this dump, and an idle daemon makes none.
    func afresh(_ body: @escaping () -> Void) {
        guard waitingForLinks.count < Self.waitingMax, rtnl.links.values.contains(where: { !$0.flags.contains(.up) })
        else { return body() }
        let changes = rtnl.askForLinks(nowNs: loop.nowNs)
        guard rtnl.isReadingLinks else {
            take(changes)
            return body()
        }
        waitingForLinks.append(body)
        take(changes)
    }

    private func mirrorChanged(nowNs: Int64) {
        // A monitor that knows most is more useful than one that never starts; it publishes that it is degraded.
        if rtnl.hasBeenRead { offer() }
        hub.mirrorChanged(atNs: nowNs)
        tellStatus()
    }

    private func startResync(nowNs: Int64) {
        resyncs += 1
        Log.notice("netlink messages were lost (\(resyncs)): asking the kernel again", about: "overrun")
        hub.publishResync(atNs: nowNs)
    }

    /// Everything has been read once, or reading has failed for good: from now on clients are served.
    private func offer() {
        guard let listener else { return }
        self.listener = nil
        do {
            try server.listen(listener)
        } catch {
            Log.error("cannot accept clients: \(error)")
            return loop.stop()
        }
        Log.info("watching \(interfaces.states.count) interfaces, on \(listener.path ?? "the socket handed in")")
        if server.clientsMax < server.limits.clientsMax {
            Log.warning("RLIMIT_NOFILE allows \(server.clientsMax) clients, not \(server.limits.clientsMax)")
        }
        manager.ready(status: statusText)
        settle()
    }

    /// Once the start, or a subscriber's, is over, what it needed of the program's pages is given back.
    func settle() { startPages.releaseSoon() }

    // MARK: From the sweep

    private func drainSweep() {
        sweep.drain { report in
            guard ports.current[report.ifindex] != nil else { return }
            // A look at what is known is rare, and what it needs of the program's pages is not kept.
            if report.isRenewal { settle() } else { interfaces.probed(report.asOf(loop.nowNs)) }
            wantDetails(report.ifindex)
        } registers: { report in
            finish(report)
        }
        finishStep()
    }

    /// Has the registers of a port read for the table.
    private func wantDetails(_ ifindex: Int32) {
        guard interfaces.states[ifindex]?.isOfInterest == true else { return }
        if waitingRequests.contains(where: { $0.ifindex == ifindex && $0.reply == nil }) { return }
        waitingRequests.append(DetailsRequest(ifindex: ifindex))
        sendRequests()
    }

    /// Has the registers of an interface read for a client.
    func askRegisters(_ ifindex: Int32, reply: @escaping (Result<RegisterFile, Errno>) -> Void) {
        // One reading serves all who wait for it.
        if let place = waitingRequests.firstIndex(where: { $0.ifindex == ifindex }) {
            let others = waitingRequests[place].reply
            waitingRequests[place].reply = { result in
                others?(result)
                reply(result)
            }
            return
        }
        guard waitingRequests.count < Self.waitingMax else { return reply(.failure(.resourceTemporarilyUnavailable)) }
        waitingRequests.append(DetailsRequest(ifindex: ifindex, reply: reply))
        sendRequests()
    }

    private func sendRequests() {
        while let next = waitingRequests.first {
            guard let id = try? sweep.requestRegisters(ifindex: next.ifindex) else {
                // With no request under way, none will end and make room: every thread is stuck.
                if requests.isEmpty {
                    waitingRequests.removeFirst()
                    next.reply?(.failure(.timedOut))
                    continue
                }
                return
            }
            waitingRequests.removeFirst()
            requests[id] = next
        }
    }

    private func finish(_ report: RegistersReport) {
        guard let request = requests.removeValue(forKey: report.id) else { return }
        // A client's request changes nothing in the table: what is published does not depend on who asks.
        if let reply = request.reply {
            reply(report.result)
        } else {
            interfaces.learned(report, isProbed: ports.current[report.ifindex]?.sources[.mii] == true)
        }
        sendRequests()
    }

    private func updatePorts() {
        arePortsOutdated = false
        // The port may come back within the same step: what was read before must not be taken for the new port's.
        if isPortForgotten { setPorts() }
        isPortForgotten = false
        let (ended, overLimit) = ports.update(interfaces.states, limit: configuration.probeLimit)
        setPorts()
        if (overLimit > 0) != isOverLimit {
            isOverLimit = overLimit > 0
            if isOverLimit {
                Log.warning("\(overLimit) ports are over probe-limit and are not probed", about: "probe-limit")
            }
        }
        for (ifindex, sources) in ended {
            interfaces.unprobed(ifindex, sources, nowNs: loop.nowNs)
            if ports.current[ifindex] != nil { wantDetails(ifindex) }
        }
    }

    private func setPorts() {
        do {
            try sweep.setPorts(Array(ports.current.values))
        } catch {
            Log.error("cannot change which ports are probed: \(error)", about: "ports")
        }
    }

    // MARK: Publishing

    private func publish(_ publication: InterfaceTable.Publication) {
        let state = publication.state
        hub.publish(
            publication.kind, cause: publication.cause, interface: record(state),
            formerNames: publication.formerNames, atNs: publication.atNs)
        if publication.kind == .added || publication.kind == .removed { tellStatus() }
        if publication.kind == .removed || !state.link.flags.contains(.up) {
            isPortForgotten = ports.forget(state.link.ifindex) || isPortForgotten
            arePortsOutdated = arePortsOutdated || isPortForgotten
        } else {
            arePortsOutdated = arePortsOutdated || ports.isOutdated(by: state)
        }
    }

    /// The interface as it is published now.
    func record(_ state: InterfaceState) -> InterfaceRecord {
        let ifindex = state.link.ifindex
        return state.record(nowNs: loop.nowNs) { sweep.confirmedNs(ifindex: ifindex, source: $0) }
    }

    var generation: Int { rtnl.generation }

    func degraded(routes: Bool) -> String? {
        let degradation = rtnl.degradation.filter { routes || $0.key == .links }
        return degradation.isEmpty ? nil : degradation.text
    }

    func isResyncing(routes: Bool) -> Bool { !(rtnl.isSynced(.links) && (!routes || rtnl.isSynced(.routes))) }

    var routeRecords: [RouteRecord] { rtnl.routes.map { RouteRecord($0) } }

    func firstRecord(from ifindex: Int) -> InterfaceRecord? {
        Int32(exactly: ifindex).flatMap(interfaces.first).map(record)
    }

    func request(_ names: Set<String>) {
        if ports.request(names) { schedulePorts() }
    }

    func release(_ names: Set<String>) {
        if ports.release(names) { schedulePorts() }
    }

    /// Checks all interfaces again because subscribers have come or gone, which they may do as often as they like. Not
    /// at once: one may go in the middle of a step, while an event is on its way to the others.
    private func schedulePorts() {
        guard portsTimer == nil else { return }
        portsTimer = loop.schedule(atNs: portsLookedAtNs + Self.portsIntervalNs) { [unowned self] in
            portsTimer = nil
            portsLookedAtNs = loop.nowNs
            arePortsOutdated = true
            finishStep()
        }
    }

    // MARK: The end of every step

    /// Ends every step: updates the ports that are probed, and the next deadline.
    private func finishStep() {
        if arePortsOutdated { updatePorts() }
        let deadlines = [rtnl.nextDeadlineNs, interfaces.nextDeadlineNs].compactMap(\.self)
        guard let nextNs = deadlines.min() else {
            if let armed { loop.cancel(armed.timer) }
            return armed = nil
        }
        guard nextNs != armed?.atNs else { return }
        if let armed { loop.cancel(armed.timer) }
        armed = (loop.schedule(atNs: nextNs) { [unowned self] in advance() }, nextNs)
    }

    private func advance() {
        armed = nil
        interfaces.advance(nowNs: loop.nowNs)
        take(rtnl.advance(nowNs: loop.nowNs))
    }

    // MARK: From the operator

    /// Reads the configuration again; a file that is refused changes nothing.
    ///
    /// - Returns: why it was refused.
    func reload() -> String? {
        // Before the start is over the service manager has not been told READY, so there is no reload to announce.
        if listener == nil { manager.reloading() }
        defer { if listener == nil { manager.ready(status: statusText) } }
        return readAgain()
    }

    private func readAgain() -> String? {
        do {
            let new = try arguments.configuration()
            warnOfRestart(new)
            configuration = new
            reloads += 1
            reloadError = nil
            try sweep.setIntervals(new.intervalsNs)
            interfaces.adopt(
                new, links: rtnl.links.values.map(\.withParentDevice), nowNs: loop.nowNs, driver: \.driverName)
            // More is published of interfaces that the configuration names now.
            ports.current.keys.forEach(wantDetails)
            arePortsOutdated = true
            finishStep()
            Log.info("the configuration has been read again")
            return nil
        } catch {
            reloadError = "\(error)"
            for line in "\(error)".split(separator: "\n") { Log.error("reload: \(line)") }
            return reloadError
        }
    }

    /// Warns of settings that only a restart can change.
    private func warnOfRestart(_ new: MonitorConfiguration) {
        let settled: [(String, Bool)] = [
            ("socket", new.socket != configuration.socket),
            ("user", new.user != configuration.user),
            (
                "routes",
                new.trackedRoutes != configuration.trackedRoutes || new.routeTables != configuration.routeTables
            ),
            ("receive-buffer", new.receiveBuffer != configuration.receiveBuffer),
            ("history", new.historySize != configuration.historySize),
        ]
        for (name, isChanged) in settled where isChanged {
            Log.warning("reload: the change to \(name) takes effect after a restart")
        }
    }

    var statistics: StatisticsRecord {
        let netlink = rtnl.statistics
        let probes = ProbeTable(
            EvidenceSource.polled.map { ProbeTable.Entry($0.name, ProbeRecord(sweep.statistics($0))) })
        return StatisticsRecord(
            version: Linkwatchd.version, startedRealtimeUsec: startedRealtimeNs / 1000, generation: rtnl.generation,
            seq: hub.seq, interfaces: interfaces.states.count, routes: rtnl.routeCount,
            subscribers: hub.subscriberCount, overflows: hub.overflows, events: hub.seq,
            netlinkMessages: netlink.messages, netlinkIgnored: netlink.ignored,
            netlinkMalformed: netlink.malformed + netlink.foreign, netlinkOverruns: netlink.overruns, resyncs: resyncs,
            dumpRetries: netlink.dumpRetries, inconsistent: !rtnl.degradation.isEmpty,
            degraded: degraded(routes: true),
            mii: ProbeRecord(sweep.statistics(.mii)), driver: ProbeRecord(sweep.statistics(.driver)), probes: probes,
            reloads: reloads, reloadError: reloadError, capabilities: capabilities.names)
    }
}

extension SweepReport {
    /// An answer that arrived after the turn began gets the turn's time: events handled later must not look older.
    fileprivate func asOf(_ turnNs: Int64) -> SweepReport {
        var report = self
        report.atNs = min(report.atNs, turnNs)
        return report
    }
}
