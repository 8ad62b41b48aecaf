import Glibc
import LinuxSystem
import Monitor
import Varlink

/// Any bytes where varlink is read: as JSON, as an interface description, as what a client says to a service, as what a
/// service says to a client. The first byte says which; nothing may crash, and what is accepted must be what it says.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzVarlink(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: start == nil ? 0 : count))
    let bytes = Array(input.dropFirst())
    switch (input.first ?? 0) % 4 {
    case 0: checkJSON(bytes)
    case 1: checkDescription(bytes)
    case 2: checkReply(bytes)
    default: unsafe Service.shared.check(bytes)
    }
    return 0
}

/// LeakSanitizer follows no pointer that carries a tag, as those of indirect enums and to the records of weak references
/// do: of the description that the service keeps, and of the service's own record, it says that nobody has them.
@_cdecl("__lsan_default_suppressions")
public func leakSuppressions() -> UnsafePointer<CChar> {
    let text: StaticString = "leak:InterfaceDescription\nleak:formWeakReference"
    return unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// A value that was read and written again is read as the same.
private func checkJSON(_ bytes: [UInt8]) {
    guard let value = try? JSON.parse(bytes) else { return }
    guard must({ try JSON.parse(encoded(value)) }) == value else { fatalError("JSON comes back differently") }
}

private func checkDescription(_ bytes: [UInt8]) {
    guard let description = try? InterfaceDescription(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
    for method in description.methods.values {
        let isFine = description.mismatch([:], method.input) == nil
        let hasRequired = method.input.contains { if case .maybe = $0.type { false } else { true } }
        guard isFine == !hasRequired else { fatalError("checked differently than described") }
    }
}

/// A record that was read and written again is the same record.
private func checkReply(_ bytes: [UInt8]) {
    guard let reply = try? VarlinkReply(parsing: bytes), let event: EventRecord = try? reply.parameters.decode("event")
    else { return }
    guard must({ try EventRecord(decoding: JSON.parse(encoded(event))) }) == event else {
        fatalError("an event comes back differently")
    }
}

/// What cannot fail.
private func must<Value>(_ body: () throws -> Value) -> Value {
    do {
        return try body()
    } catch {
        fatalError("\(error)")
    }
}

private func encoded(_ value: some JSONEncodable) -> [UInt8] {
    var writer = JSONWriter()
    value.encode(into: &writer)
    return writer.bytes
}

/// A service with linkwatchd's interface, and one client an input, over a pair of sockets.
private final class Service {
    nonisolated(unsafe) static let shared = Service()

    private let loop = must { try EventLoop() }
    private let server: VarlinkServer

    init() {
        server = VarlinkServer(loop: loop, info: .init(vendor: "", product: "fuzz", version: "", url: ""))
        var interface = must { try VarlinkInterface(description: MonitorInterface.description) }
        for method in interface.description.methods.keys where method != "Watch" && method != "Reload" {
            interface.on(method, replies: .oneOrMany) { call in
                if call.wantsMore {
                    call.send(SharedBytes.reply(continues: true) { $0.field("echo", call.parameters) })
                }
                call.reply { $0.field("echo", call.parameters) }
            }
        }
        interface.on("Watch", replies: .many) { call in
            call.send(EventRecord(kind: .synced).reply)
            call.reply()
        }
        server.add(interface)
    }

    /// Says it, says no more, and reads to the end: whole messages, each a JSON object.
    func check(_ bytes: [UInt8]) {
        var pair: [CInt] = [-1, -1]
        _ = unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair)
        let client = Descriptor(owning: pair[1])
        server.admit(Descriptor(owning: pair[0]))
        _ = unsafe send(client.raw, bytes, bytes.count, CInt(MSG_NOSIGNAL))
        shutdown(client.raw, CInt(SHUT_WR))
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while server.clientCount > 0 {
            loop.schedule(atNs: 0) { [loop] in loop.stop() }
            must { try loop.run() }
            let count = unsafe recv(client.raw, &chunk, chunk.count, 0)
            if count > 0 { answer += chunk[..<count] }
        }
        while case let count = unsafe recv(client.raw, &chunk, chunk.count, 0), count > 0 { answer += chunk[..<count] }
        for message in answer.split(separator: 0, omittingEmptySubsequences: true) {
            guard (try? JSON.parse(Array(message)).object()) != nil else { fatalError("an answer is no JSON") }
        }
    }
}
