/// One interface in one family: where adverts of all its virtual routers arrive, and the raw socket through which they leave.
///
/// *In.* Adverts are heard on a packet socket, which sees what an INPUT or PREROUTING rule will drop. The raw socket
/// joins the multicast groups, because a snooping switch must see an IGMP or MLD report. What also arrives at the raw
/// socket has passed the packet filter. If three adverts in a row of one router arrive on the packet socket only, a
/// filter drops protocol 112 (see `FilterWatch`).
///
/// *Out.* Through the raw socket, as any program would send. EPERM there is an OUTPUT rule: the same packet then goes
/// by the packet socket, and the caller gets `sentAround`. Unicast has no second way.
///
/// *Many routers, few wake-ups.* The adverts of a hundred routers come one by one, and waking up for an advert costs
/// more than reading it. With `crowd` receivers or more the socket is not read whenever something arrives, but every
/// fiftieth of their interval, until nothing has arrived.
///
/// A socket is bound to an ifindex. When the interface goes, so does this object.
import Addresses
import CLinux
import Glibc
import LinuxSystem
import SystemPackage
import VRRP

/// A raw socket of one interface whose packets carry their own IP header.
final class RawSocket: AdvertSender {
    let key: SocketKey
    private let socket: Descriptor
    private let link: LinkSender
    /// The multicast groups that it has joined: one or two.
    private(set) var groups: [IPAddress] = []

    /// - Parameters:
    ///   - number: the IP protocol of what is received.
    ///   - link: by which a packet to a group goes that a packet filter has refused.
    /// - Throws: EPERM without CAP_NET_RAW, ENODEV when the interface is gone, EAFNOSUPPORT without the family.
    init(
        _ key: SocketKey, protocol number: UInt8 = AdvertCodec.ipProtocol, around link: LinkSender
    ) throws(Errno) {
        self.key = key
        self.link = link
        let family = key.family == .ipv4 ? AF_INET : AF_INET6
        socket = Descriptor(
            owning: try Syscall.check(clinux_raw_socket(family, CInt(number), key.ifindex)))
    }

    var raw: CInt { socket.raw }

    private var family: CInt { key.family == .ipv4 ? AF_INET : AF_INET6 }

    /// Joins a multicast group; one that it is in stays.
    func join(_ group: IPAddress) throws(Errno) {
        guard !groups.contains(group) else { return }
        try Syscall.check(unsafe clinux_join(socket.raw, family, group.bytes, key.ifindex))
        groups.append(group)
    }

    /// Leaves the groups that nobody needs.
    func leaveGroups(except needed: (IPAddress) -> Bool) {
        for group in groups where !needed(group) { leave(group) }
    }

    private func leave(_ group: IPAddress) {
        _ = unsafe clinux_leave(socket.raw, family, group.bytes, key.ifindex)
        groups.removeAll { $0 == group }
    }

    /// Joins its groups again if the kernel has dropped the membership. It does so silently when an MTU below 1280
    /// disables IPv6 on the interface. IPv4 memberships last as long as the interface.
    func renewMemberships() {
        guard key.family == .ipv6 else { return }
        for group in groups where !Memberships.has(group, on: key.ifindex) {
            // The socket is still listed as a member, and cannot join twice: it has to leave first. If it then cannot
            // join, the next change of the interface is another occasion.
            _ = unsafe clinux_leave(socket.raw, family, group.bytes, key.ifindex)
            do throws(Errno) {
                try Syscall.check(unsafe clinux_join(socket.raw, family, group.bytes, key.ifindex))
            } catch {
                Log.error("interface \(key.ifindex): cannot join the multicast group \(group): \(error)")
            }
        }
    }

    func send(_ packet: [UInt8], to destination: IPAddress) -> SendOutcome {
        guard let error = sendStraight(packet, to: destination) else { return .sent }
        guard error == .notPermitted, destination.isMulticast else { return .failed(error) }
        let mac = PacketCraft.multicastMAC(destination)
        if let error = link.send(packet, .ip(destination.family), to: mac, on: key.ifindex) { return .failed(error) }
        return .sentAround
    }

