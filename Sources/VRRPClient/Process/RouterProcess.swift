/// The process: its groups, and what they share.
///
///     rtnetlink ──> KernelState ──┐                        ┌──> addresses, macvlans (KernelState)
///     linkwatchd ──> LinkWatch ───┼──> GroupDriver(Engine) ┼──> adverts, heartbeats (Wire)
///     adverts ──> AdvertSocket ───┤         one a group    ├──> announcements, probes (LinkSender, Prober)
///     checks <──> Runner ─────────┘                        └──> notify programs, fence (Runner), status, log
///
/// Nothing is sent before the kernel has been read, linkwatchd has answered or turned out unreachable, and the
/// leftovers of an earlier process are gone. One thread, one loop.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP
import Varlink

final class RouterProcess {
    let loop: EventLoop
    let wire: WireSockets
    let kernel: KernelState
    let leases: LeaseKeeper
    let runner: Runner
    let notifier: Notifier
    let fifos: NotifyFifos
    private let services: GroupServices
    private let acceptFilter: AcceptFilter
    private let manager: ServiceManager
    private let startPages: StartPages
    private let reports: Reports
    private(set) var configuration: VRRPConfiguration
    /// The one before, while a reload is applied.
    private(set) var former: VRRPConfiguration?
    let links: LinkWatch
    private(set) lazy var tracked = TrackedObjects(kernel: kernel, links: links, loop: loop) { [unowned self] in
        ask($0, $1)
    }
    private(set) var groups: [GroupDriver] = []
    private let record: HoldingsRecord?
    /// What an earlier process had recorded to hold, as `HoldingsRecord.read` has it; empty once it is gone.
    private var leftBehind: [[String]]
    private var hasBegun = false
    /// Which leg's sysctls are checked next, of those that need any, and when the current round began.
    private var nextSwitches = 0
    private var switchesCheckedNs = Int64.min / 2

    /// How long linkwatchd may take to answer before we start without it.
    private static let patienceNs: Int64 = 2_000_000_000
    /// How often the sysctls that we need are checked for changes by others.
    private static let switchesNs: Int64 = 10_000_000_000

    /// Where the engines' steps are written; nil: nowhere.
    var recorder: Recorder?

    /// Called with what the engines publish, in order.
    var onOutput: (Output, GroupDriver) -> Void = { _, _ in }

    /// Called when the runner has died and a service manager would start us again.
    var onRunnerMissed: () -> Void = {}

    /// Opens everything that needs privileges.
    init(
        _ configuration: VRRPConfiguration, loop: EventLoop, runner: Runner, record: HoldingsRecord?,
        leftBehind: [[String]]
    ) throws(Errno) {
        self.configuration = configuration
        self.loop = loop
        self.runner = runner
        wire = try WireSockets(loop: loop)
        kernel = try KernelState(loop: loop, following: Self.followed(configuration))
        links = LinkWatch(kernel: kernel, loop: loop)
        leases = LeaseKeeper(kernel: kernel, loop: loop)
        notifier = Notifier(runner: runner)
        fifos = NotifyFifos(runner: runner, loop: loop)
        services = GroupServices(
            loop: loop, wire: wire, kernel: kernel, links: links, leases: leases, runner: runner)
        manager = ServiceManager(loop: loop)
        startPages = StartPages(
            loop: loop, locksMemory: configuration.process.locksMemory, toleranceNs: 1_000_000_000)
        acceptFilter = AcceptFilter(runner: runner, loop: loop)
        reports = Reports(loop: loop)
        self.record = record
        self.leftBehind = leftBehind
        adopt(configuration)
    }

    // MARK: Beginning

