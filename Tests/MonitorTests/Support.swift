import Foundation
import Glibc
import LinuxSystem
import Testing
import Varlink

@testable import Monitor

/// A stand-in for linkwatchd: it answers with samples, and sends a `Watch` the events that a test gives it.
final class FakeDaemon {
    let server: VarlinkServer
    private(set) var watches: [VarlinkCall] = []
    private(set) var reloads = 0
    /// Whether a dump never ends.
    var isDumpEndless = false
    /// What a new watch gets at once.
    var snapshot: [EventRecord] = []

    init(_ loop: EventLoop, path: String) throws {
        server = VarlinkServer(loop: loop, info: .init(vendor: "", product: "fake", version: "", url: ""))
        var interface = try VarlinkInterface(description: MonitorInterface.description)
        interface.on("Watch", replies: .many) { [unowned self] call in
            watches.append(call)
            say(snapshot)
        }
        interface.on("Dump", replies: .oneOrMany) { [unowned self] call in
            if isDumpEndless { return pour(call) }
            var first = Sample.dump
            first.routes = []
            guard call.wantsMore else { return call.reply(Sample.dump.encodeFields) }
            call.send(SharedBytes.reply(continues: true, first.encodeFields))
            call.reply(DumpRecord(generation: 1, seq: 2, routes: [Sample.route]).encodeFields)
        }
        interface.on("Registers") { call in
            guard call.parameters["ifname"] == .string("eth0") else {
                return call.fail(MonitorInterface.noSuchInterface("eth9"))
            }
            call.reply { writer in
                writer.field("registers", Array(0..<16))
                writer.field("decoded", Sample.mii)
            }
        }
        interface.on("History") { call in
            let limit = (try? call.parameters.decodeIfPresent("limit", as: Int.self)) ?? 3
            call.reply { $0.field("transitions", Array(repeating: Sample.transition, count: limit)) }
        }
        interface.on("Statistics") { $0.reply(Sample.statistics.encodeFields) }
        interface.on("Reload", access: .privileged) { [unowned self] call in
            reloads += 1
            call.reply()
        }
        server.add(interface)
        try server.listen(ListeningSocket(path: path))
    }

    private func pour(_ call: VarlinkCall) {
        let reply = SharedBytes.reply(continues: true, Sample.dump.encodeFields)
        call.onDrained = { [unowned self] in pour(call) }
        while call.send(reply) {}
    }

    /// Tells everyone who watches.
    func say(_ events: [EventRecord]) {
        let replies = events.map(\.reply)
        for watch in watches where watch.isOpen { watch.send(replies) }
    }
}

/// A folder of its own for one test's socket.
final class Folder {
    let path = "/tmp/linkwatch-monitor-\(getpid())-\(UInt64.random(in: 0 ... .max))"

    init() throws { try Syscall.retry { unsafe mkdir(path, 0o700) } }

    deinit {
        for name in ["s", "s.lock"] { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }

    var socket: String { path + "/s" }
}

extension EventLoop {
    /// Runs until `condition` holds; a test that waits for what never comes fails.
    func pump(_ what: Comment, until condition: () -> Bool) throws {
        let deadlineNs = Clock.monotonicNs() + 20_000_000_000
        while !condition() {
            try #require(Clock.monotonicNs() < deadlineNs, what)
            schedule(atNs: Clock.monotonicNs() + 1_000_000) { [self] in stop() }
            try run()
        }
    }
}
