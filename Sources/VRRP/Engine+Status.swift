/// What is published: conditions as they come and go, and the whole status on request.
///
/// Conditions are derived from the state after every step and compared with what was published last, so none can be
/// forgotten. They move nothing.
import Addresses

extension Engine {
    mutating func publishConditions(_ step: inout Step) {
        for index in state.members.places {
            let now = conditions(of: index, hasHeard: step.hasHeard)
            let before = state.members[index].published
            guard now != before else { continue }
            state.members[index].published = now
            for (bit, kind) in MemberConditions.kinds {
                tell(condition(kind, of: index), was: before.contains(bit), is: now.contains(bit), &step)
            }
        }
        for index in state.pool.cables.places {
            let isDegraded = isDegraded(index)
            let wasDegraded = state.pool.cables[index].isPublished
            state.pool.cables[index].isPublished = isDegraded
            guard isDegraded != wasDegraded else { continue }
            let condition = Condition(.heartbeatDegraded, configuration.cables[index].name)
            tell(condition, was: wasDegraded, is: isDegraded, &step)
        }
        let now = groupConditions
        let before = state.conditions
        guard now != before else { return }
        state.conditions = now
        for (bit, kind) in GroupConditions.kinds {
            tell(Condition(kind), was: before.contains(bit), is: now.contains(bit), &step)
        }
    }

    private func condition(_ kind: Condition.Kind, of index: MemberIndex) -> Condition {
        let who: IPAddress? =
            switch kind {
            case .thirdRouter: record.members[index].third
            case .secondMaster: record.members[index].lesser
            default: nil
            }
        return Condition(kind, configuration.members[index].name, detail: who?.description ?? "")
    }

    private func tell(_ condition: Condition, was: Bool, is isPresent: Bool, _ step: inout Step) {
        guard was != isPresent else { return }
        step.outputs.append(isPresent ? .raised(condition) : .cleared(condition))
    }

    mutating func setExternal(_ condition: Condition, isPresent: Bool, _ step: inout Step) {
        let known = record.external.first { $0.isSame(as: condition) }
        // A condition that ends is reported with the detail that it began with.
        tell(isPresent ? condition : known ?? condition, was: known != nil, is: isPresent, &step)
        if let known { record.external.remove(known) }
        if isPresent { record.external.insert(condition) }
    }

    private func conditions(of index: MemberIndex, hasHeard: Bool) -> MemberConditions {
        let member = state.members[index]
        var now: MemberConditions = []
        guard state.isRunning else { return now }
        // When a master goes, the legs' timers run out one after the other: only one that is heard after that is evidence.
        if state.role == .backup, member.heard == nil, member.downAtNs == nil, !member.isBroken,
            !state.isSilentEverywhere, hasHeard || member.published.contains(.deaf)
        {
            now.insert(.deaf)
        }
        if isMute(index) { now.insert(.peerDeaf) }
        if member.strangerUntilNs != nil { now.insert(.ownAddress) }
        if member.listsOtherAddresses { now.insert(.addressesDiffer) }
        if member.thirdUntilNs != nil { now.insert(.thirdRouter) }
        if member.lesser?.isLasting ?? false { now.insert(.secondMaster) }
        if state.role == .master, !member.isHeld, state.hearingGraceUntilNs == nil { now.insert(.addressMissing) }
        return now
    }

    /// Silent, one-way, or without carrier.
    private func isDegraded(_ index: CableIndex) -> Bool {
        guard state.isRunning else { return false }
        let cable = state.pool.cables[index]
        return cable.isLinkDown || cable.aliveUntilNs == nil || state.peer.map { !$0.hearsHeartbeat } ?? false
    }

    /// The virtual addresses are answered for, by the newest probe that is over: while the next one waits, what was said
    /// stands.
    private var wasAnsweredLast: Bool {
        guard let probe = state.takeoverProbe else { return false }
        return probe.isAnswered || probe.isDisputed
            || probe.untilNs != nil && state.conditions.contains(.advertsBlocked)
    }

    private var groupConditions: GroupConditions {
        var now: GroupConditions = []
        guard state.isRunning else { return now }
        let isSilent = state.isSilentEverywhere
        if state.role == .backup, !state.isFault, isSilent, state.everyMemberWants,
            state.peerHolds || wasAnsweredLast
        {
            now.insert(.advertsBlocked)
        }
        if state.restraints.contains(.unheard) || state.standsFirm { now.insert(.unheard) }
        if state.restraints.contains(.handedOver) { now.insert(.handedOver) }
        if state.peer?.priority == state.priority
            || state.members.places.contains(where: { state.members[$0].heard?.priority == state.priority })
        {
            now.insert(.equalPriority)
        }
        if state.isFault, isSilent, state.everyMemberWants, !state.peerHolds, state.peer?.priority ?? 0 == 0 {
            now.insert(.noDirector)
        }
        if state.hasSoftCause, !state.isFault { now.insert(.tolerated) }
        if state.fence.isRunning { now.insert(.fencing) }
        if case .failed = state.fence { now.insert(.fenceFailed) }
        return now
    }

