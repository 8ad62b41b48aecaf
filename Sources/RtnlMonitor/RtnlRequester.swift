/// What a VRRP process asks of the kernel: addresses that it leases, routes, rules, macvlan interfaces, neighbours.
///
/// Requests are batched in one datagram with an acknowledgement each. The kernel acts on a datagram before `send`
/// returns, so the answers are there at once; the timeout is for a kernel that does not answer. Requests that are
/// repeated all the time are encoded once and posted without acknowledgements, each of which would be a datagram to
/// read. The kernel waits for the RTNL lock inside `send`, and no timeout covers that.
import Addresses
import CMnl
import LinuxSystem
import SystemPackage

/// An address to be added, or, if it is there, refreshed.
public struct AddressRequest: Hashable, Sendable {
    public var key: AddressKey
    /// How long the kernel keeps it without a refresh, seconds, above 0; nil: for ever. (`IFA_CACHEINFO`, `ifa_valid`)
    public var validSeconds: UInt32?
    /// Whether the kernel may choose it as a source by itself; false: preferred lifetime 0, for IPv6 only.
    public var isPreferred = true
    /// Skip duplicate address detection. (`IFA_F_NODAD`, IPv6)
    public var noDAD = true
    /// Whether it brings no route to its prefix. (`IFA_F_NOPREFIXROUTE`)
    public var noPrefixRoute = false
    /// Who adds it; 0: unspecified. Kernels before 5.18 forget it. (`IFA_PROTO`)
    public var addressProtocol: UInt8 = 0
    /// The name of an IPv4 address, at most 15 bytes; nil: that of its interface. (`IFA_LABEL`)
    public var label: String?
    /// How far an IPv4 address is valid. (`ifa_scope`)
    public var scope: UInt8 = 0
    /// Of IPv4; nil: none. (`IFA_BROADCAST`)
    public var broadcast: IPAddress?

    public init(key: AddressKey, validSeconds: UInt32? = nil) {
        self.key = key
        self.validSeconds = validSeconds
    }
}

/// A route with one way, or to a network on an interface's own link. An IPv4 route lives no longer than the address that it
/// prefers as source: the kernel removes it with that (`fib_sync_down_addr`, net/ipv4/fib_semantics.c).
public struct RouteRequest: Hashable, Sendable {
    /// The destination, the table, and the metric, of which 0 is 1024 for IPv6 (`IP6_RT_PRIO_USER`) and, where a route is
    /// removed, any.
    public var key: RouteKey
    /// The interface; 0: whichever leads to the next router. (`RTA_OIF`)
    public var ifindex: Int32
    /// The next router, of the destination's family; nil: the destination is on the link. (`RTA_GATEWAY`)
    public var gateway: IPAddress?
    /// The address it prefers as source, which must be there and usable. (`RTA_PREFSRC`)
    public var source: IPAddress?
    /// 0 global, 200 site, 253 link, 254 host; where a route is removed, 255: any. IPv6 has none. (`rtm_scope`)
    public var scope: UInt8
    /// Take the next router for one that is on the link, whatever the routes say. (`RTNH_F_ONLINK`)
    public var isOnLink = false
    /// The largest packet by this route, bytes; 0: the interface's. (`RTAX_MTU`)
    public var mtu: UInt32 = 0
    /// Whether a smaller one that is found on the way does not count. (`RTAX_LOCK`)
    public var isMTULocked = false
    /// 1 unicast, 6 blackhole, 7 unreachable, 8 prohibit, 9 throw; where a route is removed, any is. (`rtm_type`)
    public var type: UInt8 = 1
    /// Who adds it. Where a route is removed, only one of this protocol is. (`rtm_protocol`)
    public var routeProtocol: UInt8

    /// The corresponding C constant is `RT_TABLE_MAIN`.
    public static let mainTable: UInt32 = 254
    /// The corresponding C constant is `RT_SCOPE_LINK`.
    public static let linkScope: UInt8 = 253
    /// Any, where a route is removed. The corresponding C constant is `RT_SCOPE_NOWHERE`.
    public static let anyScope: UInt8 = 255

