/// A group between a kernel, a wire and a runner that are not there: what it does, and in which order.
import Addresses
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import Testing

@testable import Configuration
@testable import VRRP
@testable import VRRPClient

@Suite struct GroupDriverTests {
    /// Nobody is heard: the addresses are there before the neighbours are told that they are.
    @Test func servesWhenNobodyElseDoes() throws {
        let world = try World()
        try world.serve()
        let added = try #require(world.journal.place(of: .added(World.virtual)))
        let announced = try #require(world.journal.place(of: .sentByLink))
        #expect(added < announced)
        #expect(world.kernel.ours == [AddressKey(ifindex: 2, address: World.virtual, prefixLength: 32)])
        #expect(world.kernel.addresses.values.allSatisfy { !LegAddresses.isOurs($0) || $0.hasLease })
        #expect(world.port.lastAdvert?.addresses == [World.virtual])
        #expect(world.port.lastAdvert?.source == IPAddress("192.0.2.2"))
        // Should it die now, the runner knows what to say.
        #expect(world.runner.lastWords.map(\.speaker) == [.instance("lan")])
        #expect(world.group.engine.status.isHolding)
    }

    /// An instance without addresses is master without anything in the kernel; the runner resigns for it only while it is.
    @Test func electsWithoutAddresses() throws {
        let world = try World(World.text.replacing("\"192.0.2.1/24\"", with: ""))
        try world.serve()
        #expect(world.kernel.ours.isEmpty && world.journal.place(of: .sentByLink) == nil)
        #expect(world.port.lastAdvert?.addresses == [])
        #expect(world.group.engine.status.isHolding && world.group.engine.status.conditions.isEmpty)
        #expect(world.runner.lastWords.map(\.speaker) == [.instance("lan")])
        world.peerServes(priority: 200)
        try world.run { $0.group.engine.status.state == .backup }
        #expect(!world.group.engine.status.isHolding && world.runner.lastWords.isEmpty)
    }

    /// A lesser master is told of before anything is taken from it.
    @Test func claimsBeforeItPreempts() throws {
        let world = try World()
        world.begin()
        world.peerServes(priority: 50)
        try world.run { $0.journal.deeds.contains(.added(World.virtual)) }
        world.peerEnds()
        let claimed = try #require(world.journal.place(of: .sentAdvert(priority: 100)))
        #expect(claimed < (try #require(world.journal.place(of: .added(World.virtual)))))
        try world.run { $0.group.engine.status.state == .master }
    }

    /// A better master is followed: nothing is sent, nothing is added.
    @Test func followsABetterMaster() throws {
        let world = try World()
        world.begin()
        world.peerServes(priority: 200)
        var heard = 0
        let silent: [Deed] = [.became(.backup)]
        // Twenty times as often as its silence would have to last.
        try world.run { world in
            heard = Int(world.group.engine.status.members[0].statistics.advertsReceived)
            if heard < 60 { world.loop.schedule(atNs: world.loop.nowNs + 1_000_000) { world.journal.onDeed() } }
            return heard >= 60
        }
        #expect(world.journal.deeds == silent)
        #expect(world.kernel.ours.isEmpty)
    }

    /// A station that answers for a virtual address is reported once for each question, however often it answers.
    @Test func anAnswererIsToldOnceForAQuestion() throws {
        let world = try World()
        try world.serve()
        let stranger = try #require(MACAddress([0x02, 0, 0, 0, 0, 0x99]))
        let member = MemberIndex(0)
        world.group.probeAddresses(member)
        #expect(world.group.answerers[member, default: []].isEmpty)
        for _ in 0..<3 { world.group.hearAnswer(for: World.virtual, from: stranger, on: member, isOnLeg: true) }
        #expect(world.group.answerers[member]?.count == 1)
        world.group.probeAddresses(member)
        #expect(world.group.answerers[member, default: []].isEmpty)
    }

