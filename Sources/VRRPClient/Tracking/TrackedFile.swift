/// A tracked file: the number in it, times the weight, is added to the priority; without a weight it is well while the number
/// is 0. So it is with keepalived's `track_file`.
///
/// The kernel reports what happens in the file's directory: the file is written and closed, replaced, or removed; and whether
/// the path leads elsewhere from now on (`PathWatch`). It cannot report on a directory that does not exist, so that is
/// looked for once a second. A file that is missing, cannot be read or does not begin with a number counts as 0.
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

    init(_ path: String, _ loop: EventLoop) {
        self.path = path
        self.loop = loop
        watch()
    }

    func stop() {
        onChange = {}
        unwatch()
    }

    var isWell: Bool { number == 0 }

    var cause: Cause { Cause(.tracked, VRRPConfiguration.Track.Object.file(path).name) }

    func contribution(of weight: Int) -> Int { min(max(number * weight, -253), 253) }

    // MARK: Watching

    private func watch() {
        unwatch()
        var hindrance: Errno?
        do throws(Errno) {
            let inotify = Inotify(try Syscall.retry { inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC)) })
            hindrance = try PathWatch.begin(path, on: inotify.descriptor.raw)
            try loop.watch(inotify.descriptor.raw, .readable, priority: .clients) { [unowned self] _ in hear() }
            self.inotify = inotify
        } catch { hindrance = error }
        if let hindrance, hindrance != complaint {
            Log.warning("file \(path): its directory cannot be watched (\(hindrance)): it is read once a second")
        }
        complaint = hindrance
        guard hindrance != nil else { return }
        timer = loop.schedule(atNs: loop.nowNs + Self.againNs, toleranceNs: Self.againNs / 5) { [unowned self] in
            timer = nil
            watch()
            update()
        }
    }

    private func unwatch() {
        if let inotify { loop.unwatch(inotify.descriptor.raw) }
        inotify = nil
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    /// Something has happened in the directory, perhaps to the file; or the path leads elsewhere.
    private func hear() {
        guard let raw = inotify?.descriptor.raw else { return }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe Glibc.read(raw, &bytes, bytes.count)
        // The mask of each event is its second word, the length of the name its fourth.
        var offset = 0
        var (isOutdated, isArrival, isWritten) = (false, false, false)
        while offset + 16 <= count {
            let words = unsafe bytes[offset..<offset + 16].withUnsafeBytes {
                unsafe $0.loadUnaligned(as: SIMD4<UInt32>.self)
            }
            if words.y & PathWatch.isOutdated != 0 { isOutdated = true }
            if words.y & PathWatch.isArrival != 0 { isArrival = true }
            // What is new is empty until it has been written.
            if words.y & UInt32(IN_CREATE) == 0 { isWritten = true }
            offset += 16 + Int(words.w)
        }
        if isOutdated || isArrival && PathWatch.isLink(path) { watch() } else if !isWritten { return }
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
