/// What is heard: adverts on the legs, heartbeats on the cables.
///
/// The rows of RFC 9568, 6.4.2 and 6.4.3, that begin with "an advertisement is received". An election is only noted here; that
/// losing it on one leg loses the group is the decision's rule. The tie-break is never looked at in Backup.
import Addresses

extension Engine {
    mutating func hear(_ advert: Advert, on index: MemberIndex, _ step: inout Step) {
        guard state.isRunning else { return }
        if let own = state.members[index].primaryAddress, own == advert.source {
            // The advert may be forged, so it has no effect but the condition.
            record.members[index].statistics.ownAddressReceived += 1
            state.members[index].strangerUntilNs = step.nowNs + downNs(configuration.advertIntervalNs, on: index)
            return
        }
        note(advert, on: index)
        if isPeers(advert.source) {
            if isForged(advert) { return }
        } else if state.isPairTalking || advert.priority < state.priority {
            if state.members[index].thirdUntilNs == nil { record.members[index].third = advert.source }
            state.members[index].thirdUntilNs = step.nowNs + downNs(configuration.advertIntervalNs, on: index)
            return
        }
        if isEcho(advert) { return }
        if advert.priority == 0 {
            hearResignation(advert, on: index, &step)
        } else {
            step.hasHeard = true
            if advert.priority < state.priority { rememberRetreats(advert.intervalNs, nowNs: step.nowNs) }
            guard noteHeard(advert, on: index, nowNs: step.nowNs) || state.isSpeaking else { return }
            if state.isSpeaking {
                hearAsMaster(advert, on: index, &step)
            } else {
                hearAsBackup(advert, on: index, nowNs: step.nowNs)
            }
        }
    }

    /// Whether an address is the peer's, as far as it has told. There are two routers where there is a pool: a third
    /// one, which could tell nobody what it holds and hears, would be taken for the peer. So while heartbeats arrive both
    /// ways, a third router has no effect and is reported, at error level; for a lesser one that holds for as long as we
    /// know who the peer is. If heartbeats arrive one way only, the peer that hears none obeys a better third router, and
    /// so do we: if we ignored it, we would take over beside it from a peer that does not listen to us.
    func isPeers(_ source: IPAddress) -> Bool {
        let known = state.pool.peerSources
        if known.isEmpty || known.contains(source) || configuration.bugs.contains(.hearsAnybody) { return true }
        // An owner sends from the virtual address.
        return state.pool.peerPriority == 255 && configuration.members.contains { $0.addresses.contains(source) }
    }

    /// An advert in the peer's name, at another priority than it says it has. One of its own that was overtaken by its
    /// heartbeat is not missed: the next one has the priority that the heartbeat says. A resignation is repeated over
    /// the cable.
    private func isForged(_ advert: Advert) -> Bool {
        guard let peer = state.peer, !state.pool.peerSources.isEmpty else { return false }
        return advert.priority != peer.priority
    }

    /// While a master is heard that wins against us, a lesser one beside it does not count.
    private mutating func noteHeard(_ advert: Advert, on index: MemberIndex, nowNs: Int64) -> Bool {
        if advert.priority < state.priority {
            if let heard = state.members[index].heard, heard.priority >= state.priority,
                heard.source != advert.source
            {
                return false
            }
        } else {
            state.members[index].check.reset()
        }
        var heard = Member.Heard(
            source: advert.source, priority: advert.priority, untilNs: nowNs + downNs(advert.intervalNs, on: index))
        // As the down timer, which a lesser one can only prolong: else a short interval now and then would stop the questions
        // whether anybody holds.
        if !state.isSpeaking, heard.priority < state.priority, let last = state.members[index].heard,
            last.priority < state.priority
        {
            heard.untilNs = max(heard.untilNs, last.untilNs)
        }
        state.members[index].heard = heard
        return true
    }

    /// An advert that was sent before its sender resigned over a cable, and was overtaken.
    private func isEcho(_ advert: Advert) -> Bool {
        state.role == .master && state.resigned?.priority == advert.priority
    }

    private mutating func note(_ advert: Advert, on index: MemberIndex) {
        record.members[index].statistics.advertsReceived += 1
        if let first = advert.addresses.first, first.isIPv6, !first.isLinkLocal {
            record.members[index].statistics.firstNotLinkLocalReceived += 1
        }
        record.members[index].lastSource = advert.source
        record.members[index].lastPriority = advert.priority
        record.members[index].checksumForm = advert.checksumForm
        let configured = configuration.members[index].addresses
        state.members[index].listsOtherAddresses =
            advert.addresses != configured && Set(advert.addresses) != Set(configured)
    }

