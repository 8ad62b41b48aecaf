/// Which addresses this process may have in the kernel, written down before the first is added: a later process, or
/// `linkwatch-vrrp --release`, or the runner of the one that died, finds what it left behind. One line each: interface,
/// address, and `owner` if the process is the address's owner; whatever prefix length it has on that interface. A line more
/// says that there may be a packet filter (`AcceptFilter`).
///
/// The record names candidates. What is removed must also carry our mark in the kernel (`LegAddresses.isOurs`) or, unless we
/// are the owner, be left over there by somebody else (`AddressRemoval.isLeftover`), so that a record that is out of date
/// harms nothing. A macvlan of ours counts as the interface beneath it, and goes with its
/// addresses.
///
/// The record is locked by a process and its runner, from before it is written to until both have ended or taken leave. So
/// whoever removes what a dead process left behind never meets a living one that has put the same addresses there again,
/// however fast that was started. It is opened once, by root, so that neither needs a right to the folder later.
import Addresses
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

struct HoldingsRecord {
    struct Entry: Hashable {
        /// The interface's name, as the file has it; for a macvlan, that of the interface beneath it.
        var interface: String
        var address: IPAddress
        /// The address is there for good, and only removed if it carries our mark.
        var isOwner = false
    }

    private let path: String
    /// Shared with the runner, and closed by the end of both.
    private let fd: CInt

    private static let filterLine = "nft table \(AcceptFilter.table)"

    /// A record longer than this is not ours.
    private static let bytesMax = 1 << 20

    /// How long the runner of an earlier process may take to end.
    private static let patienceNs: Int64 = 3_000_000_000

    /// Opens the record, and makes it if there is none.
    ///
    /// - Throws: what open(2) says.
    init(directory: String) throws(Errno) {
        let path = directory + "/vrrp-holdings"
        // Nobody else may open it: whoever has it open may lock it, and keep us from starting.
        fd = try Syscall.retry { unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        self.path = path
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

    /// Gives the record to the user that the process becomes.
    func belong(to account: Account) { fchown(fd, account.uid, account.gid) }

    /// Replaces the record. A process that is killed meanwhile leaves lines of both behind: candidates, no more.
    ///
    /// - Throws: what pwrite(2) or ftruncate(2) says.
    func write(_ entries: [Entry], hasFilter: Bool) throws(Errno) {
        let filter = hasFilter ? Self.filterLine + "\n" : ""
        let text = entries.map(Self.line).joined() + filter
        let written = try Syscall.retry { unsafe pwrite(fd, text, text.utf8.count, 0) }
        guard written == text.utf8.count else { throw .noSpace }
        try Syscall.retry { ftruncate(fd, text.utf8.count) }
    }

    private static func line(_ entry: Entry) -> String {
        "\(entry.interface) \(entry.address)\(entry.isOwner ? " owner" : "")\n"
    }

    /// What was recorded; lines that are not understood are passed over.
    func read() -> [Entry] {
        lines().compactMap { line in
            let words = line.split(separator: " ")
            guard (2...3).contains(words.count), let address = IPAddress(String(words[1])) else { return nil }
            return Entry(interface: String(words[0]), address: address, isOwner: words.count == 3)
        }
    }

    /// A packet filter may have been left behind.
    var hasFilter: Bool { lines().contains { $0 == Self.filterLine } }

    private func lines() -> [Substring] {
        // As long as the file is: what is taken from the heap twice stays there.
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

    /// What the record names and the kernel has, left behind: addresses, and macvlans by their numbers.
    func leftovers(
        addresses: some Sequence<Address>, links: [Int32: Link]
    ) -> (addresses: [AddressKey], macvlans: [Int32]) {
        let entries = Set(read())
        let virtual = Set(entries.map(\.address))
        func names(_ link: Link) -> [String] { [link.name] + link.altnames }
        let macvlans = links.values.filter { link in
            guard let parent = VirtualMAC.parent(of: link).flatMap({ links[$0] }) else { return false }
            return entries.contains { names(parent).contains($0.interface) }
        }
        func isRecorded(_ address: Address, isOwner: Bool) -> Bool {
            guard let link = links[address.key.ifindex] else { return false }
            let place = VirtualMAC.parent(of: link).flatMap { links[$0] } ?? link
            return names(place).contains {
                entries.contains(Entry(interface: $0, address: address.key.address, isOwner: isOwner))
            }
        }
        let found = addresses.filter { virtual.contains($0.key.address) }.filter { address in
            let isOurs = LegAddresses.isOurs(address)
            if isOurs, isRecorded(address, isOwner: true) { return true }
            guard isRecorded(address, isOwner: false) else { return false }
            return isOurs || AddressRemoval.isLeftover(address, among: addresses, isVirtual: virtual.contains)
        }
        return (found.map(\.key), macvlans.map(\.ifindex))
    }

    /// Removes at once what a dead process left behind.
    ///
    /// - Returns: the addresses that were removed, and how many macvlans were.
    func release() throws(Errno) -> (addresses: [AddressKey], macvlans: Int) {
        let options = RtnlMonitor.Options(routes: nil, addresses: true)
        let kernel: RtnlMonitor
        // What is found of them is removed, also where the rest cannot be read.
        do throws(RtnlError) {
            kernel = try RtnlMonitor.snapshot(options: options, acceptsPart: true)
        } catch {
            throw error.errno
        }
        let (keys, macvlans) = leftovers(addresses: kernel.addresses.values, links: kernel.links)
        let requester = try RtnlRequester()
        let answers = try AddressRemoval.remove(keys, among: kernel.addresses.values, by: requester) {
            kernel.links[$0]?.name
        }
        let removed = try requester.perform(macvlans.map { .removeLink(ifindex: $0) }).count { $0 == nil }
        return (zip(keys, answers).filter { $1 == nil }.map(\.0), removed)
    }
}
