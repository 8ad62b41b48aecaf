/// Everything a group remembers. What can be derived from it is derived, never stored beside it.
///
/// FAULT is not a role: it is a set of causes that is not empty. `isFault` is kept only as the value that was last published,
/// so that its change can be told. A group in FAULT has the role Backup and listens as one.
struct State: Hashable, Sendable {
    /// The role in the election.
    enum Role: UInt8, Hashable, Sendable {
        /// Before the first snapshot, or after the end.
        case initialize
        /// Listens.
        case backup
        /// Sends adverts as a master does and waits for the peer to release; published as Backup.
        case claiming
        /// Holds.
        case master
    }

    var role = Role.initialize
    /// The state that was last published.
    var published = GroupState.initialize
    /// The first snapshot was taken; leftovers may still have to go.
    var hasSnapshot = false
    /// An orderly end is under way.
    var isStopping = false
    /// The effective priority.
    var priority: UInt8
    var members: [Member]
    var pool = HeartbeatPool()
    /// Causes in order of kind and subject, each once; the engine's own `isolated` is kept with its member.
    var causes: [Cause] = []
    /// Reports of failure, for the planted bug alone.
    var faultCount = 0
    var weights: [String: Int] = [:]
    /// FAULT as it was last published.
    var isFault = false

    /// The next adverts, as master or claiming.
    var advertAtNs: Int64?
    /// Until when a claim waits for the peer's release.
    var claimUntilNs: Int64?
    /// Until when the peer is given time to hear a new master.
    var hearingGraceUntilNs: Int64?
    /// How far the preempt delay has run.
    var preemptDelay = PreemptDelay.none
    /// Why we do not preempt.
    var restraints: Restraints = []
    /// Until when a handover keeps our heartbeats at priority 0.
    var resignUntilNs: Int64?
    /// The peer holds, has the lower priority, and goes on as if it did not hear us.
    var lesser: Patience?
    /// The question, as master, whether a lesser router holds.
    var question = Question.none
    /// How often we have lately yielded to one.
    var retreats: Retreats?
    /// Until when we leave one alone that does not hear us, if it goes on holding.
    var holdBackUntilNs: Int64?
    /// Who has just resigned over a cable.
    var resigned: Resigned?
    /// Until when another router's claim to our addresses is taken to last.
    var collisionUntilNs: Int64?
    /// The second announcement after a collision.
    var announceAgainAtNs: Int64?
    /// An equal that is heard on a later leg only.
    var tie: Patience?
    var fence = Fence.idle
    var takeoverProbe: TakeoverProbe?
    /// The conditions that were last published.
    var conditions: GroupConditions = []

    // Set by an input, consumed in the same step.
    /// The peer has just resigned over a cable.
    var isAtOnce = false
    /// A lesser holder has been heard for too long.
    var isUnheard = false
    /// An operator asks for a handover.
    var isHandingOver = false
    /// We slept longer than the lease of our addresses.
    var hasOverslept = false

    /// Whether it is going to be put, or its answer is waited for.
    enum Question: Hashable, Sendable {
        case none, due(Int64)
        case put(untilNs: Int64)

        var deadlineNs: Int64? {
            switch self {
            case .none: nil
            case .due(let atNs), .put(let atNs): atNs
            }
        }

        func shifted(nowNs: Int64) -> Question {
            switch self {
            case .none: self
            case .due(let atNs): .due(shift(atNs, nowNs))
            case .put(let untilNs): .put(untilNs: shift(untilNs, nowNs))
            }
        }
    }

    enum PreemptDelay: Hashable, Sendable { case none, until(Int64), over }

    /// Something is borne for a while. It is forgotten at `untilNs`, which every new sight of it moves on; if it is seen at or
    /// after `endNs`, it is acted upon.
    struct Patience: Hashable, Sendable {
        var untilNs: Int64
        var endNs: Int64

        func shifted(nowNs: Int64) -> Patience {
            Patience(untilNs: shift(untilNs, nowNs), endNs: shift(endNs, nowNs))
        }
    }

    /// A yield to a lesser holder goes against the order of priorities, and is the only change of roles that does. Where
    /// three directors hear each other in a ring, as a priority alone never makes them, each hands the role to the next for
    /// ever. So whoever has had to retreat this often in a row, and has found itself alone again each time, does not any more.
    struct Retreats: Hashable, Sendable {
        var count: Int
        /// When they are forgotten.
        var untilNs: Int64

        static let max = 2
    }

    /// An advert of the priority that a peer has just resigned from is late, for one interval: a cable is faster than a LAN.
    struct Resigned: Hashable, Sendable {
        var priority: UInt8
        var untilNs: Int64
    }

    /// The fence program. One that runs when it is no longer wanted is waited for, since two must not run at a time, but what
    /// it says is of no use any more.
    enum Fence: Hashable, Sendable {
        case idle, running, outdated, succeeded
        case failed(retryAtNs: Int64)

        var isRunning: Bool { self == .running || self == .outdated }

        /// It is not wanted any longer.
        mutating func abandon() { self = isRunning ? .outdated : .idle }
    }

    struct TakeoverProbe: Hashable, Sendable {
        /// Until when answers are waited for; nil: the wait is over.
        var untilNs: Int64?
        /// By the router that was master, or for it.
        var isAnswered = false
        /// By another station alone.
        var isDisputed = false
        /// How often that has been so before.
        var disputes: UInt8 = 0

        static let disputesMax: UInt8 = 2
    }

