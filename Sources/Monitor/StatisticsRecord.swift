/// What `History` and `Statistics` tell.
import Varlink

/// One change that is remembered.
public struct TransitionRecord: MonitorRecord {
    /// Whose.
    public var ifindex: Int
    /// Its name at that time.
    public var ifname: String
    /// `raw`, `settled`, `flap`, `added`, `renamed` or `removed`.
    public var scope: String
    /// The new state, for `raw` and `settled`.
    public var state: String?
    /// The evidence that says down, or the former name, or the number of drops.
    public var reason: String?
    /// CLOCK_MONOTONIC.
    public var monotonicUsec: Int64
    /// CLOCK_REALTIME.
    public var realtimeUsec: Int64

    public init(
        ifindex: Int = 0, ifname: String = "", scope: String = "", state: String? = nil, reason: String? = nil,
        monotonicUsec: Int64 = 0, realtimeUsec: Int64 = 0
    ) {
        self.ifindex = ifindex
        self.ifname = ifname
        self.scope = scope
        self.state = state
        self.reason = reason
        self.monotonicUsec = monotonicUsec
        self.realtimeUsec = realtimeUsec
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        ifindex = try object.decode("ifindex")
        ifname = try object.decode("ifname")
        scope = try object.decode("scope")
        state = try object.decodeIfPresent("state")
        reason = try object.decodeIfPresent("reason")
        monotonicUsec = try object.decode("monotonicUsec")
        realtimeUsec = try object.decode("realtimeUsec")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("ifindex", ifindex)
        writer.field("ifname", ifname)
        writer.field("scope", scope)
        writer.field("state", state)
        writer.field("reason", reason)
        writer.field("monotonicUsec", monotonicUsec)
        writer.field("realtimeUsec", realtimeUsec)
    }
}

/// One bar of a histogram.
public struct BucketRecord: MonitorRecord {
    /// The upper bound, microseconds; nil: none.
    public var le: Int?
    /// Readings within it that no smaller bound holds.
    public var count: Int

    public init(
        le: Int?, count: Int
    ) {
        self.le = le
        self.count = count
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        le = try object.decodeIfPresent("le")
        count = try object.decode("count")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("le", le)
        writer.field("count", count)
    }
}

/// One prober's work since the start.
public struct ProbeRecord: MonitorRecord {
    /// How many it asks.
    public var ports: Int
    /// How often it asks.
    public var intervalUsec: Int
    /// Sweeps so far.
    public var polls: Int
    /// Questions so far.
    public var ioctls: Int
    /// Sweeps that missed their deadline.
    public var overruns: Int
    /// The longest wait right now.
    public var staleMs: Int
    /// The slowest answer so far.
    public var latencyMaxUsec: Int
    /// All answers together.
    public var latencySumUsec: Int
    /// Answers by their time.
    public var latency: [BucketRecord]

    public init(
        ports: Int = 0, intervalUsec: Int = 0, polls: Int = 0, ioctls: Int = 0, overruns: Int = 0, staleMs: Int = 0,
        latencyMaxUsec: Int = 0, latencySumUsec: Int = 0, latency: [BucketRecord] = []
    ) {
        self.ports = ports
        self.intervalUsec = intervalUsec
        self.polls = polls
        self.ioctls = ioctls
        self.overruns = overruns
        self.staleMs = staleMs
        self.latencyMaxUsec = latencyMaxUsec
        self.latencySumUsec = latencySumUsec
        self.latency = latency
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        ports = try object.decode("ports")
        intervalUsec = try object.decode("intervalUsec")
        polls = try object.decode("polls")
        ioctls = try object.decode("ioctls")
        overruns = try object.decode("overruns")
        staleMs = try object.decode("staleMs")
        latencyMaxUsec = try object.decode("latencyMaxUsec")
        latencySumUsec = try object.decode("latencySumUsec")
        latency = try object.decode("latency")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("ports", ports)
        writer.field("intervalUsec", intervalUsec)
        writer.field("polls", polls)
        writer.field("ioctls", ioctls)
        writer.field("overruns", overruns)
        writer.field("staleMs", staleMs)
        writer.field("latencyMaxUsec", latencyMaxUsec)
        writer.field("latencySumUsec", latencySumUsec)
        writer.field("latency", latency)
    }
}

