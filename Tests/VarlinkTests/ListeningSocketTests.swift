import Glibc
import LinuxSystem
import SystemPackage
import Testing

@testable import Varlink

@Suite struct ListeningSocketTests {
    /// What a process leaves behind that is killed: a file that nobody listens at.
    private func leaveStaleSocket(_ path: String) throws {
        let socket = try UnixSocket.make(nonBlocking: true)
        try unsafe UnixSocket.withAddress(path) { address, length in unsafe bind(socket.raw, address, length) }
    }

    @Test func aStaleFileIsReplaced() throws {
        let folder = try Folder()
        try leaveStaleSocket(folder.socket)
        #expect(throws: Errno.connectionRefused) { _ = try UnixSocket.connect(folder.socket, timeoutNs: nil) }
        let socket = try ListeningSocket(path: folder.socket)
        _ = try UnixSocket.connect(folder.socket, timeoutNs: nil)
        _ = socket
    }

    @Test func aLivingOneIsLeftAlone() throws {
        let folder = try Folder()
        let first = try ListeningSocket(path: folder.socket)
        #expect(throws: ListeningSocket.Failure.inUse(path: folder.socket)) { try ListeningSocket(path: folder.socket) }
        _ = try UnixSocket.connect(folder.socket, timeoutNs: nil)
        _ = first
    }

    @Test func aLivingOneThatKnowsNoLockIsLeftAlone() throws {
        let folder = try Folder()
        let socket = try UnixSocket.make(nonBlocking: true)
        try unsafe UnixSocket.withAddress(folder.socket) { address, length in unsafe bind(socket.raw, address, length) }
        listen(socket.raw, 1)
        #expect(throws: ListeningSocket.Failure.inUse(path: folder.socket)) { try ListeningSocket(path: folder.socket) }
    }

    @Test func anotherFileIsLeftAlone() throws {
        let folder = try Folder()
        close(unsafe open(folder.socket, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: ListeningSocket.Failure.notASocket(path: folder.socket)) {
            try ListeningSocket(path: folder.socket)
        }
        #expect(unsafe access(folder.socket, F_OK) == 0)
    }

    @Test func theFileGoesWithItsOwnerUnlessItIsAnothers() throws {
        let folder = try Folder()
        var socket: ListeningSocket? = try ListeningSocket(path: folder.socket)
        socket = nil
        #expect(unsafe access(folder.socket, F_OK) == -1)

        socket = try ListeningSocket(path: folder.socket)
        unsafe unlink(folder.socket)
        try leaveStaleSocket(folder.socket)
        socket = nil
        #expect(unsafe access(folder.socket, F_OK) == 0)
        _ = socket
    }

    @Test func theFolderIsMadeIfItIsMissing() throws {
        let folder = try Folder()
        let inner = folder.path + "/inner"
        ListeningSocket.makeFolder(of: inner + "/s")
        defer { unsafe rmdir(inner) }
        #expect(unsafe access(inner, X_OK) == 0)
        ListeningSocket.makeFolder(of: inner + "/s")
        ListeningSocket.makeFolder(of: "s")
        ListeningSocket.makeFolder(of: "/s")
    }

    @Test func modeAndGroupAreAsAsked() throws {
        let folder = try Folder()
        let socket = try ListeningSocket(path: folder.socket, mode: 0o600, group: getgid())
        var status = stat()
        unsafe lstat(folder.socket, &status)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(status.st_gid == getgid())
        _ = socket
    }

    @Test func pathsThatNoSocketCanHaveAreRefused() {
        for path in [String(repeating: "x", count: 108), "a\0b"] {
            #expect(throws: Errno.fileNameTooLong) { _ = try UnixSocket.connect(path, timeoutNs: nil) }
        }
    }
}
