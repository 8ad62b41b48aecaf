/// The name that was probably meant: the one with the fewest edits, if that is few for its length.
func nearestName(to name: String, among candidates: [String]) -> String? {
    let word = Array(name.unicodeScalars.prefix(64))
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let distance = editDistance(word, Array(candidate.unicodeScalars))
        guard distance <= max(1, candidate.unicodeScalars.count / 3), distance < best?.distance ?? .max else {
            continue
        }
        best = (candidate, distance)
    }
    return best?.name
}

/// Levenshtein's distance: how many insertions, deletions and replacements lead from one to the other.
private func editDistance(_ one: [Unicode.Scalar], _ other: [Unicode.Scalar]) -> Int {
    var row = Array(0...other.count)
    for (index, scalar) in one.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in other.indices {
            let replaced = diagonal + (scalar == other[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
        }
    }
    return row[other.count]
}
