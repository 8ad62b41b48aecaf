/// The links as the kernel has them, by ifindex. Pure: events and dumped entries in, changes out.
///
/// A name is an attribute: an interface that is deleted and made again under its name is another one. An ifindex may be
/// used again as well (`ip link add index`); within one announced life a kind never changes, so another kind is another
/// interface.
///
/// The kernel does not announce everything: not an alternative name given to an interface that is down (net/core/dev.c,
/// netdev_state_change), and not the change of a veth whose other end moves to another namespace. The next event or
/// dump shows it: `RtnlMonitor.askForLinks`.
package struct LinkMirror {
    package private(set) var links: [Int32: Link] = [:]
    private var reconciliation: Reconciliation<Int32>?
    /// Whether the dump under way has missed something and must be made again.
    package private(set) var isSpoiled = false

    package init() {}

    package mutating func apply(_ link: Link, isRemoval: Bool, _ changes: inout [MirrorChange]) {
        if reconciliation?.touch(link.ifindex) == false { isSpoiled = true }
        if isRemoval { remove(link.ifindex, &changes) } else { put(link, &changes) }
    }

    package mutating func beginDump() {
        reconciliation = Reconciliation()
        isSpoiled = false
    }

    package mutating func applyDumped(_ link: Link, _ changes: inout [MirrorChange]) {
        guard reconciliation?.confirm(link.ifindex) == true else { return }
        put(link, &changes)
    }

    /// - Parameter isWhole: whether the dump can be trusted to have named everything.
    package mutating func endDump(isWhole: Bool, _ changes: inout [MirrorChange]) {
        defer { reconciliation = nil }
        guard isWhole, let reconciliation else { return }
        for ifindex in links.keys.filter(reconciliation.isGone).sorted() { remove(ifindex, &changes) }
    }

    private mutating func put(_ link: Link, _ changes: inout [MirrorChange]) {
        guard let old = links.updateValue(link, forKey: link.ifindex) else { return changes.append(.linkAdded(link)) }
        if old == link { return }
        if old.kind != link.kind {
            changes += [.linkRemoved(old), .linkAdded(link)]
        } else if old.name != link.name {
            changes.append(.linkRenamed(old: old, new: link))
        } else {
            changes.append(.linkChanged(old: old, new: link))
        }
    }

    private mutating func remove(_ ifindex: Int32, _ changes: inout [MirrorChange]) {
        if let old = links.removeValue(forKey: ifindex) { changes.append(.linkRemoved(old)) }
    }
}
