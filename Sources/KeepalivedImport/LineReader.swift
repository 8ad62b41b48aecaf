/// The first stage: keepalived's files as a sequence of lines that only the keywords' readers still have to understand. It
/// is `read_line` of keepalived's lib/parser.c, rule for rule, since files exist that depend on each of them.
///
/// Comments are gone, conditions (`@id`) decided, definitions (`$X`) replaced, loops (`~SEQ`, `~LST`) unrolled, included files
/// read in place, and a brace that opens or closes a block stands on a line of its own.
struct LineReader {
    struct Line {
        var text: [UInt8]
        var place: SourceLine
    }

    /// Limits of what an import reads. The largest configuration that we have seen is 44 kB.
    enum Limits {
        /// One file, bytes.
        static let file = 1_048_576
        /// All files, bytes.
        static let all = 4_194_304
        static let files = 1000
        static let depth = 32
        /// Lines after loops are unrolled.
        static let lines = 100_000
        static let loops = 32
        /// What the braces of one `include` may stand for.
        static let alternatives = 1000
    }

    private struct OpenFile {
        var name: String
        var lines: [ArraySlice<UInt8>]
        /// How many have been read.
        var number = 0
        /// The other files that the pattern matched.
        var following: ArraySlice<String>
        /// The directive to name in the complaint if one of `following` cannot be read.
        var complaint: IncludeKind
    }

    /// Which files have to be there: `include` asks for none, the others for some (`include_t` of lib/parser.c).
    private struct IncludeKind: OptionSet {
        let rawValue: Int
        static let readable = IncludeKind(rawValue: 1)
        static let named = IncludeKind(rawValue: 2)
        static let matched = IncludeKind(rawValue: 4)
        static let everyBrace = IncludeKind(rawValue: 8)
    }

    private let surroundings: Surroundings
    private let configID: String?
    private let findings: Findings
    private var definitions = Definitions()
    private var files: [OpenFile] = []
    private var loops: [Loop] = []
    /// Lines of a definition that are still to be read, and those of the definitions it was used in.
    private var rest: [UInt8]?
    private var outerRests: [(rest: [UInt8], loopsBefore: Int)] = []
    /// Loops that were there before the definition that is read: they wait until it ends.
    private var loopsBefore = 0
    /// What followed a brace on the last line.
    private var residue: [UInt8]?
    private var read = (bytes: 0, files: 0, lines: 0)

    /// Opens the file.
    ///
    /// - Throws: if it cannot be read, or is no text.
    init(path: String, configID: String?, surroundings: Surroundings, findings: Findings) throws(Refusal) {
        self.surroundings = surroundings
        self.configID = configID
        self.findings = findings
        let whole = SourceLine(file: path, number: 0)
        switch surroundings.read(path, Limits.file) {
        case .text(let text): try open(path, text, following: [], .readable)
        case .absent: throw Refusal(line: whole, subject: "file", text: Self.absent)
        case .notPlain: throw Refusal(line: whole, subject: "file", text: "it is no plain file without an execute bit")
        case .unreadable(let why): throw Refusal(line: whole, subject: "file", text: why)
        }
    }

    static let absent = "no such file"

    /// Where the last line came from.
    var place: SourceLine {
        files.last.map { SourceLine(file: $0.name, number: $0.number) } ?? end
    }
    private var end = SourceLine(file: "", number: 0)

    // MARK: The next line

    /// The next line, with something on it; nil: there is none.
    mutating func next() throws(Refusal) -> Line? {
        /// The definition whose lines are read.
        var defining: String?
        while true {
            guard var line = try rawLine(&defining) else { return nil }
            if let name = defining {
                defining = definitions.extend(name, line) ? name : nil
                continue
            }
            guard !line.isEmpty, let name = try understand(&line) else {
                guard !line.isEmpty, try !include(line) else { continue }
                return Line(text: separateBraces(line), place: place)
            }
            defining = name.isEmpty ? nil : name
        }
    }

