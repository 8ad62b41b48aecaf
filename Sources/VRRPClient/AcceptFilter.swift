/// `accept = false` (RFC 9568, 6.1, `Accept_Mode`): the master forwards for its virtual addresses and answers ARP and
/// neighbour solicitation for them, and takes no other packet that is addressed to one.
///
/// The kernel has no such mode, so a packet filter does it: a table of nftables of our own, replaced as a whole. It does not
/// depend on who is master, since a backup has no packet addressed to it. It is made by nft(8), started by the runner. Where
/// that fails the addresses accept, which is published: to serve without the filter is better than not to serve. The next
/// reload tries again.
import Addresses
import Configuration
import Glibc
import LinuxSystem

final class AcceptFilter {
    private let runner: Runner
    private var refused: [IPAddress] = []
    /// The number of the program that runs; 0: it is just being started.
    private var running: UInt32?
    private var isStale = false

    /// Whether the addresses that are to take no packets take none. True while nft(8) is still at work.
    private(set) var isInForce = true
    /// Called when `isInForce` has changed.
    var onChange: () -> Void = {}

    static let table = "inet linkwatch_vrrp"
    private static let timeoutNs: Int64 = 5_000_000_000

    init(runner: Runner) { self.runner = runner }

    /// The addresses that take no packets.
    static func refused(by configuration: VRRPConfiguration) -> [IPAddress] {
        let instances = configuration.groups.filter { $0.priority < 255 }.flatMap(\.instances)
        return instances.filter { !$0.accepts }.flatMap { $0.addresses.map(\.address) }
    }

    /// Refuses what the configuration says, and nothing else.
    ///
    /// - Parameter hasLeftover: an earlier process may have left its table behind.
    func apply(_ configuration: VRRPConfiguration, hasLeftover: Bool = false) {
        let wanted = Self.refused(by: configuration)
        guard wanted != refused || !isInForce || hasLeftover else { return }
        refused = wanted
        run()
    }

    /// Ends the refusal, with the process: behind what still runs, since nobody will be there to see that end.
    func remove() {
        guard !refused.isEmpty else { return }
        refused = []
        runner.run(.acceptFilterRemoval, after: running) { _ in }
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
        guard running == nil else { return isStale = true }
        running = 0
        let id = runner.run(.acceptFilter) { [weak self] in self?.take($0) }
        if running == 0 { running = id }
    }

    /// nft(8), to refuse packets to these addresses and to no others; run as root.
    static func program(_ addresses: [IPAddress]) -> Program {
        Program(arguments: ["/usr/sbin/nft", script(addresses)], timeoutNs: timeoutNs)
    }

    /// Removes at once what a dead process left behind; what nft(8) has to say goes to standard error.
    ///
    /// - Returns: whether it is gone.
    static func release() -> Bool {
        var status: CInt = -1
        guard let pid = try? RunnerProcess.spawn(program([]), output: STDERR_FILENO) else { return false }
        return unsafe waitpid(pid, &status, 0) == pid && status == 0
    }

    private func take(_ result: ProgramResult) {
        running = nil
        if isStale {
            isStale = false
            return run()
        }
        if !result.isSuccess {
            let what = refused.isEmpty ? "an earlier accept = false stays in force" : "accept = false is not in force"
            Log.error("\(what): nft \(result)\(result.said)")
        }
        // Without addresses there is nothing to enforce; a table that stays is said above.
        let isInForce = result.isSuccess || refused.isEmpty
        guard isInForce != self.isInForce else { return }
        self.isInForce = isInForce
        onChange()
    }
}
