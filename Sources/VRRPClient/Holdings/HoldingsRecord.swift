/// What this process may have in the kernel, written down before the first of it is added: a later process, or
/// `linkwatch-vrrp --release`, or the runner of the one that died, finds what it left behind. A line for each thing
/// that is held, in the form of its kind (`Held`). Further lines say that there may be a packet filter
/// (`AcceptFilter`), which sysctls were changed (`InterfaceSwitches`), and which resignation to send for an address
/// (`Resignation`):
///
///     eth0 192.0.2.1
///     nft table inet linkwatch_vrrp
///     sysctl arp_ignore 3 0 1                 of the interface with number 3: it held 0, and was set to 1
///     resign eth0 192.0.2.1 45c0002800...     the packet; `-` for an instance without addresses
///
/// The record names candidates, and each kind makes sure that nothing is removed that is not ours, so an outdated
/// record does no harm.
///
/// The record is locked by a process and its runner, from before it is written until both have ended in good order or
/// died. So nobody who removes what a dead process left behind can remove the same addresses of a new process, however
/// fast that was started.
///
/// It belongs to whoever started the process, root as a rule, in a folder where nobody else can put a file. Only the runner
/// writes it, what the configuration file names and nothing else; the protocol process can read it, and that is all.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

struct HoldingsRecord {
    /// What else must be done for a process that has died, besides removing what it held.
    struct Legacy: Equatable {
        var switches: [BorrowedSwitch] = []
        var resignations: [Resignation] = []
    }

    /// Why the record, or its folder, is not to be used.
    enum Refusal: Error, Hashable, CustomStringConvertible {
        /// It is not safe to use.
        case untrusted(String)
        /// The call failed.
        case system(Errno)

        var description: String {
            switch self {
            case .untrusted(let reason): reason
            case .system(let error): "\(error)"
            }
        }
    }

    private let path: String
    /// Shared with the runner, and closed by the end of both. It cannot be written to.
    private let fd: CInt
    /// For whoever writes.
    private let writer: CInt

    private static let name = "vrrp-holdings"
    private static let filterLine = "nft table \(AcceptTable.name)"

    /// A record longer than this is not ours.
    private static let bytesMax = 1 << 20

    /// Resignations that would take more are left out: they save time, nothing else.
    private static let resignationBytesMax = 1 << 19

    /// How long the runner of an earlier process may take to end.
    private static let patienceNs: Int64 = 3_000_000_000

