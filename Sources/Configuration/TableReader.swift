/// Reads one table of a configuration, key by key, and remembers which keys were read.
///
/// One call says all there is to say of a key: its name, what it takes, and which property it sets, whose value before
/// the call is the default. A wrong value is reported and reads as absent, so that reading goes on. After the last
/// call `finish` reports the keys that nobody asked for, with the nearest name. The same code, run over nothing by
/// `KeyList`, lists the keys: a test compares the manual pages with that list.
final class TableReader {
    /// The section as an operator writes it: `[socket]`; for messages.
    let title: String
    /// Where the table begins.
    let position: SourcePosition
    let problems: Problems

    private let entries: [TomlNode.Entry]
    private var asked: [String] = []
    private var section: String
    private let keyList: KeyList?
    /// Where the values stand that were right: of a list, each element. Few, so that looking through them is quick.
    private var places: [(key: String, positions: [SourcePosition])] = []

    init(_ node: TomlNode, title: String, section: String, problems: Problems, keyList: KeyList? = nil) {
        if case .table(let entries) = node.value { self.entries = entries } else { entries = [] }
        self.title = title
        self.section = section
        self.position = node.position
        self.problems = problems
        self.keyList = keyList
    }

    /// The root table of a file.
    convenience init(root: TomlNode, problems: Problems) {
        self.init(root, title: "the file", section: "", problems: problems)
    }

    // MARK: Values

    /// Reads `key` into `target`, which holds the default.
    ///
    /// - Parameters:
    ///   - kind: what it takes; made only if something is there.
    ///   - wanted: what is missing without it; nil: it need not be there, and has a default.
    /// - Returns: whether it is there and right.
    @discardableResult
    func read<Value>(
        _ key: String, _ kind: @autoclosure () -> Kind<Value>, into target: inout Value,
        required wanted: String? = nil
    ) -> Bool {
        let written = keyList == nil || wanted != nil ? nil : kind().write(target)
        guard let value = value(key, kind, written: written, required: wanted) else { return false }
        target = value
        return true
    }

    /// The same for a key without a default.
    @discardableResult
    func read<Value>(
        _ key: String, _ kind: @autoclosure () -> Kind<Value>, into target: inout Value?,
        required wanted: String? = nil
    ) -> Bool {
        let written = keyList == nil ? nil : target.map { kind().write($0) }
        guard let value = value(key, kind, written: written, required: wanted) else { return false }
        target = value
        return true
    }

    private func value<Value>(
        _ key: String, _ kind: () -> Kind<Value>, written: String?, required wanted: String?
    ) -> Value? {
        if let keyList {
            let kind = kind()
            keyList.add(
                KeyList.Key(
                    section: section, name: key, form: kind.form, bounds: kind.bounds?(), default: written,
                    isRequired: wanted != nil))
        }
        guard let node = take(key, required: wanted)?.node else { return nil }
        let kind = kind()
        guard let value = kind.read(node.value) else {
            let shown = kind.isSecret ? key : "\(key) = \(node.rendered)"
            problems.report(node.position, "\(shown): \(kind.complaint(node.value))")
            return nil
        }
        places.append((key, [node.position]))
        return value
    }

    /// Reads the user or the group that `key` names, and notes it; whether it exists is checked later.
    @discardableResult
    func read(_ key: String, _ account: AccountMention.Kind, into target: inout String?) -> Bool {
        guard read(key, .text("the name or number of a \(account)", where: isAccountName), into: &target),
            let name = target, let position = place(of: key)
        else { return false }
        problems.note(account, name, position)
        return true
    }

    // MARK: Lists

    /// Reads the elements of an array into `target`, which holds the default. An element that is wrong is reported and
    /// left out.
    ///
    /// - Parameters:
    ///   - count: how many elements there are.
    ///   - element: in the singular, for the message about an array that must not be empty.
    /// - Returns: whether there is an array, of a size that is right.
    @discardableResult
    func read<Value>(
        _ key: String, _ kind: @autoclosure () -> Kind<Value>, _ count: ClosedRange<Int>,
        of element: String = "element", into target: inout [Value], required wanted: String? = nil
    ) -> Bool {
        var described: (form: String, default: String?) = ("array", nil)
        if keyList != nil, wanted == nil {
            let elements = target.map { kind().write($0) }
            described.default = elements.isEmpty ? "none" : "[\(elements.joined(separator: ", "))]"
        }
        let elements = list(
            key, count, of: element, described, required: wanted, expected: { kind().expected() },
            isSecret: kind().isSecret
        ) { kind().read($0.value) }
        guard let elements else { return false }
        target = elements
        return true
    }

