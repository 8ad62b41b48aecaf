import VRRP

/// One state of the search: the world at a point in a tick, with what is under way.
///
/// All times are relative to now, which is always 0: when a tick passes, every deadline moves one tick nearer. Within a tick
/// the directors take turns, for what one does reaches another in the next tick at the earliest, so the order between *them*
/// makes no difference. In its turn a director does what is due in every order: timers, and packets that were sent one tick
/// ago, which may also wait for the next tick, or two ticks ago, which may not. A crossover cable has no queue to wait in, so
/// heartbeats take one tick unless `isCableSlow`.
package struct Node: Hashable, Sendable {
    package private(set) var world: World
    /// In order of channels, and within a channel in the order of sending.
    private var underway: [Underway] = []
    /// Ticks for which two directors have held while a path connected them.
    package private(set) var dualTicks: UInt8 = 0
    /// Whose turn it is.
    private var turn = 0
    /// Directors that have not been started yet.
    private var boots: [Int]
    /// Heartbeats may take two ticks as well.
    private var isCableSlow: Bool

    private struct Underway: Hashable {
        var packet: World.Packet
        /// Ticks since it was sent, 0 to 2.
        var age: UInt8 = 0
    }

    package init(_ world: World, boots: [Int], isCableSlow: Bool) {
        self.isCableSlow = isCableSlow
        self.world = world
        self.boots = boots
    }

    /// The world long after the directors of `boots` were started, `ticks` apart, each packet having taken the shortest time.
    /// Those of `later` wait to be started.
    package static func settled(
        _ world: World, boots: [Int] = [0, 1], later: [Int] = [], startedApart ticks: Int, isCableSlow: Bool
    ) -> Node {
        var node = Node(world, boots: boots, isCableSlow: isCableSlow)
        for tick in 0..<60 {
            for _ in world.directors {
                if tick >= ticks || node.turn == 0 { _ = node.act(2) }
                while let action = (1..<node.actionCount).first(where: { $0 != 2 && node.isPossible($0) }) {
                    _ = node.act(action)
                }
                _ = node.act(0)
            }
        }
        node.boots = later
        return node
    }

    // MARK: Steps

    private enum Action {
        case pass
        case timer
        case boot
        case deliver(Int)
    }

    /// Actions are numbered: the turn passes, the director's timer, its start, and the packets under way.
    package var actionCount: Int { 3 + underway.count }

    private func action(_ number: Int) -> Action {
        switch number {
        case 0: .pass
        case 1: .timer
        case 2: .boot
        default: .deliver(number - 3)
        }
    }

    private func isPossible(_ number: Int) -> Bool {
        switch action(number) {
        case .pass: canPass
        case .timer: world.isDue(turn)
        case .boot: boots.contains(turn)
        case .deliver(let place): isDeliverable(place)
        }
    }

    /// Takes a step. Returns whether a published state changed; nil: the step is not possible here.
    package mutating func act(_ number: Int) -> Bool? {
        switch action(number) {
        case .pass:
            guard canPass else { return nil }
            pass()
        case .timer:
            guard world.isDue(turn) else { return nil }
            world.give(.timer, to: turn)
        case .boot:
            guard let place = boots.firstIndex(of: turn) else { return nil }
            boots.remove(at: place)
            _ = world.apply(.start(turn))
        case .deliver(let place):
            guard isDeliverable(place) else { return nil }
            world.deliver(underway.remove(at: place).packet)
        }
        return settle()
    }

    /// Applies a fault; false: it makes no sense here.
    package mutating func suffer(_ fault: Fault) -> Bool {
        guard world.apply(fault) else { return false }
        underway.removeAll { !world.directors[Int($0.packet.to)].hasEngine }
        _ = settle()
        return true
    }

    package func name(of number: Int) -> String {
        switch action(number) {
        case .pass: turn + 1 == world.directors.count ? "--- tick" : "LVS\(turn + 1) is done"
        case .timer: "timer of LVS\(turn + 1)"
        case .boot: "start LVS\(turn + 1)"
        case .deliver(let place):
            "\(underway[place].packet)"
        }
    }

    /// Roles and holdings in one line.
    package var summary: String {
        world.directors.indices.map { index in
            let director = world.directors[index]
            let status = director.engine?.status
            let state = director.isStopped ? "stopped" : status.map { "\($0.state)" } ?? "dead"
            let claim = status?.isClaiming ?? false ? "(claims)" : ""
            let causes = (status?.causes ?? []).map(\.description).joined(separator: ",")
            let proven = (status?.members ?? []).map { $0.isProven ? "p" : "-" }.joined()
            return "LVS\(index + 1) \(state)\(claim) holds \(director.held.rawValue) \(proven) \(causes)"
        }.joined(separator: "; ")
    }

    /// A fault may fall here: a tick begins.
    package var isBetweenTicks: Bool { turn == 0 && boots.isEmpty && underway.allSatisfy { $0.age > 0 } }

    private var canPass: Bool {
        !world.isDue(turn)
            && !underway.contains { mustArrive($0) && Int($0.packet.to) == turn && world.directors[turn].isAlive }
    }

    private func mustArrive(_ item: Underway) -> Bool {
        item.age > 1 || item.age == 1 && item.packet.medium >= 128 && !isCableSlow
    }

    private func isDeliverable(_ place: Int) -> Bool {
        let packet = underway[place].packet
        let isHead = place == 0 || underway[place - 1].packet.channel != packet.channel
        return isHead && underway[place].age > 0 && Int(packet.to) == turn && world.directors[turn].isAlive
    }

    private mutating func pass() {
        turn += 1
        guard turn == world.directors.count else { return }
        turn = 0
        world.advance()
        for place in underway.indices {
            underway[place].age = min(underway[place].age + 1, 2)
            if case .heartbeat(var word) = underway[place].packet.content {
                word.stamp = World.aged(word.stamp, by: world.directors[0].configuration)
                underway[place].packet.content = .heartbeat(word)
            }
        }
        dualTicks = world.hasConnectedHolders ? min(dualTicks + 1, 200) : 0
    }

    /// Puts what was sent on its way, and forgets the transitions after a look.
    private mutating func settle() -> Bool {
        for packet in world.outbox { enqueue(packet) }
        world.outbox = []
        let changed = !world.transitions.isEmpty
        world.transitions = []
        return changed
    }

    /// A copy of the last packet of a channel tells nothing new; for a process that is stopped the newest two are kept.
    private mutating func enqueue(_ packet: World.Packet) {
        let end = underway.firstIndex { $0.packet.channel > packet.channel } ?? underway.endIndex
        let new = Underway(packet: packet)
        if end > 0, underway[end - 1] == new { return }
        underway.insert(new, at: end)
        guard world.directors[Int(packet.to)].isStopped else { return }
        let start = underway.firstIndex { $0.packet.channel == packet.channel } ?? end
        if end - start >= 2 { underway.remove(at: start) }
    }

    // MARK: What must not last

    package func complaint(_ scenario: Search.Scenario) -> Complaint {
        boots.isEmpty ? world.complaint : .none
    }
}

