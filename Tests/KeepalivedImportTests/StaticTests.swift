import Testing

@testable import KeepalivedImport

/// What keepalived has whoever is master: a unit, and a loss for each.
@Suite struct StaticTests {
    @Test func aUnitAddsAndDeletesThem() throws {
        let result = imported(
            """
            static_ipaddress {
                10.20.1.1/24 dev eth0 scope global
                10.20.54.1/24 brd + dev bond0.2 restore
                2001:db8::1/64
            }
            static_routes {
                10.20.2.0/24 via 10.20.0.1 dev eth0
                10.20.2.1/24 via 10.20.0.1 dev eth0
                10.20.3.0/24 via 10.20.0.1 restore
                blackhole 2001:db8:5::/48
            }
            static_rules {
                from 10.20.100.0/24 table 1
                to 192.168.100./24 table 1
            }

            """ + Samples.plain)
        #expect(result.worst == .loss && result.toml != nil)
        let commands = result.findings.filter { $0.weight == .loss }.compactMap {
            $0.text.split(separator: "`").dropFirst().first.map(String.init)
        }
        #expect(
            commands == [
                "ip address add 10.20.1.1/24 dev eth0 scope global",
                "ip address add 10.20.54.1/24 dev bond0.2 broadcast +",
                "ip -6 address add 2001:db8::1/64 dev eth0", "ip route add 10.20.2.0/24 via 10.20.0.1 dev eth0",
                "ip -6 route add blackhole 2001:db8:5::/48", "ip rule add from 10.20.100.0/24 table 1 priority 16384",
            ])
        let unit = try #require(result.files.first { $0.name == "linkwatch-static.service" }).text
        let lines = unit.split(separator: "\n").map(String.init)
        #expect(lines.filter { $0.hasPrefix("ExecStart=") } == commands.map { "ExecStart=-/sbin/\($0)" })
        #expect(lines.first { $0.hasPrefix("ExecStop=") }?.contains("rule delete from 10.20.100.0/24") == true)
        #expect(lines.contains("ExecStop=-/sbin/ip address delete 10.20.54.1/24 dev bond0.2"))
    }

    @Test func withoutThemThereIsNone() {
        #expect(!imported("static_routes {\n}\n" + Samples.plain).files.contains { $0.name.contains("static") })
    }
}
