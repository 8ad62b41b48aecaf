/// Everything a group remembers. What can be derived from it is derived, never stored beside it.
///
/// FAULT is not a role: it is a set of causes that is not empty. `isFault` is kept only as the value that was last published,
/// so that its change can be told. A group in FAULT has the role Backup and listens as one.
struct EngineState: Hashable, Sendable {
    /// The role in the election.
    enum Role: UInt8, Hashable, Sendable, CaseIterable {
        /// Waits for the first snapshot; published as Initialize.
        case waiting
        /// Waits until the leftovers of an earlier run are gone; published as Initialize.
        case clearing
        /// Listens.
        case backup
        /// Sends adverts as a master does and waits for the peer to release; published as Backup.
        case claiming
        /// Holds.
        case master
        /// An orderly end; published as Initialize.
        case ended
    }

    var role = Role.waiting
    /// The state that was last published.
    var published = GroupState.initialize
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

    /// The end of the delay after the start; nil: it is over, or has not begun.
    var beginAtNs: Int64?
    /// What is tracked has been looked at, so that what fails is known.
    var isInformed = true

    /// The next adverts, as master or claiming.
    var advertAtNs: Int64?
    /// Until when a claim waits for the peer's release.
    var claimUntilNs: Int64?
    /// Until when the peer is given time to hear a new master.
    var hearingGraceUntilNs: Int64?
    /// The preempt delay: whether it runs, and until when.
    var preemptDelay = PreemptDelay.none
    /// Why we do not preempt.
    var restraints: Restraints = []
    /// Until when a handover keeps our heartbeats at priority 0.
    var resignUntilNs: Int64?
    /// How long the lower-priority peer has held as if it did not hear us.
    var lesser: Patience?
    /// The question, as master, whether a lesser router holds.
    var question = Question.none
    /// How often we have recently yielded to a lesser router.
    var retreats: Retreats?
    /// Until when we leave a lesser holder alone that does not hear us.
    var holdBackUntilNs: Int64?
    /// The router that has just resigned over a cable.
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

    /// Whether the question is due later, or its answer is awaited.
    enum Question: Hashable, Sendable {
        case none, due(Int64)
        case put(untilNs: Int64)

        mutating func visitTimes(_ visitor: inout some TimeVisitor) {
            switch self {
            case .none: break
            case .due(var atNs):
                visitor.fallsDue(&atNs)
                self = .due(atNs)
            case .put(var untilNs):
                visitor.fallsDue(&untilNs)
                self = .put(untilNs: untilNs)
            }
        }
    }

    enum PreemptDelay: Hashable, Sendable {
        case none, until(Int64), over

        mutating func visitTimes(_ visitor: inout some TimeVisitor) {
            guard case .until(let untilNs) = self else { return }
            var atNs: Int64? = untilNs
            visitor.lapses(&atNs)
            self = atNs.map { .until($0) } ?? .over
        }
    }

    /// Patience with something that may pass. It is forgotten at `untilNs`, which every new sign of it postpones; if it
    /// is seen at or after `endNs`, it is acted upon.
    struct Patience: Hashable, Sendable, Remembered {
        var untilNs: Int64
        var endNs: Int64

        mutating func visitOtherTimes(_ visitor: inout some TimeVisitor) { visitor.isCompared(&endNs) }
    }

    /// A yield to a lesser holder goes against the order of priorities, and is the only change of roles that does.
    /// Where three directors hear each other only in a ring, each would hand the role to the next for ever. So a router
    /// that has retreated this often in a row, and each time found itself alone again, stays master.
    struct Retreats: Hashable, Sendable, Remembered {
        var count: Int
        /// When they are forgotten.
        var untilNs: Int64

        static let max = 2
    }

    /// An advert of the priority that a peer has just resigned from is late, for one interval: a cable is faster than a LAN.
    struct Resigned: Hashable, Sendable, Remembered {
        var priority: UInt8
        var untilNs: Int64
    }

    /// The fence program. One that runs when it is no longer wanted is waited for, since two must not run at a time, but what
    /// it says is of no use any more.
    enum Fence: Hashable, Sendable {
        case idle, running, outdated, succeeded
        case failed(retryAtNs: Int64)

        var isRunning: Bool { self == .running || self == .outdated }

        /// The result is no longer wanted.
        mutating func abandon() { self = isRunning ? .outdated : .idle }

        mutating func visitTimes(_ visitor: inout some TimeVisitor) {
            guard case .failed(let retryAtNs) = self else { return }
            var atNs: Int64? = retryAtNs
            visitor.lapses(&atNs)
            self = atNs.map { .failed(retryAtNs: $0) } ?? .idle
        }
    }

