import Configuration
import RtnlMonitor

/// The routes that a configuration has the mirror follow.
func tracking(_ configuration: MonitorConfiguration) -> RouteTracking {
    RouteTracking(
        prefixes: configuration.trackedRoutes.compactMap { .init(parsing: $0.description) },
        tables: configuration.routeTables)
}
