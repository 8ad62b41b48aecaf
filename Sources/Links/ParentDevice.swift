/// The device behind a port, and its driver: the only question that this module asks the kernel. It is answered by
/// sysfs, which takes no kernel lock.
///
/// `/sys/class/net` shows the network namespace of whoever mounted it: after `nsenter --net` it is another one, with
/// names and numbers that may be the same. So rtnetlink names the device, and `/sys/bus`, which is the same in all
/// namespaces, names its driver.
import Glibc
import RtnlMonitor

extension Link {
    /// The driver's name; nil: a virtual interface, or the device does not say.
    public var driverName: String? {
        let words = parentDevice.split(separator: "/")
        guard words.count == 2 else { return nil }
        return Self.target(of: "/sys/bus/\(words[0])/devices/\(words[1])/driver")
    }

    /// The link with its parent device. A kernel that does not name the device in its messages is asked by
    /// `/sys/class/net`.
    public var withParentDevice: Link {
        Self.kernelTellsParents || !parentDevice.isEmpty ? self : withParentDevice(under: "/sys/class/net")
    }

    /// The device by `/sys/class/net`, if that shows an interface of this name, number and address.
    func withParentDevice(under root: String) -> Link {
        let folder = "\(root)/\(name)"
        guard Self.firstLine(of: "\(folder)/ifindex") == "\(ifindex)",
            Self.firstLine(of: "\(folder)/address") == address.map(\.description) ?? "",
            let device = Self.target(of: "\(folder)/device"),
            let bus = Self.target(of: "\(folder)/device/subsystem")
        else { return self }
        var link = self
        link.parentDevice = "\(bus)/\(device)"
        return link
    }

    /// Since 5.14.
    private static let kernelTellsParents: Bool = {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return true }
        let release = unsafe withUnsafeBytes(of: name.release) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return tellsParents(release: release)
    }()

    static func tellsParents(release: String) -> Bool {
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count < 2 || (numbers[0], numbers[1]) >= (5, 14)
    }

    /// The last component of a symbolic link's target.
    private static func target(of path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 512)
        let length = unsafe readlink(path, &buffer, buffer.count)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length], as: UTF8.self).split(separator: "/").last.map(String.init)
    }

    private static func firstLine(of path: String) -> String? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let length = unsafe read(file, &buffer, buffer.count)
        return length > 0 ? String(decoding: buffer[..<length].prefix { $0 != 0x0a }, as: UTF8.self) : nil
    }
}
