/// Objects that are judged by other objects: several that count as one, and one that counts inverted or later.
///
/// Nothing is watched for them; `TrackedObjects` tells them when one of their objects has changed. As causes they are soft and
/// have the name of what they are, a link too: the link of a member's own interface stays a matter of its own.
import Configuration
import LinuxSystem
import VRRP

protocol DerivedObject: Tracked {
    /// Whose states it depends on.
    var sources: [Tracked] { get }
    /// From now on states are known, and are what they are called with `sourceChanged`.
    func begin()
    /// One of `sources` may have changed.
    func sourceChanged()
}

/// A track-group: well while enough of its objects are.
final class TrackedGroup: DerivedObject {
    private let group: VRRPConfiguration.TrackGroup
    let sources: [Tracked]
    /// What the log says; nil: nothing yet.
    private var told: Bool?
    var onChange: () -> Void = {}

    init(_ group: VRRPConfiguration.TrackGroup, _ sources: [Tracked]) {
        self.group = group
        self.sources = sources
    }

    var isWell: Bool { sources.count(where: \.isWell) >= group.atLeast }

    /// Once no object that has not answered could change it.
    var hasAnswered: Bool {
        let well = sources.count { $0.hasAnswered && $0.isWell }
        let open = sources.count { !$0.hasAnswered }
        return well >= group.atLeast || well + open < group.atLeast
    }

    /// With those that are not well, the first of them if there are many.
    var cause: Cause {
        let all = sources.filter { !$0.isWell }.map(\.cause.description)
        let rest = all.count > Self.namedMax ? " and \(all.count - Self.namedMax) more" : ""
        let failing = all.prefix(Self.namedMax).joined(separator: ", ") + rest
        return Cause(.tracked, VRRPConfiguration.Track.Object.trackGroup(group).name, detail: failing)
    }

    private static let namedMax = 8

    func begin() { told = isWell }

    func sourceChanged() {
        let isWell = isWell
        if let told, isWell != told {
            Log.notice(
                "track-group \(group.name) \(isWell ? "is well again" : "fails: \(cause.detail)")",
                about: "track-group \(group.name)")
            self.told = isWell
        }
        onChange()
    }
}

/// An object that counts inverted, or whose changes count when they have lasted.
///
/// What it is at the start, and a check's first answer, count at once. Until then an inverted check counts as well, too: else a
/// reload that adds one would be a failure.
final class CountedObject: DerivedObject {
    private let name: String
    private let counting: VRRPConfiguration.Track.Counting
    private let source: Tracked
    private let loop: EventLoop
    /// What counts; nil: not answered yet.
    private var counted: Bool?
    /// Since when it is otherwise.
    private var sinceNs: Int64?
    private var timer: EventLoop.TimerID?
    var onChange: () -> Void = {}

    /// - Parameter predecessor: what it was before a reload.
    init(_ track: VRRPConfiguration.Track, _ source: Tracked, _ loop: EventLoop, predecessor: CountedObject?) {
        name = track.name
        counting = track.counting
        self.source = source
        self.loop = loop
        counted = predecessor?.counted
        sinceNs = predecessor?.sinceNs
    }

    /// Whether what this one counts can go on in an object like `track`.
    func precedes(_ track: VRRPConfiguration.Track) -> Bool {
        name == track.name && counting.isInverted == track.counting.isInverted
    }

    func stop() {
        cancel()
        onChange = {}
    }

    var sources: [Tracked] { [source] }
    var hasAnswered: Bool { source.hasAnswered }
    var isWell: Bool { counted ?? isWellNow }
    var cause: Cause { Cause(.tracked, name, detail: counting.isInverted ? "inverted" : "") }

    private var isWellNow: Bool { !source.hasAnswered || source.isWell != counting.isInverted }

    func begin() {
        guard counted != nil || source.hasAnswered else { return }
        counted = counted ?? isWellNow
        judge()
    }

    func sourceChanged() {
        let (before, isFirst) = (isWell, counted == nil)
        begin()
        if isFirst || isWell != before { onChange() }
    }

    private func judge() {
        let isWellNow = isWellNow
        guard isWellNow != counted else {
            cancel()
            return sinceNs = nil
        }
        let delayNs = isWellNow ? counting.upDelayNs : counting.downDelayNs
        let fromNs = sinceNs ?? loop.nowNs
        if fromNs + delayNs <= loop.nowNs {
            cancel()
            (counted, sinceNs) = (isWellNow, nil)
        } else if timer == nil {
            sinceNs = fromNs
            timer = loop.schedule(atNs: fromNs + delayNs) { [unowned self] in
                timer = nil
                end()
            }
        }
    }

    /// It has lasted.
    private func end() {
        let before = isWell
        judge()
        guard isWell != before else { return }
        Log.notice("\(name) counts as \(isWell ? "well: its up-delay" : "failed: its down-delay") is over", about: name)
        onChange()
    }

    private func cancel() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }
}