    private func sendStraight(_ packet: [UInt8], to destination: IPAddress) -> Errno? {
        let answer = unsafe clinux_raw_send(
            socket.raw, family, destination.high, destination.low, key.ifindex, packet, packet.count)
        return answer < 0 ? Errno(rawValue: -answer) : nil
    }
}

/// Sends packets by the link layer, past the packet filter: announcements, probes, and adverts that a filter refused.
final class LinkSender {
    private let socket: Descriptor

    init() throws(Errno) { socket = Descriptor(owning: try Syscall.check(clinux_packet_socket())) }

    enum Kind {
        case arp
        case ip(IPAddress.Family)

        fileprivate var etherType: UInt16 {
            switch self {
            case .arp: UInt16(ETH_P_ARP)
            case .ip(.ipv4): UInt16(ETH_P_IP)
            case .ip(.ipv6): UInt16(ETH_P_IPV6)
            }
        }
    }

    @discardableResult
    func send(_ packet: [UInt8], _ kind: Kind, to mac: [UInt8], on ifindex: Int32) -> Errno? {
        let answer = unsafe clinux_packet_send(
            socket.raw, ifindex, kind.etherType, mac, packet, packet.count)
        return answer < 0 ? Errno(rawValue: -answer) : nil
    }
}

final class AdvertSocket: AdvertPort {
    let key: SocketKey
    let sender: RawSocket
    private let packets: Descriptor
    /// What has passed the packet filter of adverts in an authentication header; nil: nobody expects such.
    private var authenticated: RawSocket?
    private let link: LinkSender
    private let loop: EventLoop
    private let buffer: ReceiveBuffer
    private var receivers = Receivers()
    private var filterWatch = FilterWatch()

    /// Packets that were no adverts for us, by reason.
    private(set) var discards: [Discard: UInt64] = [:]
    /// Whether the IP stack would take a packet of this source to this destination, were there no packet filter. Asked of
    /// few, and only before a filter is concluded from their adverts.
    var wouldTake: (_ source: IPAddress, _ destination: IPAddress) -> Bool = { _, _ in true }
    /// Called when it turns out that a packet filter drops adverts, or no longer does.
    var onFiltered: () -> Void = {}
    /// Whether a packet filter drops somebody's adverts.
    private(set) var isFiltered = false
    private var lapseTimer: EventLoop.TimerID?
    private var pollTimer: EventLoop.TimerID?
    private var confirmTimer: EventLoop.TimerID?
    /// How many packets the raw socket has dropped so far. While it drops packets, a missing advert is no sign of a
    /// filter.
    private var drops: UInt32 = 0

    /// With this many receivers or more, adverts are read in batches.
    static let crowd = 16
    /// How long a packet may take from the packet socket to the raw socket.
    private static let confirmAfterNs: Int64 = 20_000_000
    /// How many batches are read before timers and others get their turn: together what a socket's buffer holds.
    private static let batchesMax = 32

    /// Opens both sockets.
    ///
    /// - Throws: EPERM without CAP_NET_RAW, ENODEV when the interface is gone.
    init(_ key: SocketKey, loop: EventLoop, buffer: ReceiveBuffer, link: LinkSender) throws(Errno) {
        self.key = key
        self.loop = loop
        self.buffer = buffer
        self.link = link
        sender = try RawSocket(key, around: link)
        packets = Descriptor(owning: try Syscall.check(clinux_packet_socket()))
        let filter = PacketFilter.adverts(key.ifindex, isIPv6: key.family == .ipv6)
        try Syscall.check(filter.attach(to: packets.raw))
        let type = UInt16(key.family == .ipv4 ? ETH_P_IP : ETH_P_IPV6)
        try Syscall.check(clinux_packet_bind(packets.raw, type, key.ifindex))
        try loop.watch(packets.raw, .readable) { [unowned self] _ in
            readAdverts()
            if pollTimer == nil, receivers.all.count >= Self.crowd { beginPolling() }
        }
    }

    deinit {
        loop.unwatch(packets.raw)
        for timer in [lapseTimer, pollTimer, confirmTimer] { timer.map(loop.cancel) }
    }

