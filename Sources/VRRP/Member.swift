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
    /// The RFC's down timer; nil: it ran out, or the group is master.
    var downAtNs: Int64?
    /// The RFC's Master_Adver_Interval: learned in version 3, configured in version 2.
    var masterIntervalNs: Int64
    /// The last advert above 0, within its down interval, discarded or not; nil: silent.
    var heard: Heard?
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
    }

    /// The next instant at which something lapses or falls due.
    var nextDeadlineNs: Int64? {
        let firstNs = earliest(earliest(downAtNs, heard?.untilNs), earliest(proofUntilNs, probeAtNs))
        return earliest(firstNs, earliest(isolationFlipAtNs, strangerUntilNs))
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
