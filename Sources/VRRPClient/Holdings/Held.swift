/// What a master has in the kernel and a backup has not, its *holdings*: one kind per file, addresses (`LegAddresses`)
/// first.
///
/// The rest of the process knows no kind. A leg adds its holdings in the order of `HeldKinds` when the engine says so,
/// and removes them in the opposite order; a reload compares them; what somebody else deletes is added again
/// (`Upkeep`). Before the first is added, the record (`HoldingsRecord`) has a line for each that the file names. By
/// these lines the runner of a process that has died, `linkwatch-vrrp --release` and the next start remove what is
/// left; each kind makes sure that nothing is removed that is not ours.
///
/// A new kind is one file with a conformer, and its place in `HeldKinds`.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

/// The holdings of one kind that one leg has.
protocol Held: AnyObject {
    // MARK: In the kernel

    init(
        _ instance: VRRPConfiguration.Instance, of group: VRRPConfiguration.Group, kernel: any Kernel, loop: EventLoop)

    /// Called with the conditions of these holdings.
    var onCondition: (Condition, Bool) -> Void { get set }

    /// The interface that carries the leg's addresses; nil: there is none at present.
    ///
    /// - Parameter parent: the interface beneath it, if it is a macvlan.
    func bind(to ifindex: Int32?, above parent: Int32?)

    /// Adds them to the kernel; from now on a missing one is added again.
    func add()

    /// Removes those that are ours, and returns when the kernel has confirmed.
    func remove()

    /// The kernel's links, addresses, routes or rules have changed; the mirror has it already.
    func kernelChanged(_ changes: KernelChanges)

    // MARK: At a reload

    /// The instance without these holdings: if nothing else of it changes, its leg goes on, and `letGo` and `tend`
    /// apply the difference.
    static func leavingOut(of instance: VRRPConfiguration.Instance) -> VRRPConfiguration.Instance

    /// The leg goes on with the holdings of a new file; what that no longer names is removed.
    func letGo(for instance: VRRPConfiguration.Instance)

    /// Adds what is missing.
    func tend()

    /// Another leg takes over: what both have is left to it, the rest is removed.
    ///
    /// - Parameters:
    ///   - successor: of the same kind; nil: there is none.
    ///   - isSamePlace: whether it is on the same interface with the same MAC address.
    func handOver(to successor: (any Held)?, isSamePlace: Bool)

    // MARK: What --check says

    /// What this host does not have that an instance needs; a warning, as the file may be meant for another host.
    ///
    /// - Parameter virtual: the virtual addresses of the file.
    static func doubts(
        of instance: VRRPConfiguration.Instance, virtual: Set<IPAddress>, on host: RtnlMonitor
    ) -> [(line: Int, text: String)]

    // MARK: In the record

    /// Those of an instance as the record has them: a line each, without its end.
    static func lines(of instance: VRRPConfiguration.Instance, in group: VRRPConfiguration.Group) -> [String]

    /// Whether a line of the record, split at blanks, is one of this kind.
    static func isLine(_ words: [String]) -> Bool

    /// The routes to follow, each with its table, so that it is known when one is missing.
    static func tracked(by instance: VRRPConfiguration.Instance) -> [RouteKey]

    /// Whether policy rules of ours are to be followed, for the same.
    static func needsRules(of instance: VRRPConfiguration.Instance) -> Bool

    /// Removes what a dead process has left.
    ///
    /// - Parameters:
    ///   - recorded: the lines of this kind that it recorded.
    ///   - named: those of the file that is in force, where there is one: what they name is removed if it carries our mark.
    ///   - resign: called once with the addresses that the process had served, as soon as they are gone.
    /// - Returns: what was removed, such as `3 routes`; empty: nothing.
    /// - Throws: what the socket said; then it is unknown what was removed.
    static func removeLeftovers(
        recorded: [[String]], named: [[String]], in tables: KernelTables, by requester: any KernelRequests,
        resign: (Set<IPAddress>) -> Void
    ) throws(Errno) -> String
}

extension Held {
    static func leavingOut(of instance: VRRPConfiguration.Instance) -> VRRPConfiguration.Instance { instance }
    static func tracked(by instance: VRRPConfiguration.Instance) -> [RouteKey] { [] }
    static func needsRules(of instance: VRRPConfiguration.Instance) -> Bool { false }
    static func doubts(
        of instance: VRRPConfiguration.Instance, virtual: Set<IPAddress>, on host: RtnlMonitor
    ) -> [(line: Int, text: String)] { [] }
    func letGo(for instance: VRRPConfiguration.Instance) {}
}

/// The kinds, in the order in which they are added.
enum HeldKinds {
    /// Holdings that are added after the addresses, and removed before them.
    static var afterAddresses: [any Held.Type] { [LegRoutes.self, LegRules.self] }
    static var all: [any Held.Type] { [LegAddresses.self] + afterAddresses }

    /// The lines of all that the groups may hold.
    static func lines(of groups: [VRRPConfiguration.Group]) -> [String] {
        groups.flatMap { group in
            group.instances.flatMap { instance in all.flatMap { $0.lines(of: instance, in: group) } }
        }
    }

    /// The routes that the kernel's mirror must have.
    static func routes(of groups: [VRRPConfiguration.Group]) -> [RouteKey] {
        groups.flatMap(\.instances).flatMap { instance in all.flatMap { $0.tracked(by: instance) } }
    }

    /// Whether the kernel's mirror must have policy rules.
    static func needRules(of groups: [VRRPConfiguration.Group]) -> Bool {
        groups.flatMap(\.instances).contains { instance in all.contains { $0.needsRules(of: instance) } }
    }

    /// The line, split at blanks.
    static func words(_ line: some StringProtocol) -> [String] {
        line.split(separator: Character(" ")).map { String($0) }
    }

    /// An instance without what can change while its leg goes on.
    static func leavingOut(of instance: VRRPConfiguration.Instance) -> VRRPConfiguration.Instance {
        afterAddresses.reduce(instance) { $1.leavingOut(of: $0) }
    }

    /// Removes what a dead process has left, in the opposite order; see `Held.removeLeftovers`.
    ///
    /// - Returns: what was removed, in words; empty: nothing.
    static func removeLeftovers(
        recorded: [[String]], named: [[String]] = [], in tables: KernelTables, by requester: any KernelRequests,
        resign: (Set<IPAddress>) -> Void = { _ in }
    ) throws(Errno) -> String {
        var removed: [String] = []
        for kind in all.reversed() {
            let words = try kind.removeLeftovers(
                recorded: recorded.filter(kind.isLine), named: named.filter(kind.isLine), in: tables, by: requester,
                resign: resign)
            if !words.isEmpty { removed.insert(words, at: 0) }
        }
        return removed.joined(separator: ", and ")
    }
}

/// What has changed in the kernel.
struct KernelChanges {
    /// Addresses that came, went or changed.
    var addresses: [AddressKey] = []
    /// Interfaces that came, went or changed, by all their names.
    var links: Set<String> = []
    /// Routes came, went or changed.
    var hasRoutes = false
    /// Policy rules of ours came or went.
    var hasRules = false
}

/// The kernel's addresses and links.
struct KernelTables {
    var addresses: [AddressKey: Address]
    var links: [Int32: Link]
}
