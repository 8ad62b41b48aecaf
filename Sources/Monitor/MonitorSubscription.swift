/// A daemon's view of linkwatchd: the tables of interfaces and routes, kept current over restarts of either side.
///
/// Every connection begins with a snapshot. It is compared with the tables, and only differences are reported, each
/// with the old and the new record: so after a restart of linkwatchd only counters differ. While there is no connection
/// the tables keep their last content and `isCurrent` is false; what to believe then is the owner's decision.
/// Heartbeats tell a daemon that hangs from one that has nothing to report. Reconnecting is tried at growing intervals,
/// for ever.
import LinuxSystem
import Varlink

public final class MonitorSubscription {
    /// What to watch, and how patiently.
    public struct Options: Sendable {
        public var path = MonitorInterface.defaultSocketPath
        /// Names to watch; nil: all.
        public var interfaces: [String]?
        public var routes = true
        /// The interval of the daemon's heartbeats; after three intervals without a message it counts as lost.
        public var heartbeatMs = 500
        /// The first wait before connecting again; it doubles up to `retryNsMax`.
        public var retryNsMin: Int64 = 50_000_000
        public var retryNsMax: Int64 = 2_000_000_000

        public init() {}
    }

    /// A difference, already in the tables.
    public enum Change: Sendable {
        /// New: `before` is nil. Gone: `now` is nil.
        case interface(before: InterfaceRecord?, now: InterfaceRecord?)
        case route(before: RouteRecord?, now: RouteRecord?)
        /// The tables are complete and follow the daemon.
        case synced
        /// The tables follow the daemon, which could not read the kernel whole, for this reason: what they have may be out of
        /// date and something may be missing, until the next `synced`.
        case degraded(String)
        /// The tables no longer follow the daemon; reported once until the next `synced`.
        case lost(VarlinkClientError)
    }

    /// The key of a route.
    public struct RouteIdentity: Hashable, Sendable {
        public var dst: String
        public var table: Int
        public var metric: Int

        public init(dst: String, table: Int, metric: Int) {
            self.dst = dst
            self.table = table
            self.metric = metric
        }

        init(_ route: RouteRecord) {
            self.init(dst: route.dst, table: route.table, metric: route.metric)
        }
    }

    /// By ifindex.
    public private(set) var interfaces: [Int: InterfaceRecord] = [:]
    public private(set) var routes: [RouteIdentity: RouteRecord] = [:]
    /// The tables are complete and follow the daemon.
    public private(set) var isCurrent = false
    /// The tables follow the daemon, which knows that it does not know everything.
    public private(set) var isDegraded = false

    /// Called with every difference.
    public var onChange: ((Change) -> Void)?
    /// Called with every event, after its differences.
    public var onEvent: ((EventRecord) -> Void)?

    private let loop: EventLoop
    private let options: Options
    private var client: VarlinkLoopClient?
    private var timer: EventLoop.TimerID?
    private var retryNs: Int64
    private var lastHeardNs: Int64 = 0
    private var isLostTold = false
    /// Seen in the snapshot that is being received; nil: none is.
    private var seen: (interfaces: Set<Int>, routes: Set<RouteIdentity>)?

    public init(loop: EventLoop, options: Options) {
        self.loop = loop
        self.options = options
        retryNs = options.retryNsMin
    }

    deinit { stop() }

    /// The interface of this name, alternative names included.
    public func interface(named name: String) -> InterfaceRecord? {
        interfaces.values.first { $0.ifname == name } ?? interfaces.values.first { $0.altnames.contains(name) }
    }

    /// Connects now; if that fails, reports `lost` and tries again later.
    public func start() {
        stop()
        connect()
    }

    /// Disconnects. The tables stay; no change is reported.
    public func stop() {
        client?.close()
        client = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        isCurrent = false
        isDegraded = false
        seen = nil
    }

    /// The longest event: an interface with as many alternative names as the kernel can tell of.
    private static let eventBytesMax = 1024 * 1024
    /// How many interfaces, and how many routes, are believed to exist.
    private static let recordsMax = 65_536

    // MARK: Connecting

    private func connect() {
        do throws(VarlinkClientError) {
            let client = try VarlinkLoopClient(
                loop: loop, path: options.path, messageBytesMax: Self.eventBytesMax)
            self.client = client
            client.call("\(MonitorInterface.name).Watch", more: true, encodeParameters) { [unowned self] result in
                take(result)
            }
            client.onClosed = { [unowned self] error in lose(error) }
            seen = ([], [])
            lastHeardNs = loop.nowNs
            awaitWord()
        } catch {
            lose(error)
        }
    }

