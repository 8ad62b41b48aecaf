/// What a service manager receives, played by a socket of the test's own.
import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

/// The manager's end: a datagram socket with an abstract name.
private final class Manager {
    let name = "@linkwatch-test-\(getpid())-\(Clock.monotonicNs())"
    private let fd: CInt

    init() throws {
        fd = try Syscall.retry { socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = [0] + Array(name.utf8.dropFirst())
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        try Syscall.retry {
            unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(fd, $0, length) }
            }
        }
    }

    deinit { close(fd) }

    var descriptor: CInt { fd }

    /// The next message; nil: none is waiting.
    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(fd, &buffer, buffer.count, CInt(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    func environment(_ more: [String: String] = [:]) -> (String) -> String? {
        let variables = more.merging(["NOTIFY_SOCKET": name]) { one, _ in one }
        return { variables[$0] }
    }
}

@Suite struct ServiceManagerTests {
    @Test func aStartAReloadAndAnEndAreTold() throws {
        let manager = try Manager()
        let service = ServiceManager(loop: try EventLoop(), environment: manager.environment())
        service.ready(status: "Watching 3 interfaces")
        #expect(manager.next() == "READY=1\nSTATUS=Watching 3 interfaces")
        service.status("Watching 3 interfaces")
        #expect(manager.next() == nil, "it is known")
        service.status("two\nlines")
        #expect(manager.next() == "STATUS=two lines")
        let beforeUsec = Clock.monotonicNs() / 1000
        service.reloading()
        let lines = try #require(manager.next()).split(separator: "\n")
        #expect(lines.first == "RELOADING=1")
        let usec = try #require(Int64(lines[1].dropFirst("MONOTONIC_USEC=".count)))
        #expect(lines[1].hasPrefix("MONOTONIC_USEC=") && usec >= beforeUsec && usec <= Clock.monotonicNs() / 1000)
        service.ready(status: "Watching 4 interfaces")
        #expect(manager.next() == "READY=1\nSTATUS=Watching 4 interfaces")
        service.stopping(status: "ending")
        #expect(manager.next() == "STOPPING=1\nSTATUS=ending")
        #expect(manager.next() == nil, "no watchdog was asked for")
    }

    @Test func theWatchdogIsFedByTheLoopFromReadyOn() throws {
        let manager = try Manager()
        let loop = try EventLoop()
        let service = ServiceManager(
            loop: loop, environment: manager.environment(["WATCHDOG_USEC": "20000", "WATCHDOG_PID": "\(getpid())"]))
        #expect(manager.next() == nil)
        let startNs = Clock.monotonicNs()
        service.ready(status: "")
        service.ready(status: "")
        var heard: [String] = []
        try loop.watch(manager.descriptor, .readable) { _ in
            while let message = manager.next() { heard.append(message) }
            if heard.count(where: { $0 == "WATCHDOG=1" }) >= 4 { loop.stop() }
        }
        try loop.run()
        // The first one at once, then three intervals of half the time: a second `ready` has not set a second timer.
        #expect(Clock.monotonicNs() - startNs >= 30_000_000)
    }

    @Test(arguments: [
        ["WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"], ["WATCHDOG_USEC": "0"], ["WATCHDOG_USEC": "soon"], [:],
    ])
    func nobodyElsesWatchdogIsFed(_ environment: [String: String]) throws {
        let manager = try Manager()
        let loop = try EventLoop()
        let service = ServiceManager(loop: loop, environment: manager.environment(environment))
        service.ready(status: "")
        loop.schedule(atNs: Clock.monotonicNs() + 50_000_000) { loop.stop() }
        try loop.run()
        #expect(manager.next()?.hasPrefix("READY=1") == true)
        #expect(manager.next() == nil)
    }

    /// The queue of a datagram socket holds few (`net.unix.max_dgram_qlen`).
    @Test func nothingWaitsForAManagerThatDoesNotRead() throws {
        let manager = try Manager()
        let loop = try EventLoop()
        let service = ServiceManager(loop: loop, environment: manager.environment())
        for number in 0..<2000 { service.status("\(number)") }
        service.ready(status: "there")
        var heard: [String] = []
        try loop.watch(manager.descriptor, .readable) { _ in
            while let message = manager.next() { heard.append(message) }
            if heard.last?.hasPrefix("READY=1") == true { loop.stop() }
        }
        try loop.run()
        #expect(heard.count < 2000, "what was out of date was not kept")
        #expect(Array(heard.suffix(2)) == ["STATUS=1999", "READY=1\nSTATUS=there"])
    }

    @Test func withoutAManagerNothingIsSent() throws {
        let service = ServiceManager(loop: try EventLoop()) { _ in nil }
        service.ready(status: "")
        let gone = ServiceManager(loop: try EventLoop()) { $0 == "NOTIFY_SOCKET" ? "/nowhere/at/all" : nil }
        gone.ready(status: "")
        gone.stopping(status: "")
    }
}