    /// Conditions, definitions and loops: what makes another line of this one, or none.
    ///
    /// - Returns: nil: the line is still there, perhaps changed. Otherwise it has been dealt with; the name of a definition whose
    ///   lines follow, or nothing.
    private mutating func understand(_ line: inout [UInt8]) throws(Refusal) -> String? {
        for _ in 0..<100 {
            if line[0] == UInt8(ascii: "@") {
                guard let text = condition(line) else { return "" }
                line = text
            }
            if let (name, continues) = definitions.define(line) { return continues ? name : "" }
            if line.has("~SEQ") || line.has("~LST") {
                try loop(line)
                return ""
            }
            guard line[0] != UInt8(ascii: "~"), line.contains(.dollar), try replaceDefinitions(&line) else {
                return nil
            }
            removeComment(&line)
            if line.isEmpty { return "" }
            guard line[0] == UInt8(ascii: "@") || line.contains(.dollar) || line[0] == UInt8(ascii: "~") else {
                return nil
            }
        }
        throw Refusal(line: place, subject: line.text, text: "its definitions refer to each other without an end")
    }

    /// What `@id text` and `@^id text` leave of a line; nil: nothing.
    private func condition(_ line: [UInt8]) -> [UInt8]? {
        let isReversed = line.has("^", at: 1)
        let start = isReversed ? 2 : 1
        let end = line.first(of: [0x20, 0x09], from: start)
        guard end < line.count else { return nil }
        let isOurs = configID.map { Array($0.utf8) == [UInt8](line[start..<end]) } ?? false
        guard isOurs != isReversed else { return nil }
        let text = [UInt8](line[line.afterBlanks(end)...])
        return text.isEmpty ? nil : text
    }

    private mutating func loop(_ line: [UInt8]) throws(Refusal) {
        guard loops.count < Limits.loops else {
            throw Refusal(line: place, subject: line.text, text: "more than \(Limits.loops) loops in each other")
        }
        let isList = line.has("~LST")
        let found = isList ? Loop.lists(line) : try Loop.numbers(line) { (text) throws(Refusal) in try expand(text) }
        guard let found else {
            findings.add(
                .difference, place, line.text,
                "keepalived does not understand this \(isList ? "~LST" : "~SEQ") and ignores it, and so does the import: mend "
                    + "it, or take it out")
            return
        }
        loops.append(found)
    }

    private mutating func expand(_ text: [UInt8]) throws(Refusal) -> [UInt8]? {
        var text = text
        var lines: [UInt8]?
        _ = try definitions.replace(in: &text, rest: &lines, at: place, builtIn: builtIn)
        return lines == nil ? text : nil
    }

    private mutating func replaceDefinitions(_ line: inout [UInt8]) throws(Refusal) -> Bool {
        var lines: [UInt8]?
        let before = loops.count
        let found = try definitions.replace(in: &line, rest: &lines, at: place, builtIn: builtIn)
        if let lines {
            if let rest { outerRests.append((rest, loopsBefore)) }
            guard outerRests.count < Limits.depth else {
                throw Refusal(line: place, subject: line.text, text: "a definition that refers to itself")
            }
            loopsBefore = before
            rest = lines
        }
        return found
    }

    private func builtIn(_ kind: Definitions.BuiltIn, _ parameters: [String]) -> String? {
        switch kind {
        case .folder: return folder
        case .instance: return configID
        case .environment: return parameters.first.flatMap(surroundings.variable)
        case .random:
            let bounds = parameters.map { Int($0) ?? 0 }
            let low = bounds.first ?? 0
            let number = surroundings.random(low...max(low, bounds.count > 1 ? bounds[1] : 32767))
            findings.add(
                .difference, place, "$_RANDOM",
                "keepalived draws a number at each start; \(number) was drawn for this file and stays: write the one you want"
            )
            return String(number)
        }
    }

    // MARK: Braces

