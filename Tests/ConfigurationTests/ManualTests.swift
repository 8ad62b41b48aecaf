import Glibc
import Testing

@testable import Configuration

/// The manual pages against the readers: every key is documented in its section with what it takes, its range and its
/// default, nothing else is, and the examples load.
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

    private func expectSame(_ entries: [Entry], _ known: [KeyList.Key]) {
        let names = known.map { "[\($0.section)] \($0.name)" }
        let documented = Set(entries.map(\.name))
        #expect(documented.subtracting(names) == [], "documented, and not known to the reader")
        #expect(Set(names).subtracting(documented) == [], "known to the reader, and not documented")
        #expect(documented.count == entries.count, "documented twice")
        for (name, key) in zip(names, known) {
            guard let entry = entries.first(where: { $0.name == name }) else { continue }
            #expect(Set(entry.form.split(separator: " | ")) == Set(key.form.split(separator: " | ")), "\(name)")
            for phrases in key.phrases {
                #expect(phrases.contains { entry.says($0) }, "\(name): expected \(phrases) in: \(entry.text)")
            }
            let isRequired = entry.says("Required.") || entry.says("Required;")
            #expect(isRequired == key.isRequired, "\(name): required or not")
        }
    }
}

extension KeyList.Key {
    /// What its entry must say: of each of these, one.
    fileprivate var phrases: [[String]] {
        var phrases: [[String]] = []
        if let (low, high) = bounds {
            // Nothing at all needs no mention.
            let upTo = ["0", "0s"].contains(low) ? ["up to \(high)"] : []
            phrases.append(["from \(low) to \(high)", "From \(low) to \(high)"] + upTo)
        }
        if let count {
            phrases.append(
                [
                    "at most \(count.upperBound)", "up to \(count.upperBound)",
                    "\(count.lowerBound) to \(count.upperBound)",
                ])
        }
        if let value = self.default { phrases.append(["The default is \(value)"]) }
        return phrases
    }
}

/// What a page says of one key.
private struct Entry {
    /// `[section] key`
    var name: String
    /// What stands after `=`.
    var form: String
    /// What it says, without macros.
    var text = ""

    /// Whether the words are there, and no number or word goes on after them.
    func says(_ words: String) -> Bool {
        text.ranges(of: words).contains { range in
            let rest = text[range.upperBound...]
            return rest.first.map { !$0.isLetter && !$0.isNumber } ?? true
        }
    }
}

/// What these tests read of a page's mdoc(7) source.
private struct Page {
    /// In the page's order.
    var keys: [Entry] = []
    /// The literal display.
    var example: [UInt8] = []

    init(_ name: String) throws {
        let path = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/man/" + name
        let source = try #require(readText(path), "\(path) cannot be read")
        var section = ""
        var isInEntry = false
        var isInExample = false
        for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix(".Ss ") { section = Self.section(of: line.dropFirst(4)) }
            if line.hasPrefix(".It ") || line.hasPrefix(".El") || line.hasPrefix(".S") && !line.hasPrefix(".Sx") {
                isInEntry = false
            }
            if line.hasPrefix(".It Cm "), let key = line.split(separator: " ").dropFirst(2).first {
                let form = line.split(separator: " No = ").dropFirst().first.map(Self.form) ?? ""
                keys.append(Entry(name: "[\(section)] \(key)", form: form))
                isInEntry = true
            } else if isInEntry {
                keys[keys.count - 1].text += Self.plain(line) + " "
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

    /// `Qo warn Qc | Qq fault` as `"warn" | "fault"`.
    private static func form(_ text: Substring) -> String {
        let words = text.split(separator: " ")
        return words.indices.compactMap { index in
            switch words[index] {
            case "Ar", "Qo", "Qc", "Qq": nil
            default:
                index > 0 && ["Qo", "Qq"].contains(words[index - 1]) ? "\"\(words[index])\"" : String(words[index])
            }
        }.joined(separator: " ")
    }

    /// A line without its macro: `.Li \(dq1s\(dq .` is `"1s".`
    private static func plain(_ line: Substring) -> String {
        var text = String(line)
        if line.hasPrefix(".") { text = String(line.drop { $0 != " " }.dropFirst()) }
        return text.replacing("\\(dq", with: "\"").replacing(" .", with: ".").replacing(" ,", with: ",")
            .replacing(" ;", with: ";").replacing(" :", with: ":")
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
