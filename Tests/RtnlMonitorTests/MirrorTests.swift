/// The mirrors and the queue of dumps, without a kernel: the orders of events and answers that are hard to bring about.
import Addresses
import Testing

@testable import RtnlMonitor

private func link(_ ifindex: Int32, _ name: String, kind: String = "", flags: LinkFlags = [.up, .running, .lowerUp])
    -> Link
{
    var link = Link(ifindex: ifindex, name: name)
    link.kind = kind
    link.flags = flags
    return link
}

@Suite struct LinkMirrorTests {
    private var mirror = LinkMirror()
    private var changes: [MirrorChange] = []

    private mutating func apply(_ link: Link, isRemoval: Bool = false) -> [MirrorChange] {
        var changes: [MirrorChange] = []
        mirror.apply(link, isRemoval: isRemoval, &changes)
        return changes
    }

    private mutating func dump(_ links: [Link], isWhole: Bool = true, meanwhile: (inout LinkMirror) -> Void = { _ in })
        -> [MirrorChange]
    {
        var changes: [MirrorChange] = []
        mirror.beginDump()
        meanwhile(&mirror)
        for link in links { mirror.applyDumped(link, &changes) }
        mirror.endDump(isWhole: isWhole, &changes)
        return changes
    }

    /// Ten thousand are kept: what is in it is in it, and takes no memory elsewhere.
    @Test func aLinkIsSmall() {
        #expect(MemoryLayout<Link>.stride <= 120)
    }

    @Test mutating func whatDidNotChangeIsNoChange() {
        #expect(apply(link(2, "eth0")) == [.linkAdded(link(2, "eth0"))])
        #expect(apply(link(2, "eth0")) == [])
        #expect(apply(link(3, "eth1"), isRemoval: true) == [])
    }

    @Test mutating func whatADumpDoesNotNameIsGone() {
        _ = apply(link(2, "eth0"))
        _ = apply(link(3, "eth1"))
        #expect(dump([link(2, "eth0")], isWhole: false) == [])
        #expect(dump([link(2, "eth0")]) == [.linkRemoved(link(3, "eth1"))])
    }

    @Test mutating func anEventIsNewerThanTheDump() {
        _ = apply(link(2, "eth0"))
        let changes = dump([link(2, "eth0"), link(3, "eth1"), link(4, "old")]) { mirror in
            var ignored: [MirrorChange] = []
            mirror.apply(link(2, ""), isRemoval: true, &ignored)  // must not come back
            mirror.apply(link(4, "new"), isRemoval: false, &ignored)
            mirror.apply(link(5, "eth3"), isRemoval: false, &ignored)  // must not be swept
        }
        #expect(changes == [.linkAdded(link(3, "eth1"))])
        #expect(mirror.links.values.map(\.name).sorted() == ["eth1", "eth3", "new"])
    }

    @Test mutating func anotherKindIsAnotherLink() {
        _ = apply(link(2, "x", kind: "veth"))
        #expect(
            apply(link(2, "x", kind: "bridge"))
                == [.linkRemoved(link(2, "x", kind: "veth")), .linkAdded(link(2, "x", kind: "bridge"))])
    }

    @Test mutating func tooManyEventsSpoilADump() {
        _ = dump([]) { mirror in
            var changes: [MirrorChange] = []
            for ifindex in 1...65537 as ClosedRange<Int32> {
                mirror.apply(link(ifindex, "x"), isRemoval: true, &changes)
                #expect(mirror.isSpoiled == (ifindex > 65536))
            }
        }
    }
}

@Suite struct RouteMirrorTests {
    private var mirror = RouteMirror(tracking: RouteTracking())
    private var links: [Int32: Link] = [2: link(2, "eth0"), 3: link(3, "eth1")]

    private func route(_ gateway: String, _ ifindex: Int32 = 2, metric: UInt32 = 0) -> Route {
        let address = IPAddress(gateway)
        let prefix = IPPrefix.everything(address?.isIPv6 == true ? .ipv6 : .ipv4)
        var route = Route(key: RouteKey(destination: prefix, table: 254, metric: metric))
        route.hops = [RouteHop(ifindex: ifindex, gateway: address)]
        return route
    }

    private mutating func apply(_ route: Route, isRemoval: Bool = false, isReplacement: Bool = false) -> [MirrorChange]
    {
        var changes: [MirrorChange] = []
        mirror.apply(route, isRemoval: isRemoval, isReplacement: isReplacement, links, &changes)
        return changes
    }

    private mutating func set(_ ifindex: Int32, _ link: Link?) -> [MirrorChange] {
        var changes: [MirrorChange] = []
        links[ifindex] = link
        mirror.linkChanged(ifindex, links, &changes)
        return changes
    }

    private mutating func dump(_ routes: [Route]) -> [MirrorChange] {
        var changes: [MirrorChange] = []
        mirror.beginDump()
        for route in routes { mirror.applyDumped(route) }
        mirror.endDump(isWhole: true, links, &changes)
        return changes
    }

    @Test mutating func foreignRoutesAreNotKept() {
        var foreign = route("192.0.2.1")
        foreign.key.table = 100
        #expect(apply(foreign) == [])
        #expect(dump([foreign]) == [])
        #expect(mirror.all.isEmpty)
    }

