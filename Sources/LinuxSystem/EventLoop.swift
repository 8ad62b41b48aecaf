/// One thread, one epoll: descriptors, timers and signals of a process, handled one after another.
///
/// Everything that happens in a daemon happens in a handler of its loop, so no state needs a lock. Threads that must
/// block (the register sweep) live outside and wake the loop through a descriptor.
///
/// Descriptors are level-triggered: a handler may leave data behind and is called again. Timers are absolute instants of
/// CLOCK_MONOTONIC in a heap behind one timerfd, armed edge-triggered so that an expiry costs no read. What it does not
/// do: threads, promises.
///
/// *Local clients come last.* Descriptors have one of two priorities. Each turn serves the network's first, then timers
/// that are due, and then clients for a slice of time; what is left of their work waits for the next turn, behind packets
/// and timers. Clients are served in the order in which they came, so that none gets two turns before another's first.
/// A handler bounds what it does in one call; if it has more to do, it leaves the rest in the kernel or calls `later`.
///
/// *A turn has one instant.* The clock is read once, when the wait is over; before timers that are due by then run, the
/// descriptors are asked once more. So everything that arrived by `nowNs` is handled before a timer concludes at
/// `nowNs` that nothing has arrived, however long and at whatever point the process was not scheduled. The turn knows
/// as well whether the machine was suspended before it, which timers do not (`TurnClock`).
import CLinux
import Glibc
import SystemPackage

