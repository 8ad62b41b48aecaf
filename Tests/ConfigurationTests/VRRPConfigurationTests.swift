import Addresses
import Testing

@testable import Configuration

private func read(_ text: String) throws -> VRRPConfiguration {
    try VRRPConfiguration(text: Array(text.utf8), file: "vrrp.toml")
}

/// A sound instance of five lines, so that a test's text begins on line 6.
private let sound = """
    [instance.sound]
    interface = "eth9"
    vrid = 99
    addresses = ["203.0.113.9"]


    """

/// The pair of the manual: two legs, a cable.
private let pair = """
    [group.lvs]
    priority = 200
    instances = ["outside", "inside"]
    heartbeats = ["cross1"]
    advert-interval = "1s"
    version = 3
    preempt = true
    preempt-delay = "0s"
    track = ["check:upstream", "route:0.0.0.0/0"]

    [instance.outside]
    interface = "eth0"
    vrid = 10
    addresses = ["192.0.2.1/24"]

    [instance.inside]
    interface = "eth1"
    vrid = 20
    addresses = ["198.51.100.1/24"]

    [heartbeat.cross1]
    interface = "hb0"
    vrid = 11
    peer-vrid = 21
    interval = "100ms"

    [check.upstream]
    exec = ["/usr/bin/ping", "-c1", "-W1", "192.0.2.254"]
    interval = "2s"
    timeout = "1s"
    fall = 3
    rise = 2

    [notify.log]
    exec = ["/etc/linkwatch/on-transition"]
    """

@Suite struct VRRPReadingTests {
    @Test(arguments: ["", "# nothing\n", "[process]\nuser = \"root\"\n", "[check.c]\nexec = [\"/bin/true\"]\n"])
    func aFileWithoutAnInstanceIsRefused(text: String) {
        expect(
            mistakes { try read(text) },
            ["1:1: there is no instance: expected at least one, such as [instance.outside]"])
    }

    @Test func thePairIsReadAsItIsMeant() throws {
        let configuration = try read(pair)
        let group = try #require(configuration.groups.first)
        #expect(configuration.groups.count == 1)
        #expect(group.name == "lvs" && group.priority == 200 && group.advertIntervalNs == 1_000_000_000)
        #expect(group.instances.map(\.name) == ["outside", "inside"])
        #expect(group.instances.map(\.vrid) == [10, 20])
        #expect(group.instances.map { $0.addresses.map(\.description) } == [["192.0.2.1/24"], ["198.51.100.1/24"]])
        let cable = VRRPConfiguration.Heartbeat(
            name: "cross1", interface: "hb0", family: .ipv6, vrid: 11, peerVrid: 21, intervalNs: 100_000_000)
        #expect(group.heartbeats == [cable])
        #expect(group.tracks.map(\.name) == ["check:upstream", "route:0.0.0.0/0"])
        #expect(group.tracks.map(\.weight) == [nil, nil])
        let ping = VRRPConfiguration.Program(
            arguments: ["/usr/bin/ping", "-c1", "-W1", "192.0.2.254"], timeoutNs: 1_000_000_000)
        let check = VRRPConfiguration.Check(
            name: "upstream", kind: .program(ping), intervalNs: 2_000_000_000, timeoutNs: 1_000_000_000, fall: 3,
            rise: 2)
        #expect(configuration.checks == [check])
        #expect(configuration.notifies.map(\.name) == ["log"] && configuration.notifies[0].groups == nil)
    }

    @Test func everyKeyIsRead() throws {
        let configuration = try read(
            """
            [socket]
            path = "/run/v.sock"
            [monitor]
            socket = "/run/m.sock"
            [process]
            user = "nobody"
            realtime-priority = 50
            lock-memory = true
            state-directory = "/run/x"
            [group.g]
            instances = ["a", "b"]
            priority = 255
            advert-interval = "2s"
            version = 2
            preempt = false
            preempt-delay = "1min"
            packet-filter = "fault"
            probe-before-takeover = false
            fence = { exec = ["/bin/fence", "peer"], timeout = "3s", user = "root" }
            address-lease = "5s"
            link-state = "settled"
            announce-count = 2
            announce-interval = "0s"
            announce-repeat = "0s"
            announce-refresh = "1min"
            track = [
              { check = "gate", weight = 10 }, "check:slow", "link:eth5",
              { route = "10.0.0.0/8", via = "192.0.2.254", interface = "eth0", table = 100, weight = -5 },
            ]
            [instance.a]
            interface = "eth0"
            vrid = 1
            addresses = ["192.0.2.1", "192.0.2.2/24"]
            auth-pass = "secret"
            checksum = "message"
            virtual-mac = true
            accept = false
            witness = ["192.0.2.254"]
            unicast-peers = ["192.0.2.12"]
            source = "192.0.2.11"
            [instance.b]
            interface = "eth1"
            vrid = 1
            addresses = ["198.51.100.1"]
            [check.gate]
            witness = "192.0.2.254"
            interface = "eth0"
            [check.slow]
            exec = ["/bin/true"]
            user = "1000:adm"
            interval = "500ms"
            initially = "failed"
            weight = -20
            [notify.n]
            exec = ["/bin/n"]
            timeout = "1s"
            user = "adm"
            groups = ["g"]
            instances = ["b"]
            states = ["master", "master-rx-lower-pri"]
            arguments = "keepalived"
            """)
        #expect(configuration.socket.path == "/run/v.sock" && configuration.monitorSocketPath == "/run/m.sock")
        let process = configuration.process
        #expect(process.user == "nobody" && process.realtimePriority == 50 && process.locksMemory)
        #expect(process.stateDirectory == "/run/x")

        let group = try #require(configuration.groups.first)
        #expect(group.priority == 255 && group.advertIntervalNs == 2_000_000_000)
        #expect(!group.preempts && group.preemptDelayNs == 60_000_000_000)
        #expect(group.packetFilter == .fault && !group.probesBeforeTakeover && group.linkState == .settled)
        #expect(group.addressLeaseNs == 5_000_000_000)
        let fence = VRRPConfiguration.Program(
            arguments: ["/bin/fence", "peer"], timeoutNs: 3_000_000_000, user: "root")
        #expect(group.fence == fence)
        let announce = VRRPConfiguration.Announce(
            count: 2, intervalNs: 0, repeatAfterNs: 0, refreshNs: 60_000_000_000)
        #expect(group.announce == announce)
        let via = try #require(IPAddress("192.0.2.254"))
        let ten = try #require(IPPrefix("10.0.0.0/8"))
        let route = VRRPConfiguration.Route(prefix: ten, via: via, interface: "eth0", table: 100)
        #expect(group.tracks.map(\.object) == [.check("gate"), .check("slow"), .link("eth5"), .route(route)])
        #expect(group.tracks.map(\.weight) == [10, -20, nil, -5])

        let (first, second) = (group.instances[0], group.instances[1])
        #expect(group.version == 2 && first.checksum == .message && first.authPass == "secret")
        #expect(first.hasVirtualMAC && !first.accepts && first.family == .ipv4)
        #expect(first.addresses.map(\.description) == ["192.0.2.1/32", "192.0.2.2/24"])
        #expect(first.witnesses == [via])
        #expect(first.unicastPeers.map(\.description) == ["192.0.2.12"] && first.source?.description == "192.0.2.11")
        #expect(second.checksum == .pseudoHeader && second.accepts && !second.hasVirtualMAC && second.source == nil)

        #expect(configuration.checks.map(\.kind).first == .witness(via, interface: "eth0"))
        #expect(configuration.checks[1].intervalNs == 500_000_000 && configuration.checks[1].timeoutNs == 500_000_000)
        #expect(configuration.checks.map(\.initially) == [nil, .failed])
        let accounts = configuration.accounts.map { "\($0.kind) \($0.name)" }
        #expect(accounts.suffix(3) == ["user 1000", "group adm", "user adm"])
        let notify = configuration.notifies[0]
        #expect(notify.groups == ["g"] && notify.instances == ["b"] && notify.program.user == "adm")
        #expect(notify.states == [.master, .masterRxLowerPri] && notify.arguments == .keepalived)
    }

