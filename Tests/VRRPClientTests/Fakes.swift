/// A kernel that is a table, a wire without sockets, a runner that runs nothing, and a group between them. What they are asked
/// to do goes into one journal, so that a test sees the order across all three.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import Testing

@testable import VRRP
@testable import VRRPClient

/// Something that a group has done.
enum Deed: Equatable {
    case added(IPAddress)
    case removed(IPAddress)
    case addedRoute(IPPrefix)
    case removedRoute(IPPrefix)
    case addedRule(priority: UInt32)
    case removedRule(priority: UInt32)
    case sentAdvert(priority: UInt8)
    /// ARP or ND: a question or an announcement.
    case sentByLink
    case asked(IPAddress)
    case ran(ProgramName)
    case became(GroupState)
}

final class Journal {
    private(set) var deeds: [Deed] = []
    var onDeed: () -> Void = {}

    func note(_ deed: Deed) {
        deeds.append(deed)
        onDeed()
    }

    func forget() { deeds = [] }

    /// Where it happened first; nil: not at all.
    func place(of deed: Deed) -> Int? { deeds.firstIndex(of: deed) }
}

final class FakeKernel: Kernel, KernelRequests {
    let journal: Journal
    var links: [Int32: Link] = [:]
    var addresses: [AddressKey: Address] = [:]
    var routes: [RouteKey: [Route]] = [:]
    var rules: Set<PolicyRule> = []
    var followed: Set<IPAddress> = []
    var neighbours: [IPAddress] = []
    /// Why it adds no address; nil: it does.
    var refusalOfAddresses: RtnlError?
    /// The same for rules.
    var refusalOfRules: RtnlError?
    private(set) var refreshCount = 0
    let switches = InterfaceSwitches { _ in nil }

    init(journal: Journal) { self.journal = journal }

