import VRRP

/// What a schedule promises, and to whom: looked at after every step.
///
/// Against nobody, and against a host whose adverts are all below every director's priority, or that answers for the virtual
/// addresses, whether or not it ever stops:
///
/// - *one*: two holders that a path connects do not last longer than three intervals, as long as no packet and no report of the
///   kernel is lost; a third router counts when the pair's heartbeats have lapsed;
/// - *somebody*: once settled, somebody serves if anybody can, all legs or none;
/// - *soon*: at any time, if no packet is lost, somebody serves within four intervals and half a second if nothing is broken,
///   and else in the time that each of the others needs to find out;
/// - *rest*: once settled, no state changes any more, except that of a third router beside a pair whose cable works, and that
///   a lower host which kept everybody from serving makes a pause, so that somebody takes over;
/// - *best*: once settled, if nothing is broken, nobody serves whom another may preempt, unless that one has no cable and
///   publishes `unheard`, since it cannot know that it would be heard by now, or is a third router beside a pair whose cable
///   works, since the pair would not heed it;
/// - *heard*: at any time, a master yields to a lesser one only if that has held for longer than an interval, as far as its
///   kernel has told it, or holds and a host sends adverts in its name;
/// - *owner*: at any time, an owner yields its addresses to another owner, a fault or an operator, and to nobody else;
/// - *quiet*: at any time, a director answers a flood with no more than one advert an interval and leg beside its own.
///
/// Against a host that resigns in the name of others: the same, but that a backup may hold for a moment again and again.
/// Against a host that sends anything: *owner* (unless it claims 255) and *quiet* at any time, the rest once it has stopped.
struct Promises: Sendable {
    private let schedule: Schedule
    private let isLossy: Bool
    private var dualSinceNs: Int64?
    private var outageSinceNs: Int64?
    private var isSettled = false
    /// Settled, but a stranger keeps everybody from serving.
    private var isKeptWaiting = false
    private var settledNs: Int64 = 0
    private var advertsSent: [UInt64] = []
    private var hasHandedOver = false
    /// A kernel's report is lost: until the table is read anew a director does not know what it holds.
    var hasLostReport = false
    /// When the tables were read because of that. What was said before may still be under way, or wait in a socket.
    var reportsReadNs: Int64?
    /// Per director: since when it has held, and when it last did.
    private var held: [(sinceNs: Int64, lastNs: Int64)?]

    init(_ schedule: Schedule) {
        self.schedule = schedule
        held = schedule.groups.map { _ in nil }
        isLossy = schedule.lossPercent > 0
    }

    private var kind: Stranger.Kind? { schedule.stranger?.kind }

    mutating func suffered(_ fault: Fault) {
        outageSinceNs = nil
        if case .handover = fault { hasHandedOver = true }
    }

    // MARK: At any time

    mutating func complaint(about world: World) -> String? {
        for index in world.directors.indices { noteHolding(of: index, world) }
        if let complaint = oneComplaint(world) { return complaint }
        noteService(world)
        return soonComplaint(world)
    }

    /// How long nobody holds though somebody could.
    private mutating func soonComplaint(_ world: World) -> String? {
        guard schedule.isStrict, !isLossy, !hasLostReport, isSettled || kind == nil,
            world.directors.allSatisfy({ $0.held.isEmpty }), world.complaint == .nobodyHolds
        else {
            outageSinceNs = nil
            return nil
        }
        let sinceNs = outageSinceNs ?? world.nowNs
        outageSinceNs = sinceNs
        let lastedNs = world.nowNs - sinceNs
        let slackNs = 500_000_000 + 2 * (schedule.kernelLateNs ?? 0)
        let currentNs = world.directors.reduce(0) { max($0, $1.configuration.advertIntervalNs) }
        let down = schedule.downIntervals
        let most = isWhole(world) ? down + 1 : (5 * down + 2) * Int64(world.directors.count - 1) + down + 1
        guard lastedNs > most * currentNs + slackNs else { return nil }
        // Who was heard a moment ago may have said that it is slower.
        let learnedNs = world.directors.flatMap { $0.engine?.status.members ?? [] }.reduce(0) {
            $1.isHeard ? max($0, $1.masterIntervalNs) : $0
        }
        return lastedNs > most * max(currentNs, learnedNs) + slackNs && !isFollowed(world)
            ? "nobody holds for too long, and somebody could" : nil
    }

