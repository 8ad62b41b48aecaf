import Addresses
import Testing

@testable import VRRP

/// Causes as the log shows them: each change once.
struct CauseTests {
    private func told(_ engine: inout Engine, _ cause: Cause, _ isPresent: Bool) -> [String] {
        engine.handle(.cause(cause, isPresent: isPresent), nowNs: 0).compactMap { output in
            guard case .causeChanged(let cause, let isPresent) = output else { return nil }
            return "\(cause)\(isPresent ? "" : " is over")"
        }
    }

    @Test func isToldOncePerChange() {
        let member = MemberConfiguration(
            name: "inside", interface: "eth1", vrid: 20, addresses: [IPAddress(ipv4: 0xc633_6401)])
        var engine = Engine(configuration: GroupConfiguration(name: "lvs", priority: 100, members: [member]))
        let mii = Cause(.link, "eth1", detail: "mii")
        let driver = Cause(.link, "eth1", detail: "driver")
        #expect(told(&engine, mii, true) == ["link:eth1:mii"])
        #expect(told(&engine, mii, true) == [])
        #expect(told(&engine, driver, true) == ["link:eth1:mii is over", "link:eth1:driver"])
        #expect(told(&engine, Cause(.link, "eth1"), false) == ["link:eth1:driver is over"])
        #expect(told(&engine, Cause(.link, "eth1"), false) == [])
    }
}

/// Conditions that the process publishes: identified by kind and subject, whatever their detail.
struct ExternalConditionTests {
    @Test func isOneWithEachDetail() {
        let member = MemberConfiguration(
            name: "inside", interface: "eth1", vrid: 20, addresses: [IPAddress(ipv4: 0xc633_6401)])
        var engine = Engine(configuration: GroupConfiguration(name: "lvs", priority: 100, members: [member]))
        func told(_ detail: String, _ isPresent: Bool) -> [String] {
            let condition = Condition(.addressConflict, "inside", detail: detail)
            return engine.handle(.condition(condition, isPresent: isPresent), nowNs: 0).compactMap { output in
                switch output {
                case .raised(let condition): "\(condition)"
                case .cleared(let condition): "no \(condition)"
                default: nil
                }
            }
        }
        #expect(told("one", true) == ["address-conflict:inside:one"])
        #expect(told("other", true) == [])
        #expect(engine.status.conditions.map(\.description) == ["address-conflict:inside:other"])
        #expect(told("", false) == ["no address-conflict:inside:other"])
        #expect(told("", false) == [] && engine.status.conditions == [])
    }
}
