/// The last transitions of one interface, newest last; older ones give way.
public struct History: Sendable {
    /// One transition.
    public struct Entry: Hashable, Sendable {
        /// What changed.
        public enum Kind: Hashable, Sendable {
            case raw(State, reason: EvidenceSource?)
            case settled(State)
            case flap(latchedDrops: Int)
            case added
            case renamed(from: String)
            case removed
        }
        public var kind: Kind
        /// The interface's name at that time.
        public var ifname: String
        /// CLOCK_MONOTONIC.
        public var monotonicNs: Int64
        /// CLOCK_REALTIME.
        public var realtimeNs: Int64

        public init(kind: Kind, ifname: String, monotonicNs: Int64, realtimeNs: Int64) {
            self.kind = kind
            self.ifname = ifname
            self.monotonicNs = monotonicNs
            self.realtimeNs = realtimeNs
        }
    }

    /// How many entries are kept, 1 or more.
    public let capacity: Int
    private var ring: [Entry] = []
    private var oldest = 0

    public init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    public mutating func append(_ entry: Entry) {
        if ring.count < capacity {
            ring.append(entry)
        } else {
            ring[oldest] = entry
            oldest = (oldest + 1) % capacity
        }
    }

    /// All entries, oldest first.
    public var entries: [Entry] { Array(ring[oldest...] + ring[..<oldest]) }

    /// An entry by its age: 0 is the newest; nil: there are not so many.
    fileprivate func entry(age: Int) -> Entry? {
        age < ring.count ? ring[(oldest + ring.count - 1 - age) % ring.count] : nil
    }

    /// The newest entries of many histories, oldest first.
    ///
    /// A merge: it looks once at every history and once at every entry that it takes.
    public static func newest<Key>(_ limit: Int, of histories: [Key: History]) -> [(key: Key, entry: Entry)] {
        let histories = Array(histories)
        var heads = Heads(histories.enumerated().compactMap { Head(place: $0, $1.value) })
        var newest: [(key: Key, entry: Entry)] = []
        while newest.count < limit, let head = heads.first {
            newest.append((histories[head.place].key, head.entry))
            heads.replaceFirst(by: Head(place: head.place, histories[head.place].value, age: head.age + 1))
        }
        return newest.reversed()
    }
}

/// The newest entry of one of many histories that is still to be taken.
private struct Head {
    let place: Int
    let age: Int
    let entry: History.Entry

    init?(place: Int, _ history: History, age: Int = 0) {
        guard let entry = history.entry(age: age) else { return nil }
        self.place = place
        self.age = age
        self.entry = entry
    }
}

/// A binary heap: no child is newer than its parent.
private struct Heads {
    private var heap: [Head]

    init(_ heads: [Head]) {
        heap = heads
        for place in (0..<heap.count / 2).reversed() { sink(place) }
    }

    var first: Head? { heap.first }

    mutating func replaceFirst(by next: Head?) {
        heap[0] = next ?? heap[heap.count - 1]
        if next == nil { heap.removeLast() }
        sink(0)
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while let child = [2 * parent + 1, 2 * parent + 2].filter(heap.indices.contains).max(by: isOlder),
            isOlder(parent, child)
        {
            heap.swapAt(parent, child)
            parent = child
        }
    }

    private func isOlder(_ left: Int, _ right: Int) -> Bool {
        heap[left].entry.monotonicNs < heap[right].entry.monotonicNs
    }
}
