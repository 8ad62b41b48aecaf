/// The program linkwatchd: its command line, its privileges, and the start of the daemon.
///
/// The order matters. The configuration is read and the socket is made with the rights that the program was started
/// with; then everything but CAP_NET_ADMIN is given up; only then does the sweep's thread start, as capabilities are a
/// thread's own.
import Configuration
import Glibc
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

    /// A configuration that is refused. The corresponding C constant is `EX_CONFIG`.
    static let exitConfiguration: Int32 = 78
    /// The service cannot be offered. The corresponding C constant is `EX_UNAVAILABLE`.
    static let exitUnavailable: Int32 = 69

    static let options = [
        Option("config", value: "FILE", help: "read FILE instead of \(MonitorConfiguration.defaultPath)"),
        Option("socket", value: "PATH", help: "listen on PATH instead of \(MonitorInterface.defaultSocketPath)"),
        Option("mii-interval", value: "TIME", help: "read the PHY of each port this often, 1ms to 60s (100ms)"),
        Option("probe-interval", value: "TIME", help: "ask the driver of each port this often, 1ms to 60s (100ms)"),
        Option("realtime", value: "PRIORITY", help: "schedule the process as SCHED_RR, 1 to 99"),
        Option("lock-memory", help: "keep the pages that are used in memory"),
        Option("check", help: "check the configuration and exit: 0, or 78 if it is refused"),
        Option("version", help: "print the version and exit"),
        Option("help", help: "print this help and exit"),
    ]

    static let usage = """
        usage: linkwatchd [OPTION]...
        Watches every network interface of its namespace and publishes what it sees on a Unix socket.


        """

    static func main() {
        run()
    }

    /// Not isolated: what it starts is called from other threads than the first.
    nonisolated static func run() {
        StandardStreams.reserve()
        // A reader that has gone is an error of write(2), and treated as one.
        signal(SIGPIPE, SIG_IGN)
        Log.prepare()
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()), table: Self.options)
            if options.has("help") { return StandardStreams.print(usage + Options.help(Self.options)) }
            if options.has("version") { return StandardStreams.print("linkwatchd \(version)\n") }
            let arguments = try Arguments(options)
            let configuration = try arguments.configuration()
            if options.has("check") { return StandardStreams.print(arguments.checked + "\n") }
            try start(arguments, configuration)
        } catch let error as UsageError {
            fail(error.message, Options.exitUsage)
        } catch let error as ConfigurationRefused {
            fail(error.description, exitConfiguration)
        } catch {
            fail("\(error)", exitUnavailable)
        }
    }

    nonisolated private static func fail(_ message: String, _ status: Int32) -> Never {
        for line in message.split(separator: "\n") { Log.error(String(line)) }
        exit(status)
    }

    nonisolated private static func start(_ arguments: Arguments, _ configuration: MonitorConfiguration) throws {
        let listener = try listen(configuration.socket)
        if arguments.locksMemory {
            do { try Privileges.lockMemory() } catch { Log.warning("memory is not locked: \(error)") }
        }
        if let priority = arguments.realtimePriority {
            // For the loop's thread as well as for the probes', which inherits it: an answer is published no sooner
            // than the loop's thread runs.
            do { try Privileges.realtime(priority: priority, isInherited: true) } catch {
                Log.warning("the process is not SCHED_RR: \(error)")
            }
        }
        let kept = try Privileges.become(try account(configuration.user), keeping: .netAdmin)
        if !kept.contains(.netAdmin) {
            Log.warning("without CAP_NET_ADMIN no MII register is read; all else works")
        }
        if let reason = arguments.unreadable {
            Log.warning("\(reason), so that no reload will be possible")
        }
        let loop = try EventLoop()
        Log.follow(loop)
        var daemon: Daemon?
        try loop.onSignals([SIGHUP, SIGINT, SIGTERM]) { daemon?.handle(signal: $0) }
        daemon = try Daemon(loop, arguments, configuration, capabilities: kept)
        try daemon?.run(listener)
        daemon = nil
    }

    /// The socket that a service manager handed in, or one of our own; its folder is made if it is missing.
    nonisolated private static func listen(_ configuration: SocketConfiguration) throws -> ListeningSocket {
        if let socket = try ListeningSocket.handedIn() { return socket }
        ListeningSocket.makeFolder(of: configuration.path)
        return try ListeningSocket(
            path: configuration.path, mode: configuration.mode, group: try configuration.group.map(groupID))
    }

    nonisolated private static func groupID(_ group: String) throws(UsageError) -> gid_t {
        guard let id = Account.groupID(group) else { throw UsageError("there is no group '\(group)'") }
        return id
    }

    /// Whom the process becomes; nil: it stays who it is.
    nonisolated private static func account(_ user: String?) throws(UsageError) -> Account? {
        guard geteuid() == 0 else { return nil }
        if let user {
            // It was there when the file was checked; nobody stays root for want of it.
            guard let account = Account(user) else { throw UsageError("there is no user '\(user)'") }
            return account
        }
        let account = Account.ofDaemons
        if account == nil {
            Log.warning(
                "there is no user '\(Account.defaultName)', so that the process stays root, with one capability")
        }
        return account
    }
}

/// What the command line says; it goes before the file.
struct Arguments {
    /// The file to read, now and at each reload.
    private let configPath: String
    private let isPathGiven: Bool
    private let socketPath: String?
    private let miiIntervalNs: Int64?
    private let probeIntervalNs: Int64?
    /// 1 to 99; nil: not asked for.
    let realtimePriority: Int32?
    let locksMemory: Bool
    /// The file is checked, once, and nothing is started.
    private let isCheck: Bool

    private static let intervals: ClosedRange<Int64> = 1_000_000...60_000_000_000

    init(_ options: Options) throws(UsageError) {
        configPath = options["config"] ?? MonitorConfiguration.defaultPath
        isPathGiven = options.has("config")
        socketPath = options["socket"]
        miiIntervalNs = try Self.interval(options, "mii-interval")
        probeIntervalNs = try Self.interval(options, "probe-interval")
        locksMemory = options.has("lock-memory")
        isCheck = options.has("check")
        if let text = options["realtime"] {
            guard let priority = Int32(text), (1...99).contains(priority) else {
                throw UsageError("--realtime '\(text)': expected a priority from 1 to 99")
            }
            realtimePriority = priority
        } else {
            realtimePriority = nil
        }
    }

    private static func interval(_ options: Options, _ name: String) throws(UsageError) -> Int64? {
        guard let text = options[name] else { return nil }
        guard let valueNs = DurationText.parse(text), intervals.contains(valueNs) else {
            throw UsageError("--\(name) '\(text)': expected a time from 1ms to 60s with its unit, such as 100ms")
        }
        return valueNs
    }

    /// What `--check` says of a file that was not refused.
    var checked: String {
        unsafe access(configPath, F_OK) == 0 ? "\(configPath): good" : "\(configPath): not there, the defaults hold"
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
        configuration.miiIntervalNs = miiIntervalNs ?? configuration.miiIntervalNs
        configuration.probeIntervalNs = probeIntervalNs ?? configuration.probeIntervalNs
        return configuration
    }
}
