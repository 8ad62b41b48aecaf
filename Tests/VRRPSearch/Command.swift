import VRRP
import VRRPSimulation

/// `vrrp-search`: searches and simulates the shipped engine, and says how far it looked.
///
///     vrrp-search                          what `make test` runs: the search, the planted bugs, 10,000 schedules
///     vrrp-search --schedules N --first M  N schedules alone, from seed M (1 unless told)
///     vrrp-search --soak                   the wider search, and a million schedules
///     vrrp-search --seed N [--trace]       one schedule again, step by step
///     ... --with NAME,NAME                 schedules of these dimensions alone (see `Dimensions.names`; "none"), not of all
///     vrrp-search --planted                the planted bugs alone
///     vrrp-search --replay FILE            a recording of linkwatch-vrrp --record, run again; with --verbose step by step
///     vrrp-search --table                  docs/state-table.md
///     vrrp-search --scenario N             the scenario of that number alone, of those that the soak searches
///
/// Exit status: 0, 64 when the command line is wrong, or 1 when a property was violated, a planted bug was not found, a search was not closed, or a replay
/// differed; the last line says it again.
@main
enum Command {
    nonisolated static func main() {
        let arguments = CommandLine.arguments
        if arguments.contains("--help") { return print(usage) }
        if let mistake { refuse("vrrp-search: \(mistake)\n\(usage)") }
        if arguments.contains("--table") { return print(StateTable.markdown, terminator: "") }
        if let file = argument("--replay") {
            if !ReplayCommand.run(file, verbose: arguments.contains("--verbose")) { fail() }
            return
        }
        if let seed = number("--seed") { return replay(UInt64(seed), traced: arguments.contains("--trace")) }
        if let count = number("--schedules") {
            if !simulate(count, first: number("--first") ?? 1) { fail() }
            return
        }
        let isSoak = arguments.contains("--soak")
        var scenarios = isSoak ? Suite.test + Suite.soak : Suite.test
        var bad = 0
        if arguments.contains("--planted") {
            let planted = Suite.plantedInSchedules + Suite.plantedInManySchedules
            bad += Suite.planted.filter { !find($0.name, $0.scenario) }.count
            return finish(bad: bad + planted.filter { !find($0.name, $0.bugs, $0.dimensions) }.count)
        }
        if let only = number("--scenario") {
            scenarios = Array((Suite.test + Suite.soak).dropFirst(only).prefix(1))
            return finish(bad: scenarios.filter { !search($0) }.count)
        }
        for scenario in scenarios where !search(scenario) { bad += 1 }
        for (name, scenario) in Suite.planted where !find(name, scenario) { bad += 1 }
        let planted = Suite.plantedInSchedules + (isSoak ? Suite.plantedInManySchedules : [])
        for (name, bugs, dimensions) in planted where !find(name, bugs, dimensions) { bad += 1 }
        for seed in Suite.seeds where !simulate(1, first: Int(seed)) { bad += 1 }
        if !simulate(isSoak ? 1_000_000 : 10_000, first: 1) { bad += 1 }
        finish(bad: bad)
    }

    /// What a seed needs to be the same schedule again.
    private nonisolated static var flags: String { argument("--with").map { " --with \($0)" } ?? "" }

    private nonisolated static var dimensions: Dimensions {
        guard let argument = argument("--with") else { return .all }
        var dimensions = Dimensions()
        for name in argument.split(separator: ",") where name != "none" {
            guard let known = Dimensions.names.first(where: { $0.0 == name }) else {
                print("FAILED: no dimension \(name): there are \(Dimensions.names.map(\.0).joined(separator: ", "))")
                fail()
            }
            dimensions.insert(known.1)
        }
        return dimensions
    }

    private nonisolated static func finish(bad: Int) {
        guard bad > 0 else { return print("closed: every search, to its bound, without a violation") }
        print("FAILED: \(bad) of the above: violated, not found or NOT closed")
        fail()
    }