    @Test func anInstanceInNoGroupIsAGroupOfItsOwn() throws {
        let configuration = try read(
            """
            [instance.solo]
            interface = "eth0"
            vrid = 7
            addresses = ["192.0.2.7"]
            priority = 150
            version = 2
            heartbeats = ["c"]
            advert-interval = "3s"
            [heartbeat.c]
            interface = "hb0"
            vrid = 1
            peer-vrid = 2
            family = "ipv4"
            """)
        let group = try #require(configuration.groups.first)
        #expect(group.name == "solo" && group.priority == 150 && group.instances.map(\.name) == ["solo"])
        #expect(group.version == 2 && group.heartbeats[0].family == .ipv4)
        #expect(group.heartbeats[0].intervalNs == 100_000_000)
    }

    @Test func aHeartbeatIsNoSlowerThanTheAdverts() throws {
        let fast = pair.replacing("interval = \"100ms\"\n", with: "").replacing(
            "\"1s\"\nversion", with: "\"50ms\"\nversion")
        #expect(try read(fast).groups[0].heartbeats[0].intervalNs == 50_000_000)
    }

    @Test func equalFilesAreEqualAndAChangeShows() throws {
        #expect(try read(pair) == read("# a comment\n" + pair))
        #expect(try read(pair) != read(pair.replacing("priority = 200", with: "priority = 100")))
        let more = try read(pair + "\n[instance.x]\ninterface = \"eth2\"\nvrid = 1\naddresses = [\"192.0.2.9\"]\n")
        #expect(try more.groups[0] == read(pair).groups[0])
    }

    @Test func theSameVRIDIsAnotherRouterInTheOtherFamilyAndOnAnotherInterface() throws {
        let text = """
            [instance.b]
            interface = "eth9"
            vrid = 99
            addresses = ["fe80::9", "2001:db8::9"]
            [instance.c]
            interface = "eth8"
            vrid = 99
            addresses = ["203.0.113.10"]
            [instance.d]
            interface = "eth8"
            vrid = 99
            addresses = ["fe80::9"]
            """
        #expect(try read(sound + text).groups.count == 4)
    }
}

