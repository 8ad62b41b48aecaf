/// The records of `io.linkwatch.VRRP`, written by `make generate`: change io.linkwatch.VRRP.varlink instead.
///
/// Records are for the wire and keep its types: enumerations are strings, so a consumer takes a daemon that is
/// newer than itself. Unknown fields are ignored, missing ones named.
// swift-format-ignore-file
import Monitor
import Varlink

extension VRRPInterface {
    /// The interface description, in varlink's own language.
    public static let description = #"""
        # What linkwatch-vrrp does, and why. All times named ...Usec are microseconds of CLOCK_MONOTONIC, or durations; those
        # named ...BoottimeUsec are of CLOCK_BOOTTIME, which goes on while the machine sleeps.
        interface io.linkwatch.VRRP

        # One instance (virtual router) as member of its group.
        type Member (
          # The instance's name.
          name: string,
          # The interface that carries it.
          interface: string,
          # The interface's number; absent while it does not exist.
          ifindex: ?int,
          # The VRID, from 1 to 255.
          vrid: int,
          # The version of VRRP, 2 or 3.
          version: ?int,
          # The virtual addresses.
          addresses: []string,
          # The address that its adverts are sent from.
          primaryAddress: ?string,
          # The multicast group that they are sent to; absent if they go to unicast peers.
          multicastGroup: ?string,
          # The kernel has its virtual addresses.
          holding: bool,
          # An advert of another router arrived within the down interval.
          heard: bool,
          # The leg (its interface with the LAN behind it) is known to work: the peer or another host was heard.
          proven: bool,
          # When the down timer expires.
          downUsec: ?int,
          # The advert interval of the present master.
          masterIntervalUsec: int,
          # The address of the last router heard.
          lastSource: ?string,
          # Its priority.
          lastPriority: ?int,
          # What the checksum of its adverts covers: `pseudo-header` or `message`.
          checksumForm: ?string,
          # Adverts that were accepted.
          advertsReceived: int,
          # Adverts sent.
          advertsSent: int,
          # Adverts of priority 0 received.
          resignationsReceived: int,
          # Adverts of priority 0 sent.
          resignationsSent: int,
          # Adverts that another host sent from our own address.
          ownAddressReceived: int,
          # IPv6 adverts received whose first address is not link-local. Older processes do not send it.
          firstNotLinkLocalReceived: ?int,
          # Adverts that could not be sent.
          sendErrors: int,
          # Why the last of them could not be sent; absent if there was none.
          lastSendError: ?string,
          # The routes that it has as master, in the order of the file. Older processes do not send them.
          routes: ?[]HeldRoute,
          # The policy rules that it has as master, in the order of the file. Older processes do not send them.
          rules: ?[]HeldRule,
          # The addresses that the file writes as tables, in its order: on another interface, not advertised and so on. Absent if
          # there are none. Older processes do not send them.
          attributes: ?[]HeldAddress
        )

        # A virtual address with attributes.
        type HeldAddress (
          # The address, as `ip address` takes it.
          address: string,
          # Its interface.
          interface: string,
          # Adverts list it.
          advertised: bool,
          # The kernel has it.
          held: bool
        )

        # A route of an instance.
        type HeldRoute (
          # The route, as `ip route` writes it.
          route: string,
          # The kernel has it, and we added it.
          held: bool,
          # Why the kernel does not have it; absent while the kernel has it, and while the instance does not need it.
          reason: ?string
        )

        # A policy rule of an instance.
        type HeldRule (
          # The rule, as `ip rule` writes it.
          rule: string,
          # The kernel has it, and we added it.
          held: bool,
          # Why the kernel does not have it; absent while the kernel has it, and while the instance does not need it.
          reason: ?string
        )

        # One heartbeat link to the other director, usually a crossover cable.
        type Cable (
          # The heartbeat's name.
          name: string,
          # Our interface on the link.
          interface: string,
          # The VRID of the heartbeats that we send.
          vrid: int,
          # The VRID of the heartbeats that the peer sends.
          peerVrid: int,
          # The peer was heard over it within three intervals.
          alive: bool,
          # Heartbeats that could not be sent.
          sendErrors: int
        )

        # The peer, by its heartbeats.
        type Peer (
          # Its address on its first heartbeat link.
          identity: string,
          # Its effective priority; 0 if it cannot serve or is shutting down.
          priority: int,
          # Its newest heartbeat is younger than three intervals.
          fresh: bool,
          # The members whose addresses it has.
          holds: []string,
          # The members on which it hears adverts.
          hears: []string,
          # It hears our heartbeats.
          hearsHeartbeat: bool,
          # The members whose leg it knows to work.
          proven: []string
        )

