/// What a service tells the manager that started it; sd_notify(3), without its library.
import CLinux
import Glibc

public enum ServiceManager {
    /// Sends a state such as `READY=1`. Without a manager that listens (`NOTIFY_SOCKET`) it does nothing, and a manager that
    /// does not answer is no reason to stop: failures are not reported.
    public static func notify(_ state: String) {
        guard let name = unsafe getenv("NOTIFY_SOCKET") else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = unsafe Array(String(cString: name).utf8)
        guard path.count > 1, path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // An abstract name: the first byte is a NUL that is not written so.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
        let fd = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { return }
        defer { close(fd) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        var message = Array(state.utf8)
        unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = unsafe sendto(fd, &message, message.count, CInt(MSG_NOSIGNAL), address, length)
            }
        }
    }
}
