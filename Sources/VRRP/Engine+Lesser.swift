/// Routers of a lower priority that send adverts as a master does: whether they hold the addresses.
///
/// Anybody on a LAN can send adverts, and a low priority costs nothing, so an advert of a lower priority alone has no
/// effect. Two questions arise from it, and both are answered by asking for the virtual addresses by ARP or ND, as a
/// host would.
///
/// *As master* (Unheard): a lesser master that goes on may be one that does not hear us. It is asked about once it has been
/// heard, on every leg, for the longer of its down interval and ours. If a router answers on every leg, then it holds, and we
/// yield. Without an answer, as when adverts are all that somebody sends, we stay. A forger who answers too
/// cannot be told from such a router; so the addresses are taken back after some down intervals, and who has yielded twice in
/// a row stays master.
///
/// *As backup*: a lesser master keeps us waiting where we may not preempt it, or where we may but not every leg is
/// proven. If three questions in a row are not answered, the lesser master holds nothing, and the leg counts as silent.
///
/// With a pool the fresh peer says itself what it holds, and what it says counts (`noticeOtherHolder`).
///
/// Of a member without virtual addresses nobody can be asked. There adverts alone count, as in VRRP itself: a group of such
/// members never yields to a lesser router, and as backup waits for one that it may not preempt.
extension Engine {
    // MARK: As master

    /// A lesser master was heard. How long it is waited for and remembered follows the longer of the two advert
    /// intervals. One sender is followed at a time: another one's adverts extend neither.
    mutating func bearLesser(_ advert: Advert, on index: MemberIndex, _ step: inout Step) {
        let spanNs = downNs(max(configuration.advertIntervalNs, advert.intervalNs), on: index)
        guard var lesser = state.members[index].lesser else {
            state.members[index].lesser = Member.Lesser(
                source: advert.source, spanNs: spanNs, untilNs: step.nowNs + spanNs, endNs: step.nowNs + spanNs)
            record.members[index].lesser = advert.source
            return
        }
        guard lesser.source == advert.source else { return }
        lesser.untilNs = step.nowNs + spanNs
        lesser.isLasting = lesser.isLasting || step.nowNs >= lesser.endNs
        lesser.spanNs = spanNs
        state.members[index].lesser = lesser
        guard lesser.isLasting else { return }
        if configuration.bugs.contains(.believesAdverts) { return step.facts.isUnheard = true }
        beginQuestion(&step)
    }

    /// Whether to ask at all. An owner does not, as it never yields to a lesser router. Nor does a group that has no
    /// addresses, since nobody could answer. Nor does a router that has
    /// yielded in vain, or one whose peer reports over a cable what it holds: an advert on the LAN may be anybody's.
    private mutating func beginQuestion(_ step: inout Step) {
        guard configuration.rules.contains(.unheard), !configuration.hasPool, mayYieldToLesser, !state.standsFirm,
            state.question == .none, areAllLegsLost(step.nowNs), configuration.hasAddresses
        else { return }
        // A lesser router that has just taken over, because it heard nothing for a while, is given time to hear us.
        state.question = .due(step.nowNs + configuration.advertIntervalNs)
    }

    private func areAllLegsLost(_ nowNs: Int64) -> Bool {
        state.members.allSatisfy { $0.lesser?.mayBeAskedAbout(nowNs) ?? false }
    }

    /// The question falls due, or nobody has answered it in time, on one leg at least: the addresses are announced
    /// again, for hosts that learned otherwise, and the next question is put no sooner than after as much patience as
    /// before.
    mutating func expireQuestion(_ step: inout Step) {
        switch state.question {
        case .none: break
        case .due(let atNs):
            guard atNs <= step.nowNs else { return }
            state.question = .none
            if areAllLegsLost(step.nowNs) { putQuestion(&step) }
        case .put(let untilNs):
            guard untilNs <= step.nowNs else { return }
            state.question = .none
            for index in state.members.places {
                guard let spanNs = state.members[index].lesser?.spanNs else { continue }
                state.members[index].lesser?.endNs = step.nowNs + spanNs
            }
            announceAll(&step)
        }
    }

