/// Watches all that decides which file a path names (inotify(7)): the folder that the file is in, for what happens there, and
/// each folder and symbolic link on the way, for its being moved, replaced or removed.
///
/// A folder on the way is watched for what becomes of itself alone: what happens in it, such as in /run or /tmp, wakes
/// nobody.
import Glibc
import LinuxSystem
import SystemPackage

enum PathWatch {
    /// What of an event says that the path must be gone through again.
    static let isOutdated = UInt32(
        IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW)
    /// What says that the file may be another one from now on, and perhaps a link to elsewhere.
    static let isArrival = UInt32(IN_CREATE | IN_MOVED_TO)

    private static let contents = UInt32(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
    private static let itself = UInt32(IN_DELETE_SELF | IN_MOVE_SELF)
    /// Of symbolic links. The kernel follows as many (`MAXSYMLINKS`).
    private static let linksMax = 40

    /// Begins to watch.
    ///
    /// - Returns: why a part of the way cannot be watched, as the folder may not be read; nil: all of it is.
    /// - Throws: why what the path leads to cannot be watched.
    static func begin(_ path: String, on inotify: CInt) throws(Errno) -> Errno? {
        var hindrance: Errno?
        var names = Array(components(path).reversed())
        var folder = path.hasPrefix("/") ? "/" : "."
        var links = 0
        while let name = names.popLast() {
            let place = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            if names.isEmpty { try add(folder, contents | itself | UInt32(IN_ONLYDIR), inotify) }
            if try target(of: place) != nil {
                links += 1
                guard links <= linksMax else { throw .tooManySymbolicLinkLevels }
                try add(place, itself | UInt32(IN_ATTRIB) | UInt32(IN_DONT_FOLLOW), inotify)
                // Read after the watch has begun: a later change is an event.
                guard let target = try target(of: place) else { throw .noSuchFileOrDirectory }
                names += components(target).reversed()
                if target.hasPrefix("/") { folder = "/" }
            } else if !names.isEmpty {
                do throws(Errno) {
                    try add(place, itself | UInt32(IN_ONLYDIR) | UInt32(IN_DONT_FOLLOW), inotify)
                } catch {
                    guard error == .permissionDenied else { throw error }
                    hindrance = error
                }
                folder = place
            }
        }
        return hindrance
    }

    /// Whether the path names a symbolic link, or a file with another name as well: such a file has its contents from the
    /// instant on at which it comes.
    static func isLink(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFLNK || status.st_nlink > 1
    }

    private static func components(_ path: String) -> [Substring] { path.split(separator: "/") }

    private static func add(_ path: String, _ mask: UInt32, _ inotify: CInt) throws(Errno) {
        try Syscall.retry { unsafe inotify_add_watch(inotify, path, mask | UInt32(IN_MASK_ADD)) }
    }

    /// Where a symbolic link leads; nil: it is none, or there is nothing.
    private static func target(of path: String) throws(Errno) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        do throws(Errno) {
            let count = bytes.count
            let length = try Syscall.retry { unsafe readlink(path, &bytes, count) }
            return String(decoding: bytes.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        } catch {
            if error == .invalidArgument || error == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }
}
