import Addresses
import Testing

@testable import Configuration

/// `routes` of an instance.
@Suite struct HeldRouteTests {
    private func read(_ routes: String, more: String = "") throws -> VRRPConfiguration {
        let text = """
            [instance.outside]
            interface = "eth0"
            vrid = 10
            addresses = ["192.0.2.1/24"]
            routes = [
            \(routes)
            ]
            \(more)
            """
        return try VRRPConfiguration(text: Array(text.utf8), file: "vrrp.toml")
    }

    @Test func everyKeyIsRead() throws {
        let routes = try read(
            """
            { to = "198.51.100.0/24", via = "192.0.2.254", interface = "eth1", table = 4294967295, metric = 4294967295, source = "192.0.2.1", scope = "global", onlink = true, mtu = 1400 },
            { to = "default" },
            { to = "default", via = "fe80::1" },
            { to = "default", source = "2001:db8::1", table = 9 },
            { to = "10.0.0.0/8", type = "blackhole", metric = 5 },
            { to = "11.0.0.0/8", mtu = 1400, mtu-lock = true },
            """
        ).groups[0].instances[0].routes
        #expect(
            routes.map(\.description) == [
                "198.51.100.0/24 via 192.0.2.254 dev eth1 table 4294967295 src 192.0.2.1 metric 4294967295 scope global "
                    + "mtu 1400 onlink", "default", "default via fe80::1", "default table 9 src 2001:db8::1",
                "blackhole 10.0.0.0/8 metric 5", "11.0.0.0/8 mtu lock 1400",
            ])
        #expect(routes.map(\.destination.address.isIPv6) == [false, false, true, true, false, false])
        #expect(routes.map(\.metricInForce) == [4_294_967_295, 0, 1024, 1024, 5, 0])
        #expect(routes.map(\.place.line) == [6, 7, 8, 9, 10, 11])
    }

    @Test(arguments: [
        ("{ via = \"192.0.2.254\" }", "6:1: ... an element of routes lacks to: expected a network"),
        ("{ to = \"198.51.100/24\" }", "6:8: to = \"198.51.100/24\": expected a network"),
        (
            "{ to = \"10.0.0.1/8\" }",
            "6:8: to = \"10.0.0.1/8\": it has host bits behind the prefix: expected \"10.0.0.0/8\""
        ),
        (
            "{ to = \"2001:db8::1/32\" }",
            "6:8: to = \"2001:db8::1/32\": it has host bits behind the prefix: expected \"2001:db8::/32\""
        ),
        (
            "{ to = \"198.51.100.0/24\", via = \"2001:db8::1\" }",
            "6:33: via = \"2001:db8::1\" in a route to 198.51.100.0/24: expected IPv4"
        ),
        (
            "{ to = \"2001:db8:1::/48\", source = \"192.0.2.1\" }",
            "6:36: source = \"192.0.2.1\" in a route to 2001:db8:1::/48: expected IPv6"
        ),
        ("{ to = \"default\", via = \"224.0.0.1\" }", "6:25: via = \"224.0.0.1\": expected an address of a host"),
        (
            "{ to = \"default\", via = \"192.0.2.1\" }",
            "6:25: ... is a virtual address of instance outside: expected another"
        ),
        ("{ to = \"10.0.0.0/8\", onlink = true }", "6:31: onlink without via: expected the next router"),
        (
            "{ to = \"10.0.0.0/8\", via = \"192.0.2.9\", scope = \"link\" }",
            "6:49: scope = \"link\" with via: expected \"global\" or no scope"
        ),
        (
            "{ to = \"10.0.0.0/8\", scope = \"near\" }",
            "6:30: ... expected \"global\" or \"site\" or \"link\" or \"host\""
        ),
        ("{ to = \"default\", via = \"fe80::1\", mtu = 1279 }", "6:42: mtu = 1279 in an IPv6 route: expected 1280"),
        ("{ to = \"10.0.0.0/8\", mtu = 67 }", "6:28: mtu = 67: expected a whole number from 68 to 65535"),
        ("{ to = \"10.0.0.0/8\", table = 0 }", "6:30: table = 0: expected the number of a routing table"),
        ("{ to = \"10.0.0.0/8\", metric = -1 }", "6:31: metric = -1: expected a whole number from 0"),
        ("{ to = \"10.0.0.0/8\", dev = \"eth1\" }", "6:22: unknown key dev in an element of routes"),
        (
            "{ to = \"10.0.0.0/8\", type = \"throw\", via = \"192.0.2.9\" }",
            "6:44: via with type = \"throw\": expected one of the two"
        ),
        ("{ to = \"10.0.0.0/8\", mtu-lock = true }", "6:33: mtu-lock without mtu: expected an mtu beside it"),
        ("\"10.0.0.0/8\"", "6:1: routes[0] = \"10.0.0.0/8\": expected a table, such as { to ="),
    ])
    func whatCannotBeIsRefused(route: String, mistake: String) {
        expect(mistakes { try read(route) }, [mistake])
    }

    @Test func oneRouteIsInOnePlace() {
        let other = """
            [instance.other]
            interface = "eth1"
            vrid = 20
            addresses = ["198.51.100.1/24"]
            routes = [{ to = "10.0.0.0/8", via = "198.51.100.9" }, { to = "10.0.0.0/8", metric = 1 }]
            """
        expect(
            mistakes { try read("{ to = \"10.0.0.0/8\", via = \"192.0.2.9\" }", more: other) },
            ["12:11: the route to 10.0.0.0/8 table 254 metric 0 is already one of instance outside (line 6)"])
        // What IPv6 takes for the same metric is the same.
        expect(
            mistakes {
                try read(
                    "{ to = \"::/0\", via = \"fe80::1\" },\n{ to = \"default\", via = \"fe80::2\", metric = 1024 }")
            },
            ["7:1: the route to ::/0 table 254 metric 1024 is already one of instance outside (line 6)"])
    }

    @Test func thereAreLimits() {
        func many(_ count: Int, _ more: (Int) -> String) -> String {
            (1...count).map { "{ to = \"10.0.\($0).0/24\", \(more($0)) }" }.joined(separator: ",\n")
        }
        #expect(throws: Never.self) { try read(many(64) { _ in "via = \"192.0.2.9\"" }) }
        expect(
            mistakes { try read(many(65) { _ in "via = \"192.0.2.9\"" }) },
            ["5:10: routes has 65 elements: expected at most 64"])
        #expect(throws: Never.self) { try read(many(16) { "table = \($0)" }) }
        expect(
            mistakes { try read(many(17) { "table = \($0)" }) },
            ["22:1: table = 17 is one more than the 16 tables that routes and track may name"])
        let tracks = "track = [{ route = \"10.0.0.0/8\", table = 100 }]"
        expect(
            mistakes { try read(many(16) { "table = \($0)" }, more: tracks) },
            ["21:1: table = 16 is one more than the 16 tables"])
    }

    @Test func aScopeOfIPv6IsAWarning() throws {
        let configuration = try read("{ to = \"default\", via = \"fe80::1\", scope = \"link\" }")
        #expect(
            configuration.warnings.map(\.description) == [
                "vrrp.toml:6:44: scope = \"link\" has no effect: IPv6 routes have no scope"
            ])
    }

    @Test func whereItStandsChangesNothing() throws {
        let one = try read("{ to = \"10.0.0.0/8\" }").groups[0].instances[0].routes
        let other = try read("\n\n{ to = \"10.0.0.0/8\" }").groups[0].instances[0].routes
        #expect(one == other && one[0].place.line != other[0].place.line)
    }
}
