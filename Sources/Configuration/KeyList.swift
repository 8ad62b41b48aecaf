/// The keys that a reader knows, by section, in the order in which it asks for them: what the manual pages must say.
///
/// The reader runs over nothing, with every table and one element of every list there, and each accessor leaves what
/// it knows of its key.
final class KeyList {
    struct Key {
        /// As the manual's headings name it: `group.NAME`.
        var section: String
        var name: String
        /// What stands after `=` in the manual.
        var form: String
        /// The smallest and the largest value, as the file writes them.
        var bounds: (low: String, high: String)?
        /// How many elements its array has.
        var count: ClosedRange<Int>?
        /// As the file writes it; nil: there is none.
        var `default`: String?
        /// Whether the section lacks something without it.
        var isRequired = false
    }

    private(set) var keys: [Key] = []

    func add(_ key: Key) {
        guard !keys.contains(where: { $0.section == key.section && $0.name == key.name }) else { return }
        keys.append(key)
    }

    /// Runs `read` over nothing and lists what it asks for.
    static func known(by read: (TableReader) -> Void) -> [Key] {
        let list = KeyList()
        let root = TomlNode(value: .table([]), position: SourcePosition())
        read(TableReader(root, title: "", section: "", problems: Problems(file: ""), keyList: list))
        return list.keys
    }
}
