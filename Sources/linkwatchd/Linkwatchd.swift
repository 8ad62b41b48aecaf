/// The program linkwatchd: its command line, its privileges, and the start of the daemon.
///
/// The order matters. The configuration is read and the socket is made with the rights that the program was started
/// with; then everything but CAP_NET_ADMIN is given up; only then does the sweep's thread start, as capabilities are a
/// thread's own.
import Configuration
import Glibc
import LinkState
import LinuxSystem
import Monitor
import SystemPackage
import Varlink

@main
enum Linkwatchd {
    /// The release, as published by `Statistics` and `org.varlink.service.GetInfo`.
    static let version = Release.version
    /// Where its interface is described.
    static let url = "https://varlink.org"

    static let options =
        [
            Option("config", value: "FILE", help: "read FILE instead of \(MonitorConfiguration.defaultPath)"),
            Option("socket", value: "PATH", help: "listen on PATH instead of \(MonitorInterface.defaultSocketPath)"),
        ] + EvidenceSource.probes.map { interval($0.probe) } + [
            Option("realtime", value: "PRIORITY", help: "schedule the process as SCHED_RR, 1 to 99"),
            Option("lock-memory", help: "keep the pages that are used in memory"),
            Option("check", help: "check the configuration and exit: 0, or 78 if it is refused"),
            Option("version", help: "print the version and exit"),
            Option("help", help: "print this help and exit"),
        ]

    private static func interval(_ probe: EvidenceSource.Probe) -> Option {
        Option(
            probe.intervalKey, value: "TIME",
            help: "\(probe.help) this often, \(intervals) (\(DurationText.format(probe.intervalNs)))")
    }

    /// What an interval may be.
    static let intervals = [EvidenceSource.intervalsNs.lowerBound, EvidenceSource.intervalsNs.upperBound]
        .map(DurationText.format).joined(separator: " to ")

    static let usage = """
        usage: linkwatchd [OPTION]...
        Watches every network interface of its namespace and publishes what it sees on a Unix socket.


        """

    static func main() {
        run()
    }

    /// Not isolated: what it starts is called from other threads than the first.
    nonisolated static func run() {
        DaemonProgram(name: "linkwatchd", usage: usage, options: options).run { options in
            let arguments = try Arguments(options)
            let configuration = try arguments.configuration()
            if options.has("check") { return StandardStreams.print(arguments.checked + "\n") }
            try start(arguments, configuration)
        } status: {
            $0 is ConfigurationRefused ? .configuration : .unavailable
        }
    }

    nonisolated private static func start(_ arguments: Arguments, _ configuration: MonitorConfiguration) throws {
        let socket = configuration.socket
        let listener = try ListeningSocket.ofService(path: socket.path, mode: socket.mode, group: socket.group)
        // Inherited, for the probes' thread as well as for the loop's: an answer is published no sooner than the loop runs.
        Privileges.prefer(
            realtimePriority: arguments.realtimePriority, isInherited: true, locksMemory: arguments.locksMemory)
        let account = try Account.ofDaemon(configuration.user)
        if account == nil, geteuid() == 0 {
            Log.warning("there is no user '\(Account.defaultName)': the process stays root, with one capability")
        }
        let kept = try Privileges.become(account, keeping: .netAdmin)
        if !kept.contains(.netAdmin) {
            Log.warning("without CAP_NET_ADMIN no MII register can be read; everything else works")
        }
        if let reason = arguments.unreadable {
            Log.warning("\(reason): a reload will fail")
        }
        let loop = try EventLoop()
        Log.follow(loop)
        var daemon: Daemon?
        try loop.onSignals([SIGHUP, SIGINT, SIGTERM]) { daemon?.handle(signal: $0) }
        daemon = try Daemon(loop, arguments, configuration, capabilities: kept)
        try daemon?.run(listener)
        daemon = nil
    }
}

/// What the command line says; it overrides the file.
struct Arguments {
    /// The file to read, now and at each reload.
    private let configPath: String
    private let isPathGiven: Bool
    private let socketPath: String?
    private let intervalsNs: [EvidenceSource: Int64]
    /// 1 to 99; 0: ordinary scheduling.
    let realtimePriority: CInt
    let locksMemory: Bool
    /// The file is checked, once, and nothing is started.
    private let isCheck: Bool

    init(_ options: Options) throws(UsageError) {
        configPath = options["config"] ?? MonitorConfiguration.defaultPath
        isPathGiven = options.has("config")
        socketPath = options["socket"]
        var intervalsNs: [EvidenceSource: Int64] = [:]
        for (source, probe) in EvidenceSource.probes {
            intervalsNs[source] = try Self.interval(options, probe.intervalKey)
        }
        self.intervalsNs = intervalsNs
        locksMemory = options.has("lock-memory")
        isCheck = options.has("check")
        if let text = options["realtime"] {
            guard let priority = Int32(text), (1...99).contains(priority) else {
                throw UsageError("--realtime '\(text)': expected a priority from 1 to 99")
            }
            realtimePriority = priority
        } else {
            realtimePriority = 0
        }
    }

    private static func interval(_ options: Options, _ name: String) throws(UsageError) -> Int64? {
        guard let text = options[name] else { return nil }
        guard let valueNs = DurationText.parse(text), EvidenceSource.intervalsNs.contains(valueNs) else {
            throw UsageError(
                "--\(name) '\(text)': expected a time, \(Linkwatchd.intervals), with its unit, such as 100ms")
        }
        return valueNs
    }

    /// What `--check` says of a file that was not refused.
    var checked: String {
        unsafe access(configPath, F_OK) == 0 ? "\(configPath): good" : "\(configPath): not found, using defaults"
    }

    /// What keeps this user from reading the file again; nil: nothing, or there is none.
    var unreadable: String? {
        guard unsafe access(configPath, F_OK) == 0 || errno == EACCES, unsafe access(configPath, R_OK) != 0 else {
            return nil
        }
        return "\(configPath) cannot be read any more"
    }

    /// Reads the file. One that was not asked for by name may be missing.
    ///
    /// - Throws: what is wrong with it.
    func configuration() throws(ConfigurationRefused) -> MonitorConfiguration {
        var configuration = MonitorConfiguration()
        do {
            configuration = try MonitorConfiguration(path: configPath, acceptsPipe: isCheck)
        } catch  where error.isFileMissing && !isPathGiven {}
        try configuration.accounts.check(file: configPath) { mention in
            mention.kind == .user ? Account(mention.name) != nil : Account.groupID(mention.name) != nil
        }
        configuration.socket.path = socketPath ?? configuration.socket.path
        configuration.intervalsNs.merge(intervalsNs) { $1 }
        return configuration
    }
}