@Suite struct VRRPKeyRefusalTests {
    @Test(arguments: [
        ("[group.g]", "6:1: [group.g] lacks instances"),
        ("[group.g]\ninstances = []", "7:1: [group.g] has no instance"),
        (
            "[instance.a]",
            "6:1: [instance.a] lacks interface|6:1: [instance.a] lacks vrid|6:1: [instance.a] lacks addresses"
        ),
        (
            "[instance.a]\ninterface = \"eth0\"\nvrid = 0\naddresses = []",
            "8:8: vrid = 0 ... 1 to 255"
        ),
        (
            "[heartbeat.h]\ninterfce = \"hb0\"\nvrid = 1\npeer-vrid = 1",
            "6:1: [heartbeat.h] lacks interface|6:12: heartbeat h is in no group's pool|7:1: unknown key interfce in [heartbeat.h] ... did you mean interface?|9:13: peer-vrid = 1 is our own vrid (line 8)"
        ),
        ("[group.\"a b\"]\ninstances = [\"sound\"]", "6:8: \"a b\" is not a valid name"),
        ("[process]\nrealtime-priority = 100", "7:21: realtime-priority = 100 ... from 0 to 99"),
        ("[process]\nuser = \"\"", "7:8: user = \"\""),
        ("[process]\nstate-directory = \"x\"", "7:19: state-directory = \"x\" ... absolute"),
        ("[monitor]\nsocket = \"x\"", "7:10: socket = \"x\" ... absolute"),
        ("[check.c]", "6:1: [check.c] is one check: expected either exec or witness"),
        ("[check.c]\nexec = [\"/bin/x\"]\nwitness = \"192.0.2.1\"", "8:1: [check.c] is one check"),
        ("[check.c]\nexec = []", "7:1: exec runs no shell"),
        ("[check.c]\nexec = [\"ping\", \"x\"]", "7:9: exec runs no shell: expected a program by its absolute path"),
        ("[check.c]\nexec = \"/bin/ping x\"", "7:8: exec = \"/bin/ping x\" ... an array"),
        ("[check.c]\nexec = [\"/bin/x\", \"a\\u0000\"]", "7:19: exec[1]"),
        ("[check.c]\nexec = [\"/bin/x\"]\ninterface = \"eth0\"", "8:1: interface goes with witness alone"),
        ("[check.c]\nwitness = \"192.0.2.1\"\ninterface = \"eth0\"\nuser = \"x\"", "9:1: user goes with exec alone"),
        ("[check.c]\nwitness = \"192.0.2.1\"", "6:1: [check.c] lacks interface"),
        (
            "[check.c]\nwitness = \"192.0.2.300\"\ninterface = \"eth0\"",
            "7:11: witness = \"192.0.2.300\" ... address of a host"
        ),
        (
            "[check.c]\nexec = [\"/bin/x\"]\ninitially = \"fine\"",
            "8:13: initially = \"fine\": expected \"failed\" or \"well\""
        ),
        (
            "[check.c]\nexec = [\"/bin/x\"]\nuser = \"a:b:c\"",
            "8:8: user = \"a:b:c\": expected the name or number of a user, or both of a user and a group"
        ),
        ("[check.c]\nexec = [\"/bin/x\"]\nuser = \"a:\"", "8:8: user = \"a:\""),
        ("[process]\nuser = \"a:b\"", "7:8: user = \"a:b\""),
        (
            "[notify.n]\nexec = [\"/bin/x\"]\nstates = [\"up\"]",
            "8:11: states[0] = \"up\": expected \"master\" or \"backup\""
        ),
        ("[notify.n]\nexec = [\"/bin/x\"]\nstates = []", "8:1: [notify.n] has no element"),
        (
            "[notify.n]\nexec = [\"/bin/x\"]\narguments = \"all\"",
            "8:13: arguments = \"all\": expected \"none\" or \"keepalived\""
        ),
        (
            "[notify.n]\nexec = [\"/bin/x\"]\ninstances = [\"sount\"]",
            "8:14: unknown instance sount: did you mean sound?"
        ),
        ("[check.c]\nexec = [\"/bin/x\"]\nweight = 0", "8:10: weight = 0 ... not 0"),
        ("[check.c]\nexec = [\"/bin/x\"]\nweight = -254", "8:10: weight = -254"),
        ("[check.c]\nexec = [\"/bin/x\"]\nfall = 0\nrise = 101", "8:8: fall = 0|9:8: rise = 101"),
        ("[notify.n]", "6:1: [notify.n] lacks exec"),
        ("[notify.n]\nfifo = \"x\"", "7:8: fifo = \"x\" ... absolute"),
        ("[notify.n]\nfifo = \"/x\"\ntimeout = \"1s\"", "8:1: timeout goes with a program that is run for each event"),
        ("[notify.n]\nfifo = \"/x\"\n[notify.m]\nfifo = \"/x\"", "9:8: /x is the fifo of another [notify] (line 7)"),
        ("[notify.n]\nexec = [\"/bin/x\"]\ntimeout = 5", "8:11: timeout = 5 ... with its unit"),
        ("[colour]", "6:2: unknown key colour in the file ... known here: socket, monitor, process, group, instance"),
    ])
    func refusesSections(text: String, expected: String) {
        expect(mistakes { try read(sound + text) }, expected.split(separator: "|").map(String.init))
    }

    /// Keys of a group, in an instance of its own from line 6 on.
    @Test(arguments: [
        ("priority = 256", "10:12: priority = 256 ... from 1 to 255"),
        ("advert-interval = \"5ms\"", "10:19: advert-interval = \"5ms\" ... from 10ms to 40s in steps of 10ms"),
        ("advert-interval = \"41s\"", "10:19: advert-interval"),
        ("advert-interval = \"15ms\"", "10:19: advert-interval = \"15ms\" ... in steps of 10ms"),
        ("advert-interval = 1", "10:19: advert-interval = 1 ... with its unit"),
        ("version = 4", "10:11: version = 4 ... 2 or 3"),
        ("version = \"3\"", "10:11: version = \"3\" ... 2 or 3"),
        ("checksum = \"none\"", "10:12: checksum = \"none\" ... \"pseudo-header\" or \"message\""),
        ("preempt = \"yes\"", "10:11: preempt = \"yes\" ... true or false"),
        ("preempt-delay = \"2h\"", "10:17: preempt-delay"),
        ("packet-filter = \"drop\"", "10:17: packet-filter = \"drop\" ... \"warn\" or \"fault\" or \"ignore\""),
        ("probe-before-takeover = 1", "10:25: probe-before-takeover = 1"),
        ("fence = [\"/bin/x\"]", "10:9: fence = an array ... expected a table"),
        ("fence = { timeout = \"1s\" }", "10:9: [instance.x.fence] lacks exec"),
        ("fence = { exec = [\"x\"] }", "10:19: exec runs no shell"),
        ("address-lease = \"500ms\"", "10:17: address-lease = \"500ms\" ... from 1s to 1h in steps of 1s"),
        ("address-lease = \"1.5s\"", "10:17: address-lease"),
        ("link-state = \"calm\"", "10:14: link-state = \"calm\" ... \"raw\" or \"settled\""),
        ("announce-count = 0", "10:18: announce-count = 0"),
        ("announce-interval = \"11s\"", "10:21: announce-interval"),
        ("announce-repeat = \"-1s\"", "10:19: announce-repeat"),
        ("announce-refresh = true", "10:20: announce-refresh = true"),
        ("track = \"check:x\"", "10:9: track = \"check:x\" ... an array"),
        ("track = [\"x\"]", "10:10: track[0] = \"x\" ... \"check:NAME\", "),
        ("track = [\"via:x\"]", "10:10: track[0]"),
        ("track = [\"route:10.0.0.1/8\"]", "10:10: track[0] = \"route:10.0.0.1/8\""),
        ("track = [\"link:a/b\"]", "10:10: track[0]"),
        ("track = [\"check:a b\"]", "10:10: track[0]"),
        ("track = [\"check:nothing\"]", "10:10: unknown check nothing ... [check.nothing]"),
        ("track = [\"link:a\", { link = \"a\", weight = 5 }]", "10:20: link:a is tracked already (line 10)"),
        ("track = [{ weight = 5 }]", "10:10: ... exactly one of check, "),
        ("track = [{ check = \"a\", link = \"b\" }]", "10:10: ... exactly one of"),
        ("track = [{ link = \"b\", via = \"192.0.2.3\" }]", "10:24: via without route"),
        (
            "track = [{ link = \"b\", wieght = 5 }]",
            "10:24: unknown key wieght in an element of track ... did you mean weight?"
        ),
        (
            "track = [{ route = \"0.0.0.0/0\", via = \"fe80::1\" }]",
            "10:39: via = \"fe80::1\" ... of the route's family"
        ),
        ("track = [{ route = \"0.0.0.0\", table = 0 }]", "10:39: table = 0"),
        ("heartbeats = [\"h\"]", "10:15: unknown heartbeat h: expected a section [heartbeat.h]"),
        ("heartbeats = [1]", "10:15: heartbeats[0] = 1"),
        ("unicast-peers = [\"224.0.0.18\"]", "10:18: unicast-peers[0] = \"224.0.0.18\""),
        ("source = \"192.0.2.1/24\"", "10:10: source = \"192.0.2.1/24\" ... address of a host"),
        ("auth-pass = \"123456789\"\nversion = 2", "10:13: auth-pass ... 1 to 8 ASCII"),
        ("virtual-mac = 1", "10:15: virtual-mac = 1"),
        ("accept = 1", "10:10: accept = 1"),
        ("witness = [\"::1\"]", "10:12: witness[0] = \"::1\""),
        ("acept = true", "10:1: unknown key acept in [instance.x]: did you mean accept?"),
        ("instances = [\"a\"]", "10:1: unknown key instances in [instance.x]"),
    ])
    func refusesInstanceKeys(line: String, expected: String) {
        let text = "[instance.x]\ninterface = \"eth0\"\nvrid = 1\naddresses = [\"192.0.2.1\"]\n" + line
        expect(mistakes { try read(sound + text) }, [expected])
    }

