/// Whether an interface works: as linkwatchd says or, without linkwatchd, as the kernel says.
///
/// linkwatchd knows more than netlink does: the PHY's registers, the driver's own view, hold times. While linkwatchd
/// answers, its state counts. When it is gone, the last state it reported stands until our own netlink mirror has
/// something newer: carrier and administrative state are followed here as well. A link that only the PHY's registers
/// showed as down stays down until its carrier comes back or linkwatchd does. So a restart of linkwatchd changes
/// nothing.
import Configuration
import LinkState
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

    /// A group or a tracked link that follows interfaces.
    private struct Follower {
        let owner: ObjectIdentifier
        let choice: VRRPConfiguration.LinkStateChoice
        let tell: (String, State) -> Void
    }

    private let kernel: any Kernel
    private let loop: EventLoop
    private var subscription: MonitorSubscription?
    private var subscribed: (path: String, interfaces: Set<String>) = ("", [])
    /// By interface.
    private var followers: [String: [Follower]] = [:]
    private var followed: [ObjectIdentifier: Set<String>] = [:]
    /// Whether followers are told: not before the groups have started.
    private var hasBegun = false
    /// What linkwatchd said last of interfaces that its registers or driver saw down, while it is gone; and of all others,
    /// until it has answered about another set of them.
    private var remembered: [String: InterfaceRecord] = [:]

    /// Whether linkwatchd cannot be reached; nil until that is known.
    private(set) var isMonitorLost: Bool?

    /// Called when linkwatchd can be reached, and when it no longer can.
    var onMonitor: (Bool) -> Void = { _ in }

    init(kernel: any Kernel, loop: EventLoop) {
        self.kernel = kernel
        self.loop = loop
    }

    // MARK: Who is told

    /// Tells `owner` the state of these interfaces whenever it may have changed, and of no others.
    func follow(
        _ names: Set<String>, _ choice: VRRPConfiguration.LinkStateChoice, by owner: AnyObject,
        _ tell: @escaping (String, State) -> Void
    ) {
        unfollow(owner)
        let follower = Follower(owner: ObjectIdentifier(owner), choice: choice, tell: tell)
        for name in names { followers[name, default: []].append(follower) }
        followed[follower.owner] = names
    }

    /// Tells `owner` nothing any more.
    func unfollow(_ owner: AnyObject) {
        let owner = ObjectIdentifier(owner)
        for name in followed.removeValue(forKey: owner) ?? [] {
            followers[name]?.removeAll { $0.owner == owner }
            if followers[name]?.isEmpty == true { followers[name] = nil }
        }
    }

    /// From now on followers are called.
    func begin() { hasBegun = true }

    /// Something about these interfaces may have changed: their state, their number, or whether they are there.
    func tell(of names: Set<String>) {
        guard hasBegun else { return }
        for name in names.sorted() {
            for follower in followers[name] ?? [] { follower.tell(name, state(of: name, follower.choice)) }
        }
    }

    /// Asks linkwatchd about all that is followed, if it is not asked already. A new subscription begins with what the old one
    /// knew last.
    func subscribe(at path: String) {
        let interfaces = Set(followers.keys)
        guard subscription == nil || subscribed != (path, interfaces) else { return }
        for record in subscription?.interfaces.values ?? [:].values { remembered[record.ifname] = record }
        stop()
        subscribed = (path, interfaces)
        var options = MonitorSubscription.Options()
        options.path = path
        options.interfaces = interfaces.sorted()
        // A linkwatchd that hangs is detected by missing heartbeats. We follow netlink ourselves as well, so a long
        // timeout is fine.
        options.heartbeatMs = 30_000
        options.routes = false
        let subscription = MonitorSubscription(loop: loop, options: options)
        subscription.onChange = { [unowned self] in take($0) }
        self.subscription = subscription
        subscription.start()
    }

    func stop() { subscription?.stop() }

    // MARK: States

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
        guard let subscription else { return nil }
        if subscription.isCurrent { return subscription.interface(named: name) }
        // A degraded linkwatchd may have out-of-date netlink data, but its probes are current.
        if subscription.isDegraded, let record = subscription.interface(named: name), Self.isDownByProbe(record) {
            return record
        }
        return remembered[name]
    }

    private static func isDownByProbe(_ record: InterfaceRecord) -> Bool {
        !record.isRawUp && record.reason.map(EvidenceSource.isPolled) == true
    }

    /// What netlink alone says.
    static func state(of link: Link) -> State {
        link.downSource.map { .down($0.name) } ?? .up
    }

    // MARK: Changes

    /// The mirror of the kernel has a new state of a link. It replaces what linkwatchd last said, if it is newer.
    func kernelSaw(_ link: Link, before old: Link?) {
        let isNews = old.map { Self.state(of: $0) != Self.state(of: link) } ?? true
        if isNews { remembered[link.name] = nil }
    }

    private func take(_ change: MonitorSubscription.Change) {
        switch change {
        case .interface(let before, let now):
            if !Self.saysTheSame(before, now), let record = now ?? before {
                tell(of: Set([record.ifname] + record.altnames))
            }
        case .route: break
        case .synced:
            remembered = [:]
            isMonitorLost = false
            onMonitor(true)
            tell(of: Set(followers.keys))
        case .degraded(let why):
            Log.warning("linkwatchd is degraded (\(why)): using its probes and the kernel's own link states")
            isMonitorLost = false
            onMonitor(true)
            tell(of: Set(followers.keys))
        case .lost(let error):
            remember()
            if isMonitorLost != true {
                Log.warning(
                    "cannot reach linkwatchd (\(error)): using its last known link states and the kernel's carrier",
                    about: "monitor")
            }
            isMonitorLost = true
            onMonitor(false)
        }
    }

    /// Whether two records differ in nothing that counts here. On a busy machine evidence turns stale and fresh again many
    /// times a second, and each change would have every group look at its addresses.
    private static func saysTheSame(_ one: InterfaceRecord?, _ other: InterfaceRecord?) -> Bool {
        guard let one, let other else { return false }
        return one.ifindex == other.ifindex && one.ifname == other.ifname && one.altnames == other.altnames
            && one.isRawUp == other.isRawUp && one.isUp == other.isUp && one.reason == other.reason
    }

    /// A down that only linkwatchd's probes can see is kept; everything else we see by netlink as well.
    private func remember() {
        for record in subscription?.interfaces.values ?? [:].values where Self.isDownByProbe(record) {
            remembered[record.ifname] = record
        }
    }
}
