/// The netlink decoder and the mirrors behind it, fed by libFuzzer: `make fuzz`.
///
/// The input is a datagram. Each message goes to the mirrors as an event or, by its sequence number, as part of a dump.
/// Beside not crashing, this holds: a consumer who applies the announced changes has what the mirror has.
import RtnlMonitor

@_cdecl("LLVMFuzzerTestOneInput")
nonisolated public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    var mirrors = Mirrors()
    unsafe RtnlDecoder.decode(UnsafeRawBufferPointer(start: start, count: count)) { header, message in
        mirrors.take(header, message)
    }
    mirrors.endDump()
    return 0
}

private struct Mirrors {
    private var links = LinkMirror()
    private var addresses = AddressMirror()
    private var routes = RouteMirror(tracking: RouteTracking(tables: [254, 1000]))
    private var changes: [MirrorChange] = []
    /// What a consumer knows.
    private var knownLinks: [Int32: Link] = [:]
    private var knownAddresses: [AddressKey: Address] = [:]

    init() {
        links.beginDump()
        addresses.beginDump()
        routes.beginDump()
    }

    mutating func take(_ header: RtnlHeader, _ message: RtnlMessage) {
        let isEvent = header.sequence % 2 == 0
        switch message {
        case .link(let link, let isRemoval):
            if isEvent {
                links.apply(link, isRemoval: isRemoval, &changes)
            } else {
                links.applyDumped(link, &changes)
            }
            routes.linkChanged(link.ifindex, links.links, &changes)
        case .address(let address, let isRemoval):
            if isEvent {
                addresses.apply(address, isRemoval: isRemoval, &changes)
            } else {
                addresses.applyDumped(address, &changes)
            }
            if isRemoval { routes.addressRemoved(address) }
        case .route(let route, let isRemoval):
            if isEvent {
                routes.apply(
                    route, isRemoval: isRemoval, isReplacement: header.isReplacement, links.links, &changes)
            } else {
                routes.applyDumped(route)
            }
        case .nexthop(let nexthop, _):
            routes.applyDumped(nexthop)
            routes.nexthopChanged()
        case .neighbour, .done, .reply, .ignored, .malformed: break
        }
        follow()
    }

    mutating func endDump() {
        links.endDump(isWhole: true, &changes)
        addresses.endDump(isWhole: true, &changes)
        routes.endDump(isWhole: true, links.links, &changes)
        follow()
    }

    private mutating func follow() {
        for change in changes {
            switch change {
            case .linkAdded(let link), .linkChanged(_, let link), .linkRenamed(_, let link):
                knownLinks[link.ifindex] = link
            case .linkRemoved(let link): knownLinks[link.ifindex] = nil
            case .addressAdded(let address), .addressChanged(_, let address): knownAddresses[address.key] = address
            case .addressRemoved(let address): knownAddresses[address.key] = nil
            default: break
            }
        }
        changes = []
        precondition(knownLinks == links.links, "a change of a link was not announced")
        precondition(knownAddresses == addresses.addresses, "a change of an address was not announced")
        precondition(routes.all.allSatisfy { [254, 1000].contains($0.key.table) }, "an untracked route was kept")
    }
}
