import Addresses

@testable import VRRP

/// One engine under a script, with what it does in words: the shortest way to say a row of the RFC's tables.
///
/// The process's part is done at once: addresses that are asked for are there, and the timer fires when it is due.
struct Router {
    static let secondNs: Int64 = 1_000_000_000
    /// The interval of all rows, two seconds: one in which a second is not by chance the interval.
    static let intervalNs = 2 * secondNs
    /// The peer's interval, where it is another.
    static let otherNs = 4 * secondNs

    private(set) var engine: Engine
    private(set) var nowNs: Int64 = 1_000_000_000
    /// What was done since the last `takeDone`, in order.
    private var done: [String] = []
    private(set) var transitions: [Transition] = []
    /// Heartbeats since the last `takeWords`.
    private var words: [PeerWord] = []
    /// When neighbours or witnesses were asked, since the last `takeAsked`.
    private var asked: [Int64] = []
    /// Causes that came and went, in words.
    private(set) var told: [String] = []
    /// Conditions that came and went, in words.
    private(set) var news: [String] = []
    /// Whether the kernel does at once what it is asked to.
    var confirms = true
    /// The router that answers for the virtual addresses, by the last octet of the address that its adverts come from.
    var holder: UInt64?

    init(
        _ priority: UInt8 = 100, _ version: Version = .v3, family: IPAddress.Family = .ipv4, members: Int = 1,
        cables: Int = 0, change: (inout GroupConfiguration) -> Void = { _ in }
    ) {
        var configuration = GroupConfiguration(
            name: "lvs", priority: priority, version: version, advertIntervalNs: Self.intervalNs,
            members: (0..<members).map { Self.member($0, family) }, cables: (0..<cables).map(Self.cable),
            probeBeforeTakeover: false)
        change(&configuration)
        engine = Engine(configuration: configuration)
    }

    static func member(_ index: Int, _ family: IPAddress.Family = .ipv4) -> MemberConfiguration {
        MemberConfiguration(
            name: "m\(index)", interface: "eth\(index)", vrid: 10,
            addresses: [address(family, 1 + UInt64(index) << 8)])
    }

    static func cable(_ index: Int) -> CableConfiguration {
        CableConfiguration(name: "cross\(index)", interface: "hb\(index)", vrid: 1, peerVrid: 2)
    }

