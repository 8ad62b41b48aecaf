/// What the engine does: changes roles, sends adverts and heartbeats, adds and removes addresses.
///
/// The order of outputs matters. A takeover sends its adverts first, so that a rival hears them before it acts, then
/// adds the addresses, and announces each as soon as the kernel lists it. A group that yields removes its addresses
/// before it sends anything. A director that leaves resigns (priority 0) on every leg that can still send, and three
/// times on every cable once the kernel has confirmed that no address is left.
import Addresses

extension Engine {
    mutating func carryOut(_ decision: Decision, _ step: inout Step) {
        switch decision {
        case .stay: break
        case .take(let reason): becomeMaster(reason, &step)
        case .claim: becomeClaiming(&step)
        case .yield(let reason): becomeBackup(reason, &step)
        case .delayPreemption:
            state.preemptDelay = .until(step.nowNs + configuration.preemptDelayNs)
        case .fence:
            state.fence = .running
            step.outputs.append(.runFence)
        case .probe: beginTakeoverProbe(&step)
        }
    }

    // MARK: Roles

    private mutating func becomeMaster(_ reason: TransitionReason, _ step: inout Step) {
        let wasClaiming = state.role == .claiming
        state.role = .master
        state.restraints = []
        state.claimUntilNs = nil
        state.holdBackUntilNs = nil
        state.tie = nil
        graceHearing(nowNs: step.nowNs)
        for index in state.members.places {
            state.members[index].downAtNs = nil
            state.members[index].check = Member.HolderCheck()
        }
        record.statistics.becameMaster += 1
        if !wasClaiming { advertiseAll(&step) }
        if !state.isSilentEverywhere {
            state.collisionUntilNs = step.nowNs + configuration.advertIntervalNs
        }
        for index in state.members.places {
            addAddresses(of: index, &step)
            if state.members[index].isHeld { step.outputs.append(.announce(member: index)) }
        }
        publish(reason, &step)
    }

    private mutating func becomeClaiming(_ step: inout Step) {
        state.role = .claiming
        state.claimUntilNs = step.nowNs + 3 * max(configuration.advertIntervalNs, heartbeatIntervalNs)
        advertiseAll(&step)
    }

    private mutating func becomeBackup(_ reason: TransitionReason, _ step: inout Step) {
        let wasMaster = state.role == .master
        state.role = .backup
        state.advertAtNs = nil
        state.claimUntilNs = nil
        state.hearingGraceUntilNs = nil
        state.collisionUntilNs = nil
        state.announceAgainAtNs = nil
        state.tie = nil
        state.lesser = nil
        state.question = .none
        for index in state.members.places {
            state.members[index].hasReplied = false
            state.members[index].lesser = nil
            state.members[index].downAtNs = step.nowNs + downNs(state.members[index].masterIntervalNs, on: index)
        }
        if wasMaster {
            record.statistics.leftMaster += 1
            for index in state.members.places
            where state.members[index].isHeld || !configuration.bugs.contains(.keepsLeftovers) {
                step.outputs.append(.removeAddresses(member: index))
            }
            // The kernel removed them while we slept, but its report may still wait to be read. If our next heartbeat said that
            // we hold them, the router that has them now would yield to us.
            if reason == .awake {
                for index in state.members.places {
                    state.members[index].isHeld = false
                    state.members[index].isOurs = false
                }
            }
        }
        switch reason {
        case .unheard:
            state.restraints.insert(.unheard)
            if let peer = state.peer, !peer.hearsHeartbeat { state.restraints.insert(.unheardAtAll) }
            if wasMaster { countRetreat(nowNs: step.nowNs) }
            state.holdBackUntilNs = step.nowNs + holdBackNs
        case .handover:
            state.restraints.insert(.handedOver)
            state.resignUntilNs = step.nowNs + 3 * max(heartbeatIntervalNs, configuration.advertIntervalNs)
            sayGoodbye(&step)
        case .fault, .shutdown: sayGoodbye(&step)
        default: break
        }
        publish(reason, &step)
    }

    private mutating func countRetreat(nowNs: Int64) {
        let count = min((state.retreats?.count ?? 0) + 1, EngineState.Retreats.max)
        state.retreats = EngineState.Retreats(
            count: count, untilNs: nowNs + retreatMemoryNs(configuration.advertIntervalNs))
    }

    private var holdBackNs: Int64 { configuration.timing.retreatHold * downNs(configuration.advertIntervalNs) }

