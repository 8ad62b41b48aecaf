/// Packets as a packet socket delivers them, into a group of two legs and a cable: `make fuzz`.
///
/// The first octet sets the group up, then each packet has three before it: how it arrives, and its length. One that is
/// refused must reach no engine; what is accepted is checked here once more, by other code. Besides not crashing, these
/// hold: adverts and heartbeats that were read and written again are read as the same; a group that has not started or
/// is in FAULT does not become master; a packet from our own address or from a lesser router never makes a master
/// yield; and no timer stays due.
///
/// Seeds are the packets of `Tests/vectors/vrrp.json`, to a backup and to a master, and heartbeats.
import Addresses
import VRRP

/// Packets of one input, at most.
private let packetsMax = 8

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzAdverts(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: start == nil ? 0 : count))[...]
    guard let setup = input.popFirst() else { return 0 }
    var group = Group.all[Int(setup)]
    for _ in 0..<packetsMax where input.count >= 3 {
        let length = Int(input[input.startIndex + 1]) << 8 | Int(input[input.startIndex + 2])
        let arrival = Arrival(rawValue: input[input.startIndex])
        let packet = Array(input.dropFirst(3).prefix(length))
        input = input.dropFirst(3 + length)
        group.receive(arrival.isToBeSummed ? summed(packet, arrival) : packet, arrival)
    }
    return 0
}

/// The first octet.
private struct Setup: OptionSet {
    let rawValue: UInt8

    static let started = Setup(rawValue: 1 << 0)
    static let serves = Setup(rawValue: 1 << 1)
    static let inFault = Setup(rawValue: 1 << 2)
    static let version2 = Setup(rawValue: 1 << 3)
    static let password = Setup(rawValue: 1 << 4)
    static let tenSeconds = Setup(rawValue: 1 << 5)
    static let lenient = Setup(rawValue: 1 << 6)
    static let noPreempt = Setup(rawValue: 1 << 7)
}

/// The octet before a packet.
private struct Arrival: OptionSet {
    let rawValue: UInt8

    static let ipv6 = Arrival(rawValue: 1 << 0)
    static let onCable = Arrival(rawValue: 1 << 1)
    /// The checksum is put right first: no fuzzer guesses it.
    static let summed = Arrival(rawValue: 1 << 2)
    static let messageForm = Arrival(rawValue: 1 << 3)

    var isToBeSummed: Bool { contains(.summed) }
    var family: IPAddress.Family { contains(.ipv6) ? .ipv6 : .ipv4 }
    /// Time since the packet before.
    var afterNs: Int64 { Int64(rawValue >> 4) * 50_000_000 }
}

private struct Group {
    private let expected: AdvertExpectation
    private var cable = CableConfiguration(name: "cross1", interface: "hb0", vrid: 1, peerVrid: 2)
    private let isFaulty: Bool
    private var engine: Engine
    private var nowNs: Int64 = 1_000_000_000
    /// What the outputs have reported.
    private var state = GroupState.initialize
    private var reason: TransitionReason?

