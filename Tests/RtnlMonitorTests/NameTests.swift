/// Names are bytes to the kernel; two that differ are published as two.
import Testing

@testable import RtnlMonitor

@Suite struct NameTests {
    @Test(arguments: [
        ("eth0", "eth0"), ("網路", "網路"), ("a\\b", "a\\b"), ("a\\xg0", "a\\xg0"), ("a\\xff", "a\\x5cxff"),
        ("a\\x1", "a\\x1"),
        ("\u{fffd}", "\u{fffd}"),
    ])
    func textStaysAsItIs(name: String, published: String) {
        #expect(String(kernel: Array(name.utf8)) == published)
    }

    @Test(arguments: [
        ([0x61, 0xff], "a\\xff"), ([0x61, 0xfe], "a\\xfe"), ([0x80, 0x05], "\\x80\u{5}"),
        // An overlong form, a half of a surrogate pair, a sequence that ends too early.
        ([0xc0, 0xaf], "\\xc0\\xaf"), ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"), ([0xe7, 0xb6, 0x41], "\\xe7\\xb6A"),
    ])
    func bytesThatAreNoTextAreEscaped(name: [UInt8], published: String) {
        #expect(String(kernel: name) == published)
    }

    /// All names of three bytes from an alphabet that is rich in traps.
    @Test func noTwoNamesAreOne() {
        let alphabet = Array("\\xf0".utf8) + [0xff, 0xc3, 0xa9, 0x5c]
        var seen: Set<String> = []
        var names: Set<[UInt8]> = [[]]
        for _ in 0..<5 { names.formUnion(names.flatMap { name in alphabet.map { name + [$0] } }) }
        for name in names { #expect(seen.insert(String(kernel: name)).inserted, "\(name)") }
        #expect(names.count > 10_000)
    }
}
