/// Distinguishes adverts that a packet filter drops from adverts that nobody sends.
import Addresses

/// Compares what is on the wire with what passes the packet filter, per sender and VRID.
///
/// If three adverts in a row are seen on the wire and none of them passes, there is a filter. They must have come one
/// after another: adverts that are read in one go came late, so their copies on the raw socket may still be on the way.
/// The two sockets are read at different times, so the adverts that passed are matched with those seen on the wire: one
/// that passed shows that those before it did, too, and the rest stays outstanding. If more have passed than were seen
/// on the wire, as after a sleep, the surplus is kept for those still to be read. Draining the raw socket costs a
/// system call, so it is done when one sender has three adverts outstanding, or many senders have some.
///
/// A sender that falls silent is forgotten: a filter that drops nothing any more, since its master is dead, must not keep
/// its backup from serving.
struct FilterWatch {
    /// Adverts in a row that did not pass.
    private static let limit = 3
    /// Adverts after which the raw socket is drained in any case; its buffer holds some 250.
    private static let drainAfter = 64
    /// Senders that are followed; a flood of invented ones is not.
    private static let sendersMax = 1024
    /// A sender is forgotten after so many intervals without an advert, and not before a second has passed.
    private static let patience: Int64 = 4
    private static let patienceMinNs: Int64 = 1_000_000_000
    /// How long the answer counts that the IP stack itself drops a sender's adverts.
    private static let excuseNs: Int64 = 10_000_000_000
    /// Senders that the stack is asked about at a time.
    private static let questionsMax = 8

    private struct Balance {
        let source: IPAddress
        let vrid: UInt8
        let destination: IPAddress
        var intervalNs: Int64 = 0
        /// Adverts in a row that had not passed when the raw socket was last drained, up to the limit.
        var missing = 0
        /// On the wire since then.
        var seen = 0
        /// Through the filter since then.
        var passed = 0
        /// Through the filter before then, and not read from the wire yet.
        var ahead = 0
        /// When the first of those that are outstanding was seen, and the last.
        var sinceNs: Int64 = 0
        var lastNs: Int64 = 0
        /// When the sender counts as silent.
        var untilNs: Int64 = 0
        /// The stack would take its adverts.
        var isConfirmed = false
        /// Until when the sender is excused, since the IP stack itself drops its adverts.
        var excusedUntilNs = Int64.min

        var outstanding: Int { missing + seen - ahead }
        var isExcused: Bool { excusedUntilNs > lastNs }
        var isMissing: Bool { missing >= limit && lastNs - sinceNs >= intervalNs / 2 && !isExcused }
        var isSuspect: Bool { isMissing && !isConfirmed }
        var isFiltered: Bool { isMissing && isConfirmed }

        /// What had arrived when both were read in one go may have been cut short by a full buffer, so it alone never
        /// makes a filter: the next advert will.
        mutating func settle() {
            let (new, rest) = (max(0, seen - ahead), max(0, ahead - seen))
            if passed == 0 {
                missing = min(missing + new, limit)
                ahead = rest
            } else {
                ahead = rest + max(0, passed - missing - new)
                missing = passed >= missing + new ? 0 : min(max(0, new - passed), limit - 1)
            }
            seen = 0
            passed = 0
        }
    }

    /// Few at a time, since those that are settled go.
    private var accounts: [Balance] = []
    /// Where the search for the next sender begins: senders mostly send in the same order.
    private var finger = 0
    private var sinceDrain = 0
    private(set) var wantsDrain = false
    /// Whether more adverts of some sender have passed than were seen on the wire.
    private var isAhead = false

    /// Whether some sender's adverts are missing, for a reason that is not known: `confirm` next.
    var isSuspicious: Bool { accounts.contains(where: \.isSuspect) }

    /// Whether some sender's adverts do not pass the filter.
    var isFiltered: Bool { accounts.contains(where: \.isFiltered) }

    /// When the next sender whose adverts do not pass counts as silent; nil: there is none.
    var filteredUntilNs: Int64? { accounts.lazy.filter(\.isFiltered).map(\.untilNs).min() }

    mutating func sawOnWire(
        _ source: IPAddress, _ vrid: UInt8, to destination: IPAddress, intervalNs: Int64, nowNs: Int64
    ) {
        guard let index = find(source, vrid) ?? open(source, vrid, destination) else { return }
        if accounts[index].outstanding <= 0 { accounts[index].sinceNs = nowNs }
        accounts[index].seen += 1
        accounts[index].intervalNs = intervalNs
        accounts[index].lastNs = nowNs
        accounts[index].untilNs = nowNs + max(Self.patience * intervalNs, Self.patienceMinNs)
        sinceDrain += 1
        let isDue = accounts[index].outstanding >= Self.limit && !accounts[index].isExcused
        if isDue || sinceDrain >= Self.drainAfter { wantsDrain = true }
    }

    mutating func sawPassed(_ source: IPAddress, _ vrid: UInt8) {
        if let index = find(source, vrid) { accounts[index].passed += 1 }
    }

    private mutating func find(_ source: IPAddress, _ vrid: UInt8) -> Int? {
        for _ in accounts.indices {
            let index = finger < accounts.count ? finger : 0
            finger = index + 1
            if accounts[index].vrid == vrid, accounts[index].source == source { return index }
        }
        return nil
    }

    private mutating func open(_ source: IPAddress, _ vrid: UInt8, _ destination: IPAddress) -> Int? {
        guard accounts.count < Self.sendersMax else { return nil }
        accounts.append(Balance(source: source, vrid: vrid, destination: destination))
        return accounts.count - 1
    }

    /// All that had arrived on the wire has been read: what passed before and was not among it has been lost there.
    mutating func sawWireEmpty() {
        guard isAhead else { return }
        isAhead = false
        for index in accounts.indices {
            accounts[index].ahead = min(accounts[index].ahead, accounts[index].seen)
            if accounts[index].ahead > 0 { isAhead = true }
        }
    }

    mutating func hasDrained() {
        for index in accounts.indices {
            accounts[index].settle()
            if accounts[index].ahead > 0 { isAhead = true }
        }
        // Those that were answered are forgotten, so that a table full of strangers does not stay full.
        accounts.removeAll { $0.missing == 0 && $0.ahead == 0 }
        sinceDrain = 0
        wantsDrain = false
    }

    /// The raw socket has lost packets: what was counted so far proves nothing.
    mutating func forgetWindow() { accounts.removeAll { !$0.isConfirmed } }

    /// Excuses suspects whose adverts the IP stack would drop without any filter, and confirms the others. Suspects
    /// beyond the limit are left for a later call.
    mutating func confirm(nowNs: Int64, _ wouldTake: (_ source: IPAddress, _ destination: IPAddress) -> Bool) {
        var questions = Self.questionsMax
        for index in accounts.indices where accounts[index].isSuspect && questions > 0 {
            questions -= 1
            accounts[index].isConfirmed = wouldTake(accounts[index].source, accounts[index].destination)
            if !accounts[index].isConfirmed { accounts[index].excusedUntilNs = nowNs + Self.excuseNs }
        }
    }

    /// Forgets who has fallen silent.
    mutating func expire(nowNs: Int64) { accounts.removeAll { $0.untilNs <= nowNs } }
}