    /// While a lesser router is heard, the number of retreats is kept.
    mutating func rememberRetreats(_ intervalNs: Int64, nowNs: Int64) {
        let untilNs = nowNs + retreatMemoryNs(intervalNs)
        state.retreats?.untilNs = untilNs
    }

    /// The hold-back after yielding to a lesser holder is over: we may preempt it again. With a pool we claim first,
    /// which moves nothing while the peer does not hear us; until it does, `unheard` stays published.
    mutating func endHoldBack(nowNs: Int64) {
        if !configuration.hasPool { state.restraints.subtract([.unheard, .unheardAtAll]) }
        let untilNs = nowNs + downNs(configuration.advertIntervalNs)
        for index in state.members.places {
            state.members[index].downAtNs = state.members[index].downAtNs.map { min($0, untilNs) }
        }
    }

    /// Publishes the state if it has changed.
    mutating func publish(_ reason: TransitionReason, _ step: inout Step) {
        let now = state.publicState
        guard now != state.published else { return }
        step.outputs.append(
            .transition(Transition(from: state.published, to: now, reason: reason, priority: state.priority)))
        state.published = now
        record.sinceNs = step.nowNs
    }

    // MARK: Beginning and end

    mutating func start(_ snapshot: Snapshot, _ step: inout Step) {
        guard state.role == .waiting else { return }
        state.role = .clearing
        if configuration.startDelayNs > 0 { state.beginAtNs = step.nowNs + configuration.startDelayNs }
        adopt(snapshot, &step)
        removeLeftovers(&step)
        beginIfClean(&step)
    }

    /// Removes addresses that the kernel has although this engine did not ask for them, such as those of an earlier
    /// run.
    private mutating func removeLeftovers(_ step: inout Step) {
        guard state.hasBegun, state.role != .master,
            !configuration.bugs.contains(.keepsLeftovers) || state.role == .clearing
        else { return }
        for index in state.members.places where state.members[index].isHeld && !state.members[index].isOurs {
            step.outputs.append(.removeAddresses(member: index))
        }
    }

    /// Start: no packet before the leftovers of an earlier run are gone, the delay is over, and what is tracked has answered:
    /// a director whose checks fail must not become master first.
    mutating func beginIfClean(_ step: inout Step) {
        guard state.role == .clearing, state.beginAtNs == nil, state.isInformed else { return }
        if configuration.rules.contains(.start), state.members.contains(where: { $0.isHeld }) { return }
        state.role = .backup
        for index in state.members.places {
            state.members[index].downAtNs = step.nowNs + downNs(state.members[index].masterIntervalNs, on: index)
        }
        for index in state.pool.cables.places { beginCable(index, nowNs: step.nowNs) }
        state.isFault = shouldBeInFault
        publish(state.isFault ? .fault : .start, &step)
        if configuration.priority == 255, !state.isFault { becomeMaster(.owner, &step) }
    }

    /// A cable counts as alive until the peer has had time to send on it.
    private mutating func beginCable(_ index: CableIndex, nowNs: Int64) {
        state.pool.cables[index].aliveUntilNs = nowNs + 3 * configuration.cables[index].intervalNs
    }

    private mutating func adopt(_ snapshot: Snapshot, _ step: inout Step) {
        for index in state.members.places {
            state.members[index].primaryAddress =
                snapshot.primaryAddresses.dropFirst(index.number).first ?? nil
            state.members[index].isHeld = snapshot.holding.dropFirst(index.number).first ?? false
        }
        let interfaces = Set(configuration.members.map(\.interface))
        for cause in state.causes where cause.kind == .noAddress && !interfaces.contains(cause.subject) {
            setCause(cause, isPresent: false, &step)
        }
        for interface in interfaces.sorted() { updateAddressCause(of: interface, &step) }
        for index in state.pool.cables.places {
            state.pool.cables[index].address =
                snapshot.cableAddresses.dropFirst(index.number).first ?? nil
            state.pool.cables[index].isLinkDown = snapshot.cablesDown.contains(configuration.cables[index].interface)
        }
        let missing = snapshot.causes.filter { $0.kind != .noAddress && $0.kind != .isolated }
        for cause in state.causes where cause.kind != .noAddress && !missing.contains(cause) {
            setCause(cause, isPresent: false, &step)
        }
        for cause in missing.sorted(by: Self.isOrdered) { setCause(cause, isPresent: true, &step) }
        state.isInformed = snapshot.isInformed
        state.weights = [:]
        for (name, weight) in snapshot.weights { setWeight(weight, of: name) }
        updatePriority()
    }

