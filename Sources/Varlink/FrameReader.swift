/// Cuts a byte stream into messages at its NUL bytes.
///
/// Memory follows what has arrived: an idle connection holds none, a connection in the middle of a message holds that
/// much, and a message beyond the limit is refused before it is whole.
import Glibc
import LinuxSystem
import SystemPackage

struct FrameReader {
    /// How long a message may be, in bytes, NUL not counted.
    let messageBytesMax: Int

    private var bytes: [UInt8] = []
    /// Where the first message starts, and where its NUL is, if that has arrived.
    private var start = 0
    private var end: Int?

    private static let chunkBytes = 32 * 1024

    /// The message that is arriving is longer than it may be.
    struct TooLong: Error {}

    init(messageBytesMax: Int) {
        self.messageBytesMax = messageBytesMax
    }

    /// A whole message is waiting.
    var hasMessage: Bool { end != nil }

    /// How much has arrived and was not taken.
    var heldBytes: Int { bytes.count }

    /// The message that is arriving, or has arrived, is longer than it may be.
    var isTooLong: Bool { (end ?? bytes.count) - start > messageBytesMax }

    /// Takes what the kernel has, up to one chunk.
    ///
    /// - Returns: false at the end of the stream.
    /// - Throws: what recv(2) says, among it `Errno.wouldBlock`.
    mutating func receive(from fd: CInt) throws(Errno) -> Bool {
        let answer = unsafe withUnsafeTemporaryAllocation(byteCount: Self.chunkBytes, alignment: 1) { chunk in
            let answer = Result { () throws(Errno) in
                try Syscall.retry { unsafe recv(fd, chunk.baseAddress, chunk.count, CInt(MSG_DONTWAIT)) }
            }
            if case .success(let count) = answer { unsafe append(UnsafeRawBufferPointer(rebasing: chunk[..<count])) }
            return answer
        }
        return try answer.get() > 0
    }

    mutating func append(_ chunk: UnsafeRawBufferPointer) {
        if start > 0 {
            bytes.removeFirst(start)
            end = end.map { $0 - start }
            start = 0
        }
        let scanFrom = bytes.count
        unsafe bytes.append(contentsOf: chunk)
        if end == nil { findEnd(from: scanFrom) }
    }

    /// The next whole message, without its NUL; nil: it has not arrived.
    ///
    /// - Throws: if it is, or will be, longer than it may be.
    mutating func next() throws(TooLong) -> [UInt8]? {
        if isTooLong { throw TooLong() }
        guard let end else { return nil }
        let message = Array(bytes[start..<end])
        start = end + 1
        self.end = nil
        if start == bytes.count {
            bytes = []
            start = 0
        } else {
            findEnd(from: start)
        }
        return message
    }

    private mutating func findEnd(from index: Int) {
        unsafe bytes.withUnsafeBytes { bytes in
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[index...])
            guard let base = rest.baseAddress, let found = unsafe memchr(base, 0, rest.count) else { return }
            end = unsafe index + (UnsafeRawPointer(found) - base)
        }
    }
}
