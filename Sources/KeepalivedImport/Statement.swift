/// One keyword with what belongs to it.
struct Statement {
    var keyword: Keyword
    /// The words, the keyword first; an opening brace is not among them.
    var words: [String]
    /// The line as it stands, for scripts, whose quotes are read anew.
    var line: [UInt8]
    var place: SourceLine
    /// Of a list.
    var entries: [Entry] = []
    /// Of a block.
    var body: [Statement] = []

    struct Entry {
        var words: [String]
        var place: SourceLine
    }

    /// The word behind the keyword.
    ///
    /// - Throws: if there is none, which ends keepalived (`null_strvec`).
    func argument(_ number: Int = 1) throws(Refusal) -> String {
        guard words.count > number else {
            throw Refusal(
                line: place, subject: keyword.name, text: "a word is missing behind it: keepalived does not start")
        }
        return words[number]
    }
}

/// The second stage: lines to keywords and blocks, as `process_stream` and `alloc_value_block` of keepalived's lib/parser.c
/// do. Their rules are kept where they surprise: an unknown word is passed over but not its block, whose lines are read as if
/// it were not there and whose closing brace closes the block around it.
struct StatementReader {
    private var lines: LineReader
    private let findings: Findings
    /// Blocks that are open.
    private var depth = 0
    /// An opening brace must be the next line.
    private var statements = 0

    private static let mostStatements = 50_000
    private static let deepest = 16

    init(_ lines: LineReader, findings: Findings) {
        self.lines = lines
        self.findings = findings
    }

    /// The whole file.
    mutating func file() throws(Refusal) -> [Statement] {
        let statements = try block(.file, needsBrace: false, level: 0)
        if depth > 0 {
            findings.add(
                .difference, lines.place, "}",
                "the file ends in \(depth) open block\(depth == 1 ? "" : "s"), which end here, in keepalived as here: give each a "
                    + "closing brace")
        }
        return statements
    }

    private mutating func next() throws(Refusal) -> LineReader.Line? {
        guard let line = try lines.next() else { return nil }
        if line.text == [.openBrace] { depth += 1 }
        if line.text == [.closeBrace] {
            depth -= 1
            if depth < 0 {
                depth = 0
                findings.add(
                    .difference, line.place, "}", "it closes no block: keepalived ignores it, and so does the import")
            }
        }
        return line
    }

    private mutating func block(
        _ section: Keyword.Section, needsBrace: Bool, level: Int
    ) throws(Refusal) -> [Statement] {
        var needsBrace = needsBrace
        var result: [Statement] = []
        while let line = try next() {
            let words = words(line)
            guard let first = words.first else { continue }
            if needsBrace {
                needsBrace = false
                if first == "{", level > 0 { continue }
                findings.add(
                    .difference, line.place, first,
                    "a block begins here without a brace: keepalived reads it all the same")
            } else if first == "{" {
                findings.add(
                    .difference, line.place, "{",
                    "an opening brace that belongs to no known word: keepalived ignores it, and the brace that closes it ends "
                        + "the block around it")
                continue
            }
            if first == "}", level > 0 { return result }
            guard let keyword = Keywords.find(section, first), keyword.shape != .option else {
                reportUnknown(first, line.place, section)
                continue
            }
            statements += 1
            guard statements <= Self.mostStatements, level < Self.deepest else {
                throw Refusal(line: line.place, subject: first, text: "more than \(Self.mostStatements) keywords")
            }
            var statement = Statement(keyword: keyword, words: words, line: line.text, place: line.place)
            switch keyword.shape {
            case .line, .option: break
            case .list: statement.entries = try entries(words, line.place)
            case .block(let inner): statement.body = try block(inner, needsBrace: true, level: level + 1)
            case .foreign: try skip()
            }
            result.append(statement)
        }
        return result
    }

    private func reportUnknown(_ word: String, _ place: SourceLine, _ section: Keyword.Section) {
        guard word != "}" else { return }
        let elsewhere = Keywords.table.first { $0.name == word && $0.shape != .option }
        findings.add(
            .difference, place, word,
            elsewhere.map { "keepalived knows it in \($0.section.rawValue) alone and ignores it here" }
                ?? "keepalived does not know this word in \(section.rawValue) and ignores it, and so does the import: mend it, or "
                + "take it out")
    }

    private func words(_ line: LineReader.Line) -> [String] {
        let (words, isOpen) = plainWords(line.text)
        if isOpen, words.count < 2 {
            findings.add(
                .difference, line.place, line.text.text, "a quote is not closed: keepalived forgets what follows it")
        }
        return words.map(\.text)
    }

    /// The lines of a list, up to the brace that closes it.
    private mutating func entries(_ words: [String], _ place: SourceLine) throws(Refusal) -> [Statement.Entry] {
        if words.count > 1 {
            findings.add(
                .difference, place, words.joined(separator: " "),
                "what stands behind \(words[0]) is ignored, and the lines up to the next closing brace are taken for its block: "
                    + "give it a block")
        }
        var result: [Statement.Entry] = []
        var needsBrace = true
        while let line = try next() {
            var words = self.words(line)
            guard let first = words.first else { continue }
            if needsBrace {
                needsBrace = false
                if first == "{" {
                    words.removeFirst()
                    if words.isEmpty { continue }
                }
            }
            let isEnd = words.last == "}"
            if isEnd { words.removeLast() }
            if !words.isEmpty { result.append(Statement.Entry(words: words, place: line.place)) }
            if isEnd { break }
        }
        return result
    }

    /// Passes over a block, if there is one.
    private mutating func skip() throws(Refusal) {
        guard let line = try next(), line.text == [.openBrace] else { return }
        var open = 1
        while open > 0, let line = try next() {
            for word in plainWords(line.text).words {
                if word == [.openBrace] { open += 1 }
                if word == [.closeBrace] { open -= 1 }
            }
        }
    }
}