    mutating func shutdown(_ step: inout Step) {
        let wasRunning = state.isRunning
        state.beginAtNs = nil
        if state.isSpeaking { becomeBackup(.shutdown, &step) }
        state.role = .ended
        guard wasRunning else { return }
        for index in state.members.places { state.members[index].downAtNs = nil }
        publish(.shutdown, &step)
    }

    /// Takes a new configuration without dropping what a master holds.
    mutating func reload(_ new: GroupConfiguration, _ snapshot: Snapshot, _ step: inout Step) {
        let old = configuration
        let before = state
        let recordBefore = record
        configuration = new
        record.members = new.members.map { _ in Record.OfMember() }
        state.members = new.members.map { _ in Member(masterIntervalNs: new.advertIntervalNs) }
        state.pool.cables = new.cables.map { _ in HeartbeatPool.Cable() }
        for index in new.members.places {
            if let known = old.members.firstPlace(where: { $0.name == new.members[index].name }) {
                state.members[index] = before.members[known]
                record.members[index] = recordBefore.members[known]
                // An interval learned from the current master stays; one taken from our own configuration is replaced
                // by the new value.
                let isLearned =
                    new.version(of: index) == .v3 && before.role == .backup && before.members[known].heard != nil
                if !isLearned { state.members[index].masterIntervalNs = new.advertIntervalNs }
            }
        }
        for index in new.cables.places {
            if let known = old.cables.firstPlace(where: { $0.name == new.cables[index].name }) {
                state.pool.cables[index] = before.pool.cables[known]
            }
        }
        if new.cables.isEmpty { state.pool = HeartbeatPool() }
        // A heartbeat names members by index here, and by an address on the wire.
        func listed(_ member: MemberConfiguration) -> IPAddress? { HeartbeatCodec.listed(member, family: .ipv6) }
        state.pool.relist(new.members.map { member in old.members.firstPlace { listed($0) == listed(member) } })
        state.pool.lastSent = nil
        adopt(snapshot, &step)
        removeLeftovers(&step)
        guard state.isRunning else {
            state.beginAtNs = state.beginAtNs.map { min($0, step.nowNs + new.startDelayNs) }
            if new.startDelayNs == 0 { state.beginAtNs = nil }
            if !configuration.bugs.contains(.reloadStops) { beginIfClean(&step) }
            return
        }
        beginNewParts(old, &step)
        shortenWaits(since: before, nowNs: step.nowNs)
    }

    /// Shortens running waits that the old configuration's longer times had set.
    private mutating func shortenWaits(since before: EngineState, nowNs: Int64) {
        for index in state.members.places {
            guard let atNs = state.members[index].downAtNs, state.members[index].heard == nil else { continue }
            state.members[index].downAtNs = min(atNs, nowNs + downNs(state.members[index].masterIntervalNs, on: index))
        }
        if case .until(let atNs) = state.preemptDelay {
            state.preemptDelay = .until(min(atNs, nowNs + configuration.preemptDelayNs))
        }
        if let atNs = state.holdBackUntilNs { state.holdBackUntilNs = min(atNs, nowNs + holdBackNs) }
    }

    private mutating func beginNewParts(_ old: GroupConfiguration, _ step: inout Step) {
        for index in configuration.cables.places
        where !old.cables.contains(where: { $0.name == configuration.cables[index].name }) {
            beginCable(index, nowNs: step.nowNs)
        }
        if let atNs = state.advertAtNs {
            state.advertAtNs = min(atNs, step.nowNs + configuration.advertIntervalNs)
        }
        for index in configuration.members.places where !old.members.contains(configuration.members[index]) {
            let member = configuration.members[index]
            let isNew = !old.members.contains { $0.name == member.name }
            if state.role == .master {
                if isNew { sendAdvert(on: index, &step) }
                addAddresses(of: index, &step)
            } else if isNew, state.role == .backup {
                state.members[index].downAtNs = step.nowNs + downNs(configuration.advertIntervalNs, on: index)
            }
        }
    }

    // MARK: Handover

    /// Why a handover would be refused; nil: it would not. Without heartbeats nothing is known of the peer, so the
    /// handover is not refused for want of one.
    public var handoverRefusal: String? {
        guard state.role == .master else { return "not master" }
        guard configuration.hasPool else { return nil }
        guard let peer = state.peer else { return "the peer is silent on every cable" }
        guard peer.priority > 0 else { return "the peer is unable to serve" }
        return state.peerIsProven ? nil : "the peer has not proven every leg"
    }