    var isUnused: Bool { receivers.all.isEmpty }

    func listen(_ vrid: UInt8, _ receiver: AdvertReceiver) throws(Errno) {
        if receiver.expectation.hasAuthenticationHeader, authenticated == nil {
            let socket = try RawSocket(key, protocol: AdvertCodec.authenticationProtocol, around: link)
            // Others use authentication headers as well.
            try Syscall.check(PacketFilter.adverts(key.ifindex, isIPv6: false).attach(to: socket.raw))
            authenticated = socket
        }
        try sender.join(receiver.group)
        receivers[vrid] = receiver
    }

    func stopListening(_ vrid: UInt8) {
        receivers[vrid] = nil
        if !receivers.all.contains(where: \.expectation.hasAuthenticationHeader) { authenticated = nil }
        sender.leaveGroups { group in receivers.all.contains { $0.group == group } }
    }

    // MARK: In

    /// Returns how many packets there were.
    @discardableResult
    private func readAdverts() -> Int {
        let count = buffer.receive(from: packets.raw) { packet, index in
            do throws(Discard) {
                try take(packet, index)
            } catch {
                discards[error, default: 0] += 1
            }
        }
        if count < Int(CLINUX_BATCH) { filterWatch.sawWireEmpty() }
        if filterWatch.wantsDrain { drainPassed() }
        return count
    }

    private func beginPolling() {
        guard (try? loop.setInterest(packets.raw, [])) != nil else { return }
        schedulePoll()
    }

    private func schedulePoll() {
        let intervalNs = receivers.all.lazy.map(\.expectation.intervalNs).min() ?? 0
        pollTimer = loop.schedule(atNs: loop.nowNs + intervalNs / 50) { [unowned self] in
            pollTimer = nil
            var count = 0
            for _ in 0..<Self.batchesMax {
                count = readAdverts()
                if count < Int(CLINUX_BATCH) { break }
            }
            if count > 0 { return schedulePoll() }
            try? loop.setInterest(packets.raw, .readable)
        }
    }

    private func take(_ packet: Span<UInt8>, _ index: Int) throws(Discard) {
        let header = try IPHeader(key.family, packet: packet)
        try header.verify(packet)
        guard isForUs(packet, header) || buffer.isToHost(index) else { throw .destination }
        let mac = buffer.sourceMAC(index)
        let (advert, receiver): (Advert, AdvertReceiver)
        do throws(Discard) { (advert, receiver) = try decode(packet, header) } catch {
            if let refused = RefusedAdvert(error, header, packet) { tell(refused) }
            throw error
        }
        try receiver.deliver(advert, mac)
        filterWatch.sawOnWire(
            advert.source, advert.vrid, to: header.destination, intervalNs: advert.intervalNs,
            nowNs: loop.nowNs)
    }

    /// Whether it was sent to the group of its virtual router. Other groups are other routers' domains, which may have the
    /// same VRIDs.
    private func isForUs(_ packet: Span<UInt8>, _ header: IPHeader) -> Bool {
        let vrid = header.payload.count > 1 ? packet[header.payload.lowerBound + 1] : 0
        return header.destination == receivers[vrid]?.group ?? AdvertCodec.group(key.family)
    }

    private func tell(_ refused: RefusedAdvert) {
        if let receiver = receivers[refused.vrid] { return receiver.refused(refused) }
        for stranger in receivers.strangers { stranger(refused) }
    }

    private func decode(_ packet: Span<UInt8>, _ header: IPHeader) throws(Discard) -> (Advert, AdvertReceiver) {
        let advert = try AdvertCodec.decode(packet, header: header) { receivers[$0]?.expectation }
        guard let receiver = receivers[advert.vrid] else { throw .vrid }
        if let peers = receiver.peers, !peers.contains(advert.source) { throw .peer }
        try receiver.authenticate?(packet, header)
        return (advert, receiver)
    }