    public init(
        key: RouteKey, ifindex: Int32 = 0, gateway: IPAddress? = nil, source: IPAddress? = nil, scope: UInt8,
        routeProtocol: UInt8
    ) {
        self.key = key
        self.ifindex = ifindex
        self.gateway = gateway
        self.source = source
        self.scope = scope
        self.routeProtocol = routeProtocol
    }
}

/// One thing for the kernel to do.
public enum RtnlRequest: Hashable, Sendable {
    /// Adds the address, or refreshes its lifetimes. (RTM_NEWADDR, `NLM_F_REPLACE`)
    case putAddress(AddressRequest)
    /// RTM_DELADDR; EADDRNOTAVAIL (`.addressNotAvailable`) when it is not there.
    case removeAddress(AddressKey)
    /// Adds the route; EEXIST (`.fileExists`) when there is one of this key. (RTM_NEWROUTE)
    case addRoute(RouteRequest)
    /// RTM_DELROUTE; ESRCH (`.noSuchProcess`) when there is none of this protocol.
    case removeRoute(RouteRequest)
    /// Adds the rule; EEXIST (`.fileExists`) when there is one that the kernel cannot tell from it. (RTM_NEWRULE)
    case addRule(PolicyRule)
    /// RTM_DELRULE; ENOENT (`.noSuchFileOrDirectory`) when there is none of this protocol. What the rule leaves open fits any
    /// value: of several rules that fit, the first one goes.
    case removeRule(PolicyRule)
    /// Makes a macvlan in mode `bridge` on an interface; it is down, by a name of at most 15 bytes, and in a VRF, by its
    /// number; 0: in none. (RTM_NEWLINK)
    case addMacvlan(name: String, parent: Int32, address: HardwareAddress, vrf: Int32)
    /// Gives it the alias `Link.mark`, which the kernel does not take with a new interface. (`IFLA_IFALIAS`)
    case mark(ifindex: Int32)
    /// The interface, such as a VRF, that it is put into; 0: none. (`IFLA_MASTER`)
    case setMaster(ifindex: Int32, Int32)
    /// RTM_DELLINK.
    case removeLink(ifindex: Int32)
    /// Administratively up or down.
    case setUp(ifindex: Int32, Bool)
    case setHardwareAddress(ifindex: Int32, HardwareAddress)
    /// The largest packet, bytes. (`IFLA_MTU`)
    case setMTU(ifindex: Int32, UInt32)
    /// Whether IPv6 makes a link-local address when the interface comes up. (`IFLA_INET6_ADDR_GEN_MODE`: EUI64 or NONE)
    case setLinkLocalAddress(ifindex: Int32, Bool)
}

public final class RtnlRequester {
    private let socket: any RtnlChannel
    private let buffer = RtnlBuffer()
    private let timeoutNs: Int64
    private var sequence: UInt32 = 0
    private var acknowledgement = NLM_F_ACK

    /// Requests in one datagram; their answers must fit the receive buffer.
    private static let batchMax = 64

    /// - Parameter timeoutNs: how long to wait for the answers to one batch.
    public convenience init(timeoutNs: Int64 = 1_000_000_000) throws(Errno) {
        self.init(socket: try RtnlSocket(), timeoutNs: timeoutNs)
    }

    init(socket: any RtnlChannel, timeoutNs: Int64) {
        self.socket = socket
        self.timeoutNs = timeoutNs
    }

    /// The port that the kernel's notifications name as their cause; see `RtnlMonitor.Options.quietPort`.
    public var port: UInt32 { socket.port }

    /// Makes all requests, in order; one that fails does not stop the next.
    ///
    /// - Returns: for each request, nil or why it was refused.
    /// - Throws: `.timedOut`, or what the socket said; then it is unknown which requests were carried out.
    public func perform(_ requests: [RtnlRequest]) throws(Errno) -> [RtnlError?] {
        var answers: [RtnlError?] = []
        var start = 0
        while start < requests.count {
            let end = min(start + Self.batchMax, requests.count)
            answers += try performBatch(requests[start..<end])
            start = end
        }
        return answers
    }

    /// Makes one request.
    public func perform(_ request: RtnlRequest) throws(RtnlError) {
        let answers: [RtnlError?]
        do throws(Errno) { answers = try perform([request]) } catch { throw RtnlError(error) }
        if let refused = answers.first ?? nil { throw refused }
    }

    // MARK: Without an answer

