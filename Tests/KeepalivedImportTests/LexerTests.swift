import Testing

@testable import KeepalivedImport

/// Each lexical rule of keepalived's lib/parser.c, with what keepalived makes of it.
@Suite struct LexerTests {
    @Test func commentsEndALineButNotWithinQuotes() throws {
        #expect(try lines("a # b\nc ! d\n# e\n\n\t f \t\n") == ["a", "c", "f"])
        #expect(try lines(#"script "x # y ! z" # w"#) == [#"script "x # y ! z""#])
        #expect(try lines(##"a \# b \! c"##) == ["a # b ! c"])
        #expect(try lines("a\r\nb\r\n") == ["a", "b"])
    }

    @Test func anOpenQuoteIsReported() throws {
        let findings = Findings()
        #expect(try lines("script \"a # b\n", findings: findings) == ["script \"a # b"])
        #expect(findings.list.map(\.line.number) == [1])
    }

    @Test func bracesStandAlone() throws {
        #expect(try lines("a { b }\n") == ["a", "{", "b", "}"])
        #expect(try lines("a {\nb { c d } }") == ["a", "{", "b", "{", "c d", "}", "}"])
        #expect(try lines(#"script "x { y }" "#) == [#"script "x { y }""#])
        #expect(try lines("a\n{\n}\n") == ["a", "{", "}"])
    }

    @Test(arguments: [
        ("a \"b c\" d", ["a", "b c", "d"]), ("a\"b c\"d", ["a", "b c", "d"]), ("a \"\" b", ["a", "", "b"]),
        ("a 'b c'", ["a", "'b", "c'"]), ("a \\\"b", ["a", "\\"]),
    ])
    func plainWordsKnowDoubleQuotesAlone(line: String, words: [String]) {
        #expect(plainWords(Array(line.utf8)).words.map(\.text) == words)
    }

    @Test(arguments: [
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]), ("a'b c'd", ["ab cd"]), (#"a\ b"#, ["a b"]),
        (#"\x41\102\cA\E\n"#, ["AB\u{1}\u{1b}\n"]),
        (#""a\"b""#, [#"a"b"#]), (#"\x4"#, ["\u{4}"]), (#"\777"#, ["\u{fffd}"]), ("''", [""]),
    ])
    func scriptsHaveBothQuotesAndEscapes(line: String, words: [String]) throws {
        #expect(try #require(quotedWords(Array(line.utf8), decodes: true)).map(\.text) == words)
    }

    @Test func aScriptWithAnOpenQuoteIsNone() {
        #expect(quotedWords(Array("a 'b".utf8), decodes: true) == nil)
        #expect(quotedWords(Array("a \\".utf8), decodes: true) == nil)
        #expect(quotedWords(Array(#"a \" b"#.utf8), decodes: false)?.map(\.text) == ["a", #"\""#, "b"])
    }

    // MARK: Conditions

    @Test func conditionsCompareTheID() throws {
        let text = "@one a\n@two b\n@^one c\n@^two d\n@! e\n@one\n"
        #expect(try lines(text, id: "one") == ["a", "d"])
        #expect(try lines(text, id: "two") == ["b", "c"])
        // Without an ID, what is for any is not for us, and what is not for one is.
        #expect(try lines(text) == ["c", "d"])
        // `!` begins a comment, here as well.
        #expect(try lines(text, id: "!") == ["c", "d"])
    }

    @Test func whatFollowsAConditionMayBeAnything() throws {
        #expect(
            try lines("@one $A=1\n@^one $A=2\nx $A\n@one include b.conf\n", id: "one", files: ["/etc/k/b.conf": "b"])
                == ["x 1", "b"])
        #expect(try lines("$WHO=one\n$IF=@${WHO} a\n$IF\n", id: "one") == ["a"])
    }

    // MARK: Definitions