    struct TakeoverProbe: Hashable, Sendable {
        /// Until when answers are waited for; nil: the wait is over.
        var untilNs: Int64?
        /// By the router that was master, or for it.
        var isAnswered = false
        /// By another station alone.
        var isDisputed = false
        /// How often that has happened before.
        var disputes: UInt8 = 0

        static let disputesMax: UInt8 = 2

        mutating func visitTimes(_ visitor: inout some TimeVisitor) { visitor.lapses(&untilNs) }
    }

    init(_ configuration: GroupConfiguration) {
        priority = configuration.priority
        members = configuration.members.map { _ in Member(masterIntervalNs: configuration.advertIntervalNs) }
        pool.cables = configuration.cables.map { _ in HeartbeatPool.Cable() }
    }

    // MARK: Derived values. They loop over indices, since a closure that takes a member gets a copy of its whole state.

    /// Silence everywhere is about to be believed.
    var isFenceWanted: Bool { role == .backup && !isFault && everyMemberWants && isSilentEverywhere && peer == nil }

    /// The election runs: between the start and the end.
    var isRunning: Bool { role == .backup || role == .master || role == .claiming }
    /// Addresses are looked after: from the first snapshot to the end.
    var hasBegun: Bool { role != .waiting && role != .ended }
    /// The peer's newest heartbeat, if it is fresh.
    var peer: PeerWord? { pool.word }
    /// Whether it is.
    var hasPeer: Bool { pool.isFresh }
    /// Heartbeats arrive both ways, so that both of the pair know who the other one is and how it is. To a peer that does not
    /// hear our heartbeats nothing is left: it would not know. What it proves, it proves by hearing us on the legs, and it
    /// ceases to as soon as we yield.
    var isPairTalking: Bool { peer?.hearsHeartbeat ?? false }
    /// Sends adverts.
    var isSpeaking: Bool { role == .master || role == .claiming }
    /// Holds at least one virtual address as master.
    var isHolding: Bool { role == .master && members.places.contains { members[$0].isHeld } }
    /// Every member's down timer ran out.
    var everyMemberWants: Bool { members.places.allSatisfy { members[$0].downAtNs == nil } }
    /// Every leg is proven.
    var isProvenEverywhere: Bool { members.places.allSatisfy { members[$0].isProven } }
    /// No member hears another router that holds.
    var isSilentEverywhere: Bool { members.places.allSatisfy { members[$0].isSilent } }
    /// The fresh peer holds.
    var peerHolds: Bool { peer.map { !$0.holds.isEmpty } ?? false }
    /// The fresh peer can serve, and every leg of its works.
    var peerIsProven: Bool {
        peer.map { $0.priority > 0 && $0.proven.isSuperset(of: .first(members.count)) } ?? false
    }
    /// A lesser holder does not hear us, and to yield once more would not help.
    var standsFirm: Bool { role == .master && hearsLesser && retreats?.count == Retreats.max }
    /// A lesser router or, over the cable, the lesser peer goes on as if we were not there.
    var hearsLesser: Bool { lesser != nil || members.places.contains { members[$0].lesser?.isLasting ?? false } }
    /// Whether something keeps us from preempting. A router that was not heard claims again after a while, if it can
    /// ask the peer to release: a backup sends nothing, so the peer cannot find out by itself that it hears us again.
    var isRestrained: Bool {
        restraints.contains(.handedOver) || restraints.contains(.unheard) && (holdBackUntilNs != nil || peer == nil)
    }
    var hasSoftCause: Bool { causes.contains { !$0.isHard } }
    var isIsolated: Bool { members.places.contains { members[$0].isolation.isPresent } }

    /// The state as it is published.
    var publicState: GroupState {
        switch role {
        case .waiting, .clearing, .ended: .initialize
        case .master: .master
        case .backup, .claiming: isFault ? .fault : .backup
        }
    }

    mutating func visitTimes(_ visitor: inout some TimeVisitor) {
        visitor.fallsDue(&beginAtNs)
        visitor.fallsDue(&advertAtNs)
        visitor.lapses(&claimUntilNs)
        visitor.lapses(&hearingGraceUntilNs)
        visitor.lapses(&resignUntilNs)
        visitor.lapses(&lesser)
        visitor.fallsDue(&collisionUntilNs)
        visitor.fallsDue(&announceAgainAtNs)
        visitor.lapses(&tie)
        visitor.lapses(&resigned)
        visitor.lapses(&retreats)
        visitor.fallsDue(&holdBackUntilNs)
        question.visitTimes(&visitor)
        preemptDelay.visitTimes(&visitor)
        fence.visitTimes(&visitor)
        takeoverProbe?.visitTimes(&visitor)
        pool.visitTimes(&visitor)
        for index in members.places { members[index].visitTimes(&visitor) }
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