    /// The same for an array whose default is not the empty one: nil.
    @discardableResult
    func read<Value>(
        _ key: String, _ kind: @autoclosure () -> Kind<Value>, _ count: ClosedRange<Int>, into target: inout [Value]?
    ) -> Bool {
        let elements = list(
            key, count, of: "element", ("array", nil), required: nil, expected: { kind().expected() }
        ) { kind().read($0.value) }
        guard let elements else { return false }
        target = elements
        return true
    }

    /// Reads a program by its absolute path, then its arguments.
    @discardableResult
    func readProgram(_ key: String, into target: inout [String], required wanted: String? = nil) -> Bool {
        let texts: [String]? = list(
            key, 0...64, of: "element", ("program", nil), required: wanted,
            expected: { "text of at most 4096 bytes without a NUL" }
        ) { node in
            guard case .string(let text) = node.value, text.utf8.count <= 4096, !text.utf8.contains(0) else {
                return nil
            }
            return text
        }
        guard let texts, let position = keyPosition(key) else { return false }
        guard let program = texts.first, isAbsolutePath(program) else {
            problems.report(
                place(of: key) ?? position, "\(key) runs no shell: expected a program by its absolute path first")
            return false
        }
        target = texts
        return true
    }

    /// The elements of an array whose elements may be tables, by a conversion that answers nil to what it cannot take;
    /// `expected` says what it takes; `element(_:of:)` makes a reader of a table.
    ///
    /// - Returns: the elements that are right; nil: there is no array.
    func elements<Value>(
        _ key: String, _ count: ClosedRange<Int>, of element: String = "element", _ expected: @autoclosure () -> String,
        required wanted: String? = nil, _ convert: (TomlNode) -> Value?
    ) -> [Value]? {
        let described = ("array", wanted == nil ? "none" : nil)
        return list(key, count, of: element, described, required: wanted, expected: expected, convert)
    }

    private func list<Value>(
        _ key: String, _ count: ClosedRange<Int>, of element: String, _ described: (form: String, default: String?),
        required wanted: String?, expected: () -> String, isSecret: Bool = false, _ convert: (TomlNode) -> Value?
    ) -> [Value]? {
        if let keyList {
            keyList.add(
                KeyList.Key(
                    section: section, name: key, form: described.form, count: described.form == "array" ? count : nil,
                    default: described.default, isRequired: wanted != nil))
            _ = convert(Self.nothing)
        }
        guard let entry = take(key, required: wanted) else { return nil }
        let node = entry.node
        guard case .array(let elements) = node.value else {
            let shown = isSecret ? key : "\(key) = \(node.rendered)"
            problems.report(node.position, "\(shown): expected an array, each element \(expected())")
            return nil
        }
        guard elements.count <= count.upperBound else {
            problems.report(
                node.position, "\(key) has \(elements.count) elements: expected at most \(count.upperBound)")
            return nil
        }
        guard elements.count >= count.lowerBound else {
            problems.report(
                entry.keyPosition, "\(title) has no \(element): expected at least \(one(count.lowerBound)) in \(key)")
            return nil
        }
        var positions: [SourcePosition] = []
        defer { places.append((key, positions)) }
        return elements.enumerated().compactMap { index, element in
            guard let value = convert(element) else {
                let shown = isSecret ? "\(key)[\(index)]" : "\(key)[\(index)] = \(element.rendered)"
                problems.report(element.position, "\(shown): expected \(expected())")
                return nil
            }
            positions.append(element.position)
            return value
        }
    }

    // MARK: Places

    /// Where `key` stands; nil: absent.
    func keyPosition(_ key: String) -> SourcePosition? {
        entries.first { $0.key == key }?.keyPosition
    }

    /// Where the value of `key` stands; nil: it is absent, or wrong.
    func place(of key: String) -> SourcePosition? { positions(of: key).first }

    private func positions(of key: String) -> [SourcePosition] { places.first { $0.key == key }?.positions ?? [] }

    /// The value of `key` with its place; nil: it is absent, or wrong.
    func located<Value>(_ key: String, _ value: Value) -> Located<Value>? {
        place(of: key).map { Located(value: value, position: $0) }
    }

    /// The elements of the list `key`, each with its place.
    func located<Value>(_ key: String, _ values: [Value]) -> [Located<Value>] {
        zip(values, positions(of: key)).map { Located(value: $0, position: $1) }
    }

    /// Whether an array without elements stands under `key`.
    func isEmptyList(_ key: String) -> Bool {
        if case .array(let elements) = entries.first(where: { $0.key == key })?.node.value {
            elements.isEmpty
        } else {
            false
        }
    }

    // MARK: Tables

    /// The table under `key`, which `body` reads to its end.
    @discardableResult
    func table<Result>(_ key: String, _ body: (TableReader) -> Result) -> Result? {
        guard let reader = reader(key) else { return nil }
        defer { reader.finish() }
        return body(reader)
    }

