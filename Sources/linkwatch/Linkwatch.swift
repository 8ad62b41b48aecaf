/// The program linkwatch: what a person or a script asks linkwatchd. linkwatch(1) is its manual.
///
/// Each command is a file of its own: it asks over the socket, and hands what came to a part that only lays out text.
import ArgumentParser
import Glibc
import Monitor

import enum LinuxSystem.Release

@main
enum Program {
    nonisolated static func main() {
        // A reader that has gone is an error of write(2) and is treated as one; see Console.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try Linkwatch.parseAsRoot()
            try command.run()
        } catch is Finished {
            exit(EXIT_SUCCESS)
        } catch let failure as Failure {
            Console.complain(failure.message)
            exit(failure.status.rawValue)
        } catch {
            Linkwatch.exit(withError: error)
        }
    }
}

/// The root: `linkwatch --dump`, and the way to the other commands.
struct Linkwatch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "linkwatch",
        abstract: "Ask linkwatchd for the state of this machine's links.",
        discussion: """
            Without a command it prints a table of all interfaces, as --dump does.
            See linkwatch(1) for what the columns mean and for the exit statuses.
            """,
        version: "linkwatch \(Release.version)",
        subcommands: [
            HistoryCommand.self, MetricsCommand.self, MIICommand.self, VRRPCommand.self, WaitCommand.self,
            WatchCommand.self,
        ])

    @Flag(help: "Print every interface and its evidence; the default.")
    var dump = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var source: SourceOptions
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        try Dump(isJSON: format.json, isDirect: source.direct, connection: connection).run()
    }
}

// An option that the root and a command both know is declared once, in a group that both name: that is what lets it
// stand before or after the command's name.

/// How the answer is printed.
struct FormatOptions: ParsableArguments {
    @Flag(help: "Print NDJSON: one JSON object a line, as the socket's interface describes it.")
    var json = false
}

/// Whom to ask.
struct SourceOptions: ParsableArguments {
    @Flag(help: "Read the kernel once, without a daemon.")
    var direct = false
}

/// Where the daemon is.
struct ConnectionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The daemon's socket.", valueName: "path"), completion: .file())
    var socket: String = MonitorInterface.defaultSocketPath

    @Option(
        help: ArgumentHelp("How long to wait for the daemon's socket to appear.", valueName: "time"),
        transform: Span.init(argument:))
    var connectTimeout: Span?
}

/// An interface's name on the command line; the shell completes it from what the kernel has.
enum InterfaceNames {
    static let completion = CompletionKind.shellCommand("ls /sys/class/net")
}
