import CIoctl
import LinkState
import SystemPackage

/// What a sweep reports, as Swift types.

/// What it says.
public enum ProbeOutcome: Hashable, Sendable {
    case up
    case down
    /// It has never said up or down on this port. After EOPNOTSUPP, ENOTSUPP (524), ENOTTY, ENOSYS, EPERM or EACCES it is
    /// not asked again until the port is named anew; after anything else, once a second.
    case unsupported(Errno)
    /// It has answered before, and did not now. Asked again at the next two sweeps, then once a second.
    case failed(Errno)
}

/// A change on one port, by one source.
public struct SweepReport: Hashable, Sendable {
    public var ifindex: Int32
    public var source: EvidenceSource
    public var outcome: ProbeOutcome
    /// How it was asked last: `bmsr` (SIOCGMIIREG, register 1), `glink` (SIOCETHTOOL, ETHTOOL_GLINK), `getlink` (RTM_GETLINK,
    /// IFLA_CARRIER); empty: not yet.
    public var method = ""
    /// BMSR as it was read last; 0 by another source, and before the first reading.
    public var bmsr: UInt16 = 0
    /// Times that the link was down since the last report and is not any more: latched by the PHY between two polls, or
    /// over before this was drained. Above 0 with `.up` it blinked.
    public var drops = 0
    /// The outcome has not changed; speed, duplex or autonegotiation may have.
    public var isRenewal = false
    /// When the answer was there, CLOCK_MONOTONIC.
    public var atNs: Int64

    public init(ifindex: Int32, source: EvidenceSource, outcome: ProbeOutcome, drops: Int = 0, atNs: Int64) {
        self.ifindex = ifindex
        self.source = source
        self.outcome = outcome
        self.drops = drops
        self.atNs = atNs
    }

    init(_ c: cioctl_report) {
        ifindex = unsafe Int32(bitPattern: c.ifindex)
        source = unsafe EvidenceSource.polled[Int(c.source)]
        outcome = unsafe ProbeOutcome(c.outcome, error: c.error)
        method = unsafe c.method.map { unsafe String(cString: $0) } ?? ""
        bmsr = unsafe c.bmsr
        drops = unsafe Int(c.drops)
        isRenewal = unsafe c.is_renewal
        atNs = unsafe c.at_ns
    }

    /// The outcome in words for an operator: what was asked, or why there is no answer.
    public var detail: String {
        switch outcome {
        case .up, .down: method == "bmsr" ? "BMSR 0x" + hex(bmsr) : method
        case .unsupported(let errno), .failed(let errno): probeDetail(errno, source)
        }
    }
}

extension ProbeOutcome {
    fileprivate init(_ c: cioctl_outcome, error: CInt) {
        switch c {
        case CIOCTL_UP: self = .up
        case CIOCTL_DOWN: self = .down
        case CIOCTL_UNSUPPORTED: self = .unsupported(Errno(rawValue: error))
        default: self = .failed(Errno(rawValue: error))
        }
    }
}

/// Why a source does not answer, in words for an operator.
public func probeDetail(_ errno: Errno, _ source: EvidenceSource) -> String {
    switch errno.rawValue {
    case Errno.notSupported.rawValue, CIOCTL_ENOTSUPP, Errno.noFunction.rawValue,
        Errno.inappropriateIOCTLForDevice.rawValue:
        source.row.probe?.refusal ?? errno.description
    case Errno.notPermitted.rawValue, Errno.permissionDenied.rawValue: "not permitted: needs CAP_NET_ADMIN"
    case Errno.noSuchAddressOrDevice.rawValue: "no PHY answers"
    case Errno.operationNotSupportedByDevice.rawValue: "no such device"
    case Errno.timedOut.rawValue: "the kernel has not answered in time"
    case Errno.invalidArgument.rawValue: "the driver refuses: invalid argument"
    default: errno.description
    }
}

/// What ethtool says of a link: ETHTOOL_GLINKSETTINGS.
public struct LinkSettings: Hashable, Sendable {
    /// Mb/s; nil: unknown, as while there is no link.
    public var speed: Int?
    /// `full` or `half`; nil: unknown.
    public var duplex: String?
    /// Whether speed and duplex are negotiated.
    public var autoneg: Bool

    init(_ c: cioctl_settings) {
        speed = c.speed > 0 ? Int(c.speed) : nil
        duplex = c.duplex == 0 ? "half" : c.duplex == 1 ? "full" : nil
        autoneg = c.autoneg == 1
    }
}

/// The registers that were asked for.
public struct RegistersReport: Sendable {
    /// As `requestRegisters` returned it.
    public var id: UInt64
    public var ifindex: Int32
    /// `ETIMEDOUT`: the ioctl has not come back. `ENXIO`: no PHY answers. Others as the driver gives them.
    public var result: Result<RegisterFile, Errno>
    /// What ethtool says of the link, whatever became of the registers; nil: nothing.
    public var settings: LinkSettings?
    /// When the answer was there, CLOCK_MONOTONIC.
    public var atNs: Int64

    init(_ c: cioctl_registers_report) {
        id = c.id
        ifindex = Int32(bitPattern: c.ifindex)
        result = c.result < 0 ? .failure(Errno(rawValue: -c.result)) : .success(RegisterFile(c.registers))
        settings = c.settings_result < 0 ? nil : LinkSettings(c.settings)
        atNs = c.at_ns
    }
}

/// Counters of one source since the start.
public struct ProbeStatistics: Hashable, Sendable {
    /// Ports that this source is asked for.
    public var ports: Int
    public var intervalNs: Int64
    /// Questions that were answered, whatever the answer.
    public var polls: UInt64
    /// System calls for them: one a poll, on a healthy link.
    public var ioctls: UInt64
    /// Sweeps that were not done when the next one was due.
    public var overruns: UInt64
    /// Ports whose question is stuck now, and how long the longest has been waiting.
    public var stuckPorts: Int
    public var stuckNs: Int64
    public var latencyMaxNs: Int64
    public var latencySumNs: Int64
    /// How many polls took at most so many microseconds, and longer than the bucket before; nil: any longer.
    public var latency: [(atMostUsec: Int?, count: UInt64)] {
        zip(Self.bounds, counts).map { (atMostUsec: $0, count: $1) }
    }

    private var counts: [UInt64]

    /// 1, 2, 5, 10 ... 1,000,000, and open.
    private static let bounds: [Int?] = (0..<Int(CIOCTL_BUCKETS)).map { index in
        let us = cioctl_bucket_us(index)
        return us == 0 ? nil : Int(us)
    }

    init(_ c: cioctl_statistics) {
        ports = Int(c.ports)
        intervalNs = c.interval_ns
        polls = c.polls
        ioctls = c.calls
        overruns = c.overruns
        stuckPorts = Int(c.stuck_ports)
        stuckNs = c.stuck_ns
        latencyMaxNs = c.latency_max_ns
        latencySumNs = c.latency_sum_ns
        counts = (0..<Int(CIOCTL_BUCKETS)).map { index in
            unsafe withUnsafeBytes(of: c.latency) { bytes in
                unsafe bytes.load(fromByteOffset: index * MemoryLayout<UInt64>.size, as: UInt64.self)
            }
        }
    }
}