    @Test func definitionsAreReplaced() throws {
        #expect(try lines("$A=x y\na $A b\na ${A}b\n") == ["a x y b", "a x yb"])
        // A name ends where a name can end: not before a slash, nor a dot.
        #expect(try lines("$A=x\n$A/24 $A.1 $A,\n") == ["$A/24 $A.1 x,"])
        #expect(try lines("a $NONE b\n") == ["a $NONE b"])
        #expect(try lines("$A=1\n$A=2\na $A\n") == ["a 2"])
        #expect(try lines("$A = 1\n") == ["$A = 1"])
        #expect(try lines("$A=   1  # c\na $A\n") == ["a 1"])
    }

    @Test func aDefinitionMayUseOneThatComesLater() throws {
        #expect(try lines("$A=$B $C\n$B=1\n$C=2\na $A\n") == ["a 1 2"])
    }

    @Test func definitionsHaveLines() throws {
        let text = "$A= \\\n  x 1 \\\n  y { \\\n    z \\\n  }\n$A\nb\n"
        #expect(try lines(text) == ["x 1", "y", "{", "z", "}", "b"])
        #expect(try lines("$A=x \\\n\ny\n") == ["y"])
        // One of several lines has to end the line it is used in.
        #expect(try lines("$A=x \\\ny\nb ${A}\n$A c\n") == ["b x", "y", "$A c"])
    }

    @Test func definitionsOfSeveralLinesStandInEachOther() throws {
        let text = "$IN=i1 \\\ni2\n$OUT=o1 \\\n$IN \\\no2\n$OUT\nend\n"
        #expect(try lines(text) == ["o1", "i1", "i2", "o2", "end"])
    }

