/// A line of keepalived's configuration, by the name of its file as it was opened.
public struct SourceLine: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// From 1; 0: the file as a whole.
    public var number: Int

    public init(file: String, number: Int) {
        self.file = file
        self.number = number
    }

    public var description: String { number == 0 ? file : "\(file):\(number)" }
}

/// What the report says about one line: what stands there, why it is not carried as it is, and what to do instead.
public struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// What it means for the service, the least first.
    public enum Weight: Int, Comparable, Sendable {
        /// Carried over in another form, or something that has no effect in keepalived either.
        case difference
        /// Something that keepalived does is lost; the addresses are served as before.
        case loss
        /// Without it the service would behave differently.
        case missing
        /// keepalived itself does not run with this, or it cannot be read at all.
        case refused

        /// How a line of the report begins.
        fileprivate var word: String {
            switch self {
            case .difference: ""
            case .loss: "loss: "
            case .missing: "missing: "
            case .refused: "error: "
            }
        }

        public static func < (one: Weight, other: Weight) -> Bool { one.rawValue < other.rawValue }
    }

    public var line: SourceLine
    public var weight: Weight
    /// What stands there, such as `virtual_routes`.
    public var subject: String
    /// Why, and what to do instead.
    public var text: String

    /// `file:line: loss: what: why, and what to do instead`; a finding that is only different has no word for its
    /// weight.
    public var description: String { "\(line): \(weight.word)\(subject): \(text)" }
}

/// An end without output: the file cannot be read, or keepalived would not run with it.
struct Refusal: Error {
    var line: SourceLine
    var subject: String
    var text: String

    var finding: Finding { Finding(line: line, weight: .refused, subject: subject, text: text) }
}

/// Where the stages of an import write down what they find. One for each import.
final class Findings {
    /// Findings beyond this number are dropped: nobody would read more.
    private static let limit = 2000
    private(set) var list: [Finding] = []
    private(set) var unlisted = 0
    private var seen: Set<Finding> = []

    func add(_ weight: Finding.Weight, _ line: SourceLine, _ subject: String, _ text: String) {
        let finding = Finding(line: line, weight: weight, subject: subject, text: text)
        guard seen.insert(finding).inserted else { return }
        guard list.count < Self.limit else {
            unlisted += 1
            return
        }
        list.append(finding)
    }

    /// In the order of the lines of each file; files in the order in which they were first read.
    var sorted: [Finding] {
        var files: [String: Int] = [:]
        for finding in list where files[finding.line.file] == nil { files[finding.line.file] = files.count }
        let places = list.enumerated().map { (files[$1.line.file] ?? 0, $1.line.number, $0, $1) }
        return places.sorted { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }.map(\.3)
    }

    /// The weightiest of all.
    var worst: Finding.Weight? { list.map(\.weight).max() }
}
