/// Kernels that answer otherwise than the one this runs on: the monitor and the requester over a socket that a test fills.
import Addresses
import CMnl
import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import RtnlMonitor

/// A message, header included.
private func message(_ type: Int, flags: CInt = NLM_F_MULTI, sequence: UInt32, _ body: [UInt8] = []) -> [UInt8] {
    func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
    }
    let header = bytes(UInt32(16 + body.count)) + bytes(UInt16(type)) + bytes(UInt16(flags)) + bytes(sequence)
    return header + [0, 0, 0, 0] + body + Array(repeating: 0, count: (4 - body.count % 4) % 4)
}

private func attribute(_ type: Int, _ value: [UInt8]) -> [UInt8] {
    let length = UInt16(truncatingIfNeeded: 4 + value.count)
    return [UInt8(length & 255), UInt8(length >> 8), UInt8(type), 0] + value
        + Array(repeating: 0, count: (4 - value.count % 4) % 4)
}

private func number(_ value: UInt32) -> [UInt8] { unsafe withUnsafeBytes(of: value) { unsafe Array($0) } }

private func link(_ ifindex: UInt8, _ name: String, sequence: UInt32, up: Bool = true, more: [UInt8] = []) -> [UInt8] {
    let flags: UInt32 = up ? 0x10043 : 0x1003
    let fixed: [UInt8] = [0, 0, 1, 0, ifindex, 0, 0, 0] + number(flags) + number(0)
    let attributes = attribute(Int(IFLA_IFNAME), Array(name.utf8) + [0]) + attribute(Int(IFLA_MTU), number(1500))
    return message(
        RTM_NEWLINK, sequence: sequence, fixed + attributes + attribute(Int(IFLA_CARRIER), [up ? 1 : 0]) + more)
}

/// The default route by 192.0.2.254 on interface 2.
private func defaultRoute(sequence: UInt32, type: Int = RTM_NEWROUTE) -> [UInt8] {
    message(
        type, sequence: sequence,
        [UInt8(AF_INET), 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0] + attribute(Int(RTA_TABLE.rawValue), number(254))
            + attribute(Int(RTA_GATEWAY.rawValue), [192, 0, 2, 254]) + attribute(Int(RTA_OIF.rawValue), number(2)))
}

/// 192.0.2.254 on interface 2, reachable.
private func neighbour(sequence: UInt32) -> [UInt8] {
    message(
        RTM_NEWNEIGH, sequence: sequence,
        [UInt8(AF_INET), 0, 0, 0] + number(2) + [UInt8(NUD_REACHABLE), 0, 0, 1]
            + attribute(Int(NDA_DST), [192, 0, 2, 254]) + attribute(Int(NDA_LLADDR), [2, 0, 0, 0, 0, 1]))
}

private func done(sequence: UInt32) -> [UInt8] { message(Int(NLMSG_DONE), sequence: sequence, number(0)) }

private func refusal(sequence: UInt32, _ error: CInt) -> [UInt8] {
    message(
        Int(NLMSG_ERROR), flags: 0, sequence: sequence,
        number(UInt32(bitPattern: -error)) + [UInt8](repeating: 0, count: 16))
}

/// A socket whose other end is the test.
private final class FakeChannel: RtnlChannel {
    /// Readable at any time.
    let fd: CInt
    let port: UInt32 = 77
    private var waiting: [Received] = []
    private var datagrams: [[UInt8]] = []
    /// What the kernel answers to a request of this type, family and number: datagrams.
    var answer: (_ type: Int, _ family: UInt8, _ sequence: UInt32) -> [[UInt8]] = { _, _, sequence in
        [done(sequence: sequence)]
    }
    /// What comes instead of the next datagram.
    var accident: Received?

    init() { fd = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }
    deinit { close(fd) }

    func say(_ datagram: [UInt8]) { datagrams.append(datagram) }

    func send(_ buffer: RtnlBuffer) throws(Errno) {
        let request = buffer.bytes
        let type = Int(request[4]) | Int(request[5]) << 8
        let sequence = UInt32(request[8]) | UInt32(request[9]) << 8 | UInt32(request[10]) << 16
        datagrams += answer(type, request[16], sequence)
    }

    func receive(_ buffer: RtnlBuffer) throws(Errno) -> Received {
        if datagrams.isEmpty { return .nothing }
        let datagram = datagrams.removeFirst()
        if let accident { return accident }
        buffer.fill(datagram)
        return .datagram(datagram.count)
    }
}

/// A monitor of links and default routes over such sockets.
private final class Scene {
    let links = FakeChannel()
    let others = FakeChannel()
    let requests = FakeChannel()
    let monitor: RtnlMonitor
    var nowNs: Int64 = 1
    var changes: [MirrorChange] = []

