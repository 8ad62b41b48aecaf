import Addresses
import VRRP

/// A host on the LANs that is no director: what it sends, and when.
///
/// It sees everything, forges every field, and knows neither the heartbeats' cables nor any director's inside. What a
/// schedule promises depends on its kind.
struct Stranger: Sendable {
    enum Kind: Hashable, Sendable, CaseIterable {
        /// Adverts below every director's priority, and from any source.
        case lower
        /// Resignations alone, in the name of anybody.
        case resigning
        /// Answers for the virtual addresses whenever somebody asks.
        case answering
        /// A router that nobody configured: adverts below every director's priority, and answers for the virtual addresses.
        case holding
        /// Adverts of every priority and interval, and answers.
        case anything
    }

    var kind: Kind
    /// The legs on whose LANs it is.
    var legs: MemberSet
    /// The longest pause between two of its deeds.
    var pauseMaxNs: Int64
    /// The longest interval that it claims.
    var claimMaxNs: Int64
    /// Adverts at a time, at most.
    var burstMax: Int

    /// The longest interval that version 3 can say.
    private static let longestNs: Int64 = 40_950_000_000

    init(_ groups: [GroupConfiguration], slowestNs: Int64, _ dice: inout Dice) {
        kind = dice.one(of: [.lower, .lower, .lower, .resigning, .answering, .holding, .anything, .anything])
        let count = groups[0].members.count
        legs = dice.percent(50) ? .first(count) : MemberSet(member: Place(dice.number(0...(count - 1))))
        let fastestNs = groups.map(\.advertIntervalNs).min() ?? 0
        pauseMaxNs = dice.one(of: [fastestNs / 3, fastestNs, slowestNs, 3 * slowestNs])
        // Whoever believes the longest interval waits for it: those schedules are long.
        claimMaxNs = 2 * slowestNs
        burstMax = dice.percent(10) ? 20 : 1
        switch kind {
        case .lower, .resigning: answers = nil
        case .answering: answers = World.StrangerAnswers(legs: legs, mask: .own)
        case .holding: answers = World.StrangerAnswers(legs: legs, mask: .router(Self.place))
        case .anything:
            let mask = dice.one(
                of: [.own, .virtualRouter, .router(dice.number(0...(groups.count - 1)))] as [World.StrangerAnswers.Mask]
            )
            answers = World.StrangerAnswers(legs: legs, mask: mask)
        }
        if fastestNs >= 100_000_000 && dice.percent(10) { claimMaxNs = Self.longestNs }
    }

    /// What it answers to whoever asks for the virtual addresses. Only a host that may do anything shows the MAC address of a
    /// director or of the virtual router.
    let answers: World.StrangerAnswers?

    /// Where it stands among the directors' addresses.
    private static let place = 199

    /// Whether it goes on to the end: then everything has to settle in spite of it. Else it stops with the last fault, and
    /// what it has done has to heal.
    var isPersistent: Bool { kind == .lower || kind == .resigning || kind == .answering }

    /// The next advert; nil: none that would be of its kind.
    func advert(in world: World, leg: Int, _ dice: inout Dice) -> Advert? {
        let priority: Int
        switch kind {
        case .answering: return nil
        case .resigning: priority = 0
        case .lower, .holding:
            let floor = world.directors.map { Int($0.priority ?? $0.configuration.priority) }.min() ?? 1
            guard floor > 1 else { return nil }
            priority = dice.number(1...(floor - 1))
        case .anything: priority = dice.percent(15) ? dice.one(of: [0, 255]) : dice.number(0...255)
        }
        let configuration = dice.one(of: world.directors).configuration
        guard leg < configuration.members.count else { return nil }
        return Advert(
            version: configuration.version(of: Place(leg)), vrid: configuration.members[leg].vrid,
            priority: UInt8(priority), intervalNs: intervalNs(like: configuration, leg, &dice),
            addresses: configuration.members[leg].addresses,
            source: source(in: world, leg: leg, &dice))
    }

    private func intervalNs(like configuration: GroupConfiguration, _ leg: Int, _ dice: inout Dice) -> Int64 {
        guard configuration.version(of: Place(leg)) == .v3, dice.percent(40) else {
            return configuration.advertIntervalNs
        }
        return dice.percent(50) ? 10_000_000 : dice.time(10_000_000...claimMaxNs)
    }

    private func source(in world: World, leg: Int, _ dice: inout Dice) -> IPAddress {
        switch kind == .holding ? 5 : dice.number(0...5) {
        case 0: Search.Scenario.member(leg).addresses[0]
        case 1, 2: World.address(of: dice.number(0...(world.directors.count - 1)), leg: leg)
        case 3: World.address(of: dice.number(100...198), leg: leg)
        default: World.address(of: Self.place, leg: leg)
        }
    }
}
