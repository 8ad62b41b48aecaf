/// One client of a server: messages in, replies out, one call at a time.
///
/// The protocol answers calls in their order, so the next one is taken up when the last one is answered and its reply has
/// left; until then what the client pipelines stays in the kernel, beyond one message. A client that closes its writing
/// half still gets its answers.
///
/// A turn takes at most one chunk from the kernel and one call, or one step of a call that is answered in steps. What it
/// takes of time and memory is on its user's account; while that has no time left, the connection is parked.
import Glibc
import LinuxSystem
import SystemPackage

final class ServerConnection {
    let peer: PeerCredentials
    let account: ClientAccount

    private let descriptor: Descriptor
    private let loop: EventLoop
    private let queuedBytesMax: Int
    private weak var server: VarlinkServer?
    private var reader: FrameReader
    private var queue = OutputQueue()
    /// A last reply is in the queue; it counts against what all clients together may leave unread.
    private var hasReplyQueued = false
    private var countedReplyBytes = 0
    /// What of this connection is on its account.
    private var countedBytes = 0
    private var call: VarlinkCall?
    /// The next step of the call.
    private var step: (() -> Void)?
    private var interest: EventLoop.Interest = .readable
    private var hasInputEnded = false
    private(set) var isOpen = true
    private var isScheduled = false
    private var isParked = false
    private var isInTurn = false

    init(_ descriptor: consuming Descriptor, peer: PeerCredentials, account: ClientAccount, server: VarlinkServer) {
        self.descriptor = descriptor
        self.peer = peer
        self.account = account
        self.server = server
        loop = server.loop
        queuedBytesMax = server.limits.queuedBytesMax
        reader = FrameReader(messageBytesMax: server.limits.messageBytesMax)
    }

    var fd: CInt { descriptor.raw }
    var queuedBytes: Int { queue.bytes }

    /// - Throws: what epoll says.
    func start() throws(Errno) {
        try loop.watch(fd, interest, priority: .clients) { [unowned self] seen in
            // The loop's handler holds no reference, and closing drops the server's.
            withExtendedLifetime(self) { handle(seen) }
        }
    }

    // MARK: Turns

    private func handle(_ seen: EventLoop.Interest) {
        let isReadable = seen.contains(.readable) && interest.contains(.readable)
        if !isReadable, seen.contains(.hangup) || seen.contains(.error) {
            // The client is gone, but may have sent calls that want no reply.
            if isParked || !canTakeCall { close() }
            return
        }
        guard !isParked else { return }
        takeTurn {
            if seen.contains(.writable) { flush() }
            if isOpen, isReadable { receive() }
            takeCall()
        }
    }

    /// Waits for a turn that no descriptor announces.
    private func schedule() {
        guard !isScheduled, !isParked else { return }
        isScheduled = true
        loop.later { [self] in
            isScheduled = false
            if isOpen, !isParked { takeTurn(takeStepOrCall) }
        }
    }

    /// The account has time again.
    func unpark() {
        guard isParked else { return }
        isParked = false
        takeTurn {
            flush()
            if isOpen, !hasInputEnded, !reader.hasMessage { receive() }
            takeStepOrCall()
        }
    }

    private func takeTurn(_ body: () -> Void) {
        let beganNs = Clock.monotonicNs()
        guard account.waitNs(nowNs: beganNs) == 0 else {
            isParked = true
            settle()
            server?.park(self, nowNs: beganNs)
            return
        }
        isInTurn = true
        body()
        isInTurn = false
        settle()
        account.spend(Clock.monotonicNs() - beganNs)
    }

    private func takeStepOrCall() {
        guard let step else { return takeCall() }
        self.step = nil
        step()
    }

    private func receive() {
        do throws(Errno) {
            hasInputEnded = try !reader.receive(from: fd)
        } catch .wouldBlock {
            return
        } catch {
            return close()
        }
        if reader.isTooLong { return closeAsMalformed() }
        count()
        // It has sent part of a message, and others of its user have as well.
        if !account.holds(0) { refuse() }
    }