public final class EventLoop {
    /// What a descriptor is watched for, and what was seen.
    public struct Interest: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// There is something to read. The corresponding C constant is `EPOLLIN`.
        public static let readable = Interest(rawValue: EPOLLIN.rawValue)
        /// There is room to write. The corresponding C constant is `EPOLLOUT`.
        public static let writable = Interest(rawValue: EPOLLOUT.rawValue)
        /// The other end is gone; always reported. The corresponding C constant is `EPOLLHUP`.
        public static let hangup = Interest(rawValue: EPOLLHUP.rawValue)
        /// An error is pending; always reported. The corresponding C constant is `EPOLLERR`.
        public static let error = Interest(rawValue: EPOLLERR.rawValue)
    }

    /// The order in which descriptors are served.
    public enum Priority: Hashable, Sendable {
        /// Packets, the kernel, signals, other processes of the service: at the beginning of a turn.
        case network
        /// Local clients, some of which may be hostile: they get what is left of a turn.
        case clients
    }

    /// A timer that has been scheduled.
    public struct TimerID: Hashable, Sendable {
        fileprivate let slot: Int
        fileprivate let number: UInt64
    }

    private struct Watch {
        var handler: (Interest) -> Void
        /// Tells a descriptor from an earlier one of the same number whose event is still in the batch.
        var generation: UInt32
        var priority: Priority
    }

    /// Something to be done for a client.
    private enum Work {
        case event(tag: UInt64, Interest)
        case action(() -> Void)
    }

    private let epoll: Descriptor
    /// Watches the clients' descriptors, and is watched by the other one.
    private let clients: Descriptor
    private let timer: Descriptor
    private var signals: CInt = -1
    /// By descriptor: the kernel gives the lowest number that is free, so this is as long as there are descriptors.
    private var watches: [Watch?] = []
    private var generation: UInt32 = 0
    private var timers = TimerHeap()
    private var armedNs = Int64.max
    private var isRunning = false
    private var areTimersRunning = false
    /// That of this turn.
    private var clock: TurnClock
    private let boottimeNs: () -> Int64
    /// Goes off when somebody sets the wall clock, and when the machine goes on after it was suspended.
    private var resume: CInt = -1
    /// In the order in which it came, from `workHead` on.
    private var work: [Work] = []
    private var workHead = 0
    /// How much of it are events: the kernel is asked for more when all of them are handled.
    private var eventsWaiting = 0
    private var areClientsReady = false

    /// Called first in a turn that comes much later than a timer was due: the process was stopped, or not scheduled, or the
    /// machine was suspended.
    public var onLate: () -> Void = {}

    /// A timer that is due for longer than this was slept through, and so was a suspend.
    private static let lateNs: Int64 = 500_000_000

    /// How many events one `epoll_wait` takes.
    private static let batch = 64
    /// How long clients are served before packets and timers are looked at again.
    private static let sliceNs: Int64 = 200_000
    /// How many signals are taken in one turn.
    private static let signalsMax = 16

    /// - Parameter boottimeNs: CLOCK_BOOTTIME; a test has its own.
    /// - Throws: what `epoll_create1` or `timerfd_create` says.
    public init(boottimeNs: @escaping () -> Int64 = Clock.boottimeNs) throws(Errno) {
        self.boottimeNs = boottimeNs
        clock = TurnClock(boottimeNs: boottimeNs, monotonicNs: Clock.monotonicNs)
        epoll = Descriptor(owning: try Syscall.retry { epoll_create1(CInt(EPOLL_CLOEXEC)) })
        timer = Descriptor(
            owning: try Syscall.retry {
                timerfd_create(CLOCK_MONOTONIC, CInt(TFD_NONBLOCK | TFD_CLOEXEC))
            })
        clients = Descriptor(owning: try Syscall.retry { epoll_create1(CInt(EPOLL_CLOEXEC)) })
        try control(EPOLL_CTL_ADD, timer.raw, EPOLLIN.rawValue | EPOLLET.rawValue, generation: 0, .network)
        try control(EPOLL_CTL_ADD, clients.raw, EPOLLIN.rawValue, generation: 0, .network)
    }

    deinit {
        if signals >= 0 { close(signals) }
        if resume >= 0 { close(resume) }
    }

    // MARK: Descriptors

    /// Watches a descriptor; it stays the caller's and must be unwatched before it is closed.
    ///
    /// - Throws: `Errno.fileExists` if it is watched already, or what `epoll_ctl` says.
    public func watch(
        _ fd: CInt, _ interest: Interest, priority: Priority = .network, _ handler: @escaping (Interest) -> Void
    ) throws(Errno) {
        generation &+= 1
        try control(EPOLL_CTL_ADD, fd, interest.rawValue, generation: generation, priority)
        while watches.count <= fd { watches.append(nil) }
        watches[Int(fd)] = Watch(handler: handler, generation: generation, priority: priority)
    }

    /// Changes what a watched descriptor is watched for.
    ///
    /// - Throws: `Errno.noSuchFileOrDirectory` if it is not watched.
    public func setInterest(_ fd: CInt, _ interest: Interest) throws(Errno) {
        guard let watch = watch(of: fd) else { throw .noSuchFileOrDirectory }
        try control(EPOLL_CTL_MOD, fd, interest.rawValue, generation: watch.generation, watch.priority)
    }

    /// Ends the watch; events of this descriptor that are still in the batch are dropped.
    public func unwatch(_ fd: CInt) {
        guard let watch = watch(of: fd) else { return }
        watches[Int(fd)] = nil
        try? control(EPOLL_CTL_DEL, fd, 0, generation: 0, watch.priority)
    }

    private func watch(of fd: CInt) -> Watch? { watches.indices.contains(Int(fd)) ? watches[Int(fd)] : nil }

    private func control(
        _ operation: CInt, _ fd: CInt, _ events: UInt32, generation: UInt32, _ priority: Priority
    ) throws(Errno) {
        var event = unsafe epoll_event()
        unsafe event.events = events
        unsafe event.data.u64 = UInt64(UInt32(bitPattern: fd)) | UInt64(generation) << 32
        let set = priority == .network ? epoll.raw : clients.raw
        try Syscall.retry { unsafe epoll_ctl(set, operation, fd, &event) }
    }

    // MARK: Timers

    /// Calls `action` once, at or as soon as possible after `atNs` (CLOCK_MONOTONIC); the past means: next.
    ///
    /// - Parameter toleranceNs: how much later it may be called, so that it can wait for a wake-up that is due to another.
    @discardableResult
    public func schedule(atNs: Int64, toleranceNs: Int64 = 0, _ action: @escaping () -> Void) -> TimerID {
        // Not in the same run of timers: a timer that is always due again would keep everything else from running.
        let firstNs = areTimersRunning ? clock.nowNs + 1 : 1
        let timer = timers.insert(atNs: max(firstNs, atNs), toleranceNs: max(0, toleranceNs), action)
        // While the loop handles events it arms the timer once, before it sleeps.
        if !isRunning { armTimer() }
        return timer
    }

    /// Forgets a timer; one that has fired already is no error.
    public func cancel(_ timer: TimerID) {
        timers.remove(timer)
    }

    private func armTimer() {
        guard let nextNs = timers.firstNs, nextNs != armedNs else { return }
        armedNs = nextNs
        var value = itimerspec()
        value.it_value = timespec(tv_sec: Int(nextNs / 1_000_000_000), tv_nsec: Int(nextNs % 1_000_000_000))
        let answer = unsafe timerfd_settime(timer.raw, CInt(TFD_TIMER_ABSTIME), &value, nil)
        precondition(answer == 0, "timerfd_settime: \(Errno(rawValue: errno))")
    }

    /// Those that become due while these run wait for the descriptors' turn.
    private func runDueTimers() {
        areTimersRunning = true
        while isRunning, let action = timers.popDue(nowNs: clock.nowNs) { action() }
        areTimersRunning = false
    }

    /// The instant of this turn (CLOCK_MONOTONIC), the same for all its handlers; outside of `run`, the clock.
    public var nowNs: Int64 { isRunning ? clock.nowNs : Clock.monotonicNs() }

    /// The same instant by CLOCK_BOOTTIME, which goes on while the machine is suspended: what has passed for others.
    public var nowBoottimeNs: Int64 { nowNs + aheadNs }

    /// How much CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: what an instant of the one is by the other.
    public var aheadNs: Int64 { clock.aheadNs }

    /// For how long the turn has been going on, by CLOCK_BOOTTIME: the process may have been stopped in the middle of it. Reads
    /// the clock.
    public var stoppedNs: Int64 { Clock.boottimeNs() - nowBoottimeNs }

    /// Begins a turn as soon as the machine goes on after it was suspended, rather than when a timer is due, and costs nothing
    /// until then.
    ///
    /// - Throws: what `timerfd_create` says.
    public func wakeOnResume() throws(Errno) {
        guard resume < 0 else { return }
        resume = try Syscall.retry { timerfd_create(CLOCK_REALTIME, CInt(TFD_NONBLOCK | TFD_CLOEXEC)) }
        armResume()
        // Waking up is enough: the clocks are read at the beginning of each turn.
        try watch(resume, .readable) { [unowned self] _ in armResume() }
    }

    /// For the year 2242. The kernel cancels a timer of the wall clock when that is set (TFD_TIMER_CANCEL_ON_SET), as it does on
    /// resume.
    private func armResume() {
        var value = itimerspec()
        value.it_value.tv_sec = 1 << 33
        _ = unsafe timerfd_settime(resume, CInt(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET), &value, nil)
    }

    // MARK: Signals

    /// Takes these signals out of their default handling and calls `handler` with each. To be called once per loop,
    /// before threads start.
    ///
    /// - Throws: what `pthread_sigmask` or `signalfd` says.
    public func onSignals(_ numbers: [CInt], _ handler: @escaping (CInt) -> Void) throws(Errno) {
        precondition(signals < 0, "one set of signals a loop")
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        let answer = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        if answer != 0 { throw Errno(rawValue: answer) }
        signals = try Syscall.retry {
            unsafe signalfd(-1, &set, CInt(SFD_NONBLOCK | SFD_CLOEXEC))
        }
        try watch(signals, .readable) { [unowned self] _ in
            var info = signalfd_siginfo()
            let size = MemoryLayout<signalfd_siginfo>.size
            for _ in 0..<Self.signalsMax where isRunning {
                guard unsafe read(signals, &info, size) == size else { return }
                handler(CInt(info.ssi_signo))
            }
        }
    }

    // MARK: Clients

    /// Calls `action` once, after this turn's packets and timers at the earliest, and after all work for clients that has
    /// come before it.
    public func later(_ action: @escaping () -> Void) { work.append(.action(action)) }

    private var hasWork: Bool { workHead < work.count }

    /// Serves clients for a slice of time, and at least one of them.
    private func serveClients(_ events: UnsafeMutableBufferPointer<epoll_event>) throws(Errno) {
        if areClientsReady, eventsWaiting == 0 {
            let count = try Syscall.retry {
                unsafe epoll_wait(clients.raw, events.baseAddress, CInt(Self.batch), 0)
            }
            for index in 0..<Int(count) {
                let event = unsafe events[index]
                work.append(.event(tag: unsafe event.data.u64, Interest(rawValue: unsafe event.events)))
            }
            eventsWaiting = Int(count)
        }
        areClientsReady = false
        guard hasWork else { return }
        // Those that are added meanwhile wait for the next turn.
        let end = work.count
        let untilNs = Clock.monotonicNs() + Self.sliceNs
        repeat { perform(takeWork()) } while isRunning && workHead < end && Clock.monotonicNs() < untilNs
        if workHead == work.count {
            work.removeAll(keepingCapacity: work.count <= 1024)
            workHead = 0
        } else if workHead >= 1024 {
            work.removeFirst(workHead)
            workHead = 0
        }
    }

    private func takeWork() -> Work {
        let next = work[workHead]
        // Finished work must not keep its objects alive.
        work[workHead] = .event(tag: 0, [])
        workHead += 1
        return next
    }

    private func perform(_ work: Work) {
        switch work {
        case .event(let tag, let seen):
            eventsWaiting -= 1
            dispatch(tag, seen)
        case .action(let action): action()
        }
    }

    // MARK: Running

    /// Handles what comes until `stop` is called from a handler.
    ///
    /// - Throws: what `epoll_wait` says; in practice nothing.
    public func run() throws(Errno) {
        isRunning = true
        defer { isRunning = false }
        let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: Self.batch)
        defer { unsafe events.deallocate() }
        _ = clock.read(boottimeNs: boottimeNs, monotonicNs: Clock.monotonicNs)
        while isRunning {
            armTimer()
            try unsafe handleEvents(events, timeoutMs: hasWork ? 0 : -1, beginsTurn: true)
            guard isRunning else { return }
            if let firstNs = timers.firstNs, firstNs <= clock.nowNs {
                try unsafe handleEvents(events, timeoutMs: 0, beginsTurn: false)
                runDueTimers()
            }
            if isRunning { try unsafe serveClients(events) }
        }
    }

    /// Asks the descriptors of the network, for one batch. A call that may wait starts a new turn, so it reads the clock.
    private func handleEvents(
        _ events: UnsafeMutableBufferPointer<epoll_event>, timeoutMs: CInt, beginsTurn: Bool
    ) throws(Errno) {
        let count = try Syscall.retry {
            unsafe epoll_wait(epoll.raw, events.baseAddress, CInt(Self.batch), timeoutMs)
        }
        if beginsTurn {
            let suspendedNs = clock.read(boottimeNs: boottimeNs, monotonicNs: Clock.monotonicNs)
            let missedNs = timers.firstNs.map { clock.nowNs - $0 } ?? 0
            if max(suspendedNs, missedNs) > Self.lateNs { onLate() }
        }
        for index in 0..<Int(count) where isRunning {
            let event = unsafe events[index]
            dispatch(unsafe event.data.u64, Interest(rawValue: unsafe event.events))
        }
    }

    private func dispatch(_ tag: UInt64, _ seen: Interest) {
        let fd = CInt(bitPattern: UInt32(truncatingIfNeeded: tag))
        if fd == timer.raw {
            armedNs = .max
            return
        }
        if fd == clients.raw {
            areClientsReady = true
            return
        }
        guard let watch = watch(of: fd), watch.generation == UInt32(tag >> 32) else { return }
        watch.handler(seen)
    }

    /// Ends `run` after the handler that calls it.
    public func stop() {
        isRunning = false
    }
}

