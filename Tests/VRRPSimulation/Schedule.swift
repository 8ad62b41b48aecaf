import VRRP

/// What a random schedule may contain beyond two to five directors of one kind with faults.
package struct Dimensions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Intervals, preempt flags and preempt delays of their own.
    package static let unlike = Dimensions(rawValue: 1 << 0)
    /// Versions of their own: then they do not understand each other.
    package static let versions = Dimensions(rawValue: 1 << 1)
    /// Owners, one to three of them.
    package static let owners = Dimensions(rawValue: 1 << 2)
    /// A kernel that acts and reports late, or never.
    package static let lateKernel = Dimensions(rawValue: 1 << 3)
    /// Faults from the first instant on, and reloads in the moment of a start.
    package static let early = Dimensions(rawValue: 1 << 4)
    /// A third router beside a cabled pair.
    package static let third = Dimensions(rawValue: 1 << 5)
    /// Leftovers of an earlier run, and virtual addresses that appear unasked.
    package static let leftovers = Dimensions(rawValue: 1 << 6)
    /// A host on the LANs that sends what it likes.
    package static let stranger = Dimensions(rawValue: 1 << 7)

    /// The promises `best` and `soon`, and wires that fail for a moment.
    package static let strict = Dimensions(rawValue: 1 << 8)

    /// Legs without virtual addresses.
    package static let members = Dimensions(rawValue: 1 << 9)

    package static let all = Dimensions(rawValue: (1 << 10) - 1)
    package static let names: [(String, Dimensions)] = [
        ("unlike", .unlike), ("versions", .versions), ("owners", .owners), ("late", .lateKernel), ("early", .early),
        ("third", .third), ("leftovers", .leftovers), ("stranger", .stranger), ("strict", .strict),
        ("members", .members),
    ]
}

/// What the dice decide before a schedule begins.
struct Schedule: Sendable {
    var groups: [GroupConfiguration]
    var stranger: Stranger?
    /// How long the kernel takes, at most; nil: it acts and reports at once.
    var kernelLateNs: Int64?
    var lossPercent: Int
    var mayChangeInterval: Bool
    var hasNeighbours: Bool
    /// Per director: whether an earlier run has left its addresses.
    var leftovers: [Bool]
    var leaseNs: Int64
    /// Whether faults begin with the first instant.
    let isEarly: Bool
    /// Whether addresses may be there that nobody asked for.
    let hasLeftovers: Bool

    let isStrict: Bool
    /// How long after a start the first answers of checks may take; nil: they are there.
    let answersNs: Int64?

    init(_ dimensions: Dimensions, _ dice: inout Dice) {
        isStrict = dimensions.contains(.strict)
        isEarly = dimensions.contains(.early)
        hasLeftovers = dimensions.contains(.leftovers)
        let isUnlike = dimensions.contains(.unlike) && dice.percent(50)
        var apart = dice.apart(0x6d65_6d62_6572_7300)
        groups = Self.groups(dimensions, isUnlike: isUnlike, &dice)
        if dimensions.contains(.members) { Self.changeMembers(of: &groups, &apart) }
        answersNs = dimensions.contains(.members) && apart.percent(10) ? apart.time(1...2_000_000_000) : nil
        let slowestNs = groups.map(\.advertIntervalNs).max() ?? 0
        // Version 2 has one interval for all.
        mayChangeInterval = !groups.contains { $0.version == .v2 } && dice.percent(20)
        if groups.contains(where: { $0.members.contains { $0.version == .v2 } }) { mayChangeInterval = false }
        leaseNs = 3 * max(slowestNs * (mayChangeInterval ? 2 : 1), 100_000_000)
        for index in groups.indices { groups[index].addressLeaseNs = leaseNs }
        lossPercent = dice.percent(30) ? dice.number(1...10) : 0
        hasNeighbours = dice.percent(80)
        leftovers = groups.map { _ in false }
        if dimensions.contains(.leftovers), dice.percent(25) { leftovers = groups.map { _ in dice.percent(50) } }
        if dimensions.contains(.lateKernel), dice.percent(35) {
            kernelLateNs = dice.percent(80) ? dice.time(1_000_000...20_000_000) : dice.time(0...slowestNs)
        }
        if dimensions.contains(.stranger), dice.percent(50) {
            stranger = Stranger(groups, slowestNs: slowestNs, &dice)
        }
    }

