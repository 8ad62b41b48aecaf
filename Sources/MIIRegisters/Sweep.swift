import CIoctl
import LinkState
import LinuxSystem
import SystemPackage

/// The fast probes: a thread that asks PHYs and drivers, and reports what has changed.
///
/// Wraps CIoctl's sweep (`Sources/CIoctl/sweep.c` says how it keeps time and what it does about an ioctl that does not
/// come back). Everything here is called from the event loop's thread and never waits for the kernel. Two descriptors
/// belong on the loop: when `notifyDescriptor` is readable call `drain`, when `watchdogDescriptor` is, `handleWatchdog`.
///
/// It does not conclude anything: a PHY whose link bit has never been seen set is reported down like any other.
@safe public final class Sweep {
    private let sweep: OpaquePointer

    /// Starts the thread; it sleeps until there are ports. It belongs to the network namespace of the calling thread and
    /// has its capabilities and its scheduling: drop what is to be dropped, and block signals, before.
    ///
    /// - Throws: `EINVAL` for an interval or `stuckAfterNs` out of range; `EMFILE`, `ENOMEM`, `EAGAIN` as they come.
    public convenience init(_ options: SweepOptions = SweepOptions()) throws(Errno) {
        try unsafe self.init(options, backend: nil)
    }

    /// A backend of the caller's own instead of the kernel: for tests.
    init(_ options: SweepOptions, backend: UnsafePointer<cioctl_backend>?) throws(Errno) {
        var c = unsafe cioctl_options()
        unsafe withUnsafeMutableBytes(of: &c.interval_ns) { bytes in
            let intervalsNs = unsafe bytes.bindMemory(to: Int64.self)
            for (place, row) in EvidenceSource.probes.enumerated() {
                unsafe intervalsNs[place] = options.intervalsNs[row.source] ?? row.probe.intervalNs
            }
        }
        unsafe c.stuck_after_ns = options.stuckAfterNs
        unsafe c.backend = backend
        var created: OpaquePointer?
        try check(unsafe cioctl_sweep_create(&c, &created))
        guard let sweep = unsafe created else { throw .noMemory }
        unsafe self.sweep = sweep
    }

    /// Ends the thread; waits for a question under way no longer than `stuckAfterNs`. Take both descriptors off the loop
    /// first: they are closed here.
    deinit { unsafe cioctl_sweep_destroy(sweep) }

    /// An eventfd, readable when there is something to drain.
    public var notifyDescriptor: CInt { unsafe cioctl_sweep_notify_fd(sweep) }

    /// A timerfd, readable when a question may be stuck.
    public var watchdogDescriptor: CInt { unsafe cioctl_sweep_watchdog_fd(sweep) }

    // MARK: Ports

    /// The most ports that one sweep takes.
    public static let portsMax = Int(CIOCTL_PORTS_MAX)

    /// These are all the ports from now on.
    ///
    /// A known port keeps its state. A new one, or one with a new name, is asked at once and from the beginning
    /// (SIOCGMIIPHY). A port that has said that it has no such thing is not asked again until then, or until `refresh`.
    ///
    /// - Throws: `E2BIG` above `portsMax`, `EINVAL` for an ifindex below 1 or given twice, `ENOMEM`; nothing changes then.
    public func setPorts(_ ports: [SweepPort]) throws(Errno) {
        let c = ports.map(\.c)
        let result = unsafe c.withUnsafeBufferPointer { buffer in
            unsafe cioctl_sweep_set_ports(sweep, buffer.baseAddress, buffer.count)
        }
        try check(result)
    }

    /// Asks a port from the beginning, whatever it said before: for an interface that went up, or was attached anew.
    public func refresh(ifindex: Int32) {
        unsafe cioctl_sweep_refresh(sweep, UInt32(bitPattern: ifindex))
    }

    /// Polls these sources at other intervals from now on, in nanoseconds.
    ///
    /// - Throws: `EINVAL` outside of `EvidenceSource.intervalsNs`; nothing changes then.
    public func setIntervals(_ intervalsNs: [EvidenceSource: Int64]) throws(Errno) {
        guard intervalsNs.values.allSatisfy(EvidenceSource.intervalsNs.contains) else { throw .invalidArgument }
        for (place, source) in EvidenceSource.polled.enumerated() {
            guard let intervalNs = intervalsNs[source] else { continue }
            try check(unsafe cioctl_sweep_set_interval(sweep, place, intervalNs))
        }
    }

    // MARK: Answers

