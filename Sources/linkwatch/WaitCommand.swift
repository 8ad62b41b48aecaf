/// `linkwatch wait`: for scripts that go on when a link is there.
import ArgumentParser
import Monitor

import enum LinuxSystem.Clock

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until interfaces are up, or down.",
        usage: "linkwatch wait --up|--down [--all|--any] [--raw] [--timeout <time>] <ifname> ...",
        discussion: """
            Ends with status 0 when they are, with 1 at the timeout. It waits for events and polls nothing.
            An interface that does not exist, or not yet, counts as down.
            """)

    enum Wanted: EnumerableFlag {
        case up, down

        static func help(for value: Wanted) -> ArgumentHelp? { value == .up ? "Wait for up." : "Wait for down." }
    }

    enum Quantity: EnumerableFlag {
        case all, any

        static func help(for value: Quantity) -> ArgumentHelp? {
            value == .all ? "All of them must be." : "One of them is enough."
        }
    }

    @Flag var wanted: Wanted

    @Flag var quantity: Quantity = .all

    @Flag(help: "Look at the raw state: before hold times and dampening.")
    var raw = false

    @Option(
        help: ArgumentHelp("How long to wait; without it, for ever.", valueName: "time"),
        transform: Span.init(argument:))
    var timeout: Span?

    @Argument(
        help: ArgumentHelp("The interfaces to wait for.", valueName: "ifname"), completion: InterfaceNames.completion)
    var names: [String]

    @OptionGroup var connection: ConnectionOptions

    /// How long the snapshot may take; a timeout of 0 s means: look once.
    private static let snapshotNsMax: Int64 = 10_000_000_000

    func run() throws {
        let startNs = Clock.monotonicNs()
        let daemon = try Daemon(connection)
        var waiting = Waiting(names: names, wantsUp: wanted == .up, isAny: quantity == .any, isRaw: raw)
        let hasCome = try daemon.watch(
            names, routes: false,
            deadlineNs: {
                guard waiting.isSynced else { return startNs + Self.snapshotNsMax }
                return timeout.map { startNs + $0.ns }
            }, body: { !waiting.take($0) })
        if hasCome { return }
        guard waiting.isSynced else { throw Failure(.unavailable, "linkwatchd does not answer") }
        let state = wanted == .up ? "up" : "down"
        throw Failure(
            .timeout, "not \(state) within \(timeout ?? Span(ns: 0)): \(waiting.missing.joined(separator: " "))")
    }
}