    private func flush() {
        do throws(Errno) {
            let hadQueued = !queue.isEmpty
            try queue.flush(to: fd)
            count()
            if hadQueued, queue.isEmpty { call?.connectionHasDrained() }
        } catch {
            close()
        }
    }

    private var canTakeCall: Bool { reader.hasMessage && call == nil && queue.isEmpty }

    /// Closes the connection if it is finished, else waits for what is left.
    private func settle() {
        guard isOpen, !isInTurn else { return }
        if hasInputEnded, !reader.hasMessage, call == nil, queue.isEmpty { return close() }
        if step != nil || canTakeCall { schedule() }
        var wanted: EventLoop.Interest = []
        if !hasInputEnded, !reader.hasMessage { wanted.insert(.readable) }
        if !queue.isEmpty { wanted.insert(.writable) }
        if isParked { wanted = [] }
        guard wanted != interest else { return }
        interest = wanted
        try? loop.setInterest(fd, wanted)
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        hasReplyQueued = false
        step = nil
        count()
        loop.unwatch(fd)
        server?.forget(self)
        call?.connectionHasClosed()
        call = nil
    }

    private func refuse() {
        server?.statistics.refused += 1
        close()
    }

    // MARK: Calls

    private func takeCall() {
        guard isOpen, call == nil, queue.isEmpty else { return }
        do {
            guard let bytes = try reader.next() else { return }
            count()
            try take(JSON.parse(bytes))
        } catch {
            closeAsMalformed()
        }
    }

    /// Not varlink: there is no way to find the next message, and nobody to explain it to.
    private func closeAsMalformed() {
        server?.statistics.malformed += 1
        close()
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
        step = nil
        settle()
    }

    /// Goes on with the call in a turn to come.
    func continueCall(_ step: @escaping () -> Void) {
        guard isOpen else { return }
        self.step = step
        settle()
    }

    // MARK: Replies

    /// Queues all of these, or none if that would exceed the cap or what its user may leave unread, and hands the kernel
    /// what it takes.
    ///
    /// - Parameter queueShare: the part of the cap that they may fill: 1 all of it, 2 half.
    func send(_ messages: [SharedBytes], queueShare: Int) -> Bool {
        guard isOpen else { return false }
        let size = messages.reduce(0) { $0 + $1.count }
        guard queue.isEmpty || (queue.bytes + size <= queuedBytesMax / queueShare && account.holds(size)) else {
            return false
        }
        let wasEmpty = queue.isEmpty
        for message in messages { queue.append(message) }
        // A queue that waits for the descriptor would only be told again that it is full.
        if wasEmpty { flush() } else { count() }
        settle()
        return true
    }

    /// Whether the next piece of a long reply may be made now; otherwise when the client has read what waits.
    var hasRoomForPiece: Bool {
        queue.isEmpty || (queue.bytes < queuedBytesMax / 2 && account.holds(queuedBytesMax / 2))
    }

    /// Queues a piece of a long reply, for which there was room.
    func send(piece: SharedBytes) {
        guard isOpen else { return }
        queue.append(piece)
        flush()
        settle()
    }

    /// Queues a last reply, which has a place in any queue, unless all clients together leave too much unread.
    func sendLast(_ message: SharedBytes) {
        guard isOpen else { return }
        queue.append(message)
        hasReplyQueued = true
        flush()
        if let server, server.unreadReplyBytes > server.limits.unreadReplyBytesMax || !account.holds(0) { refuse() }
        settle()
    }

    private func count() {
        if queue.isEmpty { hasReplyQueued = false }
        let replyBytes = hasReplyQueued ? queue.bytes : 0
        server?.unreadReplyBytes += replyBytes - countedReplyBytes
        countedReplyBytes = replyBytes
        let bytes = isOpen ? queue.bytes + reader.heldBytes : 0
        account.hold(bytes - countedBytes)
        countedBytes = bytes
    }
}
