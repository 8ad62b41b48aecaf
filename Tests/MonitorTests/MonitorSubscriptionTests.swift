import LinuxSystem
import Testing
import Varlink

@testable import Monitor

/// A daemon that comes and goes, and one subscription, on one loop.
private final class Scene {
    let folder: Folder
    let loop: EventLoop
    var daemon: FakeDaemon?
    let subscription: MonitorSubscription
    var told: [String] = []

    init(heartbeatMs: Int = 60_000) throws {
        folder = try Folder()
        loop = try EventLoop()
        var options = MonitorSubscription.Options()
        options.path = folder.socket
        options.heartbeatMs = heartbeatMs
        options.retryNsMin = 1_000_000
        options.retryNsMax = 4_000_000
        subscription = MonitorSubscription(loop: loop, options: options)
        subscription.onChange = { [unowned self] change in told.append(Self.words(change)) }
    }

    private static func words(_ change: MonitorSubscription.Change) -> String {
        switch change {
        case .interface(let before, let now):
            "\((now ?? before)?.ifname ?? "?") \(before?.rawState ?? "-")>\(now?.rawState ?? "-")"
        case .route(let before, let now):
            "\((now ?? before)?.dst ?? "?") \(words(before))>\(words(now))"
        case .synced: "synced"
        case .degraded(let why): "degraded: \(why)"
        case .lost(let error): "lost: \(error)"
        }
    }

    private static func words(_ route: RouteRecord?) -> String { route.map { $0.present ? "present" : "gone" } ?? "-" }

    func startDaemon(_ snapshot: [EventRecord]) throws {
        daemon = try FakeDaemon(loop, path: folder.socket)
        daemon?.snapshot = snapshot
    }

    func expect(_ words: [String]) throws {
        try loop.pump("\(words), not only \(told)") { told.count >= words.count }
        #expect(told == words)
        told = []
    }
}

private func link(_ ifindex: Int, _ ifname: String, _ state: String, _ kind: EventKind = .snapshot) -> EventRecord {
    EventRecord(kind: kind, interface: InterfaceRecord(ifindex: ifindex, ifname: ifname, rawState: state))
}

private func route(_ dst: String, present: Bool = true, _ kind: EventKind = .snapshot) -> EventRecord {
    EventRecord(kind: kind, route: RouteRecord(dst: dst, present: present))
}

private let synced = EventRecord(kind: .synced)

@Suite struct MonitorSubscriptionTests {
    @Test func followsTheDaemon() throws {
        let scene = try Scene()
        try scene.startDaemon([link(1, "eth0", "up"), link(2, "eth1", "up"), route("0.0.0.0/0"), synced])
        scene.subscription.start()
        try scene.expect(["eth0 ->up", "eth1 ->up", "0.0.0.0/0 ->present", "synced"])
        #expect(scene.subscription.isCurrent)

        scene.daemon?.say([
            link(1, "eth0", "down", .changed), link(1, "eth0", "down", .changed), link(3, "eth2", "down", .added),
            link(2, "lan", "up", .renamed), link(1, "eth0", "down", .removed),
            route("0.0.0.0/0", present: false, .route),
        ])
        try scene.expect([
            "eth0 up>down", "eth2 ->down", "lan up>up", "eth0 down>-", "0.0.0.0/0 present>gone",
        ])
        #expect(scene.subscription.interface(named: "lan")?.ifindex == 2)
        #expect(scene.subscription.interface(named: "eth1") == nil)
    }

    @Test func aRestartTellsOnlyDifferences() throws {
        let scene = try Scene()
        try scene.startDaemon([link(1, "eth0", "up"), link(2, "eth1", "up"), link(3, "eth2", "up"), synced])
        scene.subscription.start()
        try scene.expect(["eth0 ->up", "eth1 ->up", "eth2 ->up", "synced"])

        scene.daemon = nil
        try scene.expect(["lost: the service closed the connection"])
        #expect(!scene.subscription.isCurrent)
        #expect(scene.subscription.interface(named: "eth0")?.isRawUp == true)

        try scene.startDaemon([link(1, "eth0", "up"), link(2, "eth1", "down"), route("::/0"), synced])
        try scene.expect(["eth1 up>down", "::/0 ->present", "eth2 up>-", "synced"])
        #expect(scene.subscription.isCurrent)
    }

    /// An interface that a degraded daemon does not show may exist all the same.
    @Test func aDegradedDaemonIsNotTheWholeTruth() throws {
        let scene = try Scene()
        try scene.startDaemon([link(1, "eth0", "up"), link(2, "eth1", "up"), synced])
        scene.subscription.start()
        try scene.expect(["eth0 ->up", "eth1 ->up", "synced"])
        scene.daemon?.say([EventRecord(kind: .degraded, cause: "no answer")])
        try scene.expect(["degraded: no answer"])
        #expect(!scene.subscription.isCurrent && scene.subscription.isDegraded)
        scene.daemon?.say([link(1, "eth0", "down", .changed), synced])
        try scene.expect(["eth0 up>down", "synced"])
        #expect(scene.subscription.isCurrent && !scene.subscription.isDegraded)

        scene.daemon = nil
        try scene.expect(["lost: the service closed the connection"])
        try scene.startDaemon([link(1, "eth0", "down"), EventRecord(kind: .degraded, cause: "no answer")])
        try scene.expect(["degraded: no answer"])
        #expect(!scene.subscription.isCurrent && scene.subscription.interface(named: "eth1") != nil)
        scene.daemon?.say([synced])
        try scene.expect(["eth1 up>-", "synced"])
        #expect(scene.subscription.isCurrent)
    }

    @Test func waitsForADaemonThatIsNotThereYet() throws {
        let scene = try Scene()
        scene.subscription.start()
        try scene.expect(["lost: \(scene.folder.socket): No such file or directory"])
        try scene.startDaemon([synced])
        try scene.expect(["synced"])
    }

    @Test func overflowIsFollowedByAComparison() throws {
        let scene = try Scene()
        try scene.startDaemon([link(1, "eth0", "up"), link(2, "eth1", "up"), synced])
        scene.subscription.start()
        try scene.expect(["eth0 ->up", "eth1 ->up", "synced"])
        scene.daemon?.say([EventRecord(kind: .overflow), link(1, "eth0", "down"), synced])
        try scene.expect(["eth0 up>down", "eth1 up>-", "synced"])
    }

    @Test func aDaemonThatHangsIsLost() throws {
        let scene = try Scene(heartbeatMs: 10)
        try scene.startDaemon([synced])
        scene.subscription.start()
        // It is asked again, and its second answer counts; on a busy machine a third may follow.
        try scene.loop.pump("a second answer") { scene.told.count >= 3 }
        #expect(scene.told.prefix(3) == ["synced", "lost: no answer in time", "synced"])
        #expect((scene.daemon?.watches.count ?? 0) >= 2)
    }

    @Test func nonsenseIsLost() throws {
        let scene = try Scene()
        try scene.startDaemon([synced])
        scene.subscription.start()
        try scene.expect(["synced"])
        scene.daemon?.watches[0].send(SharedBytes.reply(continues: true) { $0.field("event", "nonsense") })
        try scene.expect(["lost: not a varlink reply: event: expected object", "synced"])
    }

    @Test func stoppedMeansSilent() throws {
        let scene = try Scene()
        try scene.startDaemon([synced])
        scene.subscription.start()
        try scene.expect(["synced"])
        scene.subscription.stop()
        #expect(!scene.subscription.isCurrent)
        try scene.loop.pump("the daemon's notice") { scene.daemon?.server.clientCount == 0 }
        #expect(scene.told == [])
    }
}
