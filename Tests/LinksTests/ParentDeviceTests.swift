import Glibc
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

    /// A folder as `/sys/class/net` is, which may be another namespace's: a name and a number are soon the same.
    @Test func aForeignFolderIsNotBelieved() throws {
        var template = Array("/tmp/linkwatch-XXXXXX".utf8CString)
        let root = unsafe String(cString: mkdtemp(&template))
        defer {
            for path in ["e0/ifindex", "e0/address", "e0/device", "0000:01:00.0/subsystem"] {
                unsafe unlink("\(root)/\(path)")
            }
            for path in ["e0", "0000:01:00.0", ""] { unsafe rmdir("\(root)/\(path)") }
        }
        for folder in ["e0", "0000:01:00.0"] { unsafe mkdir("\(root)/\(folder)", 0o700) }
        for (file, text) in [("ifindex", "7\n"), ("address", "02:00:00:00:00:01\n")] {
            let fd = unsafe open("\(root)/e0/\(file)", O_WRONLY | O_CREAT, 0o600)
            #expect(unsafe write(fd, text, text.utf8.count) == text.utf8.count)
            close(fd)
        }
        unsafe symlink("../0000:01:00.0", "\(root)/e0/device")
        unsafe symlink("../../bus/pci", "\(root)/0000:01:00.0/subsystem")
        var link = Link(ifindex: 7, name: "e0")
        link.address = HardwareAddress([2, 0, 0, 0, 0, 1])
        #expect(link.withParentDevice(under: root).parentDevice == "pci/0000:01:00.0")
        link.address = HardwareAddress([2, 0, 0, 0, 0, 2])
        #expect(link.withParentDevice(under: root).parentDevice == "")
        var other = Link(ifindex: 8, name: "e0")
        other.address = HardwareAddress([2, 0, 0, 0, 0, 1])
        #expect(other.withParentDevice(under: root).parentDevice == "")
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
