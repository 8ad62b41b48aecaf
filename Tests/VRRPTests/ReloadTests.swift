import Addresses
import Testing

@testable import VRRP

/// A new configuration: the difference, and nothing else.
struct ReloadTests {
    private func router(_ state: GroupState, members: Int = 1, cables: Int = 0) -> Router {
        var router = Router(members: members, cables: cables)
        router.become(state)
        router.pass(Router.secondNs / 2)
        _ = router.takeDone()
        _ = router.takeWords()
        return router
    }

    private static let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256

    @Test(arguments: [GroupState.backup, .master, .fault]) func sameChangesNothing(state: GroupState) {
        var router = router(state, members: 2, cables: 1)
        var before = router.engine.status
        let cause = Cause(.link, "eth0", detail: "mii")
        router.reload(causes: state == .fault ? [cause] : []) { _ in }
        // What it is, it says anew.
        before.statistics = router.engine.status.statistics
        #expect(router.engine.status == before)
        #expect(router.takeDone() == [])
    }

    /// A master speaks on the new leg at once, and then takes it; the others it has.
    @Test func masterTakesANewLeg() {
        var router = router(.master)
        router.reload { $0.members.append(Router.member(1)) }
        #expect(router.takeDone() == ["advert 1 100", "add 1", "announce 1"])
        #expect(router.state == .master)
    }

    @Test func backupListensOnANewLeg() {
        var router = router(.backup)
        router.reload { $0.members.append(Router.member(1)) }
        #expect(router.downNs(0) == Self.downNs - Router.secondNs / 2)
        #expect(router.downNs(1) == Self.downNs)
        #expect(router.takeDone() == [])
    }

    /// Other addresses on a leg are added; who is master there is known.
    @Test func masterAddsNewAddresses() {
        var router = router(.master)
        router.reload { $0.members[0].addresses.append(Router.address(.ipv4, 99)) }
        #expect(router.takeDone() == ["add"])
        var backup = self.router(.backup)
        backup.reload { $0.members[0].addresses.append(Router.address(.ipv4, 99)) }
        #expect(backup.takeDone() == [])
        #expect(backup.downNs() == Self.downNs - Router.secondNs / 2)
    }

    /// Legs are known by name, wherever they stand.
    @Test func legsMayChangePlaces() {
        var router = router(.backup, members: 2, cables: 1)
        router.hear(200, on: 1)
        let second = MemberSet(member: 1)
        router.hearWord(200, holds: second, hears: second, proven: second)
        router.reload { $0.members.reverse() }
        #expect(router.engine.status.members.map(\.isHeard) == [true, false])
        let word = router.engine.status.peer?.word
        let first = MemberSet(member: 0)
        #expect(word?.holds == first && word?.hears == first && word?.proven == first)
    }

    /// With a leg go its causes; what the snapshot does not list is over, and what it lists has come.
    @Test func causesAreTheSnapshots() {
        var router = router(.backup, members: 2)
        router.give(.primaryAddress(member: 1, nil))
        router.give(.cause(Cause(.tracked, "check:upstream"), isPresent: true))
        router.give(.cause(Cause(.config, "m0"), isPresent: true))
        func causes() -> [String] { router.engine.status.causes.map(\.description) }
        #expect(causes() == ["no-address:eth1", "config:m0", "check:upstream"])
        router.reload(causes: [Cause(.tracked, "route:0.0.0.0/0"), Cause(.config, "m0")]) { $0.members.removeLast() }
        #expect(causes() == ["config:m0", "route:0.0.0.0/0"])
        router.reload { _ in }
        #expect(causes() == [])
    }

    /// An address that is still missing stays a cause.
    @Test func missingAddressIsKept() {
        var router = router(.backup)
        var snapshot = router.snapshot(router.engine.configuration)
        snapshot.primaryAddresses = [nil]
        for _ in 0..<2 {
            router.give(.reload(router.engine.configuration, snapshot))
            #expect(router.engine.status.causes.map(\.description) == ["no-address:eth0"])
        }
        router.reload { _ in }
        #expect(router.engine.status.causes == [])
        #expect(router.told == ["no-address:eth0", "no-address:eth0 is over"])
    }

    /// The priority is that of the new file, with what the snapshot adds to it.
    @Test func priorityIsTheNewOne() {
        var router = router(.backup)
        router.give(.weight(name: "check:upstream", -30))
        router.reload { $0.priority = 150 }
        #expect(router.priority == 150)
        router.reload { $0.priority = 255 }
        #expect(router.priority == 255)
    }

    /// A shorter interval holds at once, a longer one from the next advert on.
    @Test(arguments: [(Router.secondNs / 4, Router.secondNs / 4), (Router.otherNs, Router.secondNs * 3 / 2)])
    func intervalChanges(toNs: Int64, nextNs: Int64) {
        var router = router(.master)
        router.reload { $0.advertIntervalNs = toNs }
        #expect(router.advertNs == nextNs)
        router.pass(nextNs)
        #expect(router.takeDone() == ["advert 100"])
        #expect(router.advertNs == toNs)
    }

