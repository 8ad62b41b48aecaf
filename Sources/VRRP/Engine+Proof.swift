/// Whether a leg works: doubt, proof, isolation.
///
/// Doubt arises from silence (`deaf`) or when the peer says that it does not hear us (`mute`, later `cut`), see
/// `Member.Doubt`. A leg in doubt is probed, by ARP or ND to witnesses or neighbours, and unproven until one answers;
/// an answer is good for some seconds, for the leg may die while it is still in doubt. A leg that stays unproven while
/// the peer's are all proven is *isolated*, a soft cause: the peer serves better.
///
/// Isolation comes and goes with a delay of its own, since at a takeover every leg of the new master is in doubt for the
/// moment until the peer has heard it. It goes at once when the peer falls silent or says 0, or that our heartbeats do not
/// arrive: never yield to nobody, nor to somebody who does not know.
extension Engine {
    mutating func updateProofs(_ step: inout Step) {
        let matters = proofMatters
        for index in state.members.places {
            updateDoubt(of: index)
            probe(index, matters: matters, &step)
            let wasIsolated = isIsolated(index)
            updateIsolation(of: index, nowNs: step.nowNs)
            let isIsolated = isIsolated(index)
            guard isIsolated != wasIsolated else { continue }
            let cause = Cause(.isolated, configuration.members[index].interface)
            step.outputs.append(.causeChanged(cause, isPresent: isIsolated))
        }
    }

    /// Whether the interface of a member is isolated, by what that one or another on it knows.
    private func isIsolated(_ index: MemberIndex) -> Bool {
        state.members.places.contains {
            state.members[$0].isolation.isPresent
                && configuration.members[$0].interface == configuration.members[index].interface
        }
    }

    /// A neighbour or a witness answered.
    mutating func prove(_ index: MemberIndex, nowNs: Int64) {
        guard state.members[index].doubt != nil else { return }
        state.members[index].proofUntilNs = nowNs + configuration.timing.proofValidNs
    }

    /// We hold, and the fresh peer has had time to hear us on this leg, but does not.
    func isMute(_ index: MemberIndex) -> Bool {
        guard let peer = state.peer, state.role == .master, state.members[index].isHeld,
            state.hearingGraceUntilNs == nil
        else { return false }
        return !peer.hears.contains(member: index)
    }

    /// Without a fresh peer only preemption needs proven legs, and only where a master is heard.
    private var proofMatters: Bool { state.hasPeer || state.role == .backup && !state.isSilentEverywhere }

    private mutating func updateDoubt(of index: MemberIndex) {
        let before = state.members[index].doubt
        let doubt: Member.Doubt?
        if before == .cut, !isCutSettled(index) {
            doubt = .cut
        } else if isMute(index) {
            doubt = .mute
        } else {
            doubt = state.role != .master && !state.members[index].isHearing ? .deaf : nil
        }
        guard doubt != before else { return }
        state.members[index].doubt = doubt
        if doubt == nil || before == nil { state.members[index].proofUntilNs = nil }
    }

    private func isCutSettled(_ index: MemberIndex) -> Bool {
        if state.peer?.hears.contains(member: index) ?? false { return true }
        return state.role != .master && state.members[index].proofUntilNs != nil
    }

    private mutating func probe(_ index: MemberIndex, matters: Bool, _ step: inout Step) {
        guard state.members[index].doubt != nil, matters, !state.members[index].isBroken else {
            state.members[index].probeAtNs = nil
            state.members[index].probeBurstUntilNs = nil
            return
        }
        if let atNs = state.members[index].probeAtNs {
            guard atNs <= step.nowNs else { return }
        } else if configuration.timing.probeBurstNs > 0 {
            state.members[index].probeBurstUntilNs = step.nowNs + configuration.timing.probeBurstNs
        }
        let isYoung = state.members[index].probeBurstUntilNs != nil
        let intervalNs = isYoung ? configuration.timing.probeIntervalNs : configuration.timing.probeCalmIntervalNs
        state.members[index].probeAtNs = step.nowNs + intervalNs
        step.outputs.append(.probePeers(member: index))
    }

    private mutating func updateIsolation(of index: MemberIndex, nowNs: Int64) {
        guard configuration.rules.contains(.isolated), state.isPairTalking, state.peer?.priority ?? 0 > 0,
            configuration.members[index].tracksInterface
        else {
            state.members[index].isolation = .connected
            return
        }
        let member = state.members[index]
        // A leg that has not listened for a down interval yet is not known to be deaf; but once it is, to listen anew is no
        // reason to think otherwise.
        let hasListened = member.isolation.isPresent || member.doubt != .deaf || member.downAtNs == nil
        let shouldBe = !member.isProven && hasListened && !member.isBroken && state.peerIsProven
        if shouldBe == member.isolation.isPresent {
            state.members[index].isolation.abandon()
        } else if let untilNs = member.isolation.pendingUntilNs {
            guard untilNs <= nowNs else { return }
            state.members[index].isolation = shouldBe ? .isolated : .connected
            if shouldBe, member.doubt == .mute { state.members[index].doubt = .cut }
        } else {
            state.members[index].isolation.begin(untilNs: nowNs + configuration.timing.isolationDelayNs)
        }
    }
}
