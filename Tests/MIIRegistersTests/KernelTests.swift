import CIoctl
import CLinux
import Glibc
import LinkState
import SystemPackage
import Testing

@testable import MIIRegisters

/// The real kernel, in a network namespace of the test's own:
///
///     lo      va ---- vb        a veth pair: it has GLINK and no MII, and is up while its peer is
///
/// Needs root; says so and skips where there is none.
@Suite(.timeLimit(.minutes(1))) struct KernelTests {
    @Test func loopbackTellsItsLinkInTwoWays() throws {
        var backend = unsafe cioctl_backend()
        try #require(unsafe cioctl_kernel_open(&backend) == 0)
        defer { unsafe cioctl_kernel_close(&backend) }
        let context = unsafe backend.context
        let index = unsafe if_nametoindex("lo")
        var name = [CChar](repeating: 1, count: Int(CIOCTL_NAME_SIZE))
        #expect(unsafe backend.name(context, index, &name) == 0)
        #expect(name[..<3].elementsEqual([0x6c, 0x6f, 0]))
        #expect(unsafe backend.name(context, UInt32(Int32.max), &name) == -ENODEV)
        #expect(unsafe backend.glink(context, "lo") == 1)
        #expect(unsafe backend.netlink_carrier(context, index) == 1)
        #expect(unsafe backend.netlink_carrier(context, UInt32(Int32.max)) == -ENODEV)
    }

    @Test func whatHasNoRegistersSaysSo() throws {
        let index = unsafe Int32(bitPattern: if_nametoindex("lo"))
        let refusals: [Errno] = [.notSupported, .notPermitted]
        let error = #expect(throws: Errno.self) { try RegisterFile.read(ifindex: index) }
        #expect(error.map(refusals.contains) == true)
        #expect(throws: Errno.operationNotSupportedByDevice) { try RegisterFile.read(ifindex: .max) }
        #expect(throws: Errno.operationNotSupportedByDevice) { try RegisterFile.read(ifindex: -1) }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root: it makes a network namespace"))
    func aVethFromUpToGone() throws {
        let space = try Namespace()
        try space.ip("link", "add", "va", "type", "veth", "peer", "name", "vb")
        for name in ["va", "vb"] { try space.ip("link", "set", name, "up") }
        var options = SweepOptions()
        options.intervalsNs[.driver] = 2_000_000
        let (sweep, index) = try space.inside { (try Sweep(options), unsafe Int32(bitPattern: if_nametoindex("va"))) }
        let loop = Loop(sweep)
        try sweep.setPorts([SweepPort(ifindex: index, ifname: "va")])
        let driver = try loop.await { $0.source == .driver }
        #expect(driver.outcome == .up)
        #expect(driver.method == "glink")
        let mii = try loop.await { $0.source == .mii }
        #expect(mii.outcome == .unsupported(.notSupported))
        #expect(mii.detail == "the driver has no MII registers")
        // The peer's loss is this one's.
        try space.ip("link", "set", "vb", "down")
        try loop.await { $0.outcome == .down }
        try space.ip("link", "set", "vb", "up")
        try loop.await { $0.outcome == .up }
        // A rename in between that nobody has told the sweep of.
        try space.ip("link", "set", "va", "down")
        try loop.await { $0.outcome == .down }
        try space.ip("link", "set", "va", "name", "wan0")
        try space.ip("link", "set", "wan0", "up")
        try loop.await { $0.outcome == .up }
        try space.ip("link", "del", "wan0")
        try loop.await { $0.outcome == .failed(.operationNotSupportedByDevice) }
    }
}

/// A network namespace that goes away with this.
private final class Namespace {
    private let name = "lw-mii-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    init() throws { try Self.run(["ip", "netns", "add", name]) }

    deinit { try? Self.run(["ip", "netns", "del", name]) }

    func ip(_ arguments: String...) throws { try Self.run(["ip", "-n", name] + arguments) }

    /// Runs this in the namespace; the thread comes back.
    func inside<Value>(_ body: () throws -> Value) throws -> Value {
        let home = unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        let space = unsafe open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC)
        defer {
            close(home)
            close(space)
        }
        try #require(clinux_setns(space) == 0)
        defer { #expect(clinux_setns(home) == 0) }
        return try body()
    }

    private static func run(_ arguments: [String]) throws {
        let line = arguments.joined(separator: " ")
        try #require(unsafe system(line) == 0, "\(line): needs iproute2")
    }
}