    /// Reads the kernel, asks linkwatchd, and then begins.
    func start() throws(Errno) {
        try runner.start(on: loop)
        runner.onLost = { [unowned self] in
            Log.error("the runner has died: checks keep their last result and no program is run until a restart")
            if hasBegun { groups.forEach { $0.setCondition(Condition(.runnerLost), true) } }
            tellStatus()
            // Only a new process can have a new runner. Without a service manager that would start one, it is better to
            // go on without a runner.
            if manager.isListening { onRunnerMissed() }
        }
        acceptFilter.onChange = { [unowned self] in
            if hasBegun { groups.forEach { $0.filtersChanged() } }
        }
        reports.tell = { [unowned self] in tell($0, $1, $2, isNews: $3) }
        kernel.onChanges = { [unowned self] in kernelChanged($0) }
        // A backup gets the time after it has heard the adverts that came meanwhile.
        leases.onLapse = { [unowned self] in
            for group in groups where group.isServing { group.checkClock() }
        }
        loop.onLate = { [unowned self] in leases.awake() }
        try loop.wakeOnResume()
        leases.onRefresh = { [unowned self] nowNs in checkSwitches(nowNs) }
        kernel.switches.onBorrow = { [unowned self] in runner.borrowed($0, isOver: false) }
        kernel.switches.onGiveBack = { [unowned self] in runner.borrowed($0, isOver: true) }
        wire.wouldTake = { [unowned self] in kernel.wouldTake(from: $0, to: $1, on: $2) }
        wire.onFiltered = { [unowned self] in groups.forEach { $0.filtersChanged() } }
        services.tracked = { [unowned self] in tracked.object($0, $1) }
        services.sharedConditions = { [unowned self] in sharedConditions }
        services.acceptsInSpite = { [unowned self] in !acceptFilter.isInForce }
        services.happened = { [unowned self] in happened($0, in: $1) }
        links.onMonitor = { [unowned self] isThere in
            beginIfReady()
            if hasBegun { groups.forEach { $0.setCondition(Condition(.monitorLost), !isThere) } }
        }
        tracked.onChange = { [unowned self] object in
            if hasBegun { groups.forEach { $0.trackedChanged(object) } }
        }
        recorder?.engines = { [unowned self] in groups.map { ($0.name, $0.engine) } }
        groups = configuration.groups.map(makeDriver)
        listenForLowerPriorities()
        fifos.startReaders(configuration.notifies)
        services.isCrowded = groups.count >= AdvertSocket.crowd
        try kernel.start()
        links.subscribe(at: configuration.monitorSocketPath)
        loop.schedule(atNs: loop.nowNs + Self.patienceNs) { [unowned self] in begin() }
    }

    private func makeDriver(_ group: VRRPConfiguration.Group) -> GroupDriver {
        let driver = GroupDriver(group, services: services)
        driver.recorder = recorder
        recorder?.began(driver.name, driver.engine)
        return driver
    }

    private func beginIfReady() {
        if kernel.hasBeenRead, links.isMonitorLost != nil { begin() }
    }

    private func begin() {
        guard !hasBegun, kernel.hasBeenRead else { return }
        hasBegun = true
        links.begin()
        tracked.begin()
        removeLeftovers()
        for group in groups {
            group.bindAll()
            group.start()
        }
        manager.ready(status: statusText)
        startPages.releaseSoon()
    }

    // MARK: What the service manager is told

    private var statusText: String {
        ServiceStatus.text(groups.map { ($0.name, $0.engine.status) }, remarks: sharedConditions)
    }

    private func tellStatus() {
        if hasBegun { manager.statusSoon { [unowned self] in statusText } }
    }

    /// Tells the service manager that the file is being read again, until `isOver`. Before the start is over it has not
    /// been told READY, so there is no reload to announce.
    func reloading(isOver: Bool) {
        guard hasBegun else { return }
        if isOver { manager.ready(status: statusText) } else { manager.reloading() }
    }

    private func removeLeftovers() {
        do throws(Errno) {
            let removed = try HeldKinds.removeLeftovers(
                recorded: leftBehind, named: HeldKinds.lines(of: configuration.groups).map(HeldKinds.words),
                in: KernelTables(addresses: kernel.addresses, links: kernel.links), by: kernel.requests)
            if !removed.isEmpty { Log.notice("removed \(removed) that an earlier process left behind") }
        } catch {
            Log.error("what an earlier process left behind cannot be removed: \(error)")
        }
        leftBehind = []
        acceptFilter.apply(configuration, hasLeftover: record?.hasFilter ?? false)
        runner.holdsOnlyWhatIsNamed()
    }

    /// Looks at the kernel's switches again, at two legs at a time: each costs some fifty microseconds. It is called with
    /// every refresh of the leases, so it is written without what makes the runtime look up types.
    private func checkSwitches(_ nowNs: Int64) {
        if nextSwitches == 0 {
            guard nowNs - switchesCheckedNs >= Self.switchesNs else { return }
            switchesCheckedNs = nowNs
        }
        var count = 0
        for group in groups {
            for leg in group.legs where leg.hasSwitches {
                if count >= nextSwitches { leg.checkSwitches() }
                count += 1
                guard count < nextSwitches + 2 else { return nextSwitches = count }
            }
        }
        nextSwitches = 0
    }

