/// keepalived's numbers. Text behind a number, or a value out of range, makes it invalid.

/// A whole number in decimal (`read_unsigned_func`, `read_int_func`).
func wholeNumber(_ text: String, _ range: ClosedRange<Int>) -> Int? {
    let digits =
        text.utf8.first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") } ?? false
        ? text.dropFirst() : text[...]
    guard (1...18).contains(digits.utf8.count), digits.utf8.allSatisfy(\.isDigit), let number = Int(digits) else {
        return nil
    }
    let value = text.hasPrefix("-") ? -number : number
    return range.contains(value) ? value : nil
}

/// Seconds with a fraction, in nanoseconds (`read_decimal_unsigned_long_func`); what is finer than `digits` places is rounded.
func seconds(_ text: String, digits: Int, _ range: ClosedRange<Int64>) -> Int64? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, whole.utf8.count <= 9, whole.utf8.allSatisfy(\.isDigit) else { return nil }
    let fraction = parts.count > 1 ? parts[1] : ""
    guard !(whole.isEmpty && fraction.isEmpty), fraction.utf8.count <= 18, fraction.utf8.allSatisfy(\.isDigit) else {
        return nil
    }
    var scaled = Int64(whole) ?? 0
    var unit: Int64 = 1_000_000_000
    for place in 0..<digits {
        let digit = fraction.utf8.dropFirst(place).first.map { Int64($0 - 0x30) } ?? 0
        scaled = scaled * 10 + digit
        unit /= 10
    }
    if let next = fraction.utf8.dropFirst(digits).first, next >= 0x35 { scaled += 1 }
    let value = scaled * unit
    return range.contains(value) ? value : nil
}

let second: Int64 = 1_000_000_000

/// `on`, `true` or `yes`; no value counts as `true`, and any other as nil (`check_true_false`).
func flag(_ text: String?) -> Bool? {
    switch text {
    case nil, "true", "on", "yes": true
    case "false", "off", "no": false
    default: nil
    }
}

/// What the kernel takes as the name of an interface. The corresponding function is `dev_valid_name` (net/core/dev.c).
func isInterfaceName(_ text: String) -> Bool {
    (1...15).contains(text.utf8.count) && ![".", "..", "all", "default"].contains(text)
        && !text.utf8.contains(UInt8(ascii: "%"))
        && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
}

/// A number below 2^32 in decimal, or with 0x or 0 before it, in 16 or 8 (`strtoul` with base 0).
func anyBase(_ text: String) -> Int? {
    let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
    let isOctal = !isHexadecimal && text.hasPrefix("0")
    let digits = isHexadecimal ? text.dropFirst(2) : text[...]
    guard (1...18).contains(digits.utf8.count), digits.utf8.first != UInt8(ascii: "-"),
        digits.utf8.first != UInt8(ascii: "+")
    else { return nil }
    return Int(digits, radix: isHexadecimal ? 16 : isOctal ? 8 : 10).flatMap {
        (0...4_294_967_295).contains($0) ? $0 : nil
    }
}
