/// The process's socket: `io.linkwatch.VRRP`.
///
/// A watcher gets the groups as they are, `synced`, then what happens; each event is encoded once. One that does not keep up
/// loses events, never makes anybody wait, and gets `overflow` and a fresh snapshot when it has read what was queued.
///
/// Two hundred groups are half a megabyte: status and snapshots are written a few groups at a time, over as many turns as
/// that takes, so that no caller delays an advert.
import Configuration
import LinuxSystem
import VRRP
import VRRPStatus
import Varlink

/// What the service asks of its process.
protocol StatusSource: AnyObject {
    var groups: [GroupDriver] { get }
    var discards: [Discard: UInt64] { get }
    /// Reads the file again and calls back once, with nil if it was applied, else with what is wrong.
    func reload(_ done: @escaping (String?) -> Void)
    /// What is wrong with the file, and what is doubtful, one line each.
    func complaints() -> (errors: [String], warnings: [String])
}

final class StatusService {
    private final class Watcher: SnapshotStream {
        let call: VarlinkCall
        let names: Set<String>?
        /// The groups that its snapshot still lacks; nil: it is complete, and changes follow.
        var missing: ArraySlice<String>?
        var isBehind = false
        private unowned let service: StatusService

        static let stepsInTurn = groupsAtOnce

        init(_ service: StatusService, _ call: VarlinkCall, names: Set<String>?) {
            self.service = service
            self.call = call
            self.names = names
            beginAnew()
        }

        func beginAnew() {
            missing = service.source.groups.lazy.map(\.name).filter { [names] in names?.contains($0) ?? true }[...]
        }

        func step() -> SnapshotStep { service.step(self) }

        func overflow() -> SharedBytes { service.reply(service.event(.overflow)) }
    }

    private unowned let source: StatusSource
    private let server: VarlinkServer
    private var watchers: [ObjectIdentifier: Watcher] = [:]
    private var transitions: [String: [VRRPTransitionRecord]] = [:]
    private var seq = 0
    private var reloads = 0
    private var reloadError: String?

    /// How many transitions of each group are remembered.
    private static let transitionsMax = 32

    init(_ configuration: SocketConfiguration, loop: EventLoop, source: StatusSource) throws {
        self.source = source
        var limits = VarlinkServer.Limits()
        limits.clientsMax = configuration.maxClients
        limits.clientsPerUserMax = configuration.maxClientsPerUid
        limits.queuedBytesMax = configuration.queueLimit
        let info = VarlinkServiceInfo(
            vendor: "linkwatch", product: "linkwatch-vrrp", version: Release.version,
            url: "https://varlink.org")
        server = VarlinkServer(loop: loop, info: info, limits: limits)
        server.add(try interface())
    }

    func listen(_ listener: ListeningSocket) throws { try server.listen(listener) }

    /// Ends all watches and removes the socket's file.
    func close() { server.close() }

    // MARK: Methods

    private func interface() throws -> VarlinkInterface {
        var interface = try VarlinkInterface(description: VRRPInterface.description)
        interface.on("Status") { [unowned self] in status($0) }
        interface.on("Watch", replies: .many) { [unowned self] in watch($0) }
        interface.on("Reload", access: .privileged) { [unowned self] in reload($0) }
        interface.on("Handover", access: .privileged) { [unowned self] in handover($0) }
        interface.on("CheckConfig", access: .privileged) { [unowned self] call in
            let complaints = source.complaints()
            call.reply {
                $0.field("errors", complaints.errors)
                $0.field("warnings", complaints.warnings)
            }
        }
        return interface
    }

    private func record(_ group: GroupDriver) -> GroupRecord {
        GroupRecord(group, transitions: transitions[group.name] ?? [])
    }

    private func group(_ name: String) -> GroupDriver? { source.groups.first { $0.name == name } }

    /// How many groups are encoded in one turn.
    private static let groupsAtOnce = 4

    private func status(_ call: VarlinkCall) {
        var names = source.groups.map(\.name)[...]
        if let name = (try? call.parameters.decodeIfPresent("group", as: String.self)) ?? nil {
            guard group(name) != nil else { return call.fail(VRRPInterface.noSuchGroup(name)) }
            names = [name]
        }
        let header = VRRPStatusRecord(
            groups: [], version: Release.version, nowUsec: Clock.monotonicNs() / 1000,
            nowBoottimeUsec: Clock.boottimeNs() / 1000,
            discards: source.discards.map { DiscardRecord(reason: $0.rawValue, count: Int(clamping: $1)) }
                .sorted { $0.reason < $1.reason },
            reloads: reloads, reloadError: reloadError)
        var hasBegun = false
        call.replyInPieces { [unowned self] writer in
            if !hasBegun {
                header.encodeHeader(into: &writer)
                writer.beginArray("groups")
                hasBegun = true
            }
            for name in names.prefix(Self.groupsAtOnce) {
                // A reload may have removed it meanwhile.
                if let group = group(name) { record(group).encode(into: &writer) }
            }
            names = names.dropFirst(Self.groupsAtOnce)
            if names.isEmpty { writer.endArray() }
            return !names.isEmpty
        }
    }

