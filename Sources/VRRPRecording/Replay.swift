/// Replays a recording: feeds the same inputs, with the same times, to the engine of this program.
///
/// The engine is a function of its inputs, so the outputs must be the same. Where they differ, so do this program and
/// the one that recorded; each such step is reported. After it, the engine goes on in the state of *this* program.
import VRRP

public struct Replay {
    /// What one line has led to.
    public struct Event: Sendable {
        /// The line of the file, from 1.
        public var line: Int
        public var content: RecordingLine
        /// What this engine has done instead, for a step at which that differs.
        public var difference: RecordingLine.Step?
        /// The names of the members and cables in it.
        var engineNames = GroupNames()
    }

    /// The file is no recording, or not one that can be replayed.
    public struct Refusal: Error, CustomStringConvertible, Sendable {
        public var line: Int
        public var reason: String
        public var description: String { "line \(line): \(reason)" }
    }

    /// Steps replayed.
    public private(set) var steps = 0
    /// Of these, steps with other outputs or another next deadline.
    public private(set) var differences = 0
    /// Lines that the recorder could not write.
    public private(set) var lost = 0
    /// Engines that began anew: at the head of a file, and after lost lines.
    public private(set) var beginnings = 0
    /// The process ended in good order.
    public private(set) var hasEnd = false
    private var line = 0
    private var engines: [String: (engine: Engine, atNs: Int64)] = [:]

    public init() {}

    /// A name of a group more than a file can have: it is not ours.
    private static let groupsMax = 4096

    /// Takes the next line of the file, without its end.
    public mutating func take(_ text: some Collection<UInt8>) throws(Refusal) -> Event {
        line += 1
        let content: RecordingLine
        do throws(TranscriptError) { content = try RecordingLine(text: text) } catch {
            throw Refusal(line: line, reason: "\(error)")
        }
        if line == 1 {
            guard case .header = content else {
                throw Refusal(line: 1, reason: "not a recording: expected {\"recording\":\(RecordingLine.version),...}")
            }
        }
        var event = Event(line: line, content: content)
        switch content {
        case .header(let version, _, _, _):
            guard version == RecordingLine.version else {
                throw Refusal(
                    line: line, reason: "recording: version \(version): expected \(RecordingLine.version)")
            }
            engines = [:]
        case .engine(let group, let engine):
            guard engines.count < Self.groupsMax else { throw Refusal(line: line, reason: "too many groups") }
            beginnings += 1
            engines[group] = (engine, 0)
        case .step(let step): event = try replay(step, event)
        case .gone(let group): engines[group] = nil
        case .lost(let count):
            lost = lost &+ count
            engines = [:]
        case .end: hasEnd = true
        }
        return event
    }

    private mutating func replay(_ step: RecordingLine.Step, _ event: Event) throws(Refusal) -> Event {
        guard let known = engines[step.group] else {
            throw Refusal(line: line, reason: "group \(step.group): a step before its engine")
        }
        guard step.atNs >= known.atNs else {
            throw Refusal(line: line, reason: "group \(step.group): atNs: expected \(known.atNs) or later")
        }
        steps += 1
        var event = event
        var engine = known.engine
        let outputs = engine.handle(step.input, nowNs: step.atNs)
        event.engineNames = GroupNames(engine.configuration)
        if outputs != step.outputs || engine.nextDeadlineNs != step.nextNs {
            differences += 1
            var other = step
            (other.outputs, other.nextNs) = (outputs, engine.nextDeadlineNs)
            event.difference = other
        }
        engines[step.group] = (engine, step.atNs)
        return event
    }
}
