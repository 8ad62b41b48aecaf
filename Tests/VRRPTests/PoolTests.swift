import Addresses
import Testing

@testable import VRRP

/// What a group does because of its peer's heartbeats, where `RuleTests` has no bench for it.
struct PoolTests {
    private static let both = MemberSet.first(1)

    private func master(_ priority: UInt8 = 100, cables: Int = 1) -> Router {
        var router = Router(priority, cables: cables)
        router.become(.master)
        _ = router.takeWords()
        return router
    }

    // MARK: Two holders

    /// Equal priorities: who the cables know them by decides; our identity ends in 100.
    @Test(arguments: [(UInt8(101), UInt64(50), false), (100, 200, false), (100, 50, true), (99, 200, true)])
    func twoHoldersElect(priority: UInt8, host: UInt64, wins: Bool) {
        var router = master()
        router.hearWord(priority, holds: Self.both, host: host)
        #expect((router.state == .master) == wins)
        #expect(router.transitions.last?.reason == (wins ? .dead : .twoHolders))
    }

    /// Heartbeats list what the kernel has, whatever our role: until it has confirmed a removal, we hold.
    @Test func holdsWhatTheKernelLists() {
        var router = master()
        router.confirms = false
        router.hear(200)
        #expect(router.state == .backup)
        router.hearWord(200, holds: Self.both)
        router.pass(Router.secondNs / 10)
        #expect(router.takeWords().last?.holds == Self.both)
        let downNs = router.downNs()
        router.give(.holding(member: 0, false))
        #expect(router.takeWords().last?.holds == [])
        #expect(router.downNs() == downNs)
    }

    /// A director that is master again before the kernel has removed its addresses announces them at once.
    @Test func announcesWhatIsStillThere() {
        var router = master(cables: 0)
        router.confirms = false
        router.hear(200)
        router.hear(0)
        _ = router.takeDone()
        router.pass(2 * Router.secondNs) { $0.state == .master }
        #expect(router.takeDone() == ["advert 100", "add", "announce"])
    }

    /// A lesser holder that goes on for the down interval and three heartbeats does not hear us either.
    @Test func unheardOverTheCable() {
        var router = master()
        let startNs = router.nowNs
        while router.state == .master {
            router.hearWord(50, holds: Self.both)
            router.pass(Router.secondNs / 20)
        }
        #expect(router.transitions.last?.reason == .unheard)
        let patienceNs = Self.downNs + 3 * Router.secondNs / 10
        #expect((patienceNs...patienceNs + Router.secondNs / 10).contains(router.nowNs - startNs))
    }

    /// Another holder that releases was a collision: we announce our addresses at once and a second later.
    @Test func releaseOfALesserHolderIsAnnounced() {
        var router = master()
        router.hearWord(50)
        router.pass(2 * Router.secondNs)
        router.hearWord(50, holds: Self.both)
        _ = router.takeDone()
        router.hearWord(50)
        #expect(router.takeDone() == ["announce"])
        router.hearWord(50)
        router.pass(Router.secondNs - 1)
        #expect(!router.takeDone().contains("announce"))
        router.pass(1)
        #expect(router.takeDone().contains("announce"))
    }

    /// After a lesser master on a leg we announce again when *that* is over, not at every heartbeat of the peer.
    @Test func peerThatHoldsNothingEndsNoCollision() {
        var router = master()
        router.pass(2 * Router.secondNs, peer: 50)
        router.hear(50)
        _ = router.takeDone()
        router.pass(Router.secondNs, peer: 50)
        #expect(!router.takeDone().contains("announce"))
    }

    /// A claim to be master counts when the kernel has the addresses, and not before.
    @Test func twoHoldersAreThoseThatHold() {
        var router = Router(cables: 1)
        router.confirms = false
        router.become(.master)
        router.hearWord(200, holds: Self.both)
        #expect(router.state == .master)
        router.give(.holding(member: 0, true))
        #expect(router.state == .backup)
    }

