/// What Linux 6.18 wrote to a rtnetlink socket, recorded, against what it means; and the same bytes damaged.
///
/// Attributes that nobody reads (statistics, queue lengths, IFLA_AF_SPEC) were cut out of the link messages and the
/// lengths set right; everything else is as the kernel wrote it.
import Addresses
import Glibc
import LinkState
import Testing

@testable import RtnlMonitor

@Suite struct DecoderTests {
    @Test func anEthernetPort() throws {
        guard case .link(let link, isRemoval: false) = try only(Transcript.port) else { throw Unexpected() }
        #expect(link.ifindex == 4)
        #expect(link.name == "eth0")
        #expect(link.kind == "")
        #expect(link.mtu == 1400)
        #expect(link.operState == .up)
        #expect(link.carrier == true)
        #expect(link.carrierChanges == 2)
        #expect(link.hardwareTypeName == "ether")
        #expect(link.address?.description == "02:fc:00:00:00:01")
        #expect(link.flags.names == ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"])
        #expect(link.isPhysicalPort)
        #expect(link.linkNetnsID == -1)
    }

    @Test func aVethWithoutCarrierInABridge() throws {
        guard case .link(let link, isRemoval: false) = try only(Transcript.bridgedVeth) else { throw Unexpected() }
        #expect(link.name == "left")
        #expect(link.kind == "veth")
        #expect(link.altnames == ["a-much-longer-name-for-left"])
        #expect(link.master == 4)
        #expect(link.link == 2)
        #expect(link.carrier == false)
        #expect(link.operState == .lowerLayerDown)
        #expect(link.flags.names == ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"])
        #expect(!link.isPhysicalPort)
    }

    @Test func aLinkThatProgramsKeepDown() throws {
        guard case .link(let link, isRemoval: false) = try only(Transcript.keptDown) else { throw Unexpected() }
        #expect(link.isProtoDown && link.protoDownReasons == 1 << 3 | 1 << 17)
        #expect(link.protoDown == ["3", "17"])
        #expect(link.downSource == .carrier)
        guard case .link(let port, isRemoval: false) = try only(Transcript.port) else { throw Unexpected() }
        #expect(port.protoDown == nil && port.downSource == nil)
    }

    @Test func aBridgesWordOnItsPortIsNotADeletion() throws {
        #expect(try only(Transcript.leftBridge) == .ignored)
    }

    @Test func aDeletedLink() throws {
        guard case .link(let link, isRemoval: true) = try only(Transcript.deleted) else { throw Unexpected() }
        #expect(link.ifindex == 3)
    }

    @Test func aDefaultRoute() throws {
        guard case .route(let route, isRemoval: false) = try only(Transcript.defaultRoute) else { throw Unexpected() }
        #expect(route.key == RouteKey(destination: .everything(.ipv4), table: 254, metric: 100))
        #expect(route.routeProtocol == 3)
        #expect(route.typeName == "unicast")
        #expect(route.hops == [RouteHop(ifindex: 3, gateway: IPAddress("198.51.100.254"))])
    }

    @Test func anIPv6DefaultRoute() throws {
        guard case .route(let route, isRemoval: false) = try only(Transcript.defaultRoute6) else { throw Unexpected() }
        #expect(route.key == RouteKey(destination: .everything(.ipv6), table: 254, metric: 1024))
        #expect(route.hops == [RouteHop(ifindex: 3, gateway: IPAddress("2001:db8::1"))])
    }

    @Test func aRouteWithTwoHopsInATableAbove255() throws {
        guard case .route(let route, isRemoval: false) = try only(Transcript.twoHops) else { throw Unexpected() }
        #expect(route.key.table == 1000)
        #expect(route.key.destination.description == "203.0.113.0/24")
        #expect(route.routeProtocol == 186)
        #expect(route.hops.map { $0.gateway?.description } == ["198.51.100.2", "198.51.100.3"])
    }