extension World {
    /// Longer than every deadline of the scenarios.
    private static let sleepMaxTicks: Int64 = 12

    /// A stamp one tick later, where stamps count ticks.
    static func aged(_ stamp: UInt32, by configuration: GroupConfiguration) -> UInt32 {
        configuration.timing.stampUnitNs == 1 ? (stamp &- 1) & 0x0fff_ffff : stamp
    }

    /// One tick passes: deadlines move one nearer, leases end.
    mutating func advance() {
        for index in directors.indices {
            // A process that is stopped sleeps through its deadlines: by how much is remembered up to a limit.
            if directors[index].isStopped {
                directors[index].sleptNs = min(directors[index].sleptNs + 1, Self.sleepMaxTicks)
            } else {
                directors[index].engine = directors[index].engine?.normalised(nowNs: 1)
            }
            if let endNs = directors[index].leaseEndNs { directors[index].leaseEndNs = endNs - 1 }
        }
        expireLeases()
    }

    /// Two directors whose processes run hold at once, and must not.
    package var hasConnectedHolders: Bool {
        for first in directors.indices where directors[first].serves {
            for second in directors.indices.dropFirst(first + 1) where directors[second].serves {
                if directors[first].isAlive, directors[second].isAlive, areRivals(first, second) { return true }
            }
        }
        return false
    }

    /// Protocol 112 can go both ways between two directors, and both heed it: a third router beside a pair whose cable works is
    /// told and not taken into account.
    package func areRivals(_ first: Int, _ second: Int) -> Bool {
        isThirdRouter(first) == isThirdRouter(second) && areConnected(first, second)
    }

    /// Not one of a pair whose cable works.
    package func isThirdRouter(_ index: Int) -> Bool { index >= 2 && isPairTalking }

    /// Heartbeats go both ways between the directors of a pool, over one cable or over two.
    private var isPairTalking: Bool {
        (0..<2).allSatisfy { index in
            directors[index].isAlive && cables.contains { $0.carries(from: index) }
        }
    }

    /// What would be wrong if it stayed like this.
    package var complaint: Complaint {
        if directors.contains(where: { !$0.held.isEmpty && $0.held != .first($0.legs.count) }) { return .halfAGroup }
        let holders = directors.indices.filter { !directors[$0].held.isEmpty }
        if hasConnectedHolders { return .twoHolders }
        // A leg that nobody answers on cannot be proven to work, though it does.
        let isFaultless = directors.map { $0.legs.allSatisfy(\.works) && !$0.checkFails && hasNeighbours }
        if directors.indices.contains(where: {
            isFaultless[$0] && directors[$0].isAlive && directors[$0].state == .fault
        }) {
            return .faultForNothing
        }
        let able = directors.indices.filter {
            directors[$0].isAlive && !directors[$0].isHeldBack && directors[$0].legs.allSatisfy(\.works)
        }
        let whole = able.filter { !directors[$0].checkFails }
        // Without a pool nobody knows that the peer is no better, so a failing check is FAULT unconditionally: also for a third
        // router beside a pair that has one.
        let serving = able.filter { !directors[$0].checkFails || !directors[$0].configuration.cables.isEmpty }
        if holders.isEmpty { return serving.isEmpty ? .none : .nobodyHolds }
        guard knowsEverything, !whole.isEmpty else { return .none }
        let serves = holders.contains { index in
            let members = directors[index].configuration.members
            return zip(directors[index].legs, members).allSatisfy { $0.sends || !$1.tracksInterface }
        }
        return serves ? .none : .deadLegHeld
    }

    /// A cable that works both ways between two running directors, and neighbours to prove a leg by.
    private var knowsEverything: Bool {
        hasNeighbours && cables.contains(.up) && directors.count == 2 && directors.allSatisfy { $0.isAlive }
    }
}