    @Test(arguments: [
        "192.0.2.1/0", "192.0.2.1/33", "224.0.0.1", "127.0.0.1", "0.0.0.0", "::1", "ff02::12", "eth0", "",
        "192.0.2.1%a",
    ])
    func refusesAddresses(address: String) {
        let text = "[instance.x]\ninterface = \"eth0\"\nvrid = 1\naddresses = [\"192.0.2.1\", \"\(address)\"]\n"
        expect(mistakes { try read(text) }, ["4:27: addresses[1] = \"\(address)\" ... an address of a host"])
    }
}

/// What no host can have as its address in a network that the file names.
@Suite struct VRRPHostTests {
    private func file(_ addresses: [String], more: String = "") -> String {
        let listed = addresses.map { "\"\($0)\"" }.joined(separator: ", ")
        return "[instance.x]\ninterface = \"eth0\"\nvrid = 1\naddresses = [\(listed)]\n\(more)"
    }

    @Test(arguments: [
        (
            ["192.0.2.0/24"],
            "4:14: addresses has 192.0.2.0, the network address of 192.0.2.0/24 ... such as \"192.0.2.1/24\""
        ),
        (["192.0.2.255/24"], "4:14: addresses has 192.0.2.255, the broadcast address of 192.0.2.0/24"),
        (["192.0.2.127/25"], "4:14: addresses has 192.0.2.127, the broadcast address of 192.0.2.0/25"),
        (["10.1.255.255/16"], "4:14: addresses has 10.1.255.255, the broadcast address of 10.1.0.0/16"),
        (["192.0.2.4/30"], "4:14: addresses has 192.0.2.4, the network address of 192.0.2.4/30 ... \"192.0.2.5/30\""),
        (["192.0.2.1/24", "192.0.2.255"], "4:30: addresses has 192.0.2.255, the broadcast address of 192.0.2.0/24"),
        (
            ["fe80::1", "2001:db8::/64"],
            "4:25: addresses has 2001:db8::, the subnet-router anycast address of 2001:db8::/64"
        ),
        (["fe80::1", "::ffff:192.0.2.1"], "4:25: addresses has ::ffff:192.0.2.1 ... expected 192.0.2.1"),
        (["255.255.255.255"], "4:14: addresses[0] = \"255.255.255.255\""),
        (["240.0.0.1"], "4:14: addresses[0] = \"240.0.0.1\""),
    ])
    func refusesWhatIsNoHost(addresses: [String], expected: String) {
        expect(mistakes { try read(file(addresses)) }, [expected])
    }

    @Test(arguments: [
        ["192.0.2.0/31"], ["192.0.2.1/31"], ["192.0.2.0/32"], ["192.0.2.0"], ["10.0.0.255/16"], ["192.0.2.254/24"],
        ["fe80::1", "2001:db8::/127"], ["fe80::1/64", "2001:db8::ffff/64"], ["169.254.0.1/24"],
    ])
    func takesHosts(addresses: [String]) { #expect(mistakes { try read(file(addresses)) }.isEmpty) }

    @Test(arguments: ["source = \"192.0.2.255\"", "witness = [\"192.0.2.0\"]", "unicast-peers = [\"192.0.2.255\"]"])
    func refusesOthersToo(line: String) {
        let mistakes = mistakes { try read(file(["192.0.2.1/24"], more: line)) }
        #expect(mistakes.count == 1 && mistakes.allSatisfy { $0.contains("address of 192.0.2.0/24 (line 4)") })
    }

    @Test func theSourceOfIPv6IsLinkLocal() {
        expect(
            mistakes { try read(file(["fe80::1"], more: "source = \"2001:db8::2\"")) },
            ["5:10: source = \"2001:db8::2\": expected a link-local address"])
        #expect(mistakes { try read(file(["fe80::1"], more: "source = \"fe80::2\"")) }.isEmpty)
        let global = "source = \"2001:db8::2\"\nrequire-link-local = false"
        #expect(mistakes { try read(file(["2001:db8::1"], more: global)) }.isEmpty)
    }

    @Test(arguments: [
        ("label = \"eth0:much-too-long\"", "at most 15 bytes"), ("scope = \"universe\"", "\"global\""),
        ("scope = 256", "from 0 to 255"), ("broadcast = \"2001:db8::1\"", "an IPv4 address"),
        ("prefix-route = 1", "true or false"),
    ])
    func attributesOfAnAddress(attribute: String, expected: String) {
        let table = "routes = []\naddresses = [\"192.0.2.1/24\", { address = \"192.0.2.9/24\", \(attribute) }]"
        let text = file(["192.0.2.1/24"], more: "").replacing("addresses = [\"192.0.2.1/24\"]", with: table)
        let found = mistakes { try read(text) }
        #expect(found.count == 1 && found[0].contains(attribute) && found[0].contains(expected), "\(found)")
    }

    @Test func whatOnlyIPv4AddressesHave() {
        let table =
            "addresses = [\"192.0.2.1/24\", { address = \"2001:db8::1\", advertised = false, label = \"eth0:1\" }]"
        let text = file(["192.0.2.1/24"], more: "").replacing("addresses = [\"192.0.2.1/24\"]", with: table)
        let found = mistakes { try read(text) }
        #expect(found.count == 1 && found[0].contains("label with the IPv6 address 2001:db8::1"), "\(found)")
    }

    @Test(arguments: ["192.0.2.66", "224.0.0.1", "ff02::1", "ff01::66", "224.0.0.256"])
    func noGroupOfRouters(group: String) {
        expect(
            mistakes { try read(file(["192.0.2.1/24"], more: "multicast-group = \"\(group)\"")) },
            ["5:19: ... a multicast group that only routers"])
    }

    @Test func theMulticastGroupIsOfTheFamily() throws {
        let group = { (address: String) in "multicast-group = \"\(address)\"" }
        expect(
            mistakes { try read(file(["192.0.2.1/24"], more: group("ff02::66"))) },
            ["5:19: multicast-group has ff02::66 ... is IPv4"])
        let right = try read(file(["192.0.2.1/24"], more: group("224.0.0.66")))
        #expect(right.groups[0].instances[0].multicastGroup == IPAddress("224.0.0.66") && right.warnings.isEmpty)
        let unicast = try read(file(["192.0.2.1/24"], more: group("224.0.0.66") + "\nunicast-peers = [\"192.0.2.2\"]"))
        #expect(unicast.warnings.map(\.line) == [5])
        #expect(try read(file(["192.0.2.1/24"], more: group("239.1.1.1"))).warnings.map(\.line) == [5])
    }
}

private let keyText = String(repeating: "k", count: 32)

@Suite struct VRRPCrossCheckTests {
    private func instance(_ name: String, _ interface: String, _ vrid: Int, _ address: String, more: String = "")
        -> String
    {
        "[instance.\(name)]\ninterface = \"\(interface)\"\nvrid = \(vrid)\naddresses = [\(address)]\n\(more)"
    }

