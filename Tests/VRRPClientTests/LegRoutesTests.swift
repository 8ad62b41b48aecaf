/// The routes of a leg, with a kernel that is a table: in which order they come and go, and what of them is told.
import Addresses
import LinuxSystem
import RtnlMonitor
import Testing

@testable import VRRP
@testable import VRRPClient

@Suite struct LegRoutesTests {
    private static let destination = IPPrefix("198.51.100.0/24") ?? .everything(.ipv4)
    private static let key = RouteKey(destination: destination, table: 100, metric: 50)
    private static let text =
        World.text
        + #"routes = [{ to = "198.51.100.0/24", via = "192.0.2.254", table = 100, metric = 50, source = "192.0.2.1" }]"#

    private func isHeld(_ world: World) -> Bool {
        world.kernel.routes(at: Self.key).contains { $0.routeProtocol == 112 }
    }

    private func missing(_ world: World) -> String? {
        world.group.engine.status.conditions.first { $0.kind == .holdingMissing }?.description
    }

    private var foreign: Route {
        var route = Route(key: Self.key)
        route.routeProtocol = 4
        return route
    }

    @Test func comeAfterTheAddressesAndGoBeforeThem() throws {
        let world = try World(Self.text)
        try world.serve()
        let route = try #require(world.kernel.routes(at: Self.key).first)
        #expect(route.hops == [RouteHop(ifindex: 2, gateway: IPAddress("192.0.2.254"))])
        #expect(route.preferredSource == World.virtual)
        world.group.shutDown()
        let order: [Deed] = [
            .added(World.virtual), .addedRoute(Self.destination), .removedRoute(Self.destination),
            .removed(World.virtual),
        ]
        #expect(world.journal.deeds.filter(order.contains) == order)
    }

    @Test func whatIsTakenAwayComesBack() throws {
        let world = try World(Self.text)
        try world.serve()
        world.journal.forget()
        world.kernel.routes = [:]
        world.group.kernelChanged(KernelChanges(hasRoutes: true))
        try world.run { isHeld($0) }
        #expect(missing(world) == nil)
    }

    @Test func whatIsNotOursStaysAndIsTold() throws {
        let world = try World(Self.text)
        world.kernel.routes[Self.key] = [foreign]
        try world.serve()
        try world.run { missing($0) != nil }
        #expect(missing(world)?.contains("which is not ours (protocol 4)") == true)
        #expect(world.kernel.routes(at: Self.key) == [foreign])
        world.kernel.routes = [:]
        world.group.kernelChanged(KernelChanges(hasRoutes: true))
        try world.run { isHeld($0) && missing($0) == nil }
        // Somebody else's in its place is not removed with ours.
        world.kernel.routes[Self.key] = [foreign]
        world.group.shutDown()
        #expect(world.kernel.routes(at: Self.key) == [foreign])
    }

    /// The kernel takes metric 0 for any: what is left, once ours has gone, is another instance's.
    @Test(arguments: [true, false])
    func metricZeroTakesNoOther(isThere: Bool) throws {
        let text = World.text + #"routes = [{ to = "198.51.100.0/24", via = "192.0.2.254", table = 100 }]"#
        let zero = RouteKey(destination: Self.destination, table: 100)
        var other = Route(key: Self.key)
        other.routeProtocol = 112
        other.hops = [RouteHop(ifindex: 2, gateway: IPAddress("192.0.2.254"))]
        let world = try World(text)
        world.kernel.routes[Self.key] = [other]
        try world.serve()
        #expect(world.kernel.routes(at: zero).count == 1)
        if !isThere { world.kernel.routes[zero] = nil }
        world.group.shutDown()
        #expect(world.kernel.routes(at: zero) == [] && world.kernel.routes(at: Self.key) == [other])
        // Nor does who cleans up.
        let line = HeldKinds.words("route 198.51.100.0/24 table 100 metric 0 via -")
        var ours = other
        ours.key = zero
        world.kernel.routes[zero] = isThere ? [ours] : nil
        let tables = KernelTables(addresses: [:], links: [:])
        let removed = try HeldKinds.removeLeftovers(recorded: [line], in: tables, by: world.kernel)
        #expect(removed == (isThere ? "1 routes" : ""))
        #expect(world.kernel.routes(at: zero) == [] && world.kernel.routes(at: Self.key) == [other])
    }

    @Test func theRecordNamesWhatIsRemoved() throws {
        let journal = Journal()
        let kernel = FakeKernel(journal: journal)
        var ours = Route(key: Self.key)
        ours.routeProtocol = 112
        ours.hops = [RouteHop(ifindex: 2, gateway: IPAddress("192.0.2.254"))]
        let line = "route 198.51.100.0/24 table 100 metric 50 via -"
        #expect(LegRoutes.isLine(HeldKinds.words(line)) && !LegAddresses.isLine(HeldKinds.words(line)))
        #expect(!LegRoutes.isLine(["route", "192.0.2.1", "owner"]))
        for (present, words) in [([ours], "1 routes"), ([foreign], ""), ([], "")] {
            kernel.routes[Self.key] = present
            let removed = try HeldKinds.removeLeftovers(
                recorded: [HeldKinds.words(line), ["eth0", "192.0.2.1"], ["what", "is", "this"]],
                in: KernelTables(addresses: [:], links: [:]), by: kernel)
            #expect(removed == words)
            #expect(kernel.routes(at: Self.key) == present.filter { $0.routeProtocol == 4 })
        }
    }
}
