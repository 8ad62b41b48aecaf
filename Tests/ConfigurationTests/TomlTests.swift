import CToml
import Glibc
import Testing

@testable import Configuration

private func parse(_ text: String) throws -> TomlNode { try TomlNode.parse(Array(text.utf8), file: "x") }

private func entries(_ node: TomlNode) -> [TomlNode.Entry] {
    if case .table(let entries) = node.value { entries } else { [] }
}

@Suite struct TomlTests {
    @Test func keysComeInTheOrderOfTheFileWithTheirPlaces() throws {
        let root = try parse("zebra = 1\n\n[b]\n  inner = \"x\"\n[a.dotted]\ny = [ true,\n  2.5 ]\n")
        let top = entries(root)
        #expect(top.map(\.key) == ["zebra", "b", "a"])
        #expect(top.map(\.keyPosition.line) == [1, 3, 5])
        #expect(top[0].node.position == SourcePosition(line: 1, column: 9))
        let inner = entries(top[1].node)[0]
        #expect(inner.keyPosition == SourcePosition(line: 4, column: 3))
        #expect(inner.node.position == SourcePosition(line: 4, column: 11))
        let dotted = entries(top[2].node)[0]
        guard case .array(let elements) = entries(dotted.node)[0].node.value else {
            Issue.record("no array")
            return
        }
        #expect(elements.map(\.position.line) == [6, 7])
        guard case .boolean(true) = elements[0].value, case .float(2.5) = elements[1].value else {
            Issue.record("wrong elements")
            return
        }
    }

    @Test func textIsUTF8() throws {
        guard case .string(let text) = entries(try parse("k = \"gr\u{fc}n \\u00df\"\n"))[0].node.value else {
            Issue.record("no string")
            return
        }
        #expect(text == "gr\u{fc}n \u{df}")
    }