    func addLink(_ ifindex: Int32, _ name: String, mac: [UInt8], address: String) throws {
        var link = Link(ifindex: ifindex, name: name)
        link.flags = [.up, .running, .lowerUp]
        link.mtu = 1500
        link.address = HardwareAddress(mac)
        links[ifindex] = link
        let key = AddressKey(ifindex: ifindex, address: try #require(IPAddress(address)), prefixLength: 24)
        addresses[key] = Address(key: key)
    }

    // MARK: What is known

    func link(named name: String) -> Link? { links.values.first { $0.name == name } }
    func isFollowed(_ address: IPAddress) -> Bool { followed.contains(address) }
    func places(of address: IPAddress) -> [Address] { addresses.values.filter { $0.key.address == address } }
    func routes(at key: RouteKey) -> [Route] { routes[key] ?? [] }
    func hasRule(_ rule: PolicyRule) -> Bool { rules.contains(rule) }
    func routes(to destination: IPPrefix, table: UInt32) -> [Route] {
        routes.values.joined().filter { $0.key.destination == destination && $0.key.table == table }
    }
    func routes(isIPv6: Bool, table: UInt32, routeProtocol: UInt8) throws(RtnlError) -> [Route] {
        routes.values.joined().filter {
            $0.key.destination.address.isIPv6 == isIPv6 && $0.key.table == table && $0.routeProtocol == routeProtocol
        }
    }
    func neighbours(on ifindex: Int32, _ family: IPAddress.Family) -> [IPAddress] { neighbours }
    func nextHops(on ifindex: Int32, _ family: IPAddress.Family) -> [IPAddress] { [] }

    /// The addresses that this process has added.
    var ours: [AddressKey] { addresses.values.filter(LegAddresses.isOurs).map(\.key) }

    // MARK: What is asked

    var requests: any KernelRequests { self }
    var refreshes: any KernelRequests { self }
    var refusal: RtnlError? { refusalOfAddresses }

    func remove(_ keys: [AddressKey]) -> [RtnlError?] {
        keys.map { key in
            guard addresses.removeValue(forKey: key) != nil else { return RtnlError(.addressNotAvailable) }
            journal.note(.removed(key.address))
            return nil
        }
    }

    func perform(_ requests: [RtnlRequest]) throws(Errno) -> [RtnlError?] { requests.map(answer) }

    func perform(_ request: RtnlRequest) throws(RtnlError) { if let refused = answer(request) { throw refused } }

    private func answer(_ request: RtnlRequest) -> RtnlError? {
        switch request {
        case .putAddress(let wanted): return put(wanted)
        case .addRoute(let wanted): return add(wanted)
        case .removeRoute(let wanted):
            return remove(wanted)
        case .addRule(let wanted):
            if let refusalOfRules { return refusalOfRules }
            guard rules.insert(wanted).inserted else { return RtnlError(.fileExists) }
            journal.note(.addedRule(priority: wanted.priority))
            return nil
        case .removeRule(let wanted):
            guard rules.remove(wanted) != nil else { return RtnlError(.noSuchFileOrDirectory) }
            journal.note(.removedRule(priority: wanted.priority))
            return nil
        default: return nil
        }
    }

    private func add(_ wanted: RouteRequest) -> RtnlError? {
        guard routes[wanted.key]?.isEmpty ?? true else { return RtnlError(.fileExists) }
        // It must be there when a route prefers it.
        if let source = wanted.source, !addresses.keys.contains(where: { $0.address == source }) {
            return RtnlError(.invalidArgument)
        }
        var route = Route(key: wanted.key)
        route.routeProtocol = wanted.routeProtocol
        route.preferredSource = wanted.source
        route.hops = [RouteHop(ifindex: wanted.ifindex, gateway: wanted.gateway)]
        routes[wanted.key] = [route]
        journal.note(.addedRoute(wanted.key.destination))
        return nil
    }

    /// As the kernel does: metric 0 is any, the lowest first; a way that is not given is any as well.
    private func remove(_ wanted: RouteRequest) -> RtnlError? {
        let candidates = routes(to: wanted.key.destination, table: wanted.key.table)
            .filter { [0, $0.key.metric].contains(wanted.key.metric) && $0.routeProtocol == wanted.routeProtocol }
            .filter { route in
                route.hops.contains { hop in
                    [0, hop.ifindex].contains(wanted.ifindex)
                        && (wanted.gateway == nil || wanted.gateway == hop.gateway)
                }
            }
        guard let going = candidates.min(by: { $0.key.metric < $1.key.metric }) else {
            return RtnlError(.noSuchProcess)
        }
        routes[going.key]?.removeAll { $0 == going }
        journal.note(.removedRoute(wanted.key.destination))
        return nil
    }

    private func put(_ wanted: AddressRequest) -> RtnlError? {
        if let refusalOfAddresses { return refusalOfAddresses }
        var address = Address(key: wanted.key)
        address.addressProtocol = wanted.addressProtocol
        address.hasLease = wanted.validSeconds != nil
        addresses[wanted.key] = address
        journal.note(.added(wanted.key.address))
        return nil
    }

    func link(named name: String) throws(RtnlError) -> Link {
        guard let link: Link = link(named: name) else { throw RtnlError(.noSuchAddressOrDevice) }
        return link
    }

    func link(ifindex: Int32) throws(RtnlError) -> Link {
        guard let link: Link = links[ifindex] else { throw RtnlError(.noSuchAddressOrDevice) }
        return link
    }

    func encode(_ requests: [RtnlRequest]) -> [UInt8]? { [UInt8(clamping: requests.count)] }
    func post(_ message: [UInt8]) throws(Errno) { refreshCount += 1 }
    func flush() throws(Errno) {}
}

final class FakePort: AdvertPort {
    private let family: IPAddress.Family
    private let journal: Journal
    private(set) var receivers: [UInt8: AdvertReceiver] = [:]
    /// What comes of sending.
    var outcome = SendOutcome.sent
    var isFiltered = false
    private(set) var lastAdvert: Advert?

    init(_ family: IPAddress.Family, journal: Journal) {
        self.family = family
        self.journal = journal
    }

