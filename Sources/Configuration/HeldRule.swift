/// `rules` of an instance: what they are, how they are read, and what no kernel would take.
import Addresses

extension VRRPConfiguration {
    /// A policy rule that a master has: which packets are looked up in which routing table.
    public struct HeldRule: Hashable, Sendable, CustomStringConvertible {
        /// What becomes of packets that are not looked up.
        public enum Refusal: String, Hashable, Sendable, CaseIterable {
            case blackhole, unreachable, prohibit
        }

        /// A mark of netfilter's.
        public struct Mark: Hashable, Sendable {
            public var value: UInt32
            /// The bits that are compared, not 0.
            public var mask: UInt32
        }

        /// The lowest is asked first.
        public var priority: UInt32 = 0
        /// The source of packets; nil: any.
        public var from: IPPrefix?
        /// The destination; nil: any.
        public var to: IPPrefix?
        /// The interface that they arrive on, `lo` for the host's own.
        public var iif: String?
        /// The interface that the socket is bound to.
        public var oif: String?
        public var fwmark: Mark?
        /// The type of service; 0: any.
        public var tos: UInt8 = 0
        /// The protocol above IP.
        public var ipproto: UInt8?
        public var sport: ClosedRange<UInt16>?
        public var dport: ClosedRange<UInt16>?
        /// The users whose sockets send them.
        public var uidrange: ClosedRange<UInt32>?
        /// Whether it is for the packets that do not match.
        public var isInverted = false
        /// The table that they are looked up in; nil: see `isL3mdev` and `type`.
        public var table: UInt32?
        /// Whether they are looked up in the table of their VRF.
        public var isL3mdev = false
        /// What becomes of them instead.
        public var type: Refusal?
        /// A route of the table whose prefix is no longer than this does not count.
        public var suppressedPrefixLength: Int32?
        /// Where it stands in the file.
        public var place = FilePlace()

        public var family: IPAddress.Family

        /// The most that a file has.
        fileprivate static let perFile = 1024

        /// `from 192.0.2.0/24 iif eth0 table 100 priority 1000`, as ip-rule(8) writes it.
        public var description: String {
            func range(_ name: String, _ range: ClosedRange<some BinaryInteger>?) -> String? {
                range.map {
                    $0.lowerBound == $0.upperBound
                        ? "\(name) \($0.lowerBound)" : "\(name) \($0.lowerBound)-\($0.upperBound)"
                }
            }
            let everything = "from all" + (family == .ipv6 && to == nil ? " inet6" : "")
            let parts = [
                isInverted ? "not" : nil, from.map { "from \($0)" } ?? everything, to.map { "to \($0)" },
                tos == 0 ? nil : "tos \(hexadecimal(tos))",
                fwmark.map { "fwmark \(hexadecimal($0.value))" + ($0.mask == .max ? "" : "/\(hexadecimal($0.mask))") },
                iif.map { "iif \($0)" }, oif.map { "oif \($0)" }, ipproto.map { "ipproto \($0)" },
                range("sport", sport), range("dport", dport),
                uidrange.map { "uidrange \($0.lowerBound)-\($0.upperBound)" },
                table.map { "table \($0)" }, isL3mdev ? "l3mdev" : nil,
                suppressedPrefixLength.map { "suppress_prefixlength \($0)" }, type?.rawValue, "priority \(priority)",
            ]
            return parts.compactMap { $0 }.joined(separator: " ")
        }

        /// Whether this one, when it is removed, may be taken for the other: they agree in all that this one gives
        /// (`rule_find`, net/core/fib_rules.c), and the kernel does not look whether a rule is inverted.
        fileprivate func fits(_ other: HeldRule) -> Bool {
            priority == other.priority && family == other.family && table == other.table && type == other.type
                && (!isL3mdev || other.isL3mdev) && (from == nil || from == other.from)
                && (to == nil || to == other.to) && (iif == nil || iif == other.iif)
                && (oif == nil || oif == other.oif)
                && (fwmark == nil || fwmark == other.fwmark || fwmark?.value == 0 && fwmark?.mask == other.fwmark?.mask)
                && (tos == 0 || tos == other.tos) && (ipproto == nil || ipproto == other.ipproto)
                && (sport == nil || sport == other.sport)
                && (dport == nil || dport == other.dport) && (uidrange == nil || uidrange == other.uidrange)
                && (suppressedPrefixLength == nil || suppressedPrefixLength == other.suppressedPrefixLength)
        }
    }
}

private func hexadecimal(_ number: some BinaryInteger) -> String { "0x\(String(number, radix: 16))" }

// MARK: Keys

extension Kind where Value == VRRPConfiguration.HeldRule.Mark {
    /// `16`, `"0x10"` or `"0x10/0xff"`.
    fileprivate static var mark: Kind {
        Kind(
            form: "text", expected: { "a mark, such as \"0x10\" or \"0x10/0xff\"" },
            read: { value in
                switch value {
                case .integer(let number): return UInt32(exactly: number).map { Value(value: $0, mask: .max) }
                case .string(let text):
                    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { number($0) }
                    switch parts.count {
                    case 1: return parts[0].map { Value(value: $0, mask: .max) }
                    case 2:
                        guard let value = parts[0], let mask = parts[1], mask > 0 else { return nil }
                        return Value(value: value, mask: mask)
                    default: return nil
                    }
                default: return nil
                }
            }, write: { _ in "" })
    }

    private static func number(_ text: Substring) -> UInt32? {
        text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
    }
}

