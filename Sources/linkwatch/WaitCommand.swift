/// `linkwatch wait`: for scripts that continue when a link is up or down.
import ArgumentParser
import Monitor

import enum LinuxSystem.Clock

struct WaitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until interfaces are up, or down.",
        usage: "linkwatch wait --up|--down [--all|--any] [--raw] [--reconnect] [--timeout <time>] <ifname> ...",
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

    @Flag(help: "When the daemon goes away, or is not there yet, wait for it and go on.")
    var reconnect = false

    @Argument(
        help: ArgumentHelp("The interfaces to wait for.", valueName: "ifname"), completion: InterfaceNames.completion,
        transform: InterfaceNames.published)
    var names: [String]

    @OptionGroup var connection: ConnectionOptions

    /// The least that a daemon is given to answer: with a timeout of 0 s it is asked once.
    private static let patienceNsMin: Int64 = 1_000_000_000

    func run() throws {
        let startNs = Clock.monotonicNs()
        let endNs = timeout.map { startNs + $0.ns }
        var connection = connection
        var hasComplained = false
        while true {
            let leftNs = endNs.map { $0 - Clock.monotonicNs() } ?? .max
            let answerNs = min(max(leftNs, Self.patienceNsMin), MonitorConnection.answerNsMax)
            do {
                return try wait(until: endNs, connection, answerNs: answerNs)
            } catch let failure as Failure where reconnect && failure.isPassing {
                let leftNs = endNs.map { $0 - Clock.monotonicNs() } ?? Span.nsMax
                guard leftNs > 0 else { throw failure }
                if !hasComplained { Console.complain("\(failure.message); waiting for it") }
                hasComplained = true
                MonitorConnection.pause()
                connection.connectTimeout = Span(ns: leftNs)
            }
        }
    }

    /// Waits with one connection.
    private func wait(
        until endNs: Int64?, _ connection: ConnectionOptions, answerNs: Int64
    ) throws {
        let daemon = try MonitorConnection(connection, answerNs: answerNs)
        let answerEndNs = Clock.monotonicNs() + answerNs
        var waiting = Waiting(names: names, wantsUp: wanted == .up, isAny: quantity == .any, isRaw: raw)
        let hasCome = try daemon.watch(
            names, routes: false,
            deadlineNs: { waiting.isSynced || waiting.degraded != nil ? endNs : answerEndNs },
            body: { !waiting.take($0) })
        if hasCome { return }
        if let why = waiting.degraded { throw Failure(.unavailable, "linkwatchd is degraded: \(why)") }
        guard waiting.isSynced else {
            throw Failure(.unavailable, "linkwatchd on \(connection.socket) does not answer")
        }
        let state = wanted == .up ? "up" : "down"
        throw Failure(
            .timeout, "not \(state) within \(timeout ?? Span(ns: 0)): \(waiting.missing.joined(separator: " "))")
    }
}
