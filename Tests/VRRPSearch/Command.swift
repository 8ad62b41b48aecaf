import VRRPSimulation

/// `vrrp-search`: searches and simulates the shipped engine, and says how far it looked.
@main
enum Command {
    nonisolated static func main() {
        let arguments = CommandLine.arguments
        func number(_ name: String, _ fallback: Int) -> Int {
            guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return fallback }
            return Int(arguments[place + 1]) ?? fallback
        }
        let scenario =
            arguments.contains("--boots")
            ? Search.Scenario.boots(
                cables: number("--cables", 0), intervalTicks: Int64(number("--ticks", 2)), legs: number("--legs", 2))
            : Search.Scenario.faults(
                cables: number("--cables", 0), faultsMax: number("--faults", 1),
                intervalTicks: Int64(number("--ticks", 2)),
                legs: number("--legs", 2))
        var search = Search(scenario, statesMax: number("--states", 3_000_000))
        let report = search.run()
        print(
            report.name, "states", report.states, "steps", report.steps, "layers", report.layers, "complete",
            report.isComplete)
        if let violation = report.violation {
            for line in violation.trace { print(line) }
            print(violation.property)
        }
    }
}
