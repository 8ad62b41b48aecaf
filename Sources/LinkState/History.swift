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
}
