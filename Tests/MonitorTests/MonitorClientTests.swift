import Foundation
import LinuxSystem
import Testing
import Varlink

@testable import Monitor

/// A daemon on a thread of its own; it ends when `end` is written to.
private func withDaemon(isDumpEndless: Bool = false, _ body: (MonitorClient) throws -> Void) throws {
    let folder = try Folder()
    let path = folder.socket
    let (ready, ended, end) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), Pipe())
    let endFD = end.fileHandleForReading.fileDescriptor
    Thread.detachNewThread {
        do {
            let loop = try EventLoop()
            let daemon = try FakeDaemon(loop, path: path)
            daemon.isDumpEndless = isDumpEndless
            daemon.snapshot = [
                EventRecord(seq: 1, kind: .snapshot, interface: Sample.interface), EventRecord(seq: 1, kind: .synced),
            ]
            try loop.watch(endFD, .readable) { _ in loop.stop() }
            ready.signal()
            try loop.run()
            daemon.server.close()
        } catch {
            Issue.record(error)
            ready.signal()
        }
        ended.signal()
    }
    ready.wait()
    defer {
        end.fileHandleForWriting.write(Data([0]))
        ended.wait()
    }
    try body(MonitorClient(path: path))
}

@Suite struct MonitorClientTests {
    private var deadlineNs: Int64 { Clock.monotonicNs() + 20_000_000_000 }

    @Test func everyMethod() throws {
        try withDaemon { client in
            #expect(try client.dump(deadlineNs: deadlineNs) == Sample.dump)
            let answer = try client.registers(ifname: "eth0", deadlineNs: deadlineNs)
            #expect(answer.registers == Array(0..<16))
            #expect(answer.decoded == Sample.mii)
            #expect(throws: VarlinkClientError.refused(MonitorInterface.noSuchInterface("eth9"))) {
                try client.registers(ifname: "eth9", deadlineNs: deadlineNs)
            }
            #expect(try client.history(limit: 2, deadlineNs: deadlineNs).count == 2)
            #expect(try client.statistics(deadlineNs: deadlineNs) == Sample.statistics)
            try client.reload(deadlineNs: deadlineNs)
        }
    }

    /// There is always another reply to read, and each has come in time.
    @Test func aDumpThatNeverEndsIsGivenUp() throws {
        try withDaemon(isDumpEndless: true) { client in
            #expect(throws: VarlinkClientError.timedOut) {
                try client.dump(deadlineNs: Clock.monotonicNs() + 300_000_000)
            }
        }
    }

    @Test func watchesAndWaits() throws {
        try withDaemon { client in
            try client.watch(interfaces: ["eth0"], heartbeatMs: 1000)
            #expect(try client.nextEvent(deadlineNs: deadlineNs).interface == Sample.interface)
            #expect(try client.nextEvent(deadlineNs: deadlineNs).kind == .synced)
            #expect(throws: VarlinkClientError.timedOut) {
                try client.nextEvent(deadlineNs: Clock.monotonicNs() + 5_000_000)
            }
        }
    }
}
