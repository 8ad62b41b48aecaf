/// What a group tracks beside its own interfaces, as causes of FAULT or as weights on its priority.
import Configuration
import VRRP

extension GroupDriver {
    /// What is tracked, with the object that says whether it is well.
    var tracked: [(track: VRRPConfiguration.Track, object: Tracked)] {
        group.tracks.compactMap { track in
            services.tracked(track, group.linkState).map { (track, $0) }
        }
    }

    /// Something tracked may be well or no longer; nil: anything.
    func trackedChanged(_ changed: Tracked? = nil) {
        let tracked = tracked
        // The engine waits until each object has answered once. Then it has to know all of them: by one answer, several may be
        // judged that are told one by one.
        let isLast = !isInformed && tracked.allSatisfy(\.object.hasAnswered)
        for (track, object) in tracked where changed == nil || isLast || object === changed {
            let cause = object.cause
            if let weight = track.weight {
                feed(.weight(name: track.name, object.contribution(of: weight)))
            } else if cause.kind == .link {
                feed(.link(interface: cause.subject, isUp: object.isWell, reason: cause.detail))
            } else {
                feed(.cause(cause, isPresent: !object.isWell))
            }
        }
        guard isLast else { return }
        isInformed = true
        feed(.informed)
    }

    /// Tells that the group has not begun yet, and why. Most checks answer at once, so that is not worth a word.
    func tellHeldBack() {
        if let heldBackTimer { loop.cancel(heldBackTimer) }
        heldBackTimer = nil
        guard engine.isHeldBack else { return setCondition(Condition(.starting), false) }
        heldBackTimer = loop.schedule(atNs: loop.nowNs + (group.startDelayNs > 0 ? 0 : Self.answersNs)) {
            [unowned self] in
            heldBackTimer = nil
            let waiting = tracked.filter { !$0.object.hasAnswered }.map(\.track.name)
            let reason = waiting.isEmpty ? "start-delay" : "no answer yet of \(waiting.joined(separator: ", "))"
            setCondition(Condition(.starting, detail: reason), engine.isHeldBack)
        }
    }

    /// How long the first answers of checks may take.
    private static let answersNs: Int64 = 1_000_000_000

    // MARK: Weights that move nothing

    /// Another router has sent its priority. The highest one counts: that is its priority while nothing fails there.
    func hearRival(_ priority: UInt8) {
        guard priority > rivalPriority else { return }
        rivalPriority = priority
        judgeWeights()
    }

    /// Weights that leave our priority above the other router's, whatever fails, have no effect. Whether they do is
    /// unknown before the other router is heard.
    func judgeWeights() {
        let lowest = group.tracks.reduce(group.priority) { $0 + Self.lowestContribution(of: $1) }
        let isTooSmall =
            rivalPriority > 0 && lowest > rivalPriority && lowest < 255 && group.tracks.contains { $0.weight != nil }
        let condition = Condition(
            .weightsTooSmall,
            detail: "if all that is tracked fails, our priority is \(lowest), and the other router's \(rivalPriority)")
        setCondition(condition, isTooSmall)
    }

    private static func lowestContribution(of track: VRRPConfiguration.Track) -> Int {
        guard let weight = track.weight else { return 0 }
        // The number in a file may have any value.
        if case .file = track.object { return -253 }
        return min(0, weight)
    }
}
