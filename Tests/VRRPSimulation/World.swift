import Addresses
import VRRP

/// Some directors with their wires, as the shipped engine sees them: no kernel, no clock, no chance.
///
///      LAN 0 ---+---- [director 0] ----+--- LAN 1           each leg's port can lose its carrier, fall silent one way
///               |       |  |  (cables) |                    or both, or lose protocol 112 alone (a filter); each cable
///               +---- [director 1] ----+                    can die or work one way; each process can be killed,
///               +---- [director n] ----+                    stopped, started, shut down, and its check can fail
///
/// The world carries out what engines ask for, as the process would, and collects what they send in `outbox`. When those
/// packets arrive, and when a timer fires, is decided by whoever drives it: the search tries every order, the simulation
/// throws dice. Times are in the unit of the driver. What the kernel holds outlives a killed process until its lease ends.
package struct World: Hashable, Sendable {
    package var nowNs: Int64 = 0
    package var directors: [Director]
    /// Per cable, between directors 0 and 1.
    package var cables: [Cable]
    /// Whether a neighbour answers on every LAN.
    package var hasNeighbours = true
    /// How long the kernel keeps the addresses of a process that no longer refreshes them.
    package var leaseNs: Int64
    /// What was sent and is not under way yet.
    package var outbox: [Packet] = []
    /// The published states left and entered since this was last emptied.
    package var transitions: [Change] = []
    /// Whether the kernel acts and reports later than in the step that asks: then `requests` collects what it is asked for.
    package var isKernelLate = false
    /// What a late kernel has been asked for and whoever drives the world has not passed on yet, in order.
    package var requests: [AddressChange] = []
    /// What a host that is no director answers to questions for the virtual addresses; nil: nothing.
    package var strangerAnswers: StrangerAnswers?
    /// Whether checks give their first answers some time after a start: then `Fault.informed` has to follow.
    package var isInformedLate = false
    /// An empty list, kept for its memory.
    private var spare: [Output] = []
    /// What all engines have said; nil: nobody asks.
    package var digest: Digest?

    /// What differs between two states of a search; the rest is the same in all of them.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(directors)
        hasher.combine(cables)
    }

    package struct Change: Hashable, Sendable {
        package var director: Int
        package var transition: Transition
    }

    /// An address that is added to a kernel's table or removed from it.
    package struct AddressChange: Hashable, Sendable {
        package var director: Int
        package var leg: Int
        package var isHeld: Bool
    }

    /// On which legs a host that is no director answers for the virtual addresses, and whose MAC address it shows.
    package struct StrangerAnswers: Hashable, Sendable {
        package enum Mask: Hashable, Sendable { case own, router(Int), virtualRouter }

        package var legs: MemberSet
        package var mask: Mask

        func answerer(leg: Int) -> Answerer {
            switch mask {
            case .own: .stranger
            case .router(let index): .router(World.address(of: index, leg: leg))
            case .virtualRouter: .virtualRouter
            }
        }
    }

    /// A machine: its kernel, its ports, and the process if there is one.
    package struct Director: Hashable, Sendable {
        package var configuration: GroupConfiguration {
            _read { yield shared.value }
            set { shared = Shared(newValue) }
        }
        private var shared: Shared<GroupConfiguration>
        /// As it was at first: a reload that brings legs back takes them from here.
        private let original: Shared<GroupConfiguration>
        /// The process's engine; nil: there is no process. In an array, so that to look at a director copies no engine.
        package var engine: Engine? {
            get { engines.first }
            set { engines = newValue.map { [$0] } ?? [] }
        }
        private var engines: [Engine] = []
        package var isStopped = false
        /// How long it has been stopped, where the driver keeps times relative to now.
        package var sleptNs: Int64 = 0
        package var ports: [Port]
        package var checkFails = false
        /// Its check has answered since the process was started.
        package var isInformed = true
        /// What something tracked adds to the priority.
        package var weight = 0
        /// Members whose addresses the kernel lists.
        package var held: MemberSet = []
        /// Members whose addresses it has reported, where that may be late.
        package var told: MemberSet = []
        /// When the kernel takes them back; nil: they are refreshed.
        package var leaseEndNs: Int64?

        package init(_ configuration: GroupConfiguration) {
            shared = Shared(configuration)
            original = shared
            ports = configuration.members.map { _ in .up }
        }

        /// The first legs of the configuration as it was at first.
        func members(_ count: Int) -> [MemberConfiguration] { Array(original.value.members.prefix(count)) }

        /// Whether a leg has virtual addresses. One without is held by the process alone: nothing is in the kernel.
        package func hasAddresses(_ leg: Int) -> Bool { !original.value.members[leg].addresses.isEmpty }

        /// The version of a leg's adverts, of one that a reload has taken away too.
        func version(_ leg: Int) -> Version { original.value.members[leg].version ?? configuration.version }

        /// The legs on the interface of a leg, that one included.
        func sharing(_ leg: Int) -> [Int] {
            let members = original.value.members
            return members.indices.filter { members[$0].interface == members[leg].interface }
        }

        /// Whether a link that is down is a cause of FAULT.
        func tracks(_ interface: String) -> Bool {
            configuration.members.contains { $0.interface == interface && $0.tracksInterface }
        }

        /// The process is gone: only the kernel still has something.
        mutating func dropWithoutAddresses() {
            for leg in ports.indices where !hasAddresses(leg) { held.remove(MemberSet(member: Place(leg))) }
        }

        /// The configuration goes without saying.
        package func hash(into hasher: inout Hasher) {
            hasher.combine(engines)
            hasher.combine(isStopped)
            hasher.combine(sleptNs)
            hasher.combine(ports)
            hasher.combine(checkFails)
            hasher.combine(weight)
            hasher.combine(held)
            hasher.combine(leaseEndNs)
        }

        /// The ports that the configuration uses: a reload may leave out the last legs.
        package var legs: ArraySlice<Port> { ports.prefix(configuration.members.count) }
        /// Whether a leg that the configuration uses has its addresses.
        var serves: Bool { !held.intersection(.first(legs.count)).isEmpty }
        /// The process runs and is not stopped.
        package var isAlive: Bool { hasEngine && !isStopped }
        /// The process waits before it begins.
        var isHeldBack: Bool { engines.isEmpty ? false : engines[0].isHeldBack }
        package var hasEngine: Bool { !engines.isEmpty }
        package var state: GroupState { engines.isEmpty ? .initialize : engines[0].groupState }
        package var nextDeadlineNs: Int64? { engines.isEmpty ? nil : engines[0].nextDeadlineNs }
        package var priority: UInt8? { engines.isEmpty ? nil : engines[0].priority }

        mutating func handle(_ input: Input, nowNs: Int64, into outputs: inout [Output]) {
            if !engines.isEmpty { engines[0].handle(input, nowNs: nowNs, into: &outputs) }
        }
    }

    /// What a leg's port does.
    package enum Port: UInt8, Hashable, Sendable, CaseIterable {
        case up, noCarrier, silent, mute, deaf, filtered, filteredOut, filteredIn

        /// Frames leave.
        var sends: Bool { self != .noCarrier && self != .silent && self != .mute }
        /// Frames arrive.
        var receives: Bool { self != .noCarrier && self != .silent && self != .deaf }
        /// Adverts leave.
        var advertises: Bool { sends && self != .filtered && self != .filteredOut }
        /// Adverts arrive.
        var hears: Bool { receives && self != .filtered && self != .filteredIn }
        /// ARP is answered: it needs both directions and no advert.
        package var works: Bool { sends && receives }
        /// Everything works.
        package var isWhole: Bool { self == .up }
    }

    /// What a cable does.
    package enum Cable: UInt8, Hashable, Sendable, CaseIterable {
        case up, noCarrier, silent, onlyFrom0, onlyFrom1

        func carries(from director: Int) -> Bool {
            self == .up || self == (director == 0 ? .onlyFrom0 : .onlyFrom1)
        }
    }

    /// An advert or a heartbeat under way.
    package struct Packet: Hashable, Sendable, CustomStringConvertible {
        package var from: UInt8
        package var to: UInt8
        /// The leg, or 128 plus the cable.
        package var medium: UInt8
        package var content: Content

        package var description: String {
            switch content {
            case .advert(let priority): "LVS\(to + 1) hears \(priority) on leg \(medium)"
            case .heartbeat(let word):
                "LVS\(to + 1) hears a heartbeat: \(word.priority), holds \(word.holds.rawValue), "
                    + "hears \(word.hears.rawValue), proven \(word.proven.rawValue)"
            }
        }

        package enum Content: Hashable, Sendable {
            case advert(priority: UInt8)
            case heartbeat(PeerWord)
        }

        /// Packets of one channel never overtake each other.
        package var channel: UInt32 { UInt32(from) << 16 | UInt32(to) << 8 | UInt32(medium) }
    }

    package init(_ configurations: [GroupConfiguration], leaseNs: Int64) {
        directors = configurations.map(Director.init)
        cables = (configurations.first?.cables ?? []).map { _ in .up }
        self.leaseNs = leaseNs
    }

    // MARK: Addresses of the world

    /// Where director `index` sends from on a leg. On odd legs the order of the directors is reversed: a tie-break that is
    /// not one for the group would tear it.
    package static func address(of index: Int, leg: Int) -> IPAddress {
        let rank = leg.isMultiple(of: 2) ? index : 200 - index
        return IPAddress(ipv4: 0x0a00_0000 | UInt32(leg) << 8 | UInt32(rank + 1))
    }

    package static func cableAddress(of index: Int, cable: Int) -> IPAddress {
        IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: UInt64(cable) << 8 | UInt64(index + 1))
    }

    // MARK: Paths

    package func advertsReach(from: Int, to: Int, leg: Int) -> Bool {
        leg < directors[from].legs.count && leg < directors[to].legs.count
            && directors[from].ports[leg].advertises && directors[to].ports[leg].hears
            && understands(to, from, leg: leg)
    }

    /// An advert of another version is discarded, and in version 2 one of another interval.
    private func understands(_ receiver: Int, _ sender: Int, leg: Int) -> Bool {
        let version = directors[receiver].version(leg)
        return version == directors[sender].version(leg)
            && (version == .v3
                || directors[receiver].configuration.advertIntervalNs
                    == directors[sender].configuration.advertIntervalNs)
    }

    package func talksBothWays(_ first: Int, _ second: Int, leg: Int) -> Bool {
        advertsReach(from: first, to: second, leg: leg) && advertsReach(from: second, to: first, leg: leg)
    }

    /// Some path carries protocol 112 both ways between two directors.
    package func areConnected(_ first: Int, _ second: Int) -> Bool {
        directors[first].ports.indices.contains { talksBothWays(first, second, leg: $0) }
            || cables.contains(.up) && first < 2 && second < 2
    }

    // MARK: What happens

    /// Gives an engine an input, carries out what it asks for, and what follows from that.
    package mutating func give(_ input: Input, to index: Int) {
        guard directors[index].isAlive else { return }
        var outputs: [Output] = []
        swap(&outputs, &spare)
        var inputs: [Input] = []
        directors[index].handle(input, nowNs: nowNs, into: &outputs)
        var next = 0
        while true {
            for output in outputs {
                digest?.add(output, of: index, nowNs: nowNs)
                carryOut(output, of: index, &inputs)
            }
            outputs.removeAll(keepingCapacity: true)
            guard next < inputs.count else { break }
            directors[index].handle(inputs[next], nowNs: nowNs, into: &outputs)
            next += 1
        }
        swap(&outputs, &spare)
    }

    /// Whether a timer of the director is due.
    package func isDue(_ index: Int) -> Bool {
        guard directors[index].isAlive, let atNs = directors[index].nextDeadlineNs else { return false }
        return atNs <= nowNs
    }

    /// A packet arrives, if the receiver's port still lets it.
    package mutating func deliver(_ packet: Packet) {
        let (from, to) = (Int(packet.from), Int(packet.to))
        switch packet.content {
        case .advert(let priority):
            let leg = Int(packet.medium)
            // The sender's file may have lost the leg meanwhile.
            guard directors[to].ports[leg].hears, leg < directors[from].legs.count,
                understands(to, from, leg: leg)
            else {
                return
            }
            let configuration = directors[from].configuration
            let advert = Advert(
                version: configuration.version(of: Place(leg)), vrid: configuration.members[leg].vrid,
                priority: priority,
                intervalNs: configuration.advertIntervalNs, addresses: configuration.members[leg].addresses,
                source: Self.address(of: from, leg: leg))
            give(.advert(member: Place(leg), advert), to: to)
        case .heartbeat(let word):
            let cable = Int(packet.medium) - 128
            guard cables[cable].carries(from: from) else { return }
            give(.heartbeat(cable: Place(cable), word), to: to)
        }
    }

    /// An advert of a host that is no director arrives.
    package mutating func deliver(_ advert: Advert, leg: Int, to index: Int) {
        guard directors[index].ports[leg].hears, leg < directors[index].legs.count else { return }
        give(.advert(member: Place(leg), advert), to: index)
    }

    /// A late kernel does what it was asked for.
    package mutating func carryOut(_ change: AddressChange) {
        let leg = MemberSet(member: Place(change.leg))
        directors[change.director].held.subtract(leg)
        if change.isHeld { directors[change.director].held.insert(leg) }
        if !directors[change.director].isAlive { abandonLease(change.director) }
    }

    /// A late kernel reports what it has done.
    package mutating func report(_ change: AddressChange) {
        note(change)
        guard change.leg < directors[change.director].legs.count else { return }
        give(.holding(member: Place(change.leg), change.isHeld), to: change.director)
    }

    /// What the process knows of a late kernel.
    private mutating func note(_ change: AddressChange) {
        guard isKernelLate else { return }
        let leg = MemberSet(member: Place(change.leg))
        directors[change.director].told.subtract(leg)
        if change.isHeld { directors[change.director].told.insert(leg) }
    }

    private mutating func ask(_ change: AddressChange, _ inputs: inout [Input]) {
        if isKernelLate, directors[change.director].hasAddresses(change.leg) { return requests.append(change) }
        carryOut(change)
        note(change)
        inputs.append(.holding(member: Place(change.leg), change.isHeld))
    }

    private mutating func carryOut(_ output: Output, of index: Int, _ inputs: inout [Input]) {
        switch output {
        case .sendAdvert(let member, let priority):
            let leg = member.number
            guard directors[index].ports[leg].advertises else { return }
            for other in directors.indices where other != index && advertsReach(from: index, to: other, leg: leg) {
                send(from: index, to: other, medium: UInt8(leg), .advert(priority: priority))
            }
        case .sendHeartbeat(let cable, let word):
            guard index < 2, cables[cable.number].carries(from: index) else { return }
            send(from: index, to: 1 - index, medium: UInt8(128 + cable.number), .heartbeat(word))
        case .addAddresses(let member):
            ask(AddressChange(director: index, leg: member.number, isHeld: true), &inputs)
        case .removeAddresses(let member):
            ask(AddressChange(director: index, leg: member.number, isHeld: false), &inputs)
        case .probePeers(let member):
            if hasNeighbours, directors[index].ports[member.number].works { inputs.append(.proof(member: member)) }
        case .probeAddresses(let member):
            inputs += answerers(leg: member.number, askedBy: index).map { .foreignAnswer(member: member, by: $0) }
        case .transition(let transition):
            transitions.append(Change(director: index, transition: transition))
        case .runFence: inputs.append(.fence(succeeded: true))
        case .announce, .announceAfterLower, .raised, .cleared, .causeChanged: break
        }
    }

    /// ARP crosses filters; an address that a dead process left behind answers too.
    private func answerers(leg: Int, askedBy index: Int) -> [Answerer] {
        guard directors[index].ports[leg].works else { return [] }
        var answerers = directors.indices.filter { other in
            other != index && directors[other].held.contains(member: Place(leg)) && directors[other].ports[leg].works
                && directors[other].hasAddresses(leg)
        }.map { Answerer.router(Self.address(of: $0, leg: leg)) }
        if let strangerAnswers, strangerAnswers.legs.contains(member: Place(leg)) {
            answerers.append(strangerAnswers.answerer(leg: leg))
        }
        return answerers
    }

    private mutating func send(from: Int, to: Int, medium: UInt8, _ content: Packet.Content) {
        guard directors[to].hasEngine else { return }
        outbox.append(Packet(from: UInt8(from), to: UInt8(to), medium: medium, content: content))
    }

    /// The kernel takes back what nobody refreshed.
    package mutating func expireLeases() {
        for index in directors.indices {
            guard let endNs = directors[index].leaseEndNs, endNs <= nowNs else { continue }
            directors[index].leaseEndNs = nil
            directors[index].held = []
        }
    }

    // MARK: Faults

    /// Does to the world what the fault says. Returns false when it makes no sense here, and nothing changes.
    package mutating func apply(_ fault: Fault) -> Bool {
        switch fault {
        case .port(let index, let leg, let port): return set(port, of: index, leg: leg)
        case .cable(let index, let cable): return set(cable, index)
        case .start(let index):
            guard !directors[index].hasEngine else { return false }
            boot(index)
        case .kill(let index):
            guard directors[index].hasEngine else { return false }
            directors[index].engine = nil
            directors[index].isStopped = false
            directors[index].dropWithoutAddresses()
            abandonLease(index)
        case .stop(let index):
            guard directors[index].isAlive else { return false }
            directors[index].isStopped = true
            abandonLease(index)
        case .resume(let index):
            guard directors[index].isStopped else { return false }
            resume(index)
        case .shutdown(let index):
            guard directors[index].isAlive else { return false }
            give(.shutdown, to: index)
            settleRequests(of: index)
            directors[index].engine = nil
        case .check(let index, let fails):
            guard directors[index].checkFails != fails else { return false }
            directors[index].checkFails = fails
            give(.cause(Cause(.tracked, "check:upstream"), isPresent: fails), to: index)
        case .informed(let index):
            guard directors[index].hasEngine, !directors[index].isInformed else { return false }
            directors[index].isInformed = true
            give(.informed, to: index)
        case .handover(let index):
            guard directors[index].isAlive, directors[index].engine?.handoverRefusal == nil else { return false }
            give(.handover, to: index)
        case .weight(let index, let weight):
            guard directors[index].weight != weight else { return false }
            directors[index].weight = weight
            give(.weight(name: "check:weighed", weight), to: index)
        case .reload(let index, let change): return reload(index, change)
        case .appear(let index, let leg):
            guard !directors[index].held.contains(member: Place(leg)), directors[index].hasAddresses(leg) else {
                return false
            }
            directors[index].held.insert(MemberSet(member: Place(leg)))
            if !directors[index].isAlive {
                abandonLease(index)
            } else if !isKernelLate {
                tellHolding(of: index, leg: leg)
            }
        }
        return true
    }

    /// What the kernel has, as if it had been read anew.
    package mutating func tellHolding(of index: Int, leg: Int) {
        report(AddressChange(director: index, leg: leg, isHeld: directors[index].held.contains(member: Place(leg))))
    }

    /// An orderly end waits for the kernel.
    private mutating func settleRequests(of index: Int) {
        guard isKernelLate else { return }
        for leg in directors[index].legs.indices {
            carryOut(AddressChange(director: index, leg: leg, isHeld: false))
            tellHolding(of: index, leg: leg)
        }
        requests.removeAll { $0.director == index }
    }

    private mutating func reload(_ index: Int, _ change: Fault.Change) -> Bool {
        var new = directors[index].configuration
        switch change {
        case .priority(let priority): new.priority = priority
        case .interval(let intervalNs): new.advertIntervalNs = intervalNs
        case .preempt(let preempts): new.preempt = preempts
        case .legs(let count): new.members = directors[index].members(count)
        case .version(let version): new.version = version
        }
        guard directors[index].isAlive, new != directors[index].configuration else { return false }
        let removed = new.members.count..<max(new.members.count, directors[index].configuration.members.count)
        directors[index].configuration = new
        // The process removes what is no longer configured before it tells the engine. A late kernel does so after everything
        // that it was asked for before.
        if isKernelLate {
            for leg in removed {
                let change = AddressChange(director: index, leg: leg, isHeld: false)
                if directors[index].hasAddresses(leg) { requests.append(change) } else { carryOut(change) }
            }
        } else {
            directors[index].held.formIntersection(.first(new.members.count))
            directors[index].told.formIntersection(.first(new.members.count))
        }
        give(.reload(new, snapshot(of: index)), to: index)
        return true
    }

    private mutating func set(_ port: Port, of index: Int, leg: Int) -> Bool {
        let before = directors[index].ports[leg]
        guard before != port else { return false }
        // Legs on one interface share its port.
        var isTold = false
        for other in directors[index].sharing(leg) {
            directors[index].ports[other] = port
            isTold = isTold || other < directors[index].legs.count
        }
        if isTold, (before == .noCarrier) != (port == .noCarrier) { tellLink(of: index, leg: leg) }
        return true
    }

    /// A loss is seen twice, by the PHY and by the kernel: whoever counts will miscount.
    private mutating func tellLink(of index: Int, leg: Int) {
        let interface = directors[index].members(directors[index].ports.count)[leg].interface
        guard directors[index].tracks(interface) else { return }
        guard directors[index].ports[leg] == .noCarrier else {
            return give(.link(interface: interface, isUp: true, reason: ""), to: index)
        }
        for reason in ["mii", "carrier"] { give(.link(interface: interface, isUp: false, reason: reason), to: index) }
    }

    private mutating func set(_ cable: Cable, _ index: Int) -> Bool {
        let before = cables[index]
        guard before != cable else { return false }
        cables[index] = cable
        guard (before == .noCarrier) != (cable == .noCarrier) else { return true }
        for director in 0..<2 { tellCable(of: director, index) }
        return true
    }

    private mutating func tellCable(of director: Int, _ index: Int) {
        let interface = directors[director].configuration.cables[index].interface
        give(.link(interface: interface, isUp: cables[index] != .noCarrier, reason: "carrier"), to: director)
    }

    private mutating func boot(_ index: Int) {
        directors[index].engine = Engine(configuration: directors[index].configuration)
        // A new process does not refresh what an old one left; it removes it.
        directors[index].leaseEndNs = nil
        if isKernelLate { directors[index].told = directors[index].held }
        directors[index].isInformed = !isInformedLate
        give(.start(snapshot(of: index)), to: index)
    }

    private func snapshot(of index: Int) -> Snapshot {
        let director = directors[index]
        var causes: Set<Cause> = director.checkFails ? [Cause(.tracked, "check:upstream")] : []
        for (leg, member) in director.configuration.members.enumerated()
        where director.ports[leg] == .noCarrier && director.tracks(member.interface) {
            causes.insert(Cause(.link, member.interface, detail: "carrier"))
        }
        let cables = director.configuration.cables
        return Snapshot(
            primaryAddresses: director.ports.indices.map { Self.address(of: index, leg: $0) },
            holding: director.ports.indices.map {
                (isKernelLate ? director.told : director.held).contains(member: Place($0))
            },
            cableAddresses: cables.indices.map { Self.cableAddress(of: index, cable: $0) }, causes: causes,
            cablesDown: Set(cables.indices.filter { self.cables[$0] == .noCarrier }.map { cables[$0].interface }),
            weights: ["check:weighed": director.weight], isInformed: director.isInformed)
    }

    private mutating func abandonLease(_ index: Int) {
        if !directors[index].held.isEmpty, directors[index].leaseEndNs == nil {
            directors[index].leaseEndNs = nowNs + leaseNs
        }
    }

    /// A process that was stopped finds the world as it is now.
    private mutating func resume(_ index: Int) {
        directors[index].isStopped = false
        directors[index].leaseEndNs = nil
        let sleptNs = directors[index].sleptNs
        nowNs += sleptNs
        defer { wakeUp(index, sleptNs) }
        let isMaster = directors[index].state == .master
        for leg in directors[index].ports.indices where !directors[index].hasAddresses(leg) && isMaster {
            directors[index].held.insert(MemberSet(member: Place(leg)))
        }
        for leg in directors[index].ports.indices
        where isKernelLate || !isMaster || !directors[index].held.contains(member: Place(leg)) {
            tellHolding(of: index, leg: leg)
        }
        for leg in directors[index].legs.indices { tellLink(of: index, leg: leg) }
        if index < 2 { for cable in cables.indices { tellCable(of: index, cable) } }
        give(.cause(Cause(.tracked, "check:upstream"), isPresent: directors[index].checkFails), to: index)
        if directors[index].isInformed { give(.informed, to: index) }
        guard directors[index].state == .master else { return }
        // The next refresh of the lease brings back what the kernel took.
        for leg in directors[index].legs.indices where !directors[index].held.contains(member: Place(leg)) {
            directors[index].held.insert(MemberSet(member: Place(leg)))
            tellHolding(of: index, leg: leg)
        }
    }

    /// Moves an engine that slept, and what it has just said, to the time of the others.
    private mutating func wakeUp(_ index: Int, _ sleptNs: Int64) {
        nowNs -= sleptNs
        guard sleptNs > 0 else { return }
        directors[index].sleptNs = 0
        directors[index].engine = directors[index].engine?.normalised(nowNs: sleptNs)
        for place in outbox.indices where outbox[place].from == index {
            if case .heartbeat(var word) = outbox[place].content {
                for _ in 0..<sleptNs { word.stamp = Self.aged(word.stamp, by: directors[index].configuration) }
                outbox[place].content = .heartbeat(word)
            }
        }
    }
}

