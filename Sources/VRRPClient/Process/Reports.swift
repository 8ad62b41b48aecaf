/// What is logged and published of causes and conditions: each change at once, unless there are too many.
///
/// A neighbour can raise and clear a condition with every packet. For each kind in each group a burst of changes is
/// reported, and after that one line in five seconds with the present state and the number of changes (`RateLimit`).
/// Watchers get the changes that are reported, so the last one they got is the present state.
import LinuxSystem
import VRRP

final class Reports {
    /// A change that may be held back.
    private struct Change {
        var output: Output
        var isPresent: Bool
        var group: GroupDriver
        /// What was told of it last.
        var wasToldPresent: Bool
    }

    private struct Key: Hashable {
        var group: String
        var kind: String
    }

    private let loop: EventLoop
    /// An operator's own experiments stay below it.
    private var limit = RateLimit<Key>(burst: 20)
    /// The last change of each subject that is held back.
    private var held: [Key: [String: Change]] = [:]
    private var timer: EventLoop.TimerID?

    /// How many subjects of one kind are kept apart while they are held back.
    private static let subjectsMax = 64

    /// Reports a change: to the log, with an addition to its line, and to watchers unless nothing has changed since the
    /// last report.
    var tell: (Output, GroupDriver, _ addition: String, _ isNews: Bool) -> Void = { _, _, _, _ in }

    init(loop: EventLoop) { self.loop = loop }

    deinit { if let timer { loop.cancel(timer) } }

    /// Takes a cause or a condition that has come or gone.
    func take(_ output: Output, in group: GroupDriver) {
        let kind: String
        let subject: String
        let isPresent: Bool
        switch output {
        case .raised(let condition): (kind, subject, isPresent) = (condition.kind.rawValue, condition.subject, true)
        case .cleared(let condition): (kind, subject, isPresent) = (condition.kind.rawValue, condition.subject, false)
        case .causeChanged(let cause, let present):
            (kind, subject, isPresent) = ("\(cause.kind)", cause.subject, present)
        default: return
        }
        let key = Key(group: group.name, kind: kind)
        if limit.admits(key, nowNs: loop.nowNs) { return tell(output, group, "", true) }
        let wasToldPresent = held[key]?[subject]?.wasToldPresent ?? !isPresent
        guard held[key]?[subject] != nil || held[key, default: [:]].count < Self.subjectsMax else { return }
        held[key, default: [:]][subject] = Change(
            output: output, isPresent: isPresent, group: group, wasToldPresent: wasToldPresent)
        schedule()
    }

    private func schedule() {
        guard timer == nil, let atNs = limit.nextDeadlineNs else { return }
        timer = loop.schedule(atNs: atNs) { [unowned self] in
            timer = nil
            for over in limit.expire(nowNs: loop.nowNs) { tell(over) }
            schedule()
        }
    }

    private func tell(_ over: RateLimit<Key>.Held) {
        let seconds = max(1, (over.overNs + 500_000_000) / 1_000_000_000)
        for change in (held.removeValue(forKey: over.key) ?? [:]).values {
            tell(
                change.output, change.group, " (\(over.count) more changes in \(seconds) s)",
                change.isPresent != change.wasToldPresent)
        }
    }
}
