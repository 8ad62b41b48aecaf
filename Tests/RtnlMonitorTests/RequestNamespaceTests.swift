/// What a VRRP process asks for, and what the mirror of addresses says of it.
///
///     left ======= right        (veth)
///      +-- vip                  (macvlan)
import Addresses
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import Testing

@Suite(.serialized, .enabled(if: isRoot, needsRoot)) struct RequestNamespaceTests {
    private static func ports() throws {
        try startBatch(["link add left type veth peer name right", "link set left up", "link set right up"]).wait()
    }

    private static func key(_ ifindex: Int32, _ text: String, _ length: UInt8) throws -> AddressKey {
        AddressKey(ifindex: ifindex, address: try #require(IPAddress(text)), prefixLength: length)
    }

    @Test func addressesAreLeasedAndTakenBack() throws {
        try inNamespace {
            try Self.ports()
            let monitor = try RtnlMonitor.started(.init(routes: nil, addresses: true))
            let requester = try RtnlRequester()
            let left = try monitor.ifindex("left")
            var request4 = AddressRequest(key: try Self.key(left, "192.0.2.1", 32), validSeconds: 2)
            request4.addressProtocol = 112
            var request6 = AddressRequest(key: try Self.key(left, "2001:db8::1", 128), validSeconds: 2)
            request6.isPreferred = false
            request6.addressProtocol = 112
            #expect(try requester.perform([.putAddress(request4), .putAddress(request6)]) == [nil, nil])
            try monitor.read { _ in
                monitor.addresses[request4.key] != nil && monitor.addresses[request6.key] != nil
            }
            let held4 = try #require(monitor.addresses[request4.key])
            let held6 = try #require(monitor.addresses[request6.key])
            #expect(held4.hasLease && held6.hasLease)
            #expect(held4.addressProtocol == 112 && held6.addressProtocol == 112)
            #expect(held6.flags == [.noDAD, .deprecated])
            // A refresh changes nothing that is kept; then the kernel takes both back by itself.
            #expect(try requester.perform([.putAddress(request4), .putAddress(request6)]) == [nil, nil])
            let changes = try monitor.read("for the leases to end") { _ in
                monitor.addresses[request4.key] == nil && monitor.addresses[request6.key] == nil
            }
            let keys = [request4.key, request6.key]
            #expect(
                !changes.contains { if case .addressChanged(_, let new) = $0 { keys.contains(new.key) } else { false } }
            )
        }
    }

    @Test func aRefusalIsSaidInTheKernelsWords() throws {
        try inNamespace {
            try Self.ports()
            let requester = try RtnlRequester()
            let left = try requester.link(named: "left").ifindex
            let answers = try requester.perform([
                .removeAddress(try Self.key(left, "192.0.2.1", 32)),
                .putAddress(AddressRequest(key: try Self.key(9999, "192.0.2.1", 32))),
                .putAddress(AddressRequest(key: try Self.key(left, "192.0.2.1", 32))),
                .removeAddress(try Self.key(left, "192.0.2.1", 32)),
            ])
            #expect(answers.map { $0?.errno } == [.addressNotAvailable, .operationNotSupportedByDevice, nil, nil])
            #expect(answers.first??.text.isEmpty == false)
        }
    }

    @Test func manyAddressesInBatches() throws {
        try inNamespace {
            try Self.ports()
            let monitor = try RtnlMonitor.started(.init(routes: nil, addresses: true))
            let requester = try RtnlRequester()
            let left = try monitor.ifindex("left")
            let keys = try (0..<500).map { try Self.key(left, "10.0.\($0 / 250).\($0 % 250 + 1)", 32) }
            let answers = try requester.perform(keys.map { .putAddress(AddressRequest(key: $0, validSeconds: 60)) })
            #expect(answers == [RtnlError?](repeating: nil, count: 500))
            try monitor.read { _ in keys.allSatisfy { monitor.addresses[$0] != nil } }
            let fresh = try RtnlMonitor.snapshot(options: .init(routes: nil, addresses: true))
            // The kernel's own IPv6 addresses are still being checked for duplicates.
            #expect(
                monitor.addresses.filter { !$0.key.address.isIPv6 } == fresh.addresses.filter { !$0.key.address.isIPv6 }
            )
            #expect(try requester.perform(keys.map { .removeAddress($0) }).allSatisfy { $0 == nil })
            try monitor.read { _ in !keys.contains { monitor.addresses[$0] != nil } }
        }
    }

    @Test func anOverrunOfAddressesIsMended() throws {
        try inNamespace {
            try Self.ports()
            let monitor = try RtnlMonitor.started(.init(routes: nil, addresses: true, receiveBufferBytes: 4096))
            let requester = try RtnlRequester()
            let left = try monitor.ifindex("left")
            let keys = try (1...200).map { try Self.key(left, "10.0.0.\($0)", 32) }
            _ = try requester.perform(keys.map { .putAddress(AddressRequest(key: $0)) })
            _ = try requester.perform(keys.prefix(100).map { .removeAddress($0) })
            try monitor.read { _ in
                monitor.isSynced && keys.enumerated().allSatisfy { (monitor.addresses[$1] == nil) == ($0 < 100) }
            }
            #expect(monitor.statistics.overruns > 0)
        }
    }

    @Test func refreshesOfAQuietPortWakeNobody() throws {
        try inNamespace {
            try Self.ports()
            let requester = try RtnlRequester()
            let refresher = try RtnlRequester()
            let monitor = try RtnlMonitor.started(
                .init(routes: nil, addresses: true, quietPort: refresher.port, quietProtocol: 112))
            let left = try monitor.ifindex("left")
            try monitor.read("for quiet") { _ in
                // The kernel's own addresses pass their duplicate check.
                monitor.addresses.count >= 2 && !monitor.addresses.values.contains { $0.flags.contains(.tentative) }
            }
            let requests = try [("192.0.2.1", 32 as UInt8), ("2001:db8::1", 128)].map { address, length in
                var request = AddressRequest(key: try Self.key(left, address, length), validSeconds: 60)
                request.addressProtocol = 112
                return request
            }
            for request in requests { try requester.perform(.putAddress(request)) }
            try monitor.read { _ in requests.allSatisfy { monitor.addresses[$0.key] != nil } }
            let before = monitor.statistics.messages
            // The kernel tells a refresh from an addition by its clock's hundredths of a second.
            usleep(20_000)
            for _ in 0..<10 {
                for request in requests { try refresher.perform(.putAddress(request)) }
            }
            let renewal = try #require(requester.encode(requests.map(RtnlRequest.putAddress)))
            for _ in 0..<10 {
                try refresher.post(renewal)
                try refresher.flush()
            }
            for request in requests { try requester.perform(.removeAddress(request.key)) }
            try monitor.read { _ in requests.allSatisfy { monitor.addresses[$0.key] == nil } }
            #expect(monitor.statistics.messages == before + 2)
            // A refresh of what has gone adds it, and is heard.
            for request in requests { try refresher.perform(.putAddress(request)) }
            try monitor.read { _ in requests.allSatisfy { monitor.addresses[$0.key] != nil } }
        }
    }

    @Test func whatIsPostedIsDoneAndOnlyRefusalsAreAnswered() throws {
        try inNamespace {
            try Self.ports()
            let requester = try RtnlRequester()
            let left = try requester.link(named: "left").ifindex
            let keys = try (0..<600).map { number in
                AddressKey(
                    ifindex: left, address: try #require(IPAddress("10.0.\(number / 250).\(number % 250 + 1)")),
                    prefixLength: 32)
            }
            let messages = try keys.map { key in
                try #require(requester.encode([.putAddress(AddressRequest(key: key, validSeconds: 60))]))
            }
            // More than one datagram holds.
            #expect(messages.joined().count > 32768)
            for message in messages { try requester.post(message) }
            try requester.flush()
            #expect(!isReadable(requester.descriptor))
            let kernel = try RtnlMonitor.snapshot(options: .init(routes: nil, addresses: true))
            #expect(keys.allSatisfy { kernel.addresses[$0]?.hasLease == true })
            let refused = try #require(requester.encode([.removeAddress(keys[0]), .removeAddress(keys[0])]))
            try requester.post(refused)
            try requester.flush()
            #expect(isReadable(requester.descriptor))
            requester.dropRefusals()
            #expect(!isReadable(requester.descriptor))
            // The next answer is the next question's.
            #expect(try requester.link(named: "left").ifindex == left)
        }
    }

    private func isReadable(_ fd: CInt) -> Bool {
        var wanted = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&wanted, 1, 0) == 1
    }

    @Test func aMacvlanIsMadeAndUnmade() throws {
        try inNamespace {
            try Self.ports()
            let monitor = try RtnlMonitor.started(.init(routes: nil, addresses: true))
            let requester = try RtnlRequester()
            let left = try monitor.ifindex("left")
            let address = try #require(HardwareAddress([0, 0, 0x5e, 0, 1, 10]))
            try requester.perform(.addMacvlan(name: "vip", parent: left, address: address, vrf: 0))
            try monitor.read { _ in monitor.link(named: "vip") != nil }
            let vip = try #require(monitor.link(named: "vip"))
            #expect(vip.kind == "macvlan" && vip.link == left && vip.address == address)
            #expect(!vip.flags.contains(.up))
            #expect(
                try requester.perform([
                    .setLinkLocalAddress(ifindex: vip.ifindex, false), .setUp(ifindex: vip.ifindex, true),
                ]) == [nil, nil])
            try monitor.read { _ in monitor.links[vip.ifindex]?.operState == .up }
            #expect(!monitor.addresses.keys.contains { $0.ifindex == vip.ifindex })
            let other = try #require(HardwareAddress([2, 0, 0, 0, 0, 1]))
            #expect(
                try requester.perform([
                    .setUp(ifindex: vip.ifindex, false), .setHardwareAddress(ifindex: vip.ifindex, other),
                ])
                    == [nil, nil])
            try monitor.read { _ in monitor.links[vip.ifindex]?.address == other }
            try requester.perform(.removeLink(ifindex: vip.ifindex))
            try monitor.read { _ in monitor.links[vip.ifindex] == nil }
            #expect {
                try requester.perform(.addMacvlan(name: "left", parent: left, address: address, vrf: 0))
            } throws: {
                ($0 as? RtnlError)?.errno == .fileExists
            }
        }
    }

    /// Of one key there is one route, and it is removed by whose protocol it has.
    @Test func routesAreRemovedByTheirProtocol() throws {
        try inNamespace {
            try Self.ports()
            try startBatch(["addr add 192.0.2.11/24 dev left", "addr add 2001:db8::11/64 dev left nodad"]).wait()
            let requester = try RtnlRequester()
            let left = try requester.link(named: "left").ifindex
            for (destination, gateway, source) in [
                ("198.51.100.0/24", "192.0.2.254", "192.0.2.11"), ("2001:db8:f::/48", "2001:db8::fe", "2001:db8::11"),
            ] {
                let prefix = try #require(IPPrefix(destination))
                let key = RouteKey(destination: prefix, table: 1000, metric: 50)
                var wanted = RouteRequest(
                    key: key, ifindex: left, gateway: IPAddress(gateway), source: IPAddress(source),
                    scope: 0, routeProtocol: 112)
                wanted.mtu = 1400
                let options = RtnlMonitor.Options(routes: RouteTracking(prefixes: [prefix], tables: [1000]))
                func present() throws -> [Route] { try RtnlMonitor.snapshot(options: options).routes(at: key) }
                try requester.perform(.addRoute(wanted))
                let found = try #require(try present().first)
                #expect(found.routeProtocol == 112 && found.preferredSource == wanted.source)
                #expect(found.hops == [RouteHop(ifindex: left, gateway: wanted.gateway)])
                #expect { try requester.perform(.addRoute(wanted)) } throws: {
                    ($0 as? RtnlError)?.errno == .fileExists
                }
                let another = RouteRequest(key: key, scope: RouteRequest.anyScope, routeProtocol: 18)
                #expect { try requester.perform(.removeRoute(another)) } throws: {
                    ($0 as? RtnlError)?.errno == .noSuchProcess
                }
                #expect(try present() == [found])
                try requester.perform(
                    .removeRoute(RouteRequest(key: key, scope: RouteRequest.anyScope, routeProtocol: 112)))
                #expect(try present() == [])
            }
        }
    }

    /// What a rule says comes back as it was asked for, from events as from a dump; and it is removed by its protocol.
    @Test func rulesAreMirroredAndRemovedByTheirProtocol() throws {
        try inNamespace {
            try Self.ports()
            let options = RtnlMonitor.Options(routes: nil, addresses: true, rules: 112)
            let monitor = try RtnlMonitor.started(options)
            let requester = try RtnlRequester()
            var plain = PolicyRule(priority: 1000, family: .ipv4, action: .table(4_294_967_295))
            plain.from = try #require(IPPrefix("192.0.2.0/24"))
            plain.to = try #require(IPPrefix("198.51.100.0/24"))
            (plain.inputInterface, plain.outputInterface) = ("left", "absent")
            (plain.mark, plain.markMask) = (0x10, 0xff)
            plain.tos = 16
            var narrow = PolicyRule(priority: 0, family: .ipv4, action: .table(254))
            narrow.isInverted = true
            narrow.ipProtocol = 6
            (narrow.sourcePorts, narrow.destinationPorts) = (80...80, 1...65534)
            narrow.users = 0...4_294_967_294
            narrow.suppressedPrefixLength = 0
            var sixth = PolicyRule(priority: 1000, family: .ipv6, action: .l3mdev)
            sixth.from = try #require(IPPrefix("2001:db8::/32"))
            (sixth.mark, sixth.markMask) = (0, .max)
            var wanted = [plain, narrow, sixth]
            wanted += [.blackhole, .unreachable, .prohibit].map {
                PolicyRule(priority: 7, family: .ipv6, action: $0)
            }
            for index in wanted.indices { wanted[index].ruleProtocol = 112 }
            #expect(try requester.perform(wanted.map(RtnlRequest.addRule)) == wanted.map { _ in nil })
            #expect(try requester.perform(wanted.map(RtnlRequest.addRule)).allSatisfy { $0?.errno == .fileExists })
            try startBatch([
                "rule add from 203.0.113.0/24 table 9 priority 9", "rule add table 254 priority 1 proto 112",
            ])
            .wait()
            try monitor.read { _ in monitor.rules.count == wanted.count + 1 }
            #expect(monitor.rules.isSuperset(of: wanted))
            #expect(try RtnlMonitor.snapshot(options: options).rules == monitor.rules)
            // Of another protocol there is none.
            var another = plain
            another.ruleProtocol = 4
            #expect { try requester.perform(.removeRule(another)) } throws: {
                ($0 as? RtnlError)?.errno == .noSuchFileOrDirectory
            }
            #expect(try requester.perform(wanted.map(RtnlRequest.removeRule)) == wanted.map { _ in nil })
            try monitor.read { _ in monitor.rules.count == 1 }
        }
    }

    @Test func neighboursOfOneLink() throws {
        try inNamespace {
            try Self.ports()
            try startBatch([
                "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev left nud reachable",
                "neigh add 192.0.2.8 lladdr 02:00:00:00:00:08 dev right nud reachable",
                "neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev left nud stale",
            ]).wait()
            let requester = try RtnlRequester()
            let left = try requester.link(named: "left").ifindex
            let found = try requester.neighbours(ifindex: left, isIPv6: false)
            #expect(found.map(\.address.description) == ["192.0.2.9"])
            #expect(found.allSatisfy { $0.hasAnswered })
            let found6 = try requester.neighbours(ifindex: left, isIPv6: true).filter(\.hasAnswered)
            #expect(found6.map(\.address.description) == ["2001:db8::9"])
            #expect(try requester.neighbours(ifindex: left, isIPv6: false, limit: 0).isEmpty)
        }
    }
}
