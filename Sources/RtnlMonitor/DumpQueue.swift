/// When to dump everything of a kind from the kernel, and what to do when a dump fails. Pure.
///
/// One dump is under way at a time, as a socket allows no more. A dump that was interrupted (`NLM_F_DUMP_INTR`), failed,
/// or missed an overrun meanwhile is made again, up to five times with growing pauses; then the kind counts as degraded
/// and is tried again every second.

/// The kinds of things that are dumped.
public enum DumpKind: Int, CaseIterable, Hashable, Sendable {
    case links
    case addresses
    case routes
    case rules
}

/// Why the mirror is not what the kernel has.
public enum Degradation: Hashable, Sendable, CustomStringConvertible {
    /// The kernel's tables change faster than they can be read. (`NLM_F_DUMP_INTR`, or events lost meanwhile)
    case changing
    /// A message of that many bytes, which is more than the 4 MiB that are received.
    case tooLong(Int)
    /// The kernel refuses to answer.
    case refused(RtnlError)
    /// The kernel has begun to answer, or not even that, and then nothing came for five seconds.
    case silent
    /// The kernel has sent what cannot be decoded.
    case malformed
    /// More routes match than the 4,096 that are kept.
    case tooManyRoutes

    public var description: String {
        switch self {
        case .changing: "the kernel's tables change faster than they can be read"
        case .tooLong(let bytes): "the kernel's message of \(bytes) bytes is too long"
        case .refused(let error): "the kernel refuses to list them: \(error)"
        case .silent: "the kernel does not answer"
        case .malformed: "the kernel's answer cannot be decoded"
        case .tooManyRoutes: "more routes match than are kept"
        }
    }

    /// Whether asking once more may well give another answer.
    var isPassing: Bool { self == .changing || self == .silent }
}

struct DumpQueue {
    private struct Wanted {
        var notBeforeNs: Int64
        var attempts: Int
    }

    private static let attemptsMax = 5
    private static let pauseNs: Int64 = 10_000_000
    private static let comeBackNs: Int64 = 1_000_000_000

    private var wanted: [DumpKind: Wanted] = [:]
    /// The kind being dumped, and the attempt it is, from 0.
    private(set) var current: (kind: DumpKind, attempt: Int, startedNs: Int64)?
    /// The kinds that could not be read five times in a row, and why the last attempt failed.
    private(set) var degraded: [DumpKind: Degradation] = [:]

    /// Requests a dump no earlier than a time; an earlier request stands.
    mutating func want(_ kind: DumpKind, notBeforeNs: Int64) {
        let attempts = wanted[kind]?.attempts ?? 0
        let time = min(notBeforeNs, wanted[kind]?.notBeforeNs ?? .max)
        wanted[kind] = Wanted(notBeforeNs: time, attempts: attempts)
    }

    /// The kind whose turn it is, which is now current. Links come first: the others are seen through them.
    mutating func next(nowNs: Int64) -> DumpKind? {
        guard current == nil else { return nil }
        guard let kind = DumpKind.allCases.first(where: { wanted[$0].map { $0.notBeforeNs <= nowNs } ?? false }),
            let taken = wanted.removeValue(forKey: kind)
        else { return nil }
        current = (kind, taken.attempts, nowNs)
        return kind
    }

    /// The current dump is complete and usable.
    mutating func finish() {
        guard let current else { return }
        degraded[current.kind] = nil
        self.current = nil
    }

    /// The current dump has failed.
    ///
    /// After five attempts the kind is degraded, for a reason that is reported again if it changes.
    mutating func fail(_ why: Degradation, nowNs: Int64) {
        guard let current else { return }
        self.current = nil
        let attempts = current.attempt + 1
        let isLast = attempts > Self.attemptsMax
        if isLast || degraded[current.kind] != nil { degraded[current.kind] = why }
        let pause = isLast ? Self.comeBackNs : Self.pauseNs << Int64(current.attempt)
        // A request made meanwhile does not shorten the pause.
        wanted[current.kind] = Wanted(notBeforeNs: nowNs + pause, attempts: isLast ? 0 : attempts)
    }

    /// Whether a dump of this kind is under way or about to be, for the first time since it was asked for.
    func isAwaited(_ kind: DumpKind) -> Bool { current?.kind == kind || wanted[kind]?.attempts == 0 }

    /// When `next` has something to do; nil: nothing is waiting, or a dump is under way.
    var deadlineNs: Int64? { current == nil ? wanted.values.map(\.notBeforeNs).min() : nil }
}
