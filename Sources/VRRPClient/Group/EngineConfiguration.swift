/// Translates the configuration of a group into what the engine needs to know.
import Configuration
import VRRP

extension GroupConfiguration {
    init(_ group: VRRPConfiguration.Group) {
        self.init(
            name: group.name, priority: UInt8(clamping: group.priority), version: group.version == 2 ? .v2 : .v3,
            advertIntervalNs: group.advertIntervalNs, preempt: group.preempts, preemptDelayNs: group.preemptDelayNs,
            members: group.instances.map(MemberConfiguration.init),
            cables: group.heartbeats.map(CableConfiguration.init),
            hasFence: group.fence != nil, probeBeforeTakeover: group.probesBeforeTakeover,
            addressLeaseNs: group.addressLeaseNs)
        downIntervals = group.downIntervals
        startDelayNs = group.startDelayNs
        answersLower = group.answersLower
        answersHigher = group.answersHigher
        announcesAfterLower = group.announce.lowerCount > 0
    }
}

extension MemberConfiguration {
    init(_ instance: VRRPConfiguration.Instance) {
        self.init(
            name: instance.name, interface: instance.interface, vrid: instance.vrid,
            addresses: instance.advertised, family: instance.family,
            version: instance.version.map { $0 == 2 ? .v2 : .v3 }, isUnicast: !instance.unicastPeers.isEmpty,
            tracksInterface: instance.tracksInterface)
    }
}

// A leg is a member's, and a cable is one of the pool: the engine's outputs name them by their places.
extension Leg: Placed { typealias Thing = MemberConfiguration }
extension Cable: Placed { typealias Thing = CableConfiguration }

extension CableConfiguration {
    init(_ heartbeat: VRRPConfiguration.Heartbeat) {
        self.init(
            name: heartbeat.name, interface: heartbeat.interface, vrid: heartbeat.vrid, peerVrid: heartbeat.peerVrid,
            intervalNs: heartbeat.intervalNs, family: heartbeat.family)
    }
}
