import VRRP

/// Directors on a bench: a script of faults, a clock that goes where it is told, and every packet under way for 200 us.
///
/// Where the search tries every order and the simulation throws dice, this is one run that a test can describe.
package struct Bench {
    package private(set) var world: World
    /// Every change of a published state since the beginning, with its time.
    package private(set) var changes: [(atNs: Int64, change: World.Change)] = []
    /// Time for which more than one director has held.
    package private(set) var overlapNs: Int64 = 0
    /// Time for which nobody has.
    package private(set) var outageNs: Int64 = 0
    private var underway: [(atNs: Int64, packet: World.Packet)] = []

    private static let latencyNs: Int64 = 200_000

    /// Two directors with real timers.
    package init(
        cables: Int = 0, legs: Int = 2, priorities: [UInt8] = [200, 100], intervalNs: Int64 = 1_000_000_000,
        change: (inout GroupConfiguration) -> Void = { _ in }
    ) {
        let groups = priorities.map { priority in
            var group = GroupConfiguration(
                name: "lvs", priority: priority, advertIntervalNs: intervalNs,
                members: (0..<legs).map(Search.Scenario.member), cables: (0..<cables).map(Search.Scenario.wire))
            for cable in group.cables.indices { group.cables[cable].intervalNs = min(100_000_000, intervalNs) }
            change(&group)
            return group
        }
        world = World(groups, leaseNs: 3_000_000_000)
        world.nowNs = 1_000_000_000
    }

    /// Starts all directors and lets them settle; what they did until then is forgotten.
    package mutating func settle() {
        for index in world.directors.indices { apply(.start(index)) }
        run(forNs: 12_000_000_000)
        changes = []
        overlapNs = 0
        outageNs = 0
    }

    package mutating func apply(_ faults: Fault...) {
        for fault in faults {
            _ = world.apply(fault)
            afterwards()
        }
    }

    /// Whether neighbours answer on the LANs.
    package mutating func setNeighbours(_ areThere: Bool) { world.hasNeighbours = areThere }

    package mutating func give(_ input: Input, to index: Int) {
        world.give(input, to: index)
        afterwards()
    }

    /// Lets time pass.
    package mutating func run(forNs durationNs: Int64) {
        let endNs = world.nowNs + durationNs
        while true {
            let nextNs = min(underway.first?.atNs ?? .max, nextTimerNs ?? .max, nextLeaseNs ?? .max, endNs)
            pass(untilNs: max(nextNs, world.nowNs))
            guard nextNs < endNs else { return }
            world.expireLeases()
            for index in world.directors.indices where world.isDue(index) { world.give(.timer, to: index) }
            while let first = underway.first, first.atNs <= world.nowNs {
                underway.removeFirst()
                if !world.directors[Int(first.packet.to)].isStopped { world.deliver(first.packet) }
            }
            afterwards()
        }
    }

    /// Who holds, as bits.
    package var holders: [Int] { world.directors.indices.filter { !world.directors[$0].held.isEmpty } }
    package var states: [GroupState] { world.directors.map(\.state) }

    package func status(_ index: Int) -> GroupStatus? { world.directors[index].engine?.status }

    package func conditions(_ index: Int) -> [String] { status(index)?.conditions.map(\.description) ?? [] }

    private var nextTimerNs: Int64? {
        world.directors.filter(\.isAlive).compactMap(\.nextDeadlineNs).min()
    }

    private var nextLeaseNs: Int64? { world.directors.compactMap(\.leaseEndNs).min() }

    private mutating func pass(untilNs: Int64) {
        let durationNs = untilNs - world.nowNs
        if holders.count > 1 { overlapNs += durationNs }
        if holders.isEmpty { outageNs += durationNs }
        world.nowNs = untilNs
    }

    private mutating func afterwards() {
        underway += world.outbox.map { (world.nowNs + Self.latencyNs, $0) }
        world.outbox = []
        changes += world.transitions.map { (world.nowNs, $0) }
        world.transitions = []
    }
}