    func listen(_ vrid: UInt8, _ receiver: AdvertReceiver) throws(Errno) { receivers[vrid] = receiver }
    func stopListening(_ vrid: UInt8) { receivers[vrid] = nil }

    /// Takes only what a receiver would take.
    func send(_ packet: [UInt8], to destination: IPAddress) -> SendOutcome {
        if case .failed = outcome { return outcome }
        do throws(Discard) {
            let header = try IPHeader(family, packet: packet.span)
            try header.verify(packet.span)
            let advert = try AdvertCodec.decode(packet.span, header: header) { receivers[$0]?.expectation }
            lastAdvert = advert
            journal.note(.sentAdvert(priority: advert.priority))
        } catch { Issue.record("a packet that nobody would take: \(error)") }
        return outcome
    }

    /// An advert arrives.
    func hear(_ advert: Advert, from mac: MACAddress) throws { try receivers[advert.vrid]?.deliver(advert, mac) }
}

final class FakeWire: Wire {
    private let journal: Journal
    private var ports: [SocketKey: FakePort] = [:]
    private var claims: [ObjectIdentifier: (IPAddress, MACAddress) -> Void] = [:]
    /// Who answers for which address, and with what MAC address.
    var hosts: [IPAddress: MACAddress] = [:]

    init(journal: Journal) { self.journal = journal }

    func made(_ key: SocketKey) -> FakePort {
        let port = ports[key] ?? FakePort(key.family, journal: journal)
        ports[key] = port
        return port
    }

    func port(_ key: SocketKey) throws(Errno) -> any AdvertPort { made(key) }
    func openPort(_ key: SocketKey) -> (any AdvertPort)? { ports[key] }
    func release(_ key: SocketKey, vrid: UInt8) { ports[key]?.stopListening(vrid) }
    func sender(_ key: SocketKey) throws(Errno) -> any AdvertSender { made(key) }

    func send(_ packet: [UInt8], _ kind: LinkSender.Kind, to mac: [UInt8], on ifindex: Int32) -> Errno? {
        journal.note(.sentByLink)
        return nil
    }

    func watchClaims(
        of addresses: [IPAddress], on ifindex: Int32, for owner: AnyObject,
        heard: @escaping (IPAddress, MACAddress) -> Void
    ) {
        claims[ObjectIdentifier(owner)] = heard
    }

    func stopWatchingClaims(for owner: AnyObject) { claims[ObjectIdentifier(owner)] = nil }

    /// Another station says that it has an address.
    func claim(_ address: IPAddress, by mac: MACAddress) { for heard in claims.values { heard(address, mac) } }

    func ask(
        _ targets: [IPAddress], on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void
    ) {
        for target in targets {
            journal.note(.asked(target))
            if let mac = hosts[target] { answered(target, mac) }
        }
    }

    func askAllNodes(
        on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void
    ) {}

    func speakers(on ifindex: Int32) -> [IPAddress] { [] }
}

final class FakeRunner: ProgramRunner {
    struct Run {
        var name: ProgramName
        var after: UInt32?
        var completion: (ProgramResult) -> Void
    }
    private let journal: Journal
    /// By its number less one.
    private(set) var runs: [Run] = []
    private(set) var lastWords: [LastWord] = []

    init(journal: Journal = Journal()) { self.journal = journal }

    func run(_ name: ProgramName, after: UInt32?, completion: @escaping (ProgramResult) -> Void) -> UInt32 {
        runs.append(Run(name: name, after: after, completion: completion))
        journal.note(.ran(name))
        return UInt32(runs.count)
    }

    /// The program with that number ends.
    func end(_ number: Int, _ ending: ProgramResult.Ending = .exited(0)) {
        runs[number - 1].completion(ProgramResult(ending))
    }

    func keep(_ word: LastWord) -> Bool {
        lastWords.append(word)
        return true
    }

    func forget(_ speaker: LastWord.Speaker) { lastWords.removeAll { $0.speaker == speaker } }
}

/// One group on a machine that is not there.
final class World {
    let loop: EventLoop
    let journal = Journal()
    let kernel: FakeKernel
    let wire: FakeWire
    let runner: FakeRunner
    let services: GroupServices
    let group: GroupDriver
    private(set) var published: [Output] = []
    private var repeating: EventLoop.TimerID?

