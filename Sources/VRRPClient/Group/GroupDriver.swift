/// One group: its engine, and the legs and cables through which the engine touches the world.
///
/// Inputs go through `feed`, one after another: what an output brings about (an address that the kernel has confirmed, a
/// send that failed) becomes an input of its own after all outputs of the step are carried out, in their order. One timer
/// follows the engine's deadline. A backup's deadline moves with every advert it hears; the timer stays where it is, finds
/// nothing due, and moves then. In a crowd of groups each timer may be late by a fiftieth of the interval, so that a hundred
/// adverts leave at a few wake-ups: the grid of adverts stays where it is.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

/// What a group uses of the process it lives in.
protocol GroupServices: AnyObject {
    var wire: Wire { get }
    var kernel: KernelState { get }
    var prober: Prober { get }
    var leases: LeaseKeeper { get }
    /// Whether there are so many groups that their timers had better share their wake-ups.
    var isCrowded: Bool { get }
    var runner: Runner { get }

    /// Whether an address is a virtual one of any instance.
    func isVirtual(_ address: IPAddress) -> Bool
    /// Sets up a new socket.
    func prepare(_ socket: AdvertSocket)
    /// The state of an interface.
    func linkState(_ name: String, _ choice: VRRPConfiguration.LinkStateChoice) -> LinkWatch.State
    /// Whether a tracked thing other than a link is well.
    func isWell(_ object: VRRPConfiguration.Track.Object) -> Bool
    /// What the process itself knows and publishes with every group.
    var sharedConditions: [Condition] { get }
    /// Whether packets to addresses are taken although `accept = false` forbids it.
    var acceptsInSpite: Bool { get }
    /// Something to be published.
    func happened(_ output: Output, in group: GroupDriver)
}

final class GroupDriver {
    private(set) var group: VRRPConfiguration.Group
    private(set) var engine: Engine
    private(set) var legs: [Leg] = []
    private(set) var cables: [Cable] = []
    private unowned let services: GroupServices
    private let loop: EventLoop

    private var pending: [Input] = []
    /// What the last input brought about, while it is carried out; kept for its memory.
    private var outputs: [Output] = []
    private var isHandling = false
    private var timer: EventLoop.TimerID?
    /// What the timer calls: made once, not with every timer.
    private var onTimer: () -> Void = {}
    private var armedNs = Int64.max
    /// The engine's time, which never goes back.
    private var lastNs = Int64.min

    /// Who the peer said it is, so that our heartbeats can say that we hear it.
    private var peerIdentity: IPAddress?
    private var causes: Set<Cause> = []
    private var conditions: Set<Condition> = []
    /// What packets tell.
    private lazy var passing = PassingConditions(loop: loop) { [unowned self] in setCondition($0, $1) }
    /// Who has answered the newest question for a member's addresses: each is told once.
    private var answerers: [Int: Set<Answerer>] = [:]
    /// By instance: what is known of addresses that could not be held.
    private var inabilities: [String: Inability] = [:]
    /// By instance: until when adverts are sent from an address that has gone.
    private var graces: [String: EventLoop.TimerID] = [:]
    private static let graceMaxNs: Int64 = 500_000_000
    /// The group has been in no fault since it was started.
    private var hasBeenAble = false
    private var startedNs: Int64 = 0
    /// `no-director` is to be told then, if it is still so.
    private var heldOff: EventLoop.TimerID?
    private static let comingUpNs: Int64 = 15_000_000_000
    private var bindTimer: EventLoop.TimerID?
    private static let bindAgainNs: Int64 = 5_000_000_000

    var name: String { group.name }

    init(_ group: VRRPConfiguration.Group, services: GroupServices) {
        self.group = group
        self.services = services
        loop = services.wire.loop
        engine = Engine(configuration: GroupConfiguration(group))
        legs = group.instances.map(makeLeg)
        cables = group.heartbeats.map(makeCable)
        onTimer = { [unowned self] in
            timer = nil
            armedNs = .max
            checkClock(nowNs: loop.nowNs)
        }
    }

    deinit {
        for timer in [timer, bindTimer, heldOff] { timer.map(loop.cancel) }
        for case let timer? in inabilities.values.map(\.timer) { loop.cancel(timer) }
        for timer in graces.values { loop.cancel(timer) }
    }

    // MARK: Parts

