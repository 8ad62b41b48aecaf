/// Reads one table of a configuration, key by key, and knows what it was asked for.
///
/// Every accessor names the key and says what would be right; a wrong value is reported and reads as absent, so that
/// reading goes on. After the last accessor `finish` reports the keys that nobody asked for, with the nearest name.
/// The same code, run over nothing by `KeyList`, lists the keys: the manual pages are checked against that list.
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

    /// The value of `key`, by a conversion that answers nil to what it cannot take; `expected` says what it takes.
    func value<Value>(_ key: String, _ expected: String, _ convert: (TomlNode.Value) -> Value?) -> Located<Value>? {
        guard let node = take(key)?.node else { return nil }
        guard let value = convert(node.value) else {
            problems.report(node.position, "\(key) = \(node.rendered): expected \(expected)")
            return nil
        }
        return Located(value: value, position: node.position)
    }

    func flag(_ key: String) -> Located<Bool>? {
        value(key, "true or false") { if case .boolean(let flag) = $0 { flag } else { nil } }
    }

    func integer(_ key: String, _ range: ClosedRange<Int>) -> Located<Int>? {
        value(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") {
            guard case .integer(let number) = $0, let number = Int(exactly: number), range ~= number else { return nil }
            return number
        }
    }

    /// Nanoseconds, from text with a unit; a multiple of `step`.
    func duration(_ key: String, _ rangeNs: ClosedRange<Int64>, step: Int64 = 1) -> Located<Int64>? {
        let (low, high) = (DurationText.format(rangeNs.lowerBound), DurationText.format(rangeNs.upperBound))
        let multiple = step > 1 ? " in steps of \(DurationText.format(step))" : ""
        return value(
            key, "a duration in quotes with its unit (ns, us, ms, s, min, h), from \(low) to \(high)\(multiple)"
        ) {
            guard case .string(let text) = $0, let ns = DurationText.parse(text), rangeNs ~= ns, ns % step == 0 else {
                return nil
            }
            return ns
        }
    }

    func string(_ key: String, _ expected: String, where isRight: (String) -> Bool) -> Located<String>? {
        value(key, expected) { if case .string(let text) = $0, isRight(text) { text } else { nil } }
    }

    /// One of the words that are the raw values of `Choice`.
    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ type: Choice.Type) -> Located<Choice>?
    where Choice.RawValue == String {
        let words = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
        return value(key, words) { if case .string(let text) = $0 { Choice(rawValue: text) } else { nil } }
    }

    /// The elements of an array; nil: absent, or no array. An element that is wrong is reported and left out.
    func list<Element>(
        _ key: String, atMost limit: Int, _ expected: String, _ convert: (TomlNode) -> Element?
    ) -> [Located<Element>]? {
        if keyList != nil { _ = convert(Self.nothing) }
        guard let node = take(key)?.node else { return nil }
        guard case .array(let elements) = node.value else {
            problems.report(node.position, "\(key) = \(node.rendered): expected an array, each element \(expected)")
            return nil
        }
        guard elements.count <= limit else {
            problems.report(node.position, "\(key) has \(elements.count) elements: expected at most \(limit)")
            return nil
        }
        return elements.enumerated().compactMap { index, element in
            guard let value = convert(element) else {
                problems.report(element.position, "\(key)[\(index)] = \(element.rendered): expected \(expected)")
                return nil
            }
            return Located(value: value, position: element.position)
        }
    }

    /// Text elements of an array.
    func strings(
        _ key: String, atMost limit: Int, _ expected: String, where isRight: (String) -> Bool
    ) -> [Located<String>]? {
        list(key, atMost: limit, expected) { node in
            if case .string(let text) = node.value, isRight(text) { text } else { nil }
        }
    }

    /// Reports that `key` is missing, unless something stands there, right or wrong.
    func require(_ key: String, _ expected: String) {
        guard keyPosition(key) == nil else { return }
        problems.report(position, "\(title) lacks \(key): expected \(expected)")
    }

    /// Where `key` stands; nil: absent.
    func keyPosition(_ key: String) -> SourcePosition? {
        entries.first { $0.key == key }?.keyPosition
    }

    // MARK: Tables

    /// The table under `key`, which `body` reads to its end.
    func table<Result>(_ key: String, _ body: (TableReader) -> Result) -> Result? {
        guard let reader = reader(key) else { return nil }
        defer { reader.finish() }
        return body(reader)
    }

    /// What stands under `key`: true or false, or a table, which `body` reads to its end.
    func flagOrTable<Result>(_ key: String, _ body: (TableReader) -> Result) -> (flag: Bool?, table: Result?) {
        var isTable = false
        if case .table = entries.first(where: { $0.key == key })?.node.value { isTable = true }
        // Whoever lists keys wants those of both.
        let result = isTable || keyList != nil ? table(key, body) : nil
        guard !isTable else { return (nil, result) }
        let flag = value(key, "true, false or a table") { if case .boolean(let flag) = $0 { flag } else { nil } }
        return (flag?.value, result)
    }

    /// The tables `[key.NAME]`, in the order of the file.
    func sections(
        _ key: String, atMost limit: Int, nameExpected: String, isName: (String) -> Bool,
        _ body: (Located<String>, TableReader) -> Void
    ) {
        guard let all = reader(key) else { return }
        let entries = keyList == nil ? all.entries : [Self.example]
        for entry in entries.prefix(limit) {
            if !isName(entry.key) {
                problems.report(entry.keyPosition, "\(quoted(entry.key)) is no name here: expected \(nameExpected)")
            }
            guard let reader = all.reader(of: entry, path: "NAME") else { continue }
            body(Located(value: entry.key, position: entry.keyPosition), reader)
            reader.finish()
        }
        if entries.count > limit {
            problems.report(entries[limit].keyPosition, "too many tables [\(key).NAME]: expected at most \(limit)")
        }
    }

    /// A reader of one table in an array, for the conversion that `list` takes; nil: `node` is no table.
    func element(_ node: TomlNode, of key: String) -> TableReader? {
        guard case .table = node.value else { return nil }
        return TableReader(
            node, title: "an element of \(key)", section: Self.join(section, key), problems: problems, keyList: keyList)
    }

    /// Runs `body` with its keys listed under another section, whose documentation covers them.
    func documented<Result>(under other: String, _ body: () -> Result) -> Result {
        let own = section
        section = other
        defer { section = own }
        return body()
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

    private func take(_ key: String) -> TomlNode.Entry? {
        asked.append(key)
        keyList?.add(key, to: section)
        return entries.first { $0.key == key }
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

/// The keys that a reader knows, by section, in the order in which it asks: what the manual pages must document.
final class KeyList {
    private(set) var keys: [(section: String, key: String)] = []

    func add(_ key: String, to section: String) {
        guard !keys.contains(where: { $0 == (section, key) }) else { return }
        keys.append((section, key))
    }

    /// Runs `read` over nothing and lists what it asks for.
    static func known(by read: (TableReader) -> Void) -> [(section: String, key: String)] {
        let list = KeyList()
        let root = TomlNode(value: .table([]), position: SourcePosition())
        read(TableReader(root, title: "", section: "", problems: Problems(file: ""), keyList: list))
        return list.keys
    }
}
