/// Finds hosts to probe on a leg in doubt, where no witness is configured.
///
/// First those that have answered us before, the kernel's neighbours, and the next hops of routes. If nobody has
/// answered for two rounds, it asks hosts that have sent ARP packets meanwhile, and then the leg's own network, a few
/// addresses at a time and those next to ours first; over IPv6, all nodes at once (`asksStrangers`). So one host that
/// is up is enough, even if no director has ever talked to it. All of this happens only while a leg is in doubt.
///
/// Pure: it takes what is known and returns whom to ask.
import Addresses

struct NeighbourSearch {
    /// Addresses that are asked in one round, by where they are from.
    private static let knownMax = 8
    private static let sweepMax = 16
    /// A network of more addresses than this is searched around our own alone.
    private static let networkMax: UInt64 = 256
    /// Rounds without an answer before strangers are asked.
    private static let patience = 2
    /// A round that comes this much later than the last one belongs to another doubt.
    private static let memoryNs: Int64 = 5_000_000_000

    /// Hosts that have answered, the last one first.
    private var answered: [IPAddress] = []
    private var unanswered = 0
    private var lastNs = Int64.min / 2
    /// How far the search of the network has come.
    private var position: UInt64 = 0

    /// Whether none of the known hosts answers.
    var asksStrangers: Bool { unanswered > Self.patience }

    /// Begins a round.
    ///
    /// - Parameters:
    ///   - known: neighbours and next hops.
    ///   - speakers: hosts that have recently sent ARP packets on the link.
    ///   - networks: our own address and prefix on the link, of IPv4.
    ///   - isExcluded: our own addresses, virtual ones, and the routers whose silence is the question.
    mutating func round(
        known: [IPAddress], speakers: [IPAddress], networks: [IPPrefix], nowNs: Int64,
        isExcluded: (IPAddress) -> Bool
    ) -> [IPAddress] {
        if nowNs - lastNs > Self.memoryNs { (unanswered, position) = (0, 0) }
        lastNs = nowNs
        unanswered += 1
        var targets: [IPAddress] = []
        func add(_ addresses: some Sequence<IPAddress>, atMost limit: Int) {
            var left = limit
            for address in addresses where left > 0 && !targets.contains(address) && !isExcluded(address) {
                targets.append(address)
                left -= 1
            }
        }
        add(answered, atMost: Self.knownMax)
        add(known, atMost: 2 * Self.knownMax)
        guard asksStrangers else { return targets }
        add(speakers, atMost: Self.knownMax)
        for network in networks { add(sweep(network), atMost: Self.sweepMax) }
        return targets
    }

    /// Somebody answered.
    mutating func heard(_ address: IPAddress) {
        unanswered = 0
        guard answered.first != address else { return }
        answered.removeAll { $0 == address }
        answered.insert(address, at: 0)
        if answered.count > Self.knownMax { answered.removeLast() }
    }

    /// The next addresses of a network: its first and last, where routers live, then from our own outwards.
    private mutating func sweep(_ own: IPPrefix) -> [IPAddress] {
        guard own.address.family == .ipv4, own.length < 31 else { return [] }
        let length = max(own.length, 24)
        let size = UInt64(1) << UInt64(32 - length)
        let base = own.address.low & ~(size - 1)
        // Of a larger network, a part: it has no network and no broadcast address of its own.
        let isWhole = own.length == length
        let hosts = isWhole ? base + 1...base + size - 2 : base...base + size - 1
        var found: [IPAddress] = []
        for _ in 0..<2 * Self.networkMax + 2 where found.count < Self.sweepMax {
            let step = position
            position = (position + 1) % (2 * Self.networkMax + 2)
            let distance = step / 2
            let number =
                switch step {
                case 0: hosts.lowerBound
                case 1: hosts.upperBound
                case _ where step % 2 == 0: own.address.low + distance
                default: own.address.low >= distance ? own.address.low - distance : 0
                }
            if hosts.contains(number), number != own.address.low {
                found.append(IPAddress(ipv4: UInt32(truncatingIfNeeded: number)))
            }
        }
        return found
    }
}
