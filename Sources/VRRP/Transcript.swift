/// Values as trees of names, numbers and texts: how an input, an output or a whole engine is written down and read again.
///
/// A structure lists its fields once (`list`), and the list serves both ways. A field that is as in a blank value is left out,
/// and one that is missing is as in a blank value, so that lines stay short and an older recording can be read by a newer
/// program. What is read may be anybody's: numbers are bounded, and a value that the engine could not compute with is refused
/// (`defect`).
import Addresses

public enum Tree: Hashable, Sendable {
    case none
    case flag(Bool)
    case number(Int64)
    case text(String)
    case list([Tree])
    case record([Entry])

    public struct Entry: Hashable, Sendable {
        public var name: String
        public var value: Tree

        public init(_ name: String, _ value: Tree) {
            self.name = name
            self.value = value
        }
    }

    /// A record that begins with what kind it is.
    static func record(kind: String, _ entries: Entry...) -> Tree { .record([Entry("kind", .text(kind))] + entries) }
}

/// A tree is not what its reader needs.
public struct TranscriptError: Error, Hashable, CustomStringConvertible {
    /// Where: `input.snapshot.causes[1].kind`.
    public var field: String
    /// What should have been there.
    public var expected: String

    public init(_ expected: String, field: String = "") {
        self.field = field
        self.expected = expected
    }

    public var description: String { "\(field.isEmpty ? "value" : field): expected \(expected)" }

    /// The same error seen from one level up.
    func within(_ parent: String) -> TranscriptError {
        TranscriptError(expected, field: parent + (field.isEmpty || field.hasPrefix("[") ? "" : ".") + field)
    }
}

/// What can be written down and read again.
public protocol Transcribed {
    var tree: Tree { get }
    init(tree: Tree) throws(TranscriptError)
}

extension Tree {
    /// The entries of a record.
    public func entries() throws(TranscriptError) -> [Entry] {
        guard case .record(let entries) = self else { throw TranscriptError("an object") }
        return entries
    }

    func text() throws(TranscriptError) -> String {
        guard case .text(let text) = self else { throw TranscriptError("a string") }
        return text
    }

    /// An entry of a record; one that is missing is read as `none`.
    public func value<Value: Transcribed>(_ name: String) throws(TranscriptError) -> Value {
        let entry = try entries().last { $0.name == name }
        do throws(TranscriptError) { return try Value(tree: entry?.value ?? .none) } catch { throw error.within(name) }
    }
}

// MARK: - Structures

/// A structure whose fields are listed.
protocol Listed: Transcribed {
    /// One in which every field has the value that it has when it is not mentioned.
    static var blank: Self { get }
    mutating func list(_ fields: inout FieldList)
    /// Why the engine must not be given it; nil: nothing is wrong.
    var defect: TranscriptError? { get }
}

/// Writes the fields that it is shown, or reads them.
struct FieldList {
    fileprivate var entries: [Tree.Entry] = []
    fileprivate var isReading = false
    fileprivate var error: TranscriptError?

    mutating func field<Value: Transcribed>(_ name: String, _ value: inout Value) {
        guard isReading else { return entries.append(Tree.Entry(name, value.tree)) }
        guard error == nil, let entry = entries.last(where: { $0.name == name }) else { return }
        do throws(TranscriptError) { value = try Value(tree: entry.value) } catch { self.error = error.within(name) }
    }
}

extension Listed {
    var defect: TranscriptError? { nil }

    private var entries: [Tree.Entry] {
        var (copy, fields) = (self, FieldList())
        copy.list(&fields)
        return fields.entries
    }

    public var tree: Tree { .record(zip(entries, Self.blank.entries).filter { $0 != $1 }.map(\.0)) }

    public init(tree: Tree) throws(TranscriptError) {
        var fields = FieldList(entries: try tree.entries(), isReading: true)
        self = Self.blank
        list(&fields)
        if let error = fields.error ?? defect { throw error }
    }
}

extension TranscriptError {
    /// The defect of a number that is out of range; nil: it is not.
    static func range<Number: BinaryInteger>(_ name: String, _ number: Number, _ range: ClosedRange<Int64>) -> Self? {
        if let wide = Int64(exactly: number), range.contains(wide) { return nil }
        return TranscriptError("\(range.lowerBound) to \(range.upperBound)", field: name)
    }

