import CIoctl
import Glibc
import LinkState
import SystemPackage
import Testing

@testable import MIIRegisters

/// A sweep, and an event loop for it: what linkwatchd does with the two descriptors.
class Loop {
    let sweep: Sweep
    private(set) var reports: [SweepReport] = []
    private(set) var registers: [RegistersReport] = []

    init(_ sweep: Sweep) { self.sweep = sweep }

    /// Runs the loop until a report fits; what does not fit stays in `reports`. Fails the test after 20 s.
    @discardableResult
    func await(_ source: SourceLocation = #_sourceLocation, _ fits: (SweepReport) -> Bool) throws -> SweepReport {
        var seen = 0
        while true {
            while seen < reports.count {
                if fits(reports[seen]) { return reports.remove(at: seen) }
                seen += 1
            }
            try #require(turn(), "no such report; there were \(reports)", sourceLocation: source)
        }
    }

    func awaitRegisters() throws -> RegistersReport {
        while registers.isEmpty { try #require(turn()) }
        return registers.removeFirst()
    }

    /// One turn of the loop; false: nothing in 20 s.
    private func turn() -> Bool {
        var fds = [
            pollfd(fd: sweep.notifyDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: sweep.watchdogDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard unsafe poll(&fds, 2, 20_000) > 0 else { return false }
        if fds[0].revents != 0 { drain() }
        if fds[1].revents != 0 { sweep.handleWatchdog() }
        return true
    }

    func drain() {
        sweep.drain {
            reports.append($0)
        } registers: {
            registers.append($0)
        }
    }
}

/// A loop over a fake kernel.
final class Bench: Loop {
    let kernel: FakeKernel

    init(
        _ ports: [String: FakeKernel.Port], intervalNs: Int64 = 1_000_000, stuckAfterNs: Int64 = 10_000_000_000
    ) throws {
        kernel = FakeKernel(ports)
        var options = SweepOptions()
        for source in EvidenceSource.polled { options.intervalsNs[source] = intervalNs }
        options.stuckAfterNs = stuckAfterNs
        var backend = unsafe kernel.backend
        super.init(try unsafe Sweep(options, backend: &backend))
    }

    /// One port, `eth0`, asked by its PHY alone.
    convenience init(_ port: FakeKernel.Port = FakeKernel.Port(ifindex: 7)) throws {
        try self.init(["eth0": port])
        try sweep.setPorts([mii])
    }

    var mii: SweepPort { SweepPort(ifindex: 7, ifname: "eth0", sources: [.mii]) }
}
