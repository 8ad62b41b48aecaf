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

    func contribution(_ weight: Int, isWell: Bool) -> Int { isWell == (weight > 0) ? weight : 0 }
}
