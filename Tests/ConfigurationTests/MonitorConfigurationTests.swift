import LinkState
import Testing

@testable import Configuration

private func read(_ text: String) throws -> MonitorConfiguration {
    try MonitorConfiguration(text: Array(text.utf8), file: "linkwatchd.toml")
}

@Suite struct MonitorConfigurationTests {
    @Test func anEmptyFileIsTheDefaults() throws {
        let configuration = try read("")
        #expect(configuration == MonitorConfiguration())
        #expect(configuration.intervalsNs[.mii] == 100_000_000)
        #expect(configuration.socket.path == "/run/linkwatch/linkwatchd.sock")
        #expect(configuration.trackedRoutes.map(\.description) == ["0.0.0.0/0", "::/0"])
        #expect(configuration.policy(forInterface: "eth0") == InterfacePolicy())
    }

    @Test func everyKeyIsRead() throws {
        let configuration = try read(
            """
            mii-interval = "10ms"
            probe-interval = "20ms"
            probe-limit = 8
            history = 100
            receive-buffer = "8KiB"
            [socket]
            path = "/run/x.sock"
            mode = "0660"
            group = "adm"
            max-clients = 100
            max-clients-per-uid = 50
            queue-limit = "1MiB"
            [routes]
            track = ["10.0.0.0/8", "2001:db8::/32"]
            tables = [254, 100]
            [interface.eth0]
            mii = true
            probe = "auto"
            ignore = false
            up-delay = "2s"
            down-delay = "50ms"
            [interface.eth0.dampening]
            half-life = "10s"
            reuse = 500
            suppress = 3000
            max-half-lives = 5
            penalty = 900
            """)
        #expect(configuration.intervalsNs[.mii] == 10_000_000 && configuration.intervalsNs[.driver] == 20_000_000)
        #expect(configuration.probeLimit == 8)
        #expect(configuration.historySize == 100)
        #expect(configuration.receiveBuffer == 8192)
        var socket = SocketConfiguration(path: "/run/x.sock")
        (socket.mode, socket.group, socket.maxClients) = (0o660, "adm", 100)
        (socket.maxClientsPerUid, socket.queueLimit) = (50, 1_048_576)
        #expect(configuration.socket == socket)
        #expect(configuration.trackedRoutes.map(\.description) == ["10.0.0.0/8", "2001:db8::/32"])
        #expect(configuration.routeTables == [254, 100])
        let policy = configuration.policy(forInterface: "eth0")
        #expect(policy[.mii] == .always && policy[.driver] == .automatic && !policy.isIgnored && policy.isNamed)
        let dampening = DampeningPolicy(
            halfLifeNs: 10_000_000_000, reuse: 500, suppress: 3000, maxHalfLives: 5, penaltyPerFlap: 900)
        #expect(
            policy.settle
                == SettlePolicy(upDelayNs: 2_000_000_000, downDelayNs: 50_000_000, dampening: dampening))
    }

    @Test func theNameWinsOverPatternsAndLaterPatternsOverEarlierOnes() throws {
        let configuration = try read(
            """
            [interface.eth0]
            up-delay = "3s"
            [defaults]
            up-delay = "9s"
            dampening = true
            [interface."eth*"]
            up-delay = "1s"
            mii = false
            [interface."e??[0-4]"]
            up-delay = "2s"
            dampening = false
            [interface.uplink]
            down-delay = "4s"
            up-delay = "4s"
            """)
        func upDelay(_ name: String, _ altnames: [String] = []) -> Int64 {
            configuration.policy(forInterface: name, altnames: altnames).settle.upDelayNs / 1_000_000_000
        }
        #expect(upDelay("lo") == 9)
        #expect(upDelay("eth7") == 1)
        #expect(upDelay("eth1") == 2)
        #expect(upDelay("eth0") == 3)
        #expect(upDelay("eth1", ["uplink"]) == 4)
        #expect(upDelay("eth0", ["uplink"]) == 3)
        #expect(upDelay("x", ["eth7"]) == 1)
        #expect(configuration.policy(forInterface: "eth0", altnames: ["uplink"]).settle.downDelayNs == 4_000_000_000)
        // Only the keys that a section sets are overridden, and `false` sets.
        #expect(configuration.policy(forInterface: "eth0")[.mii] == .never)
        #expect(configuration.policy(forInterface: "eth0").settle.dampening == nil)
        #expect(configuration.policy(forInterface: "eth7").settle.dampening == DampeningPolicy())
        #expect(!configuration.policy(forInterface: "eth7").isNamed)
    }

    @Test func dampeningMayBeAnInlineTable() throws {
        let policy = try read("[defaults]\ndampening = { suppress = 5000 }\n").policy(forInterface: "a")
        #expect(policy.settle.dampening == DampeningPolicy(suppress: 5000))
    }

    @Test(arguments: [
        ("mii-intreval = \"1s\"", "1:1: unknown key mii-intreval in the file ... did you mean mii-interval?"),
        ("colour = 1", "1:1: unknown key colour in the file ... known here: mii-interval, probe-interval"),
        ("mii-interval = 100", "1:16: mii-interval = 100 ... with its unit ... from 1ms to 1min"),
        ("mii-interval = \"500us\"", "1:16: mii-interval = \"500us\" ... from 1ms to 1min"),
        ("probe-interval = \"61s\"", "1:18: probe-interval = \"61s\" ... from 1ms to 1min"),
        ("probe-limit = 0", "1:15: probe-limit = 0 ... from 1 to 4096"),
        ("history = 1.5", "1:11: history = 1.5 ... a whole number"),
        ("history = 1979-05-27", "1:11: history = a date or time"),
        ("receive-buffer = \"1GB\"", "1:18: receive-buffer = \"1GB\" ... a size from 2KiB to 256MiB"),
        ("receive-buffer = 1", "1:18: receive-buffer = 1 ... a size"),
        ("receive-buffer = \"9999999999999999MiB\"", "1:18: receive-buffer"),
        ("socket = 1", "1:10: socket = 1 ... expected a table, [socket]"),
        ("[socket]\npath = \"run/x\"", "2:8: path = \"run/x\" ... the absolute path of a socket"),
        ("[socket]\npath = \"/\(String(repeating: "x", count: 107))\"", "2:8: path ... at most 107 bytes"),
        ("[socket]\nmode = 666", "2:8: mode = 666 ... octal and in quotes"),
        ("[socket]\nmode = \"0999\"", "2:8: mode = \"0999\""),
        ("[socket]\nmode = \"7777\"", "2:8: mode = \"7777\""),
        ("[socket]\ngroup = \"a b\"", "2:9: group = \"a b\" ... name or number of a group"),
        ("[socket]\nmax-clients = 5\nmax-clients-per-uid = 6", "3:23: ... at most max-clients, which is 5"),
        ("[socket]\nqueue-limit = 1", "2:15: queue-limit = 1 ... from 64KiB to 16MiB"),
        ("[socket]\npth = \"/x\"", "2:1: unknown key pth in [socket] ... did you mean path?"),
        ("[routes]\ntrack = \"0.0.0.0/0\"", "2:9: track = \"0.0.0.0/0\" ... an array"),
        ("[routes]\ntrack = [\n\"::/0\",\n\"10.0.0.1/8\"]", "4:1: track[1] = \"10.0.0.1/8\" ... a network"),
        ("[routes]\ntables = [0]", "2:11: tables[0] = 0 ... number of a routing table"),
        ("[routes]\ntables = [4294967296]", "2:11: tables[0]"),
        (
            "[routes]\ntables = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]",
            "2:10: tables has 17 elements ... at most 16"
        ),
        ("[interface.eth0]\nup-delay = \"2h\"", "2:12: up-delay ... from 0s to 1h"),
        ("[interface.eth0]\nmii = \"yes\"", "2:7: mii = \"yes\" ... true, false or \"auto\""),
        ("[interface.eth0]\ndampening = 5", "2:13: dampening = 5 ... true, false or a table"),
        ("[interface.eth0]\ndampening = { supress = 5 }", "2:15: unknown key supress in [interface.eth0.dampening]"),
        (
            "[defaults]\ndampening = { reuse = 2000, suppress = 1000 }",
            "2:40: suppress = 1000 ... more than reuse (2000)"
        ),
        (
            "[defaults]\ndampening = { max-half-lives = 1, suppress = 2001 }",
            "2:46: suppress = 2001 ... at most the largest"
        ),
        ("[defaults.dampening]\nreuse = 5000", "1:1: suppress = 2000 ... more than reuse (5000)"),
        ("[interface]\neth0 = 1", "2:8: eth0 = 1 ... expected a table, [interface.eth0]"),
        ("[interface.\"a b\"]", "1:12: \"a b\" is not a valid name"),
        ("[interfce.eth0]", "1:2: unknown key interfce in the file ... did you mean interface?"),
        ("\"a\\u0007\\n\" = 1", "1:1: unknown key a\\u{07}\\n in the file"),
    ])
    func refusesWithThePlace(text: String, expected: String) { expect(mistakes { try read(text) }, [expected]) }

    @Test func reportsAllMistakesInOrderUpToALimit() {
        let found = mistakes { try read("history = 0\nprobe-limit = 0\nmii-interval = 1\n") }
        expect(found, ["1:11:", "2:15:", "3:16:"])
        let many = (0..<30).map { "x\($0) = 1\n" }.joined()
        let refused = #expect(throws: ConfigurationRefused.self) { try read(many) }
        #expect(refused?.errors.count == 20 && refused?.unlisted == 10)
        #expect(refused?.description.hasPrefix("linkwatchd.toml:1:1: unknown key x0") == true)
        #expect(refused?.description.hasSuffix("\nand 10 more") == true)
    }

    @Test func aMissingFileIsToldApart() {
        let refused = #expect(throws: ConfigurationRefused.self) {
            try MonitorConfiguration(path: "/nonexistent/x.toml")
        }
        #expect(refused?.isFileMissing == true)
        #expect(refused?.description == "/nonexistent/x.toml: cannot be read: No such file or directory")
    }
}
