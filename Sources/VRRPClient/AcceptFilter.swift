/// `accept = false` (RFC 9568, 6.1, `Accept_Mode`): the master forwards for its virtual addresses and answers ARP and
/// neighbour solicitation for them, and takes no other packet that is addressed to one.
///
/// The kernel has no such mode, so a packet filter does it: a table of nftables of our own, replaced as a whole. It does not
/// depend on who is master, since a backup has no packet addressed to it. It is made by nft(8), started by the runner. Where
/// that fails the addresses accept, which is published: to serve without the filter is better than not to serve. The next
/// reload tries again.
import Addresses
import Configuration
import LinuxSystem

final class AcceptFilter {
    private let runner: Runner
    private var refused: [IPAddress] = []
    private var isRunning = false
    private var isStale = false

    /// Whether the addresses that are to take no packets take none. True while nft(8) is still at work.
    private(set) var isInForce = true
    /// Called when `isInForce` has changed.
    var onChange: () -> Void = {}

    private static let table = "inet linkwatch_vrrp"
    private static let timeoutNs: Int64 = 5_000_000_000

    init(runner: Runner) { self.runner = runner }

    /// The addresses that take no packets, now.
    func apply(_ configuration: VRRPConfiguration) {
        let instances = configuration.groups.filter { $0.priority < 255 }.flatMap(\.instances)
        let wanted = instances.filter { !$0.accepts }.flatMap { $0.addresses.map(\.address) }
        guard wanted != refused || !isInForce else { return }
        refused = wanted
        run()
    }

    /// Ends the refusal, with the process.
    func remove() {
        guard !refused.isEmpty else { return }
        refused = []
        run()
    }

    /// One transaction: the old table goes, the new one comes.
    static func script(_ addresses: [IPAddress]) -> String {
        // Deleting needs a table to be there.
        var script = "add table \(table); delete table \(table);"
        guard !addresses.isEmpty else { return script }
        script += " table \(table) { chain input { type filter hook input priority -10; policy accept;"
        for (family, word) in [(IPAddress.Family.ipv4, "ip"), (.ipv6, "ip6")] {
            let list = addresses.filter { $0.family == family }.map(\.description).joined(separator: ", ")
            guard !list.isEmpty else { continue }
            if family == .ipv6 { script += " ip6 daddr { \(list) } icmpv6 type { 135, 136 } accept;" }
            script += " \(word) daddr { \(list) } drop;"
        }
        return script + " }; }"
    }

    /// One after another, or the older of two might be the last to have its way.
    private func run() {
        guard !isRunning else { return isStale = true }
        isRunning = true
        let program = Program(arguments: ["/usr/sbin/nft", Self.script(refused)], timeoutNs: Self.timeoutNs)
        runner.run(program) { [weak self] in self?.take($0) }
    }

    private func take(_ result: ProgramResult) {
        isRunning = false
        if isStale {
            isStale = false
            return run()
        }
        if !result.isSuccess { Log.error("accept = false is not in force: nft \(result)\(result.said)") }
        // Without addresses there is nothing to enforce; a table that stays is said above.
        let isInForce = result.isSuccess || refused.isEmpty
        guard isInForce != self.isInForce else { return }
        self.isInForce = isInForce
        onChange()
    }
}
