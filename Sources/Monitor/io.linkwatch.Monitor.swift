/// The records of `io.linkwatch.Monitor`, written by `make generate`: change io.linkwatch.Monitor.varlink instead.
///
/// Records are for the wire and keep its types: enumerations are strings, so a consumer takes a daemon that is
/// newer than itself. Unknown fields are ignored, missing ones named.
// swift-format-ignore-file
import Varlink

extension MonitorInterface {
    /// The interface description, in varlink's own language.
    public static let description = #"""
        # The state of every network interface of one network namespace, and the evidence for it.
        # All times named ...Usec are microseconds, monotonic ones of CLOCK_MONOTONIC, which stands still while the machine
        # sleeps; boottime ones of CLOCK_BOOTTIME, which does not.
        interface io.linkwatch.Monitor

        # One interface, and the evidence for its state.
        type Interface (
          # The kernel's number for it. Events of one interface have the same number; the name may change.
          ifindex: int,
          # The name. To the kernel it is a string of bytes: a byte that is not UTF-8 is published as `\xff`, and a backslash
          # that would look like the beginning of such an escape as `\x5c`.
          ifname: string,
          # Alternative names, written in the same way.
          altnames: []string,
          # The kind of a virtual interface, such as `bridge` or `vlan`.
          kind: ?string,
          # The kernel driver, as ethtool(8) prints it.
          driver: ?string,
          # The link-layer address.
          address: ?string,
          # The MTU in bytes.
          mtu: int,
          # The ifindex of the bridge, bond or VRF that it is a port of.
          master: ?int,
          # The ifindex of the interface beneath it, or of its peer. Absent if there is none, or if it is in another network
          # namespace.
          link: ?int,
          # The number of that other namespace, as `ip netns list-id` lists it in this one.
          linkNetnsid: ?int,
          # The kernel's flags, such as `UP` and `LOWER_UP`.
          flags: []string,
          # The reasons why programs keep the interface down: numbers of bits, as `ip -json link` prints reasons without a name
          # in `proto_down_reason`. The list may be empty. Absent if no program keeps it down.
          protoDown: ?[]string,
          # The operational state of RFC 2863: `unknown`, `notpresent`, `down`, `lowerlayerdown`, `testing`, `dormant` or `up`.
          operstate: string,
          # The settled state, `up` or `down`: after hold times and dampening.
          state: string,
          # The state before hold times and dampening.
          rawState: string,
          # The source that says down; absent while the raw state is up.
          reason: ?string,
          # When the settled state last changed, in microseconds of CLOCK_MONOTONIC.
          since: int,
          # The same instant, of CLOCK_BOOTTIME. Older daemons do not send it.
          sinceBoottimeUsec: ?int,
          # By source: `admin`, `mii`, `driver`, `carrier` and `operstate`, as linkwatchd(8) explains them.
          evidence: [string]Evidence,
          # The PHY, if it can be read.
          mii: ?MII,
          # In Mb/s. Speed, duplex, autonegotiation and the PHY are known for physical ports and for interfaces that the
          # configuration names or has probed. They are read again every 2 seconds.
          speed: ?int,
          # `full` or `half`.
          duplex: ?string,
          # Whether speed and duplex were negotiated.
          autoneg: ?bool,
          # The link partner does not negotiate, and this end may have chosen the wrong duplex.
          duplexMismatchSuspected: bool,
          # The kernel's own count of carrier changes.
          carrierChanges: int,
          # How often the link went down since the daemon first saw it, including losses between two polls.
          flaps: int,
          # How often the raw state changed since then.
          transitions: int,
          # Present if dampening is configured.
          dampening: ?Dampening,
          # The PHY and the kernel disagree.
          disagreement: bool,
          # What an operator should know besides the state: `mii-stale`, `mii-lost`, `driver-stale`, `driver-lost`,
          # `disagreement`, `dampened`, `protodown`.
          conditions: []string
        )

        # What one source says of an interface.
        type Evidence (
          # `up`, `down`, `unsupported` or `stale`.
          state: string,
          # The last answer that was up or down, while the source is stale.
          last: ?string,
          # Whether the answer counts for the state. A PHY counts only after its link bit has been seen set, because some ports
          # never set it.
          counted: bool,
          # When that answer was last confirmed, of CLOCK_MONOTONIC.
          confirmedUsec: ?int,
          # In words: why the source is unsupported or stale, or how it was read.
          detail: ?string
        )

