import Addresses
import VRRP

/// What the search searches: two directors with two legs, as in 2002, in ticks.
extension Search.Scenario {
    /// The two directors' configurations. Times are in ticks; the heartbeats' interval is one.
    package static func pair(
        cables: Int, intervalTicks: [Int64], priorities: [UInt8] = [200, 100], legs: Int = 2,
        change: (inout GroupConfiguration) -> Void = { _ in }
    ) -> [GroupConfiguration] {
        let members = (0..<legs).map(member)
        let wires = (0..<cables).map(wire)
        return priorities.indices.map { index in
            // There are two ends of a cable: a third router has none.
            var group = GroupConfiguration(
                name: "lvs", priority: priorities[index], advertIntervalNs: intervalTicks[index % intervalTicks.count],
                members: members, cables: index < 2 ? wires : [], addressLeaseNs: leaseTicks)
            group.timing = ticks
            // On a single cable no word overtakes another.
            group.timing.stampUnitNs = cables > 1 ? 1 : .max
            change(&group)
            return group
        }
    }

    static func member(_ leg: Int) -> MemberConfiguration {
        let address = IPAddress(ipv4: 0xc000_0201 + UInt32(leg) << 8)
        return MemberConfiguration(
            name: leg == 0 ? "outside" : "inside", interface: "eth\(leg)", vrid: UInt8(10 * (leg + 1)),
            addresses: [address])
    }

    static func wire(_ cable: Int) -> CableConfiguration {
        CableConfiguration(name: "cross\(cable + 1)", interface: "hb\(cable)", vrid: 1, peerVrid: 2, intervalNs: 1)
    }

    private static let leaseTicks: Int64 = 3

    private static var ticks: Timing {
        var timing = Timing()
        timing.isolationDelayNs = 2
        timing.probeIntervalNs = 1
        timing.probeBurstNs = 0
        timing.probeCalmIntervalNs = 1
        timing.proofValidNs = 2
        timing.takeoverProbeNs = 1
        timing.announceAgainNs = 1
        timing.fenceRetryNs = 2
        timing.retreatHold = 1
        timing.retreatMemory = 2
        timing.sleepMinNs = 0
        timing.stampUnitNs = 1
        return timing
    }

    /// Every fault there is for two directors.
    package static func allFaults(legs: Int, cables: Int, ports: [World.Port] = World.Port.allCases) -> [Fault] {
        var faults: [Fault] = []
        for director in 0..<2 {
            for leg in 0..<legs { faults += ports.map { .port(director: director, leg: leg, $0) } }
            faults += [.kill(director), .start(director), .stop(director), .resume(director), .shutdown(director)]
            faults += [.check(director, fails: true), .check(director, fails: false), .handover(director)]
        }
        for cable in 0..<cables { faults += World.Cable.allCases.map { .cable(cable, $0) } }
        return faults
    }

    /// Wires that are pulled or cut and put back, and processes that die and start: what happens most.
    package static func plainFaults(legs: Int, cables: Int) -> [Fault] {
        allFaults(legs: legs, cables: cables, ports: [.up, .noCarrier, .silent]).filter { fault in
            switch fault {
            case .port, .kill, .start: true
            case .cable(_, let cable): cable == .up || cable == .silent
            default: false
            }
        }
    }

    /// The pair as it serves, then every fault, at most `faultsMax` of them.
    package static func faults(
        cables: Int, faultsMax: Int, intervalTicks: [Int64] = [2], priorities: [UInt8] = [200, 100], legs: Int = 2,
        isCableSlow: Bool = false, only faults: [Fault]? = nil, change: (inout GroupConfiguration) -> Void = { _ in }
    ) -> Search.Scenario {
        let routers = pair(
            cables: cables, intervalTicks: intervalTicks, priorities: priorities, legs: legs, change: change)
        let world = World(routers, leaseNs: leaseTicks)
        let boots = Array(routers.indices)
        return Search.Scenario(
            name: "\(legs) legs, \(cables) cables, \(faultsMax) \(faults == nil ? "faults" : "of the plain faults"), "
                + "interval \(intervalTicks.map(String.init).joined(separator: ":")), \(priorities)",
            seeds: [0, 1].map { Node.settled(world, boots: boots, startedApart: $0, isCableSlow: isCableSlow) },
            faultsMax: faultsMax, faults: faults ?? allFaults(legs: legs, cables: cables),
            intervalTicks: intervalTicks.max() ?? 0)
    }

    /// One serves, and another that is no better is started beside it: nothing may happen to the first.
    package static func joining(
        cables: Int, undisturbed: Int, priorities: [UInt8], intervalTicks: Int64 = 2, legs: Int = 2,
        change: (inout GroupConfiguration) -> Void = { _ in }
    ) -> Search.Scenario {
        let pair = pair(
            cables: cables, intervalTicks: [intervalTicks], priorities: priorities, legs: legs, change: change)
        let seed = Node.settled(
            World(pair, leaseNs: leaseTicks), boots: [undisturbed], later: [1 - undisturbed], startedApart: 0,
            isCableSlow: false)
        var scenario = Search.Scenario(
            name: "\(legs) legs, \(cables) cables, LVS\(2 - undisturbed) joins, \(priorities)", seeds: [seed],
            faultsMax: 0, faults: [], intervalTicks: intervalTicks)
        scenario.undisturbed = undisturbed
        return scenario
    }

    /// Every situation a boot can meet: each port up, without carrier or silent, each cable up or dead, addresses left over or
    /// not, and the two started in any order at any distance.
    package static func boots(
        cables: Int, intervalTicks: Int64 = 2, priorities: [UInt8] = [200, 100], legs: Int = 2,
        ports: [World.Port] = [.up, .noCarrier, .silent]
    ) -> Search.Scenario {
        let pair = pair(cables: cables, intervalTicks: [intervalTicks], priorities: priorities, legs: legs)
        var worlds = [World(pair, leaseNs: leaseTicks)]
        for director in 0..<2 {
            for leg in 0..<legs { worlds = worlds.flatMap { world in ports.map { world.with($0, director, leg) } } }
            worlds += worlds.map { $0.withLeftovers(director) }
        }
        for cable in 0..<cables { worlds += worlds.map { $0.withDeadCable(cable) } }
        return Search.Scenario(
            name: "\(legs) legs, \(cables) cables, \(worlds.count) boot situations",
            seeds: worlds.map { Node($0, boots: [0, 1], isCableSlow: false) }, faultsMax: 0, faults: [],
            intervalTicks: intervalTicks)
    }
}

extension World {
    func with(_ port: Port, _ director: Int, _ leg: Int) -> World {
        var world = self
        world.directors[director].ports[leg] = port
        return world
    }

    func withLeftovers(_ director: Int) -> World {
        var world = self
        world.directors[director].held = .first(world.directors[director].ports.count)
        world.directors[director].dropWithoutAddresses()
        world.directors[director].leaseEndNs = nowNs + leaseNs
        return world
    }

    func withDeadCable(_ cable: Int) -> World {
        var world = self
        world.cables[cable] = .silent
        return world
    }
}
