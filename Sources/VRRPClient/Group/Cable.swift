/// One heartbeat on its interface: sends our words, hears the peer's.
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

    /// Heartbeats that could not be sent.
    private(set) var sendErrors: UInt64 = 0
    /// The identity in the word that the runner has; nil: it has none.
    private var bequeathed: IPAddress?

    /// Called with every advert that the peer sends, or that we hear of our own.
    var onAdvert: (Advert) -> Void = { _ in }

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
        for vrid in [heartbeat.peerVrid, heartbeat.vrid] {
            port.listen(
                vrid,
                AdvertReceiver(
                    expectation: AdvertExpectation(intervalNs: heartbeat.intervalNs), peers: nil,
                    deliver: { [unowned self] advert, _ in onAdvert(advert) }))
        }
        self.ifindex = ifindex
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

    /// Leaves with the runner what it has to know to say, should this process die while the group holds addresses, that the
    /// group is unable and holds nothing.
    func bequeath(as identity: IPAddress, to runner: any ProgramRunner) {
        guard bequeathed != identity, let source else { return }
        let word = LastWord(speaker: .heartbeat(heartbeat.name), source: source, identity: identity)
        if runner.keep(word) { bequeathed = identity }
    }
}
