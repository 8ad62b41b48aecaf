import Testing

@testable import KeepalivedImport

/// Routes of the master, word by word.
@Suite struct RouteTests {
    private func routes(_ lines: String, _ findings: Findings = Findings()) throws -> [String] {
        var translation = RouteTranslation(findings)
        return translation.routes(of: try completed("virtual_routes {\n\(lines)\n}", findings), on: nil)
    }

    @Test(arguments: [
        ("198.51.100.0/24 via 192.0.2.9", #"{ to = "198.51.100.0/24", via = "192.0.2.9" }"#),
        ("default gw 192.0.2.9", #"{ to = "default", via = "192.0.2.9" }"#),
        (
            "src 192.0.2.1 to 198.51.100.0/24 via 192.0.2.9 dev eth1 metric 5 onlink",
            #"{ to = "198.51.100.0/24", via = "192.0.2.9", interface = "eth1", source = "192.0.2.1", metric = 5, onlink = true }"#
        ),
        (
            "198.51.100.7 dev eth1 table main scope link",
            #"{ to = "198.51.100.7/32", interface = "eth1", table = 254, scope = "link" }"#
        ),
        ("198.51.100.0/24 dev eth0", #"{ to = "198.51.100.0/24", interface = "eth0", scope = "global" }"#),
        (
            "default via inet6 fe80::1 dev eth0 mtu lock 1400",
            #"{ to = "default", via = "fe80::1", interface = "eth0", mtu = 1400, mtu-lock = true }"#
        ),
        ("2001:db8::5/32 dev eth0 scope link", #"{ to = "2001:db8::/32", interface = "eth0" }"#),
        ("192.0.2.77/33 via 192.0.2.9 metric 1 metric 2", #"{ to = "192.0.2.77/32", via = "192.0.2.9", metric = 2 }"#),
        ("blackhole 127.0.0.1", #"{ to = "127.0.0.1/32", type = "blackhole" }"#),
        ("to unreachable default table 9", #"{ to = "default", type = "unreachable", table = 9 }"#),
        ("throw 2001:db8::/32 metric 5", #"{ to = "2001:db8::/32", type = "throw", metric = 5 }"#),
        ("unicast 198.51.100.0/24 dev eth1", #"{ to = "198.51.100.0/24", interface = "eth1", scope = "global" }"#),
        (
            "198.51.100.0/24 table 10 nexthop via 10.9.9.9 dev eth1 weight 3 onlink",
            #"{ to = "198.51.100.0/24", via = "10.9.9.9", interface = "eth1", table = 10, onlink = true }"#
        ),
    ])
    func routesAreWritten(line: String, expected: String) throws {
        let findings = Findings()
        #expect(try routes(line, findings) == [expected])
        #expect(findings.list.filter { $0.subject != "virtual_routes" } == [])
    }

    @Test(arguments: [
        ("local 198.51.100.1", Finding.Weight.missing),
        ("198.51.100.0/24 nexthop via 192.0.2.9 nexthop via 192.0.2.8", .missing),
        ("198.51.100.0/24 via 192.0.2.1", .missing), ("198.51.100.0/24 via x", .difference),
        ("via 192.0.2.9", .difference), ("198.51.100.0/24 gateway 192.0.2.9", .difference),
        ("198.51.100.0/24 window 5", .missing), ("198.51.100.0/24 table blue", .missing),
        ("198.51.100.0/24 via", .difference), ("default via 192.0.2.9 inet6", .difference),
        // What the kernel does not take from keepalived either.
        ("default", .difference), ("198.51.100.7/24 via 192.0.2.9", .difference),
        ("198.51.100.0/24 via 10.9.9.9 onlink", .difference), ("198.51.100.0/24 dev eth0 onlink", .difference),
        ("198.51.100.0/24 via 192.0.2.9 scope link", .difference), ("prohibit 198.51.100.0/24 dev eth0", .difference),
        ("198.51.100.0/24 via 192.0.2.9 mtu 60", .missing), ("inet6 default via fe80::1 dev eth0", .difference),
        ("198.51.100.0/24 via 10.22.5.2 type local", .difference),
    ])
    func whatIsNotWrittenHasAReason(line: String, weight: Finding.Weight) throws {
        let findings = Findings()
        #expect(try routes(line, findings) == [])
        #expect(findings.list.filter { $0.line.number == Samples.line + 1 }.map(\.weight) == [weight])
    }

    @Test func aRouteIsThereOnce() throws {
        let findings = Findings()
        let lines =
            "198.51.100.0/24 via 192.0.2.9\n198.51.100.0/24 via 192.0.2.8\n198.51.100.0/24 via 192.0.2.8 metric 1"
        #expect(
            try routes(lines, findings) == [
                #"{ to = "198.51.100.0/24", via = "192.0.2.8" }"#,
                #"{ to = "198.51.100.0/24", via = "192.0.2.8", metric = 1 }"#,
            ])
        // The first one is never used.
        #expect(findings.list.filter { $0.weight == .loss }.map(\.line.number) == [Samples.line + 1])
    }
}
