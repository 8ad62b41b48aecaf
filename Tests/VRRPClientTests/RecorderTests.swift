import Glibc
import LinuxSystem
import Testing
import VRRP
import VRRPRecording

@testable import VRRPClient

/// The recorder before a pipe that nobody empties for a while.
struct RecorderTests {
    /// Takes everything out of the pipe that is in it.
    private func drain(_ pipe: CInt) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = unsafe read(pipe, &buffer, buffer.count), count > 0 { all += buffer[..<count] }
        return all
    }

    /// Lines that neither the pipe nor the memory has room for are lost, counted and reported. Then the engines' state
    /// is recorded again, so that what comes before and after can be replayed, and each file on its own.
    @Test func lostLinesAreCountedAndTheRestIsReplayed() throws {
        var ends: [CInt] = [-1, -1]
        try #require(unsafe pipe(&ends) == 0)
        for end in ends { try #require(fcntl(end, F_SETFL, O_NONBLOCK) == 0) }
        defer { close(ends[0]) }
        let member = MemberConfiguration(
            name: String(repeating: "m", count: 2000), interface: "eth0", vrid: 10, addresses: [])
        var engine = Engine(configuration: GroupConfiguration(name: "lvs", members: [member]))
        let recorder = Recorder(
            RecordingFile.Writer(pipe: ends[1], pid: getpid()), loop: try EventLoop(), fileMax: 10 << 20)
        recorder.engines = { [("lvs", engine)] }
        recorder.began("lvs", engine)
        var text: [UInt8] = []
        var atNs: Int64 = 0
        func step(_ input: Input) {
            atNs += 1_000_000
            let outputs = engine.handle(input, nowNs: atNs)
            recorder.stepped("lvs", input, atNs: atNs, outputs, nextNs: engine.nextDeadlineNs)
        }
        step(.start(Snapshot(primaryAddresses: [member.addresses.first])))
        let long = Input.condition(Condition(.deaf, String(repeating: "x", count: 10_000)), isPresent: true)
        // More than the pipe and the memory hold, and then room again.
        for _ in 0..<600 { step(long) }
        for _ in 0..<200 {
            text += drain(ends[0])
            step(.timer)
        }
        // More than a file holds.
        for _ in 0..<1200 {
            step(long)
            text += drain(ends[0])
        }
        text += drain(ends[0])
        let files = text.split(separator: RecordingFile.nextFile)
        #expect(files.count == 2)
        var lost = 0
        for file in files {
            var replay = Replay()
            // The last line of a pipe that is not empty yet may be cut.
            for line in file[...(file.lastIndex(of: UInt8(ascii: "\n")) ?? file.startIndex)].split(
                separator: UInt8(ascii: "\n"))
            {
                #expect(try replay.take(line).difference == nil)
            }
            lost += replay.lost
            #expect(replay.steps > 100)
        }
        #expect(lost > 100 && lost < 600)
        close(ends[1])
    }
}