    private func makeLeg(_ instance: VRRPConfiguration.Instance) -> Leg {
        let leg = Leg(instance, group: group, wire: services.wire, kernel: services.kernel)
        leg.onAdvert = { [unowned self, unowned leg] advert in
            if let index = index(of: leg) { feed(.advert(member: index, advert)) }
        }
        leg.onClaim = { [unowned self, unowned leg] in hearClaim(of: $0, by: $1, on: leg) }
        leg.onRefused = { [unowned self, unowned leg] in hearRefused($0, on: leg) }
        leg.addresses.onHolding = { [unowned self, unowned leg] isHeld in
            if let index = index(of: leg) { feed(.holding(member: index, isHeld)) }
        }
        leg.addresses.onMissing = { [unowned self, unowned leg] isMissing in
            setCondition(Condition(.addressMissing, leg.instance.name), isMissing)
        }
        leg.addresses.onCondition = { [unowned self] in setCondition($0, $1) }
        leg.addresses.onUnable = { [unowned self, unowned leg] in cannotHold(leg, $0) }
        leg.addresses.onOwnNamed = { [unowned self, unowned leg] in
            setCause(Cause(.config, leg.instance.name, detail: "own-address"), $0)
        }
        leg.onRefusal = { [unowned self, unowned leg] isRefused in
            setCondition(Condition(.sysctlRefused, leg.instance.name), isRefused)
        }
        services.leases.follow(leg.addresses)
        return leg
    }

    private func makeCable(_ heartbeat: VRRPConfiguration.Heartbeat) -> Cable {
        let cable = Cable(heartbeat, wire: services.wire, kernel: services.kernel)
        cable.onAdvert = { [unowned self, unowned cable] in hear($0, on: cable) }
        return cable
    }

    private func index(of leg: Leg) -> Int? { legs.firstIndex { $0 === leg } }

    private func hear(_ advert: Advert, on cable: Cable) {
        guard let index = cables.firstIndex(where: { $0 === cable }), let identity,
            var word = HeartbeatCodec.word(
                advert, ownIdentity: identity, members: engine.configuration.members)
        else { return }
        // Under our own number come our own words, or those of a director whose file has the numbers as ours has them.
        if advert.vrid == cable.heartbeat.vrid { word.identity = identity }
        if word.identity != identity { peerIdentity = word.identity }
        feed(.heartbeat(cable: index, word))
    }

    /// Who we are over the cables: our address on the first that has one.
    private var identity: IPAddress? { cables.first { $0.source != nil }?.source }

    // MARK: The engine

    /// Gives the engine an input and carries out what follows.
    func feed(_ input: Input) {
        guard !isHandling else { return pending.append(input) }
        isHandling = true
        handle(input)
        var next = 0
        while next < pending.count {
            handle(pending[next])
            next += 1
        }
        if next > 0 { pending.removeAll(keepingCapacity: true) }
        isHandling = false
        schedule()
    }

    private func handle(_ input: Input) {
        lastNs = max(lastNs, loop.nowNs)
        engine.handle(input, nowNs: lastNs, into: &outputs)
        guard !outputs.isEmpty else { return }
        for output in outputs { carryOut(output) }
        outputs.removeAll(keepingCapacity: true)
    }

    /// A deadline that moves later with every advert does not move the timer each time, but before the timer has come
    /// near: a timer that goes off for nothing costs a wake-up.
    private func schedule() {
        guard let deadlineNs = engine.nextDeadlineNs else { return }
        if deadlineNs >= armedNs {
            guard deadlineNs - armedNs > 500_000_000 else { return }
            let nowNs = loop.nowNs
            guard armedNs - nowNs < (deadlineNs - nowNs) / 2 else { return }
        }
        if let timer { loop.cancel(timer) }
        armedNs = deadlineNs
        timer = loop.schedule(atNs: deadlineNs, toleranceNs: toleranceNs, onTimer)
    }

    private var toleranceNs: Int64 {
        services.isCrowded ? group.heartbeats.reduce(group.advertIntervalNs) { min($0, $1.intervalNs) } / 50 : 0
    }

    /// Whether the addresses of a leg are wanted.
    var isServing: Bool { legs.contains { $0.addresses.isWanted } }

