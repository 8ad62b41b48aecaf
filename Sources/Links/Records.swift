/// Translates what is known into the records that are published.
import LinkState
import MIIRegisters
import Monitor
import RtnlMonitor

extension InterfaceState {
    /// The interface as it is published.
    ///
    /// - Parameter confirmedNs: when a source that is polled last confirmed its answer; the verdict only gets changes.
    public func record(nowNs: Int64, confirmedNs: (EvidenceSource) -> Int64?) -> InterfaceRecord {
        let evidence = EvidenceTable(
            EvidenceSource.allCases.map {
                EvidenceTable.Entry($0.name, EvidenceRecord(verdict[$0], polledNs: confirmedNs($0)))
            })
        return InterfaceRecord(
            ifindex: Int(link.ifindex), ifname: link.name, altnames: link.altnames,
            kind: link.kind.isEmpty ? nil : link.kind, driver: driver, address: link.address?.description,
            mtu: Int(link.mtu), master: link.master == 0 ? nil : Int(link.master),
            link: link.lower.map(Int.init), linkNetnsid: link.linkNetnsID < 0 ? nil : Int(link.linkNetnsID),
            flags: link.flags.names, protoDown: link.protoDown,
            operstate: link.operState.name.lowercased(),
            state: verdict.settledState.name, rawState: verdict.rawState.name, reason: verdict.reason?.name,
            since: verdict.settledSinceNs / 1000, sinceBoottimeUsec: settledBoottimeNs / 1000, evidence: evidence,
            mii: registers.map(MIIRecord.init),
            speed: speed, duplex: duplex, autoneg: autoneg,
            duplexMismatchSuspected: isMismatchSuspected, carrierChanges: Int(link.carrierChanges),
            flaps: verdict.flaps, transitions: transitions, dampening: dampening(nowNs: nowNs),
            disagreement: verdict.disagreement,
            conditions: verdict.conditions + (link.isProtoDown ? ["protodown"] : []))
    }

    private var isUp: Bool { verdict.rawState == .up }
    /// The registers, if a PHY could have them.
    private var phy: PHYStatus? { registers.flatMap { $0.isPlausible ? $0 : nil } }
    /// Up to 1 Gb/s the registers know best; above it, and without registers, ethtool does.
    private var speed: Int? {
        guard isUp else { return nil }
        if let speed = settings?.speed, speed > 1000 { return speed }
        return phy?.speed ?? settings?.speed
    }
    private var duplex: String? {
        guard isUp else { return nil }
        if let speed = settings?.speed, speed > 1000 { return settings?.duplex }
        // Half duplex by parallel detection is a guess, and the driver knows how it runs.
        if phy?.resolved?.source == .parallelDetection, let duplex = settings?.duplex { return duplex }
        return phy?.duplex ?? settings?.duplex
    }
    private var autoneg: Bool? { phy?.autoneg ?? settings?.autoneg }
    /// The partner does not negotiate, so we have fallen back to half duplex; unless the driver says that we have not.
    private var isMismatchSuspected: Bool {
        phy?.duplexMismatchSuspected == true && settings?.duplex != "full"
    }

    private func dampening(nowNs: Int64) -> DampeningRecord? {
        guard let policy = policy.settle.dampening else { return nil }
        let dampening = verdict.dampening
        return DampeningRecord(
            penalty: Int(dampening.penalty(policy, nowNs: nowNs)), suppressed: dampening.isSuppressed,
            reuseUsec: dampening.isSuppressed ? dampening.reuseAtNs(policy) / 1000 : nil)
    }
}

extension EvidenceRecord {
    init(_ word: Evidence, polledNs: @autoclosure () -> Int64?) {
        let confirmedNs = max(word.confirmedNs, word.last == nil || word.isStale ? 0 : polledNs() ?? 0)
        self.init(
            state: word.name, last: word.isStale ? word.last?.name : nil, counted: word.counts,
            confirmedUsec: confirmedNs == 0 ? nil : confirmedNs / 1000, detail: word.detail.isEmpty ? nil : word.detail)
    }
}

extension MIIRecord {
    /// What a PHY's registers say.
    public init(_ phy: PHYStatus) {
        let registers = phy.registers
        self.init(
            phy: Int(registers.phy), bmcr: Int(registers[0]), bmsr: Int(registers[1]),
            phyId: Int(registers[2]) << 16 | Int(registers[3]), link: phy.link, autoneg: phy.autoneg,
            autonegComplete: phy.autonegComplete, remoteFault: phy.remoteFault, isolate: phy.isolate,
            loopback: phy.loopback, powerDown: phy.powerDown, advertised: phy.advertised.map(\.rawValue),
            partner: phy.partner.map(\.rawValue), speed: phy.speed, duplex: phy.duplex,
            duplexMismatchSuspected: phy.duplexMismatchSuspected)
    }
}

extension RouteRecord {
    /// - Parameter isThere: false for a route that has gone.
    public init(_ route: Route, isThere: Bool = true) {
        self.init(
            dst: route.key.destination.description, table: Int(route.key.table), protocol: Int(route.routeProtocol),
            metric: Int(route.key.metric), type: route.typeName,
            gateways: route.hops.compactMap { $0.gateway?.description },
            ifindexes: route.hops.map { Int($0.ifindex) }.filter { $0 != 0 }, present: isThere && route.isUsable,
            inferred: route.isInferred)
    }
}

extension TransitionRecord {
    init(_ entry: History.Entry, ifindex: Int32) {
        var scope = ""
        var state: String?
        var reason: String?
        switch entry.kind {
        case .raw(let raw, let source): (scope, state, reason) = ("raw", raw.name, source?.name)
        case .settled(let settled): (scope, state) = ("settled", settled.name)
        case .flap(let drops): (scope, reason) = ("flap", String(drops))
        case .added: scope = "added"
        case .renamed(let former): (scope, reason) = ("renamed", former)
        case .removed: scope = "removed"
        }
        self.init(
            ifindex: Int(ifindex), ifname: entry.ifname, scope: scope, state: state, reason: reason,
            monotonicUsec: entry.monotonicNs / 1000, realtimeUsec: entry.realtimeNs / 1000)
    }
}

extension ProbeRecord {
    /// What one prober has done.
    public init(_ statistics: ProbeStatistics) {
        self.init(
            ports: statistics.ports, intervalUsec: statistics.intervalNs / 1000,
            polls: Int(clamping: statistics.polls), ioctls: Int(clamping: statistics.ioctls),
            overruns: Int(clamping: statistics.overruns), staleMs: Int(statistics.stuckNs / 1_000_000),
            latencyMaxUsec: statistics.latencyMaxNs / 1000, latencySumUsec: statistics.latencySumNs / 1000,
            latency: statistics.latency.map { BucketRecord(le: $0.atMostUsec, count: Int(clamping: $0.count)) })
    }
}
