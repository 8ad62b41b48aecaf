/// A client that lives on an event loop: for daemons that listen to another one.
///
/// Calls are answered in their order; each has a handler that is called with every reply, and with the error that ends
/// it. When the connection ends, every call that waits gets `closed`, then `onClosed` is called, once. Connecting again
/// is the owner's business, who knows how patient to be.
import LinuxSystem
import SystemPackage

public final class VarlinkLoopClient {
    public typealias ReplyHandler = (Result<VarlinkReply, VarlinkClientError>) -> Void

    /// Called once when the service has closed the connection or sent what is no varlink; not after `close`.
    public var onClosed: ((VarlinkClientError) -> Void)?

    private let loop: EventLoop
    private let descriptor: Descriptor
    private var reader: FrameReader
    private var queue = OutputQueue()
    private var waiting: [ReplyHandler] = []
    private var interest: EventLoop.Interest = .readable
    private var isOpen = true

    /// Replies that have arrived are delivered in the next turn.
    private var continuation: EventLoop.TimerID?
    private var hasEnded = false

    /// How many replies are delivered in one turn: a chunk may hold thousands.
    private static let repliesInTurn = 32

    /// How many calls may wait for their replies.
    public static let pipelinedMax = 64

    /// Connects at once; a service whose backlog is full counts as unreachable.
    ///
    /// - Throws: `VarlinkClientError.unreachable`.
    public init(
        loop: EventLoop, path: String, messageBytesMax: Int = VarlinkClient.messageBytesMax
    ) throws(VarlinkClientError) {
        self.loop = loop
        reader = FrameReader(messageBytesMax: messageBytesMax)
        do throws(Errno) {
            descriptor = try UnixSocket.connect(path, timeoutNs: nil)
            try loop.watch(descriptor.raw, interest) { [unowned self] seen in
                withExtendedLifetime(self) { handle(seen) }
            }
        } catch {
            throw .unreachable(path: path, errno: error.rawValue)
        }
    }

    deinit { close() }

    /// Calls a method.
    ///
    /// - Parameters:
    ///   - method: the qualified name.
    ///   - more: ask for as many replies as there are; `handler` is called until one says that none follows.
    /// - Returns: false if the connection is closed or `pipelinedMax` calls wait; then `handler` is not called.
    @discardableResult
    public func call(
        _ method: String, more: Bool = false, _ parameters: (inout JSONWriter) -> Void = { _ in },
        _ handler: @escaping ReplyHandler
    ) -> Bool {
        guard isOpen, waiting.count < Self.pipelinedMax else { return false }
        waiting.append(handler)
        queue.append(CallMessage.encode(method, more: more, oneway: false, parameters))
        // An error shows up as a hangup: callers need not expect their handler to be called from here.
        try? queue.flush(to: descriptor.raw)
        updateInterest()
        return true
    }

    /// Closes the connection; no handler is called any more.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        loop.unwatch(descriptor.raw)
        if let continuation { loop.cancel(continuation) }
        continuation = nil
        waiting = []
    }

    // MARK: Events

    private func handle(_ seen: EventLoop.Interest) {
        do throws(VarlinkClientError) {
            if seen.contains(.writable) { try flush() }
            if !seen.isDisjoint(with: [.readable, .hangup, .error]) { try receive() }
            if isOpen { updateInterest() }
        } catch {
            fail(error)
        }
    }

    private func flush() throws(VarlinkClientError) {
        do throws(Errno) {
            try queue.flush(to: descriptor.raw)
        } catch {
            // What the service said before it went may still be there to read.
            queue = OutputQueue()
        }
    }

    private func receive() throws(VarlinkClientError) {
        if !reader.hasMessage, !hasEnded {
            do throws(Errno) {
                hasEnded = try !reader.receive(from: descriptor.raw)
            } catch .wouldBlock {
                return
            } catch {
                throw .closed
            }
        }
        var left = Self.repliesInTurn
        while isOpen, left > 0, let message = try nextMessage() {
            left -= 1
            try deliver(message)
        }
        guard isOpen else { return }
        if reader.hasMessage { return continueLater() }
        if hasEnded { throw .closed }
    }

    private func continueLater() {
        guard continuation == nil else { return }
        continuation = loop.schedule(atNs: loop.nowNs + 1) { [unowned self] in
            continuation = nil
            withExtendedLifetime(self) { handle(.readable) }
        }
    }

    private func nextMessage() throws(VarlinkClientError) -> [UInt8]? {
        do throws(FrameReader.TooLong) {
            return try reader.next()
        } catch {
            throw .malformed("a reply of more than \(reader.messageBytesMax) bytes")
        }
    }

    private func deliver(_ message: [UInt8]) throws(VarlinkClientError) {
        guard let handler = waiting.first else { throw .malformed("a reply that nobody waits for") }
        do throws(VarlinkClientError) {
            let reply = try VarlinkReply(parsing: message)
            if !reply.continues { waiting.removeFirst() }
            handler(.success(reply))
        } catch {
            guard case .refused = error else { throw error }
            waiting.removeFirst()
            handler(.failure(error))
        }
    }

    private func fail(_ error: VarlinkClientError) {
        guard isOpen else { return }
        let handlers = waiting
        close()
        for handler in handlers { handler(.failure(error)) }
        onClosed?(error)
    }

    private func updateInterest() {
        var wanted: EventLoop.Interest = continuation == nil && !hasEnded ? .readable : []
        if !queue.isEmpty { wanted.insert(.writable) }
        guard wanted != interest else { return }
        interest = wanted
        try? loop.setInterest(descriptor.raw, wanted)
    }
}
