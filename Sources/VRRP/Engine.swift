import Addresses

/// One sync group: the state machine itself.
///
/// This is RFC 9568, section 6.4 (and RFC 3768, 6.4, for version 2), with one state for all members of a group, with FAULT as
/// a set of causes, and with heartbeats as evidence. A plain instance is a group of one. A step always has the same shape:
///
///     sleep noticed, and yielded if the lease ran out
///     -> what lapsed is taken out (timer), or the input is recorded as evidence (all others)
///     -> proofs, FAULT and the decision, until nothing changes
///     -> adverts and heartbeats that are due
///     -> conditions
///
/// Only the input `timer` can show that somebody is silent. If the process was not scheduled for a while, adverts wait
/// in its sockets; it feeds all of them to the engine before it feeds `timer`.
///
/// Where to look: evidence of a leg in `Member`, of the peer in `HeartbeatPool`, times in `Deadlines`, the rules in `Decision`,
/// what makes a leg doubtful in `Engine+Proof`, causes in `Engine+Fault`, what is heard in `Engine+Hearing`, what is done in
/// `Engine+Acting`.
///
/// It is a value without a clock, a socket or a thread, and it can be compared: the same code runs in the daemon, in the
/// simulator and in the exhaustive search. What it deliberately does not do: refresh leases, repeat announcements, count
/// what a packet filter drops, run programs. That is the process's business, as `Output` says.
public struct Engine: Sendable {
    /// The group's configuration. Shared between copies: the search copies engines by the million.
    public internal(set) var configuration: GroupConfiguration {
        _read { yield shared.value }
        set { shared = Shared(newValue) }
    }
    private var shared: Shared<GroupConfiguration>
    /// What it remembers.
    var state: EngineState
    /// What it only publishes: counters and facts for status. No decision depends on them.
    var record: Record
    /// When `timer` is due; nil: no deadline. Never a time that an earlier call has already dealt with. It follows from the
    /// state and is kept because it is asked for more often than it changes.
    public internal(set) var nextDeadlineNs: Int64?

    /// An engine that waits for its `start`.
    public init(configuration: GroupConfiguration) {
        shared = Shared(configuration)
        state = EngineState(configuration)
        record = Record(configuration)
    }

    /// Takes one input at `nowNs` (CLOCK_BOOTTIME, never going back) and returns what is to be done, in this order. An input
    /// that names a member or a cable out of range is ignored.
    public mutating func handle(_ input: Input, nowNs: Int64) -> [Output] {
        var outputs: [Output] = []
        handle(input, nowNs: nowNs, into: &outputs)
        return outputs
    }

    /// The same, appending to what the caller keeps.
    public mutating func handle(_ input: Input, nowNs: Int64, into outputs: inout [Output]) {
        var step = Step(nowNs: nowNs)
        swap(&step.outputs, &outputs)
        defer { swap(&step.outputs, &outputs) }
        noticeSleep(&step)
        // If our lease has run out we hold nothing any more: yield before the input is answered as if we did.
        if step.facts.hasOverslept { settle(&step) }
        take(input, &step)
        settle(&step)
        sendDueAdverts(&step)
        sendDueHeartbeats(&step)
        publishConditions(&step)
        findNextDeadline()
    }

    private mutating func findNextDeadline() {
        nextDeadlineNs = state.beginAtNs
        guard state.isRunning else { return }
        var next = NextDeadline()
        state.visitTimes(&next)
        nextDeadlineNs = earliest(next.atNs, takeoverProbeAtNs)
    }

    /// It waits before it begins: for the end of its delay, or for the first answer of what it tracks.
    public var isHeldBack: Bool { state.role == .clearing && (state.beginAtNs != nil || !state.isInformed) }
    /// The published state.
    public var groupState: GroupState { state.publicState }
    /// The master that is heard on a member; nil: none.
    public func heard(on member: MemberIndex) -> IPAddress? {
        state.members.has(member) ? state.members[member].heard?.source : nil
    }
    /// The effective priority.
    public var priority: UInt8 { state.priority }

    // MARK: The parts of a step

    /// Carries out decisions until there is none. Every decision but `yield` and `take` changes what the next one sees in
    /// one direction only, and those two alternate at most once a step, so the limit is never reached; it is here because
    /// a daemon must not depend on that.
    private mutating func settle(_ step: inout Step) {
        guard state.isRunning else { return }
        for _ in 0..<8 {
            updateProofs(&step)
            updateFault(&step)
            checkHolders(&step)
            updateTakeoverProbe(&step)
            updateRestraints()
            let decision = decision(step.facts)
            if decision == .stay { break }
            carryOut(decision, &step)
        }
        step.facts = Step.Facts()
        if !(state.role == .backup && state.everyMemberWants && !state.isSilentEverywhere) {
            state.preemptDelay = .none
        }
    }

