import CIoctl
import Glibc

@testable import MIIRegisters

/// A kernel whose PHYs do what no NIC at hand does: latch, float, refuse, block, change their names.
///
/// Called from the sweep's threads; guarded by a pthread mutex because ThreadSanitizer understands that. Every question is
/// counted, and a test waits for questions rather than for time.
@safe final class FakeKernel {
    /// One interface. Answers are values, or -errno.
    struct Port {
        var ifindex: UInt32
        var phy: CInt = 1
        /// BMSR, reading by reading; the last one stays.
        var bmsr: [CInt] = [FakeKernel.bmsrUp]
        var registers: [UInt16: CInt] = [:]
        var glink: CInt = 1
        var netlink: CInt = 1
        var settings = cioctl_settings(speed: 1000, duplex: 1, autoneg: 1)
        /// Whether the PHY's questions do not come back.
        var isBlocked = false
        /// How long each reading of a register takes, in microseconds.
        var delayUs: useconds_t = 0
    }

    static let bmsrUp: CInt = 0x782d
    static let bmsrDown: CInt = 0x7809

    private var ports: [String: Port] = [:]
    private var counts: [String: Int] = [:]
    private var times: [Int64] = []
    private var inside = 0
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    init(_ ports: [String: Port]) {
        self.ports = ports
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    // No deinit: a stuck thread may come back after its test has ended. A few bytes a test.

    private func locked<Value>(_ body: () -> Value) -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body()
    }

    // MARK: For the test

    func change(_ name: String, _ body: (inout Port) -> Void) {
        locked {
            if var port = ports[name] {
                body(&port)
                ports[name] = port
            }
            unsafe pthread_cond_broadcast(changed)
        }
    }

    func rename(_ pairs: [String: String]) {
        locked {
            var renamed: [String: Port] = [:]
            for (name, port) in ports { renamed[pairs[name] ?? name] = port }
            ports = renamed
        }
    }

    func remove(_ name: String) { locked { ports[name] = nil } }

    /// How often that question was put: `bmsr eth0`, `phy eth0`, `glink eth0`, `name 7`.
    func count(_ question: String) -> Int { locked { counts[question] ?? 0 } }

    /// Threads that are in a blocked question.
    var blockedThreads: Int { locked { inside } }

    /// When BMSR was read, CLOCK_MONOTONIC.
    var readings: [Int64] { locked { times } }

    /// Waits until that question has been put so often.
    func wait(_ question: String, count: Int) {
        locked {
            while counts[question] ?? 0 < count { unsafe pthread_cond_wait(changed, mutex) }
        }
    }

    func waitUntilBlocked(_ threads: Int) {
        locked {
            while inside < threads { unsafe pthread_cond_wait(changed, mutex) }
        }
    }

    // MARK: For the sweep

    private func ask(_ question: String, _ name: String, _ answer: (inout Port) -> CInt) -> CInt {
        let delayUs = locked { ports[name]?.delayUs ?? 0 }
        if delayUs > 0 { usleep(delayUs) }
        return locked {
            counts["\(question) \(name)", default: 0] += 1
            unsafe pthread_cond_broadcast(changed)
            if question != "glink" { block(name) }
            guard var port = ports[name] else { return -ENODEV }
            let result = answer(&port)
            ports[name] = port
            return result
        }
    }

    private func block(_ name: String) {
        guard ports[name]?.isBlocked == true else { return }
        inside += 1
        unsafe pthread_cond_broadcast(changed)
        while ports[name]?.isBlocked == true { unsafe pthread_cond_wait(changed, mutex) }
        inside -= 1
        unsafe pthread_cond_broadcast(changed)
    }

    fileprivate func phy(_ name: String) -> CInt { ask("phy", name) { $0.phy } }

    fileprivate func register(_ name: String, _ number: UInt16) -> CInt {
        guard number == 1 else { return ask("register", name) { $0.registers[number] ?? 0 } }
        locked { times.append(monotonicNs()) }
        return ask("bmsr", name) { $0.bmsr.count > 1 ? $0.bmsr.removeFirst() : $0.bmsr[0] }
    }

    fileprivate func driver(_ name: String) -> CInt { ask("glink", name) { $0.glink } }

    fileprivate func settings(_ name: String) -> cioctl_settings? {
        locked {
            counts["settings \(name)", default: 0] += 1
            unsafe pthread_cond_broadcast(changed)
            return ports[name]?.settings
        }
    }

    fileprivate func netlink(_ ifindex: UInt32) -> CInt {
        locked {
            counts["netlink \(ifindex)", default: 0] += 1
            unsafe pthread_cond_broadcast(changed)
            return ports.values.first { $0.ifindex == ifindex }?.netlink ?? -ENODEV
        }
    }

    fileprivate func name(_ ifindex: UInt32) -> String? {
        locked {
            counts["name \(ifindex)", default: 0] += 1
            unsafe pthread_cond_broadcast(changed)
            return ports.first { $0.value.ifindex == ifindex }?.key
        }
    }

    /// The table for CIoctl; keeps the fake alive for ever, for a thread that comes back late.
    var backend: cioctl_backend {
        unsafe cioctl_backend(
            context: Unmanaged.passRetained(self).toOpaque(),
            name: { context, ifindex, buffer in
                guard let name = unsafe fake(context).name(ifindex) else { return -ENODEV }
                guard let buffer = unsafe buffer else { return -EFAULT }
                for (index, byte) in name.utf8.prefix(Int(CIOCTL_NAME_SIZE) - 1).enumerated() {
                    unsafe buffer[index] = CChar(bitPattern: byte)
                    unsafe buffer[index + 1] = 0
                }
                return 0
            },
            mii_phy: { unsafe fake($0).phy(text($1)) },
            mii_register: { context, name, _, number in unsafe fake(context).register(text(name), number) },
            glink: { unsafe fake($0).driver(text($1)) },
            netlink_carrier: { unsafe fake($0).netlink($1) },
            settings: { context, name, settings in
                guard let found = unsafe fake(context).settings(text(name)) else { return -ENODEV }
                unsafe settings?.pointee = found
                return 0
            })
    }
}

private func fake(_ context: UnsafeMutableRawPointer?) -> FakeKernel {
    guard let context = unsafe context else { fatalError("a backend without its fake") }
    return unsafe Unmanaged<FakeKernel>.fromOpaque(context).takeUnretainedValue()
}

private func text(_ name: UnsafePointer<CChar>?) -> String {
    guard let name = unsafe name else { return "" }
    return unsafe String(cString: name)
}

func monotonicNs() -> Int64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}
