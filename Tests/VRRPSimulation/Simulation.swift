import VRRP

/// One random schedule over the shipped engine: a virtual clock, dice by seed, and the same again for the same seed.
///
/// Two to five directors with one to three legs are started, and for a while everything happens to them that `Fault` can say,
/// with packets lost, doubled and late, and timers late too. Then the faults end, some of them mended and some not, and after
/// a time in which everything must have settled the world is judged: exactly one serves if one can, all of it or nothing, and
/// for the rest of the schedule nothing changes any more. As long as no packet is lost, two holders that a path connects may
/// last three intervals, at any time.
///
/// The clock is the monotonic one, which is all that an engine knows; a wall clock that jumps has nothing to jump in here.
package struct Simulation {
    package struct Failure: Sendable {
        package var seed: UInt64
        package var property: String
        package var atNs: Int64
    }

    private enum Event {
        case packet(World.Packet)
        case timer(director: Int, generation: Int)
        case lease
        case fault(Fault)
        case calm
        case settled
    }

    private struct Entry {
        var atNs: Int64
        var order: Int
        var event: Event
    }

    private let seed: UInt64
    private var dice: Dice
    private var world: World
    private var queue = Heap()
    private var order = 0
    /// Per director: which of its timer events is the one that counts, and for when.
    private var timers: [(generation: Int, atNs: Int64?)]
    /// Packets for a process that is stopped wait in its sockets.
    private var sockets: [[World.Packet]]
    /// The longest interval that any of them may be told.
    private let intervalNs: Int64
    private let isLossy: Bool
    private var lossPercent: Int
    private var dualSinceNs: Int64?
    private var isSettled = false
    private var failure: Failure?
    private let mayChangeInterval: Bool
    private let trace: ((String) -> Void)?

    private static let socketMax = 64

    /// Throws the dice for a schedule. `trace` gets a line for every step.
    package init(seed: UInt64, trace: ((String) -> Void)? = nil) {
        self.seed = seed
        self.trace = trace
        var dice = Dice(seed)
        let groups = Self.groups(&dice)
        // Version 2 has one interval for all.
        mayChangeInterval = groups[0].version == .v3 && dice.percent(20)
        intervalNs = groups[0].advertIntervalNs * (mayChangeInterval ? 2 : 1)
        isLossy = dice.percent(30)
        lossPercent = isLossy ? dice.number(1...10) : 0
        world = World(groups, leaseNs: 3 * max(intervalNs, 100_000_000))
        world.hasNeighbours = dice.percent(80)
        world.nowNs = 1_000_000_000
        timers = groups.map { _ in (0, nil) }
        sockets = groups.map { _ in [] }
        self.dice = dice
        trace?("\(groups.count) directors, \(groups[0]) loss \(lossPercent)%")
    }

    private static func groups(_ dice: inout Dice) -> [GroupConfiguration] {
        let count = dice.percent(60) ? 2 : dice.number(3...5)
        let legs = dice.number(1...3)
        let cables = count == 2 ? dice.number(0...2) : 0
        let version: Version = dice.percent(15) ? .v2 : .v3
        let fastNs: Int64 = [20, 100, 100, 1000][dice.number(0...3)] * 1_000_000
        let intervalNs = version == .v2 ? 1_000_000_000 : fastNs
        let isEqual = dice.percent(10)
        let preempt = dice.percent(75)
        let delayNs = dice.percent(20) ? 2 * intervalNs : 0
        let hasFence = dice.percent(15)
        return (0..<count).map { index in
            var group = GroupConfiguration(
                name: "lvs", priority: isEqual ? 100 : UInt8(200 - 40 * index + dice.number(0...9)), version: version,
                advertIntervalNs: intervalNs, preempt: preempt, preemptDelayNs: delayNs,
                members: (0..<legs).map(Search.Scenario.member),
                cables: (0..<cables).map(Search.Scenario.wire), hasFence: hasFence,
                addressLeaseNs: 3 * max(intervalNs, 100_000_000))
            for cable in group.cables.indices { group.cables[cable].intervalNs = min(100_000_000, intervalNs) }
            return group
        }
    }

    // MARK: Running

    /// Runs to the end. Returns what went wrong; nil: nothing.
    package mutating func run() -> Failure? {
        let faultsEndNs = world.nowNs + Int64(dice.number(5...40)) * intervalNs
        for index in world.directors.indices {
            push(world.nowNs + dice.time(0...(5 * intervalNs)), .fault(.start(index)))
        }
        for _ in 0..<dice.number(1...8) {
            push(world.nowNs + dice.time(intervalNs...(faultsEndNs - world.nowNs)), .fault(someFault()))
        }
        push(faultsEndNs, .calm)
        for fault in lastFaults() { push(faultsEndNs, .fault(fault)) }
        // The longest chain of waits: a lease, three down intervals, a claim, a preempt delay, a proof's validity. Where one
        // does not hear, each of the others has to find that out for itself.
        let others = Int64(world.directors.count - 1)
        let settleNs = others * (3 * 4 + 3 + 2) * intervalNs + world.leaseNs + 4_000_000_000
        push(faultsEndNs + settleNs, .settled)
        let endNs = faultsEndNs + settleNs + 12 * intervalNs + 1_000_000_000
        while failure == nil, let entry = queue.pop(), entry.atNs <= endNs {
            world.nowNs = entry.atNs
            afterwards(happen(entry.event))
        }
        return failure
    }

    /// Returns the directors it may have happened to.
    private mutating func happen(_ event: Event) -> Range<Int> {
        switch event {
        case .packet(let packet):
            let to = Int(packet.to)
            if world.directors[to].isStopped {
                if sockets[to].count < Self.socketMax { sockets[to].append(packet) }
            } else {
                say("\(packet)")
                world.deliver(packet)
            }
            return to..<(to + 1)
        case .timer(let index, let generation):
            guard timers[index].generation == generation, world.directors[index].isAlive else { return 0..<0 }
            timers[index].atNs = nil
            world.give(.timer, to: index)
            if world.isDue(index) { fail("a timer fires and stays due") }
            return index..<(index + 1)
        case .lease: world.expireLeases()
        case .fault(let fault): suffer(fault)
        case .calm: lossPercent = 0
        case .settled:
            say("settled")
            isSettled = true
            let complaint = world.complaint
            if complaint != .none { fail("at the end: \(complaint)") }
        }
        return world.directors.indices
    }

    private mutating func suffer(_ fault: Fault) {
        guard world.apply(fault) else { return }
        say("*** \(fault)")
        switch fault {
        case .resume(let index):
            for packet in sockets[index] { world.deliver(packet) }
            sockets[index] = []
        case .kill(let index), .start(let index), .shutdown(let index): sockets[index] = []
        default: break
        }
        for director in world.directors {
            if let endNs = director.leaseEndNs { push(endNs, .lease) }
        }
    }

    /// Sends what was said, arms timers, looks at the world.
    private mutating func afterwards(_ touched: Range<Int>) {
        for packet in world.outbox { send(packet) }
        world.outbox = []
        for change in world.transitions {
            say(
                "LVS\(change.director + 1) \(change.transition.from) -> \(change.transition.to): "
                    + "\(change.transition.reason.rawValue)")
            if isSettled { fail("a change of state long after the last fault") }
        }
        world.transitions = []
        for index in touched { arm(index) }
        watchHolders()
    }

    private mutating func send(_ packet: World.Packet) {
        // A cable is as lossy as a leg: the rules must not depend on it.
        guard !dice.percent(lossPercent) else { return }
        let slowNs = packet.medium < 128 ? intervalNs / 2 : min(100_000_000, intervalNs)
        let latencyNs = dice.percent(5) ? dice.time(0...slowNs) : dice.time(20_000...500_000)
        push(world.nowNs + latencyNs, .packet(packet))
        if dice.percent(2) { push(world.nowNs + latencyNs + dice.time(0...slowNs), .packet(packet)) }
    }

    private mutating func arm(_ index: Int) {
        guard !world.directors[index].isStopped, let atNs = world.directors[index].engine?.nextDeadlineNs else {
            return timers[index].atNs = nil
        }
        guard timers[index].atNs != atNs else { return }
        timers[index].generation += 1
        timers[index].atNs = atNs
        push(atNs + dice.time(0...300_000), .timer(director: index, generation: timers[index].generation))
    }

    /// Lost packets excuse two holders until the schedule has settled.
    private mutating func watchHolders() {
        guard world.hasConnectedHolders else { return dualSinceNs = nil }
        let sinceNs = dualSinceNs ?? world.nowNs
        dualSinceNs = sinceNs
        let boundNs = (areAnyEqual ? 6 : 3) * intervalNs + 5_000_000
        if !isLossy, world.nowNs - sinceNs > boundNs { fail("two holders for more than three intervals") }
    }

    /// Equal priorities are published as such: two holders may last until one has learned that it is not heard.
    private var areAnyEqual: Bool {
        let priorities = world.directors.compactMap { $0.engine?.priority }
        return Set(priorities).count < priorities.count
    }

    private mutating func fail(_ property: String) {
        if failure == nil { failure = Failure(seed: seed, property: property, atNs: world.nowNs) }
        say("FAILED: \(property)")
    }

    private func say(_ line: @autoclosure () -> String) {
        guard let trace else { return }
        let ms = Double(world.nowNs / 1000) / 1000
        let states = world.directors.map { director in
            "\(director.isStopped ? "stopped" : "\(director.state)")/\(director.held.rawValue)"
        }
        trace("\(ms) ms  [\(states.joined(separator: " "))]  \(line())")
    }

    private mutating func push(_ atNs: Int64, _ event: Event) {
        order += 1
        queue.push(Entry(atNs: atNs, order: order, event: event))
    }

    // MARK: Faults

    private mutating func someFault() -> Fault {
        let index = dice.number(0...(world.directors.count - 1))
        let leg = dice.number(0...(world.directors[0].ports.count - 1))
        switch dice.number(0...(world.cables.isEmpty ? 13 : 16)) {
        case 0...5: return .port(director: index, leg: leg, World.Port.allCases[dice.number(0...7)])
        case 6: return .kill(index)
        case 7, 8: return .start(index)
        case 9: return .stop(index)
        case 10: return .resume(index)
        case 11: return dice.percent(50) ? .shutdown(index) : .handover(index)
        case 12:
            return dice.percent(50) ? .check(index, fails: dice.percent(60)) : .weight(index, dice.number(-254...254))
        case 13: return .reload(index, someChange())
        default:
            return .cable(dice.number(0...(world.cables.count - 1)), World.Cable.allCases[dice.number(0...4)])
        }
    }

    private mutating func someChange() -> Fault.Change {
        switch dice.number(0...(mayChangeInterval ? 3 : 2)) {
        case 0: .priority(UInt8(dice.number(1...254)))
        case 1: .preempt(dice.percent(50))
        case 2: .legs(dice.number(1...world.directors[0].ports.count))
        default: .interval(dice.percent(50) ? intervalNs : intervalNs / 4)
        }
    }

    /// In the end every process runs, with all its legs; half of the time everything is mended, else what is broken stays so.
    private mutating func lastFaults() -> [Fault] {
        var faults: [Fault] = []
        let legs = world.directors[0].ports.count
        for index in world.directors.indices {
            faults += [.resume(index), .start(index), .reload(index, .legs(legs))]
        }
        guard dice.percent(50) else { return faults }
        for index in world.directors.indices {
            faults.append(.check(index, fails: false))
            for leg in world.directors[index].ports.indices {
                faults.append(.port(director: index, leg: leg, .up))
            }
        }
        for cable in world.cables.indices { faults.append(.cable(cable, .up)) }
        return faults
    }

    // MARK: Dice and queue

    /// SplitMix64: small, and the same everywhere.
    package struct Dice {
        private var state: UInt64

        package init(_ seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }

        package mutating func number(_ range: ClosedRange<Int>) -> Int {
            range.lowerBound + Int(next() % UInt64(range.count))
        }

        mutating func time(_ range: ClosedRange<Int64>) -> Int64 {
            range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
        }

        mutating func percent(_ percent: Int) -> Bool { number(0...99) < percent }
    }

    /// A binary heap by time, then by the order of pushing.
    private struct Heap {
        private var entries: [Entry] = []

        private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
            (left.atNs, left.order) < (right.atNs, right.order)
        }

        mutating func push(_ entry: Entry) {
            entries.append(entry)
            var child = entries.count - 1
            while child > 0, Self.precedes(entries[child], entries[(child - 1) / 2]) {
                entries.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
        }

        mutating func pop() -> Entry? {
            guard let first = entries.first, let last = entries.popLast() else { return nil }
            guard !entries.isEmpty else { return first }
            entries[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < entries.count && Self.precedes(entries[child], entries[least]) { least = child }
                if least == parent { return first }
                entries.swapAt(parent, least)
                parent = least
            }
        }
    }
}
