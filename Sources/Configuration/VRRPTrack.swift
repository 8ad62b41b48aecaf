/// The elements of `track`: what else must be well, and the kinds of object there are.
import Addresses

extension VRRPConfiguration {
    /// What a group tracks.
    public struct Track: Hashable, Sendable {
        public enum Object: Hashable, Sendable {
            /// The check of this name succeeds.
            case check(String)
            case route(Route)
            /// The interface of this name is up.
            case link(String)
            /// As many processes of this name, or of this path, run.
            case process(String, atLeast: Int)
            /// The number in this file is 0.
            case file(String)
            /// Enough of these objects are well.
            case trackGroup(TrackGroup)

            /// As causes name it: `check:NAME`, `route:PREFIX` and what else is asked of it, and so on.
            public var name: String {
                switch self {
                case .check(let name): "check:\(name)"
                case .route(let route): "route:\(route)"
                case .link(let interface): "link:\(interface)"
                case .process(let name, _): "process:\(name)"
                case .file(let path): "file:\(path)"
                case .trackGroup(let group): "track-group:\(group.name)"
                }
            }

            /// Itself, or the objects of a track-group.
            public var parts: [Object] {
                if case .trackGroup(let group) = self { group.anyOf.map(\.object) } else { [self] }
            }
        }

        /// How the state of an object counts.
        public struct Counting: Hashable, Sendable {
            /// Well counts as not well, and not well as well.
            public var isInverted = false
            /// How long it must have been well before that counts.
            public var upDelayNs: Int64 = 0
            /// How long it must have failed before that counts.
            public var downDelayNs: Int64 = 0

            /// As it is, at once.
            public init() {}
        }

        public var object: Object
        public var counting = Counting()
        /// Added to the priority while the object fails (below 0) or is well (above 0), -253 to 253; nil: it is a cause of
        /// FAULT.
        public var weight: Int?

        public var name: String { object.name }
    }

    /// A route that must be there.
    public struct Route: Hashable, Sendable, CustomStringConvertible {
        public var prefix: IPPrefix
        /// Through this next hop; nil: any.
        public var via: IPAddress?
        /// Out of this interface; nil: any.
        public var interface: String?
        /// In this table, as the kernel numbers them.
        public var table: UInt32 = 254

        /// As ip-route(8) writes it, `0.0.0.0/0 via 192.0.2.254 dev eth0 table 100`, without what is not asked.
        public var description: String {
            let parts = [
                via.map { "via \($0)" }, interface.map { "dev \($0)" }, table == 254 ? nil : "table \(table)",
            ]
            return ([prefix.description] + parts.compactMap { $0 }).joined(separator: " ")
        }
    }
}

// MARK: Keys

/// One kind of object, as text and as a table: all that the file can say of it.
private struct TrackedKind {
    typealias Object = VRRPConfiguration.Track.Object

    /// The word before the colon, and the key of the table.
    let word: String
    /// What stands after the colon, for messages.
    let placeholder: String
    /// The object that the text after the colon names; nil: it names none.
    let named: (String) -> Object?
    /// The object that a table speaks of, with the keys that only this kind has; nil: of none, or a mistake.
    let read: (TableReader) -> Object?

    static var all: [TrackedKind] {
        [
            TrackedKind("check", "NAME", .name("the name of a check"), Object.check),
            TrackedKind("route", "PREFIX", .network, { .route(VRRPConfiguration.Route(prefix: $0)) }) { prefix, keys in
                var route = VRRPConfiguration.Route(prefix: prefix ?? .everything(.ipv4))
                keys.read("via", .host, into: &route.via)
                keys.read("interface", .interfaceName, into: &route.interface)
                keys.read("table", .routingTable, into: &route.table)
                if let prefix, let via = route.via, via.family != prefix.address.family {
                    keys.problems.report(
                        keys.place(of: "via") ?? keys.position,
                        "via = \"\(via)\": expected an address of the route's family")
                }
                return .route(route)
            },
            TrackedKind("link", "INTERFACE", .interfaceName, Object.link),
            TrackedKind("process", "NAME", .processName, { .process($0, atLeast: 1) }) { name, keys in
                var atLeast = 1
                keys.read("at-least", .number(1...1024), into: &atLeast)
                return .process(name ?? "", atLeast: atLeast)
            },
            TrackedKind("file", "PATH", .filePath(), Object.file),
            // `VRRPAssembly` finds what it is.
            TrackedKind("track-group", "NAME", .name("the name of a track-group")) {
                .trackGroup(VRRPConfiguration.TrackGroup(name: $0))
            },
        ]
    }