    init() {
        monitor = RtnlMonitor(options: .init(), linkEvents: links, otherEvents: others, requests: requests)
    }

    func start() {
        changes += monitor.start(nowNs: nowNs)
        read()
    }

    /// Reads all that waits, and lets a moment pass.
    func read() {
        for fd in [links.fd, others.fd, requests.fd, requests.fd, requests.fd, requests.fd] {
            changes += monitor.handleReadable(fd, nowNs: nowNs)
        }
    }

    var isSyncedTold: Bool { changes.contains { if case .synced = $0 { true } else { false } } }
}

@Suite struct AnswerTests {
    /// `ipv6.disable=1`: no one handles AF_INET6, so the kernel asks all families (net/core/rtnetlink.c, rtnl_dump_all).
    @Test func aKernelWithoutIPv6AnswersForAllFamilies() throws {
        let scene = Scene()
        scene.requests.answer = { type, _, sequence in
            switch type {
            case RTM_GETLINK: [link(2, "eth0", sequence: sequence), done(sequence: sequence)]
            case RTM_GETROUTE: [defaultRoute(sequence: sequence), done(sequence: sequence)]
            default: [done(sequence: sequence)]
            }
        }
        scene.start()
        #expect(scene.monitor.isSynced)
        #expect(scene.monitor.routes.count == 1)
        scene.others.say(defaultRoute(sequence: 0, type: RTM_DELROUTE))
        scene.read()
        #expect(scene.monitor.routes.isEmpty, "a route that is lost is gone")
    }

    /// What such a kernel says of IPv4 when it is asked for IPv6 is not believed: the answer to the question of IPv4 is.
    @Test func anAnswerOfAnotherFamilyIsNone() throws {
        let scene = Scene()
        scene.requests.answer = { type, family, sequence in
            guard type == RTM_GETROUTE, family == UInt8(AF_INET6) else {
                return [type == RTM_GETLINK ? link(2, "eth0", sequence: sequence) : [], done(sequence: sequence)]
            }
            return [defaultRoute(sequence: sequence), done(sequence: sequence)]
        }
        scene.start()
        #expect(scene.monitor.isSynced && scene.monitor.routes.isEmpty)

        let channel = FakeChannel()
        channel.answer = { type, _, sequence in
            let answer = type == RTM_GETROUTE ? defaultRoute(sequence: sequence) : neighbour(sequence: sequence)
            return [answer, done(sequence: sequence)]
        }
        let requester = RtnlRequester(socket: channel, timeoutNs: 1_000_000_000)
        #expect(try requester.neighbours(ifindex: 2, isIPv6: false).count == 1)
        #expect(try requester.neighbours(ifindex: 2, isIPv6: true).isEmpty)
        #expect(try requester.routes(isIPv6: false, table: 254, routeProtocol: 3).count == 1)
        #expect(try requester.routes(isIPv6: true, table: 254, routeProtocol: 3).isEmpty)
        #expect(try requester.routes(isIPv6: false, table: 254, routeProtocol: 4).isEmpty)
        #expect(try requester.routes(isIPv6: false, table: 253, routeProtocol: 3).isEmpty)
    }

    @Test func aRouteThatIsListedTwiceIsOne() throws {
        let scene = Scene()
        scene.requests.answer = { type, family, sequence in
            guard type == RTM_GETROUTE, family == UInt8(AF_INET) else {
                return [link(2, "eth0", sequence: sequence), done(sequence: sequence)]
            }
            return [defaultRoute(sequence: sequence) + defaultRoute(sequence: sequence), done(sequence: sequence)]
        }
        scene.start()
        #expect(scene.monitor.isSynced && scene.monitor.routes.count == 1)
        scene.others.say(defaultRoute(sequence: 0, type: RTM_DELROUTE))
        scene.read()
        #expect(scene.monitor.routes.isEmpty)
    }

    @Test func whatWasNotAskedForIsNoAnswer() throws {
        let scene = Scene()
        scene.requests.answer = { type, _, sequence in
            // Links where routes are asked for, and routes where links are.
            let other = type == RTM_GETLINK ? defaultRoute(sequence: sequence) : link(9, "odd", sequence: sequence)
            let mine = type == RTM_GETLINK ? link(2, "eth0", sequence: sequence) : []
            return [mine + other, done(sequence: sequence)]
        }
        scene.start()
        #expect(scene.monitor.isSynced)
        #expect(scene.monitor.links.values.map(\.name) == ["eth0"])
        #expect(scene.monitor.routes.isEmpty)
    }