    /// The descriptor, readable when the kernel has refused something of what was posted.
    public var descriptor: CInt { socket.fd }

    /// Puts requests into the form that `post` sends, so that the same can be sent time and again.
    ///
    /// - Returns: nil when they do not fit one datagram of 32 KiB.
    public func encode(_ requests: [RtnlRequest]) -> [UInt8]? {
        buffer.clear()
        acknowledgement = 0
        defer { acknowledgement = NLM_F_ACK }
        for request in requests where !add(request) { return nil }
        return buffer.bytes
    }

    /// Adds what another requester's `encode` made to what `flush` sends, and sends what is there first if it would not fit
    /// one datagram. Only refusals are answered, see `dropRefusals`.
    ///
    /// - Throws: what the socket said; then it is unknown what was carried out.
    public func post(_ message: [UInt8]) throws(Errno) {
        if buffer.append(message) { return }
        try flush()
        _ = buffer.append(message)
    }

    /// Sends what was posted.
    ///
    /// - Throws: what the socket said; then it is unknown what was carried out.
    public func flush() throws(Errno) {
        guard buffer.length > 0 else { return }
        defer { buffer.clear() }
        try socket.send(buffer)
    }

    /// Reads and forgets what the kernel has refused, some at a time: the descriptor stays readable while there is more.
    public func dropRefusals() {
        for _ in 0..<Self.batchMax {
            if case .nothing? = try? socket.receive(buffer) { return }
        }
    }

    private func performBatch(_ requests: ArraySlice<RtnlRequest>) throws(Errno) -> [RtnlError?] {
        buffer.clear()
        let first = sequence &+ 1
        var answers = [RtnlError?](repeating: nil, count: requests.count)
        var outstanding = 0
        for (index, request) in requests.enumerated() {
            sequence &+= 1
            if add(request) { outstanding += 1 } else { answers[index] = RtnlError(.invalidArgument, "does not fit") }
        }
        guard outstanding > 0 else { return answers }
        try socket.send(buffer)
        try receive { header, message in
            let index = Int(header.sequence &- first)
            guard case .reply(let error) = message, index < answers.count else { return false }
            answers[index] = error
            outstanding -= 1
            return outstanding == 0
        }
        return answers
    }

    /// Reads until `body` says that this was the last message, or the time is up.
    private func receive(_ body: (RtnlHeader, RtnlMessage) -> Bool) throws(Errno) {
        let deadlineNs = Clock.monotonicNs() + timeoutNs
        var isOver = false
        while !isOver {
            switch try socket.receive(buffer) {
            case .datagram(let count): buffer.decode(count) { isOver = body($0, $1) || isOver }
            case .foreign: break
            case .overrun: throw .noBufferSpace
            case .tooLong: throw .messageTooLong
            case .nothing:
                let leftNs = deadlineNs - Clock.monotonicNs()
                guard leftNs > 0 else { throw .timedOut }
                try Syscall.check(cmnl_wait(socket.fd, CInt(clamping: (leftNs + 999_999) / 1_000_000)))
            }
        }
    }
}

// MARK: - Questions

extension RtnlRequester {
    /// The link of that number, as it is now.
    ///
    /// - Throws: ENODEV (`.operationNotSupportedByDevice`) when there is none.
    public func link(ifindex: Int32) throws(RtnlError) -> Link {
        var fixed = ifinfomsg()
        fixed.ifi_index = ifindex
        return try link(fixed) { _ in
        } isWanted: {
            $0.ifindex == ifindex
        }
    }

    /// The link of that name or alternative name, as it is now.
    ///
    /// - Throws: ENODEV (`.operationNotSupportedByDevice`) when there is none.
    public func link(named name: String) throws(RtnlError) -> Link {
        // A name too long for IFLA_IFNAME can only be an alternative one; those of kernels since 5.5 take any.
        let type = name.utf8.count < Int(IF_NAMESIZE) ? Int(IFLA_IFNAME) : Int(IFLA_ALT_IFNAME)
        return try link(ifinfomsg()) {
            $0.put(type, text: name)
        } isWanted: {
            $0.name == name || $0.altnames.contains(name)
        }
    }

