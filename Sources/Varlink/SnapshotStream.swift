/// A call that gets a snapshot, and then every change.
///
/// The snapshot is sent as fast as its reader takes it, some of it in each turn, and fills no more than half of the queue. What
/// happens is sent at once. Where that finds no room the caller is *behind*: it gets nothing more until it has read what was
/// queued; then it is told that something was lost, and the snapshot begins again. So nobody waits for a slow reader, and it
/// costs its queue and no more.
public protocol SnapshotStream: AnyObject {
    var call: VarlinkCall { get }
    /// Its queue was full: the snapshot is sent again when the queue has been read. To be stored by the conformer, and
    /// set by nothing else.
    var isBehind: Bool { get set }
    /// How many steps of the snapshot are taken in one turn.
    static var stepsInTurn: Int { get }
    /// Takes the next step of the snapshot.
    func step() -> SnapshotStep
    /// The snapshot begins again; the steps follow.
    func beginAnew()
    /// What says that something was lost.
    func overflow() -> SharedBytes
    /// The caller has read all that was queued, and what could follow of the snapshot has been sent.
    func caughtUp()
}

/// What a step of a snapshot has done.
public enum SnapshotStep {
    /// It was sent, or there was nothing to send: the next one follows.
    case done
    /// The queue has no room for it: the same one follows when the caller has read.
    case refused
    /// There is no further step.
    case end
}

extension SnapshotStream {
    /// Begins with the first step. The stream must live until the call's `onClosed`.
    public func start() {
        call.onDrained = { [unowned self] in drained() }
        pump()
    }

    /// Sends what has happened; nothing if the caller is gone.
    ///
    /// - Returns: false if the queue has no room for it.
    public func tell(_ message: SharedBytes) -> Bool {
        guard call.isOpen, !call.send(message) else { return true }
        isBehind = true
        return false
    }

    public func caughtUp() {}

    private func drained() {
        if isBehind {
            guard call.send(overflow()) else { return }
            isBehind = false
            beginAnew()
        }
        pump()
        caughtUp()
    }

    private func pump() {
        for _ in 0..<Self.stepsInTurn {
            guard case .done = step() else { return }
        }
        call.later { [unowned self] in pump() }
    }
}
