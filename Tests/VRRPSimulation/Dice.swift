/// SplitMix64: small, and the same everywhere.
package struct Dice {
    private var state: UInt64

    package init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    package mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    mutating func time(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func percent(_ percent: Int) -> Bool { number(0...99) < percent }

    mutating func one<Value>(of values: [Value]) -> Value { values[number(0...(values.count - 1))] }
}

/// Events in order of their time and, at one time, of their being pushed: a binary heap.
struct Agenda<Event> {
    private struct Entry {
        var atNs: Int64
        var order: Int
        var event: Event
    }

    private var entries: [Entry] = []
    private var order = 0

    private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
        (left.atNs, left.order) < (right.atNs, right.order)
    }

    mutating func push(_ atNs: Int64, _ event: Event) {
        order += 1
        entries.append(Entry(atNs: atNs, order: order, event: event))
        var child = entries.count - 1
        while child > 0, Self.precedes(entries[child], entries[(child - 1) / 2]) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (atNs: Int64, event: Event)? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        guard !entries.isEmpty else { return (first.atNs, first.event) }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && Self.precedes(entries[child], entries[least]) { least = child }
            if least == parent { return (first.atNs, first.event) }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