    /// A master resigned. On this leg we wait for the skew; on the other legs, where the resignation may not have
    /// arrived, a master that is still there has one interval to be heard.
    private mutating func hearResignation(_ advert: Advert, on index: MemberIndex, _ step: inout Step) {
        record.members[index].statistics.resignationsReceived += 1
        if state.isSpeaking {
            if state.role == .master { answerResignation(on: index, &step) }
            return
        }
        let nowNs = step.nowNs
        // Only the master itself may resign; a resignation from another source is ignored.
        if let heard = state.members[index].heard, heard.source != advert.source, heard.priority >= state.priority {
            return
        }
        for other in state.members.places where other != index {
            let intervalNs = state.members[other].masterIntervalNs
            let untilNs = nowNs + intervalNs + skewNs(intervalNs, on: other)
            guard let atNs = state.members[other].downAtNs else { continue }
            state.members[other].downAtNs = min(atNs, untilNs)
            if let heard = state.members[other].heard {
                state.members[other].heard?.untilNs = min(heard.untilNs, untilNs)
            }
        }
        // The wait is shortened, never extended.
        let skewNs = skewNs(state.members[index].masterIntervalNs, on: index)
        if let atNs = state.members[index].downAtNs {
            state.members[index].downAtNs = min(atNs, nowNs + skewNs)
        }
        if let heard = state.members[index].heard, heard.source == advert.source {
            state.members[index].heard?.untilNs = min(heard.untilNs, nowNs + skewNs)
        }
    }

    private mutating func hearAsBackup(_ advert: Advert, on index: MemberIndex, nowNs: Int64) {
        if isLesser(advert, on: index) {
            if mayPreempt || state.members[index].check.isUnheld { return }
            // It may be forged, and must not make us take over from the master that we obey: it can only prolong the wait.
            if let atNs = state.members[index].downAtNs, atNs > nowNs + downNs(advert.intervalNs, on: index) { return }
        }
        state.members[index].lastMaster = advert.source
        let intervalNs =
            configuration.version(of: index) == .v3 && !configuration.bugs.contains(.ownInterval)
            ? advert.intervalNs : state.members[index].masterIntervalNs
        let downAtNs = nowNs + downNs(intervalNs, on: index)
        state.members[index].masterIntervalNs = intervalNs
        state.members[index].downAtNs = downAtNs
    }

    /// Backup compares priorities alone.
    private func isLesser(_ advert: Advert, on index: MemberIndex) -> Bool {
        if configuration.bugs.contains(.tieBreakInBackup), advert.priority == state.priority {
            return !losesTie(to: advert.source, on: index)
        }
        return advert.priority < state.priority
    }

    private mutating func hearAsMaster(_ advert: Advert, on index: MemberIndex, _ step: inout Step) {
        if advert.priority > state.priority {
            beBeaten(by: advert, on: index, &step)
        } else if advert.priority == state.priority {
            hearEqual(advert, on: index, &step)
        } else {
            hearLesser(advert, on: index, &step)
        }
    }

    private mutating func beBeaten(by advert: Advert, on index: MemberIndex, _ step: inout Step) {
        if configuration.answersHigher { answer(on: index, &step) }
        step.facts.isBeaten = true
        state.members[index].lastMaster = advert.source
        if configuration.version(of: index) == .v3 { state.members[index].masterIntervalNs = advert.intervalNs }
    }

    /// There is one tie-break for a group, or two masters would lose to each other on different legs: who the cables know
    /// them by, while heartbeats arrive both ways, so that both judge alike; else the addresses on the first leg. An equal who goes on speaking on a later leg for two intervals, though, has
    /// not heard us on the first one, and is judged by the leg at hand.
    private mutating func hearEqual(_ advert: Advert, on index: MemberIndex, _ step: inout Step) {
        let isKnown = identities(of: advert.source) != nil
        if !isKnown, index > 0, !isTiePatienceOver(advert.intervalNs, nowNs: step.nowNs) {
            answer(on: index, &step)
        } else if losesTie(to: advert.source, on: index) {
            beBeaten(by: advert, on: index, &step)
        } else {
            hearLesser(advert, on: index, &step)
        }
    }

    private mutating func isTiePatienceOver(_ intervalNs: Int64, nowNs: Int64) -> Bool {
        let patienceNs = 2 * max(intervalNs, configuration.advertIntervalNs)
        let sinceNs = state.tie?.endNs ?? nowNs + patienceNs
        state.tie = EngineState.Patience(untilNs: nowNs + patienceNs, endNs: sinceNs)
        return nowNs >= sinceNs
    }

    /// What the cables know a sender and us by, if it is the peer.
    private func identities(of source: IPAddress) -> (peer: IPAddress, own: IPAddress)? {
        guard state.isPairTalking, isPeers(source), let peer = state.peer, let own = state.pool.identity else {
            return nil
        }
        return (peer.identity, own)
    }

    /// Whether a sender of equal priority wins.
    private func losesTie(to source: IPAddress, on index: MemberIndex) -> Bool {
        if let (peer, own) = identities(of: source) { return peer > own }
        guard let own = state.members[index].primaryAddress else { return true }
        return source > own
    }

    /// A lesser master was heard: answers it at once, at most once per interval.
    private mutating func hearLesser(_ advert: Advert, on index: MemberIndex, _ step: inout Step) {
        answerLesser(on: index, &step)
        guard state.role == .master else { return }
        state.collisionUntilNs = max(
            state.collisionUntilNs ?? 0, step.nowNs + advert.intervalNs + advert.intervalNs / 4)
        bearLesser(advert, on: index, &step)
    }

