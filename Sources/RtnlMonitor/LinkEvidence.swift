/// What the kernel's report on an interface means: the one rule for its flags, carrier and operational state.
///
/// For linkwatchd these are three of the sources of its verdict. For linkwatch-vrrp they are the only sources while it
/// cannot reach linkwatchd. Pure, as the verdict is.
import LinkState

extension Link {
    /// What one rtnetlink message says, as readings, in the order of the table of sources.
    public var readings: [(EvidenceSource, Reading, detail: String)] {
        [
            (.admin, .state(flags.contains(.up) ? .up : .down), detail: ""),
            (.carrier, .state(hasCarrier ? .up : .down), detail: hasCarrier ? "" : protoDownText),
            operStateReading,
        ]
    }

    /// The source that says down, and the first of several; nil: none does, the link is up.
    public var downSource: EvidenceSource? {
        readings.first { $0.1 == .state(.down) }?.0
    }

    /// Whether the driver has carrier, by `IFLA_CARRIER`, or by the flag where the kernel does not send that.
    private var hasCarrier: Bool { carrier ?? flags.contains(.lowerUp) }

    /// `UNKNOWN` is a driver that does not maintain the state, and says nothing.
    private var operStateReading: (EvidenceSource, Reading, detail: String) {
        guard let isUp = operState.isUp else { return (.operstate, .unsupported(detail: "unknown"), detail: "") }
        return (.operstate, .state(isUp ? .up : .down), detail: isUp ? "" : operState.name.lowercased())
    }

    /// The reasons for which programs keep it down, as `ip` prints them where they have no names: the numbers of the bits. Nil:
    /// none does.
    public var protoDown: [String]? {
        isProtoDown ? (0..<UInt32.bitWidth).filter { protoDownReasons >> $0 & 1 != 0 }.map { "\($0)" } : nil
    }

    /// Why there is no carrier: `protodown (3, 17)`; empty: no program took it.
    private var protoDownText: String {
        guard let reasons = protoDown else { return "" }
        return reasons.isEmpty ? "protodown" : "protodown (\(reasons.joined(separator: ", ")))"
    }
}

extension OperState {
    /// Whether packets pass, by RFC 2863: not while the interface is being tested or is dormant. nil: the driver does
    /// not maintain it, which says nothing.
    fileprivate var isUp: Bool? {
        switch self {
        case .unknown: nil
        case .up: true
        case .notPresent, .down, .lowerLayerDown, .testing, .dormant: false
        }
    }
}
