/// SplitMix64: small, and the same everywhere.
package struct Dice {
    private var state: UInt64

    package init(_ seed: UInt64) { state = seed }

    /// Other dice, which leave the throws of these as they are.
    func apart(_ salt: UInt64) -> Dice { Dice(state ^ salt) }

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

/// Events in order of their time and, at one time, of their being pushed: a binary heap of keys, with the events beside it.
struct Agenda<Event> {
    private struct Key {
        var atNs: Int64
        var order: Int
        var slot: Int
    }

    private var keys: [Key] = []
    private var slots: [Event?] = []
    private var free: [Int] = []
    private var order = 0

    private static func precedes(_ left: Key, _ right: Key) -> Bool {
        left.atNs != right.atNs ? left.atNs < right.atNs : left.order < right.order
    }

    mutating func push(_ atNs: Int64, _ event: Event) {
        order += 1
        let slot: Int
        if let last = free.popLast() {
            slot = last
            slots[slot] = event
        } else {
            slot = slots.count
            slots.append(event)
        }
        let key = Key(atNs: atNs, order: order, slot: slot)
        keys.append(key)
        var child = keys.count - 1
        while child > 0, Self.precedes(key, keys[(child - 1) / 2]) {
            keys[child] = keys[(child - 1) / 2]
            child = (child - 1) / 2
        }
        keys[child] = key
    }

    mutating func pop() -> (atNs: Int64, event: Event)? {
        guard let first = keys.first, let last = keys.popLast(), let event = slots[first.slot].take() else {
            return nil
        }
        free.append(first.slot)
        guard !keys.isEmpty else { return (first.atNs, event) }
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < keys.count else { break }
            if least + 1 < keys.count, Self.precedes(keys[least + 1], keys[least]) { least += 1 }
            guard Self.precedes(keys[least], last) else { break }
            keys[parent] = keys[least]
            parent = least
        }
        keys[parent] = last
        return (first.atNs, event)
    }
}
