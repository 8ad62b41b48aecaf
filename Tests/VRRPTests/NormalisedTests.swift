import Testing
import VRRPSimulation

@testable import VRRP

/// The search compares engines that were moved to the beginning of time: such a one must go on as it would have. So must one
/// that was written into a recording and read again.
struct NormalisedTests {
    private func router(_ seed: UInt64) -> Router {
        var router = Router(members: 2, cables: Int(seed % 3)) { group in
            group.hasFence = seed % 4 == 0
            group.probeBeforeTakeover = seed % 2 == 0
            group.preemptDelayNs = Int64(seed % 5) * Router.secondNs
        }
        router.start()
        return router
    }

    @Test(arguments: 0..<30) func movedEngineGoesOnAlike(seed: UInt64) {
        var random = Dice(seed)
        var router = router(seed)
        var moved = router
        moved.normalise()
        for step in 0..<120 {
            let event = event(&random, cables: router.engine.configuration.cables.count)
            event(&router)
            event(&moved)
            #expect(moved.takeAll() == router.takeAll(), "step \(step)")
            guard moved.engine.normalised(nowNs: moved.nowNs) == router.engine.normalised(nowNs: router.nowNs) else {
                Issue.record("step \(step)")
                return
            }
            moved.normalise()
        }
    }

    @Test(arguments: 0..<30) func writtenEngineGoesOnAlike(seed: UInt64) throws {
        var random = Dice(seed)
        var router = router(seed)
        var written = router
        for step in 0..<120 {
            let event = event(&random, cables: router.engine.configuration.cables.count)
            event(&router)
            event(&written)
            #expect(written.takeAll() == router.takeAll(), "step \(step)")
            try written.writeAndRead()
            guard written.engine == router.engine, written.engine.nextDeadlineNs == router.engine.nextDeadlineNs else {
                Issue.record("step \(step)")
                return
            }
        }
    }

    /// Something that happens, to as many as like.
    private func event(_ random: inout Dice, cables: Int) -> (inout Router) -> Void {
        func pick<Value>(_ values: [Value]) -> Value { values[random.number(0...values.count - 1)] }
        let member = MemberIndex(random.number(0...1))
        let sets = (0..<3).map { _ in MemberSet(rawValue: UInt64(random.number(0...3))) }
        let priority: UInt8 = pick([0, 50, 100, 200])
        let isSo = random.number(0...1) == 0
        switch random.number(0...(cables > 0 ? 15 : 11)) {
        case 0...3:
            let durationNs = Int64(random.number(0...2999)) * 1_000_000
            return { $0.pass(durationNs) }
        case 4...6:
            let (host, intervalNs): (UInt64, Int64) = (pick([50, 100, 200]), pick([200_000_000, Router.intervalNs]))
            return { $0.hear(priority, host: host, intervalNs: intervalNs, on: member) }
        case 7: return { $0.give(.link(interface: "eth\(member.number)", isUp: isSo, reason: "mii")) }
        case 8: return { $0.give(isSo ? .proof(member: member) : .foreignAnswer(member: member, by: .stranger)) }
        case 9: return { $0.give(.fence(succeeded: isSo)) }
        case 10: return { $0.give(.handover) }
        case 11: return { $0.give(.cause(Cause(.tracked, "check:upstream"), isPresent: isSo)) }
        default:
            let on = CableIndex(random.number(0...cables - 1))
            return { $0.hearWord(priority, holds: sets[0], hears: sets[1], proven: sets[2], on: on) }
        }
    }
}

extension Router {
    /// Everything that was done since it was last asked, with times from now.
    fileprivate mutating func takeAll() -> [String] {
        let words = takeWords().map { word in
            "\(word.priority) \(word.holds.rawValue) \(word.hears.rawValue) \(word.proven.rawValue) \(word.hearsHeartbeat)"
        }
        return takeDone() + words + takeAsked().map { "asked \($0 - nowNs)" } + conditions + [
            "\(state) \(transitions.count)"
        ]
    }
}