    /// Nothing is broken that a director needs to hear or to be heard.
    private func isWhole(_ world: World) -> Bool {
        world.directors.allSatisfy { director in
            !director.checkFails && director.ports.allSatisfy(\.isWhole)
                && director.configuration.version == world.directors[0].configuration.version
        }
    }

    /// Lost packets, and whoever may send anything, excuse two holders until the schedule has settled.
    private mutating func oneComplaint(_ world: World) -> String? {
        guard world.hasConnectedHolders else {
            dualSinceNs = nil
            return nil
        }
        let sinceNs = dualSinceNs ?? world.nowNs
        dualSinceNs = sinceNs
        let slowestNs = world.directors.reduce(0) { max($0, $1.configuration.advertIntervalNs) }
        var boundNs = (areAnyEqual(world) ? 6 : 3) * slowestNs + 5_000_000 + (schedule.kernelLateNs ?? 0)
        // A third router beside a pair is heeded when the peer's word is no longer fresh.
        if world.directors.count > 2 { boundNs += 3 * (schedule.groups[0].cables.map(\.intervalNs).max() ?? 0) }
        if hasLostReport { dualSinceNs = nil }
        if isLossy || hasLostReport || kind == .anything || kind == .holding, !isSettled { return nil }
        return world.nowNs - sinceNs > boundNs ? "two holders for more than three intervals" : nil
    }

    /// Equal priorities are published as such: two holders may last until one has learned that it is not heard.
    private func areAnyEqual(_ world: World) -> Bool {
        let places = world.directors.indices
        return places.contains { index in
            places[(index + 1)...].contains { world.directors[index].priority == world.directors[$0].priority }
        }
    }

    func complaint(about change: World.Change, in world: World) -> String? {
        let director = world.directors[change.director]
        if director.configuration.priority == 255, change.transition.from == .master,
            [.lose, .unheard, .twoHolders].contains(change.transition.reason), kind != .anything,
            schedule.groups.filter({ $0.priority == 255 }).count < 2
        {
            return "an owner has yielded to a router that is none"
        }
        if change.transition.reason == .unheard, change.transition.from == .master, kind != .anything, kind != .holding,
            !hasLostReport, !isReportJustRead(world),
            !hasHeldForLong(kind == .lower ? 0 : director.configuration.advertIntervalNs, world, but: change.director)
        {
            return "a master has yielded to a lesser one that does not go on holding"
        }
        // A third router yields to a pair that does not heed it, also to each claim of one that the other does not hear.
        guard isSettled, !world.isThirdRouter(change.director) else { return nil }
        if isKeptWaiting, [.take, .preempt, .lose].contains(change.transition.reason) { return nil }
        // With a lower stranger's adverts, a router that answers for the addresses and does not hear us, or heeds nobody but its
        // peer, looks like a lesser one.
        if kind == .lower, !director.configuration.hasPool, isBesideUnheard(change.director, world) { return nil }
        if kind == .resigning, !isBest(change.director, in: world) { return nil }
        return "a change of state long after the last fault"
    }

    /// A pause that is shorter than three intervals is not heard as one.
    private mutating func noteHolding(of index: Int, _ world: World) {
        guard !world.directors[index].held.isEmpty else { return }
        let pauseNs = max(3, schedule.downIntervals) * world.directors[index].configuration.advertIntervalNs
        var sinceNs = world.nowNs
        if let before = held[index], world.nowNs - before.lastNs < pauseNs { sinceNs = before.sinceNs }
        held[index] = (sinceNs, world.nowNs)
    }

    /// When the stranger that kept everybody from serving makes a pause, somebody takes over, however late that is. From then
    /// on, after the time that two of them may need to agree, all have to rest.
    private mutating func noteService(_ world: World) {
        guard isKeptWaiting else { return }
        let slowestNs = world.directors.reduce(0) { max($0, $1.configuration.advertIntervalNs) }
        let forNs = (areAnyEqual(world) ? 6 : 3) * slowestNs
        isKeptWaiting = !world.directors.indices.contains { index in
            guard !world.directors[index].held.isEmpty, let held = held[index] else { return false }
            return world.nowNs - held.sinceNs >= forNs
        }
    }

    /// A director whose kernel is late says that it holds until the kernel reports the end.
    private func hasHeldForLong(_ forNs: Int64, _ world: World, but index: Int) -> Bool {
        held.indices.contains { other in
            guard other != index, let held = held[other] else { return false }
            let isHeld = !world.directors[other].held.isEmpty
            return world.nowNs - held.sinceNs >= forNs
                && (isHeld || world.nowNs - held.lastNs <= schedule.kernelLateNs ?? 0)
        }
    }

