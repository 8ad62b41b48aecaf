import Testing

@testable import KeepalivedImport

/// Files that keepalived would not start with, and files that are no configuration at all: an error with a line, and no hang.
@Suite struct BadInputTests {
    private func refusal(_ text: String, files: [String: String] = [:]) -> Finding? {
        let result = imported(text, files: files)
        return result.toml == nil ? result.findings.first { $0.weight == .refused } : nil
    }

    @Test(arguments: [
        ("vrrp_instance A {\n interface eth0\n virtual_ipaddress { 192.0.2.1 }\n}", 1, "virtual_router_id"),
        ("vrrp_instance A {\n virtual_router_id 1\n virtual_ipaddress { 192.0.2.1 }\n}", 1, "interface"),
        ("vrrp_instance A {\n virtual_router_id\n}", 2, "missing"),
        ("vrrp_instance A {\n interface eth0\n virtual_router_id 1\n version 3\n}", 1, "no virtual address"),
        ("vrrp_instance A {\n interface eth0\n", 1, "virtual_router_id"),
        ("global_defs {\n}\n", 0, "no vrrp_instance"), ("", 0, "no vrrp_instance"),
        ("a\nb\0c\n", 2, "NUL"),
        (
            "vrrp_instance A {\n strict_mode\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 192.0.2.1 }\n unicast_peer { 192.0.2.9 }\n}",
            6, "strict"
        ),
    ])
    func whatKeepalivedRefusesHasItsLineAndReason(text: String, line: Int, reason: String) throws {
        let finding = try #require(refusal(text))
        #expect(finding.line == SourceLine(file: "k.conf", number: line) && finding.text.contains(reason), "\(finding)")
    }

    @Test func twoOfAVRIDAreRefused() throws {
        let one = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 192.0.2.1 }\n}\n"
        let other = one.replacing("A", with: "B").replacing("192.0.2.1", with: "192.0.2.2")
        #expect(try #require(refusal(one + other)).line.number == 8)
        #expect(imported(one + other.replacing("eth0", with: "eth1")).worst == nil)
    }

    @Test func aFileThatIsNotThere() {
        let result = KeepalivedImport(path: "none", configID: nil, program: "", surroundings: surroundings([:]))
        #expect(result.isAbsent && result.toml == nil)
        #expect(!imported("include none").isAbsent)
    }

    @Test func bytesThatAreNoText() {
        var bytes: [UInt8] = []
        var state: UInt64 = 1
        for _ in 0..<100_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes.append(UInt8(truncatingIfNeeded: state >> 56))
        }
        let result = KeepalivedImport(
            path: "k", configID: nil, program: "", surroundings: Surroundings(read: { _, _ in .text(bytes) }))
        #expect(result.toml == nil && result.findings.contains { $0.weight == .refused })
        for index in bytes.indices where bytes[index] == 0 { bytes[index] = 0x7b }
        #expect(
            KeepalivedImport(
                path: "k", configID: nil, program: "", surroundings: Surroundings(read: { _, _ in .text(bytes) })
            )
            .toml == nil)
    }

    @Test func tenMegabytesAreTooMany() throws {
        let line = Array("vrrp_script x { script y }\n".utf8)
        let text = [UInt8]((0..<400_000).map { _ in line }.joined())
        let result = KeepalivedImport(
            path: "k", configID: nil, program: "",
            surroundings: Surroundings(read: { _, limit in .text([UInt8](text.prefix(limit + 1))) }))
        #expect(try #require(result.findings.first).text.contains("bytes"))
    }

    @Test func loopsAreBounded() throws {
        let text = "~SEQ(a, 1000) ~SEQ(b, 1000) ~SEQ(c, 1000) vrrp_script ${a} { script x }\n"
        #expect(try #require(refusal(text)).text.contains("lines"))
        let nested = (0..<40).map { "~SEQ(v\($0), 2) " }.joined() + "x"
        #expect(refusal(nested) != nil)
    }

    @Test func includesAreBounded() {
        var files: [String: String] = [:]
        for number in 0..<100 { files["./\(number)"] = "include \(number + 1)" }
        #expect(refusal("include 0", files: files)?.text.contains("loop") ?? false)
        let many = Dictionary(uniqueKeysWithValues: (0..<1100).map { ("./d/\($0)", "# nothing") })
        #expect(refusal("include d/*", files: many)?.text.contains("files") ?? false)
        // A billion patterns.
        let all = String(repeating: "{a,b}", count: 30)
        #expect(refusal("include \(all)*")?.text.contains("alternatives") ?? false)
        #expect(refusal("include {a,{b,c}}{d,e}*\n" + Samples.plain) == nil)
    }

    @Test func deepBlocksDoNotOverflow() {
        let deep = String(repeating: "global_defs { ", count: 20_000)
        #expect(imported(deep).toml == nil)
        #expect(imported(String(repeating: "virtual_server { { ", count: 20_000)).toml == nil)
    }

    @Test func aLongLineIsIgnoredAsInKeepalived() {
        let line = "# " + String(repeating: "x", count: 2000)
        let result = imported("\(line)\n" + Samples.plain)
        #expect(result.toml != nil && result.findings(1).map(\.weight) == [.loss])
    }
}