    /// Compares what has passed the packet filter with what was on the wire. The kernel may show a bunch of packets to our
    /// packet socket before the first of them reaches the raw socket, so what is missing is looked for once more.
    private func drainPassed() {
        takePassed()
        judgeFilter()
        guard filterWatch.isSuspicious, confirmTimer == nil else { return }
        confirmTimer = loop.schedule(atNs: loop.nowNs + Self.confirmAfterNs) { [unowned self] in
            confirmTimer = nil
            takePassed()
            confirmFilter()
            judgeFilter()
        }
    }

    /// What is missing may have been lost for want of room, or dropped by the stack itself: a martian, our own source, a
    /// sender that reverse-path filtering (rp_filter) does not expect here.
    private func confirmFilter() {
        guard filterWatch.isSuspicious else { return }
        let drops = clinux_drops(sender.raw) &+ (authenticated.map { clinux_drops($0.raw) } ?? 0)
        if drops != self.drops {
            self.drops = drops
            filterWatch.forgetWindow()
        }
        filterWatch.confirm(nowNs: loop.nowNs) { wouldTake($0, $1) }
    }

    /// Takes from the raw socket what has passed the packet filter.
    private func takePassed() {
        guard takePassed(sender.raw, before: 0),
            authenticated.map({ takePassed($0.raw, before: AdvertSeal.headerOctets) }) ?? true
        else { return }
        filterWatch.hasDrained()
    }

    /// - Parameter octets: between the IP header and the message.
    /// - Returns: whether all has been read.
    private func takePassed(_ socket: CInt, before octets: Int) -> Bool {
        let family = key.family
        var batches = 0
        repeat {
            // A flood: nothing can be concluded before all of it has been read.
            if batches == Self.batchesMax { return false }
            batches += 1
        } while buffer.receive(from: socket) { packet, index in
            switch family {
            case .ipv4:
                let start = packet.isEmpty ? 0 : Int(packet[0] & 15) * 4 + octets
                guard packet.count > start + 1, let source = IPAddress(.ipv4, in: packet, at: 12) else { return }
                filterWatch.sawPassed(source, packet[start + 1])
            case .ipv6:
                guard packet.count > 1 else { return }
                filterWatch.sawPassed(buffer.ipv6Source(index), packet[1])
            }
        } == Int(CLINUX_BATCH)
        return true
    }

    private func judgeFilter() {
        scheduleLapse()
        guard filterWatch.isFiltered != isFiltered else { return }
        isFiltered.toggle()
        onFiltered()
    }

    /// A sender that has fallen silent is forgotten: it is no longer known whether a filter drops its adverts.
    private func scheduleLapse() {
        guard lapseTimer == nil, let atNs = filterWatch.filteredUntilNs else { return }
        lapseTimer = loop.schedule(atNs: atNs) { [unowned self] in
            lapseTimer = nil
            filterWatch.expire(nowNs: loop.nowNs)
            judgeFilter()
        }
    }

    // MARK: Out

    func send(_ packet: [UInt8], to destination: IPAddress) -> SendOutcome { sender.send(packet, to: destination) }
}

/// The receivers, found by VRID without a search.
private struct Receivers {
    private(set) var all: [AdvertReceiver] = []
    /// Receivers that want to know of adverts for an unknown VRID. There are few; the list is kept because such adverts
    /// may come by the thousand.
    private(set) var strangers: [(RefusedAdvert) -> Void] = []
    private var vrids: [UInt8] = []
    /// By VRID: one more than the index of the receiver; 0: there is none.
    private var places = [UInt8](repeating: 0, count: 256)

    subscript(vrid: UInt8) -> AdvertReceiver? {
        get { places[Int(vrid)] == 0 ? nil : all[Int(places[Int(vrid)]) - 1] }
        set {
            if places[Int(vrid)] > 0 {
                let place = Int(places[Int(vrid)]) - 1
                all.remove(at: place)
                vrids.remove(at: place)
                places[Int(vrid)] = 0
                for (place, vrid) in vrids.enumerated() { places[Int(vrid)] = UInt8(place + 1) }
            }
            if let newValue, all.count < 255 {
                all.append(newValue)
                vrids.append(vrid)
                places[Int(vrid)] = UInt8(all.count)
            }
            strangers = all.compactMap(\.stranger)
        }
    }
}
