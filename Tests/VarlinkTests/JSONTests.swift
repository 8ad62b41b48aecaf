import Testing

@testable import Varlink

private func parse(_ text: String) throws -> JSON.Value { try JSON.parse(Array(text.utf8)) }

private func encoded(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
}

@Suite struct JSONParserTests {
    @Test func everyKindOfValue() throws {
        let value = try parse(#" {"a":[1,-2,2.5,1e3,true,false,null,"x"],"b":{}} "#)
        let expected: JSON.Value = .object([
            "a": .array([
                .int(1), .int(-2), .double(2.5), .double(1000), .bool(true), .bool(false), .null, .string("x"),
            ]),
            "b": .object([:]),
        ])
        #expect(value == expected)
    }

    @Test(arguments: [
        ("9223372036854775807", JSON.Value.int(.max)), ("-9223372036854775808", .int(.min)),
        ("9223372036854775808", .double(9223372036854775808)), ("-0", .int(0)), ("0.5", .double(0.5)),
        ("18446744073709551616", .double(18446744073709551616)), ("1E-2", .double(0.01)),
    ])
    func numbers(text: String, value: JSON.Value) throws {
        #expect(try parse(text) == value)
    }

    /// What is printed as JSON reaches terminals, and lines of JSON are split by readers that know U+2028.
    @Test func nothingDrivesTheTerminal() throws {
        let text = "\u{7f}\u{9b}2J\u{ad}\u{202e}\u{2028}\u{200b}\u{2060}\u{feff}\u{61c}é網\u{2030}\u{fffd}"
        var writer = JSONWriter()
        writer.value(text)
        let written = String(decoding: writer.bytes, as: UTF8.self)
        #expect(
            written
                == #""\u007f\u009b2J\u00ad\u202e\u2028\u200b\u2060\ufeff\u061c"# + "é網\u{2030}\u{fffd}\"")
        #expect(try JSON.parse(Array(written.utf8)) == .string(text))
    }

    @Test func escapesAndSurrogates() throws {
        #expect(try parse(#""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00é""#) == .string("\"\\/\u{8}\u{C}\n\r\tA😀é"))
        #expect(try parse(#""\u0000""#) == .string("\0"))
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1,}", "{a:1}", "{1:1}", "01", "-", "+1",
        ".5", "1.",
        "1e", "1e999", "tru", "truee", "nul", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"",
        "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"", "1 2", "{} x", "NaN", "Infinity", "'a'", "[1 2]", "{\"a\" 1}",
    ])
    func refused(text: String) {
        #expect(throws: JSON.ParseError.self) { try parse(text) }
    }

    @Test(arguments: [
        [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
    ])
    func badUTF8IsRefused(bytes: [UInt8]) {
        #expect(throws: JSON.ParseError.self) { try JSON.parse(bytes) }
    }

    @Test func depthIsBounded() throws {
        let deepest = JSON.depthMax
        #expect(throws: Never.self) {
            try parse(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
        }
        let error = #expect(throws: JSON.ParseError.self) { try parse(String(repeating: "[", count: deepest + 1)) }
        #expect(error == JSON.ParseError(reason: .tooDeep, offset: deepest))
        #expect(throws: JSON.ParseError.self) { try parse(String(repeating: "{\"a\":", count: 100_000)) }
    }

    @Test func theLastDuplicateWins() throws {
        #expect(try parse(#"{"a":1,"b":2,"a":3}"#).object()["a"] == .int(3))
    }

    @Test func fieldErrorsNameThePath() throws {
        struct Inner: JSONDecodable {
            let phy: Int
            init(decoding value: JSON.Value) throws(JSON.FieldError) { phy = try value.object().decode("phy") }
        }
        let object = try parse(#"{"list":[{"phy":1},{"phy":"x"}],"none":null}"#).object()
        let error = #expect(throws: JSON.FieldError.self) { try object.decode("list", as: [Inner].self) }
        #expect(error == JSON.FieldError(field: "list[1].phy", expected: "int"))
        #expect(try object.decodeIfPresent("none", as: Int.self) == nil)
        #expect(throws: JSON.FieldError(field: "none", expected: "int")) { try object.decode("none", as: Int.self) }
    }
}

@Suite struct JSONWriterTests {
    @Test func commasFallIntoPlace() {
        let text = encoded { writer in
            writer.object { writer in
                writer.field("a", 1)
                writer.array("b") { writer in
                    writer.value(Int64(-7))
                    writer.value("x")
                    writer.array { _ in }
                    writer.object { _ in }
                    writer.null()
                }
                writer.field("none", Int?.none)
                writer.object("c") { writer in
                    writer.key(named: "d\"")
                    writer.value(true)
                }
                writer.field("e", 0.5)
            }
        }
        #expect(text == #"{"a":1,"b":[-7,"x",[],{},null],"c":{"d\"":true},"e":0.5}"#)
    }

    @Test(arguments: [Int64.min, -1, 0, 9, 10, 1234567890, .max])
    func integers(int: Int64) {
        #expect(encoded { $0.value(int) } == String(int))
    }

    @Test func stringsComeBack() throws {
        let strings = ["", "plain", "\"\\/\n\r\t\u{0}\u{1}\u{1F}\u{7F}", "é😀", "\\", "ends in \""]
        for string in strings {
            let text = encoded { $0.value(string) }
            #expect(!text.utf8.contains(0))
            #expect(try parse(text) == .string(string))
        }
    }

    @Test func whatJSONCannotSayIsNull() {
        #expect(encoded { $0.value(Double.infinity) } == "null")
    }

    @Test func treesComeBack() throws {
        let text = #"{"a":[1,2.5,"x",null,true,{"b":[]}],"c":{}}"#
        let value = try parse(text)
        #expect(encoded { value.encode(into: &$0) } == text)
    }
}
