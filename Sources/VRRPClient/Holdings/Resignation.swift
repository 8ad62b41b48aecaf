/// What is sent for a process that has died while it held addresses: the advert of an instance, or the heartbeat of a cable, that
/// says that nothing is served any more. The runner makes it, and puts it into the record of holdings, so that
/// `linkwatch-vrrp --release` can say it where the runner was killed as well.
import Addresses
import Glibc
import LinuxSystem
import VRRP

struct Resignation: Hashable {
    /// The interface's name, as the file has it.
    var interface: String
    /// A virtual address that the process held: if the kernel has it no more, there is nothing to resign from. nil: there
    /// are none, and the runner has this resignation for as long as the process serves.
    var address: IPAddress?
    /// With its IP header, which says where it goes.
    var packet: [UInt8]
    /// Its signature is of this moment, and too old before long: it is not recorded.
    var isSigned = false

    private var family: IPAddress.Family { packet.first.map { $0 >> 4 } == 6 ? .ipv6 : .ipv4 }

    /// Sends them, as far as that is possible. Packets to a multicast group go by the link layer, past the packet
    /// filter; packets to a unicast peer are routed as any other.
    static func say(_ resignations: [Resignation]) {
        guard !resignations.isEmpty, let link = try? LinkSender() else { return }
        for last in resignations {
            let family = last.family
            let ifindex = Int32(clamping: unsafe if_nametoindex(last.interface))
            guard ifindex > 0, let destination = IPAddress(family, in: last.packet.span, at: family == .ipv4 ? 16 : 24)
            else { continue }
            if destination.isMulticast {
                link.send(last.packet, .ip(family), to: PacketCraft.multicastMAC(destination), on: ifindex)
            } else {
                let socket = try? RawSocket(SocketKey(ifindex: ifindex, family: family), around: link)
                _ = socket?.send(last.packet, to: destination)
            }
        }
    }

    // MARK: In the record

    /// A line, without its end.
    var line: String { "resign \(interface) \(address?.description ?? Self.noAddress) \(Self.digits(packet))" }

    private static let noAddress = "-"

    /// - Returns: nil for anything but an advert with priority 0.
    init?(words: [String]) {
        guard words.count == 4, words[0] == "resign", let packet = Self.bytes(words[3]) else { return nil }
        let address = IPAddress(words[2])
        guard address != nil || words[2] == Self.noAddress else { return nil }
        self.init(interface: words[1], address: address, packet: packet)
        guard isComplete else { return nil }
    }

    init(interface: String, address: IPAddress?, packet: [UInt8], isSigned: Bool = false) {
        (self.interface, self.address, self.packet, self.isSigned) = (interface, address, packet, isSigned)
    }

    /// Whether it is an advert with priority 0, as long as its header says.
    private var isComplete: Bool {
        let isIPv4 = family == .ipv4
        let start = isIPv4 ? 20 : 40
        guard packet.count >= start + 8, packet[isIPv4 ? 9 : 6] == AdvertCodec.ipProtocol,
            !isIPv4 || packet[0] == 0x45
        else { return false }
        let length = Int(packet[isIPv4 ? 2 : 4]) << 8 | Int(packet[isIPv4 ? 3 : 5])
        return packet.count == (isIPv4 ? length : 40 + length) && packet[start] & 15 == 1 && packet[start + 2] == 0
    }

    private static func digits(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func bytes(_ digits: String) -> [UInt8]? {
        let values = digits.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard values.count == digits.utf8.count, values.count % 2 == 0 else { return nil }
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}
