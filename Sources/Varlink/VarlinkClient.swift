/// A client that waits: for commands, which have nothing else to do meanwhile.
///
/// One call at a time. Every wait has a deadline, and what does not keep it ends the connection's use, because an answer
/// that comes later would be taken for the next one's.
import CLinux
import Glibc
import LinuxSystem
import SystemPackage

public final class VarlinkClient {
    private let descriptor: Descriptor
    private var reader: FrameReader
    private var queue = OutputQueue()
    /// A descriptor whose reader's going ends every wait; nil: none.
    private var output: CInt?

    /// How long a reply may be unless told otherwise: ten thousand transitions or two hundred groups, and room.
    public static let messageBytesMax = 16 * 1024 * 1024

    /// How many bytes of replies have been taken.
    public private(set) var receivedBytes = 0

    /// Connects to the service at `path`.
    ///
    /// - Parameter timeoutNs: how long a service that is busy may take to accept.
    /// - Throws: `VarlinkClientError.unreachable`.
    public init(
        path: String, timeoutNs: Int64 = 5_000_000_000, messageBytesMax: Int = VarlinkClient.messageBytesMax
    ) throws(VarlinkClientError) {
        do throws(Errno) {
            descriptor = try UnixSocket.connect(path, timeoutNs: timeoutNs)
        } catch {
            throw .unreachable(path: path, errno: error.rawValue)
        }
        reader = FrameReader(messageBytesMax: messageBytesMax)
    }

    /// From now on a wait ends with `readerGone` when whoever reads from this pipe, socket or terminal has gone: otherwise
    /// `watch | head -1` would be noticed with the next event, which may be tomorrow's.
    public func stopsWithReader(of descriptor: CInt) { output = descriptor }

    /// Calls a method that answers once.
    ///
    /// - Parameters:
    ///   - method: the qualified name.
    ///   - deadlineNs: CLOCK_MONOTONIC; nil: wait as long as it takes.
    /// - Throws: the service's error as `VarlinkClientError.refused`, or what went wrong on the way.
    public func call(
        _ method: String, deadlineNs: Int64?, _ parameters: (inout JSONWriter) -> Void = { _ in }
    ) throws(VarlinkClientError) -> JSON.Object {
        try send(CallMessage.encode(method, more: false, oneway: false, parameters), deadlineNs: deadlineNs)
        return try nextReply(deadlineNs: deadlineNs).parameters
    }

    /// Calls a method that answers many times; read the answers with `nextReply` while they say that more follow.
    ///
    /// - Throws: what went wrong on the way.
    public func callMore(
        _ method: String, deadlineNs: Int64?, _ parameters: (inout JSONWriter) -> Void = { _ in }
    ) throws(VarlinkClientError) {
        try send(CallMessage.encode(method, more: true, oneway: false, parameters), deadlineNs: deadlineNs)
    }

    /// Waits for the next reply.
    ///
    /// - Parameter deadlineNs: CLOCK_MONOTONIC; nil: wait as long as it takes.
    /// - Throws: `timedOut` at the deadline, after which waiting on is allowed; the service's error; or `closed`.
    public func nextReply(deadlineNs: Int64?) throws(VarlinkClientError) -> VarlinkReply {
        while true {
            if let message = try nextMessage() {
                receivedBytes += message.count
                return try VarlinkReply(parsing: message)
            }
            // A service that always sends, and never a whole reply, is not waited for either.
            if let deadlineNs, Clock.monotonicNs() >= deadlineNs { throw .timedOut }
            if try !receive() { try wait(for: CShort(POLLIN), deadlineNs: deadlineNs) }
        }
    }

    /// Takes what has come; false: nothing.
    private func receive() throws(VarlinkClientError) -> Bool {
        let isOpen: Bool
        do throws(Errno) {
            isOpen = try reader.receive(from: descriptor.raw)
        } catch {
            guard error == .wouldBlock else { throw .closed }
            return false
        }
        guard isOpen else { throw .closed }
        return true
    }

    private func nextMessage() throws(VarlinkClientError) -> [UInt8]? {
        do throws(FrameReader.TooLong) {
            return try reader.next()
        } catch {
            throw .malformed("a reply of more than \(reader.messageBytesMax) bytes")
        }
    }

    private func send(_ message: SharedBytes, deadlineNs: Int64?) throws(VarlinkClientError) {
        queue.append(message)
        while true {
            do throws(Errno) {
                try queue.flush(to: descriptor.raw)
            } catch {
                throw .closed
            }
            if queue.isEmpty { return }
            try wait(for: CShort(POLLOUT), deadlineNs: deadlineNs)
        }
    }

    private func wait(for events: CShort, deadlineNs: Int64?) throws(VarlinkClientError) {
        while true {
            let leftNs = deadlineNs.map { $0 - Clock.monotonicNs() }
            if let leftNs, leftNs <= 0 { throw .timedOut }
            // Rounded up: a poll that ends a moment before the deadline would spin until it.
            let leftMs = leftNs.map { CInt(clamping: $0 / 1_000_000 + 1) } ?? -1
            // poll(2) ignores a negative descriptor; for the output no events are requested, but hang-up is always
            // reported.
            var descriptors = [
                pollfd(fd: descriptor.raw, events: events, revents: 0),
                pollfd(fd: output ?? -1, events: 0, revents: 0),
            ]
            let count = unsafe poll(&descriptors, 2, leftMs)
            if count < 0, errno != EINTR { throw .closed }
            if descriptors[1].revents & CShort(POLLERR | POLLHUP) != 0 { throw .readerGone }
            if count > 0 { return }
        }
    }
}
