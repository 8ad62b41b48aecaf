/// `--direct`: the kernel read once, without a daemon, and judged by the same rules.
///
/// What only time can tell is missing: flaps, holds, dampening, ages, and whether a PHY that shows no link has ever shown
/// one, so a PHY that says down does not count here either. The probes are linkwatchd's own, run for one round.
import Glibc
import LinkState
import MIIRegisters
import Monitor
import RtnlMonitor
import SystemPackage

import enum LinuxSystem.Clock

enum Direct {
    /// How long a round of probes may take; what has not answered by then is left as unsupported.
    private static let roundNsMax: Int64 = 1_000_000_000

    /// - Throws: `Failure` with `.system` if the kernel does not answer.
    static func dump() throws -> (interfaces: [InterfaceRecord], routes: [RouteRecord]) {
        do throws(Errno) {
            let kernel = try RtnlMonitor.snapshot()
            let links = kernel.links.values.sorted { $0.ifindex < $1.ifindex }
            let reports = Dictionary(grouping: try probe(links), by: \.ifindex)
            return (
                links.map { record($0, reports[$0.ifindex] ?? []) }, kernel.routes.map { RouteRecord($0) }
            )
        } catch {
            throw Failure(.system, "the kernel does not answer: \(error)")
        }
    }

    /// Asks every port that has a device of its own and is switched on, once.
    private static func probe(_ links: [Link]) throws(Errno) -> [SweepReport] {
        let ports = links.filter { $0.isPhysicalPort && $0.flags.contains(.up) }
            .prefix(Sweep.portsMax).map { SweepPort(ifindex: $0.ifindex, ifname: $0.name) }
        guard !ports.isEmpty else { return [] }
        let sweep = try Sweep()
        try sweep.setPorts(ports)
        let deadlineNs = Clock.monotonicNs() + roundNsMax
        var reports: [SweepReport] = []
        while reports.count < 2 * ports.count, Clock.monotonicNs() < deadlineNs {
            var descriptor = pollfd(fd: sweep.notifyDescriptor, events: CShort(POLLIN), revents: 0)
            _ = unsafe poll(&descriptor, 1, 100)
            sweep.drain { reports.append($0) }
        }
        return reports
    }

    private static func record(_ link: Link, _ reports: [SweepReport]) -> InterfaceRecord {
        let nowNs = Clock.monotonicNs()
        var verdict = Verdict()
        let probes = reports.map { report in
            (
                source: report.source == .mii ? EvidenceSource.mii : .driver, reading: report.reading,
                detail: report.detail
            )
        }
        _ = verdict.observe(link.readings + probes.map { ($0.source, $0.reading, detail: $0.detail) }, nowNs: nowNs)
        return InterfaceRecord(link, verdict, nowUsec: nowNs / 1_000)
    }
}

extension SweepReport {
    fileprivate var reading: Reading {
        switch outcome {
        case .up: .state(.up)
        case .down: .state(.down)
        case .unsupported: .unsupported(detail: detail)
        case .failed: .failed(detail: detail)
        }
    }
}

extension Link {
    /// The RFC 2863 state as it is published.
    fileprivate var operStateWord: String { operState.name.lowercased() }

    /// What one rtnetlink message says, as readings.
    fileprivate var readings: [(EvidenceSource, Reading, detail: String)] {
        let operstate: Reading =
            switch operState {
            case .up: .state(.up)
            case .unknown: .unsupported(detail: operStateWord)
            default: .state(.down)
            }
        return [
            (.admin, .state(flags.contains(.up) ? .up : .down), detail: ""),
            (.carrier, .state(carrier ?? flags.contains(.lowerUp) ? .up : .down), detail: ""),
            (.operstate, operstate, detail: operState == .up ? "" : operStateWord),
        ]
    }
}

extension InterfaceRecord {
    fileprivate init(_ link: Link, _ verdict: Verdict, nowUsec: Int64) {
        var evidence: [String: EvidenceRecord] = [:]
        for source in EvidenceSource.allCases {
            let word = verdict[source]
            evidence[source.name] = EvidenceRecord(
                state: word.name, counted: word.counts, confirmedUsec: word.last == nil ? nil : nowUsec,
                detail: word.detail.isEmpty ? nil : word.detail)
        }
        self.init(
            ifindex: Int(link.ifindex), ifname: link.name, altnames: link.altnames,
            kind: link.kind.isEmpty ? nil : link.kind, address: link.address?.description, mtu: Int(link.mtu),
            master: link.master == 0 ? nil : Int(link.master), link: link.link == 0 ? nil : Int(link.link),
            flags: link.flags.names, operstate: link.operStateWord, state: verdict.settledState.name,
            rawState: verdict.rawState.name, reason: verdict.reason?.name, since: nowUsec, evidence: evidence,
            carrierChanges: Int(link.carrierChanges), disagreement: verdict.disagreement,
            conditions: verdict.conditions)
    }
}

extension RouteRecord {
    fileprivate init(_ route: Route) {
        self.init(
            dst: route.key.destination.description, table: Int(route.key.table), protocol: Int(route.routeProtocol),
            metric: Int(route.key.metric), type: route.typeName,
            gateways: route.hops.compactMap { $0.gateway?.description },
            ifindexes: route.hops.map { Int($0.ifindex) }.filter { $0 != 0 }, present: route.isUsable,
            inferred: route.isInferred)
    }
}