    @Test(arguments: [
        (Received.tooLong(5 << 20), "links: the kernel's message of 5242880 bytes is too long"),
        (Received.overrun, "links: the kernel's tables change faster than they can be read"),
        (nil, "links: the kernel refuses to list them: Operation not permitted"),
    ])
    func aDumpThatCannotBeCompletedIsNeverSynced(_ accident: Received?, _ words: String) throws {
        let scene = Scene()
        scene.requests.accident = accident
        scene.requests.answer = { type, _, sequence in
            guard type == RTM_GETLINK else { return [done(sequence: sequence)] }
            return accident == nil ? [refusal(sequence: sequence, EPERM)] : [link(2, "eth0", sequence: sequence)]
        }
        scene.start()
        while scene.monitor.degradation[.links] == nil, let nextNs = scene.monitor.nextDeadlineNs {
            scene.nowNs = nextNs
            scene.changes += scene.monitor.advance(nowNs: nextNs)
            scene.read()
        }
        #expect(!scene.isSyncedTold && !scene.monitor.isSynced(.links))
        #expect(scene.monitor.degradation[.links].map { "links: \($0)" } == words)
        #expect(scene.changes.contains { if case .degraded(let why) = $0 { why[.links] != nil } else { false } })

        // It is asked again for as long as it takes.
        scene.requests.accident = nil
        scene.requests.answer = { type, _, sequence in
            [type == RTM_GETLINK ? link(2, "eth0", sequence: sequence) : [], done(sequence: sequence)]
        }
        for _ in 0..<20 where !scene.isSyncedTold {
            scene.nowNs = scene.monitor.nextDeadlineNs ?? scene.nowNs
            scene.changes += scene.monitor.advance(nowNs: scene.nowNs)
            scene.read()
        }
        #expect(scene.isSyncedTold && scene.monitor.isSynced && scene.monitor.degradation.isEmpty)
        #expect(scene.changes.last == .degraded([:]))
        #expect(scene.monitor.links[2]?.name == "eth0")
    }

    @Test func aSnapshotThatCannotBeCompletedFails() throws {
        let scene = Scene()
        scene.requests.answer = { _, _, sequence in [refusal(sequence: sequence, EPERM)] }
        let error = #expect(throws: RtnlError.self) { try scene.monitor.readWhole(timeoutNs: 5_000_000_000) }
        #expect(error?.text.hasPrefix("links: the kernel refuses to list them: Operation not permitted") == true)
    }

    @Test func aLinkThatWasNotAskedForIsNotTheOne() throws {
        let channel = FakeChannel()
        channel.answer = { _, _, sequence in [link(6, "eth6", sequence: sequence)] }
        let requester = RtnlRequester(socket: channel, timeoutNs: 1_000_000_000)
        #expect(try requester.link(ifindex: 6).name == "eth6")
        #expect(try requester.link(named: "eth6").ifindex == 6)
        #expect(throws: RtnlError(.operationNotSupportedByDevice)) { try requester.link(ifindex: 5) }
        #expect(throws: RtnlError(.operationNotSupportedByDevice)) { try requester.link(named: "eth5") }
    }

    /// A nest's length has 16 bits, and the addresses of a macvlan wrap it: what is left of them looks like attributes.
    @Test func theStateOfALinkStandsBeforeWhatIsTooLong() throws {
        var rest: [UInt8] = []
        for index in 0..<6000 { rest += attribute(4, [2, 0, 0, 0, UInt8(index >> 8), UInt8(index & 255)]) }
        rest += [2, 0, 0, 0]
        let bytes = link(5, "mv", sequence: 0, up: false, more: rest)
        guard case .link(let found, isRemoval: false) = try only(bytes) else { throw Unexpected() }
        #expect(found.name == "mv" && found.mtu == 1500 && found.carrier == false)
        // What is short and broken is still no message.
        #expect(try only(link(5, "mv", sequence: 0, more: [2, 0, 0, 0])) == .malformed)
    }

    @Test func whatALongDatagramTookIsGivenBack() {
        let buffer = RtnlBuffer()
        buffer.fill([UInt8](repeating: 0xaa, count: 200_000))
        #expect(buffer.residentBytes >= 200_000)
        buffer.decode(200_000) { _, _ in }
        #expect(buffer.residentBytes <= buffer.capacity)
    }
}

extension RtnlBuffer {
    /// How much of it is in memory; mincore(2).
    fileprivate var residentBytes: Int {
        let page = Int(sysconf(CInt(_SC_PAGESIZE)))
        var pages = [UInt8](repeating: 0, count: unsafe storage.count / page)
        _ = unsafe mincore(storage.baseAddress, storage.count, &pages)
        return page * pages.count { $0 & 1 != 0 }
    }
}
