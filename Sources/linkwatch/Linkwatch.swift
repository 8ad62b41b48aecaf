/// The program linkwatch: what a person or a script asks linkwatchd. linkwatch(1) is its manual.
///
/// Each command is a file of its own: it asks over the socket, and hands what came to a part that only lays out text.
import ArgumentParser
import Glibc
import Monitor
import RtnlMonitor

import enum LinuxSystem.Release
import enum LinuxSystem.StandardStreams

@main
enum Main {
    nonisolated static func main() {
        StandardStreams.reserve()
        // A reader that has gone is an error of write(2) and is treated as one; see Console.
        signal(SIGPIPE, SIG_IGN)
        // Only for the width of characters: what is printed is UTF-8 whatever the environment says.
        unsafe setlocale(LC_CTYPE, "C.UTF-8")
        do {
            let arguments = ArgumentBytes.all.dropFirst().map(ArgumentBytes.text)
            var command = try Linkwatch.parseAsRoot(arguments)
            try CommandLineRules.check(arguments, of: command)
            try command.run()
        } catch is Finished {
            exit(EXIT_SUCCESS)
        } catch let failure as Failure {
            end(failure)
        } catch {
            end(withMessage: error)
        }
    }

    nonisolated private static func end(_ failure: Failure) -> Never {
        Console.complain(failure.message)
        exit(failure.status.rawValue)
    }

    /// What the parser has to say: help, a version, a completion script, or what is wrong with the command line.
    nonisolated private static func end(withMessage error: any Error) -> Never {
        let status = Linkwatch.exitCode(for: error)
        let message = Linkwatch.fullMessage(for: error)
        guard status.isSuccess else { Linkwatch.exit(withError: error) }
        do {
            try Console.write(message + "\n")
        } catch let failure as Failure {
            end(failure)
        } catch {}
        exit(status.rawValue)
    }
}

/// The root: the way to the commands.
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
            DumpCommand.self, HistoryCommand.self, ImportCommand.self, MetricsCommand.self, MIICommand.self,
            VRRPCommand.self, WaitCommand.self, WatchCommand.self,
        ],
        defaultSubcommand: DumpCommand.self)

    @OptionGroup var format: FormatOptions
    @OptionGroup var content: RouteOptions
    @OptionGroup var source: SourceOptions
    @OptionGroup var connection: ConnectionOptions
}

// An option that the root and a command both know is declared once, in a group that both name: that is what lets it
// stand before or after the command's name.

/// A command that says which of the root's options it takes: those of the others are refused rather than ignored.
protocol Command: ParsableCommand {
    /// With their dashes.
    static var sharedOptions: Set<String> { get }
}

extension Command {
    static var sharedOptions: Set<String> { CommandLineRules.ofConnection }
}

/// What the parser lets pass: an option of the root's that the command knows nothing of, and one that is given twice, of which
/// only the last would count.
enum CommandLineRules {
    static let ofConnection: Set<String> = ["--socket", "--connect-timeout"]
    private static let shared = ofConnection.union(["--json", "--direct", "--routes"])
    /// Those that take one value.
    private static let single = ofConnection.union([
        "--timeout", "--limit", "--output", "--format", "--vrrp-socket", "--handover", "--config-id",
    ])

    /// - Throws: `ValidationError`, which says what is wrong.
    static func check(_ arguments: [String], of command: any ParsableCommand) throws {
        let taken = (type(of: command) as? any Command.Type)?.sharedOptions ?? []
        let name = type(of: command).configuration.commandName ?? "linkwatch"
        var seen: Set<String> = []
        for argument in arguments.prefix(while: { $0 != "--" }) where argument.hasPrefix("--") {
            let option = String(argument.prefix { $0 != "=" })
            if shared.contains(option), !taken.contains(option) {
                throw ValidationError("'\(name)' does not take \(option)")
            }
            if single.contains(option), !seen.insert(option).inserted {
                throw ValidationError("\(option) is given twice")
            }
        }
    }
}

/// What is printed besides interfaces.
struct RouteOptions: ParsableArguments {
    @Flag(help: "Print the tracked routes as well; a table has them anyway.")
    var routes = false
}

/// How the answer is printed.
struct FormatOptions: ParsableArguments {
    @Flag(help: "Print NDJSON: one JSON object a line, as the socket's interface describes it.")
    var json = false
}

/// How to reach the daemon.
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

/// An interface's name on the command line, as the kernel has it or as it is printed; the shell completes it from what the kernel
/// has.
enum InterfaceNames {
    static let completion = CompletionKind.shellCommand("ls /sys/class/net")

    /// The name that is published. A byte that is no UTF-8 is published as `\xff`, and so is one printed that would drive the
    /// terminal; the latter is published as it is.
    static func published(_ argument: String) -> String {
        var name = ""
        var rest = argument.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            let digits = rest.dropFirst().prefix(2)
            if scalar == "\\", rest.first == "x", digits.count == 2, digits.allSatisfy(\.properties.isASCIIHexDigit),
                let byte = UInt8(String(String.UnicodeScalarView(digits)), radix: 16), byte < 0x20 || byte == 0x7f
            {
                name.unicodeScalars.append(Unicode.Scalar(byte))
                rest = rest.dropFirst(3)
            } else {
                name.unicodeScalars.append(scalar)
            }
        }
        return name
    }
}

/// The command line as the kernel handed it over.
enum ArgumentBytes {
    /// The program's name first.
    static var all: [[UInt8]] {
        let arguments = unsafe CommandLine.unsafeArgv
        return (0..<Int(CommandLine.argc)).map { index in
            guard let argument = unsafe arguments[index] else { return [] }
            return unsafe Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
        }
    }

    /// What is UTF-8 stays as it is; other bytes are written as the names of interfaces have them.
    static func text(_ bytes: [UInt8]) -> String { String(validating: bytes, as: UTF8.self) ?? String(kernel: bytes) }
}
