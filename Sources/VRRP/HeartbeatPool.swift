/// The heartbeats: what the peer said last, over which cables it still speaks, and when we speak next.
///
/// Several cables form one pool, in which the freshest word counts. Words carry the sender's stamp, so one that was overtaken
/// on another cable is known as old; it still shows that its cable works. A word is *fresh* for three heartbeat intervals;
/// after that it is forgotten, and with it every rule that needs a fresh peer. The stamp starts anew with the peer's machine,
/// so it is compared only while the word is fresh.
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
    }

    /// The cables, in the configuration's order.
    var cables: [Cable] = []
    /// The peer's newest word, while fresh.
    var word: PeerWord?
    /// Until when it is fresh.
    var freshUntilNs: Int64?
    /// Whether there is one. (Looked at with every step, and to compare `word` with nil copies it.)
    var isFresh: Bool { if case .some = word { true } else { false } }
    /// Who the peer is, even when it is silent: the tie-break outlasts the cable.
    var peerIdentity: IPAddress?
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

    /// How a word was taken.
    enum Reception: Hashable, Sendable { case accepted, echo, stale }

    /// Takes a word that arrived on a cable. It is fresh for three intervals of the slower of the two.
    mutating func receive(_ word: PeerWord, cable index: Int, intervalNs: Int64, nowNs: Int64) -> Reception {
        if word.identity == identity { return .echo }
        let untilNs = nowNs + 3 * max(intervalNs, word.intervalNs)
        cables[index].aliveUntilNs = untilNs
        // A last word was written before there was anything to be said but that.
        let isLast = word.isLast
        let isFresh = freshUntilNs.map { $0 > nowNs } ?? false
        var word = word
        if isFresh, let last = self.word, !last.isLast {
            if word.isLast { (word.stamp, word.isLast) = ((last.stamp &+ 1) & 0x0fff_ffff, false) }
            if Self.isOlder(word.stamp, than: last.stamp) { return .stale }
        }
        if !isLast {
            peerSources = word.sources
            peerIntervalNs = word.intervalNs
        }
        // What is asked for with every advert and does not age with the word is kept once.
        word.sources = []
        word.intervalNs = 0
        self.word = word
        peerIdentity = word.identity
        if word.priority > 0 { peerPriority = word.priority }
        freshUntilNs = untilNs
        return .accepted
    }

    /// Serial comparison in 28 bits, as RFC 1982 has it.
    static func isOlder(_ stamp: UInt32, than other: UInt32) -> Bool {
        let difference = (stamp &- other) & 0x0fff_ffff
        return difference > 0x07ff_ffff
    }

    /// The fresh word after the members were listed anew: `places` has, per member, its old place.
    mutating func relist(_ places: [Int?]) {
        func moved(_ set: MemberSet) -> MemberSet {
            var moved: MemberSet = []
            for (index, place) in places.enumerated() {
                if let place, set.contains(member: place) { moved.insert(MemberSet(member: index)) }
            }
            return moved
        }
        guard let old = word else { return }
        word?.holds = moved(old.holds)
        word?.hears = moved(old.hears)
        word?.proven = moved(old.proven)
    }

    /// Takes out what has lapsed.
    mutating func expire(nowNs: Int64) {
        if let untilNs = freshUntilNs, untilNs <= nowNs {
            freshUntilNs = nil
            word = nil
        }
        for index in cables.indices {
            if let untilNs = cables[index].aliveUntilNs, untilNs <= nowNs { cables[index].aliveUntilNs = nil }
        }
    }

    /// What lapsed while we slept lapses at `untilNs` instead, if it says that the peer holds: to go on believing that is safe.
    mutating func listenAnew(untilNs: Int64, nowNs: Int64) {
        guard let word, !word.holds.isEmpty else { return }
        if let atNs = freshUntilNs, atNs <= nowNs { freshUntilNs = untilNs }
        for index in cables.indices {
            if let atNs = cables[index].aliveUntilNs, atNs <= nowNs { cables[index].aliveUntilNs = untilNs }
        }
    }

    /// The next instant at which something lapses or falls due.
    var nextDeadlineNs: Int64? {
        var deadlineNs = freshUntilNs
        // Without an identity nothing can be sent, so nothing is due.
        let canSend = identity != nil
        for cable in cables {
            deadlineNs = earliest(deadlineNs, earliest(cable.aliveUntilNs, canSend ? cable.sendAtNs : nil))
        }
        return deadlineNs
    }

    /// The pool moved to the beginning of time; stamps count back from `stampNow`.
    func shifted(nowNs: Int64, stampNow: UInt32) -> HeartbeatPool {
        var pool = self
        pool.freshUntilNs = shift(freshUntilNs, nowNs)
        if let word { pool.word?.stamp = (word.stamp &- stampNow) & 0x0fff_ffff }
        for index in cables.indices {
            pool.cables[index].aliveUntilNs = shift(cables[index].aliveUntilNs, nowNs)
            pool.cables[index].sendAtNs = shift(cables[index].sendAtNs, nowNs)
        }
        return pool
    }
}