    /// Tells the engine the time if something is due.
    func checkClock(nowNs: Int64) {
        lastNs = max(lastNs, nowNs)
        if let deadlineNs = engine.nextDeadlineNs, deadlineNs <= lastNs {
            feed(.timer)
        } else {
            schedule()
        }
    }

    // MARK: Outputs

    private func carryOut(_ output: Output) {
        switch output {
        case .sendAdvert(let member, let priority): sendAdvert(legs[member], priority)
        case .sendHeartbeat(let cable, let word): sendHeartbeat(cables[cable], word)
        case .addAddresses(let member):
            legs[member].addAddresses()
            services.leases.reconsider()
        case .removeAddresses(let member):
            legs[member].removeAddresses()
            services.leases.reconsider()
            feed(.holding(member: member, legs[member].addresses.isHolding))
        case .announce(let member): legs[member].announcer.announce()
        case .probePeers(let member): probePeers(member)
        case .probeAddresses(let member): probeAddresses(member)
        case .runFence: runFence()
        case .transition(let transition):
            if transition.to != .master { forgetSendFailures() }
            if [.backup, .master].contains(transition.to) { hasBeenAble = true }
            services.happened(output, in: self)
        case .raised(let condition) where condition.kind == .noDirector && isComingUp: holdOff(output)
        case .cleared(let condition) where condition.kind == .noDirector && heldOff != nil: endHoldOff()
        case .raised, .cleared, .causeChanged: services.happened(output, in: self)
        }
    }

    // MARK: Coming up

    /// While interfaces come up nobody can be heard, so that nobody serves is a guess, and mostly a wrong one.
    private var isComingUp: Bool { !hasBeenAble && loop.nowNs < startedNs + Self.comingUpNs }

    /// The conditions that are published.
    func isPublished(_ condition: Condition) -> Bool { condition.kind != .noDirector || heldOff == nil }

    private func holdOff(_ output: Output) {
        heldOff = loop.schedule(atNs: startedNs + Self.comingUpNs) { [unowned self] in
            heldOff = nil
            services.happened(output, in: self)
        }
    }

    private func endHoldOff() {
        if let heldOff { loop.cancel(heldOff) }
        heldOff = nil
    }

    private func sendAdvert(_ leg: Leg, _ priority: UInt8) {
        var outcome = leg.sendAdvert(priority: priority)
        if case .failed(let error) = outcome, leg.giveUpVirtualMAC(for: error) {
            Log.warning(
                "\(leg.instance.name): its macvlan is made anew: nothing can be sent through it: \(error)",
                about: "macvlan \(leg.instance.name)")
            bind(leg)
            outcome = leg.sendAdvert(priority: priority)
        }
        judge(outcome, leg)
        if case .failed = outcome, leg.isLingering { chooseSource(of: leg, mayLinger: false) }
        if priority > 0 { leg.bequeath(to: services.runner) }
    }

    private func sendHeartbeat(_ cable: Cable, _ word: PeerWord) {
        guard let source = cable.source else { return }
        let advert = HeartbeatCodec.advert(
            word, cable: cable.configuration, source: source, peerIdentity: peerIdentity,
            members: engine.configuration.members)
        let interface = cable.heartbeat.interface
        switch cable.send(advert) {
        case .sent: setCondition(Condition(.sendFiltered, interface), false)
        case .sentAround: setCondition(Condition(.sendFiltered, interface), true)
        // A cable that cannot carry a word says so by its silence, and is no cause.
        case .failed: break
        }
        if !word.holds.isEmpty { cable.bequeath(as: word.identity, to: services.runner) }
    }

    /// Who sends no adverts does not learn when they could be sent again.
    private func forgetSendFailures() {
        for leg in legs {
            setCondition(Condition(.sendFiltered, leg.instance.interface), false)
            judgeSize(of: leg)
        }
    }

    /// An interface that is gone or down is a cause; a packet filter is a condition; so is anything else.
    private func judge(_ outcome: SendOutcome, _ leg: Leg) {
        let interface = leg.instance.interface
        switch outcome {
        case .sent, .sentAround:
            setCondition(Condition(.sendFiltered, interface), outcome == .sentAround)
            setCondition(Condition(.sendFailed, leg.instance.name), false)
        case .failed(let error):
            let fatal: [Errno] = [.networkDown, .noSuchAddressOrDevice, .operationNotSupportedByDevice]
            if fatal.contains(error) {
                setCause(Cause(.sendDenied, interface), true)
            } else if error == .notPermitted {
                setCondition(Condition(.sendFiltered, interface), true)
            } else {
                setCondition(
                    Condition(.sendFailed, leg.instance.name, detail: leg.oversize ?? error.description), true)
            }
        }
    }

