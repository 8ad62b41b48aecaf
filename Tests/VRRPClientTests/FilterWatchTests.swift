/// Adverts on the wire against adverts that pass the packet filter: when three in a row say that there is a filter.
import Addresses
import Testing

@testable import VRRPClient

/// A watch, and a clock that each advert moves on by an interval.
private final class Bench {
    static let intervalNs: Int64 = 1_000_000_000
    var watch = FilterWatch()
    var nowNs: Int64 = 0

    func see(_ sender: IPAddress, _ count: Int = 1) {
        for _ in 0..<count {
            nowNs += Self.intervalNs
            see(sender, atOnce: 1)
        }
    }

    /// All of them are read now.
    func see(_ sender: IPAddress, atOnce count: Int) {
        let group = IPAddress(ipv4: 0xe000_0012)
        for _ in 0..<count { watch.sawOnWire(sender, 10, to: group, intervalNs: Self.intervalNs, nowNs: nowNs) }
    }

    func pass(_ sender: IPAddress, _ count: Int = 1) {
        for _ in 0..<count { watch.sawPassed(sender, 10) }
    }

    /// Drains, asks the stack about what is missing, and says whether there is a filter.
    func isFiltered(wouldTake: Bool = true) -> Bool {
        watch.hasDrained()
        watch.confirm(nowNs: nowNs) { _, _ in wouldTake }
        return watch.isFiltered
    }
}

@Suite struct FilterWatchTests {
    private let peer = IPAddress(ipv4: 0xc000_020b)
    private let other = IPAddress(ipv4: 0xc000_020c)

    @Test func theThirdAdvertThatDoesNotPassMeansAFilter() {
        let bench = Bench()
        bench.see(peer, 2)
        #expect(!bench.watch.wantsDrain)
        bench.see(peer)
        #expect(bench.watch.wantsDrain)
        #expect(bench.isFiltered())
        #expect(!bench.watch.wantsDrain)
    }

    @Test func whatPassesIsTakenFromTheAccount() {
        let bench = Bench()
        bench.see(peer, 3)
        bench.pass(peer, 3)
        #expect(!bench.isFiltered())
        bench.see(peer, 2)
        #expect(!bench.watch.wantsDrain, "the count has begun anew")
    }

    /// The filter comes after two adverts that passed and have not been drained yet: the third that it drops is noticed.
    @Test func whatPassedBeforeTheFilterDoesNotHideWhatItDrops() {
        let bench = Bench()
        bench.see(peer, 3)
        bench.pass(peer, 2)
        #expect(!bench.isFiltered())
        bench.see(peer)
        #expect(!bench.watch.wantsDrain)
        bench.see(peer)
        #expect(bench.watch.wantsDrain)
        #expect(bench.isFiltered())
    }

    /// The packet socket has the advert already, the raw one not yet: again and again this is no filter.
    @Test func oneThatIsLateIsNotMissing() {
        let bench = Bench()
        var late = 0
        for _ in 0..<100 {
            bench.see(peer)
            late += 1
            guard bench.watch.wantsDrain else { continue }
            bench.pass(peer, late - 1)
            late = 1
            #expect(!bench.isFiltered())
        }
    }

    /// After a long sleep the raw socket's buffer has overflowed.
    @Test func whatAFullBufferLostIsNoFilter() {
        let bench = Bench()
        bench.see(peer, 300)
        bench.pass(peer, 250)
        #expect(!bench.isFiltered())
    }

