/// A section `[kind.NAME]`: its values with their defaults, and the keys that set them.
protocol SectionKeys {
    init(name: String)
    /// Reads each key of the section, and reports what is wrong with it.
    mutating func read(_ keys: TableReader)
}

/// A section as it was read, with the places that a message about two sections names.
struct NamedSection<Value> {
    let name: Located<String>
    var value: Value
    let keys: TableReader
}

extension NamedSection where Value: SectionKeys {
    init(_ name: Located<String>, _ keys: TableReader) {
        var value = Value(name: name.value)
        value.read(keys)
        self.init(name: name, value: value, keys: keys)
    }
}

extension TableReader {
    /// The sections `[key.NAME]`, in the order of the file.
    func sections<Value: SectionKeys>(_ key: String, atMost limit: Int) -> [NamedSection<Value>] {
        var sections: [NamedSection<Value>] = []
        self.sections(key, atMost: limit) { sections.append(NamedSection($0, $1)) }
        return sections
    }
}
