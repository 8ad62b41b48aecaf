import Glibc
import Testing

@testable import Configuration

/// The manual pages against the readers: every key is documented in its section, nothing else is, and the examples load.
@Suite struct ManualTests {
    @Test func linkwatchdTomlDocumentsEveryKey() throws {
        let page = try Page("linkwatchd.toml.5")
        expectSame(page.keys, MonitorConfiguration.knownKeys)
    }

    @Test func vrrpTomlDocumentsEveryKey() throws {
        let page = try Page("vrrp.toml.5")
        expectSame(page.keys, VRRPConfiguration.knownKeys)
    }

    @Test func theExampleOfLinkwatchdTomlLoads() throws {
        let configuration = try MonitorConfiguration(text: try Page("linkwatchd.toml.5").example, file: "the example")
        #expect(configuration.policy(forInterface: "veth1").isIgnored)
        let uplink = configuration.policy(forInterface: "eth0", altnames: ["uplink"])
        #expect(uplink.settle.upDelayNs == 2_000_000_000 && uplink.settle.dampening?.suppress == 3000)
    }

    @Test func theExampleOfVRRPTomlLoads() throws {
        let configuration = try VRRPConfiguration(text: try Page("vrrp.toml.5").example, file: "the example")
        #expect(configuration.groups.map(\.name) == ["lvs", "service6"])
        #expect(configuration.groups[0].heartbeats.count == 1 && configuration.groups[0].tracks.count == 2)
    }

    private func expectSame(_ documented: [String], _ known: [(section: String, key: String)]) {
        let known = Set(known.map { "[\($0.section)] \($0.key)" })
        #expect(Set(documented).subtracting(known) == [], "documented, and not known to the reader")
        #expect(known.subtracting(documented) == [], "known to the reader, and not documented")
        #expect(Set(documented).count == documented.count, "documented twice")
    }
}

/// What these tests read of a page's mdoc(7) source.
private struct Page {
    /// `[section] key`, in the page's order.
    var keys: [String] = []
    /// The literal display.
    var example: [UInt8] = []

    init(_ name: String) throws {
        let path = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/man/" + name
        let source = try #require(readText(path), "\(path) cannot be read")
        var section = ""
        var isInExample = false
        for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix(".Ss ") { section = Self.section(of: line.dropFirst(4)) }
            if line.hasPrefix(".It Cm "), let key = line.split(separator: " ").dropFirst(2).first {
                keys.append("[\(section)] \(key)")
            }
            if line == ".Ed" { isInExample = false }
            if isInExample { example += Array("\(line)\n".utf8) }
            if line.hasPrefix(".Bd -literal") { isInExample = true }
        }
    }

    /// The last section that a heading names.
    private static func section(of heading: Substring) -> String {
        if heading == "Elements of track" { return "group.NAME.track" }
        guard let start = heading.lastIndex(of: "["), let end = heading.lastIndex(of: "]") else { return "" }
        return String(heading[heading.index(after: start)..<end])
    }
}

private func readText(_ path: String) -> String? {
    guard let file = unsafe fopen(path, "r") else { return nil }
    defer { unsafe fclose(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe fread(&chunk, 1, chunk.count, file)
        guard count > 0 else { return String(decoding: text, as: UTF8.self) }
        text += chunk.prefix(count)
    }
}