    /// Takes over what the groups share: virtual addresses, and what they track.
    private func adopt(_ configuration: VRRPConfiguration) {
        self.configuration = configuration
        kernel.follow(Set(configuration.groups.flatMap(\.instances).flatMap(\.addresses).map { $0.address }))
        tracked.adopt(configuration)
        fifos.adopt(configuration.notifies)
    }

    private func ask(_ check: VRRPConfiguration.Check, _ done: @escaping (Bool?, String) -> Void) {
        switch check.kind {
        case .program: runner.run(.check(check.name)) { done($0.isLost ? nil : $0.isSuccess, "\($0)\($0.said)") }
        case .witness(let address, let interface): askWitness(address, interface, check.timeoutNs, done)
        }
    }

    private func askWitness(
        _ address: IPAddress, _ interface: String, _ timeoutNs: Int64, _ done: @escaping (Bool?, String) -> Void
    ) {
        guard let link = kernel.link(named: interface), let mac = link.address?.bytes, mac.count == 6,
            let source = SourceChoice.source(
                of: kernel.addresses(of: link.ifindex), family: address.family, wanted: nil, present: nil,
                isVirtual: kernel.isFollowed)
        else { return done(false, "\(interface) has no address to ask from") }
        var isAnswered = false
        let timer = loop.schedule(atNs: loop.nowNs + timeoutNs) {
            if !isAnswered { done(false, "\(address) does not answer on \(interface)") }
        }
        wire.ask([address], on: link.ifindex, source: source, mac: mac, windowNs: timeoutNs) { [loop] _, _ in
            guard !isAnswered else { return }
            isAnswered = true
            loop.cancel(timer)
            done(true, "")
        }
    }

    // MARK: What the kernel says

    private func kernelChanged(_ changes: [MirrorChange]) {
        var names: Set<String> = []
        var keys: [AddressKey] = []
        var areRoutesChanged = false
        var areRulesChanged = false
        var changed: [(link: Link, old: Link)] = []
        for change in changes {
            switch change {
            case .linkAdded(let link): note(link, nil, &names)
            case .linkChanged(let old, let link), .linkRenamed(let old, let link):
                note(link, old, &names)
                changed.append((link, old))
            case .linkRemoved(let link):
                groups.forEach { $0.linkGone(link.ifindex) }
                wire.forget(ifindex: link.ifindex)
                note(link, nil, &names)
            case .routeAdded, .routeChanged, .routeRemoved: areRoutesChanged = true
            case .ruleAdded, .ruleRemoved: areRulesChanged = true
            case .addressAdded(let address), .addressRemoved(let address): keys.append(address.key)
            case .addressChanged(_, let address): keys.append(address.key)
            case .synced:
                wire.renewMemberships()
                beginIfReady()
            case .degraded(let degradation): kernelDegraded(degradation)
            case .resync: break
            }
        }
        // Below 1280 the kernel ends IPv6 on an interface, and forgets who is in which group.
        for (link, old) in changed where link.mtu != old.mtu { wire.renewMemberships(on: link.ifindex) }
        guard hasBegun else { return }
        for group in groups {
            if !keys.isEmpty { group.addressesChanged(keys) }
        }
        links.tell(of: names)
        for group in groups {
            // With an interface goes its socket, and what that knew.
            if !names.isEmpty { group.filtersChanged() }
            for (link, old) in changed { group.interfaceChanged(link, before: old) }
            if !names.isEmpty || areRoutesChanged || areRulesChanged {
                group.kernelChanged(
                    KernelChanges(links: names, hasRoutes: areRoutesChanged, hasRules: areRulesChanged))
            }
        }
        if areRoutesChanged { tracked.routesChanged() }
    }

    /// What could not be read completely is read again until it can be. Meanwhile the groups go on with what is known,
    /// as they do when messages are lost: to stop serving would be worse.
    private func kernelDegraded(_ degradation: [DumpKind: Degradation]) {
        if degradation.isEmpty {
            Log.notice("the kernel's tables are complete again")
        } else {
            Log.error("the kernel could not be read completely: \(degradation.text)")
        }
        if hasBegun { groups.forEach { $0.setCondition(Condition(.kernelDegraded), !degradation.isEmpty) } }
        beginIfReady()
    }

