/// Asks by ARP or neighbour solicitation whether somebody has an address, and hears the answers.
///
/// Three questions are asked: whether another station answers for a virtual address, whether a witness or neighbour still
/// answers on a leg in doubt, and whether the witness of a check answers. Answers are heard on a packet socket that is open
/// only while something is asked, so they count whatever the packet filter does.
///
/// *An answer is an answer to us*: an ARP reply to our MAC and to the address that we asked from, or a solicited
/// advertisement to our address. Gratuitous ARP, requests and solicitations of others, and unsolicited advertisements
/// prove nothing of what we asked, and any host can send them all day. The asker has to judge whom an answer comes
/// from: all of it can be forged.
import Addresses
import CLinux
import LinuxSystem
import SystemPackage
import VRRP

final class Prober {
    /// One question: answers are awaited until a time.
    private struct Question {
        /// What must be in the answer: who asked.
        var source: IPAddress
        var mac: MACAddress
        var untilNs: Int64
        var answered: (MACAddress) -> Void
    }

    /// An answer: whom it was sent to, and who sent it.
    private struct Answer {
        var target: IPAddress
        var destination: IPAddress
        /// What ARP names beside the address.
        var destinationMAC: MACAddress?
        var mac: MACAddress

        init(_ arp: ARPPacket) {
            (target, mac) = (arp.sender, arp.senderMAC)
            (destination, destinationMAC) = (arp.target, arp.targetMAC)
        }

        init(_ advertisement: NeighbourAdvertisement, from sender: MACAddress) {
            (target, mac) = (advertisement.target, advertisement.targetMAC ?? sender)
            destination = advertisement.destination
        }
    }

    /// A question to all nodes.
    private struct Echo {
        var source: IPAddress
        var mac: MACAddress
        var untilNs: Int64
        var answered: (IPAddress, MACAddress) -> Void
    }

    private final class Listener {
        let socket: Descriptor
        var questions: [IPAddress: [Question]] = [:]
        /// By identifier.
        var echoes: [UInt16: Echo] = [:]
        /// Senders of any ARP packets, the last one first.
        var speakers: [IPAddress] = []
        init(_ socket: consuming Descriptor) { self.socket = socket }

        func note(_ speaker: IPAddress) {
            guard speaker.isUnicast, !speakers.contains(speaker) else { return }
            speakers.insert(speaker, at: 0)
            if speakers.count > Prober.speakersMax { speakers.removeLast() }
        }
    }

    private let loop: EventLoop
    private let link: LinkSender
    private let buffer: ReceiveBuffer
    private var listeners: [SocketKey: Listener] = [:]
    private var sweepTimer: EventLoop.TimerID?

    /// Addresses asked for on one interface at a time; more are not asked.
    private static let targetsMax = 1024
    /// Questions for one address at a time.
    private static let questionsMax = 64
    /// Questions to all nodes of one interface at a time.
    private static let echoesMax = 16
    fileprivate static let speakersMax = 8

    init(loop: EventLoop, link: LinkSender, buffer: ReceiveBuffer) {
        self.loop = loop
        self.link = link
        self.buffer = buffer
    }

    /// Asks once for each address; `answered` is called for every answer of another station within the window, with the MAC
    /// address that it gives. The same station may answer more than once.
    ///
    /// - Parameters:
    ///   - source: our own address on the interface; 0.0.0.0 asks as a stranger would before taking the address, which
    ///     changes nobody's table (RFC 5227).
    ///   - mac: our own MAC address on the interface; what comes from it is no answer.
    func ask(
        _ targets: [IPAddress], on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void
    ) {
        guard let family = targets.first?.family, let own = MACAddress(mac) else { return }
        let key = SocketKey(ifindex: ifindex, family: family)
        guard let listener = try? listener(key) else { return }
        let untilNs = loop.nowNs + windowNs
        for target in targets where listener.questions.count < Self.targetsMax {
            let question = Question(source: source, mac: own, untilNs: untilNs) { answered(target, $0) }
            if listener.questions[target, default: []].count < Self.questionsMax {
                listener.questions[target, default: []].append(question)
            }
            send(target, on: ifindex, source: source, mac: mac)
        }
        scheduleSweep()
    }

    /// Asks all nodes whether they are there, over IPv6; `answered` is called with each that is.
    ///
    /// - Parameter source: our link-local address on the interface.
    func askAllNodes(
        on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void
    ) {
        let key = SocketKey(ifindex: ifindex, family: .ipv6)
        guard let own = MACAddress(mac), let listener = try? listener(key), listener.echoes.count < Self.echoesMax
        else { return }
        let identifier = UInt16.random(in: 0...UInt16.max)
        listener.echoes[identifier] = Echo(
            source: source, mac: own, untilNs: loop.nowNs + windowNs, answered: answered)
        let packet = PacketCraft.echoRequest(source: source, identifier: identifier)
        link.send(packet, .ip(.ipv6), to: PacketCraft.multicastMAC(PacketCraft.allNodes), on: ifindex)
        scheduleSweep()
    }

