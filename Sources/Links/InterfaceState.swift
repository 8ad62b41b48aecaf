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
        link.isPhysicalPort || policy.isNamed || !policy.alwaysProbed.isEmpty
    }

    /// An interface of which nothing has been said.
    public init(_ link: Link, policy: InterfacePolicy) {
        self.link = link
        self.policy = policy
        verdict = Verdict(policy: policy.settle)
    }
}
