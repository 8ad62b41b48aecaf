/// What a group asks its neighbours (is anybody there, has anybody its addresses), and what it hears without asking.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

extension GroupDriver {
    /// The prober keeps what it calls for a second or two. That is a strong reference because a single weak one puts an
    /// object's counts into a table of their own, for good, and makes each step of the timer slower.
    func probePeers(_ member: MemberIndex) {
        let leg = legs[member]
        guard let ifindex = leg.ifindex, let mac = leg.ownMAC, let source = leg.source else { return }
        let answered = { [self, leg] (address: IPAddress, mac: MACAddress) in
            hearNeighbour(address, mac, on: leg)
        }
        services.wire.ask(
            neighbours(leg), on: ifindex, source: source, mac: mac, windowNs: 1_000_000_000, answered: answered)
        // An answer in another family than the leg's proves little about the leg.
        if leg.family == .ipv6, leg.instance.witnesses.isEmpty, leg.search.asksStrangers {
            services.wire.askAllNodes(
                on: ifindex, source: source, mac: mac, windowNs: 1_000_000_000, answered: answered)
        }
    }

    /// Witnesses, where they are configured; else whoever may be alive on the link.
    func neighbours(_ leg: Leg) -> [IPAddress] {
        guard leg.instance.witnesses.isEmpty, let ifindex = leg.ifindex else { return leg.instance.witnesses }
        let own = services.kernel.addresses(of: ifindex)
        let networks = own.compactMap { address in
            address.key.address == leg.source && leg.family == .ipv4
                ? IPPrefix(address.key.address, length: Int(address.key.prefixLength)) : nil
        }
        let routers = Set(leg.routers.map(\.address)).union(leg.instance.unicastPeers)
        return leg.search.round(
            known: leg.acquaintances(nowNs: loop.nowNs), speakers: services.wire.speakers(on: ifindex),
            networks: networks, nowNs: loop.nowNs
        ) { address in
            routers.contains(address) || services.kernel.isFollowed(address)
                || own.contains { $0.key.address == address }
        }
    }

    func hearNeighbour(_ address: IPAddress, _ mac: MACAddress, on leg: Leg) {
        guard let index = index(of: leg) else { return }
        if leg.instance.witnesses.isEmpty {
            guard !leg.isRouter(mac), !services.kernel.isOwn(mac) else { return }
            leg.search.heard(address)
        }
        feed(.proof(member: index))
    }

    /// ARP is asked as a stranger would; over IPv6 that would be answered to all nodes, as is what nobody asked for, so there
    /// we ask by our own name.
    func probeAddresses(_ member: MemberIndex) {
        let leg = legs[member]
        answerers[member] = nil
        for question in leg.questions {
            services.wire.ask(
                question.addresses, on: question.ifindex, source: question.source, mac: question.mac,
                windowNs: 500_000_000
            ) { [self, leg] address, mac in
                guard let index = index(of: leg) else { return }
                hearAnswer(for: address, from: mac, on: index, isOnLeg: question.isOnLeg)
            }
        }
    }

    /// - Parameter isOnLeg: whether it came by the leg's own interface.
    func hearAnswer(for address: IPAddress, from mac: MACAddress, on member: MemberIndex, isOnLeg: Bool) {
        let leg = legs[member]
        var answerer = leg.answerer(mac)
        // On another interface a router has a MAC address that no advert names. While a master is heard, it is taken for that
        // one; a silent one may have lost its addresses, so then it is a stranger.
        if !isOnLeg, answerer == .stranger, !services.kernel.isOwn(mac), let heard = engine.heard(on: member) {
            answerer = .router(heard)
        }
        guard !answerers[member, default: []].contains(answerer) else { return }
        // Our macvlan has the virtual router's MAC address, and so has that of another router.
        guard answerer == .virtualRouter || !services.kernel.isOwn(mac) else { return }
        answerers[member, default: []].insert(answerer)
        if !isHeardMaster(answerer, on: member) {
            passing.saw(.addressConflict, of: leg.instance.name, forNs: 5_000_000_000 + 2 * group.advertIntervalNs) {
                "\(address) is at \(mac)\(Self.words(answerer))"
            }
        }
        feed(.foreignAnswer(member: member, by: answerer))
    }

    /// Whether it is the master whose adverts we hear: a master is expected to have the addresses.
    func isHeardMaster(_ answerer: Answerer, on member: MemberIndex) -> Bool {
        let heard = engine.heard(on: member)
        return switch answerer {
        case .router(let address): address == heard
        case .virtualRouter: heard != nil
        case .stranger: false
        }
    }

    /// Another station claims an address that we hold.
    func hearClaim(of address: IPAddress, by mac: MACAddress, on leg: Leg) {
        passing.saw(.addressConflict, of: leg.instance.name, forNs: 10_000_000_000) {
            services.kernel.isOwn(mac) ? nil : "\(address) is claimed by \(mac)\(Self.words(leg.answerer(mac)))"
        }
    }

    static func words(_ answerer: Answerer) -> String {
        switch answerer {
        case .router(let address): ", router \(address)"
        case .virtualRouter: ", the virtual router's own MAC address"
        case .stranger: ""
        }
    }
}
