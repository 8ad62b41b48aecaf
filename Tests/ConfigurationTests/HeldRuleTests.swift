import Addresses
import Testing

@testable import Configuration

/// `rules` of an instance.
@Suite struct HeldRuleTests {
    private func read(_ rules: String, more: String = "") throws -> VRRPConfiguration {
        let text = """
            [instance.outside]
            interface = "eth0"
            vrid = 10
            addresses = ["192.0.2.1/24"]
            rules = [
            \(rules)
            ]
            \(more)
            """
        return try VRRPConfiguration(text: Array(text.utf8), file: "vrrp.toml")
    }

    @Test func everyKeyIsRead() throws {
        let rules = try read(
            """
            { from = "198.51.100.0/24", to = "203.0.113.0/24", iif = "eth0", oif = "eth1", fwmark = "0x10/0xff", tos = 16, table = 4294967295, priority = 0 },
            { priority = 7, ipproto = "tcp", sport = 80, dport = "8000-8999", uidrange = "0-4294967294", not = true, table = 5, suppress-prefixlength = 0 },
            { priority = 8, from = "::/0", fwmark = 16, l3mdev = true },
            { priority = 9, to = "2001:db8::/32", type = "blackhole" },
            """
        ).groups[0].instances[0].rules
        #expect(
            rules.map(\.description) == [
                "from 198.51.100.0/24 to 203.0.113.0/24 tos 0x10 fwmark 0x10/0xff iif eth0 oif eth1 table 4294967295 "
                    + "priority 0",
                "not from all ipproto 6 sport 80 dport 8000-8999 uidrange 0-4294967294 table 5 "
                    + "suppress_prefixlength 0 priority 7", "from all inet6 fwmark 0x10 l3mdev priority 8",
                "from all to 2001:db8::/32 blackhole priority 9",
            ])
        #expect(rules.map(\.family) == [.ipv4, .ipv4, .ipv6, .ipv6])
        #expect(rules.map(\.place.line) == [6, 7, 8, 9])
    }

    @Test(arguments: [
        ("{ table = 5 }", "6:1: an element of rules lacks priority: expected a whole number, such as 1000"),
        ("{ priority = 5 }", "6:1: a rule without table: expected the number of a routing table, or type"),
        ("{ priority = 5, table = 5, type = \"prohibit\" }", "6:28: type beside table: expected one of"),
        ("{ priority = 5, l3mdev = true, table = 5 }", "6:17: l3mdev beside table: expected one of"),
        (
            "{ priority = 5, type = \"blackhole\", suppress-prefixlength = 0 }",
            "6:37: suppress-prefixlength without table: expected a table"
        ),
        (
            "{ priority = 5, table = 5, from = \"10.0.0.0/8\", to = \"2001:db8::/32\" }",
            "6:54: to = \"2001:db8::/32\" in a rule from 10.0.0.0/8: expected IPv4"
        ),
        (
            "{ priority = 5, table = 5, from = \"10.0.0.1/8\" }",
            "6:35: from = \"10.0.0.1/8\": it has host bits behind the prefix: expected \"10.0.0.0/8\""
        ),
        ("{ priority = 5, table = 5, fwmark = \"0x1/0\" }", "6:37: ... expected a mark, such as"),
        ("{ priority = 5, table = 5, ipproto = \"tpc\" }", "6:38: ... expected a protocol, such as \"tcp\""),
        ("{ priority = 5, table = 5, dport = \"9-8\" }", "6:36: ... expected a port or a range of them, such as"),
        ("{ priority = 5, table = 5, sport = 65535 }", "6:36: ... from 1 to 65534"),
        ("{ priority = 5, table = 0 }", "6:25: table = 0: expected the number of a routing table"),
        ("{ priority = 5, table = 5, dev = \"eth0\" }", "6:28: unknown key dev in an element of rules"),
    ])
    func whatCannotBeIsRefused(rule: String, mistake: String) {
        expect(mistakes { try read(rule) }, [mistake])
    }

    @Test func rulesThatTheKernelCannotTellApartAreRefused() throws {
        let general = "{ priority = 5, table = 5, from = \"10.0.0.0/8\" }"
        for other in ["{ priority = 5, table = 5 }", "{ priority = 5, table = 5, from = \"10.0.0.0/8\", not = true }"] {
            expect(
                mistakes { try read("\(general),\n\(other)") },
                ["7:1: the kernel cannot tell the rule ... from that of instance outside in line 6: expected another"])
        }
        for other in [
            "{ priority = 5, table = 6 }", "{ priority = 6, table = 5 }",
            "{ priority = 5, table = 5, from = \"11.0.0.0/8\" }", "{ priority = 5, table = 5, from = \"::/0\" }",
        ] { #expect(throws: Never.self) { try read("\(general),\n\(other)") } }
    }

    @Test func whereItStandsChangesNothing() throws {
        let one = try read("{ priority = 5, table = 5 }").groups[0].instances[0].rules
        let other = try read("\n\n{ priority = 5, table = 5 }").groups[0].instances[0].rules
        #expect(one == other && one[0].place.line != other[0].place.line)
    }
}