    private func note(_ link: Link, _ old: Link?, _ names: inout Set<String>) {
        names.insert(link.name)
        names.formUnion(link.altnames)
        if let old { names.insert(old.name) }
        links.kernelSaw(link, before: old)
    }

    /// The routes that are tracked or held, and whether rules are held.
    private static func followed(_ configuration: VRRPConfiguration) -> KernelState.Following {
        let keys = TrackedRoute.keys(configuration) + HeldKinds.routes(of: configuration.groups)
        var following = KernelState.Following(rules: HeldKinds.needRules(of: configuration.groups))
        guard !keys.isEmpty else { return following }
        // In one order, so that the same routes are no change.
        following.routes = RouteTracking(
            prefixes: Set(keys.map(\.destination)).sorted { "\($0)" < "\($1)" }, tables: Set(keys.map(\.table)).sorted()
        )
        return following
    }

    // MARK: What groups use

    private var sharedConditions: [Condition] {
        (links.isMonitorLost == false ? [] : [Condition(.monitorLost)])
            + (runner.isLost ? [Condition(.runnerLost)] : [])
            + (kernel.degradation.isEmpty ? [] : [Condition(.kernelDegraded)])
    }

    private func happened(_ output: Output, in group: GroupDriver) {
        guard case .transition(let transition) = output else { return reports.take(output, in: group) }
        Log.notice(
            "group \(group.name): \(transition.from.rawValue) -> \(transition.to.rawValue) "
                + "(\(transition.reason.rawValue), priority \(transition.priority))",
            about: "transition \(group.name)")
        notify(group, transition)
        startPages.releaseSoon()
        tellStatus()
        onOutput(output, group)
    }

    private func tell(_ output: Output, _ group: GroupDriver, _ addition: String, isNews: Bool) {
        switch output {
        case .raised(let condition):
            let line = "group \(group.name): \(condition)\(addition)"
            if condition.kind.isError { Log.error(line) } else { Log.warning(line) }
        case .cleared(let condition): Log.info("group \(group.name): no longer \(condition)\(addition)")
        case .causeChanged(let cause, let isPresent):
            Log.notice("group \(group.name): \(cause)\(isPresent ? "" : " is over")\(addition)")
        default: break
        }
        guard isNews, groups.contains(where: { $0 === group }) else { return }
        tellStatus()
        onOutput(output, group)
    }

    // MARK: Reload and end

    /// Applies a configuration that has passed all checks: the difference, and nothing else.
    func reload(_ new: VRRPConfiguration) throws(Errno) {
        // What may fail comes first.
        try kernel.follow(Self.followed(new))
        former = configuration
        defer { former = nil }
        adopt(new)
        acceptFilter.apply(new)
        var old: [String: GroupDriver] = [:]
        for group in groups { old[group.name] = group }
        for group in groups where !new.groups.contains(where: { $0.name == group.name }) { group.shutDown() }
        groups = new.groups.map { group in
            if let driver = old[group.name] { return driver }
            return makeDriver(group)
        }
        services.isCrowded = groups.count >= AdvertSocket.crowd
        let changed = zip(groups, new.groups).filter { $0.group != $1 }
        // What one group gives up, another may get: so all groups release before any group adds.
        for (driver, group) in changed { driver.letGo(for: group) }
        for driver in groups {
            if old[driver.name] == nil {
                driver.bindAll()
                driver.start()
            } else if changed.contains(where: { $0.0 === driver }) {
                driver.reload()
                driver.filtersChanged()
            } else {
                driver.trackedChanged()
            }
        }
        notifyOfRemovedInstances()
        listenForLowerPriorities()
        fifos.startReaders(new.notifies)
        links.subscribe(at: new.monitorSocketPath)
        runner.holdsOnlyWhatIsNamed()
    }

    /// Resigns everywhere: removes the addresses first, then sends the resignations.
    func shutDown() {
        manager.stopping(status: "resigning")
        for group in groups { group.shutDown() }
        notifier.handOver()
        fifos.end()
        acceptFilter.remove()
        kernel.switches.giveBackAll()
        links.stop()
    }
}
