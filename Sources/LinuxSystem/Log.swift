/// What a daemon says to its operator: one line a fact, on stderr.
///
/// Under a journal (`JOURNAL_STREAM` is set) each line carries the priority of sd-daemon(3) and no name; elsewhere the
/// program's name. A line is written with one call, so lines of two processes do not mix. Nothing here blocks for a log
/// that nobody reads beyond what stderr itself does.
import Glibc

public enum Log {
    /// As in syslog(3), the ones that are used.
    private enum Level: Int {
        case error = 3
        case warning = 4
        case notice = 5
        case info = 6

    }

    /// Whether stderr is a journal's.
    private static let isJournal = unsafe getenv("JOURNAL_STREAM") != nil

    private static let program = CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "linkwatch"

    public static func error(_ message: @autoclosure () -> String) { write(.error, message()) }
    public static func warning(_ message: @autoclosure () -> String) { write(.warning, message()) }
    public static func notice(_ message: @autoclosure () -> String) { write(.notice, message()) }
    public static func info(_ message: @autoclosure () -> String) { write(.info, message()) }

    /// A line break in a message (a peer's or a file's text may hold one) becomes a space: one fact, one line.
    private static func write(_ level: Level, _ message: String) {
        var line = Array((isJournal ? "<\(level.rawValue)>" : "\(program): ").utf8)
        line += message.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }
        line.append(0x0a)
        unsafe line.withUnsafeBytes { bytes in _ = unsafe Glibc.write(2, bytes.baseAddress, bytes.count) }
    }
}
