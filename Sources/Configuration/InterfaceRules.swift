import Glibc
import LinkState

/// Which settings hold for which interface.
///
/// The cascade, each step overriding only the keys that it sets: the built-in defaults, `[defaults]`, every
/// `[interface."PATTERN"]` that matches the name or an alternative name, in the order of the file, then the section
/// with an alternative name of the interface, then the one with its name. So what is written for one interface wins
/// over what is written for many, wherever it stands. A pattern has one of `*`, `?` and `[`; they are glob(7)'s.

/// Whether a source of evidence is asked.
public enum Probing: Hashable, Sendable {
    case always
    case never
    /// On physical ports, ports that a section names and ports that a subscriber asked for.
    case automatic
}

/// What holds for one interface.
public struct InterfacePolicy: Hashable, Sendable {
    /// Reading the PHY's registers.
    public var mii = Probing.automatic
    /// The fast probe of the driver.
    public var probe = Probing.automatic
    /// Whether the interface is left out of everything.
    public var isIgnored = false
    /// Whether a section has its name or an alternative name of it, and not only a pattern.
    public var isNamed = false
    /// How its raw state becomes its settled state.
    public var settle = SettlePolicy()

    public init() {}
}

/// The sections of a file that speak of interfaces, in its order.
public struct InterfaceRules: Hashable, Sendable {
    private var defaults = Settings()
    private var sections: [Section] = []

    /// No section: the built-in defaults hold for all.
    public init() {}

    init(_ reader: TableReader) {
        reader.table("defaults") { table in
            defaults = table.documented(under: "interface.NAME") { Settings(table) }
        }
        reader.sections(
            "interface", atMost: 1024, nameExpected: "the name of an interface or a pattern such as \"eth*\"",
            isName: isInterfacePattern
        ) { name, table in
            sections.append(Section(pattern: name.value, settings: Settings(table)))
        }
    }

    func policy(ifname: String, altnames: [String]) -> InterfacePolicy {
        var policy = InterfacePolicy()
        defaults.apply(to: &policy)
        for section in sections where section.isPattern && section.matches(anyOf: [ifname] + altnames) {
            section.settings.apply(to: &policy)
        }
        for name in altnames + [ifname] {
            for section in sections where section.pattern == name {
                section.settings.apply(to: &policy)
                policy.isNamed = true
            }
        }
        return policy
    }
}

/// One `[interface."PATTERN"]`.
private struct Section: Hashable {
    var pattern: String
    var settings: Settings

    var isPattern: Bool { pattern.contains { "*?[".contains($0) } }

    func matches(anyOf names: [String]) -> Bool {
        names.contains { unsafe fnmatch(pattern, $0, 0) == 0 }
    }
}

/// The keys that one section sets; nil: not set.
private struct Settings: Hashable {
    var mii: Probing?
    var probe: Probing?
    var isIgnored: Bool?
    var upDelayNs: Int64?
    var downDelayNs: Int64?
    /// The outer nil: not set; the inner: off.
    var dampening: DampeningPolicy??

    init() {}

    init(_ reader: TableReader) {
        let delays: ClosedRange<Int64> = 0...3_600_000_000_000
        mii = reader.probing("mii")?.value
        probe = reader.probing("probe")?.value
        isIgnored = reader.flag("ignore")?.value
        upDelayNs = reader.duration("up-delay", delays)?.value
        downDelayNs = reader.duration("down-delay", delays)?.value
        dampening = reader.dampening("dampening")
    }

    func apply(to policy: inout InterfacePolicy) {
        policy.mii = mii ?? policy.mii
        policy.probe = probe ?? policy.probe
        policy.isIgnored = isIgnored ?? policy.isIgnored
        policy.settle.upDelayNs = upDelayNs ?? policy.settle.upDelayNs
        policy.settle.downDelayNs = downDelayNs ?? policy.settle.downDelayNs
        policy.settle.dampening = dampening ?? policy.settle.dampening
    }
}

extension TableReader {
    fileprivate func probing(_ key: String) -> Located<Probing>? {
        value(key, "true, false or \"auto\"") {
            switch $0 {
            case .boolean(let flag): flag ? .always : .never
            case .string("auto"): .automatic
            default: nil
            }
        }
    }

    /// True, false, or a table that sets the numbers.
    fileprivate func dampening(_ key: String) -> DampeningPolicy?? {
        let (isOn, policy) = flagOrTable(key) { $0.dampeningPolicy() }
        if let policy { return policy }
        return isOn.map { $0 ? DampeningPolicy() : nil }
    }

    private func dampeningPolicy() -> DampeningPolicy {
        var policy = DampeningPolicy()
        policy.halfLifeNs = duration("half-life", 1_000_000...3_600_000_000_000)?.value ?? policy.halfLifeNs
        policy.reuse = integer("reuse", 1...1_000_000).map { Double($0.value) } ?? policy.reuse
        let suppress = integer("suppress", 1...100_000_000)
        policy.suppress = suppress.map { Double($0.value) } ?? policy.suppress
        policy.maxHalfLives = integer("max-half-lives", 1...16)?.value ?? policy.maxHalfLives
        policy.penaltyPerFlap = integer("penalty", 1...1_000_000).map { Double($0.value) } ?? policy.penaltyPerFlap
        if policy.suppress <= policy.reuse || policy.suppress > policy.ceiling {
            problems.report(
                suppress?.position ?? position,
                "suppress = \(Int(policy.suppress)): expected more than reuse (\(Int(policy.reuse))) and at most the "
                    + "largest penalty, reuse * 2^max-half-lives (\(Int(policy.ceiling)))")
        }
        return policy
    }
}