    /// What cannot be sent as master is known before.
    private func judgeSize(of leg: Leg) {
        let oversize = leg.oversize
        setCondition(Condition(.sendFailed, leg.instance.name, detail: oversize ?? ""), oversize != nil)
    }

    /// An advert of our VRID that is refused: whoever sends it does not know of us, as we do not of it.
    private func hearRefused(_ refused: RefusedAdvert, on leg: Leg) {
        guard let kind = refused.kind else { return }
        let theirsNs = min(3 * refused.intervalNs, 120_000_000_000)
        passing.saw(kind, of: leg.instance.name, forNs: max(10_000_000_000, 4 * group.advertIntervalNs, theirsNs)) {
            refused.words(group)
        }
    }

    /// The prober keeps what it calls for a second or two. That is a strong reference because a single weak one puts an
    /// object's counts into a table of their own, for good, and makes each step of the timer slower.
    private func probePeers(_ member: Int) {
        let leg = legs[member]
        guard let ifindex = leg.ifindex, let mac = leg.ownMAC, let source = leg.source else { return }
        let answered = { [self, leg] (address: IPAddress, mac: MACAddress) in
            hearNeighbour(address, mac, on: leg)
        }
        services.prober.ask(
            neighbours(leg), on: ifindex, source: source, mac: mac, windowNs: 1_000_000_000, answered: answered)
        // Who answers by another family than the leg's says little of what the leg is for.
        if leg.family == .ipv6, leg.instance.witnesses.isEmpty, leg.search.asksStrangers {
            services.prober.askAllNodes(
                on: ifindex, source: source, mac: mac, windowNs: 1_000_000_000, answered: answered)
        }
    }

    /// Witnesses, where they are configured; else whoever may be alive on the link.
    private func neighbours(_ leg: Leg) -> [IPAddress] {
        guard leg.instance.witnesses.isEmpty, let ifindex = leg.ifindex else { return leg.instance.witnesses }
        let own = services.kernel.addresses(of: ifindex)
        let networks = own.compactMap { address in
            address.key.address == leg.source && leg.family == .ipv4
                ? IPPrefix(address.key.address, length: Int(address.key.prefixLength)) : nil
        }
        let routers = Set(leg.routers.map(\.address)).union(leg.instance.unicastPeers)
        return leg.search.round(
            known: leg.acquaintances(nowNs: loop.nowNs), speakers: services.prober.speakers(on: ifindex),
            networks: networks, nowNs: loop.nowNs
        ) { address in
            routers.contains(address) || services.isVirtual(address) || own.contains { $0.key.address == address }
        }
    }

    private func hearNeighbour(_ address: IPAddress, _ mac: MACAddress, on leg: Leg) {
        guard let index = index(of: leg) else { return }
        if leg.instance.witnesses.isEmpty {
            guard !leg.isRouter(mac), !services.kernel.isOwn(mac) else { return }
            leg.search.heard(address)
        }
        feed(.proof(member: index))
    }

    /// ARP is asked as a stranger would; over IPv6 that would be answered to all nodes, as is what nobody asked for, so there
    /// we ask by our own name.
    private func probeAddresses(_ member: Int) {
        let leg = legs[member]
        answerers[member] = nil
        guard let ifindex = leg.ifindex, let mac = leg.ownMAC, let own = leg.source else { return }
        services.prober.ask(
            leg.virtualAddresses, on: ifindex, source: leg.family == .ipv4 ? .any(.ipv4) : own, mac: mac,
            windowNs: 500_000_000
        ) { [self, leg] address, mac in
            guard let index = index(of: leg) else { return }
            hearAnswer(for: address, from: mac, on: index)
        }
    }

    private func hearAnswer(for address: IPAddress, from mac: MACAddress, on member: Int) {
        let leg = legs[member]
        let answerer = leg.answerer(mac)
        guard !answerers[member, default: []].contains(answerer) else { return }
        // The virtual router's MAC address is our macvlan's as well as that of another router's.
        guard answerer == .virtualRouter || !services.kernel.isOwn(mac) else { return }
        answerers[member]?.insert(answerer)
        if !isHeardMaster(answerer, on: member) {
            passing.saw(.addressConflict, of: leg.instance.name, forNs: 5_000_000_000 + 2 * group.advertIntervalNs) {
                "\(address) is at \(mac)\(Self.words(answerer))"
            }
        }
        feed(.foreignAnswer(member: member, by: answerer))
    }