    // MARK: Status

    /// The group as it is published.
    public var status: GroupStatus {
        var status = GroupStatus(state: state.publicState, priority: state.priority)
        status.isClaiming = state.role == .claiming
        status.isHolding = state.members.contains { $0.isHeld }
        status.causes = allCauses
        status.conditions = publishedConditions
        status.members = state.members.places.map(memberStatus)
        if let word = state.peer ?? record.lastWord, configuration.hasPool {
            status.peer = PeerStatus(
                word: word, isFresh: state.hasPeer, cables: state.pool.cables.map { $0.aliveUntilNs != nil })
        }
        status.sinceNs = record.sinceNs
        status.advertAtNs = state.advertAtNs
        status.statistics = record.statistics
        return status
    }

    private var allCauses: [Cause] {
        var causes = state.causes
        for index in state.members.places where state.members[index].isolation.isPresent {
            let cause = Cause(.isolated, configuration.members[index].interface)
            if !causes.contains(cause) { causes.append(cause) }
        }
        return causes
    }

    private var publishedConditions: [Condition] {
        var conditions = GroupConditions.kinds.filter { state.conditions.contains($0.0) }.map { Condition($0.1) }
        for index in state.members.places {
            for (bit, kind) in MemberConditions.kinds where state.members[index].published.contains(bit) {
                conditions.append(condition(kind, of: index))
            }
        }
        for index in state.pool.cables.places where state.pool.cables[index].isPublished {
            conditions.append(Condition(.heartbeatDegraded, configuration.cables[index].name))
        }
        let others = record.external.subtracting(conditions)
        return conditions + others.sorted { $0.description < $1.description }
    }

    private func memberStatus(_ index: MemberIndex) -> MemberStatus {
        let member = state.members[index]
        let record = record.members[index]
        return MemberStatus(
            name: configuration.members[index].name, primaryAddress: member.primaryAddress, isHolding: member.isHeld,
            isHeard: member.heard != nil, isProven: member.isProven, downAtNs: member.downAtNs,
            masterIntervalNs: member.masterIntervalNs, lastSource: record.lastSource,
            lastPriority: record.lastPriority, checksumForm: record.checksumForm, statistics: record.statistics)
    }
}

/// The conditions of a member that the engine derives.
struct MemberConditions: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let deaf = MemberConditions(rawValue: 1 << 0)
    static let peerDeaf = MemberConditions(rawValue: 1 << 1)
    static let ownAddress = MemberConditions(rawValue: 1 << 2)
    static let addressesDiffer = MemberConditions(rawValue: 1 << 3)
    static let addressMissing = MemberConditions(rawValue: 1 << 4)
    static let thirdRouter = MemberConditions(rawValue: 1 << 5)
    static let secondMaster = MemberConditions(rawValue: 1 << 6)

    static let kinds: [(MemberConditions, Condition.Kind)] = [
        (.deaf, .deaf), (.peerDeaf, .peerDeaf), (.ownAddress, .ownAddress), (.addressesDiffer, .addressesDiffer),
        (.addressMissing, .addressMissing), (.thirdRouter, .thirdRouter), (.secondMaster, .secondMaster),
    ]
}

/// The conditions of the group that the engine derives.
struct GroupConditions: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let advertsBlocked = GroupConditions(rawValue: 1 << 0)
    static let unheard = GroupConditions(rawValue: 1 << 1)
    static let handedOver = GroupConditions(rawValue: 1 << 2)
    static let equalPriority = GroupConditions(rawValue: 1 << 3)
    static let noDirector = GroupConditions(rawValue: 1 << 4)
    static let tolerated = GroupConditions(rawValue: 1 << 5)
    static let fencing = GroupConditions(rawValue: 1 << 6)
    static let fenceFailed = GroupConditions(rawValue: 1 << 7)

    static let kinds: [(GroupConditions, Condition.Kind)] = [
        (.advertsBlocked, .advertsBlocked), (.unheard, .unheard), (.handedOver, .handedOver),
        (.equalPriority, .equalPriority), (.noDirector, .noDirector), (.tolerated, .tolerated), (.fencing, .fencing),
        (.fenceFailed, .fenceFailed),
    ]
}