    /// The latest senders of ARP packets on an interface while something was asked there; a few.
    func speakers(on ifindex: Int32) -> [IPAddress] {
        listeners[SocketKey(ifindex: ifindex, family: .ipv4)]?.speakers ?? []
    }

    private func send(_ target: IPAddress, on ifindex: Int32, source: IPAddress, mac: [UInt8]) {
        switch target.family {
        case .ipv4:
            let packet = PacketCraft.arpRequest(sender: source, senderMAC: mac, target: target)
            link.send(packet, .arp, to: PacketCraft.broadcastMAC, on: ifindex)
        case .ipv6:
            let packet = PacketCraft.solicitation(source: source, mac: mac, target: target)
            let group = PacketCraft.multicastMAC(PacketCraft.solicitedNode(target))
            link.send(packet, .ip(.ipv6), to: group, on: ifindex)
        }
    }

    private func listener(_ key: SocketKey) throws(Errno) -> Listener {
        if let listener = listeners[key] { return listener }
        let listener = Listener(Descriptor(owning: try Syscall.check(clinux_packet_socket())))
        let filter = key.family == .ipv4 ? PacketFilter.arp(key.ifindex) : .neighbourAnswers(key.ifindex)
        try Syscall.check(filter.attach(to: listener.socket.raw))
        let type = UInt16(key.family == .ipv4 ? ETH_P_ARP : ETH_P_IPV6)
        try Syscall.check(clinux_packet_bind(listener.socket.raw, type, key.ifindex))
        try loop.watch(listener.socket.raw, .readable) { [unowned self, unowned listener] _ in
            hear(listener, key.family)
        }
        listeners[key] = listener
        return listener
    }

    /// Takes one batch: more makes the socket readable again.
    private func hear(_ listener: Listener, _ family: IPAddress.Family) {
        var answers: [Answer] = []
        var echoes: [(reply: EchoReply, mac: MACAddress)] = []
        buffer.receive(from: listener.socket.raw) { packet, index in
            switch family {
            case .ipv4:
                guard let arp = ARPPacket(packet) else { return }
                listener.note(arp.sender)
                if arp.isReply { answers.append(Answer(arp)) }
            case .ipv6:
                let mac = buffer.sourceMAC(index)
                if let reply = EchoReply(packet) {
                    echoes.append((reply, mac))
                } else if let advertisement = NeighbourAdvertisement(packet), advertisement.isSolicited {
                    answers.append(Answer(advertisement, from: mac))
                }
            }
        }
        let nowNs = loop.nowNs
        for answer in answers {
            for question in listener.questions[answer.target] ?? [] where question.untilNs > nowNs {
                guard answer.destination == question.source, answer.mac != question.mac,
                    (answer.destinationMAC ?? question.mac) == question.mac
                else { continue }
                question.answered(answer.mac)
            }
        }
        for (reply, mac) in echoes {
            guard let echo = listener.echoes[reply.identifier], echo.untilNs > nowNs, echo.source == reply.destination,
                echo.mac != mac
            else { continue }
            echo.answered(reply.source, mac)
        }
    }

    /// An interface is gone, and what was heard on it.
    func forget(ifindex: Int32) {
        for (key, listener) in listeners where key.ifindex == ifindex { close(listener, key) }
    }

    private func close(_ listener: Listener, _ key: SocketKey) {
        loop.unwatch(listener.socket.raw)
        listeners[key] = nil
    }

    /// Closes sockets on which no answer is awaited any more.
    private func scheduleSweep() {
        guard sweepTimer == nil else { return }
        sweepTimer = loop.schedule(atNs: loop.nowNs + 1_000_000_000) { [unowned self] in
            sweepTimer = nil
            sweep(nowNs: loop.nowNs)
            if !listeners.isEmpty { scheduleSweep() }
        }
    }

    private func sweep(nowNs: Int64) {
        for (key, listener) in listeners {
            for (target, questions) in listener.questions {
                let open = questions.filter { $0.untilNs > nowNs }
                listener.questions[target] = open.isEmpty ? nil : open
            }
            listener.echoes = listener.echoes.filter { $0.value.untilNs > nowNs }
            if listener.questions.isEmpty, listener.echoes.isEmpty { close(listener, key) }
        }
    }
}
