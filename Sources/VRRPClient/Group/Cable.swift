/// One heartbeat link on its interface: sends our heartbeats, receives the peer's.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

final class Cable {
    let heartbeat: VRRPConfiguration.Heartbeat
    let configuration: CableConfiguration
    private let wire: any Wire
    private let kernel: any Kernel
    /// The interface's number; nil: it does not exist.
    private(set) var ifindex: Int32?
    /// Where heartbeats come from; nil: there is no address to send from.
    private(set) var source: IPAddress?

    /// When the peer was last heard, or began to be listened to.
    var heardPeerNs: Int64 = 0
    /// Heartbeats that could not be sent.
    private(set) var sendErrors: UInt64 = 0
    /// The identity in the last word that the runner has; nil: it has none.
    private var bequeathed: IPAddress?

    /// Called with every heartbeat of the peer, and with our own ones that come back.
    var onAdvert: (Advert) -> Void = { _ in }
    /// Called with an advert of one of the two VRIDs that failed a check.
    var onRefused: (RefusedAdvert) -> Void = { _ in }
    /// Called with an advert of a VRID that is not expected on the interface.
    var onStranger: (RefusedAdvert) -> Void = { _ in }

    init(_ heartbeat: VRRPConfiguration.Heartbeat, wire: any Wire, kernel: any Kernel) {
        self.heartbeat = heartbeat
        self.wire = wire
        self.kernel = kernel
        configuration = CableConfiguration(heartbeat)
    }

    private var family: IPAddress.Family { configuration.family }

    /// The interface has this number now; nil: it is gone.
    func bind(to ifindex: Int32?) throws(Errno) {
        guard ifindex != self.ifindex else { return }
        unbind()
        guard let ifindex else { return }
        let port = try wire.port(SocketKey(ifindex: ifindex, family: family))
        var receiver = AdvertReceiver(
            expectation: AdvertExpectation(intervalNs: heartbeat.intervalNs), group: AdvertCodec.group(family),
            peers: nil,
            deliver: { [unowned self] advert, _ in onAdvert(advert) },
            refused: { [unowned self] in onRefused($0) })
        self.ifindex = ifindex
        do throws(Errno) {
            try port.listen(heartbeat.vrid, receiver)
            receiver.stranger = { [unowned self] in onStranger($0) }
            try port.listen(heartbeat.peerVrid, receiver)
        } catch {
            unbind()
            throw error
        }
        heardPeerNs = Clock.monotonicNs()
    }

    /// Whether an address is our own on the interface.
    func isOurs(_ address: IPAddress) -> Bool {
        ifindex.map { kernel.addresses(of: $0).contains { $0.key.address == address } } ?? false
    }

    func unbind() {
        guard let ifindex else { return }
        let key = SocketKey(ifindex: ifindex, family: family)
        wire.release(key, vrid: heartbeat.vrid)
        wire.release(key, vrid: heartbeat.peerVrid)
        self.ifindex = nil
        bequeathed = nil
    }

    /// Chooses the source anew; returns whether it changed.
    func chooseSource(isVirtual: (IPAddress) -> Bool) -> Bool {
        let chosen = ifindex.flatMap {
            SourceChoice.source(
                of: kernel.addresses(of: $0), family: family, wanted: nil, present: source, isVirtual: isVirtual)
        }
        guard chosen != source else { return false }
        source = chosen
        bequeathed = nil
        return true
    }

    /// Sends an advert made by `HeartbeatCodec`.
    func send(_ advert: Advert) -> SendOutcome {
        guard let ifindex, let port = wire.openPort(SocketKey(ifindex: ifindex, family: family))
        else { return .failed(.noSuchAddressOrDevice) }
        let outcome = port.send(PacketCraft.heartbeat(advert), to: AdvertCodec.group(family))
        if case .failed = outcome { sendErrors += 1 }
        return outcome
    }

    /// Gives the runner what it needs to tell the peer, if this process dies while the group holds addresses, that the
    /// group cannot serve and holds nothing.
    func bequeath(as identity: IPAddress, to runner: any ProgramRunner) {
        guard bequeathed != identity, let source else { return }
        let word = LastWord(speaker: .heartbeat(heartbeat.name), source: source, identity: identity)
        if runner.keep(word) { bequeathed = identity }
    }

    /// Tells the runner that the group no longer serves.
    func revokeLastWord(from runner: any ProgramRunner) {
        guard bequeathed != nil else { return }
        runner.forget(.heartbeat(heartbeat.name))
        bequeathed = nil
    }
}
