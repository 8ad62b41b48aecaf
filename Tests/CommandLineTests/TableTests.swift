import Glibc
import Testing

@testable import linkwatch

@Suite struct TableTests {
    private let table = Table(
        columns: [Table.Column(title: "NAME"), Table.Column(title: "N", isRight: true), Table.Column(title: "WHY")],
        rows: [[Cell("eth0"), Cell("12345"), .none], [Cell("longer-name"), Cell("1"), Cell("mii", .bad)]])

    @Test func columnsLineUp() {
        #expect(
            table.lines(width: nil, palette: .plain) == [
                "NAME             N  WHY",
                "eth0         12345  -",
                "longer-name      1  mii",
            ])
    }

    @Test func aNarrowTerminalGetsOneBlank() {
        #expect(table.lines(width: 23, palette: .plain).last == "longer-name      1  mii")
        #expect(table.lines(width: 22, palette: .plain).last == "longer-name     1 mii")
    }

    @Test func colourAddsNoWidth() {
        let painted = table.lines(width: nil, palette: Palette(isColoured: true))
        #expect(painted[2] == "longer-name      1  \u{1b}[1;31mmii\u{1b}[0m")
        #expect(painted[1].hasPrefix("eth0         12345  "))
    }

    /// Wide characters take two columns, marks that combine none.
    @Test func wideCharactersLineUp() {
        unsafe setlocale(LC_CTYPE, "C.UTF-8")
        let table = Table(
            columns: [Table.Column(title: "NAME"), Table.Column(title: "WHY")],
            rows: [[Cell("網路"), Cell("mii")], [Cell("e\u{301}th"), Cell("mii")], [Cell("eth0"), Cell("mii")]])
        #expect(
            table.lines(width: nil, palette: .plain) == ["NAME  WHY", "網路  mii", "e\u{301}th   mii", "eth0  mii"])
    }

    /// On a terminal that is too narrow each row is a paragraph, and no line is longer than the terminal is wide.
    @Test func aTableThatIsTooWideBecomesParagraphs() {
        #expect(
            table.lines(width: 20, palette: .plain) == [
                "eth0", "  n 12345", "longer-name", "  n 1  why mii",
            ])
        #expect(table.lines(width: 13, palette: .plain) == ["eth0", "  n 12345", "longer-name", "  n 1", "  why mii"])
    }

    @Test func anEmptyTableIsNothing() {
        #expect(Table(columns: table.columns).lines(width: nil, palette: .plain).isEmpty)
    }

    /// The kernel takes such a name.
    @Test func aNameCannotDriveTheTerminal() {
        #expect(
            Cell("e\u{1b}[2Jth\u{7f}\u{9b}0\u{202e}\u{2028}").text == #"e\x1b[2Jth\x7f\u009b0\u202e\u2028"#)
        #expect(Palette(isColoured: true).paint("\u{1b}[0m", .bad) == "\u{1b}[1;31m\\x1b[0m\u{1b}[0m")
    }
}