    /// Whether it is the master whose adverts arrive: that it has the addresses is as it should be.
    private func isHeardMaster(_ answerer: Answerer, on member: Int) -> Bool {
        let heard = engine.heard(on: member)
        return switch answerer {
        case .router(let address): address == heard
        case .virtualRouter: heard != nil
        case .stranger: false
        }
    }

    /// Another station says that it has an address which we hold.
    private func hearClaim(of address: IPAddress, by mac: MACAddress, on leg: Leg) {
        passing.saw(.addressConflict, of: leg.instance.name, forNs: 10_000_000_000) {
            services.kernel.isOwn(mac) ? nil : "\(address) is claimed by \(mac)\(Self.words(leg.answerer(mac)))"
        }
    }

    private static func words(_ answerer: Answerer) -> String {
        switch answerer {
        case .router(let address): ", router \(address)"
        case .virtualRouter: ", the virtual router's own MAC address"
        case .stranger: ""
        }
    }

    private func runFence() {
        guard group.fence != nil else { return feed(.fence(succeeded: true)) }
        services.runner.run(.fence(group: name)) { [self] result in
            if !result.isSuccess { Log.warning("group \(name): fence \(result)\(result.said)", about: "fence \(name)") }
            feed(.fence(succeeded: result.isSuccess))
        }
    }

    // MARK: Causes and conditions that the process knows

    func setCause(_ cause: Cause, _ isPresent: Bool) {
        guard isPresent || !causes.isEmpty else { return }
        let isKnown = causes.contains(cause)
        guard isPresent != isKnown else { return }
        if isPresent { causes.insert(cause) } else { causes.remove(cause) }
        feed(.cause(cause, isPresent: isPresent))
    }

    /// How often in a row an instance could not hold its addresses, and when that is tried again.
    private struct Inability {
        var count = 0
        var endedNs = Int64.min
        var timer: EventLoop.TimerID?
        /// The kernel refused them, as it does on an interface without IPv6; nobody took them away.
        var isRefusal = false

        /// The first wait, doubled with each further failure.
        static let firstNs: Int64 = 5_000_000_000
        static let maxNs: Int64 = 600_000_000_000
    }

    /// A router without its addresses is no router: another one serves, and this one tries again later and later, as each try
    /// that fails costs the service a moment.
    private func cannotHold(_ leg: Leg, _ reason: LegAddresses.Inability) {
        let name = leg.instance.name
        var inability = inabilities[name] ?? Inability()
        guard inability.timer == nil else { return }
        let nowNs = loop.nowNs
        if inability.count > 0, nowNs - inability.endedNs >= Inability.maxNs { inability.count = 0 }
        let waitNs = min(Inability.firstNs << Int64(min(inability.count, 10)), Inability.maxNs)
        inability.count += 1
        if case .refused = reason { inability.isRefusal = true } else { inability.isRefusal = false }
        Log.error("\(name): \(reason): trying again in \(waitNs / 1_000_000_000) s")
        inabilities[name] = inability
        setCause(Cause(.address, name), true)
        tryAgain(name, atNs: nowNs + waitNs)
    }

    /// An interface that has an address of its own again has been set up anew: what the kernel refused before it may take now.
    private func interfaceIsReady(_ name: String) {
        guard let inability = inabilities[name], inability.isRefusal, let timer = inability.timer else { return }
        loop.cancel(timer)
        inabilities[name] = nil
        setCause(Cause(.address, name), false)
    }

    private func tryAgain(_ name: String, atNs: Int64) {
        inabilities[name]?.timer = loop.schedule(atNs: atNs) { [unowned self] in
            inabilities[name]?.timer = nil
            // What can be known beforehand is asked beforehand.
            if services.kernel.refusal != nil { return tryAgain(name, atNs: loop.nowNs + Inability.maxNs) }
            inabilities[name]?.endedNs = loop.nowNs
            setCause(Cause(.address, name), false)
        }
    }