    /// In version 3 the interval learned from the current master stays; one from our own configuration is replaced.
    @Test func ownIntervalIsTheNewOne() {
        for (version, state, isHeard) in [
            (Version.v2, GroupState.backup, true), (.v3, .backup, false), (.v3, .master, false), (.v3, .master, true),
        ] {
            var router = Router(100, version)
            router.become(state)
            if isHeard { router.hear(state == .master ? 50 : 200) }
            router.reload { $0.advertIntervalNs = Router.otherNs }
            #expect(router.engine.status.members[0].masterIntervalNs == Router.otherNs)
        }
        var backup = Router()
        backup.become(.backup)
        backup.hear(200, intervalNs: Router.secondNs)
        backup.reload { $0.advertIntervalNs = Router.otherNs }
        #expect(backup.engine.status.members[0].masterIntervalNs == Router.secondNs)
    }

    @Test func nothingIsSaidBeforeTheStart() {
        var router = Router(members: 1, cables: 1)
        router.reload {
            $0.members.append(Router.member(1))
            $0.cables.append(Router.cable(1))
        }
        router.pass(10 * Router.secondNs)
        #expect(router.takeDone() == [] && router.takeWords() == [] && router.engine.nextDeadlineNs == nil)
    }

    /// A new cable speaks at once and counts as alive until it has had time to be heard; with the last one goes the peer.
    @Test func cablesComeAndGo() {
        var router = router(.backup, cables: 1)
        router.hearWord(50)
        router.reload { $0.cables.append(Router.cable(1)) }
        #expect(router.takeWords().count >= 2)
        #expect(router.conditions == [])
        for _ in 0..<4 {
            router.pass(Router.secondNs / 10)
            router.hearWord(50)
        }
        #expect(router.conditions == ["heartbeat-degraded:cross1"])
        router.reload { $0.cables = [] }
        #expect(router.engine.status.peer == nil && router.conditions == [])
        // No pool, so a soft cause is FAULT again.
        router.give(.cause(Cause(.tracked, "check:upstream"), isPresent: true))
        #expect(router.state == .fault)
    }

    /// A reload between the start and the first backup: what is left over goes, under the new file's name, and then it begins.
    @Test func reloadBeforeTheFirstBackup() {
        var router = Router()
        router.confirms = false
        var snapshot = router.snapshot(router.engine.configuration)
        snapshot.holding = [true]
        router.give(.start(snapshot))
        #expect(router.takeDone() == ["remove"] && router.state == .initialize)
        // The first leg is clean meanwhile, the new one is not.
        var configuration = router.engine.configuration
        configuration.members.append(Router.member(1))
        snapshot = router.snapshot(configuration)
        snapshot.holding = [false, true]
        router.give(.reload(configuration, snapshot))
        #expect(router.takeDone() == ["remove 1"] && router.state == .initialize)
        router.give(.holding(member: 1, false))
        #expect(router.state == .backup)
        // With nothing left there is nothing to wait for.
        var clean = Router()
        clean.confirms = false
        snapshot = clean.snapshot(clean.engine.configuration)
        snapshot.holding = [true]
        clean.give(.start(snapshot))
        clean.reload { _ in }
        #expect(clean.state == .backup)
    }

    /// A new leg of a backup that has the address already is freed of it, and is not said to hold.
    @Test func leftoverOnANewLegIsRemoved() {
        var router = router(.backup, cables: 1)
        router.confirms = false
        var configuration = router.engine.configuration
        configuration.members.append(Router.member(1))
        var snapshot = router.snapshot(configuration)
        snapshot.holding = [false, true]
        router.give(.reload(configuration, snapshot))
        #expect(router.takeDone() == ["remove 1"])
        #expect(router.takeWords().allSatisfy { $0.holds.isEmpty })
    }

    /// An address that appears on a backup though nobody asked for it.
    @Test func addressThatAppearsIsRemoved() {
        for state in [GroupState.backup, .fault] {
            var router = router(state, cables: 1)
            router.confirms = false
            router.give(.holding(member: 0, true))
            #expect(router.takeDone() == ["remove"])
            #expect(router.takeWords().allSatisfy { $0.holds.isEmpty })
            // What a master held is held until the kernel has let go, whoever waits for that.
            router.give(.holding(member: 0, false))
        }
        var master = router(.master, cables: 1)
        master.confirms = false
        master.hear(200)
        #expect(master.state == .backup)
        #expect(master.takeWords().last?.holds == .first(1))
        master.give(.holding(member: 0, false))
        #expect(master.takeWords().last?.holds == [])
    }

    /// Waits by the old file's longer times are not sat out.
    @Test(arguments: [Version.v2, .v3]) func longWaitsAreCutShort(version: Version) {
        var router = Router(100, version) { $0.advertIntervalNs = 40 * Router.secondNs }
        router.become(.backup)
        #expect((router.downNs() ?? 0) > 100 * Router.secondNs)
        router.reload { $0.advertIntervalNs = Router.secondNs }
        #expect((router.downNs() ?? 0) < 4 * Router.secondNs)
        router.pass(4 * Router.secondNs)
        #expect(router.state == .master)
        var delayed = Router(100, version) { $0.preemptDelayNs = 3600 * Router.secondNs }
        delayed.holder = 200
        delayed.become(.backup)
        for count in 0..<40 where delayed.state == .backup {
            delayed.hear(50)
            delayed.pass(Router.secondNs)
            if count == 20 { delayed.reload { $0.preemptDelayNs = 5 * Router.secondNs } }
        }
        #expect(delayed.state == .master)
    }
}
