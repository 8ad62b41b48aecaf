/// One call that waits for its answer; with `more`, a stream.
///
/// A handler may keep it and answer later. A stream's queue has a cap: `send` refuses what does not fit, nothing is
/// queued in part, and once the client has taken everything `onDrained` says so. What to do about the gap is the
/// service's business; this is how a slow client costs its own queue and nobody else anything.
public final class VarlinkCall {
    /// The method's qualified name.
    public let method: String
    /// They fit the description.
    public let parameters: JSON.Object
    /// The caller takes more than one reply.
    public let wantsMore: Bool
    /// The caller.
    public let peer: PeerCredentials

    /// Called from the loop when `send` has refused something and all that was queued has gone to the client.
    public var onDrained: (() -> Void)?
    /// Called once if the client goes before the final reply.
    public var onClosed: (() -> Void)?

    private var connection: ServerConnection?
    private let isOneway: Bool
    private var hasRefused = false

    init(_ message: CallMessage, wantsMore: Bool, connection: ServerConnection) {
        method = message.method
        parameters = message.parameters
        isOneway = message.oneway
        peer = connection.peer
        isTrusted = !connection.account.isLimited
        self.wantsMore = wantsMore
        self.connection = connection
    }

    /// The client is there and waits; false once the last reply was sent or the client has gone.
    public var isOpen: Bool { connection != nil }

    /// Whether the caller is root, the service's own user, or a user named by the limits: these have no account.
    public let isTrusted: Bool

    /// How many bytes wait for this client.
    public var queuedBytes: Int { connection?.queuedBytes ?? 0 }

    /// Answers for good.
    public func reply(_ parameters: (inout JSONWriter) -> Void = { _ in }) {
        if isOneway { return end() }
        finish(SharedBytes.reply(parameters))
    }

    /// Sends the final reply, as an encoded message that may be shared; made without `continues`.
    public func reply(_ message: SharedBytes) {
        finish(message)
    }

    /// Sends an error as the final reply.
    public func fail(_ error: VarlinkError) {
        finish(SharedBytes.reply(error))
    }

    /// Sends the final reply piece by piece, over as many turns as it takes and as fast as the caller reads it, so that
    /// a long reply costs little memory and delays nobody.
    ///
    /// - Parameter piece: writes the next members of the reply's parameters, some `pieceBytes` of them; false: these were
    ///   the last ones. What it begins it may end in another piece.
    public func replyInPieces(_ piece: @escaping (inout JSONWriter) -> Bool) {
        if isOneway { return end() }
        var writer = JSONWriter(reservingCapacity: Self.pieceBytes + 1024)
        writer.beginReply()
        let hasMore = makePiece(&writer, piece)
        sendPiece(hasMore, writer, piece)
    }

    /// How long a piece of a reply is, about.
    public static let pieceBytes = 16 * 1024

    /// Sends one reply of several.
    ///
    /// - Parameter message: made with `continues`.
    /// - Returns: false if the queue has no room for it, or the client has gone; then it is not sent.
    @discardableResult
    public func send(_ message: SharedBytes) -> Bool {
        send([message])
    }

    /// Sends one reply of several that can wait: it is refused when the queue is half full already, so that there is room
    /// for those that cannot.
    ///
    /// - Returns: as `send`.
    public func offer(_ message: SharedBytes) -> Bool {
        send([message], queueShare: 2)
    }

    /// Sends several replies in one go: all of them, or none if the queue has no room for them.
    ///
    /// An empty queue takes a message of any size.
    @discardableResult
    public func send(_ messages: [SharedBytes]) -> Bool {
        send(messages, queueShare: 1)
    }

    private func send(_ messages: [SharedBytes], queueShare: Int) -> Bool {
        assert(wantsMore, "\(method): only a call with `more` takes more than one reply")
        guard let connection else { return false }
        let isSent = isOneway || connection.send(messages, queueShare: queueShare)
        if !isSent { hasRefused = true }
        return isSent
    }

    /// Goes on with the answer in another turn, behind packets, timers and other clients. One step at a time.
    public func later(_ step: @escaping () -> Void) { connection?.continueCall(step) }

    /// Writes as much as a piece is to have; the last one gets the reply's end.
    private func makePiece(_ writer: inout JSONWriter, _ piece: (inout JSONWriter) -> Bool) -> Bool {
        let hasMore = piece(&writer)
        if !hasMore { writer.endReply() }
        return hasMore
    }

    private func sendPiece(
        _ hasMore: Bool, _ writer: consuming JSONWriter, _ piece: @escaping (inout JSONWriter) -> Bool
    ) {
        let lastByte = writer.lastByte
        connection?.send(piece: SharedBytes(piece: writer, isLast: !hasMore))
        guard hasMore else { return end() }
        waitForRoom { [self] in
            var writer = JSONWriter(reservingCapacity: Self.pieceBytes + 1024, after: lastByte)
            let hasMore = makePiece(&writer, piece)
            sendPiece(hasMore, writer, piece)
        }
    }

    /// Takes the step in the next turn, or when the client has read what waits for it.
    private func waitForRoom(_ step: @escaping () -> Void) {
        guard let connection else { return }
        guard !connection.hasRoomForPiece else { return connection.continueCall(step) }
        hasRefused = true
        onDrained = { [self] in
            onDrained = nil
            later(step)
        }
    }

    private func finish(_ message: SharedBytes) {
        if !isOneway { connection?.sendLast(message) }
        end()
    }

    private func end() {
        guard let connection else { return }
        detach()
        connection.callHasEnded()
    }

    private func detach() {
        connection = nil
        onDrained = nil
        onClosed = nil
    }

    // MARK: From the connection

    func connectionHasDrained() {
        guard hasRefused else { return }
        hasRefused = false
        onDrained?()
    }

    func connectionHasClosed() {
        let closed = onClosed
        detach()
        closed?()
    }
}
