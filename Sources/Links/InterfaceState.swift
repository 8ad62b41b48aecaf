/// Everything known of one interface: the kernel's attributes, the evidence and the verdict, and what the PHY's registers
/// say.
import Configuration
import LinkState
import MIIRegisters
import RtnlMonitor

/// One interface.
public struct InterfaceState {
    /// What rtnetlink says.
    public var link: Link
    /// What follows from the evidence.
    public var verdict: Verdict
    /// The kernel driver's name; nil: none, as for a virtual interface.
    public var driver: String?
    /// The PHY's registers when they were last read whole.
    public var registers: PHYStatus?
    /// Speed, duplex and autonegotiation by ethtool, when it was last asked.
    public var settings: LinkSettings?
    /// What the configuration says of it.
    public var policy: InterfacePolicy
    /// When the settled state last changed, CLOCK_BOOTTIME.
    public var settledBoottimeNs: Int64 = 0
    /// How often the raw state has changed.
    public var transitions = 0

    /// Whether its speed, duplex and autonegotiation are followed: of a port with a wire, and of what the configuration names or
    /// has probed. Not of what somebody asked for: what is published does not depend on that.
    public var isOfInterest: Bool {
        link.isPhysicalPort || policy.isNamed || policy.mii == .always || policy.probe == .always
    }

    /// An interface of which nothing has been said.
    public init(_ link: Link, policy: InterfacePolicy) {
        self.link = link
        self.policy = policy
        verdict = Verdict(policy: policy.settle)
    }
}

extension Link {
    /// What one rtnetlink message says, as readings.
    var readings: [(EvidenceSource, Reading, detail: String)] {
        [
            (.admin, .state(flags.contains(.up) ? .up : .down), detail: ""),
            (.carrier, .state(hasCarrier ? .up : .down), detail: ""),
            operStateReading,
        ]
    }

    /// The RFC 2863 state as a reading: `UNKNOWN` is a driver that does not maintain it, and says nothing.
    private var operStateReading: (EvidenceSource, Reading, detail: String) {
        guard let isUp = operState.isUp else { return (.operstate, .unsupported(detail: "unknown"), detail: "") }
        return (.operstate, .state(isUp ? .up : .down), detail: isUp ? "" : operState.name.lowercased())
    }
}
