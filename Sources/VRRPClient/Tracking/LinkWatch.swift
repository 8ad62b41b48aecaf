/// Whether an interface works, by linkwatchd's word or, without it, by the kernel's.
///
/// linkwatchd knows more than netlink does: the PHY's registers, the driver's own view, hold times. While it can be asked,
/// its word counts. When it is gone, what it said last stands until our own netlink mirror knows better: carrier and
/// administrative state are followed here as well, and a wire that only the registers saw cut stays cut until its carrier
/// comes back or linkwatchd does. So a restart of linkwatchd changes nothing.
import Configuration
import LinuxSystem
import Monitor
import RtnlMonitor
import Varlink

final class LinkWatch {
    struct State: Hashable {
        var isUp: Bool
        /// The evidence that says down; empty when up.
        var reason: String

        static let up = State(isUp: true, reason: "")
        static func down(_ reason: String) -> State { State(isUp: false, reason: reason) }
    }

    private let kernel: KernelState
    private let subscription: MonitorSubscription
    /// What linkwatchd said last of interfaces that its registers or driver saw down, while it is gone.
    private var remembered: [String: InterfaceRecord] = [:]

    /// Whether linkwatchd cannot be asked; nil until that is known.
    private(set) var isMonitorLost: Bool?

    /// Called with an interface's name when its state may have changed.
    var onChange: (String) -> Void = { _ in }
    /// Called when linkwatchd can be asked, or no longer.
    var onMonitor: (Bool) -> Void = { _ in }

    /// - Parameter predecessor: one that watched other interfaces; what it knew stands until linkwatchd has answered.
    init(
        kernel: KernelState, loop: EventLoop, monitorPath: String, interfaces: [String],
        predecessor: LinkWatch? = nil
    ) {
        self.kernel = kernel
        if let predecessor {
            isMonitorLost = predecessor.isMonitorLost
            remembered = predecessor.remembered
            for record in predecessor.subscription.interfaces.values { remembered[record.ifname] = record }
        }
        var options = MonitorSubscription.Options()
        options.path = monitorPath
        options.interfaces = interfaces
        // A daemon that hangs is told by its silence; meanwhile our own netlink has its say, so that need not be soon.
        options.heartbeatMs = 30_000
        options.routes = false
        subscription = MonitorSubscription(loop: loop, options: options)
        subscription.onChange = { [unowned self] in take($0) }
    }

    func start() { subscription.start() }

    func stop() { subscription.stop() }

    /// The state of an interface by its name.
    func state(of name: String, _ choice: VRRPConfiguration.LinkStateChoice) -> State {
        guard let link = kernel.link(named: name) else { return .down("absent") }
        if let record = record(name), record.ifindex == Int(link.ifindex) {
            let isUp = choice == .raw ? record.isRawUp : record.isUp
            if !isUp { return .down(record.reason ?? "held") }
            // Down wins at once, whoever says so; a settled state has its reasons to wait.
            return choice == .raw ? Self.state(of: link) : .up
        }
        return Self.state(of: link)
    }

    private func record(_ name: String) -> InterfaceRecord? {
        if subscription.isCurrent { return subscription.interface(named: name) }
        // What it has by netlink may be out of date, as it says itself; what it probes is not.
        if subscription.isDegraded, let record = subscription.interface(named: name), Self.isDownByProbe(record) {
            return record
        }
        return remembered[name]
    }

    private static func isDownByProbe(_ record: InterfaceRecord) -> Bool {
        !record.isRawUp && ["mii", "driver"].contains(record.reason)
    }

    /// What netlink alone says.
    static func state(of link: Link) -> State {
        if !link.flags.contains(.up) { return .down("admin") }
        if !link.hasCarrier { return .down("carrier") }
        return link.operState.isUp ?? true ? .up : .down("operstate")
    }

    // MARK: Changes

    /// The kernel's mirror has a new word on a link. Where it is newer than what is remembered, it counts.
    func kernelSaw(_ link: Link, before old: Link?) {
        let isNews = old.map { Self.state(of: $0) != Self.state(of: link) } ?? true
        if isNews { remembered[link.name] = nil }
    }

    private func take(_ change: MonitorSubscription.Change) {
        switch change {
        case .interface(let before, let now):
            if !Self.saysTheSame(before, now), let record = now ?? before { tell(of: record) }
        case .route: break
        case .synced:
            remembered = [:]
            isMonitorLost = false
            onMonitor(true)
            for record in subscription.interfaces.values { tell(of: record) }
        case .degraded(let why):
            Log.warning("linkwatchd is degraded (\(why)): its probes and our own netlink count")
            isMonitorLost = false
            onMonitor(true)
        case .lost(let error):
            remember()
            if isMonitorLost != true {
                Log.warning(
                    "linkwatchd cannot be asked (\(error)): its last word and netlink's carrier count",
                    about: "monitor")
            }
            isMonitorLost = true
            onMonitor(false)
        }
    }

    private func tell(of record: InterfaceRecord) {
        onChange(record.ifname)
        for name in record.altnames { onChange(name) }
    }

    /// Whether two records differ in nothing that counts here. On a busy machine evidence turns stale and fresh again many
    /// times a second, and each change would have every group look at its addresses.
    private static func saysTheSame(_ one: InterfaceRecord?, _ other: InterfaceRecord?) -> Bool {
        guard let one, let other else { return false }
        return one.ifindex == other.ifindex && one.ifname == other.ifname && one.altnames == other.altnames
            && one.isRawUp == other.isRawUp && one.isUp == other.isUp && one.reason == other.reason
    }

    /// Down by evidence that netlink does not have is kept; all else netlink knows as well.
    private func remember() {
        for record in subscription.interfaces.values where Self.isDownByProbe(record) {
            remembered[record.ifname] = record
        }
    }
}
