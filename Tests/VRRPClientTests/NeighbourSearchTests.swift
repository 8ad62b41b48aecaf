/// Who is asked whether a leg works, round by round.
import Addresses
import Testing

@testable import VRRPClient

@Suite struct NeighbourSearchTests {
    private static let roundNs: Int64 = 100_000_000
    private let gateway = IPAddress(ipv4: 0xc000_02fe)
    private let own = IPAddress(ipv4: 0xc000_020d)

    private func network(_ length: Int) throws -> IPPrefix { try #require(IPPrefix(own, length: length)) }

    private func asked(
        _ search: inout NeighbourSearch, rounds: Range<Int64>, known: [IPAddress] = [], speakers: [IPAddress] = [],
        networks: [IPPrefix] = [], excluded: Set<IPAddress> = []
    ) -> [[IPAddress]] {
        rounds.map { number in
            search.round(
                known: known, speakers: speakers, networks: networks, nowNs: number * Self.roundNs,
                isExcluded: excluded.contains)
        }
    }

    @Test func thoseThatAreKnownAreAskedFirst() throws {
        var search = NeighbourSearch()
        let rounds = asked(&search, rounds: 0..<2, known: [gateway], networks: [try network(24)])
        #expect(rounds == [[gateway], [gateway]])
        #expect(!search.asksStrangers)
    }

    /// Every host of a network of the usual size is asked within two seconds of the eager phase, a few at a time.
    @Test(arguments: [24, 25, 28, 30]) func everyHostIsAskedInTheEnd(_ length: Int) throws {
        var search = NeighbourSearch()
        let prefix = try network(length)
        let rounds = asked(&search, rounds: 0..<40, networks: [prefix])
        #expect(rounds.allSatisfy { $0.count <= 16 })
        let all = Set(rounds.joined())
        #expect(all.count == 1 << (32 - length) - 3, "all but the network, the broadcast address and ourselves")
        #expect(all.allSatisfy { prefix.contains($0) && $0 != own })
    }

    @Test func aLargeNetworkIsSearchedAroundUs() throws {
        var search = NeighbourSearch()
        let all = Set(asked(&search, rounds: 0..<100, networks: [try network(8)]).joined())
        #expect(all.count == 255)
        #expect(all.allSatisfy { $0.low >> 8 == own.low >> 8 })
    }

    @Test func whatHasNoHostsIsNotSearched() throws {
        var search = NeighbourSearch()
        for length in [31, 32] {
            let rounds = asked(&search, rounds: 0..<10, networks: [try network(length)])
            let count = rounds.joined().count
            #expect(count == 0)
        }
    }

    @Test func whoAnsweredIsAskedAloneFromThenOn() throws {
        var search = NeighbourSearch()
        let host = IPAddress(ipv4: 0xc000_0215)
        _ = asked(&search, rounds: 0..<4, networks: [try network(24)])
        search.heard(host)
        let answered = asked(&search, rounds: 4..<6, networks: [try network(24)])
        #expect(answered == [[host], [host]])
        let silent = asked(&search, rounds: 6..<7, networks: [try network(24)])
        #expect(silent[0].count > 8, "it has fallen silent")
    }

    @Test func whoseSilenceIsTheQuestionIsNotAsked() throws {
        var search = NeighbourSearch()
        let peer = IPAddress(ipv4: 0xc000_020b)
        let rounds = asked(
            &search, rounds: 0..<40, known: [peer], speakers: [peer], networks: [try network(24)], excluded: [peer])
        #expect(!rounds.joined().contains(peer))
    }

    @Test func whoSpeaksIsAskedBeforeTheNetworkIsSearched() throws {
        var search = NeighbourSearch()
        let host = IPAddress(ipv4: 0xc000_02c8)
        let rounds = asked(&search, rounds: 0..<3, speakers: [host], networks: [try network(24)])
        #expect(rounds[2].first == host)
    }

    @Test func aNewDoubtBeginsAnew() {
        var search = NeighbourSearch()
        _ = asked(&search, rounds: 0..<5)
        #expect(search.asksStrangers)
        _ = asked(&search, rounds: 100..<101)
        #expect(!search.asksStrangers)
    }
}