    /// A packet filter may have begun or ceased to drop adverts, or what is to be done about that may have changed.
    func filtersChanged() {
        acceptanceChanged()
        for leg in legs {
            let isFiltered = isFiltered(leg.ifindex, leg.family)
            let interface = leg.instance.interface
            setCondition(Condition(.advertsFiltered, interface), isFiltered && group.packetFilter != .ignore)
            setCause(Cause(.packetFilter, interface), isFiltered && group.packetFilter == .fault)
        }
        // Heartbeats are heard all the same, and a cable is no cause.
        for cable in cables where !legs.contains(where: { $0.instance.interface == cable.heartbeat.interface }) {
            let isFiltered = isFiltered(cable.ifindex, cable.configuration.family)
            setCondition(
                Condition(.advertsFiltered, cable.heartbeat.interface), isFiltered && group.packetFilter != .ignore)
        }
    }

    private func acceptanceChanged() {
        let isRefused = group.priority < 255 && group.instances.contains { !$0.accepts }
        setCondition(Condition(.acceptUnenforced), isRefused && services.acceptsInSpite)
    }

    private func isFiltered(_ ifindex: Int32?, _ family: IPAddress.Family) -> Bool {
        guard let ifindex else { return false }
        return services.wire.openSocket(SocketKey(ifindex: ifindex, family: family))?.isFiltered ?? false
    }

    func setCondition(_ condition: Condition, _ isPresent: Bool) {
        guard isPresent || !conditions.isEmpty else { return }
        let known = conditions.first { $0.isSame(as: condition) }
        guard isPresent != (known != nil) else { return }
        if let known { conditions.remove(known) } else { conditions.insert(condition) }
        feed(.condition(condition, isPresent: isPresent))
    }
}

// MARK: - The world

extension GroupDriver {
    /// Binds legs and cables to the interfaces that exist, and chooses their sources: before the engine starts.
    func bindAll() {
        for leg in legs { bind(leg) }
        for cable in cables { bind(cable) }
    }

    /// Starts the engine on the world as it is.
    func start() {
        startedNs = loop.nowNs
        feed(.start(snapshot()))
        for condition in services.sharedConditions { setCondition(condition, true) }
        acceptanceChanged()
    }

    private func bind(_ leg: Leg) {
        let link = services.kernel.link(named: leg.instance.interface)
        do throws(Errno) {
            try leg.bind(to: link?.ifindex, prepare: services.prepare)
            setCause(Cause(.config, leg.instance.name), false)
        } catch {
            let what = leg.instance.hasVirtualMAC ? "sockets or no virtual MAC address" : "sockets"
            let cause = Cause(.config, leg.instance.name)
            if !causes.contains(cause) {
                Log.error("\(leg.instance.name): no \(what) on \(leg.instance.interface): \(error)")
            }
            setCause(cause, true)
            bindLater()
        }
        judgeSize(of: leg)
        chooseSource(of: leg)
    }

    /// Network managers take an interface's own address away for a moment when they configure it anew. Meanwhile adverts are
    /// sent from it as before, for less than an interval: nobody misses one, and nothing moves.
    private func chooseSource(of leg: Leg, mayLinger: Bool = true) {
        let name = leg.instance.name
        let isUp = services.linkState(leg.instance.interface, group.linkState).isUp
        if leg.chooseSource(mayLinger: mayLinger && isUp, isVirtual: services.isVirtual), let index = index(of: leg) {
            feed(.primaryAddress(member: index, leg.source))
            if leg.source != nil { interfaceIsReady(name) }
        }
        guard leg.isLingering else {
            if let timer = graces.removeValue(forKey: name) { loop.cancel(timer) }
            return
        }
        guard graces[name] == nil else { return }
        let graceNs = min(Self.graceMaxNs, group.advertIntervalNs / 10 * 9)
        graces[name] = loop.schedule(atNs: Clock.monotonicNs() + graceNs) { [unowned self] in
            graces[name] = nil
            if let leg = legs.first(where: { $0.instance.name == name }) { chooseSource(of: leg, mayLinger: false) }
        }
    }

    /// What stood in the way of a leg may go without a word from the kernel.
    private func bindLater() {
        guard bindTimer == nil else { return }
        bindTimer = loop.schedule(atNs: loop.nowNs + Self.bindAgainNs, toleranceNs: Self.bindAgainNs / 5) {
            [unowned self] in
            bindTimer = nil
            for leg in legs where leg.ifindex == nil { bind(leg) }
        }
    }

