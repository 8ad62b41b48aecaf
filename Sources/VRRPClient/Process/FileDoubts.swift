/// Doubts about a file that was not refused: settings that do not do what they seem to, and settings that do not suit
/// the interfaces of this host. They are only warnings, as the file may be meant for another host.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import RtnlMonitor

struct FileDoubts {
    let configuration: VRRPConfiguration
    /// As it was named to us.
    let file: String
    /// The interfaces and addresses of this host; nil: they could not be read.
    let host: RtnlMonitor?

    /// The kernel's interfaces and addresses, read once, for a process that follows no changes.
    static func now(_ configuration: VRRPConfiguration, file: String) -> FileDoubts {
        let options = RtnlMonitor.Options(routes: nil, addresses: true)
        return FileDoubts(configuration: configuration, file: file, host: try? RtnlMonitor.snapshot(options: options))
    }

    /// All of them, a line each.
    var all: [String] { user + heldDoubts + addressDoubts + unsuitable }

    /// Those that are logged at the start; the others become conditions, and are published.
    var unsuitable: [String] { configuration.warnings.map(\.description) + openKeys + oversize }

    // MARK: The process

    static let missingUser =
        "there is no user '\(Account.defaultName)': the process stays root, with two capabilities; "
        + "create the user with `useradd --system \(Account.defaultName)` or systemd-sysusers(8)"

    private var user: [String] {
        configuration.process.user == nil && Account.ofDaemons == nil ? [Self.missingUser] : []
    }

    /// The keys of adverts are read by whoever may read the file; a password of version 2 is on the wire anyway.
    private var openKeys: [String] {
        let hasKeys = configuration.groups.flatMap(\.instances).contains { $0.authHMAC != nil || $0.authType == .ah }
        var status = stat()
        guard hasKeys, unsafe stat(file, &status) == 0, status.st_mode & 0o004 != 0 else { return [] }
        return [
            "\(file): has keys of adverts, and every user may read it (mode \(String(status.st_mode & 0o7777, radix: 8))): "
                + "expected the user of the process alone (chmod o-r)"
        ]
    }

    // MARK: Adverts that do not fit

    private var oversize: [String] {
        configuration.groups.flatMap { group in
            group.instances.compactMap { instance in
                let octets = instance.advertOctets(version: instance.version(in: group))
                guard let mtu = host?.link(named: instance.interface)?.mtu, mtu > 0, octets > mtu else { return nil }
                return "instance \(instance.name): its adverts have \(octets) octets and cannot be sent, as the MTU of "
                    + "\(instance.interface) is \(mtu): expected fewer addresses, or a larger MTU"
            }
        }
    }

    // MARK: What else an instance holds

    private var heldDoubts: [String] {
        guard let host else { return [] }
        let virtual = virtual
        return configuration.groups.flatMap(\.instances).flatMap { instance in
            HeldKinds.all.flatMap { kind in
                kind.doubts(of: instance, virtual: virtual, on: host).map { "\(file):\($0.line): \($0.text)" }
            }
        }
    }

    private var virtual: Set<IPAddress> {
        Set(configuration.groups.flatMap(\.instances).flatMap(\.addresses).map(\.address))
    }

    // MARK: Addresses that are an interface's own, or that no host of its network can have

    private var addressDoubts: [String] {
        guard let host else { return [] }
        let virtual = virtual
        var doubts: [String] = []
        for group in configuration.groups where group.priority < 255 {
            for instance in group.instances {
                for (name, addresses) in Dictionary(
                    grouping: instance.addresses, by: { $0.interface ?? instance.interface })
                {
                    guard let link = host.link(named: name) else { continue }
                    let present = host.addresses.values.filter { $0.key.ifindex == link.ifindex }
                    for address in addresses {
                        guard let doubt = Self.doubt(address.address, on: link.name, among: present, virtual) else {
                            continue
                        }
                        doubts.append(
                            "\(file):\(address.place.line): addresses of instance \(instance.name) has \(address.address), \(doubt)"
                        )
                    }
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
