/// One instance on its interface: where its adverts come from and go to, its addresses and their announcements.
///
/// The interface may not exist yet, may go, and may come back as another: `bind` is called with every change of its ifindex.
/// What is sent is made once and kept until something of it changes.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class Leg {
    private(set) var instance: VRRPConfiguration.Instance
    let version: Version
    let intervalNs: Int64
    /// Its addresses, for each interface that has some of them: one at least.
    let places: [LegAddresses]
    /// All that it holds while it serves, the addresses first, in the order in which it is added.
    let held: [any Held]
    let announcer: Announcer
    private let wire: any Wire
    private let kernel: any Kernel
    private let loop: EventLoop
    private var virtualMAC: VirtualMAC?
    /// What its adverts are signed with; nil: nothing.
    private var seal: AdvertSeal?

    /// The interface's number; nil: it does not exist.
    private(set) var ifindex: Int32?
    /// Where its adverts arrive and, but for those of a virtual MAC address, leave; nil: it is not bound.
    private var port: (any AdvertPort)?
    /// Where adverts come from; nil: there is no address to send from.
    private(set) var source: IPAddress?
    /// The interface has lost the source address, and adverts are still sent from it for a moment.
    private(set) var isLingering = false
    private var kept: (priority: UInt8, packets: [(packet: [UInt8], destination: IPAddress)])? {
        didSet { isBequeathed = false }
    }
    /// Whether the runner has the last word that matches the prepared packets.
    private var isBequeathed = false

    /// Which router's adverts came from which MAC address, the newest first: an answer for an address is attributed by
    /// it.
    private(set) var routers: [(address: IPAddress, mac: MACAddress)] = []
    /// Routers that are remembered.
    private static let routersMax = 8

    /// Finds the hosts to ask when the leg is in doubt.
    var search = NeighbourSearch()
    /// How often its macvlan had to be made again, because somebody has taken it.
    var macvlansTaken = Tally(spanNs: 10_000_000_000)
    private var hops: (addresses: [IPAddress], untilNs: Int64) = ([], .min)
    /// How long the kernel's routes are taken to stay as they were read.
    private static let hopsNs: Int64 = 10_000_000_000

    /// Adverts that could not be sent, and why the last of them was not.
    private(set) var sendErrors: UInt64 = 0
    private(set) var lastSendError: Errno?

    /// A packet filter dropped its last advert.
    var isSendFiltered = false

    /// Whether its addresses are being added.
    private var isAdding = false
    /// What was said last by `onHolding`.
    private var wasHolding = false

    /// Called when the kernel lists the first of the addresses, and when it lists none any more.
    var onHolding: (Bool) -> Void = { _ in }
    /// Called with an advert that passed every check.
    var onAdvert: (Advert) -> Void = { _ in }
    /// Called when a sysctl stops being as the virtual MAC address needs it, and when it is so again.
    var onRefusal: (Bool) -> Void = { _ in }
    /// Called when another station claims a virtual address while we hold it.
    var onClaim: (IPAddress, MACAddress) -> Void = { _, _ in }
    /// Called with an advert of our VRID that failed a check.
    var onRefused: (RefusedAdvert) -> Void = { _ in }

    init(
        _ instance: VRRPConfiguration.Instance, group: VRRPConfiguration.Group, wire: any Wire, kernel: any Kernel,
        loop: EventLoop
    ) {
        self.instance = instance
        self.loop = loop
        self.wire = wire
        self.kernel = kernel
        version = instance.version(in: group) == 2 ? .v2 : .v3
        intervalNs = group.advertIntervalNs
        places = LegAddresses.all(of: instance, in: group, kernel: kernel, loop: loop)
        held = places + HeldKinds.afterAddresses.map { $0.init(instance, of: group, kernel: kernel, loop: loop) }
        announcer = Announcer(group.announce, wire: wire, loop: loop)
        seal = instance.seal(of: group)
        virtualMAC = instance.hasVirtualMAC ? VirtualMAC(instance, kernel: kernel, wire: wire) : nil
        virtualMAC?.onRefusal = { [unowned self] in onRefusal($0) }
        announcer.subject = { [unowned self] in announcements }
        for place in places {
            place.onHolding = { [unowned self, unowned place] _ in holdingChanged(place) }
        }
    }

    var family: IPAddress.Family { instance.family }
    var virtualAddresses: [IPAddress] { instance.addresses.map { $0.address } }

    /// The interface that carries the addresses and sends the adverts.
    private var carrier: Int32? { virtualMAC == nil ? ifindex : virtualMAC?.ifindex }

    /// The interface's own MAC address, six bytes; nil: none, or it is no Ethernet.
    var ownMAC: [UInt8]? {
        let mac = ifindex.flatMap { kernel.link(ifindex: $0) }?.address?.bytes
        return mac?.count == 6 ? mac : nil
    }

    /// The addresses that are held, with their interface and its MAC address.
    private var announcements: [Announcement] {
        places.compactMap { place in
            guard place.isHolding, !place.addresses.isEmpty, let ifindex = place.ifindex, let mac = mac(of: place)
            else {
                return nil
            }
            return Announcement(addresses: place.addresses, ifindex: ifindex, mac: mac)
        }
    }

    /// The MAC address that answers for these addresses, six bytes; nil: none, or it is no Ethernet.
    private func mac(of place: LegAddresses) -> [UInt8]? {
        if place.interface == nil, virtualMAC != nil { return AdvertCodec.virtualMAC(family, vrid: instance.vrid) }
        let mac = place.ifindex.flatMap { kernel.link(ifindex: $0) }?.address?.bytes
        return mac?.count == 6 ? mac : nil
    }

    /// Whom to ask whether anybody has the addresses, and in whose name.
    struct Question {
        var addresses: [IPAddress]
        var ifindex: Int32
        /// 0.0.0.0 for IPv4: as a stranger would ask.
        var source: IPAddress
        var mac: [UInt8]
        /// Whether it is asked on the leg's own interface.
        var isOnLeg: Bool
    }

    /// The questions for its addresses, one for each interface and family. Where we have no address to ask from, nobody is asked.
    var questions: [Question] {
        places.flatMap { place -> [Question] in
            let isOnLeg = place.interface == nil
            guard let ifindex = isOnLeg ? ifindex : place.ifindex, let link = kernel.link(ifindex: ifindex),
                let mac = link.address?.bytes, mac.count == 6
            else { return [] }
            return [IPAddress.Family.ipv4, .ipv6].compactMap { family in
                let addresses = place.addresses.filter { $0.family == family }
                guard !addresses.isEmpty, let source = asker(family, on: ifindex, isOnLeg: isOnLeg) else { return nil }
                return Question(addresses: addresses, ifindex: ifindex, source: source, mac: mac, isOnLeg: isOnLeg)
            }
        }
    }

    private func asker(_ family: IPAddress.Family, on ifindex: Int32, isOnLeg: Bool) -> IPAddress? {
        if isOnLeg, family == self.family { return source.map { family == .ipv4 ? .any(.ipv4) : $0 } }
        if family == .ipv4 { return .any(.ipv4) }
        return SourceChoice.source(
            of: kernel.addresses(of: ifindex), family: .ipv6, wanted: nil, present: nil, isVirtual: kernel.isFollowed)
    }

    // MARK: The interface

    /// The interface has this number now; nil: it is gone.
    ///
    /// - Throws: what the kernel said when its sockets were opened or its macvlan was made; then it is not bound.
    func bind(to ifindex: Int32?) throws(Errno) {
        guard ifindex != self.ifindex else { return }
        unbind()
        guard let ifindex else { return }
        let port = try wire.port(SocketKey(ifindex: ifindex, family: family))
        self.ifindex = ifindex
        self.port = port
        do throws(Errno) { try port.listen(instance.vrid, receiver) } catch {
            unbind()
            throw error
        }
        do throws(RtnlError) { try virtualMAC?.attach(to: ifindex) } catch {
            unbind()
            throw error.errno
        }
        if let virtualMAC {
            // udev applies sysctl.d to an interface that is new, a moment later.
            loop.schedule(atNs: loop.nowNs + 3_000_000_000, toleranceNs: 1_000_000_000) { [weak virtualMAC] in
                virtualMAC?.checkSwitches()
            }
        }
        if isWanted { virtualMAC?.setUp(true) }
        for kind in held { kind.bind(to: carrier, above: virtualMAC == nil ? nil : ifindex) }
        if isWanted { watchClaims() }
    }

    private var receiver: AdvertReceiver {
        AdvertReceiver(
            expectation: expectation, group: instance.group,
            peers: instance.unicastPeers.isEmpty ? nil : Set(instance.unicastPeers),
            authenticate: seal == nil
                ? nil
                : { [unowned self] (packet, header) throws(Discard) in
                    // Our own, or from a stranger with our address: `onAdvert` knows both.
                    if header.source == source { return }
                    try seal?.check(packet, header, nowNs: Clock.realtimeNs())
                },
            deliver: { [unowned self] (advert, mac) throws(Discard) in
                if isReflected(advert, mac) { throw .reflected }
                remember(advert.source, mac)
                onAdvert(advert)
            },
            refused: { [unowned self] in onRefused($0) })
    }

    /// Releases the interface, which may exist under another name by now, and its sockets.
    func unbind() {
        guard let ifindex else { return }
        wire.release(SocketKey(ifindex: ifindex, family: family), vrid: instance.vrid)
        for place in places { wire.stopWatchingClaims(for: place) }
        self.ifindex = nil
        port = nil
        kept = nil
        routers = []
        search = NeighbourSearch()
        hops = ([], .min)
        for kind in held.reversed() { kind.bind(to: nil, above: nil) }
        virtualMAC?.remove()
    }

    // MARK: Other routers

    private func remember(_ source: IPAddress, _ mac: MACAddress) {
        if let first = routers.first, first.address == source, first.mac == mac { return }
        routers.removeAll { $0.address == source }
        routers.insert((source, mac), at: 0)
        if routers.count > Self.routersMax { routers.removeLast() }
    }

    /// Whether an answer from that MAC address may be the peer's: of the router whose silence is the question.
    func isRouter(_ mac: MACAddress) -> Bool { answerer(mac) != .stranger }

    /// Hosts that the kernel knows on the link: up to eight neighbours that have answered it, and next hops of routes.
    func acquaintances(nowNs: Int64) -> [IPAddress] {
        guard let ifindex else { return [] }
        if hops.untilNs <= nowNs { hops = (kernel.nextHops(on: ifindex, family), nowNs + Self.hopsNs) }
        return kernel.neighbours(on: ifindex, family) + hops.addresses
    }

    /// Our own advert: it comes from our own MAC address, where a stranger that sends from our IP address has another.
    private func isReflected(_ advert: Advert, _ mac: MACAddress) -> Bool {
        guard advert.source == source else { return false }
        let virtual = instance.hasVirtualMAC ? MACAddress(AdvertCodec.virtualMAC(family, vrid: instance.vrid)) : nil
        return mac == virtual || mac == ownMAC.flatMap { MACAddress($0) }
    }

    /// Attributes an answer for a virtual address to a router or a stranger, by its MAC address.
    func answerer(_ mac: MACAddress) -> Answerer {
        if mac == MACAddress(AdvertCodec.virtualMAC(family, vrid: instance.vrid)) { return .virtualRouter }
        return routers.first { $0.mac == mac }.map { .router($0.address) } ?? .stranger
    }

    /// The interface, or the macvlan on it, has changed. The neighbours know it by its MAC address: if that is another one
    /// now, they are told at once.
    func interfaceChanged(_ link: Link, before old: Link) {
        var isAnotherMAC = false
        if link.ifindex == ifindex || link.ifindex == virtualMAC?.ifindex {
            isAnotherMAC = virtualMAC == nil ? link.address != old.address : virtualMAC?.restore() == true
        }
        if link.address != old.address, places.contains(where: { $0.interface != nil && $0.ifindex == link.ifindex }) {
            isAnotherMAC = true
        }
        if isAnotherMAC, isHolding { announcer.announce() }
    }

    /// Why nothing gets through its macvlan, now that an interface has changed; nil: it is another one, or all is well.
    func obstacle(after link: Link) -> String? {
        guard let virtualMAC, link.ifindex == ifindex || link.ifindex == virtualMAC.ifindex else { return nil }
        return virtualMAC.obstacle
    }

    /// Whether its macvlan was this interface, which is gone, while the one beneath it is still there.
    func hasLostMacvlan(_ ifindex: Int32) -> Bool { virtualMAC?.isTaken(ifindex) ?? false }

    /// Whether it needs any of the kernel's switches.
    var hasSwitches: Bool { virtualMAC != nil }

    /// Looks at the kernel's switches again.
    func checkSwitches() { virtualMAC?.checkSwitches() }

    private var expectation: AdvertExpectation {
        var expectation = AdvertExpectation(
            version: version, intervalNs: intervalNs, password: instance.password,
            requiresLinkLocal: instance.requiresLinkLocal && instance.unicastPeers.isEmpty,
            requiresAddresses: !instance.advertised.isEmpty)
        expectation.leastHopLimit = instance.expectedHopLimit
        expectation.hasAuthenticationHeader = seal?.isHeader == true
        expectation.mayHaveTrailer = seal?.isHeader == false
        return expectation
    }

    // MARK: Where adverts come from

    /// Chooses the source address again.
    ///
    /// - Parameters:
    ///   - mayLinger: whether one that has gone may be used for a moment longer.
    ///   - isVirtual: whether an address is a virtual one of any instance.
    /// - Returns: whether it changed.
    func chooseSource(mayLinger: Bool, isVirtual: (IPAddress) -> Bool) -> Bool {
        let chosen = ifindex.flatMap {
            SourceChoice.source(
                of: kernel.addresses(of: $0), family: family, wanted: instance.source,
                present: source, isVirtual: isVirtual)
        }
        isLingering = mayLinger && chosen == nil && source != nil && ifindex != nil
        guard !isLingering, chosen != source else { return false }
        source = chosen
        kept = nil
        return true
    }

    // MARK: Out

    /// Sends an advert to the group or to every unicast peer; the worst outcome counts.
    func sendAdvert(priority: UInt8) -> SendOutcome {
        let outcome = send(priority)
        if case .failed(let error) = outcome {
            sendErrors += 1
            lastSendError = error
        }
        return outcome
    }

    /// Why an advert of ours does not fit the interface; nil: it does.
    var oversize: String? {
        let octets = instance.advertOctets(version: version == .v2 ? 2 : 3)
        guard let ifindex, let mtu = kernel.link(ifindex: ifindex)?.mtu, mtu > 0, octets > mtu else { return nil }
        return "an advert of \(octets) octets does not fit the MTU of \(instance.interface), \(mtu)"
    }

    private func send(_ priority: UInt8) -> SendOutcome {
        // A missing interface or address is a cause of its own.
        guard let source else { return .failed(.addressNotAvailable) }
        let sender: (any AdvertSender)?
        do throws(Errno) {
            sender = try (instance.sendsFromVirtualMAC ? virtualMAC?.sender() : nil) ?? port
        } catch { return .failed(error) }
        guard let sender else { return .failed(.addressNotAvailable) }
        var worst = SendOutcome.sent
        for (packet, destination) in packets(priority, source) {
            let outcome = sender.send(packet, to: destination)
            if case .failed = worst { continue }
            if outcome != .sent { worst = outcome }
        }
        return worst
    }

    /// Whether an error means that somebody has taken the macvlan down or deleted it. If sending to a unicast peer fails, there
    /// may be other reasons.
    ///
    /// - Parameter error: why nothing could be sent.
    func lacksMacvlan(by error: Errno) -> Bool {
        let isOfInterface = [
            .networkDown, .networkUnreachable, .noSuchAddressOrDevice, .operationNotSupportedByDevice,
            .addressNotAvailable,  // IP_MULTICAST_IF
        ].contains(error)
        return isOfInterface && virtualMAC?.isUp == true && instance.sendsFromVirtualMAC
            && instance.unicastPeers.isEmpty
    }

    /// Gives the runner what it needs to resign if this process dies while it serves.
    func bequeath(to runner: any ProgramRunner) {
        guard !isBequeathed, let source, !instance.addresses.isEmpty || isHolding else { return }
        isBequeathed = runner.keep(LastWord(speaker: .instance(instance.name), source: source, identity: source))
    }

    /// Tells the runner that we no longer serve. With addresses it sees that for itself, as they are gone from the kernel.
    func revokeLastWord(from runner: any ProgramRunner) {
        guard instance.addresses.isEmpty, isBequeathed else { return }
        runner.forget(.instance(instance.name))
        isBequeathed = false
    }

    private func packets(_ priority: UInt8, _ source: IPAddress) -> [(packet: [UInt8], destination: IPAddress)] {
        if let kept, kept.priority == priority, seal == nil { return kept.packets }
        seal?.advance(nowNs: Clock.realtimeNs())
        let packets = instance.destinations.map { destination in
            (
                PacketCraft.advert(
                    of: instance, version: version, intervalNs: intervalNs, priority: priority, source: source,
                    destination: destination, seal: seal), destination
            )
        }
        // One that is signed is sent once, and what the runner has of it does not depend on the sequence.
        if seal == nil { kept = (priority, packets) }
        return packets
    }

    // MARK: Holding

    /// Whether its addresses are wanted.
    var isWanted: Bool { places.contains(where: \.isWanted) }
    /// Whether the kernel lists one of them.
    var isHolding: Bool { places.contains(where: \.isHolding) }

    func addHoldings() {
        virtualMAC?.setUp(true)
        isAdding = true
        for kind in held { kind.add() }
        isAdding = false
        watchClaims()
    }

    private func holdingChanged(_ place: LegAddresses) {
        if isHolding != wasHolding {
            wasHolding = isHolding
            onHolding(isHolding)
        } else if place.isHolding, !isAdding {
            // Its interface has come while others were held.
            watchClaims()
            announcer.announce()
        }
    }

    private func watchClaims() {
        for place in places {
            guard let ifindex = place.interface == nil ? ifindex : place.ifindex else { continue }
            let families = Dictionary(grouping: place.addresses, by: \.family)
            for addresses in families.values {
                wire.watchClaims(of: addresses, on: ifindex, for: place) { [unowned self, unowned place] address, mac in
                    if place.isHolding, mac != self.mac(of: place).flatMap({ MACAddress($0) }) { onClaim(address, mac) }
                }
            }
        }
    }

    func removeHoldings() {
        announcer.stop()
        for place in places { wire.stopWatchingClaims(for: place) }
        for kind in held.reversed() { kind.remove() }
        virtualMAC?.setUp(false)
    }

    /// Whether the leg can go on with the instance of a new file: only what it holds may differ.
    func canGoOn(as instance: VRRPConfiguration.Instance) -> Bool {
        HeldKinds.leavingOut(of: instance) == HeldKinds.leavingOut(of: self.instance)
    }

    /// Goes on with the instance of a new file. What that file no longer names is removed; what is new is added by
    /// `tend`.
    func goOn(as instance: VRRPConfiguration.Instance) {
        guard instance != self.instance else { return }
        self.instance = instance
        for kind in held.reversed() { kind.letGo(for: instance) }
    }

    /// The new file has a different leg of this name, or none: what both have is kept, the rest is removed. The
    /// successor binds next.
    func handOver(to successor: Leg?) {
        // From here on the successor reports for both: that this leg releases its addresses must not be reported.
        onAdvert = { _ in }
        onHolding = { _ in }
        announcer.stop()
        let isSamePlace =
            successor?.instance.interface == instance.interface
            && successor?.instance.hasVirtualMAC == instance.hasVirtualMAC && successor?.instance.vrid == instance.vrid
            && successor?.instance.virtualMACName == instance.virtualMACName
        let wasWanted = isWanted
        let others = successor.map { Array($0.held.dropFirst($0.places.count)) }
        for (index, kind) in held.dropFirst(places.count).enumerated().reversed() {
            kind.handOver(to: others?[index], isSamePlace: isSamePlace)
        }
        for place in places.reversed() {
            let other = successor?.places.first { $0.interface == place.interface }
            place.handOver(to: other, isSamePlace: isSamePlace || place.interface != nil)
        }
        for place in successor?.places ?? [] where !places.contains(where: { $0.interface == place.interface }) {
            place.begin(isWanted: wasWanted)
        }
        successor?.seal?.goOn(from: seal)
        if isSamePlace, let successor {
            successor.routers = routers
            successor.virtualMAC = virtualMAC
            virtualMAC?.onRefusal = { [unowned successor] in successor.onRefusal($0) }
            virtualMAC = nil
        }
        unbind()
    }

    /// Ends the leg: the file no longer has it.
    func close() {
        removeHoldings()
        unbind()
    }
}

/// Which address of an interface adverts are sent from.
enum SourceChoice {
    /// IPv6: its link-local address. IPv4: its primary address, the lowest if it has several. One that is in use stays.
    static func source(
        of addresses: [Address], family: IPAddress.Family, wanted: IPAddress?, present: IPAddress?,
        isVirtual: (IPAddress) -> Bool
    ) -> IPAddress? {
        let usable = addresses.filter { address in
            guard address.key.address.isIPv6 == (family == .ipv6) else { return false }
            if LegAddresses.isOurs(address), isVirtual(address.key.address) { return false }
            return address.flags.isDisjoint(with: [.tentative, .dadFailed])
        }
        if let wanted { return usable.contains { $0.key.address == wanted } ? wanted : nil }
        let candidates = usable.filter {
            family == .ipv6 ? $0.key.address.isLinkLocal : !$0.flags.contains(.secondary)
        }.map { $0.key.address }
        if let present, candidates.contains(present) { return present }
        // An owner's virtual address can be the source, but another address is preferred.
        return candidates.filter { !isVirtual($0) }.min() ?? candidates.min()
    }
}
