import Addresses
import VRRP

/// One number for all that engines have said, in order: two runs with equal digests did the same.
///
/// It is the same in every process and for every representation of the engine, which Swift's hash values are not: that is how
/// an engine that was only rewritten is known by.
package struct Digest: Hashable, Sendable {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    /// Adds one number (FNV-1a by words, with the upper half folded in).
    package mutating func add(_ number: UInt64) {
        value = (value ^ number) &* 0x100_0000_01b3
        value ^= value >> 29
    }

    package mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }

    private mutating func add(_ text: String) {
        for byte in text.utf8 { add(UInt64(byte)) }
        add(256)
    }

    private mutating func add(_ address: IPAddress) {
        add(address.high)
        add(address.low)
    }

    /// Adds an output of a director's.
    package mutating func add(_ output: Output, of director: Int, nowNs: Int64) {
        add(director)
        add(Int(nowNs))
        switch output {
        case .sendAdvert(let member, let priority): add(1, member.number, Int(priority))
        case .sendHeartbeat(let cable, let word):
            add(2, cable.number, Int(word.priority))
            add(word)
        case .addAddresses(let member): add(3, member.number)
        case .removeAddresses(let member): add(4, member.number)
        case .announce(let member): add(5, member.number)
        case .announceAfterLower(let member): add(13, member.number)
        case .probePeers(let member): add(6, member.number)
        case .probeAddresses(let member): add(7, member.number)
        case .runFence: add(8)
        case .transition(let transition):
            add(9, Int(transition.priority))
            for text in [transition.from.rawValue, transition.to.rawValue, transition.reason.rawValue] { add(text) }
        case .raised(let condition):
            add(10)
            add(condition.description)
        case .cleared(let condition):
            add(11)
            add(condition.description)
        case .causeChanged(let cause, let isPresent):
            add(12, isPresent ? 1 : 0)
            add(cause.description)
        }
    }

    private mutating func add(_ numbers: Int...) { for number in numbers { add(number) } }

    private mutating func add(_ word: PeerWord) {
        add(word.identity)
        add(UInt64(word.stamp))
        for set in [word.holds, word.hears, word.proven] { add(set.rawValue) }
        add((word.hearsHeartbeat ? 1 : 0) + (word.isLast ? 2 : 0))
        for source in word.sources { add(source) }
    }
}
