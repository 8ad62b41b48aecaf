/// What a group tracks beside its own interfaces, as causes of FAULT or as weights on its priority.
import Configuration
import VRRP

extension GroupDriver {
    /// What is tracked, with the object that says whether it is well.
    var tracked: [(track: VRRPConfiguration.Track, object: Tracked)] {
        group.tracks.compactMap { track in
            services.tracked(track.object, group.linkState).map { (track, $0) }
        }
    }

    /// Something tracked may be well or no longer; nil: anything.
    func trackedChanged(_ changed: Tracked? = nil) {
        for (track, object) in tracked where changed == nil || object === changed {
            let cause = object.cause
            if let weight = track.weight {
                feed(.weight(name: track.name, object.contribution(of: weight)))
            } else if cause.kind == .link {
                feed(.link(interface: cause.subject, isUp: object.isWell, reason: cause.detail))
            } else {
                feed(.cause(cause, isPresent: !object.isWell))
            }
        }
    }
}