    /// The line up to the first brace that is not quoted; the rest comes next.
    private mutating func separateBraces(_ line: [UInt8]) -> [UInt8] {
        var line = line
        var index = 0
        if line[0] != .openBrace, line[0] != .closeBrace {
            index = line.first(of: [.openBrace, .closeBrace, .quote], from: 0)
            while index < line.count, line[index] == .quote {
                let close = line.first(of: [.quote], from: index + 1)
                index =
                    close < line.count
                    ? line.first(of: [.openBrace, .closeBrace, .quote], from: close + 1) : line.count
            }
        }
        if index < line.count {
            let split = index == 0 ? line.afterBlanks(1) : index
            if split < line.count {
                var tail = [UInt8](line[split...])
                tail.trimBlanksAtEnd()
                residue = tail
                line.removeSubrange(split...)
            }
        }
        line.trimBlanksAtEnd()
        return line
    }

    // MARK: Where lines come from

    /// A line as it stands in its file, without its comment, or the next of a loop or a definition; it may be empty. nil: the end.
    private mutating func rawLine(_ defining: inout String?) throws(Refusal) -> [UInt8]? {
        read.lines += 1
        guard read.lines <= Limits.lines else {
            throw Refusal(
                line: place, subject: "file", text: "more than \(Limits.lines) lines after its loops are unrolled")
        }
        if let line = residue {
            residue = nil
            return line
        }
        if loops.count > loopsBefore, var loop = loops.last {
            let round = loop.advance()
            for (name, value) in round.definitions { definitions.set(name, Array(value.utf8)) }
            if round.isOver { loops.removeLast() } else { loops[loops.count - 1] = loop }
            return loop.text
        }
        if let lines = rest { return lineOfDefinition(lines) }
        return try lineOfFile(&defining)
    }

    private mutating func lineOfDefinition(_ lines: [UInt8]) -> [UInt8] {
        let end = lines.first(of: [.newline], from: 0)
        if end < lines.count {
            rest = [UInt8](lines[(end + 1)...])
        } else if let outer = outerRests.popLast() {
            (rest, loopsBefore) = outer
        } else {
            (rest, loopsBefore) = (nil, 0)
        }
        return [UInt8](lines[..<end])
    }

    private mutating func lineOfFile(_ defining: inout String?) throws(Refusal) -> [UInt8]? {
        while let file = files.last {
            guard file.number < file.lines.count else {
                try close()
                continue
            }
            files[files.count - 1].number += 1
            var line = [UInt8](file.lines[file.number])
            while line.last == UInt8(ascii: "\r") { line.removeLast() }
            if line.count > Definitions.longestLine {
                findings.add(
                    .loss, place, "line",
                    "keepalived ignores a line of more than \(Definitions.longestLine) bytes, older versions read it as several: "
                        + "make several of it")
                line = []
            }
            if line.isEmpty, let name = defining {
                definitions.endLines(of: name)
                defining = nil
            }
            let isOpen = removeComment(&line)
            if isOpen {
                findings.add(
                    .difference, place, line.text,
                    "a quote is not closed: keepalived complains and forgets what follows it, and so does the import")
            }
            if !line.isEmpty { return line }
        }
        return nil
    }

    // MARK: Files

    private mutating func open(
        _ path: String, _ text: [UInt8], following: ArraySlice<String>, _ complaint: IncludeKind
    ) throws(Refusal) {
        let whole = SourceLine(file: path, number: 0)
        read.files += 1
        read.bytes += text.count
        guard text.count <= Limits.file, read.bytes <= Limits.all else {
            throw Refusal(
                line: whole, subject: "file",
                text: "more than \(Limits.file) bytes, or \(Limits.all) in all: expected a configuration of keepalived")
        }
        guard read.files <= Limits.files else {
            throw Refusal(line: whole, subject: "include", text: "more than \(Limits.files) files")
        }
        var lines = text.split(separator: .newline, omittingEmptySubsequences: false)
        if lines.last?.isEmpty ?? false { lines.removeLast() }
        if let number = lines.firstIndex(where: { $0.contains(0) }) {
            throw Refusal(
                line: SourceLine(file: path, number: number + 1), subject: "file", text: "it has a NUL: it is no text")
        }
        files.append(OpenFile(name: path, lines: lines, following: following, complaint: complaint))
    }

    /// The current file is at its end: on with the next that its pattern matched, or with the one that included it.
    private mutating func close() throws(Refusal) {
        let file = files.removeLast()
        end = SourceLine(file: file.name, number: file.number)
        try openFirst(of: file.following, file.complaint)
    }

