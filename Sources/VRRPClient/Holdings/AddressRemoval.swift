/// Removing addresses without harm to those that are not ours.
///
/// The kernel removes with the first IPv4 address of a network (the *primary* one) every other one of the same network
/// and prefix length (the *secondary* ones), unless `promote_secondaries` is set (`__inet_del_ifa`,
/// net/ipv4/devinet.c). What this program adds is a /32, beneath which nothing can be secondary. Others add virtual
/// addresses as well: another daemon, a script, an older version of this one. So before an address with a shorter
/// prefix is removed, `promote_secondaries` is set for that moment; if that fails and the address has secondary ones,
/// it stays.
import Addresses
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage

enum AddressRemoval {
    /// The protocol number with which keepalived marks its addresses. (`RTPROT_KEEPALIVED`, as `IFA_PROTO`)
    private static let keepalived: UInt8 = 18

    /// Removes addresses, and no others along with them.
    ///
    /// - Parameters:
    ///   - addresses: all that the interfaces have.
    ///   - name: an interface's name by its number.
    /// - Returns: for each one, nil or why it is still there.
    /// - Throws: what the socket said; then it is unknown what was removed.
    static func remove(
        _ keys: [AddressKey], among addresses: some Sequence<Address>, by requester: any KernelRequests,
        name: (Int32) -> String?
    ) throws(Errno) -> [RtnlError?] {
        let heads = Set(keys.filter(mayHaveSecondaries).map(\.ifindex))
        var promoting: [String] = []
        var refused: Set<Int32> = []
        for ifindex in heads {
            guard let name = name(ifindex) else { continue }
            if Sysctl.promotesSecondaries(on: name) { continue }
            if Sysctl.setPromotion(on: name, true) { promoting.append(name) } else { refused.insert(ifindex) }
        }
        defer { for name in promoting { Sysctl.setPromotion(on: name, false) } }
        var answers = [RtnlError?](repeating: nil, count: keys.count)
        let harmful =
            refused.isEmpty
            ? [] : keysWithSecondaries(keys, among: addresses.filter { refused.contains($0.key.ifindex) })
        for (index, key) in keys.enumerated() where harmful.contains(key) {
            answers[index] = RtnlError(
                .readOnlyFileSystem, "other addresses would go with it, and promote_secondaries cannot be set")
        }
        let places = keys.indices.filter { answers[$0] == nil }
        let done = try requester.perform(places.map { .removeAddress(keys[$0]) })
        for (place, answer) in zip(places, done) { answers[place] = answer }
        return answers
    }

    private static func mayHaveSecondaries(_ key: AddressKey) -> Bool {
        !key.address.isIPv6 && (key.prefixLength < 32 || key.peer != nil)
    }

    /// Those of the keys whose removal would take other addresses along.
    private static func keysWithSecondaries(_ keys: [AddressKey], among addresses: some Sequence<Address>) -> Set<
        AddressKey
    > {
        let going = Set(keys)
        let staying = addresses.filter { $0.flags.contains(.secondary) && !going.contains($0.key) }.map(\.key)
        return going.filter { key in
            mayHaveSecondaries(key)
                && staying.contains {
                    $0.ifindex == key.ifindex && $0.prefixLength == key.prefixLength && $0.network == key.network
                }
        }
    }

    /// Whether a virtual address without a lease is left over from another daemon, and not the interface's own. It is
    /// if a VRRP daemon has marked it, or if the interface has another address of the family that is not virtual. The
    /// only address of a family may be the one by which the host is reached, so it stays.
    ///
    /// - Parameters:
    ///   - others: the addresses of the interface.
    ///   - isVirtual: whether the file names an address as virtual.
    static func isLeftover(
        _ address: Address, among others: some Sequence<Address>, isVirtual: (IPAddress) -> Bool
    ) -> Bool {
        if [LegAddresses.protocolNumber, keepalived].contains(address.addressProtocol) { return true }
        return others.contains { other in
            other.key.ifindex == address.key.ifindex && other.key.address.family == address.key.address.family
                && !isVirtual(other.key.address)
        }
    }
}