    static func address(_ family: IPAddress.Family, _ host: UInt64) -> IPAddress {
        family == .ipv4
            ? IPAddress(ipv4: 0xc000_0200 + UInt32(host)) : IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: host)
    }

    /// Our own address on every leg ends in this.
    static let ownHost: UInt64 = 100

    var state: GroupState { engine.groupState }
    var priority: UInt8 { engine.priority }
    var conditions: [String] { engine.status.conditions.map(\.description) }
    /// The down timer of a member, from now.
    func downNs(_ member: Int = 0) -> Int64? { engine.status.members[member].downAtNs.map { $0 - nowNs } }
    /// The advert timer, from now.
    var advertNs: Int64? { engine.status.advertAtNs.map { $0 - nowNs } }

    mutating func takeDone() -> [String] {
        defer { done = [] }
        return done
    }

    mutating func takeWords() -> [PeerWord] {
        defer { words = [] }
        return words
    }

    mutating func takeAsked() -> [Int64] {
        defer { asked = [] }
        return asked
    }

    // MARK: What happens

    /// The world as it is under a configuration.
    func snapshot(_ configuration: GroupConfiguration, causes: Set<Cause> = []) -> Snapshot {
        let holding = configuration.members.map { member in
            engine.status.members.contains { $0.name == member.name && $0.isHolding }
        }
        return Snapshot(
            primaryAddresses: configuration.members.map { Self.address($0.family, Self.ownHost) },
            holding: state == .initialize ? [] : holding,
            cableAddresses: configuration.cables.map { _ in Self.address(.ipv6, Self.ownHost) }, causes: causes)
    }

    mutating func reload(causes: Set<Cause> = [], _ change: (inout GroupConfiguration) -> Void) {
        var configuration = engine.configuration
        change(&configuration)
        give(.reload(configuration, snapshot(configuration, causes: causes)))
    }

    /// A heartbeat of the peer's.
    mutating func hearWord(
        _ priority: UInt8, holds: MemberSet = [], hears: MemberSet = [], hearsHeartbeat: Bool = true,
        proven: MemberSet = [], host: UInt64 = 200, on cable: CableIndex = 0, sources: [IPAddress] = [],
        intervalNs: Int64 = 0
    ) {
        var word = PeerWord(
            priority: priority, identity: Self.address(.ipv6, host), stamp: UInt32(nowNs / 1000), holds: holds,
            hears: hears, hearsHeartbeat: hearsHeartbeat, proven: proven, sources: sources)
        word.intervalNs = intervalNs
        give(.heartbeat(cable: cable, word))
    }

    mutating func start(causes: Set<Cause> = [], weights: [String: Int] = [:]) {
        var snapshot = snapshot(engine.configuration, causes: causes)
        snapshot.weights = weights
        give(.start(snapshot))
    }

    /// Starts, and becomes what it is to be; what is done on the way is forgotten.
    mutating func become(_ state: GroupState) {
        switch state {
        case .initialize: break
        case .backup: start()
        case .fault: start(causes: [Cause(.link, "eth0", detail: "mii")])
        case .master:
            start()
            pass(10 * Self.intervalNs) { $0.state == .master }
        }
        done = []
    }

    mutating func hear(
        _ priority: UInt8, host: UInt64 = 200, intervalNs: Int64 = Router.intervalNs, on member: MemberIndex = 0
    ) {
        let configuration = engine.configuration.members[member]
        let advert = Advert(
            version: engine.configuration.version, vrid: configuration.vrid, priority: priority,
            intervalNs: intervalNs, addresses: configuration.addresses,
            source: Self.address(configuration.family, host))
        give(.advert(member: member, advert))
    }

    mutating func give(_ input: Input) {
        var inputs = [input]
        while !inputs.isEmpty {
            for output in engine.handle(inputs.removeFirst(), nowNs: nowNs) { carryOut(output, &inputs) }
        }
    }

    /// Lets time pass; the timer fires whenever it is due, until `isEnough`.
    mutating func pass(_ durationNs: Int64, until isEnough: (Router) -> Bool = { _ in false }) {
        let endNs = nowNs + durationNs
        while !isEnough(self), let deadlineNs = engine.nextDeadlineNs, deadlineNs <= endNs {
            nowNs = max(nowNs, deadlineNs)
            give(.timer)
        }
        if !isEnough(self) { nowNs = endNs }
    }

    /// Lets time pass while the peer says one thing, on its first cable, every tenth of a second.
    mutating func pass(
        _ durationNs: Int64, peer priority: UInt8, holds: MemberSet = [], hears: MemberSet = [], proven: MemberSet = []
    ) {
        let endNs = nowNs + durationNs
        while nowNs < endNs {
            hearWord(priority, holds: holds, hears: hears, proven: proven)
            pass(min(Self.secondNs / 10, endNs - nowNs))
        }
    }

    /// The engine as a recording has it.
    mutating func writeAndRead() throws { engine = try Engine(tree: engine.tree) }

    /// Moves everything to the beginning of time, as the search does.
    mutating func normalise() {
        engine = engine.normalised(nowNs: nowNs)
        nowNs = 0
    }

    /// Time passes and the process is not scheduled.
    mutating func sleep(_ durationNs: Int64) { nowNs += durationNs }

    private mutating func carryOut(_ output: Output, _ inputs: inout [Input]) {
        switch output {
        case .sendAdvert(let member, let priority): done.append("advert\(place(member)) \(priority)")
        case .addAddresses(let member):
            done.append("add\(place(member))")
            if confirms { inputs.append(.holding(member: member, true)) }
        case .removeAddresses(let member):
            done.append("remove\(place(member))")
            if confirms { inputs.append(.holding(member: member, false)) }
        case .announce(let member): done.append("announce\(place(member))")
        case .announceAfterLower(let member): done.append("announce again\(place(member))")
        case .runFence: done.append("fence")
        case .probeAddresses(let member):
            done.append("probe\(place(member))")
            guard let holder else { return }
            let address = Self.address(engine.configuration.members[member].family, holder)
            inputs.append(.foreignAnswer(member: member, by: .router(address)))
        case .transition(let transition): transitions.append(transition)
        case .sendHeartbeat(_, let word): words.append(word)
        case .probePeers: asked.append(nowNs)
        case .causeChanged(let cause, let isPresent): told.append("\(cause)\(isPresent ? "" : " is over")")
        case .raised(let condition): news.append("\(condition)")
        case .cleared(let condition): news.append("\(condition) is over")
        }
    }

    private func place(_ member: MemberIndex) -> String {
        engine.configuration.members.count > 1 ? " \(member.number)" : ""
    }
}
