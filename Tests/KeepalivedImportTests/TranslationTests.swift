import Configuration
import Testing

@testable import KeepalivedImport

/// What becomes of keepalived's keywords, defaults and corrections. Every output is read by linkwatch-vrrp's own reader.
@Suite struct TranslationTests {
    private typealias Group = VRRPConfiguration.Group

    /// The configuration that the output is.
    private func configuration(_ result: KeepalivedImport) throws -> VRRPConfiguration {
        let toml = try #require(result.toml, "\(result.findings)")
        return try VRRPConfiguration(text: Array(toml.utf8), file: "vrrp.toml")
    }

    private func group(_ keys: String, global: String = "", users: Set<String> = []) throws -> (Group, KeepalivedImport)
    {
        let result = imported(Samples.instance(keys, global: global), users: users)
        return (try #require(try configuration(result).groups.first), result)
    }

    // MARK: Defaults

    @Test func keepalivedsDefaultsAreWrittenOut() throws {
        let (group, result) = try group("")
        #expect(
            group.version == 2 && group.priority == 100 && group.advertIntervalNs == 1_000_000_000 && group.preempts)
        #expect(
            group.announce.count == 5 && group.announce.intervalNs == 0 && group.announce.repeatAfterNs == 5_000_000_000
        )
        #expect(group.name == "VI_1" && group.instances[0].name == "VI_1" && group.instances[0].accepts)
        #expect(result.worst == nil)
    }

    @Test func aScriptsDefaults() throws {
        let result = imported(Samples.checked("script /bin/true"), users: ["keepalived_script"])
        let check = try #require(try configuration(result).checks.first)
        #expect(
            check.intervalNs == 1_000_000_000 && check.timeoutNs == 1_000_000_000 && check.fall == 1 && check.rise == 1)
        guard case .program(let program) = check.kind else { throw Unexpected() }
        #expect(program.arguments == ["/bin/true"] && program.user == "keepalived_script")
        let other = try configuration(imported(Samples.checked("script /bin/true")))
        guard case .program(let program) = other.checks[0].kind else { throw Unexpected() }
        #expect(program.user == "root")
    }

    // MARK: Corrections

    @Test(arguments: [
        "state MASTER\nnopreempt", "nopreempt\nstate MASTER", "state MASTER\nnopreempt\nstate BACKUP",
        "priority 255\nnopreempt",
    ])
    func masterVoidsNopreempt(keys: String) throws {
        let (group, result) = try group(keys)
        #expect(group.preempts && result.findings.count == 1 && result.worst == .difference)
    }

    @Test func whatElseKeepalivedCorrects() throws {
        #expect(try !group("nopreempt").0.preempts)
        #expect(try group("preempt_delay 5\nnopreempt").0.preemptDelayNs == 0)
        #expect(try group("preempt_delay 5").0.preemptDelayNs == 5_000_000_000)
        #expect(try group("preempt_delay 5\nstate MASTER").0.preemptDelayNs == 0)
        #expect(try group("state MASTER").0.priority == 255)
        #expect(
            imported(Samples.plain.replacing("priority 100", with: "state MASTER")).toml?.contains("priority = 255")
                == true)
        #expect(try group("advert_int 1.5").0.advertIntervalNs == 2_000_000_000)
        #expect(try group("advert_int 0.4").0.advertIntervalNs == 1_000_000_000)
        #expect(try group("advert_int 0.4\nversion 3").0.advertIntervalNs == 400_000_000)
        #expect(try group("advert_int 90").1.worst == .loss)
        #expect(try group("priority 300").0.priority == 100)
        #expect(try group("strict_mode").0.instances[0].accepts == false)
    }

    @Test func passwordsAreOfVersion2() throws {
        let block = "authentication {\n auth_type PASS\n auth_pass 123456789\n}\n"
        let (group, result) = try group(block)
        #expect(group.instances[0].authPass == "12345678" && result.worst == .difference)
        #expect(try self.group(block + "version 3").0.instances[0].authPass == nil)
        #expect(try self.group(block + "strict_mode").0.instances[0].authPass == nil)
        let ah = try self.group(block.replacing("PASS", with: "AH"))
        #expect(ah.0.instances[0].authType == .ah && ah.1.worst == .difference)
    }

    @Test func theTrailerIsCarried() throws {
        let key = "hex:" + String(repeating: "0f", count: 32)
        let block = "auth_hmac {\n key 2 \(key)\n active_key 2\n time_window 7\n mode permissive\n}\n"
        let hmac = try #require(try group(block).0.instances[0].authHMAC)
        #expect(hmac.keys.map(\.id) == [2] && hmac.keys[0].octets == [UInt8](repeating: 15, count: 32))
        #expect(
            hmac.activeKey == 2 && hmac.windowNs == 7_000_000_000 && hmac.mode == .permissive && hmac.replay == .time)
        #expect(try group(block).1.findings.isEmpty)
        let password = "authentication {\n auth_type PASS\n auth_pass x\n}\n"
        #expect(try group(password + block).0.instances[0].authPass == nil)
        #expect(try group(block.replacing("active_key 2", with: "active_key 3")).0.instances[0].authHMAC == nil)
        let monotonic = try group(block.replacing("time_window 7", with: "anti_replay monotonic")).0
        #expect(monotonic.instances[0].authHMAC?.replay == .monotonic)
        #expect(try group(block.replacing(key, with: "file:/etc/key")).1.worst == .missing)
    }

    /// What keepalived does after an advert of lower priority is by default what it does as a new master.
    @Test func announcementsAfterLowerPrioritiesAreCarried() throws {
        func settings(_ text: String) throws -> [Int64] {
            let group = try configuration(imported(text)).groups[0]
            return [Int64(group.announce.lowerCount), group.announce.lowerRepeatNs / 1_000_000_000]
        }
        func plain(_ lines: String) -> String {
            Samples.plain.replacing("interface eth0", with: "interface eth0\n \(lines)")
        }
        #expect(try settings(Samples.plain) == [5, 5])
        #expect(try settings(plain("garp_lower_prio_repeat 2\n garp_lower_prio_delay 0")) == [2, 0])
        #expect(try settings(plain("garp_lower_prio_repeat 0")) == [0, 0])
        #expect(try settings("global_defs {\n vrrp_garp_master_repeat 3\n}\n" + Samples.plain) == [3, 5])
        #expect(try settings(plain("strict_mode")) == [0, 0])
        let group = try configuration(imported(plain("lower_prio_no_advert\n higher_prio_send_advert"))).groups[0]
        #expect(!group.answersLower && group.answersHigher)
        let usual = try configuration(imported(Samples.plain)).groups[0]
        #expect(usual.answersLower && !usual.answersHigher)
    }

    @Test func hopLimitsAreThoseOfThePeers() throws {
        func limits(_ block: String) throws -> [UInt8] {
            let instance = try group(block).0.instances[0]
            return [instance.leastHopLimit, instance.unicastHopLimit]
        }
        #expect(try limits("unicast_peer {\n 192.0.2.9\n}") == [255, 255])
        #expect(try limits("unicast_peer {\n 198.51.100.9\n}") == [1, 255])
        #expect(try limits("unicast_src_ip 198.51.100.8\nunicast_peer {\n 192.0.2.9\n}") == [1, 255])
        #expect(
            try limits("unicast_ttl 64\nunicast_peer {\n 192.0.2.9 min_ttl 60\n 192.0.2.8 min_ttl 61\n}") == [60, 64])
    }

    // MARK: Addresses

    @Test func addressesKeepTheirOrderAndTheirNetwork() throws {
        let (group, result) = try group("virtual_ipaddress {\n 198.51.100.2\n 198.51.100.3/24 dev eth0\n}")
        #expect(
            group.instances[0].addresses.map(\.description) == ["192.0.2.1/24", "198.51.100.2/32", "198.51.100.3/24"])
        #expect(result.worst == nil)
    }

    @Test(arguments: [
        ("198.51.100.2 dev eth/1", Finding.Weight.missing), ("192.0.2.1 dev eth1", .missing),
        ("198.51.100.0/24", .loss), ("198.51.100.2 peer 198.51.100.3", .missing),
        ("2001:db8::1", .difference), ("198.51.100.256", .difference), ("198.51.100.2 no_track", .difference),
        ("198.51.100.2 frob", .difference), ("192.0.2.1/24", .difference), ("224.0.0.1", .missing),
        ("192.0.2.255", .missing),
    ])
    func attributesThatAreNotCarriedHaveTheirLine(address: String, weight: Finding.Weight) throws {
        let (group, result) = try group("virtual_ipaddress {\n\(address)\n}")
        #expect(!group.instances[0].addresses.isEmpty)
        #expect(result.findings.map(\.weight) == [weight] && result.findings[0].line.number == Samples.line + 1)
    }

    @Test func whatTheKernelIsToHaveIsCarried() throws {
        let (group, result) = try group(
            "virtual_ipaddress {\n 198.51.100.2/24 label eth0:1 scope link brd +\n 198.51.100.3/24 scope 200 brd - noprefixroute\n"
                + " 198.51.100.4/24 broadcast 198.51.100.250\n}\nvirtual_ipaddress_excluded {\n 2001:db8::1/64 noprefixroute\n}"
        )
        #expect(
            group.instances[0].addresses.dropFirst().map(\.description) == [
                "198.51.100.2/24 broadcast 198.51.100.255 scope link label eth0:1",
                "198.51.100.3/24 broadcast 198.51.100.0 scope site noprefixroute",
                "198.51.100.4/24 broadcast 198.51.100.250", "2001:db8::1/64",
            ])
        #expect(result.worst == nil)
    }

    @Test func addressesGoToTheirInterfaceAndStayOutOfAdverts() throws {
        let (group, result) = try group(
            "virtual_ipaddress {\n 198.51.100.2/24 dev eth1\n 198.51.100.3 dev eth2 no_track\n}\n"
                + "virtual_ipaddress_excluded {\n 192.0.2.9/24\n 2001:db8::1/64 dev eth1\n fe80::1\n}")
        let instance = group.instances[0]
        #expect(
            instance.addresses.map(\.description) == [
                "192.0.2.1/24", "198.51.100.2/24 dev eth1", "198.51.100.3/32 dev eth2", "192.0.2.9/24",
                "2001:db8::1/64 dev eth1", "fe80::1/128",
            ])
        #expect(instance.advertised.map(\.description) == ["192.0.2.1", "198.51.100.2", "198.51.100.3"])
        #expect(instance.countingInterfaces == ["eth0", "eth1"] && instance.family == .ipv4)
        #expect(result.worst == nil)
    }

    /// keepalived sends IPv6 addresses as they are listed.
    @Test(arguments: [["2001:db8::1/64", "fe80::7/128"], ["fe80::7/128", "2001:db8::1/64"], ["2001:db8::1/64"]])
    func theOrderOfIPv6AddressesStays(addresses: [String]) throws {
        let result = imported(Samples.plain.replacing("192.0.2.1/24", with: addresses.joined(separator: "\n")))
        let instance = try configuration(result).groups[0].instances[0]
        #expect(instance.addresses.map(\.description) == addresses && result.findings.isEmpty)
        #expect(instance.requiresLinkLocal == addresses[0].hasPrefix("fe80"))
    }

    @Test func theMulticastGroupIsCarried() throws {
        func group(_ text: String) throws -> String? {
            try configuration(imported(text)).groups[0].instances[0].multicastGroup?.description
        }
        let four = "global_defs {\n vrrp_mcast_group4 224.0.0.66\n vrrp_mcast_group6 ff02::66\n}\n" + Samples.plain
        #expect(try group(four) == "224.0.0.66")
        #expect(try group(four.replacing("192.0.2.1/24", with: "fe80::1")) == "ff02::66")
        #expect(try group(four.replacing("224.0.0.66", with: "224.0.0.18")) == nil)
        #expect(
            try group(four.replacing("interface eth0", with: "interface eth0\n mcast_dst_ip 224.0.0.67"))
                == "224.0.0.67")
        let unicast = "interface eth0\n unicast_peer {\n 192.0.2.9\n }"
        #expect(try group(four.replacing("interface eth0", with: unicast)) == nil)
        #expect(imported(four.replacing("224.0.0.66", with: "192.0.2.66")).worst == .difference)
    }

    @Test func patienceAndStartAreCarried() throws {
        let (first, result) = try group(
            "down_timer_adverts 5\ndont_track_primary\ntrack_interface {\n eth0 weight -20\n}",
            global: "vrrp_startup_delay 5.5\nvrrp_down_timer_adverts 2")
        #expect(first.downIntervals == 5 && first.startDelayNs == 5_500_000_000 && result.worst == nil)
        // Its own interface counts like any other.
        #expect(!first.instances[0].tracksInterface && first.tracks.map(\.weight) == [-20])
        #expect(try group("", global: "vrrp_down_timer_adverts 2").0.downIntervals == 2)
        #expect(try group("down_timer_adverts 5\nstrict_mode").0.downIntervals == 3)
        #expect(try group("down_timer_adverts 0").0.downIntervals == 3)
    }

    /// They need not agree in their version, nor be on different interfaces; the interval of version 2 is the group's, as its
    /// peers refuse any other.
    @Test func membersOfASyncGroupMayDiffer() throws {
        let other = Samples.plain.replacing("VI_1", with: "VI_2").replacing("51", with: "52")
            .replacing("192.0.2.1/24", with: "192.0.2.2/24")
            .replacing("interface eth0", with: "interface eth0\n    version 3\n    advert_int 0.5")
        let result = imported("vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n" + Samples.plain + other)
        let group = try configuration(result).groups[0]
        #expect(group.instances.map { $0.version(in: group) } == [2, 3])
        #expect(group.instances.map(\.interface) == ["eth0", "eth0"] && group.advertIntervalNs == 1_000_000_000)
        #expect(result.findings.map(\.subject) == ["advert_int of VI_2"] && result.worst == .loss)
    }

    @Test func whatNoInterfaceCanBeNamedIsIgnored() throws {
        let result = try group("track_interface {\n eth100.1/2\n a:b\n}").1
        #expect(try configuration(result).groups[0].tracks.isEmpty && result.findings.count == 2)
    }

    @Test func anAddressLivesInOnePlace() throws {
        let other = Samples.plain.replacing("VI_1", with: "VI_2").replacing("51", with: "52")
        let result = imported(Samples.plain + other.replacing("192.0.2.1/24", with: "192.0.2.1/24\n    192.0.2.2"))
        #expect(try configuration(result).groups.map { $0.instances[0].addresses.count } == [1, 1])
        #expect(result.worst == .missing)
    }

    @Test func anInstanceMayHaveNoAddress() throws {
        let bare = Samples.plain.replacing("192.0.2.1/24", with: "")
        let result = imported(bare)
        let group = try configuration(result).groups[0]
        #expect(group.instances[0].addresses.isEmpty && group.instances[0].family == .ipv4 && group.version == 2)
        #expect(result.worst == nil)
        // Only version 2 does without the line.
        #expect(imported("global_defs { vrrp_version 3 }\n" + bare).worst == .refused)
        let other = imported(
            bare.replacing("interface eth0", with: "interface eth0\n    native_ipv6\n    no_virtual_ipaddress"))
        #expect(try configuration(other).groups[0].instances[0].family == .ipv6)
    }

    @Test func routesAndRulesMoveWithTheMaster() throws {
        let (group, result) = try group(
            "virtual_routes {\n default via 192.0.2.9\n 198.51.100.0/24 dev eth1 src 192.0.2.1\n 2001:db8::/32 via fe80::1 dev eth1\n"
                + " 203.0.113.0/24 via 192.0.2.8 dev eth1 table 7 metric 5 onlink mtu 1400\n default dev eth1 metric 9\n}"
        )
        #expect(
            group.instances[0].routes.map(\.description) == [
                "default via 192.0.2.9", "198.51.100.0/24 dev eth1 src 192.0.2.1 scope global",
                "2001:db8::/32 via fe80::1 dev eth1",
                "203.0.113.0/24 via 192.0.2.8 dev eth1 table 7 metric 5 mtu 1400 onlink",
                "default dev eth1 metric 9 scope global",
            ])
        #expect(result.worst == nil)
        let lost = try self.group("virtual_routes {\n broadcast 198.51.100.0/24\n}").1
        #expect(lost.findings(Samples.line + 1).map(\.weight) == [.missing])
        let rules = try self.group("virtual_rules {\n from 192.0.2.1 iif lo fwmark 0x10 lookup 5 preference 9\n}").0
        #expect(
            rules.instances[0].rules.map(\.description) == [
                "from 192.0.2.1/32 fwmark 0x10 iif lo table 5 priority 9"
            ])
        #expect(try self.group("virtual_rules {\n}").1.worst == nil)
    }

    // MARK: Peers

    @Test func unicastPeers() throws {
        let (group, result) = try group(
            "unicast_src_ip 192.0.2.10\nunicast_peer {\n 192.0.2.11\n 192.0.2.10\n 192.0.2.11\n x\n}")
        #expect(group.instances[0].unicastPeers.map(\.description) == ["192.0.2.11"])
        #expect(group.instances[0].source?.description == "192.0.2.10")
        #expect(result.findings.count == 3 && result.worst == .difference)
    }

    @Test func twoPeersOnOneLineAreOne() throws {
        let (group, result) = try group("unicast_peer { 192.0.2.11 192.0.2.12 }")
        #expect(group.instances[0].unicastPeers.map(\.description) == ["192.0.2.11"])
        #expect(result.findings.map(\.subject) == ["192.0.2.12"])
    }

    @Test func virtualMACs() throws {
        let (group, result) = try group("use_vmac")
        #expect(group.instances[0].hasVirtualMAC && result.worst == .difference)
        #expect(group.instances[0].virtualMACName == "vrrp.51" && group.instances[0].sendsFromVirtualMAC)
        let (named, other) = try self.group("use_vmac netlink_notify_msg name lan.v51\nvmac_xmit_base")
        #expect(named.instances[0].virtualMACName == "lan.v51" && !named.instances[0].sendsFromVirtualMAC)
        #expect(other.worst == .difference)
        #expect(try self.group("use_vmac 02:00:00:00:00:01").1.worst == .loss)
        #expect(try self.group("use_vmac vip group 7").1.worst == .loss)
    }

    @Test(arguments: ["eth0", "vrrp.51"]) func whatIsOnTheInstancesOwnMacvlanNamesNoInterface(name: String) throws {
        let (group, result) = try group(
            "use_vmac\nvirtual_ipaddress {\n 198.51.100.3/24 dev \(name)\n}\n"
                + "virtual_routes {\n 203.0.113.0/24 via 192.0.2.254 dev vrrp.51\n}")
        #expect(
            group.instances[0].addresses.allSatisfy { $0.interface == nil } && group.instances[0].addresses.count == 2)
        #expect(group.instances[0].routes.map(\.interface) == [nil])
        #expect(result.findings.map(\.subject).contains("203.0.113.0/24 via 192.0.2.254 dev vrrp.51"))
    }

    // MARK: Sync groups

    @Test func aSyncGroupKeepsItsNameAndDecidesOnce() throws {
        let result = imported(Samples.group("", first: "priority 150\nadvert_int 2", second: "priority 120"))
        let groups = try configuration(result).groups
        #expect(groups.map(\.name) == ["VG_1"] && groups[0].instances.map(\.name) == ["VI_1", "VI_2"])
        #expect(groups[0].priority == 120 && groups[0].advertIntervalNs == 1_000_000_000)
        #expect(result.findings.map(\.weight) == [.loss, .loss])
    }

    @Test func weightsOfMembersCountAsInKeepalived() throws {
        let script = "vrrp_script chk {\n script /bin/true\n weight -20\n}\nvrrp_script hard {\n script /bin/true\n}\n"
        let members = "track_script {\n chk\n hard\n}\ntrack_interface {\n eth7 weight 10\n}"
        func tracks(_ keys: String, _ group: String) throws -> [String: Int?] {
            let result = imported(script + Samples.group(group, first: keys, second: ""))
            let tracks = try configuration(result).groups[0].tracks
            return Dictionary(uniqueKeysWithValues: tracks.map { ($0.name, $0.weight) })
        }
        // A weighted script of a member is ignored, a weighted interface counts without its weight.
        #expect(try tracks(members, "") == ["check:hard": nil, "link:eth7": nil])
        #expect(
            try tracks(members, "sync_group_tracking_weight") == ["check:chk": -20, "check:hard": nil, "link:eth7": 10])
        // Of the group itself weights count.
        #expect(try tracks("", "track_script {\n chk weight 30\n}") == ["check:chk": 30])
        // With an owner among the members, the group's objects count without.
        #expect(try tracks("priority 255", "track_script {\n chk\n}") == ["check:chk": nil])
    }

    @Test func processesAreTracked() throws {
        let processes = """
            vrrp_track_process web {
                process haproxy
                weight 10
                quorum 2
            }
            vrrp_track_process dns {
                process /usr/sbin/named
            }

            """
        let result = imported(processes + Samples.instance("track_process {\n web\n dns\n none\n}"))
        let tracks = try configuration(result).groups[0].tracks
        #expect(tracks.map(\.object) == [.process("haproxy", atLeast: 2), .process("/usr/sbin/named", atLeast: 1)])
        #expect(tracks.map(\.weight) == [10, nil] && result.findings.count == 1 && result.worst == .difference)
    }

    @Test func reverseInvertsAndTurnsTheSign() throws {
        let objects = """
            vrrp_script chk {
                script /bin/true
                weight 10 reverse
            }
            vrrp_track_file number {
                file /run/number
                weight 3 reverse
            }
            vrrp_track_process web {
                process haproxy
                delay 2
                terminate_delay 0.5
            }

            """
        let keys =
            "track_script {\n chk\n}\ntrack_file {\n number\n}\ntrack_process {\n web\n}\n"
            + "track_interface {\n eth7 weight 0 reverse\n eth8 weight -5 reverse\n eth9 weight 5 noreverse\n}"
        let result = imported(objects + Samples.instance(keys))
        let tracks = try configuration(result).groups[0].tracks
        let told = tracks.map { "\($0.name) \($0.weight ?? 0) \($0.counting.isInverted)" }
        #expect(
            Set(told) == [
                "check:chk -10 true", "file:/run/number -3 false", "process:haproxy 0 false", "link:eth7 0 true",
                "link:eth8 5 true", "link:eth9 5 false",
            ])
        let delays = tracks.filter { $0.name == "process:haproxy" }.map(\.counting)
        #expect(delays.map(\.upDelayNs) == [2_000_000_000] && delays.map(\.downDelayNs) == [500_000_000])
        #expect(result.worst == nil)
    }

    @Test func membersMayBeOnOneInterface() throws {
        let result = imported(Samples.group("", first: "", second: "").replacing("eth1", with: "eth0"))
        let groups = try configuration(result).groups
        #expect(groups.map(\.name) == ["VG_1"] && groups[0].instances.map(\.interface) == ["eth0", "eth0"])
        #expect(result.worst == nil)
    }

    @Test func membersHaveTheirVersions() throws {
        let text = Samples.group("", first: "authentication {\n auth_type PASS\n auth_pass x\n}", second: "")
            .replacing("198.51.100.1/24", with: "fe80::5")
        let result = imported(text)
        let group = try configuration(result).groups[0]
        #expect(group.instances.map { $0.version(in: group) } == [2, 3])
        #expect(group.instances[0].authPass == "x" && result.worst == nil)
    }

    // MARK: Programs

    @Test(arguments: [
        (#""/bin/a b 'c d'" "#, ["/bin/a", "b", "c d"]), ("/bin/a ignored", ["/bin/a"]),
        (#""killall -0 x""#, ["/usr/bin/env", "killall", "-0", "x"]),
        (#""< /dev/tcp/127.0.0.1/80""#, ["/bin/sh", "-c", "< /dev/tcp/127.0.0.1/80"]),
        (#"'/bin/a "b c"'"#, ["/bin/a", "b c"]),
        (#""/bin/a | b""#, ["/bin/a", "|", "b"]),
    ])
    func scriptsAreReadAsKeepalivedDoes(script: String, expected: [String]) throws {
        let check = try configuration(imported(Samples.checked("script \(script)"))).checks[0]
        guard case .program(let program) = check.kind else { throw Unexpected() }
        #expect(program.arguments == expected)
    }

    @Test func checksAreAsKeepalivedHasThem() throws {
        func check(_ keys: String) throws -> (check: VRRPConfiguration.Check, worst: Finding.Weight?) {
            let result = imported(Samples.checked("script /bin/true\n \(keys)"))
            return (try configuration(result).checks[0], result.worst)
        }
        let slow = try check("interval 2\n timeout 5\n init_fail\n user a b")
        #expect(slow.check.intervalNs == 2_000_000_000 && slow.check.timeoutNs == 5_000_000_000 && slow.worst == nil)
        #expect(slow.check.initially == .failed && user(slow.check) == "a:b")
        let fast = try check("interval 0.001\n fall 200\n user a :")
        #expect(fast.check.intervalNs == 10_000_000 && fast.check.timeoutNs == 10_000_000 && fast.check.fall == 100)
        #expect(fast.worst == .difference && user(fast.check) == "a")
        #expect(try check("").check.initially == nil)
    }

    private func user(_ check: VRRPConfiguration.Check) -> String? {
        if case .program(let program) = check.kind { program.user } else { nil }
    }

    @Test func notifyProgramsGetWhatKeepalivedGivesThem() throws {
        let (_, result) = try group(
            "notify_master \"/bin/m x\" admin\nnotify /bin/n\nnotify_master_rx_lower_pri /bin/l",
            global: "script_user nobody")
        let notifies = try configuration(result).notifies
        #expect(notifies.map(\.name) == ["VI_1-master", "VI_1", "VI_1-master_rx_lower_pri"])
        #expect(notifies.allSatisfy { $0.instances == ["VI_1"] && $0.groups == nil })
        #expect(notifies.map(\.states) == [[.master], nil, [.masterRxLowerPri]])
        #expect(notifies.map(\.arguments) == [.nothing, .keepalived, .nothing])
        #expect(notifies.map(\.program.arguments) == [["/bin/m", "x"], ["/bin/n"], ["/bin/l"]])
        #expect(notifies.map(\.program.user) == ["admin", "nobody", "nobody"])
        #expect(result.worst == nil)
    }

    /// Without `notify_deleted` what a reload removes is in fault, in keepalived as here.
    @Test func deletionIsToldWhereItIsAskedFor() throws {
        let (_, result) = try group("notify_deleted\nnotify /bin/n")
        #expect(try configuration(result).notifies.map(\.states) == [[.master, .backup, .fault, .stop, .deleted]])
        let (_, other) = try group("notify_deleted /bin/d")
        #expect(try configuration(other).notifies.map(\.states) == [[.deleted]])
    }

    @Test func fifosAreCarried() throws {
        let (_, result) = try group(
            "", global: "notify_fifo /run/f nobody\n notify_fifo_script \"/bin/r x\"\n vrrp_notify_fifo /run/g")
        let notifies = try configuration(result).notifies
        #expect(notifies.map(\.fifo) == ["/run/f", "/run/g"] && result.worst == nil)
        #expect(notifies.map(\.program.arguments) == [["/bin/r", "x"], []])
    }

    /// Two objects for one process are one where that does the same.
    @Test func aProcessIsTrackedOnce() throws {
        func tracks(_ one: String, _ two: String) throws -> (weights: [Int?], worst: Finding.Weight?) {
            let processes = [("p", one), ("q", two)].map {
                "vrrp_track_process \($0.0) {\n process haproxy\n \($0.1)\n}\n"
            }
            let result = imported(processes.joined() + Samples.instance("track_process {\n p\n q\n}"))
            return (try configuration(result).groups[0].tracks.map(\.weight), result.worst)
        }
        #expect(try tracks("", "weight -10") == ([nil], nil))
        #expect(try tracks("weight -5", "") == ([nil], nil))
        #expect(try tracks("weight -5", "weight -10") == ([-15], nil))
        #expect(try tracks("weight -5", "weight 10") == ([-5], .loss))
        #expect(try tracks("", "quorum 2") == ([nil], .loss))
    }

    /// One program that members and their group have is one section.
    @Test func aProgramThatManyHaveIsThereOnce() throws {
        let notify = "notify \"/bin/n\""
        let result = imported(Samples.group("\(notify)\nnotify_fault /bin/f", first: notify, second: notify))
        let notifies = try configuration(result).notifies
        #expect(notifies.map(\.name) == ["VG_1", "VG_1-fault"])
        #expect(notifies[0].instances == ["VI_1", "VI_2"] && notifies[0].groups == ["VG_1"])
        #expect(notifies[1].instances == nil && notifies[1].groups == ["VG_1"])
    }

    // MARK: The report

    @Test func aFindingIsOneLineWithWhatWhyAndWhatToDo() throws {
        let result = imported(Samples.instance("old_unicast_checksum"))
        let text = try #require(result.findings.first).description
        #expect(text.hasPrefix("k.conf:\(Samples.line): loss: old_unicast_checksum: It is for keepalived before"))
        #expect(try #require(result.toml).contains("line \(Samples.line), old_unicast_checksum"))
    }

    @Test func unknownWordsAreIgnoredAndTheirBlockIsNot() throws {
        let result = imported(Samples.instance("frob 1\nfrob {\nnopreempt"))
        // The brace that closes the unknown block has closed the instance.
        #expect(try !configuration(result).groups[0].preempts)
        #expect(result.findings.count == 4 && result.worst == .difference)
    }

    @Test func sectionsOfLVSAreLeftToKeepalived() throws {
        let result = imported(Samples.plain + "virtual_server 192.0.2.1 80 {\n protocol TCP\n real_server 1 {\n }\n}\n")
        #expect(result.worst == .loss && result.findings[0].text.contains("keepalived -C"))
        #expect(result.files.map(\.name) == ["keepalived.service.d/checks-only.conf"])
        #expect(try configuration(result).groups.count == 1)
    }

    @Test func namesThatNoSectionCanHave() throws {
        let text = Samples.plain.replacing("VI_1", with: "\"a b/c\"")
        let result = imported(text)
        #expect(try configuration(result).groups[0].name == "a_b_c" && result.worst == .difference)
        // A group may be called as one of its members is, and not as an instance that is in none.
        let group = Samples.group("", first: "", second: "").replacing("VG_1", with: "VI_1")
        #expect(try configuration(imported(group)).groups.map(\.name) == ["VI_1"])
        let lone = group.replacing("        VI_1\n", with: "")
        #expect(try configuration(imported(lone)).groups.map(\.name) == ["VI_1-group", "VI_1"])
    }

    /// Nothing that stands in keepalived's file ends a comment or a text of the output.
    @Test func whatIsWrittenIsQuoted() throws {
        let result = imported(Samples.checked(#"script "/bin/a \x0a\" \\ \x01""#) + "# \u{1}\n")
        guard case .program(let program) = try configuration(result).checks[0].kind else { throw Unexpected() }
        #expect(program.arguments == ["/bin/a", "\n\"", "\\", "\u{1}"])
    }

    @Test func mailIsSentByAProgram() throws {
        let global = "notification_email {\na@b.example\n}\nsmtp_server 192.0.2.25 2525\nsmtp_alert"
        let toml = try #require(imported(Samples.instance("", global: global)).toml)
        #expect(toml.contains("\"smtp://192.0.2.25:2525\"") && toml.contains("\"a@b.example\""))
        let off = try #require(imported(Samples.instance("smtp_alert off", global: global)).toml)
        #expect(!off.contains("curl"))
        // Nobody to send it to: it has no effect in keepalived either.
        let result = imported(Samples.instance("smtp_alert"))
        let none = try #require(result.toml)
        #expect(result.worst == .difference && !none.contains("curl"))
    }

    @Test func theSyncDaemonOfIPVSBecomesAProgram() throws {
        let inside = try #require(imported(Samples.instance("lvs_sync_daemon_interface eth1")).toml)
        #expect(inside.contains("\"--mcast-interface\",\n    \"eth1\",\n    \"--syncid\","))
        let text =
            "global_defs {\nlvs_sync_daemon eth2 VI_1 id 7 ttl 3\nlvs_sync_daemon eth2 none\n}\n" + Samples.instance("")
        let result = imported(text)
        let toml = try #require(result.toml)
        #expect(toml.contains("\"eth2\",\n    \"--syncid\",\n    \"7\",\n    \"--mcast-ttl\",\n    \"3\",\n]"))
        #expect(result.findings.contains { $0.subject == "lvs_sync_daemon none" } && result.worst == .difference)
    }
}

struct Unexpected: Error {}

enum Samples {
    static let plain = """
        vrrp_instance VI_1 {
            interface eth0
            virtual_router_id 51
            priority 100
            virtual_ipaddress {
                192.0.2.1/24
            }
        }

        """

    /// Where the keys of `instance` begin.
    static let line = 9

    static func instance(_ keys: String, global: String = "") -> String {
        """
        global_defs { \(global)
        }
        vrrp_instance VI_1 {
        interface eth0
        virtual_router_id 51
        virtual_ipaddress {
        192.0.2.1/24
        }
        \(keys)
        }

        """
    }

    static func checked(_ script: String) -> String {
        "vrrp_script chk {\n \(script)\n}\n" + instance("track_script {\n chk\n}")
    }

    static func group(_ keys: String, first: String, second: String) -> String {
        """
        vrrp_sync_group VG_1 {
            group {
                VI_1
                VI_2
            }
            \(keys)
        }
        vrrp_instance VI_1 {
            interface eth0
            virtual_router_id 51
            virtual_ipaddress { 192.0.2.1/24 }
            \(first)
        }
        vrrp_instance VI_2 {
            interface eth1
            virtual_router_id 52
            virtual_ipaddress { 198.51.100.1/24 }
            \(second)
        }

        """
    }
}
