/// A tracked route: well while the kernel has a usable route to exactly this destination, with what else is asked of it.
import Addresses
import Configuration
import RtnlMonitor
import VRRP

final class TrackedRoute: Tracked {
    private let route: VRRPConfiguration.Route
    private let kernel: KernelState

    var onChange: () -> Void = {}

    init(_ route: VRRPConfiguration.Route, _ kernel: KernelState) {
        self.route = route
        self.kernel = kernel
    }

    var cause: Cause { Cause(.tracked, VRRPConfiguration.Track.Object.route(route).name) }

    var isWell: Bool {
        let ifindex = route.interface.map { kernel.link(named: $0)?.ifindex ?? 0 }
        return kernel.routes.contains { present in
            guard present.key.destination == route.prefix, present.key.table == route.table, present.isUsable else {
                return false
            }
            if route.via == nil, ifindex == nil { return true }
            return present.hops.contains { hop in
                (route.via == nil || hop.gateway == route.via) && (ifindex == nil || hop.ifindex == ifindex)
            }
        }
    }

    /// The routes that the kernel's mirror must have.
    static func keys(_ configuration: VRRPConfiguration) -> [RouteKey] {
        configuration.groups.flatMap(\.tracks).flatMap(\.object.parts).compactMap { object in
            guard case .route(let route) = object else { return nil }
            return RouteKey(destination: route.prefix, table: route.table)
        }
    }
}
