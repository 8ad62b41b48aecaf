/// Columns that line up: as wide as their widest cell, two blanks apart, one where the terminal is too narrow for two.
///
/// Nothing is cut off and nothing is left out: on a terminal that is narrower still, lines wrap.

/// One field of a table.
struct Cell {
    var text: String
    var style: Style

    /// What stands where there is nothing to say, so that every row has as many words as its heading.
    static let none = Cell("-", .faint)

    /// - Parameter text: control characters are replaced.
    init(_ text: String, _ style: Style = .plain) {
        self.text = text.printable
        self.style = style
    }
}

struct Table {
    struct Column {
        var title: String
        /// Numbers stand to the right.
        var isRight = false
    }

    var columns: [Column]
    var rows: [[Cell]] = []

    /// The heading and the rows; without rows, nothing.
    ///
    /// - Parameter width: that of the terminal; nil: not on one.
    func lines(width: Int?, palette: Palette) -> [String] {
        guard !rows.isEmpty else { return [] }
        let heading = columns.map { Cell($0.title, .heading) }
        let all = [heading] + rows
        let widths = columns.indices.map { index in all.map { $0[index].text.count }.max() ?? 0 }
        let fits = widths.reduce(0, +) + 2 * (columns.count - 1) <= width ?? .max
        return all.map { line($0, widths, gap: fits ? "  " : " ", palette) }
    }

    private func line(_ cells: [Cell], _ widths: [Int], gap: String, _ palette: Palette) -> String {
        let lastIndex = columns.count - 1
        return cells.enumerated().map { index, cell in
            let painted = palette.paint(cell.text, cell.style)
            // Nothing follows the last cell, so nothing pads it.
            guard index < lastIndex || columns[index].isRight else { return painted }
            let padding = String(repeating: " ", count: widths[index] - cell.text.count)
            return columns[index].isRight ? padding + painted : painted + padding
        }.joined(separator: gap)
    }
}
