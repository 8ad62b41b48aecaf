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

    @Test func anEmptyTableIsNothing() {
        #expect(Table(columns: table.columns).lines(width: nil, palette: .plain).isEmpty)
    }

    /// The kernel takes such a name.
    @Test func aNameCannotDriveTheTerminal() {
        #expect(Cell("e\u{1b}[2Jth\u{7f}\u{9b}0\u{202e}").text == "e?[2Jth??0?")
    }
}
