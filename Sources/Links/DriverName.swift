/// The driver of the device behind a port: the one question of this room that is put to the kernel. By sysfs, which needs
/// no lock of the kernel's.
import Glibc
import RtnlMonitor

extension Link {
    /// The driver's name; nil: a virtual interface, or the device does not say.
    public var driverName: String? {
        guard hasParentDevice else { return nil }
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = unsafe readlink("/sys/class/net/\(name)/device/driver", &buffer, buffer.count)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length], as: UTF8.self).split(separator: "/").last.map(String.init)
    }
}