    // MARK: Resignation

    /// Only the step from holding to unable and not holding; anything else leaves the timers alone.
    @Test(arguments: [
        (true, UInt8(0), false, true), (true, 0, true, false), (true, 200, false, false), (false, 0, false, false),
    ])
    func resignation(held: Bool, priority: UInt8, holds: Bool, isTaken: Bool) {
        var router = Router(cables: 1)
        router.become(.backup)
        router.hear(200)
        router.hearWord(200, holds: held ? Self.both : [])
        router.hearWord(priority, holds: holds ? Self.both : [])
        #expect((router.state == .master) == isTaken)
        #expect(router.engine.status.members[0].isHeard != isTaken)
        guard isTaken else { return }
        #expect(router.transitions.last?.reason == .atOnce)
        // Its last advert was overtaken by its word, and is no election; after an interval one is.
        router.pass(Router.intervalNs - 1)
        router.hear(200)
        #expect(router.state == .master)
        router.pass(1)
        router.hear(200)
        #expect(router.state == .backup)
    }

    /// A lesser holder that resigns to a master leaves nothing behind: who speaks next on the leg is answered.
    @Test func resignationToAMasterIsNoEcho() {
        var router = master()
        router.hearWord(50, holds: Self.both)
        router.hearWord(0)
        _ = router.takeDone()
        router.hear(50)
        #expect(router.takeDone() == ["advert 100"])
    }

    /// A director that could not take over at the resignation hears what follows, and takes over later for another
    /// reason.
    @Test func resignationIsForThoseWhoTakeIt() {
        var router = Router(cables: 1)
        router.become(.fault)
        router.hearWord(200, holds: Self.both)
        router.hearWord(0)
        router.hear(200)
        #expect(router.engine.status.members[0].isHeard)
        router.give(.link(interface: "eth0", isUp: true, reason: ""))
        router.pass(10 * Router.secondNs, peer: 50)
        #expect(router.state == .master && router.transitions.last?.reason == .take)
    }

    // MARK: Claims

    private func claiming() -> Router {
        var router = Router(200, cables: 1)
        router.become(.backup)
        for _ in 0..<80 where !router.engine.status.isClaiming {
            router.hear(100)
            router.hearWord(100, holds: Self.both)
            router.pass(Router.secondNs / 10)
        }
        _ = router.takeDone()
        return router
    }

    /// For three intervals a claim waits for the release, speaking and holding nothing.
    @Test func claimWaitsThreeIntervals() {
        var router = claiming()
        #expect(router.engine.status.isClaiming)
        let startNs = router.nowNs
        while router.engine.status.isClaiming {
            router.hearWord(100, holds: Self.both)
            router.pass(Router.secondNs / 20)
        }
        #expect(abs(router.nowNs - startNs - 3 * Router.intervalNs) <= Router.secondNs / 5)
        #expect(router.state == .backup && router.conditions.contains("unheard"))
        #expect(Set(router.takeDone()) == ["advert 200"])
        #expect(router.transitions.map(\.to) == [.backup])
    }

    @Test func releaseGrantsTheClaim() {
        var router = claiming()
        router.hearWord(100)
        #expect(router.state == .master)
        #expect(router.takeDone() == ["add", "announce"])
    }

    /// A director that was not heard leaves the other one alone until it is heard, or until no other is left.
    @Test(arguments: [true, false]) func unheardEnds(byBeingHeard: Bool) {
        var router = claiming()
        while router.engine.status.isClaiming {
            router.hearWord(100, holds: Self.both)
            router.pass(Router.secondNs / 20)
        }
        for _ in 0..<100 {
            router.hear(100)
            router.hearWord(100, holds: Self.both)
            router.pass(Router.secondNs / 10)
        }
        #expect(router.state == .backup && !router.engine.status.isClaiming)
        #expect(router.conditions.contains("unheard"))
        if byBeingHeard {
            router.hearWord(100, holds: Self.both, hears: Self.both)
            #expect(!router.conditions.contains("unheard"))
        } else {
            // It still holds, and is merely not heard: that is no reason.
            for _ in 0..<100 {
                router.hearWord(100, holds: Self.both)
                router.pass(Router.secondNs / 10)
            }
            #expect(router.conditions.contains("unheard"))
            router.hearWord(0)
            #expect(router.state == .master)
            #expect(!router.conditions.contains("unheard"))
        }
    }

