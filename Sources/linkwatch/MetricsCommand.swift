/// `linkwatch metrics`: text for Prometheus, to standard output or into a file that node_exporter's textfile collector reads.
import ArgumentParser
import Glibc
import SystemPackage

import enum LinuxSystem.Clock
import struct LinuxSystem.Descriptor
import enum LinuxSystem.StandardStreams
import enum LinuxSystem.Syscall

struct MetricsCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Print metrics for Prometheus, or for node_exporter's textfile collector.")

    @Option(
        help: ArgumentHelp(
            "Write to this file, which is replaced in one step, rather than print; - is standard output.",
            valueName: "file"),
        completion: .file())
    var output: String?

    @Option(
        help: ArgumentHelp(
            "prometheus: the text format 0.0.4, which node_exporter reads; openmetrics: version 1.0.",
            valueName: "format"))
    var format: MetricsText.Dialect = .prometheus

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        do {
            try write(text())
        } catch let failure as Failure where failure.isPassing && isFile {
            let text = MetricsReport.unavailable(nowRealtimeUsec: Clock.realtimeNs() / 1_000, dialect: format)
            try write(text)
            throw failure
        }
    }

    private var isFile: Bool { output != nil && output != "-" }

    private func text() throws -> String {
        let daemon = try MonitorConnection(connection)
        let dump = try daemon.dump()
        return MetricsReport.text(
            dump.interfaces, dump.routes, try daemon.statistics(), now: .current, dialect: format)
    }

    private func write(_ text: String) throws {
        guard let output, isFile else { return try Console.write(text) }
        do throws(Errno) {
            try OutputFile.write(Array(text.utf8), to: output)
        } catch {
            throw Failure(.output, "\(output): \(error)")
        }
    }
}

/// A file that a collector reads at any moment: it sees the old text or the new one.
enum OutputFile {
    /// Replaces a regular file, or makes it; a symbolic link stays, and what it leads to is replaced. A device or a pipe is
    /// written to.
    ///
    /// - Throws: what the kernel says.
    static func write(_ bytes: [UInt8], to path: String) throws(Errno) {
        var status = stat()
        let isThere = unsafe stat(path, &status) == 0
        // What /dev/stdout leads to is open already, and may have no other name.
        let isOpen = path.hasPrefix("/dev/") || path.hasPrefix("/proc/")
        if isThere, isOpen || status.st_mode & S_IFMT != S_IFREG {
            let file = Descriptor(owning: try open(path))
            return try StandardStreams.write(bytes, to: file.raw)
        }
        // The collector runs as a user of its own, whatever the umask of whoever runs this.
        try replace(try resolved(path), with: bytes, mode: isThere ? status.st_mode & 0o777 : 0o644)
    }

    /// Opens what is no regular file. The reader of a pipe may come a little later, or never.
    private static func open(_ path: String) throws(Errno) -> CInt {
        let deadlineNs = Clock.monotonicNs() + MonitorConnection.answerNsMax
        while true {
            do throws(Errno) {
                let fd = try Syscall.retry { unsafe Glibc.open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
                // What is read slowly is waited for.
                _ = fcntl(fd, F_SETFL, O_WRONLY)
                return fd
            } catch .noSuchAddressOrDevice where Clock.monotonicNs() < deadlineNs {
                usleep(lookAgainUsec)
            }
        }
    }

    private static let lookAgainUsec: useconds_t = 20_000

    /// Where a chain of symbolic links leads; one that leads to nothing leads to where the file will be.
    private static func resolved(_ path: String) throws(Errno) -> String {
        if let whole = unsafe realpath(path, nil) {
            defer { unsafe free(whole) }
            return unsafe String(cString: whole)
        }
        var path = path
        // The kernel follows no more.
        for _ in 0...40 {
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let length = unsafe readlink(path, &target, target.count)
            guard length > 0 else { return path }
            let text = String(decoding: target[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
            let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
            path = text.hasPrefix("/") ? text : folder + text
        }
        throw .tooManySymbolicLinkLevels
    }

    private static func replace(_ path: String, with bytes: [UInt8], mode: mode_t) throws(Errno) {
        // The collector passes over files that do not end in .prom.
        var temporary = Array("\(path).XXXXXX".utf8CString)
        let file = Descriptor(owning: try Syscall.retry { unsafe mkstemp(&temporary) })
        do throws(Errno) {
            try Syscall.retry { fchmod(file.raw, mode) }
            try StandardStreams.write(bytes, to: file.raw)
            try Syscall.retry { unsafe rename(temporary, path) }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
    }
}
