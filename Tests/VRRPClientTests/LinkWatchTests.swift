/// What netlink alone says of a link, for a process that cannot reach linkwatchd.
import RtnlMonitor
import Testing

@testable import VRRP
@testable import VRRPClient

@Suite struct LinkWatchTests {
    private func link(_ operState: OperState, carrier: Bool? = true, up: Bool = true) -> Link {
        var link = Link(ifindex: 2, name: "eth0")
        if up { link.flags = [.up, .running, .lowerUp] }
        link.carrier = carrier
        link.operState = operState
        return link
    }

    /// The rule is linkwatchd's own: what is tested, or waits for something, passes no packets.
    @Test func operationalStatesAreReadAsLinkwatchdReadsThem() {
        for state in [OperState.up, .unknown] { #expect(LinkWatch.state(of: link(state)) == .up) }
        for state in [OperState.testing, .dormant, .lowerLayerDown, .notPresent, .down] {
            #expect(LinkWatch.state(of: link(state)) == .down("operstate"))
        }
    }

    @Test func theFirstThatSaysDownIsTheReason() {
        #expect(LinkWatch.state(of: link(.down, carrier: false, up: false)) == .down("admin"))
        #expect(LinkWatch.state(of: link(.down, carrier: false)) == .down("carrier"))
        // A kernel that does not send IFLA_CARRIER has the flag.
        #expect(LinkWatch.state(of: link(.up, carrier: nil)) == .up)
        var lost = link(.up, carrier: nil)
        lost.flags.remove(.lowerUp)
        #expect(LinkWatch.state(of: lost) == .down("carrier"))
    }
}

@Suite struct ServiceStatusTests {
    @Test func groupsAreNamedWhileTheyAreFew() {
        var fault = GroupStatus(state: .fault, priority: 100)
        fault.causes = [Cause(.link, "eth1", detail: "carrier")]
        var alone = GroupStatus(state: .backup, priority: 100)
        alone.conditions = [Condition(.noDirector), Condition(.deaf, "inside")]
        let groups = [("outside", GroupStatus(state: .master, priority: 200)), ("inside", fault), ("third", alone)]
        #expect(
            ServiceStatus.text(groups, remarks: [Condition(.runnerLost)])
                == "runner-lost, outside master, inside fault (link:eth1:carrier), third backup no-director")
    }

    @Test func manyGroupsAreCounted() {
        let groups = (0..<12).map { ("g\($0)", GroupStatus(state: $0 < 9 ? .master : .backup, priority: 100)) }
        #expect(ServiceStatus.text(groups, remarks: []) == "12 groups: 9 master, 3 backup")
        let faults = (0..<200).map { ("group-\($0)", GroupStatus(state: .fault, priority: 100)) }
        #expect(ServiceStatus.text(faults, remarks: []).count == 400)
    }
}
