import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

/// A log's two ends.
private struct Ends: ~Copyable {
    let reader: Descriptor
    let writer: Descriptor

    enum Kind: CaseIterable { case pipe, socket }

    init(_ kind: Kind) throws(Errno) {
        var ends: [CInt] = [-1, -1]
        try Syscall.retry {
            unsafe kind == .pipe ? pipe(&ends) : socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends)
        }
        reader = Descriptor(owning: ends[0])
        writer = Descriptor(owning: ends[1])
    }

    /// Everything that waits.
    func read() -> String {
        let flags = fcntl(reader.raw, F_GETFL)
        _ = fcntl(reader.raw, F_SETFL, flags | O_NONBLOCK)
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = unsafe Glibc.read(reader.raw, &chunk, chunk.count), count > 0 { text += chunk[..<count] }
        return String(decoding: text, as: UTF8.self)
    }
}

private func line(_ text: String) -> [UInt8] { Array((text + "\n").utf8) }

@Suite struct LogOutputTests {
    /// A writer that waits would never come back: nobody reads.
    @Test(arguments: Ends.Kind.allCases)
    private func aLogThatNobodyReadsHoldsNobodyUp(kind: Ends.Kind) throws {
        let ends = try Ends(kind)
        var output = LogOutput(descriptor: ends.writer.raw)
        let notice: (Int) -> [UInt8] = { line("dropped \($0)") }
        var written = 0
        while output.dropped == 0 {
            output.write(line("line \(written)"), notice: notice)
            if output.dropped == 0 { written += 1 }
        }
        for _ in 0..<999 { output.write(line("lost"), notice: notice) }
        #expect(output.dropped == 1000)
        #expect(fcntl(ends.writer.raw, F_GETFL) & O_NONBLOCK == 0, "the description may be somebody else's too")

        var lines = ends.read().split(separator: "\n")
        #expect(lines == (0..<written).map { "line \($0)" })
        output.write(line("again"), notice: notice)
        lines = ends.read().split(separator: "\n")
        #expect(lines == ["dropped 1000", "again"])
        #expect(output.dropped == 0)
    }

    @Test func theNumberIsToldAsSoonAsThereIsRoom() throws {
        let ends = try Ends(.pipe)
        var output = LogOutput(descriptor: ends.writer.raw)
        while output.dropped < 3 { output.write(line("x"), notice: { line("dropped \($0)") }) }
        let wasFull = output.catchUp { line("dropped \($0)") }
        #expect(!wasFull)
        let descriptor = try #require(output.descriptor)
        _ = ends.read()
        let loop = try EventLoop()
        try loop.watch(descriptor, .writable) { _ in loop.stop() }
        try loop.run()
        loop.unwatch(descriptor)
        let hasRoom = output.catchUp { line("dropped \($0)") }
        #expect(hasRoom)
        #expect(ends.read() == "dropped 3\n")
    }

    @Test func aReaderThatHasGoneIsNotWaitedFor() throws {
        signal(SIGPIPE, SIG_IGN)
        let output = try withoutReader()
        #expect(output.dropped == 1)
        #expect(output.isGone)
    }

    private func withoutReader() throws -> LogOutput {
        var ends: [CInt] = [-1, -1]
        try Syscall.retry { unsafe pipe(&ends) }
        var output = LogOutput(descriptor: ends[1])
        close(ends[0])
        output.write(line("x"), notice: { _ in [] })
        close(ends[1])
        return output
    }
}

@Suite struct RateLimitTests {
    private let second: Int64 = 1_000_000_000

    @Test func aBurstIsToldAndTheRestIsCounted() {
        var limit = RateLimit<String>(burst: 3, windowNs: 5 * second)
        let answers = (0..<100_000).map { limit.admits("a", nowNs: Int64($0) * 10_000) }
        #expect(answers.prefix(3).allSatisfy { $0 })
        #expect(!answers.dropFirst(3).contains(true))
        let other = limit.admits("b", nowNs: second)
        #expect(other, "another thing is not held back")
        #expect(limit.nextDeadlineNs == 5 * second)
        let early = limit.expire(nowNs: 5 * second - 1)
        #expect(early.isEmpty)
        let held = limit.expire(nowNs: 5 * second)
        #expect(held.map(\.key) == ["a"] && held[0].count == 99_997 && held[0].overNs == 5 * second)
    }

    /// While it goes on there is one report a window; once it is over, everything is as at the beginning.
    @Test func whatGoesOnIsReportedOnceAWindow() {
        var limit = RateLimit<String>(burst: 3, windowNs: 5 * second)
        for number in 0..<10 { _ = limit.admits("a", nowNs: Int64(number)) }
        let first = limit.expire(nowNs: 5 * second)
        #expect(first.map(\.count) == [7])
        #expect(limit.nextDeadlineNs == nil, "nobody is woken for nothing")
        let during = limit.admits("a", nowNs: 6 * second)
        #expect(!during)
        let second = limit.expire(nowNs: 10 * self.second)
        #expect(second.map(\.count) == [1])
        let after = limit.admits("a", nowNs: 16 * self.second)
        #expect(after)
    }

    @Test func inventedKeysTakeNoMemory() {
        var limit = RateLimit<Int>(burst: 1, windowNs: second, keysMax: 100)
        let admitted = (0..<10_000).filter { limit.admits($0, nowNs: 0) }
        #expect(admitted.count == 100)
        let later = limit.admits(77_777, nowNs: 2 * second)
        #expect(later)
    }
}

@Suite struct PrintableTests {
    @Test(arguments: [
        ("eth0", "eth0"), ("Zürich", "Zürich"), ("a\u{1b}[31mb", "a\\x1b[31mb"), ("a\nb\r", "a\\x0ab\\x0d"),
        ("a\u{9b}b", "a\\u009bb"), ("a\u{2028}b", "a\\u2028b"), ("a\u{301}\u{7f}", "a\u{301}\\x7f"),
        ("a\n\u{301}", "a\\x0a\u{301}"), ("\u{202e}a", "\\u202ea"),
    ])
    func whatWouldActIsShown(text: String, shown: String) {
        #expect(Array(text.printable.unicodeScalars) == Array(shown.unicodeScalars))
    }
}
