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
    /// The sources that are asked, whatever kind of interface it is.
    public private(set) var alwaysProbed: SourceSet = []
    /// The sources that are not.
    public private(set) var neverProbed: SourceSet = []
    /// Whether the interface is left out of everything.
    public var isIgnored = false
    /// Whether a section has its name or an alternative name of it, and not only a pattern.
    public var isNamed = false
    /// How its raw state becomes its settled state.
    public var settle = SettlePolicy()

    public init() {}

    /// Whether a polled source is asked.
    public subscript(source: EvidenceSource) -> Probing {
        get { alwaysProbed[source] ? .always : neverProbed[source] ? .never : .automatic }
        set {
            alwaysProbed[source] = newValue == .always
            neverProbed[source] = newValue == .never
        }
    }
}

/// The sections of a file that speak of interfaces, in its order.
public struct InterfaceRules: Hashable, Sendable {
    private var defaults = Settings()
    private var sections: [PatternSection] = []

    /// No section: the built-in defaults hold for all.
    public init() {}

    mutating func read(_ root: TableReader) {
        root.table("defaults") { keys in
            keys.documented(under: "interface.NAME") { defaults.read(keys) }
        }
        root.sections(
            "interface", atMost: 1024, nameExpected: "the name of an interface or a pattern such as \"eth*\"",
            isName: isInterfacePattern
        ) { name, keys in
            var settings = Settings()
            settings.read(keys)
            sections.append(PatternSection(pattern: name.value, settings: settings))
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
private struct PatternSection: Hashable {
    var pattern: String
    var settings: Settings

    var isPattern: Bool { pattern.contains { "*?[".contains($0) } }

    func matches(anyOf names: [String]) -> Bool {
        names.contains { unsafe fnmatch(pattern, $0, 0) == 0 }
    }
}

/// The keys that one section sets.
private struct Settings: Hashable {
    private var values = InterfacePolicy()
    /// By the index of the key.
    private var set: Set<Int> = []

    mutating func read(_ keys: TableReader) {
        for (index, key) in InterfaceKey.all.enumerated() where key.read(keys, &values) { set.insert(index) }
    }

    func apply(to policy: inout InterfacePolicy) {
        for index in set { InterfaceKey.all[index].copy(values, &policy) }
    }
}

/// A key of these sections: how it is read, and how the value of one section goes over that of another.
private struct InterfaceKey: Sendable {
    /// Returns: whether it is there and right.
    let read: @Sendable (TableReader, inout InterfacePolicy) -> Bool
    let copy: @Sendable (_ from: InterfacePolicy, _ to: inout InterfacePolicy) -> Void

    static let all =
        EvidenceSource.probes.map { row in InterfaceKey(row.probe.key, .probing, \.[row.source]) } + [
            InterfaceKey("ignore", .flag, \.isIgnored),
            InterfaceKey("up-delay", .duration(0...Time.hour), \.settle.upDelayNs),
            InterfaceKey("down-delay", .duration(0...Time.hour), \.settle.downDelayNs),
            InterfaceKey(\.settle.dampening) { $0.dampening("dampening", into: &$1.settle.dampening) },
        ]

    private init<Value>(
        _ name: String, _ kind: @autoclosure @escaping @Sendable () -> Kind<Value>,
        _ property: WritableKeyPath<InterfacePolicy, Value> & Sendable
    ) {
        self.init(property) { $0.read(name, kind(), into: &$1[keyPath: property]) }
    }

    private init<Value>(
        _ property: WritableKeyPath<InterfacePolicy, Value> & Sendable,
        _ read: @escaping @Sendable (TableReader, inout InterfacePolicy) -> Bool
    ) {
        self.read = read
        copy = { $1[keyPath: property] = $0[keyPath: property] }
    }
}

extension Kind where Value == Probing {
    fileprivate static var probing: Kind {
        Kind(
            form: "true | false | \"auto\"", expected: { "true, false or \"auto\"" },
            read: { value in
                switch value {
                case .boolean(let flag): flag ? .always : .never
                case .string("auto"): .automatic
                default: nil
                }
            }, write: { $0 == .automatic ? "\"auto\"" : "\($0 == .always)" })
    }
}

extension TableReader {
    /// Reads true, false, or a table that sets the numbers.
    fileprivate func dampening(_ key: String, into target: inout DampeningPolicy?) -> Bool {
        let (isOn, policy) = flagOrTable(key) { keys in
            var policy = DampeningPolicy()
            policy.read(keys)
            return policy
        }
        guard policy != nil || isOn != nil else { return false }
        target = policy ?? (isOn == true ? DampeningPolicy() : nil)
        return true
    }
}

extension DampeningPolicy {
    fileprivate mutating func read(_ keys: TableReader) {
        keys.read("half-life", .duration(Time.millisecond...Time.hour), into: &halfLifeNs)
        keys.read("reuse", .wholeNumber(1...1_000_000), into: &reuse)
        keys.read("suppress", .wholeNumber(1...100_000_000), into: &suppress)
        keys.read("max-half-lives", .number(1...16), into: &maxHalfLives)
        keys.read("penalty", .wholeNumber(1...1_000_000), into: &penaltyPerFlap)
        if suppress <= reuse || suppress > ceiling {
            keys.problems.report(
                keys.place(of: "suppress") ?? keys.position,
                "suppress = \(Int(suppress)): expected more than reuse (\(Int(reuse))) and at most the largest penalty, "
                    + "reuse * 2^max-half-lives (\(Int(ceiling)))")
        }
    }
}
