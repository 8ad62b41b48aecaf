/// Standard output: whole lines, handed to the kernel when they are complete, so that a reader of a pipe sees an event
/// when it happens and a signal cannot cut a line in two.
import Glibc
import LinuxSystem
import SystemPackage

enum Console {
    /// Writes lines and their ends.
    ///
    /// - Throws: `Finished` if nobody reads them any more, as in `linkwatch watch | head -1`: that reader has
    ///   what it wanted. `Failure` with `EX_IOERR` for anything else, such as a full disk.
    static func print(_ lines: [String]) throws {
        guard !lines.isEmpty else { return }
        try write(lines.map { $0 + "\n" }.joined())
    }

    static func print(_ line: String) throws { try print([line]) }

    /// Writes text as it is.
    static func write(_ text: String) throws {
        do throws(Errno) {
            try StandardStreams.write(Array(text.utf8), to: StandardStreams.output)
        } catch .brokenPipe {
            throw Finished()
        } catch {
            throw Failure(.output, "standard output: \(error)")
        }
    }

    /// To standard error, where the other end's closing is nobody's concern; a file with several mistakes takes as many lines.
    static func complain(_ message: String) {
        let lines = message.split(separator: "\n").map { "linkwatch: \(String($0).printable)\n" }
        try? StandardStreams.write(Array(lines.joined().utf8), to: StandardStreams.error)
    }

    /// The terminal's columns; nil: standard output is no terminal, or one that does not say.
    static var columns: Int? {
        var size = winsize()
        guard unsafe ioctl(StandardStreams.output, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    static var palette: Palette { Palette.forDescriptor(StandardStreams.output) }
}
