/// The runner for real: programs of a file are started, bounded, killed and reported, and nothing else is. Needs no
/// privileges.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import Testing
import VRRP

@testable import VRRPClient

@Suite struct RunnerTests {
    private static let instance =
        "[instance.one]\ninterface = \"nowhere0\"\nvrid = 9\naddresses = [\"192.0.2.9\"]\n"

    /// A file with a check of this name for each program.
    private static func file(_ checks: [String: [String]], timeout: String = "20s", more: String = "") -> String {
        let sections = checks.map { name, arguments in
            "[check.\(name)]\nexec = [\(arguments.map { "'''\($0)'''" }.joined(separator: ", "))]\n"
                + "interval = \"1min\"\ntimeout = \"\(timeout)\"\n"
        }
        return instance + sections.joined() + more
    }

    private static func configuration(_ text: String) throws -> VRRPConfiguration {
        try VRRPConfiguration(text: Array(text.utf8), file: "test")
    }

    /// A runner on a thread: this process has many, and must not be forked. It reads `next` when it is to read the file
    /// again; the digest is the length of the text.
    private func startedRunner(_ text: String, next: String? = nil) throws -> CInt {
        let ends = try Runner.socketPair()
        let programs = ProgramTable(try Self.configuration(text), ownAccount: nil)
        let body: () -> Void = {
            try? RunnerProcess.run(socket: ends[1], programs: programs) { () throws(ConfigurationRefused) in
                let text = next ?? text
                return (try VRRPConfiguration(text: Array(text.utf8), file: "test"), UInt64(text.utf8.count))
            }
            close(ends[1])
        }
        let boxed = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                }
                return nil
            }, boxed)
        try #require(status == 0)
        pthread_detach(thread)
        return ends[0]
    }

    private final class Box {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    /// Runs programs of a file and returns how each ended, in the order of their endings.
    private func run(_ text: String, _ names: ProgramName...) throws -> [ProgramResult] {
        let runner = Runner(socket: try startedRunner(text), pid: 0)
        let loop = try EventLoop()
        try runner.start(on: loop)
        var results: [ProgramResult] = []
        for name in names {
            runner.run(name) {
                results.append($0)
                if results.count == names.count { loop.stop() }
            }
        }
        try loop.run()
        return results
    }

    /// Runs one program by a check.
    private func runOne(_ arguments: String..., timeout: String = "20s") throws -> ProgramResult {
        try #require(run(Self.file(["own": arguments], timeout: timeout), .check("own")).first)
    }

    private func became(_ event: Notification.Event, _ group: String, instance: String? = nil) -> Notification {
        Notification(
            subject: .init(group: group, instance: instance), event: event,
            transition: Transition(from: .backup, to: .master, reason: .take, priority: 100), priority: 100)
    }

    // MARK: Programs

    @Test func reportsStatusAndOutput() throws {
        #expect(
            try runOne("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
                == ProgramResult(.exited(3), output: "out\nerr\n"))
    }

    @Test func passesTheEnvironmentAndNothingElse() throws {
        let text = Self.instance + "[notify.log]\nexec = [\"/usr/bin/env\"]\n"
        let output = try #require(try run(text, .notify("log", became(.master, "one"))).first).output
        let lines = output.split(separator: "\n").map(String.init)
        #expect(
            lines.dropFirst() == [
                "LINKWATCH_GROUP=one", "LINKWATCH_INSTANCES=one", "LINKWATCH_EVENT=master", "LINKWATCH_STATE=master",
                "LINKWATCH_PREVIOUS_STATE=backup", "LINKWATCH_REASON=take", "LINKWATCH_PRIORITY=100",
            ])
        #expect(lines.first?.hasPrefix("PATH=/") == true)
        #expect(try runOne("/usr/bin/env").output.split(separator: "\n").count == 1)
    }

    /// keepalived's four arguments, of an instance in no group, of one in a group, and of a group.
    @Test func passesKeepalivedsArguments() throws {
        let text =
            "[group.lvs]\ninstances = [\"two\"]\n[notify.n]\nexec = ['/bin/echo', 'own']\narguments = \"keepalived\"\n"
            + "groups = [\"one\", \"lvs\"]\ninstances = [\"two\"]\n" + Self.instance
            + "[instance.two]\ninterface = \"nowhere1\"\nvrid = 9\naddresses = [\"192.0.2.8\"]\n"
        func said(_ notification: Notification) throws -> String? {
            try run(text, .notify("n", notification)).first?.output
        }
        #expect(try said(became(.master, "one")) == "own INSTANCE one MASTER 100\n")
        #expect(try said(became(.stop, "lvs", instance: "two")) == "own INSTANCE two STOP 100\n")
        #expect(try said(became(.masterRxLowerPri, "lvs")) == "own GROUP lvs MASTER_RX_LOWER_PRI 0\n")
        #expect(
            try run(text, .notify("n", became(.master, "one", instance: "one"))).map(\.ending) == [.notStarted(ENOKEY)])
    }

    /// What a reload has removed is still told what becomes of it, by the file that had it; nobody else is.
    @Test func tellsWhatAReloadRemoves() throws {
        let notify = "[notify.n]\nexec = ['/bin/true']\n"
        let old = Self.instance + notify + "groups = [\"one\"]\n"
        let new =
            "[instance.two]\ninterface = \"nowhere1\"\nvrid = 9\naddresses = [\"192.0.2.8\"]\n[notify.n]\nexec = ['/bin/false']\n"
        let former = ProgramTable(try Self.configuration(old), ownAccount: nil)
        let table = former.reloaded(try Self.configuration(new))
        #expect(table[.notify("n", became(.deleted, "one"))]?.arguments == ["/bin/true"])
        #expect(table[.notify("n", became(.master, "two"))]?.arguments == ["/bin/false"])
        #expect(table[.notify("n", became(.master, "three"))] == nil)
        #expect(table.reloaded(try Self.configuration(new))[.notify("n", became(.deleted, "one"))] == nil)
    }

    @Test func aProgramFindsItselfAsTheManualSays() throws {
        let script = "pwd; umask; grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | sort -n | head -3"
        let lines = try runOne("/bin/sh", "-c", script).output.split(separator: "\n").map(String.init)
        #expect(lines.prefix(2) == ["/", "0022"])
        #expect(lines.dropFirst(2).prefix(2) == ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"])
        #expect(lines.suffix(3) == ["0", "1", "2"])
    }

    @Test func killsTheWholeGroupWhenTimeIsUp() throws {
        // The child that outlives its parent holds the pipe; it is killed with the group, so the loop ends.
        let result = try runOne("/bin/sh", "-c", "sleep 1000 & sleep 1000", timeout: "50ms")
        #expect(result.ending == .timedOut)
    }

    @Test func aTalkativeProgramEndsAndItsOutputIsBounded() throws {
        let result = try runOne("/bin/sh", "-c", "head -c 3000000 /dev/zero")
        #expect(result.ending == .exited(0))
        #expect(result.output.utf8.count == RunnerLimits.outputBytes)
    }

    @Test func saysWhyAProgramCouldNotBeStarted() throws {
        let result = try runOne("/nonexistent")
        #expect(result.ending == .notStarted(ENOENT))
        #expect("\(result)" == "could not be started: No such file or directory")
    }

    @Test func reportsASignal() throws {
        #expect(try runOne("/bin/sh", "-c", "kill -9 $$").ending == .signalled(SIGKILL))
    }

    /// Processes left behind: those of a check are killed, those of a notify program may stay.
    @Test(arguments: [false, true]) func leavesProcessesBehind(_ isNotify: Bool) throws {
        let script = "sleep 1000 >/dev/null 2>&1 & echo $!"
        let text = Self.file(
            ["own": ["/bin/sh", "-c", script]], more: "[notify.log]\nexec = ['/bin/sh', '-c', '''\(script)''']\n")
        let name = isNotify ? ProgramName.notify("log", became(.master, "one")) : .check("own")
        let output = try #require(try run(text, name).first).output
        let pid = try #require(pid_t(output.split(separator: "\n").joined()))
        // Killed, it is gone or a zombie by the time its leader is reported, and stays alive otherwise.
        var state = "R"
        for _ in 0..<1000 where state != "Z" && state != "" && !isNotify {
            state = status(of: pid)
            usleep(1000)
        }
        #expect((kill(pid, 0) == 0 && status(of: pid) != "Z") == isNotify)
        if isNotify { kill(pid, SIGKILL) }
    }

    /// The letter of /proc/PID/stat; empty: there is none.
    private func status(of pid: pid_t) -> String {
        guard let file = unsafe fopen("/proc/\(pid)/stat", "r") else { return "" }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        let words = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: ")").last?.split(
            separator: " ")
        return words?.first.map(String.init) ?? ""
    }

    // MARK: The boundary

    @Test func runsNothingThatTheFileDoesNotName() throws {
        let text =
            Self.instance
            + "[notify.log]\nexec = [\"/bin/true\"]\ngroups = [\"two\"]\n[instance.two]\ninterface = \"nowhere1\"\nvrid = 9\n"
            + "addresses = [\"192.0.2.8\"]\n"
        let names: [ProgramName] = [
            .check("none"), .notify("none", became(.master, "one")), .notify("log", became(.master, "one")),
            .notify("log", became(.master, "none")), .fence(group: "one"), .fence(group: "none"),
        ]
        for name in names { #expect(try run(text, name).map(\.ending) == [.notStarted(ENOKEY)], "\(name)") }
        #expect(try run(text, .notify("log", became(.master, "two"))).map(\.ending) == [.exited(0)])
    }

    @Test func runsNobodysProgramRatherThanRoots() throws {
        let text = Self.instance + "[notify.log]\nexec = [\"/bin/true\"]\nuser = \"nobody-of-this-name\"\n"
        #expect(try run(text, .notify("log", became(.master, "one"))).map(\.ending) == [.notStarted(ENOKEY)])
    }

    @Test func takesTheFilesProgramsWithAReload() throws {
        let old = Self.file(["old": ["/bin/false"], "both": ["/bin/false"]])
        let new = Self.file(["new": ["/bin/true"], "both": ["/bin/true"]], more: "# another file\n")
        let runner = Runner(socket: try startedRunner(old, next: new), pid: 0)
        let loop = try EventLoop()
        try runner.start(on: loop)
        var said: [String?] = []
        var endings: [ProgramResult.Ending] = []
        // In the order of the requests, as they are answered in turn.
        runner.reread(digest: 1) { said.append($0) }
        runner.run(.check("both")) { endings.append($0.ending) }
        runner.reread(digest: UInt64(new.utf8.count)) { said.append($0) }
        runner.run(.check("old")) { endings.append($0.ending) }
        runner.run(.check("both")) {
            endings.append($0.ending)
            if endings.count == 3 { loop.stop() }
        }
        loop.schedule(atNs: Clock.monotonicNs() + 20_000_000_000) { loop.stop() }
        while endings.count < 3, said.count < 2 { try loop.run() }
        #expect(said.count == 2 && said[0]?.contains("changed while it was read") == true && said[1] == nil)
        #expect(endings.contains(.exited(1)) && endings.contains(.notStarted(ENOKEY)) && endings.contains(.exited(0)))
    }

    /// What a process that somebody has taken over may say; `recv` of its answers is left undone.
    @Test func outlivesWhateverItIsTold() throws {
        let socket = try startedRunner(Self.file(["own": ["/bin/true"]]))
        defer { close(socket) }
        func say(_ bytes: [UInt8]) -> Int { unsafe send(socket, bytes, bytes.count, CInt(MSG_DONTWAIT)) }
        let good = RunnerRequest.run(id: 7, after: 0, .check("own")).encoded()
        for length in 0..<good.count where length > 0 { _ = say(Array(good.prefix(length))) }
        _ = say([UInt8](repeating: 0xff, count: 65536))
        _ = say(good + [UInt8](repeating: 0, count: 64))
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 1...64, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = say(bytes)
        }
        // An answer: all that came before has been read.
        try #require(unsafe send(socket, good, good.count, 0) == good.count)
        var bytes = [UInt8](repeating: 0, count: 4096)
        #expect(unsafe recv(socket, &bytes, bytes.count, 0) > 0)
        // More than finds room: the runner stops to read until its answers are taken, and answers each.
        var sent = 0
        for _ in 0..<100_000 {
            if say(good) < 0 { break }
            sent += 1
        }
        var answered = 0
        while answered < sent {
            let length = unsafe recv(socket, &bytes, bytes.count, 0)
            guard length > 0, case .ended(7, let result) = RunnerReply(bytes.prefix(length)) else { continue }
            #expect(result.ending == .exited(0) || result.ending == .notStarted(EAGAIN))
            answered += 1
        }
        #expect(sent > 100)
    }

    @Test func requestsAndRepliesSurviveTheSocket() throws {
        let v4 = IPAddress(ipv4: 0xc000_0201)
        let requests: [RunnerRequest] = [
            .run(id: 7, after: 3, .check("upstream")),
            .run(id: 1, after: 0, .notify("log", became(.master, "lvs"))),
            .run(id: 1, after: 0, .notify("log", became(.deleted, "lvs", instance: "one"))),
            .run(
                id: 1, after: 0,
                .notify("log", Notification(subject: .init(group: "lvs"), event: .masterRxLowerPri, priority: 7))),
            .run(id: 1, after: 0, .fifoReader("log")), .run(id: 1, after: 0, .fence(group: "lvs")),
            .run(id: .max, after: .max, .acceptFilter),
            .run(id: 1, after: 0, .acceptFilterRemoval), .reread(id: 4, digest: .max), .holdsOnlyWhatIsNamed,
            .keep(LastWord(speaker: .instance("outside"), source: v4, identity: v4)),
            .keep(LastWord(speaker: .heartbeat("cross1"), source: v4, identity: v4)), .farewell,
            .forget(.instance("outside")), .forget(.heartbeat("cross1")),
        ]
        for request in requests {
            let bytes = request.encoded()
            #expect(RunnerRequest(bytes) == request && bytes.count <= RunnerLimits.messageBytes)
            for length in 0..<bytes.count { #expect(RunnerRequest(bytes.prefix(length)) == nil) }
            #expect(RunnerRequest(bytes + [0]) == nil)
        }
        let replies: [RunnerReply] = [
            .ended(id: 9, ProgramResult(.signalled(-1), output: "x")), .ended(id: 9, ProgramResult(.timedOut)),
            .reread(id: 1, complaint: nil), .reread(id: 1, complaint: "file:1:2: no"),
        ]
        for reply in replies { #expect(RunnerReply(reply.encoded()) == reply) }
        let long = RunnerReply.reread(id: 1, complaint: String(repeating: "x", count: 100_000)).encoded()
        #expect(long.count <= RunnerLimits.answerBytes)
    }

    /// The environment of a program holds known words only, and nothing that an attacker adds.
    @Test func aTransitionOfOtherWordsIsNoTransition() {
        let bytes = RunnerRequest.run(id: 1, after: 0, .notify("log", became(.master, "lvs"))).encoded()
        let text = Array("master".utf8)
        let place = bytes.indices.first { bytes[$0...].starts(with: text) } ?? 0
        var other = bytes
        other.replaceSubrange(place..<place + text.count, with: Array("mas\nX=".utf8))
        #expect(place > 0 && RunnerRequest(other) == nil)
    }

    // MARK: Resignations

    @Test func resignsForWhatTheFileNamesAndForNobodyElse() throws {
        let text =
            "[group.lvs]\ninstances = [\"one\"]\nheartbeats = [\"cross\"]\n" + Self.instance
            + "[heartbeat.cross]\ninterface = \"hb0\"\nvrid = 11\npeer-vrid = 21\n"
            + "[instance.bare]\ninterface = \"nowhere2\"\nvrid = 6\naddresses = []\n"
            + "[instance.told]\ninterface = \"nowhere1\"\nvrid = 8\naddresses = [\"192.0.2.8\"]\nunicast-peers = [\"192.0.2.7\"]\n"
        let programs = ProgramTable(try Self.configuration(text), ownAccount: nil)
        let v4 = try #require(IPAddress("192.0.2.77"))
        let v6 = try #require(IPAddress("fe80::77"))
        let advert = try #require(
            programs.resignations(LastWord(speaker: .instance("one"), source: v4, identity: v4)).first)
        #expect(advert.interface == "nowhere0" && advert.address == IPAddress("192.0.2.9"))
        // Version 3, VRID 9, priority 0, behind an IP header of 20 bytes.
        #expect(advert.packet[20...22] == [0x31, 9, 0])
        let heartbeat = try #require(
            programs.resignations(LastWord(speaker: .heartbeat("cross"), source: v6, identity: v6)).first)
        #expect(heartbeat.interface == "hb0" && heartbeat.packet[40...42] == [0x31, 11, 0])
        let others: [(LastWord.Speaker, IPAddress)] = [
            (.instance("one"), v6), (.heartbeat("cross"), v4), (.instance("cross"), v4), (.heartbeat("one"), v6),
            (.instance("told"), v6), (.instance("none"), v4),
        ]
        for (speaker, source) in others {
            #expect(programs.resignations(LastWord(speaker: speaker, source: source, identity: source)).isEmpty)
        }
        // Without addresses nothing in the kernel shows whether it served.
        let bare = programs.resignations(LastWord(speaker: .instance("bare"), source: v4, identity: v4))
        #expect(bare.count == 1 && bare[0].address == nil && bare[0].packet[20...23] == [0x31, 6, 0, 0])
        // Unicast peers are told one by one.
        let told = programs.resignations(LastWord(speaker: .instance("told"), source: v4, identity: v4))
        #expect(told.map { Array($0.packet[16..<20]) } == [[192, 0, 2, 7]])
    }
}
