/// A window on a received message: every load is checked against its bounds, so that the decoder above it needs no
/// pointers and cannot read past the end.
///
/// Why not libmnl's own parser: `mnl_nlmsg_ok` takes a length above 2 GiB for a good one, and `mnl_attr_get_u32` and its
/// kin leave the length to the caller. Netlink is in host byte order and 4-byte aligned, which nothing here relies on.
import CMnl

/// Valid only while the buffer it was made of is; the decoder never lets one escape.
@safe struct Bytes {
    private let base: UnsafeRawBufferPointer

    init(_ base: UnsafeRawBufferPointer) {
        unsafe self.base = unsafe base
    }

    var count: Int { unsafe base.count }

    /// A number or a C structure at an offset, in host order; nil when it would reach past the end.
    func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int = 0) -> Value? {
        guard offset >= 0, offset <= count, count - offset >= MemoryLayout<Value>.size else { return nil }
        return unsafe base.loadUnaligned(fromByteOffset: offset, as: type)
    }

    /// A part of the window; nil when it would reach past the end.
    func window(from offset: Int, count length: Int) -> Bytes? {
        guard offset >= 0, length >= 0, offset <= count, count - offset >= length else { return nil }
        return unsafe Bytes(UnsafeRawBufferPointer(rebasing: base[offset..<offset + length]))
    }

    /// What follows an offset; empty when there is nothing.
    func dropping(_ offset: Int) -> Bytes {
        let start = min(max(offset, 0), count)
        return unsafe Bytes(UnsafeRawBufferPointer(rebasing: base[start...]))
    }

    /// The text up to the first NUL, the end, or 255 bytes. The longest name is 127. See `String.init(kernel:)`.
    var text: String { unsafe String(kernel: base.prefix(255).prefix { $0 != 0 }) }

    /// Up to 24 bytes as three numbers, zeros behind them; nil when there are more.
    var packed: (UInt64, UInt64, UInt64)? {
        guard count <= 24 else { return nil }
        var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyMemory(from: base) }
        return (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian)
    }

    /// Calls `body` with the type and the payload of each attribute.
    ///
    /// - Returns: false when the chain is broken: a length below the header's, or one that reaches past the end. One to
    ///   three bytes left over are padding.
    func forEachAttribute(_ body: (_ type: Int, _ payload: Bytes) -> Void) -> Bool {
        var offset = 0
        while count - offset >= MemoryLayout<nlattr>.size {
            guard let header = load(nlattr.self, at: offset) else { return false }
            let length = Int(header.nla_len)
            guard length >= MemoryLayout<nlattr>.size,
                let payload = window(
                    from: offset + MemoryLayout<nlattr>.size, count: length - MemoryLayout<nlattr>.size)
            else { return false }
            body(Int(header.nla_type & 0x3fff), payload)  // NLA_TYPE_MASK
            offset += (length + 3) & ~3  // NLA_ALIGN; at least 4, so this ends
            if offset > count { return true }
        }
        return true
    }
}

extension String {
    /// A name of the kernel's. Its names are bytes: one that is no UTF-8 may stand in any of them, and two names that differ
    /// must not be published as one. So such a byte is written as `\xff`, and a backslash that would be taken for the
    /// beginning of that as `\x5c`.
    public init(kernel bytes: some Collection<UInt8>) {
        guard !bytes.allSatisfy({ $0 < 0x80 && $0 != UInt8(ascii: "\\") }) else {
            self.init(decoding: bytes, as: UTF8.self)
            return
        }
        self.init()
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            var parser = UTF8.ForwardParser()
            var iterator = rest.makeIterator()
            switch parser.parseScalar(from: &iterator) {
            case .valid(let units) where !rest.beginsLikeAnEscape:
                unicodeScalars.append(UTF8.decode(units))
                rest = rest.dropFirst(units.count)
            default:
                let byte = rest.removeFirst()
                self += byte < 0x10 ? "\\x0" : "\\x"
                self += String(byte, radix: 16)
            }
        }
    }
}

extension ArraySlice<UInt8> {
    /// A backslash, an x and two digits of 16.
    fileprivate var beginsLikeAnEscape: Bool {
        starts(with: "\\x".utf8) && prefix(4).count == 4
            && prefix(4).dropFirst(2).allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
    }
}
