/// Adverts on the wire against adverts that pass the packet filter: when three in a row say that there is a filter.
import Addresses
import Testing

@testable import VRRPClient

@Suite struct FilterWatchTests {
    private static let intervalNs: Int64 = 1_000_000_000
    private let peer = IPAddress(ipv4: 0xc000_020b)
    private let other = IPAddress(ipv4: 0xc000_020c)

    private func see(_ watch: inout FilterWatch, _ sender: IPAddress, nowNs: Int64 = 0) {
        watch.sawOnWire(sender, 10, intervalNs: Self.intervalNs, nowNs: nowNs)
    }

    @Test func theThirdAdvertThatDoesNotPassMeansAFilter() {
        var watch = FilterWatch()
        for _ in 0..<2 { see(&watch, peer) }
        #expect(!watch.wantsDrain)
        see(&watch, peer)
        #expect(watch.wantsDrain)
        watch.hasDrained()
        #expect(watch.isFiltered)
        #expect(!watch.wantsDrain)
    }

    @Test func whatPassesIsTakenFromTheAccount() {
        var watch = FilterWatch()
        for _ in 0..<3 { see(&watch, peer) }
        for _ in 0..<3 { watch.sawPassed(peer, 10) }
        watch.hasDrained()
        for _ in 0..<2 { see(&watch, peer) }
        #expect(!watch.wantsDrain, "the count has begun anew")
    }

    /// The filter comes after two adverts that passed and have not been drained yet: the third that it drops is noticed.
    @Test func whatPassedBeforeTheFilterDoesNotHideWhatItDrops() {
        var watch = FilterWatch()
        for _ in 0..<3 { see(&watch, peer) }
        for _ in 0..<2 { watch.sawPassed(peer, 10) }
        watch.hasDrained()
        #expect(!watch.isFiltered)
        see(&watch, peer)
        #expect(!watch.wantsDrain)
        see(&watch, peer)
        #expect(watch.wantsDrain)
        watch.hasDrained()
        #expect(watch.isFiltered)
    }

    /// The packet socket has the advert already, the raw one not yet: again and again this is no filter.
    @Test func oneThatIsLateIsNotMissing() {
        var watch = FilterWatch()
        var late = 0
        for _ in 0..<100 {
            see(&watch, peer)
            late += 1
            guard watch.wantsDrain else { continue }
            for _ in 0..<(late - 1) { watch.sawPassed(peer, 10) }
            late = 1
            watch.hasDrained()
            #expect(!watch.isFiltered)
        }
    }

    /// After a long sleep the raw socket's buffer has overflowed.
    @Test func whatAFullBufferLostIsNoFilter() {
        var watch = FilterWatch()
        for _ in 0..<300 { see(&watch, peer) }
        for _ in 0..<250 { watch.sawPassed(peer, 10) }
        watch.hasDrained()
        #expect(!watch.isFiltered)
    }

    @Test func anotherSendersAdvertIsNoAnswer() {
        var watch = FilterWatch()
        for _ in 0..<3 { see(&watch, peer) }
        watch.sawPassed(other, 10)
        watch.sawPassed(peer, 11)
        watch.hasDrained()
        #expect(watch.isFiltered)
    }

    @Test func theNextAdvertThatPassesEndsIt() {
        var watch = FilterWatch()
        for _ in 0..<3 { see(&watch, peer) }
        watch.hasDrained()
        see(&watch, peer)
        #expect(watch.wantsDrain, "while there is a filter every advert is asked about")
        watch.sawPassed(peer, 10)
        watch.hasDrained()
        #expect(!watch.isFiltered)
    }

    @Test func whoFallsSilentIsForgotten() throws {
        var watch = FilterWatch()
        for second in 0..<3 { see(&watch, peer, nowNs: Int64(second) * Self.intervalNs) }
        watch.hasDrained()
        let untilNs = try #require(watch.filteredUntilNs)
        #expect(untilNs == 6 * Self.intervalNs)
        watch.expire(nowNs: untilNs - 1)
        #expect(watch.isFiltered)
        watch.expire(nowNs: untilNs)
        #expect(!watch.isFiltered)
        #expect(watch.filteredUntilNs == nil)
    }

    @Test func fastAdvertsAreNotForgottenInOneSlowMoment() throws {
        var watch = FilterWatch()
        for _ in 0..<3 { watch.sawOnWire(peer, 10, intervalNs: 10_000_000, nowNs: 0) }
        watch.hasDrained()
        #expect(watch.filteredUntilNs == 1_000_000_000)
    }

    @Test func inventedSendersAreNotFollowedWithoutEnd() {
        var watch = FilterWatch()
        for number in UInt32(0)..<5000 {
            see(&watch, IPAddress(ipv4: number))
            if watch.wantsDrain { watch.hasDrained() }
        }
        for _ in 0..<3 { see(&watch, peer) }
        watch.hasDrained()
        #expect(!watch.isFiltered, "a table that is full has no place for another")
        watch.expire(nowNs: .max)
        for _ in 0..<3 { see(&watch, peer) }
        watch.hasDrained()
        #expect(watch.isFiltered)
    }
}
