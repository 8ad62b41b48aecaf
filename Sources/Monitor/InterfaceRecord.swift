/// An interface as it is published: the types of `io.linkwatch.Monitor` in Swift, field by field.
///
/// Records are for the wire and keep its types: enumerations are strings, so a consumer takes a daemon that is newer than
/// itself. A test compares what they encode with the description. Unknown fields are ignored, missing ones named.
import LinkState
import Varlink

/// A record that is written as an object of its fields.
public protocol MonitorRecord: JSONEncodable, JSONDecodable, Hashable, Sendable {
    /// - Throws: the field that is missing or of the wrong type.
    init(decoding object: JSON.Object) throws(JSON.FieldError)
    /// Writes the fields into an object that is open: the parameters of a reply, for one.
    func encodeFields(into writer: inout JSONWriter)
}

extension MonitorRecord {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        try self.init(decoding: value.object())
    }

    public func encode(into writer: inout JSONWriter) {
        writer.object(encodeFields)
    }
}

/// What one source says.
public struct EvidenceRecord: MonitorRecord {
    /// `up`, `down`, `unsupported` or `stale`.
    public var state: String
    /// Its last word, while it is stale.
    public var last: String?
    /// Whether the verdict listens to it.
    public var counted: Bool
    /// When it last said so, CLOCK_MONOTONIC.
    public var confirmedUsec: Int64?
    /// In words for an operator.
    public var detail: String?

    public init(
        state: String, last: String? = nil, counted: Bool = false, confirmedUsec: Int64? = nil, detail: String? = nil
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
    /// The PHY's address, 0 to 31.
    public var phy: Int
    /// The control register. The corresponding C constant is `MII_BMCR`.
    public var bmcr: Int
    /// The status register. The corresponding C constant is `MII_BMSR`.
    public var bmsr: Int
    /// Both identifier registers, the first in the upper half.
    public var phyId: Int
    /// The link status bit.
    public var link: Bool
    /// Autonegotiation is enabled.
    public var autoneg: Bool
    /// Autonegotiation has ended.
    public var autonegComplete: Bool
    /// The other end reports a fault.
    public var remoteFault: Bool
    /// The PHY is cut off from its MAC.
    public var isolate: Bool
    /// The PHY talks to itself.
    public var loopback: Bool
    /// The PHY is switched off.
    public var powerDown: Bool
    /// Modes that this end offers.
    public var advertised: [String]
    /// Modes that the other end offers.
    public var partner: [String]
    /// Mb/s, as the registers have it.
    public var speed: Int?
    /// `full` or `half`, as the registers have it.
    public var duplex: String?
    /// The link came up without the other end's negotiating.
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

/// Penalty dampening.
public struct DampeningRecord: MonitorRecord {
    /// The penalty now.
    public var penalty: Int
    /// It holds the settled state down.
    public var suppressed: Bool
    /// When it will let go, CLOCK_MONOTONIC.
    public var reuseUsec: Int64?

    public init(
        penalty: Int, suppressed: Bool, reuseUsec: Int64? = nil
    ) {
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

/// One interface, and the evidence for its state.
public struct InterfaceRecord: MonitorRecord {
    /// The key: a name may move to another interface.
    public var ifindex: Int
    /// The name; an attribute.
    public var ifname: String
    /// Alternative names.
    public var altnames: [String]
    /// `veth`, `bridge`, ...; nil: the kernel names none, as for physical ports.
    public var kind: String?
    /// The driver's name, as ethtool(8) prints it.
    public var driver: String?
    /// The link-layer address.
    public var address: String?
    /// Bytes.
    public var mtu: Int
    /// The ifindex of the bridge, bond or VRF that it belongs to.
    public var master: Int?
    /// The ifindex of the interface that it runs over or is the peer of; nil: there is none, or it is in another network
    /// namespace.
    public var link: Int?
    /// That other namespace, by this one's own numbering (ip-netns(8), `nsid`); nil: none.
    public var linkNetnsid: Int?
    /// As `ip link` prints them: `UP`, `LOWER_UP`, ...
    public var flags: [String]
    /// The reasons for which programs keep it down, as `ip -json link` has them in `proto_down_reason`; nil: none does.
    public var protoDown: [String]?
    /// The RFC 2863 state, in lower case.
    public var operstate: String
    /// After hold times and dampening: `up` or `down`.
    public var state: String
    /// What the evidence gives at once: `up` or `down`.
    public var rawState: String
    /// The evidence that says down; nil: the raw state is up.
    public var reason: String?
    /// When `state` last changed, microseconds of CLOCK_MONOTONIC, which stands still while the machine sleeps.
    public var since: Int64
    /// The same instant on CLOCK_BOOTTIME, which does not; nil: the daemon is too old to say.
    public var sinceBoottimeUsec: Int64?
    /// By the source's name: `admin`, `mii`, `driver`, `carrier`, `operstate`.
    public var evidence: EvidenceTable
    /// The PHY's registers; nil: it has none that answer.
    public var mii: MIIRecord?
    /// Mb/s.
    public var speed: Int?
    /// `full` or `half`.
    public var duplex: String?
    /// Whether speed and duplex are negotiated.
    public var autoneg: Bool?
    /// The other end does not negotiate.
    public var duplexMismatchSuspected: Bool
    /// The kernel's own count of carrier changes.
    public var carrierChanges: Int
    /// How often the link went down since it was first seen, blinks included.
    public var flaps: Int
    /// How often the raw state changed since it was first seen.
    public var transitions: Int
    /// Nil: dampening is off.
    public var dampening: DampeningRecord?
    /// The PHY and the kernel tell different stories.
    public var disagreement: Bool
    /// What no state says: `mii-stale`, `driver-lost`, `disagreement`, `dampened`, ...
    public var conditions: [String]

    public init(
        ifindex: Int, ifname: String, altnames: [String] = [], kind: String? = nil, driver: String? = nil,
        address: String? = nil, mtu: Int = 0, master: Int? = nil, link: Int? = nil,
        linkNetnsid: Int? = nil, flags: [String] = [], protoDown: [String]? = nil,
        operstate: String = "unknown", state: String = "down", rawState: String = "down", reason: String? = nil,
        since: Int64 = 0, sinceBoottimeUsec: Int64? = nil, evidence: EvidenceTable = [:], mii: MIIRecord? = nil,
        speed: Int? = nil,
        duplex: String? = nil, autoneg: Bool? = nil, duplexMismatchSuspected: Bool = false, carrierChanges: Int = 0,
        flaps: Int = 0, transitions: Int = 0, dampening: DampeningRecord? = nil, disagreement: Bool = false,
        conditions: [String] = []
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

    /// `rawState` is up.
    public var isRawUp: Bool { rawState == State.up.name }
    /// `state` is up.
    public var isUp: Bool { state == State.up.name }
}
