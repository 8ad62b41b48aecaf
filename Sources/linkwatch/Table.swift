/// Columns that line up: as wide as their widest cell, two blanks apart, one where the terminal is too narrow for two.
///
/// On a terminal that is narrower still, each row becomes a paragraph: its first cell, and below it the others with their
/// titles. Nothing is cut off, and nothing is left out but what has nothing to say.

import LinuxSystem

/// One field of a table.
struct Cell {
    var text: String
    var style: Style

    /// Fills an empty cell, so that every row has as many words as the heading.
    static let none = Cell("-", .faint)
    var isNone: Bool { text == Self.none.text }

    /// - Parameter text: what would drive the terminal is escaped.
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
        let widths = columns.indices.map { index in all.map { $0[index].text.columns }.max() ?? 0 }
        let leastWidth = widths.reduce(0, +) + columns.count - 1
        guard leastWidth <= width ?? .max else { return rows.flatMap { paragraph($0, width: width ?? .max, palette) } }
        let hasRoom = leastWidth + columns.count - 1 <= width ?? .max
        return all.map { line($0, widths, gap: hasRoom ? "  " : " ", palette) }
    }

    /// A row of a table that is too wide, as many cells a line as fit.
    private func paragraph(_ cells: [Cell], width: Int, _ palette: Palette) -> [String] {
        var lines = [palette.paint(cells[0].text, .heading)]
        var used = Int.max
        for (column, cell) in zip(columns, cells).dropFirst() where !cell.isNone {
            let title = column.title.lowercased()
            let length = title.columns + 1 + cell.text.columns
            let entry = palette.paint(title, .faint) + " " + palette.paint(cell.text, cell.style)
            if used <= width, used + 2 + length <= width {
                lines[lines.count - 1] += "  " + entry
                used += 2 + length
            } else {
                lines.append("  " + entry)
                used = 2 + length
            }
        }
        return lines
    }

    private func line(_ cells: [Cell], _ widths: [Int], gap: String, _ palette: Palette) -> String {
        let lastIndex = columns.count - 1
        return cells.enumerated().map { index, cell in
            let painted = palette.paint(cell.text, cell.style)
            // Nothing follows the last cell, so nothing pads it.
            guard index < lastIndex || columns[index].isRight else { return painted }
            let padding = String(repeating: " ", count: widths[index] - cell.text.columns)
            return columns[index].isRight ? padding + painted : painted + padding
        }.joined(separator: gap)
    }
}
