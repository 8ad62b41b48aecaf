/// Takes the comment and the blanks at both ends away, as `decomment` of lib/parser.c does.
///
/// `#` and `!` begin a comment anywhere but within double quotes; a backslash before them makes them what they are. A
/// backslash at the very end stays, behind no blanks: it continues a definition.
///
/// - Returns: whether a double quote is left open.
@discardableResult
func removeComment(_ line: inout [UInt8]) -> Bool {
    line.removeFirst(line.afterBlanks(0))
    var isQuoted = false
    var continues = false
    var index = 0
    scan: while index < line.count {
        switch line[index] {
        case .quote:
            isQuoted.toggle()
            index += 1
        case .backslash:
            guard index + 1 < line.count else {
                line.removeLast()
                continues = true
                break scan
            }
            if !isQuoted, [UInt8(ascii: "#"), UInt8(ascii: "!")].contains(line[index + 1]) {
                line.remove(at: index)
                index += 1
            } else {
                index += 2
            }
        case UInt8(ascii: "#"), UInt8(ascii: "!"):
            if !isQuoted {
                line.removeSubrange(index...)
                break scan
            }
            index += 1
        default:
            index += 1
        }
    }
    line.trimBlanksAtEnd()
    if continues { line.append(.backslash) }
    return isQuoted
}
