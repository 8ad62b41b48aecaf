/// All interfaces by ifindex, and the changes to publish.
///
/// Readings come from two sides, rtnetlink and the sweep. Each is taken as one step, and the changes of that step are
/// passed to `publish` while the table shows exactly the state after it. No I/O, and no clock: the caller passes the
/// time.
import Configuration
import LinkState
import MIIRegisters
import Monitor
import RtnlMonitor

/// The table.
public final class InterfaceTable {
    /// One change to publish.
    public struct Publication {
        public var kind: EventKind
        /// Which input made it so: `netlink`, `mii`, `driver`, `timer` or `config`.
        public var cause: String
        /// The interface after the change; before it, for `removed`.
        public var state: InterfaceState
        /// The names, alternative ones among them, that it had before and has no longer.
        public var formerNames: [String] = []
        /// When it was seen, CLOCK_MONOTONIC.
        public var atNs: Int64
    }

    /// Called for each change, in order.
    public var publish: (Publication) -> Void = { _ in }

    /// By ifindex.
    public private(set) var states: [Int32: InterfaceState] = [:]
    /// What has happened to each; apart from the states, of which copies are made, so that no ring is copied.
    private var histories: [Int32: History] = [:]
    /// The ifindexes in order, for those who go through the table in steps.
    private var order: [Int32] = []
    /// What happened to interfaces that are gone, the newest last.
    private var departed: [TransitionRecord] = []
    private var configuration: MonitorConfiguration
    /// The interfaces that wait for a hold time, a suppression or a stale answer to end.
    private var deadlines: [Int32: Int64] = [:]
    /// The clocks for display, which go on while the machine sleeps.
    private let clocks: Clocks

    /// What time it is for people; everything that is compared or waited for is CLOCK_MONOTONIC, given with each step.
    public struct Clocks {
        /// CLOCK_REALTIME, for each entry of a history.
        public var realtimeNs: () -> Int64
        /// CLOCK_BOOTTIME, for each change of a settled state.
        public var boottimeNs: () -> Int64

        public init(realtimeNs: @escaping () -> Int64, boottimeNs: @escaping () -> Int64) {
            self.realtimeNs = realtimeNs
            self.boottimeNs = boottimeNs
        }
    }

    public init(_ configuration: MonitorConfiguration, clocks: Clocks) {
        self.configuration = configuration
        self.clocks = clocks
    }

    /// The next instant at which `advance` has something to do; nil: none.
    public var nextDeadlineNs: Int64? { deadlines.values.min() }

    /// How many transitions of interfaces that are gone are remembered.
    private static let departedMax = 1024

    // MARK: Looking

    /// All of them, by ifindex.
    public var sorted: [InterfaceState] { order.compactMap { states[$0] } }

