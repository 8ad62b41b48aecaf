/// When to ask the kernel for everything of a kind, and what to do when the answer is no good. Pure.
///
/// One dump is under way at a time, as a socket allows no more. A dump that was interrupted (`NLM_F_DUMP_INTR`), failed,
/// or missed an overrun meanwhile is made again, up to five times with growing pauses; then the kind counts as inconsistent
/// and is tried again every second.
enum DumpKind: Int, CaseIterable, Hashable {
    case links
    case addresses
    case routes
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
    /// The kinds that could not be read five times in a row.
    private(set) var inconsistent: Set<DumpKind> = []

    /// Asks for a dump no earlier than a time; an earlier wish stands.
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

    /// The current dump is through, and good.
    mutating func finish() {
        guard let current else { return }
        inconsistent.remove(current.kind)
        self.current = nil
    }

    /// The current dump is no good.
    ///
    /// - Returns: true when this was the last attempt for now.
    mutating func fail(nowNs: Int64) -> Bool {
        guard let current else { return false }
        self.current = nil
        let attempts = current.attempt + 1
        let isLast = attempts > Self.attemptsMax
        if isLast { inconsistent.insert(current.kind) }
        let pause = isLast ? Self.comeBackNs : Self.pauseNs << Int64(current.attempt)
        // A wish made meanwhile does not cut the pause short.
        wanted[current.kind] = Wanted(notBeforeNs: nowNs + pause, attempts: isLast ? 0 : attempts)
        return isLast
    }

    /// When `next` has something to do; nil: nothing is waiting, or a dump is under way.
    var deadlineNs: Int64? { current == nil ? wanted.values.map(\.notBeforeNs).min() : nil }
}
