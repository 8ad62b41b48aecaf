/// A varlink service on a Unix socket: who may connect, how many, and which interface answers.
///
/// Everything has a limit, and a client that reaches one never harms the others: a client too many is closed at once,
/// and when the process runs out of descriptors the listening socket rests for a moment instead of spinning.
///
/// Root, the user that the service runs as and those whom the limits name are *trusted*: some connections are kept for
/// them, and their memory and time are not on an account.
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
        /// Of all connections, those that are kept for trusted users.
        public var clientsReserved: Int { min(32, clientsMax / 8) }
        /// Users beside root and the service's own who are trusted.
        public var trustedUsers: Set<uid_t> = []
        /// What all connections of one user who is not trusted may hold, unread replies and parts of calls, in bytes.
        public var bytesPerUserMax = 16 * 1024 * 1024
        /// What all users who are not trusted may hold together, in bytes.
        public var bytesOfStrangersMax = 64 * 1024 * 1024
        /// How much of one processor's time one user who is not trusted may take, in thousandths.
        public var timeSharePerUser: Int64 = 100
        /// How much of it all of them may take together, in thousandths.
        public var timeShareOfStrangers: Int64 = 200
        /// How much time a user who has not called for a while may take at once, in nanoseconds.
        public var timeBurstNs: Int64 = 200_000_000
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
    private var accounts: [uid_t: ClientAccount] = [:]
    /// What all who are not trusted have in common.
    private let strangers: ClientAccount
    /// Connections at one time, as far as the process may have descriptors.
    public private(set) var clientsMax: Int
    /// Last replies that wait in the queues of all clients.
    var unreadReplyBytes = 0

    /// How long the listening socket rests when there is no descriptor left.
    private static let restNs: Int64 = 100_000_000
    /// Descriptors that clients leave to the rest of the process.
    private static let descriptorsKept = 64
    /// How many connections are accepted before others get their turn.
    private static let acceptBatch = 32
    /// How long the listening socket rests when nearly all of a batch were clients without time left.
    private static let crowdRestNs: Int64 = 2_000_000
    /// How many accounts of users who are gone are kept: hanging up must not refill a purse.
    private static let accountsKept = 256

    public init(loop: EventLoop, info: VarlinkServiceInfo, limits: Limits = Limits()) {
        self.loop = loop
        self.limits = limits
        clientsMax = limits.clientsMax
        strangers = ClientAccount(
            ClientAccount.Limits(
                bytesMax: limits.bytesOfStrangersMax, timeShare: limits.timeShareOfStrangers,
                burstNs: 2 * limits.timeBurstNs),
            nowNs: Clock.monotonicNs())
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
        try loop.watch(listener.raw, .readable, priority: .clients) { [unowned self] _ in acceptClients() }
    }

    /// Closes all connections and the listening socket, and removes its file.
    public func close() {
        for connection in connections.values { connection.close() }
        if let listener { loop.unwatch(listener.raw) }
        listener = nil
        for account in accounts.values { account.timer.map(loop.cancel) }
    }

    // MARK: Clients

    private func acceptClients() {
        var paupers = 0
        for _ in 0..<Self.acceptBatch {
            guard let listener else { return }
            do throws(Errno) {
                paupers += admit(Descriptor(owning: try Syscall.check(clinux_accept(listener.raw)))) ? 0 : 1
            } catch .wouldBlock {
                return
            } catch .connectionAbort {
                // The client went before it was accepted; the next one may be there.
                continue
            } catch {
                // EMFILE, ENFILE, ENOMEM: nothing that trying again at once would mend.
                statistics.exhausted += 1
                return rest(Self.restNs)
            }
        }
        // To take and close connections costs as much as to answer calls.
        if paupers > Self.acceptBatch / 2 { rest(Self.crowdRestNs) }
    }

    /// Takes a client that is connected.
    ///
    /// - Returns: false if it was closed, or its user has no time left.
    @discardableResult
    package func admit(_ descriptor: consuming Descriptor) -> Bool {
        let beganNs = Clock.monotonicNs()
        guard let peer = try? PeerCredentials(of: descriptor.raw) else { return false }
        let isTrusted = peer.isPrivileged || limits.trustedUsers.contains(peer.uid)
        let account = account(of: peer.uid, isTrusted: isTrusted, nowNs: beganNs)
        defer { account.spend(Clock.monotonicNs() - beganNs) }
        let isAffordable = account.waitNs(nowNs: beganNs) == 0
        let isFull =
            connections.count >= clientsMax || account.connections >= limits.clientsPerUserMax
            || (!isTrusted && strangers.connections >= clientsMax - min(limits.clientsReserved, clientsMax - 1))
        guard !isFull else {
            statistics.refused += 1
            return false
        }
        let connection = ServerConnection(descriptor, peer: peer, account: account, server: self)
        do throws(Errno) {
            try connection.start()
        } catch {
            statistics.refused += 1
            return false
        }
        statistics.accepted += 1
        connections[connection.fd] = connection
        account.connections += 1
        if !isTrusted { strangers.connections += 1 }
        return isAffordable
    }

    func forget(_ connection: ServerConnection) {
        guard connections.removeValue(forKey: connection.fd) != nil else { return }
        connection.account.connections -= 1
        if connection.account.isLimited { strangers.connections -= 1 }
    }

    /// Trusted users have an account each as well, because of the number of their connections.
    private func account(of uid: uid_t, isTrusted: Bool, nowNs: Int64) -> ClientAccount {
        if let account = accounts[uid] { return account }
        if accounts.count >= Self.accountsKept { accounts = accounts.filter { !$0.value.isFresh(nowNs: nowNs) } }
        let own = ClientAccount.Limits(
            bytesMax: limits.bytesPerUserMax, timeShare: limits.timeSharePerUser, burstNs: limits.timeBurstNs)
        let account = ClientAccount(isTrusted ? nil : own, parent: isTrusted ? nil : strangers, nowNs: nowNs)
        accounts[uid] = account
        return account
    }

    /// Has a connection wait until its account has time again; those of one account go on in the order in which they came.
    func park(_ connection: ServerConnection, nowNs: Int64) {
        let account = connection.account
        account.parked.append(connection)
        wake(account, nowNs: nowNs)
    }

    private func wake(_ account: ClientAccount, nowNs: Int64) {
        guard account.timer == nil, !account.isBeingServed else { return }
        account.timer = loop.schedule(atNs: nowNs + account.waitNs(nowNs: nowNs)) { [weak self, unowned account] in
            self?.serveParked(account)
        }
    }

    /// Serves one of them a turn, so that packets and others come in between.
    private func serveParked(_ account: ClientAccount) {
        account.timer = nil
        while let first = account.parked.first {
            let nowNs = Clock.monotonicNs()
            if first.isOpen, account.waitNs(nowNs: nowNs) > 0 { return wake(account, nowNs: nowNs) }
            account.parked.removeFirst()
            guard first.isOpen else { continue }
            account.isBeingServed = true
            loop.later { [weak self] in
                first.unpark()
                account.isBeingServed = false
                self?.serveParked(account)
            }
            return
        }
    }

    /// A listening socket with clients waiting stays readable: without a rest the loop would spin.
    private func rest(_ forNs: Int64) {
        guard let listener else { return }
        try? loop.setInterest(listener.raw, [])
        loop.schedule(atNs: Clock.monotonicNs() + forNs) { [weak self] in
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
