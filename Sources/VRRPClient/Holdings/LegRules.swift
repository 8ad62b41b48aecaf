/// The policy rules that a leg has while it serves: `rules` of its instance.
///
/// *Put.* They are added after the addresses and routes, so that they lead to something, and removed before them. A rule
/// needs neither an interface nor an address to be there, so the kernel refuses one only for good: as it has another that
/// it cannot tell from it, or no policy routing for the family. It never keeps a group from serving.
///
/// *Whose is it?* Ours carry protocol 112 (`FRA_PROTOCOL`), and each removal asks the kernel for one of that protocol, so no
/// other goes. Among ours the file has none that the kernel could take for another (`checkHeldRules`).
///
/// *Foreign removal* is noticed by the mirror and repaired (`Upkeep`); the kernel itself removes no rule. A rule has no lease:
/// of a process that is killed together with its runner, rules stay until `--release` or the next start.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class LegRules: Held, Upkept {
    private let name: String
    private let kernel: any Kernel
    private let loop: EventLoop

    private var rules: [VRRPConfiguration.HeldRule]
    private var isWanted = false
    /// What was put.
    private var placed: Set<VRRPConfiguration.HeldRule> = []

    private(set) lazy var passing = PassingConditions(loop: loop) { [unowned self] in onCondition($0, $1) }
    private lazy var upkeep = Upkeep(loop: loop, owner: self)
    private lazy var refused = {
        let refused = MissingHoldings<VRRPConfiguration.HeldRule>("\(name):rule", loop: loop)
        refused.onCondition = { [unowned self] in onCondition($0, $1) }
        refused.onRetry = { [unowned self] due in put(rules.filter(due.contains)) }
        return refused
    }()

    var onCondition: (Condition, Bool) -> Void = { _, _ in }

    init(
        _ instance: VRRPConfiguration.Instance, of group: VRRPConfiguration.Group, kernel: any Kernel, loop: EventLoop
    ) {
        name = instance.name
        rules = instance.rules
        self.kernel = kernel
        self.loop = loop
    }

    /// What is published: each rule, whether the kernel has it, and why not.
    var status: [(rule: String, isHeld: Bool, reason: String?)] {
        rules.map { ($0.description, placed.contains($0), refused.reason(of: $0)) }
    }

    // MARK: In the kernel

    /// Rules name interfaces, and do not hang on them.
    func bind(to ifindex: Int32?, above parent: Int32?) {}

    func add() {
        isWanted = true
        put(rules.filter { !placed.contains($0) })
    }

    func remove() {
        isWanted = false
        take(rules)
        settle()
    }

    private func settle() {
        // An instance without rules needs no memory for any of this.
        guard !rules.isEmpty else { return }
        upkeep.stop()
        refused.forgetAll()
    }

    private func put(_ wanted: [VRRPConfiguration.HeldRule]) {
        guard isWanted, !wanted.isEmpty else { return }
        let answers: [RtnlError?]
        do throws(Errno) { answers = try kernel.requests.perform(wanted.map { .addRule($0.request) }) } catch {
            for rule in wanted { refuse(rule, error.description) }
            return
        }
        for (rule, refusal) in zip(wanted, answers) {
            switch refusal {
            case nil: accept(rule)
            case let refusal? where refusal.errno == .fileExists:
                // What is ours is there already, as after a reload.
                if kernel.hasRule(rule.request) {
                    accept(rule)
                } else {
                    refuse(rule, "there is another rule with this priority, which the kernel cannot tell from it")
                }
            case let refusal?: refuse(rule, refusal.description)
            }
        }
    }

    private func accept(_ rule: VRRPConfiguration.HeldRule) {
        placed.insert(rule)
        refused.forget(rule)
    }

    private func refuse(_ rule: VRRPConfiguration.HeldRule, _ reason: String, isInVain: Bool = false) {
        placed.remove(rule)
        refused.refuse(rule, reason, isInVain: isInVain)
    }

    /// Removes those of them that were put.
    private func take(_ going: [VRRPConfiguration.HeldRule]) {
        let going = going.filter { placed.remove($0) != nil }
        guard !going.isEmpty else { return }
        let answers = try? kernel.requests.perform(going.map { .removeRule($0.request) })
        for case (let rule, let refusal?) in zip(going, answers ?? []) where refusal.errno != .noSuchFileOrDirectory {
            Log.error("\(name): the rule \(rule) cannot be removed: \(refusal)")
        }
    }

    // MARK: What the kernel has

    /// Those that are wanted, neither there nor refused.
    private var missing: [VRRPConfiguration.HeldRule] {
        rules.filter { !placed.contains($0) && !refused.contains($0) }
    }

    var isAmiss: Bool { isWanted && !missing.isEmpty }

    func mend() { put(missing) }

    func giveUpMending() {
        for rule in missing { refuse(rule, "somebody removes it as often as it is added", isInVain: true) }
    }

    func kernelChanged(_ changes: KernelChanges) {
        guard isWanted, !rules.isEmpty, changes.hasRules else { return }
        observe()
        refused.tryAgainSoon()
    }

    func tend() {
        guard isWanted else { return }
        observe()
        put(missing)
    }

    private func observe() {
        let gone = placed.filter { !kernel.hasRule($0.request) }
        guard !gone.isEmpty else { return }
        placed.subtract(gone)
        upkeep.disturbed(.holdingContested, of: "\(name):rules") {
            "\(name): somebody has removed its rule \(gone.map(\.description).sorted().first ?? ""), which is added again"
        }
        upkeep.tend()
    }

    // MARK: At a reload

    static func leavingOut(of instance: VRRPConfiguration.Instance) -> VRRPConfiguration.Instance {
        var instance = instance
        instance.rules = []
        return instance
    }

    func letGo(for instance: VRRPConfiguration.Instance) {
        let going = rules.filter { !instance.rules.contains($0) }
        if isWanted { take(going) }
        for rule in going { refused.forget(rule) }
        if instance.rules.isEmpty, !rules.isEmpty {
            settle()
            passing.keep([])
        }
        rules = instance.rules
    }

    func handOver(to successor: (any Held)?, isSamePlace: Bool) {
        let successor = successor as? LegRules
        let kept = successor?.rules ?? []
        if isWanted { take(rules.filter { !kept.contains($0) }) }
        successor?.isWanted = isWanted
        successor?.placed = placed
        placed = []
        isWanted = false
        settle()
        if !rules.isEmpty { passing.keep([]) }
    }

    // MARK: What --check says

    static func doubts(
        of instance: VRRPConfiguration.Instance, virtual: Set<IPAddress>, on host: RtnlMonitor
    ) -> [(line: Int, text: String)] {
        instance.rules.flatMap { rule in
            [rule.iif, rule.oif].compactMap { $0 }.filter { host.link(named: $0) == nil }.map { name in
                (
                    rule.place.line,
                    "the rule \(rule) of instance \(instance.name): there is no interface \(name) on this host"
                )
            }
        }
    }

    // MARK: In the record

    /// `rule inet from 198.51.100.0/24 table 100 priority 1000`: names and values, of which there are none that the rule leaves
    /// open.
    static func lines(of instance: VRRPConfiguration.Instance, in group: VRRPConfiguration.Group) -> [String] {
        instance.rules.map(\.request.line)
    }

    static func isLine(_ words: [String]) -> Bool { PolicyRule(recorded: words) != nil }

    static func needsRules(of instance: VRRPConfiguration.Instance) -> Bool { !instance.rules.isEmpty }

    static func removeLeftovers(
        recorded: [[String]], named: [[String]], in tables: KernelTables, by requester: any KernelRequests,
        resign: (Set<IPAddress>) -> Void
    ) throws(Errno) -> String {
        let removals = Set((recorded + named).compactMap(PolicyRule.init(recorded:))).map(RtnlRequest.removeRule)
        let count = try requester.perform(removals).count { $0 == nil }
        return count == 0 ? "" : "\(count) rules"
    }
}

