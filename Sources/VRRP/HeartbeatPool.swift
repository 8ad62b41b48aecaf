/// The heartbeats: what the peer said last, over which cables it still speaks, and when we speak next.
///
/// Several cables form one pool, in which the newest heartbeat counts. Each carries the sender's stamp, so one that was
/// overtaken on another cable is known as old; it still shows that its cable works. A heartbeat is *fresh* for three
/// heartbeat intervals; after that it is forgotten, and rules that need a fresh peer no longer apply. A reboot of the
/// peer resets its stamp, so stamps are compared only while the last heartbeat is fresh.
import Addresses

struct HeartbeatPool: Hashable, Sendable {
    /// One cable.
    struct Cable: Hashable, Sendable {
        /// Our address on it.
        var address: IPAddress?
        /// Until when it counts as alive; nil: silent.
        var aliveUntilNs: Int64?
        /// The next heartbeat we send on it; nil: none is.
        var sendAtNs: Int64?
        /// Its carrier is lost.
        var isLinkDown = false
        /// `heartbeat-degraded` is published.
        var isPublished = false

        /// - Parameter canSend: without an identity nothing can be sent, so nothing is due.
        mutating func visitTimes(_ visitor: inout some TimeVisitor, canSend: Bool) {
            visitor.lapses(&aliveUntilNs)
            if canSend { visitor.fallsDue(&sendAtNs) } else { visitor.isCompared(&sendAtNs) }
        }
    }

    /// The peer's newest heartbeat.
    struct Fresh: Hashable, Sendable, Remembered {
        var word: PeerWord
        /// Until when it is fresh.
        var untilNs: Int64
    }

    /// The cables, in the configuration's order.
    var cables: [Cable] = []
    /// The peer's newest heartbeat, while it is fresh.
    var fresh: Fresh?
    /// Whether there is one. (Looked at with every step, and to compare `fresh` with nil copies it.)
    var isFresh: Bool { if case .some = fresh { true } else { false } }
    /// Where its adverts come from; empty: it does not say.
    var peerSources: [IPAddress] = []
    /// Its heartbeat interval; 0: unknown.
    var peerIntervalNs: Int64 = 0
    /// Its priority when it was last able.
    var peerPriority: UInt8 = 0
    /// What we said last, without its stamp.
    var lastSent: PeerWord?

    /// Who we are: our address on the first cable that has one.
    var identity: IPAddress? {
        for cable in cables { if let address = cable.address { return address } }
        return nil
    }

    /// The peer's newest heartbeat, if it is fresh.
    var word: PeerWord? { fresh?.word }

    /// What became of a heartbeat.
    enum Reception: Hashable, Sendable { case accepted, echo, stale }

    /// Takes a heartbeat that arrived on a cable. It is fresh for three intervals of the slower of the two.
    mutating func receive(_ word: PeerWord, cable index: CableIndex, intervalNs: Int64, nowNs: Int64) -> Reception {
        if word.identity == identity { return .echo }
        let untilNs = nowNs + 3 * max(intervalNs, word.intervalNs)
        cables[index].aliveUntilNs = untilNs
        // A last word was prepared in advance, so it has no sources and no interval.
        let isLast = word.isLast
        var word = word
        if let fresh, fresh.untilNs > nowNs, case let last = fresh.word, !last.isLast {
            if word.isLast { (word.stamp, word.isLast) = ((last.stamp &+ 1) & 0x0fff_ffff, false) }
            if Self.isOlder(word.stamp, than: last.stamp) { return .stale }
        }
        if !isLast {
            peerSources = word.sources
            peerIntervalNs = word.intervalNs
        }
        // Facts that are needed at every advert, and that outlast the heartbeat, are kept beside it.
        word.sources = []
        word.intervalNs = 0
        fresh = Fresh(word: word, untilNs: untilNs)
        if word.priority > 0 { peerPriority = word.priority }
        return .accepted
    }

    /// Serial comparison in 28 bits, as RFC 1982 has it.
    static func isOlder(_ stamp: UInt32, than other: UInt32) -> Bool {
        let difference = (stamp &- other) & 0x0fff_ffff
        return difference > 0x07ff_ffff
    }

    /// Renumbers the members of the fresh heartbeat after a reload: `places` has, per member, its old place.
    mutating func relist(_ places: [MemberIndex?]) {
        func moved(_ set: MemberSet) -> MemberSet {
            var moved: MemberSet = []
            for (number, place) in places.enumerated() {
                if let place, set.contains(member: place) { moved.insert(MemberSet(member: Place(number))) }
            }
            return moved
        }
        guard let old = fresh?.word else { return }
        fresh?.word.holds = moved(old.holds)
        fresh?.word.hears = moved(old.hears)
        fresh?.word.proven = moved(old.proven)
    }

    /// After a sleep, a heartbeat that has expired meanwhile stays fresh until `untilNs` if it says that the peer
    /// holds: to believe that a little longer is safe.
    mutating func listenAnew(untilNs: Int64, nowNs: Int64) {
        guard let known = fresh, !known.word.holds.isEmpty else { return }
        if known.untilNs <= nowNs { fresh?.untilNs = untilNs }
        for index in cables.places {
            if let atNs = cables[index].aliveUntilNs, atNs <= nowNs { cables[index].aliveUntilNs = untilNs }
        }
    }

    mutating func visitTimes(_ visitor: inout some TimeVisitor) {
        visitor.lapses(&fresh)
        let canSend = identity != nil
        for index in cables.places { cables[index].visitTimes(&visitor, canSend: canSend) }
    }

    /// Stamps count back from `stampNow`: part of moving the engine to the beginning of time.
    mutating func shiftStamp(stampNow: UInt32) {
        guard let stamp = fresh?.word.stamp else { return }
        fresh?.word.stamp = (stamp &- stampNow) & 0x0fff_ffff
    }
}