        # The PHY's registers, decoded.
        type MII (
          # The PHY's address on the management bus, 0 to 31.
          phy: int,
          # The control register as it was read.
          bmcr: int,
          # The status register as it was read.
          bmsr: int,
          # Registers 2 and 3; register 2 is the upper half.
          phyId: int,
          # The link bit as it is now. It latches a loss, so it is read again if it says down.
          link: bool,
          # Whether autonegotiation is enabled.
          autoneg: bool,
          # Whether autonegotiation has ended.
          autonegComplete: bool,
          # The link partner reports a fault.
          remoteFault: bool,
          # The PHY is cut off from its MAC.
          isolate: bool,
          # The PHY is in loopback mode.
          loopback: bool,
          # The PHY is switched off.
          powerDown: bool,
          # The modes that this end offers, such as `100baseTx-FD`.
          advertised: []string,
          # The modes that the link partner offers.
          partner: []string,
          # In Mb/s, as the registers have it.
          speed: ?int,
          # `full` or `half`, as the registers have it.
          duplex: ?string,
          # The link partner does not negotiate, and this end may have chosen the wrong duplex.
          duplexMismatchSuspected: bool
        )

        # The penalty of an interface that flaps.
        type Dampening (
          # The present penalty.
          penalty: int,
          # Whether the interface is held down.
          suppressed: bool,
          # When it will be used again, of CLOCK_MONOTONIC, if it does not flap until then.
          reuseUsec: ?int
        )

        # A tracked route.
        type Route (
          # The destination as a prefix; the default routes are `0.0.0.0/0` and `::/0`.
          dst: string,
          # The routing table; 254 is the main one.
          table: int,
          # Who added it, a number of rtnetlink(7).
          protocol: int,
          # The metric; the lowest wins.
          metric: int,
          # The type, such as `unicast` or `blackhole`.
          type: string,
          # The addresses of its next hops.
          gateways: []string,
          # The interfaces of its next hops.
          ifindexes: []int,
          # It exists, and leads over an interface that works.
          present: bool,
          # Its loss was inferred from that of a link or an address, since the kernel does not announce it.
          inferred: bool
        )

        # Something that has happened, or the state when a watch begins.
        type Event (
          # Rises by one with every event published; a subscriber that watches only some interfaces sees gaps.
          seq: int,
          # Rises when the daemon has read everything from the kernel again.
          generation: int,
          # The kind of the event.
          # - snapshot: An interface or a route as it is when the watch begins, or after an `overflow`.
          # - synced: The snapshot is complete, and the daemon's copy agrees with the kernel.
          # - degraded: The kernel's lists could not be read completely, for the reason in `cause`: interfaces or routes may be
          #   missing or out of date. It replaces `synced` at the end of a snapshot, or comes later; `synced` follows when
          #   everything has been read. The results of the probes are not affected.
          # - added: A new interface.
          # - changed: Its state, its evidence or an attribute differs.
          # - removed: The interface is gone, or has moved to another network namespace.
          # - renamed: The interface has another name.
          # - flap: The link went down and up again between two polls; the state has not changed.
          # - route: A tracked route was added, changed or removed.
          # - resync: Messages of the kernel were lost and everything was read again; the differences follow as ordinary events.
          # - overflow: This subscriber was too slow. It must forget what it knew; a new snapshot follows, and `synced`.
          # - heartbeat: Nothing happened for the interval that was asked for.
          kind: string,
          # What caused it, for people.
          cause: string,
          # When it was observed, of CLOCK_MONOTONIC.
          monotonicUsec: int,
          # The same instant since the epoch.
          realtimeUsec: int,
          # The whole interface after the event; if it was removed, as it last was.
          interface: ?Interface,
          # The same for a route.
          route: ?Route
        )

        # A change that the history keeps.
        type Transition (
          # The interface's number.
          ifindex: int,
          # Its name at that time.
          ifname: string,
          # `raw`, `settled`, `flap`, `added`, `renamed` or `removed`.
          scope: string,
          # The new state, for `raw` and `settled`.
          state: ?string,
          # The source that says down, or the former name, or how often the link went down.
          reason: ?string,
          # When, of CLOCK_MONOTONIC.
          monotonicUsec: int,
          # The same instant since the epoch.
          realtimeUsec: int
        )

        # The work of one prober since the start.
        type Probe (
          # How many ports are asked.
          ports: int,
          # The time between two rounds, in each of which every port is asked once.
          intervalUsec: int,
          # Ports asked so far.
          polls: int,
          # System calls made to ask them.
          ioctls: int,
          # Rounds that missed their deadline.
          overruns: int,
          # The longest that a port keeps the prober waiting right now, in milliseconds.
          staleMs: int,
          # The slowest reading so far.
          latencyMaxUsec: int,
          # The time that all readings took together.
          latencySumUsec: int,
          # How long a reading took.
          latency: []Bucket
        )

