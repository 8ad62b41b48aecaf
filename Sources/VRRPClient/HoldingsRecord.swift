/// Which addresses this process may have in the kernel, written down before the first is added: a later process, or
/// `linkwatch-vrrp --release`, finds what a dead one left behind. One line each: interface, address, prefix length is not
/// needed, as an address lives once on an interface.
///
/// The record names candidates. What is removed must also carry our mark in the kernel (`LegAddresses.isOurs`), so that a
/// record that is out of date harms nothing.
import Addresses
import Glibc
import LinuxSystem
import RtnlMonitor
import SystemPackage
import VRRP

struct HoldingsRecord {
    struct Entry: Hashable {
        /// The interface's name; a macvlan is recorded by its own.
        var interface: String
        var address: IPAddress
    }

    private let path: String

    /// A record longer than this is not ours.
    private static let bytesMax = 1 << 20

    init(directory: String) { path = directory + "/vrrp-holdings" }

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

    /// The requests that remove what the record names and the kernel has, marked as ours.
    func leftovers(addresses: some Sequence<Address>, linkName: (Int32) -> String?) -> [RtnlRequest] {
        let entries = Set(read())
        return addresses.filter(LegAddresses.isOurs).compactMap { address in
            guard let name = linkName(address.key.ifindex),
                entries.contains(Entry(interface: name, address: address.key.address))
            else { return nil }
            return .removeAddress(address.key)
        }
    }

    /// Removes at once what a dead process left behind.
    ///
    /// - Returns: how many addresses were removed.
    func release() throws(Errno) -> Int {
        let kernel = try RtnlMonitor.snapshot(options: RtnlMonitor.Options(routes: nil, addresses: true))
        let requests = leftovers(addresses: kernel.addresses.values) { kernel.links[$0]?.name }
        let answers = try RtnlRequester().perform(requests)
        return answers.count { $0 == nil }
    }
}
