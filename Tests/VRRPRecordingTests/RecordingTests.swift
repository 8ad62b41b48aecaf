import Addresses
import Foundation
import Testing
import VRRP
import VRRPRecording

/// Lines of a recording: written, read again, and refused when they are none.
struct RecordingTests {
    private static let own = IPAddress(ipv4: 0xc000_0201)
    private static let peer = IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: 2)
    private static let configuration = GroupConfiguration(
        name: "lvs", priority: 200, version: .v2,
        members: [MemberConfiguration(name: "a", interface: "eth0", vrid: 10, addresses: [own], isUnicast: true)],
        cables: [CableConfiguration(name: "x", interface: "hb0", vrid: 1, peerVrid: 2, family: .ipv4)], hasFence: true)
    private static let snapshot = Snapshot(
        primaryAddresses: [own, nil], holding: [true, false], cableAddresses: [peer],
        causes: [Cause(.link, "eth0", detail: "mii"), Cause(.tracked, "check:up")], cablesDown: ["hb0"],
        weights: ["w": -3])
    private static var word: PeerWord {
        var word = PeerWord(
            priority: 100, identity: peer, stamp: 77, holds: [.first(2)], hears: [MemberSet(member: 39)],
            hearsHeartbeat: true, proven: [], sources: [own])
        word.intervalNs = 100_000_000
        word.isLast = true
        return word
    }

    static let inputs: [Input] = [
        .start(snapshot), .timer,
        .advert(
            member: 1,
            Advert(
                version: .v2, vrid: 10, priority: 0, intervalNs: 1_000_000_000, addresses: [own], source: own,
                checksumForm: .message)),
        .heartbeat(cable: 0, word), .link(interface: "eth\"0", isUp: false, reason: "mii"),
        .holding(member: 0, true), .primaryAddress(member: 0, nil), .primaryAddress(member: 0, own),
        .cableAddress(cable: 0, peer), .cause(Cause(.packetFilter, "eth0"), isPresent: true),
        .weight(name: "check:w", -20), .condition(Condition(.addressConflict, "a", detail: "é\u{1}"), isPresent: false),
        .proof(member: 3), .proof(member: -1), .foreignAnswer(member: 0, by: .router(own)),
        .foreignAnswer(member: 0, by: .virtualRouter),
        .foreignAnswer(member: 0, by: .stranger), .fence(succeeded: true), .handover,
        .reload(configuration, snapshot), .shutdown,
    ]

    static let outputs: [Output] = [
        .sendAdvert(member: 0, priority: 0), .sendHeartbeat(cable: 1, word), .addAddresses(member: 0),
        .removeAddresses(member: 1), .announce(member: 2), .probePeers(member: 3), .probeAddresses(member: 4),
        .runFence, .transition(Transition(from: .backup, to: .master, reason: .atOnce, priority: 255)),
        .raised(Condition(.deaf, "a")), .cleared(Condition(.noDirector)),
        .causeChanged(Cause(.isolated, "eth0"), isPresent: false),
    ]

    private func isSameAgain(_ line: RecordingLine) throws {
        let text = line.text
        #expect(text.last == UInt8(ascii: "\n") && text.dropLast().allSatisfy { $0 != UInt8(ascii: "\n") && $0 != 0 })
        #expect(try RecordingLine(text: text.dropLast()) == line)
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        for input in Self.inputs {
            let step = RecordingLine.Step(group: "g", atNs: 1 << 59, input: input, outputs: Self.outputs, nextNs: nil)
            try isSameAgain(.step(step))
        }
        try isSameAgain(.header(version: 1, by: "test", atNs: 1, unixMs: 2))
        try isSameAgain(.engine(group: "g", Engine(configuration: Self.configuration)))
        try isSameAgain(.gone(group: "g"))
        try isSameAgain(.lost(3))
        try isSameAgain(.end)
    }

    /// A recording of made-up inputs, as the process would write it.
    private func recording() -> [RecordingLine] {
        var engine = Engine(configuration: Self.configuration)
        var lines: [RecordingLine] = [
            .header(version: 1, by: "test", atNs: 0, unixMs: 0), .engine(group: "lvs", engine),
        ]
        var nowNs: Int64 = 1_000_000_000
        for input in Self.inputs.dropLast() {
            let outputs = engine.handle(input, nowNs: nowNs)
            let step = RecordingLine.Step(
                group: "lvs", atNs: nowNs, input: input, outputs: outputs, nextNs: engine.nextDeadlineNs)
            lines.append(.step(step))
            nowNs = max(nowNs + 1_000_000, engine.nextDeadlineNs ?? 0)
        }
        return lines + [.gone(group: "lvs"), .end]
    }

    private func replayed(_ lines: [RecordingLine]) throws -> Replay {
        var replay = Replay()
        for line in lines {
            let event = try replay.take(line.text.dropLast())
            #expect(!event.words.isEmpty && !event.words.contains(""))
        }
        return replay
    }

    @Test func sameInputsGiveSameOutputs() throws {
        let replay = try replayed(recording())
        #expect(replay.steps == Self.inputs.count - 1 && replay.differences == 0)
        #expect(replay.hasEnd && replay.beginnings == 1)
    }

    @Test func otherOutputsAreTold() throws {
        var lines = recording()
        guard case .step(var step) = lines[2] else {
            Issue.record("no step")
            return
        }
        step.outputs.append(.runFence)
        step.nextNs = 5
        lines[2] = .step(step)
        var replay = Replay()
        let events = try lines.map { try replay.take($0.text.dropLast()) }
        #expect(replay.differences == 1 && events[2].difference != nil && events[3].difference == nil)
        let words = events[2].differenceWords
        #expect(words.contains("  recorded: run the fence") && words.contains("  replayed: nothing"))
        #expect(words.contains("  recorded: next deadline 0.000000 s"))
    }

    /// An engine in the middle of a recording is as good as one at its beginning.
    @Test func fileMayBeginAnywhere() throws {
        var replay = Replay()
        var engine = Engine(configuration: Self.configuration)
        var nowNs: Int64 = 1_000_000_000
        for input in Self.inputs.prefix(10) {
            nowNs += 500_000_000
            _ = engine.handle(input, nowNs: nowNs)
        }
        let begin: [RecordingLine] = [.header(version: 1, by: "test", atNs: 0, unixMs: 0), .engine(group: "g", engine)]
        for line in begin { _ = try replay.take(line.text.dropLast()) }
        for input in Self.inputs.dropFirst(10) {
            nowNs += 500_000_000
            let outputs = engine.handle(input, nowNs: nowNs)
            let step = RecordingLine.Step(
                group: "g", atNs: nowNs, input: input, outputs: outputs, nextNs: engine.nextDeadlineNs)
            let event = try replay.take(RecordingLine.step(step).text.dropLast())
            #expect(event.difference == nil, "\(input)")
        }
    }

    // MARK: What is no recording

    private static let head = #"{"recording":1,"by":"x","atNs":0,"unixMs":0}"#
    private static let group = #""configuration":{"name":"g","members":[{"name":"a","interface":"e","vrid":1}]}"#

    @Test(arguments: [
        ([], "hello", "line 1: value: expected JSON: unexpected byte at byte 0"),
        ([], #"{"end":true}"#, "line 1: not a recording"),
        ([], #"{"recording":2,"by":"x","atNs":0,"unixMs":0}"#, "line 1: recording: version 2: expected 1"),
        ([head], "", "line 2: value: expected JSON: unexpected end at byte 0"),
        ([head], "[]", "line 2: value: expected an object"),
        ([head], "{}", "line 2: value: expected recording, engine, input, gone, lost or end"),
        (
            [head], #"{"group":"g","atNs":1,"input":{"kind":"timer"},"outputs":[]}"#,
            "line 2: group g: a step before its engine"
        ),
        ([head], #"{"group":"g","engine":{\#(group)}}"#, "line 2: engine.state: expected as many members and cables"),
        (
            [head], #"{"group":"g","engine":{"configuration":{"advertIntervalNs":0}}}"#,
            "line 2: engine.configuration.advertIntervalNs: expected 1 to"
        ),
        (
            [head], #"{"group":"g","engine":{"configuration":{"priority":256}}}"#,
            "line 2: engine.configuration.priority: expected a whole number up to 255"
        ),
        (
            [head], #"{"group":"g","engine":{"configuration":{"members":[{"addresses":["1.2.3"]}]}}}"#,
            "line 2: engine.configuration.members[0].addresses[0]: expected an IP address"
        ),
        (
            [head], #"{"group":"g","engine":{"state":{"advertAtNs":9223372036854775807}}}"#,
            "line 2: engine.state.advertAtNs: expected a whole number up to 1152921504606846975"
        ),
        (
            [head, #"{"group":"g","engine":{}}"#], #"{"group":"g","atNs":-1,"input":{"kind":"timer"},"outputs":[]}"#,
            "line 3: group g: atNs: expected 0 or later"
        ),
        (
            [head, #"{"group":"g","engine":{}}"#], #"{"group":"g","atNs":1,"input":{"kind":"jump"},"outputs":[]}"#,
            "line 3: input.kind: expected the name of an input"
        ),
        ([head], String(repeating: "[", count: 40), "line 2: value: expected JSON: nested too deeply"),
    ])
    func whatIsNoRecordingIsRefused(before: [String], line: String, complaint: String) throws {
        var replay = Replay()
        for line in before { _ = try replay.take(line.utf8) }
        let refusal = #expect(throws: Replay.Refusal.self) { _ = try replay.take(line.utf8) }
        let told = refusal?.description ?? ""
        #expect(told.hasPrefix(complaint), "\(told)")
    }

    @Test func longLinesAreRefused() {
        var replay = Replay()
        #expect(throws: Replay.Refusal.self) {
            _ = try replay.take([UInt8](repeating: UInt8(ascii: " "), count: RecordingLine.octetsMax + 1))
        }
    }

    /// Whatever one octet is made into, the replay refuses it or goes on.
    @Test func damagedLinesDoNoHarm() throws {
        let lines = recording().map { $0.text.dropLast() }
        for place in 1..<lines.count {
            for offset in stride(from: 0, to: lines[place].count, by: 3) {
                var replay = Replay()
                do throws(Replay.Refusal) {
                    for (index, line) in lines.enumerated() {
                        var line = Array(line)
                        if index == place { line[offset] = UInt8(ascii: "9") }
                        _ = try replay.take(line)
                    }
                } catch {}
            }
        }
    }

    // MARK: Recordings of routers that ran

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../recordings")

    /// Made by `Tests/namespaces/test_vrrp_record.py` with real routers; see there how they are made anew.
    @Test(arguments: ["reload", "heartbeat"]) func routersThatRanAreReplayed(name: String) throws {
        let text = try Data(contentsOf: Self.folder.appending(path: "\(name).jsonl"))
        var replay = Replay()
        var kinds: Set<String> = []
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let event = try replay.take(line)
            #expect(event.difference == nil, "\(event.words.joined(separator: "\n"))")
            guard case .step(let step) = event.content else { continue }
            switch step.input {
            case .reload: kinds.insert("reload")
            case .heartbeat: kinds.insert("heartbeat")
            default: break
            }
        }
        #expect(replay.steps > 20 && replay.hasEnd && kinds.contains(name))
    }
}