    /// - Parameter isWanted: whether an answer is one to what was asked.
    private func link(
        _ fixed: ifinfomsg, _ attributes: (inout RtnlAttributes) -> Void, isWanted: (Link) -> Bool
    ) throws(RtnlError) -> Link {
        var found: Link?
        try ask(RTM_GETLINK, 0, fixed) {
            attributes(&$0)
            $0.put(Int(IFLA_EXT_MASK), UInt32(RTEXT_FILTER_SKIP_STATS))
        } each: { message in
            guard case .link(let link, isRemoval: false) = message else { return false }
            if isWanted(link) { found = link }
            return true
        }
        guard let found else { throw RtnlError(.operationNotSupportedByDevice) }
        return found
    }

    /// The neighbours on an interface that the kernel knows of.
    ///
    /// - Parameters:
    ///   - isIPv6: the family.
    ///   - limit: further ones are left out.
    public func neighbours(ifindex: Int32, isIPv6: Bool, limit: Int = 1024) throws(RtnlError) -> [Neighbour] {
        var fixed = ndmsg()
        fixed.ndm_family = UInt8(isIPv6 ? AF_INET6 : AF_INET)
        var found: [Neighbour] = []
        try ask(RTM_GETNEIGH, NLM_F_DUMP, fixed) {
            $0.put(Int(NDA_IFINDEX), UInt32(bitPattern: ifindex))
        } each: { message in
            // Kernels without strict checking answer for all interfaces, those without IPv6 for all families.
            if case .neighbour(let neighbour, isRemoval: false) = message, neighbour.ifindex == ifindex,
                neighbour.address.isIPv6 == isIPv6, found.count < limit
            {
                found.append(neighbour)
            }
            return false
        }
        return found
    }

    /// The routes of one family, table and protocol, as they are now. The kernel goes through the whole table for them.
    ///
    /// - Throws: EINTR (`.interrupted`) when the table changes time and again meanwhile.
    public func routes(isIPv6: Bool, table: UInt32, routeProtocol: UInt8) throws(RtnlError) -> [Route] {
        var fixed = rtmsg()
        fixed.rtm_family = UInt8(isIPv6 ? AF_INET6 : AF_INET)
        fixed.rtm_protocol = routeProtocol
        for _ in 0..<Self.dumpsMax {
            var found: [Route] = []
            do throws(RtnlError) {
                let isWhole = try ask(RTM_GETROUTE, NLM_F_DUMP, fixed) {
                    $0.put(Int(RTA_TABLE.rawValue), table)
                } each: { message in
                    // Older kernels answer with all tables and protocols, those without IPv6 with all families.
                    if case .route(let route, isRemoval: false) = message, route.routeProtocol == routeProtocol,
                        route.key.table == table, route.key.destination.address.isIPv6 == isIPv6,
                        found.count < Self.listedMax
                    {
                        found.append(route)
                    }
                    return false
                }
                if isWhole { return found }
            } catch {
                // A table that does not exist is an empty one.
                if error.errno == .noSuchFileOrDirectory { return [] }
                throw error
            }
        }
        throw RtnlError(.interrupted)
    }

    /// How often a dump is made that is disturbed each time.
    private static let dumpsMax = 8
    /// Routes that are listed; further ones are left out.
    private static let listedMax = 65_536

    /// Next hops of routes out of an interface, of any table: some, not all where there are many routes. The kernel lists
    /// those to the shortest prefixes first, default routes before all others.
    ///
    /// - Parameter limit: further ones are left out.
    public static func nextHops(ifindex: Int32, isIPv6: Bool, limit: Int = 8) throws(RtnlError) -> [IPAddress] {
        // A requester of its own: the kernel continues an abandoned dump for as long as its socket is open.
        let requester: RtnlRequester
        do throws(Errno) { requester = try RtnlRequester() } catch { throw RtnlError(error) }
        var fixed = rtmsg()
        fixed.rtm_family = UInt8(isIPv6 ? AF_INET6 : AF_INET)
        var found: [IPAddress] = []
        var messages = 0
        try requester.ask(RTM_GETROUTE, NLM_F_DUMP, fixed) { _ in
        } each: { message in
            messages += 1
            if case .route(let route, isRemoval: false) = message {
                for case let hop? in route.hops.lazy.filter({ $0.ifindex == ifindex }).map(\.gateway)
                where found.count < limit && !found.contains(hop) {
                    found.append(hop)
                }
            }
            return found.count >= limit || messages >= routesMax
        }
        return found
    }

