/// Which routes are mirrored.
///
/// A router may hold a million of them, and its operator cares for a handful: routes are opt-in. What is not named here is
/// dropped in the kernel by the socket's filter (`RouteFilter`), and left out of the mirror.
import Addresses
import CMnl

public struct RouteTracking: Hashable, Sendable {
    /// The destinations, each matched exactly: not what is inside them, nor around them.
    public let prefixes: [IPPrefix]
    /// The tables to look for them in.
    public let tables: [UInt32]
    private let wanted: Set<IPPrefix>

    /// The most tables that are tracked; further ones are left out.
    public static let tablesMax = 16

    /// - Parameters:
    ///   - prefixes: by default the two default routes.
    ///   - tables: by default the main table, 254.
    public init(
        prefixes: [IPPrefix] = [.everything(.ipv4), .everything(.ipv6)], tables: [UInt32] = [254]
    ) {
        self.prefixes = prefixes.map(\.network)
        self.tables = Array(tables.prefix(Self.tablesMax))
        wanted = Set(self.prefixes)
    }

    /// The prefixes are looked up once a route of the filter's choice arrives, or once for each route of a dump.
    func isTracked(_ key: RouteKey) -> Bool {
        tables.contains(key.table) && wanted.contains(key.destination)
    }

    func tracks(isIPv6: Bool) -> Bool { prefixes.contains { $0.address.isIPv6 == isIPv6 } }
}