    private func encodeParameters(into writer: inout JSONWriter) {
        writer.field("interfaces", options.interfaces)
        writer.field("routes", options.routes)
        writer.field("heartbeatMs", options.heartbeatMs)
    }

    /// The connection is of no use any more.
    private func lose(_ error: VarlinkClientError) {
        stop()
        timer = loop.schedule(atNs: loop.nowNs + retryNs) { [unowned self] in
            timer = nil
            connect()
        }
        retryNs = min(retryNs * 2, options.retryNsMax)
        guard !isLostTold else { return }
        isLostTold = true
        onChange?(.lost(error))
    }

    /// One timer that checks whether anything has come: messages are frequent, and moving a timer for each would cost
    /// more.
    private func awaitWord() {
        let dueNs = lastHeardNs + 3 * Int64(options.heartbeatMs) * 1_000_000
        timer = loop.schedule(atNs: dueNs) { [unowned self] in
            timer = nil
            guard loop.nowNs >= lastHeardNs + 3 * Int64(options.heartbeatMs) * 1_000_000 else {
                return awaitWord()
            }
            lose(.timedOut)
        }
    }

    // MARK: Events

    private func take(_ result: Result<VarlinkReply, VarlinkClientError>) {
        switch result {
        case .failure(.refused(let error)): lose(.refused(error))
        // `onClosed` reports it.
        case .failure: return
        case .success(let reply):
            lastHeardNs = loop.nowNs
            do throws(JSON.FieldError) {
                apply(try reply.parameters.decode("event"))
                guard max(interfaces.count, routes.count) <= Self.recordsMax else {
                    (interfaces, routes) = ([:], [:])
                    return lose(.malformed("more than \(Self.recordsMax) interfaces or routes"))
                }
                if !reply.continues, client != nil { lose(.closed) }
            } catch {
                lose(.malformed("\(error)"))
            }
        }
    }

    private func apply(_ event: EventRecord) {
        switch event.kind {
        case .overflow:
            isCurrent = false
            isDegraded = false
            seen = ([], [])
        case .synced: finishSnapshot()
        case .degraded: degrade(event.cause)
        default:
            if let interface = event.interface { update(interface, isGone: event.kind == .removed) }
            if let route = event.route { update(route) }
        }
        onEvent?(event)
    }

    private func update(_ interface: InterfaceRecord, isGone: Bool) {
        let now = isGone ? nil : interface
        let before = interfaces[interface.ifindex]
        interfaces[interface.ifindex] = now
        if isGone { seen?.interfaces.remove(interface.ifindex) } else { seen?.interfaces.insert(interface.ifindex) }
        if before != now { onChange?(.interface(before: before, now: now)) }
    }

    private func update(_ route: RouteRecord) {
        let key = RouteIdentity(route)
        seen?.routes.insert(key)
        guard let before = routes.updateValue(route, forKey: key) else {
            onChange?(.route(before: nil, now: route))
            return
        }
        if before != route { onChange?(.route(before: before, now: route)) }
    }

    /// The mirror is incomplete, so what the snapshot does not show may exist all the same.
    private func degrade(_ why: String) {
        isCurrent = false
        isDegraded = true
        isLostTold = false
        retryNs = options.retryNsMin
        onChange?(.degraded(why))
    }

    /// What a complete snapshot does not show has gone while we were not connected. After `degraded` the daemon reports
    /// each difference.
    private func finishSnapshot() {
        guard seen != nil || isDegraded else { return }
        isDegraded = false
        if let seen { forgetUnseen(seen.interfaces, seen.routes) }
        // The owner may have stopped the subscription meanwhile.
        guard client != nil else { return }
        isCurrent = true
        isLostTold = false
        retryNs = options.retryNsMin
        onChange?(.synced)
    }

    private func forgetUnseen(_ seenInterfaces: Set<Int>, _ seenRoutes: Set<RouteIdentity>) {
        seen = nil
        for (ifindex, before) in interfaces where !seenInterfaces.contains(ifindex) {
            interfaces[ifindex] = nil
            onChange?(.interface(before: before, now: nil))
        }
        for (key, before) in routes where !seenRoutes.contains(key) {
            routes[key] = nil
            onChange?(.route(before: before, now: nil))
        }
    }
}