    /// The first one with at least this ifindex.
    public func first(from ifindex: Int32) -> InterfaceState? {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < ifindex { low = middle + 1 } else { high = middle }
        }
        return low < order.count ? states[order[low]] : nil
    }

    /// The one with this name or alternative name.
    public func named(_ name: String) -> InterfaceState? {
        states.values.first { $0.link.name == name } ?? states.values.first { $0.link.altnames.contains(name) }
    }

    /// Whether there is, or was, an interface of this name.
    public func hasHistory(of name: String) -> Bool {
        named(name) != nil || departed.contains { $0.ifname == name }
    }

    /// What is remembered of one interface or of all, the newest last.
    ///
    /// - Parameter limit: how many at most, the newest ones.
    public func transitions(of name: String?, limit: Int) -> [TransitionRecord] {
        var all = departed.filter { name == nil || $0.ifname == name }
        let ifindex = name.map { named($0)?.link.ifindex }
        let wanted = ifindex.map { ifindex in histories.filter { $0.key == ifindex } } ?? histories
        all += History.newest(limit, of: wanted).map { TransitionRecord($0.entry, ifindex: $0.key) }
        return all.sorted { $0.monotonicUsec < $1.monotonicUsec }.suffix(limit)
    }

    // MARK: From rtnetlink

    /// An interface has appeared, or its attributes have changed.
    ///
    /// - Parameters:
    ///   - cause: as it is published.
    ///   - driver: finds its driver's name; asked once.
    public func observed(_ link: Link, cause: String = "netlink", nowNs: Int64, driver: (Link) -> String?) {
        let policy = configuration.policy(forInterface: link.name, altnames: link.altnames)
        if policy.isIgnored {
            removed(link.ifindex, cause: cause, nowNs: nowNs)
        } else if states[link.ifindex] == nil {
            added(link, policy: policy, driver: driver(link), cause: cause, nowNs: nowNs)
        } else {
            changed(link, policy: policy, cause: cause, nowNs: nowNs)
        }
    }

    private func added(_ link: Link, policy: InterfacePolicy, driver: String?, cause: String, nowNs: Int64) {
        var state = InterfaceState(link, policy: policy)
        state.driver = driver
        let unprobed = Self.withdrawn(.polled, "not probed")
        let changes = state.verdict.observe(link.readings + unprobed, nowNs: nowNs)
        let place = order.firstIndex { $0 > link.ifindex } ?? order.count
        order.insert(link.ifindex, at: place)
        record(.added, of: link, nowNs: nowNs)
        note(changes, in: &state, nowNs: nowNs)
        // The initial state does not count as a transition.
        state.transitions = 0
        store(state)
        publish(Publication(kind: .added, cause: cause, state: state, atNs: nowNs))
    }

    private func changed(_ link: Link, policy: InterfacePolicy, cause: String, nowNs: Int64) {
        guard var state = states[link.ifindex] else { return }
        let (former, formerPolicy) = (state.link, state.policy)
        state.link = link
        var changes = state.verdict.observe(link.readings, nowNs: nowNs)
        let isUp = link.flags.contains(.up)
        if former.flags.contains(.up) != isUp {
            // A port that is switched off is not probed, and its PHY may be switched off as well.
            let why = isUp ? "not probed" : "administratively down"
            changes += withdraw(.polled, why, from: &state, nowNs: nowNs)
        }
        if policy != state.policy {
            state.policy = policy
            changes += state.verdict.adopt(policy.settle, nowNs: nowNs)
        }
        if !state.isOfInterest { (state.registers, state.settings) = (nil, nil) }
        let isRenamed = former.name != link.name
        if isRenamed { record(.renamed(from: former.name), of: link, nowNs: nowNs) }
        note(changes, in: &state, nowNs: nowNs)
        store(state)
        guard former != link || formerPolicy != policy || !changes.isEmpty else { return }
        publish(
            Publication(
                kind: isRenamed ? .renamed : .changed, cause: cause, state: state,
                formerNames: link.namesLost(since: former), atNs: nowNs))
    }

    /// The interface is gone: deleted, or moved to another network namespace.
    public func removed(_ ifindex: Int32, cause: String = "netlink", nowNs: Int64) {
        deadlines[ifindex] = nil
        guard let state = states.removeValue(forKey: ifindex) else { return }
        order.removeAll { $0 == ifindex }
        record(.removed, of: state.link, nowNs: nowNs)
        let history = histories.removeValue(forKey: ifindex)?.entries ?? []
        departed += history.suffix(Self.departedMax).map { TransitionRecord($0, ifindex: ifindex) }
        departed.removeFirst(max(0, departed.count - Self.departedMax))
        publish(Publication(kind: .removed, cause: cause, state: state, atNs: nowNs))
    }

    /// Discards the answers of probes that no longer run, with the registers and settings that were read.
    private func withdraw(
        _ sources: SourceSet, _ why: String, from state: inout InterfaceState, nowNs: Int64
    ) -> [Verdict.Change] {
        state.registers = nil
        state.settings = nil
        return state.verdict.observe(Self.withdrawn(sources, why), nowNs: nowNs)
    }

    private static func withdrawn(
        _ sources: SourceSet, _ why: String
    ) -> [(EvidenceSource, Reading, detail: String)] {
        sources.map { ($0, .unsupported(detail: why), detail: "") }
    }

    // MARK: From the sweep

    /// A probe has a new answer.
    public func probed(_ report: SweepReport) {
        let source = report.source
        guard var state = states[report.ifindex], state.link.flags.contains(.up) else { return }
        var changes: [Verdict.Change] = []
        if report.drops > 0 {
            changes += state.verdict.latchedDrops(Int(report.drops), nowNs: report.atNs)
        }
        changes += state.verdict.observe(source, report.reading, detail: report.detail, nowNs: report.atNs)
        conclude(changes, cause: source.name, state: state, nowNs: report.atNs)
    }

    /// These sources are no longer asked on a port, so they have no answer; the registers and settings that were read
    /// are dropped.
    public func unprobed(_ ifindex: Int32, _ sources: SourceSet, nowNs: Int64) {
        guard var state = states[ifindex] else { return }
        let changes = withdraw(sources, "not probed", from: &state, nowNs: nowNs)
        conclude(changes, cause: "config", state: state, nowNs: nowNs)
    }

    /// A port's registers were read for this table, and ethtool was asked.
    ///
    /// - Parameter isProbed: whether the port's PHY is; without, its registers say nothing here.
    public func learned(_ report: RegistersReport, isProbed: Bool) {
        // A request that timed out says nothing.
        if case .failure(.timedOut) = report.result { return }
        guard var state = states[report.ifindex], state.isOfInterest, state.link.flags.contains(.up) else { return }
        let phy = isProbed ? try? PHYStatus(report.result.get()) : nil
        guard phy.map(MIIRecord.init) != state.registers.map(MIIRecord.init) || report.settings != state.settings
        else { return }
        state.registers = phy
        state.settings = report.settings
        store(state)
        publish(Publication(kind: .changed, cause: "mii", state: state, atNs: report.atNs))
    }

    // MARK: From the clock and the operator

    /// Lets time pass.
    public func advance(nowNs: Int64) {
        for (ifindex, deadlineNs) in deadlines where deadlineNs <= nowNs {
            guard var state = states[ifindex] else { continue }
            let changes = state.verdict.advance(nowNs: nowNs)
            conclude(changes, cause: "timer", state: state, nowNs: nowNs)
        }
    }

    /// Takes a new configuration; counters, history and evidence stay.
    ///
    /// - Parameter links: all links of the kernel: those that were left out may be wanted now.
    public func adopt(_ new: MonitorConfiguration, links: [Link], nowNs: Int64, driver: (Link) -> String?) {
        configuration = new
        for link in links { observed(link, cause: "config", nowNs: nowNs, driver: driver) }
    }

    // MARK: What every step ends with

    private func conclude(_ changes: [Verdict.Change], cause: String, state: InterfaceState, nowNs: Int64) {
        var state = state
        note(changes, in: &state, nowNs: nowNs)
        store(state)
        guard !changes.isEmpty else { return }
        let isBlink = changes.contains { if case .latchedDrops = $0 { true } else { false } }
        publish(Publication(kind: isBlink ? .flap : .changed, cause: cause, state: state, atNs: nowNs))
    }

    private func note(_ changes: [Verdict.Change], in state: inout InterfaceState, nowNs: Int64) {
        for change in changes {
            switch change {
            case .raw(let raw, let reason):
                state.transitions += 1
                record(.raw(raw, reason: reason), of: state.link, nowNs: nowNs)
            case .settled(let settled):
                state.settledBoottimeNs = clocks.boottimeNs()
                record(.settled(settled), of: state.link, nowNs: nowNs)
            case .latchedDrops(let count): record(.flap(latchedDrops: count), of: state.link, nowNs: nowNs)
            case .evidence: break
            }
        }
    }

    private func record(_ kind: History.Entry.Kind, of link: Link, nowNs: Int64) {
        histories[link.ifindex, default: History(capacity: configuration.historySize)].append(
            History.Entry(kind: kind, ifname: link.name, monotonicNs: nowNs, realtimeNs: clocks.realtimeNs()))
    }

    private func store(_ state: InterfaceState) {
        states[state.link.ifindex] = state
        deadlines[state.link.ifindex] = state.verdict.nextDeadlineNs
    }
}

extension Link {
    /// All names by which it may be called.
    private var names: [String] { [name] + altnames }

    /// Those that it had before and has no longer.
    fileprivate func namesLost(since former: Link) -> [String] {
        guard former.name != name || former.altnames != altnames else { return [] }
        return former.names.filter { !names.contains($0) }
    }
}

extension SweepReport {
    /// What the probe says, as a reading.
    fileprivate var reading: Reading {
        switch outcome {
        case .up: .state(.up)
        case .down: .state(.down)
        case .unsupported: .unsupported(detail: detail)
        case .failed: .failed(detail: detail)
        }
    }
}