/// Counters since the start.
public struct StatisticsRecord: MonitorRecord {
    /// The daemon's.
    public var version: String
    /// CLOCK_REALTIME.
    public var startedRealtimeUsec: Int64
    /// How often the mirror was built anew.
    public var generation: Int
    /// The last event's.
    public var seq: Int
    /// Now.
    public var interfaces: Int
    /// Tracked now.
    public var routes: Int
    /// Now.
    public var subscribers: Int
    /// Subscribers that fell behind, so far.
    public var overflows: Int
    /// Published so far.
    public var events: Int
    /// Taken in.
    public var netlinkMessages: Int
    /// Of no interest.
    public var netlinkIgnored: Int
    /// Not understood.
    public var netlinkMalformed: Int
    /// Times that the kernel dropped some.
    public var netlinkOverruns: Int
    /// Times that the mirror was compared with the kernel.
    public var resyncs: Int
    /// Dumps that were interrupted.
    public var dumpRetries: Int
    /// The mirror may be wrong until the next dump.
    public var inconsistent: Bool
    /// What the kernel has could not be read whole, and why; nil: it was.
    public var degraded: String?
    /// The register sweep.
    public var mii: ProbeRecord
    /// The fast probe.
    public var driver: ProbeRecord
    /// Every prober, those two among them, by the name of its source; nil: the daemon is too old to say.
    public var probes: ProbeTable?
    /// Configurations taken over.
    public var reloads: Int
    /// Why the last one was refused.
    public var reloadError: String?
    /// What the process may do.
    public var capabilities: [String]

    public init(
        version: String = "", startedRealtimeUsec: Int64 = 0, generation: Int = 0, seq: Int = 0, interfaces: Int = 0,
        routes: Int = 0, subscribers: Int = 0, overflows: Int = 0, events: Int = 0, netlinkMessages: Int = 0,
        netlinkIgnored: Int = 0, netlinkMalformed: Int = 0, netlinkOverruns: Int = 0, resyncs: Int = 0,
        dumpRetries: Int = 0, inconsistent: Bool = false, degraded: String? = nil, mii: ProbeRecord = ProbeRecord(),
        driver: ProbeRecord = ProbeRecord(), probes: ProbeTable? = nil, reloads: Int = 0, reloadError: String? = nil,
        capabilities: [String] = []
    ) {
        self.version = version
        self.startedRealtimeUsec = startedRealtimeUsec
        self.generation = generation
        self.seq = seq
        self.interfaces = interfaces
        self.routes = routes
        self.subscribers = subscribers
        self.overflows = overflows
        self.events = events
        self.netlinkMessages = netlinkMessages
        self.netlinkIgnored = netlinkIgnored
        self.netlinkMalformed = netlinkMalformed
        self.netlinkOverruns = netlinkOverruns
        self.resyncs = resyncs
        self.dumpRetries = dumpRetries
        self.inconsistent = inconsistent
        self.degraded = degraded
        self.mii = mii
        self.driver = driver
        self.probes = probes
        self.reloads = reloads
        self.reloadError = reloadError
        self.capabilities = capabilities
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        version = try object.decode("version")
        startedRealtimeUsec = try object.decode("startedRealtimeUsec")
        generation = try object.decode("generation")
        seq = try object.decode("seq")
        interfaces = try object.decode("interfaces")
        routes = try object.decode("routes")
        subscribers = try object.decode("subscribers")
        overflows = try object.decode("overflows")
        events = try object.decode("events")
        netlinkMessages = try object.decode("netlinkMessages")
        netlinkIgnored = try object.decode("netlinkIgnored")
        netlinkMalformed = try object.decode("netlinkMalformed")
        netlinkOverruns = try object.decode("netlinkOverruns")
        resyncs = try object.decode("resyncs")
        dumpRetries = try object.decode("dumpRetries")
        inconsistent = try object.decode("inconsistent")
        degraded = try object.decodeIfPresent("degraded")
        mii = try object.decode("mii")
        driver = try object.decode("driver")
        probes = try object.decodeIfPresent("probes")
        reloads = try object.decode("reloads")
        reloadError = try object.decodeIfPresent("reloadError")
        capabilities = try object.decode("capabilities")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("version", version)
        writer.field("startedRealtimeUsec", startedRealtimeUsec)
        writer.field("generation", generation)
        writer.field("seq", seq)
        writer.field("interfaces", interfaces)
        writer.field("routes", routes)
        writer.field("subscribers", subscribers)
        writer.field("overflows", overflows)
        writer.field("events", events)
        writer.field("netlinkMessages", netlinkMessages)
        writer.field("netlinkIgnored", netlinkIgnored)
        writer.field("netlinkMalformed", netlinkMalformed)
        writer.field("netlinkOverruns", netlinkOverruns)
        writer.field("resyncs", resyncs)
        writer.field("dumpRetries", dumpRetries)
        writer.field("inconsistent", inconsistent)
        writer.field("degraded", degraded)
        writer.field("mii", mii)
        writer.field("driver", driver)
        writer.field("probes", probes)
        writer.field("reloads", reloads)
        writer.field("reloadError", reloadError)
        writer.field("capabilities", capabilities)
    }
}
