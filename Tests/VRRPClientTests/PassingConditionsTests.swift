/// Conditions that packets raise: what they say follows what is seen, but not with every packet.
import LinuxSystem
import Testing

@testable import VRRP
@testable import VRRPClient

@Suite struct PassingConditionsTests {
    @Test func theDetailFollowsWhatIsSeenNow() throws {
        let loop = try EventLoop()
        var told: [String] = []
        let passing = PassingConditions(loop: loop) { condition, isPresent in
            told.append(isPresent ? condition.detail : "over")
            if told.count == 2 { loop.stop() }
        }
        var sightings = 0
        // Each packet shows something else.
        func see() {
            sightings += 1
            passing.saw(.peerVersion, of: "lan", forNs: 3_600_000_000_000) { "\(sightings)" }
            loop.schedule(atNs: loop.nowNs + 1_000_000, see)
        }
        see()
        loop.schedule(atNs: loop.nowNs + 20_000_000_000) { loop.stop() }
        try loop.run()
        #expect(told.count == 2 && told.first == "1" && told.last == "\(sightings)" && sightings > 2, "\(told)")
    }

    /// The kernel says why a send fails, and that may change while it does.
    @Test func aConditionThatGoesOnIsToldAgainWithAnotherDetail() throws {
        let world = try World()
        try world.serve()
        func fail(_ detail: String) { world.group.setCondition(Condition(.sendFailed, "lan", detail: detail), true) }
        for detail in ["one", "one", "two"] { fail(detail) }
        #expect(world.group.engine.status.conditions.map(\.detail) == ["two"])
        let news = world.published.compactMap { output -> String? in
            switch output {
            case .raised(let condition): "+\(condition.detail)"
            case .cleared(let condition): "-\(condition.detail)"
            default: nil
            }
        }
        #expect(news.suffix(3) == ["+one", "-one", "+two"])
    }
}
