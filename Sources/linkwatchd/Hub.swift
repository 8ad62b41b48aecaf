/// Subscribers, and what each of them is still to be sent.
///
/// A subscriber gets a snapshot, `synced`, then changes. An event is encoded once and the same bytes go to everyone who
/// wants it. A snapshot goes interface by interface in the order of ifindex, with a mark at the next one. A change behind
/// the mark is sent, one ahead of it will be in the snapshot. A subscriber that cannot keep up loses nothing but the steps
/// in between (`SnapshotStream`).
///
/// `synced` says that the mirror is whole. While it is being compared with the kernel after a loss, `synced` waits; where it
/// cannot be made whole, `degraded` is said instead, and `synced` when it is.
import LinuxSystem
import Monitor
import Varlink

/// Where the hub finds what there is.
protocol HubSource: AnyObject {
    /// The kernel mirror's generation.
    var generation: Int { get }
    /// Why the interfaces, or with `routes` those as well, may be missing or out of date; nil: they are not.
    func degraded(routes: Bool) -> String?
    /// Whether the kernel's messages were lost and it is being asked again.
    func isResyncing(routes: Bool) -> Bool
    /// All tracked routes.
    var routeRecords: [RouteRecord] { get }
    /// The first interface with at least this ifindex; nil: none.
    func firstRecord(from ifindex: Int) -> InterfaceRecord?
    /// A subscriber asks for interfaces of these names.
    func request(_ names: Set<String>)
    /// One that asked for them is gone.
    func release(_ names: Set<String>)
}

final class Hub {
    private final class Subscriber: SnapshotStream {
        enum Phase {
            /// The snapshot goes on with this ifindex.
            case interfaces(from: Int)
            /// The snapshot goes on with this route.
            case routes(from: Int)
            /// Everything known has been sent, but the mirror is not complete: `synced` is still to come, or `degraded`
            /// was sent instead.
            case incomplete(told: String?)
            /// All is sent; changes follow.
            case live
        }

        /// How many interfaces are looked at in one turn.
        static let stepsInTurn = 32

        let call: VarlinkCall
        /// The names it wants, all without it.
        let names: Set<String>?
        let wantsRoutes: Bool
        let heartbeatNs: Int64?
        var phase = Phase.interfaces(from: 0)
        var isBehind = false
        var heartbeat: EventLoop.TimerID?
        private unowned let hub: Hub

        init(_ hub: Hub, _ call: VarlinkCall, names: Set<String>?, wantsRoutes: Bool, heartbeatNs: Int64?) {
            self.hub = hub
            self.call = call
            self.names = names
            self.wantsRoutes = wantsRoutes
            self.heartbeatNs = heartbeatNs
        }

        func step() -> SnapshotStep { hub.step(self) }

        func beginAnew() { phase = .interfaces(from: 0) }

        func overflow() -> SharedBytes { hub.encode(.overflow, cause: "slow reader", nowNs: hub.loop.nowNs) }

        func caughtUp() {
            if case .incomplete = phase { hub.conclude(self, cause: "netlink", nowNs: hub.loop.nowNs) }
        }

        /// Whether it wants this interface, by a name that it has or has had.
        func wants(_ record: InterfaceRecord, formerNames: [String] = []) -> Bool {
            guard let names else { return true }
            return names.contains(record.ifname) || record.altnames.contains(where: names.contains)
                || formerNames.contains(where: names.contains)
        }
    }

    private let loop: EventLoop
    private unowned let source: any HubSource
    private var subscribers: [ObjectIdentifier: Subscriber] = [:]
    /// Those of users who are trusted: told first, as a thousand others take milliseconds.
    private var trustedSubscribers: [ObjectIdentifier: Subscriber] = [:]
    /// The heartbeat that was encoded last.
    private var heartbeat: (atNs: Int64, seq: Int, bytes: SharedBytes)?
    /// The number of the last event.
    private(set) var seq = 0
    /// How often a subscriber's queue was full.
    private(set) var overflows = 0