/// Something that an operator, a user or a saw does.
package enum Fault: Hashable, Sendable, CustomStringConvertible {
    case port(director: Int, leg: Int, World.Port)
    case cable(Int, World.Cable)
    case start(Int)
    case kill(Int)
    case stop(Int)
    case resume(Int)
    case shutdown(Int)
    case check(Int, fails: Bool)
    case handover(Int)
    /// The first answer of its check has come.
    case informed(Int)
    case weight(Int, Int)
    case reload(Int, Change)
    /// A virtual address is in the kernel though nobody here asked for it.
    case appear(director: Int, leg: Int)

    /// What a new file says.
    package enum Change: Hashable, Sendable {
        case priority(UInt8)
        case interval(Int64)
        case preempt(Bool)
        /// So many legs, the first ones.
        case legs(Int)
        case version(Version)
    }

    package var description: String {
        switch self {
        case .port(let director, let leg, let port): "L\(director + 1)\(leg) \(port)"
        case .cable(let index, let cable): "cable \(index + 1) \(cable)"
        case .start(let index): "start LVS\(index + 1)"
        case .kill(let index): "kill -9 LVS\(index + 1)"
        case .stop(let index): "stop LVS\(index + 1)"
        case .resume(let index): "resume LVS\(index + 1)"
        case .shutdown(let index): "shut down LVS\(index + 1)"
        case .check(let index, let fails): "check \(fails ? "fails" : "succeeds") on LVS\(index + 1)"
        case .handover(let index): "LVS\(index + 1) hands over"
        case .informed(let index): "the check of LVS\(index + 1) has answered"
        case .weight(let index, let weight): "LVS\(index + 1) is weighed with \(weight)"
        case .reload(let index, let change): "LVS\(index + 1) reloads with \(change)"
        case .appear(let director, let leg): "the virtual address of leg \(leg) appears on LVS\(director + 1)"
        }
    }
}