    private func reload(_ call: VarlinkCall) {
        reload { message in
            if let message {
                call.fail(VRRPInterface.reloadFailed(message))
            } else {
                call.reply()
            }
        }
    }

    /// Reads the file again, for a client or a signal, and calls back once; nil: applied.
    func reload(_ done: @escaping (String?) -> Void) {
        source.reload { [weak self] message in
            self?.noteReload(message)
            done(message)
        }
    }

    private func noteReload(_ message: String?) {
        reloadError = message
        if message == nil {
            reloads += 1
            let names = Set(source.groups.map(\.name))
            transitions = transitions.filter { names.contains($0.key) }
        }
        publish(.reload, what: message, present: message == nil)
    }

    private func handover(_ call: VarlinkCall) {
        guard let name = try? call.parameters.decode("group", as: String.self), let driver = group(name) else {
            return call.fail(VRRPInterface.noSuchGroup((try? call.parameters.decode("group")) ?? ""))
        }
        if let reason = driver.engine.handoverRefusal {
            return call.fail(VRRPInterface.handoverRefused(reason))
        }
        Log.notice("group \(name): handover requested by uid \(call.peer.uid)")
        driver.feed(.handover)
        call.reply()
    }

    // MARK: Watching

    private func watch(_ call: VarlinkCall) {
        let names: [String]? = (try? call.parameters.decodeIfPresent("groups")) ?? nil
        let watcher = Watcher(self, call, names: names.map(Set.init))
        watchers[ObjectIdentifier(call)] = watcher
        call.onClosed = { [unowned self, unowned call] in watchers[ObjectIdentifier(call)] = nil }
        watcher.start()
    }

    /// One group of the snapshot, or its end.
    private func step(_ watcher: Watcher) -> SnapshotStep {
        if let name = watcher.missing?.first {
            if let group = group(name), !watcher.call.offer(reply(event(.snapshot, group: record(group)))) {
                return .refused
            }
            watcher.missing?.removeFirst()
            return .done
        }
        guard watcher.missing != nil else { return .end }
        guard watcher.call.offer(reply(event(.synced))) else { return .refused }
        watcher.missing = nil
        return .end
    }

    /// Whether the watcher has already been sent this group, or without one all of them: only then is a change news to
    /// it.
    private func follows(_ watcher: Watcher, _ driver: GroupDriver?) -> Bool {
        guard !watcher.isBehind else { return false }
        guard let driver else { return watcher.missing == nil }
        return watcher.names?.contains(driver.name) ?? true && !(watcher.missing?.contains(driver.name) ?? false)
    }

    private func event(_ kind: VRRPEventKind, group: GroupRecord? = nil) -> VRRPEventRecord {
        VRRPEventRecord(
            seq: seq, kind: kind, monotonicUsec: Clock.monotonicNs() / 1000, realtimeUsec: Clock.realtimeNs() / 1000,
            group: group)
    }

    private func reply(_ event: VRRPEventRecord) -> SharedBytes {
        SharedBytes.reply(continues: true) { $0.field("event", event) }
    }

    // MARK: Publishing

    /// Remembers and publishes what an engine reported.
    func publish(_ output: Output, of driver: GroupDriver) {
        switch output {
        case .transition(let transition):
            let record = VRRPTransitionRecord(
                group: driver.name, state: transition.to.rawValue, previous: transition.from.rawValue,
                reason: transition.reason.rawValue, priority: Int(transition.priority),
                monotonicUsec: Clock.monotonicNs() / 1000, realtimeUsec: Clock.realtimeNs() / 1000)
            transitions[driver.name, default: []].append(record)
            if let count = transitions[driver.name]?.count, count > Self.transitionsMax {
                transitions[driver.name]?.removeFirst()
            }
            publish(.transition, driver, transition: record)
        case .raised(let condition): publish(.condition, driver, what: condition.description, present: true)
        case .cleared(let condition): publish(.condition, driver, what: condition.description, present: false)
        case .causeChanged(let cause, let isPresent):
            publish(.cause, driver, what: cause.description, present: isPresent)
        default: break
        }
    }

    private func publish(
        _ kind: VRRPEventKind, _ driver: GroupDriver? = nil, transition: VRRPTransitionRecord? = nil,
        what: String? = nil,
        present: Bool? = nil
    ) {
        seq += 1
        guard !watchers.isEmpty else { return }
        var event = event(kind, group: driver.map(record))
        event.transition = transition
        event.what = what
        event.present = present
        let bytes = reply(event)
        for watcher in watchers.values where follows(watcher, driver) { _ = watcher.tell(bytes) }
    }
}
