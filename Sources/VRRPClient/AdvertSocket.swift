/// One interface in one family: where adverts of all its virtual routers arrive, and the raw socket through which they leave.
///
/// *In.* Adverts are heard on a packet socket, which sees what an INPUT or PREROUTING rule will drop. The membership of the
/// group belongs to the raw socket, because a snooping switch must see an IGMP or MLD report. What also arrives at the raw
/// socket has passed the packet filter: adverts on the wire that are not there, three in a row of one router, mean that a
/// filter drops protocol 112 (design of `FilterWatch`).
///
/// *Out.* Through the raw socket, as any program would send. EPERM there is an OUTPUT rule: the same packet then goes by the
/// packet socket, and the caller is told. Unicast has no second way.
///
/// *Many routers, few wake-ups.* The adverts of a hundred routers come one by one, and to wake for each costs more than to
/// read it. With `crowd` receivers or more the socket is read again after a fiftieth of their interval instead of whenever
/// something has come, for as long as something has.
///
/// A socket is bound to an ifindex. When the interface goes, so does this object.
import Addresses
import CLinux
import Glibc
import LinuxSystem
import SystemPackage
import VRRP

/// What packets are sent or heard on.
struct SocketKey: Hashable {
    var ifindex: Int32
    var family: IPAddress.Family
}

/// What came of sending.
enum SendOutcome: Equatable {
    case sent
    /// A packet filter refused it, and it was sent around the filter.
    case sentAround
    case failed(Errno)
}

/// A raw socket of one interface whose packets carry their own IP header.
final class RawSocket {
    let key: SocketKey
    private let socket: Descriptor

    /// - Throws: EPERM without CAP_NET_RAW, ENODEV when the interface is gone, EAFNOSUPPORT without the family.
    init(_ key: SocketKey) throws(Errno) {
        self.key = key
        let family = key.family == .ipv4 ? AF_INET : AF_INET6
        socket = Descriptor(
            owning: try Syscall.check(clinux_raw_socket(family, CInt(AdvertCodec.ipProtocol), key.ifindex)))
    }

    var raw: CInt { socket.raw }

    /// Asks the network for what is sent to the family's VRRP group.
    func joinGroup() throws(Errno) {
        let family = key.family == .ipv4 ? AF_INET : AF_INET6
        try Syscall.check(unsafe clinux_join(socket.raw, family, AdvertCodec.group(key.family).bytes, key.ifindex))
    }

    /// Joins the group again if the kernel has forgotten it: it does, without a word, when an MTU below 1280 ends IPv6 on the
    /// interface. IPv4 has no such end while the interface is there.
    func renewMembership() {
        guard key.family == .ipv6, !Memberships.has(AdvertCodec.group(.ipv6), on: key.ifindex) else { return }
        // The socket believes that it is in the group, and would not be let in twice.
        _ = unsafe clinux_leave(socket.raw, AF_INET6, AdvertCodec.group(.ipv6).bytes, key.ifindex)
        do throws(Errno) { try joinGroup() } catch {
            Log.error("interface \(key.ifindex): adverts over IPv6 cannot be asked for: \(error)")
        }
    }