extension VRRPConfiguration.HeldRule {
    /// How the kernel is asked for it, and has it.
    fileprivate var request: PolicyRule {
        let action: PolicyRule.Action =
            switch type {
            case .blackhole: .blackhole
            case .unreachable: .unreachable
            case .prohibit: .prohibit
            case nil: table.map { .table($0) } ?? .l3mdev
            }
        var rule = PolicyRule(priority: priority, family: family, action: action)
        rule.from = from ?? rule.from
        rule.to = to ?? rule.to
        rule.isInverted = isInverted
        (rule.inputInterface, rule.outputInterface) = (iif, oif)
        (rule.mark, rule.markMask) = (fwmark?.value ?? 0, fwmark?.mask ?? 0)
        rule.tos = tos
        rule.ipProtocol = ipproto ?? 0
        (rule.sourcePorts, rule.destinationPorts) = (sport, dport)
        rule.users = uidrange
        rule.suppressedPrefixLength = suppressedPrefixLength
        rule.ruleProtocol = LegAddresses.protocolNumber
        return rule
    }
}

extension PolicyRule {
    /// A line of the record, without its end.
    fileprivate var line: String {
        var words = ["rule", isIPv6 ? "inet6" : "inet", "priority", String(priority)]
        func add(_ key: String, _ value: (some CustomStringConvertible)?) {
            if let value { words += [key, value.description] }
        }
        func range(_ range: ClosedRange<some BinaryInteger>?) -> String? {
            range.map { "\($0.lowerBound)-\($0.upperBound)" }
        }
        switch action {
        case .table(let table): add("table", table)
        case .l3mdev: add("l3mdev", 1)
        case .blackhole: add("type", "blackhole")
        case .unreachable: add("type", "unreachable")
        case .prohibit: add("type", "prohibit")
        case .other: break
        }
        add("from", from.length == 0 ? nil : from)
        add("to", to.length == 0 ? nil : to)
        add("not", isInverted ? 1 : nil)
        add("iif", inputInterface)
        add("oif", outputInterface)
        add("fwmark", markMask == 0 ? nil : "\(mark)/\(markMask)")
        add("tos", tos == 0 ? nil : tos)
        add("ipproto", ipProtocol == 0 ? nil : ipProtocol)
        add("sport", range(sourcePorts))
        add("dport", range(destinationPorts))
        add("uidrange", range(users))
        add("suppress", suppressedPrefixLength)
        return words.joined(separator: " ")
    }