    @Test func aVRIDHasOneOwner() {
        let text = sound + instance("b", "eth9", 99, "\"203.0.113.10\"")
        expect(
            mistakes { try read(text) },
            ["8:8: VRID 99 on eth9 for IPv4 belongs to instance sound (line 3): expected another"])
    }

    @Test func aMacvlanHasANameOfItsOwn() {
        let named = "virtual-mac = true\nvirtual-mac-name = \"lan.v1\"\n"
        let first = instance("a", "eth0", 1, "\"192.0.2.1\"", more: named)
        expect(
            mistakes { try read(first + instance("b", "eth1", 2, "\"192.0.2.2\"", more: named)) },
            ["12:20: virtual-mac-name = \"lan.v1\" is that of instance a (line 6): expected another name"])
        expect(
            mistakes { try read(first + instance("b", "lan.v1", 2, "\"192.0.2.2\"")) },
            ["6:20: virtual-mac-name = \"lan.v1\" is an interface of this file (line 8): expected another name"])
        expect(
            mistakes { try read(first.replacing("virtual-mac = true\n", with: "")) },
            ["5:1: virtual-mac-name without virtual-mac: expected it beside a virtual-mac"])
        expect(
            mistakes { try read(first.replacing("lan.v1", with: "vr4-2-7")) },
            ["6:20: virtual-mac-name = \"vr4-2-7\" may be that of an instance without the key: expected another name"])
        // The macvlan has the addresses that name no interface.
        let there = "\"192.0.2.1\", { address = \"203.0.113.1\", interface = \"lan.v1\" }"
        expect(
            mistakes { try read(instance("a", "eth0", 1, there, more: named)) },
            ["6:20: virtual-mac-name = \"lan.v1\" is an interface of this file (line 4): expected another name"])
    }

    @Test func aHeartbeatsVRIDsAreOwnedToo() {
        let text =
            instance("a", "eth0", 11, "\"fe80::1\"", more: "heartbeats = [\"h\", \"i\"]\n") + """
                [heartbeat.h]
                interface = "eth0"
                vrid = 12
                peer-vrid = 11
                [heartbeat.i]
                interface = "eth1"
                vrid = 12
                peer-vrid = 11
                """
        expect(
            mistakes { try read(text) },
            ["9:13: VRID 11 on eth0 for IPv6 belongs to instance a (line 3): expected another"]
        )
        #expect(
            mistakes { try read(text.replacing("[heartbeat.h]", with: "[heartbeat.h]\nfamily = \"ipv4\"")) }.isEmpty)
    }

    @Test func twoHeartbeatsOfOnePoolAreOnTwoCables() {
        let heartbeat = "[heartbeat.i]\ninterface = \"hb0\"\nvrid = 12\npeer-vrid = 22\n"
        let text = heartbeat + pair.replacing("[\"cross1\"]", with: "[\"cross1\", \"i\"]")
        expect(
            mistakes { try read(text) }, ["2:13: heartbeat cross1 (line 26) of the same pool is on hb0 ... of its own"])
    }

    @Test func aHeartbeatIsInOnePool() {
        let solo = instance("solo", "eth5", 1, "\"192.0.2.50\"", more: "heartbeats = [\"cross1\"]\n")
        expect(
            mistakes { try read(solo + pair) },
            ["5:15: heartbeat cross1 is already in the pool of group lvs (line 9)"])
        let twice = pair.replacing("[\"cross1\"]", with: "[\"cross1\", \"cross1\"]")
        expect(mistakes { try read(twice) }, ["4:25: heartbeat cross1 is already in the pool of group lvs (line 4)"])
        expect(
            mistakes { try read(pair.replacing("heartbeats = [\"cross1\"]", with: "")) },
            ["21:12: heartbeat cross1 is in no group's pool"])
    }

    @Test func anInterfaceMayHaveSeveralMembers() throws {
        let text = pair.replacing("\"eth1\"", with: "\"eth0\"")
        for text in [text, text.replacing("\"198.51.100.1/24\"", with: "\"fe80::1\"")] {
            #expect(try read(text).groups[0].instances.map(\.interface) == ["eth0", "eth0"])
        }
    }

