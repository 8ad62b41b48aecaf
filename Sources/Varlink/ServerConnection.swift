/// One client of a server: messages in, replies out, one call at a time.
///
/// The protocol answers calls in their order, so the next one is taken up when the last one is answered and its reply has
/// left; until then what the client pipelines stays in the kernel, beyond one message. A client that closes its writing
/// half still gets its answers.
import Glibc
import LinuxSystem
import SystemPackage

final class ServerConnection {
    let peer: PeerCredentials

    private let descriptor: Descriptor
    private let loop: EventLoop
    private let queuedBytesMax: Int
    private weak var server: VarlinkServer?
    private var reader: FrameReader
    private var queue = OutputQueue()
    /// A last reply is in the queue; it counts against what all clients together may leave unread.
    private var hasReplyQueued = false
    private var countedBytes = 0
    private var call: VarlinkCall?
    private var interest: EventLoop.Interest = .readable
    private var hasInputEnded = false
    private var isOpen = true
    private var isTakingCalls = false

    init(_ descriptor: consuming Descriptor, peer: PeerCredentials, server: VarlinkServer) {
        self.descriptor = descriptor
        self.peer = peer
        self.server = server
        loop = server.loop
        queuedBytesMax = server.limits.queuedBytesMax
        reader = FrameReader(messageBytesMax: server.limits.messageBytesMax)
    }

    var fd: CInt { descriptor.raw }
    var queuedBytes: Int { queue.bytes }

    /// - Throws: what epoll says.
    func start() throws(Errno) {
        try loop.watch(fd, interest) { [unowned self] seen in handle(seen) }
    }

    // MARK: Events

    private func handle(_ seen: EventLoop.Interest) {
        // The loop's handler holds no reference, and closing drops the server's.
        withExtendedLifetime(self) {
            if seen.contains(.writable) { flush() }
            if isOpen, seen.contains(.readable), interest.contains(.readable) {
                receive()
            } else if isOpen, seen.contains(.hangup) || seen.contains(.error) {
                close()
            }
            settle()
        }
    }

    private func receive() {
        do throws(Errno) {
            hasInputEnded = try !reader.receive(from: fd)
        } catch .wouldBlock {
            return
        } catch {
            close()
        }
    }

    private func flush() {
        do throws(Errno) {
            let hadQueued = !queue.isEmpty
            try queue.flush(to: fd)
            countReply()
            if hadQueued, queue.isEmpty { call?.connectionHasDrained() }
        } catch {
            close()
        }
    }

    /// Takes up what can be taken up, ends what has ended, and waits for the rest.
    private func settle() {
        guard isOpen, !isTakingCalls else { return }
        isTakingCalls = true
        takeCalls()
        isTakingCalls = false
        guard isOpen else { return }
        if hasInputEnded, call == nil, queue.isEmpty { return close() }
        var wanted: EventLoop.Interest = []
        if !hasInputEnded, !reader.hasMessage { wanted.insert(.readable) }
        if !queue.isEmpty { wanted.insert(.writable) }
        guard wanted != interest else { return }
        interest = wanted
        try? loop.setInterest(fd, wanted)
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        hasReplyQueued = false
        countReply()
        loop.unwatch(fd)
        server?.forget(self)
        call?.connectionHasClosed()
        call = nil
    }

    // MARK: Calls

    private func takeCalls() {
        while isOpen, call == nil, queue.isEmpty {
            do {
                guard let bytes = try reader.next() else { return }
                try take(JSON.parse(bytes))
            } catch {
                // Not varlink: there is no way to find the next message, and nobody to explain it to.
                server?.statistics.malformed += 1
                close()
            }
        }
    }

    private func take(_ value: JSON.Value) {
        server?.statistics.calls += 1
        do throws(VarlinkError) {
            let message = try CallMessage(decoding: value)
            do throws(VarlinkError) {
                guard let handler = try server?.handler(for: message, from: peer) else { return close() }
                let call = VarlinkCall(
                    message, wantsMore: message.more && handler.replies != .one, connection: self)
                self.call = call
                handler.body(call)
            } catch {
                if !message.oneway { sendLast(SharedBytes.reply(error)) }
            }
        } catch {
            sendLast(SharedBytes.reply(error))
        }
    }

    func callHasEnded() {
        call = nil
        settle()
    }

    // MARK: Replies

    /// Queues all of these, or none if that would exceed the cap, and hands the kernel what it takes.
    ///
    /// - Parameter queueShare: the part of the cap that they may fill: 1 all of it, 2 half.
    func send(_ messages: [SharedBytes], queueShare: Int) -> Bool {
        guard isOpen else { return false }
        let size = messages.reduce(0) { $0 + $1.count }
        guard queue.isEmpty || queue.bytes + size <= queuedBytesMax / queueShare else { return false }
        let wasEmpty = queue.isEmpty
        for message in messages { queue.append(message) }
        // A queue that waits for the descriptor would only be told again that it is full.
        if wasEmpty { flush() }
        settle()
        return true
    }

    /// Queues a last reply, which has a place in any queue, unless all clients together leave too much unread.
    func sendLast(_ message: SharedBytes) {
        guard isOpen else { return }
        queue.append(message)
        hasReplyQueued = true
        flush()
        if let server, server.unreadReplyBytes > server.limits.unreadReplyBytesMax {
            server.statistics.refused += 1
            close()
        }
        settle()
    }

    private func countReply() {
        if queue.isEmpty { hasReplyQueued = false }
        let bytes = hasReplyQueued ? queue.bytes : 0
        server?.unreadReplyBytes += bytes - countedBytes
        countedBytes = bytes
    }
}