    /// Lets us preempt again after we were not heard: when no other router is left, or when the peer hears us again.
    mutating func updateRestraints() {
        guard state.restraints.contains(.unheard) else { return }
        let isNobodyThere = state.isSilentEverywhere && !state.peerHolds
        let isHeardAgain = state.peer.map { word in
            !word.hears.isEmpty || state.restraints.contains(.unheardAtAll) && word.hearsHeartbeat
        }
        guard isNobodyThere || isHeardAgain ?? false else { return }
        state.restraints.subtract([.unheard, .unheardAtAll])
        state.holdBackUntilNs = nil
    }

    // MARK: Addresses

    /// The kernel has reported whether it lists the member's addresses. Addresses that appear unasked while another
    /// router may serve are removed and not announced as held: the peer would act on that.
    mutating func hold(_ index: MemberIndex, _ isHeld: Bool, _ step: inout Step) {
        if !isHeld, state.role != .master { state.members[index].isOurs = false }
        guard state.members[index].isHeld != isHeld else { return }
        state.members[index].isHeld = isHeld
        if state.role == .master {
            if isHeld { step.outputs.append(.announce(member: index)) }
        } else if isHeld, state.hasBegun, !configuration.bugs.contains(.keepsLeftovers) {
            step.outputs.append(.removeAddresses(member: index))
        }
        beginIfClean(&step)
    }

    private mutating func addAddresses(of index: MemberIndex, _ step: inout Step) {
        state.members[index].isOurs = true
        step.outputs.append(.addAddresses(member: index))
    }

    mutating func announceAll(_ step: inout Step) {
        guard state.role == .master else { return }
        for index in state.members.places { step.outputs.append(.announce(member: index)) }
    }

    /// Ends a collision of two holders: the other one's announcements have stopped, so ours correct the neighbours'
    /// caches, and are repeated a second later.
    mutating func endCollision(_ step: inout Step) {
        announceAll(&step)
        state.announceAgainAtNs = step.nowNs + configuration.timing.announceAgainNs
    }

    // MARK: Fence and probe

    mutating func endFence(succeeded: Bool, nowNs: Int64) {
        switch state.fence {
        case .running:
            state.fence = succeeded ? .succeeded : .failed(retryAtNs: nowNs + configuration.timing.fenceRetryNs)
        case .outdated: state.fence = .idle
        case .idle, .succeeded, .failed: break
        }
    }

    private mutating func beginTakeoverProbe(_ step: inout Step) {
        var probe = EngineState.TakeoverProbe()
        var waitNs = answerWindowNs
        if let last = state.takeoverProbe {
            let calmNs = configuration.timing.probeCalmIntervalNs
            waitNs = last.isAnswered ? configuration.advertIntervalNs : min(configuration.advertIntervalNs, calmNs)
            probe.disputes =
                last.isDisputed ? min(last.disputes + 1, EngineState.TakeoverProbe.disputesMax) : last.disputes
        }
        probe.untilNs = lastDownAtNs ?? step.nowNs + waitNs
        state.takeoverProbe = probe
        for index in state.members.places { askForAddresses(of: index, &step) }
    }

    /// Asks who has the addresses of a member, if it has any.
    mutating func askForAddresses(of index: MemberIndex, _ step: inout Step) {
        guard !configuration.members[index].addresses.isEmpty else { return }
        step.outputs.append(.probeAddresses(member: index))
    }

    /// When the probe before a takeover is due, so that it costs no time: shortly before the last timer runs out. Nil: it
    /// has begun, or there is nothing to probe for.
    var takeoverProbeAtNs: Int64? {
        guard mayDieOfSilence, state.takeoverProbe == nil, !configuration.hasFence || state.fence == .succeeded
        else { return nil }
        guard let lastNs = lastDownAtNs else { return nil }
        return lastNs - answerWindowNs
    }

    /// Backup, no fresh peer, and no lesser master that would make it a preemption.
    private var mayDieOfSilence: Bool {
        state.role == .backup && !state.isFault && !state.hasPeer && configuration.probeBeforeTakeover
            && configuration.rules.contains(.dead) && configuration.hasAddresses
            && !state.members.places.contains { state.members[$0].downAtNs == nil && !state.members[$0].isSilent }
    }

    /// A claim whose last cable has failed meanwhile.
    private var isClaimDeaf: Bool { state.role == .claiming && !state.hasPeer }

    /// Begins the probe in time, and forgets probe and fence when somebody is heard again.
    mutating func updateTakeoverProbe(_ step: inout Step) {
        if state.takeoverProbe != nil, !isClaimDeaf, !isTakeoverNear(nowNs: step.nowNs) { state.takeoverProbe = nil }
        if !state.isFenceWanted { state.fence.abandon() }
        if let atNs = takeoverProbeAtNs, atNs <= step.nowNs { beginTakeoverProbe(&step) }
    }

