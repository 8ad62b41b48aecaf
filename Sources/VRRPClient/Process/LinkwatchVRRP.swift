/// The program linkwatch-vrrp: its command line, its privileges, and the start of the process.
///
/// The order matters. The record is locked and the runner forked first, while there is nothing else to inherit, and with the
/// programs that the file names. Scheduling and locked memory are asked for with the rights the program was started with; sockets are opened; then the process
/// becomes its own user and keeps CAP_NET_ADMIN and CAP_NET_RAW, which is all that addresses, macvlans, sysctls and sockets
/// need.
import Configuration
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP
import Varlink

@main
enum LinkwatchVRRP {
    static let options = [
        Option("config", value: "FILE", help: "read FILE instead of \(VRRPConfiguration.defaultPath)"),
        Option("socket", value: "PATH", help: "listen on PATH instead of the file's socket.path"),
        Option("monitor", value: "PATH", help: "ask linkwatchd at PATH instead of the file's monitor.socket"),
        Option("record", value: "FILE", help: "write what the engines are given and decide to FILE, to be replayed"),
        Option("check", value: "FILE", help: "check FILE and exit: 0, or 78 if it is refused"),
        Option("release", help: "remove what a dead process left behind, and exit"),
        Option("version", help: "print the version and exit"),
        Option("help", help: "print this help and exit"),
    ]

    static let usage = """
        usage: linkwatch-vrrp [OPTION]...
        Keeps virtual addresses on the director that can serve (VRRP, RFC 9568).


        """

    static func main() { run() }

    nonisolated static func run() {
        DaemonProgram(name: "linkwatch-vrrp", usage: usage, options: options).run { options in
            if let file = options["check"] { return try check(file) }
            let arguments = VRRPArguments(options)
            if options.has("release") { return try release(arguments) }
            let configuration = try arguments.configuration()
            for doubt in FileDoubts.now(configuration, file: arguments.path).unsuitable { Log.warning(doubt) }
            try start(arguments, configuration)
        } status: { error in
            switch error {
            case is ConfigurationRefused: .configuration
            case is NotPermitted: .permission
            default: .unavailable
            }
        }
    }

    /// Reports what is wrong with a file, including users that this machine does not have. The file may belong to
    /// anybody: nothing in it is executed.
    nonisolated private static func check(_ file: String) throws {
        let configuration = try VRRPConfiguration(path: file, acceptsPipe: true)
        try configuration.accounts.check(file: file, exists: \.exists)
        for doubt in FileDoubts.now(configuration, file: file).all { Log.warning(doubt) }
        StandardStreams.print("\(file): good\n")
    }

    /// Works without a configuration as well: then with the default folder.
    nonisolated private static func release(_ arguments: VRRPArguments) throws {
        let configuration = (try? arguments.configuration()) ?? VRRPConfiguration()
        let record = try holdings(configuration)
        let released = try record?.release() ?? HoldingsRecord.Released()
        try? record?.leave(HoldingsRecord.Legacy())
        // Silent if there was nothing to do: this runs at every stop of the service.
        if !released.holdings.isEmpty { print("\(released.holdings) removed") }
        if released.switches > 0 { Log.notice("\(released.switches) sysctls of interfaces restored") }
        if record?.hasFilter == true, !AcceptFilter.release() {
            throw Unavailable("the packet filter of accept = false could not be removed and stays in force")
        }
    }

    /// Opens and locks the record of holdings in the state directory, which is made if it is missing; nil: it cannot be
    /// opened. If others could change the record, the service does not start: it would remove what they name.
    nonisolated private static func holdings(
        _ configuration: VRRPConfiguration
    ) throws(Unavailable) -> HoldingsRecord? {
        let folder = configuration.process.stateDirectory
        unsafe mkdir(folder, 0o755)
        let record: HoldingsRecord
        do throws(HoldingsRecord.Refusal) { record = try HoldingsRecord(directory: folder) } catch {
            if case .untrusted(let reason) = error { throw Unavailable("state-directory \(folder): \(reason)") }
            Log.warning("\(folder): cannot record what to clean up after a crash: \(error)")
            return nil
        }
        do throws(Errno) { try record.lock() } catch {
            throw Unavailable("another linkwatch-vrrp runs with the state-directory \(folder)")
        }
        return record
    }

    nonisolated private static func start(_ arguments: VRRPArguments, _ configuration: VRRPConfiguration) throws {
        try checkCapabilities(Capabilities.effective())
        let holdings = try holdings(configuration)
        let account = try Account.ofDaemon(configuration.process.user)
        if account == nil, geteuid() == 0 { Log.error(FileDoubts.missingUser) }
        let programs = ProgramTable(configuration, ownAccount: account)
        let leftBehind = holdings?.read() ?? []
        for borrowed in holdings?.readLegacy().switches ?? [] { borrowed.putBack() }
        try? holdings?.leave(HoldingsRecord.Legacy())
        do { try holdings?.add(configuration) } catch {
            Log.warning("\(configuration.process.stateDirectory): cannot record what to clean up: \(error)")
        }
        let runner = try Runner(programs: programs, holdings: holdings, readFile: arguments.read)
        let writer = try arguments.recordPath.map(RecordingFile.begin)
        Privileges.prefer(
            realtimePriority: CInt(configuration.process.realtimePriority),
            locksMemory: configuration.process.locksMemory)
        let loop = try EventLoop()
        Log.follow(loop)
        let service = VRRPService(arguments, runner)
        try loop.onSignals([SIGHUP, SIGINT, SIGTERM]) { service.handle(signal: $0, loop) }
        let socket = configuration.socket
        let listener = try ListeningSocket.ofService(path: socket.path, mode: socket.mode, group: socket.group)
        let router = try RouterProcess(
            configuration, loop: loop, runner: runner, record: holdings, leftBehind: leftBehind)
        let recorder = writer.map { Recorder($0, loop: loop) }
        router.recorder = recorder
        try checkCapabilities(Privileges.become(account, keeping: [.netAdmin, .netRaw]))
        // In a user namespace the capabilities may be those of another one than the network's.
        if let refusal = router.kernel.refusal {
            throw NotPermitted("the kernel does not let this process add addresses: \(refusal)")
        }
        if unsafe access(arguments.path, R_OK) != 0 {
            Log.warning("\(arguments.path) cannot be read any more: a reload will fail")
        }
        try service.start(router, configuration.socket, listener, loop)
        try loop.run()
        service.end()
        runner.dismiss()
        recorder?.end()
        if runner.isLost { exit(DaemonProgram.Status.software.rawValue) }
    }

