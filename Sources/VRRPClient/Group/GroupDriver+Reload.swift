/// A group whose configuration has changed, or that ends.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

extension GroupDriver {
    /// Takes a new configuration of the same group, the first half: legs and cables that it no longer has release what
    /// they held. Those that did not change keep their sockets and addresses. `reload` follows.
    func letGo(for group: VRRPConfiguration.Group) {
        let old = self.group
        self.group = group
        // The engine must not act while its legs are exchanged; what they report meanwhile is in the snapshot.
        isHandling = true
        let keepsSettings =
            old.advertIntervalNs == group.advertIntervalNs && old.announce == group.announce
            && old.addressLeaseNs == group.addressLeaseNs && old.version == group.version
            && (old.priority == 255) == (group.priority == 255)
        var kept: [String: Leg] = [:]
        for leg in legs where keepsSettings {
            guard let instance = group.instances.first(where: leg.canGoOn) else { continue }
            leg.goOn(as: instance)
            kept[instance.name] = leg
        }
        legs = replaceLegs(kept)
        let oldCables = cables
        cables = group.heartbeats.map { heartbeat in
            oldCables.first { $0.heartbeat == heartbeat } ?? makeCable(heartbeat)
        }
        for cable in oldCables where !cables.contains(where: { $0 === cable }) { cable.unbind() }
        followLinks()
        forgetWhatWent()
    }

    /// The second half: what is new takes its place, and the engine learns of it.
    func reload() {
        let made = legs.filter { $0.ifindex == nil }
        bindAll()
        let meanwhile = pending.filter { if case .condition = $0 { true } else { false } }
        pending.removeAll()
        isHandling = false
        let snapshot = snapshot()
        isInformed = snapshot.isInformed
        feed(.reload(GroupConfiguration(group), snapshot))
        tellHeldBack()
        meanwhile.forEach(feed)
        services.leases.reconsider()
        for leg in legs { for kind in leg.held { kind.tend() } }
        judgeWeights()
        // Other addresses, another place or MAC address, or another way to announce them.
        for leg in made where leg.isWanted { leg.announcer.announce() }
    }

    /// Ends causes and conditions of things that are no longer configured.
    func forgetWhatWent() {
        let names = Set(legs.map(\.instance.name))
        let interfaces = Set(legs.map(\.instance.interface))
        causes = causes.filter { cause in
            switch cause.kind {
            case .config, .address: names.contains(cause.subject)
            case .sendDenied, .packetFilter: interfaces.contains(cause.subject)
            case .link, .noAddress, .tracked, .isolated: true
            }
        }
        passing.keep(names.union(cables.map(\.heartbeat.name)))
        for condition in conditions where condition.kind == .sendFailed && !names.contains(condition.subject) {
            setCondition(condition, false)
        }
        answerers = [:]
        let all = interfaces.union(cables.map(\.heartbeat.interface))
        for condition in conditions where [.sendFiltered, .advertsFiltered].contains(condition.kind) {
            if !all.contains(condition.subject) { setCondition(condition, false) }
        }
    }

    /// The legs of the new configuration. One that changed takes over from its predecessor what both have.
    func replaceLegs(_ kept: [String: Leg]) -> [Leg] {
        let old = legs
        let new = group.instances.map { kept[$0.name] ?? makeLeg($0) }
        for leg in old where !new.contains(where: { $0 === leg }) {
            let successor = new.first { $0.instance.name == leg.instance.name }
            leg.handOver(to: successor)
            leg.places.forEach(services.leases.forget)
        }
        return new
    }

    /// Resigns: addresses are removed, then it is said.
    func shutDown() {
        feed(.shutdown)
        for leg in legs {
            leg.close()
            leg.places.forEach(services.leases.forget)
        }
        for cable in cables { cable.unbind() }
        services.links.unfollow(self)
        stopTimers()
        recorder?.ended(name)
        recorder = nil
    }
}
