/// Where the interfaces of a group are, which addresses they have, and what becomes of them.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

extension GroupDriver {
    private static let graceMaxNs: Int64 = 500_000_000
    private static let bindAgainNs: Int64 = 5_000_000_000
    /// The most macvlans that are made again for a leg within ten seconds.
    private static let remakesMax = 5
    private static let contestedNs: Int64 = 600_000_000_000

    /// Binds legs and cables to the interfaces that exist, and chooses their sources: before the engine starts.
    func bindAll() {
        for leg in legs { bind(leg) }
        for cable in cables { bind(cable) }
    }

    func bind(_ leg: Leg) {
        let link = services.kernel.link(named: leg.instance.interface)
        do throws(Errno) {
            try leg.bind(to: link?.ifindex)
            setCause(Cause(.config, leg.instance.name), false)
        } catch {
            let what = leg.instance.hasVirtualMAC ? "sockets or no virtual MAC address" : "sockets"
            let cause = Cause(.config, leg.instance.name)
            if !causes.contains(cause) {
                Log.error("\(leg.instance.name): no \(what) on \(leg.instance.interface): \(error)")
            }
            setCause(cause, true)
            bindLater()
        }
        judgeSize(of: leg)
        chooseSource(of: leg)
    }

    /// A network manager that reconfigures an interface removes its own address for a moment. Meanwhile adverts are
    /// still sent from that address, for less than an interval, so that no advert is missing and nothing fails over.
    func chooseSource(of leg: Leg, mayLinger: Bool = true) {
        let name = leg.instance.name
        let isUp = services.links.state(of: leg.instance.interface, group.linkState).isUp
        if leg.chooseSource(mayLinger: mayLinger && isUp, isVirtual: services.kernel.isFollowed),
            let index = index(of: leg)
        {
            feed(.primaryAddress(member: index, leg.source))
            if leg.source != nil { retries.interfaceIsReady(name) }
        }
        guard leg.isLingering else {
            if let timer = graces.removeValue(forKey: name) { loop.cancel(timer) }
            return
        }
        guard graces[name] == nil else { return }
        let graceNs = min(Self.graceMaxNs, group.advertIntervalNs / 10 * 9)
        graces[name] = loop.schedule(atNs: loop.nowNs + graceNs) { [unowned self] in
            graces[name] = nil
            if let leg = legs.first(where: { $0.instance.name == name }) { chooseSource(of: leg, mayLinger: false) }
        }
    }

    /// What kept a leg from binding may go away without a message of the kernel, so binding is retried.
    func bindLater() {
        guard bindTimer == nil else { return }
        bindTimer = loop.schedule(atNs: loop.nowNs + Self.bindAgainNs, toleranceNs: Self.bindAgainNs / 5) {
            [unowned self] in
            bindTimer = nil
            for leg in legs where leg.ifindex == nil { bind(leg) }
        }
    }

    func bind(_ cable: Cable) {
        let link = services.kernel.link(named: cable.heartbeat.interface)
        do throws(Errno) {
            try cable.bind(to: link?.ifindex)
        } catch {
            Log.error(
                "heartbeat \(cable.heartbeat.name): no sockets on \(cable.heartbeat.interface): \(error)",
                about: "bind \(cable.heartbeat.name)")
        }
        if cable.chooseSource(isVirtual: services.kernel.isFollowed),
            let index = cables.firstPlace(where: { $0 === cable })
        {
            feed(.cableAddress(cable: index, cable.source))
        }
    }

    /// Asks to be told of the interfaces of legs and cables.
    func followLinks() {
        let names = legs.reduce(into: Set(cables.map(\.heartbeat.interface))) {
            $0.formUnion($1.instance.countingInterfaces.union([$1.instance.interface]))
        }
        services.links.follow(names, group.linkState, by: self) { [unowned self] in linkChanged($0, $1) }
    }