    private mutating func putQuestion(_ step: inout Step) {
        state.question = .put(untilNs: step.nowNs + answerWindowNs)
        for index in state.members.places {
            let isNobodyAsked = configuration.members[index].addresses.isEmpty
            state.members[index].lesser?.isAnswered = isNobodyAsked
            askForAddresses(of: index, &step)
        }
    }

    // MARK: As backup

    /// Asks whether anybody has the addresses, on legs where only a lesser master is heard and the answer matters.
    mutating func checkHolders(_ step: inout Step) {
        let matters = state.role == .backup && !state.isFault && !state.peerHolds
        let mayPreempt = matters && mayPreempt
        for index in state.members.places {
            guard matters, let heard = state.members[index].heard, heard.priority < state.priority,
                configuration.members[index].isAskable
            else {
                state.members[index].check.reset()
                continue
            }
            guard isDoubted(heard, on: index, mayPreempt: mayPreempt) else { continue }
            ask(index, &step)
        }
    }

    private func isDoubted(_ heard: Member.Heard, on index: MemberIndex, mayPreempt: Bool) -> Bool {
        let check = state.members[index].check
        // Keep asking: somebody may add the addresses.
        if check.isUnheld { return true }
        if mayPreempt {
            // A leg that is not proven, or a preempt delay, keeps us waiting.
            return state.everyMemberWants
                && (configuration.preemptDelayNs > 0 || !state.isProvenEverywhere)
        }
        // After we have yielded we want to notice as soon as nobody has the addresses any more.
        return state.restraints.contains(.unheard) || check.believed != heard.source || check.unanswered > 0
    }

    private mutating func ask(_ index: MemberIndex, _ step: inout Step) {
        guard state.members[index].check.answerUntilNs == nil, state.members[index].check.askAtNs == nil else { return }
        state.members[index].check.askAtNs =
            step.nowNs + min(configuration.advertIntervalNs, configuration.timing.probeCalmIntervalNs)
        state.members[index].check.answerUntilNs = step.nowNs + answerWindowNs
        state.members[index].check.isAnswered = false
        step.outputs.append(.probeAddresses(member: index))
    }

    /// The wait for an answer is over.
    mutating func endCheck(of index: MemberIndex, nowNs: Int64) {
        guard let heard = state.members[index].heard else { return }
        if state.members[index].check.isAnswered {
            state.members[index].check.believed = heard.source
            state.members[index].check.unanswered = 0
        } else if state.members[index].check.unanswered < Member.HolderCheck.unansweredMax {
            state.members[index].check.unanswered += 1
            guard state.members[index].check.isUnheld else { return }
            // We waited because of this router: the wait is over, as after a resignation.
            let untilNs = nowNs + skewNs(configuration.advertIntervalNs, on: index)
            state.members[index].downAtNs = state.members[index].downAtNs.map { min($0, untilNs) }
        }
    }

    // MARK: Answers

    /// Somebody answered for a virtual address: for the takeover's probe, for the master's question, or for the backup's check.
    mutating func hearAnswer(of answerer: Answerer, on index: MemberIndex, _ step: inout Step) {
        if state.takeoverProbe != nil {
            if isEvidence(answerer, on: index) {
                state.takeoverProbe?.isAnswered = true
            } else {
                state.takeoverProbe?.isDisputed = true
            }
        }
        // An answer from a station that sends no adverts is not from the router in question.
        guard answerer != .stranger else { return }
        if state.members[index].check.answerUntilNs != nil { state.members[index].check.isAnswered = true }
        guard case .put = state.question, let lesser = state.members[index].lesser,
            answerer == .virtualRouter || answerer == .router(lesser.source)
        else { return }
        state.members[index].lesser?.isAnswered = true
        if state.members.allSatisfy({ $0.lesser?.isAnswered ?? false }) { step.facts.isUnheard = true }
    }

    /// Whether it speaks for the master that has fallen silent, and not for some other station with its address.
    private func isEvidence(_ answerer: Answerer, on index: MemberIndex) -> Bool {
        switch answerer {
        case .virtualRouter: true
        case .router(let address): address == state.members[index].lastMaster
        case .stranger: false
        }
    }

    /// How long an answer is waited for.
    var answerWindowNs: Int64 { min(configuration.timing.takeoverProbeNs, configuration.advertIntervalNs) }
}
