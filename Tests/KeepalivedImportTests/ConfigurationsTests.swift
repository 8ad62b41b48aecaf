import Configuration
import Testing

@testable import KeepalivedImport

/// Whole configurations in the style of real ones: what each comes to. `Tests/import-folder` does the same for a folder of one's
/// own.
@Suite struct ConfigurationsTests {
    @Test(
        arguments: [
            ("01-single", .difference, ["VI_1"]), ("02-unicast", nil, ["VI_1"]), ("03-sync-group", nil, ["G1"]),
            ("04-ipv6", nil, ["v6"]), ("05-definitions", nil, ["VI_1"]), ("06-vmac", .difference, ["VI_1"]),
            ("07-losses", .loss, ["VI_1"]), ("08-missing", .missing, ["VI_1"]), ("09-refused", .refused, []),
            ("10-one-line", nil, ["VI_1", "VI_2"]), ("11-odd", .difference, ["VI_1"]), ("12-lvs", .loss, ["VI_1"]),
        ] as [(String, Finding.Weight?, [String])])
    func eachComesToWhatItShould(name: String, worst: Finding.Weight?, groups: [String]) throws {
        let result = try read(name)
        #expect(result.worst == worst, "\(result.findings)")
        guard let toml = result.toml else {
            #expect(groups.isEmpty)
            return
        }
        #expect(try VRRPConfiguration(text: Array(toml.utf8), file: name).groups.map(\.name) == groups, "\(toml)")
    }

    @Test func theOutputIsWhatAPersonWouldWrite() throws {
        let result = try read("03-sync-group")
        #expect(
            result.toml == """
                # Made from 03-sync-group by a test.
                # keepalived's defaults are written out where they differ from linkwatch's. linkwatch-vrrp --check
                #   reads this file and changes nothing.

                # vrrp_sync_group G1, line 1
                [group.G1]
                instances = ["outside", "inside"]
                priority = 200
                version = 2
                advert-interval = "1s"
                preempt-delay = "10s"
                track = ["link:eth2"]
                announce-interval = "0s"
                announce-lower-count = 5
                announce-lower-repeat = "5s"

                # vrrp_instance outside, line 7
                [instance.outside]
                interface = "eth0"
                vrid = 10
                addresses = ["192.0.2.1/24"]

                # vrrp_instance inside, line 15
                [instance.inside]
                interface = "eth1"
                vrid = 20
                addresses = ["198.51.100.1/24"]

                # notify_master of vrrp_sync_group G1, line 3
                [notify.G1-master]
                exec = ["/etc/keepalived/up.sh"]
                states = ["master"]
                timeout = "1min"
                user = "root"
                groups = ["G1"]

                # notify_backup of vrrp_sync_group G1, line 4
                [notify.G1-backup]
                exec = ["/etc/keepalived/down.sh"]
                states = ["backup"]
                timeout = "1min"
                user = "root"
                groups = ["G1"]

                # notify_fault of vrrp_sync_group G1, line 5
                [notify.G1-fault]
                exec = ["/etc/keepalived/down.sh", "fault"]
                states = ["fault"]
                timeout = "1min"
                user = "root"
                groups = ["G1"]

                """)
    }

    @Test func definitionsAndLoopsReachTheAddresses() throws {
        let one = try read("05-definitions", id: "one")
        let configuration = try VRRPConfiguration(text: Array(try #require(one.toml).utf8), file: "one")
        let instance = configuration.groups[0].instances[0]
        #expect(configuration.groups[0].priority == 150 && instance.authPass == "secret")
        #expect(
            instance.addresses.map(\.description) == [
                "192.0.2.10/24", "192.0.2.11/24", "192.0.2.12/24", "203.0.100.1/32", "203.0.113.2/32",
            ])
        #expect(try #require(try read("05-definitions", id: "two").toml).contains("priority = 100"))
    }

    private func read(_ name: String, id: String? = "one") throws -> KeepalivedImport {
        let path = "Tests/KeepalivedImportTests/configurations/\(name).conf"
        let text = try #require(contents(path), "it cannot be read")
        return KeepalivedImport(
            path: name, configID: id, program: "a test", surroundings: Surroundings(read: { _, _ in .text(text) }))
    }
}
