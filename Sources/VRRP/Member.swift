/// One leg's evidence: what was heard there, and whether the leg is known to work.
///
/// A member has no state of its own. Master or Backup is said of the group alone; what is kept here are facts and the times
/// at which they lapse. A time that has come is taken out (`expire`), so "nil" reads as "it has happened" for a timer and as
/// "no longer" for a fact, and two members that will behave alike are equal.
import Addresses

struct Member: Hashable, Sendable {
    /// Where adverts are sent from.
    var primaryAddress: IPAddress?
    /// The kernel lists a virtual address.
    var isHeld = false
    /// It was asked to add them, and has not said since that they are gone.
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
    /// While master: an advert that beats us arrived. Set and consumed within one step.
    var isBeaten = false
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
    /// The cause `isolated` is present.
    var isIsolated = false
    /// When `isIsolated` turns round, unless what speaks for that goes away first.
    var isolationFlipAtNs: Int64?
    /// The link, the address or the sending fails: the leg cannot carry a goodbye.
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
    struct Heard: Hashable, Sendable {
        var source: IPAddress
        var priority: UInt8
        var untilNs: Int64
    }

    /// A router of lower priority that sends adverts although we are master.
    struct Lesser: Hashable, Sendable {
        /// The first of them, until it is silent.
        var source: IPAddress
        /// Patience with it, and how long it is remembered: the longer of its down interval and ours.
        var spanNs: Int64
        /// When it is forgotten, unless it is heard before.
        var untilNs: Int64
        /// When patience ends.
        var endNs: Int64
        /// It has been heard for as long.
        var isLasting = false
        /// A router has answered the question for the addresses.
        var isAnswered = false

        func mayBeAskedAbout(_ nowNs: Int64) -> Bool { isLasting && nowNs >= endNs }
    }

    /// The question whether anybody has the virtual addresses of a leg on which only a lesser master is heard.
    struct HolderCheck: Hashable, Sendable {
        /// The lesser master for which the last answer was.
        var believed: IPAddress?
        /// Questions in a row without an answer, up to the limit.
        var unanswered: UInt8 = 0
        /// A router has answered the question that waits.
        var isAnswered = false
        /// Until when the answer is waited for; nil: no question waits.
        var answerUntilNs: Int64?
        /// The next question is put no sooner.
        var askAtNs: Int64?

        static let unansweredMax: UInt8 = 3
        /// Nobody holds.
        var isUnheld: Bool { unanswered >= Self.unansweredMax }

        /// There is nothing to be asked; that questions are not put one upon the other outlasts it.
        mutating func reset() { self = HolderCheck(askAtNs: askAtNs) }
    }

    /// Why a leg may not work.
    enum Doubt: Hashable, Sendable {
        /// We do not hold and hear nothing there. Ends when something is heard.
        case deaf
        /// We hold and the peer, who speaks to us over a cable, does not hear us there. Ends with the holding, or when it does.
        case mute
        /// Mute, and isolated for it. To hear *the peer* is no answer to that: with transmitters that are cut, two directors
        /// would yield to each other in turn, for ever. Ends when the peer hears us or, once we have yielded, when a probe
        /// is answered.
        case cut
    }

    /// No master is heard, or only adverts of somebody who holds nothing.
    var isSilent: Bool { heard == nil || check.isUnheld }

    /// A leg in doubt is unproven at once, until a probe is answered.
    var isProven: Bool { doubt == nil || proofUntilNs != nil }

    /// Takes out what has lapsed.
    mutating func expire(nowNs: Int64) {
        if let atNs = downAtNs, atNs <= nowNs { downAtNs = nil }
        if let untilNs = heard?.untilNs, untilNs <= nowNs {
            heard = nil
            listsOtherAddresses = false
        }
        if let untilNs = proofUntilNs, untilNs <= nowNs { proofUntilNs = nil }
        if let untilNs = probeBurstUntilNs, untilNs <= nowNs { probeBurstUntilNs = nil }
        if let untilNs = strangerUntilNs, untilNs <= nowNs { strangerUntilNs = nil }
        if let untilNs = lesser?.untilNs, untilNs <= nowNs { lesser = nil }
        if let untilNs = thirdUntilNs, untilNs <= nowNs { thirdUntilNs = nil }
        if let atNs = check.askAtNs, atNs <= nowNs { check.askAtNs = nil }
    }

    /// The next instant at which something lapses or falls due.
    var nextDeadlineNs: Int64? {
        let firstNs = earliest(earliest(downAtNs, heard?.untilNs), earliest(proofUntilNs, probeAtNs))
        let secondNs = earliest(earliest(isolationFlipAtNs, strangerUntilNs), earliest(thirdUntilNs, lesser?.untilNs))
        return earliest(earliest(firstNs, secondNs), earliest(check.askAtNs, check.answerUntilNs))
    }

    /// The member as it is `nowNs` after the beginning of time, moved to that beginning.
    func shifted(nowNs: Int64) -> Member {
        var member = self
        member.downAtNs = shift(downAtNs, nowNs)
        if let heard { member.heard?.untilNs = shift(heard.untilNs, nowNs) }
        member.proofUntilNs = shift(proofUntilNs, nowNs)
        member.probeAtNs = shift(probeAtNs, nowNs)
        member.probeBurstUntilNs = shift(probeBurstUntilNs, nowNs)
        member.isolationFlipAtNs = shift(isolationFlipAtNs, nowNs)
        member.strangerUntilNs = shift(strangerUntilNs, nowNs)
        member.thirdUntilNs = shift(thirdUntilNs, nowNs)
        if let lesser {
            member.lesser?.untilNs = shift(lesser.untilNs, nowNs)
            member.lesser?.endNs = shift(lesser.endNs, nowNs)
        }
        member.check.answerUntilNs = shift(check.answerUntilNs, nowNs)
        member.check.askAtNs = shift(check.askAtNs, nowNs)
        return member
    }
}

/// The earlier of two deadlines, either of which may be missing.
func earliest(_ first: Int64?, _ second: Int64?) -> Int64? {
    guard let first else { return second }
    guard let second else { return first }
    return min(first, second)
}

/// A time relative to now; all that has passed is alike.
func shift(_ atNs: Int64, _ nowNs: Int64) -> Int64 { max(atNs - nowNs, -1) }
func shift(_ atNs: Int64?, _ nowNs: Int64) -> Int64? { atNs.map { shift($0, nowNs) } }
