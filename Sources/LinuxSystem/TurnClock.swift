/// The instant of an event loop's turn, and whether the machine was suspended before it.
///
/// CLOCK_MONOTONIC stands still while the machine is suspended, and with it every timer, and the jiffies by which the
/// kernel counts the lifetimes of addresses. Other machines go on meanwhile. CLOCK_BOOTTIME keeps running, so the
/// difference of the two clocks grows only by suspend.
struct TurnClock {
    /// The newest instant, CLOCK_MONOTONIC.
    private(set) var nowNs: Int64
    /// How much CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC.
    private(set) var aheadNs: Int64

    init(boottimeNs: () -> Int64, monotonicNs: () -> Int64) {
        let boottimeNs = boottimeNs()
        nowNs = monotonicNs()
        aheadNs = boottimeNs - nowNs
    }

    /// Reads both clocks. In this order the difference is too small, never too large, if the thread is not scheduled in between.
    ///
    /// - Returns: for how long the machine was suspended since they were read last.
    mutating func read(boottimeNs: () -> Int64, monotonicNs: () -> Int64) -> Int64 {
        let newer = TurnClock(boottimeNs: boottimeNs, monotonicNs: monotonicNs)
        nowNs = newer.nowNs
        guard newer.aheadNs > aheadNs else { return 0 }
        defer { aheadNs = newer.aheadNs }
        return newer.aheadNs - aheadNs
    }
}