    @Test func anIPv4RouteByAnIPv6Router() throws {
        guard case .route(let route, isRemoval: false) = try only(Transcript.viaOtherFamily) else { throw Unexpected() }
        #expect(route.hops == [RouteHop(ifindex: 3, gateway: IPAddress("2001:db8::9"))])
    }

    @Test func aBlackholeHasNoHops() throws {
        guard case .route(let route, isRemoval: false) = try only(Transcript.blackhole) else { throw Unexpected() }
        #expect(route.typeName == "blackhole")
        #expect(route.hops.isEmpty && route.isUsable)
    }

    @Test func aRouteByANexthopObject() throws {
        guard case .route(let route, isRemoval: false) = try only(Transcript.byNexthop) else { throw Unexpected() }
        #expect(route.nexthopID == 8)
        #expect(route.hops == [RouteHop(ifindex: 3, gateway: IPAddress("198.51.100.9"))])
    }

    @Test func nexthopObjects() throws {
        guard case .nexthop(let single, isRemoval: false) = try only(Transcript.nexthop),
            case .nexthop(let group, isRemoval: true) = try only(Transcript.nexthopGroupDeleted)
        else { throw Unexpected() }
        #expect(single.id == 7)
        #expect(single.hop == RouteHop(ifindex: 3, gateway: IPAddress("198.51.100.9")))
        #expect(group.id == 8)
        #expect(group.hop == nil)
        #expect(group.members == [7])
    }

    @Test func anAddressOnLease() throws {
        guard case .address(let address, isRemoval: false) = try only(Transcript.leasedAddress) else {
            throw Unexpected()
        }
        #expect(address.key.address.description == "2001:db8::7")
        #expect(address.key.prefixLength == 64)
        #expect(address.flags == [.noDAD, .deprecated])
        #expect(address.hasLease)
        #expect(address.scope == 0)
    }

    @Test func anAddressOfTheKernels() throws {
        guard case .address(let address, isRemoval: false) = try only(Transcript.linkLocalAddress) else {
            throw Unexpected()
        }
        #expect(address.addressProtocol == 3)
        #expect(address.scope == 253)
        #expect(address.flags.contains(.permanent) && !address.hasLease)
    }

    @Test func anAddressWithAPeer() throws {
        guard case .address(let address, isRemoval: false) = try only(Transcript.peerAddress) else {
            throw Unexpected()
        }
        #expect(address.key.address.description == "192.0.2.1")
        #expect(address.key.peer?.description == "192.0.2.2")
    }

    @Test func aNeighbour() throws {
        guard case .neighbour(let neighbour, isRemoval: false) = try only(Transcript.neighbour) else {
            throw Unexpected()
        }
        #expect(neighbour.ifindex == 3)
        #expect(neighbour.address.description == "192.0.2.99")
        #expect(neighbour.hardwareAddress?.description == "02:00:00:00:00:99")
        #expect(neighbour.hasAnswered)
    }

    @Test func anErrorInTheKernelsWords() throws {
        #expect(try only(Transcript.refused) == .reply(RtnlError(.addressNotAvailable, "ipv4: Address not found")))
        #expect(try only(Transcript.acknowledged) == .reply(nil))
        #expect(try only(Transcript.done) == .done(nil))
    }

    @Test func aWirelessDriversWordIsNotALink() throws {
        var message = Array(Transcript.port[..<32])
        message += [8, 0, 11, 0, 1, 2, 3, 4]  // IFLA_WIRELESS and nothing else
        message[0] = UInt8(message.count)
        #expect(try only(message) == .ignored)
    }
}

@Suite struct DamageTests {
    /// A message cut short anywhere is malformed, or, by a cut in front of its header, no message.
    @Test(arguments: Transcript.all) func cutShort(_ transcript: [UInt8]) {
        for length in 0..<transcript.count {
            let messages = decode(Array(transcript[..<length]))
            #expect(messages == (length < 16 ? [] : [.malformed]))
        }
    }

