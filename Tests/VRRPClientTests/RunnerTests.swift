/// The runner for real: programs are started, bounded, killed and reported. Needs no privileges.
import Addresses
import Glibc
import LinuxSystem
import Testing

@testable import VRRPClient

@Suite struct RunnerTests {
    /// Runs the programs and returns how each ended, in the order of their endings.
    private func run(_ programs: Program...) throws -> [ProgramResult] {
        let runner = try startedRunner()
        let loop = try EventLoop()
        try runner.start(on: loop)
        var results: [ProgramResult] = []
        for program in programs {
            runner.run(program) {
                results.append($0)
                if results.count == programs.count { loop.stop() }
            }
        }
        try loop.run()
        return results
    }

    /// A runner on a thread: this process has many, and must not be forked.
    private func startedRunner() throws -> Runner {
        let ends = try Runner.socketPair()
        var thread = pthread_t()
        let argument = unsafe UnsafeMutableRawPointer(bitPattern: Int(ends[1]))
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                try? RunnerProcess.run(socket: CInt(Int(bitPattern: argument)))
                return nil
            }, argument)
        try #require(status == 0)
        pthread_detach(thread)
        return Runner(socket: ends[0], pid: 0)
    }

    private func program(_ arguments: String..., timeoutNs: Int64 = 20_000_000_000) -> Program {
        Program(arguments: arguments, timeoutNs: timeoutNs)
    }

    @Test func reportsStatusAndOutput() throws {
        let results = try run(program("/bin/sh", "-c", "echo out; echo err >&2; exit 3"))
        #expect(results == [ProgramResult(ending: .exited(3), output: "out\nerr\n")])
    }

    @Test func passesTheEnvironmentAndNothingElse() throws {
        var program = program("/usr/bin/env")
        program.environment = ["LINKWATCH_GROUP=lvs"]
        let output = try #require(try run(program).first).output
        #expect(output.split(separator: "\n").map { $0.prefix { $0 != "=" } } == ["PATH", "LINKWATCH_GROUP"])
    }

    @Test func killsTheWholeGroupWhenTimeIsUp() throws {
        // The child that outlives its parent holds the pipe; it is killed with the group, so the loop ends.
        let results = try run(program("/bin/sh", "-c", "sleep 1000 & sleep 1000", timeoutNs: 50_000_000))
        #expect(results.map(\.ending) == [.timedOut])
    }

    @Test func aTalkativeProgramEndsAndItsOutputIsBounded() throws {
        let results = try run(program("/bin/sh", "-c", "head -c 3000000 /dev/zero"))
        #expect(results.first?.ending == .exited(0))
        #expect(results.first?.output.utf8.count == RunnerLimits.outputBytes)
    }

    @Test func saysWhyAProgramCouldNotBeStarted() throws {
        #expect(try run(program("/nonexistent")).map(\.ending) == [.notStarted(ENOENT)])
        #expect(try run(program("relative")).map(\.ending) == [.notStarted(EINVAL)])
    }

    @Test func reportsASignal() throws {
        #expect(try run(program("/bin/sh", "-c", "kill -9 $$")).map(\.ending) == [.signalled(SIGKILL)])
    }

    @Test func requestsAndRepliesSurviveTheSocket() {
        var program = program("/bin/true", "", "ä b")
        program.user = "nobody"
        let request = RunnerRequest(id: 7, program: program)
        #expect(RunnerRequest(request.encoded()) == request)
        for length in 0..<request.encoded().count { #expect(RunnerRequest(request.encoded().prefix(length)) == nil) }
        let word = LastWord(
            speaker: "instance outside", address: IPAddress(ipv4: 0xc000_0201), ifindex: -1, packet: [0x45, 0, 255])
        #expect(LastWord(word.encoded()) == word)
        for length in 0..<word.encoded().count { #expect(LastWord(word.encoded().prefix(length)) == nil) }
        #expect(RunnerRequest(word.encoded()) == nil && LastWord(request.encoded()) == nil)
        let reply = RunnerReply(id: 9, result: ProgramResult(ending: .signalled(-1), output: "x"))
        #expect(RunnerReply(reply.encoded()) == reply)
    }
}