        # One bar of a histogram.
        type Bucket (
          # The upper bound in microseconds; absent for the last.
          le: ?int,
          # Readings in this bucket and no lower one.
          count: int
        )

        # The present state of everything. Called with `more`, each answer has one interface, and the last one has the routes.
        #
        # The kernel does not announce an alternative name that is given to an interface that is down. This method, and all
        # others but `Statistics`, make the daemon ask for such names, at most once a second.
        method Dump() -> (
          # How often the daemon has read everything from the kernel again.
          generation: int,
          # The number of the last event before this state.
          seq: int,
          # All interfaces, or that of this answer.
          interfaces: []Interface,
          # The tracked routes.
          routes: []Route,
          # Why interfaces or routes may be missing or out of date. Absent unless the kernel's lists could not be read
          # completely.
          degraded: ?string
        )

        # Events without end. First the whole state as events of kind `snapshot`. Then one of kind `synced`, or `degraded` if
        # the snapshot may be incomplete. Then every change. Only with `more`; without it the error is
        # `org.varlink.service.ExpectedMore`.
        method Watch(
          # Names of the interfaces to watch, which need not exist yet. By default all. While the subscription lasts, interfaces
          # named here are probed as if they had a section in the configuration.
          interfaces: ?[]string,
          # False leaves routes out.
          routes: ?bool,
          # Sends an event of kind `heartbeat` at this interval, 10 to 3600000 milliseconds. By default none. The minimum is 100
          # for a user who is not trusted: see the section LIMITS.
          heartbeatMs: ?int
        ) -> (
          # The next one.
          event: Event
        )

        # The PHY's registers, read now.
        method Registers(
          # The interface.
          ifname: string
        ) -> (
          # Registers 0 to 15.
          registers: []int,
          # What they mean.
          decoded: MII
        )

        # The newest transitions, the newest last.
        method History(
          # Only those of this interface. By default of all.
          ifname: ?string,
          # At most this many.
          limit: ?int
        ) -> (
          # The newest last.
          transitions: []Transition
        )

        # Counters since the start.
        method Statistics() -> (
          # The daemon's version.
          version: string,
          # When it started, since the epoch.
          startedRealtimeUsec: int,
          # How often the daemon has read everything from the kernel again.
          generation: int,
          # The number of the last event.
          seq: int,
          # How many interfaces the daemon knows.
          interfaces: int,
          # How many tracked routes it knows.
          routes: int,
          # Clients that watch right now.
          subscribers: int,
          # How often a subscriber was too slow.
          overflows: int,
          # Events published.
          events: int,
          # Messages received from the kernel.
          netlinkMessages: int,
          # Messages that do not concern the daemon, such as those of a bridge about its ports.
          netlinkIgnored: int,
          # Messages that could not be decoded.
          netlinkMalformed: int,
          # How often the kernel dropped messages because they came faster than they were read.
          netlinkOverruns: int,
          # How often everything was read again because of that.
          resyncs: int,
          # How often that reading was interrupted by a change.
          dumpRetries: int,
          # Whether the daemon still waits for a complete reading.
          inconsistent: bool,
          # As for `Dump`.
          degraded: ?string,
          # The prober that reads the PHY's registers. It is in `probes` as well, which earlier versions do not have.
          mii: Probe,
          # The prober that asks the driver. It is in `probes` as well.
          driver: Probe,
          # Every prober by the name of its source, `mii` and `driver` among them.
          probes: ?[string]Probe,
          # Successful reloads of the configuration.
          reloads: int,
          # Why the last reload was refused; absent if it was not.
          reloadError: ?string,
          # The capabilities that the daemon kept.
          capabilities: []string
        )

        # Reads the configuration file again, as SIGHUP does. Only for root and the daemon's own user; others get
        # `org.varlink.service.PermissionDenied`.
        method Reload() -> ()

        # There is no interface of this name, main or alternative.
        error NoSuchInterface (
          # The name in the call.
          ifname: string
        )

        # The interface has no MII registers, or the daemon may not read them.
        error NoRegisters (
          # The name in the call.
          ifname: string,
          # Why they cannot be read.
          detail: string
        )