    @Test mutating func aReplacementTakesTheFirstsPlaceAndIsChecked() {
        _ = apply(route("192.0.2.1"))
        #expect(!mirror.isDoubtful)
        let changes = apply(route("192.0.2.2"), isReplacement: true)
        #expect(changes == [.routeChanged(old: route("192.0.2.1"), new: route("192.0.2.2"))])
        #expect(mirror.isDoubtful)
        #expect(dump([route("192.0.2.2")]) == [])
        #expect(!mirror.isDoubtful)
    }

    @Test mutating func deadInterfacesTakeRoutesAlongForGood() {
        _ = apply(route("192.0.2.1"))
        let changes = set(2, link(2, "eth0", flags: []))
        guard case .routeRemoved(let lost) = changes.first else {
            Issue.record("\(changes)")
            return
        }
        #expect(lost.isInferred && changes.count == 1)
        #expect(mirror.isDoubtful)
        #expect(set(2, link(2, "eth0")) == [])
        #expect(dump([route("192.0.2.1")]) == [.routeAdded(route("192.0.2.1"))])
    }

    @Test mutating func aDumpOlderThanTheLossDoesNotBringTheRouteBack() {
        _ = apply(route("192.0.2.1"))
        _ = set(2, nil)
        #expect(dump([route("192.0.2.1")]) == [])
        #expect(mirror.all.isEmpty)
    }

    @Test mutating func aRouteAnnouncedBeforeItsLinkIsPublishedWithIt() {
        #expect(apply(route("192.0.2.1", 9)) == [])
        #expect(set(9, link(9, "late")) == [.routeAdded(route("192.0.2.1", 9))])
    }

    @Test mutating func carrierLossMarksAndUnmarks() {
        _ = apply(route("192.0.2.1"))
        _ = set(2, link(2, "eth0", flags: .up))
        #expect(mirror.all.first?.hops.first?.flags == .linkDown)
        #expect(mirror.all.first?.isInferred == true)
        _ = set(2, link(2, "eth0"))
        #expect(mirror.all == [route("192.0.2.1")])
    }

    @Test mutating func oneHopOfSeveralGoes() {
        var both = route("2001:db8::1", metric: 1024)
        both.hops.append(RouteHop(ifindex: 3, gateway: IPAddress("2001:db8::2")))
        _ = apply(both)
        _ = apply(route("2001:db8::1", metric: 1024), isRemoval: true)
        #expect(mirror.all == [route("2001:db8::2", 3, metric: 1024)])
        #expect(mirror.isDoubtful)
    }

    @Test mutating func addressesRaiseDoubtOnlyWhereTheyMatter() throws {
        _ = apply(route("192.0.2.1"))
        let address = try #require(IPAddress("192.0.2.9"))
        mirror.addressRemoved(Address(key: AddressKey(ifindex: 3, address: address, prefixLength: 24)))
        #expect(!mirror.isDoubtful)
        mirror.addressRemoved(Address(key: AddressKey(ifindex: 2, address: address, prefixLength: 24)))
        #expect(mirror.isDoubtful)
    }

    @Test mutating func noMoreRoutesThanTheLimit() {
        let many = (0...UInt32(RouteMirror.routesMax)).map { route("192.0.2.1", metric: $0) }
        _ = dump(many)
        #expect(mirror.all.count == RouteMirror.routesMax)
        #expect(mirror.isOverfull)
        _ = apply(route("192.0.2.1", metric: 1 << 20))
        #expect(mirror.all.count == RouteMirror.routesMax)
        _ = dump(Array(many[..<10]))
        #expect(mirror.all.count == 10 && !mirror.isOverfull)
    }
}

@Suite struct DumpQueueTests {
    @Test func linksComeFirst() {
        var queue = DumpQueue()
        queue.want(.routes, notBeforeNs: 0)
        queue.want(.links, notBeforeNs: 0)
        #expect(queue.next(nowNs: 0) == .links)
        #expect(queue.next(nowNs: 0) == nil)
        queue.finish()
        #expect(queue.next(nowNs: 0) == .routes)
    }

    @Test func fiveMoreAttemptsWithGrowingPauses() {
        var queue = DumpQueue()
        queue.want(.links, notBeforeNs: 0)
        var nowNs: Int64 = 0
        for attempt in 0..<6 {
            #expect(queue.next(nowNs: nowNs) == .links)
            queue.fail(.changing, nowNs: nowNs)
            #expect(queue.degraded == (attempt < 5 ? [:] : [.links: .changing]))
            let pauseNs = (queue.deadlineNs ?? 0) - nowNs
            #expect(pauseNs == (attempt < 5 ? 10_000_000 << Int64(attempt) : 1_000_000_000))
            #expect(queue.next(nowNs: nowNs + pauseNs - 1) == nil)
            nowNs += pauseNs
        }
        #expect(queue.next(nowNs: nowNs) == .links)
        queue.fail(.silent, nowNs: nowNs)
        #expect(queue.degraded == [.links: .silent], "the last reason counts")
        #expect(queue.next(nowNs: nowNs + 1_000_000_000) == .links)
        queue.finish()
        #expect(queue.degraded.isEmpty && queue.deadlineNs == nil)
    }

    @Test func aWishMadeDuringADumpIsKept() {
        var queue = DumpQueue()
        queue.want(.links, notBeforeNs: 0)
        _ = queue.next(nowNs: 0)
        queue.want(.links, notBeforeNs: 5)
        #expect(queue.deadlineNs == nil)
        queue.finish()
        #expect(queue.deadlineNs == 5)
    }
}
