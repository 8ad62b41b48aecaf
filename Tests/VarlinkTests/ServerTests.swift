import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import Varlink

/// A server with an interface of every kind of method, and its clients, on one loop.
private final class Bench {
    static let text = """
        interface org.example.test
        method Echo(text: string, times: ?int) -> (text: string)
        method Slow() -> (done: bool)
        method Stream() -> (n: int)
        method Privileged() -> ()
        method Unwritten() -> ()
        error Failed ()
        """

    let folder: Folder
    let loop: EventLoop
    let server: VarlinkServer
    var slow: [VarlinkCall] = []
    var streams: [VarlinkCall] = []
    var echoes = 0
    var closed = 0

    init(_ limits: VarlinkServer.Limits = .init()) throws {
        folder = try Folder()
        loop = try EventLoop()
        let info = VarlinkServiceInfo(vendor: "v", product: "p", version: "1", url: "u")
        server = VarlinkServer(loop: loop, info: info, limits: limits)
        var interface = try VarlinkInterface(description: Self.text)
        interface.on("Echo") { [unowned self] call in
            echoes += 1
            let text = (try? call.parameters.decode("text", as: String.self)) ?? ""
            call.reply { $0.field("text", text) }
        }
        interface.on("Slow") { [unowned self] call in
            call.onClosed = { [weak self] in self?.closed += 1 }
            slow.append(call)
        }
        interface.on("Stream", replies: .many) { [unowned self] call in
            call.onClosed = { [weak self] in self?.closed += 1 }
            streams.append(call)
        }
        interface.on("Privileged", access: .privileged) { $0.reply() }
        server.add(interface)
        try server.listen(ListeningSocket(path: folder.socket))
    }

    func client() throws -> RawClient { try RawClient(loop, folder.socket) }

    /// Sends one message and waits for one more.
    func ask(_ client: RawClient, _ text: String) throws -> String {
        let before = client.messages.count
        try client.send(text + "\0")
        try loop.pump("an answer to \(text)") { client.messages.count > before || client.hasEnded }
        return client.messages.count > before ? client.messages[before] : "closed"
    }
}

