import VRRP

/// One random schedule over the shipped engine: a virtual clock, dice by seed, and the same again for the same seed.
///
/// Two to five directors with one to three legs are started, and for a while everything happens to them that `Fault` can say,
/// with packets lost, doubled and late, timers late, a kernel that is late (`Schedule`), and a host that sends what it likes
/// (`Stranger`). Then the faults end, some of them mended and some not, and after a time in which everything must have
/// settled the world is judged by `Promises`.
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
        /// The kernel does what it was asked for, unless the process that asked has ended in good order since.
        case kernel(World.AddressChange, era: Int)
        /// It reports that, unless the process has meanwhile read the whole table.
        case report(World.AddressChange, session: Int)
        case stranger
        case calm
        case settled
    }

    /// What a late kernel has been asked for by one director: in order.
    private struct Kernel {
        var era = 0
        var session = 0
        var lastNs: Int64 = 0
        var lastReportNs: Int64 = 0
    }

    private let seed: UInt64
    private var dice: Dice
    /// For what was added later, so that a seed's schedule is otherwise as it was.
    private var apart: Dice
    private let schedule: Schedule
    private var world: World
    private var agenda = Agenda<Event>()
    private var promises: Promises
    /// Per director: which of its timer events is the one that counts, and for when.
    private var timers: [(generation: Int, atNs: Int64?)]
    /// Packets for a process that is stopped wait in its sockets.
    private var sockets: [[World.Packet]]
    private var kernels: [Kernel]
    /// The longest interval that any of them may be told.
    private let intervalNs: Int64
    private var lossPercent: Int
    private var isCalm = false
    /// Whether everything is mended in the end.
    private var isMended = false
    private var failure: Failure?
    private let trace: ((String) -> Void)?

    private static let socketMax = 64

    /// Throws the dice for a schedule. `trace` gets a line for every step.
    package init(
        seed: UInt64, _ dimensions: Dimensions = .all, bugs: PlantedBugs = [], trace: ((String) -> Void)? = nil
    ) {
        self.seed = seed
        self.trace = trace
        var dice = Dice(seed)
        var schedule = Schedule(dimensions, &dice)
        for index in schedule.groups.indices { schedule.groups[index].bugs = bugs }
        intervalNs = schedule.slowestNs
        lossPercent = schedule.lossPercent
        world = World(schedule.groups, leaseNs: schedule.leaseNs)
        world.hasNeighbours = schedule.hasNeighbours
        world.nowNs = 1_000_000_000
        world.digest = Digest()
        world.isKernelLate = schedule.kernelLateNs != nil
        world.strangerAnswers = schedule.stranger?.answers
        world.isInformedLate = schedule.answersNs != nil
        for index in world.directors.indices where schedule.leftovers[index] { world = world.withLeftovers(index) }
        timers = schedule.groups.map { _ in (0, nil) }
        sockets = schedule.groups.map { _ in [] }
        kernels = schedule.groups.map { _ in Kernel() }
        promises = Promises(schedule)
        self.schedule = schedule
        self.dice = dice
        apart = dice.apart(0x6d65_6d62_6572_7301)
        trace?("\(schedule)")
    }

    /// What the engines have said so far.
    package var digest: UInt64 { world.digest?.value ?? 0 }

    // MARK: Running

    /// Runs to the end. Returns what went wrong; nil: nothing.
    package mutating func run() -> Failure? {
        let faultsEndNs = plan()
        let settleNs = settleNs
        push(faultsEndNs + settleNs, .settled)
        let endNs = faultsEndNs + settleNs + 12 * intervalNs + 1_000_000_000
        while failure == nil, let (atNs, event) = agenda.pop(), atNs <= endNs {
            world.nowNs = atNs
            afterwards(happen(event))
        }
        if failure == nil, let complaint = promises.complaint(atEndOf: world) { fail(complaint) }
        return failure
    }

    /// The longest chain of waits: a lease, three down intervals, a claim, a preempt delay, a proof's validity. Where one does
    /// not hear, each of the others has to find that out for itself; and a better one that is not heard holds back for four
    /// down intervals, without a cable twice after one of patience. What a stranger has claimed is waited for.
    private var settleNs: Int64 {
        let others = Int64(world.directors.count - 1)
        let down = schedule.downIntervals
        let hold = world.cables.isEmpty && !isMended ? 2 * 5 * (down + 1) : 4 * (down + 1)
        let intervals = others * (down * 4 + 3 + 2) + hold
        var settleNs = intervals * intervalNs + world.leaseNs + 4_000_000_000 + schedule.beginNs
        if let stranger = schedule.stranger, stranger.kind != .resigning {
            settleNs += (down + 1) * stranger.claimMaxNs
        }
        return settleNs
    }

    /// Puts everything on the agenda that is known beforehand. Returns when the faults end.
    private mutating func plan() -> Int64 {
        let fastestNs = schedule.groups.map(\.advertIntervalNs).min() ?? intervalNs
        let paceNs = dice.percent(50) ? intervalNs : fastestNs
        let beginNs = world.nowNs
        let faultsEndNs = beginNs + Int64(dice.number(5...40)) * paceNs
        for index in world.directors.indices {
            let atNs = beginNs + dice.time(0...(5 * paceNs))
            push(atNs, .fault(.start(index)))
            if schedule.isEarly, dice.percent(15) { push(atNs + dice.time(0...20_000_000), .fault(reload(index))) }
        }
        for _ in 0..<dice.number(1...8) {
            let atNs = beginNs + dice.time((schedule.isEarly ? 0 : paceNs)...(faultsEndNs - beginNs))
            let fault = someFault()
            push(atNs, .fault(fault))
            if schedule.isStrict, case .port(let index, let leg, let port) = fault, dice.percent(30) {
                blink(index, leg, port, in: atNs...faultsEndNs, paceNs: paceNs)
            }
            if schedule.isEarly, case .start(let index) = fault, dice.percent(30) {
                push(atNs + dice.time(0...20_000_000), .fault(reload(index)))
            }
        }
        if schedule.isEarly, schedule.mayChangeInterval, dice.percent(50) {
            let newNs = dice.one(of: [intervalNs, intervalNs / 8])
            let atNs = beginNs + dice.time(0...(faultsEndNs - beginNs))
            for index in world.directors.indices { push(atNs, .fault(.reload(index, .interval(newNs)))) }
        }
        if let stranger = schedule.stranger { push(beginNs + dice.time(0...stranger.pauseMaxNs), .stranger) }
        push(faultsEndNs, .calm)
        for fault in lastFaults() { push(faultsEndNs, .fault(fault)) }
        return faultsEndNs
    }

    /// A port that fails may come back by itself, and fail again.
    private mutating func blink(
        _ index: Int, _ leg: Int, _ port: World.Port, in times: ClosedRange<Int64>, paceNs: Int64
    ) {
        var atNs = times.lowerBound
        for number in 0..<dice.number(1...6) {
            atNs += dice.time(0...(5 * paceNs))
            guard atNs < times.upperBound else { return }
            push(atNs, .fault(.port(director: index, leg: leg, number.isMultiple(of: 2) ? .up : port)))
        }
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
        case .kernel(let change, let era):
            guard kernels[change.director].era == era else { return 0..<0 }
            act(change)
        case .report(let change, let session):
            guard kernels[change.director].session == session else { return 0..<0 }
            say(
                "the kernel reports \(change.isHeld ? "" : "no ")addresses on leg \(change.leg) to LVS\(change.director + 1)"
            )
            world.report(change)
            return change.director..<(change.director + 1)
        case .stranger: strike()
        case .calm:
            say("calm")
            isCalm = true
            lossPercent = 0
            readTables()
        case .settled:
            say("settled")
            if let complaint = promises.settle(world) { fail(complaint) }
        }
        return world.directors.indices
    }

    private mutating func suffer(_ fault: Fault) {
        guard world.apply(fault) else { return }
        say("*** \(fault)")
        promises.suffered(fault)
        switch fault {
        case .resume(let index):
            kernels[index].session += 1
            for packet in sockets[index] { world.deliver(packet) }
            sockets[index] = []
            removeStrays(of: index)
        case .shutdown(let index):
            kernels[index].era += 1
            sockets[index] = []
        case .kill(let index), .start(let index):
            kernels[index].session += 1
            if case .start = fault, let answersNs = schedule.answersNs {
                push(world.nowNs + apart.time(0...answersNs), .fault(.informed(index)))
            }
            sockets[index] = []
        case .appear(let index, let leg):
            guard world.isKernelLate, world.directors[index].isAlive else { return }
            // Reports come in order: after those of what the kernel did before.
            kernels[index].lastReportNs = max(world.nowNs, kernels[index].lastReportNs)
            push(
                kernels[index].lastReportNs,
                .report(World.AddressChange(director: index, leg: leg, isHeld: true), session: kernels[index].session))
        default: break
        }
    }

    /// Sends what was said, asks the kernel, arms timers, looks at the world.
    private mutating func afterwards(_ touched: Range<Int>) {
        for packet in world.outbox { send(packet) }
        world.outbox = []
        for request in world.requests { ask(request) }
        world.requests = []
        for change in world.transitions {
            say(
                "LVS\(change.director + 1) \(change.transition.from) -> \(change.transition.to): "
                    + "\(change.transition.reason.rawValue)")
            if let complaint = promises.complaint(about: change, in: world) { fail(complaint) }
        }
        world.transitions = []
        for index in touched {
            arm(index)
            if let endNs = world.directors[index].leaseEndNs { push(endNs, .lease) }
        }
        if let complaint = promises.complaint(about: world) { fail(complaint) }
    }

    private mutating func send(_ packet: World.Packet) {
        // A cable is as lossy as a leg: the rules must not depend on it.
        guard !dice.percent(lossPercent) else { return }
        let sender = Int(packet.from)
        let slowNs =
            packet.medium < 128
            ? world.directors[sender].configuration.advertIntervalNs / 2
            : world.directors[sender].configuration.cables[Int(packet.medium) - 128].intervalNs
        let latencyNs = dice.percent(5) ? dice.time(0...slowNs) : dice.time(20_000...500_000)
        push(world.nowNs + latencyNs, .packet(packet))
        if dice.percent(2) { push(world.nowNs + latencyNs + dice.time(0...slowNs), .packet(packet)) }
    }

    private mutating func arm(_ index: Int) {
        guard !world.directors[index].isStopped, let atNs = world.directors[index].nextDeadlineNs else {
            return timers[index].atNs = nil
        }
        guard timers[index].atNs != atNs else { return }
        timers[index].generation += 1
        timers[index].atNs = atNs
        // A process that slept is late for its deadlines.
        push(
            max(atNs, world.nowNs) + dice.time(0...300_000),
            .timer(director: index, generation: timers[index].generation))
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

    private mutating func push(_ atNs: Int64, _ event: Event) { agenda.push(atNs, event) }

    // MARK: The kernel

    /// A late kernel acts in order. Each time it has acted, it reports; in the stress before the calm one report in thirty is
    /// lost, until the table is read as a whole.
    private mutating func ask(_ change: World.AddressChange) {
        let lateNs = schedule.kernelLateNs ?? 0
        let atNs = max(world.nowNs + (dice.percent(50) ? 0 : dice.time(0...lateNs)), kernels[change.director].lastNs)
        kernels[change.director].lastNs = atNs
        push(atNs, .kernel(change, era: kernels[change.director].era))
    }

    private mutating func act(_ change: World.AddressChange) {
        let index = change.director
        world.carryOut(change)
        if !isCalm, dice.percent(3) {
            promises.hasLostReport = true
            return say("a report is lost")
        }
        let lateNs = schedule.kernelLateNs ?? 0
        kernels[index].lastReportNs = max(world.nowNs + dice.time(0...lateNs), kernels[index].lastReportNs)
        push(kernels[index].lastReportNs, .report(change, session: kernels[index].session))
    }

    /// Every process reads its kernel's whole table, and removes what it does not want.
    private mutating func readTables() {
        guard world.isKernelLate else { return }
        if promises.hasLostReport { promises.reportsReadNs = world.nowNs }
        promises.hasLostReport = false
        for index in world.directors.indices {
            kernels[index].session += 1
            for leg in world.directors[index].legs.indices { world.tellHolding(of: index, leg: leg) }
            removeStrays(of: index)
        }
    }

    private mutating func removeStrays(of index: Int) {
        let director = world.directors[index]
        guard world.isKernelLate, director.isAlive, director.state != .master else { return }
        for leg in director.legs.indices where director.hasAddresses(leg) {
            ask(World.AddressChange(director: index, leg: leg, isHeld: false))
        }
    }

    // MARK: The stranger

    private mutating func strike() {
        guard let stranger = schedule.stranger, stranger.isPersistent || !isCalm else {
            return world.strangerAnswers = nil
        }
        push(world.nowNs + dice.time(1...stranger.pauseMaxNs), .stranger)
        let victim = dice.percent(20) ? dice.number(0...(world.directors.count - 1)) : nil
        for _ in 0..<dice.number(1...stranger.burstMax) {
            let leg = dice.number(0...(world.directors[0].ports.count - 1))
            guard stranger.legs.contains(member: Place(leg)), let advert = stranger.advert(in: world, leg: leg, &dice)
            else {
                continue
            }
            for index in world.directors.indices where victim.map({ $0 == index }) ?? true {
                let configuration = world.directors[index].configuration
                guard leg < configuration.members.count, configuration.version(of: Place(leg)) == advert.version,
                    advert.version == .v3 || configuration.advertIntervalNs == advert.intervalNs
                else { continue }
                say("LVS\(index + 1) hears a stranger: \(advert.priority) as \(advert.source) on leg \(leg)")
                world.deliver(advert, leg: leg, to: index)
            }
        }
    }

    // MARK: Faults

    private mutating func someFault() -> Fault {
        let index = dice.number(0...(world.directors.count - 1))
        let leg = dice.number(0...(world.directors[0].ports.count - 1))
        switch dice.number(0...(world.cables.isEmpty ? 13 : 16)) {
        case 0...5:
            if schedule.hasLeftovers, dice.percent(5) { return .appear(director: index, leg: leg) }
            return .port(director: index, leg: leg, World.Port.allCases[dice.number(0...7)])
        case 6: return .kill(index)
        case 7, 8: return .start(index)
        case 9: return .stop(index)
        case 10: return .resume(index)
        case 11: return dice.percent(50) ? .shutdown(index) : .handover(index)
        case 12:
            return dice.percent(50) ? .check(index, fails: dice.percent(60)) : .weight(index, dice.number(-254...254))
        case 13: return reload(index)
        default:
            return .cable(dice.number(0...(world.cables.count - 1)), World.Cable.allCases[dice.number(0...4)])
        }
    }

    private mutating func reload(_ index: Int) -> Fault {
        switch dice.number(0...(schedule.mayChangeInterval ? 3 : 2)) {
        case 0: return .reload(index, .priority(UInt8(dice.number(1...254))))
        case 1: return .reload(index, .preempt(dice.percent(50)))
        case 2: return .reload(index, .legs(dice.number(1...world.directors[0].ports.count)))
        default: return .reload(index, .interval(dice.one(of: [intervalNs, intervalNs / 2, intervalNs / 8])))
        }
    }

    /// In the end every process runs, with all its legs; half of the time everything is mended, else what is broken stays so.
    private mutating func lastFaults() -> [Fault] {
        var faults: [Fault] = []
        let legs = world.directors[0].ports.count
        for index in world.directors.indices {
            faults += [.resume(index), .start(index), .reload(index, .legs(legs))]
        }
        isMended = dice.percent(50)
        guard isMended else { return faults }
        for index in world.directors.indices {
            faults.append(.check(index, fails: false))
            for leg in world.directors[index].ports.indices {
                faults.append(.port(director: index, leg: leg, .up))
            }
        }
        for cable in world.cables.indices { faults.append(.cable(cable, .up)) }
        return faults
    }
}
