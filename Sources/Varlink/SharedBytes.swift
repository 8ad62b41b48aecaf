/// Bytes that are encoded once and sent to many, and the queue in which they wait for one of them.
///
/// An event for a thousand subscribers is one allocation; a queue holds references. A queue never blocks and never grows
/// beyond its owner's cap: what the kernel does not take at once waits until the descriptor is writable.
import Glibc
import LinuxSystem
import SystemPackage

/// A message, immutable, NUL included. Its memory does not move, so several can go to the kernel in one call.
@safe public final class SharedBytes {
    private let storage: UnsafeMutableRawBufferPointer

    /// Takes over what was written; a NUL is added.
    public init(_ writer: consuming JSONWriter) {
        unsafe storage = writer.finish()
    }

    /// Takes over a piece of a message; only the last one gets a NUL.
    init(piece writer: consuming JSONWriter, isLast: Bool) {
        unsafe storage = writer.finish(isWhole: isLast)
    }

    deinit { unsafe free(storage.baseAddress) }

    public var count: Int { unsafe storage.count }

    /// The bytes, as they go over the wire.
    public var bytes: [UInt8] { unsafe Array(storage) }

    /// Bytes from `offset` on; valid as long as this object lives.
    fileprivate func vector(from offset: Int) -> iovec {
        let rest = unsafe storage[offset...]
        return unsafe iovec(iov_base: UnsafeMutableRawBufferPointer(rebasing: rest).baseAddress, iov_len: rest.count)
    }

    /// One message: an object with the fields that `body` writes.
    static func message(_ body: (inout JSONWriter) -> Void) -> SharedBytes {
        var writer = JSONWriter(reservingCapacity: 1024)
        writer.object(body)
        return SharedBytes(writer)
    }

    /// One reply, to be sent to any number of calls.
    ///
    /// - Parameter continues: more replies follow; only for calls with `more`.
    public static func reply(continues: Bool = false, _ parameters: (inout JSONWriter) -> Void) -> SharedBytes {
        message { writer in
            writer.object("parameters", parameters)
            if continues { writer.field("continues", true) }
        }
    }

    static func reply(_ error: VarlinkError) -> SharedBytes {
        message { writer in
            writer.field("error", error.name)
            writer.field("parameters", error.parameters)
        }
    }
}

/// Messages that wait for one descriptor.
struct OutputQueue {
    private var messages: [SharedBytes] = []
    /// The first that is not yet sent whole, and how much of it is.
    private var head = 0
    private var headOffset = 0
    /// How much waits.
    private(set) var bytes = 0

    /// How many messages go to the kernel in one call.
    private static let vectorMax = 64

    var isEmpty: Bool { bytes == 0 }

    mutating func append(_ message: SharedBytes) {
        guard message.count > 0 else { return }
        messages.append(message)
        bytes += message.count
    }

    /// Hands to the kernel what it takes; the rest stays.
    ///
    /// - Throws: what sendmsg(2) says, `EAGAIN` apart; in practice that the other end is gone.
    mutating func flush(to fd: CInt) throws(Errno) {
        while !isEmpty {
            do throws(Errno) {
                consume(try sendFirst(to: fd))
            } catch .wouldBlock {
                return
            }
        }
    }

    private func sendFirst(to fd: CInt) throws(Errno) -> Int {
        let count = min(messages.count - head, Self.vectorMax)
        let answer = unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
            for index in 0..<count {
                unsafe vectors[index] = messages[head + index].vector(from: index == 0 ? headOffset : 0)
            }
            var header = unsafe msghdr()
            unsafe header.msg_iov = vectors.baseAddress
            unsafe header.msg_iovlen = count
            let flags = CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT)
            return Result { () throws(Errno) in try Syscall.retry { unsafe sendmsg(fd, &header, flags) } }
        }
        return try answer.get()
    }

    private mutating func consume(_ sent: Int) {
        bytes -= sent
        headOffset += sent
        while head < messages.count, headOffset >= messages[head].count {
            headOffset -= messages[head].count
            head += 1
        }
        if head == messages.count {
            messages.removeAll(keepingCapacity: messages.count <= 8)
            head = 0
        } else if head >= 64 {
            messages.removeFirst(head)
            head = 0
        }
    }
}
