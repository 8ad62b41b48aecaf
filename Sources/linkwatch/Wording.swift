/// The words that the table and the event lines share, so that an interface reads the same in both.
import Glibc
import Monitor

extension InterfaceRecord {
    /// The settled state, and the raw one in brackets where it differs: `down [up]` is a link that is good again and
    /// still held back.
    var stateWords: String { state == rawState ? state : "\(state) [\(rawState)]" }

    /// An interface that is administratively down is as it should be.
    var stateStyle: Style {
        if state != rawState { return .caution }
        if state == "up" { return .good }
        return reason == "admin" ? .faint : .bad
    }

    /// Why it is not simply up.
    var why: String? {
        if let reason { return reason }
        return state == rawState ? nil : dampening?.suppressed == true ? "dampened" : "hold"
    }

    /// The sources that are shown, in linkwatchd's order. The operational state is shown by the kernel's name.
    var sources: [String] { evidence.entries.map(\.name).filter { $0 != "operstate" } }

    /// What one source says: `up`, `down`; `up?` while it is stale and its last answer was up; `(down)` while the
    /// verdict does not count it; nil: it says nothing of this interface.
    func word(of source: String) -> (text: String, style: Style)? {
        guard let evidence = evidence[source] else { return nil }
        switch evidence.state {
        case "unsupported": return nil
        case "stale": return ((evidence.last ?? "") + "?", .caution)
        default:
            guard evidence.counted else { return ("(\(evidence.state))", .faint) }
            return (evidence.state, evidence.state == "up" ? .plain : .bad)
        }
    }

    /// Speed and duplex, as `1G/full`, `100M/half`, `2.5G`; nil: unknown, as it is while a link is down.
    var speedWords: String? {
        guard let speed, speed > 0 else { return nil }
        let text =
            switch speed {
            case ..<1_000: "\(speed)M"
            case _ where speed % 1_000 == 0: "\(speed / 1_000)G"
            default: "\(speed / 1_000).\(speed % 1_000 / 100)G"
            }
        return duplex.map { "\(text)/\($0)" } ?? text
    }

    /// What an operator should know and no other column says.
    var notes: [String] {
        conditions + (duplexMismatchSuspected ? ["duplex-mismatch?"] : [])
    }
}

extension RouteRecord {
    /// `present`, `gone`, or `gone (inferred)` where the kernel did not say so itself.
    var stateWords: String { present ? "present" : inferred ? "gone (inferred)" : "gone" }

    /// The destination; an unusual type stands before it, as in ip-route(8).
    var destinationWords: String { type == "unicast" ? dst : "\(type) \(dst)" }
}

/// Wall clock times, in the reader's zone.
enum WallClock {
    /// The time of day with milliseconds, for a stream: `05:50:12.123`.
    static func timeOfDay(usec: Int64) -> String { text(usec: usec, format: "%H:%M:%S") }

    /// Date and time of day with milliseconds: `2026-11-24 05:50:12.123`.
    static func dateAndTime(usec: Int64) -> String { text(usec: usec, format: "%Y-%m-%d %H:%M:%S") }

    private static func text(usec: Int64, format: String) -> String {
        var seconds = time_t(usec / 1_000_000)
        var fields = unsafe tm()
        guard unsafe localtime_r(&seconds, &fields) != nil else { return "?" }
        var buffer = [CChar](repeating: 0, count: 64)
        let count = unsafe strftime(&buffer, buffer.count, format, &fields)
        let milliseconds = "\(1_000 + abs(usec % 1_000_000) / 1_000)".dropFirst()
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) + "." + milliseconds
    }
}
