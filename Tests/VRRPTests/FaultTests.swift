import Addresses
import Testing

@testable import VRRP

/// Causes of FAULT: which there are, of what, and what a director with one still says.
struct FaultTests {
    private static let both = MemberSet.first(1)

    private func causes(_ router: Router) -> [String] { router.engine.status.causes.map(\.description) }

    /// One cause ends; the other is still in force.
    @Test func twoLegsDownAreTwoCauses() {
        var router = Router(members: 2)
        router.become(.backup)
        for leg in 0...1 { router.give(.link(interface: "eth\(leg)", isUp: false, reason: "mii")) }
        router.give(.link(interface: "eth0", isUp: true, reason: ""))
        #expect(router.state == .fault && causes(router) == ["link:eth1:mii"])
    }

    /// An interface lacks an address as long as one of its own members does.
    @Test func missingAddressIsOfItsInterface() {
        var router = Router(members: 2)
        router.become(.backup)
        router.give(.primaryAddress(member: 1, nil))
        router.give(.primaryAddress(member: 0, Router.address(.ipv4, 101)))
        #expect(causes(router) == ["no-address:eth1"])
    }

    /// A goodbye is not sent where it cannot leave; where it can, it is, whatever else is wrong there.
    @Test(arguments: [
        (Cause.Kind.link, false), (.noAddress, false), (.sendDenied, false), (.config, true), (.tracked, true),
    ])
    func goodbyeIsSaidOnLegsThatCarryIt(kind: Cause.Kind, isSaid: Bool) {
        var router = Router(members: 2)
        router.become(.master)
        if kind == .noAddress {
            router.give(.primaryAddress(member: 1, nil))
        } else {
            router.give(.cause(Cause(kind, "eth1"), isPresent: true))
        }
        #expect(router.state == .fault)
        #expect(router.takeDone() == ["remove 0", "remove 1", "advert 0 0"] + (isSaid ? ["advert 1 0"] : []))
    }

    /// The link of a tracked interface is a cause, and so is that of a leg that a heartbeat runs over.
    @Test func linkOfATrackedInterfaceIsACause() {
        var router = Router(cables: 1)
        router.become(.backup)
        router.give(.link(interface: "eth9", isUp: false, reason: "carrier"))
        #expect(router.state == .fault && causes(router) == ["link:eth9:carrier"])
        var overLeg = Router(cables: 1) { $0.cables[0].interface = "eth0" }
        overLeg.become(.backup)
        overLeg.give(.link(interface: "eth0", isUp: false, reason: "carrier"))
        #expect(overLeg.state == .fault && overLeg.conditions.contains("heartbeat-degraded:cross0"))
    }

    /// A cable without carrier is reported at once, at the start or later; it carries no heartbeat, and is no cause of
    /// FAULT.
    @Test(arguments: [true, false]) func cableWithoutCarrierIsToldAtOnce(atStart: Bool) {
        var router = Router(cables: 1)
        var snapshot = router.snapshot(router.engine.configuration)
        if atStart { snapshot.cablesDown = ["hb0"] }
        router.give(.start(snapshot))
        if !atStart { router.give(.link(interface: "hb0", isUp: false, reason: "carrier")) }
        _ = router.takeWords()
        #expect(router.conditions == ["heartbeat-degraded:cross0"] && router.state == .backup)
        router.pass(Router.secondNs)
        #expect(router.takeWords() == [])
        router.give(.link(interface: "hb0", isUp: true, reason: ""))
        router.pass(Router.secondNs / 5, peer: 200)
        #expect(router.takeWords().count >= 2 && router.conditions == [])
    }

    /// A director that starts with a cause is in FAULT from the beginning, an owner too.
    @Test func whoStartsWithACauseNeverServes() {
        var router = Router(255)
        router.start(causes: [Cause(.link, "eth0", detail: "mii")])
        #expect(router.transitions.map { "\($0.from) \($0.to) \($0.reason)" } == ["initialize fault fault"])
        #expect(router.takeDone() == [])
    }

    /// Causes that the engine raises itself cannot be raised from outside.
    @Test func ownCausesAreNotTakenFromOutside() {
        var router = Router(cables: 1)
        let own: Set = [Cause(.isolated, "eth0"), Cause(.noAddress, "eth0")]
        router.start(causes: own)
        router.give(.cause(Cause(.isolated, "eth0"), isPresent: true))
        #expect(causes(router) == [] && router.state == .backup)
    }

    /// A better director with a cause, even one that is tolerated, leaves a lesser master alone until the cause goes.
    @Test func nobodyPreemptsWithACause() {
        var router = Router(200, cables: 1)
        router.become(.backup)
        router.give(.cause(Cause(.tracked, "check:upstream"), isPresent: true))
        func hearLesser() {
            router.hear(100)
            router.hearWord(100, holds: Self.both)
            router.pass(Router.secondNs / 10)
        }
        for _ in 0..<120 { hearLesser() }
        #expect(router.state == .backup && !router.engine.status.isClaiming)
        #expect(router.conditions.contains("tolerated"))
        router.give(.cause(Cause(.tracked, "check:upstream"), isPresent: false))
        for _ in 0..<80 where !router.engine.status.isClaiming { hearLesser() }
        #expect(router.engine.status.isClaiming)
    }
}