/// Timers by the last instant at which they may run: a binary heap of keys beside the slots of their actions, so that
/// cancelling costs no search. Cancelled keys stay in the heap until they come up or outnumber the live ones.
private struct TimerHeap {
    private struct Key {
        var atNs: Int64
        /// The last instant at which it may be called.
        var lastNs: Int64
        var timer: EventLoop.TimerID
    }
    private struct Slot {
        /// The number of the timer that uses the slot; 0: it is free.
        var number: UInt64
        var action: (() -> Void)?
    }
    private var heap: [Key] = []
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var lastNumber: UInt64 = 0

    mutating func insert(atNs: Int64, toleranceNs: Int64, _ action: @escaping () -> Void) -> EventLoop.TimerID {
        lastNumber += 1
        let slot = free.popLast() ?? slots.count
        if slot == slots.count { slots.append(Slot(number: 0)) }
        slots[slot] = Slot(number: lastNumber, action: action)
        let timer = EventLoop.TimerID(slot: slot, number: lastNumber)
        push(Key(atNs: atNs, lastNs: min(atNs, .max - toleranceNs) + toleranceNs, timer: timer))
        return timer
    }

    mutating func remove(_ timer: EventLoop.TimerID) {
        guard isLive(timer) else { return }
        _ = take(timer)
        guard heap.count > 2 * (slots.count - free.count) + 64 else { return }
        let live = heap.filter { isLive($0.timer) }
        heap.removeAll(keepingCapacity: true)
        for key in live { push(key) }
    }

