/// The kernel as groups and what they hold see it. `KernelState` is the real one; a test brings one that is a table.
import Addresses
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

protocol Kernel: AnyObject {
    // MARK: What is known

    var links: [Int32: Link] { get }
    var addresses: [AddressKey: Address] { get }

    /// The link of that name or alternative name.
    func link(named name: String) -> Link?

    /// Whether it is a virtual address, of any instance.
    func isFollowed(_ address: IPAddress) -> Bool

    /// Where the kernel has a virtual address, on whatever interface and with whatever prefix length.
    func places(of address: IPAddress) -> [Address]

    /// Neighbours of an interface that have answered the kernel; a few.
    func neighbours(on ifindex: Int32, _ family: IPAddress.Family) -> [IPAddress]

    /// The next hops of routes over an interface; a few.
    func nextHops(on ifindex: Int32, _ family: IPAddress.Family) -> [IPAddress]

    /// The routes of a key, if it is followed: more than one where somebody has added another beside.
    func routes(at key: RouteKey) -> [Route]

    /// Whether it has a policy rule of ours, if these are followed.
    func hasRule(_ rule: PolicyRule) -> Bool
    /// The routes to a destination in a table, whatever their metric, if it is followed.
    func routes(to destination: IPPrefix, table: UInt32) -> [Route]

    // MARK: What is asked

    /// Asks for changes that shall be seen here.
    var requests: any KernelRequests { get }

    /// Refreshes leases, which changes nothing that is seen.
    var refreshes: any KernelRequests { get }

    /// Removes addresses, and nothing along with them that is secondary to one of them.
    ///
    /// - Returns: for each one, nil or why it is still there.
    func remove(_ keys: [AddressKey]) -> [RtnlError?]

    /// Why the kernel does not let this process change addresses; nil: it does.
    var refusal: RtnlError? { get }

    /// What is borrowed of the switches of interfaces.
    var switches: InterfaceSwitches { get }
}

/// What is asked of the kernel, as `RtnlRequester` does it.
protocol KernelRequests: AnyObject {
    /// - Returns: for each one, nil or why it was refused.
    /// - Throws: what the socket said; then it is unknown what was done.
    func perform(_ requests: [RtnlRequest]) throws(Errno) -> [RtnlError?]
    func perform(_ request: RtnlRequest) throws(RtnlError)
    func link(named name: String) throws(RtnlError) -> Link
    func link(ifindex: Int32) throws(RtnlError) -> Link
    func routes(isIPv6: Bool, table: UInt32, routeProtocol: UInt8) throws(RtnlError) -> [Route]
    func encode(_ requests: [RtnlRequest]) -> [UInt8]?
    func post(_ message: [UInt8]) throws(Errno)
    func flush() throws(Errno)
}

extension RtnlRequester: KernelRequests {}

extension Kernel {
    func link(ifindex: Int32) -> Link? { links[ifindex] }

    /// The addresses of an interface.
    func addresses(of ifindex: Int32) -> [Address] { addresses.values.filter { $0.key.ifindex == ifindex } }

    /// Whether a MAC address is that of one of our own interfaces: where two of them are on one link, either answers for both.
    func isOwn(_ mac: MACAddress) -> Bool {
        let address = HardwareAddress((0..<6).map { UInt8(truncatingIfNeeded: mac.number >> UInt64(40 - 8 * $0)) })
        return links.values.contains { $0.address == address }
    }

    /// The VRF that an interface is in, by its number; 0: none.
    func vrf(of ifindex: Int32) -> Int32 {
        guard let master = links[ifindex]?.master, links[master]?.kind == "vrf" else { return 0 }
        return master
    }
}
