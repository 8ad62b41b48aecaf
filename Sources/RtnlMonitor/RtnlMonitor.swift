/// The kernel's links, tracked routes, rules and addresses, mirrored: the sockets, and the order in which they are read.
///
/// Three sockets: link events; route, nexthop, rule and address events, behind a filter; requests. Groups are joined before
/// anything is dumped, so that nothing falls in between. Dumps are read step by step as the socket gets readable, with
/// events read in between; no call reads more than a fixed number of datagrams, so that a storm starves nobody.
///
/// An overrun (`ENOBUFS`) cannot be avoided, so it is repaired: the generation is incremented, `resync` is announced,
/// everything the socket follows is dumped again, and the differences are announced. `NETLINK_NO_ENOBUFS` would hide
/// overruns.
///
/// It brings no loop and no clock: wait for any of `descriptors` to be readable and call `handleReadable`, and call
/// `advance` at `nextDeadlineNs`. All on one thread, and in the network namespace where it was made.
import CMnl
import LinuxSystem
import SystemPackage

public final class RtnlMonitor {
    /// What to mirror, and how.
    public struct Options: Sendable {
        /// The routes to follow; nil: none.
        public var routes: RouteTracking?
        /// Whether addresses are mirrored.
        public var addresses: Bool
        /// The protocol whose policy rules are mirrored; nil: none are. Only together with
        /// `addresses`, as the filter of the other socket drops them.
        public var rules: UInt8?
        /// The receive buffer of each event socket, bytes. Beyond `net.core.rmem_max` only with CAP_NET_ADMIN.
        public var receiveBufferBytes: Int32
        /// The most datagrams that one call reads from one socket.
        public var budget: Int
        /// Leases that this port refreshes are not listened to: `RtnlRequester.port` of one that does nothing else. An
        /// address that such a request had to add anew, as it had gone meanwhile, is announced.
        public var quietPort: UInt32?
        /// The `IFA_PROTO` by which IPv6 addresses of `quietPort` are known, as IPv6 does not name the port; 0: none is.
        public var quietProtocol: UInt8

        public init(
            routes: RouteTracking? = RouteTracking(), addresses: Bool = false, rules: UInt8? = nil,
            receiveBufferBytes: Int32 = 4 << 20, budget: Int = 256, quietPort: UInt32? = nil, quietProtocol: UInt8 = 0
        ) {
            self.routes = routes
            self.addresses = addresses
            self.rules = rules
            self.receiveBufferBytes = receiveBufferBytes
            self.budget = max(1, budget)
            self.quietPort = quietPort
            self.quietProtocol = quietProtocol
        }
    }

    /// Counters since the start.
    public struct Statistics: Hashable, Sendable {
        /// Messages decoded, those of dumps included.
        public var messages = 0
        /// Messages of no concern.
        public var ignored = 0
        /// Messages that could not be decoded.
        public var malformed = 0
        /// Datagrams that did not come from the kernel.
        public var foreign = 0
        /// Times that an event socket lost messages.
        public var overruns = 0
        /// Dumps completed.
        public var dumps = 0
        /// Dumps that had to be made again.
        public var dumpRetries = 0
    }

    private let options: Options
    private let linkEvents: any RtnlChannel
    private let otherEvents: (any RtnlChannel)?
    let requests: any RtnlChannel
    private let buffer = RtnlBuffer()
    private let requestBuffer = RtnlBuffer()

    private var linkMirror = LinkMirror()
    private var routeMirror: RouteMirror?
    private var addressMirror: AddressMirror?
    private var ruleMirror: RuleMirror?
    private var queue = DumpQueue()
    private var dump: Dump?
    private var sequence: UInt32 = 0
    private var unsynced: Set<DumpKind>
    /// The kinds of which messages were lost, until what was waiting before is read.
    private var lossy: Set<DumpKind> = []
    private var toldDegradation: [DumpKind: Degradation] = [:]
    private var lastRouteDump: (endedNs: Int64, tookNs: Int64) = (0, 0)
    private var lastLinkDump: (endedNs: Int64, tookNs: Int64) = (0, 0)
    private var lateRecheckNs: Int64?

    /// How often messages were lost, plus 1.
    public private(set) var generation = 1
    public private(set) var statistics = Statistics()