    /// A deadline missed by far says that we were stopped, and silence during our own sleep is no evidence: a backup listens
    /// for one more interval, a master whose lease ran out is master no longer. The threshold keeps a busy machine with
    /// fast adverts from never taking over.
    private mutating func noticeSleep(_ step: inout Step) {
        guard configuration.rules.contains(.awake), let deadlineNs = nextDeadlineNs else { return }
        let lateNs = step.nowNs - deadlineNs
        guard lateNs > max(configuration.advertIntervalNs, configuration.timing.sleepMinNs) else { return }
        // A preempt delay does not run while we sleep, either.
        for index in state.members.places { state.members[index].isolation.abandon() }
        if state.isSpeaking {
            // The lease was refreshed up to a third of it before we fell asleep.
            let leaseNs = configuration.addressLeaseNs
            guard leaseNs > 0, lateNs >= leaseNs / 3 * 2 else { return }
            step.facts.hasOverslept = true
            // Do not announce once more that we hold: the peer that holds the addresses now would yield to us. What is left of
            // them here is removed as we yield.
            for index in state.members.places { state.members[index].isHeld = false }
        } else {
            state.pool.listenAnew(untilNs: step.nowNs + heartbeatIntervalNs, nowNs: step.nowNs)
            for index in state.members.places {
                guard let atNs = state.members[index].downAtNs, atNs <= step.nowNs else { continue }
                let member = state.members[index]
                let skewNs = skewNs(member.masterIntervalNs, on: index)
                state.members[index].downAtNs = step.nowNs + member.masterIntervalNs + skewNs
            }
        }
    }

    /// Takes out what has lapsed, and acts on what has fallen due.
    private mutating func expire(_ step: inout Step) {
        let nowNs = step.nowNs
        func isOver(_ atNs: inout Int64?) -> Bool {
            guard let time = atNs, time <= nowNs else { return false }
            atNs = nil
            return true
        }
        // The router that was asked about may be forgotten in the same instant.
        for index in state.members.places where isOver(&state.members[index].check.answerUntilNs) {
            endCheck(of: index, nowNs: nowNs)
        }
        var expiry = Expiry(nowNs: nowNs)
        state.visitTimes(&expiry)
        if isOver(&state.beginAtNs) { beginIfClean(&step) }
        if isOver(&state.collisionUntilNs) { endCollision(&step) }
        if isOver(&state.announceAgainAtNs) { announceAll(&step) }
        expireQuestion(&step)
        if isOver(&state.holdBackUntilNs) { endHoldBack(nowNs: nowNs) }
    }

    private mutating func take(_ input: Input, _ step: inout Step) {
        switch input {
        case .start(let snapshot): start(snapshot, &step)
        case .timer: expire(&step)
        case .advert(let index, let advert):
            if state.members.has(index) { hear(advert, on: index, &step) }
        case .heartbeat(let index, let word):
            if state.pool.cables.has(index) { hear(word, cable: index, &step) }
        case .link(let interface, let isUp, let reason):
            link(interface, isUp: isUp, reason: reason, &step)
        case .holding(let index, let isHeld):
            if state.members.has(index) { hold(index, isHeld, &step) }
        case .primaryAddress(let index, let address):
            if state.members.has(index) { setPrimaryAddress(address, of: index, &step) }
        case .cableAddress(let index, let address):
            if state.pool.cables.has(index) { state.pool.cables[index].address = address }
        case .informed:
            state.isInformed = true
            beginIfClean(&step)
        case .cause(let cause, let isPresent):
            if cause.kind != .isolated { setCause(cause, isPresent: isPresent, &step) }
        case .weight(let name, let weight): setWeight(weight, of: name)
        case .condition(let condition, let isPresent): setExternal(condition, isPresent: isPresent, &step)
        case .proof(let index):
            if state.members.has(index) { prove(index, nowNs: step.nowNs) }
        case .foreignAnswer(let index, let answerer):
            if state.members.has(index) { hearAnswer(of: answerer, on: index, &step) }
        case .fence(let succeeded): endFence(succeeded: succeeded, nowNs: step.nowNs)
        case .handover: step.facts.isHandingOver = handoverRefusal == nil
        case .reload(let configuration, let snapshot): reload(configuration, snapshot, &step)
        case .shutdown: shutdown(&step)
        }
    }

    // MARK: Times

    /// `Skew_Time`: (256 - priority) / 256 of the master's interval; of one second in version 2. Without a member: in the
    /// group's version.
    func skewNs(_ masterIntervalNs: Int64, on index: MemberIndex? = nil) -> Int64 {
        let version = index.map(configuration.version) ?? configuration.version
        let unitNs = version == .v2 ? 1_000_000_000 : masterIntervalNs
        return (256 - Int64(state.priority)) * unitNs / 256
    }

    /// `Master_Down_Interval`: three of the master's intervals, or as many as are configured, and the skew.
    func downNs(_ masterIntervalNs: Int64, on index: MemberIndex? = nil) -> Int64 {
        configuration.downIntervals * masterIntervalNs + skewNs(masterIntervalNs, on: index)
    }

    /// How long a retreat is remembered.
    func retreatMemoryNs(_ intervalNs: Int64) -> Int64 {
        configuration.timing.retreatMemory * downNs(max(intervalNs, configuration.advertIntervalNs))
    }

    /// The longest of the pool's heartbeat intervals, ours and the peer's; 0: no pool.
    var heartbeatIntervalNs: Int64 { configuration.cables.reduce(state.pool.peerIntervalNs) { max($0, $1.intervalNs) } }

    /// The stamp of a heartbeat sent now.
    func stamp(nowNs: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: nowNs / max(1, configuration.timing.stampUnitNs)) & 0x0fff_ffff
    }
}

extension Engine: Hashable {
    /// Counters are not compared.
    public static func == (left: Engine, right: Engine) -> Bool {
        left.state == right.state && left.shared == right.shared
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(state) }

    /// The engine moved to the beginning of time, without its counters: equal for two that will behave alike from here.
    package func normalised(nowNs: Int64) -> Engine {
        var engine = self
        var shift = Shift(nowNs: nowNs)
        engine.state.visitTimes(&shift)
        engine.state.pool.shiftStamp(stampNow: stamp(nowNs: nowNs))
        engine.record = Record(configuration)
        engine.findNextDeadline()
        return engine
    }
}
