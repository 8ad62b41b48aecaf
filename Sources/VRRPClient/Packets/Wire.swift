/// The network as a group sees it: ports for its adverts, and questions to its neighbours. `WireSockets` is the real one; a
/// test brings one without sockets.
import Addresses
import LinuxSystem
import SystemPackage
import VRRP

/// What packets are sent or heard on.
struct SocketKey: Hashable {
    var ifindex: Int32
    var family: IPAddress.Family
}

/// What came of sending.
enum SendOutcome: Equatable {
    case sent
    /// A packet filter refused it, so it was sent past the filter.
    case sentAround
    case failed(Errno)
}

/// The receiver of one VRID's adverts.
struct AdvertReceiver {
    var expectation: AdvertExpectation
    /// The multicast group that its adverts are sent to.
    var group: IPAddress
    /// The only senders that count; nil: anyone.
    var peers: Set<IPAddress>?
    /// Checks who sent an advert; nil: nothing proves that.
    var authenticate: ((_ packet: Span<UInt8>, _ header: IPHeader) throws(Discard) -> Void)?
    /// Called with an advert that passed every check, and the MAC address that it came from.
    var deliver: (Advert, MACAddress) throws(Discard) -> Void
    /// Called with an advert of the VRID that failed a check.
    var refused: (RefusedAdvert) -> Void = { _ in }
    /// Called with an advert of a VRID that has no receiver; nil: such adverts are ignored.
    var stranger: ((RefusedAdvert) -> Void)?
}

/// Where adverts leave.
protocol AdvertSender: AnyObject {
    /// Sends a packet that has its IP header.
    func send(_ packet: [UInt8], to destination: IPAddress) -> SendOutcome
}

/// One interface in one family.
protocol AdvertPort: AdvertSender {
    /// Joins the receiver's group, and listens.
    ///
    /// - Throws: ENODEV when the interface is gone, ENOBUFS with more groups than the kernel allows.
    func listen(_ vrid: UInt8, _ receiver: AdvertReceiver) throws(Errno)
    /// Whether a packet filter drops somebody's adverts.
    var isFiltered: Bool { get }
}

protocol Wire: AnyObject {
    /// The port of an interface and family, opened if it is not open yet.
    ///
    /// - Throws: ENODEV when the interface is gone.
    func port(_ key: SocketKey) throws(Errno) -> any AdvertPort

    /// The port, if it is open.
    func openPort(_ key: SocketKey) -> (any AdvertPort)?

    /// Stops listening for a VRID, and closes the port if nobody else uses it.
    func release(_ key: SocketKey, vrid: UInt8)

    /// A port that only sends, through a macvlan of our own.
    ///
    /// - Throws: ENODEV when the interface is gone.
    func sender(_ key: SocketKey) throws(Errno) -> any AdvertSender

    /// Sends by the link layer, past the packet filter.
    @discardableResult
    func send(_ packet: [UInt8], _ kind: LinkSender.Kind, to mac: [UInt8], on ifindex: Int32) -> Errno?

    /// Hears who else claims addresses of one family on an interface, until `stopWatchingClaims`.
    func watchClaims(
        of addresses: [IPAddress], on ifindex: Int32, for owner: AnyObject,
        heard: @escaping (IPAddress, MACAddress) -> Void)

    func stopWatchingClaims(for owner: AnyObject)

    /// Asks once for each address (`Prober.ask`).
    func ask(
        _ targets: [IPAddress], on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void)

    /// Asks all IPv6 nodes of a link who is there (`Prober.askAllNodes`).
    func askAllNodes(
        on ifindex: Int32, source: IPAddress, mac: [UInt8], windowNs: Int64,
        answered: @escaping (IPAddress, MACAddress) -> Void)

    /// The latest senders of ARP packets on an interface while something was asked there; a few.
    func speakers(on ifindex: Int32) -> [IPAddress]
}
