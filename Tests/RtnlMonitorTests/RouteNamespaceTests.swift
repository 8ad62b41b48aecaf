/// Tracked routes: those that the kernel announces, and those that it loses in silence.
///
///     r0 ======= r0p     198.51.100.1/24, 2001:db8::1/64
///     r1 ======= r1p     203.0.113.1/24
import Addresses
import CMnl
import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import RtnlMonitor

@Suite(.serialized, .enabled(if: isRoot, needsRoot)) struct RouteNamespaceTests {
    private static func twoPorts() throws {
        try startBatch([
            "link set lo up", "link add r0 type veth peer name r0p", "link add r1 type veth peer name r1p",
            "link set r0 up", "link set r0p up", "link set r1 up", "link set r1p up",
            "addr add 198.51.100.1/24 dev r0", "addr add 203.0.113.1/24 dev r1",
            "addr add 2001:db8::1/64 dev r0 nodad",
        ]).wait()
    }

    private static func gateways(_ monitor: RtnlMonitor, isIPv6: Bool = false) -> [String] {
        monitor.routes.filter { $0.key.destination == .everything(isIPv6 ? .ipv6 : .ipv4) }
            .flatMap { $0.hops.map { $0.gateway?.description ?? "-" } }.sorted()
    }

    @Test func defaultRoutesComeChangeAndGo() throws {
        try inNamespace {
            try Self.twoPorts()
            try ip("route add default via 198.51.100.254")
            let monitor = try RtnlMonitor.started()
            #expect(Self.gateways(monitor) == ["198.51.100.254"])
            try ip("route replace default via 198.51.100.253")
            let changes = try monitor.read { _ in Self.gateways(monitor) == ["198.51.100.253"] }
            #expect(changes.contains { if case .routeChanged = $0 { true } else { false } })
            try ip("route add default via 203.0.113.254 metric 50")
            try monitor.read { _ in Self.gateways(monitor) == ["198.51.100.253", "203.0.113.254"] }
            try ip("route append default via 203.0.113.253 metric 50")
            try monitor.read { _ in monitor.routes.count == 3 }
            try ip("route del default via 203.0.113.254 metric 50")
            try monitor.read { _ in Self.gateways(monitor) == ["198.51.100.253", "203.0.113.253"] }
            try ip("route add default via 198.51.100.9 table 100")
            try ip("route add 192.0.2.0/24 via 198.51.100.9")
            try ip("route del default metric 50")
            try ip("route del default")
            try monitor.read { _ in monitor.routes.isEmpty }
            #expect(monitor.statistics.malformed == 0)
        }
    }

    @Test func ipv6HopsComeAndGoOneByOne() throws {
        try inNamespace {
            try Self.twoPorts()
            let monitor = try RtnlMonitor.started()
            try ip("-6 route add default via 2001:db8::a dev r0")
            try monitor.read { _ in Self.gateways(monitor, isIPv6: true) == ["2001:db8::a"] }
            try ip("-6 route append default via 2001:db8::b dev r0")
            try monitor.read { _ in Self.gateways(monitor, isIPv6: true) == ["2001:db8::a", "2001:db8::b"] }
            try ip("-6 route del default via 2001:db8::a dev r0")
            try monitor.read { _ in Self.gateways(monitor, isIPv6: true) == ["2001:db8::b"] }
            try ip("link set r0 down")
            try monitor.read { _ in Self.gateways(monitor, isIPv6: true).isEmpty }
        }
    }

    @Test func aRouteLostWithItsInterfaceIsInferred() throws {
        try inNamespace {
            try Self.twoPorts()
            try ip("route add default via 198.51.100.254")
            let monitor = try RtnlMonitor.started()
            try ip("link set r0 down")
            let changes = try monitor.read { _ in monitor.routes.isEmpty }
            #expect(changes.contains { if case .routeRemoved(let route) = $0 { route.isInferred } else { false } })
            // The interface comes back, and the kernel does not bring the route back with it.
            try ip("link set r0 up")
            let after = try monitor.read { _ in monitor.link(named: "r0")?.operState == .up }
            #expect(!after.contains { if case .routeAdded = $0 { true } else { false } })
            try ip("route add default via 198.51.100.254")
            try monitor.read { _ in monitor.routes.count == 1 }
            #expect(monitor.routes.allSatisfy { !$0.isInferred })
            try ip("link del r0")
            let deleted = try monitor.read { _ in monitor.routes.isEmpty }
            #expect(deleted.contains { if case .routeRemoved(let route) = $0 { route.isInferred } else { false } })
        }
    }

    @Test func lostCarrierMarksTheHop() throws {
        try inNamespace {
            try Self.twoPorts()
            try ip("route add default nexthop via 198.51.100.254 nexthop via 203.0.113.254")
            let monitor = try RtnlMonitor.started()
            #expect(monitor.routes.first?.hops.count == 2)
            try ip("link set r0p down")
            let changes = try monitor.read { _ in monitor.routes.first?.hops.contains { $0.flags == .linkDown } == true
            }
            #expect(
                changes.contains {
                    if case .routeChanged(_, let new) = $0 {
                        new.hops.contains { $0.flags == .linkDown }
                    } else {
                        false
                    }
                })
            #expect(monitor.routes.first?.isUsable == true)
            try ip("link set r1p down")
            try monitor.read { _ in monitor.routes.first?.isUsable == false }
            #expect(monitor.routes.first?.isInferred == true)
            try ip("link set r0p up")
            try monitor.read { _ in monitor.routes.first?.isUsable == true }
        }
    }

    @Test func theLastAddressTakesTheRouteAlong() throws {
        try inNamespace {
            try Self.twoPorts()
            try ip("route add default via 198.51.100.254")
            let monitor = try RtnlMonitor.started()
            try ip("addr del 198.51.100.1/24 dev r0")
            let changes = try monitor.read { _ in monitor.routes.isEmpty }
            #expect(changes.contains { if case .routeRemoved(let route) = $0 { route.isInferred } else { false } })
        }
    }

    /// With `nexthop_compat_mode` 0 a route names its nexthop object and nothing else.
    @Test(arguments: ["1", "0"]) func aNexthopObjectTakesTheRouteAlong(_ compatible: String) throws {
        try inNamespace {
            try Self.twoPorts()
            try sysctl("net/ipv4/nexthop_compat_mode", compatible)
            try ip("nexthop add id 7 via 198.51.100.9 dev r0")
            try ip("nexthop add id 9 group 7")
            try ip("route add default nhid 9")
            let monitor = try RtnlMonitor.started()
            #expect(Self.gateways(monitor) == ["198.51.100.9"])
            try ip("nexthop replace id 7 via 198.51.100.8 dev r0")
            try monitor.read { _ in Self.gateways(monitor) == ["198.51.100.8"] }
            try ip("nexthop del id 9")
            try monitor.read { _ in monitor.routes.isEmpty }
        }
    }

    /// A full table comes and goes; the reader's small buffer is not overrun and nothing wakes it.
    @Test func foreignRoutesAreDroppedInTheKernel() throws {
        try inNamespace {
            try Self.twoPorts()
            let monitor = try RtnlMonitor.started(.init(receiveBufferBytes: 4096))
            try monitor.read("for quiet") { _ in
                monitor.nextDeadlineNs == nil
                    && monitor.links.values.allSatisfy { $0.name == "lo" || $0.operState == .up }
            }
            let before = monitor.statistics
            let startNs = Clock.monotonicNs()
            let routes = (0..<50_000).map { "10.\($0 >> 8 & 0xff).\($0 & 0xff).\(($0 >> 16) << 7)/25" }
            try startBatch(routes.map { "route add \($0) via 198.51.100.254" }).wait()
            try startBatch(routes.map { "route del \($0)" }).wait()
            let tookMs = (Clock.monotonicNs() - startNs) / 1_000_000
            #expect(try monitor.step(waitMs: 0).isEmpty)
            #expect(monitor.statistics == before)
            print("100,000 messages on foreign routes: \(tookMs) ms for `ip`, none for the mirror")
            // The filter lets the tracked one pass.
            try ip("route add default via 198.51.100.254")
            try monitor.read { _ in monitor.routes.count == 1 }
            #expect(monitor.statistics.messages == before.messages + 1)
        }
    }

    @Test func trackedPrefixesInSeveralTables() throws {
        try inNamespace {
            try Self.twoPorts()
            let prefixes = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8:1::/48", "0.0.0.0/0"].compactMap {
                IPPrefix($0)
            }
            let monitor = try RtnlMonitor.started(
                .init(routes: RouteTracking(prefixes: prefixes, tables: [254, 100, 70000])))
            try ip("route add 10.0.0.0/8 via 198.51.100.2")
            try ip("route add 10.0.0.0/9 via 198.51.100.2")
            try ip("route add 10.1.0.0/16 via 198.51.100.2 table 70000")
            try ip("route add 10.2.0.0/16 via 198.51.100.2 table 70000")
            try ip("route add 10.1.0.0/16 via 198.51.100.2 table 70001")
            try ip("route add default via 198.51.100.2 table 100")
            try ip("-6 route add 2001:db8:1::/48 via 2001:db8::2 dev r0")
            try ip("-6 route add 2001:db8:2::/48 via 2001:db8::2 dev r0")
            try ip("-6 route add default via 2001:db8::2 dev r0")
            try monitor.read { _ in monitor.routes.count >= 4 && monitor.nextDeadlineNs == nil }
            let found = monitor.routes.map { "\($0.key.destination) \($0.key.table)" }.sorted()
            #expect(found == ["0.0.0.0/0 100", "10.0.0.0/8 254", "10.1.0.0/16 70000", "2001:db8:1::/48 254"])
        }
    }

    @Test func anOverrunOfRoutesIsMended() throws {
        try inNamespace {
            try Self.twoPorts()
            let prefixes = (0..<200).compactMap { IPPrefix("10.0.\($0).0/24") }
            let monitor = try RtnlMonitor.started(
                .init(routes: RouteTracking(prefixes: prefixes), receiveBufferBytes: 4096))
            try startBatch((0..<200).map { "route add 10.0.\($0).0/24 via 198.51.100.2" }).wait()
            try startBatch((0..<100).map { "route del 10.0.\($0).0/24" }).wait()
            try monitor.read("for 100 routes") { _ in monitor.isSynced && monitor.routes.count == 100 }
            #expect(monitor.statistics.overruns > 0)
        }
    }
}