    /// One that is in no group says its version for both.
    @Test func membersMayHaveVersionsOfTheirOwn() throws {
        func versions(_ inside: String, _ group: String = "3") throws -> [Int] {
            let text = pair.replacing("version = 3", with: "version = \(group)")
                .replacing("\"eth1\"", with: "\"eth1\"\nversion = \(inside)")
            let group = try read(text).groups[0]
            return group.instances.map { $0.version(in: group) }
        }
        #expect(try versions("2") == [3, 2] && versions("3", "2") == [2, 3])
        let own = try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: "version = 2\n")).groups[0]
        #expect(own.version == 2 && own.instances[0].version(in: own) == 2)
        expect(
            mistakes { try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: "version = 4\n")) },
            ["5:11: version = 4: expected 2 or 3"])
        let text = pair.replacing("\"1s\"\n", with: "\"1.5s\"\n")
            .replacing("\"eth1\"", with: "\"eth1\"\nversion = 2")
        expect(mistakes { try read(text) }, ["5:19: advert-interval = \"1500ms\" with version = 2 (line 18)"])
    }

    @Test func theStartAndTheEndOfPatienceAreTheGroups() throws {
        let more = "down-intervals = 5\nstart-delay = \"15s\"\ntrack-interface = false\n"
        let group = try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: more)).groups[0]
        #expect(group.downIntervals == 5 && group.startDelayNs == 15_000_000_000)
        #expect(!group.instances[0].tracksInterface)
        expect(
            mistakes { try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: "down-intervals = 0\n")) },
            ["5:18: down-intervals = 0: expected a whole number from 1 to 100"])
    }

    @Test func anInstanceIsInOneGroup() {
        let other = "[group.other]\ninstances = [\"inside\"]\n"
        expect(
            mistakes { try read(other + pair) },
            ["5:25: instance inside is already in group other (line 2): expected it once"])
        let twice = pair.replacing("\"inside\"]", with: "\"inside\", \"inside\"]")
        expect(mistakes { try read(twice) }, ["3:35: instance inside is already in group lvs (line 3)"])
    }

    @Test func aGroupsKeysAreNotAMembers() {
        let text = pair.replacing(
            "vrid = 20", with: "vrid = 20\npriority = 5\ntrack = []\nchecksum = \"message\"")
        expect(
            mistakes { try read(text) },
            [
                "19:1: priority belongs to the group: expected it in [group.lvs] (line 1), of which inside is a member",
                "20:1: track belongs to the group",
            ])
    }

    @Test func aLoneInstanceHasAGroupsName() {
        let text = pair + "\n" + instance("lvs", "eth5", 1, "\"192.0.2.50\"")
        expect(mistakes { try read(text) }, ["36:11: instance lvs is in no group ... [group.lvs] exists (line 1)"])
    }

    @Test func namesLeadSomewhere() {
        let text = pair.replacing("\"inside\"]", with: "\"insde\"]").replacing("check:upstream", with: "check:upstraem")
        expect(
            mistakes { try read(text) },
            [
                "3:25: unknown instance insde: did you mean inside?",
                "9:10: unknown check upstraem: did you mean upstream?",
            ])
        expect(
            mistakes { try read(pair + "\ngroups = [\"lsv\", \"inside\"]") },
            ["36:11: unknown group lsv: expected a section [group.lsv]", "36:18: unknown group inside"])
    }

    @Test func familiesAreNotMixed() {
        let text = instance(
            "a", "eth0", 1, "\"192.0.2.1\",\n\"fe80::1\"",
            more: "unicast-peers = [\"fe80::2\"]\nwitness = [\"fe80::3\"]\nsource = \"fe80::4\"\n")
        expect(
            mistakes { try read(text) },
            [
                "5:1: addresses has fe80::1 ... (line 4) is IPv4", "6:18: unicast-peers has fe80::2",
                "7:12: witness has fe80::3", "8:10: source has fe80::4",
            ])
    }

    @Test func anIPv6RouterBeginsWithALinkLocalAddress() {
        let text = instance("a", "eth0", 7, "\"2001:db8::1\", \"fe80::1\"")
        expect(
            mistakes { try read(text) },
            ["4:14: addresses begins with 2001:db8::1 ... such as \"fe80::1:7\" (RFC 9568, 5.2.9)"])
    }

    @Test func anInstanceMayHaveNoAddresses() throws {
        func family(_ more: String = "") throws -> IPAddress.Family {
            let group = try read(instance("a", "eth0", 1, "", more: more)).groups[0]
            #expect(group.instances[0].addresses.isEmpty)
            return group.instances[0].family
        }
        #expect(try family() == .ipv4 && family("version = 2\nauth-pass = \"x\"\n") == .ipv4)
        #expect(try family("family = \"ipv6\"\n") == .ipv6 && family("source = \"fe80::1\"\n") == .ipv6)
        #expect(try family("unicast-peers = [\"fe80::1\"]\n") == .ipv6)
        expect(
            mistakes { try read(instance("a", "eth0", 1, "", more: "family = \"ipv6\"\nversion = 2\n")) },
            ["6:11: version = 2 with the IPv6 addresses of instance a (line 4): expected 3"])
        expect(
            mistakes { try read(instance("a", "eth0", 1, "", more: "family = \"ipv6\"\nsource = \"192.0.2.9\"\n")) },
            ["6:10: source has 192.0.2.9, but instance a is for IPv6: expected IPv6"])
        expect(
            mistakes { try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: "family = \"ipv6\"\n")) },
            ["5:10: family = \"ipv6\" with 192.0.2.1 in addresses (line 4): expected the family of the addresses"])
    }

    @Test func heartbeatsCanTellInstancesWithoutAddressesApart() throws {
        let text =
            "[group.g]\ninstances = [\"a\", \"b\"]\nheartbeats = [\"h\"]\n"
            + "[heartbeat.h]\ninterface = \"hb0\"\nvrid = 1\npeer-vrid = 2\n" + instance("a", "eth0", 7, "")
        expect(
            mistakes { try read(text + instance("b", "eth1", 7, "")) },
            ["14:8: VRID 7 of instance b is that of instance a (line 10), and neither has addresses"])
        #expect(try read(text + instance("b", "eth1", 8, "")).groups[0].instances.count == 2)
        #expect(try read(text + instance("b", "eth1", 7, "", more: "family = \"ipv6\"\n")).groups.count == 1)
    }

    @Test func anAddressLivesInOnePlace() {
        expect(
            mistakes { try read(sound + instance("b", "eth8", 1, "\"203.0.113.9/24\"")) },
            ["9:14: 203.0.113.9 is already an address of instance sound (line 4): expected it once"])
        expect(
            mistakes { try read(instance("b", "eth8", 1, "\"192.0.2.1\", \"192.0.2.1/24\"")) },
            ["4:27: 192.0.2.1 is already an address of instance b (line 4)"])
        let linkLocal = instance("a", "eth0", 1, "\"fe80::1\"") + instance("b", "eth0", 2, "\"fe80::1\"")
        expect(mistakes { try read(linkLocal) }, ["8:14: fe80::1 is already an address of instance a (line 4)"])
    }

    @Test func versionTwoIsForIPv4InWholeSeconds() {
        expect(
            mistakes { try read(instance("a", "eth0", 1, "\"fe80::1\"", more: "version = 2\n")) },
            ["5:11: version = 2 with the IPv6 addresses of instance a (line 4): expected 3"])
        let text = pair.replacing("version = 3", with: "version = 2").replacing("\"1s\"\n", with: "\"1.5s\"\n")
        expect(
            mistakes { try read(text) },
            ["5:19: advert-interval = \"1500ms\" with version = 2 (line 6): expected whole seconds"])
        #expect(mistakes { try read(text.replacing("version = 2", with: "version = 3")) }.isEmpty)
        // One family of a group speaks for all of it.
        let dual = text.replacing("1.5s", with: "2s").replacing("\"198.51.100.1/24\"", with: "\"fe80::1\"")
        expect(mistakes { try read(dual) }, ["6:11: version = 2 with the IPv6 addresses of instance inside (line 19)"])
    }

    @Test(arguments: [
        "1 hex:00", "0 \(keyText)", "256 \(keyText)", "\(keyText)", "1 hex:0\(keyText)", "1 a b\(keyText)",
    ])
    func keysThatAreNoneAreNotShown(text: String) {
        let table = "auth-hmac = { keys = [\"\(text)\"] }\n"
        let mistakes = mistakes { try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: table)) }
        #expect(mistakes.count == 1 && mistakes[0].hasPrefix("5:23: keys[0]: expected a number from 1 to 255"))
    }

    @Test func authenticationIsOfOneKind() throws {
        func instance(_ more: String) -> String { self.instance("a", "eth0", 1, "\"192.0.2.1\"", more: more) }
        let hmac = "auth-hmac = { keys = [\"1 \(keyText)\"] }\n"
        #expect(try read(instance(hmac)).groups[0].instances[0].authHMAC?.keys.count == 1)
        expect(
            mistakes { try read(instance("auth-pass = \"x\"\nversion = 2\n" + hmac)) },
            ["5:13: auth-pass with auth-hmac: expected one of them"])
        expect(
            mistakes { try read(instance("auth-type = \"ah\"\nversion = 2\n")) },
            ["5:13: auth-type = \"ah\" without auth-pass"])
        expect(
            mistakes {
                try read(instance("auth-hmac = { keys = [\"1 \(keyText)\", \"1 \(keyText)\"], active-key = 2 }\n"))
            }, ["5:61: keys has number 1 twice", "5:113: active-key = 2: expected the number of one of the keys"])
    }

    @Test func passwordsAreVersionTwos() {
        expect(
            mistakes { try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: "auth-pass = \"x\"\n")) },
            ["5:13: auth-pass in version 3: expected none, or version = 2"])
        let own = "auth-pass = \"x\"\nversion = 2\n"
        #expect(mistakes { try read(instance("a", "eth0", 1, "\"192.0.2.1\"", more: own)) }.isEmpty)
    }

    @Test func peersAndWitnessesAreOthers() {
        let text = instance(
            "a", "eth0", 1, "\"192.0.2.1\"",
            more: """
                source = "192.0.2.2"
                unicast-peers = ["192.0.2.2", "192.0.2.3", "192.0.2.3"]
                witness = ["192.0.2.1"]
                """)
        expect(
            mistakes { try read(text) },
            [
                "6:18: unicast-peers has 192.0.2.2, an address of instance a",
                "6:44: unicast-peers has 192.0.2.3 twice",
                "7:12: witness has 192.0.2.1, an address of instance a",
            ])
    }

    @Test func aPoolJoinsTwoDirectorsAndListsItsInstances() {
        let three = pair.replacing("vrid = 10", with: "vrid = 10\nunicast-peers = [\"192.0.2.3\",\n\"192.0.2.4\"]")
        expect(mistakes { try read(three) }, ["15:1: a second unicast peer in group lvs ... heartbeats (line 4)"])

        func large(_ count: Int) -> String {
            let names = (0..<count).map { "\"i\($0)\"" }.joined(separator: ", ")
            let heartbeat = "[heartbeat.h]\ninterface = \"hb0\"\nvrid = 1\npeer-vrid = 2\n"
            return "[group.g]\nheartbeats = [\"h\"]\ninstances = [\(names)]\n" + heartbeat
                + (0..<count).map { instance("i\($0)", "eth\($0)", 10, "\"192.0.2.\($0 + 1)\"") }.joined()
        }
        #expect(mistakes { try read(large(40)) }.isEmpty)
        expect(mistakes { try read(large(41)) }, ["2:15: group g has 41 instances and heartbeats ... at most 40"])
        #expect(mistakes { try read(large(41).replacing("heartbeats = [\"h\"]", with: "")) }.count == 1)
    }

    @Test func anAdvertListsWhatFits() {
        func text(_ count: Int) -> String {
            let more = (1...count).map { "\"2001:db8::\(String($0, radix: 16))\"" }.joined(separator: ", ")
            return instance("a", "eth0", 1, "\"fe80::1\", \(more)")
        }
        #expect(mistakes { try read(text(89)) }.isEmpty)
        expect(mistakes { try read(text(90)) }, ["4: ... more than 90 IPv6 addresses"])
    }

    @Test func limitsHold() {
        let checks = (0..<257).map { "[check.c\($0)]\nexec = [\"/bin/true\"]\n" }.joined()
        expect(
            mistakes { try read(checks + instance("a", "eth0", 1, "\"192.0.2.1\"")) },
            ["513:8: too many tables [check.NAME]: expected at most 256"])
    }

    @Test func twoHundredAndFiftyFiveInstancesOnOneInterface() throws {
        let text = (1...255).map { instance("i\($0)", "eth0", $0, "\"10.0.0.\($0)\"") }.joined()
        #expect(try read(text).groups.count == 255)
    }
}

