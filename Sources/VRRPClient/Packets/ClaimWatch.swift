/// Hears other stations claim a virtual address while we serve: any ARP packet that names it as its sender's, gratuitous or
/// not, and any neighbour advertisement for it.
///
/// One packet socket for each interface and family, open only while something is held there, with a filter for just those
/// addresses: on a healthy link nothing ever wakes it. A takeover is not the time to make filters, so a change is carried out
/// a moment later, together with those that follow it.
import Addresses
import CLinux
import LinuxSystem
import SystemPackage

final class ClaimWatch {
    typealias Heard = (IPAddress, MACAddress) -> Void

    private final class Socket {
        let descriptor: Descriptor
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    private final class Listener {
        var socket: Socket?
        var owners: [ObjectIdentifier: (addresses: Set<IPAddress>, heard: Heard)] = [:]
        /// The addresses have changed since the filter was made.
        var isOutdated = false
    }

    private let loop: EventLoop
    private let buffer: ReceiveBuffer
    private var listeners: [SocketKey: Listener] = [:]
    private var timer: EventLoop.TimerID?

    private static let delayNs: Int64 = 200_000_000

    init(loop: EventLoop, buffer: ReceiveBuffer) {
        self.loop = loop
        self.buffer = buffer
    }

    /// Watches for claims of addresses of one family on an interface, until `stop`.
    func watch(_ addresses: [IPAddress], on ifindex: Int32, for owner: AnyObject, heard: @escaping Heard) {
        guard let family = addresses.first?.family else { return }
        let key = SocketKey(ifindex: ifindex, family: family)
        let listener = listeners[key] ?? Listener()
        listeners[key] = listener
        listener.owners[ObjectIdentifier(owner)] = (Set(addresses), heard)
        listener.isOutdated = true
        schedule()
    }

    /// Ends what was watched for an owner.
    func stop(_ owner: AnyObject) {
        for listener in listeners.values where listener.owners.removeValue(forKey: ObjectIdentifier(owner)) != nil {
            listener.isOutdated = true
            schedule()
        }
    }

    private func schedule() {
        guard timer == nil else { return }
        timer = loop.schedule(atNs: loop.nowNs + Self.delayNs, toleranceNs: Self.delayNs) { [unowned self] in
            timer = nil
            for (key, listener) in listeners where listener.isOutdated { renew(listener, key) }
        }
    }

    /// A new filter needs a new socket: packets queued before a filter is attached would pass it unchecked.
    private func renew(_ listener: Listener, _ key: SocketKey) {
        listener.isOutdated = false
        if let socket = listener.socket { loop.unwatch(socket.descriptor.raw) }
        listener.socket = nil
        let addresses = listener.owners.values.reduce(into: Set<IPAddress>()) { $0.formUnion($1.addresses) }
        guard !addresses.isEmpty else { return listeners[key] = nil }
        // Without a socket, as when the interface has just gone, there is nothing to hear.
        listener.socket = try? open(key, addresses)
        guard let socket = listener.socket else { return }
        try? loop.watch(socket.descriptor.raw, .readable) { [unowned self, unowned listener] _ in
            hear(listener, key.family)
        }
    }

    private func open(_ key: SocketKey, _ addresses: Set<IPAddress>) throws(Errno) -> Socket {
        let descriptor = Descriptor(owning: try Syscall.check(clinux_packet_socket()))
        let filter = PacketFilter.claims(key.ifindex, isIPv6: key.family == .ipv6, of: addresses)
        try Syscall.check(filter.attach(to: descriptor.raw))
        let type = UInt16(key.family == .ipv4 ? ETH_P_ARP : ETH_P_IPV6)
        try Syscall.check(clinux_packet_bind(descriptor.raw, type, key.ifindex))
        return Socket(descriptor)
    }

    /// Takes one batch: more makes the socket readable again.
    private func hear(_ listener: Listener, _ family: IPAddress.Family) {
        guard let socket = listener.socket else { return }
        var claims: [(IPAddress, MACAddress)] = []
        buffer.receive(from: socket.descriptor.raw) { packet, index in
            switch family {
            case .ipv4:
                if let arp = ARPPacket(packet) { claims.append((arp.sender, arp.senderMAC)) }
            case .ipv6:
                guard let advertisement = NeighbourAdvertisement(packet) else { return }
                claims.append((advertisement.target, advertisement.targetMAC ?? buffer.sourceMAC(index)))
            }
        }
        for (address, mac) in claims {
            for owner in listener.owners.values where owner.addresses.contains(address) { owner.heard(address, mac) }
        }
    }
}