    /// After a sleep of fifty intervals: the wire is read in two batches, and what passed in one go between them.
    @Test(arguments: [1, 31, 32, 40]) func whatPassedBeforeItIsReadFromTheWireIsNotForgotten(_ first: Int) {
        let bench = Bench()
        bench.see(peer, atOnce: first)
        bench.pass(peer, 50)
        #expect(!bench.isFiltered())
        for _ in first..<50 {
            bench.see(peer)
            if bench.watch.wantsDrain { #expect(!bench.isFiltered()) }
        }
        bench.watch.sawWireEmpty()
        bench.see(peer, 3)
        #expect(bench.watch.wantsDrain && bench.isFiltered(), "a filter after that is noticed as ever")
    }

    /// What the wire's own socket lost does not hide a filter for as long.
    @Test func whatTheWireLostIsNotWaitedFor() {
        let bench = Bench()
        bench.see(peer, 3)
        bench.pass(peer, 50)
        #expect(!bench.isFiltered())
        bench.watch.sawWireEmpty()
        bench.see(peer, 3)
        #expect(bench.watch.wantsDrain && bench.isFiltered())
    }

    /// A card, or we, stood still: three at once were late, and those behind them may be.
    @Test func whatIsReadInOneGoIsNoFilter() {
        let bench = Bench()
        bench.see(peer, atOnce: 12)
        #expect(bench.watch.wantsDrain && !bench.isFiltered())
        bench.see(peer)
        #expect(bench.isFiltered(), "the next one says so")
    }

    @Test func whatTheStackWouldDropItselfIsNoFilter() {
        let bench = Bench()
        bench.see(peer, 12)
        #expect(bench.watch.wantsDrain && !bench.isFiltered(wouldTake: false))
        bench.see(peer, 3)
        #expect(!bench.watch.wantsDrain && !bench.isFiltered(wouldTake: true), "it is not asked about each time")
        bench.see(peer, 10)
        #expect(bench.isFiltered(wouldTake: true), "but again after some time")
    }

    @Test func otherSuspectsDoNotBorrowAFiltersName() {
        let bench = Bench()
        bench.see(peer, 3)
        #expect(bench.isFiltered())
        bench.see(other, 3)
        bench.pass(peer, 1)
        #expect(!bench.isFiltered(wouldTake: false))
    }

    @Test func whatTheRawSocketLostConcludesNothing() {
        let bench = Bench()
        bench.see(peer, 3)
        bench.watch.hasDrained()
        #expect(bench.watch.isSuspicious)
        bench.watch.forgetWindow()
        #expect(!bench.watch.isSuspicious && !bench.isFiltered())
        bench.see(peer, 2)
        #expect(!bench.isFiltered())
    }

    @Test func fewAreAskedAboutAtATime() {
        let bench = Bench()
        for number in UInt32(0)..<100 {
            bench.see(IPAddress(ipv4: number), 3)
        }
        bench.watch.hasDrained()
        var asked = 0
        bench.watch.confirm(nowNs: bench.nowNs) { _, _ in
            asked += 1
            return false
        }
        #expect(asked == 8 && !bench.watch.isFiltered)
    }

    @Test func anotherSendersAdvertIsNoAnswer() {
        let bench = Bench()
        bench.see(peer, 3)
        bench.pass(other)
        bench.watch.sawPassed(peer, 11)
        #expect(bench.isFiltered())
    }

    @Test func theNextAdvertThatPassesEndsIt() {
        let bench = Bench()
        bench.see(peer, 3)
        #expect(bench.isFiltered())
        bench.see(peer)
        #expect(bench.watch.wantsDrain, "while there is a filter every advert is asked about")
        bench.pass(peer)
        #expect(!bench.isFiltered())
    }

    @Test func whoFallsSilentIsForgotten() throws {
        let bench = Bench()
        bench.see(peer, 3)
        #expect(bench.isFiltered())
        let untilNs = try #require(bench.watch.filteredUntilNs)
        #expect(untilNs == bench.nowNs + 4 * Bench.intervalNs)
        bench.watch.expire(nowNs: untilNs - 1)
        #expect(bench.watch.isFiltered)
        bench.watch.expire(nowNs: untilNs)
        #expect(!bench.watch.isFiltered)
        #expect(bench.watch.filteredUntilNs == nil)
    }

    @Test func fastAdvertsAreNotForgottenInOneSlowMoment() {
        var watch = FilterWatch()
        for number in Int64(0)..<3 {
            watch.sawOnWire(
                peer, 10, to: IPAddress(ipv4: 0xe000_0012), intervalNs: 10_000_000, nowNs: number * 10_000_000)
        }
        watch.hasDrained()
        watch.confirm(nowNs: 0) { _, _ in true }
        #expect(watch.filteredUntilNs == 1_020_000_000)
    }

    @Test func inventedSendersAreNotFollowedWithoutEnd() {
        let bench = Bench()
        for number in UInt32(0)..<5000 {
            bench.see(IPAddress(ipv4: number))
            if bench.watch.wantsDrain { bench.watch.hasDrained() }
        }
        bench.see(peer, 3)
        #expect(!bench.isFiltered(), "a table that is full has no place for another")
        bench.watch.expire(nowNs: .max)
        bench.see(peer, 3)
        #expect(bench.isFiltered())
    }
}
