import RtnlMonitor
import Testing

@testable import Links

@Suite struct ParentDeviceTests {
    @Test func kernelsTellOfParentsSince5Dot14() {
        for release in ["5.14.0", "5.15.0-91-generic", "6.1.0-18-amd64", "6.18.44", "10.0", "odd"] {
            #expect(Link.tellsParents(release: release), "\(release)")
        }
        for release in ["5.13.19", "5.10.0-30-amd64", "4.18.0-553.el8.x86_64", "5.4"] {
            #expect(!Link.tellsParents(release: release), "\(release)")
        }
    }

    @Test func whatHasNoParentHasNoDriver() {
        var link = Link(ifindex: 1, name: "lo")
        #expect(link.driverName == nil)
        // A device that is not there, and one that names no bus.
        for device in ["pci/ffff:ff:1f.7", "/platform-odd", "odd"] {
            link.parentDevice = device
            #expect(link.driverName == nil)
        }
    }
}