        # Something that a group tracks.
        type Tracked (
          # Its kind and name, such as `check:upstream`.
          name: string,
          # It does not fail.
          well: bool,
          # Below 0: added to the priority while it fails. Above 0: added while it does not. Absent: a failure is a cause of
          # fault.
          weight: ?int,
          # What it adds to the priority now.
          contribution: int
        )

        # A change of a group's state.
        type Transition (
          # The group.
          group: string,
          # The state entered: `initialize`, `backup`, `master` or `fault`.
          state: string,
          # The state left.
          previous: string,
          # The reason: the engine's rule that decided.
          reason: string,
          # The priority in force.
          priority: int,
          # When, of CLOCK_MONOTONIC.
          monotonicUsec: int,
          # The same instant since the epoch.
          realtimeUsec: int
        )

        # One group.
        type Group (
          # The group's name.
          name: string,
          # `initialize`, `backup`, `master` or `fault`.
          state: string,
          # When the state was entered.
          sinceUsec: int,
          # The same instant, of CLOCK_BOOTTIME; absent while no state has been entered yet.
          sinceBoottimeUsec: ?int,
          # The effective priority.
          priority: int,
          # The priority in the configuration file.
          configuredPriority: int,
          # The version of VRRP, 2 or 3.
          version: int,
          # The time between two adverts.
          advertIntervalUsec: int,
          # Whether it takes over from a master of lower priority.
          preempt: bool,
          # It is preempting, and waits for the master of lower priority to release the addresses.
          claiming: bool,
          # The kernel has a virtual address of some member.
          holding: bool,
          # When the next advert is sent.
          advertUsec: ?int,
          # The causes that keep it from serving.
          causes: []string,
          # The conditions: what else an operator should know.
          conditions: []string,
          # The tracked objects, in the file's order; absent if there are none.
          tracked: ?[]Tracked,
          # The members, in the file's order.
          members: []Member,
          # The heartbeat links of its pool.
          cables: []Cable,
          # The peer; absent without a pool, or if it was never heard.
          peer: ?Peer,
          # How often it became master.
          becameMaster: int,
          # How often it left master.
          leftMaster: int,
          # Heartbeats accepted.
          heartbeatsReceived: int,
          # Heartbeats sent.
          heartbeatsSent: int,
          # Heartbeats of our own that came back.
          heartbeatEchoes: int,
          # Heartbeats older than the newest.
          heartbeatsStale: int,
          # The newest transitions, newest last.
          transitions: []Transition
        )

        # Packets that were not accepted as adverts.
        type Discard (
          # Which check they failed: `ttl`, `checksum`, `vrid`, ...
          reason: string,
          # How many.
          count: int
        )

        # One event of a watch.
        type Event (
          # Rises by one with every event; a subscriber that watches only some groups sees gaps.
          seq: int,
          # The kind of the event.
          # - snapshot: A group as it is when the watch begins, or after an `overflow`.
          # - synced: The snapshot is complete.
          # - transition: The state of a group has changed.
          # - cause: A cause of fault has begun or ended.
          # - condition: A condition has begun or ended.
          # - reload: The configuration file was read again; `what` says why it was refused.
          # - overflow: This subscriber was too slow. It must forget what it knew; a new snapshot follows, and `synced`.
          kind: string,
          # When, of CLOCK_MONOTONIC.
          monotonicUsec: int,
          # The same instant since the epoch.
          realtimeUsec: int,
          # The group as it is now.
          group: ?Group,
          # What happened.
          transition: ?Transition,
          # The cause or condition that began or ended.
          what: ?string,
          # True if it began.
          present: ?bool
        )

        # The groups, or one of them: state, causes, conditions, members, heartbeat links, the peer, timers, counters and the
        # last transitions.
        method Status(
          # The group's name. By default all.
          group: ?string
        ) -> (
          # In the file's order.
          groups: []Group,
          # The program's version.
          version: string,
          # The present time, of CLOCK_MONOTONIC.
          nowUsec: int,
          # The same instant, of CLOCK_BOOTTIME.
          nowBoottimeUsec: ?int,
          # Packets that were not accepted as adverts, by reason.
          discards: []Discard,
          # Successful reloads of the configuration.
          reloads: int,
          # Why the last reload was refused; absent if it was not.
          reloadError: ?string
        )