    private func bind(_ cable: Cable) {
        let link = services.kernel.link(named: cable.heartbeat.interface)
        do throws(Errno) {
            try cable.bind(to: link?.ifindex, prepare: services.prepare)
        } catch {
            Log.error(
                "heartbeat \(cable.heartbeat.name): no sockets on \(cable.heartbeat.interface): \(error)",
                about: "bind \(cable.heartbeat.name)")
        }
        if cable.chooseSource(isVirtual: services.isVirtual), let index = cables.firstIndex(where: { $0 === cable }) {
            feed(.cableAddress(cable: index, cable.source))
        }
    }

    /// The world as the engine wants to know it at its start.
    private func snapshot() -> Snapshot {
        var snapshot = Snapshot(
            primaryAddresses: legs.map(\.source), holding: legs.map(\.addresses.isHolding),
            cableAddresses: cables.map(\.source), causes: causes)
        for name in Set(legs.map(\.instance.interface)).union(trackedLinks) {
            let state = services.linkState(name, group.linkState)
            if !state.isUp { snapshot.causes.insert(Cause(.link, name, detail: state.reason)) }
        }
        for cable in cables where !services.linkState(cable.heartbeat.interface, group.linkState).isUp {
            snapshot.cablesDown.insert(cable.heartbeat.interface)
        }
        for track in group.tracks {
            let (isWell, cause) = judge(track)
            if let weight = track.weight {
                snapshot.weights[track.name] = contribution(weight, isWell: isWell)
            } else if let cause, !isWell {
                snapshot.causes.insert(cause)
                if cause.kind != .link { causes.insert(cause) }
            }
        }
        return snapshot
    }

    /// The interfaces that this group looks at.
    var interfaces: Set<String> {
        var names = Set(legs.map(\.instance.interface)).union(cables.map(\.heartbeat.interface))
        for case .link(let name) in group.tracks.map(\.object) { names.insert(name) }
        return names
    }

    private var trackedLinks: [String] {
        group.tracks.compactMap { track in
            if case .link(let name) = track.object, track.weight == nil { name } else { nil }
        }
    }

    /// An interface may have another state, another number, or be gone.
    func linkChanged(_ name: String) {
        guard interfaces.contains(name) else { return }
        for leg in legs where leg.instance.interface == name { bind(leg) }
        for cable in cables where cable.heartbeat.interface == name { bind(cable) }
        let state = services.linkState(name, group.linkState)
        let isEnginesBusiness =
            legs.contains { $0.instance.interface == name } || cables.contains { $0.heartbeat.interface == name }
            || trackedLinks.contains(name)
        if isEnginesBusiness { feed(.link(interface: name, isUp: state.isUp, reason: state.reason)) }
        // An interface that is up may be sent on again; if not, the next advert says so.
        if state.isUp { setCause(Cause(.sendDenied, name), false) }
        trackedChanged { $0 == .link(name) }
    }

    /// What is known of an interface is not what it was.
    func interfaceChanged(_ link: Link, before old: Link) {
        for leg in legs { leg.interfaceChanged(link, before: old) }
    }

    /// An interface is gone. Another may have its number before we hear of it.
    func linkGone(_ ifindex: Int32) {
        for leg in legs where leg.ifindex == ifindex { leg.unbind() }
        for cable in cables where cable.ifindex == ifindex { cable.unbind() }
    }

    /// An address of an interface came or went.
    func addressesChanged(_ keys: [AddressKey]) {
        for leg in legs {
            if keys.contains(where: leg.addresses.concerns) { leg.addresses.observe() }
            if keys.contains(where: { $0.ifindex == leg.ifindex }) { bind(leg) }
            if keys.contains(where: { $0.ifindex == leg.ifindex && !services.isVirtual($0.address) }) {
                leg.addresses.surroundingsChanged()
            }
        }
        for cable in cables where keys.contains(where: { $0.ifindex == cable.ifindex }) { bind(cable) }
    }

    /// Something tracked may be well or ill.
    func trackedChanged(_ isMeant: (VRRPConfiguration.Track.Object) -> Bool) {
        for track in group.tracks where isMeant(track.object) {
            let (isWell, cause) = judge(track)
            if let weight = track.weight {
                feed(.weight(name: track.name, contribution(weight, isWell: isWell)))
            } else if let cause, cause.kind != .link {
                setCause(cause, !isWell)
            }
        }
    }

