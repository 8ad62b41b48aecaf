/// Asks by ARP or neighbour solicitation whether somebody has an address, and hears the answers.
///
/// Three questions are asked: whether a stranger answers for a virtual address before we take it (RFC 5227 probe or duplicate
/// address detection, which change nobody's table), whether a witness or neighbour still answers on a leg in doubt, and
/// whether the witness of a check answers. Answers are heard on a packet socket that is open only while something is asked,
/// so they count whatever the packet filter does.
import Addresses
import CLinux
import LinuxSystem
import SystemPackage
import VRRP

final class Prober {
    /// One question: the answer is awaited until a time.
    private struct Question {
        var untilNs: Int64
        var answered: () -> Void
    }

    private final class Listener {
        let socket: Descriptor
        var questions: [IPAddress: [Question]] = [:]
        init(_ socket: consuming Descriptor) { self.socket = socket }
    }

    private let loop: EventLoop
    private let wire: Wire
    private var listeners: [SocketKey: Listener] = [:]
    private var sweepTimer: EventLoop.TimerID?

    /// Questions waiting on one interface; more are not asked.
    private static let questionsMax = 1024

    init(loop: EventLoop, wire: Wire) {
        self.loop = loop
        self.wire = wire
    }

    /// Asks once for each address; `answered` is called for every answer of another station within the window.
    ///
    /// - Parameters:
    ///   - source: our own address; nil: ask as a stranger would before taking the address.
    ///   - mac: our own MAC address on the interface; what comes from it is no answer.
    func ask(
        _ targets: [IPAddress], on ifindex: Int32, source: IPAddress?, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress) -> Void
    ) {
        guard let family = targets.first?.family else { return }
        let key = SocketKey(ifindex: ifindex, family: family)
        guard let listener = try? listener(key, mac: mac) else { return }
        let untilNs = Clock.monotonicNs() + windowNs
        for target in targets where listener.questions.count < Self.questionsMax {
            listener.questions[target, default: []].append(Question(untilNs: untilNs) { answered(target) })
            send(target, on: ifindex, source: source, mac: mac)
        }
        scheduleSweep()
    }

    private func send(_ target: IPAddress, on ifindex: Int32, source: IPAddress?, mac: [UInt8]) {
        switch target.family {
        case .ipv4:
            let packet = PacketCraft.arpRequest(sender: source, senderMAC: mac, target: target)
            wire.link.send(packet, .arp, to: PacketCraft.broadcastMAC, on: ifindex)
        case .ipv6:
            let packet = PacketCraft.solicitation(source: source, mac: mac, target: target)
            let group = PacketCraft.multicastMAC(PacketCraft.solicitedNode(target))
            wire.link.send(packet, .ip(.ipv6), to: group, on: ifindex)
        }
    }

    private func listener(_ key: SocketKey, mac: [UInt8]) throws(Errno) -> Listener {
        if let listener = listeners[key] { return listener }
        let listener = Listener(Descriptor(owning: try Syscall.check(clinux_packet_socket())))
        let filter = key.family == .ipv4 ? PacketFilter.arp(key.ifindex) : .neighbourAdvertisements(key.ifindex)
        try Syscall.check(filter.attach(to: listener.socket.raw))
        let type = UInt16(key.family == .ipv4 ? ETH_P_ARP : ETH_P_IPV6)
        try Syscall.check(clinux_packet_bind(listener.socket.raw, type, key.ifindex))
        try loop.watch(listener.socket.raw, .readable) { [unowned self, unowned listener] _ in
            hear(listener, key.family, mac)
        }
        listeners[key] = listener
        return listener
    }

    private func hear(_ listener: Listener, _ family: IPAddress.Family, _ mac: [UInt8]) {
        var answers: [IPAddress] = []
        wire.buffer.receive(from: listener.socket.raw) { packet, index in
            switch family {
            case .ipv4:
                guard let (address, sender) = PacketCraft.arpSender(packet), sender != mac else { return }
                answers.append(address)
            case .ipv6:
                guard let (address, _) = PacketCraft.advertisedTarget(packet), wire.buffer.sourceMAC(index) != mac
                else { return }
                answers.append(address)
            }
        }
        let nowNs = Clock.monotonicNs()
        for answer in answers {
            for question in listener.questions[answer] ?? [] where question.untilNs > nowNs { question.answered() }
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

    /// Closes what nobody waits for any more.
    private func scheduleSweep() {
        guard sweepTimer == nil else { return }
        sweepTimer = loop.schedule(atNs: Clock.monotonicNs() + 1_000_000_000) { [unowned self] in
            sweepTimer = nil
            sweep(nowNs: Clock.monotonicNs())
            if !listeners.isEmpty { scheduleSweep() }
        }
    }

    private func sweep(nowNs: Int64) {
        for (key, listener) in listeners {
            for (target, questions) in listener.questions {
                let open = questions.filter { $0.untilNs > nowNs }
                listener.questions[target] = open.isEmpty ? nil : open
            }
            if listener.questions.isEmpty { close(listener, key) }
        }
    }
}