    @Test func someDefinitionsAreBuiltIn() throws {
        #expect(
            try lines("a $_PWD $_INSTANCE ${_ENV HOME} ${_ENV NONE}b $_HASH", id: "i", variables: ["HOME": "/root"])
                == ["a /etc/k i /root b"])
        #expect(try lines("a ${_BANG}b") == ["a"])
        #expect(try lines("$_INSTANCE=mine\na $_INSTANCE", id: "i") == ["a mine"])
        let findings = Findings()
        #expect(try lines("a ${_RANDOM} ${_RANDOM 5 10} ${_RANDOM 7}", findings: findings) == ["a 32767 10 32767"])
        #expect(findings.list.map { $0.text.contains("32767") } == [true, false])
        #expect(try lines("a ${_ENV}b") == ["a b"])
    }

    @Test(arguments: [
        "$A=$A\nx $A\n", "$A=a$A \nx ${A}\n", "$A=$B\n$B=$A\n$A\n", "$A=x \\\n$A\n$A\n", "$A=@^x ${A}\n$A\n",
    ])
    func aDefinitionOfItselfIsAnError(text: String) {
        #expect(throws: Refusal.self) { try lines(text) }
    }

    // MARK: Loops

    @Test(arguments: [
        ("~SEQ(i, 3) a $i", ["a 1", "a 2", "a 3"]), ("~SEQ(i, 2, 4) a ${i}b", ["a 2b", "a 3b", "a 4b"]),
        ("~SEQ(i, 10, -5, 0) $i", ["10", "5", "0"]), ("~SEQ(i, 1, 3, 6) $i", ["1", "4"]),
        ("~SEQ(i, -2) $i", ["-1", "-2"]),
        ("~SEQx(i, 9, 11) ::$i", ["::9", "::a", "::b"]),
        ("~SEQ ( i , 0x2 , 010 , 0x12 ) ${i}", ["2", "10", "18"]),
        ("$N=2\n~SEQ(i, $N) $i", ["1", "2"]), ("~SEQ(i, 2) ~SEQ(j, 2) $i.${j}", ["$i.1", "$i.2", "$i.1", "$i.2"]),
        ("~SEQ(i, 2) ~SEQ(j, 2) ${i}.${j}", ["1.1", "1.2", "2.1", "2.2"]),
    ])
    func sequencesCount(text: String, expected: [String]) throws {
        #expect(try lines(text) == expected)
    }

    @Test(arguments: [
        ("~LST(i, a, b) $i x", ["a x", "b x"]), ("~LST({i, j}, {1, 2}, {3}) ${i}-${j}", ["1-2", "3-"]),
        ("~LST({i}, {1}) ${i}", ["1"]), ("~LST({i,j}, {1,2}) ~SEQ(k,2) ${i}${j}${k}", ["121", "122"]),
    ])
    func listsCount(text: String, expected: [String]) throws {
        #expect(try lines(text) == expected)
    }

    @Test(arguments: [
        "~SEQ(i) a", "~SEQ(i, a) b", "~SEQ(i, 1, 0, 5) a", "~SEQ(i, 5, 1, 1) a", "~SEQ(i, 1, 2, 3, 4) a",
        "~SEQx(i, -3) a",
        "~LST(i) a", "~LST({i, j}, {1, 2, 3}) a", "~LST(i, 1", "~SEQ(i, 3 a", "~SEQ", "~LST",
    ])
    func whatIsNoLoopIsReportedAndIgnored(text: String) throws {
        let findings = Findings()
        #expect(try lines(text + "\nb", findings: findings) == ["b"])
        #expect(findings.list.count == 1)
    }

    @Test func loopsInADefinitionComeFirst() throws {
        #expect(try lines("$L=~SEQ(i, 2) a ${i}\n$L\nb\n") == ["a 1", "a 2", "b"])
        #expect(try lines("$L=x \\\n~SEQ(i, 2) a ${i} \\\ny\n$L\nb\n") == ["x", "a 1", "a 2", "y", "b"])
    }

    // MARK: Includes

    @Test func includesAreReadInPlace() throws {
        let files = [
            "/etc/k/b.conf": "b\ninclude d/c.conf\nb2\n", "/etc/k/d/c.conf": "c $_PWD\ninclude e.conf",
            "/etc/k/d/e.conf": "e",
        ]
        #expect(try lines("a\ninclude b.conf\nz", files: files) == ["a", "b", "c /etc/k/d", "e", "b2", "z"])
    }

    @Test func patternsAreInOrderAndLinesKnowTheirFile() throws {
        let files = ["/etc/k/d/2.conf": "two", "/etc/k/d/1.conf": "one\n", "/x.conf": "x"]
        #expect(try lines("include d/*.conf\ninclude /x.conf", files: files) == ["one", "two", "x"])
        var all = files
        all["main.conf"] = "include d/*.conf\nlast"
        all["./d/1.conf"] = "\none"
        var reader = try LineReader(
            path: "main.conf", configID: nil, surroundings: surroundings(all), findings: Findings())
        #expect(try reader.next()?.place == SourceLine(file: "./d/1.conf", number: 2))
        #expect(try reader.next()?.place == SourceLine(file: "main.conf", number: 2))
    }

    @Test func onlySomeIncludesHaveToBeThere() throws {
        let findings = Findings()
        #expect(try lines("include none.conf\nincluder none.conf\na", findings: findings) == ["a"])
        #expect(findings.list.map(\.line.number) == [1, 2])
        for line in [
            "includem none.conf", "includea none.conf", "includew none.*", "includew none.conf", "includeb {a,b}.conf",
        ] {
            #expect(throws: Refusal.self, "\(line)") { try lines(line) }
        }
        #expect(try lines("includem none.*\na") == ["a"])
        // What is no kind of include is a word like others.
        #expect(try lines("includex a\ninclude\n") == ["includex a", "include"])
    }

    @Test func whatIsNoPlainFileIsLeftOut() throws {
        let files = ["/etc/k/d": "(a folder)"]
        #expect(try lines("include d\na", files: files) == ["a"])
        #expect(throws: Refusal.self) { try lines("includer d", files: files) }
    }

    @Test func aLoopOfIncludesIsAnError() {
        #expect(throws: Refusal.self) { try lines("include main.conf") }
        #expect(throws: Refusal.self) { try lines("include b.conf", files: ["/etc/k/b.conf": "include main.conf"]) }
    }
}