    /// Opens the sockets and joins the groups; nothing is asked for yet.
    ///
    /// - Throws: what the kernel said; no privilege is needed.
    public convenience init(options: Options = Options()) throws(Errno) {
        let groups = Self.groups(options)
        let filter = RouteFilter(
            tracking: options.routes, addresses: options.addresses,
            quiet: options.quietPort.map { .init(port: $0, addressProtocol: options.quietProtocol) })
        self.init(
            options: options,
            linkEvents: try RtnlSocket(groups: [RTNLGRP_LINK], receiveBufferBytes: options.receiveBufferBytes),
            otherEvents: groups.isEmpty
                ? nil
                : try RtnlSocket(
                    // Kernels before 5.3 have no nexthop objects.
                    groups: groups, optionalGroups: options.routes == nil ? [] : [RTNLGRP_NEXTHOP],
                    receiveBufferBytes: options.receiveBufferBytes, filter: filter),
            requests: try RtnlSocket())
    }

    init(
        options: Options, linkEvents: any RtnlChannel, otherEvents: (any RtnlChannel)?, requests: any RtnlChannel
    ) {
        self.options = options
        self.linkEvents = linkEvents
        self.otherEvents = otherEvents
        self.requests = requests
        routeMirror = options.routes.map(RouteMirror.init)
        addressMirror = options.addresses ? AddressMirror() : nil
        ruleMirror = options.rules.map(RuleMirror.init)
        unsynced = Self.mirrored(options)
    }

    private static func groups(_ options: Options) -> [rtnetlink_groups] {
        var groups: [rtnetlink_groups] = []
        if let routes = options.routes {
            if routes.tracks(isIPv6: false) { groups += [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_IFADDR] }
            if routes.tracks(isIPv6: true) { groups.append(RTNLGRP_IPV6_ROUTE) }
        }
        if options.addresses {
            if !groups.contains(RTNLGRP_IPV4_IFADDR) { groups.append(RTNLGRP_IPV4_IFADDR) }
            groups.append(RTNLGRP_IPV6_IFADDR)
        }
        if options.rules != nil { groups += [RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE] }
        return groups
    }
}

// MARK: - What is known

extension RtnlMonitor {
    /// The links, by ifindex.
    public var links: [Int32: Link] { linkMirror.links }

    /// The tracked routes, in no particular order.
    public var routes: [Route] { routeMirror?.all ?? [] }

    /// The tracked routes of one key: more than one where somebody has added another beside.
    public func routes(at key: RouteKey) -> [Route] { routeMirror?.routes[key] ?? [] }

    /// How many there are.
    public var routeCount: Int { routeMirror?.publishedCount ?? 0 }

    /// The addresses, if they are mirrored.
    public var addresses: [AddressKey: Address] { addressMirror?.addresses ?? [:] }

    /// The rules of the protocol that is mirrored.
    public var rules: Set<PolicyRule> { ruleMirror?.rules ?? [] }

    /// Whether everything has been read completely once, and again after each overrun.
    public var isSynced: Bool { unsynced.isEmpty }

    /// Whether this kind has been.
    public func isSynced(_ kind: DumpKind) -> Bool { !unsynced.contains(kind) }

    /// Whether everything has been read, or reading has failed for good and the monitor is degraded.
    public var hasBeenRead: Bool { unsynced.allSatisfy { queue.degraded[$0] != nil } }

    /// What has not been readable completely for a while, and why; empty: nothing.
    public var degradation: [DumpKind: Degradation] {
        var degradation = queue.degraded
        if routeMirror?.isOverfull == true { degradation[.routes] = .tooManyRoutes }
        return degradation
    }

    /// The link of that name or alternative name.
    public func link(named name: String) -> Link? {
        links.values.first { $0.name == name } ?? links.values.first { $0.altnames.contains(name) }
    }
}

// MARK: - What a loop calls

extension RtnlMonitor {
    /// The descriptors to watch for readability; they stay the same.
    public var descriptors: [CInt] { [linkEvents.fd, requests.fd] + (otherEvents.map { [$0.fd] } ?? []) }

