import Testing

@testable import KeepalivedImport

/// Routes of the master, word by word.
@Suite struct RouteTests {
    private func routes(_ lines: String, _ findings: Findings = Findings()) throws -> [String] {
        var translation = RouteTranslation(findings)
        return translation.routes(of: try completed("virtual_routes {\n\(lines)\n}", findings))
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
        ("198.51.100.0/24", #"{ to = "198.51.100.0/24", scope = "global" }"#),
        (
            "default via inet6 fe80::1 dev eth0 mtu lock 1400",
            #"{ to = "::/0", via = "fe80::1", interface = "eth0", mtu = 1400 }"#
        ),
        ("2001:db8::/32 dev eth0 scope link", #"{ to = "2001:db8::/32", interface = "eth0" }"#),
        ("192.0.2.77/24 via 192.0.2.9 metric 1 metric 2", #"{ to = "192.0.2.0/24", via = "192.0.2.9", metric = 2 }"#),
    ])
    func routesAreWritten(line: String, expected: String) throws {
        let findings = Findings()
        #expect(try routes(line, findings) == [expected])
        #expect(findings.list.filter { $0.subject != "virtual_routes" } == [])
    }

    @Test(arguments: [
        ("blackhole 198.51.100.0/24", Finding.Weight.missing), ("198.51.100.0/24 nexthop via 192.0.2.9", .missing),
        ("198.51.100.0/24 via 192.0.2.1", .missing), ("198.51.100.0/24 via x", .difference),
        ("via 192.0.2.9", .difference),
        ("198.51.100.0/24 gateway 192.0.2.9", .difference), ("198.51.100.0/24 window 5", .missing),
        ("198.51.100.0/24 table blue", .missing), ("198.51.100.0/24 via", .difference),
        ("default via 192.0.2.9 inet6", .difference),
    ])
    func whatIsNotWrittenHasAReason(line: String, weight: Finding.Weight) throws {
        let findings = Findings()
        #expect(try routes(line, findings) == [])
        #expect(findings.list.filter { $0.line.number == Samples.line + 1 }.map(\.weight) == [weight])
    }

    @Test func aRouteThroughAMacvlanIsLeftToLinkwatch() throws {
        let findings = Findings()
        let keys = "use_vmac\nvirtual_routes {\n 198.51.100.0/24 dev vrrp.51 metric 1\n 198.51.100.0/24 dev eth9\n}"
        var translation = RouteTranslation(findings)
        #expect(
            translation.routes(of: try completed(keys, findings)) == [
                #"{ to = "198.51.100.0/24", metric = 1, scope = "global" }"#,
                #"{ to = "198.51.100.0/24", interface = "eth9", scope = "global" }"#,
            ])
    }

    @Test func aRouteIsThereOnce() throws {
        let findings = Findings()
        let lines =
            "198.51.100.0/24 via 192.0.2.9\n198.51.100.0/24 via 192.0.2.8\n198.51.100.0/24 via 192.0.2.8 metric 1"
        #expect(try routes(lines, findings).count == 2 && findings.worst == .missing)
    }
}
