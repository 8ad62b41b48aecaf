import Foundation
import Glibc
import LinuxSystem
import Testing

@testable import Varlink

private let description = """
    interface org.example.count
    method Count(to: int) -> (n: int)
    method Add(a: int, b: int) -> (sum: int)
    method Never() -> ()
    method Hangup() -> ()
    method Stop() -> ()
    """

private func makeServer(_ loop: EventLoop, _ path: String) throws -> VarlinkServer {
    let server = VarlinkServer(loop: loop, info: .init(vendor: "", product: "", version: "", url: ""))
    var interface = try VarlinkInterface(description: description)
    interface.on("Count", replies: .many) { call in
        let last = (try? call.parameters.decode("to", as: Int.self)) ?? 0
        for n in 1..<max(1, last) { call.send(SharedBytes.reply(continues: true) { $0.field("n", n) }) }
        call.reply { $0.field("n", last) }
    }
    interface.on("Add") { call in
        let a = (try? call.parameters.decode("a", as: Int.self)) ?? 0
        let b = (try? call.parameters.decode("b", as: Int.self)) ?? 0
        call.reply { $0.field("sum", a &+ b) }
    }
    var kept: [VarlinkCall] = []
    interface.on("Never") { kept.append($0) }
    interface.on("Hangup") { [unowned server] _ in server.close() }
    interface.on("Stop") { call in
        call.reply()
        loop.stop()
    }
    server.add(interface)
    try server.listen(ListeningSocket(path: path))
    return server
}

/// A server on a thread of its own, for clients that wait.
private func withServerThread(_ body: (String) throws -> Void) throws {
    let folder = try Folder()
    let path = folder.socket
    let (ready, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    Thread.detachNewThread {
        do {
            let loop = try EventLoop()
            let server = try makeServer(loop, path)
            ready.signal()
            try loop.run()
            server.close()
        } catch {
            Issue.record(error)
        }
        ended.signal()
    }
    ready.wait()
    defer {
        _ = try? VarlinkClient(path: path).call("org.example.count.Stop", deadlineNs: nil)
        ended.wait()
    }
    try body(path)
}

private func inSeconds(_ seconds: Int64) -> Int64 { Clock.monotonicNs() + seconds * 1_000_000_000 }

@Suite struct BlockingClientTests {
    @Test func callsAndStreams() throws {
        try withServerThread { path in
            let client = try VarlinkClient(path: path)
            let sum = try client.call("org.example.count.Add", deadlineNs: inSeconds(20)) { writer in
                writer.field("a", 40)
                writer.field("b", 2)
            }
            #expect(sum == ["sum": .int(42)])

            try client.callMore("org.example.count.Count", deadlineNs: inSeconds(20)) { $0.field("to", 100) }
            var numbers: [Int] = []
            var reply: VarlinkReply
            repeat {
                reply = try client.nextReply(deadlineNs: inSeconds(20))
                numbers.append(try reply.parameters.decode("n"))
            } while reply.continues
            #expect(numbers == Array(1...100))
        }
    }

    @Test func errorsArrive() throws {
        try withServerThread { path in
            let client = try VarlinkClient(path: path)
            #expect(throws: VarlinkClientError.refused(.invalidParameter("a"))) {
                try client.call("org.example.count.Add", deadlineNs: inSeconds(20))
            }
            #expect(throws: VarlinkClientError.refused(.methodNotFound("org.example.count.No"))) {
                try client.call("org.example.count.No", deadlineNs: inSeconds(20))
            }
        }
    }

    @Test func deadlinesAreKept() throws {
        try withServerThread { path in
            let client = try VarlinkClient(path: path)
            #expect(throws: VarlinkClientError.timedOut) {
                try client.call("org.example.count.Never", deadlineNs: Clock.monotonicNs() + 20_000_000)
            }
        }
    }

    @Test func nobodyThere() throws {
        let folder = try Folder()
        let error = VarlinkClientError.unreachable(path: folder.socket, errno: ENOENT)
        #expect(throws: error) { try VarlinkClient(path: folder.socket) }
    }
}

