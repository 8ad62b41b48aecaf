/// What changed between two looks at the mirror.
public enum MirrorChange: Hashable, Sendable {
    case linkAdded(Link)
    /// Anything but the name.
    case linkChanged(old: Link, new: Link)
    /// The name, and perhaps more.
    case linkRenamed(old: Link, new: Link)
    case linkRemoved(Link)
    case routeAdded(Route)
    case routeChanged(old: Route, new: Route)
    /// `isInferred` says that the kernel did not announce it.
    case routeRemoved(Route)
    case ruleAdded(PolicyRule)
    case ruleRemoved(PolicyRule)
    case addressAdded(Address)
    case addressChanged(old: Address, new: Address)
    case addressRemoved(Address)
    /// Messages were lost: the kernel is asked again, and the differences follow. Changes in between may be missing.
    case resync(generation: Int)
    /// The mirror is what the kernel had when it was asked: at the start, and after each `resync`. It is not told of a mirror
    /// that could not be read completely.
    case synced(generation: Int)
    /// What could not be read completely, and why: entries may be missing, too many, or old, until a change says that
    /// everything is complete.
    case degraded([DumpKind: Degradation])
}

/// A dump under way while events keep coming: reconciles the two.
///
/// Every change after the dump's start is announced by an event. So an entry that an event has named is never older
/// than what the dump says of it, or a newer event is still to come: the dump's entry is ignored. Entries that neither
/// the dump nor an event has named by the end are gone.
struct Reconciliation<Key: Hashable> {
    /// Entries that events named since the start, removed ones among them.
    private var touched: Set<Key> = []
    private var confirmed: Set<Key> = []

    /// Remembers that an event named it.
    ///
    /// - Returns: false when there are too many to remember: the dump must be made again.
    mutating func touch(_ key: Key) -> Bool {
        guard touched.count < 65536 else { return touched.contains(key) }
        touched.insert(key)
        return true
    }

    /// Whether the dump's entry is to be taken; marks it as named.
    mutating func confirm(_ key: Key) -> Bool {
        if touched.contains(key) { return false }
        confirmed.insert(key)
        return true
    }

    func isTouched(_ key: Key) -> Bool { touched.contains(key) }

    /// Whether an entry that is in the mirror is not in the kernel.
    func isGone(_ key: Key) -> Bool { !touched.contains(key) && !confirmed.contains(key) }
}