    /// Requests everything from the kernel. The answers come by `handleReadable`.
    public func start(nowNs: Int64) -> [MirrorChange] {
        for kind in unsynced { queue.want(kind, notBeforeNs: nowNs) }
        return advance(nowNs: nowNs)
    }

    /// Asks for the links once more: not everything about an interface that is down is announced (`LinkMirror`). Not at once
    /// again, and for at most a tenth of the time.
    ///
    /// - Returns: changes so far, as `advance` does; the others come while `isReadingLinks`.
    public func askForLinks(nowNs: Int64) -> [MirrorChange] {
        let notBeforeNs = lastLinkDump.endedNs + max(Self.linksPauseNs, 10 * lastLinkDump.tookNs)
        guard isSynced(.links), nowNs >= notBeforeNs else { return [] }
        queue.want(.links, notBeforeNs: nowNs)
        return advance(nowNs: nowNs)
    }

    /// Whether the links are being asked for.
    public var isReadingLinks: Bool { queue.degraded[.links] == nil && queue.isAwaited(.links) }

    private static let linksPauseNs: Int64 = 1_000_000_000

    /// When `advance` must be called, CLOCK_MONOTONIC; nil: only after `handleReadable`.
    public var nextDeadlineNs: Int64? {
        // After messages were lost, a socket that has just been emptied is read once more.
        if !lossy.isEmpty { return 0 }
        return [dump?.deadlineNs, queue.deadlineNs, lateRecheckNs].compactMap(\.self).min()
    }

    /// Runs whatever is due.
    public func advance(nowNs: Int64) -> [MirrorChange] {
        var changes: [MirrorChange] = []
        if let dump, dump.deadlineNs <= nowNs { endDump(.silent, nowNs, &changes) }
        if !lossy.isDisjoint(with: Self.linkKinds) { readEvents(linkEvents, Self.linkKinds, nowNs, &changes) }
        if let otherEvents, !lossy.isDisjoint(with: Self.otherKinds) {
            readEvents(otherEvents, Self.otherKinds, nowNs, &changes)
        }
        settle(nowNs, &changes)
        return changes
    }

    /// Reads from a descriptor that is readable, up to the budget. It stays readable while there is more.
    public func handleReadable(_ fd: CInt, nowNs: Int64) -> [MirrorChange] {
        var changes: [MirrorChange] = []
        if fd == requests.fd {
            readDump(nowNs, &changes)
        } else {
            // The state of a route depends on its links, so link messages are read first.
            readEvents(linkEvents, Self.linkKinds, nowNs, &changes)
            if let otherEvents, fd == otherEvents.fd {
                readEvents(otherEvents, Self.otherKinds, nowNs, &changes)
            }
        }
        settle(nowNs, &changes)
        return changes
    }

    /// Starts the next dump if it is time, and says so if consistency changed.
    private func settle(_ nowNs: Int64, _ changes: inout [MirrorChange]) {
        if routeMirror?.isDoubtful == true {
            routeMirror?.isDoubtful = false
            recheckRoutes(nowNs + Self.recheckNs)
            lateRecheckNs = nowNs + Self.lateRecheckNs
        }
        if let late = lateRecheckNs, late <= nowNs {
            lateRecheckNs = nil
            recheckRoutes(nowNs)
        }
        while dump == nil, let kind = queue.next(nowNs: nowNs) { startDump(kind, nowNs, &changes) }
        let degradation = degradation
        if degradation != toldDegradation {
            toldDegradation = degradation
            changes.append(.degraded(degradation))
        }
    }

    /// The kernel announces the cause before it acts, so routes are asked for a little later; with a full table, acting
    /// takes it long, so they are asked for again.
    private static let recheckNs: Int64 = 20_000_000
    private static let lateRecheckNs: Int64 = 500_000_000

    /// Reading a full table takes long: at most a tenth of the time is spent on that.
    private func recheckRoutes(_ notBeforeNs: Int64) {
        queue.want(.routes, notBeforeNs: max(notBeforeNs, lastRouteDump.endedNs + 10 * lastRouteDump.tookNs))
    }
}

// MARK: - Events

extension RtnlMonitor {
    private static let linkKinds: Set<DumpKind> = [.links]
    private static let otherKinds: Set<DumpKind> = [.routes, .addresses, .rules]