    private func judge(_ track: VRRPConfiguration.Track) -> (isWell: Bool, cause: Cause?) {
        switch track.object {
        case .link(let name):
            let state = services.linkState(name, group.linkState)
            return (state.isUp, Cause(.link, name, detail: state.reason))
        case .check(let name): return (services.isWell(track.object), Cause(.check, name))
        case .route(let route): return (services.isWell(track.object), Cause(.route, route.description))
        }
    }

    private func contribution(_ weight: Int, isWell: Bool) -> Int { isWell == (weight > 0) ? weight : 0 }
}

// MARK: - Reload and end

extension GroupDriver {
    /// Takes a new configuration of the same group, the first half: legs and cables that it has no longer let go of what they
    /// had. Those that did not change keep their sockets and addresses. `reload` follows.
    func letGo(for group: VRRPConfiguration.Group) {
        let old = self.group
        self.group = group
        // The engine must not act while its legs are exchanged; what they report meanwhile is in the snapshot.
        isHandling = true
        let keepsSettings =
            old.advertIntervalNs == group.advertIntervalNs && old.announce == group.announce
            && old.addressLeaseNs == group.addressLeaseNs && old.version == group.version
            && (old.priority == 255) == (group.priority == 255)
        var kept: [String: Leg] = [:]
        for leg in legs {
            let isSame = keepsSettings && group.instances.contains(leg.instance)
            if isSame { kept[leg.instance.name] = leg }
        }
        legs = replaceLegs(kept)
        let oldCables = cables
        cables = group.heartbeats.map { heartbeat in
            oldCables.first { $0.heartbeat == heartbeat } ?? makeCable(heartbeat)
        }
        for cable in oldCables where !cables.contains(where: { $0 === cable }) { cable.unbind() }
        forgetWhatWent()
    }

    /// The second half: what is new takes its place, and the engine learns of it.
    func reload() {
        let made = legs.filter { $0.ifindex == nil }
        bindAll()
        let meanwhile = pending.filter { if case .condition = $0 { true } else { false } }
        pending.removeAll()
        isHandling = false
        feed(.reload(GroupConfiguration(group), snapshot()))
        meanwhile.forEach(feed)
        services.leases.reconsider()
        // Other addresses, another place or MAC address, or another way to announce them.
        for leg in made where leg.addresses.isWanted { leg.announcer.announce() }
    }

    /// What was wrong with something that is configured no longer is over. What is tracked is judged anew in any case.
    private func forgetWhatWent() {
        let names = Set(legs.map(\.instance.name))
        let interfaces = Set(legs.map(\.instance.interface))
        causes = causes.filter { cause in
            switch cause.kind {
            case .config, .address: names.contains(cause.subject)
            case .sendDenied, .packetFilter: interfaces.contains(cause.subject)
            case .route, .check: false
            case .link, .noAddress, .isolated: true
            }
        }
        passing.keep(names)
        for condition in conditions where condition.kind == .sendFailed && !names.contains(condition.subject) {
            setCondition(condition, false)
        }
        answerers = [:]
        let all = interfaces.union(cables.map(\.heartbeat.interface))
        for condition in conditions where [.sendFiltered, .advertsFiltered].contains(condition.kind) {
            if !all.contains(condition.subject) { setCondition(condition, false) }
        }
    }

    /// The legs of the new configuration. One that changed takes over from its predecessor what both have.
    private func replaceLegs(_ kept: [String: Leg]) -> [Leg] {
        let old = legs
        let new = group.instances.map { kept[$0.name] ?? makeLeg($0) }
        for leg in old where !new.contains(where: { $0 === leg }) {
            let successor = new.first { $0.instance.name == leg.instance.name }
            leg.handOver(to: successor)
            services.leases.forget(leg.addresses)
        }
        return new
    }

    /// Resigns: addresses are removed, then it is said.
    func shutDown() {
        feed(.shutdown)
        for leg in legs {
            leg.close()
            services.leases.forget(leg.addresses)
        }
        for cable in cables { cable.unbind() }
        for timer in [timer, bindTimer, heldOff] { timer.map(loop.cancel) }
        (timer, bindTimer, heldOff) = (nil, nil, nil)
        armedNs = .max
    }
}