    /// It claims again after four down intervals, and says all the while that it is not heard: a backup sends nothing by which the
    /// peer could tell that it would be heard by now.
    @Test func unheardClaimsAgain() {
        var router = claiming()
        var endedNs: Int64?
        var pausesNs: [Int64] = []
        for _ in 0..<1500 where pausesNs.count < 2 {
            let wasClaiming = router.engine.status.isClaiming
            router.hear(100)
            router.hearWord(100, holds: Self.both)
            router.pass(Router.secondNs / 10)
            if wasClaiming, !router.engine.status.isClaiming { endedNs = router.nowNs }
            guard let endedNs else { continue }
            #expect(router.conditions.contains("unheard"))
            if !wasClaiming, router.engine.status.isClaiming { pausesNs.append(router.nowNs - endedNs) }
        }
        let downNs = 3 * Router.intervalNs + 56 * Router.intervalNs / 256
        #expect(pausesNs.count == 2 && pausesNs.allSatisfy { (4 * downNs...6 * downNs).contains($0) })
        #expect(router.transitions.map(\.to) == [.backup])
        router.hearWord(100)
        #expect(router.state == .master && !router.conditions.contains("unheard"))
    }

    /// Without the cable the peer cannot be asked to release: a router that answers for the addresses keeps them.
    @Test func unheardDoesNotClaimWithoutTheCable() {
        var router = claiming()
        router.holder = 200
        while router.engine.status.isClaiming {
            router.hearWord(100, holds: Self.both)
            router.pass(Router.secondNs / 20)
        }
        for _ in 0..<1000 {
            router.hear(100)
            router.pass(Router.secondNs / 10)
        }
        #expect(router.state == .backup && router.conditions.contains("unheard"))
    }

    // MARK: Handover

    @Test func handoverNeedsSomebody() {
        var backup = Router(cables: 1)
        backup.become(.backup)
        #expect(backup.engine.handoverRefusal == "not master")
        #expect(master(cables: 0).engine.handoverRefusal == nil)
        var router = master()
        #expect(router.engine.handoverRefusal == "the peer is silent on every cable")
        router.hearWord(0, proven: Self.both)
        #expect(router.engine.handoverRefusal == "the peer is unable to serve")
        router.hearWord(1)
        #expect(router.engine.handoverRefusal == "the peer has not proven every leg")
        router.give(.handover)
        #expect(router.state == .master)
        router.hearWord(1, proven: Self.both)
        #expect(router.engine.handoverRefusal == nil)
        _ = router.takeDone()
        router.give(.handover)
        #expect(router.state == .backup)
        #expect(router.takeDone() == ["remove", "advert 0"])
        #expect(router.conditions.contains("handed-over"))
        // It counts as unable until the peer holds, or for three intervals; and a handover is for once.
        #expect(router.takeWords().last?.priority == 0)
        router.pass(3 * Router.intervalNs - 1, peer: 50)
        #expect(router.takeWords().allSatisfy { $0.priority == 0 })
        router.pass(Router.secondNs / 10, peer: 50)
        #expect(router.takeWords().last?.priority == 100)
        router.pass(10 * Router.secondNs) { $0.state == .master }
        router.pass(Router.secondNs)
        #expect(router.state == .master && !router.conditions.contains("handed-over"))
    }

