/// One word of keepalived's language, and what becomes of it. `Keywords.table` has all of them: the readers, the report and
/// docs/migrating-from-keepalived.md follow it.
public struct Keyword: Hashable, Sendable {
    /// Where the word stands.
    public enum Section: String, Hashable, Sendable, CaseIterable {
        case file = "outermost level"
        case global = "global_defs"
        case instance = "vrrp_instance"
        case authentication
        case hmac = "auth_hmac"
        case group = "vrrp_sync_group"
        case script = "vrrp_script"
        case process = "vrrp_track_process"
        case trackedFile = "vrrp_track_file"
        case garpGroup = "garp_group"
        case address = "an address of virtual_ipaddress"
        case route = "a route of virtual_routes"
        case rule = "a rule of virtual_rules"
        case peer = "an address of unicast_peer"
        case track = "an object of track_interface, track_script, track_process, track_file"
    }

    /// What follows the word.
    enum Shape: Hashable, Sendable {
        /// Words on the same line.
        case line
        /// A block of lines that are no keywords: addresses, routes, names.
        case list
        /// A block with keywords of its own.
        case block(Section)
        /// A block that the VRRP process of keepalived passes over.
        case foreign
        /// A word among others on the line of an address, a route, a rule or an object.
        case option
    }

    /// What becomes of it.
    public enum Fate: Hashable, Sendable {
        case carried
        /// It has no effect here, or what it asks for is always so.
        case different
        /// Carried where vrrp.toml can say it; where not, the report has the text and this weight.
        case depends(Finding.Weight)
        /// Not carried, as vrrp.toml cannot say it yet.
        case later(Finding.Weight)
        /// Not carried.
        case never(Finding.Weight)

        /// As the page for operators has it.
        public var title: String {
            switch self {
            case .carried: "carried"
            case .different: "no effect here"
            case .depends(let weight): "carried, or \(Self.title(weight))"
            case .later(let weight): "not yet: \(Self.title(weight))"
            case .never(let weight): "not carried: \(Self.title(weight))"
            }
        }

        private static func title(_ weight: Finding.Weight) -> String {
            switch weight {
            case .difference: "different"
            case .loss: "a loss"
            case .missing: "missing"
            case .refused: "refused"
            }
        }

        /// What a finding of this word weighs.
        var weight: Finding.Weight {
            switch self {
            case .carried, .different: .difference
            case .depends(let weight), .later(let weight), .never(let weight): weight
            }
        }
    }

    public var section: Section
    public var name: String
    var shape: Shape
    public var fate: Fate
    /// Carried: what it becomes. Otherwise why not, and what to do instead.
    public var text: String

    init(_ section: Section, _ name: String, _ shape: Shape = .line, _ fate: Fate, _ text: String) {
        self.section = section
        self.name = name
        self.shape = shape
        self.fate = fate
        self.text = text
    }

    /// Whether the report has it wherever it stands.
    var isReportedAlways: Bool {
        switch fate {
        case .different, .later, .never: shape != .option
        case .carried, .depends: false
        }
    }
}

public enum Keywords {
    private static let bySection: [Keyword.Section: [String: Keyword]] = Dictionary(grouping: table, by: \.section)
        .mapValues { Dictionary($0.map { ($0.name, $0) }) { first, _ in first } }

    static func find(_ section: Keyword.Section, _ name: String) -> Keyword? { bySection[section]?[name] }

    /// Whether vrrp.toml can say it.
    static func isCarried(_ section: Keyword.Section, _ name: String) -> Bool {
        switch find(section, name)?.fate {
        case .carried, .depends: true
        default: false
        }
    }

    /// The table of the page for operators, in Markdown.
    public static var markdown: String {
        var lines: [String] = []
        for section in Keyword.Section.allCases {
            lines += ["", "### In \(section.title)", "", "| keyword | | |", "| --- | --- | --- |"]
            lines += table.filter { $0.section == section }.map { "| `\($0.name)` | \($0.fate.title) | \($0.text) |" }
        }
        return lines.dropFirst().map { $0 + "\n" }.joined()
    }
}

extension Keyword.Section {
    var title: String {
        switch self {
        case .file: "the file itself"
        case .address, .route, .rule, .peer, .track: rawValue
        default: "`\(rawValue)`"
        }
    }
}