    private func isReportJustRead(_ world: World) -> Bool {
        guard let reportsReadNs else { return false }
        return world.nowNs - reportsReadNs <= schedule.slowestNs
    }

    private func isBesideUnheard(_ index: Int, _ world: World) -> Bool {
        world.directors.indices.contains {
            $0 != index && !world.directors[$0].held.isEmpty && !world.areRivals(index, $0)
        }
    }

    private func isBest(_ index: Int, in world: World) -> Bool {
        let priority = world.directors[index].priority ?? 0
        return world.directors.indices.allSatisfy {
            $0 == index || world.directors[$0].priority ?? 0 < priority
        }
    }

    // MARK: Once settled

    mutating func settle(_ world: World) -> String? {
        isSettled = true
        settledNs = world.nowNs
        dualSinceNs = nil
        advertsSent = Self.advertsSent(world)
        if world.directors.contains(where: { $0.isAlive && $0.state == .initialize }) {
            return "at the end: a director has not begun"
        }
        var complaint = world.complaint
        if kind == .resigning, complaint == .nobodyHolds || complaint == .twoHolders { complaint = .none }
        isKeptWaiting = isFollowed(world) && world.directors.allSatisfy(\.held.isEmpty)
        if complaint == .nobodyHolds, isKeptWaiting { complaint = .none }
        if complaint != .none { return "at the end: \(complaint)" }
        return bestComplaint(world)
    }

    /// A director that does not preempt follows every master that it hears, as VRRP has it, so a lesser stranger keeps it
    /// from serving. Where there are no addresses nobody can be asked for them, so there the others follow it too while they
    /// must not preempt, as with a leg that is not proven.
    private func isFollowed(_ world: World) -> Bool {
        guard kind == .lower else { return false }
        if schedule.groups[0].members.contains(where: \.addresses.isEmpty) { return true }
        return world.directors.allSatisfy { !$0.configuration.preempt && $0.configuration.priority < 255 }
    }

    private func bestComplaint(_ world: World) -> String? {
        guard schedule.isStrict, isWhole(world), world.directors.allSatisfy(\.isAlive), !hasHandedOver,
            world.hasNeighbours, world.cables.allSatisfy({ $0 == .up })
        else { return nil }
        let holders = world.directors.indices.filter { !world.directors[$0].held.isEmpty }
        guard holders.count == 1, let serving = world.directors[holders[0]].priority else { return nil }
        let isPreempted = world.directors.indices.contains { index in
            let director = world.directors[index]
            return (director.configuration.preempt || director.configuration.priority == 255)
                && director.priority ?? 0 > serving && !isUnheard(index, by: holders[0], world)
        }
        return isPreempted ? "at the end: a lesser one serves, though all is well" : nil
    }

    /// Without a cable a director that publishes `unheard` cannot know better, and a third router is not heard: it yields to
    /// the pair and takes back, and does so at its own times.
    private func isUnheard(_ index: Int, by holder: Int, _ world: World) -> Bool {
        let director = world.directors[index]
        guard !director.configuration.hasPool else { return false }
        return !world.areRivals(index, holder)
            || director.engine?.status.conditions.contains(Condition(.unheard)) ?? false
    }

    /// Told when the schedule is over.
    func complaint(atEndOf world: World) -> String? {
        let fastestNs = world.directors.reduce(Int64.max) { min($0, $1.configuration.advertIntervalNs) }
        for (index, sent) in Self.advertsSent(world).enumerated() where index < advertsSent.count {
            let configuration = world.directors[index].configuration
            // Whoever takes over speaks, and a forged resignation lets it do so after each skew, which is of the interval that
            // it has learned from the master.
            let intervalNs = kind == .resigning ? fastestNs : configuration.advertIntervalNs
            let intervals = (world.nowNs - settledNs) / intervalNs
            let most = UInt64(configuration.members.count) * UInt64((kind == .resigning ? 8 : 2) * intervals + 6)
            if sent > advertsSent[index] + most { return "a flood is answered by a flood" }
        }
        return nil
    }

    private static func advertsSent(_ world: World) -> [UInt64] {
        world.directors.map { director in
            director.engine?.status.members.reduce(0) { $0 + $1.statistics.advertsSent } ?? 0
        }
    }
}
