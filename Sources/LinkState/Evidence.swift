/// What linkwatch knows of one interface, and who said it.
///
/// Evidence is kept apart by its source (`EvidenceSource` is the table of them), because the sources disagree: a PHY
/// shows a cut wire at once, the kernel one to two seconds later, some drivers never. `Verdict` draws the conclusion;
/// this file only holds the evidence.

/// Up or down: the state of a link, raw or settled, and what one source says of it.
public enum State: Hashable, Sendable {
    case up
    case down

    /// The name as published.
    public var name: String { self == .up ? "up" : "down" }
}

/// What a source answered when it was asked.
public enum Reading: Hashable, Sendable {
    /// It says up or down.
    case state(State)
    /// It has nothing to say on this interface; `detail` says why, in words for an operator.
    case unsupported(detail: String)
    /// It was asked and did not answer, or not in time; `detail` says why.
    case failed(detail: String)
}

/// What one source says of one interface.
public struct Evidence: Hashable, Sendable {
    /// The last answer that was up or down; nil: none yet, or it has expired.
    public var last: State?
    /// True while the source fails to answer and `last` is kept for a while.
    public var isStale: Bool
    /// Since when it is stale, CLOCK_MONOTONIC; 0 unless stale.
    public var staleSinceNs: Int64
    /// When `last` was last confirmed, CLOCK_MONOTONIC; 0: never.
    public var confirmedNs: Int64
    /// Whether the verdict counts it; when that begins, the table of the sources says (`EvidenceSource.SaysDown`).
    public var counts: Bool
    /// Why it is unsupported or stale, or the source's own term ("dormant", "glink"); empty: nothing to add.
    public var detail: String

    public init(
        last: State? = nil, isStale: Bool = false, staleSinceNs: Int64 = 0, confirmedNs: Int64 = 0,
        counts: Bool = false, detail: String = ""
    ) {
        self.last = last
        self.isStale = isStale
        self.staleSinceNs = staleSinceNs
        self.confirmedNs = confirmedNs
        self.counts = counts
        self.detail = detail
    }

    /// The name as published: `up`, `down`, `unsupported` or `stale`.
    public var name: String {
        if isStale { return "stale" }
        return last?.name ?? "unsupported"
    }
}
