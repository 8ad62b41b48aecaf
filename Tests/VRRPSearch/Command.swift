import VRRP
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
        if arguments.contains("--seed") {
            var simulation = Simulation(seed: UInt64(number("--seed", 0))) { print($0) }
            print(simulation.run() as Any)
            return
        }
        if arguments.contains("--schedules") {
            var failures = 0
            let first = number("--first", 1)
            for seed in first..<first + number("--schedules", 0) {
                var simulation = Simulation(seed: UInt64(seed))
                if let failure = simulation.run() {
                    print("seed", failure.seed, failure.property)
                    failures += 1
                }
            }
            print("failures", failures)
            return
        }
        let cables = number("--cables", 0)
        let legs = number("--legs", 2)
        let ticks = Int64(number("--ticks", 2))
        let priorities = [UInt8(number("--p1", 200)), UInt8(number("--p2", 100))]
        let bugs = PlantedBugs(rawValue: UInt8(number("--bugs", 0)))
        let without = Rules(rawValue: UInt16(number("--without", 0)))
        func change(_ group: inout GroupConfiguration) {
            group.bugs = bugs
            group.rules.subtract(without)
            if arguments.contains("--no-preempt") { group.preempt = false }
        }
        var scenario =
            arguments.contains("--joining")
            ? Search.Scenario.joining(
                cables: cables, undisturbed: number("--joining", 0), priorities: priorities, change: change)
            : arguments.contains("--boots")
                ? Search.Scenario.boots(cables: cables, intervalTicks: ticks, priorities: priorities, legs: legs)
                : Search.Scenario.faults(
                    cables: cables, faultsMax: number("--faults", 1), intervalTicks: ticks, priorities: priorities,
                    legs: legs, change: change)
        scenario.dualTicksMax = UInt8(number("--dual", Int(scenario.dualTicksMax)))
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