    /// - Parameter details: the object with what the keys beside the first say; without the first its value is nil, and the
    ///   keys are mistakes.
    private init<Value>(
        _ word: String, _ placeholder: String, _ kind: Kind<Value>, _ object: @escaping (Value) -> Object,
        details: ((Value?, TableReader) -> Object)? = nil
    ) {
        (self.word, self.placeholder) = (word, placeholder)
        named = { kind.read(.string($0)).map(object) }
        read = { keys in
            var value: Value?
            keys.read(word, kind, into: &value)
            var detailed: Object?
            if let details { keys.beside(word) { detailed = details(value, keys) } }
            return value.map { detailed ?? object($0) }
        }
    }

    /// "a, b or c"
    static func words(_ last: String, _ word: (TrackedKind) -> String) -> String {
        let words = all.map(word)
        return "\(words.dropLast().joined(separator: ", ")) \(last) \(words.last ?? "")"
    }
}

extension Kind where Value == String {
    /// What a process is called, or the absolute path that is its first argument: printable, as it goes into the log.
    fileprivate static var processName: Kind {
        .text("the name of a process, or an absolute path, of at most 255 bytes") { text in
            (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
                && (isAbsolutePath(text) && !text.hasSuffix("/") || !text.utf8.contains(UInt8(ascii: "/")))
        }
    }
}

extension VRRPConfiguration.Track {
    /// The elements of `key`, without those that are mistakes, each with its place. The manual has their keys under `track`.
    static func list(
        _ key: String, _ keys: TableReader, _ least: Int = 0, required wanted: String? = nil
    ) -> [Located<Self>] {
        // Of a table, the inner nil is a mistake that has been reported.
        let tracks: [Self?]? = keys.elements(
            key, least...64,
            TrackedKind.words("or") { "\"\($0.word):\($0.placeholder)\"" }
                + ", or a table, { check = \"NAME\", weight = -50 }",
            required: wanted
        ) { node in
            if case .string(let text) = node.value { return Self(text).map { .some($0) } }
            return keys.element(node, of: key, documentedIn: "group.NAME.track").map { Self($0, key) }
        }
        return keys.located(key, tracks ?? []).compactMap { track in
            track.value.map { Located(value: $0, position: track.position) }
        }
    }

    private init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"),
            let kind = TrackedKind.all.first(where: { $0.word == text[..<colon] }),
            let object = kind.named(String(text[text.index(after: colon)...]))
        else { return nil }
        self.init(object: object)
    }

    private init?(_ keys: TableReader, _ list: String) {
        let kinds = TrackedKind.all
        let objects = kinds.map { $0.read(keys) }
        keys.read("weight", .weight, into: &weight)
        counting.read(keys)
        keys.finish()
        guard kinds.count(where: { keys.keyPosition($0.word) != nil }) == 1 else {
            keys.problems.report(
                keys.position, "an element of \(list): expected exactly one of \(TrackedKind.words("and", \.word))")
            return nil
        }
        guard let object = objects.compactMap({ $0 }).first else { return nil }
        self.object = object
        if case .file = object, weight != nil, counting != Counting() {
            keys.problems.report(
                keys.position,
                "a file with a weight adds its number, at once: expected no inverted (a weight of the other sign inverts), "
                    + "up-delay or down-delay")
        }
    }
}

extension VRRPConfiguration.Track.Counting {
    fileprivate mutating func read(_ keys: TableReader) {
        keys.read("inverted", .flag, into: &isInverted)
        keys.read("up-delay", .duration(0...Time.hour), into: &upDelayNs)
        keys.read("down-delay", .duration(0...Time.hour), into: &downDelayNs)
    }
}