    private func readEvents(
        _ socket: any RtnlChannel, _ kinds: Set<DumpKind>, _ nowNs: Int64, _ changes: inout [MirrorChange]
    ) {
        var left = options.budget
        // What is left is read in the next turns, also after a loss.
        while left > 0 {
            left -= 1
            switch Result(catching: { () throws(Errno) in try socket.receive(buffer) }) {
            case .success(.nothing): return lossy.isEmpty ? () : drained(lossy.intersection(kinds), nowNs)
            case .success(.foreign): statistics.foreign += 1
            case .success(.datagram(let count)):
                buffer.decode(count) { header, message in handleEvent(header, message, &changes) }
            case .success(.overrun), .success(.tooLong): overrun(kinds.intersection(mirrored), &changes)
            case .failure: return overrun(kinds.intersection(mirrored), &changes)
            }
        }
    }

    private var mirrored: Set<DumpKind> { Self.mirrored(options) }

    private static func mirrored(_ options: Options) -> Set<DumpKind> {
        var kinds: Set<DumpKind> = [.links]
        if options.routes != nil { kinds.insert(.routes) }
        if options.addresses { kinds.insert(.addresses) }
        if options.rules != nil { kinds.insert(.rules) }
        return kinds
    }

    private func overrun(_ kinds: Set<DumpKind>, _ changes: inout [MirrorChange]) {
        statistics.overruns += 1
        generation += 1
        unsynced.formUnion(kinds)
        lossy.formUnion(kinds)
        changes.append(.resync(generation: generation))
    }

    /// Messages that were already waiting when others were lost are older than the dump, and would be taken for newer.
    /// So they are read before the dump is requested. The kernel drops all further messages until the socket is empty,
    /// so this ends.
    private func drained(_ kinds: Set<DumpKind>, _ nowNs: Int64) {
        lossy.subtract(kinds)
        for kind in kinds {
            if queue.current?.kind == kind { dump?.spoil(.changing) } else { queue.want(kind, notBeforeNs: nowNs) }
        }
    }

    private func handleEvent(_ header: RtnlHeader, _ message: RtnlMessage, _ changes: inout [MirrorChange]) {
        statistics.messages += 1
        switch message {
        case .link(let link, let isRemoval): handleLink(&changes) { $0.apply(link, isRemoval: isRemoval, &$1) }
        case .route(let route, let isRemoval):
            routeMirror?.apply(
                route, isRemoval: isRemoval, isReplacement: header.isReplacement, linkMirror.links, &changes)
        case .nexthop: routeMirror?.nexthopChanged()
        case .address(let address, let isRemoval):
            addressMirror?.apply(address, isRemoval: isRemoval, &changes)
            if isRemoval { routeMirror?.addressRemoved(address) }
        case .rule(let rule, let isRemoval): ruleMirror?.apply(rule, isRemoval: isRemoval, &changes)
        case .malformed: statistics.malformed += 1
        case .neighbour, .done, .reply, .ignored: statistics.ignored += 1
        }
    }

    /// Lets the link mirror change, and then the routes that are seen through it.
    private func handleLink(
        _ changes: inout [MirrorChange], _ body: (inout LinkMirror, inout [MirrorChange]) -> Void
    ) {
        let first = changes.count
        body(&linkMirror, &changes)
        guard routeMirror != nil else { return }
        for index in first..<changes.count {
            switch changes[index] {
            case .linkAdded(let link), .linkRemoved(let link):
                routeMirror?.linkChanged(link.ifindex, linkMirror.links, &changes)
            case .linkChanged(let old, let new), .linkRenamed(let old, let new):
                let relevant: LinkFlags = [.up, .running, .lowerUp]
                if old.flags.intersection(relevant) == new.flags.intersection(relevant) { continue }
                routeMirror?.linkChanged(new.ifindex, linkMirror.links, &changes)
            default: break
            }
        }
    }
}

// MARK: - Dumps

/// A dump under way: the requests still to be made for it, and the number of the one being answered.
private struct Dump {
    enum Request: Equatable {
        case links
        case addresses
        case routes(isIPv6: Bool)
        case nexthops
        case rules
    }