    /// When the peer has taken over, we are able again.
    @Test func handoverEndsWhenThePeerHolds() {
        var router = master()
        router.hearWord(50, proven: Self.both)
        router.give(.handover)
        router.hearWord(50, holds: Self.both, proven: Self.both)
        #expect(router.takeWords().last?.priority == 100)
    }

    // MARK: Soft causes

    private static let check = Cause(.tracked, "check:upstream")

    /// FAULT without a pool; with one, only while the peer is fresh, able and free of soft causes.
    @Test(arguments: [GroupState.backup, .master]) func softCauseIsFaultOnlyForSomebodyBetter(state: GroupState) {
        var alone = Router()
        alone.become(state)
        alone.give(.cause(Self.check, isPresent: true))
        #expect(alone.state == .fault)
        for (priority, proven, isFault) in [(UInt8(0), Self.both, false), (50, [], false), (50, Self.both, true)] {
            var router = Router(cables: 1)
            router.become(state)
            router.give(.cause(Self.check, isPresent: true))
            #expect(router.state == state)
            #expect(router.conditions.contains("tolerated"))
            router.hearWord(priority, proven: proven)
            #expect((router.state == .fault) == isFault)
            #expect(router.conditions.contains("tolerated") == !isFault)
        }
    }

    /// A cause that comes and goes is two changes of state, of a master's too.
    @Test(arguments: [GroupState.backup, .master]) func faultIsToldOnce(state: GroupState) {
        var router = Router()
        router.become(state)
        let before = router.transitions.count
        router.give(.link(interface: "eth0", isUp: false, reason: "mii"))
        router.give(.link(interface: "eth0", isUp: false, reason: "carrier"))
        router.give(.link(interface: "eth0", isUp: true, reason: ""))
        let seen = router.transitions.dropFirst(before).map { "\($0.from) \($0.to) \($0.reason)" }
        #expect(seen == ["\(state) fault fault", "fault backup recovered"])
    }

    /// After a hard cause silence counts from the beginning; a soft one never kept us from hearing.
    @Test func hardCauseListensAnew() {
        for (cause, isAnew) in [(Cause(.sendDenied, "eth0"), true), (Self.check, false)] {
            var router = Router()
            router.become(.backup)
            router.give(.cause(cause, isPresent: true))
            router.pass(3 * Router.secondNs)
            router.give(.cause(cause, isPresent: false))
            let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256
            #expect(router.downNs() == downNs - (isAnew ? 0 : 3 * Router.secondNs))
        }
    }

    // MARK: Sending

    /// The last heartbeat, and no other, is sent three times on every cable.
    @Test func lastWordIsSaidThreeTimes() {
        var router = master(cables: 2)
        router.hearWord(50)
        _ = router.takeWords()
        router.confirms = false
        router.give(.shutdown)
        // It still holds: that is not the last one.
        #expect(router.takeWords().map(\.priority) == [0, 0])
        router.give(.holding(member: 0, false))
        let words = router.takeWords()
        #expect(words.count == 6 && words.allSatisfy { $0.priority == 0 && $0.holds.isEmpty })
    }

    /// Late adverts do not shift the next ones, unless they are so late that the next one is past as well.
    @Test(arguments: [(Int64(1), Int64(1)), (1_999, 1_999), (2_000, 0), (2_500, 0)])
    func advertsDoNotDrift(lateMs: Int64, savedMs: Int64) {
        var router = Router(255) { $0.addressLeaseNs = 0 }
        router.become(.master)
        router.sleep(Router.intervalNs + lateMs * 1_000_000)
        router.give(.timer)
        #expect(router.takeDone() == ["advert 255"])
        #expect(router.advertNs == Router.intervalNs - savedMs * 1_000_000)
    }