    private static let own4 = IPAddress(ipv4: 0xc000_0264)
    private static let own6 = IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: 0x64)

    /// Every group there is, as its setup leaves it: not to be repeated for each input.
    static let all = (0...UInt8.max).map { Group(Setup(rawValue: $0)) }

    private init(_ setup: Setup) {
        let intervalNs: Int64 = setup.contains(.tenSeconds) ? 10_000_000_000 : 1_000_000_000
        expected = AdvertExpectation(
            version: setup.contains(.version2) ? .v2 : .v3, intervalNs: intervalNs,
            password: setup.contains(.password) ? Array("abcdefgh".utf8) : nil,
            requiresLinkLocal: !setup.contains(.lenient))
        let members = [
            MemberConfiguration(
                name: "outside", interface: "eth0", vrid: 10, addresses: [IPAddress(ipv4: 0xc000_0201)]),
            MemberConfiguration(
                name: "inside", interface: "eth1", vrid: 10,
                addresses: [IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: 1)]),
        ]
        isFaulty = setup.contains(.inFault)
        cable.intervalNs = intervalNs / 10
        engine = Engine(
            configuration: GroupConfiguration(
                name: "lvs", version: expected.version, advertIntervalNs: intervalNs,
                preempt: !setup.contains(.noPreempt), members: members, cables: [cable]))
        guard setup.contains(.started) else { return }
        let snapshot = Snapshot(
            primaryAddresses: [Self.own4, Self.own6], cableAddresses: [Self.own6],
            causes: isFaulty ? [Cause(.link, "eth1", detail: "mii")] : [])
        give(.start(snapshot))
        guard setup.contains(.serves) else { return }
        passTime(untilNs: nowNs + 5 * intervalNs)
        guard state == .master || isFaulty else { fatalError("silence does not make a master") }
    }

    // MARK: What arrives

    mutating func receive(_ packet: [UInt8], _ arrival: Arrival) {
        passTime(untilNs: nowNs + arrival.afterNs)
        let expectation = arrival.contains(.onCable) ? AdvertExpectation() : expected
        checkSeals(packet, arrival)
        guard let header = try? IPHeader(arrival.family, packet: packet.span),
            let advert = try? AdvertCodec.decode(
                packet.span, header: header, expectation: { $0 == 0 ? nil : expectation })
        else { return }
        guard isValid(packet, header, advert, expectation) else { fatalError("an invalid packet is accepted") }
        checkAgain(advert, header.destination, expectation)
        if arrival.contains(.onCable) {
            hear(advert)
        } else {
            give(advert, member: arrival.contains(.ipv6) ? 1 : 0)
        }
        settle()
    }

    private mutating func hear(_ advert: Advert) {
        let members = engine.configuration.members
        guard let word = HeartbeatCodec.word(advert, ownIdentity: Self.own6, members: members) else { return }
        var cable = cable
        (cable.family, cable.intervalNs) = (advert.source.family, advert.intervalNs)
        let again = HeartbeatCodec.advert(
            word, cable: cable, source: advert.source, peerIdentity: Self.own6, members: members)
        // Sources are listed all or none, as there is room.
        var expected = word
        if !word.sources.isEmpty, !again.addresses.contains(where: { $0.unmapped == word.sources[0] }) {
            guard word.sources.count > HeartbeatCodec.addressesMax / 2 else { fatalError("sources are left out") }
            expected.sources = []
        }
        guard HeartbeatCodec.word(again, ownIdentity: Self.own6, members: members) == expected else {
            fatalError("a heartbeat comes back differently")
        }
        give(.heartbeat(cable: 0, word))
    }

    private mutating func give(_ advert: Advert, member: Int) {
        let wasMaster = state == .master
        let isOwn = advert.source == (member == 0 ? Self.own4 : Self.own6)
        let isLesser = advert.priority < engine.priority
        reason = nil
        give(.advert(member: MemberIndex(member), advert))
        guard wasMaster, isOwn || isLesser, let reason else { return }
        if isOwn || reason != .unheard { fatalError("deposed by our own address or by a lesser router") }
    }

    // MARK: The engine

    /// Gives the engine an input and then, as the process does, what its outputs bring about.
    private mutating func give(_ input: Input) {
        var inputs = [input]
        while !inputs.isEmpty {
            for output in engine.handle(inputs.removeFirst(), nowNs: nowNs) { carryOut(output, &inputs) }
            guard state == engine.groupState else { fatalError("a change of state is not told") }
        }
    }

    private mutating func carryOut(_ output: Output, _ inputs: inout [Input]) {
        switch output {
        case .transition(let transition):
            guard transition.from == state, transition.to != state else { fatalError("a change of nothing") }
            state = transition.to
            reason = transition.reason
            if isFaulty, state == .master { fatalError("master in FAULT") }
        case .sendAdvert(_, let priority):
            guard priority == engine.priority || priority == 0 else { fatalError("another's priority is sent") }
        case .addAddresses(let member): inputs.append(.holding(member: member, true))
        case .removeAddresses(let member): inputs.append(.holding(member: member, false))
        case .runFence: fatalError("a fence that is not configured")
        default: break
        }
    }

    /// Time passes; what falls due is done.
    private mutating func passTime(untilNs: Int64) {
        while let deadlineNs = engine.nextDeadlineNs, deadlineNs <= untilNs {
            nowNs = max(nowNs, deadlineNs)
            settle()
        }
        nowNs = max(nowNs, untilNs)
    }

    private mutating func settle() {
        give(.timer)
        if let deadlineNs = engine.nextDeadlineNs, deadlineNs <= nowNs { fatalError("a timer stays due") }
    }
}

// MARK: What the codec says, by other code

