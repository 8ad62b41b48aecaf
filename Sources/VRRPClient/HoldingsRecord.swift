/// Which addresses this process may have in the kernel, written down before the first is added: a later process, or
/// `linkwatch-vrrp --release`, or the runner of the one that died, finds what it left behind. One line each: interface,
/// address; prefix length is not needed, as an address lives once on an interface.
///
/// The record names candidates. What is removed must also carry our mark in the kernel (`LegAddresses.isOurs`), so that a
/// record that is out of date harms nothing. A macvlan of ours counts as the interface beneath it, and goes with its
/// addresses.
///
/// A lock beside the record belongs to a process and its runner, from before it writes to the record until both have ended
/// or taken leave. So whoever removes what a dead process left behind never meets a living one that has put the same
/// addresses there again, however fast that was started.
import Addresses
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

struct HoldingsRecord {
    struct Entry: Hashable {
        /// The interface's name; for a macvlan, that of the interface beneath it.
        var interface: String
        var address: IPAddress
    }

    private let path: String

    /// A record longer than this is not ours.
    private static let bytesMax = 1 << 20

    /// How long the runner of an earlier process may take to end.
    private static let patienceNs: Int64 = 3_000_000_000

    init(directory: String) { path = directory + "/vrrp-holdings" }

    /// Takes the record for this process and the children that it forks. The lock ends with the last of them.
    ///
    /// - Returns: the lock's descriptor, which is never closed.
    /// - Throws: `Errno.wouldBlock` when another process has it and does not end, or what open(2) says.
    func lock() throws(Errno) -> CInt {
        // Nobody else may open it, or anyone could keep us from starting.
        let fd = try Syscall.retry { unsafe open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        let untilNs = Clock.monotonicNs() + Self.patienceNs
        var isWaiting = false
        while true {
            do throws(Errno) {
                try Syscall.retry { flock(fd, LOCK_EX | LOCK_NB) }
                return fd
            } catch {
                guard error == .wouldBlock, Clock.monotonicNs() < untilNs else {
                    close(fd)
                    throw error
                }
            }
            if !isWaiting { Log.notice("\(path): waiting for another linkwatch-vrrp to end") }
            isWaiting = true
            usleep(5000)
        }
    }

    /// Replaces the record: whole, or not at all.
    ///
    /// - Throws: what open(2), write(2) or rename(2) says.
    func write(_ entries: [Entry]) throws(Errno) {
        let text = entries.map { "\($0.interface) \($0.address)\n" }.joined()
        let temporary = path + ".new"
        let fd = try Syscall.retry {
            unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        }
        let file = Descriptor(owning: fd)
        let written = try Syscall.retry { unsafe Glibc.write(file.raw, text, text.utf8.count) }
        guard written == text.utf8.count else { throw .noSpace }
        try Syscall.retry { unsafe rename(temporary, path) }
    }

    /// What was recorded; lines that are not understood are passed over.
    func read() -> [Entry] {
        let fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard fd >= 0 else { return [] }
        let file = Descriptor(owning: fd)
        var bytes = [UInt8](repeating: 0, count: Self.bytesMax)
        var length = 0
        while length < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.read(file.raw, $0.baseAddress?.advanced(by: length), $0.count - length)
            }
            guard count > 0 else { break }
            length += count
        }
        return String(decoding: bytes.prefix(length), as: UTF8.self).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let address = IPAddress(String(words[1])) else { return nil }
            return Entry(interface: String(words[0]), address: address)
        }
    }

    /// The requests that remove what the record names and the kernel has, marked as ours: addresses first, then macvlans.
    func leftovers(addresses: some Sequence<Address>, links: [Int32: Link]) -> [RtnlRequest] {
        let entries = Set(read())
        let macvlans = links.values.filter { link in
            guard let parent = VirtualMAC.parent(of: link).flatMap({ links[$0] }) else { return false }
            return entries.contains { $0.interface == parent.name }
        }
        let owned = addresses.filter(LegAddresses.isOurs).filter { address in
            guard let link = links[address.key.ifindex] else { return false }
            let place = VirtualMAC.parent(of: link).flatMap { links[$0] } ?? link
            return entries.contains(Entry(interface: place.name, address: address.key.address))
        }
        return owned.map { .removeAddress($0.key) } + macvlans.map { .removeLink(ifindex: $0.ifindex) }
    }

    /// Removes at once what a dead process left behind.
    ///
    /// - Returns: the addresses that were removed, and how many macvlans were.
    func release() throws(Errno) -> (addresses: [AddressKey], macvlans: Int) {
        let kernel = try RtnlMonitor.snapshot(options: RtnlMonitor.Options(routes: nil, addresses: true))
        let requests = leftovers(addresses: kernel.addresses.values, links: kernel.links)
        let done = zip(requests, try RtnlRequester().perform(requests)).filter { $1 == nil }.map(\.0)
        let addresses = done.compactMap { if case .removeAddress(let key) = $0 { key } else { nil } }
        return (addresses, done.count - addresses.count)
    }
}
