/// A recording: what went into the engines of `linkwatch-vrrp --record`, and what came out, one JSON object a line.
///
///     {"recording":1,"by":"linkwatch-vrrp 1.0","atNs":5012345678,"unixMs":1767225600000}     the first line of every file
///     {"group":"lvs","engine":{"configuration":{...},"state":{...},...}}                    an engine as it is at this point
///     {"group":"lvs","atNs":5012345679,"input":{"kind":"timer"},"outputs":[...],"nextNs":...}   one step of it
///     {"group":"lvs","gone":true}                                                           the group is configured no longer
///     {"lost":17}                                                                           so many lines could not be written
///     {"end":true}                                                                          an orderly end of the process
///
/// After the first line, and after lost lines, every engine follows as a whole, so each file can be replayed on its own. Times
/// are those of CLOCK_MONOTONIC; `unixMs` says once what that was by the wall clock. A field that has its default is left out
/// (`Tree`). There are no secrets: the engine knows no passwords.
import VRRP
import Varlink

public enum RecordingLine: Hashable, Sendable {
    /// - Parameter version: of the format, see `RecordingLine.version`.
    case header(version: Int, by: String, atNs: Int64, unixMs: Int64)
    case engine(group: String, Engine)
    case step(Step)
    case gone(group: String)
    case lost(Int)
    case end

    /// One call of an engine.
    public struct Step: Hashable, Sendable {
        public var group: String
        public var atNs: Int64
        public var input: Input
        public var outputs: [Output]
        /// The engine's next deadline after it.
        public var nextNs: Int64?

        public init(group: String, atNs: Int64, input: Input, outputs: [Output], nextNs: Int64?) {
            self.group = group
            self.atNs = atNs
            self.input = input
            self.outputs = outputs
            self.nextNs = nextNs
        }
    }

    /// The version of the format that this program writes, and the only one that it reads.
    public static let version = 1
    /// A longer line is none of ours, octets.
    public static let octetsMax = 1 << 20
}

extension RecordingLine: Transcribed {
    public var tree: Tree {
        switch self {
        case .header(let version, let by, let atNs, let unixMs):
            .fields(("recording", version.tree), ("by", by.tree), ("atNs", atNs.tree), ("unixMs", unixMs.tree))
        case .engine(let group, let engine): .fields(("group", group.tree), ("engine", engine.tree))
        case .step(let step):
            .fields(
                ("group", step.group.tree), ("atNs", step.atNs.tree), ("input", step.input.tree),
                ("outputs", step.outputs.tree), ("nextNs", step.nextNs.tree))
        case .gone(let group): .fields(("group", group.tree), ("gone", true.tree))
        case .lost(let count): .fields(("lost", count.tree))
        case .end: .fields(("end", true.tree))
        }
    }

    public init(tree: Tree) throws(TranscriptError) {
        let names = Set(try tree.entries().map(\.name))
        if names.contains("recording") {
            self = .header(
                version: try tree.value("recording"), by: try tree.value("by"), atNs: try tree.value("atNs"),
                unixMs: try tree.value("unixMs"))
        } else if names.contains("engine") {
            self = .engine(group: try tree.value("group"), try tree.value("engine"))
        } else if names.contains("input") {
            self = .step(
                Step(
                    group: try tree.value("group"), atNs: try tree.value("atNs"), input: try tree.value("input"),
                    outputs: try tree.value("outputs"), nextNs: try tree.value("nextNs")))
        } else if names.contains("gone") {
            self = .gone(group: try tree.value("group"))
        } else if names.contains("lost") {
            self = .lost(try tree.value("lost"))
        } else if names.contains("end") {
            self = .end
        } else {
            throw TranscriptError("recording, engine, input, gone, lost or end")
        }
    }
}

extension Tree {
    /// A record without the fields that are nothing.
    fileprivate static func fields(_ fields: (String, Tree)...) -> Tree {
        .record(fields.filter { $0.1 != .none && $0.1 != .list([]) }.map { Entry($0.0, $0.1) })
    }
}

// MARK: - As text

extension RecordingLine {
    /// The line, with its end.
    public var text: [UInt8] {
        var writer = JSONWriter()
        JSON.Value(tree).encode(into: &writer)
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// Reads a line without its end.
    public init(text: some Collection<UInt8>) throws(TranscriptError) {
        guard text.count <= Self.octetsMax else { throw TranscriptError("at most \(Self.octetsMax) octets") }
        let value: JSON.Value
        do throws(JSON.ParseError) { value = try JSON.parse(Array(text)) } catch {
            throw TranscriptError("JSON: \(error)")
        }
        try self.init(tree: try Tree(value))
    }
}

extension JSON.Value {
    init(_ tree: Tree) {
        switch tree {
        case .none: self = .null
        case .flag(let flag): self = .bool(flag)
        case .number(let number): self = .int(number)
        case .text(let text): self = .string(text)
        case .list(let trees): self = .array(trees.map(JSON.Value.init))
        case .record(let entries):
            let members = entries.map { JSON.Object.Member(key: $0.name, value: JSON.Value($0.value)) }
            self = .object(JSON.Object(members: members))
        }
    }
}

extension Tree {
    init(_ value: JSON.Value) throws(TranscriptError) {
        switch value {
        case .null: self = .none
        case .bool(let flag): self = .flag(flag)
        case .int(let number): self = .number(number)
        case .double: throw TranscriptError("whole numbers only")
        case .string(let text): self = .text(text)
        case .array(let values):
            var trees: [Tree] = []
            for value in values { trees.append(try Tree(value)) }
            self = .list(trees)
        case .object(let object):
            var entries: [Tree.Entry] = []
            for member in object.members { entries.append(Tree.Entry(member.key, try Tree(member.value))) }
            self = .record(entries)
        }
    }
}
