/// How a group treats an object that it tracks, and who is told of an interface; on a simulated machine.
import Configuration
import LinuxSystem
import RtnlMonitor
import Testing
import VRRP

@testable import VRRPClient

private final class Something: Tracked {
    var isWell = true
    var hasAnswered = true
    let cause: Cause
    var onChange: () -> Void = {}

    init(_ name: String) { cause = Cause(.tracked, name) }
}

@Suite struct TrackedTests {
    @Test func whatIsNotWellIsACauseOrAWeight() throws {
        let world = try World(
            World.text
                + """
                track = ["check:gate", { check = "scale", weight = -30 }]
                [check.gate]
                exec = ["/bin/true"]
                [check.scale]
                exec = ["/bin/true"]
                """)
        let (gate, scale) = (Something("check:gate"), Something("check:scale"))
        world.services.tracked = { track, _ in track.object == .check("gate") ? gate : scale }
        var status: GroupStatus { world.group.engine.status }
        try world.serve()
        scale.isWell = false
        // Another object has changed, as far as the group knows.
        world.group.trackedChanged(gate)
        #expect(status.priority == 100)
        world.group.trackedChanged(scale)
        #expect(status.priority == 70 && status.state == .master)
        gate.isWell = false
        world.group.trackedChanged(gate)
        #expect(status.state == .fault && status.causes.map(\.description) == ["check:gate"])
        #expect(world.kernel.ours.isEmpty)
        (gate.isWell, scale.isWell) = (true, true)
        world.group.trackedChanged()
        #expect(status.state == .backup && status.causes.isEmpty && status.priority == 100)
    }

    private func links() throws -> (FakeKernel, LinkWatch) {
        let kernel = FakeKernel(journal: Journal())
        try kernel.addLink(2, "eth0", mac: World.mac, address: "192.0.2.2")
        try kernel.addLink(3, "eth1", mac: World.mac, address: "198.51.100.2")
        return (kernel, LinkWatch(kernel: kernel, loop: try EventLoop()))
    }

    @Test func whoAskedForAnInterfaceIsToldOfItAlone() throws {
        let (kernel, links) = try links()
        let owner = Something("x")
        var told: [String] = []
        links.follow(["eth0", "gone"], .raw, by: owner) { told.append("\($0) \($1.isUp ? "up" : $1.reason)") }
        links.tell(of: ["eth0"])
        #expect(told == [], "before the groups have begun")
        links.begin()
        links.tell(of: ["eth0", "eth1", "gone"])
        #expect(told == ["eth0 up", "gone absent"])
        kernel.links[2]?.carrier = false
        links.follow(["eth0", "eth1"], .settled, by: owner) { told.append("\($0) \($1.isUp ? "up" : $1.reason)") }
        links.tell(of: ["eth0", "gone"])
        #expect(told.dropFirst(2) == ["eth0 carrier"])
        links.unfollow(owner)
        links.tell(of: ["eth0", "eth1"])
        #expect(told.count == 3)
    }

    @Test func aLinkHasACauseOfItsOwn() throws {
        let (kernel, links) = try links()
        let link = TrackedLink("eth1", .raw, links)
        var changes = 0
        link.onChange = { changes += 1 }
        links.begin()
        #expect(link.isWell)
        kernel.links[3]?.carrier = false
        links.tell(of: ["eth0", "eth1"])
        #expect(!link.isWell && link.cause == Cause(.link, "eth1", detail: "carrier") && changes == 1)
        #expect(link.contribution(of: -50) == -50 && link.contribution(of: 50) == 0)
        link.stop()
        links.tell(of: ["eth1"])
        #expect(changes == 1)
    }
}
