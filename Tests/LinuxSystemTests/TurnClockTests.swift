import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

/// Two clocks that a test moves.
private final class Clocks {
    var monotonicNs: Int64 = 5_000_000_000
    var boottimeNs: Int64 = 7_000_000_000
    /// The time that passes between reading one clock and the other.
    var betweenNs: Int64 = 0

    func pass(_ ns: Int64, suspendedNs: Int64 = 0) {
        monotonicNs += ns
        boottimeNs += ns + suspendedNs
    }

    func boottime() -> Int64 {
        let now = boottimeNs
        pass(betweenNs)
        return now
    }
    func monotonic() -> Int64 { monotonicNs }
    func made() -> TurnClock { TurnClock(boottimeNs: boottime, monotonicNs: monotonic) }
}

@Suite struct TurnClockTests {
    @Test func aSuspendIsWhatTheOneCountsAndTheOtherDoesNot() {
        let clocks = Clocks()
        var clock = clocks.made()
        #expect(clock.aheadNs == 2_000_000_000)
        func read() -> Int64 { clock.read(boottimeNs: clocks.boottime, monotonicNs: clocks.monotonic) }
        clocks.pass(1_000_000_000)
        #expect(read() == 0 && clock.nowNs == 6_000_000_000)
        clocks.pass(10, suspendedNs: 60_000_000_000)
        #expect(read() == 60_000_000_000 && clock.aheadNs == 62_000_000_000)
        #expect(read() == 0, "told once")
    }

    /// A pause between the two readings makes a suspend look shorter, and never looks like one.
    @Test func aPauseBetweenTheReadingsIsNoSuspend() {
        let clocks = Clocks()
        var clock = clocks.made()
        func read() -> Int64 { clock.read(boottimeNs: clocks.boottime, monotonicNs: clocks.monotonic) }
        clocks.betweenNs = 3_000_000_000
        #expect(read() == 0 && clock.aheadNs == 2_000_000_000)
        clocks.betweenNs = 0
        #expect(read() == 0)
        // A suspend that such a pause hides is found in the next turn.
        clocks.betweenNs = 100_000_000_000
        clocks.pass(0, suspendedNs: 60_000_000_000)
        #expect(read() == 0)
        clocks.betweenNs = 0
        #expect(read() == 60_000_000_000)
    }

    /// Before anything else of the turn, and although no timer is late: those stood still as well.
    @Test func theLoopLooksAtTheClockFirst() throws {
        var suspendedNs: Int64 = 0
        let loop = try EventLoop(boottimeNs: { Clock.boottimeNs() + suspendedNs })
        var ends: [CInt] = [-1, -1]
        try Syscall.retry { unsafe pipe(&ends) }
        defer { ends.forEach { close($0) } }
        var seen: [String] = []
        var before: Int64 = 0
        loop.onLate = {
            #expect(loop.nowBoottimeNs - before >= 60_000_000_000)
            seen.append("late")
        }
        try loop.watch(ends[0], .readable) { _ in
            seen.append("packet")
            loop.stop()
        }
        loop.schedule(atNs: Clock.monotonicNs()) {
            before = loop.nowBoottimeNs
            suspendedNs = 60_000_000_000
            var byte: UInt8 = 1
            unsafe write(ends[1], &byte, 1)
        }
        try loop.run()
        loop.unwatch(ends[0])
        #expect(seen.suffix(2) == ["late", "packet"])
    }
}
