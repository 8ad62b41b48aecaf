import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

/// A pipe whose ends close themselves.
private struct Pipe: ~Copyable {
    let reader: Descriptor
    let writer: Descriptor

    init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        try Syscall.retry { unsafe pipe(&ends) }
        reader = Descriptor(owning: ends[0])
        writer = Descriptor(owning: ends[1])
    }

    func send() {
        var byte: UInt8 = 1
        unsafe write(writer.raw, &byte, 1)
    }

    func take() {
        var byte: UInt8 = 0
        unsafe read(reader.raw, &byte, 1)
    }
}

@Suite struct EventLoopTests {
    @Test func timersRunInTheOrderOfTheirInstants() throws {
        let loop = try EventLoop()
        let nowNs = Clock.monotonicNs()
        var seen: [Int] = []
        loop.schedule(atNs: nowNs + 1_000_000) { seen.append(1) }
        let cancelled = loop.schedule(atNs: nowNs + 1_500_000) { seen.append(0) }
        loop.schedule(atNs: nowNs + 1_000_000) {
            seen.append(2)
            // The past is no error: it runs in the next turn.
            loop.schedule(atNs: 0) {
                seen.append(9)
                loop.schedule(atNs: nowNs + 3_000_000) {
                    seen.append(3)
                    loop.stop()
                }
            }
        }
        loop.cancel(cancelled)
        try loop.run()
        #expect(seen == [1, 2, 9, 3])
        #expect(Clock.monotonicNs() >= nowNs + 3_000_000, "never early")
    }

    @Test func aTimerThatMayBeLateWaitsForAnother() throws {
        let loop = try EventLoop()
        let nowNs = Clock.monotonicNs()
        var order: [String] = []
        loop.schedule(atNs: nowNs + 1_000_000, toleranceNs: 20_000_000) { order.append("impatient") }
        loop.schedule(atNs: nowNs + 2_000_000, toleranceNs: 3_600_000_000_000) {
            order.append("patient")
            loop.stop()
        }
        loop.schedule(atNs: nowNs + 30_000_000) { order.append("punctual") }
        try loop.run()
        #expect(order == ["impatient", "punctual", "patient"])
    }

