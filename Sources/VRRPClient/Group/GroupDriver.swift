/// One group: its engine, and the legs and cables through which the engine touches the world.
///
/// Inputs go through `feed`, one after another. What an output brings about, such as an address that the kernel has
/// confirmed or a send that failed, becomes an input of its own; it is fed after all outputs of the step have been
/// carried out. One timer follows the engine's deadline. A backup's deadline moves with every advert it hears. The
/// timer is not moved each time: it fires, finds nothing due, and is then set to the new deadline. With many groups
/// each timer may be late by a fiftieth of the interval, so that a hundred adverts leave in a few wake-ups; the delays
/// do not add up.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class GroupDriver {
    var group: VRRPConfiguration.Group
    private(set) var engine: Engine
    var legs: [Leg] = []
    var cables: [Cable] = []
    let services: GroupServices
    let loop: EventLoop
    /// Records the engine's steps; nil: they are not recorded.
    var recorder: Recorder?

    var pending: [Input] = []
    /// What the last input brought about, while it is carried out; kept for its memory.
    private var outputs: [Output] = []
    var isHandling = false
    private var timer: EventLoop.TimerID?
    /// What the timer calls: made once, not with every timer.
    private var onTimer: () -> Void = {}
    private var armedNs = Int64.max
    /// The engine's time, CLOCK_BOOTTIME, which never goes back.
    private var lastNs = Int64.min
    /// How much that is ahead of CLOCK_MONOTONIC.
    var aheadNs: Int64 { loop.aheadNs }

    /// The peer's identity, from its heartbeats: ours repeat it to show that we hear the peer.
    private(set) var peerIdentity: IPAddress?
    var causes: Set<Cause> = []
    private(set) var conditions: Set<Condition> = []
    /// Conditions that packets raise, and that end by themselves.
    private(set) lazy var passing = PassingConditions(loop: loop) { [unowned self] in setCondition($0, $1) }
    /// Stations that have answered the newest question for a member's addresses: each is reported once.
    var answerers: [MemberIndex: Set<Answerer>] = [:]
    private(set) lazy var retries = HoldingRetries(
        loop: loop, isRefused: { [unowned self] in services.kernel.refusal != nil },
        set: { [unowned self] in setCause(Cause(.address, $0), $1) })
    private lazy var comingUp = ComingUp(loop: loop)
    /// By instance: until when adverts are sent from an address that has gone.
    var graces: [String: EventLoop.TimerID] = [:]
    var bindTimer: EventLoop.TimerID?
    /// What is tracked has answered, as far as the engine knows.
    var isInformed = true
    /// When it is told that the group has not begun.
    var heldBackTimer: EventLoop.TimerID?
    /// The highest priority that another router was heard with; 0: none was.
    var rivalPriority: UInt8 = 0
    /// Called, while master, with the instance that has received an advert of lower priority; nil: nobody wants to know.
    var onLowerPriority: ((String) -> Void)?

    var name: String { group.name }

    init(_ group: VRRPConfiguration.Group, services: GroupServices) {
        self.group = group
        self.services = services
        loop = services.loop
        engine = Engine(configuration: GroupConfiguration(group))
        legs = group.instances.map(makeLeg)
        cables = group.heartbeats.map(makeCable)
        followLinks()
        onTimer = { [unowned self] in
            timer = nil
            armedNs = .max
            checkClock()
        }
    }

    deinit {
        for timer in [timer, bindTimer, heldBackTimer].compactMap(\.self) + graces.values { loop.cancel(timer) }
    }

    // MARK: Parts

    func makeLeg(_ instance: VRRPConfiguration.Instance) -> Leg {
        let leg = Leg(instance, group: group, wire: services.wire, kernel: services.kernel, loop: loop)
        leg.onAdvert = { [unowned self, unowned leg] advert in
            guard let index = index(of: leg) else { return }
            hearRival(advert.priority)
            if let onLowerPriority, isLower(advert, than: leg) { onLowerPriority(leg.instance.name) }
            feed(.advert(member: index, advert))
        }
        leg.onClaim = { [unowned self, unowned leg] in hearClaim(of: $0, by: $1, on: leg) }
        leg.onRefused = { [unowned self, unowned leg] in
            tell(
                $0, of: leg.instance.name, version: Int(leg.version.rawValue),
                intervalNs: self.group.advertIntervalNs, leastHopLimit: leg.instance.expectedHopLimit)
        }
        leg.onHolding = { [unowned self, unowned leg] isHeld in
            if let index = index(of: leg) { feed(.holding(member: index, isHeld)) }
        }
        for kind in leg.held { kind.onCondition = { [unowned self] in setCondition($0, $1) } }
        for place in leg.places {
            place.onUnable = { [unowned self, unowned leg] in retries.cannotHold(leg.instance.name, $0) }
            place.onOwnNamed = { [unowned self, unowned leg] _ in
                setCause(
                    Cause(.config, leg.instance.name, detail: "own-address"), leg.places.contains(where: \.isOwnNamed))
            }
            services.leases.follow(place)
        }
        leg.onRefusal = { [unowned self, unowned leg] isRefused in
            setCondition(Condition(.sysctlRefused, leg.instance.name), isRefused)
        }
        return leg
    }

    func makeCable(_ heartbeat: VRRPConfiguration.Heartbeat) -> Cable {
        let cable = Cable(heartbeat, wire: services.wire, kernel: services.kernel)
        cable.onAdvert = { [unowned self, unowned cable] in hear($0, on: cable) }
        cable.onRefused = { [unowned self, unowned cable] refused in
            tell(refused, of: cable.heartbeat.name, version: 3, intervalNs: cable.heartbeat.intervalNs)
        }
        cable.onStranger = { [unowned self, unowned cable] in hearStranger($0, on: cable) }
        return cable
    }

    /// Whether we, a master, have the better claim than the sender.
    private func isLower(_ advert: Advert, than leg: Leg) -> Bool {
        guard engine.groupState == .master, advert.priority > 0, let source = leg.source else { return false }
        return (advert.priority, advert.source) < (engine.priority, source)
    }

    func index(of leg: Leg) -> MemberIndex? { legs.firstPlace { $0 === leg } }

    private func hear(_ advert: Advert, on cable: Cable) {
        guard let index = cables.firstPlace(where: { $0 === cable }), let identity else { return }
        guard
            var word = HeartbeatCodec.word(advert, ownIdentity: identity, members: engine.configuration.members)
        else {
            return tell(.peerFormat, of: cable) {
                "\(advert.source) sends adverts with VRID \(advert.vrid) that are no heartbeats"
            }
        }
        if advert.vrid == cable.heartbeat.vrid {
            // Our own heartbeat that came back, or a peer whose file has `vrid` and `peer-vrid` as ours has them, not
            // swapped. Both are treated as an echo.
            word.identity = identity
            if advert.source != cable.source {
                tell(.peerVRID, of: cable) {
                    cable.isOurs(advert.source)
                        ? nil
                        : "\(advert.source) sends heartbeats with VRID \(advert.vrid), as we do: expected vrid and "
                            + "peer-vrid swapped"
                }
            }
        } else if word.identity != identity {
            peerIdentity = word.identity
            cable.heardPeerNs = loop.nowNs
            hearRival(word.priority)
        }
        feed(.heartbeat(cable: index, word))
    }

    /// Our identity in heartbeats: our address on the first cable that has one.
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
        lastNs = max(lastNs, loop.nowBoottimeNs)
        engine.handle(input, nowNs: lastNs, into: &outputs)
        recorder?.stepped(name, input, atNs: lastNs, outputs, nextNs: engine.nextDeadlineNs)
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
            let nowNs = loop.nowBoottimeNs
            guard armedNs - nowNs < (deadlineNs - nowNs) / 2 else { return }
        }
        if let timer { loop.cancel(timer) }
        armedNs = deadlineNs
        timer = loop.schedule(atNs: deadlineNs - loop.aheadNs, toleranceNs: toleranceNs, onTimer)
    }

    private var toleranceNs: Int64 {
        services.isCrowded ? group.heartbeats.reduce(group.advertIntervalNs) { min($0, $1.intervalNs) } / 50 : 0
    }

    /// Whether the addresses of a leg are wanted.
    var isServing: Bool { legs.contains(where: \.isWanted) }

    /// Tells the engine the time if something is due.
    func checkClock() {
        lastNs = max(lastNs, loop.nowBoottimeNs)
        if let deadlineNs = engine.nextDeadlineNs, deadlineNs <= lastNs {
            feed(.timer)
        } else {
            schedule()
        }
    }

    /// Nothing more is due.
    func stopTimers() {
        for case let timer? in [timer, bindTimer, heldBackTimer] { loop.cancel(timer) }
        (timer, bindTimer, heldBackTimer) = (nil, nil, nil)
        comingUp.forget()
        armedNs = .max
    }

    // MARK: Outputs

    private func carryOut(_ output: Output) {
        switch output {
        case .sendAdvert(let member, let priority): sendAdvert(legs[member], priority)
        case .sendHeartbeat(let cable, let word): sendHeartbeat(cables[cable], word)
        case .addAddresses(let member):
            legs[member].addHoldings()
            legs[member].bequeath(to: services.runner)
            services.leases.reconsider()
        case .removeAddresses(let member):
            legs[member].removeHoldings()
            legs[member].revokeLastWord(from: services.runner)
            services.leases.reconsider()
            feed(.holding(member: member, legs[member].isHolding))
        case .announce(let member): legs[member].announcer.announce()
        case .announceAfterLower(let member): legs[member].announcer.announceAfterLower()
        case .probePeers(let member): probePeers(member)
        case .probeAddresses(let member): probeAddresses(member)
        case .runFence: runFence()
        case .transition(let transition):
            if transition.to != .master { forgetSendFailures() }
            if [.backup, .master].contains(transition.to) { comingUp.isOver = true }
            if transition.from == .initialize { tellHeldBack() }
            services.happened(output, self)
        case .raised(let condition) where condition.kind == .noDirector && comingUp.isGoingOn:
            comingUp.holdBack { [unowned self] in services.happened(output, self) }
        case .cleared(let condition) where condition.kind == .noDirector && comingUp.isHeldBack: comingUp.forget()
        case .raised, .cleared, .causeChanged: services.happened(output, self)
        }
    }

    /// The conditions that are published.
    func isPublished(_ condition: Condition) -> Bool { condition.kind != .noDirector || !comingUp.isHeldBack }

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

    func setCondition(_ condition: Condition, _ isPresent: Bool) {
        guard isPresent || !conditions.isEmpty else { return }
        let known = conditions.first { $0.isSame(as: condition) }
        // One that ends ends whatever its detail; one that goes on is another one with another detail.
        if let known, !isPresent || known.detail != condition.detail {
            conditions.remove(known)
            feed(.condition(known, isPresent: false))
        }
        guard isPresent, known?.detail != condition.detail else { return }
        conditions.insert(condition)
        feed(.condition(condition, isPresent: true))
    }

    // MARK: Beginning

    /// Starts the engine on the world as it is.
    func start() {
        comingUp.begin()
        let snapshot = snapshot()
        isInformed = snapshot.isInformed
        feed(.start(snapshot))
        tellHeldBack()
        for condition in services.sharedConditions() { setCondition(condition, true) }
        acceptanceChanged()
    }

    /// The world as the engine wants to know it at its start.
    func snapshot() -> Snapshot {
        var snapshot = Snapshot(
            primaryAddresses: legs.map(\.source), holding: legs.map(\.isHolding),
            cableAddresses: cables.map(\.source), causes: causes)
        snapshot.isInformed = tracked.allSatisfy(\.object.hasAnswered)
        for name in Set(legs.flatMap(\.instance.countingInterfaces)) {
            let state = services.links.state(of: name, group.linkState)
            if !state.isUp { snapshot.causes.insert(Cause(.link, name, detail: state.reason)) }
        }
        for cable in cables where !services.links.state(of: cable.heartbeat.interface, group.linkState).isUp {
            snapshot.cablesDown.insert(cable.heartbeat.interface)
        }
        for (track, object) in tracked {
            if let weight = track.weight {
                snapshot.weights[track.name] = object.contribution(of: weight)
            } else if !object.isWell {
                snapshot.causes.insert(object.cause)
            }
        }
        return snapshot
    }
}