    /// Routes that are looked at for next hops: a table of a million is not read for eight of them.
    private static let routesMax = 4096

    /// Has the kernel route an IPv4 packet that comes by the interface, as if it had arrived there: no packet filter is asked,
    /// reverse-path filtering and what makes a source a martian are.
    ///
    /// - Throws: why it would be dropped: EXDEV (`.improperLink`) by reverse-path filtering, EINVAL (`.invalidArgument`) for a
    ///   martian source or a group that nobody has joined.
    public func wouldTake(from source: IPAddress, to destination: IPAddress, on ifindex: Int32) throws(RtnlError) {
        var fixed = rtmsg()
        fixed.rtm_family = source.kernelFamily
        fixed.rtm_src_len = UInt8(source.family.width)
        fixed.rtm_dst_len = UInt8(source.family.width)
        try ask(RTM_GETROUTE, 0, fixed) {
            $0.put(Int(RTA_SRC.rawValue), source.bytes)
            $0.put(Int(RTA_DST.rawValue), destination.bytes)
            $0.put(Int(RTA_IIF.rawValue), UInt32(bitPattern: ifindex))
        } each: { message in
            // The answer is a cloned route, which the decoder ignores.
            switch message {
            case .route, .ignored: true
            default: false
            }
        }
    }

    /// Sends a request and passes each answer to `each`, until that says it has enough or the kernel is done.
    ///
    /// - Returns: whether nothing has changed meanwhile.
    @discardableResult
    private func ask<Fixed: BitwiseCopyable>(
        _ type: Int, _ flags: CInt, _ fixed: Fixed, _ attributes: (inout RtnlAttributes) -> Void,
        each: (RtnlMessage) -> Bool
    ) throws(RtnlError) -> Bool {
        buffer.clear()
        sequence &+= 1
        guard buffer.add(type: type, flags: flags, sequence: sequence, fixed, attributes) else {
            throw RtnlError(.invalidArgument, "does not fit")
        }
        var failure: RtnlError?
        var isWhole = true
        do throws(Errno) {
            try socket.send(buffer)
            try receive { header, message in
                guard header.sequence == sequence else { return false }
                if header.isInterrupted { isWhole = false }
                switch message {
                case .done(let error), .reply(let error):
                    failure = error
                    return true
                default: return each(message)
                }
            }
        } catch {
            throw RtnlError(error)
        }
        if let failure { throw failure }
        return isWhole
    }
}

// MARK: - How each request is written

extension RtnlRequester {
    private func add(_ request: RtnlRequest) -> Bool {
        switch request {
        case .putAddress(let address): add(address)
        case .removeAddress(let key): add(RTM_DELADDR, 0, fixed(key)) { Self.put(key, &$0) }
        case .addRoute(let route): add(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route)
        case .removeRoute(let route): add(RTM_DELROUTE, 0, route)
        case .addRule(let rule): add(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule)
        case .removeRule(let rule): add(RTM_DELRULE, 0, rule)
        case .addMacvlan(let name, let parent, let address, let vrf): addMacvlan(name, parent, address, vrf)
        case .mark(let ifindex): add(RTM_NEWLINK, 0, fixed(ifindex)) { $0.put(Int(IFLA_IFALIAS), text: Link.mark) }
        case .setMaster(let ifindex, let master):
            add(RTM_NEWLINK, 0, fixed(ifindex)) { $0.put(Int(IFLA_MASTER), UInt32(bitPattern: master)) }
        case .removeLink(let ifindex): add(RTM_DELLINK, 0, fixed(ifindex)) { _ in }
        case .setUp(let ifindex, let isUp): add(RTM_NEWLINK, 0, fixed(ifindex, isUp: isUp)) { _ in }
        case .setHardwareAddress(let ifindex, let address):
            add(RTM_NEWLINK, 0, fixed(ifindex)) { $0.put(Int(IFLA_ADDRESS), address.bytes) }
        case .setMTU(let ifindex, let mtu): add(RTM_NEWLINK, 0, fixed(ifindex)) { $0.put(Int(IFLA_MTU), mtu) }
        case .setLinkLocalAddress(let ifindex, let isMade):
            add(RTM_NEWLINK, 0, fixed(ifindex)) {
                $0.nest(Int(IFLA_AF_SPEC)) {
                    $0.nest(Int(AF_INET6)) {
                        let mode = isMade ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE
                        $0.put(Int(IFLA_INET6_ADDR_GEN_MODE), UInt8(mode.rawValue))
                    }
                }
            }
        }
    }