    private nonisolated static let usage = """
        usage: vrrp-search [--soak | --planted | --table | --scenario N]
               vrrp-search --schedules N [--first M] [--with NAME,NAME]
               vrrp-search --seed N [--trace] [--with NAME,NAME]
               vrrp-search --replay FILE [--verbose]
        """

    /// What is wrong with the command line; nil: nothing. A misspelled option must not begin a search of minutes instead.
    private nonisolated static var mistake: String? {
        let flags: Set = ["--table", "--verbose", "--trace", "--soak", "--planted"]
        let numbers: Set = ["--seed", "--schedules", "--first", "--scenario"]
        var rest = CommandLine.arguments.dropFirst()
        while let name = rest.popFirst() {
            if flags.contains(name) { continue }
            guard numbers.contains(name) || name == "--replay" || name == "--with" else {
                return "unknown argument \(name)"
            }
            guard let value = rest.popFirst() else { return "\(name) needs a value" }
            if numbers.contains(name), Int(value).map({ $0 >= 0 }) != true {
                return "\(name) needs a number, not \(value)"
            }
        }
        return nil
    }

    private nonisolated static func argument(_ name: String) -> String? {
        let arguments = CommandLine.arguments
        guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
        return arguments[place + 1]
    }

    private nonisolated static func number(_ name: String) -> Int? {
        argument(name).flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    private nonisolated static func search(_ scenario: Search.Scenario) -> Bool {
        var search = Search(scenario)
        let report = search.run()
        guard let violation = report.violation else {
            let bound = report.isComplete ? "closed" : "NOT closed"
            print(
                "\(bound): \(report.name): \(report.states) states, \(report.steps) steps, by faults \(report.layers)")
            return report.isComplete
        }
        print("VIOLATED: \(report.name): \(violation.property)")
        for line in violation.trace { print("    \(line)") }
        return false
    }

    private nonisolated static func find(_ name: String, _ scenario: Search.Scenario) -> Bool {
        var search = Search(scenario)
        guard let violation = search.run().violation else {
            print("NOT FOUND: planted bug: \(name)")
            return false
        }
        print("found: planted bug: \(name): \(violation.property)")
        return true
    }

    private nonisolated static func find(_ name: String, _ bugs: PlantedBugs, _ dimensions: Dimensions) -> Bool {
        for seed in 1...10_000 {
            var simulation = Simulation(seed: UInt64(seed), dimensions, bugs: bugs)
            guard let failure = simulation.run() else { continue }
            // What is violated without the bug as well does not show it.
            var sound = Simulation(seed: UInt64(seed), dimensions)
            guard sound.run() == nil else { continue }
            print("found: planted bug: \(name): seed \(seed): \(failure.property)")
            return true
        }
        print("NOT FOUND: planted bug: \(name)")
        return false
    }

    private nonisolated static func simulate(_ count: Int, first: Int) -> Bool {
        var failures = 0
        var digest = Digest()
        let dimensions = dimensions
        for seed in first..<first + count {
            var simulation = Simulation(seed: UInt64(seed), dimensions)
            let failure = simulation.run()
            digest.add(simulation.digest)
            guard let failure else { continue }
            failures += 1
            print("VIOLATED: --seed \(failure.seed)\(flags) --trace: \(failure.property)")
        }
        print(
            "simulated: \(count) random schedules, seeds \(first) to \(first + count - 1), \(failures) violations, "
                + "digest \(String(digest.value, radix: 16))")
        return failures == 0
    }

    private nonisolated static func replay(_ seed: UInt64, traced: Bool) {
        var simulation = Simulation(seed: seed, dimensions, trace: traced ? { print($0) } : nil)
        guard let failure = simulation.run() else { return print("seed \(seed): no violation") }
        print("VIOLATED: seed \(seed) at \(failure.atNs / 1_000_000) ms: \(failure.property)")
        fail()
    }
}
