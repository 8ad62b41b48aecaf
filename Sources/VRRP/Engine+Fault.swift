/// FAULT: a set of causes, never a counter.
///
/// A cause is in the set or it is not; to report it again changes its detail at most. Whether the group *is* in FAULT is
/// derived from the set: hard causes unconditionally, soft ones, where there is a heartbeat pool, only while heartbeats
/// arrive both ways and the peer is able and free of soft causes itself. A peer lists no leg as proven while it has a soft
/// cause, so "lists any" is how we know.
import Addresses

extension Engine {
    /// Whether FAULT is in force.
    var shouldBeInFault: Bool {
        if configuration.bugs.contains(.counter) { return state.faultCount > 0 || isSoftCauseInForce }
        return state.causes.contains { $0.isHard } || isSoftCauseInForce
    }

    private var isSoftCauseInForce: Bool {
        if state.isIsolated { return true }
        guard state.hasSoftCause else { return false }
        guard configuration.hasPool else { return true }
        guard state.isPairTalking, let peer = state.peer else { return false }
        return peer.priority > 0 && !peer.proven.isEmpty
    }

    /// Brings the published FAULT up to date. Leaving goes through Backup, whose timers run. A master is published as one
    /// until the decision, in this same step, makes it yield.
    mutating func updateFault(_ step: inout Step) {
        let isFault = shouldBeInFault
        guard isFault != state.isFault else { return }
        state.isFault = isFault
        publish(isFault ? .fault : .recovered, &step)
    }

    mutating func setCause(_ cause: Cause, isPresent: Bool, _ step: inout Step) {
        let known = state.causes.firstIndex { $0.kind == cause.kind && $0.subject == cause.subject }
        var told = cause
        var isNews = true
        switch (known, isPresent) {
        case (nil, false): return
        case (nil, true):
            let place = state.causes.firstIndex { Self.isOrdered(cause, $0) } ?? state.causes.endIndex
            state.causes.insert(cause, at: place)
        case (let index?, true):
            isNews = state.causes[index] != cause
            if isNews { step.outputs.append(.causeChanged(state.causes[index], isPresent: false)) }
            state.causes[index] = cause
        case (let index?, false):
            // Report the end under the name that it began with, its detail included.
            told = state.causes.remove(at: index)
            if cause.isHard { listenAnew(nowNs: step.nowNs) }
        }
        if configuration.bugs.contains(.counter), cause.isHard {
            state.faultCount = max(0, state.faultCount + (isPresent ? 1 : -1))
        }
        updateBroken()
        if isNews { step.outputs.append(.causeChanged(told, isPresent: isPresent)) }
    }

    mutating func link(_ interface: String, isUp: Bool, reason: String, _ step: inout Step) {
        var isCable = false
        for index in state.pool.cables.places where configuration.cables[index].interface == interface {
            state.pool.cables[index].isLinkDown = !isUp
            isCable = true
        }
        // The rule Degraded: a cable is never a cause of FAULT. If a heartbeat runs over a leg's interface, the leg is.
        let isLeg = configuration.members.contains { $0.interface == interface && $0.tracksInterface }
        if isCable, !isLeg, configuration.rules.contains(.degraded) { return }
        let cause = Cause(.link, interface, detail: isUp ? "" : reason)
        setCause(cause, isPresent: !isUp, &step)
    }

    mutating func setPrimaryAddress(_ address: IPAddress?, of index: MemberIndex, _ step: inout Step) {
        state.members[index].primaryAddress = address
        updateAddressCause(of: configuration.members[index].interface, &step)
    }

    mutating func updateAddressCause(of interface: String, _ step: inout Step) {
        // One interface may carry several members: it lacks an address as long as any of them does.
        let isMissing = configuration.members.places.contains {
            configuration.members[$0].interface == interface && state.members[$0].primaryAddress == nil
        }
        setCause(Cause(.noAddress, interface), isPresent: isMissing, &step)
    }

    mutating func setWeight(_ weight: Int, of name: String) {
        state.weights[name] = weight == 0 ? nil : min(max(weight, -254), 254)
        updatePriority()
    }

    /// Weights move a priority within 1 to 254; an owner's stays.
    mutating func updatePriority() {
        guard configuration.priority != 255 else {
            state.priority = 255
            return
        }
        let sum = state.weights.values.reduce(Int(configuration.priority)) { min(max($0 + $1, -65_536), 65_536) }
        state.priority = UInt8(min(max(sum, 1), 254))
    }

    /// A leg whose link, address or sending fails cannot send a resignation and is not probed. When it works again,
    /// what was known of it before no longer counts.
    mutating func updateBroken() {
        for index in state.members.places {
            let interface = configuration.members[index].interface
            let isBroken = state.causes.contains {
                $0.subject == interface && ($0.kind == .link || $0.kind == .noAddress || $0.kind == .sendDenied)
            }
            if state.members[index].isBroken, !isBroken { state.members[index].doubt = nil }
            state.members[index].isBroken = isBroken
        }
    }

    /// While a hard cause lasted we could not hear: silence counts from now on.
    private mutating func listenAnew(nowNs: Int64) {
        for index in state.members.places {
            let untilNs = nowNs + downNs(state.members[index].masterIntervalNs, on: index)
            state.members[index].downAtNs = max(state.members[index].downAtNs ?? untilNs, untilNs)
        }
    }

    static func isOrdered(_ left: Cause, _ right: Cause) -> Bool {
        (left.kind.rawValue, left.subject) < (right.kind.rawValue, right.subject)
    }
}