    /// When the last down timer runs out; nil: all have.
    private var lastDownAtNs: Int64? {
        var lastNs: Int64?
        for index in state.members.places {
            if let atNs = state.members[index].downAtNs { lastNs = max(lastNs ?? atNs, atNs) }
        }
        return lastNs
    }

    private func isTakeoverNear(nowNs: Int64) -> Bool {
        guard mayDieOfSilence else { return false }
        return lastDownAtNs ?? nowNs <= nowNs + answerWindowNs
    }

    // MARK: Sending

    mutating func sendAdvert(on index: MemberIndex, _ step: inout Step) {
        record.members[index].statistics.advertsSent += 1
        step.outputs.append(.sendAdvert(member: index, priority: state.priority))
    }

    /// Sends an advert on every member and starts the interval.
    mutating func advertiseAll(_ step: inout Step) {
        for index in state.members.places {
            state.members[index].hasReplied = false
            sendAdvert(on: index, &step)
        }
        state.advertAtNs = step.nowNs + configuration.advertIntervalNs
    }

    /// Drift-free: the next advert is due one interval after this one was, unless that has passed too.
    mutating func sendDueAdverts(_ step: inout Step) {
        guard let atNs = state.advertAtNs, atNs <= step.nowNs else { return }
        advertiseAll(&step)
        let nextNs = atNs + configuration.advertIntervalNs
        if nextNs > step.nowNs { state.advertAtNs = nextNs }
    }

    private mutating func sayGoodbye(_ step: inout Step) {
        for index in state.members.places where !state.members[index].isBroken {
            record.members[index].statistics.resignationsSent += 1
            step.outputs.append(.sendAdvert(member: index, priority: 0))
        }
    }

    /// The addresses that our adverts are sent from. This is needed at every step and rarely changes, so the last
    /// answer is reused.
    private var sources: [IPAddress] {
        if let last = state.pool.lastSent?.sources, isSame(last) { return last }
        return state.members.compactMap(\.primaryAddress)
    }

    private func isSame(_ sources: [IPAddress]) -> Bool {
        var count = 0
        for index in state.members.places {
            guard let address = state.members[index].primaryAddress else { continue }
            guard count < sources.count, sources[count] == address else { return false }
            count += 1
        }
        return count == sources.count
    }

    /// The content of our next heartbeat; nil: we have no address on any cable.
    private func word(nowNs: Int64) -> PeerWord? {
        guard let identity = state.pool.identity else { return nil }
        let isUnable = !state.isRunning || state.isFault || state.resignUntilNs != nil
        var word = PeerWord(
            priority: isUnable ? 0 : state.priority, identity: identity, hearsHeartbeat: state.hasPeer,
            sources: sources)
        for index in state.members.places {
            let bit = MemberSet(member: index)
            if state.members[index].isHeld, state.members[index].isOurs { word.holds.insert(bit) }
            if let source = state.members[index].heard?.source, isPeers(source) { word.hears.insert(bit) }
            if state.members[index].isProven { word.proven.insert(bit) }
        }
        if state.hasSoftCause || state.isIsolated { word.proven = [] }
        return word
    }

    /// Sends a heartbeat on each cable when it is due, and on all of them at once when its content has changed. The
    /// last heartbeat of a director that leaves is sent three times.
    mutating func sendDueHeartbeats(_ step: inout Step) {
        guard configuration.hasPool, state.isRunning || state.role == .ended, var word = word(nowNs: step.nowNs) else {
            return
        }
        let isNews = word != state.pool.lastSent
        let isLastWord = isNews && word.priority == 0 && word.holds.isEmpty
        state.pool.lastSent = word
        word.stamp = stamp(nowNs: step.nowNs)
        for index in state.pool.cables.places {
            let dueNs = state.pool.cables[index].sendAtNs
            guard isNews || (dueNs ?? .max) <= step.nowNs else { continue }
            let intervalNs = configuration.cables[index].intervalNs
            let nextNs = (isNews ? step.nowNs : dueNs ?? step.nowNs) + intervalNs
            state.pool.cables[index].sendAtNs =
                state.role == .ended ? nil : nextNs > step.nowNs ? nextNs : step.nowNs + intervalNs
            for _ in 0..<(isLastWord ? 3 : 1) where !state.pool.cables[index].isLinkDown {
                record.statistics.heartbeatsSent += 1
                step.outputs.append(.sendHeartbeat(cable: index, word))
            }
        }
    }
}