/// The checks of RFC 9568, 7.1, and of RFC 3768, 7.1.
private func isValid(
    _ packet: [UInt8], _ header: IPHeader, _ advert: Advert, _ expected: AdvertExpectation
) -> Bool {
    let isIPv6 = header.source.family == .ipv6
    let message = packet[header.payload]
    let first = message.startIndex
    let octets = isIPv6 ? 16 : 4
    let length = 8 + Int(message[first + 3]) * octets + (advert.version == .v2 ? 8 : 0)
    guard packet[isIPv6 ? 7 : 8] == 255, packet[isIPv6 ? 6 : 9] == 112, message.count >= length,
        message[first] == expected.version.rawValue << 4 | 1, message[first + 1] == advert.vrid, advert.vrid > 0,
        message[first + 2] == advert.priority, advert.addresses.count == Int(message[first + 3])
    else { return false }
    for (index, address) in advert.addresses.enumerated() {
        guard address.bytes == Array(message[(first + 8 + index * octets)...].prefix(octets)) else { return false }
    }
    switch advert.version {
    case .v2:
        let trailer = message[(first + length - 8)...].prefix(8)
        guard !isIPv6, advert.intervalNs == expected.intervalNs,
            message[first + 4] == (expected.password == nil ? 0 : 1),
            expected.password.map({ $0 == Array(trailer) }) ?? true
        else { return false }
    case .v3:
        guard advert.intervalNs >= 10_000_000, advert.intervalNs <= 40_950_000_000 else { return false }
    }
    if isIPv6, expected.requiresLinkLocal {
        guard packet[8] == 0xfe, packet[9] & 0xc0 == 0x80 else { return false }
    }
    let form = sum(message.prefix(length), header, advert.checksumForm)
    return form == 0xffff && (advert.checksumForm == .pseudoHeader || !isIPv6)
}

/// Authentication headers and trailers: whatever a packet has there, without the key it proves nothing.
private func checkSeals(_ packet: [UInt8], _ arrival: Arrival) {
    guard let header = try? IPHeader(arrival.family, packet: packet.span) else { return }
    let key = [UInt8](repeating: 0x5a, count: 32)
    for method in [
        AdvertSeal.Method.header(key: Array(key.prefix(8)), isUnicast: false),
        .trailer(AdvertSeal.Trailer(keys: [1: key], activeKey: 1, windowSeconds: nil)),
    ] {
        var seal = AdvertSeal(method)
        if (try? seal.check(packet.span, header, nowNs: 0)) != nil { fatalError("a forged advert is accepted") }
        _ = try? AdvertCodec.decode(packet.span, header: header) { _ in
            var expectation = AdvertExpectation(version: packet[header.payload.lowerBound] >> 4 == 2 ? .v2 : .v3)
            expectation.hasAuthenticationHeader = seal.isHeader
            expectation.mayHaveTrailer = !seal.isHeader
            return expectation
        }
    }
}

/// Written and read again it is the same.
private func checkAgain(_ advert: Advert, _ destination: IPAddress, _ expected: AdvertExpectation) {
    let octets = AdvertCodec.encode(advert, destination: destination, password: expected.password)
    let header = IPHeader(source: advert.source, destination: destination, hopLimit: 255, payload: 0..<octets.count)
    guard let again = try? AdvertCodec.decode(octets.span, header: header, expectation: { _ in expected }),
        again == advert
    else { fatalError("an advert comes back differently") }
}

/// The packet with the checksum that its message should have.
private func summed(_ packet: [UInt8], _ arrival: Arrival) -> [UInt8] {
    guard let header = try? IPHeader(arrival.family, packet: packet.span), header.payload.count >= 8 else {
        return packet
    }
    var packet = packet
    let first = header.payload.lowerBound
    let octets = arrival.family == .ipv6 ? 16 : 4
    let length = 8 + Int(packet[first + 3]) * octets + (packet[first] >> 4 == 2 ? 8 : 0)
    packet[first + 6] = 0
    packet[first + 7] = 0
    let isMessageForm = packet[first] >> 4 == 2 || arrival.contains(.messageForm)
    let sum = ~sum(packet[header.payload].prefix(length), header, isMessageForm ? .message : .pseudoHeader)
    packet[first + 6] = UInt8(sum >> 8)
    packet[first + 7] = UInt8(sum & 255)
    return packet
}

/// RFC 1071, the slow way.
private func sum(_ message: ArraySlice<UInt8>, _ header: IPHeader, _ form: ChecksumForm) -> UInt16 {
    var octets = Array(message)
    if octets.count % 2 == 1 { octets.append(0) }
    if form == .pseudoHeader {
        octets += header.source.bytes + header.destination.bytes
        octets += [0, 112, UInt8(message.count >> 8), UInt8(message.count & 255)]
    }
    var total = 0
    for index in stride(from: 0, to: octets.count, by: 2) {
        total += Int(octets[index]) << 8 | Int(octets[index + 1])
        if total > 0xffff { total -= 0xffff }
    }
    return UInt16(total)
}
