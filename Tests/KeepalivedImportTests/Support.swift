import Glibc
import Testing

@testable import KeepalivedImport

/// Files that exist nowhere.
func surroundings(_ files: [String: String], variables: [String: String] = [:], users: Set<String> = []) -> Surroundings
{
    Surroundings(
        read: { path, _ in
            guard let text = files[path] else { return .absent }
            return text == "(a folder)" ? .notPlain : .text(Array(text.utf8))
        },
        matches: { pattern in
            guard pattern.contains("*") else { return files[pattern] == nil ? [] : [pattern] }
            let parts = pattern.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false)
            return files.keys.filter { $0.hasPrefix(parts[0]) && $0.hasSuffix(parts[1]) }.sorted()
        },
        variable: { variables[$0] }, hasUser: { users.contains($0) }, random: { $0.upperBound })
}

/// The lines of a text as the first stage hands them on.
func lines(
    _ text: String, id: String? = nil, files: [String: String] = [:], variables: [String: String] = [:],
    findings: Findings = Findings()
) throws -> [String] {
    var all = files
    all["/etc/k/main.conf"] = text
    var reader = try LineReader(
        path: "/etc/k/main.conf", configID: id, surroundings: surroundings(all, variables: variables),
        findings: findings)
    var result: [String] = []
    while let line = try reader.next() { result.append(line.text.text) }
    return result
}

/// The import of one text.
func imported(_ text: String, id: String? = nil, files: [String: String] = [:], users: Set<String> = [])
    -> KeepalivedImport
{
    var all = files
    all["k.conf"] = text
    return KeepalivedImport(
        path: "k.conf", configID: id, program: "a test", surroundings: surroundings(all, users: users))
}

extension KeepalivedImport {
    /// The findings of a line.
    func findings(_ line: Int) -> [Finding] { findings.filter { $0.line.number == line } }
}

/// The repository's folder.
let checkout = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

/// A file of the repository; nil: it cannot be read.
func contents(_ path: String) -> [UInt8]? {
    guard let file = unsafe fopen(checkout + "/" + path, "r") else { return nil }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = unsafe getc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    return bytes
}

/// An instance with these keywords, as the translation gets it.
func completed(_ keys: String, _ findings: Findings) throws -> CompleteInstance {
    let lines = try LineReader(
        path: "k", configID: nil, surroundings: surroundings(["k": Samples.instance(keys)]), findings: findings)
    var reader = StatementReader(lines, findings: findings)
    let model = try Interpreter.read(try reader.file(), findings: findings)
    return try #require(try Completion(model.global, findings).complete(model.instances[0]))
}