    static let mac: [UInt8] = [2, 0, 0, 0, 0, 1]
    static let peer = IPAddress(ipv4: 0xc000_0203)
    static let peerMAC = MACAddress(number: 0x0200_0000_0003)
    static let virtual = IPAddress(ipv4: 0xc000_0201)

    static let text = """
        [instance.lan]
        interface = "eth0"
        vrid = 7
        priority = 100
        advert-interval = "10ms"
        addresses = ["192.0.2.1/24"]
        announce-count = 1

        """

    /// - Parameter text: of vrrp.toml.
    init(_ text: String = World.text) throws {
        let configuration = try VRRPConfiguration(text: Array(text.utf8), file: "test")
        loop = try EventLoop()
        kernel = FakeKernel(journal: journal)
        wire = FakeWire(journal: journal)
        runner = FakeRunner(journal: journal)
        try kernel.addLink(2, "eth0", mac: Self.mac, address: "192.0.2.2")
        kernel.followed = Set(configuration.groups.flatMap(\.instances).flatMap(\.addresses).map(\.address))
        services = GroupServices(
            loop: loop, wire: wire, kernel: kernel, links: LinkWatch(kernel: kernel, loop: loop),
            leases: LeaseKeeper(kernel: kernel, loop: loop), runner: runner)
        group = GroupDriver(try #require(configuration.groups.first), services: services)
        services.happened = { [unowned self] output, _ in
            published.append(output)
            if case .transition(let transition) = output { journal.note(.became(transition.to)) }
        }
    }

    deinit {
        if let repeating { loop.cancel(repeating) }
        services.happened = { _, _ in }
        group.shutDown()
    }

    var port: FakePort { wire.made(SocketKey(ifindex: 2, family: .ipv4)) }

    func begin() {
        services.links.begin()
        group.bindAll()
        group.start()
    }

    /// Begins, and runs until it is master.
    func serve() throws {
        begin()
        try run { $0.group.engine.status.state == .master && $0.journal.deeds.contains(.sentAdvert(priority: 100)) }
    }

    /// Runs the loop until something is so, which is looked at after each deed.
    func run(until isSo: @escaping (World) -> Bool, _ location: SourceLocation = #_sourceLocation) throws {
        var isLate = false
        // A look may still be due when the loop has ended.
        var isOver = false
        let look = { [unowned self] in if !isOver, isSo(self) { loop.stop() } }
        journal.onDeed = { [unowned self] in loop.schedule(atNs: 0, look) }
        loop.schedule(atNs: 0, look)
        let limit = loop.schedule(atNs: loop.nowNs + 20_000_000_000) { [unowned self] in
            isLate = true
            loop.stop()
        }
        try loop.run()
        isOver = true
        loop.cancel(limit)
        journal.onDeed = {}
        #expect(!isLate, "not within 20 s: \(journal.deeds.suffix(10))", sourceLocation: location)
    }

    /// The peer sends adverts from now on, one each interval, until `peerEnds`.
    func peerServes(priority: UInt8) {
        let port = port
        func next() {
            try? port.hear(
                Advert(
                    vrid: 7, priority: priority, intervalNs: 10_000_000, addresses: [Self.virtual], source: Self.peer),
                from: Self.peerMAC)
            repeating = loop.schedule(atNs: loop.nowNs + 5_000_000, next)
        }
        next()
    }

    func peerEnds() {
        if let repeating { loop.cancel(repeating) }
        repeating = nil
    }

    /// The link is there, with a carrier or without, and the kernel says so.
    func linkBecomes(carrier: Bool) {
        kernel.links[2]?.carrier = carrier
        services.links.tell(of: ["eth0"])
    }

    /// Somebody takes an address away, and the kernel says so.
    func takeAway(_ key: AddressKey) {
        kernel.addresses[key] = nil
        group.addressesChanged([key])
    }
}
