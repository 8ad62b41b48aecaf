/// The one funnel through which system calls go.
///
/// A call that was interrupted is made again. A bad descriptor or a bad address is a defect of this program, and going on
/// would act on somebody else's descriptor: it stops there. All else is thrown as `Errno` for the caller to decide.
import Glibc
import SystemPackage

public enum Syscall {
    /// Makes a call that answers -1 and sets errno; returns its other answers.
    ///
    /// - Throws: what errno says, except EINTR (repeated) and EBADF or EFAULT (the program stops).
    @discardableResult
    @inlinable
    public static func retry<Value: FixedWidthInteger & SignedInteger>(
        _ name: StaticString = #function, _ call: () -> Value
    ) throws(Errno) -> Value {
        while true {
            let value = call()
            if value != -1 { return value }
            let error = errno
            if error == EINTR { continue }
            precondition(error != EBADF && error != EFAULT, "\(name): \(Errno(rawValue: error))")
            throw Errno(rawValue: error)
        }
    }

    /// Takes the answer of a C shim: 0 or more, or -errno.
    ///
    /// - Throws: the errno that the shim returned.
    @discardableResult
    public static func check(_ answer: CInt) throws(Errno) -> CInt {
        if answer < 0 { throw Errno(rawValue: -answer) }
        return answer
    }
}

/// A descriptor with one owner, who closes it by ceasing to exist.
public struct Descriptor: ~Copyable {
    /// The descriptor's number, for calls and for `EventLoop.watch`.
    public let raw: CInt

    /// Takes ownership.
    public init(owning raw: CInt) {
        self.raw = raw
    }

    deinit { close(raw) }
}

/// The clocks. Everything that is compared or waited for is monotonic; the others are only ever shown.
public enum Clock {
    /// Nanoseconds of CLOCK_MONOTONIC.
    public static func monotonicNs() -> Int64 { read(CLOCK_MONOTONIC) }

    /// Nanoseconds of CLOCK_BOOTTIME: CLOCK_MONOTONIC and the time that the machine has slept.
    public static func boottimeNs() -> Int64 { read(CLOCK_BOOTTIME) }

    /// Nanoseconds of CLOCK_REALTIME since 1970.
    public static func realtimeNs() -> Int64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
