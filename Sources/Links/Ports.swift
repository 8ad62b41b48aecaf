/// Which ports are probed.
///
/// Physical ports, ports that the configuration names and ports that a subscriber asked for by name, as far as they are
/// administratively up and the configuration does not forbid it; up to a limit, the lowest ifindexes first.
import Configuration
import MIIRegisters
import RtnlMonitor

/// The ports to probe.
public struct Ports {
    /// The ports of the sweep, by ifindex.
    public private(set) var current: [Int32: SweepPort] = [:]
    /// What subscribers asked for.
    public var requestedNames: Set<String> = []
    /// Without CAP_NET_ADMIN no register is read.
    public let mayReadRegisters: Bool

    public init(mayReadRegisters: Bool) {
        self.mayReadRegisters = mayReadRegisters
    }

    /// The port that an interface makes; nil: it is not probed.
    public func port(_ state: InterfaceState) -> SweepPort? {
        let link = state.link
        guard link.flags.contains(.up) else { return nil }
        let isRequested = requestedNames.contains(link.name) || link.altnames.contains(where: requestedNames.contains)
        let isAutomatic = link.isPhysicalPort || state.policy.isNamed || isRequested
        func wants(_ probing: Probing) -> Bool { probing == .always || (probing == .automatic && isAutomatic) }
        let port = SweepPort(
            ifindex: link.ifindex, ifname: link.name, wantsMII: wants(state.policy.mii) && mayReadRegisters,
            wantsDriver: wants(state.policy.probe))
        return port.wantsMII || port.wantsDriver ? port : nil
    }

    /// Whether this interface's part differs from what the sweep has.
    public func isOutdated(by state: InterfaceState) -> Bool { port(state) != current[state.link.ifindex] }

    /// Takes the ports that the interfaces make now.
    ///
    /// - Returns: the ports that are probed no more, and how many are over the limit.
    public mutating func update(_ states: [Int32: InterfaceState], limit: Int) -> (gone: [Int32], overLimit: Int) {
        let wanted = states.values.compactMap(port).sorted { $0.ifindex < $1.ifindex }
        let taken = Dictionary(uniqueKeysWithValues: wanted.prefix(limit).map { ($0.ifindex, $0) })
        let gone = current.keys.filter { taken[$0] == nil }
        current = taken
        return (gone, wanted.count - taken.count)
    }
}