    @Test func anEmptyFileIsAnEmptyTable() throws { #expect(try entries(parse("")).isEmpty) }

    @Test(arguments: [
        ("a = 1\nb = \n", "2:"), ("a = 1\na = 2\n", "2:"), ("[a]\n[a]\n", "2:"), ("a = 'x\n", "1:"), ("\u{1}", "1:"),
        ("a = 1 b = 2", "1:"), ("a = 99999999999999999999", "1:"),
    ])
    func whatIsNotTomlIsRefusedWithItsPlace(text: String, place: String) {
        let found = mistakes { try parse(text) }
        expect(found, ["\(place) ... not valid TOML: "])
    }

    /// toml++ asserts on these.
    @Test(arguments: ["[ = 1", "[ = 1\n", "[.a]\n", "[\n", "[ ", "[[ = 1"])
    func whatConfusesTheParserIsRefusedWithItsLine(text: String) {
        expect(mistakes { try parse("a = 1\n\n" + text) }, ["3: ... not valid TOML: "])
        expect(mistakes { try parse("a = 1\n\n" + text + "\n[b]\nc = 1\n") }, ["3: ... not valid TOML: "])
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        let found = mistakes { try TomlNode.parse(Array("a = \"".utf8) + [0xff, 0xfe] + Array("\"".utf8), file: "x") }
        expect(found, ["1: ... not valid TOML"])
    }

    @Test func nestingIsBounded() {
        func nested(_ depth: Int) -> String {
            "a = " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(mistakes { try parse(nested(10)) }.isEmpty)
        #expect(mistakes { try parse(nested(20)) }.count == 1)
        #expect(mistakes { try parse(nested(100_000)) }.count == 1)
    }

    @Test(arguments: ["[KEY]\n", "KEY = 1\n", "x = { KEY = 1 }\n", "KEY . \"q\".b = 1\n"])
    func dottedKeysAreBounded(template: String) {
        func text(_ parts: Int) -> String {
            "# a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r\n"
                + template.replacing("KEY", with: Array(repeating: "a", count: parts).joined(separator: "."))
        }
        #expect(mistakes { try parse(text(10)) }.isEmpty)
        expect(mistakes { try parse(text(20)) }, ["2:1: ... a key has more than 16 parts"])
        #expect(mistakes { try parse(text(200_000)) }.count == 1)
    }

    @Test func dotsInsideStringsAndCommentsAreNoKeys() throws {
        let dots = String(repeating: "a.", count: 40)
        let text = """
            a = "\(dots)\\"\(dots)" # \(dots)
            b = '\(dots)'
            c = \"\"\"
            \(dots) "" \(dots)\"\"\"
            d = '''\(dots)'''
            e = ["192.0.2.1", "192.0.2.2", 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
            """
        #expect(try entries(parse(text)).count == 5)
    }

    @Test func longFilesAreRefused() {
        let long = [UInt8](repeating: UInt8(ascii: "\n"), count: ConfigurationText.bytesMax + 1)
        expect(mistakes { try TomlNode.parse(long, file: "x") }, ["0:0: ... larger than 1 MiB"])
    }

    @Test func filesThatCannotBeReadSayWhy() {
        for acceptsPipe in [false, true] {
            let found = mistakes { try TomlNode.load("/nonexistent/linkwatchd.toml", acceptsPipe: acceptsPipe) }
            expect(found, ["0:0: cannot be read: No such file or directory"])
        }
    }

    /// None of them is opened, so none of them can be waited for.
    @Test func whatIsNoRegularFileIsRefused() throws {
        let folder = temporaryFolder()
        defer { unsafe rmdir(folder) }
        let (fifo, long, null) = ("\(folder)/fifo", "\(folder)/long", "\(folder)/null")
        defer { for path in [fifo, long, null] { unsafe unlink(path) } }
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        #expect(unsafe symlink("/dev/null", null) == 0)
        // A hole: nothing of it is read.
        #expect(unsafe close(creat(long, 0o600)) == 0 && truncate(long, 1 << 40) == 0)
        for acceptsPipe in [false, true] {
            func refusal(_ path: String) -> [String] {
                mistakes { try TomlNode.load(path, acceptsPipe: acceptsPipe) }
            }
            expect(refusal("/"), ["0:0: is a directory: expected a regular file"])
            expect(refusal(fifo), ["0:0: is a FIFO: expected a regular file"])
            expect(refusal("/dev/zero"), ["0:0: is a device: expected a regular file"])
            expect(refusal(long), ["0:0: is too long: expected at most 1 MiB"])
            expect(refusal(null), [])
        }
    }

    /// A pipe that was handed over is read to its end by who can wait, and refused by who cannot.
    @Test func aPipeThatIsOpenMayBeRead() throws {
        var ends: [CInt] = [-1, -1]
        #expect(unsafe pipe(&ends) == 0)
        defer { close(ends[0]) }
        let text = Array("a = 1\n".utf8)
        #expect(unsafe write(ends[1], text, text.count) == text.count)
        close(ends[1])
        let path = "/dev/fd/\(ends[0])"
        expect(mistakes { try TomlNode.load(path, acceptsPipe: false) }, ["0:0: is a FIFO: expected a regular file"])
        #expect(try entries(TomlNode.load(path, acceptsPipe: true)).map(\.key) == ["a"])
    }

    private func temporaryFolder() -> String {
        var template = Array("/tmp/linkwatch-XXXXXX".utf8CString)
        return unsafe String(cString: mkdtemp(&template))
    }
}

@Suite struct DurationTextTests {
    @Test(arguments: [
        ("1ns", 1), ("5us", 5000), ("100ms", 100_000_000), ("1.5s", 1_500_000_000), ("2 min", 120_000_000_000),
        ("1h", 3_600_000_000_000), ("0s", 0), ("0.1s", 100_000_000), ("0.000000001s", 1), ("0.5us", 500),
    ])
    func reads(text: String, ns: Int64) { #expect(DurationText.parse(text) == ns) }

    @Test(arguments: [
        "", "1", "s", "-1s", "+1s", "1.s", ".5s", "1..5s", "1.2.3s", "1 S", "1sec", "1s ", " 1s", "0.5ns", "1m", "1d",
        "99999999999999999999s", "9223372037s", "9999999999999h", "0.0000000001s", "1\u{0}s", "\u{661}s", "1e3s",
    ])
    func refuses(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test(arguments: [
        (0, "0s"), (1, "1ns"), (1500, "1500ns"), (60_000_000_000, "1min"), (90_000_000_000, "90s"),
        (10_000_000, "10ms"), (3_600_000_000_000, "1h"),
    ])
    func writes(ns: Int64, text: String) { #expect(DurationText.format(ns) == text) }

    @Test func readsWhatItWrites() {
        for ns: Int64 in [1, 999, 1000, 1001, 60_000_000_001, 7_200_000_000_000, .max] {
            #expect(DurationText.parse(DurationText.format(ns)) == ns)
        }
    }
}

@Suite struct NameTests {
    @Test(arguments: [
        ("intreval", "interval"), ("interfce", "interface"), ("adresses", "addresses"), ("Vrid", "vrid"),
    ])
    func suggestsWhatWasMeant(typed: String, meant: String) {
        #expect(nearestName(to: typed, among: ["interval", "interface", "addresses", "vrid"]) == meant)
    }

    @Test func suggestsNothingFarAway() {
        #expect(nearestName(to: "colour", among: ["interval", "vrid"]) == nil)
        #expect(nearestName(to: String(repeating: "x", count: 100_000), among: ["interval"]) == nil)
    }

    @Test func interfaceNamesAreTheKernels() {
        for name in ["eth0", "br-lan", "a", "eth0.100", "123456789012345", "veth@x"] { #expect(isInterfaceName(name)) }
        for name in ["", ".", "..", "a/b", "a:b", "a b", "1234567890123456", "a\n", "v%d", "all", "default"] {
            #expect(!isInterfaceName(name))
        }
    }
}