        # A snapshot, then `synced`, then every transition, cause and condition as it happens. Only with `more`. A subscriber
        # that is too slow gets `overflow` and a new snapshot.
        method Watch(
          # The names of the groups to watch. By default all.
          groups: ?[]string
        ) -> (
          # The next one.
          event: Event
        )

        # Reads the configuration file again and applies the difference, as SIGHUP does. The error says what is wrong with the
        # file. Only for root and the process's own user.
        method Reload() -> ()

        # Lets the peer serve the group: the addresses are removed, then the peer is told. With heartbeats this is refused
        # unless the peer can serve. Without heartbeats it is not known whether there is a peer; if there is none, nobody serves
        # until this router takes the addresses back. Only for root and the process's own user.
        method Handover(
          # The name of the group.
          group: string
        ) -> ()

        # The errors that `Reload` would find and the warnings that it would give, one line each. Only for root and the
        # process's own user.
        method CheckConfig() -> (
          # Each with file and line. Empty if the file would be accepted.
          errors: []string,
          # As `linkwatch-vrrp --check` prints them. Empty if there are none, or if the file would be refused.
          warnings: []string
        )

        # There is no group of this name.
        error NoSuchGroup (
          # The name in the call.
          group: string
        )

        # The handover was refused.
        error HandoverRefused (
          # Why.
          reason: string
        )