    /// Opens the record, and makes it if there is none.
    ///
    /// - Throws: what open(2) says, or who else could have made or changed it.
    init(directory: String) throws(Refusal) {
        path = "\(directory)/\(Self.name)"
        let folder = Descriptor(
            owning: try Self.attempt { unsafe open(directory, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
        try Self.check(folder.raw, directory, kind: S_IFDIR)
        try Self.dropForeign(in: folder.raw)
        let flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        writer = try Self.attempt { unsafe openat(folder.raw, Self.name, flags | O_RDWR | O_CREAT, 0o600) }
        try Self.check(writer, path, kind: S_IFREG)
        fd = try Self.attempt { unsafe openat(folder.raw, Self.name, flags | O_RDONLY) }
    }

    private static func attempt(_ call: () -> CInt) throws(Refusal) -> CInt {
        do throws(Errno) { return try Syscall.retry { call() } } catch {
            throw error == .tooManySymbolicLinkLevels || error == .notDirectory
                ? .untrusted("expected a folder and a file, and no symbolic links") : .system(error)
        }
    }

    /// In the folder, which is safe, a record of another user is one of an earlier version, which gave it away. What it says
    /// is not to be trusted, and without CAP_DAC_OVERRIDE root could not even open it.
    private static func dropForeign(in folder: CInt) throws(Refusal) {
        var status = stat()
        guard unsafe fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
            status.st_mode & S_IFMT == S_IFREG, status.st_uid != 0, status.st_uid != geteuid()
        else { return }
        _ = try attempt { unsafe unlinkat(folder, name, 0) }
    }

    /// Nobody but root, or who we are ourselves, may have it or change it: whoever can open the record may lock it, and keep
    /// us from starting, and whoever can link a file there has us write to it.
    private static func check(_ fd: CInt, _ path: String, kind: mode_t) throws(Refusal) {
        var status = stat()
        guard unsafe fstat(fd, &status) == 0 else { throw .system(Errno(rawValue: errno)) }
        let isFile = kind == S_IFREG
        guard status.st_mode & S_IFMT == kind else { throw .untrusted("\(path): expected a regular file") }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            throw .untrusted("\(path) belongs to the user \(status.st_uid): expected root")
        }
        let others: mode_t = isFile ? 0o077 : 0o022
        guard status.st_mode & others == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw .untrusted(
                "\(path) is open to other users (mode \(mode)): expected \(isFile ? "600" : "755 or less")")
        }
        if isFile, status.st_nlink != 1 {
            throw .untrusted("\(path) has \(status.st_nlink) names: expected one (a hard link was made)")
        }
    }

    /// Takes the record for this process and the children that it forks. The lock ends with the last of them.
    ///
    /// - Throws: `Errno.wouldBlock` when another process has it and does not end.
    func lock() throws(Errno) {
        let untilNs = Clock.monotonicNs() + Self.patienceNs
        var isWaiting = false
        while true {
            do throws(Errno) {
                try Syscall.retry { flock(fd, LOCK_EX | LOCK_NB) }
                return
            } catch {
                guard error == .wouldBlock, Clock.monotonicNs() < untilNs else { throw error }
            }
            if !isWaiting { Log.notice("\(path): waiting for another linkwatch-vrrp to end") }
            isWaiting = true
            usleep(5000)
        }
    }

    /// Ends this process's share in the lock, and the use of the record.
    func letGo() { close(fd) }

    /// Ends the right to write in the protocol process, which is the first to be taken over in an attack.
    func giveUpWriting() { close(writer) }

    /// Names what a process with this configuration may hold, beside what is named already.
    ///
    /// - Throws: what pwrite(2) or ftruncate(2) says.
    func add(_ configuration: VRRPConfiguration) throws(Errno) {
        let holdings = Set(read().map { $0.joined(separator: " ") }).union(HeldKinds.lines(of: configuration.groups))
        try write(
            holdings.sorted(), hasFilter: hasFilter || AcceptTable.isNeeded(by: configuration), legacy: readLegacy())
    }

    /// Names what a process with this configuration may hold, and nothing else.
    ///
    /// - Throws: what pwrite(2) or ftruncate(2) says.
    func replace(by configuration: VRRPConfiguration, legacy: Legacy) throws(Errno) {
        try write(
            HeldKinds.lines(of: configuration.groups), hasFilter: AcceptTable.isNeeded(by: configuration),
            legacy: legacy)
    }

    /// Leaves this legacy in place of what was left before.
    ///
    /// - Throws: what pwrite(2) or ftruncate(2) says.
    func leave(_ legacy: Legacy) throws(Errno) {
        try write(read().map { $0.joined(separator: " ") }, hasFilter: hasFilter, legacy: legacy)
    }

    /// A process that is killed meanwhile leaves lines of both behind, which does no harm: they are only candidates.
    private func write(_ holdings: [String], hasFilter: Bool, legacy: Legacy) throws(Errno) {
        var text = (holdings + (hasFilter ? [Self.filterLine] : [])).map { $0 + "\n" }.joined()
        for borrowed in legacy.switches { text += borrowed.line + "\n" }
        let length = text.utf8.count
        for last in legacy.resignations where !last.isSigned {
            guard text.utf8.count - length < Self.resignationBytesMax else { break }
            text += last.line + "\n"
        }
        let written = try Syscall.retry { unsafe pwrite(writer, text, text.utf8.count, 0) }
        guard written == text.utf8.count else { throw .noSpace }
        try Syscall.retry { ftruncate(writer, text.utf8.count) }
    }

    /// Each line that names a holding, split at blanks; lines that are not understood are ignored.
    func read() -> [[String]] {
        lines().map(HeldKinds.words).filter { words in HeldKinds.all.contains { $0.isLine(words) } }
    }

    /// What was recorded to be done; lines that are not understood are ignored.
    func readLegacy() -> Legacy {
        var legacy = Legacy()
        for words in lines().map(HeldKinds.words) {
            if let borrowed = BorrowedSwitch(words: words) { legacy.switches.append(borrowed) }
            if let last = Resignation(words: words) { legacy.resignations.append(last) }
        }
        return legacy
    }

    /// A packet filter may have been left behind.
    var hasFilter: Bool { lines().contains { $0 == Self.filterLine } }

    private func lines() -> [Substring] {
        // As large as the file: growing a buffer would leave memory on the heap.
        var bytes = [UInt8](repeating: 0, count: min(max(0, lseek(fd, 0, SEEK_END)), Self.bytesMax))
        var length = 0
        while length < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes {
                unsafe pread(fd, $0.baseAddress?.advanced(by: length), $0.count - length, length)
            }
            guard count > 0 else { break }
            length += count
        }
        return String(decoding: bytes.prefix(length), as: UTF8.self).split(separator: "\n")
    }

    /// What `release` did.
    struct Released {
        /// What was removed, in words; empty: nothing.
        var holdings = ""
        var switches = 0
    }

    /// Removes at once what a dead process left behind, sends resignations for its addresses that were still there, and
    /// restores the sysctls that it changed.
    ///
    /// - Parameter legacy: what is to be done, in place of what is recorded.
    func release(_ legacy: Legacy? = nil) throws(Errno) -> Released {
        let legacy = legacy ?? readLegacy()
        let options = RtnlMonitor.Options(routes: nil, addresses: true)
        let kernel: RtnlMonitor
        // Removes what is found, even if not everything could be read.
        do throws(RtnlError) {
            kernel = try RtnlMonitor.snapshot(options: options, acceptsPart: true)
        } catch {
            throw error.errno
        }
        var released = Released()
        released.holdings = try HeldKinds.removeLeftovers(
            recorded: read(), in: KernelTables(addresses: kernel.addresses, links: kernel.links), by: RtnlRequester()
        ) { served in
            Resignation.say(legacy.resignations.filter { $0.address.map(served.contains) ?? true })
        }
        released.switches = legacy.switches.count { $0.putBack() }
        return released
    }
}