    /// What stands under `key`: true or false, or a table, which `body` reads to its end. Without it, it is false.
    func flagOrTable<Result>(_ key: String, _ body: (TableReader) -> Result) -> (flag: Bool?, table: Result?) {
        var isTable = false
        if case .table = entries.first(where: { $0.key == key })?.node.value { isTable = true }
        // The list of keys has those of both forms.
        let result = isTable || keyList != nil ? table(key, body) : nil
        guard !isTable else { return (nil, result) }
        let kind = Kind<Bool>(
            form: "true | false | table", expected: { "true, false or a table" }, read: Kind.flag.read,
            write: Kind.flag.write)
        return (value(key, { kind }, written: "false", required: nil), result)
    }

    /// The tables `[key.NAME]`, in the order of the file.
    func sections(
        _ key: String, atMost limit: Int, nameExpected: String = sectionNameExpected,
        isName: (String) -> Bool = isSectionName, _ body: (Located<String>, TableReader) -> Void
    ) {
        guard let all = reader(key) else { return }
        let entries = keyList == nil ? all.entries : [Self.example]
        for entry in entries.prefix(limit) {
            if !isName(entry.key) {
                problems.report(entry.keyPosition, "\(quoted(entry.key)) is not a valid name: expected \(nameExpected)")
            }
            guard let reader = all.reader(of: entry, path: "NAME") else { continue }
            body(Located(value: entry.key, position: entry.keyPosition), reader)
            reader.finish()
        }
        if entries.count > limit {
            problems.report(entries[limit].keyPosition, "too many tables [\(key).NAME]: expected at most \(limit)")
        }
    }

    /// A reader of one table in an array, for the conversion that `elements` takes; nil: `node` is no table.
    ///
    /// - Parameter other: the section whose documentation covers its keys; nil: its own.
    func element(_ node: TomlNode, of key: String, documentedIn other: String? = nil) -> TableReader? {
        guard case .table = node.value else { return nil }
        return TableReader(
            node, title: "an element of \(key)", section: other ?? Self.join(section, key), problems: problems,
            keyList: keyList)
    }

    /// Runs `body` with its keys listed under another section, whose documentation covers them.
    ///
    /// - Returns: the keys that it asked for.
    @discardableResult
    func documented(under other: String, _ body: () -> Void) -> [String] {
        let (own, first) = (section, asked.count)
        section = other
        defer { section = own }
        body()
        return [String](asked[first...])
    }

    /// Runs `body` and refuses the keys that it asks for where `key` is not there.
    func beside(_ key: String, _ body: () -> Void) {
        let first = asked.count
        body()
        guard keyPosition(key) == nil else { return }
        for other in asked[first...] {
            guard let position = keyPosition(other) else { continue }
            problems.report(position, "\(other) without \(key): expected it beside a \(key)")
        }
    }

    /// Reports the keys that were not asked for.
    func finish() {
        for entry in entries where !asked.contains(entry.key) {
            let near = nearestName(to: entry.key, among: asked)
            let hint = near.map { "did you mean \($0)?" } ?? "known here: \(asked.joined(separator: ", "))"
            problems.report(entry.keyPosition, "unknown key \(printable(entry.key)) in \(title): \(hint)")
        }
    }

    // MARK: Inside

    private static let nothing = TomlNode(value: .table([]), position: SourcePosition())
    private static let example = TomlNode.Entry(key: "NAME", keyPosition: SourcePosition(), node: nothing)

    private func take(_ key: String, required wanted: String?) -> TomlNode.Entry? {
        asked.append(key)
        let entry = entries.first { $0.key == key }
        if entry == nil, let wanted { problems.report(position, "\(title) lacks \(key): expected \(wanted)") }
        return entry
    }

    private func reader(_ key: String) -> TableReader? {
        asked.append(key)
        let entry = keyList == nil ? entries.first { $0.key == key } : Self.example
        return entry.flatMap { reader(of: $0, path: key) }
    }

    private func reader(of entry: TomlNode.Entry, path: String) -> TableReader? {
        let title = "[\(parentTitle)\(printable(entry.key))]"
        guard case .table = entry.node.value else {
            problems.report(
                entry.node.position, "\(printable(entry.key)) = \(entry.node.rendered): expected a table, \(title)")
            return nil
        }
        return TableReader(
            entry.node, title: title, section: Self.join(section, path), problems: problems, keyList: keyList)
    }

    /// What comes before the name of a table in this one.
    private var parentTitle: String { section.isEmpty ? "" : "\(title.dropFirst().dropLast())." }

    private static func join(_ section: String, _ key: String) -> String {
        section.isEmpty ? key : "\(section).\(key)"
    }
}

private func one(_ count: Int) -> String { count == 1 ? "one" : "\(count)" }