    /// An address that somebody removes is added again.
    @Test func putsBackWhatIsTakenAway() throws {
        let world = try World()
        try world.serve()
        world.journal.forget()
        world.takeAway(try #require(world.kernel.ours.first))
        try world.run { $0.journal.deeds.contains(.added(World.virtual)) }
        #expect(world.group.engine.status.state == .master)
        #expect(world.kernel.ours.count == 1)
    }

    /// An address that cannot be added again is a cause of FAULT, and another router may serve.
    @Test func anAddressThatIsLostForGoodIsACause() throws {
        let world = try World()
        try world.serve()
        world.journal.forget()
        world.kernel.refusalOfAddresses = RtnlError(.notPermitted)
        world.takeAway(try #require(world.kernel.ours.first))
        try world.run { $0.journal.deeds.contains(.sentAdvert(priority: 0)) }
        #expect(world.group.engine.status.state == .fault)
        #expect(world.group.engine.status.causes.map(\.kind) == [.address])
        #expect(!world.group.engine.status.isHolding)
    }

    /// An interface through which nothing can be sent is a cause of FAULT; the addresses are removed even if the
    /// resignation cannot be sent.
    @Test func aRefusedSendIsACause() throws {
        let world = try World()
        try world.serve()
        world.journal.forget()
        world.port.outcome = .failed(.networkDown)
        try world.run { $0.journal.deeds.contains(.became(.fault)) }
        #expect(world.group.engine.status.causes.map(\.kind) == [.sendDenied])
        #expect(world.kernel.ours.isEmpty)
        #expect(world.group.legs[0].sendErrors > 0)
        // It comes up again.
        world.port.outcome = .sent
        world.linkBecomes(carrier: true)
        try world.run { $0.group.engine.status.state == .master && $0.kernel.ours.count == 1 }
    }

    /// Without a carrier the addresses go at once, and come back with it.
    @Test func aLinkThatGoesIsACause() throws {
        let world = try World()
        try world.serve()
        world.linkBecomes(carrier: false)
        #expect(world.group.engine.status.state == .fault)
        #expect(world.group.engine.status.causes.map(\.description) == ["link:eth0:carrier"])
        #expect(world.kernel.ours.isEmpty)
        world.linkBecomes(carrier: true)
        try world.run { $0.group.engine.status.state == .master && $0.kernel.ours.count == 1 }
    }

    /// A packet filter is no cause: the advert was sent past it.
    @Test func aPacketFilterIsACondition() throws {
        let world = try World()
        try world.serve()
        world.port.outcome = .sentAround
        try world.run { world in
            world.published.contains { if case .raised(let it) = $0 { it.kind == .sendFiltered } else { false } }
        }
        #expect(world.group.engine.status.state == .master)
    }

    /// The addresses are removed first; then the resignation is sent, once.
    @Test func resignsInOrder() throws {
        let world = try World()
        try world.serve()
        world.journal.forget()
        world.group.shutDown()
        let removed = try #require(world.journal.place(of: .removed(World.virtual)))
        let said = try #require(world.journal.place(of: .sentAdvert(priority: 0)))
        #expect(removed < said)
        #expect(world.journal.deeds.count { $0 == .sentAdvert(priority: 0) } == 1)
        #expect(world.kernel.ours.isEmpty)
    }

    /// A reload changes only what differs.
    @Test func aReloadKeepsWhatStays() throws {
        let world = try World()
        try world.serve()
        world.journal.forget()
        let text = World.text.replacing("\"192.0.2.1/24\"", with: "\"192.0.2.1/24\", \"192.0.2.4/24\"")
        let changed = try VRRPConfiguration(text: Array(text.utf8), file: "test")
        let second = try #require(IPAddress("192.0.2.4"))
        world.kernel.followed.insert(second)
        world.group.letGo(for: try #require(changed.groups.first))
        world.group.reload()
        try world.run { $0.port.lastAdvert?.addresses.count == 2 }
        #expect(world.journal.place(of: .removed(World.virtual)) == nil)
        #expect(world.journal.place(of: .added(second)) != nil)
        #expect(world.group.engine.status.state == .master)
    }

    /// Who is stopped in the middle of a turn, for longer than its lease, says nothing of what it had decided before.
    @Test func whoIsStoppedWithinATurnStaysSilent() throws {
        let world = try World(World.text + "address-lease = \"1s\"\n")
        try world.serve()
        var said: [Deed] = []
        world.loop.schedule(atNs: world.loop.nowNs) { [unowned world] in
            world.journal.forget()
            world.group.sendAdvert(world.group.legs[0], 100)
            usleep(700_000)
            world.group.sendAdvert(world.group.legs[0], 100)
            world.group.sendAdvert(world.group.legs[0], 0)
            said = world.journal.deeds
        }
        try world.run { !said.isEmpty && $0.journal.deeds.contains(.became(.backup)) }
        #expect(said == [.sentAdvert(priority: 100), .sentAdvert(priority: 0)])
    }

    /// Another station that claims an address is named.
    @Test func anotherThatClaimsAnAddressIsNamed() throws {
        let world = try World()
        try world.serve()
        world.wire.claim(World.virtual, by: World.peerMAC)
        let conflict = world.group.engine.status.conditions.first { $0.kind == .addressConflict }
        #expect(conflict?.description.contains("02:00:00:00:00:03") == true)
    }
}

@Suite struct NotifierTests {
    private func became(_ event: Notification.Event, _ group: String) -> Notification {
        Notification(subject: .init(group: group), event: event, priority: 100)
    }

    /// Notify programs of one group run one after another, those of two groups side by side.
    @Test func keepsTheOrderOfEachGroup() {
        let runner = FakeRunner()
        let notifier = Notifier(runner: runner)
        notifier.notify("first", became(.master, "a"))
        notifier.notify("second", became(.backup, "a"))
        notifier.notify("other", became(.master, "b"))
        #expect(runner.runs.map(\.name.notify) == ["first", "other"])
        // However it ends.
        runner.end(1, .timedOut)
        #expect(runner.runs.map(\.name.notify) == ["first", "other", "second"])
    }

    /// When the queue is full the oldest program is dropped: the newest state is the one that counts.
    @Test func dropsTheOldestOfTooMany() {
        let runner = FakeRunner()
        let notifier = Notifier(runner: runner)
        for number in 0...Notifier.queueMax + 2 { notifier.notify("\(number)", became(.master, "a")) }
        #expect(notifier.dropped == 2)
        runner.end(1)
        #expect(runner.runs.last?.name.notify == "3")
    }

    /// What packets cause does not fill the queue.
    @Test func whatPacketsCauseWaitsOnce() {
        let runner = FakeRunner()
        let notifier = Notifier(runner: runner)
        for _ in 0..<1000 { notifier.notify("n", became(.masterRxLowerPri, "a")) }
        #expect(notifier.dropped == 0)
        runner.end(1)
        runner.end(2)
        #expect(runner.runs.count == 2)
    }

    /// More than may run at one time wait, and none is lost.
    @Test func soManyRunAtOneTime() {
        let runner = FakeRunner()
        let notifier = Notifier(runner: runner)
        let all = Notifier.runningMax + 2
        for number in 1...all { notifier.notify("n", became(.master, "\(number)")) }
        #expect(runner.runs.count == Notifier.runningMax)
        for id in 1...2 { runner.end(id) }
        #expect(runner.runs.count == all)
    }

    /// Programs that wait when the process ends are handed to the runner, in their order.
    @Test func handsOverWhatWaits() {
        let runner = FakeRunner()
        let notifier = Notifier(runner: runner)
        for name in ["first", "second", "third"] { notifier.notify(name, became(.master, "a")) }
        notifier.handOver()
        #expect(runner.runs.map(\.name.notify) == ["first", "second", "third"])
        #expect(runner.runs.map(\.after) == [nil, 1, 2])
    }
}

/// Who is told of what.
@Suite struct NotificationTests {
    private typealias Event = Notification.Event

    private func told(_ states: [Event]?, _ arguments: VRRPConfiguration.Notify.Arguments = .nothing) -> [[Event?]] {
        var notify = VRRPConfiguration.Notify(name: "n")
        (notify.states, notify.arguments) = (states, arguments)
        func transition(_ from: GroupState, _ to: GroupState, _ reason: TransitionReason) -> Transition {
            Transition(from: from, to: to, reason: reason, priority: 100)
        }
        let changes = [
            transition(.initialize, .backup, .start), transition(.backup, .master, .take),
            transition(.master, .fault, .fault),
            transition(.master, .backup, .shutdown), transition(.backup, .initialize, .shutdown),
        ]
        return [
            changes.map { notify.event($0) },
            [
                notify.eventOfDeletion(isInstance: true, in: .backup),
                notify.eventOfDeletion(isInstance: true, in: .fault),
                notify.eventOfDeletion(isInstance: false, in: .backup),
            ],
        ]
    }

    /// Without `states` and `arguments` a program is told of every change of state; otherwise of what keepalived tells.
    @Test func whoIsToldOfWhat() {
        #expect(told(nil) == [[.backup, .master, .fault, .backup, .stop], [.deleted, .deleted, .deleted]])
        #expect(told(nil, .keepalived) == [[.backup, .master, .fault, nil, .stop], [.fault, nil, nil]])
        #expect(told([.master, .deleted]) == [[nil, .master, nil, nil, nil], [.deleted, .deleted, .deleted]])
        #expect(told([.backup]) == [[.backup, nil, nil, nil, nil], [nil, nil, nil]])
        #expect(told([.fault]) == [[nil, nil, .fault, nil, nil], [.fault, nil, nil]])
    }

    /// By default all groups; with `instances` those alone, and both if both are there.
    @Test func ofWhomItIsTold() throws {
        let text =
            "[group.g]\ninstances = [\"a\", \"b\"]\n"
            + [("a", 0), ("b", 1), ("c", 2)].map {
                "[instance.\($0)]\ninterface = \"nowhere\($1)\"\nvrid = 9\naddresses = [\"192.0.2.\($1 + 1)\"]\n"
            }.joined()
        func subjects(_ keys: String) throws -> [String] {
            let text = text + "[notify.n]\nexec = [\"/bin/true\"]\n" + keys
            let configuration = try VRRPConfiguration(text: Array(text.utf8), file: "test")
            return configuration.groups.flatMap { configuration.notifies[0].subjects(in: $0).map(\.description) }
        }
        #expect(try subjects("") == ["group g", "group c"])
        #expect(try subjects("groups = [\"c\"]") == ["group c"])
        #expect(try subjects("instances = [\"b\"]") == ["instance b"])
        #expect(
            try subjects("groups = [\"g\"]\ninstances = [\"b\", \"a\"]") == ["instance a", "instance b", "group g"])
    }
}

extension ProgramName {
    fileprivate var notify: String? { if case .notify(let name, _) = self { name } else { nil } }
}
