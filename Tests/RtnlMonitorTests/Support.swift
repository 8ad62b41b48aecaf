/// A network namespace for a test, programs to run in it, and a loop that reads a monitor until something is so.
///
/// The namespace belongs to a thread and is gone with it: nothing is named, so nothing is left behind.
import CMnl
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import Testing

let isRoot = geteuid() == 0
let needsRoot: Comment = "makes network namespaces, which needs root"

struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

private final class Work {
    let body: () throws -> Void
    var failure: (any Error)?
    init(_ body: @escaping () throws -> Void) { self.body = body }
}

/// Runs `body` on a thread of its own in a new network namespace with nothing but a loopback. Programs that it starts are
/// in the namespace as well.
func inNamespace(_ body: @escaping () throws -> Void) throws {
    let work = Work {
        // Swift's Glibc has no unshare(2).
        guard let symbol = unsafe dlsym(nil, "unshare") else { throw Failure("no unshare") }
        let unshare = unsafe unsafeBitCast(symbol, to: (@convention(c) (CInt) -> CInt).self)
        guard unshare(0x4000_0000 /* CLONE_NEWNET */) == 0 else { throw Errno(rawValue: errno) }
        try body()
    }
    var thread = pthread_t()
    let argument = unsafe Unmanaged.passRetained(work).toOpaque()
    let error = unsafe pthread_create(
        &thread, nil,
        { argument in
            guard let argument = unsafe argument else { return nil }
            let work = unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
            do { try work.body() } catch { work.failure = error }
            return nil
        }, argument)
    guard error == 0 else { throw Errno(rawValue: error) }
    pthread_join(thread, nil)
    if let failure = work.failure { throw failure }
}

/// The number of the calling thread, by which a program can name its namespace.
func threadID() throws -> String {
    var path = [CChar](repeating: 0, count: 64)
    let count = path.count
    let length = try Syscall.retry { unsafe readlink("/proc/thread-self", &path, count) }
    let text = String(decoding: path.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: "/").last.map(String.init) ?? ""
}

/// A program that runs beside the test.
final class Program {
    private let pid: pid_t
    private var status: CInt?

    /// - Parameter input: what it reads from its standard input.
    init(_ arguments: [String], input: String = "") throws {
        let file = try Self.temporaryFile(input)
        defer { close(file) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, file, 0)
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe argv.forEach { unsafe free($0) } }
        var pid = pid_t()
        let error = unsafe posix_spawnp(&pid, arguments[0], &actions, nil, &argv, environ)
        guard error == 0 else { throw Errno(rawValue: error) }
        self.pid = pid
    }

    deinit { if status == nil { kill(pid, SIGKILL); _ = try? wait() } }

    var processID: pid_t { pid }

    /// Whether it has ended.
    func poll() throws -> Bool {
        if status != nil { return true }
        var status: CInt = 0
        let answer = unsafe waitpid(pid, &status, WNOHANG)
        if answer == pid { self.status = status }
        return answer == pid
    }

    func wait() throws {
        if status == nil {
            var status: CInt = 0
            let pid = pid
            _ = try Syscall.retry { unsafe waitpid(pid, &status, 0) }
            self.status = status
        }
        guard status == 0 else { throw Failure("ended with status \(status ?? -1)") }
    }

    private static func temporaryFile(_ text: String) throws -> CInt {
        var path = Array("/tmp/linkwatch-test-XXXXXX".utf8CString)
        let file = try Syscall.retry { unsafe mkstemp(&path) }
        unsafe unlink(path)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let bytes = rest
            let count = try Syscall.retry {
                unsafe bytes.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
        lseek(file, 0, SEEK_SET)
        return file
    }
}

/// `ip` with these arguments, to its end.
func ip(_ command: String) throws {
    do { try Program(["ip"] + command.split(separator: " ").map(String.init)).wait() } catch {
        throw Failure("ip \(command): \(error)")
    }
}

/// `ip -batch` with these lines, beside the test.
func startBatch(_ lines: [String]) throws -> Program {
    try Program(["ip", "-batch", "-"], input: lines.joined(separator: "\n") + "\n")
}

func sysctl(_ name: String, _ value: String) throws {
    let path = "/proc/sys/" + name
    let file = try Syscall.retry { unsafe open(path, O_WRONLY) }
    defer { close(file) }
    _ = try Syscall.retry { unsafe write(file, value, value.utf8.count) }
}

extension RtnlMonitor {
    /// Reads as a loop would, until a condition holds; the time limit is for a machine that is busy with other things.
    ///
    /// - Returns: all changes on the way.
    @discardableResult
    func read(
        _ what: String = "", seconds: Int64 = 10, line: Int = #line, until condition: ([MirrorChange]) throws -> Bool
    ) throws
        -> [MirrorChange]
    {
        var changes: [MirrorChange] = []
        let deadlineNs = Clock.monotonicNs() + seconds * 1_000_000_000
        while try !condition(changes) {
            guard Clock.monotonicNs() < deadlineNs else {
                throw Failure(
                    "line \(line): waited in vain \(what): \(links.count) links, synced \(isSynced), \(statistics), after "
                        + "\(changes.count) changes, the last \(changes.suffix(10))")
            }
            changes += try step(waitMs: 50)
        }
        return changes
    }

    /// One turn of a loop.
    func step(waitMs: CInt) throws -> [MirrorChange] {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let untilNs = (nextDeadlineNs ?? .max) - Clock.monotonicNs()
        let wait = untilNs < Int64(waitMs) * 1_000_000 ? CInt(max(0, untilNs / 1_000_000 + 1)) : waitMs
        let count = polled.count
        _ = try Syscall.retry { unsafe poll(&polled, nfds_t(count), wait) }
        var changes: [MirrorChange] = []
        for one in polled where one.revents != 0 { changes += handleReadable(one.fd, nowNs: Clock.monotonicNs()) }
        return changes + advance(nowNs: Clock.monotonicNs())
    }

    /// A monitor that has read everything.
    static func started(_ options: Options = Options()) throws -> RtnlMonitor {
        let monitor = try RtnlMonitor(options: options)
        _ = monitor.start(nowNs: Clock.monotonicNs())
        try monitor.read("for the first snapshot") { _ in monitor.isSynced }
        return monitor
    }

    func ifindex(_ name: String) throws -> Int32 {
        guard let link = link(named: name) else { throw Failure("no link \(name)") }
        return link.ifindex
    }
}

/// The mirror without what changes with nobody's doing.
func stable(_ links: [Int32: Link]) -> [Int32: Link] {
    links.mapValues {
        var link = $0; link.carrierChanges = 0; return link
    }
}
