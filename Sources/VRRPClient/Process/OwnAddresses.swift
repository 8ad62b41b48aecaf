/// What `--check` says of the interfaces of this host, if they are there: a virtual address that is an interface's own, or that
/// no host of its network can have; and what else an instance holds, such as a route, and this host could not have. A warning,
/// as the file may be meant for another host.
import Addresses
import Configuration
import RtnlMonitor

enum OwnAddresses {
    /// One line for each doubtful address, with its place in the file.
    static func doubts(_ configuration: VRRPConfiguration, file: String) -> [String] {
        let options = RtnlMonitor.Options(routes: nil, addresses: true)
        guard let kernel = try? RtnlMonitor.snapshot(options: options) else { return [] }
        let virtual = Set(configuration.groups.flatMap(\.instances).flatMap(\.addresses).map(\.address))
        var doubts: [String] = []
        for instance in configuration.groups.flatMap(\.instances) {
            for kind in HeldKinds.all {
                doubts += kind.doubts(of: instance, virtual: virtual, on: kernel).map {
                    "\(file):\($0.line): \($0.text)"
                }
            }
        }
        for group in configuration.groups where group.priority < 255 {
            for instance in group.instances {
                guard let link = kernel.link(named: instance.interface) else { continue }
                let present = kernel.addresses.values.filter { $0.key.ifindex == link.ifindex }
                for address in instance.addresses.map(\.address) {
                    guard let doubt = doubt(address, on: link.name, among: present, virtual) else { continue }
                    let line = configuration.addressLines.line(of: address, in: instance.name)
                    doubts.append("\(file):\(line): addresses of instance \(instance.name) has \(address), \(doubt)")
                }
            }
        }
        return doubts
    }

    private static func doubt(
        _ address: IPAddress, on interface: String, among present: [Address], _ virtual: Set<IPAddress>
    ) -> String? {
        let isOwn = present.contains {
            $0.key.address == address && !LegAddresses.isOurs($0)
                && !AddressRemoval.isLeftover($0, among: present, isVirtual: virtual.contains)
        }
        if isOwn { return "the own address of \(interface): expected priority = 255, or another address" }
        for case let network? in present.map(\.key.network) {
            if let what = network.reserved(address) {
                return "\(what) of \(network), which is on \(interface): expected the address of a host"
            }
        }
        return nil
    }
}