    /// An interface of ours may have another state, another number, or be gone.
    private func linkChanged(_ name: String, _ state: LinkWatch.State) {
        for leg in legs where leg.instance.interface == name { bind(leg) }
        for cable in cables where cable.heartbeat.interface == name { bind(cable) }
        // The interface of legs that it does not matter to may still be tracked by name, or carry a cable.
        if legs.contains(where: { $0.instance.countingInterfaces.contains(name) })
            || cables.contains(where: { $0.heartbeat.interface == name })
        {
            feed(.link(interface: name, isUp: state.isUp, reason: state.reason))
        }
        // An interface that is up may be sent on again; if not, the next advert says so.
        if state.isUp { setCause(Cause(.sendDenied, name), false) }
    }

    /// The state of an interface may have changed.
    func interfaceChanged(_ link: Link, before old: Link) {
        for leg in legs {
            leg.interfaceChanged(link, before: old)
            if let obstacle = leg.obstacle(after: link) { remakeMacvlan(of: leg, because: obstacle) }
        }
    }

    /// An interface is gone. Another may have its number before we hear of it.
    func linkGone(_ ifindex: Int32) {
        for leg in legs where leg.ifindex == ifindex { leg.unbind() }
        for cable in cables where cable.ifindex == ifindex { cable.unbind() }
        for leg in legs where leg.hasLostMacvlan(ifindex) { remakeMacvlan(of: leg, because: "its macvlan is gone") }
    }

    /// Makes the macvlan of a leg again, which somebody has taken down, deleted or made useless. Who does that time and again
    /// is told of and given way to, as with addresses.
    func remakeMacvlan(of leg: Leg, because reason: String) {
        let name = leg.instance.name
        let count = leg.macvlansTaken.add(nowNs: loop.nowNs)
        if count > 1 { passing.saw(.holdingContested, of: "\(name):macvlan", forNs: Self.contestedNs) { "" } }
        guard count <= Self.remakesMax else {
            guard leg.isWanted else { return }
            // The next try makes another one.
            leg.macvlansTaken.clear()
            return retries.cannotHold(name, .macvlan("somebody takes it as often as it is made"))
        }
        Log.warning("\(name): \(reason), making the macvlan again", about: "macvlan \(name)")
        leg.unbind()
        bind(leg)
        if leg.isHolding { leg.announcer.announce() }
    }

    /// The change may concern what the legs hold.
    func kernelChanged(_ changes: KernelChanges) {
        for leg in legs { for kind in leg.held { kind.kernelChanged(changes) } }
    }

    /// An address of an interface came or went.
    func addressesChanged(_ keys: [AddressKey]) {
        kernelChanged(KernelChanges(addresses: keys))
        for leg in legs where keys.contains(where: { $0.ifindex == leg.ifindex }) { bind(leg) }
        for cable in cables where keys.contains(where: { $0.ifindex == cable.ifindex }) { bind(cable) }
    }

    /// A packet filter may have begun or ceased to drop adverts, or the configured reaction to it may have changed.
    func filtersChanged() {
        acceptanceChanged()
        for leg in legs {
            let interface = leg.instance.interface
            let isFiltered = legs.contains {
                $0.instance.interface == interface && self.isFiltered($0.ifindex, $0.family)
            }
            setCondition(Condition(.advertsFiltered, interface), isFiltered && group.packetFilter != .ignore)
            setCause(Cause(.packetFilter, interface), isFiltered && group.packetFilter == .fault)
        }
        // Heartbeats are received past the filter, and a cable is never a cause.
        for cable in cables where !legs.contains(where: { $0.instance.interface == cable.heartbeat.interface }) {
            let isFiltered = isFiltered(cable.ifindex, cable.configuration.family)
            setCondition(
                Condition(.advertsFiltered, cable.heartbeat.interface), isFiltered && group.packetFilter != .ignore)
        }
    }

    func acceptanceChanged() {
        let isRefused = group.priority < 255 && group.instances.contains { !$0.accepts }
        setCondition(Condition(.acceptUnenforced), isRefused && services.acceptsInSpite())
    }

    func isFiltered(_ ifindex: Int32?, _ family: IPAddress.Family) -> Bool {
        guard let ifindex else { return false }
        return services.wire.openPort(SocketKey(ifindex: ifindex, family: family))?.isFiltered ?? false
    }
}