    /// Takes what has changed since the last time: readings and registers.
    public func drain(_ body: (SweepReport) -> Void, registers: (RegistersReport) -> Void = { _ in }) {
        drainReports(body)
        drainRegisters(registers)
    }

    private func drainReports(_ body: (SweepReport) -> Void) {
        var batch = unsafe [cioctl_report](repeating: cioctl_report(), count: 64)
        var count: Int
        repeat {
            count = unsafe batch.withUnsafeMutableBufferPointer { buffer in
                unsafe cioctl_sweep_drain(sweep, buffer.baseAddress, buffer.count)
            }
            for index in 0..<count { body(unsafe SweepReport(batch[index])) }
        } while unsafe count == batch.count
    }

    private func drainRegisters(_ body: (RegistersReport) -> Void) {
        var report = cioctl_registers_report()
        while unsafe cioctl_sweep_next_registers(sweep, &report) == 1 { body(RegistersReport(report)) }
    }

    /// Asks for registers 0 to 15 of any interface, on the sweep's thread; the answer comes by `drain` under this number.
    ///
    /// - Throws: `EAGAIN`: eight requests are under way, or no thread is free of a stuck question.
    public func requestRegisters(ifindex: Int32) throws(Errno) -> UInt64 {
        var id: UInt64 = 0
        try check(unsafe cioctl_sweep_request_registers(sweep, UInt32(bitPattern: ifindex), &id))
        return id
    }

    /// If a question has been open for longer than `stuckAfterNs`: another thread goes on with the other ports, and reports
    /// this one as failed (`ETIMEDOUT`) if it is open for four times as long.
    public func handleWatchdog() {
        unsafe cioctl_sweep_handle_watchdog(sweep)
    }

    /// When that source last said up or down on that port, CLOCK_MONOTONIC; nil: never, or it is not asked.
    public func confirmedNs(ifindex: Int32, source: EvidenceSource) -> Int64? {
        guard let place = source.place else { return nil }
        let ns = unsafe cioctl_sweep_confirmed_ns(sweep, UInt32(bitPattern: ifindex), place)
        return ns == 0 ? nil : ns
    }

    /// Counters of a source since the start; zeros if it is not polled.
    public func statistics(_ source: EvidenceSource) -> ProbeStatistics {
        var c = cioctl_statistics()
        if let place = source.place { unsafe cioctl_sweep_statistics(sweep, place, &c) }
        return ProbeStatistics(c)
    }
}

extension EvidenceSource {
    private static let places = allCases.map { polled.firstIndex(of: $0) }

    /// Its place in CIoctl's table, which has the polled sources in the order of the other table; a test compares them.
    /// Nil: it is not polled.
    var place: Int? { Self.places[rawValue] }
}

/// 0 or more, or -errno.
func check(_ result: CInt) throws(Errno) {
    if result < 0 { throw Errno(rawValue: -result) }
}

/// How a sweep runs.
public struct SweepOptions: Hashable, Sendable {
    /// Between two polls of a port, by source, in nanoseconds.
    public var intervalsNs = EvidenceSource.defaultIntervalsNs
    /// A question that is open for longer is stuck; 1 ms to 10 s, in nanoseconds. A healthy one takes microseconds, a
    /// bit-banged bus a millisecond; whatever waits behind a stuck one waits this long, once.
    public var stuckAfterNs: Int64 = 50_000_000

    public init() {}
}

/// An interface to be asked.
public struct SweepPort: Hashable, Sendable {
    /// What it is known by, above 0.
    public var ifindex: Int32
    /// What the ioctls call it; at most 15 bytes.
    public var ifname: String
    /// The sources that are asked.
    public var sources: SourceSet

    public init(ifindex: Int32, ifname: String, sources: SourceSet = .polled) {
        self.ifindex = ifindex
        self.ifname = ifname
        self.sources = sources
    }

    /// A name that is too long is cut: the sweep finds the right one by the ifindex.
    fileprivate var c: cioctl_port {
        var port = cioctl_port()
        port.ifindex = ifindex > 0 ? UInt32(ifindex) : 0
        port.sources = sources.reduce(0) { $0 | 1 << UInt32($1.place ?? Int(UInt32.bitWidth)) }
        unsafe withUnsafeMutableBytes(of: &port.ifname) { bytes in
            for (index, byte) in ifname.utf8.prefix(bytes.count - 1).enumerated() { unsafe bytes[index] = byte }
        }
        return port
    }
}
