import Testing

@testable import LinuxSystem

@Suite struct OptionsTests {
    private let table = [
        Option("socket", value: "PATH", help: "where to listen"), Option("version", help: "prints the version"),
    ]

    @Test func bothSpellingsAreTaken() throws {
        #expect(try Options(["--socket", "/a=b", "--version"], table: table)["socket"] == "/a=b")
        #expect(try Options(["--socket=/a=b"], table: table)["socket"] == "/a=b")
        #expect(try !Options([], table: table).has("version"))
    }

    @Test(arguments: [
        (["--sokcet", "x"], "unknown option --sokcet; --help lists them"),
        (["--socket"], "--socket needs a value: --socket PATH"),
        (["--socket="], "--socket needs a value: --socket PATH"),
        (["--socket", "", "--version"], "--socket needs a value: --socket PATH"),
        (["--version=2"], "--version takes no value"),
        (["--socket=a", "--socket=b"], "--socket is given twice"),
        (["start"], "unexpected argument 'start'; options begin with --"),
        (["--"], "unexpected argument '--'; options begin with --"),
    ]) func theRestIsRefused(arguments: [String], message: String) {
        #expect(throws: UsageError(message)) { try Options(arguments, table: table) }
    }

    @Test func theHelpIsAligned() {
        #expect(
            Options.help(table) == "  --socket PATH   where to listen\n  --version       prints the version\n")
    }
}
