/// Tells the neighbours of one leg who has its virtual addresses: gratuitous ARP or unsolicited neighbour advertisements, in
/// bursts, since a switch or host may miss one, and again after a while, for those that were still learning the topology.
import Addresses
import Configuration
import LinuxSystem
import VRRP

/// Addresses to announce, on which interface and with what MAC address.
struct Announcement {
    var addresses: [IPAddress]
    var ifindex: Int32
    var mac: [UInt8]
}

final class Announcer {
    private let settings: VRRPConfiguration.Announce
    private let wire: any Wire
    private let loop: EventLoop
    private var timers: [EventLoop.TimerID] = []
    private var refreshTimer: EventLoop.TimerID?
    /// Those of the last advert of lower priority.
    private var lowerTimers: [EventLoop.TimerID] = []

    /// What is to be announced; empty: nothing is held any more.
    var subject: () -> [Announcement] = { [] }

    init(_ settings: VRRPConfiguration.Announce, wire: any Wire, loop: EventLoop) {
        self.settings = settings
        self.wire = wire
        self.loop = loop
    }

    deinit { stop() }

    /// Announces at once, then as configured. A burst under way is replaced.
    func announce() {
        stop()
        guard !subject().isEmpty else { return }
        timers = sendBursts(of: settings.count, againAfterNs: settings.repeatAfterNs)
        scheduleRefresh()
    }

    /// A router of lower priority, which has announced the same addresses perhaps, was heard. What is under way goes on.
    func announceAfterLower() {
        for timer in lowerTimers { loop.cancel(timer) }
        lowerTimers = sendBursts(of: settings.lowerCount, againAfterNs: settings.lowerRepeatNs)
    }

    /// Sends the first of a burst at once.
    ///
    /// - Parameter againAfterNs: when a second burst begins; 0: there is none.
    /// - Returns: the timers of the others.
    private func sendBursts(of count: Int, againAfterNs: Int64) -> [EventLoop.TimerID] {
        guard count > 0, sendRound() else { return [] }
        let nowNs = loop.nowNs
        let bursts = againAfterNs > 0 ? [0, againAfterNs] : [0]
        return bursts.flatMap { start in
            (0..<Int64(count)).filter { start + $0 > 0 }.map { round in
                loop.schedule(atNs: nowNs + start + round * settings.intervalNs) { [unowned self] in sendRound() }
            }
        }
    }

    /// Ends all that is still to come.
    func stop() {
        for timer in timers + lowerTimers { loop.cancel(timer) }
        (timers, lowerTimers) = ([], [])
        if let refreshTimer { loop.cancel(refreshTimer) }
        refreshTimer = nil
    }

    /// - Parameter round: of the refresh that is under way; 0: the first of the next one.
    private func scheduleRefresh(_ round: Int = 0) {
        guard settings.refreshNs > 0 else { return }
        let afterNs = round == 0 ? settings.refreshNs : settings.intervalNs
        refreshTimer = loop.schedule(atNs: loop.nowNs + afterNs) { [unowned self] in
            refreshTimer = nil
            guard sendRound() else { return }
            scheduleRefresh(round + 1 < settings.refreshCount ? round + 1 : 0)
        }
    }

    /// Announces each address once; false: nothing is held any more.
    @discardableResult
    private func sendRound() -> Bool {
        let subject = subject()
        guard !subject.isEmpty else {
            stop()
            return false
        }
        for one in subject { send(one) }
        return true
    }

    private func send(_ one: Announcement) {
        let (ifindex, mac) = (one.ifindex, one.mac)
        for address in one.addresses {
            switch address.family {
            case .ipv4:
                wire.send(
                    PacketCraft.gratuitousARP(address, mac: mac), .arp, to: PacketCraft.broadcastMAC, on: ifindex)
            case .ipv6:
                let allNodes: [UInt8] = [0x33, 0x33, 0, 0, 0, 1]
                wire.send(
                    PacketCraft.unsolicitedAdvertisement(address, mac: mac), .ip(.ipv6), to: allNodes, on: ifindex)
            }
        }
    }
}