    init(loop: EventLoop, source: any HubSource) {
        self.loop = loop
        self.source = source
    }

    var subscriberCount: Int { trustedSubscribers.count + subscribers.count }

    // MARK: Subscribing

    /// Takes a `Watch` call; its parameters are in range.
    func subscribe(_ call: VarlinkCall, names: Set<String>?, wantsRoutes: Bool, heartbeatNs: Int64?) {
        let subscriber = Subscriber(self, call, names: names, wantsRoutes: wantsRoutes, heartbeatNs: heartbeatNs)
        if call.isTrusted {
            trustedSubscribers[ObjectIdentifier(call)] = subscriber
        } else {
            subscribers[ObjectIdentifier(call)] = subscriber
        }
        call.onClosed = { [unowned self, unowned call] in unsubscribe(call) }
        if let names { source.request(names) }
        subscriber.start()
        scheduleHeartbeat(subscriber, atNs: loop.nowNs)
    }

    private func unsubscribe(_ call: VarlinkCall) {
        let id = ObjectIdentifier(call)
        guard let subscriber = trustedSubscribers.removeValue(forKey: id) ?? subscribers.removeValue(forKey: id)
        else { return }
        if let timer = subscriber.heartbeat { loop.cancel(timer) }
        if let names = subscriber.names { source.release(names) }
    }

    /// One interface of the snapshot, or all routes that fit.
    private func step(_ subscriber: Subscriber) -> SnapshotStep {
        switch subscriber.phase {
        case .interfaces(let from):
            guard let record = source.firstRecord(from: from) else {
                subscriber.phase = .routes(from: 0)
                return .done
            }
            if subscriber.wants(record) {
                let event = encode(.snapshot, cause: "snapshot", interface: record, nowNs: loop.nowNs)
                guard subscriber.call.offer(event) else { return .refused }
            }
            subscriber.phase = .interfaces(from: record.ifindex + 1)
            return .done
        case .routes(let from):
            let routes = subscriber.wantsRoutes ? source.routeRecords : []
            for (index, route) in routes.enumerated().dropFirst(from) {
                let event = encode(.snapshot, cause: "snapshot", route: route, nowNs: loop.nowNs)
                guard subscriber.call.offer(event) else {
                    subscriber.phase = .routes(from: index)
                    return .refused
                }
            }
            subscriber.phase = .incomplete(told: nil)
            conclude(subscriber, cause: "snapshot", nowNs: loop.nowNs)
            return .end
        case .incomplete, .live: return .end
        }
    }

    /// Sends `synced` or `degraded` to a subscriber that waits for it. If its queue is full, this is tried again when
    /// the queue has drained.
    private func conclude(_ subscriber: Subscriber, cause: String, nowNs: Int64) {
        guard !subscriber.isBehind else { return }
        var told: String?
        switch subscriber.phase {
        case .interfaces, .routes: return
        case .incomplete(let before): told = before
        case .live: break
        }
        if let why = source.degraded(routes: subscriber.wantsRoutes) {
            guard why != told else { return }
            let isSent = subscriber.call.send(encode(.degraded, cause: why, nowNs: nowNs))
            subscriber.phase = .incomplete(told: isSent ? why : told)
        } else if case .incomplete = subscriber.phase, !source.isResyncing(routes: subscriber.wantsRoutes),
            subscriber.call.send(encode(.synced, cause: cause, nowNs: nowNs))
        {
            subscriber.phase = .live
        }
    }

    // MARK: Publishing

    /// Tells of an interface.
    ///
    /// - Parameter formerNames: names that it has no longer, for those who asked for one of them.
    func publish(
        _ kind: EventKind, cause: String, interface record: InterfaceRecord, formerNames: [String] = [], atNs: Int64
    ) {
        fanOut(encode(kind, cause: cause, interface: record, nowNs: atNs)) { subscriber in
            guard subscriber.wants(record, formerNames: formerNames) else { return false }
            switch subscriber.phase {
            case .interfaces(let from): return record.ifindex < from
            case .routes, .incomplete, .live: return true
            }
        }
    }

