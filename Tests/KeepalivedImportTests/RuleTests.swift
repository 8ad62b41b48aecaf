import Testing

@testable import KeepalivedImport

/// Rules of the master, word by word.
@Suite struct RuleTests {
    private func rules(_ lines: String, _ findings: Findings = Findings()) throws -> [String] {
        var translation = RuleTranslation(findings)
        return translation.rules(of: try completed("virtual_rules {\n\(lines)\n}", findings))
    }

    @Test(arguments: [
        ("from 192.0.2.1 table 5 priority 100", #"{ from = "192.0.2.1/32", table = 5, priority = 100 }"#),
        ("to all lookup 220 preference 0x7", "{ table = 220, priority = 7 }"),
        (
            "iif vrrp.51 fwmark 16 table 0x33 order 1",
            #"{ iif = "vrrp.51", fwmark = "0x10", table = 51, priority = 1 }"#
        ),
        (
            "not from 192.0.2.77/24 to 198.51.100.0/33 dev lo fwmark 010/0xff tos 0x10 table main priority 5",
            #"{ not = true, from = "192.0.2.0/24", to = "198.51.100.0/32", iif = "lo", fwmark = "0x8/0xff", tos = 16, table = 254, priority = 5 }"#
        ),
        (
            "ipproto tcp sport 80-80 dport 1-9 uidrange 0-7 oif eth1 l3mdev priority 5",
            #"{ oif = "eth1", ipproto = "tcp", sport = "80-80", dport = "1-9", uidrange = "0-7", l3mdev = true, priority = 5 }"#
        ),
        (
            "from 2001:db8::/32 type prohibit priority 5",
            #"{ from = "2001:db8::/32", type = "prohibit", priority = 5 }"#
        ),
        ("blackhole fwmark 0 priority 5 no_track", #"{ type = "blackhole", priority = 5 }"#),
        (
            "table 9 sup_pl 0 priority 5 inet6 any",
            #"{ from = "::/0", table = 9, suppress-prefixlength = 0, priority = 5 }"#
        ),
    ])
    func rulesAreWritten(line: String, expected: String) throws {
        let findings = Findings()
        #expect(try rules(line, findings) == [expected])
        #expect(findings.list.filter { $0.weight > .difference } == [])
    }

    @Test(arguments: [
        ("table 5 goto 9 priority 1", Finding.Weight.missing), ("to 192.0.2./24 table 2", .difference),
        ("from 192.0.2.1 priority 1", .difference), ("table blue", .missing), ("table 5 lookup 6", .difference),
        ("blackhole sup_pl 0", .difference), ("from 192.0.2.1 to 2001:db8::1 table 5", .difference),
        ("from 192.0.2.1 table", .difference), ("fwmark x table 5", .difference), ("table 0", .difference),
        ("table 5 iff eth0", .difference), ("table 5 ipproto tpc", .missing),
    ])
    func whatIsNotWrittenHasAReason(line: String, weight: Finding.Weight) throws {
        let findings = Findings()
        #expect(try rules(line, findings) == [])
        #expect(findings.list.filter { $0.line.number == Samples.line + 1 }.map(\.weight) == [weight])
    }

    /// `next_rule_priority_ipv4` and its sibling: only rules that keepalived takes count.
    @Test func prioritiesAreCountedAsKeepalivedDoes() throws {
        let lines = "from 192.0.2.1 table 5\nfrom 192.0.2.2\nfrom 2001:db8::1 table 5\nto 192.0.2.3 table 5"
        #expect(
            try rules(lines) == [
                #"{ from = "192.0.2.1/32", table = 5, priority = 16384 }"#,
                #"{ from = "2001:db8::1/128", table = 5, priority = 16384 }"#,
                #"{ to = "192.0.2.3/32", table = 5, priority = 16383 }"#,
            ])
    }

    @Test func whatTheKernelCannotTellApartIsThereOnce() throws {
        let findings = Findings()
        let lines = "from 192.0.2.1 table 5 priority 1\nfrom 192.0.2.1/32 lookup 5 priority 1\ntable 5 priority 1"
        #expect(try rules(lines, findings).count == 1)
        #expect(findings.list.filter { $0.line.number > Samples.line }.map(\.weight) == [.difference, .missing])
    }
}
