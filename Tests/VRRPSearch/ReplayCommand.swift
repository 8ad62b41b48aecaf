import SystemPackage
import VRRPRecording

/// `vrrp-search --replay FILE`: a recording of linkwatch-vrrp, run again step by step.
enum ReplayCommand {
    /// Prints each step in plain words if it is `verbose`, each difference, and how it went. Returns whether all was equal.
    nonisolated static func run(_ path: String, verbose: Bool) -> Bool {
        var replay = Replay()
        var isCut = false
        do {
            var lines = try Lines(path)
            while let line = try lines.next() {
                // The process was killed in the middle of its last line.
                guard lines.isWhole else {
                    isCut = true
                    break
                }
                let event = try replay.take(line)
                let differs = event.difference != nil
                for words in verbose || differs ? event.words : [] { print(words) }
                if differs { print("DIFFERS: line \(event.line)") }
            }
        } catch {
            print("FAILED: \(path): \(error)")
            return false
        }
        for note in [
            replay.lost > 0 ? "\(replay.lost) lines were lost while it was recorded" : nil,
            isCut ? "the last line is cut off, and was not read" : nil,
            replay.hasEnd || isCut ? nil : "it has no end: the process still ran, or was killed",
        ].compactMap(\.self) { print("note: \(note)") }
        print(
            "replayed: \(path): \(replay.steps) steps from \(replay.beginnings) engines, \(replay.differences) differ")
        return replay.differences == 0 && replay.steps > 0
    }
}

/// A file's lines, one at a time.
private struct Lines {
    private let file: FileDescriptor
    private var buffer: [UInt8] = []
    private var start = 0
    private var number = 0
    private var isAtEnd = false
    /// Whether the last line had an end.
    private(set) var isWhole = true

    struct TooLong: Error, CustomStringConvertible {
        var line: Int
        var description: String { "line \(line): longer than \(RecordingLine.octetsMax) octets: not a recording" }
    }

    init(_ path: String) throws {
        file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
    }

    mutating func next() throws -> [UInt8]? {
        number += 1
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                return Array(buffer[start..<end])
            }
            guard !isAtEnd else { break }
            guard buffer.count - start <= RecordingLine.octetsMax else { throw TooLong(line: number) }
            buffer.removeFirst(start)
            start = 0
            searched = buffer.count
            var more = [UInt8](repeating: 0, count: 1 << 16)
            let count = try unsafe more.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
            isAtEnd = count == 0
            buffer += more.prefix(count)
        }
        guard start < buffer.count else { return nil }
        isWhole = false
        defer { start = buffer.count }
        return Array(buffer[start...])
    }
}
