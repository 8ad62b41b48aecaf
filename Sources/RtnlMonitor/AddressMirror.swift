/// The addresses as the kernel has them. Pure: events and dumped entries in, changes out.
///
/// The refresh of a lease changes nothing that is kept, so it is no change.
package struct AddressMirror {
    package private(set) var addresses: [AddressKey: Address] = [:]
    private var reconciliation: Reconciliation<AddressKey>?
    /// Whether the dump under way has missed something and must be made again.
    package private(set) var isSpoiled = false

    package init() {}

    package mutating func apply(_ address: Address, isRemoval: Bool, _ changes: inout [MirrorChange]) {
        if reconciliation?.touch(address.key) == false { isSpoiled = true }
        if isRemoval { remove(address.key, &changes) } else { put(address, &changes) }
    }

    package mutating func beginDump() {
        reconciliation = Reconciliation()
        isSpoiled = false
    }

    package mutating func applyDumped(_ address: Address, _ changes: inout [MirrorChange]) {
        guard reconciliation?.confirm(address.key) == true else { return }
        put(address, &changes)
    }

    /// - Parameter isWhole: whether the dump can be trusted to have named everything.
    package mutating func endDump(isWhole: Bool, _ changes: inout [MirrorChange]) {
        defer { reconciliation = nil }
        guard isWhole, let reconciliation else { return }
        for key in addresses.keys where reconciliation.isGone(key) { remove(key, &changes) }
    }

    private mutating func put(_ address: Address, _ changes: inout [MirrorChange]) {
        guard let old = addresses.updateValue(address, forKey: address.key) else {
            return changes.append(.addressAdded(address))
        }
        if old != address { changes.append(.addressChanged(old: old, new: address)) }
    }

    private mutating func remove(_ key: AddressKey, _ changes: inout [MirrorChange]) {
        if let old = addresses.removeValue(forKey: key) { changes.append(.addressRemoved(old)) }
    }
}
