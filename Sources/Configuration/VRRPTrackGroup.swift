/// `[track-group.NAME]`: several objects that count as one, which is well while enough of them are.
extension VRRPConfiguration {
    /// Objects that count together.
    public struct TrackGroup: Hashable, Sendable {
        public var name: String
        /// 1 to 64, without weights, and no track-groups.
        public var anyOf: [Track] = []
        /// How many of them must be well, 1 to their number.
        public var atLeast = 1
    }
}

/// The keys of a track-group. The checks that it names are looked up by `VRRPAssembly`.
struct TrackGroupKeys: SectionKeys {
    var group: VRRPConfiguration.TrackGroup
    var anyOf: [Located<VRRPConfiguration.Track>] = []

    init(name: String) { group = VRRPConfiguration.TrackGroup(name: name) }

    mutating func read(_ keys: TableReader) {
        let all = VRRPConfiguration.Track.list(
            "any-of", keys, 1, required: "the objects, such as [\"check:gate\", \"link:eth5\"]")
        keys.read("at-least", .number(1...64), into: &group.atLeast)
        anyOf = all.filter { track in
            if case .trackGroup(let other) = track.value.object {
                keys.problems.report(
                    track.position,
                    "track-group \(other.name) in a track-group: expected the objects themselves, of which track-groups consist"
                )
                return false
            }
            if track.value.weight != nil {
                keys.problems.report(
                    track.position,
                    "\(track.value.name) has a weight in a track-group: expected it where the track-group is tracked")
            }
            return true
        }
        guard let position = keys.place(of: "at-least"), !all.isEmpty, group.atLeast > all.count else { return }
        keys.problems.report(
            position,
            "at-least = \(group.atLeast), and any-of has \(all.count): expected a whole number from 1 to \(all.count)")
    }
}