    /// The defect of an interval: an hour and more is none that a protocol has.
    static func interval(_ name: String, _ intervalNs: Int64) -> Self? { range(name, intervalNs, 0...(1 << 42)) }
    /// The defect of any other span.
    static func span(_ name: String, _ spanNs: Int64) -> Self? { range(name, spanNs, 0...(1 << 50)) }
}

// MARK: - Plain values

extension Bool: Transcribed {
    public var tree: Tree { .flag(self) }
    public init(tree: Tree) throws(TranscriptError) {
        guard case .flag(let flag) = tree else { throw TranscriptError("true or false") }
        self = flag
    }
}

extension String: Transcribed {
    public var tree: Tree { .text(self) }
    public init(tree: Tree) throws(TranscriptError) { self = try tree.text() }
}

extension Transcribed where Self: FixedWidthInteger {
    public var tree: Tree { .number(Int64(clamping: self)) }
    /// Times and spans may be added to each other without a look: none comes near the end of 64 bits.
    public init(tree: Tree) throws(TranscriptError) {
        let most = Int64(clamping: Self.max) >> (Self.bitWidth == 64 ? 3 : 0)
        guard case .number(let number) = tree, number.magnitude <= most.magnitude, let value = Self(exactly: number)
        else { throw TranscriptError("a whole number up to \(most)") }
        self = value
    }
}

extension Int: Transcribed {}
extension Int64: Transcribed {}
extension UInt8: Transcribed {}
extension UInt32: Transcribed {}
extension UInt64: Transcribed {}

extension Optional: Transcribed where Wrapped: Transcribed {
    public var tree: Tree { map(\.tree) ?? .none }
    public init(tree: Tree) throws(TranscriptError) {
        if case .none = tree { self = nil } else { self = try Wrapped(tree: tree) }
    }
}

extension Array: Transcribed where Element: Transcribed {
    public var tree: Tree { .list(map(\.tree)) }
    public init(tree: Tree) throws(TranscriptError) {
        self = []
        // An empty one may be left out.
        if case .none = tree { return }
        guard case .list(let trees) = tree else { throw TranscriptError("an array") }
        for (index, tree) in trees.enumerated() {
            do throws(TranscriptError) { append(try Element(tree: tree)) } catch { throw error.within("[\(index)]") }
        }
    }
}

extension Dictionary: Transcribed where Key == String, Value == Int {
    public var tree: Tree { .record(sorted { $0.key < $1.key }.map { Tree.Entry($0.key, $0.value.tree) }) }
    public init(tree: Tree) throws(TranscriptError) {
        self = [:]
        for entry in try tree.entries() {
            do throws(TranscriptError) { self[entry.name] = try Int(tree: entry.value) } catch {
                throw error.within(entry.name)
            }
        }
    }
}

/// In order of their text, so that equal sets are written alike.
extension Set: Transcribed where Element: Transcribed & CustomStringConvertible {
    public var tree: Tree { sorted { $0.description < $1.description }.tree }
    public init(tree: Tree) throws(TranscriptError) { self = Set(try [Element](tree: tree)) }
}

extension IPAddress: Transcribed {
    public var tree: Tree { .text(description) }
    public init(tree: Tree) throws(TranscriptError) {
        guard let address = IPAddress(try tree.text()) else { throw TranscriptError("an IP address") }
        self = address
    }
}

extension Place: Transcribed {
    public var tree: Tree { number.tree }
    public init(tree: Tree) throws(TranscriptError) { self.init(try Int(tree: tree)) }
}

/// An enumeration that is written by its cases' names.
protocol NamedCases: Transcribed, CaseIterable {}

extension NamedCases {
    public var tree: Tree { .text("\(self)") }
    public init(tree: Tree) throws(TranscriptError) {
        let name = try tree.text()
        guard let found = Self.allCases.first(where: { "\($0)" == name }) else {
            throw TranscriptError("one of \(Self.allCases.map { "\($0)" }.joined(separator: ", "))")
        }
        self = found
    }
}

/// What stands for a number or a text of its own.
extension Transcribed where Self: RawRepresentable, RawValue: Transcribed {
    public var tree: Tree { rawValue.tree }
    public init(tree: Tree) throws(TranscriptError) {
        guard let value = Self(rawValue: try RawValue(tree: tree)) else { throw TranscriptError("a known value") }
        self = value
    }
}
