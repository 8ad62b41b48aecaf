/// What `Watch` and `Dump` tell: events, routes, and everything at once.
import Varlink

/// What an event is. A kind that this version does not know is kept as it came.
public struct EventKind: RawRepresentable, ExpressibleByStringLiteral, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }

    /// One interface or route of what there is.
    public static let snapshot: EventKind = "snapshot"
    /// What the kernel has could not be read whole, for the reason in `cause`: interfaces or routes may be missing or out of
    /// date, until `synced`. It takes the place of `synced` at the end of a snapshot.
    public static let degraded: EventKind = "degraded"
    /// The snapshot is complete, and what the kernel has was read whole.
    public static let synced: EventKind = "synced"
    /// An interface has appeared.
    public static let added: EventKind = "added"
    /// An interface is not as it was.
    public static let changed: EventKind = "changed"
    /// An interface has gone.
    public static let removed: EventKind = "removed"
    /// An interface has another name.
    public static let renamed: EventKind = "renamed"
    /// A link was down between two polls and is up.
    public static let flap: EventKind = "flap"
    /// A route is not as it was.
    public static let route: EventKind = "route"
    /// The daemon has lost messages of the kernel and compares its mirror; differences follow as events.
    public static let resync: EventKind = "resync"
    /// This subscriber was too slow; a fresh snapshot follows.
    public static let overflow: EventKind = "overflow"
    /// Nothing has happened.
    public static let heartbeat: EventKind = "heartbeat"
}

extension EventKind: JSONEncodable, JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) { rawValue = try String(decoding: value) }
    public func encode(into writer: inout JSONWriter) { writer.value(rawValue) }
}

/// A tracked route.
public struct RouteRecord: MonitorRecord {
    /// `192.0.2.0/24`; the default routes are `0.0.0.0/0` and `::/0`.
    public var dst: String
    /// 254 is the main one.
    public var table: Int
    /// Who made it; see rtnetlink(7).
    public var `protocol`: Int
    /// The lowest wins.
    public var metric: Int
    /// As `ip route` prints it.
    public var type: String
    /// The next routers.
    public var gateways: [String]
    /// The interfaces of its next hops.
    public var ifindexes: [Int]
    /// It exists and leads over an interface that works.
    public var present: Bool
    /// The kernel did not announce its loss.
    public var inferred: Bool

    public init(
        dst: String, table: Int = 254, `protocol`: Int = 0, metric: Int = 0, type: String = "unicast",
        gateways: [String] = [], ifindexes: [Int] = [], present: Bool = true, inferred: Bool = false
    ) {
        self.dst = dst
        self.table = table
        self.`protocol` = `protocol`
        self.metric = metric
        self.type = type
        self.gateways = gateways
        self.ifindexes = ifindexes
        self.present = present
        self.inferred = inferred
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        dst = try object.decode("dst")
        table = try object.decode("table")
        `protocol` = try object.decode("protocol")
        metric = try object.decode("metric")
        type = try object.decode("type")
        gateways = try object.decode("gateways")
        ifindexes = try object.decode("ifindexes")
        present = try object.decode("present")
        inferred = try object.decode("inferred")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("dst", dst)
        writer.field("table", table)
        writer.field("protocol", `protocol`)
        writer.field("metric", metric)
        writer.field("type", type)
        writer.field("gateways", gateways)
        writer.field("ifindexes", ifindexes)
        writer.field("present", present)
        writer.field("inferred", inferred)
    }
}

/// One event.
public struct EventRecord: MonitorRecord {
    /// Rises by one with every event of the daemon; filters leave gaps.
    public var seq: Int
    /// How often the mirror was built anew.
    public var generation: Int
    /// What this is.
    public var kind: EventKind
    /// What brought it about, in words for an operator.
    public var cause: String
    /// CLOCK_MONOTONIC.
    public var monotonicUsec: Int64
    /// CLOCK_REALTIME.
    public var realtimeUsec: Int64
    /// The interface as it is now; for `removed`: as it was.
    public var interface: InterfaceRecord?
    /// The route as it is now.
    public var route: RouteRecord?

    public init(
        seq: Int = 0, generation: Int = 0, kind: EventKind, cause: String = "", monotonicUsec: Int64 = 0,
        realtimeUsec: Int64 = 0, interface: InterfaceRecord? = nil, route: RouteRecord? = nil
    ) {
        self.seq = seq
        self.generation = generation
        self.kind = kind
        self.cause = cause
        self.monotonicUsec = monotonicUsec
        self.realtimeUsec = realtimeUsec
        self.interface = interface
        self.route = route
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        seq = try object.decode("seq")
        generation = try object.decode("generation")
        kind = try object.decode("kind")
        cause = try object.decode("cause")
        monotonicUsec = try object.decode("monotonicUsec")
        realtimeUsec = try object.decode("realtimeUsec")
        interface = try object.decodeIfPresent("interface")
        route = try object.decodeIfPresent("route")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("seq", seq)
        writer.field("generation", generation)
        writer.field("kind", kind)
        writer.field("cause", cause)
        writer.field("monotonicUsec", monotonicUsec)
        writer.field("realtimeUsec", realtimeUsec)
        writer.field("interface", interface)
        writer.field("route", route)
    }

    /// The reply that carries it, to be encoded once and sent to everyone.
    public var reply: SharedBytes {
        SharedBytes.reply(continues: true) { writer in writer.field("event", self) }
    }
}

/// Everything now.
public struct DumpRecord: MonitorRecord {
    /// How often the mirror was built anew.
    public var generation: Int
    /// The last event that it includes.
    public var seq: Int
    /// All of them, or this reply's.
    public var interfaces: [InterfaceRecord]
    /// Those that are tracked.
    public var routes: [RouteRecord]
    /// Why interfaces or routes may be missing or out of date; nil: they are not.
    public var degraded: String?

    public init(
        generation: Int = 0, seq: Int = 0, interfaces: [InterfaceRecord] = [], routes: [RouteRecord] = [],
        degraded: String? = nil
    ) {
        self.degraded = degraded
        self.generation = generation
        self.seq = seq
        self.interfaces = interfaces
        self.routes = routes
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        generation = try object.decode("generation")
        seq = try object.decode("seq")
        interfaces = try object.decode("interfaces")
        routes = try object.decode("routes")
        degraded = try object.decodeIfPresent("degraded")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("generation", generation)
        writer.field("seq", seq)
        writer.field("interfaces", interfaces)
        writer.field("routes", routes)
        writer.field("degraded", degraded)
    }
}