        # The configuration file was refused, and the old configuration stays.
        error ReloadFailed (
          # What is wrong, with file and line.
          message: string
        )
        """#

    /// There is no group of this name.
    ///
    /// - Parameter group: The name in the call.
    public static func noSuchGroup(_ group: String) -> VarlinkError {
        VarlinkError("\(name).NoSuchGroup", ["group": .string(group)])
    }

    /// The handover was refused.
    ///
    /// - Parameter reason: Why.
    public static func handoverRefused(_ reason: String) -> VarlinkError {
        VarlinkError("\(name).HandoverRefused", ["reason": .string(reason)])
    }

    /// The configuration file was refused, and the old configuration stays.
    ///
    /// - Parameter message: What is wrong, with file and line.
    public static func reloadFailed(_ message: String) -> VarlinkError {
        VarlinkError("\(name).ReloadFailed", ["message": .string(message)])
    }
}

/// One instance (virtual router) as member of its group.
public struct MemberRecord: MonitorRecord {
    /// The instance's name.
    public var name: String
    /// The interface that carries it.
    public var interface: String
    /// The interface's number; absent while it does not exist.
    public var ifindex: Int?
    /// The VRID, from 1 to 255.
    public var vrid: Int
    /// The version of VRRP, 2 or 3.
    public var version: Int?
    /// The virtual addresses.
    public var addresses: [String]
    /// The address that its adverts are sent from.
    public var primaryAddress: String?
    /// The multicast group that they are sent to; absent if they go to unicast peers.
    public var multicastGroup: String?
    /// The kernel has its virtual addresses.
    public var holding: Bool
    /// An advert of another router arrived within the down interval.
    public var heard: Bool
    /// The leg (its interface with the LAN behind it) is known to work: the peer or another host was heard.
    public var proven: Bool
    /// When the down timer expires.
    public var downUsec: Int64?
    /// The advert interval of the present master.
    public var masterIntervalUsec: Int64
    /// The address of the last router heard.
    public var lastSource: String?
    /// Its priority.
    public var lastPriority: Int?
    /// What the checksum of its adverts covers: `pseudo-header` or `message`.
    public var checksumForm: String?
    /// Adverts that were accepted.
    public var advertsReceived: Int
    /// Adverts sent.
    public var advertsSent: Int
    /// Adverts of priority 0 received.
    public var resignationsReceived: Int
    /// Adverts of priority 0 sent.
    public var resignationsSent: Int
    /// Adverts that another host sent from our own address.
    public var ownAddressReceived: Int
    /// IPv6 adverts received whose first address is not link-local. Older processes do not send it.
    public var firstNotLinkLocalReceived: Int?
    /// Adverts that could not be sent.
    public var sendErrors: Int
    /// Why the last of them could not be sent; absent if there was none.
    public var lastSendError: String?
    /// The routes that it has as master, in the order of the file. Older processes do not send them.
    public var routes: [HeldRouteRecord]?
    /// The policy rules that it has as master, in the order of the file. Older processes do not send them.
    public var rules: [HeldRuleRecord]?
    /// The addresses that the file writes as tables, in its order: on another interface, not advertised and so on.
    /// Absent if there are none. Older processes do not send them.
    public var attributes: [HeldAddressRecord]?

    public init(
        name: String, interface: String, ifindex: Int? = nil, vrid: Int, version: Int? = nil, addresses: [String],
        primaryAddress: String? = nil, multicastGroup: String? = nil, holding: Bool, heard: Bool, proven: Bool,
        downUsec: Int64? = nil, masterIntervalUsec: Int64, lastSource: String? = nil, lastPriority: Int? = nil,
        checksumForm: String? = nil, advertsReceived: Int, advertsSent: Int, resignationsReceived: Int,
        resignationsSent: Int, ownAddressReceived: Int, firstNotLinkLocalReceived: Int? = nil, sendErrors: Int,
        lastSendError: String? = nil, routes: [HeldRouteRecord]? = nil, rules: [HeldRuleRecord]? = nil,
        attributes: [HeldAddressRecord]? = nil
    ) {
        self.name = name
        self.interface = interface
        self.ifindex = ifindex
        self.vrid = vrid
        self.version = version
        self.addresses = addresses
        self.primaryAddress = primaryAddress
        self.multicastGroup = multicastGroup
        self.holding = holding
        self.heard = heard
        self.proven = proven
        self.downUsec = downUsec
        self.masterIntervalUsec = masterIntervalUsec
        self.lastSource = lastSource
        self.lastPriority = lastPriority
        self.checksumForm = checksumForm
        self.advertsReceived = advertsReceived
        self.advertsSent = advertsSent
        self.resignationsReceived = resignationsReceived
        self.resignationsSent = resignationsSent
        self.ownAddressReceived = ownAddressReceived
        self.firstNotLinkLocalReceived = firstNotLinkLocalReceived
        self.sendErrors = sendErrors
        self.lastSendError = lastSendError
        self.routes = routes
        self.rules = rules
        self.attributes = attributes
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        name = try object.decode("name")
        interface = try object.decode("interface")
        ifindex = try object.decodeIfPresent("ifindex")
        vrid = try object.decode("vrid")
        version = try object.decodeIfPresent("version")
        addresses = try object.decode("addresses")
        primaryAddress = try object.decodeIfPresent("primaryAddress")
        multicastGroup = try object.decodeIfPresent("multicastGroup")
        holding = try object.decode("holding")
        heard = try object.decode("heard")
        proven = try object.decode("proven")
        downUsec = try object.decodeIfPresent("downUsec")
        masterIntervalUsec = try object.decode("masterIntervalUsec")
        lastSource = try object.decodeIfPresent("lastSource")
        lastPriority = try object.decodeIfPresent("lastPriority")
        checksumForm = try object.decodeIfPresent("checksumForm")
        advertsReceived = try object.decode("advertsReceived")
        advertsSent = try object.decode("advertsSent")
        resignationsReceived = try object.decode("resignationsReceived")
        resignationsSent = try object.decode("resignationsSent")
        ownAddressReceived = try object.decode("ownAddressReceived")
        firstNotLinkLocalReceived = try object.decodeIfPresent("firstNotLinkLocalReceived")
        sendErrors = try object.decode("sendErrors")
        lastSendError = try object.decodeIfPresent("lastSendError")
        routes = try object.decodeIfPresent("routes")
        rules = try object.decodeIfPresent("rules")
        attributes = try object.decodeIfPresent("attributes")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("interface", interface)
        writer.field("ifindex", ifindex)
        writer.field("vrid", vrid)
        writer.field("version", version)
        writer.field("addresses", addresses)
        writer.field("primaryAddress", primaryAddress)
        writer.field("multicastGroup", multicastGroup)
        writer.field("holding", holding)
        writer.field("heard", heard)
        writer.field("proven", proven)
        writer.field("downUsec", downUsec)
        writer.field("masterIntervalUsec", masterIntervalUsec)
        writer.field("lastSource", lastSource)
        writer.field("lastPriority", lastPriority)
        writer.field("checksumForm", checksumForm)
        writer.field("advertsReceived", advertsReceived)
        writer.field("advertsSent", advertsSent)
        writer.field("resignationsReceived", resignationsReceived)
        writer.field("resignationsSent", resignationsSent)
        writer.field("ownAddressReceived", ownAddressReceived)
        writer.field("firstNotLinkLocalReceived", firstNotLinkLocalReceived)
        writer.field("sendErrors", sendErrors)
        writer.field("lastSendError", lastSendError)
        writer.field("routes", routes)
        writer.field("rules", rules)
        writer.field("attributes", attributes)
    }
}

/// A virtual address with attributes.
public struct HeldAddressRecord: MonitorRecord {
    /// The address, as `ip address` takes it.
    public var address: String
    /// Its interface.
    public var interface: String
    /// Adverts list it.
    public var advertised: Bool
    /// The kernel has it.
    public var held: Bool

    public init(address: String, interface: String, advertised: Bool, held: Bool) {
        self.address = address
        self.interface = interface
        self.advertised = advertised
        self.held = held
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        address = try object.decode("address")
        interface = try object.decode("interface")
        advertised = try object.decode("advertised")
        held = try object.decode("held")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("address", address)
        writer.field("interface", interface)
        writer.field("advertised", advertised)
        writer.field("held", held)
    }
}

/// A route of an instance.
public struct HeldRouteRecord: MonitorRecord {
    /// The route, as `ip route` writes it.
    public var route: String
    /// The kernel has it, and we added it.
    public var held: Bool
    /// Why the kernel does not have it; absent while the kernel has it, and while the instance does not need it.
    public var reason: String?

    public init(route: String, held: Bool, reason: String? = nil) {
        self.route = route
        self.held = held
        self.reason = reason
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        route = try object.decode("route")
        held = try object.decode("held")
        reason = try object.decodeIfPresent("reason")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("route", route)
        writer.field("held", held)
        writer.field("reason", reason)
    }
}

/// A policy rule of an instance.
public struct HeldRuleRecord: MonitorRecord {
    /// The rule, as `ip rule` writes it.
    public var rule: String
    /// The kernel has it, and we added it.
    public var held: Bool
    /// Why the kernel does not have it; absent while the kernel has it, and while the instance does not need it.
    public var reason: String?

    public init(rule: String, held: Bool, reason: String? = nil) {
        self.rule = rule
        self.held = held
        self.reason = reason
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        rule = try object.decode("rule")
        held = try object.decode("held")
        reason = try object.decodeIfPresent("reason")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("rule", rule)
        writer.field("held", held)
        writer.field("reason", reason)
    }
}

/// One heartbeat link to the other director, usually a crossover cable.
public struct CableRecord: MonitorRecord {
    /// The heartbeat's name.
    public var name: String
    /// Our interface on the link.
    public var interface: String
    /// The VRID of the heartbeats that we send.
    public var vrid: Int
    /// The VRID of the heartbeats that the peer sends.
    public var peerVrid: Int
    /// The peer was heard over it within three intervals.
    public var alive: Bool
    /// Heartbeats that could not be sent.
    public var sendErrors: Int

    public init(name: String, interface: String, vrid: Int, peerVrid: Int, alive: Bool, sendErrors: Int) {
        self.name = name
        self.interface = interface
        self.vrid = vrid
        self.peerVrid = peerVrid
        self.alive = alive
        self.sendErrors = sendErrors
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        name = try object.decode("name")
        interface = try object.decode("interface")
        vrid = try object.decode("vrid")
        peerVrid = try object.decode("peerVrid")
        alive = try object.decode("alive")
        sendErrors = try object.decode("sendErrors")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("interface", interface)
        writer.field("vrid", vrid)
        writer.field("peerVrid", peerVrid)
        writer.field("alive", alive)
        writer.field("sendErrors", sendErrors)
    }
}

/// The peer, by its heartbeats.
public struct PeerRecord: MonitorRecord {
    /// Its address on its first heartbeat link.
    public var identity: String
    /// Its effective priority; 0 if it cannot serve or is shutting down.
    public var priority: Int
    /// Its newest heartbeat is younger than three intervals.
    public var fresh: Bool
    /// The members whose addresses it has.
    public var holds: [String]
    /// The members on which it hears adverts.
    public var hears: [String]
    /// It hears our heartbeats.
    public var hearsHeartbeat: Bool
    /// The members whose leg it knows to work.
    public var proven: [String]

    public init(
        identity: String, priority: Int, fresh: Bool, holds: [String], hears: [String], hearsHeartbeat: Bool,
        proven: [String]
    ) {
        self.identity = identity
        self.priority = priority
        self.fresh = fresh
        self.holds = holds
        self.hears = hears
        self.hearsHeartbeat = hearsHeartbeat
        self.proven = proven
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        identity = try object.decode("identity")
        priority = try object.decode("priority")
        fresh = try object.decode("fresh")
        holds = try object.decode("holds")
        hears = try object.decode("hears")
        hearsHeartbeat = try object.decode("hearsHeartbeat")
        proven = try object.decode("proven")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("identity", identity)
        writer.field("priority", priority)
        writer.field("fresh", fresh)
        writer.field("holds", holds)
        writer.field("hears", hears)
        writer.field("hearsHeartbeat", hearsHeartbeat)
        writer.field("proven", proven)
    }
}

/// Something that a group tracks.
public struct TrackedRecord: MonitorRecord {
    /// Its kind and name, such as `check:upstream`.
    public var name: String
    /// It does not fail.
    public var well: Bool
    /// Below 0: added to the priority while it fails. Above 0: added while it does not. Absent: a failure is a
    /// cause of fault.
    public var weight: Int?
    /// What it adds to the priority now.
    public var contribution: Int

    public init(name: String, well: Bool, weight: Int? = nil, contribution: Int) {
        self.name = name
        self.well = well
        self.weight = weight
        self.contribution = contribution
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        name = try object.decode("name")
        well = try object.decode("well")
        weight = try object.decodeIfPresent("weight")
        contribution = try object.decode("contribution")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("well", well)
        writer.field("weight", weight)
        writer.field("contribution", contribution)
    }
}

/// A change of a group's state.
public struct VRRPTransitionRecord: MonitorRecord {
    /// The group.
    public var group: String
    /// The state entered: `initialize`, `backup`, `master` or `fault`.
    public var state: String
    /// The state left.
    public var previous: String
    /// The reason: the engine's rule that decided.
    public var reason: String
    /// The priority in force.
    public var priority: Int
    /// When, of CLOCK_MONOTONIC.
    public var monotonicUsec: Int64
    /// The same instant since the epoch.
    public var realtimeUsec: Int64

    public init(
        group: String, state: String, previous: String, reason: String, priority: Int, monotonicUsec: Int64,
        realtimeUsec: Int64
    ) {
        self.group = group
        self.state = state
        self.previous = previous
        self.reason = reason
        self.priority = priority
        self.monotonicUsec = monotonicUsec
        self.realtimeUsec = realtimeUsec
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        group = try object.decode("group")
        state = try object.decode("state")
        previous = try object.decode("previous")
        reason = try object.decode("reason")
        priority = try object.decode("priority")
        monotonicUsec = try object.decode("monotonicUsec")
        realtimeUsec = try object.decode("realtimeUsec")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("group", group)
        writer.field("state", state)
        writer.field("previous", previous)
        writer.field("reason", reason)
        writer.field("priority", priority)
        writer.field("monotonicUsec", monotonicUsec)
        writer.field("realtimeUsec", realtimeUsec)
    }
}

/// One group.
public struct GroupRecord: MonitorRecord {
    /// The group's name.
    public var name: String
    /// `initialize`, `backup`, `master` or `fault`.
    public var state: String
    /// When the state was entered.
    public var sinceUsec: Int64
    /// The same instant, of CLOCK_BOOTTIME; absent while no state has been entered yet.
    public var sinceBoottimeUsec: Int64?
    /// The effective priority.
    public var priority: Int
    /// The priority in the configuration file.
    public var configuredPriority: Int
    /// The version of VRRP, 2 or 3.
    public var version: Int
    /// The time between two adverts.
    public var advertIntervalUsec: Int64
    /// Whether it takes over from a master of lower priority.
    public var preempt: Bool
    /// It is preempting, and waits for the master of lower priority to release the addresses.
    public var claiming: Bool
    /// The kernel has a virtual address of some member.
    public var holding: Bool
    /// When the next advert is sent.
    public var advertUsec: Int64?
    /// The causes that keep it from serving.
    public var causes: [String]
    /// The conditions: what else an operator should know.
    public var conditions: [String]
    /// The tracked objects, in the file's order; absent if there are none.
    public var tracked: [TrackedRecord]?
    /// The members, in the file's order.
    public var members: [MemberRecord]
    /// The heartbeat links of its pool.
    public var cables: [CableRecord]
    /// The peer; absent without a pool, or if it was never heard.
    public var peer: PeerRecord?
    /// How often it became master.
    public var becameMaster: Int
    /// How often it left master.
    public var leftMaster: Int
    /// Heartbeats accepted.
    public var heartbeatsReceived: Int
    /// Heartbeats sent.
    public var heartbeatsSent: Int
    /// Heartbeats of our own that came back.
    public var heartbeatEchoes: Int
    /// Heartbeats older than the newest.
    public var heartbeatsStale: Int
    /// The newest transitions, newest last.
    public var transitions: [VRRPTransitionRecord]

    public init(
        name: String, state: String, sinceUsec: Int64, sinceBoottimeUsec: Int64? = nil, priority: Int,
        configuredPriority: Int, version: Int, advertIntervalUsec: Int64, preempt: Bool, claiming: Bool, holding: Bool,
        advertUsec: Int64? = nil, causes: [String], conditions: [String], tracked: [TrackedRecord]? = nil,
        members: [MemberRecord], cables: [CableRecord], peer: PeerRecord? = nil, becameMaster: Int, leftMaster: Int,
        heartbeatsReceived: Int, heartbeatsSent: Int, heartbeatEchoes: Int, heartbeatsStale: Int,
        transitions: [VRRPTransitionRecord]
    ) {
        self.name = name
        self.state = state
        self.sinceUsec = sinceUsec
        self.sinceBoottimeUsec = sinceBoottimeUsec
        self.priority = priority
        self.configuredPriority = configuredPriority
        self.version = version
        self.advertIntervalUsec = advertIntervalUsec
        self.preempt = preempt
        self.claiming = claiming
        self.holding = holding
        self.advertUsec = advertUsec
        self.causes = causes
        self.conditions = conditions
        self.tracked = tracked
        self.members = members
        self.cables = cables
        self.peer = peer
        self.becameMaster = becameMaster
        self.leftMaster = leftMaster
        self.heartbeatsReceived = heartbeatsReceived
        self.heartbeatsSent = heartbeatsSent
        self.heartbeatEchoes = heartbeatEchoes
        self.heartbeatsStale = heartbeatsStale
        self.transitions = transitions
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        name = try object.decode("name")
        state = try object.decode("state")
        sinceUsec = try object.decode("sinceUsec")
        sinceBoottimeUsec = try object.decodeIfPresent("sinceBoottimeUsec")
        priority = try object.decode("priority")
        configuredPriority = try object.decode("configuredPriority")
        version = try object.decode("version")
        advertIntervalUsec = try object.decode("advertIntervalUsec")
        preempt = try object.decode("preempt")
        claiming = try object.decode("claiming")
        holding = try object.decode("holding")
        advertUsec = try object.decodeIfPresent("advertUsec")
        causes = try object.decode("causes")
        conditions = try object.decode("conditions")
        tracked = try object.decodeIfPresent("tracked")
        members = try object.decode("members")
        cables = try object.decode("cables")
        peer = try object.decodeIfPresent("peer")
        becameMaster = try object.decode("becameMaster")
        leftMaster = try object.decode("leftMaster")
        heartbeatsReceived = try object.decode("heartbeatsReceived")
        heartbeatsSent = try object.decode("heartbeatsSent")
        heartbeatEchoes = try object.decode("heartbeatEchoes")
        heartbeatsStale = try object.decode("heartbeatsStale")
        transitions = try object.decode("transitions")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("name", name)
        writer.field("state", state)
        writer.field("sinceUsec", sinceUsec)
        writer.field("sinceBoottimeUsec", sinceBoottimeUsec)
        writer.field("priority", priority)
        writer.field("configuredPriority", configuredPriority)
        writer.field("version", version)
        writer.field("advertIntervalUsec", advertIntervalUsec)
        writer.field("preempt", preempt)
        writer.field("claiming", claiming)
        writer.field("holding", holding)
        writer.field("advertUsec", advertUsec)
        writer.field("causes", causes)
        writer.field("conditions", conditions)
        writer.field("tracked", tracked)
        writer.field("members", members)
        writer.field("cables", cables)
        writer.field("peer", peer)
        writer.field("becameMaster", becameMaster)
        writer.field("leftMaster", leftMaster)
        writer.field("heartbeatsReceived", heartbeatsReceived)
        writer.field("heartbeatsSent", heartbeatsSent)
        writer.field("heartbeatEchoes", heartbeatEchoes)
        writer.field("heartbeatsStale", heartbeatsStale)
        writer.field("transitions", transitions)
    }
}

/// Packets that were not accepted as adverts.
public struct DiscardRecord: MonitorRecord {
    /// Which check they failed: `ttl`, `checksum`, `vrid`, ...
    public var reason: String
    /// How many.
    public var count: Int

    public init(reason: String, count: Int) {
        self.reason = reason
        self.count = count
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        reason = try object.decode("reason")
        count = try object.decode("count")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("reason", reason)
        writer.field("count", count)
    }
}

/// One event of a watch.
public struct VRRPEventRecord: MonitorRecord {
    /// Rises by one with every event; a subscriber that watches only some groups sees gaps.
    public var seq: Int
    /// The kind of the event.
    public var kind: VRRPEventKind
    /// When, of CLOCK_MONOTONIC.
    public var monotonicUsec: Int64
    /// The same instant since the epoch.
    public var realtimeUsec: Int64
    /// The group as it is now.
    public var group: GroupRecord?
    /// What happened.
    public var transition: VRRPTransitionRecord?
    /// The cause or condition that began or ended.
    public var what: String?
    /// True if it began.
    public var present: Bool?

    public init(
        seq: Int, kind: VRRPEventKind, monotonicUsec: Int64, realtimeUsec: Int64, group: GroupRecord? = nil,
        transition: VRRPTransitionRecord? = nil, what: String? = nil, present: Bool? = nil
    ) {
        self.seq = seq
        self.kind = kind
        self.monotonicUsec = monotonicUsec
        self.realtimeUsec = realtimeUsec
        self.group = group
        self.transition = transition
        self.what = what
        self.present = present
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        seq = try object.decode("seq")
        kind = try object.decode("kind")
        monotonicUsec = try object.decode("monotonicUsec")
        realtimeUsec = try object.decode("realtimeUsec")
        group = try object.decodeIfPresent("group")
        transition = try object.decodeIfPresent("transition")
        what = try object.decodeIfPresent("what")
        present = try object.decodeIfPresent("present")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("seq", seq)
        writer.field("kind", kind)
        writer.field("monotonicUsec", monotonicUsec)
        writer.field("realtimeUsec", realtimeUsec)
        writer.field("group", group)
        writer.field("transition", transition)
        writer.field("what", what)
        writer.field("present", present)
    }
}

/// `kind` of `VRRPEventRecord`. A value that this version does not know is kept as it came.
public struct VRRPEventKind: RawRepresentable, ExpressibleByStringLiteral, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }

    /// A group as it is when the watch begins, or after an `overflow`.
    public static let snapshot: VRRPEventKind = "snapshot"
    /// The snapshot is complete.
    public static let synced: VRRPEventKind = "synced"
    /// The state of a group has changed.
    public static let transition: VRRPEventKind = "transition"
    /// A cause of fault has begun or ended.
    public static let cause: VRRPEventKind = "cause"
    /// A condition has begun or ended.
    public static let condition: VRRPEventKind = "condition"
    /// The configuration file was read again; `what` says why it was refused.
    public static let reload: VRRPEventKind = "reload"
    /// This subscriber was too slow. It must forget what it knew; a new snapshot follows, and `synced`.
    public static let overflow: VRRPEventKind = "overflow"
}

extension VRRPEventKind: JSONEncodable, JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) { rawValue = try String(decoding: value) }
    public func encode(into writer: inout JSONWriter) { writer.value(rawValue) }
}

/// The groups, or one of them: state, causes, conditions, members, heartbeat links, the peer, timers, counters and
/// the last transitions.
public struct VRRPStatusRecord: MonitorRecord {
    /// In the file's order.
    public var groups: [GroupRecord]
    /// The program's version.
    public var version: String
    /// The present time, of CLOCK_MONOTONIC.
    public var nowUsec: Int64
    /// The same instant, of CLOCK_BOOTTIME.
    public var nowBoottimeUsec: Int64?
    /// Packets that were not accepted as adverts, by reason.
    public var discards: [DiscardRecord]
    /// Successful reloads of the configuration.
    public var reloads: Int
    /// Why the last reload was refused; absent if it was not.
    public var reloadError: String?

    public init(
        groups: [GroupRecord], version: String, nowUsec: Int64, nowBoottimeUsec: Int64? = nil,
        discards: [DiscardRecord], reloads: Int, reloadError: String? = nil
    ) {
        self.groups = groups
        self.version = version
        self.nowUsec = nowUsec
        self.nowBoottimeUsec = nowBoottimeUsec
        self.discards = discards
        self.reloads = reloads
        self.reloadError = reloadError
    }

    public init(decoding object: JSON.Object) throws(JSON.FieldError) {
        groups = try object.decode("groups")
        version = try object.decode("version")
        nowUsec = try object.decode("nowUsec")
        nowBoottimeUsec = try object.decodeIfPresent("nowBoottimeUsec")
        discards = try object.decode("discards")
        reloads = try object.decode("reloads")
        reloadError = try object.decodeIfPresent("reloadError")
    }

    public func encodeFields(into writer: inout JSONWriter) {
        writer.field("groups", groups)
        encodeHeader(into: &writer)
    }

    /// All but `groups`, for those who write these one by one.
    public func encodeHeader(into writer: inout JSONWriter) {
        writer.field("version", version)
        writer.field("nowUsec", nowUsec)
        writer.field("nowBoottimeUsec", nowBoottimeUsec)
        writer.field("discards", discards)
        writer.field("reloads", reloads)
        writer.field("reloadError", reloadError)
    }
}