    /// With an advert and with announcements, as configured.
    private mutating func answerLesser(on index: MemberIndex, _ step: inout Step) {
        let announces = configuration.announcesAfterLower && state.role == .master && !state.members[index].hasReplied
        if configuration.version(of: index) == .v3, configuration.answersLower { answer(on: index, &step) }
        guard announces else { return }
        state.members[index].hasReplied = true
        for other in state.members.places { step.outputs.append(.announceAfterLower(member: other)) }
    }

    /// The lesser peer's heartbeat says that it holds: if that lasts, it does not hear us.
    private mutating func bearLesserPeer(forNs: Int64, _ step: inout Step) {
        let nowNs = step.nowNs
        if let lesser = state.lesser {
            if state.standsFirm {
                rememberRetreats(configuration.advertIntervalNs, nowNs: nowNs)
            } else if nowNs >= lesser.endNs {
                step.facts.isUnheard = true
            }
            state.lesser?.untilNs = nowNs + forNs
        } else {
            let patienceNs = downNs(configuration.advertIntervalNs) + 3 * heartbeatIntervalNs
            state.lesser = EngineState.Patience(untilNs: nowNs + forNs, endNs: nowNs + patienceNs)
        }
    }

    /// At most one answer per interval and leg, so that a flood is not answered by a flood.
    private mutating func answer(on index: MemberIndex, _ step: inout Step) {
        guard !state.members[index].hasReplied || configuration.bugs.contains(.answersFlood) else { return }
        state.members[index].hasReplied = true
        sendAdvert(on: index, &step)
    }

    /// The interval begins anew, so the whole group speaks; the other legs have thereby been answered too.
    private mutating func answerResignation(on index: MemberIndex, _ step: inout Step) {
        guard !state.members[index].hasReplied else { return }
        advertiseAll(&step)
        for other in state.members.places { state.members[other].hasReplied = true }
    }

    // MARK: Heartbeats

    mutating func hear(_ word: PeerWord, cable index: CableIndex, _ step: inout Step) {
        guard state.isRunning else { return }
        let before = state.peer
        let intervalNs = configuration.cables[index].intervalNs
        switch state.pool.receive(word, cable: index, intervalNs: intervalNs, nowNs: step.nowNs) {
        case .echo: record.statistics.heartbeatEchoes += 1
        case .stale: record.statistics.heartbeatsStale += 1
        case .accepted:
            record.statistics.heartbeatsReceived += 1
            record.lastWord = word
            if before == nil { graceHearing(nowNs: step.nowNs) }
            if !word.holds.isEmpty { state.resignUntilNs = nil }
            noticeResignation(of: word, after: before, &step)
            noticeOtherHolder(word, after: before, &step)
        }
    }

    /// A peer needs a moment to hear a new master, and so does a peer that has just come up: until then its not hearing
    /// us raises no doubt.
    mutating func graceHearing(nowNs: Int64) {
        guard state.role == .master else { return }
        state.hearingGraceUntilNs = nowNs + configuration.advertIntervalNs + heartbeatIntervalNs
    }

    /// The peer resigns over a cable, which counts at once. Only the step from holding to "unable and not holding" is a
    /// resignation. A peer that says 0 and holds has not left; one that did not hold had nothing to leave, and acting
    /// on that would fight a third router for ever.
    private mutating func noticeResignation(of word: PeerWord, after before: PeerWord?, _ step: inout Step) {
        guard configuration.rules.contains(.atOnce), state.role == .backup, let before, !before.holds.isEmpty,
            word.holds.isEmpty, word.priority == 0
        else { return }
        step.facts.hasPeerResigned = true
        state.resigned = EngineState.Resigned(
            priority: state.pool.peerPriority, untilNs: step.nowNs + configuration.advertIntervalNs)
        for index in state.members.places {
            state.members[index].heard = nil
            state.members[index].downAtNs = nil
        }
    }

    /// While we hold, a lesser peer that holds too is a collision and, if it lasts, does not hear us. A peer that was
    /// silent may have held meanwhile, and released at our first heartbeat before it could send one: that counts as a
    /// collision, too.
    private mutating func noticeOtherHolder(_ word: PeerWord, after before: PeerWord?, _ step: inout Step) {
        guard state.role == .master else { return }
        let freshNs = 3 * heartbeatIntervalNs
        if word.holds.isEmpty {
            state.lesser = nil
            let hasReleased = before.map { !$0.holds.isEmpty && state.collisionUntilNs != nil } ?? true
            guard hasReleased else { return }
            state.collisionUntilNs = nil
            endCollision(&step)
        } else if state.isHolding, wins(against: word) {
            state.collisionUntilNs = max(state.collisionUntilNs ?? 0, step.nowNs + freshNs)
            bearLesserPeer(forNs: freshNs, &step)
        }
    }
}