    let kind: DumpKind
    var remaining: [Request]
    /// The request that is being answered.
    var asked: Request?
    var sequence: UInt32 = 0
    /// Why it is no good: a part of it was interrupted, failed or overtaken by an overrun; nil: nothing was.
    var flaw: Degradation?
    var hasNexthops = false
    /// When to give up on an answer.
    var deadlineNs: Int64

    /// The first failure is kept, as it explains later ones, unless it is only a passing one.
    mutating func spoil(_ why: Degradation) {
        if flaw?.isPassing ?? true { flaw = why }
    }
}

extension RtnlMonitor {
    private static let answerTimeoutNs: Int64 = 5_000_000_000

    private func startDump(_ kind: DumpKind, _ nowNs: Int64, _ changes: inout [MirrorChange]) {
        var steps: [Dump.Request] = []
        switch kind {
        case .links:
            steps = [.links]
            linkMirror.beginDump()
        case .addresses:
            steps = [.addresses]
            addressMirror?.beginDump()
        case .routes:
            for isIPv6 in [false, true] where options.routes?.tracks(isIPv6: isIPv6) == true {
                steps.append(.routes(isIPv6: isIPv6))
            }
            routeMirror?.beginDump()
        case .rules:
            steps = [.rules]
            ruleMirror?.beginDump()
        }
        dump = Dump(kind: kind, remaining: steps, deadlineNs: nowNs + Self.answerTimeoutNs)
        nextStep(nowNs, &changes)
    }

    /// Sends the dump's next request, or ends it when there is none.
    private func nextStep(_ nowNs: Int64, _ changes: inout [MirrorChange]) {
        guard var dump else { return }
        guard !dump.remaining.isEmpty else { return endDump(nil, nowNs, &changes) }
        let request = dump.remaining.removeFirst()
        sequence &+= 1
        dump.sequence = sequence
        dump.asked = request
        dump.deadlineNs = nowNs + Self.answerTimeoutNs
        self.dump = dump
        do throws(Errno) { try send(request) } catch { endDump(.refused(RtnlError(error)), nowNs, &changes) }
    }

    private func send(_ request: Dump.Request) throws(Errno) {
        requestBuffer.clear()
        let fits =
            switch request {
            case .links:
                // Statistics are not used here, and without them a link takes a third of the space.
                add(RTM_GETLINK, ifinfomsg()) { $0.put(Int(IFLA_EXT_MASK), UInt32(RTEXT_FILTER_SKIP_STATS)) }
            case .addresses: add(RTM_GETADDR, ifaddrmsg())
            case .nexthops: add(RTM_GETNEXTHOP, nhmsg())
            // Of all families.
            case .rules: add(RTM_GETRULE, fib_rule_hdr())
            case .routes(let isIPv6): addRoutes(isIPv6: isIPv6)
            }
        guard fits else { throw .messageTooLong }
        try requests.send(requestBuffer)
    }

    /// With one table to look into, the kernel (since 4.20) leaves the others out of the dump.
    private func addRoutes(isIPv6: Bool) -> Bool {
        var fixed = rtmsg()
        fixed.rtm_family = UInt8(isIPv6 ? AF_INET6 : AF_INET)
        let tables = options.routes?.tables ?? []
        return add(RTM_GETROUTE, fixed) { if tables.count == 1 { $0.put(Int(RTA_TABLE.rawValue), tables[0]) } }
    }

    private func add<Fixed: BitwiseCopyable>(
        _ type: Int, _ fixed: Fixed, _ attributes: (inout RtnlAttributes) -> Void = { _ in }
    ) -> Bool {
        requestBuffer.add(type: type, flags: NLM_F_DUMP, sequence: sequence, fixed, attributes)
    }

    /// The kernel makes the next part of a dump while the one before is being read, so a few at a time will do.
    private func readDump(_ nowNs: Int64, _ changes: inout [MirrorChange]) {
        for _ in 0..<min(options.budget, 16) {
            switch Result(catching: { () throws(Errno) in try requests.receive(buffer) }) {
            case .success(.nothing): return
            case .success(.foreign): statistics.foreign += 1
            case .success(.datagram(let count)):
                dump?.deadlineNs = nowNs + Self.answerTimeoutNs
                var isStepOver = false
                buffer.decode(count) { handleDumped($0, $1, &isStepOver, &changes) }
                if isStepOver { nextStep(nowNs, &changes) }
            case .success(.overrun): return endDump(.changing, nowNs, &changes)
            case .success(.tooLong(let count)): return endDump(.tooLong(count), nowNs, &changes)
            case .failure(let error): return endDump(.refused(RtnlError(error)), nowNs, &changes)
            }
        }
    }