    /// A line of the record, split at blanks; nil: it is none of a rule.
    fileprivate init?(recorded words: [String]) {
        guard words.count >= 6, words.count % 2 == 0, words[0] == "rule", ["inet", "inet6"].contains(words[1]) else {
            return nil
        }
        var values: [String: String] = [:]
        for index in stride(from: 2, to: words.count, by: 2) { values[words[index]] = words[index + 1] }
        func number<Number: FixedWidthInteger>(_ key: String) -> Number? {
            values.removeValue(forKey: key).flatMap { Number($0) }
        }
        func numbers<Number: FixedWidthInteger>(_ key: String, _ separator: Character) -> (Number, Number)? {
            let parts = values.removeValue(forKey: key)?.split(separator: separator).compactMap { Number($0) } ?? []
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }
        func range<Number: FixedWidthInteger>(_ key: String) -> ClosedRange<Number>? {
            let ends: (Number, Number)? = numbers(key, "-")
            return ends.flatMap { $0.0 <= $0.1 ? $0.0...$0.1 : nil }
        }
        guard let priority: UInt32 = number("priority") else { return nil }
        let action: Action
        if let table: UInt32 = number("table") {
            action = .table(table)
        } else if values.removeValue(forKey: "l3mdev") != nil {
            action = .l3mdev
        } else {
            switch values.removeValue(forKey: "type") {
            case "blackhole": action = .blackhole
            case "unreachable": action = .unreachable
            case "prohibit": action = .prohibit
            default: return nil
            }
        }
        self.init(priority: priority, family: words[1] == "inet" ? .ipv4 : .ipv6, action: action)
        let family = from.address.family
        if let prefix = values.removeValue(forKey: "from").flatMap(IPPrefix.init) { from = prefix }
        if let prefix = values.removeValue(forKey: "to").flatMap(IPPrefix.init) { to = prefix }
        isInverted = values.removeValue(forKey: "not") != nil
        inputInterface = values.removeValue(forKey: "iif")
        outputInterface = values.removeValue(forKey: "oif")
        (mark, markMask) = numbers("fwmark", "/") ?? (0, 0)
        tos = number("tos") ?? 0
        ipProtocol = number("ipproto") ?? 0
        sourcePorts = range("sport")
        destinationPorts = range("dport")
        users = range("uidrange")
        suppressedPrefixLength = number("suppress")
        ruleProtocol = LegAddresses.protocolNumber
        // A word that is not known would make it another rule.
        guard values.isEmpty, from.address.family == family, to.address.family == family else { return nil }
    }
}
