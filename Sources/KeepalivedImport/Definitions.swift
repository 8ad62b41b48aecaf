/// keepalived's definitions: `$NAME=text`, on several lines with a backslash at the end of each but the last, used as `$NAME` or
/// `${NAME}`. Those that it brings along may take parameters, `${_RANDOM 1 10}`.
///
/// A definition may be used before the words it is made of are known: what it says is replaced again and again until no
/// definition is left. So `$A=$A` never ends; keepalived hangs, and here it is an error.
struct Definitions {
    enum BuiltIn {
        /// The folder of the file that is read.
        case folder
        /// The text of `--config-id`.
        case instance
        /// A number between two bounds, 0 and 32767 unless they are given.
        case random
        /// A variable of the environment.
        case environment

        /// How many parameters it takes.
        var parameters: ClosedRange<Int> {
            switch self {
            case .folder, .instance: 0...0
            case .random: 0...2
            case .environment: 1...1
            }
        }
    }

    private struct Definition {
        /// The lines are separated by newlines.
        var value: [UInt8]
        var hasLines = false
        var builtIn: BuiltIn?
    }

    /// A use of a definition in a line.
    private struct Use {
        var name: String
        var definition: Definition
        var parameters: [String]
        /// From the dollar on.
        var range: Range<Int>
    }

    /// `MAXBUF` of lib/parser.h, without the byte that ends the text.
    static let longestLine = 1023
    private static let mostReplacements = 200

    private var definitions: [String: Definition] = [
        "_PWD": Definition(value: [], builtIn: .folder), "_INSTANCE": Definition(value: [], builtIn: .instance),
        "_RANDOM": Definition(value: [], builtIn: .random), "_ENV": Definition(value: [], builtIn: .environment),
        "_HASH": Definition(value: [UInt8(ascii: "#")]), "_BANG": Definition(value: [UInt8(ascii: "!")]),
    ]

    /// Sets one that stays on one line, such as the variable of a sequence.
    mutating func set(_ name: String, _ value: [UInt8]) {
        var definition = definitions[name] ?? Definition(value: [])
        definition.value = value
        definition.builtIn = nil
        definitions[name] = definition
    }

    /// Reads `$NAME=text`.
    ///
    /// - Returns: the name, and whether more lines follow; nil: it is no definition.
    mutating func define(_ line: [UInt8]) -> (name: String, continues: Bool)? {
        guard line.count > 1, line[0] == .dollar, line[1].isName, !line[1].isDigit else { return nil }
        var index = 1
        while index < line.count, line[index].isName { index += 1 }
        guard index < line.count, line[index] == UInt8(ascii: "=") else { return nil }
        let name = line[1..<index].text
        var value = [UInt8](line[line.afterBlanks(index + 1)...])
        let continues = value.last == .backslash
        if continues {
            value.removeLast()
            value.trimBlanksAtEnd()
            if !value.isEmpty { value.append(.newline) }
        }
        definitions[name] = Definition(value: value, hasLines: continues)
        return (name, continues)
    }

    /// Adds a line to one that goes on.
    ///
    /// - Returns: whether more lines follow.
    mutating func extend(_ name: String, _ line: [UInt8]) -> Bool {
        var line = line
        let continues = line.last == .backslash
        if continues {
            line.removeLast()
            line.trimBlanksAtEnd()
            if !line.isEmpty { line.append(.newline) }
        }
        definitions[name]?.value += line
        if !continues { endLines(of: name) }
        return continues
    }

    /// No more lines follow: one that has none after all stays on one line.
    mutating func endLines(of name: String) {
        if definitions[name]?.value.isEmpty ?? false { definitions[name]?.hasLines = false }
    }

    /// Replaces the definitions in a line, until none is left.
    ///
    /// - Parameter rest: set to the lines that follow, if one of several lines was used.
    /// - Returns: whether there was any.
    mutating func replace(
        in line: inout [UInt8], rest: inout [UInt8]?, at place: SourceLine, builtIn: (BuiltIn, [String]) -> String?
    ) throws(Refusal) -> Bool {
        var index = 0
        var replaced = 0
        while index + 1 < line.count {
            guard line[index] == .dollar, let use = use(in: line, at: index) else {
                index += 1
                continue
            }
            replaced += 1
            var value = use.definition.value
            if let kind = use.definition.builtIn { value = [UInt8]((builtIn(kind, use.parameters) ?? "").utf8) }
            if use.definition.hasLines {
                let end = value.first(of: [.newline], from: 0)
                rest = end < value.count ? [UInt8](value[(end + 1)...]) : nil
                value.removeSubrange(end...)
            }
            line.replaceSubrange(use.range, with: value)
            guard line.count <= Self.longestLine, replaced <= Self.mostReplacements else {
                throw Refusal(
                    line: place, subject: "$\(use.name)",
                    text: "the definition refers to itself, or makes a line of more than \(Self.longestLine) bytes: "
                        + "keepalived hangs or drops it")
            }
            // keepalived looks no further in a line that has become a sequence.
            if value.afterBlanks(0) < value.count, value[value.afterBlanks(0)] == UInt8(ascii: "~") { break }
        }
        return replaced > 0
    }

    /// The use that begins with the dollar at `index`; nil: it is an ordinary dollar.
    private func use(in line: [UInt8], at index: Int) -> Use? {
        var next = index + 1
        let hasBraces = line[next] == .openBrace
        if hasBraces { next += 1 }
        let start = next
        guard next < line.count, line[next].isName, !line[next].isDigit else { return nil }
        while next < line.count, line[next].isName { next += 1 }
        let name = line[start..<next].text
        let endOfName = next
        var parameters: [String] = []
        if hasBraces {
            while next < line.count, line[next].isBlank || line[next].isName { next += 1 }
            let text = line[endOfName..<next]
            if let last = text.last, last.isBlank, !text.allSatisfy(\.isBlank) { return nil }
            parameters = text.split { $0.isBlank }.map(\.text)
            guard next < line.count, line[next] == .closeBrace else { return nil }
            next += 1
        } else if next < line.count, ![0x20, 0x09, .comma, .closeParenthesis].contains(line[next]) {
            return nil
        }
        guard let definition = definitions[name] else { return nil }
        // One of several lines has to end the line it is used in.
        let endsLine = next == line.count && (!hasBraces || next == endOfName + 1)
        guard endsLine || !definition.hasLines else { return nil }
        if !parameters.isEmpty {
            guard let kind = definition.builtIn, kind.parameters.contains(parameters.count) else { return nil }
            if kind == .random, !parameters.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) }) { return nil }
        }
        return Use(name: name, definition: definition, parameters: parameters, range: index..<next)
    }
}