    /// A director with a soft cause, isolation among them, proves no leg to its peer, who would yield to it else.
    @Test func softCauseProvesNothing() {
        var router = Router(cables: 1)
        router.become(.backup)
        router.hear(200)
        router.hearWord(200, holds: Self.both)
        #expect(router.takeWords().last?.proven == Self.both)
        router.give(.cause(Self.check, isPresent: true))
        #expect(router.takeWords().last?.proven == [])
        var isolated = Router(members: 2, cables: 1)
        isolated.become(.backup)
        for _ in 0..<20 {
            isolated.hear(200, on: 0)
            isolated.pass(Router.secondNs, peer: 200, holds: .first(2), proven: .first(2))
        }
        #expect(isolated.told == ["isolated:eth1"])
        #expect(isolated.takeWords().last?.proven == [])
    }

    /// A changed heartbeat is sent once, and so is a periodic one; each carries the time at which it was sent.
    @Test func wordIsSaidOnceAndStamped() {
        var router = Router(cables: 1)
        router.become(.fault)
        _ = router.takeWords()
        router.pass(Router.secondNs)
        let words = router.takeWords()
        #expect(words.count == 10 && words.allSatisfy { $0.priority == 0 })
        #expect(words.last?.stamp == UInt32(router.nowNs / 1000))
        router.give(.link(interface: "eth0", isUp: true, reason: ""))
        #expect(router.takeWords().map(\.priority) == [100])
    }

    /// A late report of the kernel is no reason to announce, nor is an address that it has lost.
    @Test func onlyAMasterAnnouncesWhatItGot() {
        var router = master(cables: 0)
        _ = router.takeDone()
        router.give(.holding(member: 0, false))
        #expect(router.takeDone() == [])
        router.hear(200)
        router.give(.holding(member: 0, true))
        #expect(router.takeDone() == ["remove", "remove"])
    }

    // MARK: The probe before a takeover

    private func probing(cables: Int = 0) -> Router {
        var router = Router(cables: cables) { $0.probeBeforeTakeover = true }
        router.become(.backup)
        return router
    }

    private static let downNs = 3 * Router.intervalNs + 156 * Router.intervalNs / 256

    /// It is made ahead, so that it costs no time.
    @Test func probeCostsNoTime() {
        var router = probing()
        router.pass(Self.downNs - Router.secondNs / 10 - 1)
        #expect(router.takeDone() == [])
        router.pass(1)
        #expect(router.takeDone() == ["probe"])
        router.pass(Router.secondNs / 10 - 1)
        #expect(router.state == .backup && router.conditions == [])
        router.pass(1)
        #expect(router.state == .master)
    }

    /// An answer is asked for again, every interval, and lapses with it.
    @Test func answerKeepsUsBackup() {
        var router = probing()
        router.pass(Self.downNs - Router.secondNs / 20)
        #expect(router.takeDone() == ["probe"])
        router.give(.foreignAnswer(member: 0, by: .virtualRouter))
        router.pass(Router.secondNs / 20)
        for _ in 0..<5 {
            #expect(router.takeDone() == ["probe"])
            router.give(.foreignAnswer(member: 0, by: .virtualRouter))
            #expect(router.conditions == ["adverts-blocked"])
            router.pass(Router.intervalNs)
            #expect(router.state == .backup)
            #expect(router.conditions == ["adverts-blocked"])
        }
        router.pass(Router.intervalNs)
        #expect(router.state == .master)
    }

    /// Heartbeats of our own fall due while the answer is waited for: the wait is as long.
    @Test func waitForTheAnswerIsNotCutShort() {
        var router = probing(cables: 1)
        router.pass(Self.downNs - Router.secondNs / 20)
        router.give(.foreignAnswer(member: 0, by: .virtualRouter))
        router.pass(Router.secondNs / 20)
        router.pass(Router.intervalNs - 1)
        #expect(router.state == .backup)
        router.pass(1)
        #expect(router.state == .master)
    }

