/// All sockets of the process: one `AdvertSocket` for each interface and family in use, whatever the number of virtual
/// routers on it, and the one `LinkSender`.
import Addresses
import LinuxSystem
import SystemPackage
import VRRP

final class WireSockets: Wire {
    private let loop: EventLoop
    private let buffer = ReceiveBuffer()
    private let link: LinkSender
    private let claims: ClaimWatch
    private let prober: Prober
    private var sockets: [SocketKey: AdvertSocket] = [:]

    /// Whether the IP stack would take a packet of a source to a destination, by an interface, were there no packet filter.
    var wouldTake: (_ source: IPAddress, _ destination: IPAddress, _ ifindex: Int32) -> Bool = { _, _, _ in true }
    /// Called when it turns out that a packet filter drops adverts somewhere, or no longer does.
    var onFiltered: () -> Void = {}

    /// - Throws: EPERM without CAP_NET_RAW.
    init(loop: EventLoop) throws(Errno) {
        self.loop = loop
        link = try LinkSender()
        claims = ClaimWatch(loop: loop, buffer: buffer)
        prober = Prober(loop: loop, link: link, buffer: buffer)
    }

    // MARK: Adverts

    func port(_ key: SocketKey) throws(Errno) -> any AdvertPort {
        if let socket = sockets[key] { return socket }
        let socket = try AdvertSocket(key, loop: loop, buffer: buffer, link: link)
        socket.wouldTake = { [unowned self] in wouldTake($0, $1, key.ifindex) }
        socket.onFiltered = { [unowned self] in onFiltered() }
        sockets[key] = socket
        return socket
    }

    func openPort(_ key: SocketKey) -> (any AdvertPort)? { sockets[key] }

    func release(_ key: SocketKey, vrid: UInt8) {
        guard let socket = sockets[key] else { return }
        socket.stopListening(vrid)
        if socket.isUnused { sockets[key] = nil }
    }

    func sender(_ key: SocketKey) throws(Errno) -> any AdvertSender { try RawSocket(key, around: link) }

    @discardableResult
    func send(_ packet: [UInt8], _ kind: LinkSender.Kind, to mac: [UInt8], on ifindex: Int32) -> Errno? {
        link.send(packet, kind, to: mac, on: ifindex)
    }

    // MARK: Neighbours

    func watchClaims(
        of addresses: [IPAddress], on ifindex: Int32, for owner: AnyObject,
        heard: @escaping (IPAddress, MACAddress) -> Void
    ) {
        claims.watch(addresses, on: ifindex, for: owner, heard: heard)
    }

    func stopWatchingClaims(for owner: AnyObject) { claims.stop(owner) }

    func ask(
        _ targets: [IPAddress], on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void
    ) {
        prober.ask(targets, on: ifindex, source: source, mac: mac, windowNs: windowNs, answered: answered)
    }

    func askAllNodes(
        on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void
    ) {
        prober.askAllNodes(on: ifindex, source: source, mac: mac, windowNs: windowNs, answered: answered)
    }

    func speakers(on ifindex: Int32) -> [IPAddress] { prober.speakers(on: ifindex) }

    // MARK: The kernel's changes

    /// Joins multicast groups again whose membership the kernel has dropped.
    ///
    /// - Parameter ifindex: on this interface; nil: on all.
    func renewMemberships(on ifindex: Int32? = nil) {
        for (key, socket) in sockets where ifindex == nil || key.ifindex == ifindex { socket.sender.renewMemberships() }
    }

    /// Closes the sockets of an interface that has gone.
    func forget(ifindex: Int32) {
        sockets = sockets.filter { $0.key.ifindex != ifindex }
        prober.forget(ifindex: ifindex)
    }

    /// Packets that were no adverts for us, by reason, on all sockets.
    var discards: [Discard: UInt64] {
        sockets.values.reduce(into: [:]) { sum, socket in sum.merge(socket.discards, uniquingKeysWith: +) }
    }
}
