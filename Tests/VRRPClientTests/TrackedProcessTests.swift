/// What a tracked process is called, in the file and by the kernel; real ones are in `Tests/namespaces`.
import Configuration
import Testing

@testable import VRRPClient

@Suite struct TrackedProcessTests {
    @Test(arguments: [
        ("haproxy", "haproxy", "anything", true),
        ("haproxy", "haproxy2", "haproxy", false),
        ("haproxy", "hapro", "haproxy", false),
        ("Web Content", "Web Content", "", true),
        // As long as comm can be, and longer.
        ("fifteen-letters", "fifteen-letters", "", true),
        ("fifteen-letters-", "fifteen-letters", "/bin/fifteen-letters-", true),
        ("fifteen-letters-", "fifteen-letters", "fifteen-letters-", true),
        ("fifteen-letters-", "fifteen-letters", "fifteen-letters", false),
        ("fifteen-letters-", "fifteen-letters", "", false),
        ("fifteen-letters-", "something else", "fifteen-letters-", false),
        ("/usr/sbin/haproxy", "anything", "/usr/sbin/haproxy", true),
        ("/usr/sbin/haproxy", "haproxy", "haproxy", false),
        ("/usr/sbin/haproxy", "haproxy", "/usr/sbin/haproxy2", false),
    ])
    func nameIsCompared(name: String, comm: String, argument: String, isSame: Bool) {
        let wanted = ProcessName(name)
        #expect((wanted.matches(comm: Array(comm.utf8)) && wanted.matches(argument: Array(argument.utf8))) == isSame)
    }

    private func tracks(_ track: String) throws -> [VRRPConfiguration.Track] {
        let text = "[instance.a]\ninterface = \"e0\"\nvrid = 1\naddresses = [\"192.0.2.1\"]\ntrack = [\(track)]\n"
        return try VRRPConfiguration(text: Array(text.utf8), file: "a file").groups[0].tracks
    }

    @Test func fileNamesProcesses() throws {
        let read = try tracks(
            "\"process:haproxy\", { process = \"/bin/x\", at-least = 3, weight = -5 }, { process = \"y\" }")
        #expect(
            read.map(\.object) == [
                .process("haproxy", atLeast: 1), .process("/bin/x", atLeast: 3), .process("y", atLeast: 1),
            ])
        #expect(read.map(\.name) == ["process:haproxy", "process:/bin/x", "process:y"])
        #expect(read.map(\.weight) == [nil, -5, nil])
    }

    @Test(arguments: [
        ("\"process:\"", "5:10: track[0]"), ("\"process:bin/x\"", "5:10: track[0]"),
        ("{ file = \"/\" }", "file = \"/\": expected the absolute path of a file"),
        ("{ file = \"/tmp/\" }", "expected the absolute path of a file"),
        ("{ file = \"/tmp/..\" }", "expected the absolute path of a file"),
        ("\"file:/tmp/.\"", "track[0] = \"file:/tmp/.\": expected"),
        ("{ process = \"/bin/\" }", "the name of a process, or an absolute path, of at most 255 bytes"),
        ("{ process = \"a\\nb\" }", "the name of a process"),
        ("{ process = \"x\", at-least = 0 }", "from 1 to 1024"),
        ("{ link = \"e1\", at-least = 2 }", "at-least without process"),
        ("\"process:x\", { process = \"x\", at-least = 2 }", "process:x is tracked already (line 5)"),
    ])
    func fileIsRefused(track: String, complaint: String) {
        #expect {
            try tracks(track)
        } throws: { error in
            (error as? ConfigurationRefused)?.description.contains(complaint) ?? false
        }
    }
}
