/// The published record of a group: the engine's status as `io.linkwatch.VRRP` has it.
import Configuration
import LinuxSystem
import VRRP
import VRRPStatus

extension GroupRecord {
    /// - Parameter transitions: its last ones, of which the newest led to its state.
    init(_ driver: GroupDriver, transitions: [VRRPTransitionRecord]) {
        // The engine's time is CLOCK_BOOTTIME.
        let monotonicUsec = { (ns: Int64) in (ns - driver.aheadNs) / 1000 }
        let status = driver.engine.status
        let group = driver.group
        self.init(
            name: group.name, state: status.state.rawValue,
            sinceUsec: transitions.last?.monotonicUsec ?? 0,
            sinceBoottimeUsec: status.sinceNs > 0 ? status.sinceNs / 1000 : nil,
            priority: Int(status.priority), configuredPriority: group.priority, version: group.version,
            advertIntervalUsec: group.advertIntervalNs / 1000, preempt: group.preempts, claiming: status.isClaiming,
            holding: status.isHolding, advertUsec: status.advertAtNs.map(monotonicUsec),
            causes: status.causes.map(\.description),
            conditions: status.conditions.filter(driver.isPublished).map(\.description),
            tracked: driver.tracked.isEmpty ? nil : driver.tracked.map(TrackedRecord.init),
            members: zip(driver.legs, status.members).map { leg, status in
                MemberRecord(leg, status, downUsec: status.downAtNs.map(monotonicUsec))
            },
            cables: driver.cables.enumerated().map { index, cable in
                let heard = status.peer?.cables ?? []
                return CableRecord(
                    cable.heartbeat, isAlive: index < heard.count && heard[index], sendErrors: cable.sendErrors)
            },
            peer: status.peer.map { PeerRecord($0, names: group.instances.map(\.name)) },
            becameMaster: Int(clamping: status.statistics.becameMaster),
            leftMaster: Int(clamping: status.statistics.leftMaster),
            heartbeatsReceived: Int(clamping: status.statistics.heartbeatsReceived),
            heartbeatsSent: Int(clamping: status.statistics.heartbeatsSent),
            heartbeatEchoes: Int(clamping: status.statistics.heartbeatEchoes),
            heartbeatsStale: Int(clamping: status.statistics.heartbeatsStale), transitions: transitions)
    }
}

extension MemberRecord {
    init(_ leg: Leg, _ status: MemberStatus, downUsec: Int64?) {
        self.init(
            name: leg.instance.name, interface: leg.instance.interface, ifindex: leg.ifindex.map(Int.init),
            vrid: Int(leg.instance.vrid), version: Int(leg.version.rawValue),
            addresses: leg.virtualAddresses.map(\.description),
            primaryAddress: status.primaryAddress?.description,
            multicastGroup: leg.instance.unicastPeers.isEmpty ? leg.instance.group.description : nil,
            holding: status.isHolding, heard: status.isHeard,
            proven: status.isProven, downUsec: downUsec,
            masterIntervalUsec: status.masterIntervalNs / 1000, lastSource: status.lastSource?.description,
            lastPriority: status.lastSource.map { _ in Int(status.lastPriority) },
            checksumForm: status.checksumForm?.rawValue,
            advertsReceived: Int(clamping: status.statistics.advertsReceived),
            advertsSent: Int(clamping: status.statistics.advertsSent),
            resignationsReceived: Int(clamping: status.statistics.resignationsReceived),
            resignationsSent: Int(clamping: status.statistics.resignationsSent),
            ownAddressReceived: Int(clamping: status.statistics.ownAddressReceived),
            firstNotLinkLocalReceived: Int(clamping: status.statistics.firstNotLinkLocalReceived),
            sendErrors: Int(clamping: leg.sendErrors), lastSendError: leg.lastSendError?.description,
            routes: leg.held.lazy.compactMap { $0 as? LegRoutes }.flatMap(\.status).map(HeldRouteRecord.init),
            rules: leg.held.lazy.compactMap { $0 as? LegRules }.flatMap(\.status).map(HeldRuleRecord.init),
            attributes: leg.addressesWithAttributes)
    }
}

extension Leg {
    /// Its addresses with attributes, in the order of the file; nil: it has none.
    fileprivate var addressesWithAttributes: [HeldAddressRecord]? {
        let held = Dictionary(
            places.flatMap(\.withAttributes).map { ($0.address, $0.isHeld) }, uniquingKeysWith: { first, _ in first })
        guard !held.isEmpty else { return nil }
        return instance.addresses.compactMap { address in
            held[address].map {
                HeldAddressRecord(
                    address: address.description, interface: address.interface ?? instance.interface,
                    advertised: address.isAdvertised, held: $0)
            }
        }
    }
}

extension CableRecord {
    init(_ heartbeat: VRRPConfiguration.Heartbeat, isAlive: Bool, sendErrors: UInt64) {
        self.init(
            name: heartbeat.name, interface: heartbeat.interface, vrid: Int(heartbeat.vrid),
            peerVrid: Int(heartbeat.peerVrid), alive: isAlive, sendErrors: Int(clamping: sendErrors))
    }
}

extension TrackedRecord {
    init(_ track: VRRPConfiguration.Track, _ object: Tracked) {
        self.init(
            name: track.name, well: object.isWell, weight: track.weight,
            contribution: track.weight.map(object.contribution) ?? 0)
    }
}

extension PeerRecord {
    init(_ peer: PeerStatus, names: [String]) {
        func list(_ set: MemberSet) -> [String] {
            names.indices.filter { set.contains(member: MemberIndex($0)) }.map { names[$0] }
        }
        self.init(
            identity: peer.word.identity.description, priority: Int(peer.word.priority), fresh: peer.isFresh,
            holds: list(peer.word.holds), hears: list(peer.word.hears), hearsHeartbeat: peer.word.hearsHeartbeat,
            proven: list(peer.word.proven))
    }
}
