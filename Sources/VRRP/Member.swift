/// One leg's evidence: what was heard there, and whether the leg is known to work.
///
/// A member has no state of its own. Master or Backup is said of the group alone; what is kept here are facts and the times
/// at which they lapse (`visitTimes`). A time that has come is taken out, so two members that will behave alike are equal.
import Addresses

struct Member: Hashable, Sendable {
    /// Where adverts are sent from.
    var primaryAddress: IPAddress?
    /// The kernel lists a virtual address.
    var isHeld = false
    /// The kernel was asked to add them, and has not since reported them gone.
    var isOurs = false
    /// The RFC's down timer; nil: it ran out, or the group is master.
    var downAtNs: Int64?
    /// The RFC's Master_Adver_Interval: learned in version 3, configured in version 2.
    var masterIntervalNs: Int64
    /// The last advert above 0, within its down interval, discarded or not; nil: silent.
    var heard: Heard?
    /// The last router here that we obeyed or lost to.
    var lastMaster: IPAddress?
    /// While master: a router of lower priority that goes on sending adverts.
    var lesser: Lesser?
    /// While backup: whether somebody holds where only a lesser master is heard.
    var check = HolderCheck()
    /// While master: the answer to a lesser advert of this interval has been sent.
    var hasReplied = false
    /// Why the leg may not work; nil: no reason to think so.
    var doubt: Doubt?
    /// The time until which a neighbour's or witness's answer proves the leg.
    var proofUntilNs: Int64?
    /// The next probe of a leg in doubt.
    var probeAtNs: Int64?
    /// The end of the doubt's first, eager phase.
    var probeBurstUntilNs: Int64?
    /// Whether the cause `isolated` is present.
    var isolation = Isolation.connected
    /// The link, the address or sending fails: no resignation can be sent on this leg.
    var isBroken = false
    /// Until when a stranger's use of our own address is remembered.
    var strangerUntilNs: Int64?
    /// Until when a router that is neither of the pair is remembered.
    var thirdUntilNs: Int64?
    /// The last advert listed other addresses.
    var listsOtherAddresses = false
    /// The conditions that were last published.
    var published: MemberConditions = []

    /// An advert above 0.
    struct Heard: Hashable, Sendable, Remembered {
        var source: IPAddress
        var priority: UInt8
        var untilNs: Int64
    }

    /// A router of lower priority that sends adverts although we are master.
    struct Lesser: Hashable, Sendable, Remembered {
        /// The first of them, until it is silent.
        var source: IPAddress
        /// Patience with it, and how long it is remembered: the longer of its down interval and ours.
        var spanNs: Int64
        /// When it is forgotten, unless it is heard before.
        var untilNs: Int64
        /// When patience ends.
        var endNs: Int64
        /// It has been heard for that long.
        var isLasting = false
        /// A router has answered the question for the addresses.
        var isAnswered = false

        func mayBeAskedAbout(_ nowNs: Int64) -> Bool { isLasting && nowNs >= endNs }

        mutating func visitOtherTimes(_ visitor: inout some TimeVisitor) { visitor.isCompared(&endNs) }
    }

    /// The question whether anybody has the virtual addresses of a leg on which only a lesser master is heard.
    struct HolderCheck: Hashable, Sendable {
        /// The lesser master for which the last answer was.
        var believed: IPAddress?
        /// Questions in a row without an answer, up to the limit.
        var unanswered: UInt8 = 0
        /// A router has answered the open question.
        var isAnswered = false
        /// Until when the answer is awaited; nil: no question is open.
        var answerUntilNs: Int64?
        /// The next question is put no sooner.
        var askAtNs: Int64?

        static let unansweredMax: UInt8 = 3
        /// Nobody has the addresses.
        var isUnheld: Bool { unanswered >= Self.unansweredMax }

        /// Drops the question; the earliest time for the next one is kept.
        mutating func reset() { self = HolderCheck(askAtNs: askAtNs) }
    }

    /// Why a leg may not work.
    enum Doubt: Hashable, Sendable, CaseIterable {
        /// We do not hold and hear nothing there. Ends when something is heard.
        case deaf
        /// We hold and the peer, who speaks to us over a cable, does not hear us there. Ends with the holding, or when it does.
        case mute
        /// Mute, and isolated for it. To hear *the peer* is no answer to that: with transmitters that are cut, two directors
        /// would yield to each other in turn, for ever. Ends when the peer hears us or, once we have yielded, when a probe
        /// is answered.
        case cut
    }

    /// The delay of the cause `isolated`: it comes and goes only after the reason has lasted for a while.
    enum Isolation: Hashable, Sendable {
        case connected
        /// Isolated from then on.
        case suspected(untilNs: Int64)
        case isolated
        /// Connected from then on.
        case recovering(untilNs: Int64)

        /// The cause is present.
        var isPresent: Bool {
            switch self {
            case .connected, .suspected: false
            case .isolated, .recovering: true
            }
        }

        /// The time until which a change is pending; nil: none is.
        var pendingUntilNs: Int64? {
            switch self {
            case .suspected(let untilNs), .recovering(let untilNs): untilNs
            case .connected, .isolated: nil
            }
        }

        /// Lets a change begin.
        mutating func begin(untilNs: Int64) {
            self = isPresent ? .recovering(untilNs: untilNs) : .suspected(untilNs: untilNs)
        }

        /// The reason for the change has gone.
        mutating func abandon() { self = isPresent ? .isolated : .connected }

        mutating func visitTimes(_ visitor: inout some TimeVisitor) {
            switch self {
            case .suspected(var untilNs):
                visitor.fallsDue(&untilNs)
                self = .suspected(untilNs: untilNs)
            case .recovering(var untilNs):
                visitor.fallsDue(&untilNs)
                self = .recovering(untilNs: untilNs)
            case .connected, .isolated: break
            }
        }
    }

    /// Another router is heard. (To compare `heard` with nil copies it.)
    var isHearing: Bool { if case .some = heard { true } else { false } }

    /// No master is heard, or only adverts of somebody who holds nothing.
    var isSilent: Bool { !isHearing || check.isUnheld }

    /// A leg in doubt is unproven at once, until a probe is answered.
    var isProven: Bool { doubt == nil || proofUntilNs != nil }

    mutating func visitTimes(_ visitor: inout some TimeVisitor) {
        visitor.lapses(&downAtNs)
        let wasHeard = heard != nil
        visitor.lapses(&heard)
        if wasHeard, heard == nil { listsOtherAddresses = false }
        visitor.lapses(&proofUntilNs)
        visitor.fallsDue(&probeAtNs)
        visitor.fades(&probeBurstUntilNs)
        isolation.visitTimes(&visitor)
        visitor.lapses(&strangerUntilNs)
        visitor.lapses(&thirdUntilNs)
        visitor.lapses(&lesser)
        visitor.fallsDue(&check.answerUntilNs)
        visitor.lapses(&check.askAtNs)
    }
}
