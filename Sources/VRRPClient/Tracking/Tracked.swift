/// What groups track beside their own members: an object is well or not, and says when that has changed.
///
/// A kind of object is a case of `VRRPConfiguration.Track.Object` with its row in `TrackedKind`, and a class here. Groups know
/// none of them: an object that is not well is a cause, or by its weight moves the priority.
import Configuration
import LinuxSystem
import VRRP

protocol Tracked: AnyObject {
    /// Whether all is well.
    var isWell: Bool { get }
    /// Whether that is an answer, and not what it counts as before its first one. `onChange` tells when it has answered.
    var hasAnswered: Bool { get }
    /// The cause of FAULT that it is, without a weight, while it is not well.
    var cause: Cause { get }
    /// Called when `isWell`, or what `contribution` answers, may have changed.
    var onChange: () -> Void { get set }
    /// What it adds to the priority at present.
    func contribution(of weight: Int) -> Int
    /// Ends tracking; there are no further calls.
    func stop()
}

extension Tracked {
    /// A weight below 0 counts while the object is not well, one above 0 while it is.
    func contribution(of weight: Int) -> Int { isWell == (weight > 0) ? weight : 0 }

    var hasAnswered: Bool { true }

    func stop() { onChange = {} }
}

/// All that is tracked, each object made once however many groups track it.
final class TrackedObjects {
    private struct Key: Hashable {
        let object: VRRPConfiguration.Track.Object
        let counting: VRRPConfiguration.Track.Counting
        /// Of links alone, and of track-groups, which may have some: which of linkwatchd's states counts.
        let choice: VRRPConfiguration.LinkStateChoice?

        init(
            _ object: VRRPConfiguration.Track.Object, _ choice: VRRPConfiguration.LinkStateChoice,
            _ counting: VRRPConfiguration.Track.Counting = VRRPConfiguration.Track.Counting()
        ) {
            self.object = object
            self.counting = counting
            switch object {
            case .link, .trackGroup: self.choice = choice
            case .check, .route, .process, .file: self.choice = nil
            }
        }
    }

    /// Asks what a check asks, once, and calls back once: with nil if it could not be asked, and with what was said.
    typealias Ask = (VRRPConfiguration.Check, @escaping (Bool?, String) -> Void) -> Void

    private let kernel: KernelState
    private let links: LinkWatch
    private let loop: EventLoop
    private let ask: Ask
    private lazy var processes = ProcessWatch(loop: loop)
    private var objects: [Key: Tracked] = [:]
    /// Those of `objects` that others are judged by, mostly none.
    private var derived: [DerivedObject] = []
    private var hasBegun = false

    /// Called when something tracked may be well or no longer.
    var onChange: (Tracked) -> Void = { _ in }

    init(kernel: KernelState, links: LinkWatch, loop: EventLoop, ask: @escaping Ask) {
        self.kernel = kernel
        self.links = links
        self.loop = loop
        self.ask = ask
    }

    /// Creates the objects that are new and ends those that are gone; unchanged ones go on. Checks run even if no group
    /// tracks them.
    func adopt(_ configuration: VRRPConfiguration) {
        var adopted: [Key: Tracked] = [:]
        for check in configuration.checks {
            let key = Key(.check(check.name), .raw)
            let known = objects[key] as? Check
            adopted[key] = known?.configuration == check ? known : make(check, known)
        }
        for group in configuration.groups {
            for track in group.tracks { adopt(track, group.linkState, &adopted) }
        }
        for (key, object) in objects where adopted[key] !== object { object.stop() }
        for object in adopted.values {
            object.onChange = { [unowned self, unowned object] in changed(object) }
        }
        objects = adopted
        derived = adopted.values.compactMap { $0 as? DerivedObject }
        if hasBegun { begin() }
    }

    /// The object of a track: the known one or a new one, and those that it is judged by.
    @discardableResult
    private func adopt(
        _ track: VRRPConfiguration.Track, _ choice: VRRPConfiguration.LinkStateChoice, _ adopted: inout [Key: Tracked]
    ) -> Tracked? {
        let key = Key(track.object, choice, track.counting)
        if let known = adopted[key] { return known }
        var object: Tracked?
        if key.counting != VRRPConfiguration.Track.Counting() {
            var plain = track
            plain.counting = VRRPConfiguration.Track.Counting()
            object = adopt(plain, choice, &adopted).map {
                CountedObject(track, $0, loop, predecessor: predecessor(of: track, key))
            }
        } else if case .trackGroup(let group) = track.object {
            object = TrackedGroup(group, group.anyOf.compactMap { adopt($0, choice, &adopted) })
        } else {
            object = objects[key] ?? make(key, choice)
        }
        adopted[key] = object
        return object
    }

    /// What goes on, with other delays perhaps.
    private func predecessor(of track: VRRPConfiguration.Track, _ key: Key) -> CountedObject? {
        objects[key] as? CountedObject
            ?? objects.values.lazy.compactMap { $0 as? CountedObject }.first { $0.precedes(track) }
    }

    /// The states of objects are known from now on.
    func begin() {
        hasBegun = true
        for object in derived { object.begin() }
    }

    private func changed(_ object: Tracked) {
        onChange(object)
        guard hasBegun else { return }
        for other in derived where other.sources.contains(where: { $0 === object }) { other.sourceChanged() }
    }

    /// What is tracked by a group with this `link-state`; nil: not what was adopted.
    func object(_ track: VRRPConfiguration.Track, _ choice: VRRPConfiguration.LinkStateChoice) -> Tracked? {
        objects[Key(track.object, choice, track.counting)]
    }

    private func make(_ check: VRRPConfiguration.Check, _ predecessor: Check?) -> Check {
        Check(check, predecessor: predecessor, loop: loop) { [ask] done in ask(check, done) }
    }

    private func make(_ key: Key, _ choice: VRRPConfiguration.LinkStateChoice) -> Tracked? {
        switch key.object {
        // The checks of the file exist already, and a track can name no others; `adopt` makes track-groups.
        case .check, .trackGroup: nil
        case .link(let name): TrackedLink(name, choice, links)
        case .route(let route): TrackedRoute(route, kernel)
        case .file(let path): TrackedFile(path, loop)
        case .process(let name, let atLeast):
            TrackedProcess(name, atLeast: atLeast, processes, predecessor: namesake(of: key) as? TrackedProcess)
        }
    }

    /// One of the same name, of which something else was asked before a reload.
    private func namesake(of key: Key) -> Tracked? { objects.first { $0.key.object.name == key.object.name }?.value }

    /// The kernel's routes have changed.
    func routesChanged() {
        for case let route as TrackedRoute in objects.values { route.onChange() }
    }
}