/// Several objects as one, and objects that count inverted or later.
@Suite struct VRRPTrackGroupTests {
    private func file(_ group: String, _ tracks: String = "\"track-group:up\"") -> String {
        "[instance.x]\ninterface = \"eth0\"\nvrid = 1\naddresses = [\"192.0.2.1\"]\ntrack = [\(tracks)]\n"
            + "[check.a]\nexec = [\"/bin/true\"]\nweight = 7\n[track-group.up]\n\(group)\n"
    }

    @Test func enoughOfSeveral() throws {
        let configuration = try read(
            file(
                "any-of = [\"check:a\", { link = \"eth5\", down-delay = \"5s\" }, \"route:0.0.0.0/0\"]\nat-least = 2",
                "{ track-group = \"up\", weight = -30 }, { check = \"a\", inverted = true, up-delay = \"1h\" }"))
        #expect(configuration.warnings.isEmpty)
        let tracks = configuration.groups[0].tracks
        #expect(tracks.map(\.name) == ["track-group:up", "check:a"] && tracks.map(\.weight) == [-30, 7])
        #expect(tracks[1].counting.isInverted && tracks[1].counting.upDelayNs == 3_600_000_000_000)
        guard case .trackGroup(let group) = tracks[0].object else {
            Issue.record("no track-group")
            return
        }
        #expect(group.anyOf.map(\.name) == ["check:a", "link:eth5", "route:0.0.0.0/0"] && group.atLeast == 2)
        #expect(group.anyOf.map(\.weight) == [nil, nil, nil])
        #expect(group.anyOf.map(\.counting.downDelayNs) == [0, 5_000_000_000, 0])
        #expect(tracks[0].object.parts.count == 3)
    }