    private func add<Fixed: BitwiseCopyable>(
        _ type: Int, _ flags: CInt, _ fixed: Fixed, _ attributes: (inout RtnlAttributes) -> Void
    ) -> Bool {
        buffer.add(type: type, flags: flags | acknowledgement, sequence: sequence, fixed, attributes)
    }

    private func fixed(_ ifindex: Int32, isUp: Bool? = nil) -> ifinfomsg {
        var fixed = ifinfomsg()
        fixed.ifi_index = ifindex
        if let isUp {
            fixed.ifi_change = LinkFlags.up.rawValue
            fixed.ifi_flags = isUp ? LinkFlags.up.rawValue : 0
        }
        return fixed
    }

    private func fixed(_ key: AddressKey) -> ifaddrmsg {
        var fixed = ifaddrmsg()
        fixed.ifa_family = key.address.kernelFamily
        fixed.ifa_prefixlen = key.prefixLength
        fixed.ifa_index = UInt32(bitPattern: key.ifindex)
        return fixed
    }

    private static func put(_ key: AddressKey, _ attributes: inout RtnlAttributes) {
        attributes.put(Int(IFA_LOCAL), key.address.bytes)
        attributes.put(Int(IFA_ADDRESS), (key.peer ?? key.address).bytes)
    }

    private func add(_ address: AddressRequest) -> Bool {
        var flags: AddressFlags = []
        if address.noDAD && address.key.address.isIPv6 { flags.insert(.noDAD) }
        if address.noPrefixRoute { flags.insert(.noPrefixRoute) }
        var lifetimes = ifa_cacheinfo()
        lifetimes.ifa_valid = address.validSeconds ?? .max
        lifetimes.ifa_prefered = address.isPreferred || !address.key.address.isIPv6 ? lifetimes.ifa_valid : 0
        var header = fixed(address.key)
        header.ifa_scope = address.scope
        return add(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header) {
            Self.put(address.key, &$0)
            $0.put(Int(IFA_FLAGS), flags.rawValue)
            $0.put(Int(IFA_CACHEINFO), structure: lifetimes)
            if address.addressProtocol != 0 { $0.put(Int(IFA_PROTO), address.addressProtocol) }
            if let label = address.label { $0.put(Int(IFA_LABEL), text: label) }
            if let broadcast = address.broadcast { $0.put(Int(IFA_BROADCAST), broadcast.bytes) }
        }
    }

    private func add(_ type: Int, _ flags: CInt, _ route: RouteRequest) -> Bool {
        let destination = route.key.destination
        var fixed = rtmsg()
        fixed.rtm_family = destination.address.kernelFamily
        fixed.rtm_dst_len = UInt8(clamping: destination.length)
        fixed.rtm_tos = route.key.tos
        // The table's number stands in RTA_TABLE; a kernel with strict checking wants the one that fits here to be the same.
        fixed.rtm_table = UInt8(exactly: route.key.table) ?? UInt8(RT_TABLE_UNSPEC.rawValue)
        fixed.rtm_protocol = route.routeProtocol
        fixed.rtm_scope = destination.address.isIPv6 ? UInt8(RT_SCOPE_UNIVERSE.rawValue) : route.scope
        fixed.rtm_type = type == RTM_DELROUTE ? UInt8(RTN_UNSPEC) : route.type
        if route.isOnLink { fixed.rtm_flags = UInt32(RTNH_F_ONLINK) }
        return add(type, flags, fixed) {
            $0.put(Int(RTA_DST.rawValue), destination.network.address.bytes)
            $0.put(Int(RTA_TABLE.rawValue), route.key.table)
            if route.key.metric > 0 { $0.put(Int(RTA_PRIORITY.rawValue), route.key.metric) }
            if route.ifindex > 0 { $0.put(Int(RTA_OIF.rawValue), UInt32(bitPattern: route.ifindex)) }
            if let gateway = route.gateway { $0.put(Int(RTA_GATEWAY.rawValue), gateway.bytes) }
            if let source = route.source { $0.put(Int(RTA_PREFSRC.rawValue), source.bytes) }
            if route.mtu > 0 {
                $0.nest(Int(RTA_METRICS.rawValue)) {
                    $0.put(Int(RTAX_MTU), route.mtu)
                    if route.isMTULocked { $0.put(Int(RTAX_LOCK), UInt32(1) << UInt32(RTAX_MTU)) }
                }
            }
        }
    }

