/// Addresses in the record of holdings: which a process may have, and which of them it has left behind.
///
/// A line is `eth0 192.0.2.1`, with `owner` behind it if the address is there for good and only removed if it carries our mark. It
/// names a candidate, whatever prefix length it has on that interface. What is removed must also carry our mark in the
/// kernel (`LegAddresses.isOurs`) or, unless we are the owner, be left over there by somebody else (`AddressRemoval.isLeftover`), so
/// that a record that is out of date harms nothing. A macvlan of ours counts as the interface beneath it, and goes with its
/// addresses.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage

private struct RecordedAddress: Hashable {
    /// The interface's name, as the file has it; for a macvlan, that of the interface beneath it.
    var interface: String
    var address: IPAddress
    var isOwner = false

    var line: String { "\(interface) \(address)\(isOwner ? " owner" : "")" }

    init(interface: String, address: IPAddress, isOwner: Bool) {
        (self.interface, self.address, self.isOwner) = (interface, address, isOwner)
    }

    init?(words: [String]) {
        guard (2...3).contains(words.count), let address = IPAddress(words[1]) else { return nil }
        self.init(interface: words[0], address: address, isOwner: words.count == 3)
    }
}

extension LegAddresses {
    static func lines(of instance: VRRPConfiguration.Instance, in group: VRRPConfiguration.Group) -> [String] {
        let isOwner = group.priority == 255
        var entries = instance.addresses.map {
            RecordedAddress(interface: $0.interface ?? instance.interface, address: $0.address, isOwner: isOwner)
        }
        // By this one the macvlan is found, if no address is on it.
        if instance.hasVirtualMAC, let first = entries.first,
            !entries.contains(where: { $0.interface == instance.interface })
        {
            entries.append(
                RecordedAddress(interface: instance.interface, address: first.address, isOwner: isOwner))
        }
        return entries.map(\.line)
    }

    static func isLine(_ words: [String]) -> Bool { RecordedAddress(words: words) != nil }

    static func removeLeftovers(
        recorded: [[String]], named: [[String]], in tables: KernelTables, by requester: any KernelRequests,
        resign: (Set<IPAddress>) -> Void
    ) throws(Errno) -> String {
        let around = tables.addresses.values
        var (keys, macvlans) = leftovers(of: Set(recorded.compactMap(RecordedAddress.init)), in: tables)
        let virtual = Set(named.compactMap { RecordedAddress(words: $0)?.address })
        for address in around where isOurs(address) && virtual.contains(address.key.address) {
            if !keys.contains(address.key) { keys.append(address.key) }
        }
        let answers = try AddressRemoval.remove(keys, among: around, by: requester) { tables.links[$0]?.name }
        for case (let key, let refusal?) in zip(keys, answers) {
            Log.error("\(key.address)/\(key.prefixLength) cannot be removed: \(refusal)")
        }
        let gone = zip(keys, answers).filter { $1 == nil }.map(\.0)
        resign(Set(gone.filter { tables.addresses[$0].map(isOurs) ?? false }.map(\.address)))
        let unmade = try requester.perform(macvlans.map { .removeLink(ifindex: $0) }).count { $0 == nil }
        return gone.isEmpty && unmade == 0 ? "" : "\(gone.count) addresses and \(unmade) macvlan interfaces"
    }

    /// What a record names and the kernel has: addresses, and macvlans by their numbers.
    private static func leftovers(
        of entries: Set<RecordedAddress>, in tables: KernelTables
    ) -> (addresses: [AddressKey], macvlans: [Int32]) {
        let links = tables.links
        let virtual = Set(entries.map(\.address))
        func names(_ link: Link) -> [String] { [link.name] + link.altnames }
        let macvlans = links.values.filter { link in
            guard let parent = VirtualMAC.parent(of: link).flatMap({ links[$0] }) else { return false }
            return entries.contains { names(parent).contains($0.interface) }
        }
        func isRecorded(_ address: Address, isOwner: Bool) -> Bool {
            guard let link = links[address.key.ifindex] else { return false }
            let place = VirtualMAC.parent(of: link).flatMap { links[$0] } ?? link
            return names(place).contains {
                entries.contains(RecordedAddress(interface: $0, address: address.key.address, isOwner: isOwner))
            }
        }
        let around = tables.addresses.values
        let found = around.filter { virtual.contains($0.key.address) }.filter { address in
            let isOurs = isOurs(address)
            if isOurs, isRecorded(address, isOwner: true) { return true }
            guard isRecorded(address, isOwner: false) else { return false }
            return isOurs || AddressRemoval.isLeftover(address, among: around, isVirtual: virtual.contains)
        }
        return (found.map(\.key), macvlans.map(\.ifindex))
    }
}
