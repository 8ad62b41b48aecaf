import Testing

@testable import Configuration

/// The mistakes that `read` finds, each as `line:column: message`.
func mistakes<Result>(_ read: () throws -> Result) -> [String] {
    do {
        _ = try read()
        return []
    } catch let refused as ConfigurationRefused {
        return refused.errors.map { "\($0.line):\($0.column): \($0.message)" }
    } catch {
        return ["\(error)"]
    }
}

/// Expects exactly these mistakes: each begins with a place and holds each of the fragments between "...".
func expect(_ found: [String], _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    var matches = found.count == expected.count
    for (mistake, pattern) in zip(found, expected) {
        let parts = pattern.split(separator: " ... ").map(String.init)
        if !mistake.hasPrefix(parts[0]) || !parts.allSatisfy(mistake.contains) { matches = false }
    }
    if !matches {
        Issue.record(
            "expected:\n\(expected.joined(separator: "\n"))\nfound:\n\(found.joined(separator: "\n"))",
            sourceLocation: sourceLocation)
    }
}
