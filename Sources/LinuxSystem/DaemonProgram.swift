/// The frame of a daemon's main program: what is done before its own work, and how it exits on an error.
import Glibc

public struct DaemonProgram: Sendable {
    /// Exit statuses of errors other than those of the command line. The numbers are those of `sysexits.h`.
    public enum Status: Int32, Sendable {
        /// The service cannot be offered. The corresponding C constant is `EX_UNAVAILABLE`.
        case unavailable = 69
        /// The process that it needs beside it has died. The corresponding C constant is `EX_SOFTWARE`.
        case software = 70
        /// A right is missing. The corresponding C constant is `EX_NOPERM`.
        case permission = 77
        /// The configuration is refused. The corresponding C constant is `EX_CONFIG`.
        case configuration = 78
    }

    private let name: String
    private let usage: String
    private let options: [Option]

    /// - Parameters:
    ///   - usage: what `--help` prints before the options.
    ///   - options: the table, with `--version` and `--help`.
    public init(name: String, usage: String, options: [Option]) {
        self.name = name
        self.usage = usage
        self.options = options
    }

    /// Prepares the process, answers `--help` and `--version`, and does `body`. An error is logged, a line at a time, and
    /// ends the process.
    public func run(_ body: (Options) throws -> Void, status: (any Error) -> Status) {
        StandardStreams.reserve()
        // A reader that has gone is an error of write(2), and treated as one.
        signal(SIGPIPE, SIG_IGN)
        Log.prepare()
        do {
            let given = try Options(Array(CommandLine.arguments.dropFirst()), table: options)
            if given.has("help") { return StandardStreams.print(usage + Options.help(options)) }
            if given.has("version") { return StandardStreams.print("\(name) \(Release.version)\n") }
            try body(given)
        } catch {
            for line in "\(error)".split(separator: "\n") { Log.error(String(line)) }
            exit(error is UsageError ? Options.exitUsage : status(error).rawValue)
        }
    }
}
