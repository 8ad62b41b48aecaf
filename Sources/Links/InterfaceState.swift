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
    /// How often the raw state has changed.
    public var transitions = 0

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
        let isCarrierUp = carrier ?? flags.contains(.lowerUp)
        return [
            (.admin, .state(flags.contains(.up) ? .up : .down), detail: ""),
            (.carrier, .state(isCarrierUp ? .up : .down), detail: ""),
            operStateReading,
        ]
    }

    /// The RFC 2863 state as a reading: `UNKNOWN` is a driver that does not maintain it, and says nothing.
    private var operStateReading: (EvidenceSource, Reading, detail: String) {
        switch operState {
        case .up: (.operstate, .state(.up), detail: "")
        case .unknown: (.operstate, .unsupported(detail: "unknown"), detail: "")
        default: (.operstate, .state(.down), detail: operState.name.lowercased())
        }
    }
}
