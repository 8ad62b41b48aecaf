/// A check: a program that is run, or a witness that is asked, again and again; `fall` failures in a row make it fail, `rise`
/// successes in a row make it succeed.
///
/// Until its first result a check counts as well, or as what its predecessor was before a reload, and the first result
/// decides at once: a process that starts on a broken upstream must not become master first. A check that cannot run
/// because the runner has died keeps its last result: that the runner is gone says nothing about what is checked. With
/// `initially` the first result decides nothing alone: the check counts as what that says until `rise` or `fall` of the
/// others in a row.
import Configuration
import LinuxSystem
import VRRP

final class Check: Tracked {
    let configuration: VRRPConfiguration.Check
    private let loop: EventLoop
    private let ask: (@escaping (Bool?, String) -> Void) -> Void
    private var timer: EventLoop.TimerID?
    private var isAsking = false
    private var nextNs: Int64
    private var streak = 0
    private var isDecided = false
    /// The last question could not be asked.
    private var isUnable = false
    var hasAnswered: Bool { isDecided || isUnable }

    private(set) var isWell: Bool
    var cause: Cause { Cause(.tracked, VRRPConfiguration.Track.Object.check(configuration.name).name) }

    /// Called when `isWell` has changed.
    var onChange: () -> Void = {}

    /// - Parameters:
    ///   - predecessor: what it was before a reload.
    ///   - ask: asks once and calls back once with the result, nil if it could not be asked, and what it said.
    init(
        _ configuration: VRRPConfiguration.Check, predecessor: Check?, loop: EventLoop,
        ask: @escaping (@escaping (Bool?, String) -> Void) -> Void
    ) {
        self.configuration = configuration
        isWell = predecessor?.isWell ?? (configuration.initially != .failed)
        isDecided = predecessor == nil && configuration.initially != nil
        self.loop = loop
        self.ask = ask
        nextNs = loop.nowNs
        schedule()
    }

    /// Ends the check; there are no further callbacks.
    func stop() {
        if let timer { loop.cancel(timer) }
        timer = nil
        onChange = {}
    }

    private func schedule() {
        timer = loop.schedule(atNs: nextNs) { [weak self] in
            guard let self else { return }
            let nowNs = loop.nowNs
            // Drift-free, and without a burst after a sleep.
            nextNs = max(nextNs + configuration.intervalNs, nowNs)
            schedule()
            askOnce()
        }
    }

    private func askOnce() {
        guard !isAsking else { return }
        isAsking = true
        ask { [weak self] success, detail in
            self?.isAsking = false
            if let success { self?.take(success, detail) } else { self?.beUnable() }
        }
    }

    private func beUnable() {
        guard !hasAnswered else { return }
        isUnable = true
        onChange()
    }

    private func take(_ success: Bool, _ said: String) {
        if success == isWell && isDecided {
            streak = 0
            return
        }
        streak += 1
        guard !isDecided || streak >= (success ? configuration.rise : configuration.fall) else { return }
        let isFirst = !hasAnswered
        isDecided = true
        streak = 0
        guard success != isWell else { return isFirst ? onChange() : () }
        isWell = success
        Log.notice(
            "check \(configuration.name) \(success ? "succeeds" : "fails: \(said)")",
            about: "check \(configuration.name)")
        onChange()
    }
}