@Suite struct ServerTests {
    @Test(arguments: [
        (#"{"method":"org.example.test.Echo","parameters":{"text":"hi"}}"#, #"{"parameters":{"text":"hi"}}"#),
        (
            #"{"method":"org.example.test.Echo","parameters":{"text":"hi","times":null},"more":true}"#,
            #"{"parameters":{"text":"hi"}}"#
        ),
        (#"{"method":"org.example.test.Privileged"}"#, #"{"parameters":{}}"#),
        (#"{"method":"org.example.test.Echo"}"#, error("InvalidParameter", "parameter", "text")),
        (
            #"{"method":"org.example.test.Echo","parameters":{"text":1}}"#,
            error("InvalidParameter", "parameter", "text")
        ),
        (#"{"method":"org.example.test.Echo","parameters":[]}"#, error("InvalidParameter", "parameter", "parameters")),
        (#"{"method":"org.example.test.None"}"#, error("MethodNotFound", "method", "org.example.test.None")),
        (
            #"{"method":"org.example.test.Unwritten"}"#,
            error("MethodNotImplemented", "method", "org.example.test.Unwritten")
        ),
        (#"{"method":"org.example.none.Echo"}"#, error("InterfaceNotFound", "interface", "org.example.none")),
        (#"{"method":"Echo"}"#, error("InvalidParameter", "parameter", "method")),
        (#"{"method":1}"#, error("InvalidParameter", "parameter", "method")),
        (#"{}"#, error("InvalidParameter", "parameter", "method")),
        (#"{"method":"org.example.test.Slow","upgrade":true}"#, error("InvalidParameter", "parameter", "upgrade")),
        (#"{"method":"org.example.test.Slow","more":"yes"}"#, error("InvalidParameter", "parameter", "more")),
        (#"{"method":"org.example.test.Stream"}"#, #"{"error":"org.varlink.service.ExpectedMore","parameters":{}}"#),
        (
            #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"x.y"}}"#,
            error("InterfaceNotFound", "interface", "x.y")
        ),
        (
            #"{"method":"org.varlink.service.GetInfo"}"#,
            #"{"parameters":{"vendor":"v","product":"p","version":"1","url":"u","interfaces":["org.example.test","org.varlink.service"]}}"#
        ),
    ])
    func answers(call: String, answer: String) throws {
        let bench = try Bench()
        let client = try bench.client()
        #expect(try bench.ask(client, call) == answer)
        // The connection has survived it.
        #expect(try bench.ask(client, #"{"method":"org.example.test.Privileged"}"#) == #"{"parameters":{}}"#)
    }

    private static func error(_ name: String, _ key: String, _ value: String) -> String {
        #"{"error":"org.varlink.service.\#(name)","parameters":{"\#(key)":"\#(value)"}}"#
    }

    @Test func describesItself() throws {
        let bench = try Bench()
        let reply = try bench.ask(
            bench.client(),
            #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.test"}}"#)
        let parameters = try JSON.parse(Array(reply.utf8)).object().decode("parameters", as: JSON.Object.self)
        #expect(try parameters.decode("description") == Bench.text)
    }

    @Test(arguments: [
        Array("no json\0".utf8), [0], [0xFF, 0xFE, 0], Array("[1,2\0".utf8), Array("{\"method\":\"\u{1}\"}\0".utf8),
        [UInt8](repeating: 0x5B, count: 1000) + [0], [UInt8](repeating: 0x20, count: 100_000),
        (0...255).map { UInt8($0) },
    ])
    func whatIsNoMessageClosesTheConnection(bytes: [UInt8]) throws {
        let bench = try Bench()
        let victim = try bench.client()
        let bystander = try bench.client()
        try victim.send(bytes)
        try bench.loop.pump("the connection's end") { victim.hasEnded }
        #expect(victim.received.isEmpty)
        #expect(bench.server.statistics.malformed == 1)
        #expect(bench.server.clientCount == 1)
        #expect(try bench.ask(bystander, #"{"method":"org.example.test.Privileged"}"#) == #"{"parameters":{}}"#)
    }

    @Test func aValueThatIsNoObjectIsAnswered() throws {
        let bench = try Bench()
        #expect(try bench.ask(bench.client(), "[]").contains("InvalidParameter"))
    }

    @Test func messagesMayComeInPieces() throws {
        let bench = try Bench()
        let client = try bench.client()
        let text = #"{"method":"org.example.test.Echo","parameters":{"text":"€"}}"# + "\0"
        for byte in text.utf8 {
            try client.send([byte])
            var turns = 0
            try bench.loop.pump("the server has seen it") {
                turns += 1
                return turns > 1
            }
        }
        try bench.loop.pump("the answer") { client.messages.count == 1 }
        #expect(client.messages == [#"{"parameters":{"text":"€"}}"#])
    }

    @Test func pipelinedCallsAreAnsweredInOrder() throws {
        let bench = try Bench()
        let client = try bench.client()
        var text = #"{"method":"org.example.test.Slow"}"# + "\0"
        for index in 0..<50 { text += #"{"method":"org.example.test.Echo","parameters":{"text":"\#(index)"}}"# + "\0" }
        try client.send(text)
        try bench.loop.pump("the slow call") { bench.slow.count == 1 }
        #expect(bench.echoes == 0)
        bench.slow[0].reply { $0.field("done", true) }
        #expect(!bench.slow[0].isOpen)
        try bench.loop.pump("all answers") { client.messages.count == 51 }
        let answers = (0..<50).map { #"{"parameters":{"text":"\#($0)"}}"# }
        #expect(client.messages == [#"{"parameters":{"done":true}}"#] + answers)
    }

    /// Sixteen thousand calls fit into one chunk: each client has its turn before another has a second one.
    @Test func aClientWithManyCallsWaitsForThoseWithOne() throws {
        let bench = try Bench()
        let greedy = try bench.client()
        let modest = try bench.client()
        let empty = "{}\0"
        try greedy.send(String(repeating: empty, count: 10_000))
        try modest.send(#"{"method":"org.example.test.Echo","parameters":{"text":"a"}}"# + "\0")
        try bench.loop.pump("the modest one's answer") { modest.messages.count == 1 }
        // Both are connected in one turn; what was answered by then is a handful, however fast the machine.
        #expect(bench.server.statistics.calls < 500)
        try bench.loop.pump("all answers") { greedy.messages.count == 10_000 }
    }

    @Test func aClientOnewayCallsOfWhomAreLeftBehindIsHeard() throws {
        let bench = try Bench()
        let client = try bench.client()
        let call = #"{"method":"org.example.test.Echo","parameters":{"text":"a"},"oneway":true}"# + "\0"
        try client.send(String(repeating: call, count: 100))
        client.close()
        try bench.loop.pump("all of them") { bench.echoes == 100 }
        try bench.loop.pump("its end") { bench.server.clientCount == 0 }
    }

    /// While a call is under way nothing is taken from what arrives: but it has the same limit.
    @Test func whatIsTooLongClosesTheConnectionDuringACallAsWell() throws {
        let bench = try Bench()
        let client = try bench.client()
        try client.send(#"{"method":"org.example.test.Stream","more":true}"# + "\0")
        try bench.loop.pump("the stream") { bench.streams.count == 1 }
        for _ in 0..<3 {
            try client.send(String(repeating: "x", count: 30_000))
            var turns = 0
            try bench.loop.pump("the server has seen it") {
                turns += 1
                return turns > 3
            }
        }
        try bench.loop.pump("its end") { client.hasEnded }
        #expect(bench.server.statistics.malformed == 1)
        #expect(bench.closed == 1)
    }

    /// A reply in pieces is one message, and waits for its reader in the queue's limit.
    @Test func aReplyInPiecesIsOneMessage() throws {
        var limits = VarlinkServer.Limits()
        limits.queuedBytesMax = 64 * 1024
        let bench = try Bench(limits)
        let client = try bench.client()
        try client.pause()
        try client.send(#"{"method":"org.example.test.Slow"}"# + "\0")
        try bench.loop.pump("the call") { bench.slow.count == 1 }
        let call = bench.slow[0]
        var number = 0
        var hasBegun = false
        call.replyInPieces { writer in
            if !hasBegun { writer.beginArray("numbers") }
            hasBegun = true
            for _ in 0..<100 {
                number.encode(into: &writer)
                number += 1
            }
            if number == 200_000 { writer.endArray() }
            return number < 200_000
        }
        try bench.loop.pump("a full queue") { call.queuedBytes > limits.queuedBytesMax / 2 }
        #expect(number < 200_000)
        #expect(call.queuedBytes < limits.queuedBytesMax)
        try client.resume()
        try bench.loop.pump("all of it") { client.received.last == 0 }
        #expect(!call.isOpen)
        let reply = try JSON.parse(Array(client.received.dropLast())).object()
        let numbers: [Int] = try reply.decode("parameters", as: JSON.Object.self).decode("numbers")
        #expect(numbers == Array(0..<200_000))
        #expect(try bench.ask(client, #"{"method":"org.example.test.Privileged"}"#) == #"{"parameters":{}}"#)
    }

    @Test func onewayCallsAreNotAnswered() throws {
        let bench = try Bench()
        let client = try bench.client()
        try client.send(#"{"method":"org.example.test.Echo","parameters":{"text":"a"},"oneway":true}"# + "\0")
        try client.send(#"{"method":"org.example.test.None","oneway":true}"# + "\0")
        #expect(try bench.ask(client, #"{"method":"org.example.test.Privileged"}"#) == #"{"parameters":{}}"#)
        #expect(bench.echoes == 1)
    }

    @Test func aClientThatClosesItsWritingHalfGetsItsAnswers() throws {
        let bench = try Bench()
        let client = try bench.client()
        try client.send(#"{"method":"org.example.test.Slow"}"# + "\0")
        shutdown(client.fd, CInt(SHUT_WR))
        try bench.loop.pump("the slow call") { bench.slow.count == 1 }
        bench.slow[0].reply { $0.field("done", true) }
        try bench.loop.pump("the end") { client.hasEnded }
        #expect(client.messages == [#"{"parameters":{"done":true}}"#])
        #expect(bench.server.clientCount == 0)
    }

    @Test func aClientThatGoesEndsItsCall() throws {
        let bench = try Bench()
        let client = try bench.client()
        let stays = try bench.client()
        for client in [client, stays] { try client.send(#"{"method":"org.example.test.Stream","more":true}"# + "\0") }
        try bench.loop.pump("both streams") { bench.streams.count == 2 }
        client.close()
        try bench.loop.pump("the news") { bench.closed == 1 }
        let message = SharedBytes.reply(continues: true) { $0.field("n", 1) }
        #expect(bench.streams.map { $0.send(message) } == [false, true])
        #expect(bench.server.clientCount == 1)
    }

    @Test func aSlowReaderIsCappedAndToldWhenItHasCaughtUp() throws {
        var limits = VarlinkServer.Limits()
        limits.queuedBytesMax = 64 * 1024
        let bench = try Bench(limits)
        let slow = try bench.client()
        let quick = try bench.client()
        for client in [slow, quick] { try client.send(#"{"method":"org.example.test.Stream","more":true}"# + "\0") }
        try bench.loop.pump("both streams") { bench.streams.count == 2 }
        try slow.pause()

        var drained = 0
        let slowStream = bench.streams[0]
        slowStream.onDrained = { drained += 1 }
        let message = SharedBytes.reply(continues: true) { $0.field("n", String(repeating: "x", count: 1000)) }
        var taken = 0
        for round in 1...2000 {
            if slowStream.send(message) { taken += 1 }
            #expect(slowStream.queuedBytes <= limits.queuedBytesMax)
            try #require(bench.streams[1].send(message))
            try bench.loop.pump("the quick one") { quick.received.count == round * message.count }
        }
        #expect(taken < 2000)
        #expect(drained == 0)

        try slow.resume()
        try bench.loop.pump("all that was taken") { slow.received.count == taken * message.count }
        #expect(drained == 1)
        #expect(slowStream.queuedBytes == 0)
        #expect(slowStream.send(message))
    }

    @Test func whatCanWaitFillsHalfOfTheQueue() throws {
        var limits = VarlinkServer.Limits()
        limits.queuedBytesMax = 64 * 1024
        let bench = try Bench(limits)
        let client = try bench.client()
        try client.send(#"{"method":"org.example.test.Stream","more":true}"# + "\0")
        try bench.loop.pump("the stream") { bench.streams.count == 1 }
        try client.pause()
        let stream = bench.streams[0]
        var drained = 0
        stream.onDrained = { drained += 1 }
        let message = SharedBytes.reply(continues: true) { $0.field("n", String(repeating: "x", count: 1000)) }
        while stream.offer(message) {}
        #expect((31 * 1024...32 * 1024).contains(stream.queuedBytes))
        #expect(stream.send(message))
        try client.resume()
        try bench.loop.pump("its reading") { drained == 1 }
        #expect(stream.offer(message))
    }

    @Test func anEmptyQueueTakesOneLargeReply() throws {
        let bench = try Bench()
        let client = try bench.client()
        try client.send(#"{"method":"org.example.test.Slow"}"# + "\0")
        try bench.loop.pump("the call") { bench.slow.count == 1 }
        let text = String(repeating: "y", count: 3_000_000)
        bench.slow[0].reply { $0.field("done", text) }
        try bench.loop.pump("all of it") { client.received.last == 0 }
        #expect(client.received.count == text.utf8.count + #"{"parameters":{"done":""}}"#.utf8.count + 1)
    }

    @Test func whatAllLeaveUnreadIsCapped() throws {
        var limits = VarlinkServer.Limits()
        limits.unreadReplyBytesMax = 3_000_000
        let bench = try Bench(limits)
        let clients = try (0..<4).map { _ in try bench.client() }
        for (index, client) in clients.enumerated() {
            try client.pause()
            try client.send(#"{"method":"org.example.test.Slow"}"# + "\0")
            try bench.loop.pump("the call") { bench.slow.count == index + 1 }
            bench.slow[index].reply { $0.field("done", String(repeating: "y", count: 1_200_000)) }
        }
        #expect(bench.server.clientCount == 3)
        for client in clients { try client.resume() }
        try bench.loop.pump("what was taken") { clients.dropLast().allSatisfy { $0.received.last == 0 } }
        #expect(clients[3].received.count < 1_000_000)
        #expect(bench.server.unreadReplyBytes == 0)
        #expect(try bench.ask(clients[0], #"{"method":"org.example.test.Privileged"}"#) == #"{"parameters":{}}"#)
    }

    @Test func aThousandClientsAndNotOneMore() throws {
        var limits = VarlinkServer.Limits()
        limits.clientsMax = 1000
        let bench = try Bench(limits)
        var descriptors = rlimit()
        unsafe getrlimit(CInt(RLIMIT_NOFILE.rawValue), &descriptors)
        try #require(descriptors.rlim_max >= 2200)
        descriptors.rlim_cur = max(descriptors.rlim_cur, 2200)
        unsafe setrlimit(CInt(RLIMIT_NOFILE.rawValue), &descriptors)

        var clients: [RawClient] = []
        for index in 1...1000 {
            clients.append(try bench.client())
            try clients[index - 1].send(#"{"method":"org.example.test.Stream","more":true}"# + "\0")
            if index % 50 == 0 { try bench.loop.pump("fifty streams") { bench.streams.count == index } }
        }
        let message = SharedBytes.reply(continues: true) { $0.field("n", 1) }
        for stream in bench.streams { #expect(stream.send(message)) }
        try bench.loop.pump("a thousand events") { clients.allSatisfy { $0.messages.count == 1 } }

        let another = try bench.client()
        try bench.loop.pump("its end") { another.hasEnded }
        #expect(bench.server.statistics.refused == 1)
        clients[0].close()
        try bench.loop.pump("a place") { bench.server.clientCount == 999 }
        #expect(try bench.ask(bench.client(), #"{"method":"org.example.test.Privileged"}"#) == #"{"parameters":{}}"#)
    }

    @Test func oneUserHasALimit() throws {
        var limits = VarlinkServer.Limits()
        limits.clientsPerUserMax = 2
        let bench = try Bench(limits)
        let clients = try (0..<3).map { _ in try bench.client() }
        try bench.loop.pump("the third one's end") { clients[2].hasEnded }
        #expect(bench.server.clientCount == 2)
    }

    @Test func strangersAreNotPrivileged() throws {
        let pair = try UnixPair()
        var peer = try PeerCredentials(of: pair.left.raw)
        #expect(peer.uid == geteuid() && peer.pid == getpid() && peer.isPrivileged)
        peer.uid = 0
        #expect(peer.isPrivileged)
        peer.uid = geteuid() + 12345
        #expect(!peer.isPrivileged)

        var interface = try VarlinkInterface(description: Bench.text)
        interface.on("Privileged", access: .privileged) { $0.reply() }
        let call = try CallMessage(decoding: .object(["method": .string("org.example.test.Privileged")]))
        #expect(throws: VarlinkError.permissionDenied) { try interface.handler(for: call, from: peer) }
    }

    @Test func aServerThatEndsTakesItsClientsAlong() throws {
        let bench = try Bench()
        let client = try bench.client()
        try client.send(#"{"method":"org.example.test.Stream","more":true}"# + "\0")
        try bench.loop.pump("the stream") { bench.streams.count == 1 }
        bench.server.close()
        try bench.loop.pump("the end") { client.hasEnded }
        #expect(bench.closed == 1)
        #expect(!bench.streams[0].isOpen)
        #expect(unsafe access(bench.folder.socket, F_OK) == -1)
    }
}

@Suite struct ClientAccountTests {
    private let limits = ClientAccount.Limits(bytesMax: 1000, timeShare: 100, burstNs: 1_000_000)

    @Test func timeIsAShareAndABurst() {
        let account = ClientAccount(limits, nowNs: 0)
        #expect(account.waitNs(nowNs: 0) == 0)
        account.spend(3_000_000)
        // Two milliseconds too much, and a fiftieth of a burst before the next turn, at a tenth of the time.
        #expect(account.waitNs(nowNs: 0) == 20_200_000)
        #expect(account.waitNs(nowNs: 10_000_000) == 10_200_000)
        #expect(account.waitNs(nowNs: 20_200_000) == 0)
        #expect(!account.isFresh(nowNs: 20_200_000))
        #expect(account.isFresh(nowNs: 1_000_000_000))
    }

    @Test func oneUserWaitsAndAnotherDoesNot() {
        let all = ClientAccount(
            ClientAccount.Limits(bytesMax: 1500, timeShare: 1000, burstNs: 5_000_000), nowNs: 0)
        let one = ClientAccount(limits, parent: all, nowNs: 0)
        let other = ClientAccount(limits, parent: all, nowNs: 0)
        one.spend(2_000_000)
        #expect(one.waitNs(nowNs: 0) > 0)
        #expect(other.waitNs(nowNs: 0) == 0)
        one.spend(10_000_000)
        #expect(other.waitNs(nowNs: 0) > 0, "together they have a limit as well")

        one.hold(900)
        #expect(!one.holds(101) && one.holds(100))
        #expect(other.holds(600) && !other.holds(601))
        one.hold(-900)
        #expect(other.holds(1000) && !other.holds(1001))
    }

    @Test func whoIsTrustedHasNoLimit() {
        let account = ClientAccount(nil, nowNs: 0)
        account.spend(.max / 2)
        account.hold(.max / 2)
        #expect(account.waitNs(nowNs: 0) == 0 && account.holds(1))
    }
}

/// Two connected sockets.
private struct UnixPair: ~Copyable {
    let left: Descriptor
    let right: Descriptor

    init() throws {
        var pair: [CInt] = [-1, -1]
        try Syscall.retry { unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &pair) }
        left = Descriptor(owning: pair[0])
        right = Descriptor(owning: pair[1])
    }
}