    init(_ configuration: GroupConfiguration) {
        priority = configuration.priority
        members = configuration.members.map { _ in Member(masterIntervalNs: configuration.advertIntervalNs) }
        pool.cables = configuration.cables.map { _ in HeartbeatPool.Cable() }
    }

    // MARK: Derived

    /// Silence everywhere is about to be believed.
    var isFenceWanted: Bool { role == .backup && !isFault && everyMemberWants && isSilentEverywhere && peer == nil }

    /// The peer's newest word, if it is fresh.
    var peer: PeerWord? { pool.word }
    /// Whether it is.
    var hasPeer: Bool { pool.isFresh }
    /// Sends adverts.
    var isSpeaking: Bool { role == .master || role == .claiming }
    /// Holds at least one virtual address as master.
    var isHolding: Bool { role == .master && members.contains { $0.isHeld } }
    /// Every member's down timer ran out.
    var everyMemberWants: Bool { members.allSatisfy { $0.downAtNs == nil } }
    /// No member hears another router that holds.
    var isSilentEverywhere: Bool { members.allSatisfy { $0.isSilent } }
    /// The fresh peer holds.
    var peerHolds: Bool { peer.map { !$0.holds.isEmpty } ?? false }
    /// The fresh peer can serve, and every leg of its works.
    var peerIsProven: Bool {
        peer.map { $0.priority > 0 && $0.proven.isSuperset(of: .first(members.count)) } ?? false
    }
    /// A lesser holder does not hear us, and to yield once more would not help.
    var standsFirm: Bool { role == .master && hearsLesser && retreats?.count == Retreats.max }
    /// A lesser router or, over the cable, the lesser peer goes on as if we were not there.
    var hearsLesser: Bool { lesser != nil || members.contains { $0.lesser?.isLasting ?? false } }
    /// Something keeps us from preempting. Whoever was not heard claims again after a while, if it can ask the peer to release:
    /// a backup sends nothing by which the peer could tell that it would be heard by now.
    var isRestrained: Bool {
        restraints.contains(.handedOver) || restraints.contains(.unheard) && (holdBackUntilNs != nil || peer == nil)
    }
    var hasSoftCause: Bool { causes.contains { !$0.isHard } }
    var isIsolated: Bool { members.contains { $0.isIsolated } }

    /// The state as it is published.
    var publicState: GroupState {
        switch role {
        case .initialize: .initialize
        case .master: .master
        case .backup, .claiming: isFault ? .fault : .backup
        }
    }

    /// The next deadline but for the takeover's probe, which depends on the configuration.
    var nextDeadlineNs: Int64? {
        guard role != .initialize else { return nil }
        var deadlineNs = earliest(advertAtNs, claimUntilNs)
        deadlineNs = earliest(deadlineNs, earliest(hearingGraceUntilNs, resignUntilNs))
        deadlineNs = earliest(deadlineNs, earliest(lesser?.untilNs, collisionUntilNs))
        deadlineNs = earliest(deadlineNs, earliest(announceAgainAtNs, tie?.untilNs))
        deadlineNs = earliest(deadlineNs, earliest(resigned?.untilNs, takeoverProbe?.untilNs))
        deadlineNs = earliest(deadlineNs, earliest(retreats?.untilNs, pool.nextDeadlineNs))
        deadlineNs = earliest(deadlineNs, earliest(question.deadlineNs, holdBackUntilNs))
        if case .until(let atNs) = preemptDelay { deadlineNs = earliest(deadlineNs, atNs) }
        if case .failed(let atNs) = fence { deadlineNs = earliest(deadlineNs, atNs) }
        for member in members { deadlineNs = earliest(deadlineNs, member.nextDeadlineNs) }
        return deadlineNs
    }

    /// The state moved to the beginning of time: equal for two groups that will behave alike.
    func shifted(nowNs: Int64, stampNow: UInt32) -> State {
        var state = self
        for index in members.indices { state.members[index] = members[index].shifted(nowNs: nowNs) }
        state.pool = pool.shifted(nowNs: nowNs, stampNow: stampNow)
        state.advertAtNs = shift(advertAtNs, nowNs)
        state.claimUntilNs = shift(claimUntilNs, nowNs)
        state.hearingGraceUntilNs = shift(hearingGraceUntilNs, nowNs)
        state.resignUntilNs = shift(resignUntilNs, nowNs)
        state.collisionUntilNs = shift(collisionUntilNs, nowNs)
        state.announceAgainAtNs = shift(announceAgainAtNs, nowNs)
        state.question = question.shifted(nowNs: nowNs)
        state.holdBackUntilNs = shift(holdBackUntilNs, nowNs)
        state.lesser = lesser?.shifted(nowNs: nowNs)
        state.tie = tie?.shifted(nowNs: nowNs)
        if let resigned { state.resigned?.untilNs = shift(resigned.untilNs, nowNs) }
        if let retreats { state.retreats?.untilNs = shift(retreats.untilNs, nowNs) }
        if let takeoverProbe { state.takeoverProbe?.untilNs = shift(takeoverProbe.untilNs, nowNs) }
        if case .until(let atNs) = preemptDelay { state.preemptDelay = .until(shift(atNs, nowNs)) }
        if case .failed(let atNs) = fence { state.fence = .failed(retryAtNs: shift(atNs, nowNs)) }
        return state
    }
}

/// Why a better director leaves a lesser master alone.
struct Restraints: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    /// It does not hear us.
    static let unheard = Restraints(rawValue: 1 << 0)
    /// We handed over to it.
    static let handedOver = Restraints(rawValue: 1 << 1)
    /// Nor does it hear our heartbeats.
    static let unheardAtAll = Restraints(rawValue: 1 << 2)
}