@Suite struct LoopClientTests {
    /// A chunk holds hundreds of replies; others have their turn in between.
    @Test func manyRepliesAreDeliveredOverManyTurns() throws {
        let folder = try Folder()
        let loop = try EventLoop()
        let server = try makeServer(loop, folder.socket)
        let client = try VarlinkLoopClient(loop: loop, path: folder.socket)
        var seen: [Int] = []
        var perTurn: [Int64: Int] = [:]
        client.call("org.example.count.Count", more: true, { $0.field("to", 2000) }) { result in
            seen.append((try? result.get().parameters.decode("n", as: Int.self)) ?? -1)
            perTurn[loop.nowNs, default: 0] += 1
        }
        try loop.pump("all of them") { seen.count == 2000 }
        #expect(seen == Array(1...2000))
        #expect(try #require(perTurn.values.max()) <= 32)
        client.close()
        server.close()
    }

    @Test func pipelinesCallsAndStreams() throws {
        let folder = try Folder()
        let loop = try EventLoop()
        let server = try makeServer(loop, folder.socket)
        let client = try VarlinkLoopClient(loop: loop, path: folder.socket)
        var seen: [Int] = []
        for n in 0..<10 {
            client.call(
                "org.example.count.Add",
                {
                    $0.field("a", n); $0.field("b", 0)
                }
            ) { result in
                seen.append((try? result.get().parameters.decode("sum", as: Int.self)) ?? -1)
            }
        }
        client.call("org.example.count.Count", more: true, { $0.field("to", 5) }) { result in
            seen.append((try? result.get().parameters.decode("n", as: Int.self)) ?? -1)
        }
        var failure: VarlinkClientError?
        client.call("org.example.count.Add") { result in
            if case .failure(let error) = result { failure = error }
        }
        try loop.pump("all answers") { failure != nil }
        #expect(seen == Array(0..<10) + Array(1...5))
        #expect(failure == .refused(.invalidParameter("a")))
        server.close()
    }

    @Test func learnsThatTheServiceHasGone() throws {
        let folder = try Folder()
        let loop = try EventLoop()
        let server = try makeServer(loop, folder.socket)
        let client = try VarlinkLoopClient(loop: loop, path: folder.socket)
        var events: [String] = []
        client.onClosed = { events.append("closed: \($0)") }
        client.call("org.example.count.Never") { events.append("\($0)".contains("closed") ? "call ended" : "?") }
        client.call("org.example.count.Never") { events.append("\($0)".contains("closed") ? "call ended" : "?") }
        var isAnswered = false
        let other = try VarlinkLoopClient(loop: loop, path: folder.socket)
        other.call(
            "org.example.count.Add",
            {
                $0.field("a", 1); $0.field("b", 1)
            }
        ) { _ in isAnswered = true }
        try loop.pump("the server has both") { isAnswered }
        server.close()
        try loop.pump("the news") { events.count == 3 }
        #expect(events == ["call ended", "call ended", "closed: the service closed the connection"])
        #expect(!client.call("org.example.count.Never") { _ in })
        #expect(throws: VarlinkClientError.unreachable(path: folder.socket, errno: ENOENT)) {
            try VarlinkLoopClient(loop: loop, path: folder.socket)
        }
    }

    @Test func whatIsNoReplyEndsTheConnection() throws {
        for nonsense in ["no json\0", "{}\0{}\0", "[]\0", String(repeating: "x", count: 2000)] {
            let folder = try Folder()
            let loop = try EventLoop()
            let socket = try UnixSocket.make(nonBlocking: true)
            try unsafe UnixSocket.withAddress(folder.socket) { address, length in
                unsafe bind(socket.raw, address, length)
            }
            listen(socket.raw, 1)
            let client = try VarlinkLoopClient(loop: loop, path: folder.socket, messageBytesMax: 1000)
            let peer = Descriptor(owning: accept(socket.raw, nil, nil))
            var error: VarlinkClientError?
            client.onClosed = { error = $0 }
            client.call("org.example.count.Never") { _ in }
            _ = unsafe send(peer.raw, nonsense, nonsense.utf8.count, 0)
            try loop.pump("the end after \(nonsense.prefix(10))") { error != nil }
            #expect("\(try #require(error))".hasPrefix("not a varlink reply"))
            _ = peer
        }
    }
}