    func send(_ packet: [UInt8], to destination: IPAddress) -> Errno? {
        let family = key.family == .ipv4 ? AF_INET : AF_INET6
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

final class AdvertSocket {
    /// Who listens for a VRID.
    struct Receiver {
        var expectation: AdvertExpectation
        /// The only senders that count; nil: anyone.
        var peers: Set<IPAddress>?
        /// Called with an advert that passed every check, and the MAC address that it came from.
        var deliver: (Advert, MACAddress) -> Void
    }

    let key: SocketKey
    let sender: RawSocket
    private let packets: Descriptor
    private let loop: EventLoop
    private let buffer: ReceiveBuffer
    private var receivers = Receivers()
    private var filterWatch = FilterWatch()

    /// Packets that were no adverts for us, by reason.
    private(set) var discards: [Discard: UInt64] = [:]
    /// Whether a source's adverts must have passed the packet filter to count as unfiltered: those on the link.
    var isOnLink: (IPAddress) -> Bool = { _ in true }
    /// Called when it turns out that a packet filter drops adverts, or no longer does.
    var onFiltered: () -> Void = {}
    /// Whether a packet filter drops somebody's adverts.
    private(set) var isFiltered = false
    private var lapseTimer: EventLoop.TimerID?
    private var pollTimer: EventLoop.TimerID?
    private var confirmTimer: EventLoop.TimerID?
    /// What `isOnLink` said, for as long as the interface's addresses stay.
    private var onLink: [IPAddress: Bool] = [:]
    /// The last sender, who is mostly the next one too.
    private var lastSender: (source: IPAddress, isOnLink: Bool)?

    /// With so many receivers adverts are read in bunches.
    static let crowd = 16
    /// How long a packet may take from the packet socket to the raw socket.
    private static let confirmAfterNs: Int64 = 20_000_000
    /// How many batches are read before timers and others get their turn: together what a socket's buffer holds.
    private static let batchesMax = 32
    /// Sources whose place is remembered.
    private static let sourcesMax = 1024

    /// Opens both sockets, joins the group, and listens.
    ///
    /// - Throws: EPERM without CAP_NET_RAW, ENODEV when the interface is gone.
    init(_ key: SocketKey, loop: EventLoop, buffer: ReceiveBuffer) throws(Errno) {
        self.key = key
        self.loop = loop
        self.buffer = buffer
        sender = try RawSocket(key)
        try sender.joinGroup()
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

    /// Addresses of the interface have changed, and with them what is on the link.
    func addressesChanged() {
        onLink = [:]
        lastSender = nil
    }

    func listen(_ vrid: UInt8, _ receiver: Receiver) { receivers[vrid] = receiver }

    func stopListening(_ vrid: UInt8) { receivers[vrid] = nil }

    // MARK: In

    /// Returns how many packets there were.
    @discardableResult
    private func readAdverts() -> Int {
        let count = buffer.receive(from: packets.raw) { packet, index in
            do throws(Discard) {
                try take(packet, from: buffer.sourceMAC(index))
            } catch {
                discards[error, default: 0] += 1
            }
        }
        if filterWatch.wantsDrain { drainPassed() }
        return count
    }

    private func beginPolling() {
        guard (try? loop.setInterest(packets.raw, [])) != nil else { return }
        schedulePoll()
    }

    private func schedulePoll() {
        let intervalNs = receivers.all.lazy.map(\.expectation.intervalNs).min() ?? 0
        pollTimer = loop.schedule(atNs: Clock.monotonicNs() + intervalNs / 50) { [unowned self] in
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

    private func wasFoundOnLink(_ source: IPAddress) -> Bool {
        if let lastSender, lastSender.source == source { return lastSender.isOnLink }
        if onLink[source] == nil, onLink.count >= Self.sourcesMax { onLink = [:] }
        let found = onLink[source] ?? isOnLink(source)
        onLink[source] = found
        lastSender = (source, found)
        return found
    }

    private func take(_ packet: Span<UInt8>, from mac: MACAddress) throws(Discard) {
        let header = try IPHeader(key.family, packet: packet)
        let advert = try AdvertCodec.decode(packet, header: header) { receivers[$0]?.expectation }
        guard let receiver = receivers[advert.vrid] else { throw .vrid }
        if let peers = receiver.peers, !peers.contains(advert.source) { throw .source }
        if wasFoundOnLink(advert.source) {
            filterWatch.sawOnWire(
                advert.source, advert.vrid, intervalNs: advert.intervalNs, nowNs: Clock.monotonicNs())
        }
        receiver.deliver(advert, mac)
    }

    /// Compares what has passed the packet filter with what was on the wire. The kernel may show a bunch of packets to our
    /// packet socket before the first of them reaches the raw socket, so what is missing is looked for once more.
    private func drainPassed() {
        takePassed()
        guard filterWatch.isFiltered, !isFiltered else { return judgeFilter() }
        guard confirmTimer == nil else { return }
        confirmTimer = loop.schedule(atNs: Clock.monotonicNs() + Self.confirmAfterNs) { [unowned self] in
            confirmTimer = nil
            takePassed()
            judgeFilter()
        }
    }

    /// Takes from the raw socket what has passed the packet filter.
    private func takePassed() {
        let family = key.family
        var batches = 0
        repeat {
            // A flood: what has passed is not known before all of it is read.
            if batches == Self.batchesMax { return }
            batches += 1
        } while buffer.receive(from: sender.raw) { packet, index in
            switch family {
            case .ipv4:
                let start = packet.isEmpty ? 0 : Int(packet[0] & 15) * 4
                guard packet.count > start + 1, let source = IPAddress(.ipv4, in: packet, at: 12) else { return }
                filterWatch.sawPassed(source, packet[start + 1])
            case .ipv6:
                guard packet.count > 1 else { return }
                filterWatch.sawPassed(buffer.ipv6Source(index), packet[1])
            }
        } == Int(CLINUX_BATCH)
        filterWatch.hasDrained()
    }

    private func judgeFilter() {
        scheduleLapse()
        guard filterWatch.isFiltered != isFiltered else { return }
        isFiltered.toggle()
        onFiltered()
    }

    /// Of a sender that has fallen silent nobody knows any longer whether it is filtered.
    private func scheduleLapse() {
        guard lapseTimer == nil, let atNs = filterWatch.filteredUntilNs else { return }
        lapseTimer = loop.schedule(atNs: atNs) { [unowned self] in
            lapseTimer = nil
            filterWatch.expire(nowNs: Clock.monotonicNs())
            judgeFilter()
        }
    }

    // MARK: Out

    func send(_ packet: [UInt8], to destination: IPAddress, around link: LinkSender) -> SendOutcome {
        Self.send(packet, to: destination, by: sender, around: link)
    }

    static func send(
        _ packet: [UInt8], to destination: IPAddress, by sender: RawSocket, around link: LinkSender
    ) -> SendOutcome {
        guard let error = sender.send(packet, to: destination) else { return .sent }
        guard error == .notPermitted, destination == AdvertCodec.group(destination.family) else {
            return .failed(error)
        }
        let mac = PacketCraft.multicastMAC(destination)
        if let error = link.send(packet, .ip(destination.family), to: mac, on: sender.key.ifindex) {
            return .failed(error)
        }
        return .sentAround
    }
}

/// Who listens, found by VRID without a search.
private struct Receivers {
    private(set) var all: [AdvertSocket.Receiver] = []
    private var vrids: [UInt8] = []
    /// By VRID: one more than the place among all, which are 255 at most; 0: nobody.
    private var places = [UInt8](repeating: 0, count: 256)

    subscript(vrid: UInt8) -> AdvertSocket.Receiver? {
        get { places[Int(vrid)] == 0 ? nil : all[Int(places[Int(vrid)]) - 1] }
        set {
            if places[Int(vrid)] > 0 {
                let place = Int(places[Int(vrid)]) - 1
                all.remove(at: place)
                vrids.remove(at: place)
                places[Int(vrid)] = 0
                for (place, vrid) in vrids.enumerated() { places[Int(vrid)] = UInt8(place + 1) }
            }
            guard let newValue, all.count < 255 else { return }
            all.append(newValue)
            vrids.append(vrid)
            places[Int(vrid)] = UInt8(all.count)
        }
    }
}

/// Compares what is on the wire with what passes the packet filter, per sender and VRID.
///
/// Three adverts on the wire, in a row, of which none passed mean a filter. The two sockets are read at different times, so
/// what passed is counted against what was on the wire since the last time: an advert that passed says that those before
/// it did, and the rest stays in the account. Draining the raw socket costs a system call, so it is done when some sender
/// has three outstanding or many have some.
///
/// A sender that falls silent is forgotten: a filter that drops nothing any more, since its master is dead, must not keep
/// its backup from serving.
struct FilterWatch {
    /// Adverts in a row that did not pass.
    private static let limit = 3
    /// Adverts after which the raw socket is drained in any case; its buffer holds some 250.
    private static let drainAfter = 64
    /// Senders that are followed; a flood of invented ones is not.
    private static let sendersMax = 1024
    /// A sender is forgotten after so many intervals without an advert, and not before a second has passed.
    private static let patience: Int64 = 4
    private static let patienceMinNs: Int64 = 1_000_000_000

    private struct Account {
        let source: IPAddress
        let vrid: UInt8
        /// Adverts in a row that had not passed when the raw socket was last drained, up to the limit.
        var missing = 0
        /// On the wire since then.
        var seen = 0
        /// Through the filter since then.
        var passed = 0
        /// When the sender counts as silent.
        var untilNs: Int64 = 0

        var isFiltered: Bool { missing >= limit }

        /// What had arrived when both were read in one go may have been cut short by a full buffer, so it alone never
        /// makes a filter: the next advert will.
        mutating func settle() {
            missing = passed > 0 ? min(max(0, seen - passed), limit - 1) : min(missing + seen, limit)
            seen = 0
            passed = 0
        }
    }

    /// Few at a time, since those that are settled go.
    private var accounts: [Account] = []
    /// Where the search for the next sender begins: they speak in the same order, time and again.
    private var finger = 0
    private var sinceDrain = 0
    private(set) var wantsDrain = false

    /// Whether some sender's adverts do not pass.
    var isFiltered: Bool { accounts.contains(where: \.isFiltered) }

    /// When the next sender whose adverts do not pass counts as silent; nil: there is none.
    var filteredUntilNs: Int64? { accounts.lazy.filter(\.isFiltered).map(\.untilNs).min() }

    mutating func sawOnWire(_ source: IPAddress, _ vrid: UInt8, intervalNs: Int64, nowNs: Int64) {
        guard let index = find(source, vrid) ?? open(source, vrid) else { return }
        accounts[index].seen += 1
        accounts[index].untilNs = nowNs + max(Self.patience * intervalNs, Self.patienceMinNs)
        sinceDrain += 1
        let outstanding = accounts[index].missing + accounts[index].seen
        if outstanding >= Self.limit || sinceDrain >= Self.drainAfter { wantsDrain = true }
    }

    mutating func sawPassed(_ source: IPAddress, _ vrid: UInt8) {
        if let index = find(source, vrid) { accounts[index].passed += 1 }
    }

    private mutating func find(_ source: IPAddress, _ vrid: UInt8) -> Int? {
        for _ in accounts.indices {
            let index = finger < accounts.count ? finger : 0
            finger = index + 1
            if accounts[index].vrid == vrid, accounts[index].source == source { return index }
        }
        return nil
    }

    private mutating func open(_ source: IPAddress, _ vrid: UInt8) -> Int? {
        guard accounts.count < Self.sendersMax else { return nil }
        accounts.append(Account(source: source, vrid: vrid))
        return accounts.count - 1
    }

    mutating func hasDrained() {
        for index in accounts.indices { accounts[index].settle() }
        // Those that were answered are forgotten, so that a table full of strangers does not stay full.
        accounts.removeAll { $0.missing == 0 }
        sinceDrain = 0
        wantsDrain = false
    }

    /// Forgets who has fallen silent.
    mutating func expire(nowNs: Int64) { accounts.removeAll { $0.untilNs <= nowNs } }
}