    @Test(arguments: [
        ("any-of = []", "10:1: [track-group.up] has no element: expected at least one in any-of"),
        ("at-least = 1", "9:1: [track-group.up] lacks any-of"),
        ("any-of = [\"link:a\"]\nat-least = 2", "11:12: at-least = 2, and any-of has 1: expected ... from 1 to 1"),
        ("any-of = [\"link:a\"]\nat-least = 0", "11:12: at-least = 0 ... from 1 to 64"),
        ("any-of = [\"check:b\"]", "10:11: unknown check b: did you mean a?"),
        ("any-of = [\"track-group:up\"]", "10:11: track-group up in a track-group"),
        ("any-of = [{ link = \"a\", weight = 5 }]", "10:11: link:a has a weight in a track-group"),
        ("any-of = [\"link:a\", { link = \"a\", inverted = true }]", "10:21: link:a is tracked already (line 10)"),
        ("any-of = [{ inverted = true }]", "10:11: an element of any-of: expected exactly one of"),
        ("any-of = [{ link = \"a\", up-delay = \"2h\" }]", "10:36: up-delay = \"2h\" ... from 0s to 1h"),
        ("any-of = [\"link:a\"]\nall-of = []", "11:1: unknown key all-of in [track-group.up]: did you mean any-of?"),
    ])
    func refusesKeys(group: String, expected: String) {
        expect(mistakes { try read(file(group)) }, [expected])
    }

    @Test(arguments: [
        ("\"track-group:op\"", "5:10: unknown track-group op: did you mean up?"),
        ("{ file = \"/x\", weight = 2, inverted = true }", "5:10: a file with a weight adds its number"),
        ("{ link = \"a\", inverted = 1 }", "5:35: inverted = 1 ... true or false"),
    ])
    func refusesTracks(tracks: String, expected: String) {
        expect(mistakes { try read(file("any-of = [\"link:a\"]", tracks)) }, [expected])
    }
}

/// What is sound and moves nothing.
@Suite struct VRRPWarningTests {
    private func warnings(_ group: String, _ tracks: String) throws -> [String] {
        try read(
            """
            [instance.one]
            interface = "eth0"
            vrid = 10
            addresses = ["192.0.2.1"]
            \(group)
            track = [\(tracks)]
            """
        ).warnings.map(\.description)
    }

    @Test(
        arguments: [
            ("priority = 255", "-50"), ("priority = 1", "-50"), ("priority = 254", "50"), ("preempt = false", "-50"),
            ("preempt = false", "50"),
        ])
    func aWeightThatMovesNothingIsTold(_ group: String, _ weight: String) throws {
        let told = try warnings(group, "{ link = \"eth1\", weight = \(weight) }")
        #expect(told.count == 1)
        #expect(told.first?.hasPrefix("vrrp.toml:6:") == true)
        #expect(told.first?.contains("the weight \(weight) of link:eth1 in group one moves nothing") == true)
    }

    @Test(arguments: [("priority = 254", "-50"), ("priority = 1", "50"), ("priority = 100", "-253"), ("", "1")])
    func oneThatMaySwayIsNot(_ group: String, _ weight: String) throws {
        #expect(try warnings(group, "{ link = \"eth1\", weight = \(weight) }") == [])
    }

    /// Another weight may make room for it.
    @Test func othersMayMakeRoom() throws {
        let both = "{ link = \"eth1\", weight = 50 }, { link = \"eth2\", weight = -50 }"
        #expect(try warnings("priority = 254", both) == [])
        #expect(try warnings("priority = 1", both) == [])
    }

    @Test func aTrackGroupThatNobodyTracksIsTold() throws {
        let told = try read(
            """
            [check.used]
            exec = ["/bin/true"]
            [track-group.spare]
            any-of = ["check:used"]
            [instance.one]
            interface = "eth0"
            vrid = 10
            addresses = ["192.0.2.1"]
            """
        ).warnings.map(\.description)
        #expect(told == ["vrrp.toml:3:14: track-group spare is tracked by no group: expected it in a group's track"])
    }

    @Test func aCheckThatNobodyTracksIsTold() throws {
        let told = try read(
            """
            [check.used]
            exec = ["/bin/true"]
            [check.spare]
            exec = ["/bin/true"]
            [instance.one]
            interface = "eth0"
            vrid = 10
            addresses = ["192.0.2.1"]
            track = ["check:used"]
            """
        ).warnings.map(\.description)
        #expect(told == ["vrrp.toml:3:8: check spare is tracked by no group: expected it in a group's track"])
    }

    @Test func aCauseOfFaultHasNoWeight() throws {
        #expect(try warnings("preempt = false", "\"link:eth1\"") == [])
    }
}
