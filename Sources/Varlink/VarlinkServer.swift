/// A varlink service on a Unix socket: who may connect, how many, and which interface answers.
///
/// Everything has a limit, and reaching one never harms those who are within theirs: a client too many is closed at
/// once, and when the process runs out of descriptors the listening socket rests for a moment instead of spinning.
import CLinux
import Glibc
import LinuxSystem
import SystemPackage

public final class VarlinkServer {
    /// What clients may use.
    public struct Limits: Sendable {
        /// Connections at one time.
        public var clientsMax = 1200
        /// Connections of one user at one time.
        public var clientsPerUserMax = 1100
        /// The length of a call, in bytes.
        public var messageBytesMax = 64 * 1024
        /// What may wait for one client before its stream is refused more, in bytes.
        public var queuedBytesMax = 256 * 1024
        /// What all clients together may leave unread of last replies, which are as long as they are; a client whose reply
        /// would go beyond it is closed. Bytes.
        public var unreadReplyBytesMax = 64 * 1024 * 1024

        public init() {}
    }

    /// What has happened since the start.
    public struct Statistics: Hashable, Sendable {
        /// Connections that were accepted.
        public var accepted = 0
        /// Connections that were closed for a limit.
        public var refused = 0
        /// Calls that were well-formed messages.
        public var calls = 0
        /// Connections that were closed for what they sent.
        public var malformed = 0
        /// How often the process had no descriptor left for a connection.
        public var exhausted = 0
    }

    public let limits: Limits
    public internal(set) var statistics = Statistics()

    let loop: EventLoop
    private var interfaces: [String: VarlinkInterface] = [:]
    private var listener: ListeningSocket?
    private var connections: [CInt: ServerConnection] = [:]
    private var clientsByUser: [uid_t: Int] = [:]
    /// Connections at one time, as far as the process may have descriptors.
    public private(set) var clientsMax: Int
    /// Last replies that wait in the queues of all clients.
    var unreadReplyBytes = 0

    /// How long the listening socket rests when there is no descriptor left.
    private static let restNs: Int64 = 100_000_000
    /// Descriptors that clients leave to the rest of the process.
    private static let descriptorsKept = 64
    /// How many connections are accepted before others get their turn.
    private static let acceptBatch = 64

    public init(loop: EventLoop, info: VarlinkServiceInfo, limits: Limits = Limits()) {
        self.loop = loop
        self.limits = limits
        clientsMax = limits.clientsMax
        addServiceInterface(info)
    }

    deinit { close() }

    /// How many clients are connected.
    public var clientCount: Int { connections.count }

    /// Offers an interface.
    public func add(_ interface: VarlinkInterface) {
        interfaces[interface.description.name] = interface
    }

    /// Accepts clients from `listener`. Raises the process's soft limit of descriptors so that all of them fit; where the
    /// hard one is lower, there are fewer clients.
    ///
    /// - Throws: what epoll says.
    public func listen(_ listener: ListeningSocket) throws(Errno) {
        let descriptors = Self.raiseDescriptorLimit(to: limits.clientsMax + Self.descriptorsKept)
        clientsMax = max(1, min(limits.clientsMax, descriptors - Self.descriptorsKept))
        self.listener = listener
        try loop.watch(listener.raw, .readable) { [unowned self] _ in acceptClients() }
    }

    /// Closes all connections and the listening socket, and removes its file.
    public func close() {
        for connection in connections.values { connection.close() }
        if let listener { loop.unwatch(listener.raw) }
        listener = nil
    }

    // MARK: Clients

    private func acceptClients() {
        for _ in 0..<Self.acceptBatch {
            guard let listener else { return }
            do throws(Errno) {
                admit(Descriptor(owning: try Syscall.check(clinux_accept(listener.raw))))
            } catch .wouldBlock {
                return
            } catch .connectionAbort {
                // The client went before it was accepted; the next one may be there.
                continue
            } catch {
                // EMFILE, ENFILE, ENOMEM: nothing that trying again at once would mend.
                statistics.exhausted += 1
                return rest()
            }
        }
    }

    /// Takes a client that is connected.
    package func admit(_ descriptor: consuming Descriptor) {
        guard let peer = try? PeerCredentials(of: descriptor.raw), connections.count < clientsMax,
            clientsByUser[peer.uid, default: 0] < limits.clientsPerUserMax
        else {
            statistics.refused += 1
            return
        }
        let connection = ServerConnection(descriptor, peer: peer, server: self)
        do throws(Errno) {
            try connection.start()
        } catch {
            statistics.refused += 1
            return
        }
        statistics.accepted += 1
        connections[connection.fd] = connection
        clientsByUser[peer.uid, default: 0] += 1
    }

    func forget(_ connection: ServerConnection) {
        guard connections.removeValue(forKey: connection.fd) != nil else { return }
        let uid = connection.peer.uid
        let left = clientsByUser[uid, default: 0] - 1
        clientsByUser[uid] = left > 0 ? left : nil
    }

    /// A listening socket with clients waiting stays readable: without a rest the loop would spin.
    private func rest() {
        guard let listener else { return }
        try? loop.setInterest(listener.raw, [])
        loop.schedule(atNs: Clock.monotonicNs() + Self.restNs) { [weak self] in
            guard let listener = self?.listener else { return }
            try? self?.loop.setInterest(listener.raw, .readable)
        }
    }

    /// - Returns: how many descriptors the process may have, `wanted` at most.
    private static func raiseDescriptorLimit(to wanted: Int) -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(CInt(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return wanted }
        if limit.rlim_cur < rlim_t(wanted) {
            limit.rlim_cur = min(rlim_t(wanted), limit.rlim_max)
            _ = unsafe setrlimit(CInt(RLIMIT_NOFILE.rawValue), &limit)
        }
        return Int(min(limit.rlim_cur, rlim_t(wanted)))
    }

    // MARK: Interfaces

    func handler(
        for call: CallMessage, from peer: PeerCredentials
    ) throws(VarlinkError) -> VarlinkInterface.Handler {
        guard let name = call.interface else { throw .invalidParameter("method") }
        guard let interface = interfaces[name] else { throw .interfaceNotFound(name) }
        return try interface.handler(for: call, from: peer)
    }

    private func addServiceInterface(_ info: VarlinkServiceInfo) {
        guard var service = try? VarlinkInterface(description: ServiceInterface.description) else {
            preconditionFailure("org.varlink.service does not parse")
        }
        service.on("GetInfo") { [unowned self] call in
            call.reply { writer in
                writer.field("vendor", info.vendor)
                writer.field("product", info.product)
                writer.field("version", info.version)
                writer.field("url", info.url)
                writer.field("interfaces", interfaces.keys.sorted())
            }
        }
        service.on("GetInterfaceDescription") { [unowned self] call in
            let name = (try? call.parameters.decode("interface", as: String.self)) ?? ""
            guard let interface = interfaces[name] else { return call.fail(.interfaceNotFound(name)) }
            call.reply { writer in writer.field("description", interface.description.text) }
        }
        add(service)
    }
}