    /// The header says less than was written: attributes are missing, or one reaches beyond the end.
    @Test(arguments: Transcript.all) func saidToBeShorter(_ transcript: [UInt8]) {
        for length in 0..<UInt8(clamping: transcript.count) {
            var damaged = transcript
            damaged.replaceSubrange(0..<4, with: [length, 0, 0, 0])
            let messages = decode(damaged)
            #expect(!messages.isEmpty)
            if length < 16 { #expect(messages == [.malformed]) }
        }
    }

    @Test(
        arguments: [[0, 0, 0, 0], [15, 0, 0, 0], [255, 255, 255, 255], [0, 0, 0, 128], [255, 255, 255, 127]]
            as [[UInt8]])
    func aLengthThatCannotBe(_ length: [UInt8]) {
        var damaged = Transcript.port
        damaged.replaceSubrange(0..<4, with: length)
        #expect(decode(damaged) == [.malformed])
    }

    /// Every attribute's length set to 0, 1 and 3, below its own header's, which must not go round for ever; and to 65535.
    @Test(arguments: [0, 1, 3, 0xffff] as [UInt16]) func anAttributesLength(_ length: UInt16) {
        for (transcript, fixed) in [
            (Transcript.port, 16), (Transcript.defaultRoute, 12), (Transcript.leasedAddress, 8),
        ] {
            var offset = 16 + fixed
            while offset < transcript.count {
                var damaged = transcript
                damaged[offset] = UInt8(length & 0xff)
                damaged[offset + 1] = UInt8(length >> 8)
                #expect(decode(damaged) == [.malformed])
                offset += (Int(transcript[offset]) + 3) & ~3
            }
        }
    }

    @Test func aHopsLengthOfNothing() {
        var damaged = Transcript.twoHops
        damaged[48] = 0  // rtnh_len of the first hop
        #expect(decode(damaged) == [.malformed])
    }

    @Test func aDestinationThatIsTooLong() {
        var damaged = Transcript.defaultRoute
        damaged[17] = 33  // rtm_dst_len
        #expect(decode(damaged) == [.malformed])
    }

    /// An address of 3 bytes where one of 4 belongs.
    @Test func aDestinationOfTheWrongSize() {
        var damaged = Transcript.twoHops
        damaged[36] = 7
        #expect(decode(damaged) == [.malformed])
    }

    @Test func aLinkLayerAddressThatIsTooLongIsLeftOut() throws {
        var message = Array(Transcript.port[..<44]) + [36, 0, 1, 0] + [UInt8](repeating: 0xaa, count: 32)
        message[0] = UInt8(message.count)
        guard case .link(let link, isRemoval: false) = try only(message) else { throw Unexpected() }
        #expect(link.address == nil)
    }

    /// One bit wrong anywhere: whatever comes of it, the program goes on and the next message is found or not.
    @Test(arguments: Transcript.all) func oneBitWrong(_ transcript: [UInt8]) {
        for bit in 0..<(transcript.count * 8) {
            var damaged = transcript
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let count = decode(damaged + Transcript.acknowledged).count
            #expect((1...(damaged.count + 36) / 16).contains(count))
        }
    }

    @Test func severalMessagesInOneDatagram() {
        let messages = decode(Transcript.all.flatMap { $0 })
        #expect(messages.count == Transcript.all.count)
        #expect(!messages.contains(.malformed))
    }
}

@Suite struct HardwareAddressTests {
    @Test func hardwareAddresses() {
        let infiniband = [UInt8](1...20)
        #expect(HardwareAddress(infiniband)?.bytes == infiniband)
        #expect(HardwareAddress([]) == nil)
        #expect(HardwareAddress([UInt8](repeating: 1, count: 24)) == nil)
        #expect(HardwareAddress([0, 0]) != HardwareAddress([0, 0, 0]))
    }
}
