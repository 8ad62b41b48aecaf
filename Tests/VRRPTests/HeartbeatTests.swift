import Addresses
import Testing

@testable import VRRP

/// Heartbeats encoded and decoded, and the pool that receives them.
struct HeartbeatTests {
    private let own = IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: 1)
    private let peer = IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: 2)
    private let cable = CableConfiguration(name: "cross1", interface: "hb0", vrid: 11, peerVrid: 21)

    private func members(_ count: Int) -> [MemberConfiguration] {
        (0..<count).map { index in
            let address =
                index % 2 == 0
                ? IPAddress(ipv4: 0xc000_0200 + UInt32(index))
                : IPAddress(ipv6High: 0x2001_0db8_0000_0000, low: UInt64(index))
            return MemberConfiguration(name: "m\(index)", interface: "eth\(index)", vrid: 1, addresses: [address])
        }
    }

    @Test func wordSurvivesTheWire() throws {
        let members = members(3)
        for holds in [MemberSet(), .init(rawValue: 5), .first(3)] {
            for hears in [MemberSet(), .init(rawValue: 2)] {
                for hearsHeartbeat in [false, true] {
                    var word = PeerWord(
                        priority: 200, identity: own, stamp: 0x0abc_def1, holds: holds, hears: hears,
                        hearsHeartbeat: hearsHeartbeat, proven: .init(rawValue: 6),
                        sources: [IPAddress(ipv4: 0xc000_02fe), own])
                    word.intervalNs = cable.intervalNs
                    let advert = HeartbeatCodec.advert(
                        word, cable: cable, source: own, peerIdentity: peer, members: members)
                    let octets = AdvertCodec.encode(advert, destination: AdvertCodec.ipv6Group)
                    let header = IPHeader(
                        source: own, destination: AdvertCodec.ipv6Group, hopLimit: 255, payload: 0..<octets.count)
                    let decoded = try AdvertCodec.decode(octets.span, header: header) { _ in AdvertExpectation() }
                    #expect(HeartbeatCodec.word(decoded, ownIdentity: peer, members: members) == word)
                }
            }
        }
    }

    @Test func ipv4CableListsIPv4Members() {
        var cable = cable
        cable.family = .ipv4
        let members = [members(1)[0]]
        let own = IPAddress(ipv4: 0x0a00_0001)
        var word = PeerWord(
            priority: 1, identity: own, stamp: 7, holds: .first(1), proven: .first(1), sources: [IPAddress(ipv4: 7)])
        word.intervalNs = cable.intervalNs
        let advert = HeartbeatCodec.advert(word, cable: cable, source: own, peerIdentity: nil, members: members)
        #expect(advert.addresses.allSatisfy { $0.family == .ipv4 })
        #expect(HeartbeatCodec.word(advert, ownIdentity: nil, members: members) == word)
    }

    /// Those without addresses are told apart by family and VRID.
    @Test(arguments: IPAddress.Family.allCases) func membersWithoutAddressesAreListed(family: IPAddress.Family) throws {
        var cable = cable
        cable.family = family
        let own = family == .ipv6 ? own : IPAddress(ipv4: 0x0a00_0001)
        let members = [(1, .ipv4), (2, .ipv4), (1, .ipv6)].map { (vrid: UInt8, family: IPAddress.Family) in
            MemberConfiguration(name: "m", interface: "eth0", vrid: vrid, addresses: [], family: family)
        }
        for set in (0..<8).map(MemberSet.init(rawValue:)) {
            var word = PeerWord(priority: 1, identity: own, stamp: 7, holds: set, hears: set, proven: set)
            word.intervalNs = cable.intervalNs
            let advert = HeartbeatCodec.advert(word, cable: cable, source: own, peerIdentity: nil, members: members)
            #expect(HeartbeatCodec.word(advert, ownIdentity: nil, members: members) == word)
        }
    }

    @Test func fortyMembersFitIntoAFrame() throws {
        let members = members(GroupConfiguration.membersMaxWithPool)
        let all = MemberSet.first(members.count)
        let word = PeerWord(
            priority: 200, identity: own, holds: all, hears: all, hearsHeartbeat: true, proven: all)
        let advert = HeartbeatCodec.advert(word, cable: cable, source: own, peerIdentity: peer, members: members)
        #expect(AdvertCodec.encode(advert, destination: AdvertCodec.ipv6Group).count + 40 <= 1500)
        let heard = try #require(HeartbeatCodec.word(advert, ownIdentity: peer, members: members))
        #expect(heard.holds == all && heard.hears == all && heard.hearsHeartbeat)
        #expect(heard.proven.isStrictSubset(of: all))
    }

    @Test func ordinaryAdvertIsNoWord() {
        let advert = Advert(vrid: 11, priority: 200, intervalNs: 1, addresses: [own, peer, own, peer], source: own)
        #expect(HeartbeatCodec.word(advert, ownIdentity: peer, members: members(2)) == nil)
    }

    /// Too short, without a stamp, or with lists too few or too many.
    @Test func mangledWordIsNone() {
        let word = PeerWord(priority: 200, identity: own, stamp: 7, holds: .first(1), hears: .first(1))
        let whole = HeartbeatCodec.advert(word, cable: cable, source: own, peerIdentity: nil, members: members(1))
        func isWord(_ addresses: [IPAddress]) -> Bool {
            var advert = whole
            advert.addresses = addresses
            return HeartbeatCodec.word(advert, ownIdentity: peer, members: members(1)) != nil
        }
        let addresses = whole.addresses
        #expect(isWord(addresses))
        for count in 0..<4 { #expect(!isWord(Array(addresses.prefix(count)))) }
        #expect(!isWord(addresses + [IPAddress(ipv6High: 0, low: 0)]))
        #expect(!isWord(addresses.filter { !$0.isUnspecified }))
        #expect(!isWord([addresses[0]] + addresses.dropFirst(2)))
    }

    /// Sixty-four members are the most, and a place outside of them is never in a set.
    @Test func memberSetHasItsBounds() {
        #expect(MemberSet.first(64).rawValue == .max && MemberSet.first(63).rawValue == .max >> 1)
        for index: MemberIndex in [-1, 64] {
            #expect(MemberSet(member: index) == [] && !MemberSet.first(64).contains(member: index))
        }
        #expect(MemberSet.first(64).contains(member: 63) && MemberSet.first(-1) == [])
    }

    @Test func freshestWordCounts() {
        var pool = HeartbeatPool(cables: [.init(address: own), .init()])
        let old = PeerWord(priority: 100, identity: peer, stamp: 0x0fff_fff0)
        let new = PeerWord(priority: 0, identity: peer, stamp: 3)
        #expect(pool.receive(new, cable: 0, intervalNs: 100, nowNs: 0) == .accepted)
        #expect(pool.receive(old, cable: 1, intervalNs: 100, nowNs: 10) == .stale)
        #expect(pool.word == new)
        #expect(pool.cables[1].aliveUntilNs == 310)
        #expect(pool.receive(new, cable: 1, intervalNs: 100, nowNs: 20) == .accepted)
        pool.expire(nowNs: 319)
        #expect(pool.word == new)
        pool.expire(nowNs: 320)
        #expect(pool.word == nil)
        // The peer's machine started anew: its clock begins at 0, and nothing fresh speaks against it.
        #expect(pool.receive(new, cable: 1, intervalNs: 100, nowNs: 330) == .accepted)
        #expect(pool.receive(old, cable: 1, intervalNs: 100, nowNs: 629) == .stale)
        #expect(pool.receive(old, cable: 1, intervalNs: 100, nowNs: 630) == .accepted)
    }

    /// Stamps wrap: what is less than half of their range ahead is newer.
    @Test(arguments: [
        (UInt32(5), UInt32(5), false), (5, 6, true), (6, 5, false), (0x0fff_ffff, 0, true), (0, 0x0fff_ffff, false),
        (0x07ff_ffff, 0, false), (0x0800_0000, 0, true),
    ])
    func stampsWrap(stamp: UInt32, other: UInt32, isOlder: Bool) {
        #expect(HeartbeatPool.isOlder(stamp, than: other) == isOlder)
    }

    /// A word that was written beforehand counts as said after all that its director said, and before all that the next
    /// process says.
    @Test func lastWordIsNewerThanTheDeadAndOlderThanTheNext() {
        var pool = HeartbeatPool(cables: [.init(address: own), .init()])
        var last = PeerWord(priority: 0, identity: peer)
        last.isLast = true
        for stamp: UInt32 in [3, 0x0700_0000, 0x0fff_fffe] {
            pool.expire(nowNs: 1000)
            let spoken = PeerWord(priority: 200, identity: peer, stamp: stamp, holds: .first(2))
            #expect(pool.receive(spoken, cable: 0, intervalNs: 100, nowNs: 1000) == .accepted)
            #expect(pool.receive(last, cable: 0, intervalNs: 100, nowNs: 1001) == .accepted)
            #expect(pool.receive(spoken, cable: 1, intervalNs: 100, nowNs: 1002) == .stale)
            #expect(pool.receive(last, cable: 1, intervalNs: 100, nowNs: 1003) == .accepted)
            #expect(pool.word?.priority == 0 && pool.word?.holds == [])
            let next = PeerWord(priority: 200, identity: peer, stamp: (stamp &+ 40) & 0x0fff_ffff)
            #expect(pool.receive(next, cable: 0, intervalNs: 100, nowNs: 1004) == .accepted)
            pool.expire(nowNs: 2000)
            // Nobody was fresh: whatever comes next is newer.
            #expect(pool.receive(last, cable: 0, intervalNs: 100, nowNs: 2000) == .accepted)
            #expect(pool.receive(spoken, cable: 0, intervalNs: 100, nowNs: 2001) == .accepted)
            pool.expire(nowNs: 3000)
        }
    }

    @Test func lastWordIsToldFromEveryOther() throws {
        for (stamp, isLast) in [(UInt32(7), true), (0x0fff_ffff, false), (0x0fff_fffe, false), (0, false)] {
            var word = PeerWord(priority: 0, identity: own, stamp: stamp)
            word.isLast = isLast
            let advert = HeartbeatCodec.advert(word, cable: cable, source: own, peerIdentity: nil, members: [])
            let heard = try #require(HeartbeatCodec.word(advert, ownIdentity: peer, members: []))
            #expect(heard.isLast == isLast)
            #expect(isLast || heard.stamp == min(stamp, 0x0fff_fffe))
        }
    }

    @Test func echoIsKnown() {
        var pool = HeartbeatPool(cables: [.init(), .init(address: own)])
        let word = PeerWord(priority: 100, identity: own)
        #expect(pool.receive(word, cable: 0, intervalNs: 100, nowNs: 0) == .echo)
        #expect(pool.cables[0].aliveUntilNs == nil && pool.word == nil)
    }

    /// A peer that was silent may have held meanwhile and released at our first heartbeat: we must announce our
    /// addresses.
    @Test func holderAnnouncesWhenASilentPeerSpeaksAgain() {
        let configuration = GroupConfiguration(name: "lvs", priority: 255, members: members(1), cables: [cable])
        var engine = Engine(configuration: configuration)
        let snapshot = Snapshot(primaryAddresses: [IPAddress(ipv4: 0xc000_0264)], cableAddresses: [own])
        _ = engine.handle(.start(snapshot), nowNs: 0)
        _ = engine.handle(.holding(member: 0, true), nowNs: 1)
        #expect(engine.groupState == .master)

        func announces(at ms: Int64) -> Bool {
            let word = PeerWord(priority: 100, identity: peer, stamp: UInt32(ms))
            return engine.handle(.heartbeat(cable: 0, word), nowNs: ms * 1_000_000).contains(.announce(member: 0))
        }
        #expect(announces(at: 100))
        #expect(!announces(at: 200))
        _ = engine.handle(.timer, nowNs: 1_500_000_000)
        #expect(announces(at: 2000))
        #expect(!announces(at: 2100))
    }

    /// A director that slept longer than its lease must not say that it holds, or the one that has taken over would
    /// yield.
    @Test(arguments: [Input.timer, .holding(member: 0, true)]) func whoAwakesClaimsNothing(first: Input) {
        let configuration = GroupConfiguration(name: "lvs", priority: 255, members: members(1), cables: [cable])
        var engine = Engine(configuration: configuration)
        let snapshot = Snapshot(primaryAddresses: [IPAddress(ipv4: 0xc000_0264)], cableAddresses: [own])
        _ = engine.handle(.start(snapshot), nowNs: 0)
        _ = engine.handle(.holding(member: 0, true), nowNs: 1)
        // What is read first may be an old word of the kernel's.
        let outputs = engine.handle(first, nowNs: 10_000_000_000)
        #expect(engine.groupState == .backup)
        let words = outputs.compactMap { output in
            if case .sendHeartbeat(_, let word) = output { word } else { nil }
        }
        #expect(!words.isEmpty)
        #expect(words.allSatisfy { $0.holds.isEmpty })
    }
}

extension HeartbeatPool {
    fileprivate mutating func expire(nowNs: Int64) {
        var expiry = Expiry(nowNs: nowNs)
        visitTimes(&expiry)
    }
}
