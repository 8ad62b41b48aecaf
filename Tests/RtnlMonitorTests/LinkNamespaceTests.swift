/// Links that come, go and change in a namespace of the test's own.
///
///     left ======= right        (veth)
///     br0  --- left              (for the bridge)
import LinuxSystem
import RtnlMonitor
import Testing

@Suite(.serialized, .enabled(if: isRoot, needsRoot)) struct LinkNamespaceTests {
    @Test func aLinkIsAddedRenamedAndMadeAgain() throws {
        try inNamespace {
            let monitor = try RtnlMonitor.started()
            try ip("link add left type veth peer name right")
            try monitor.read { _ in monitor.link(named: "left")?.kind == "veth" }
            let first = try monitor.ifindex("left")

            try ip("link set left name port")
            let renamed = try monitor.read { _ in monitor.link(named: "port") != nil }
            #expect(
                renamed.contains {
                    if case .linkRenamed(let old, let new) = $0 {
                        old.name == "left" && new.name == "port"
                    } else {
                        false
                    }
                })
            #expect(try monitor.ifindex("port") == first)

            // The kernel announces a further name only of an interface that is up (net/core/dev.c, netdev_state_change).
            try ip("link set port up")
            try ip("link property add dev port altname the-outside-port-of-this-test")
            try monitor.read { _ in monitor.link(named: "the-outside-port-of-this-test")?.ifindex == first }

            try ip("link del port")
            let removed = try monitor.read { _ in monitor.links.count == 1 }
            #expect(removed.contains { if case .linkRemoved(let link) = $0 { link.ifindex == first } else { false } })

            try ip("link add port type veth peer name right")
            try monitor.read { _ in monitor.link(named: "port") != nil }
            #expect(try monitor.ifindex("port") != first)
            #expect(monitor.statistics.overruns == 0 && monitor.statistics.malformed == 0)
        }
    }

    @Test func anIfindexIsUsedAgainByAnotherKind() throws {
        try inNamespace {
            let monitor = try RtnlMonitor.started()
            try ip("link add one index 77 type bridge")
            try monitor.read { _ in monitor.links[77]?.kind == "bridge" }
            try ip("link del one")
            try ip("link add one index 77 type ifb")
            let changes = try monitor.read { _ in monitor.links[77]?.kind == "ifb" }
            #expect(changes.contains { if case .linkRemoved(let link) = $0 { link.kind == "bridge" } else { false } })
            #expect(changes.contains { if case .linkAdded(let link) = $0 { link.kind == "ifb" } else { false } })
        }
    }

    @Test func leavingABridgeIsNotADeletion() throws {
        try inNamespace {
            try ip("link add left type veth peer name right")
            try ip("link add br0 type bridge")
            try ip("link set left master br0")
            let monitor = try RtnlMonitor.started()
            let left = try monitor.ifindex("left")
            #expect(monitor.links[left]?.master == (try monitor.ifindex("br0")))
            try ip("link set left nomaster")
            let changes = try monitor.read { _ in monitor.links[left]?.master == 0 }
            #expect(!changes.contains { if case .linkRemoved = $0 { true } else { false } })
            #expect(monitor.statistics.ignored > 0)
        }
    }

    @Test func carrierAndAdministrativeStateAreSeen() throws {
        try inNamespace {
            try ip("link add left type veth peer name right")
            try ip("link set left up")
            let monitor = try RtnlMonitor.started()
            let left = try monitor.ifindex("left")
            #expect(monitor.links[left]?.flags.names.first == "NO-CARRIER")
            #expect(monitor.links[left]?.operState == .lowerLayerDown)
            try ip("link set right up")
            try monitor.read { _ in monitor.links[left]?.operState == .up && monitor.links[left]?.carrier == true }
            #expect(monitor.links[left]?.flags.isSuperset(of: [.up, .running, .lowerUp]) == true)
            try ip("link set right down")
            try monitor.read { _ in monitor.links[left]?.carrier == false }
            try ip("link set left down")
            try monitor.read { _ in monitor.links[left]?.flags.contains(.up) == false }
        }
    }

    /// A macvlan, as not every driver lets itself be kept down (`ip link set protodown`).
    @Test func whoIsKeptDownByAProgramIsSeen() throws {
        try inNamespace {
            try ip("link add left type veth peer name right")
            try ip("link add link left name mv type macvlan")
            for name in ["left", "right", "mv"] { try ip("link set \(name) up") }
            let monitor = try RtnlMonitor.started()
            let mv = try monitor.ifindex("mv")
            try monitor.read { _ in monitor.links[mv]?.operState == .up }
            #expect(monitor.links[mv]?.protoDown == nil)
            try ip("link set mv protodown on")
            try monitor.read { _ in monitor.links[mv]?.protoDown == [] && monitor.links[mv]?.carrier == false }
            for reason in [3, 31] { try ip("link set mv protodown_reason \(reason) on") }
            try monitor.read { _ in monitor.links[mv]?.protoDown == ["3", "31"] }
            for reason in [3, 31] { try ip("link set mv protodown_reason \(reason) off") }
            try ip("link set mv protodown off")
            try monitor.read { _ in monitor.links[mv]?.protoDown == nil && monitor.links[mv]?.operState == .up }
        }
    }

    @Test func aLinkMovesToAnotherNamespaceAndBack() throws {
        try inNamespace {
            try ip("link add left type veth peer name right")
            let monitor = try RtnlMonitor.started()
            let other = try Program(["unshare", "-n", "sleep", "60"])
            let left = try monitor.ifindex("left")
            let right = try monitor.ifindex("right")
            // The program first is in this namespace: the move is over when the link has gone.
            try monitor.read("for the move") { _ in
                if monitor.links[left] != nil { try ip("link set left netns \(other.processID)") }
                return monitor.links[left] == nil
            }
            let words = ["nsenter", "-t", "\(other.processID)", "-n", "ip", "link", "set", "left", "netns"]
            try Program(words + [try threadID()]).wait()
            try monitor.read { _ in monitor.link(named: "left")?.link == right }
        }
    }

    /// One interface is one message: names and addresses make it longer than 32 KiB, the addresses longer than 64 KiB.
    @Test func anInterfaceOfAnyLengthIsRead() throws {
        try inNamespace {
            try ip("link add first type ifb")
            try ip("link add lower type veth peer name other")
            try ip("link add link lower name mv type macvlan mode source")
            try ip("link add last type ifb")
            let monitor = try RtnlMonitor.started()
            try ip("link set first up")
            let name = String(repeating: "n", count: 120)
            try startBatch((100..<360).map { "link property add dev first altname \(name)\($0)" }).wait()
            try startBatch(
                (0..<6000).map {
                    "link set link dev mv type macvlan macaddr add 02:00:00:00:\(hex($0 >> 8)):\(hex($0))"
                }
            ).wait()
            try monitor.read("for the names") { _ in monitor.link(named: "\(name)359") != nil }
            try ip("link set mv up")
            try monitor.read("for mv") { _ in monitor.link(named: "mv")?.flags.contains(.up) == true }
            try ip("link set first down")
            try monitor.read("for the end of first") { _ in monitor.link(named: "first")?.flags.contains(.up) == false }
            #expect(monitor.statistics.overruns == 0 && monitor.statistics.malformed == 0)

            // Everything anew, and one of them alone.
            let snapshot = try RtnlMonitor.snapshot()
            #expect(stable(snapshot.links) == stable(monitor.links))
            #expect(snapshot.links.count == 6)
            #expect(snapshot.link(named: "mv")?.mtu == 1500 && snapshot.link(named: "mv")?.kind == "macvlan")
            let requester = try RtnlRequester()
            #expect(try requester.link(ifindex: monitor.ifindex("first")).altnames.count == 260)
            #expect(try requester.link(named: "mv").ifindex == monitor.ifindex("mv"))
        }
    }

    /// Of an interface that is down the kernel announces no further name: it has to be asked.
    @Test func aNameOfAnInterfaceThatIsDownIsFoundByAsking() throws {
        try inNamespace {
            try ip("link add left type veth peer name right")
            let monitor = try RtnlMonitor.started()
            try ip("link property add dev left altname outside")
            #expect(monitor.link(named: "outside") == nil)
            // Not more often than once a second.
            try monitor.read("for the name") { _ in
                _ = monitor.askForLinks(nowNs: Clock.monotonicNs())
                return monitor.link(named: "outside") != nil
            }
            #expect(!monitor.isReadingLinks)
        }
    }

    @Test func anOverrunEndsInTheRightState() throws {
        try inNamespace {
            let monitor = try RtnlMonitor.started(.init(receiveBufferBytes: 4096))
            #expect(monitor.generation == 1)
            try startBatch((0..<200).map { "link add o\($0) group \(1 + $0 % 2) type ifb" }).wait()
            try ip("link del group 1")
            let changes = try monitor.read("for 101 links") { _ in monitor.isSynced && monitor.links.count == 101 }
            #expect(changes.contains { if case .resync = $0 { true } else { false } })
            #expect(changes.contains { if case .synced(let generation) = $0 { generation > 1 } else { false } })
            #expect(monitor.generation > 1)
            #expect(monitor.statistics.overruns > 0)
            #expect(stable(monitor.links) == stable(try RtnlMonitor.snapshot().links))
            // What was there before and is gone now was swept.
            try ip("link del group 2")
            let removed = try monitor.read("for 1 link") { _ in monitor.isSynced && monitor.links.count == 1 }
            #expect(removed.count { if case .linkRemoved = $0 { true } else { false } } == 100)
        }
    }

    /// Created and deleted while they are read, by a buffer that holds them and by one that cannot. Deletion goes by group,
    /// as the kernel waits for all processors after each single one.
    @Test(arguments: [4 << 20, 16384] as [Int32]) func twoThousandLinks(_ bufferBytes: Int32) throws {
        try inNamespace {
            let monitor = try RtnlMonitor.started(.init(receiveBufferBytes: bufferBytes))
            let creation = try startBatch((0..<2000).map { "link add m\($0) group \(1 + $0 % 3) type ifb" })
            try monitor.read("for 2,001 links", seconds: 60) { _ in
                try creation.poll() && monitor.isSynced && monitor.links.count == 2001
            }
            #expect(stable(monitor.links) == stable(try RtnlMonitor.snapshot().links))
            let deletion = try startBatch(["link del group 1", "link del group 2"])
            // A busy machine may have read it wrong five times in a row; then it is read again within a second or so.
            try monitor.read("for 667 links", seconds: 60) { _ in
                try deletion.poll() && monitor.isSynced && monitor.degradation.isEmpty && monitor.links.count == 667
            }
            #expect(stable(monitor.links) == stable(try RtnlMonitor.snapshot().links))
            print("2,000 links, buffer of \(bufferBytes): \(monitor.statistics)")
        }
    }
}

private func hex(_ value: Int) -> String { String(value & 255, radix: 16) }