    /// Reads `include FILE` and its kin.
    ///
    /// - Returns: false: it is none.
    private mutating func include(_ line: [UInt8]) throws(Refusal) -> Bool {
        guard line.has("include"), line.count > 7 else { return false }
        let kinds: [UInt8: IncludeKind] = [
            UInt8(ascii: "r"): .readable, UInt8(ascii: "m"): [.readable, .named],
            UInt8(ascii: "w"): [.readable, .named, .matched], UInt8(ascii: "b"): [.readable, .everyBrace],
            UInt8(ascii: "a"): [.readable, .named, .matched, .everyBrace],
        ]
        var kind: IncludeKind = []
        var start = 7
        if !line[7].isSpace {
            guard let known = kinds[line[7]], line.count > 8, line[8].isSpace else { return false }
            (kind, start) = (known, 8)
        }
        let pattern = line[line.afterBlanks(start)...].text
        let path = pattern.hasPrefix("/") ? pattern : folder + "/" + pattern
        guard files.count < Limits.depth else {
            throw Refusal(
                line: place, subject: line.text, text: "more than \(Limits.depth) files in each other: a loop?")
        }
        guard Self.alternatives(path) <= Limits.alternatives else {
            throw Refusal(
                line: place, subject: line.text,
                text: "a pattern with more than \(Limits.alternatives) alternatives in braces: name the files")
        }
        let found = surroundings.matches(path)
        if found.isEmpty {
            let isPattern = pattern.contains { "*?[".contains($0) }
            let mustBe: IncludeKind = isPattern ? .matched : pattern.contains("{") ? [.named, .everyBrace] : .named
            guard kind.isDisjoint(with: mustBe) else {
                throw Refusal(
                    line: place, subject: line.text, text: "there is no such file: keepalived does not start without")
            }
            findings.add(
                .difference, place, line.text,
                "there is no such file here: keepalived goes on without, and so does the import; on another machine, copy the "
                    + "files it includes as well")
        }
        try openFirst(of: found[...], kind)
        return true
    }

    /// How many patterns without braces a pattern stands for: glob(3) tries each, and `{a,b}` thirty times would be a billion.
    /// What is more than the limit is not counted further.
    private static func alternatives(_ pattern: String) -> Int {
        var outer: [(sum: Int, product: Int)] = []
        var (sum, product) = (0, 1)
        for byte in pattern.utf8 {
            switch byte {
            case .openBrace:
                outer.append((sum, product))
                (sum, product) = (0, 1)
            case UInt8(ascii: ",") where !outer.isEmpty: (sum, product) = (sum + product, 1)
            case .closeBrace:
                guard let last = outer.popLast() else { continue }
                (sum, product) = (last.sum, min(last.product * (sum + product), Limits.alternatives + 1))
            default: break
            }
        }
        // A brace that is not closed counts as if it were.
        return outer.reversed().reduce(sum + product) { min($1.product * $0, Limits.alternatives + 1) }
    }

    /// Opens the first that can be read, and remembers the others.
    private mutating func openFirst(of paths: ArraySlice<String>, _ kind: IncludeKind) throws(Refusal) {
        var paths = paths
        while let path = paths.popFirst() {
            guard !files.contains(where: { $0.name == path }) else {
                throw Refusal(line: place, subject: "include \(path)", text: "a file that includes itself")
            }
            let why: String
            switch surroundings.read(path, Limits.file) {
            case .text(let text): return try open(path, text, following: paths, kind)
            case .absent: why = Self.absent
            case .notPlain: why = "it is no plain file without an execute bit"
            case .unreadable(let reason): why = reason
            }
            guard !kind.contains(.readable) else {
                throw Refusal(
                    line: place, subject: "include \(path)", text: "\(why): keepalived does not start without")
            }
            findings.add(
                .difference, place, "include \(path)", "\(why): keepalived leaves it out, and so does the import")
        }
    }

    /// Of the file that is read: what it includes is looked for there.
    private var folder: String {
        guard let name = files.last?.name, let slash = name.lastIndex(of: "/") else { return "." }
        return slash == name.startIndex ? "/" : String(name[..<slash])
    }
}
