import Testing

@testable import Varlink

@Suite struct InterfaceDescriptionTests {
    static let text = """
        # A comment with (brackets).
        interface org.example.more

        type State (start: ?bool, progress: ?int, tags: []string, nested: (x: float), color: Color)
        type Color (red, green)
        method Ping(ping: string, maybe: ?[]int) -> (pong: string)
        method Map(map: [string]State, any: ?object)->()
        error Failed (reason: string) # trailing
        """

    @Test func reads() throws {
        let description = try InterfaceDescription(parsing: Self.text)
        #expect(description.name == "org.example.more")
        #expect(description.types["Color"] == .enumeration(["red", "green"]))
        #expect(description.methods["Ping"]?.input.map(\.name) == ["ping", "maybe"])
        #expect(description.methods["Ping"]?.input.last?.type == .maybe(.array(.int)))
        #expect(description.methods["Map"]?.output == [])
        #expect(description.errors["Failed"]?.count == 1)
        #expect(throws: Never.self) { try InterfaceDescription(parsing: ServiceInterface.description) }
    }

    @Test(arguments: [
        "", "interface", "interface x", "interface a.b\nmethod", "interface a.b\nmethod f() -> ()",
        "interface a.b\nmethod F() -> (", "interface a.b\nmethod F(a) -> ()",
        "interface a.b\nmethod F(a: int, b) -> ()",
        "interface a.b\nmethod F(a: none) -> ()", "interface a.b\nmethod F(a: None) -> ()", "interface a.b\nwhat F ()",
        "interface a.b\nmethod F() ->", "interface a.b\ntype A ()\ntype A ()",
        "interface a.b\nmethod F(a: ??int) -> ()",
        "interface a.b\nmethod F(a: [int]int) -> ()", "interface a.b\nmethod F(a: int, a: int) -> ()",
        "interface a.b\nmethod F(a: " + String(repeating: "[]", count: 1000) + "int) -> ()",
    ])
    func refused(text: String) {
        #expect(throws: InterfaceDescription.SyntaxError.self) { try InterfaceDescription(parsing: text) }
    }

    @Test func errorsNameTheLine() {
        let error = #expect(throws: InterfaceDescription.SyntaxError.self) {
            try InterfaceDescription(parsing: "interface a.b\n\n# x\nmethod F(a: ) -> ()")
        }
        #expect(error?.line == 4)
    }

    private static let state = #"{"tags":["t"],"nested":{"x":1},"color":"red"}"#

    @Test(arguments: [
        ("Ping", #"{"ping":"x"}"#, nil), ("Ping", #"{"ping":"x","maybe":null}"#, nil),
        ("Ping", #"{"ping":"x","maybe":[1,2]}"#, nil), ("Ping", "{}", "ping"), ("Ping", #"{"ping":null}"#, "ping"),
        ("Ping", #"{"ping":1}"#, "ping"), ("Ping", #"{"ping":"x","maybe":[1,"2"]}"#, "maybe[1]"),
        ("Ping", #"{"ping":"x","maybe":1}"#, "maybe"), ("Ping", #"{"ping":"x","other":1}"#, "other"),
        ("Map", #"{"map":{"k":\#(state)}}"#, nil), ("Map", #"{"map":{"k":{}}}"#, "map.k.tags"),
        ("Map", #"{"map":{"k":{"tags":[],"nested":{"x":"y"},"color":"red"}}}"#, "map.k.nested.x"),
        ("Map", #"{"map":{"k":{"tags":[],"nested":{"x":0.5},"color":"blue"}}}"#, "map.k.color"),
        ("Map", #"{"map":{},"any":{"z":[1]}}"#, nil), ("Map", #"{"map":{},"any":[]}"#, "any"),
    ])
    func checksArguments(method: String, arguments: String, wrong: String?) throws {
        let description = try InterfaceDescription(parsing: Self.text)
        let input = try #require(description.methods[method]?.input)
        let object = try JSON.parse(Array(arguments.utf8)).object()
        #expect(description.mismatch(object, input) == wrong)
    }
}
