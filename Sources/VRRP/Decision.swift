/// What a group does next: one pure, total function of what it knows.
///
/// It is called after every change (advert, heartbeat, expiry, link, check, reload) and sees the whole group: no member
/// decides anything alone. Each rule stands here under its name, and `docs/state-machine.md` lists them. The function
/// changes nothing; the engine carries out what it returns and asks again until it says `stay`.
///
/// *On silence.* A leg is silent for many reasons: the peer is dead, the leg is cut, a filter drops protocol 112. So silence
/// on one leg decides nothing (Take), silence on all of them decides nothing while the peer says over a cable that it holds
/// (Blocked), and silence everywhere is answered by a fence and by a probe of the addresses before it is believed (Dead).
enum Decision: Hashable, Sendable {
    /// Nothing.
    case stay
    /// Become master.
    case take(TransitionReason)
    /// Send adverts and wait for the peer's release.
    case claim
    /// Become backup.
    case yield(TransitionReason)
    /// Let the preempt delay begin.
    case delayPreemption
    /// Run the fence program.
    case fence
    /// Ask who has the virtual addresses.
    case probe
}

extension Engine {
    /// What the group does next.
    func decision(_ facts: Step.Facts) -> Decision {
        switch state.role {
        case .waiting, .clearing, .ended: .stay
        case .backup: state.isFault ? .stay : asBackup(facts)
        case .claiming: asClaiming(facts)
        case .master: asMaster(facts)
        }
    }

    /// Rules that end being master, and claiming.
    private func mustYield(_ facts: Step.Facts) -> TransitionReason? {
        if state.isFault { return .fault }
        if facts.hasOverslept { return .awake }
        return facts.isHandingOver ? .handover : nil
    }

    private func asMaster(_ facts: Step.Facts) -> Decision {
        if let reason = mustYield(facts) { return .yield(reason) }
        // Lose: one leg is enough.
        if facts.isBeaten, configuration.rules.contains(.lose) || state.members.count == 1 { return .yield(.lose) }
        if configuration.rules.contains(.twoHolders), state.isHolding, state.peerHolds, let peer = state.peer,
            !wins(against: peer)
        {
            return .yield(.twoHolders)
        }
        // An owner never yields to a lesser one.
        if configuration.rules.contains(.unheard), facts.isUnheard, mayYieldToLesser { return .yield(.unheard) }
        return .stay
    }

    /// Whether we are the better of two directors that both hold: by priority, then by what the cables know them by. A peer of
    /// equal priority that does not hear our heartbeats judges by the adverts on the legs, and so do we, there.
    func wins(against peer: PeerWord) -> Bool {
        if state.priority != peer.priority { return state.priority > peer.priority }
        guard peer.hearsHeartbeat else { return true }
        guard let identity = state.pool.identity else { return false }
        return identity > peer.identity
    }

    /// Whether a lesser master may be preempted at all. An owner always preempts; nobody does with a cause, even one that is
    /// tolerated: a cable that dies would otherwise move the service to the director that fails its checks.
    var mayPreempt: Bool {
        (configuration.preempt || state.priority == 255) && !state.isRestrained && !state.hasSoftCause
    }

    /// An owner never does.
    var mayYieldToLesser: Bool { state.priority < 255 || configuration.bugs.contains(.ownerYields) }

    private func asClaiming(_ facts: Step.Facts) -> Decision {
        if let reason = mustYield(facts) { return .yield(reason) }
        if facts.isBeaten { return .yield(.lose) }
        if let peer = state.peer, peer.holds.isEmpty { return .take(.preempt) }
        if state.claimUntilNs == nil { return .yield(.unheard) }
        return !state.hasPeer ? onLostCable() : .stay
    }

    /// The last cable died while we waited for the peer's release: whether it holds is asked on the legs. Without
    /// addresses there is nobody to ask, and our adverts have to do.
    private func onLostCable() -> Decision {
        guard configuration.rules.contains(.dead), state.isProvenEverywhere else { return .stay }
        guard configuration.hasAddresses else { return .take(.preempt) }
        guard configuration.probeBeforeTakeover else { return .stay }
        guard let probe = state.takeoverProbe else { return .probe }
        if probe.untilNs != nil { return .stay }
        return probe.isAnswered || probe.isDisputed ? .probe : .take(.preempt)
    }

    private func asBackup(_ facts: Step.Facts) -> Decision {
        // Take: every member, or none.
        let isWanted =
            configuration.rules.contains(.take) && !configuration.bugs.contains(.oneDeafMember)
            ? state.everyMemberWants : state.members.contains { $0.downAtNs == nil }
        guard isWanted, !state.members.isEmpty else { return .stay }
        return state.isSilentEverywhere
            ? onSilence(facts) : onLesserMaster()
    }

    private func onSilence(_ facts: Step.Facts) -> Decision {
        guard state.hasPeer else { return onDeath() }
        if configuration.rules.contains(.blocked), state.peerHolds { return .stay }
        return .take(facts.hasPeerResigned ? .atOnce : .take)
    }

    private func onDeath() -> Decision {
        let take = Decision.take(configuration.hasPool ? .dead : .take)
        // Only a planted bug comes here while a timer runs.
        guard configuration.rules.contains(.dead), state.everyMemberWants else { return take }
        if configuration.hasFence {
            switch state.fence {
            case .idle: return .fence
            case .running, .outdated, .failed: return .stay
            case .succeeded: break
            }
        }
        guard configuration.probeBeforeTakeover, configuration.hasAddresses else { return take }
        guard let probe = state.takeoverProbe else { return .probe }
        if probe.untilNs != nil { return .stay }
        if probe.isAnswered { return .probe }
        // The answer does not come from the master that was heard: we wait a little longer, but do take over.
        let isPatient =
            probe.disputes < EngineState.TakeoverProbe.disputesMax || configuration.bugs.contains(.believesAnswers)
        return probe.isDisputed && isPatient ? .probe : take
    }

    /// Preempt: any master that is heard has a lower priority, or the timers would run.
    private func onLesserMaster() -> Decision {
        guard mayPreempt else { return .stay }
        let isStrict = configuration.rules.contains(.preempt)
        // A higher priority does not make the better director if its leg may be dead.
        if isStrict, !state.isProvenEverywhere { return .stay }
        let mustClaim = isStrict && state.peerHolds
        switch state.preemptDelay {
        case .none where configuration.preemptDelayNs > 0: return .delayPreemption
        case .until: return .stay
        case .none, .over: return mustClaim ? .claim : .take(.preempt)
        }
    }
}
