/// What a group tracks beside its own interfaces, as causes of FAULT or as weights on its priority.
import Addresses
import Configuration
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

extension GroupDriver {
    var trackedLinks: [String] {
        group.tracks.compactMap { track in
            if case .link(let name) = track.object, track.weight == nil { name } else { nil }
        }
    }

    /// Something tracked may be well or ill.
    func trackedChanged(_ isMeant: (VRRPConfiguration.Track.Object) -> Bool) {
        for track in group.tracks where isMeant(track.object) {
            let (isWell, cause) = judge(track)
            if let weight = track.weight {
                feed(.weight(name: track.name, contribution(weight, isWell: isWell)))
            } else if let cause, cause.kind != .link {
                setCause(cause, !isWell)
            }
        }
    }

    func judge(_ track: VRRPConfiguration.Track) -> (isWell: Bool, cause: Cause?) {
        switch track.object {
        case .link(let name):
            let state = services.linkState(name, group.linkState)
            return (state.isUp, Cause(.link, name, detail: state.reason))
        case .check(let name): return (services.isWell(track.object), Cause(.check, name))
        case .route(let route): return (services.isWell(track.object), Cause(.route, route.description))
        }
    }

    // MARK: Weights that move nothing

    /// Another router says its priority. The highest one counts, which it has while nothing fails there.
    func hearRival(_ priority: UInt8) {
        guard priority > rivalPriority else { return }
        rivalPriority = priority
        judgeWeights()
    }

    /// Weights that leave our priority above the other router's, whatever fails, move nothing. How far away that is nobody knows
    /// before the other router is heard.
    func judgeWeights() {
        let lowest = group.tracks.compactMap(\.weight).reduce(group.priority) { $0 + min(0, $1) }
        let isTooSmall =
            rivalPriority > 0 && lowest > rivalPriority && lowest < 255 && group.tracks.contains { $0.weight != nil }
        let condition = Condition(
            .weightsTooSmall,
            detail: "if all that is tracked fails, our priority is \(lowest), and the other router's \(rivalPriority)")
        if let known = conditions.first(where: condition.isSame), known != condition { setCondition(known, false) }
        setCondition(condition, isTooSmall)
    }

    func contribution(_ weight: Int, isWell: Bool) -> Int { isWell == (weight > 0) ? weight : 0 }
}
