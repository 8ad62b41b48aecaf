/// What varlink calls a dictionary, `[string]Evidence`: a list rather than a hash table, as there are as many records as there
/// are sources of evidence, and written in its order.
import Varlink

/// What each source says, by its name.
public typealias EvidenceTable = RecordTable<EvidenceRecord>

/// The work of each prober, by the name of its source.
public typealias ProbeTable = RecordTable<ProbeRecord>

/// Records by name.
public struct RecordTable<Record: MonitorRecord>: JSONEncodable, JSONDecodable, Hashable, Sendable,
    ExpressibleByDictionaryLiteral
{
    /// A name and its record.
    public struct Entry: Hashable, Sendable {
        public let name: String
        public let record: Record

        public init(_ name: String, _ record: Record) {
            self.name = name
            self.record = record
        }
    }
    /// In the order of the model, where linkwatchd has written them.
    public private(set) var entries: [Entry]

    public init(dictionaryLiteral elements: (String, Record)...) {
        entries = elements.map { Entry($0, $1) }
    }

    /// - Parameter entries: no name twice.
    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        entries = []
        for member in try value.object().members {
            do throws(JSON.FieldError) {
                entries.append(Entry(member.key, try Record(decoding: member.value)))
            } catch {
                throw error.within(member.key)
            }
        }
    }

    public func encode(into writer: inout JSONWriter) {
        writer.object { writer in
            for entry in entries {
                writer.key(named: entry.name)
                entry.record.encode(into: &writer)
            }
        }
    }

    /// The record of this name; nil: it is not there.
    public subscript(name: String) -> Record? {
        get { entries.first { $0.name == name }?.record }
        set {
            let place = entries.firstIndex { $0.name == name } ?? entries.endIndex
            let end = min(place + 1, entries.endIndex)
            entries.replaceSubrange(place..<end, with: newValue.map { [Entry(name, $0)] } ?? [])
        }
    }
}
