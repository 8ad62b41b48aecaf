import Glibc
import Testing

@testable import KeepalivedImport

/// The table of keywords against itself and against the page for operators.
@Suite struct KeywordTableTests {
    @Test func eachKeywordIsThereOnce() {
        var seen: Set<String> = []
        for keyword in Keywords.table {
            #expect(seen.insert("\(keyword.section.rawValue) \(keyword.name)").inserted, "\(keyword.name) twice")
        }
    }

    @Test func whatIsNotCarriedSaysWhyInASentence() {
        for keyword in Keywords.table where keyword.fate != .carried {
            #expect(keyword.text.hasSuffix("."), "\(keyword.name): \(keyword.text)")
        }
    }

    /// LINKWATCH_WRITE=1 writes the table into the page instead.
    @Test func thePageHasTheTable() throws {
        let path = "docs/migrating-from-keepalived.md"
        let begin = "<!-- keywords: from Sources/KeepalivedImport/KeywordTable.swift, written by its test -->\n"
        let page = String(decoding: try #require(contents(path), "the page cannot be read"), as: UTF8.self)
        let start = try #require(page.firstRange(of: begin)).upperBound
        let end = try #require(page.firstRange(of: "\n<!-- end -->")).lowerBound
        let expected = String(page[..<start]) + Keywords.markdown + String(page[end...])
        if isWriting {
            #expect(write(expected, to: path))
        } else {
            #expect(page == expected, "LINKWATCH_WRITE=1 swift test --filter KeywordTableTests writes it")
        }
    }

    private var isWriting: Bool { unsafe getenv("LINKWATCH_WRITE").map { unsafe String(cString: $0) } == "1" }

    private func write(_ text: String, to path: String) -> Bool {
        guard let file = unsafe fopen(checkout + "/" + path, "w") else { return false }
        defer { unsafe fclose(file) }
        return unsafe fputs(text, file) >= 0
    }
}
