/// Conditions that are raised by packets, and stay for a while after the last one: a packet shows only what was true
/// for an instant.
///
/// The first packet raises the condition, with its detail. The detail follows what later ones show, but seldom, so that
/// nobody on the link can add a line to our log with every packet: it is looked at once a second, and each change makes
/// the wait for the next one twice as long. One timer, and none while there is nothing.
import LinuxSystem
import VRRP

final class PassingConditions {
    private struct Entry {
        var condition: Condition
        var untilNs: Int64
        /// Before that the detail stays.
        var detailUntilNs: Int64
        /// For how long it stays after the next change.
        var restNs: Int64
        /// How much longer it stays if it is still so by then.
        let spanNs: Int64
        let isStillSo: () -> Bool
    }

    private let loop: EventLoop
    private let set: (Condition, Bool) -> Void
    /// How often the detail is looked at, and the longest that it stays after a change.
    private static let detailNs: Int64 = 1_000_000_000
    private static let restMaxNs: Int64 = 64_000_000_000
    /// Few: a handful of kinds for each leg.
    private var entries: [Entry] = []
    private var timer: EventLoop.TimerID?

    /// - Parameter set: raises a condition, in place of the same with another detail, or clears it.
    init(loop: EventLoop, set: @escaping (Condition, Bool) -> Void) {
        self.loop = loop
        self.set = set
    }

    deinit { if let timer { loop.cancel(timer) } }

    /// It was seen now, and stays for so long at least, and again for so long while `isStillSo`. `detail` is asked the first time,
    /// and now and then; nil: it is nothing after all.
    func saw(
        _ kind: Condition.Kind, of subject: String, forNs: Int64, detail: () -> String?,
        while isStillSo: @escaping () -> Bool = { false }
    ) {
        let untilNs = loop.nowNs + forNs
        if let index = entries.firstIndex(where: { $0.condition.kind == kind && $0.condition.subject == subject }) {
            entries[index].untilNs = max(entries[index].untilNs, untilNs)
            if entries[index].detailUntilNs <= loop.nowNs { renew(index, detail()) }
            return
        }
        guard let detail = detail() else { return }
        let condition = Condition(kind, subject, detail: detail)
        entries.append(
            Entry(
                condition: condition, untilNs: untilNs, detailUntilNs: loop.nowNs + Self.detailNs,
                restNs: Self.detailNs,
                spanNs: forNs, isStillSo: isStillSo))
        schedule()
        set(condition, true)
    }

    private func renew(_ index: Int, _ detail: String?) {
        let nowNs = loop.nowNs
        guard let detail, detail != entries[index].condition.detail else {
            entries[index].detailUntilNs = nowNs + Self.detailNs
            return
        }
        entries[index].condition.detail = detail
        entries[index].restNs = min(2 * entries[index].restNs, Self.restMaxNs)
        entries[index].detailUntilNs = nowNs + entries[index].restNs
        set(entries[index].condition, true)
    }

    /// Whether there is such a condition.
    func has(_ kind: Condition.Kind, of subject: String) -> Bool {
        entries.contains { $0.condition.kind == kind && $0.condition.subject == subject }
    }

    /// Ends those of subjects that are no longer there.
    func keep(_ subjects: Set<String>) { clear { !subjects.contains($0.condition.subject) } }

    private func clear(where isOver: (Entry) -> Bool) {
        let over = entries.filter(isOver)
        entries.removeAll(where: isOver)
        for entry in over { set(entry.condition, false) }
    }

    private func schedule() {
        guard timer == nil, let atNs = entries.map(\.untilNs).min() else { return }
        timer = loop.schedule(atNs: atNs) { [unowned self] in
            timer = nil
            let nowNs = loop.nowNs
            for index in entries.indices where entries[index].untilNs <= nowNs && entries[index].isStillSo() {
                entries[index].untilNs = nowNs + entries[index].spanNs
            }
            clear { $0.untilNs <= nowNs }
            schedule()
        }
    }
}
