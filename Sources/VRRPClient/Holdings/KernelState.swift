/// The kernel as this process sees it: the mirror of its links, addresses, tracked routes and rules on the event loop, and the two
/// sockets through which it is asked to change something.
///
/// Two, because the mirror does not listen to what the second one does: it refreshes the leases of addresses, three times a
/// lease and without effect on anything that is mirrored.
import Addresses
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class KernelState: Kernel {
    /// What of the kernel is followed beside links and addresses.
    struct Following: Equatable {
        var routes: RouteTracking?
        /// Our policy rules.
        var rules = false
    }

    private let loop: EventLoop
    private let requester: RtnlRequester
    private let refresher: RtnlRequester
    private(set) lazy var switches = InterfaceSwitches { [unowned self] in link(ifindex: $0)?.name }
    private(set) var mirror: RtnlMonitor
    private var following: Following
    private var timer: EventLoop.TimerID?
    private var lastFound: [String: Int32] = [:]

    /// The addresses whose places are followed, and where the kernel has each.
    private var followed: Set<IPAddress> = []
    private var places: [IPAddress: Set<AddressKey>] = [:]

    /// Called with changes; they are in the mirror already.
    var onChanges: ([MirrorChange]) -> Void = { _ in }

    init(loop: EventLoop, following: Following) throws(Errno) {
        self.loop = loop
        self.following = following
        requester = try RtnlRequester()
        refresher = try RtnlRequester()
        mirror = try RtnlMonitor(options: Self.options(following, quiet: refresher))
    }

    private static func options(_ following: Following, quiet: RtnlRequester) -> RtnlMonitor.Options {
        RtnlMonitor.Options(
            routes: following.routes, addresses: true, rules: following.rules ? LegAddresses.protocolNumber : nil,
            receiveBufferBytes: 1 << 20, budget: 1024, quietPort: quiet.port,
            quietProtocol: LegAddresses.protocolNumber)
    }

    /// Requests everything; `onChanges` gets `synced` when all of it has been read.
    func start() throws(Errno) {
        try watch()
        try loop.watch(refresher.descriptor, .readable) { [unowned self] _ in refresher.dropRefusals() }
        deliver(mirror.start(nowNs: loop.nowNs))
    }

    private func watch() throws(Errno) {
        for fd in mirror.descriptors {
            try loop.watch(fd, .readable) { [unowned self] _ in
                deliver(mirror.handleReadable(fd, nowNs: loop.nowNs))
            }
        }
    }

    /// Follows other routes and rules from now on. The new mirror is complete before it replaces the old one, and differences are
    /// reported.
    func follow(_ following: Following) throws(Errno) {
        guard following != self.following else { return }
        let replacement: RtnlMonitor
        do throws(RtnlError) {
            replacement = try RtnlMonitor.snapshot(
                options: Self.options(following, quiet: refresher), acceptsPart: true)
        } catch {
            Log.error("the kernel could not be read completely: \(error)")
            throw error.errno
        }
        for fd in mirror.descriptors { loop.unwatch(fd) }
        self.following = following
        var differences = Self.differences(from: mirror, to: replacement)
        if replacement.degradation != mirror.degradation { differences.append(.degraded(replacement.degradation)) }
        mirror = replacement
        try watch()
        deliver(differences)
    }

    private static func differences(from old: RtnlMonitor, to new: RtnlMonitor) -> [MirrorChange] {
        var changes: [MirrorChange] = []
        for (ifindex, link) in new.links {
            guard let before = old.links[ifindex] else { changes.append(.linkAdded(link)); continue }
            if before != link { changes.append(.linkRenamed(old: before, new: link)) }
        }
        for (ifindex, link) in old.links where new.links[ifindex] == nil { changes.append(.linkRemoved(link)) }
        for (key, address) in new.addresses {
            guard let before = old.addresses[key] else { changes.append(.addressAdded(address)); continue }
            if before != address { changes.append(.addressChanged(old: before, new: address)) }
        }
        for (key, address) in old.addresses where new.addresses[key] == nil { changes.append(.addressRemoved(address)) }
        return changes
    }

    private func deliver(_ changes: [MirrorChange]) {
        for change in changes { note(change) }
        if !changes.isEmpty { onChanges(changes) }
        schedule()
    }

    private func schedule() {
        if let timer { loop.cancel(timer) }
        timer = mirror.nextDeadlineNs.map { deadlineNs in
            loop.schedule(atNs: deadlineNs) { [unowned self] in
                timer = nil
                deliver(mirror.advance(nowNs: loop.nowNs))
            }
        }
    }

    // MARK: Where virtual addresses are

    /// Follows other addresses from now on, the virtual ones of the file.
    func follow(_ addresses: Set<IPAddress>) {
        followed = addresses
        places = [:]
        for key in mirror.addresses.keys where addresses.contains(key.address) {
            places[key.address, default: []].insert(key)
        }
    }

    private func note(_ change: MirrorChange) {
        switch change {
        case .addressAdded(let address):
            if followed.contains(address.key.address) { places[address.key.address, default: []].insert(address.key) }
        case .addressRemoved(let address): places[address.key.address]?.remove(address.key)
        default: break
        }
    }

    /// Whether it is one of the addresses that are followed.
    func isFollowed(_ address: IPAddress) -> Bool { followed.contains(address) }

    /// Where the kernel has an address that is followed, on whatever interface and with whatever prefix length.
    func places(of address: IPAddress) -> [Address] {
        places[address]?.compactMap { mirror.addresses[$0] } ?? []
    }

    // MARK: What is asked

    var requests: any KernelRequests { requester }
    var refreshes: any KernelRequests { refresher }

    /// Removes addresses, and nothing along with them that is secondary to one of them.
    ///
    /// - Returns: for each one, nil or why it is still there.
    func remove(_ keys: [AddressKey]) -> [RtnlError?] {
        guard !keys.isEmpty else { return [] }
        let interfaces = Set(keys.map(\.ifindex))
        let around = mirror.addresses.values.lazy.filter { interfaces.contains($0.key.ifindex) }
        do throws(Errno) {
            return try AddressRemoval.remove(keys, among: around, by: requester) { mirror.links[$0]?.name }
        } catch {
            return keys.map { _ in RtnlError(error) }
        }
    }

    /// Why the kernel does not let this process change addresses; nil: it does. It is asked to remove one from an interface
    /// that does not exist, which it refuses for another reason to whoever may.
    var refusal: RtnlError? {
        let nowhere = AddressKey(ifindex: .max, address: .any(.ipv4), prefixLength: 32)
        do throws(RtnlError) { try requester.perform(.removeAddress(nowhere)) } catch {
            return [.notPermitted, .permissionDenied, .timedOut].contains(error.errno) ? error : nil
        }
        return nil
    }

    // MARK: What is known

    /// Whether everything has been read once, or reading has failed for good.
    var hasBeenRead: Bool { mirror.hasBeenRead }
    /// What could not be read completely.
    var degradation: [DumpKind: Degradation] { mirror.degradation }
    var links: [Int32: Link] { mirror.links }
    var routes: [Route] { mirror.routes }
    func routes(at key: RouteKey) -> [Route] { mirror.routes(at: key) }
    func hasRule(_ rule: PolicyRule) -> Bool { mirror.rules.contains(rule) }
    func routes(to destination: IPPrefix, table: UInt32) -> [Route] {
        mirror.routes.filter { $0.key.destination == destination && $0.key.table == table }
    }
    var addresses: [AddressKey: Address] { mirror.addresses }

    /// The link of that name or alternative name. Asked often and of few names, so the last answer is tried first.
    func link(named name: String) -> Link? {
        if let ifindex = lastFound[name], let link = mirror.links[ifindex],
            link.name == name || link.altnames.contains(name)
        {
            return link
        }
        let link = mirror.link(named: name)
        lastFound[name] = link?.ifindex
        return link
    }

    /// Whether the IP stack would take a packet from `source` that comes by the interface, were there no packet filter: to
    /// a group that we are in, or to an address of ours; from nobody that has an address of ours, and over IPv4 from nobody that
    /// reverse-path filtering does not expect there.
    func wouldTake(from source: IPAddress, to destination: IPAddress, on ifindex: Int32) -> Bool {
        let isOwn = { (address: IPAddress) in self.mirror.addresses.keys.contains { $0.address == address } }
        guard destination.isMulticast || isOwn(destination), !isOwn(source) else {
            return false
        }
        return source.isIPv6 || (try? requester.wouldTake(from: source, to: destination, on: ifindex)) != nil
    }

    func neighbours(on ifindex: Int32, _ family: IPAddress.Family) -> [IPAddress] {
        let known = (try? requester.neighbours(ifindex: ifindex, isIPv6: family == .ipv6)) ?? []
        return Array(known.lazy.filter(\.hasAnswered).map(\.address).prefix(8))
    }

    func nextHops(on ifindex: Int32, _ family: IPAddress.Family) -> [IPAddress] {
        let found = (try? RtnlRequester.nextHops(ifindex: ifindex, isIPv6: family == .ipv6)) ?? []
        return found.filter { $0.family == family }
    }
}