    /// A director does not probe if it cannot serve, if it has a peer to ask, or if it has a router to preempt.
    @Test func onlySilenceIsProbed() {
        var fault = Router { $0.probeBeforeTakeover = true }
        fault.become(.fault)
        fault.pass(2 * Self.downNs)
        #expect(fault.takeDone() == [])
        var peered = probing(cables: 1)
        peered.pass(Self.downNs, peer: 50)
        #expect(peered.takeDone() == ["advert 100", "add", "announce"])
        var preempting = Router(members: 2) { $0.probeBeforeTakeover = true }
        preempting.become(.backup)
        for seconds: Int64 in [3, 5] {
            preempting.pass(seconds * Router.secondNs)
            preempting.hear(50, on: 0)
            if seconds == 3 { preempting.hear(200, on: 1) }
        }
        // Nobody is asked whether we may take, but whether the one who is heard holds.
        preempting.holder = 200
        preempting.pass(3 * Router.secondNs)
        #expect(Set(preempting.takeDone()) == ["probe 0"] && preempting.state == .backup)
    }

    /// An answer during one silence does not count for the next one.
    @Test func everySilenceIsProbed() {
        var router = probing()
        router.pass(Self.downNs - Router.secondNs / 20)
        #expect(router.takeDone() == ["probe"])
        router.hear(200)
        router.pass(Self.downNs - Router.secondNs / 20)
        #expect(router.takeDone() == ["probe"])
    }

    // MARK: Who was not scheduled

    /// A deadline missed by more than an interval was slept through: timers that ran out meanwhile, and no others, begin
    /// again with one interval and the skew.
    @Test(arguments: [(Int64(0), true), (1, false)]) func sleeperListensAgain(extraNs: Int64, takes: Bool) {
        var router = Router(members: 2)
        router.become(.backup)
        router.sleep(Self.downNs + Router.intervalNs + extraNs)
        router.give(.timer)
        #expect((router.state == .master) == takes)
        let skewNs = 156 * Router.intervalNs / 256
        #expect(router.downNs() == (takes ? nil : Router.intervalNs + skewNs))
        var other = Router(members: 2)
        other.become(.backup)
        other.hear(200, intervalNs: Router.otherNs, on: 1)
        let downNs = 3 * Router.otherNs + 156 * Router.otherNs / 256
        other.sleep(Self.downNs + Router.intervalNs + 1)
        other.give(.timer)
        #expect(other.downNs(1) == downNs - Self.downNs - Router.intervalNs - 1)
    }

    /// A master that slept for two thirds of its lease is master no longer; one whose addresses have no lease is.
    @Test(arguments: [(Int64(0), false), (-1, true)]) func sleeperYieldsWithItsLease(extraNs: Int64, stays: Bool) {
        for leaseNs in [9 * Router.secondNs, 0] {
            var router = Router { $0.addressLeaseNs = leaseNs }
            router.become(.master)
            router.sleep(Router.intervalNs + 6 * Router.secondNs + extraNs)
            router.give(.timer)
            #expect((router.state == .master) == (stays || leaseNs == 0))
        }
    }

    /// A process that reads late finds heartbeats waiting: the cable was never silent, so nothing is reported and
    /// nothing taken over.
    @Test func lateReaderKeepsItsPeer() {
        var router = Router(cables: 1)
        router.become(.backup)
        for _ in 0..<100 {
            router.hearWord(200, holds: Self.both)
            router.pass(Router.secondNs / 10)
        }
        #expect(router.conditions == ["adverts-blocked"])
        router.hearWord(200, holds: Self.both)
        _ = router.takeWords()
        router.sleep(Router.secondNs / 2)
        router.hearWord(200, holds: Self.both)
        router.give(.timer)
        #expect(router.state == .backup)
        #expect(router.conditions == ["adverts-blocked"])
        #expect(router.takeWords().allSatisfy { $0.hearsHeartbeat })
        // And one that finds none is late itself, or the peer is dead: three intervals say so.
        router.pass(3 * Router.secondNs / 10)
        #expect(router.state == .master)
    }
}