    private static func groups(_ dimensions: Dimensions, isUnlike: Bool, _ dice: inout Dice) -> [GroupConfiguration] {
        let count = dice.percent(60) ? 2 : dice.number(3...5)
        let legs = dice.number(1...3)
        let hasThird = count > 2 && dimensions.contains(.third) && dice.percent(35)
        let cables = count == 2 ? dice.number(0...2) : hasThird ? dice.number(1...2) : 0
        let isV2 = dice.percent(15)
        let millisecond: Int64 = 1_000_000
        let intervalNs = isV2 ? 1000 * millisecond : [20, 100, 100, 1000][dice.number(0...3)] * millisecond
        let priorities = priorities(of: count, dimensions, &dice)
        let areMixed = dimensions.contains(.versions) && dice.percent(8)
        let preempt = dice.percent(75)
        let delayNs = dice.percent(20) ? 2 * intervalNs : 0
        let hasFence = dice.percent(15)
        return (0..<count).map { index in
            var group = GroupConfiguration(
                name: "lvs", priority: priorities[index], version: isV2 ? .v2 : .v3, advertIntervalNs: intervalNs,
                preempt: preempt, preemptDelayNs: delayNs, members: (0..<legs).map(Search.Scenario.member),
                cables: index < 2 ? (0..<cables).map(Search.Scenario.wire) : [], hasFence: hasFence)
            if areMixed, dice.percent(50) {
                group.version = isV2 ? .v3 : .v2
                if !isV2 { group.advertIntervalNs = 1000 * millisecond }
            }
            for cable in group.cables.indices { group.cables[cable].intervalNs = min(100_000_000, intervalNs) }
            guard isUnlike else { return group }
            group.preempt = dice.percent(70)
            if dice.percent(30) { group.preemptDelayNs = dice.percent(50) ? 0 : 2 * intervalNs }
            if group.version == .v3 {
                group.advertIntervalNs *= dice.one(of: count == 2 ? [1, 1, 2, 3, 3, 10] : [1, 1, 2, 3])
            }
            return group
        }
    }

    /// What is thrown with other dice, so that a seed's schedule is otherwise as it was without this.
    private static func changeMembers(of groups: inout [GroupConfiguration], _ dice: inout Dice) {
        let legs = groups[0].members.indices
        func change(_ percent: Int, _ legs: Range<Int>, _ change: (inout MemberConfiguration) -> Void) {
            guard dice.percent(percent) else { return }
            let isEvery = dice.percent(60)
            for leg in legs where isEvery || dice.percent(50) {
                for index in groups.indices { change(&groups[index].members[leg]) }
            }
        }
        change(12, legs) { $0.addresses = [] }
        change(8, legs) { $0.tracksInterface = false }
        change(8, legs.dropFirst()) { $0.interface = "eth0" }
        // In version 2 the interval is the same on all routers, in whole seconds.
        if groups.allSatisfy({ $0.advertIntervalNs == 1_000_000_000 && $0.version == groups[0].version }) {
            let other: Version = groups[0].version == .v2 ? .v3 : .v2
            change(30, legs) { $0.version = other }
        }
        if dice.percent(15) {
            let count = dice.one(of: [2, 4, 5, 10] as [Int64])
            for index in groups.indices { groups[index].downIntervals = dice.percent(80) ? count : 3 }
        }
        if dice.percent(10) {
            for index in groups.indices {
                groups[index].startDelayNs = dice.one(of: [0, 1, 3, 6]) * groups[index].advertIntervalNs
            }
        }
    }

    /// The longest down interval, in advert intervals.
    var downIntervals: Int64 { groups.map(\.downIntervals).max() ?? 3 }
    /// How long a director may take before it begins.
    var beginNs: Int64 { (groups.map(\.startDelayNs).max() ?? 0) + (answersNs ?? 0) }

    private static func priorities(of count: Int, _ dimensions: Dimensions, _ dice: inout Dice) -> [UInt8] {
        let isEqual = dice.percent(10)
        var priorities: [UInt8] = (0..<count).map { index in
            isEqual ? 100 : UInt8(200 - 40 * index + dice.number(0...9))
        }
        if dimensions.contains(.unlike), dice.percent(20) {
            for index in priorities.indices where dice.percent(30) { priorities[index] = dice.one(of: priorities) }
            priorities.swapAt(0, dice.number(0...(count - 1)))
        }
        if dimensions.contains(.owners), dice.percent(15) {
            for _ in 0..<dice.one(of: [1, 1, 2, 3]) { priorities[dice.number(0...(count - 1))] = 255 }
        }
        return priorities
    }

    var slowestNs: Int64 { (groups.map(\.advertIntervalNs).max() ?? 0) * (mayChangeInterval ? 2 : 1) }
}