extension Kind where Value == UInt8 {
    /// By its number or its name.
    fileprivate static var ipProtocol: Kind {
        let names: [String: UInt8] = [
            "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
            "ipv6-icmp": 58, "ospf": 89, "vrrp": 112, "sctp": 132, "udplite": 136,
        ]
        return Kind(
            form: "text", expected: { "a protocol, such as \"tcp\" or \"udp\", or its number from 1 to 255" },
            read: { value in
                switch value {
                case .integer(let number): return UInt8(exactly: number).flatMap { $0 == 0 ? nil : $0 }
                case .string(let name): return names[name]
                default: return nil
                }
            }, write: { "\($0)" })
    }
}

extension Kind {
    /// `80`, `"80"` or `"8000-8999"`.
    fileprivate static func range<Bound: FixedWidthInteger>(
        _ limits: ClosedRange<Bound>, _ what: String, example: String
    ) -> Kind where Value == ClosedRange<Bound> {
        Kind(
            form: "text",
            expected: {
                "\(what) or a range of them, such as \"\(example)\", from \(limits.lowerBound) to \(limits.upperBound)"
            },
            read: { value in
                let ends: [Bound?]
                switch value {
                case .integer(let number): ends = [Bound(exactly: number)]
                case .string(let text):
                    ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Bound($0) }
                default: return nil
                }
                guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
                    limits.contains(first), limits.contains(last)
                else { return nil }
                return first...last
            }, write: { "\($0)" })
    }
}

extension VRRPConfiguration.HeldRule {
    /// The elements of `key`, without those that are mistakes.
    ///
    /// - Parameter instance: whose they are, with its addresses.
    static func list(_ key: String, _ keys: TableReader, of instance: VRRPConfiguration.Instance) -> [Self] {
        // The inner nil is a mistake that has been reported.
        let rules: [Self?]? = keys.elements(
            key, 0...64, "a table, such as { from = \"198.51.100.0/24\", table = 100, priority = 1000 }"
        ) { node in
            keys.element(node, of: key).map { Self($0, of: instance) }
        }
        return (rules ?? []).compactMap { $0 }
    }

    private init?(_ keys: TableReader, of instance: VRRPConfiguration.Instance) {
        family = instance.family
        place.position = keys.position
        keys.read(
            "priority", .number(0...UInt32.max), into: &priority,
            required: "a whole number, such as 1000; the main table is asked at 32766")
        keys.read("from", .network, into: &from)
        keys.read("to", .network, into: &to)
        keys.read("iif", .interfaceName, into: &iif)
        keys.read("oif", .interfaceName, into: &oif)
        keys.read("fwmark", .mark, into: &fwmark)
        keys.read("tos", .number(0...255), into: &tos)
        keys.read("ipproto", .ipProtocol, into: &ipproto)
        keys.read("sport", .range(1...65534, "a port", example: "8000-8999"), into: &sport)
        keys.read("dport", .range(1...65534, "a port", example: "8000-8999"), into: &dport)
        keys.read("uidrange", .range(0...UInt32.max - 1, "a user's number", example: "1000-1999"), into: &uidrange)
        keys.read("not", .flag, into: &isInverted)
        keys.read("table", .routingTable, into: &table)
        keys.read("l3mdev", .flag, into: &isL3mdev)
        keys.read("type", .choice, into: &type)
        keys.read("suppress-prefixlength", .number(0...128), into: &suppressedPrefixLength)
        keys.finish()
        let mistakes = keys.problems.count
        check(keys)
        guard keys.problems.count == mistakes, keys.place(of: "priority") != nil else { return nil }
        // With length 0 they only tell the family.
        family = (from ?? to)?.address.family ?? family
        if from?.length == 0 { from = nil }
        if to?.length == 0 { to = nil }
    }

    private func check(_ keys: TableReader) {
        if let from, let to, from.address.family != to.address.family, let position = keys.place(of: "to") {
            keys.problems.report(
                position, "to = \(quoted(to.description)) in a rule from \(from): expected \(from.address.family.title)"
            )
        }
        let given = ["table", "l3mdev", "type"].filter { keys.keyPosition($0) != nil && ($0 != "l3mdev" || isL3mdev) }
        if given.isEmpty {
            keys.problems.report(
                keys.position, "a rule without table: expected the number of a routing table, or type, or l3mdev = true"
            )
        } else if given.count > 1, let position = keys.keyPosition(given[1]) {
            keys.problems.report(position, "\(given[1]) beside \(given[0]): expected one of table, l3mdev and type")
        }
        if suppressedPrefixLength != nil, table == nil, let position = keys.keyPosition("suppress-prefixlength") {
            keys.problems.report(position, "suppress-prefixlength without table: expected a table")
        }
    }
}

// MARK: Mistakes of several together

extension [VRRPConfiguration.Group] {
    /// Rules that the kernel could not tell apart, and more than are followed.
    func checkHeldRules(_ problems: Problems) {
        typealias HeldRule = VRRPConfiguration.HeldRule
        var known: [UInt32: [(rule: HeldRule, instance: String)]] = [:]
        var count = 0
        for instance in flatMap(\.instances) {
            for rule in instance.rules {
                count += 1
                guard count <= HeldRule.perFile else {
                    return problems.report(
                        rule.place.position, "more than \(HeldRule.perFile) rules: expected at most as many in a file")
                }
                if let earlier = known[rule.priority]?.first(where: { $0.rule.fits(rule) || rule.fits($0.rule) }) {
                    problems.report(
                        rule.place.position,
                        "the kernel cannot tell the rule \(rule) from that of instance \(earlier.instance) in line "
                            + "\(earlier.rule.place.line): expected another priority")
                }
                known[rule.priority, default: []].append((rule, instance.name))
            }
        }
    }
}
