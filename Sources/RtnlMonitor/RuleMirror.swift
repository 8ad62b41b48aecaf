/// The policy rules of one protocol as the kernel has them. Pure: events and dumped entries in, changes out.
///
/// The kernel announces every change, and removes none by itself: a rule outlives the interfaces that it names.
package struct RuleMirror {
    /// At most this many are kept; further ones are left out.
    static let rulesMax = 4096

    private let ruleProtocol: UInt8
    package private(set) var rules: Set<PolicyRule> = []
    private var reconciliation: Reconciliation<PolicyRule>?
    /// Whether the dump under way has missed something and must be made again.
    package private(set) var isSpoiled = false

    /// - Parameter ruleProtocol: whose rules are kept.
    package init(of ruleProtocol: UInt8) { self.ruleProtocol = ruleProtocol }

    package mutating func apply(_ rule: PolicyRule, isRemoval: Bool, _ changes: inout [MirrorChange]) {
        guard rule.ruleProtocol == ruleProtocol else { return }
        if reconciliation?.touch(rule) == false { isSpoiled = true }
        if isRemoval { remove(rule, &changes) } else { put(rule, &changes) }
    }

    package mutating func beginDump() {
        reconciliation = Reconciliation()
        isSpoiled = false
    }

    package mutating func applyDumped(_ rule: PolicyRule, _ changes: inout [MirrorChange]) {
        guard rule.ruleProtocol == ruleProtocol, reconciliation?.confirm(rule) == true else { return }
        put(rule, &changes)
    }

    /// - Parameter isWhole: whether the dump can be trusted to have named everything.
    package mutating func endDump(isWhole: Bool, _ changes: inout [MirrorChange]) {
        defer { reconciliation = nil }
        guard isWhole, let reconciliation else { return }
        for rule in rules where reconciliation.isGone(rule) { remove(rule, &changes) }
    }

    private mutating func put(_ rule: PolicyRule, _ changes: inout [MirrorChange]) {
        guard rules.count < Self.rulesMax, rules.insert(rule).inserted else { return }
        changes.append(.ruleAdded(rule))
    }

    private mutating func remove(_ rule: PolicyRule, _ changes: inout [MirrorChange]) {
        if rules.remove(rule) != nil { changes.append(.ruleRemoved(rule)) }
    }
}