    /// A router that can neither send nor add addresses would still take the role from one that can.
    nonisolated private static func checkCapabilities(_ present: Capabilities) throws(NotPermitted) {
        let missing = Capabilities([.netAdmin, .netRaw]).subtracting(present)
        guard !missing.isEmpty else { return }
        throw NotPermitted("missing capabilities: need \(missing.names.joined(separator: " and "))")
    }
}

/// Why the service cannot be offered.
struct Unavailable: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Which right is missing.
struct NotPermitted: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The process and its socket, once both are there: what signals and clients act on.
final class VRRPService: StatusSource {
    private let arguments: VRRPArguments
    private let runner: Runner
    private var router: RouterProcess?
    private var service: StatusService?

    init(_ arguments: VRRPArguments, _ runner: Runner) { (self.arguments, self.runner) = (arguments, runner) }

    func start(
        _ router: RouterProcess, _ configuration: SocketConfiguration, _ listener: ListeningSocket, _ loop: EventLoop
    ) throws {
        let service = try StatusService(configuration, loop: loop, source: self)
        self.router = router
        self.service = service
        router.onOutput = { [unowned service] in service.publish($0, of: $1) }
        router.onRunnerMissed = { [unowned self, unowned loop] in
            Log.error("exiting, so that the service manager starts linkwatch-vrrp again with a new runner")
            handle(signal: SIGTERM, loop)
        }
        try router.start()
        try service.listen(listener)
    }

    func handle(signal: CInt, _ loop: EventLoop) {
        guard signal == SIGHUP else {
            router?.shutDown()
            return loop.stop()
        }
        service?.reload { error in
            for line in error?.split(separator: "\n") ?? [] { Log.error(String(line)) }
        }
    }

    func end() {
        service?.close()
        service = nil
        router = nil
    }

    // MARK: What the service asks

    var groups: [GroupDriver] { router?.groups ?? [] }

    var discards: [Discard: UInt64] { router?.wire.discards ?? [:] }

    /// We read the file and apply it; the runner reads it and takes its programs. If the two did not read the same
    /// text, the reload is refused.
    func reload(_ done: @escaping (String?) -> Void) {
        router?.reloading(isOver: false)
        let finish = { [weak self] (complaint: String?) in
            self?.router?.reloading(isOver: true)
            done(complaint)
        }
        do throws(ConfigurationRefused) {
            let (configuration, digest) = try arguments.read()
            runner.reread(digest: digest) { [weak self] complaint in
                finish(complaint ?? self?.apply(configuration))
            }
        } catch {
            finish(error.description)
        }
    }

    /// - Returns: why it cannot be applied; nil: it is.
    private func apply(_ configuration: VRRPConfiguration) -> String? {
        guard let router else { return "the process is ending" }
        do throws(Errno) {
            try router.reload(configuration)
            for doubt in doubts(configuration, router).unsuitable { Log.warning(doubt) }
            Log.notice("\(arguments.path): read again and applied")
            return nil
        } catch {
            return "the configuration cannot be applied: \(error)"
        }
    }

    func complaints() -> (errors: [String], warnings: [String]) {
        do throws(ConfigurationRefused) {
            let configuration = try arguments.configuration()
            return ([], router.map { doubts(configuration, $0).all } ?? [])
        } catch {
            return (error.description.split(separator: "\n").map(String.init), [])
        }
    }

    private func doubts(_ configuration: VRRPConfiguration, _ router: RouterProcess) -> FileDoubts {
        FileDoubts(configuration: configuration, file: arguments.path, host: router.kernel.mirror)
    }
}

/// What the command line says; it overrides the file.
struct VRRPArguments {
    let path: String
    /// Where the engines' steps are written; nil: nowhere.
    let recordPath: String?
    private let socketPath: String?
    private let monitorPath: String?

    init(_ options: Options) {
        path = options["config"] ?? VRRPConfiguration.defaultPath
        recordPath = options["record"]
        socketPath = options["socket"]
        monitorPath = options["monitor"]
    }

    /// Reads the file.
    ///
    /// - Throws: what is wrong with it, or with who may write to it.
    func configuration() throws(ConfigurationRefused) -> VRRPConfiguration { try read().configuration }

    /// As `configuration`, with the digest of the text.
    func read() throws(ConfigurationRefused) -> (configuration: VRRPConfiguration, digest: UInt64) {
        let file = try ConfigurationFile(path: path)
        var configuration = file.configuration
        configuration.socket.path = socketPath ?? configuration.socket.path
        configuration.monitorSocketPath = monitorPath ?? configuration.monitorSocketPath
        return (configuration, file.digest)
    }
}
