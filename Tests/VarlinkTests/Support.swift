import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import Varlink

/// A folder of its own for one test's sockets.
final class Folder {
    let path: String

    init() throws {
        path = "/tmp/linkwatch-varlink-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        try Syscall.retry { unsafe mkdir(path, 0o700) }
    }

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

/// A client that sends what it likes and gathers what it gets.
final class RawClient {
    private var descriptor: Descriptor?
    private let loop: EventLoop
    private(set) var received: [UInt8] = []
    private(set) var hasEnded = false
    var isReading = true

    init(_ loop: EventLoop, _ path: String) throws {
        self.loop = loop
        let descriptor = try UnixSocket.connect(path, timeoutNs: nil)
        try loop.watch(descriptor.raw, .readable) { [unowned self] _ in receive() }
        self.descriptor = consume descriptor
    }

    deinit { close() }

    var fd: CInt {
        switch descriptor {
        case .some(let descriptor): descriptor.raw
        case .none: -1
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        let count = unsafe Glibc.send(fd, bytes, bytes.count, CInt(MSG_NOSIGNAL))
        try #require(count == bytes.count)
    }

    /// Leaves what comes in the kernel.
    func pause() throws { try loop.setInterest(fd, []) }
    func resume() throws { try loop.setInterest(fd, .readable) }

    func close() {
        guard descriptor != nil else { return }
        loop.unwatch(fd)
        descriptor = nil
    }

    /// The messages so far, as text.
    var messages: [String] {
        received.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private func receive() {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(fd, &chunk, chunk.count, CInt(MSG_DONTWAIT))
        if count > 0 { received += chunk[..<count] }
        if count == 0 || (count < 0 && errno != EAGAIN) {
            hasEnded = true
            loop.unwatch(fd)
        }
    }
}
