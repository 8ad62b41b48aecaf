/// `[heartbeat.NAME]`: a cable of a group's pool, and its keys.
import Addresses

extension VRRPConfiguration {
    /// One cable of a pool.
    public struct Heartbeat: Hashable, Sendable {
        public var name: String
        public var interface = ""
        public var family = IPAddress.Family.ipv6
        /// Sent by us; 1 to 255.
        public var vrid: UInt8 = 0
        /// Sent by the peer; not `vrid`.
        public var peerVrid: UInt8 = 0
        /// In steps of 10 ms; without the key, no longer than the group's advert interval.
        public var intervalNs = 100 * Time.millisecond
    }
}

extension VRRPConfiguration.Heartbeat: SectionKeys {
    init(name: String) { self.name = name }

    mutating func read(_ keys: TableReader) {
        keys.read(
            "interface", .interfaceName, into: &interface,
            required: "the name of the cable's network interface, such as \"hb0\"")
        keys.read("family", .choice, into: &family)
        keys.read("vrid", .number(1...255), into: &vrid, required: "the VRID that we send, from 1 to 255")
        keys.read(
            "peer-vrid", .number(1...255), into: &peerVrid, required: "the VRID that the peer sends, from 1 to 255")
        keys.read("interval", .advertInterval, into: &intervalNs)
        if let own = keys.place(of: "vrid"), let peer = keys.place(of: "peer-vrid"), vrid == peerVrid {
            keys.problems.report(
                peer, "peer-vrid = \(peerVrid) is our own vrid (line \(own.line)): expected another number")
        }
    }
}

extension NamedSection<VRRPConfiguration.Heartbeat> {
    var interface: Located<String>? { keys.located("interface", value.interface) }
    var vrids: [Located<UInt8>] {
        [keys.located("vrid", value.vrid), keys.located("peer-vrid", value.peerVrid)].compactMap { $0 }
    }
}
