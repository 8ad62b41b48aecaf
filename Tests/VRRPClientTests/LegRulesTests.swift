/// The policy rules of a leg, with a kernel that is a table: in which order they come and go, and what the record says of them.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import Testing

@testable import VRRP
@testable import VRRPClient

@Suite struct LegRulesTests {
    private static let text =
        World.text
            + """
            routes = [{ to = "198.51.100.0/24", via = "192.0.2.254", table = 100 }]
            rules = [
                { from = "192.0.2.1/32", table = 100, priority = 1000 },
                { from = "::/0", iif = "lo", fwmark = "0x10/0xff", ipproto = "udp", dport = "80-89", uidrange = "5-7", not = true, type = "prohibit", priority = 1001 },
            ]
            """

    private func missing(_ world: World) -> String? {
        world.group.engine.status.conditions.first { $0.kind == .holdingMissing }?.description
    }

    @Test func comeLastAndGoFirst() throws {
        let world = try World(Self.text)
        try world.serve()
        #expect(world.kernel.rules.map(\.ruleProtocol) == [112, 112])
        world.group.shutDown()
        let destination = try #require(IPPrefix("198.51.100.0/24"))
        let order: [Deed] = [
            .added(World.virtual), .addedRoute(destination), .addedRule(priority: 1000), .addedRule(priority: 1001),
            .removedRule(priority: 1000), .removedRule(priority: 1001), .removedRoute(destination),
            .removed(World.virtual),
        ]
        #expect(world.journal.deeds.filter(order.contains) == order)
    }

    @Test func whatIsTakenAwayComesBack() throws {
        let world = try World(Self.text)
        try world.serve()
        world.kernel.rules = []
        world.group.kernelChanged(KernelChanges(hasRules: true))
        try world.run { $0.kernel.rules.count == 2 }
        #expect(missing(world) == nil)
    }

    /// As the kernel answers when another rule cannot be told from ours.
    @Test func whatIsRefusedIsToldAndTriedAgain() throws {
        let world = try World(Self.text)
        world.kernel.refusalOfRules = RtnlError(.fileExists)
        try world.serve()
        try world.run { missing($0) != nil }
        #expect(missing(world)?.contains("which the kernel cannot tell from it") == true)
        world.kernel.refusalOfRules = nil
        world.group.kernelChanged(KernelChanges(hasRules: true))
        try world.run { $0.kernel.rules.count == 2 && missing($0) == nil }
    }

    @Test func theRecordNamesWhatIsRemoved() throws {
        let world = try World(Self.text)
        try world.serve()
        let held = world.kernel.rules
        let lines = HeldKinds.lines(of: [world.group.group]).map(HeldKinds.words).filter(LegRules.isLine)
        #expect(lines.count == 2 && !lines.contains { LegRoutes.isLine($0) || LegAddresses.isLine($0) })
        let kernel = FakeKernel(journal: Journal())
        var foreign = try #require(held.first)
        foreign.ruleProtocol = 4
        kernel.rules = held.union([foreign])
        let removed = try LegRules.removeLeftovers(
            recorded: lines, named: lines, in: KernelTables(addresses: [:], links: [:]), by: kernel
        ) { _ in }
        #expect(removed == "2 rules" && kernel.rules == [foreign])
        for line in [
            "rule inet priority 7", "rule inet priority 7 table 5 from ::/0", "rule inet priority 7 table 5 x 1",
        ] {
            #expect(!LegRules.isLine(HeldKinds.words(line)))
        }
    }
}