    private func handleDumped(
        _ header: RtnlHeader, _ message: RtnlMessage, _ isStepOver: inout Bool, _ changes: inout [MirrorChange]
    ) {
        statistics.messages += 1
        // Answers to a dump that was given up on.
        guard let current = dump, header.sequence == current.sequence else { return statistics.ignored += 1 }
        if header.isInterrupted { dump?.spoil(.changing) }
        // Entries that were not asked for are ignored: a kernel without IPv6 lists the routes of every family instead.
        switch (message, current.asked) {
        case (.link(let link, isRemoval: false), .links): handleLink(&changes) { $0.applyDumped(link, &$1) }
        case (.address(let address, isRemoval: false), .addresses): addressMirror?.applyDumped(address, &changes)
        case (.route(let route, isRemoval: false), .routes(let isIPv6))
        where route.key.destination.address.isIPv6 == isIPv6:
            routeMirror?.applyDumped(route)
        case (.rule(let rule, isRemoval: false), .rules): ruleMirror?.applyDumped(rule, &changes)
        case (.nexthop(let nexthop, isRemoval: false), .nexthops): routeMirror?.applyDumped(nexthop)
        case (.done(let error), _), (.reply(let error), _):
            isStepOver = true
            // A table that does not exist (yet) is an empty one.
            if let error, error.errno != .noSuchFileOrDirectory || current.kind != .routes {
                dump?.spoil(error.errno == .interrupted ? .changing : .refused(error))
            }
            if current.kind == .routes { askForNexthops() }
        case (.malformed, _):
            statistics.malformed += 1
            dump?.spoil(.malformed)
        default: statistics.ignored += 1
        }
    }

    /// Only when all routes are read it shows whether their nexthop objects are needed.
    private func askForNexthops() {
        guard let current = dump, current.remaining.isEmpty, !current.hasNexthops, routeMirror?.needsNexthops == true
        else { return }
        dump?.remaining = [.nexthops]
        dump?.hasNexthops = true
    }

    /// - Parameter failure: why it ends early; nil: it has been answered.
    private func endDump(_ failure: Degradation?, _ nowNs: Int64, _ changes: inout [MirrorChange]) {
        guard let ended = dump, let started = queue.current?.startedNs else { return }
        dump = nil
        let flaw = failure ?? ended.flaw
        var isWhole = flaw == nil
        switch ended.kind {
        case .links:
            isWhole = isWhole && !linkMirror.isSpoiled
            handleLink(&changes) { $0.endDump(isWhole: isWhole, &$1) }
            lastLinkDump = (nowNs, nowNs - started)
        case .addresses:
            isWhole = isWhole && addressMirror?.isSpoiled == false
            addressMirror?.endDump(isWhole: isWhole, &changes)
        case .routes:
            isWhole = isWhole && routeMirror?.isSpoiled == false
            routeMirror?.endDump(isWhole: isWhole, linkMirror.links, &changes)
            lastRouteDump = (nowNs, nowNs - started)
        case .rules:
            isWhole = isWhole && ruleMirror?.isSpoiled == false
            ruleMirror?.endDump(isWhole: isWhole, &changes)
        }
        conclude(ended.kind, isWhole ? nil : flaw ?? .changing, nowNs, &changes)
    }

    /// Counts the dump, and announces `synced` when it was the last one missing.
    private func conclude(_ kind: DumpKind, _ flaw: Degradation?, _ nowNs: Int64, _ changes: inout [MirrorChange]) {
        if let flaw {
            statistics.dumpRetries += 1
            return queue.fail(flaw, nowNs: nowNs)
        }
        statistics.dumps += 1
        queue.finish()
        if unsynced.remove(kind) != nil && unsynced.isEmpty { changes.append(.synced(generation: generation)) }
    }
}