        # The configuration file was refused, and the old configuration stays.
        error ReloadFailed (
          # What is wrong, with file and line.
          message: string
        )
        """#

    /// There is no interface of this name, main or alternative.
    ///
    /// - Parameter ifname: The name in the call.
    public static func noSuchInterface(_ ifname: String) -> VarlinkError {
        VarlinkError("\(name).NoSuchInterface", ["ifname": .string(ifname)])
    }

    /// The interface has no MII registers, or the daemon may not read them.
    ///
    /// - Parameter ifname: The name in the call.
    /// - Parameter detail: Why they cannot be read.
    public static func noRegisters(_ ifname: String, detail: String) -> VarlinkError {
        VarlinkError("\(name).NoRegisters", ["ifname": .string(ifname), "detail": .string(detail)])
    }

    /// The configuration file was refused, and the old configuration stays.
    ///
    /// - Parameter message: What is wrong, with file and line.
    public static func reloadFailed(_ message: String) -> VarlinkError {
        VarlinkError("\(name).ReloadFailed", ["message": .string(message)])
    }
}

/// One interface, and the evidence for its state.
public struct InterfaceRecord: MonitorRecord {
    /// The kernel's number for it. Events of one interface have the same number; the name may change.
    public var ifindex: Int
    /// The name. To the kernel it is a string of bytes: a byte that is not UTF-8 is published as `\xff`, and a
    /// backslash that would look like the beginning of such an escape as `\x5c`.
    public var ifname: String
    /// Alternative names, written in the same way.
    public var altnames: [String]
    /// The kind of a virtual interface, such as `bridge` or `vlan`.
    public var kind: String?
    /// The kernel driver, as ethtool(8) prints it.
    public var driver: String?
    /// The link-layer address.
    public var address: String?
    /// The MTU in bytes.
    public var mtu: Int
    /// The ifindex of the bridge, bond or VRF that it is a port of.
    public var master: Int?
    /// The ifindex of the interface beneath it, or of its peer. Absent if there is none, or if it is in another
    /// network namespace.
    public var link: Int?
    /// The number of that other namespace, as `ip netns list-id` lists it in this one.
    public var linkNetnsid: Int?
    /// The kernel's flags, such as `UP` and `LOWER_UP`.
    public var flags: [String]
    /// The reasons why programs keep the interface down: numbers of bits, as `ip -json link` prints reasons without
    /// a name in `proto_down_reason`. The list may be empty. Absent if no program keeps it down.
    public var protoDown: [String]?
    /// The operational state of RFC 2863: `unknown`, `notpresent`, `down`, `lowerlayerdown`, `testing`, `dormant`
    /// or `up`.
    public var operstate: String
    /// The settled state, `up` or `down`: after hold times and dampening.
    public var state: String
    /// The state before hold times and dampening.
    public var rawState: String
    /// The source that says down; absent while the raw state is up.
    public var reason: String?
    /// When the settled state last changed, in microseconds of CLOCK_MONOTONIC.
    public var since: Int64
    /// The same instant, of CLOCK_BOOTTIME. Older daemons do not send it.
    public var sinceBoottimeUsec: Int64?
    /// By source: `admin`, `mii`, `driver`, `carrier` and `operstate`, as linkwatchd(8) explains them.
    public var evidence: RecordTable<EvidenceRecord>
    /// The PHY, if it can be read.
    public var mii: MIIRecord?
    /// In Mb/s. Speed, duplex, autonegotiation and the PHY are known for physical ports and for interfaces that the
    /// configuration names or has probed. They are read again every 2 seconds.
    public var speed: Int?
    /// `full` or `half`.
    public var duplex: String?
    /// Whether speed and duplex were negotiated.
    public var autoneg: Bool?
    /// The link partner does not negotiate, and this end may have chosen the wrong duplex.
    public var duplexMismatchSuspected: Bool
    /// The kernel's own count of carrier changes.
    public var carrierChanges: Int
    /// How often the link went down since the daemon first saw it, including losses between two polls.
    public var flaps: Int
    /// How often the raw state changed since then.
    public var transitions: Int
    /// Present if dampening is configured.
    public var dampening: DampeningRecord?
    /// The PHY and the kernel disagree.
    public var disagreement: Bool
    /// What an operator should know besides the state: `mii-stale`, `mii-lost`, `driver-stale`, `driver-lost`,
    /// `disagreement`, `dampened`, `protodown`.
    public var conditions: [String]

    public init(
        ifindex: Int = 0, ifname: String = "", altnames: [String] = [], kind: String? = nil, driver: String? = nil,
        address: String? = nil, mtu: Int = 0, master: Int? = nil, link: Int? = nil, linkNetnsid: Int? = nil,
        flags: [String] = [], protoDown: [String]? = nil, operstate: String = "", state: String = "",
        rawState: String = "", reason: String? = nil, since: Int64 = 0, sinceBoottimeUsec: Int64? = nil,
        evidence: RecordTable<EvidenceRecord> = [:], mii: MIIRecord? = nil, speed: Int? = nil, duplex: String? = nil,
        autoneg: Bool? = nil, duplexMismatchSuspected: Bool = false, carrierChanges: Int = 0, flaps: Int = 0,
        transitions: Int = 0, dampening: DampeningRecord? = nil, disagreement: Bool = false, conditions: [String] = []
    ) {
        self.ifindex = ifindex
        self.ifname = ifname
        self.altnames = altnames
        self.kind = kind
        self.driver = driver
        self.address = address
        self.mtu = mtu
        self.master = master
        self.link = link
        self.linkNetnsid = linkNetnsid
        self.flags = flags
        self.protoDown = protoDown
        self.operstate = operstate
        self.state = state
        self.rawState = rawState
        self.reason = reason
        self.since = since
        self.sinceBoottimeUsec = sinceBoottimeUsec
        self.evidence = evidence
        self.mii = mii
        self.speed = speed
        self.duplex = duplex
        self.autoneg = autoneg
        self.duplexMismatchSuspected = duplexMismatchSuspected
        self.carrierChanges = carrierChanges
        self.flaps = flaps
        self.transitions = transitions
        self.dampening = dampening
        self.disagreement = disagreement
        self.conditions = conditions
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        ifindex = try object.decode("ifindex")
        ifname = try object.decode("ifname")
        altnames = try object.decode("altnames")
        kind = try object.decodeIfPresent("kind")
        driver = try object.decodeIfPresent("driver")
        address = try object.decodeIfPresent("address")
        mtu = try object.decode("mtu")
        master = try object.decodeIfPresent("master")
        link = try object.decodeIfPresent("link")
        linkNetnsid = try object.decodeIfPresent("linkNetnsid")
        flags = try object.decode("flags")
        protoDown = try object.decodeIfPresent("protoDown")
        operstate = try object.decode("operstate")
        state = try object.decode("state")
        rawState = try object.decode("rawState")
        reason = try object.decodeIfPresent("reason")
        since = try object.decode("since")
        sinceBoottimeUsec = try object.decodeIfPresent("sinceBoottimeUsec")
        evidence = try object.decode("evidence")
        mii = try object.decodeIfPresent("mii")
        speed = try object.decodeIfPresent("speed")
        duplex = try object.decodeIfPresent("duplex")
        autoneg = try object.decodeIfPresent("autoneg")
        duplexMismatchSuspected = try object.decode("duplexMismatchSuspected")
        carrierChanges = try object.decode("carrierChanges")
        flaps = try object.decode("flaps")
        transitions = try object.decode("transitions")
        dampening = try object.decodeIfPresent("dampening")
        disagreement = try object.decode("disagreement")
        conditions = try object.decode("conditions")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("ifindex", ifindex)
        writer.field("ifname", ifname)
        writer.field("altnames", altnames)
        writer.field("kind", kind)
        writer.field("driver", driver)
        writer.field("address", address)
        writer.field("mtu", mtu)
        writer.field("master", master)
        writer.field("link", link)
        writer.field("linkNetnsid", linkNetnsid)
        writer.field("flags", flags)
        writer.field("protoDown", protoDown)
        writer.field("operstate", operstate)
        writer.field("state", state)
        writer.field("rawState", rawState)
        writer.field("reason", reason)
        writer.field("since", since)
        writer.field("sinceBoottimeUsec", sinceBoottimeUsec)
        writer.field("evidence", evidence)
        writer.field("mii", mii)
        writer.field("speed", speed)
        writer.field("duplex", duplex)
        writer.field("autoneg", autoneg)
        writer.field("duplexMismatchSuspected", duplexMismatchSuspected)
        writer.field("carrierChanges", carrierChanges)
        writer.field("flaps", flaps)
        writer.field("transitions", transitions)
        writer.field("dampening", dampening)
        writer.field("disagreement", disagreement)
        writer.field("conditions", conditions)
    }
}

/// What one source says of an interface.
public struct EvidenceRecord: MonitorRecord {
    /// `up`, `down`, `unsupported` or `stale`.
    public var state: String
    /// The last answer that was up or down, while the source is stale.
    public var last: String?
    /// Whether the answer counts for the state. A PHY counts only after its link bit has been seen set, because
    /// some ports never set it.
    public var counted: Bool
    /// When that answer was last confirmed, of CLOCK_MONOTONIC.
    public var confirmedUsec: Int64?
    /// In words: why the source is unsupported or stale, or how it was read.
    public var detail: String?

    public init(
        state: String = "", last: String? = nil, counted: Bool = false, confirmedUsec: Int64? = nil,
        detail: String? = nil
    ) {
        self.state = state
        self.last = last
        self.counted = counted
        self.confirmedUsec = confirmedUsec
        self.detail = detail
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        state = try object.decode("state")
        last = try object.decodeIfPresent("last")
        counted = try object.decode("counted")
        confirmedUsec = try object.decodeIfPresent("confirmedUsec")
        detail = try object.decodeIfPresent("detail")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("state", state)
        writer.field("last", last)
        writer.field("counted", counted)
        writer.field("confirmedUsec", confirmedUsec)
        writer.field("detail", detail)
    }
}

/// The PHY's registers, decoded.
public struct MIIRecord: MonitorRecord {
    /// The PHY's address on the management bus, 0 to 31.
    public var phy: Int
    /// The control register as it was read.
    public var bmcr: Int
    /// The status register as it was read.
    public var bmsr: Int
    /// Registers 2 and 3; register 2 is the upper half.
    public var phyId: Int
    /// The link bit as it is now. It latches a loss, so it is read again if it says down.
    public var link: Bool
    /// Whether autonegotiation is enabled.
    public var autoneg: Bool
    /// Whether autonegotiation has ended.
    public var autonegComplete: Bool
    /// The link partner reports a fault.
    public var remoteFault: Bool
    /// The PHY is cut off from its MAC.
    public var isolate: Bool
    /// The PHY is in loopback mode.
    public var loopback: Bool
    /// The PHY is switched off.
    public var powerDown: Bool
    /// The modes that this end offers, such as `100baseTx-FD`.
    public var advertised: [String]
    /// The modes that the link partner offers.
    public var partner: [String]
    /// In Mb/s, as the registers have it.
    public var speed: Int?
    /// `full` or `half`, as the registers have it.
    public var duplex: String?
    /// The link partner does not negotiate, and this end may have chosen the wrong duplex.
    public var duplexMismatchSuspected: Bool

    public init(
        phy: Int = 0, bmcr: Int = 0, bmsr: Int = 0, phyId: Int = 0, link: Bool = false, autoneg: Bool = false,
        autonegComplete: Bool = false, remoteFault: Bool = false, isolate: Bool = false, loopback: Bool = false,
        powerDown: Bool = false, advertised: [String] = [], partner: [String] = [], speed: Int? = nil,
        duplex: String? = nil, duplexMismatchSuspected: Bool = false
    ) {
        self.phy = phy
        self.bmcr = bmcr
        self.bmsr = bmsr
        self.phyId = phyId
        self.link = link
        self.autoneg = autoneg
        self.autonegComplete = autonegComplete
        self.remoteFault = remoteFault
        self.isolate = isolate
        self.loopback = loopback
        self.powerDown = powerDown
        self.advertised = advertised
        self.partner = partner
        self.speed = speed
        self.duplex = duplex
        self.duplexMismatchSuspected = duplexMismatchSuspected
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        phy = try object.decode("phy")
        bmcr = try object.decode("bmcr")
        bmsr = try object.decode("bmsr")
        phyId = try object.decode("phyId")
        link = try object.decode("link")
        autoneg = try object.decode("autoneg")
        autonegComplete = try object.decode("autonegComplete")
        remoteFault = try object.decode("remoteFault")
        isolate = try object.decode("isolate")
        loopback = try object.decode("loopback")
        powerDown = try object.decode("powerDown")
        advertised = try object.decode("advertised")
        partner = try object.decode("partner")
        speed = try object.decodeIfPresent("speed")
        duplex = try object.decodeIfPresent("duplex")
        duplexMismatchSuspected = try object.decode("duplexMismatchSuspected")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("phy", phy)
        writer.field("bmcr", bmcr)
        writer.field("bmsr", bmsr)
        writer.field("phyId", phyId)
        writer.field("link", link)
        writer.field("autoneg", autoneg)
        writer.field("autonegComplete", autonegComplete)
        writer.field("remoteFault", remoteFault)
        writer.field("isolate", isolate)
        writer.field("loopback", loopback)
        writer.field("powerDown", powerDown)
        writer.field("advertised", advertised)
        writer.field("partner", partner)
        writer.field("speed", speed)
        writer.field("duplex", duplex)
        writer.field("duplexMismatchSuspected", duplexMismatchSuspected)
    }
}

/// The penalty of an interface that flaps.
public struct DampeningRecord: MonitorRecord {
    /// The present penalty.
    public var penalty: Int
    /// Whether the interface is held down.
    public var suppressed: Bool
    /// When it will be used again, of CLOCK_MONOTONIC, if it does not flap until then.
    public var reuseUsec: Int64?

    public init(penalty: Int = 0, suppressed: Bool = false, reuseUsec: Int64? = nil) {
        self.penalty = penalty
        self.suppressed = suppressed
        self.reuseUsec = reuseUsec
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        penalty = try object.decode("penalty")
        suppressed = try object.decode("suppressed")
        reuseUsec = try object.decodeIfPresent("reuseUsec")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("penalty", penalty)
        writer.field("suppressed", suppressed)
        writer.field("reuseUsec", reuseUsec)
    }
}

/// A tracked route.
public struct RouteRecord: MonitorRecord {
    /// The destination as a prefix; the default routes are `0.0.0.0/0` and `::/0`.
    public var dst: String
    /// The routing table; 254 is the main one.
    public var table: Int
    /// Who added it, a number of rtnetlink(7).
    public var `protocol`: Int
    /// The metric; the lowest wins.
    public var metric: Int
    /// The type, such as `unicast` or `blackhole`.
    public var type: String
    /// The addresses of its next hops.
    public var gateways: [String]
    /// The interfaces of its next hops.
    public var ifindexes: [Int]
    /// It exists, and leads over an interface that works.
    public var present: Bool
    /// Its loss was inferred from that of a link or an address, since the kernel does not announce it.
    public var inferred: Bool

    public init(
        dst: String = "", table: Int = 0, `protocol`: Int = 0, metric: Int = 0, type: String = "",
        gateways: [String] = [], ifindexes: [Int] = [], present: Bool = false, inferred: Bool = false
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

/// Something that has happened, or the state when a watch begins.
public struct EventRecord: MonitorRecord {
    /// Rises by one with every event published; a subscriber that watches only some interfaces sees gaps.
    public var seq: Int
    /// Rises when the daemon has read everything from the kernel again.
    public var generation: Int
    /// The kind of the event.
    public var kind: EventKind
    /// What caused it, for people.
    public var cause: String
    /// When it was observed, of CLOCK_MONOTONIC.
    public var monotonicUsec: Int64
    /// The same instant since the epoch.
    public var realtimeUsec: Int64
    /// The whole interface after the event; if it was removed, as it last was.
    public var interface: InterfaceRecord?
    /// The same for a route.
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
}

/// `kind` of `EventRecord`. A value that this version does not know is kept as it came.
public struct EventKind: RawRepresentable, ExpressibleByStringLiteral, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }

    /// An interface or a route as it is when the watch begins, or after an `overflow`.
    public static let snapshot: EventKind = "snapshot"
    /// The snapshot is complete, and the daemon's copy agrees with the kernel.
    public static let synced: EventKind = "synced"
    /// The kernel's lists could not be read completely, for the reason in `cause`: interfaces or routes may be
    /// missing or out of date. It replaces `synced` at the end of a snapshot, or comes later; `synced` follows when
    /// everything has been read. The results of the probes are not affected.
    public static let degraded: EventKind = "degraded"
    /// A new interface.
    public static let added: EventKind = "added"
    /// Its state, its evidence or an attribute differs.
    public static let changed: EventKind = "changed"
    /// The interface is gone, or has moved to another network namespace.
    public static let removed: EventKind = "removed"
    /// The interface has another name.
    public static let renamed: EventKind = "renamed"
    /// The link went down and up again between two polls; the state has not changed.
    public static let flap: EventKind = "flap"
    /// A tracked route was added, changed or removed.
    public static let route: EventKind = "route"
    /// Messages of the kernel were lost and everything was read again; the differences follow as ordinary events.
    public static let resync: EventKind = "resync"
    /// This subscriber was too slow. It must forget what it knew; a new snapshot follows, and `synced`.
    public static let overflow: EventKind = "overflow"
    /// Nothing happened for the interval that was asked for.
    public static let heartbeat: EventKind = "heartbeat"
}

extension EventKind: JSONEncodable, JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) { rawValue = try String(decoding: value) }
    public func encode(into writer: inout JSONWriter) { writer.value(rawValue) }
}

/// A change that the history keeps.
public struct TransitionRecord: MonitorRecord {
    /// The interface's number.
    public var ifindex: Int
    /// Its name at that time.
    public var ifname: String
    /// `raw`, `settled`, `flap`, `added`, `renamed` or `removed`.
    public var scope: String
    /// The new state, for `raw` and `settled`.
    public var state: String?
    /// The source that says down, or the former name, or how often the link went down.
    public var reason: String?
    /// When, of CLOCK_MONOTONIC.
    public var monotonicUsec: Int64
    /// The same instant since the epoch.
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

/// The work of one prober since the start.
public struct ProbeRecord: MonitorRecord {
    /// How many ports are asked.
    public var ports: Int
    /// The time between two rounds, in each of which every port is asked once.
    public var intervalUsec: Int64
    /// Ports asked so far.
    public var polls: Int
    /// System calls made to ask them.
    public var ioctls: Int
    /// Rounds that missed their deadline.
    public var overruns: Int
    /// The longest that a port keeps the prober waiting right now, in milliseconds.
    public var staleMs: Int
    /// The slowest reading so far.
    public var latencyMaxUsec: Int64
    /// The time that all readings took together.
    public var latencySumUsec: Int64
    /// How long a reading took.
    public var latency: [BucketRecord]

    public init(
        ports: Int = 0, intervalUsec: Int64 = 0, polls: Int = 0, ioctls: Int = 0, overruns: Int = 0, staleMs: Int = 0,
        latencyMaxUsec: Int64 = 0, latencySumUsec: Int64 = 0, latency: [BucketRecord] = []
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

/// One bar of a histogram.
public struct BucketRecord: MonitorRecord {
    /// The upper bound in microseconds; absent for the last.
    public var le: Int?
    /// Readings in this bucket and no lower one.
    public var count: Int

    public init(le: Int? = nil, count: Int = 0) {
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

/// The present state of everything. Called with `more`, each answer has one interface, and the last one has the
/// routes.
public struct DumpRecord: MonitorRecord {
    /// How often the daemon has read everything from the kernel again.
    public var generation: Int
    /// The number of the last event before this state.
    public var seq: Int
    /// All interfaces, or that of this answer.
    public var interfaces: [InterfaceRecord]
    /// The tracked routes.
    public var routes: [RouteRecord]
    /// Why interfaces or routes may be missing or out of date. Absent unless the kernel's lists could not be read
    /// completely.
    public var degraded: String?

    public init(
        generation: Int = 0, seq: Int = 0, interfaces: [InterfaceRecord] = [], routes: [RouteRecord] = [],
        degraded: String? = nil
    ) {
        self.generation = generation
        self.seq = seq
        self.interfaces = interfaces
        self.routes = routes
        self.degraded = degraded
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

/// Counters since the start.
public struct StatisticsRecord: MonitorRecord {
    /// The daemon's version.
    public var version: String
    /// When it started, since the epoch.
    public var startedRealtimeUsec: Int64
    /// How often the daemon has read everything from the kernel again.
    public var generation: Int
    /// The number of the last event.
    public var seq: Int
    /// How many interfaces the daemon knows.
    public var interfaces: Int
    /// How many tracked routes it knows.
    public var routes: Int
    /// Clients that watch right now.
    public var subscribers: Int
    /// How often a subscriber was too slow.
    public var overflows: Int
    /// Events published.
    public var events: Int
    /// Messages received from the kernel.
    public var netlinkMessages: Int
    /// Messages that do not concern the daemon, such as those of a bridge about its ports.
    public var netlinkIgnored: Int
    /// Messages that could not be decoded.
    public var netlinkMalformed: Int
    /// How often the kernel dropped messages because they came faster than they were read.
    public var netlinkOverruns: Int
    /// How often everything was read again because of that.
    public var resyncs: Int
    /// How often that reading was interrupted by a change.
    public var dumpRetries: Int
    /// Whether the daemon still waits for a complete reading.
    public var inconsistent: Bool
    /// As for `Dump`.
    public var degraded: String?
    /// The prober that reads the PHY's registers. It is in `probes` as well, which earlier versions do not have.
    public var mii: ProbeRecord
    /// The prober that asks the driver. It is in `probes` as well.
    public var driver: ProbeRecord
    /// Every prober by the name of its source, `mii` and `driver` among them.
    public var probes: RecordTable<ProbeRecord>?
    /// Successful reloads of the configuration.
    public var reloads: Int
    /// Why the last reload was refused; absent if it was not.
    public var reloadError: String?
    /// The capabilities that the daemon kept.
    public var capabilities: [String]

    public init(
        version: String = "", startedRealtimeUsec: Int64 = 0, generation: Int = 0, seq: Int = 0, interfaces: Int = 0,
        routes: Int = 0, subscribers: Int = 0, overflows: Int = 0, events: Int = 0, netlinkMessages: Int = 0,
        netlinkIgnored: Int = 0, netlinkMalformed: Int = 0, netlinkOverruns: Int = 0, resyncs: Int = 0,
        dumpRetries: Int = 0, inconsistent: Bool = false, degraded: String? = nil, mii: ProbeRecord = ProbeRecord(),
        driver: ProbeRecord = ProbeRecord(), probes: RecordTable<ProbeRecord>? = nil, reloads: Int = 0,
        reloadError: String? = nil, capabilities: [String] = []
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