    @Test func anEarlierTimerOvertakesAnArmedOne() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        var seen: [String] = []
        let late = loop.schedule(atNs: Clock.monotonicNs() + 3_600_000_000_000) { seen.append("late") }
        try loop.watch(pipe.reader.raw, .readable) { _ in
            pipe.take()
            loop.schedule(atNs: Clock.monotonicNs() + 1_000_000) {
                seen.append("early")
                loop.stop()
            }
        }
        pipe.send()
        try loop.run()
        loop.cancel(late)
        loop.unwatch(pipe.reader.raw)
        #expect(seen == ["early"])
    }

    @Test func manyCancelledTimersCostNothing() throws {
        let loop = try EventLoop()
        var fired = 0
        for round in 0..<20_000 {
            let timer = loop.schedule(atNs: Clock.monotonicNs() + 3_600_000_000_000 + Int64(round)) { fired += 1 }
            loop.cancel(timer)
        }
        loop.schedule(atNs: 0) { loop.stop() }
        try loop.run()
        #expect(fired == 0)
    }

    @Test func whatIsLeftUnreadIsReportedAgain() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        var calls = 0
        try loop.watch(pipe.reader.raw, .readable) { seen in
            #expect(seen.contains(.readable))
            calls += 1
            if calls == 3 { loop.stop() }
        }
        pipe.send()
        try loop.run()
        loop.unwatch(pipe.reader.raw)
        #expect(calls == 3)
    }

    @Test func anUnwatchedDescriptorIsNotCalledFromTheSameBatch() throws {
        let loop = try EventLoop()
        let first = try Pipe()
        let second = try Pipe()
        var called: Set<CInt> = []
        for (mine, other) in [(first.reader.raw, second.reader.raw), (second.reader.raw, first.reader.raw)] {
            try loop.watch(mine, .readable) { _ in
                called.insert(mine)
                loop.unwatch(other)
                loop.schedule(atNs: 0) { loop.stop() }
            }
        }
        first.send()
        second.send()
        try loop.run()
        loop.unwatch(first.reader.raw)
        loop.unwatch(second.reader.raw)
        #expect(called.count == 1)
    }

    @Test func aHangupIsReportedUnasked() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let reader = Descriptor(owning: dup(pipe.reader.raw))
        try loop.watch(reader.raw, []) { seen in
            #expect(seen.contains(.hangup))
            loop.stop()
        }
        closeWriter(of: pipe)
        try loop.run()
        loop.unwatch(reader.raw)
    }

    private func closeWriter(of pipe: consuming Pipe) {}

    /// More descriptors than one wait reports are ready, and a timer is late: it finds all of them read.
    @Test func whatHasComeIsReadBeforeALateTimerRuns() throws {
        let loop = try EventLoop()
        var read = 0
        var readBeforeTimer = 0
        // `Pipe` cannot be put into an array.
        let readers = (0..<100).compactMap { _ in try? readyPipe() }
        #expect(readers.count == 100)
        for reader in readers {
            try loop.watch(reader, .readable) { _ in
                read += 1
                loop.unwatch(reader)
            }
        }
        loop.schedule(atNs: 0) {
            readBeforeTimer = read
            loop.stop()
        }
        try loop.run()
        for reader in readers { close(reader) }
        #expect(readBeforeTimer == 100)
    }

    /// The reading end of a pipe in which a byte waits.
    private func readyPipe() throws -> CInt {
        let pipe = try Pipe()
        pipe.send()
        return dup(pipe.reader.raw)
    }

    /// A handler is held up until a timer is due and a packet is there: the packet comes first.
    @Test func aTimerThatFallsDueDuringATurnWaitsForTheDescriptors() throws {
        let loop = try EventLoop()
        let slow = try Pipe()
        let packet = try Pipe()
        let dueNs = Clock.monotonicNs() + 5_000_000
        let packetWriter = packet.writer.raw
        var seen: [String] = []
        try loop.watch(packet.reader.raw, .readable) { _ in
            loop.unwatch(packet.reader.raw)
            seen.append("packet")
        }
        try loop.watch(slow.reader.raw, .readable) { _ in
            loop.unwatch(slow.reader.raw)
            let instantNs = loop.nowNs
            while Clock.monotonicNs() <= dueNs {}
            var byte: UInt8 = 1
            unsafe write(packetWriter, &byte, 1)
            #expect(loop.nowNs == instantNs)
        }
        loop.schedule(atNs: dueNs) {
            #expect(loop.nowNs >= dueNs)
            seen.append("timer")
            loop.stop()
        }
        slow.send()
        try loop.run()
        #expect(seen == ["packet", "timer"])
    }

    /// All are ready at once, whatever the order in which they were watched.
    @Test func packetsAndTimersComeBeforeClients() throws {
        let loop = try EventLoop()
        let client = try Pipe()
        let packet = try Pipe()
        var seen: [String] = []
        loop.later { seen.append("work") }
        try loop.watch(client.reader.raw, .readable, priority: .clients) { _ in
            seen.append("client")
            loop.stop()
        }
        loop.schedule(atNs: 0) { seen.append("timer") }
        try loop.watch(packet.reader.raw, .readable) { _ in
            seen.append("packet")
            loop.unwatch(packet.reader.raw)
        }
        client.send()
        packet.send()
        try loop.run()
        loop.unwatch(client.reader.raw)
        #expect(seen == ["packet", "timer", "work", "client"])
    }

    /// Clients who always have something to do, and do it slowly, hold up a timer and a packet for one of their turns.
    @Test func clientsHoldUpNobodyForLongerThanATurn() throws {
        let loop = try EventLoop()
        let readers = (0..<50).compactMap { _ in try? readyPipe() }
        let packet = try Pipe()
        let packetWriter = packet.writer.raw
        let dueNs = Clock.monotonicNs() + 20_000_000
        var turnsSinceDue = 0
        var turnsSincePacket: Int?
        func takeTurn() {
            if Clock.monotonicNs() >= dueNs { turnsSinceDue += 1 }
            if turnsSincePacket != nil { turnsSincePacket! += 1 }
            let untilNs = Clock.monotonicNs() + 1_000_000
            while Clock.monotonicNs() < untilNs {}
        }
        func workOn() {
            takeTurn()
            loop.later(workOn)
        }
        loop.later(workOn)
        for reader in readers { try loop.watch(reader, .readable, priority: .clients) { _ in takeTurn() } }
        try loop.watch(packet.reader.raw, .readable) { _ in loop.stop() }
        loop.schedule(atNs: dueNs) {
            #expect(turnsSinceDue <= 1)
            var byte: UInt8 = 1
            unsafe write(packetWriter, &byte, 1)
            turnsSincePacket = 0
        }
        try loop.run()
        for reader in readers {
            loop.unwatch(reader)
            close(reader)
        }
        loop.unwatch(packet.reader.raw)
        #expect(try #require(turnsSincePacket) <= 1)
    }

    @Test func aTimerThatIsAlwaysDueLetsOthersHaveTheirTurn() throws {
        let loop = try EventLoop()
        let packet = try Pipe()
        let packetWriter = packet.writer.raw
        var calls = 0
        func again() {
            calls += 1
            var byte: UInt8 = 1
            if calls == 1 { unsafe write(packetWriter, &byte, 1) }
            if calls == 10_000 { loop.stop() }
            loop.schedule(atNs: 0, again)
        }
        loop.schedule(atNs: 0, again)
        var callsBeforePacket: Int?
        try loop.watch(packet.reader.raw, .readable) { _ in
            callsBeforePacket = calls
            loop.stop()
        }
        try loop.run()
        loop.unwatch(packet.reader.raw)
        #expect(callsBeforePacket == 1)
    }

    @Test func workTakesTurns() throws {
        let loop = try EventLoop()
        var seen: [String] = []
        func work(_ name: String, _ left: Int) {
            seen.append(name)
            if left > 1 { loop.later { work(name, left - 1) } }
            if seen.count == 6 { loop.stop() }
        }
        loop.later { work("a", 3) }
        loop.later { work("b", 3) }
        try loop.run()
        #expect(seen == ["a", "b", "a", "b", "a", "b"])
    }

    /// More clients are ready than one wait reports; each has its turn before any has a second one.
    @Test func clientsAreServedInTurn() throws {
        let loop = try EventLoop()
        let readers = (0..<200).compactMap { _ in try? readyPipe() }
        #expect(readers.count == 200)
        var turns: [CInt: Int] = [:]
        var spread = 0
        for reader in readers {
            try loop.watch(reader, .readable, priority: .clients) { _ in
                turns[reader, default: 0] += 1
                spread = max(spread, turns[reader]! - (turns.count < readers.count ? 0 : turns.values.min()!))
                if turns[reader] == 20 { loop.stop() }
            }
        }
        try loop.run()
        for reader in readers {
            loop.unwatch(reader)
            close(reader)
        }
        #expect(turns.count == 200)
        #expect(spread <= 2)
    }

    @Test func watchingTwiceIsRefused() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        try loop.watch(pipe.reader.raw, .readable) { _ in }
        #expect(throws: Errno.fileExists) { try loop.watch(pipe.reader.raw, .readable) { _ in } }
        #expect(throws: Errno.noSuchFileOrDirectory) { try loop.setInterest(pipe.writer.raw, .writable) }
        loop.unwatch(pipe.reader.raw)
    }
}

@Suite struct SyscallTests {
    @Test func anInterruptedCallIsMadeAgain() throws {
        var calls = 0
        let answer = try Syscall.retry { () -> CInt in
            calls += 1
            errno = EINTR
            return calls < 3 ? -1 : 7
        }
        #expect(answer == 7)
        #expect(calls == 3)
    }

    @Test func otherErrorsAreThrown() {
        #expect(throws: Errno.permissionDenied) {
            try Syscall.retry { () -> CInt in
                errno = EACCES
                return -1
            }
        }
        #expect(throws: Errno(rawValue: 524)) { try Syscall.check(-524) }
    }

    @Test func capabilitiesHaveTheirNames() throws {
        #expect(Capabilities([.netAdmin, .netRaw]).names == ["CAP_NET_ADMIN", "CAP_NET_RAW"])
        if geteuid() == 0 { #expect(try Capabilities.effective().contains(.netAdmin)) }
    }
}