    /// Tells of a route.
    func publish(route record: RouteRecord, cause: String, atNs: Int64) {
        fanOut(encode(.route, cause: cause, route: record, nowNs: atNs)) { subscriber in
            guard subscriber.wantsRoutes else { return false }
            switch subscriber.phase {
            case .interfaces: return false
            // Routes have no order, so there is no telling whether a change lies behind the mark or ahead of it: a
            // snapshot of routes that waits for its reader starts again.
            case .routes(let from):
                if from > 0 { subscriber.phase = .routes(from: 0) }
                return false
            case .incomplete, .live: return true
            }
        }
    }

    private var everybody: [Subscriber] { Array(trustedSubscribers.values) + subscribers.values }

    /// The mirror has become complete, or cannot be: subscribers that have not been told yet are told.
    func mirrorChanged(atNs: Int64) {
        let isNews = everybody.contains { subscriber in
            if subscriber.isBehind { return false }
            if case .live = subscriber.phase { return source.degraded(routes: subscriber.wantsRoutes) != nil }
            if case .incomplete = subscriber.phase { return true }
            return false
        }
        guard isNews else { return }
        seq += 1
        for subscriber in everybody { conclude(subscriber, cause: "netlink", nowNs: atNs) }
    }

    /// Tells everyone that the mirror is being compared with the kernel.
    func publishResync(atNs: Int64) {
        fanOut(encode(.resync, cause: "netlink overrun", nowNs: atNs)) { _ in true }
    }

    private func fanOut(_ message: @autoclosure () -> SharedBytes, to wants: (Subscriber) -> Bool) {
        seq += 1
        var encoded: SharedBytes?
        for group in [trustedSubscribers, subscribers] {
            for subscriber in group.values where !subscriber.isBehind && wants(subscriber) {
                let bytes = encoded ?? message()
                encoded = bytes
                if !subscriber.tell(bytes) { overflows += 1 }
            }
        }
    }

    // MARK: Heartbeats

    private func scheduleHeartbeat(_ subscriber: Subscriber, atNs: Int64) {
        guard let intervalNs = subscriber.heartbeatNs else { return }
        subscriber.heartbeat = loop.schedule(atNs: atNs + intervalNs) { [unowned self, weak subscriber] in
            guard let subscriber, subscriber.call.isOpen else { return }
            let nowNs = loop.nowNs
            if case .live = subscriber.phase, !subscriber.isBehind, subscriber.call.queuedBytes == 0 {
                _ = subscriber.call.send(encodedHeartbeat(nowNs: nowNs))
            }
            // On the grid, unless the process was stopped for longer than that.
            scheduleHeartbeat(subscriber, atNs: max(atNs + intervalNs, nowNs - intervalNs))
        }
    }

    /// The same bytes for all that are due in one turn.
    private func encodedHeartbeat(nowNs: Int64) -> SharedBytes {
        if let heartbeat, heartbeat.atNs == nowNs, heartbeat.seq == seq { return heartbeat.bytes }
        let bytes = encode(.heartbeat, cause: "timer", nowNs: nowNs)
        heartbeat = (nowNs, seq, bytes)
        return bytes
    }

    // MARK: Encoding

    private func encode(
        _ kind: EventKind, cause: String, interface: InterfaceRecord? = nil, route: RouteRecord? = nil, nowNs: Int64
    ) -> SharedBytes {
        let event = EventRecord(
            seq: seq, generation: source.generation, kind: kind, cause: cause, monotonicUsec: nowNs / 1000,
            realtimeUsec: (Clock.realtimeNs() - Clock.monotonicNs() + nowNs) / 1000, interface: interface, route: route)
        return event.reply
    }
}
