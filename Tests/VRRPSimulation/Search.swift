import VRRP

/// Every order of everything: the exhaustive search over the shipped engine.
///
/// Time is counted in ticks. Within a tick, packets that arrive and timers that are due happen in every order; a packet arrives
/// one or two ticks after it was sent; a timer fires in its tick. A fault falls between two ticks, and since a packet may
/// arrive on either side of that, this covers faults amid deliveries. States that behave alike are one state: all deadlines
/// are kept relative to now.
///
/// The search closes layer by layer: layer 0 is everything that can follow a boot, layer n + 1 everything that can follow one
/// more fault in any state of layer n. Afterwards the graph without its faults is cut into strongly connected components;
/// since every run without end finally stays in one, they tell the two properties of "for ever": a change of roles inside a
/// component is a livelock, and whatever holds in a component has to be right.
package struct Search {
    /// What is searched.
    package struct Scenario: Sendable {
        package var name: String
        /// Where it begins.
        package var seeds: [Node]
        /// Faults after the beginning.
        package var faultsMax: Int
        /// Which faults there are.
        package var faults: [Fault]
        /// Ticks of one advert interval.
        package var intervalTicks: Int64
        /// Ticks that two holders may last while a path connects them.
        package var dualTicksMax: UInt8
        /// A director that serves and must go on serving whatever the other does.
        package var undisturbed: Int?

        package init(name: String, seeds: [Node], faultsMax: Int, faults: [Fault], intervalTicks: Int64) {
            self.name = name
            self.seeds = seeds
            self.faultsMax = faultsMax
            self.faults = faults
            self.intervalTicks = intervalTicks
            dualTicksMax = UInt8(3 * intervalTicks)
        }
    }

    /// What was found.
    package struct Report: Sendable {
        package var name: String
        package var states = 0
        package var steps = 0
        /// States first reached with 0, 1, 2, ... faults.
        package var layers: [Int] = []
        package var isComplete = true
        package var violation: Violation?
    }

    /// A property that does not hold, and how to get there.
    package struct Violation: Sendable {
        package var property: String
        package var trace: [String]
    }

    private let scenario: Scenario
    private let statesMax: Int
    private var ids: [Fingerprint: UInt32] = [:]
    private var parents: [Origin] = []
    /// Per state: what is wrong if this goes on for ever; 0: nothing.
    private var complaints: [UInt8] = []
    /// Steps without a fault; the top bit marks a change of roles.
    private var edges: [UInt32] = []
    private var edgeStarts: [UInt32] = [0]
    private var report: Report
    private var violation: (property: String, state: UInt32)?
    /// States through which a violation for ever comes back to itself.
    private var cycle: [UInt32] = []

    private static let roleBit: UInt32 = 1 << 31

    /// 64 bits of SipHash stand for a state: of ten million states, two that differ are taken for one with a probability of
    /// three in a million, of a hundred million with one of three in ten thousand.
    private typealias Fingerprint = Int

    private struct Origin {
        var state: UInt32
        var action: Int16
    }

    package init(_ scenario: Scenario, statesMax: Int = 100_000_000) {
        self.scenario = scenario
        self.statesMax = statesMax
        report = Report(name: scenario.name)
    }

    /// Searches until the bound is closed, a property is violated, or `statesMax` states are known.
    package mutating func run() -> Report {
        var layer = closure(of: scenario.seeds, keep: scenario.faultsMax > 0)
        for faultCount in 0..<scenario.faultsMax where violation == nil && report.isComplete {
            layer = closure(ofFaultsIn: layer, keep: faultCount + 1 < scenario.faultsMax)
        }
        if violation == nil, report.isComplete { findForever() }
        report.states = parents.count
        report.steps = edges.count
        if let violation {
            report.violation = Violation(property: violation.property, trace: trace(to: violation.state))
        }
        return report
    }

    // MARK: Exploring

    private struct Entry {
        var node: Node
        var id: UInt32
    }

    /// Every state that one more fault leads to from the states of a layer, and all that follows.
    private mutating func closure(ofFaultsIn layer: [Entry], keep: Bool) -> [Entry] {
        let known = parents.count
        var kept: [Entry] = []
        for entry in layer where violation == nil && report.isComplete {
            for (index, fault) in scenario.faults.enumerated() {
                var node = entry.node
                guard node.suffer(fault) else { continue }
                let (id, isNew) = intern(node, from: Origin(state: entry.id, action: Int16(-1 - index)))
                guard isNew else { continue }
                kept += close([Entry(node: node, id: id)], keep: keep)
            }
        }
        report.layers.append(parents.count - known)
        return kept
    }

    private mutating func closure(of seeds: [Node], keep: Bool) -> [Entry] {
        var kept: [Entry] = []
        for (index, node) in seeds.enumerated() where violation == nil && report.isComplete {
            let (id, isNew) = intern(node, from: Origin(state: .max, action: Int16(index)))
            if isNew { kept += close([Entry(node: node, id: id)], keep: keep) }
        }
        report.layers.append(parents.count)
        return kept
    }

    /// Breadth first over steps without a fault. Returns the states between two ticks, if they are to be kept.
    ///
    /// The successors of state n are stored when it is expanded, and states are expanded in the order of their numbers.
    private mutating func close(_ seeds: [Entry], keep: Bool) -> [Entry] {
        var kept: [Entry] = []
        var queue = seeds
        var next = 0
        while next < queue.count, violation == nil {
            let entry = queue[next]
            next += 1
            if next > 4096, next * 2 > queue.count {
                queue.removeFirst(next)
                next = 0
            }
            if keep, entry.node.isBetweenTicks { kept.append(entry) }
            guard parents.count < statesMax else {
                report.isComplete = false
                return kept
            }
            expand(entry, &queue)
        }
        return kept
    }

    private mutating func expand(_ entry: Entry, _ queue: inout [Entry]) {
        for action in 0..<entry.node.actionCount {
            var node = entry.node
            guard let changesRole = node.act(action) else { continue }
            let (id, isNew) = intern(node, from: Origin(state: entry.id, action: Int16(action)))
            edges.append(changesRole ? id | Self.roleBit : id)
            if isNew {
                check(node, id)
                queue.append(Entry(node: node, id: id))
            }
            if let undisturbed = scenario.undisturbed, changesRole, node.world.directors[undisturbed].state != .master,
                entry.node.world.directors[undisturbed].state == .master
            {
                violation = ("a master was disturbed by a router that is no better", id)
            }
        }
        edgeStarts.append(UInt32(edges.count))
    }

    private mutating func intern(_ node: Node, from origin: Origin) -> (id: UInt32, isNew: Bool) {
        let fingerprint = node.hashValue
        if let id = ids[fingerprint] { return (id, false) }
        let id = UInt32(parents.count)
        ids[fingerprint] = id
        parents.append(origin)
        complaints.append(node.complaint(scenario).rawValue)
        return (id, true)
    }

    private mutating func check(_ node: Node, _ id: UInt32) {
        if node.dualTicks > scenario.dualTicksMax {
            violation = ("two holders for more than three intervals while a path connects them", id)
        }
    }

    // MARK: For ever

    private func edgesOf(_ state: Int) -> Range<Int> { Int(edgeStarts[state])..<Int(edgeStarts[state + 1]) }

    /// Tarjan's strongly connected components, without recursion.
    private mutating func findForever() {
        let count = parents.count
        var order = [UInt32](repeating: 0, count: count)
        var low = [UInt32](repeating: 0, count: count)
        var component = [UInt32](repeating: 0, count: count)
        var stack: [UInt32] = []
        var calls: [(state: Int, edge: Int)] = []
        var clock: UInt32 = 0
        var components: UInt32 = 0
        for root in 0..<count where order[root] == 0 {
            calls.append((root, edgesOf(root).lowerBound))
            while let (state, edge) = calls.popLast() {
                if edge == edgesOf(state).lowerBound {
                    clock += 1
                    order[state] = clock
                    low[state] = clock
                    stack.append(UInt32(state))
                }
                if edge < edgesOf(state).upperBound {
                    calls.append((state, edge + 1))
                    let target = Int(edges[edge] & ~Self.roleBit)
                    if order[target] == 0 {
                        calls.append((target, edgesOf(target).lowerBound))
                    } else if component[target] == 0 {
                        low[state] = min(low[state], order[target])
                    }
                    continue
                }
                if low[state] == order[state] {
                    components += 1
                    while let member = stack.popLast() {
                        component[Int(member)] = components
                        if Int(member) == state { break }
                    }
                }
                if let caller = calls.last?.state { low[caller] = min(low[caller], low[state]) }
            }
        }
        judge(component)
    }

    private mutating func judge(_ component: [UInt32]) {
        for state in 0..<parents.count where violation == nil {
            for edge in edges[edgesOf(state)] {
                let target = Int(edge & ~Self.roleBit)
                guard component[target] == component[state] else { continue }
                if edge & Self.roleBit != 0 {
                    violation = ("livelock: roles change again and again without a fault", UInt32(state))
                    cycle = way(from: target, backTo: state, component)
                } else if let complaint = Complaint(rawValue: complaints[state]), complaint != .none {
                    violation = ("for ever: \(complaint)", UInt32(state))
                    cycle = way(from: target, backTo: state, component)
                }
            }
        }
    }

    // MARK: The way there

    /// The shortest way round inside a component.
    private func way(from: Int, backTo end: Int, _ component: [UInt32]) -> [UInt32] {
        var previous: [Int: Int] = [from: from]
        var queue = [from]
        var next = 0
        while next < queue.count, previous[end] == nil {
            let state = queue[next]
            next += 1
            for edge in edges[edgesOf(state)] {
                let target = Int(edge & ~Self.roleBit)
                guard component[target] == component[end], previous[target] == nil else { continue }
                previous[target] = state
                queue.append(target)
            }
        }
        var way = [UInt32(end)]
        var state = end
        while state != from, let before = previous[state] {
            way.append(UInt32(before))
            state = before
        }
        return way.reversed()
    }

    private func trace(to state: UInt32) -> [String] {
        var actions: [Int] = []
        var state = state
        while parents[Int(state)].state != .max {
            let origin = parents[Int(state)]
            actions.append(Int(origin.action))
            state = origin.state
        }
        var node = scenario.seeds[Int(parents[Int(state)].action)]
        var lines = ["        \(node.summary)"]
        for action in actions.reversed() {
            if action < 0 {
                let fault = scenario.faults[-1 - action]
                lines.append("*** \(fault)")
                _ = node.suffer(fault)
            } else {
                lines.append(node.name(of: action))
                _ = node.act(action)
            }
            lines.append("        \(node.summary)")
        }
        if !cycle.isEmpty { lines.append("and from here, round and round:") }
        for target in cycle {
            for action in 0..<node.actionCount {
                var next = node
                guard next.act(action) != nil, ids[next.hashValue] == target else { continue }
                lines += [node.name(of: action), "        \(next.summary)"]
                node = next
                break
            }
        }
        return Self.shortened(lines)
    }

    /// Leaves out states that are as they were, and turns in which nothing happened.
    private static func shortened(_ lines: [String]) -> [String] {
        var last = ""
        return lines.filter { line in
            guard line.hasPrefix(" ") else { return !line.hasSuffix("is done") }
            defer { last = line }
            return line != last
        }
    }
}

/// What must not be so for ever.
package enum Complaint: UInt8, Sendable {
    case none
    case nobodyHolds
    case halfAGroup
    case deadLegHeld
    case twoHolders
    case faultForNothing
}
