/// `linkwatch watch`: the snapshot, and then a line for everything that happens, until it is interrupted.
import ArgumentParser
import Glibc
import Monitor

import enum LinuxSystem.Clock

struct WatchCommand: Command {
    static let sharedOptions = CommandLineRules.ofConnection.union(["--json", "--routes"])

    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Print a line for everything that happens to the interfaces.",
        discussion:
            "First comes the state of each, then `synced`, then what changes. An interrupt ends it with status 0.")

    @Argument(
        help: ArgumentHelp("The interfaces to watch; without any, all.", valueName: "ifname"),
        completion: InterfaceNames.completion, transform: InterfaceNames.published)
    var names: [String] = []

    @Flag(help: "When the daemon goes away, wait for it and go on.")
    var reconnect = false

    @OptionGroup var content: RouteOptions
    @OptionGroup var format: FormatOptions
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        endOnInterrupt()
        var lines = EventLines(palette: Console.palette)
        var connection = connection
        while true {
            do {
                // The snapshot comes at once, or the daemon hangs; what follows may take days.
                var hasAnswered = false
                let answerEndNs = Clock.monotonicNs() + MonitorConnection.answerNsMax
                _ = try MonitorConnection(connection).watch(
                    names, routes: content.routes, deadlineNs: { hasAnswered ? nil : answerEndNs }, whileRead: true
                ) { event in
                    hasAnswered = true
                    if format.json {
                        try Console.print(event.json)
                    } else if let line = lines.line(for: event) {
                        try Console.print(line)
                    }
                    return true
                }
                throw Failure(.unavailable, "linkwatchd on \(connection.socket) does not answer")
            } catch let failure as Failure where reconnect && failure.isPassing {
                Console.complain("\(failure.message); waiting for it")
                lines = EventLines(palette: Console.palette)
                connection.connectTimeout = Span(ns: Span.nsMax)
                MonitorConnection.pause()
            }
        }
    }

    /// Every line is handed to the kernel whole, so there is nothing to finish first.
    private func endOnInterrupt() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in _exit(EXIT_SUCCESS) }
        }
    }
}