    /// When to wake; drops cancelled keys in front.
    var firstNs: Int64? {
        mutating get {
            while let first = heap.first, !isLive(first.timer) { popFirst() }
            return heap.first?.lastNs
        }
    }

    /// Takes out one action that is due, tolerance or not.
    mutating func popDue(nowNs: Int64) -> (() -> Void)? {
        guard firstNs != nil, heap[0].atNs <= nowNs else { return nil }
        let timer = heap[0].timer
        popFirst()
        return take(timer)
    }

    private func isLive(_ timer: EventLoop.TimerID) -> Bool { slots[timer.slot].number == timer.number }

    private mutating func take(_ timer: EventLoop.TimerID) -> (() -> Void)? {
        let action = slots[timer.slot].action
        slots[timer.slot] = Slot(number: 0)
        free.append(timer.slot)
        return action
    }

    private mutating func push(_ key: Key) {
        heap.append(key)
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func popFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            if 2 * parent + 1 < heap.count, precedes(2 * parent + 1, least) { least = 2 * parent + 1 }
            if 2 * parent + 2 < heap.count, precedes(2 * parent + 2, least) { least = 2 * parent + 2 }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    /// Those due at one instant run in the order in which they were scheduled.
    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].lastNs, heap[left].timer.number) < (heap[right].lastNs, heap[right].timer.number)
    }
}
