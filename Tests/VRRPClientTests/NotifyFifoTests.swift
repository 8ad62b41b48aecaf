/// The FIFO of a `[notify]`, which anybody with rights in its folder may remove or replace.
import Glibc
import SystemPackage
import Testing

@testable import VRRPClient

@Suite struct NotifyFifoTests {
    private let folder: String
    private var path: String { folder + "/states" }

    init() {
        var template = Array("/tmp/linkwatch-XXXXXX".utf8CString)
        folder = unsafe String(cString: unsafe mkdtemp(&template))
    }

    private func end() {
        unsafe unlink(path)
        unsafe rmdir(folder)
    }

    /// What a reader finds at the path.
    private func read() -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test func linesGoWhereReadersLook() throws {
        defer { end() }
        let fifo = try NotifyFifo(path, user: nil)
        fifo.write("one\n")
        #expect(read() == "one\n")
        // Removed: it is made again. Replaced: the new one is used.
        unsafe unlink(path)
        fifo.write("two\n")
        #expect(read() == "two\n")
        unsafe unlink(path)
        #expect(unsafe mkfifo(path, 0o644) == 0)
        fifo.write("three\n")
        #expect(read() == "three\n")
        // It is somebody else's now, and stays.
        fifo.remove()
        #expect(unsafe access(path, F_OK) == 0)
    }

    @Test func whatTookItsPlaceIsNeitherWrittenToNorRemoved() throws {
        defer { end() }
        let fifo = try NotifyFifo(path, user: nil)
        unsafe unlink(path)
        let file = unsafe open(path, O_CREAT | O_WRONLY | O_EXCL, 0o600)
        #expect(unsafe write(file, "kept", 4) == 4)
        close(file)
        fifo.write("line\n")
        fifo.remove()
        #expect(read() == "kept")
        unsafe unlink(path)
        fifo.write("line\n")
        #expect(read() == "line\n")
        fifo.remove()
        #expect(unsafe access(path, F_OK) != 0)
    }
}
