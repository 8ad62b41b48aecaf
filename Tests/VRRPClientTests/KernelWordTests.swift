/// linkwatchd and linkwatch-vrrp draw the same conclusion from whatever rtnetlink says of a link.
import Configuration
import LinkState
import Links
import RtnlMonitor
import Testing

@testable import VRRPClient

@Suite struct KernelWordTests {
    /// Every flag, carrier and operational state that counts, in every combination.
    private var links: [Link] {
        var links: [Link] = []
        let flags: [LinkFlags] = [[], .up, [.up, .lowerUp], [.up, .lowerUp, .running], [.lowerUp, .dormant]]
        for flags in flags {
            for carrier in [nil, false, true] as [Bool?] {
                for state in UInt8.min...(.max) {
                    guard let operState = OperState(rawValue: state) else { continue }
                    var link = Link(ifindex: Int32(links.count) + 1, name: "e\(links.count)")
                    (link.flags, link.carrier, link.operState) = (flags, carrier, operState)
                    links.append(link)
                }
            }
        }
        return links
    }

    @Test func bothDaemonsReadItInTheSameWay() throws {
        let table = InterfaceTable(
            MonitorConfiguration(), clocks: .init(realtimeNs: { 0 }, boottimeNs: { 0 }))
        var states: [LinkWatch.State: Int] = [:]
        for link in links {
            table.observed(link, nowNs: 1, driver: { _ in nil })
            let verdict = try #require(table.states[link.ifindex]?.verdict)
            let state = LinkWatch.state(of: link)
            #expect(state.isUp == (verdict.rawState == .up) && state.reason == verdict.reason?.name ?? "", "\(link)")
            states[state, default: 0] += 1
        }
        #expect(states.count == 4, "up, and down for each of three reasons")
    }
}