    private func add(_ type: Int, _ flags: CInt, _ rule: PolicyRule) -> Bool {
        var fixed = fib_rule_hdr()
        fixed.family = rule.from.address.kernelFamily
        fixed.src_len = UInt8(clamping: rule.from.length)
        fixed.dst_len = UInt8(clamping: rule.to.length)
        fixed.tos = rule.tos
        if rule.isInverted { fixed.flags = UInt32(FIB_RULE_INVERT) }
        var table: UInt32?
        switch rule.action {
        case .table(let number):
            table = number
            fixed.action = UInt8(FR_ACT_TO_TBL)
        case .l3mdev: fixed.action = UInt8(FR_ACT_TO_TBL)
        case .blackhole: fixed.action = UInt8(FR_ACT_BLACKHOLE)
        case .unreachable: fixed.action = UInt8(FR_ACT_UNREACHABLE)
        case .prohibit: fixed.action = UInt8(FR_ACT_PROHIBIT)
        case .other(let number): fixed.action = number
        }
        return add(type, flags, fixed) {
            $0.put(FRA_PRIORITY, rule.priority)
            if rule.from.length > 0 { $0.put(FRA_SRC, rule.from.address.bytes) }
            if rule.to.length > 0 { $0.put(FRA_DST, rule.to.address.bytes) }
            if let table { $0.put(FRA_TABLE, table) }
            if case .l3mdev = rule.action { $0.put(FRA_L3MDEV, 1 as UInt8) }
            if let name = rule.inputInterface { $0.put(FRA_IIFNAME, text: name) }
            if let name = rule.outputInterface { $0.put(FRA_OIFNAME, text: name) }
            if rule.markMask > 0 {
                $0.put(FRA_FWMARK, rule.mark)
                $0.put(FRA_FWMASK, rule.markMask)
            }
            if rule.ipProtocol > 0 { $0.put(FRA_IP_PROTO, rule.ipProtocol) }
            if let ports = rule.sourcePorts { $0.put(FRA_SPORT_RANGE, structure: Self.range(ports)) }
            if let ports = rule.destinationPorts { $0.put(FRA_DPORT_RANGE, structure: Self.range(ports)) }
            if let users = rule.users {
                let range = fib_rule_uid_range(start: users.lowerBound, end: users.upperBound)
                $0.put(FRA_UID_RANGE, structure: range)
            }
            if let length = rule.suppressedPrefixLength {
                $0.put(FRA_SUPPRESS_PREFIXLEN, UInt32(bitPattern: length))
            }
            if rule.ruleProtocol > 0 { $0.put(FRA_PROTOCOL, rule.ruleProtocol) }
        }
    }

    private static func range(_ ports: ClosedRange<UInt16>) -> fib_rule_port_range {
        fib_rule_port_range(start: ports.lowerBound, end: ports.upperBound)
    }

    private func addMacvlan(_ name: String, _ parent: Int32, _ address: HardwareAddress, _ vrf: Int32) -> Bool {
        add(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg()) {
            $0.put(Int(IFLA_IFNAME), text: name)
            if vrf > 0 { $0.put(Int(IFLA_MASTER), UInt32(bitPattern: vrf)) }
            $0.put(Int(IFLA_LINK), UInt32(bitPattern: parent))
            $0.put(Int(IFLA_ADDRESS), address.bytes)
            $0.nest(Int(IFLA_LINKINFO)) {
                $0.put(Int(IFLA_INFO_KIND), text: "macvlan")
                $0.nest(Int(IFLA_INFO_DATA)) { $0.put(Int(IFLA_MACVLAN_MODE), MACVLAN_MODE_BRIDGE.rawValue) }
            }
        }
    }
}
