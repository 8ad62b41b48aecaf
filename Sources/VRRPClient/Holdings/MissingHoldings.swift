/// What the kernel refuses to have of one kind of holdings of a leg: why, and when it is tried again.
///
/// A refusal is retried before it is reported, as a change may be under way that explains it. From the second one on it is
/// the condition `holding-missing`, with the reason. It is tried again when something has changed that may help, and every
/// ten seconds.
import LinuxSystem
import VRRP

final class MissingHoldings<Thing: Hashable & CustomStringConvertible> {
    private struct Refusal {
        var reason: String
        /// After the first refusal it is retried before it is reported.
        var isTold: Bool
        /// It is not tried again before, CLOCK_MONOTONIC.
        var notBeforeNs = Int64.min
    }

    private let loop: EventLoop
    /// What the condition is of, before the thing: `lan:route`.
    private let subject: String
    private var refusals: [Thing: Refusal] = [:]
    private var retry: (timer: EventLoop.TimerID, atNs: Int64)?

    var onCondition: (Condition, Bool) -> Void = { _, _ in }
    /// Called with those that are due.
    var onRetry: (Set<Thing>) -> Void = { _ in }

    /// When a thing that was refused for the first time is tried again: changes in progress are over by then.
    private static var firstRetryNs: Int64 { 250_000_000 }
    /// When it is tried again after something has changed.
    private static var changeNs: Int64 { 50_000_000 }
    /// When it is tried again though nothing has changed that we know of.
    private static var retryNs: Int64 { 10_000_000_000 }

    init(_ subject: String, loop: EventLoop) {
        self.subject = subject
        self.loop = loop
    }

    deinit { if let retry { loop.cancel(retry.timer) } }

    func contains(_ thing: Thing) -> Bool { refusals[thing] != nil }

    func reason(of thing: Thing) -> String? { refusals[thing]?.reason }

    /// - Parameter isInVain: somebody else sees to it that it is not there: to try at once would not help.
    func refuse(_ thing: Thing, _ reason: String, isInVain: Bool = false) {
        let known = refusals[thing]
        let isTold = known != nil || isInVain
        let delayNs = isTold ? Self.retryNs : Self.firstRetryNs
        refusals[thing] = Refusal(
            reason: reason, isTold: isTold, notBeforeNs: isInVain ? loop.nowNs + delayNs : .min)
        if known?.isTold == true, known?.reason != reason { onCondition(condition(thing), false) }
        if isTold { onCondition(condition(thing, reason), true) }
        tryAgain(inNs: delayNs)
    }

    /// It is there, or no longer wanted.
    func forget(_ thing: Thing) {
        guard refusals.removeValue(forKey: thing)?.isTold == true else { return }
        onCondition(condition(thing), false)
    }

    /// Nothing is wanted any more.
    func forgetAll() {
        for thing in refusals.keys { forget(thing) }
        if let retry { loop.cancel(retry.timer) }
        retry = nil
    }

    /// Something has changed that may help.
    func tryAgainSoon() { if !refusals.isEmpty { tryAgain(inNs: Self.changeNs) } }

    private func condition(_ thing: Thing, _ reason: String = "") -> Condition {
        Condition(.holdingMissing, "\(subject) \(thing)", detail: reason)
    }

    private func tryAgain(inNs delayNs: Int64) {
        let atNs = loop.nowNs + delayNs
        if let retry {
            guard atNs < retry.atNs else { return }
            loop.cancel(retry.timer)
        }
        let timer = loop.schedule(atNs: atNs, toleranceNs: delayNs / 10) { [unowned self] in
            retry = nil
            let nowNs = loop.nowNs
            onRetry(Set(refusals.filter { $0.value.notBeforeNs <= nowNs }.keys))
            if !refusals.isEmpty { tryAgain(inNs: Self.retryNs) }
        }
        retry = (timer, atNs)
    }
}
