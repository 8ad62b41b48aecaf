/// All sockets of the process: one `AdvertSocket` for each interface and family in use, whatever the number of virtual
/// routers on it, and the one `LinkSender`.
import LinuxSystem
import SystemPackage
import VRRP

final class Wire {
    let loop: EventLoop
    let buffer = ReceiveBuffer()
    let link: LinkSender
    /// Who else claims what we hold.
    let claims: ClaimWatch
    private var sockets: [SocketKey: AdvertSocket] = [:]

    /// - Throws: EPERM without CAP_NET_RAW.
    init(loop: EventLoop) throws(Errno) {
        self.loop = loop
        link = try LinkSender()
        claims = ClaimWatch(loop: loop, buffer: buffer)
    }

    /// The socket of an interface and family, opened if it is not open yet.
    ///
    /// - Throws: ENODEV when the interface is gone.
    func socket(_ key: SocketKey, prepare: (AdvertSocket) -> Void) throws(Errno) -> AdvertSocket {
        if let socket = sockets[key] { return socket }
        let socket = try AdvertSocket(key, loop: loop, buffer: buffer)
        prepare(socket)
        sockets[key] = socket
        return socket
    }

    /// The socket, if it is open.
    func openSocket(_ key: SocketKey) -> AdvertSocket? { sockets[key] }

    /// Stops listening for a VRID, and closes the socket if nobody else uses it.
    func release(_ key: SocketKey, vrid: UInt8) {
        guard let socket = sockets[key] else { return }
        socket.stopListening(vrid)
        if socket.isUnused { sockets[key] = nil }
    }

    /// Joins groups anew that the kernel has forgotten.
    ///
    /// - Parameter ifindex: on this interface; nil: on all.
    func renewMemberships(on ifindex: Int32? = nil) {
        for (key, socket) in sockets where ifindex == nil || key.ifindex == ifindex { socket.sender.renewMembership() }
    }

    /// Closes the sockets of an interface that has gone.
    func forget(ifindex: Int32) {
        sockets = sockets.filter { $0.key.ifindex != ifindex }
    }

    /// Packets that were no adverts for us, by reason, on all sockets.
    var discards: [Discard: UInt64] {
        sockets.values.reduce(into: [:]) { sum, socket in sum.merge(socket.discards, uniquingKeysWith: +) }
    }
}
