/// Giving up privileges once a process has what it needs, and asking for real-time scheduling and locked memory.
import CLinux
import Glibc
import SystemPackage

/// A set of capabilities; see capabilities(7).
public struct Capabilities: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Read MII registers, change addresses and links. The corresponding C constant is `CAP_NET_ADMIN`.
    public static let netAdmin = Capabilities(rawValue: 1 << UInt64(CAP_NET_ADMIN))
    /// Raw and packet sockets. The corresponding C constant is `CAP_NET_RAW`.
    public static let netRaw = Capabilities(rawValue: 1 << UInt64(CAP_NET_RAW))
    /// The corresponding C constant is `CAP_SETUID`.
    public static let setUID = Capabilities(rawValue: 1 << UInt64(CAP_SETUID))
    /// The corresponding C constant is `CAP_SETGID`.
    public static let setGID = Capabilities(rawValue: 1 << UInt64(CAP_SETGID))
    /// The corresponding C constant is `CAP_KILL`.
    public static let kill = Capabilities(rawValue: 1 << UInt64(CAP_KILL))

    /// The names as capabilities(7) spells them.
    public var names: [String] {
        let known: [(Capabilities, String)] = [
            (.kill, "CAP_KILL"), (.netAdmin, "CAP_NET_ADMIN"), (.netRaw, "CAP_NET_RAW"), (.setGID, "CAP_SETGID"),
            (.setUID, "CAP_SETUID"),
        ]
        return known.filter { contains($0.0) }.map(\.1)
    }

    /// What the calling thread may do now.
    ///
    /// - Throws: what capget(2) says.
    public static func effective() throws(Errno) -> Capabilities {
        var effective: UInt64 = 0
        var permitted: UInt64 = 0
        try Syscall.check(unsafe clinux_capget(&effective, &permitted))
        return Capabilities(rawValue: effective)
    }
}

public enum Privileges {
    /// Keeps at most `wanted` of what the process has, for good: the rest leaves the permitted set, and no program that is
    /// started can gain any (`PR_SET_NO_NEW_PRIVS`). Before threads start: these are properties of a thread.
    ///
    /// - Returns: what is left.
    /// - Throws: what capset(2) or prctl(2) says.
    @discardableResult
    static func keepOnly(_ wanted: Capabilities) throws(Errno) -> Capabilities {
        var effective: UInt64 = 0
        var permitted: UInt64 = 0
        try Syscall.check(unsafe clinux_capget(&effective, &permitted))
        let kept = permitted & wanted.rawValue
        try Syscall.check(clinux_capset(kept, kept, 0))
        try Syscall.check(clinux_prctl(PR_SET_NO_NEW_PRIVS, 1, 0))
        return Capabilities(rawValue: kept)
    }

    /// Takes all but `wanted` out of the bounding set, so that no program that is started can have more, root's included.
    /// It takes CAP_SETPCAP; without, the set stays as it is.
    public static func bound(to wanted: Capabilities) {
        for number in 0..<64 where !wanted.contains(Capabilities(rawValue: 1 << UInt64(number))) {
            // A number that the kernel does not know is an error, as is a missing right.
            _ = clinux_prctl(PR_CAPBSET_DROP, UInt(number), 0)
        }
    }

    /// Becomes the user of an account, without its other groups, and keeps at most `wanted` for good, out of the bounding set
    /// as well. Before threads start.
    ///
    /// - Parameter account: nil: stay who we are.
    /// - Returns: what is left.
    /// - Throws: what setgroups, setgid, setuid, capset or prctl says.
    @discardableResult
    public static func become(_ account: Account?, keeping wanted: Capabilities) throws(Errno) -> Capabilities {
        bound(to: wanted)
        if let account {
            // The permitted capabilities survive the change, the effective ones do not until they are set.
            try Syscall.check(clinux_prctl(PR_SET_KEEPCAPS, 1, 0))
            try Syscall.retry { setgroups(0, nil) }
            try Syscall.retry { setgid(account.gid) }
            try Syscall.retry { setuid(account.uid) }
        }
        return try keepOnly(wanted)
    }

    /// Schedules the calling thread as SCHED_RR, and keeps every page that is touched in memory (`MCL_ONFAULT`), without a
    /// limit, so that it holds when CAP_IPC_LOCK is given up. A refusal is logged: the process works without.
    ///
    /// The first takes CAP_SYS_NICE or RLIMIT_RTPRIO; the second CAP_SYS_RESOURCE, unless RLIMIT_MEMLOCK is unlimited already.
    ///
    /// - Parameters:
    ///   - realtimePriority: 1 to 99; 0: ordinary scheduling.
    ///   - isInherited: whether threads and children start as SCHED_RR as well; otherwise, as SCHED_OTHER.
    public static func prefer(realtimePriority: CInt, isInherited: Bool = false, locksMemory: Bool) {
        if realtimePriority > 0 {
            do throws(Errno) { try Syscall.check(clinux_sched_rr(realtimePriority, isInherited)) } catch {
                Log.warning("the process is not SCHED_RR: \(error)")
            }
        }
        if locksMemory {
            do throws(Errno) { try Syscall.check(clinux_mlockall_onfault()) } catch {
                Log.warning("memory is not locked: \(error)")
            }
        }
    }

    /// Gives back the memory of the program's and its libraries' pages that only the start needed; not together with
    /// locked memory.
    ///
    /// The pages are the files' own and clean: what is needed again is mapped again from the page cache. It changes what
    /// the process keeps mapped while it idles, not what it can do. A refusal is no harm and is not reported.
    public static func releaseStartPages() {
        clinux_release_code_pages()
    }
}
