/// `--direct`: the kernel read once, without a daemon, and judged by the daemon's own rules.
///
/// The table and the probes are linkwatchd's, run for one round. What takes time to observe is missing: flaps, hold
/// times, ages, and whether a PHY without a link has ever had one. A PHY that says down therefore does not count here.
import Configuration
import Glibc
import Links
import MIIRegisters
import Monitor
import RtnlMonitor
import SystemPackage

import enum LinuxSystem.Clock

enum Direct {
    /// How long a round of probes may take; what has not answered by then has nothing to say.
    private static let roundNsMax: Int64 = 1_000_000_000

    /// - Throws: `Failure` with `.system` if the kernel does not answer.
    static func dump() throws -> DumpRecord {
        let kernel: RtnlMonitor
        do throws(RtnlError) {
            kernel = try RtnlMonitor.snapshot()
        } catch {
            throw Failure(.system, "the kernel could not be read completely: \(error)")
        }
        do throws(Errno) {
            let table = InterfaceTable(
                MonitorConfiguration(), clocks: .init(realtimeNs: Clock.realtimeNs, boottimeNs: Clock.boottimeNs))
            for link in kernel.links.values {
                table.observed(link.withParentDevice, nowNs: Clock.monotonicNs(), driver: \.driverName)
            }
            try probe(table)
            let nowNs = Clock.monotonicNs()
            return DumpRecord(
                interfaces: table.sorted.map { $0.record(nowNs: nowNs) { _ in nil } },
                routes: kernel.routes.map { RouteRecord($0) })
        } catch {
            throw Failure(.system, "the kernel does not answer: \(error)")
        }
    }

    /// Asks each port that linkwatchd would ask, once, and then reads its registers.
    private static func probe(_ table: InterfaceTable) throws(Errno) {
        // Without CAP_NET_ADMIN the answer says so.
        var ports = Ports(mayReadRegisters: true)
        _ = ports.update(table.states, limit: Sweep.portsMax)
        guard !ports.current.isEmpty else { return }
        let sweep = try Sweep()
        try sweep.setPorts(Array(ports.current.values))
        var reports = ports.current.values.reduce(0) { $0 + $1.sources.count }
        var unread = Array(ports.current.keys)
        var underWay = 0
        let deadlineNs = Clock.monotonicNs() + roundNsMax
        while reports > 0 || underWay > 0, Clock.monotonicNs() < deadlineNs {
            var notification = pollfd(fd: sweep.notifyDescriptor, events: CShort(POLLIN), revents: 0)
            _ = unsafe poll(&notification, 1, 100)
            sweep.drain { report in
                if report.isRenewal { return }
                reports -= 1
                table.probed(report)
            } registers: { report in
                underWay -= 1
                table.learned(report, isProbed: true)
            }
            // A few at a time is what the sweep takes.
            while let next = unread.last, (try? sweep.requestRegisters(ifindex: next)) != nil {
                unread.removeLast()
                underWay += 1
            }
        }
    }
}
