/// `accept = false` (RFC 9568, 6.1, `Accept_Mode`): the master forwards for its virtual addresses and answers ARP and
/// neighbour solicitation for them, and takes no other packet that is addressed to one.
///
/// The kernel has no such mode, so a packet filter does it: a table of nftables of our own, replaced as a whole. It does not
/// depend on who is master, since a backup has no packet addressed to it. It is made by nft(8), started by the runner. Where
/// that fails the addresses accept, which is published: to serve without the filter is better than not to serve. It is tried
/// again at growing intervals, and by every reload. A table that somebody else has removed or changed is published as well,
/// and made again (`TableWatch`): at once, then at growing intervals, for two that undo each other's work.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import SystemPackage

final class AcceptFilter {
    private let runner: any ProgramRunner
    private let loop: EventLoop
    /// What the kernel says of the table; nil: it is not needed, or cannot be had.
    private var watch: TableWatch?
    private var complaint = ""
    private var repairs = 0
    private var repairedNs: Int64 = 0
    private var repairTimer: EventLoop.TimerID?
    private var refused: [IPAddress] = []
    /// The number of the program that runs; 0: it is just being started.
    private var running: UInt32?
    private var isStale = false

    /// Whether the addresses with `accept = false` accept no packets. True while nft(8) is still running.
    private(set) var isInForce = true
    /// Called when `isInForce` has changed.
    var onChange: () -> Void = {}

    /// After so long without a repair the next one is done at once again.
    private static let calmNs: Int64 = 60_000_000_000
    private static let repairMaxNs: Int64 = 30_000_000_000
    init(runner: any ProgramRunner, loop: EventLoop) {
        self.runner = runner
        self.loop = loop
    }

    /// Makes the table have the rules that the configuration asks for, and no others.
    ///
    /// - Parameter hasLeftover: an earlier process may have left its table behind.
    func apply(_ configuration: VRRPConfiguration, hasLeftover: Bool = false) {
        let wanted = AcceptTable.refused(by: configuration)
        guard wanted != refused || !wanted.isEmpty || !isInForce || hasLeftover else { return }
        refused = wanted
        complaint = ""
        follow()
        run()
    }

    /// Follows the table while there is to be one; where that is not possible, a reload makes it again.
    private func follow() {
        guard !refused.isEmpty else { return watch = nil }
        guard watch == nil else { return }
        let name = String(AcceptTable.name.split(separator: " ")[1])
        do throws(Errno) { watch = try TableWatch(table: name, loop: loop) } catch {
            Log.warning("cannot watch nftables: a removal of the accept = false rules goes unnoticed: \(error)")
        }
        watch?.onNews = { [unowned self] in tableChanged() }
    }

    /// Removes the table at the end of the process. This is queued behind an nft(8) that still runs, since nobody will
    /// be there to see that end.
    func remove() {
        watch = nil
        stopRepairing()
        guard !refused.isEmpty else { return }
        refused = []
        runner.run(.acceptFilterRemoval, after: running) { _ in }
    }

    /// One nft(8) at a time: of two, the older might finish last and win.
    private func run() {
        stopRepairing()
        guard running == nil else { return isStale = true }
        running = 0
        let id = runner.run(.acceptFilter) { [weak self] in self?.take($0) }
        if running == 0 { running = id }
    }

    /// Removes at once what a dead process left behind; what nft(8) has to say goes to standard error.
    ///
    /// - Returns: whether it is gone.
    static func release() -> Bool {
        var status: CInt = -1
        guard let pid = try? RunnerProcess.spawn(ProgramTable.nft(AcceptTable.script([])), output: STDERR_FILENO) else {
            return false
        }
        return unsafe waitpid(pid, &status, 0) == pid && status == 0
    }

    private func take(_ result: ProgramResult) {
        running = nil
        if isStale {
            isStale = false
            return run()
        }
        watch?.catchUp()
        if !result.isSuccess {
            let what = refused.isEmpty ? "an earlier accept = false stays in force" : "accept = false is not in force"
            complain("\(what): nft \(result)\(result.said)")
        }
        // Without addresses there is nothing to enforce; a table that stays is said above.
        setInForce(refused.isEmpty || result.isSuccess && isIntact)
        if !isInForce, !result.isLost { repair() }
    }

    /// Logs the same failure once, however often it is tried again.
    private func complain(_ complaint: String) {
        if complaint != self.complaint { Log.error(complaint) }
        self.complaint = complaint
    }

    // MARK: What others do to it

    /// Whether the table is still as we made it last, by the kernel's reports.
    private var isIntact: Bool { watch.map { $0.state.rules == AcceptTable.ruleCount(refused) } ?? true }

    private func tableChanged() {
        guard running == nil, repairTimer == nil, !refused.isEmpty, isInForce, !isIntact else { return }
        Log.warning("accept = false: somebody has removed or changed the table \(AcceptTable.name), making it again")
        setInForce(false)
        repair()
    }

    private func repair() {
        guard repairTimer == nil else { return }
        let nowNs = loop.nowNs
        if nowNs - repairedNs >= Self.calmNs { repairs = 0 }
        repairedNs = nowNs
        let delayNs = repairs == 0 ? 0 : min(100_000_000 << Int64(min(repairs, 10)), Self.repairMaxNs)
        repairs += 1
        repairTimer = loop.schedule(atNs: nowNs + delayNs) { [unowned self] in
            repairTimer = nil
            run()
        }
    }

    private func stopRepairing() {
        if let repairTimer { loop.cancel(repairTimer) }
        repairTimer = nil
    }

    private func setInForce(_ isInForce: Bool) {
        guard isInForce != self.isInForce else { return }
        self.isInForce = isInForce
        onChange()
    }
}
