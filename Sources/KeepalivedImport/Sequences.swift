/// keepalived's loops: `~SEQ(var, first, step, last) text` and `~LST({a, b}, {1, 2}, {3, 4}) text`. The text is read once for
/// each value, with the definitions of these names set. Loops may stand in each other.
struct Loop {
    /// What each round sets.
    private var names: [String]
    private var rounds: Rounds
    /// What is read in each round.
    let text: [UInt8]

    private enum Rounds {
        case numbers(next: Int, step: Int, last: Int, isHexadecimal: Bool)
        case lists([[String]], next: Int)
    }

    /// The definitions of the next round; `isOver` says that it was the last.
    mutating func advance() -> (definitions: [(name: String, value: String)], isOver: Bool) {
        switch rounds {
        case .numbers(let next, let step, let last, let isHexadecimal):
            let (following, overflow) = next.addingReportingOverflow(step)
            let isOver = overflow || (step > 0 && following > last) || (step < 0 && following < last)
            rounds = .numbers(next: following, step: step, last: last, isHexadecimal: isHexadecimal)
            return ([(names[0], String(next, radix: isHexadecimal ? 16 : 10))], isOver)
        case .lists(let values, let next):
            rounds = .lists(values, next: next + 1)
            return (Array(zip(names, values[next])), next + 1 >= values.count)
        }
    }

    // MARK: ~SEQ

    /// Reads `~SEQ(var, last)`, `~SEQ(var, first, last)`, `~SEQ(var, first, step, last)`; `~SEQx` counts in hexadecimal.
    ///
    /// - Parameter expand: replaces definitions in the numbers; nil if that would take more than one line.
    /// - Returns: nil: it is none that keepalived understands.
    static func numbers(_ line: [UInt8], expand: ([UInt8]) throws(Refusal) -> [UInt8]?) throws(Refusal) -> Loop? {
        var index = 4
        let isHexadecimal = line.has("x", at: index)
        if isHexadecimal { index += 1 }
        index = line.afterBlanks(index)
        guard index < line.count, line[index] == .openParenthesis else { return nil }
        let start = line.afterBlanks(index + 1)
        let end = line.first(of: [0x20, 0x09, .comma, .closeParenthesis], from: start)
        index = line.afterBlanks(end)
        guard index < line.count, line[index] != .closeParenthesis, end > start, line[start] != .openBrace else {
            return nil
        }
        let close = line.first(of: [.closeParenthesis], from: index)
        guard close < line.count, let numbers = try expand([UInt8](line[(index + 1)..<close])) else { return nil }
        let parts = numbers.split(separator: .comma, omittingEmptySubsequences: false).map { number($0.text) }
        let values = parts.compactMap { $0 }
        guard values.count == parts.count else { return nil }
        let first: Int, step: Int, last: Int
        switch values.count {
        case 1: (first, step, last) = (values[0] < 0 ? -1 : 1, values[0] < 1 ? -1 : 1, values[0])
        case 2: (first, step, last) = (values[0], values[0] <= values[1] ? 1 : -1, values[1])
        case 3:
            (first, step, last) = (values[0], values[1], values[2])
            guard step != 0, !(first < last && step < 0), !(first > last && step > 0) else { return nil }
        default: return nil
        }
        guard !isHexadecimal || (first >= 0 && last >= 0) else { return nil }
        return Loop(
            names: [line[start..<end].text],
            rounds: .numbers(next: first, step: step, last: last, isHexadecimal: isHexadecimal),
            text: [UInt8](line[line.afterBlanks(close + 1)...]))
    }

    /// As strtol(3) with base 0 reads it: `10`, `0x1f`, `017`.
    private static func number(_ text: String) -> Int? {
        let trimmed = text.split { $0 == " " || $0 == "\t" }
        guard trimmed.count == 1, let word = trimmed.first else { return nil }
        let isNegative = word.hasPrefix("-")
        let digits = word.drop { $0 == "-" || $0 == "+" }
        guard word.count - digits.count <= 1 else { return nil }
        let magnitude =
            digits.lowercased().hasPrefix("0x")
            ? Int(digits.dropFirst(2), radix: 16)
            : digits.hasPrefix("0") && digits.count > 1 ? Int(digits.dropFirst(), radix: 8) : Int(digits)
        return magnitude.map { isNegative ? -$0 : $0 }
    }

    // MARK: ~LST

    /// Reads `~LST(var, 1, 2, 3)` and `~LST({a, b}, {1, 2}, {3, 4})`; a value that is left out is empty.
    ///
    /// - Returns: nil: it is none that keepalived understands.
    static func lists(_ line: [UInt8]) -> Loop? {
        var index = line.afterBlanks(4)
        guard index < line.count, line[index] == .openParenthesis else { return nil }
        index = line.afterBlanks(index + 1)
        guard let names = items(line, &index, endsAtParenthesis: false) else { return nil }
        var rounds: [[String]] = []
        repeat {
            guard index < line.count, line[index] == .comma else { return nil }
            index = line.afterBlanks(index + 1)
            guard var values = items(line, &index, endsAtParenthesis: true), values.count <= names.count else {
                return nil
            }
            while values.count < names.count { values.append("") }
            rounds.append(values)
            guard index < line.count else { return nil }
        } while line[index] != .closeParenthesis
        return Loop(
            names: names, rounds: .lists(rounds, next: 0), text: [UInt8](line[line.afterBlanks(index + 1)...]))
    }

    /// One item, or several in braces; leaves `index` behind them and the blanks that follow.
    private static func items(_ line: [UInt8], _ index: inout Int, endsAtParenthesis: Bool) -> [String]? {
        let hasBraces = index < line.count && line[index] == .openBrace
        if hasBraces { index = line.afterBlanks(index + 1) }
        var items: [String] = []
        let separators: [UInt8] = [0x20, 0x09, .comma, .closeBrace] + (endsAtParenthesis ? [.closeParenthesis] : [])
        while true {
            let end = line.first(of: separators, from: index)
            items.append(line[index..<end].text)
            index = line.afterBlanks(end)
            guard index < line.count else { return nil }
            if hasBraces, line[index] == .closeBrace {
                index = line.afterBlanks(index + 1)
                return items
            }
            if !hasBraces, line[index] == .comma || (endsAtParenthesis && line[index] == .closeParenthesis) {
                return items
            }
            guard line[index] == .comma else { return nil }
            index = line.afterBlanks(index + 1)
        }
    }
}
