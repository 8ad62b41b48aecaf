/// Which ports are probed.
///
/// Physical ports, ports that the configuration names and ports that a subscriber asked for by name, as far as they are
/// administratively up and the configuration does not forbid it; up to a limit, in this order: what a subscriber asks for
/// must not take a physical port's place.
///
/// A port whose probe says down stays probed until it is up, even if nobody asks for it any more: the kernel may notice
/// the failure a second later, and without the probe the link would count as up until then.
import Configuration
import LinkState
import MIIRegisters
import RtnlMonitor

/// The ports to probe.
public struct Ports {
    /// The ports of the sweep, by ifindex.
    public private(set) var current: [Int32: SweepPort] = [:]
    /// The names that subscribers asked for, and how many of them did.
    private var requested: [String: Int] = [:]
    /// Without CAP_NET_ADMIN no register is read.
    public let mayReadRegisters: Bool
    /// The sources that may be asked.
    private let possible: SourceSet

    public init(mayReadRegisters: Bool) {
        self.mayReadRegisters = mayReadRegisters
        possible = SourceSet(
            EvidenceSource.probes.filter { mayReadRegisters || !$0.probe.needsNetAdmin }.map(\.source))
    }

    /// A subscriber asks for interfaces of these names, which need not exist.
    ///
    /// - Returns: whether nobody has asked for one of them before.
    public mutating func request(_ names: Set<String>) -> Bool {
        let before = requested.count
        for name in names { requested[name, default: 0] += 1 }
        return requested.count != before
    }

    /// A subscriber that asked for them is gone.
    ///
    /// - Returns: whether nobody asks for one of them any more.
    public mutating func release(_ names: Set<String>) -> Bool {
        let before = requested.count
        for name in names {
            let left = requested[name, default: 0] - 1
            requested[name] = left > 0 ? left : nil
        }
        return requested.count != before
    }

    /// The port that an interface makes; nil: it is not probed.
    public func port(_ state: InterfaceState) -> SweepPort? {
        let link = state.link
        guard link.flags.contains(.up) else { return nil }
        let isRequested = requested[link.name] != nil || link.altnames.contains { requested[$0] != nil }
        let isHeld = current[link.ifindex] != nil && state.isDownByProbe
        let isAutomatic = link.isPhysicalPort || state.policy.isNamed || isRequested || isHeld
        let wanted = isAutomatic ? possible.subtracting(state.policy.neverProbed) : state.policy.alwaysProbed
        let sources = wanted.intersection(possible)
        return sources.isEmpty ? nil : SweepPort(ifindex: link.ifindex, ifname: link.name, sources: sources)
    }

    /// Whether this interface's part differs from what the sweep has.
    public func isOutdated(by state: InterfaceState) -> Bool { port(state) != current[state.link.ifindex] }

    /// Forgets a port that is gone or was switched off: if it is back by the next update it is another one, of which
    /// nothing is known.
    ///
    /// - Returns: whether there was one.
    public mutating func forget(_ ifindex: Int32) -> Bool { current.removeValue(forKey: ifindex) != nil }

    /// Takes the ports that the interfaces make now.
    ///
    /// - Returns: who is asked no more, by ifindex, and how many ports are over the limit.
    public mutating func update(
        _ states: [Int32: InterfaceState], limit: Int
    ) -> (ended: [Int32: SourceSet], overLimit: Int) {
        let wanted = states.values.compactMap { state in port(state).map { (rank: state.rank, port: $0) } }
            .sorted { ($0.rank, $0.port.ifindex) < ($1.rank, $1.port.ifindex) }
        let taken = Dictionary(uniqueKeysWithValues: wanted.prefix(limit).map { ($0.port.ifindex, $0.port) })
        let ended = current.mapValues { $0.sources.subtracting(taken[$0.ifindex]?.sources ?? []) }
        current = taken
        return (ended.filter { !$0.value.isEmpty }, wanted.count - taken.count)
    }
}

extension InterfaceState {
    /// The lower ones are probed first when there are too many.
    fileprivate var rank: Int {
        if link.isPhysicalPort { return 0 }
        return isOfInterest ? 1 : 2
    }

    /// One of its probes says down, and the verdict listens to it.
    fileprivate var isDownByProbe: Bool {
        EvidenceSource.polled.contains { verdict[$0].counts && verdict[$0].last == .down }
    }
}
