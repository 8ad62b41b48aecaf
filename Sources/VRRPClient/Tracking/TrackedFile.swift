/// A tracked file: the number in it, times the weight, is added to the priority; without a weight it is well while the number
/// is 0. So it is with keepalived's `track_file`.
///
/// The kernel reports what happens in the file's directory (inotify(7)): the file is written and closed, replaced, or
/// removed. It cannot report on a directory that does not exist, so that is looked for once a second. A file that is
/// missing, cannot be read or does not begin with a number counts as 0. If the number is too large, the one before it
/// still counts.
///
/// Anybody with write access to the directory can cause events without limit: so they are handled after packets and
/// timers, and all that are waiting cost one reading of 128 bytes. Reading never waits, not even for the writer of a
/// pipe.
import Configuration
import Glibc
import LinuxSystem
import SystemPackage
import VRRP

final class TrackedFile: Tracked {
    private final class Inotify {
        let descriptor: Descriptor
        init(_ raw: CInt) { descriptor = Descriptor(owning: raw) }
    }

    private let path: String
    private let loop: EventLoop
    private var inotify: Inotify?
    private var timer: EventLoop.TimerID?
    private var complaint: Errno?

    /// What stands in the file. It is read first when it is asked for: as the user that reads it later.
    private(set) lazy var number = read()
    var onChange: () -> Void = {}

    private static let againNs: Int64 = 1_000_000_000
    private static let events = IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF

    init(_ path: String, _ loop: EventLoop) {
        self.path = path
        self.loop = loop
        watch()
    }

    func stop() {
        onChange = {}
        unwatch()
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    var isWell: Bool { number == 0 }

    var cause: Cause { Cause(.tracked, VRRPConfiguration.Track.Object.file(path).name) }

    func contribution(of weight: Int) -> Int { min(max(number * weight, -253), 253) }

    // MARK: Watching

    private func watch() {
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        do throws(Errno) {
            let inotify = Inotify(try Syscall.retry { inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC)) })
            let mask = UInt32(Self.events) | UInt32(IN_ONLYDIR)
            try Syscall.retry { unsafe inotify_add_watch(inotify.descriptor.raw, directory, mask) }
            try loop.watch(inotify.descriptor.raw, .readable, priority: .clients) { [unowned self] _ in hear() }
            self.inotify = inotify
            complaint = nil
        } catch {
            if complaint != error {
                Log.warning("file \(path): its directory cannot be watched (\(error)): it is read once a second")
            }
            complaint = error
            timer = loop.schedule(atNs: loop.nowNs + Self.againNs, toleranceNs: Self.againNs / 5) { [unowned self] in
                timer = nil
                watch()
                update()
            }
        }
    }

    private func unwatch() {
        if let inotify { loop.unwatch(inotify.descriptor.raw) }
        inotify = nil
    }

    /// Something has happened in the directory, perhaps to the file; or the directory has gone.
    private func hear() {
        guard let raw = inotify?.descriptor.raw else { return }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe Glibc.read(raw, &bytes, bytes.count)
        // The mask of each event is its second word, the length of the name its fourth.
        var offset = 0
        var isGone = false
        while offset + 16 <= count {
            let words = unsafe bytes[offset..<offset + 16].withUnsafeBytes {
                unsafe $0.loadUnaligned(as: SIMD4<UInt32>.self)
            }
            if words.y & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT) != 0 { isGone = true }
            offset += 16 + Int(words.w)
        }
        if isGone {
            unwatch()
            watch()
        }
        update()
    }

    private func update() {
        let new = read()
        guard new != number else { return }
        Log.notice("file \(path): \(new), was \(number)", about: "file \(path)")
        number = new
        onChange()
    }

    /// A number beyond all bounds counts as the greatest: it is far from 0, and to take it for 0 would call the file well.
    private func read() -> Int {
        var bytes = [CChar](repeating: 0, count: 128)
        let count: Int
        do throws(Errno) {
            let raw = try Syscall.retry { unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }
            defer { close(raw) }
            count = try Syscall.retry { unsafe Glibc.read(raw, &bytes, bytes.count - 1) }
        } catch {
            if error != .noSuchFileOrDirectory {
                Log.warning("file \(path): cannot be read (\(error)), counts as 0", about: "file \(path)")
            }
            return 0
        }
        guard count > 0 else { return 0 }
        let bound = Int(Int32.max)
        return max(-bound, min(bound, unsafe strtol(bytes, nil, 0)))
    }
}
