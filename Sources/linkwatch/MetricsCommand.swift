/// `linkwatch metrics`: OpenMetrics text, to standard output or into a file that node_exporter's textfile collector reads.
import ArgumentParser
import Glibc
import SystemPackage

import enum LinuxSystem.Clock
import struct LinuxSystem.Descriptor
import enum LinuxSystem.Syscall

struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Print OpenMetrics text, for node_exporter's textfile collector.")

    @Option(
        help: ArgumentHelp("Replace this file, in one step, rather than print.", valueName: "file"),
        completion: .file())
    var output: String?

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        let daemon = try Daemon(connection)
        let (interfaces, routes) = try daemon.dump()
        let text = MetricsReport.text(
            interfaces, routes, try daemon.statistics(),
            nowUsec: Clock.monotonicNs() / 1_000, nowRealtimeUsec: Clock.realtimeNs() / 1_000)
        guard let output else { return try Console.write(text) }
        do throws(Errno) {
            try replace(output, with: text)
        } catch {
            throw Failure(.output, "\(output): \(error)")
        }
    }

    /// The collector may read at any moment: it sees the old file or the new one.
    private func replace(_ path: String, with text: String) throws(Errno) {
        let temporary = "\(path).\(getpid())"
        let mode = mode_t(S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH)
        let file = Descriptor(
            owning: try Syscall.retry {
                unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode)
            })
        do throws(Errno) {
            try Console.write(Array(text.utf8), to: file.raw)
            try Syscall.retry { unsafe rename(temporary, path) }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
    }
}
