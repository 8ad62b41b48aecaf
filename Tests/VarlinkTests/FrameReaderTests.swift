import Testing

@testable import Varlink

@Suite struct FrameReaderTests {
    private func append(_ text: String, to reader: inout FrameReader) {
        unsafe Array(text.utf8).withUnsafeBytes { unsafe reader.append($0) }
    }

    private func next(_ reader: inout FrameReader) throws -> String? {
        try reader.next().map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func messagesComeWholeHoweverTheyAreCut() throws {
        let stream = "one\0\0three\0fo"
        for pieceLength in 1...stream.utf8.count {
            var reader = FrameReader(messageBytesMax: 100)
            var messages: [String] = []
            var rest = Substring(stream)
            while !rest.isEmpty {
                append(String(rest.prefix(pieceLength)), to: &reader)
                rest = rest.dropFirst(pieceLength)
                while let message = try next(&reader) { messages.append(message) }
            }
            #expect(messages == ["one", "", "three"])
            append("ur\0", to: &reader)
            #expect(reader.hasMessage)
            #expect(try next(&reader) == "four")
        }
    }

    @Test func limitHoldsBeforeTheMessageIsWhole() throws {
        var reader = FrameReader(messageBytesMax: 4)
        append("1234\0", to: &reader)
        #expect(try next(&reader) == "1234")
        append("1234", to: &reader)
        #expect(try next(&reader) == nil)
        append("5", to: &reader)
        #expect(throws: FrameReader.TooLong.self) { try reader.next() }
        append("\0", to: &reader)
        #expect(throws: FrameReader.TooLong.self) { try reader.next() }
    }
}
