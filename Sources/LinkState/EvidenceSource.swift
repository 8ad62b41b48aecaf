/// The table of evidence sources: who says whether a link is up, how it is asked, what that costs, and when it counts.
///
/// Whatever goes through the sources goes through this table: the verdict and its conditions, the sweep and its statistics,
/// the options of linkwatchd, the keys of its configuration, and what is published. A source that is polled is added by a
/// case and a row here, a function of the same name in `Sources/CIoctl/probe.c`, a paragraph in linkwatchd(8), and a test;
/// one that the kernel announces by a case and a row here, a reading in `Sources/RtnlMonitor/LinkEvidence.swift`, the
/// paragraph and the test.

/// Where a piece of evidence comes from. In the order in which a fault travels: of several sources that say down at the
/// same instant, the first is the reason.
public enum EvidenceSource: Int, CaseIterable, Hashable, Sendable {
    /// The administrator.
    case admin
    /// The PHY.
    case mii
    /// The driver, asked.
    case driver
    /// The driver, as the kernel announces it.
    case carrier
    /// The operational state of RFC 2863.
    case operstate

    private static let rows = [
        Row("admin", question: "IFF_UP, by rtnetlink"),
        Row(
            "mii", question: "BMSR.LSTATUS, by SIOCGMIIREG",
            // Fibre and combo ports may never set the bit.
            saysDown: .onceSeenUp,
            probe: Probe(
                key: "mii", help: "read the PHY of each port", callsAPoll: 1, needsNetAdmin: true,
                refusal: "the driver has no MII registers")),
        Row(
            "driver", question: "ETHTOOL_GLINK, else IFLA_CARRIER by RTM_GETLINK",
            probe: Probe(
                key: "probe", help: "ask the driver of each port", callsAPoll: 1,
                refusal: "the driver does not tell its link")),
        Row("carrier", question: "IFLA_CARRIER, else IFF_LOWER_UP, by rtnetlink"),
        Row("operstate", question: "IFLA_OPERSTATE, by rtnetlink"),
    ]
}

extension EvidenceSource {
    /// What is known of a source.
    public struct Row: Sendable {
        /// The name as published.
        public let name: String
        /// What is asked or listened to.
        public let question: String
        /// From when on it may make a link down.
        public let saysDown: SaysDown
        /// How it is polled; nil: the kernel announces what it says, which costs nothing.
        public let probe: Probe?

        fileprivate init(_ name: String, question: String, saysDown: SaysDown = .always, probe: Probe? = nil) {
            self.name = name
            self.question = question
            self.saysDown = saysDown
            self.probe = probe
        }
    }

    /// From when on a source may make a link down.
    public enum SaysDown: Sendable {
        /// At once.
        case always
        /// Once it has said up: before that it is published and not counted.
        case onceSeenUp
    }

    /// How a source is polled.
    public struct Probe: Sendable {
        /// Its key in a section of an interface; with `-interval`, the key and the option that set its interval.
        public let key: String
        /// What is done to each port at that interval, for `--help`.
        public let help: String
        /// System calls of one poll of a healthy link.
        public let callsAPoll: Int
        /// Whether it needs CAP_NET_ADMIN.
        public let needsNetAdmin: Bool
        /// What it means that the driver does not support the question, in words for an operator.
        public let refusal: String

        fileprivate init(key: String, help: String, callsAPoll: Int, needsNetAdmin: Bool = false, refusal: String) {
            self.key = key
            self.help = help
            self.callsAPoll = callsAPoll
            self.needsNetAdmin = needsNetAdmin
            self.refusal = refusal
        }

        /// The key and the option that set its interval.
        public var intervalKey: String { "\(key)-interval" }
        /// Between two polls of a port unless told otherwise, in nanoseconds.
        public var intervalNs: Int64 { 100_000_000 }
    }

    /// What is known of it.
    public var row: Row { Self.rows[rawValue] }

    /// The name as published.
    public var name: String { Self.rows[rawValue].name }

    /// The sources that are polled, and how: in the order of CIoctl's table.
    public static let probes: [(source: EvidenceSource, probe: Probe)] = allCases.compactMap { source in
        source.row.probe.map { (source, $0) }
    }

    /// The sources that are polled.
    public static let polled = probes.map(\.source)

    /// Whether a source of this name is polled.
    public static func isPolled(_ name: String) -> Bool { polled.contains { $0.name == name } }

    /// What an interval between two polls of a port may be, 1 ms to 60 s, in nanoseconds.
    public static let intervalsNs: ClosedRange<Int64> = 1_000_000...60_000_000_000

    /// The intervals of the table.
    public static var defaultIntervalsNs: [EvidenceSource: Int64] {
        Dictionary(uniqueKeysWithValues: probes.map { ($0.source, $0.probe.intervalNs) })
    }
}

/// Some of the sources: a bit for each, as every interface has such sets.
public struct SourceSet: Hashable, Sendable, Sequence, ExpressibleByArrayLiteral {
    private var bits: UInt16 = 0

    public init(_ sources: some Sequence<EvidenceSource>) {
        for source in sources { self[source] = true }
    }

    public init(arrayLiteral sources: EvidenceSource...) { self.init(sources) }

    /// All that are polled.
    public static let polled = SourceSet(EvidenceSource.polled)

    public var isEmpty: Bool { bits == 0 }

    public var count: Int { bits.nonzeroBitCount }

    /// Whether a source is in it.
    public subscript(source: EvidenceSource) -> Bool {
        get { bits & 1 << UInt16(source.rawValue) != 0 }
        set {
            let bit: UInt16 = 1 << UInt16(source.rawValue)
            bits = newValue ? bits | bit : bits & ~bit
        }
    }

    private init(bits: UInt16) { self.bits = bits }

    public func intersection(_ other: SourceSet) -> SourceSet { SourceSet(bits: bits & other.bits) }

    public func subtracting(_ other: SourceSet) -> SourceSet { SourceSet(bits: bits & ~other.bits) }

    /// In the order of the table.
    public func makeIterator() -> some IteratorProtocol<EvidenceSource> {
        EvidenceSource.allCases.lazy.filter { self[$0] }.makeIterator()
    }
}
