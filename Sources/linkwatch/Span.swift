/// A span of time: as people write it, the way the configuration files do, and as they read it at a glance.
import ArgumentParser
import Configuration
import Monitor

import enum LinuxSystem.Clock

/// A length of time, 0 or more.
struct Span: Hashable, CustomStringConvertible {
    /// In nanoseconds.
    var ns: Int64

    /// Far enough from where 64 bits of nanoseconds end that an instant may be added: ten years.
    static let nsMax: Int64 = 10 * 365 * 86_400 * 1_000_000_000

    init(ns: Int64) { self.ns = ns }

    /// From one instant to another, both in microseconds; 0 if the first is later.
    init(fromUsec: Int64, toUsec: Int64) {
        let (usec, isFar) = toUsec.subtractingReportingOverflow(fromUsec)
        let (ns, isFarther) = usec.multipliedReportingOverflow(by: 1_000)
        self.ns = toUsec < fromUsec ? 0 : isFar || isFarther ? Self.nsMax : ns
    }

    /// Takes a number with its unit.
    ///
    /// - Throws: `ValidationError`, which says what would be right.
    init(argument: String) throws {
        guard let ns = DurationText.parse(argument) else {
            throw ValidationError("a time is a number with a unit: 500ms, 1.5s, 5min, 2h")
        }
        guard ns <= Self.nsMax else { throw ValidationError("a time is at most ten years") }
        self.ns = ns
    }

    /// As the command line takes it.
    var description: String { DurationText.format(ns) }

    /// As an age is read at a glance, two units at most: `450ms`, `12s`, `5m12s`, `3h05m`, `2d03h`, `412d`.
    var brief: String {
        func padded(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let seconds = ns / 1_000_000_000
        switch seconds {
        case ..<1: return "\(max(0, ns) / 1_000_000)ms"
        case ..<60: return "\(seconds)s"
        case ..<3_600: return "\(seconds / 60)m\(padded(seconds % 60))s"
        case ..<86_400: return "\(seconds / 3_600)h\(padded(seconds / 60 % 60))m"
        case ..<8_640_000: return "\(seconds / 86_400)d\(padded(seconds / 3_600 % 24))h"
        default: return "\(seconds / 86_400)d"
        }
    }
}

/// One instant by several clocks, in microseconds. Ages are counted by CLOCK_BOOTTIME, as people count them: CLOCK_MONOTONIC
/// stands still while the machine sleeps. A daemon that is too old to say has that alone.
struct Instant {
    var monotonicUsec: Int64
    var boottimeUsec: Int64
    var realtimeUsec: Int64 = 0

    /// Now.
    static var current: Instant {
        Instant(
            monotonicUsec: Clock.monotonicNs() / 1_000, boottimeUsec: Clock.boottimeNs() / 1_000,
            realtimeUsec: Clock.realtimeNs() / 1_000)
    }

    /// For how long an interface has been as it is.
    func age(of interface: InterfaceRecord) -> Span {
        interface.sinceBoottimeUsec.map { Span(fromUsec: $0, toUsec: boottimeUsec) }
            ?? Span(fromUsec: interface.since, toUsec: monotonicUsec)
    }

    /// Since when, CLOCK_REALTIME.
    func sinceRealtimeUsec(of interface: InterfaceRecord) -> Int64 {
        interface.sinceBoottimeUsec.map { realtimeUsec &- boottimeUsec &+ $0 }
            ?? realtimeUsec &- monotonicUsec &+ interface.since
    }
}
