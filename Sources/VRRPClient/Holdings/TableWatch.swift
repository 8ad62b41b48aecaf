/// Learns from the kernel what happens to our nftables table: `nft flush ruleset`, with which every reload of a
/// firewall begins, deletes it silently.
///
/// The kernel reports each transaction, whoever made it (`net/netfilter/nf_tables_api.c`, group `NFNLGRP_NFTABLES`).
/// What is followed is whether the table is there and how many rules it has: all that is done to it changes one or the
/// other, or says that something is gone. Its own messages come by the time that nft(8) has ended.
import CLinux
import LinuxSystem
import SystemPackage

/// What the kernel has said of one table.
struct TableState: Equatable {
    /// The table's name, in the family `inet`.
    let name: String
    /// How many rules it has; nil: it is not there, or it is not known what is there.
    private(set) var rules: Int?

    init(_ name: String) { self.name = name }

    /// Messages were lost.
    mutating func forget() { rules = nil }

    /// Takes a datagram. Lengths that cannot be are the end of it.
    mutating func take(_ datagram: Span<UInt8>) {
        var offset = 0
        while offset + 20 <= datagram.count {
            let length = Int(datagram.word(offset))
            guard length >= 20, offset + length <= datagram.count else { return }
            let type = Int(datagram.half(offset + 4))
            // A network family before its header's version and number.
            if type >> 8 == NFNL_SUBSYS_NFTABLES, datagram[offset + 16] == UInt8(CLINUX_NFPROTO_INET),
                Self.table(datagram, from: offset + 20, to: offset + length) == name
            {
                note(type & 0xff)
            }
            offset += (length + 3) & ~3
        }
    }

    private mutating func note(_ message: Int) {
        switch UInt32(message) {
        // Also of one whose flags are changed, such as to dormant: then its rules are no longer counted on.
        case NFT_MSG_NEWTABLE.rawValue: rules = 0
        // One that is there already is changed, such as its policy.
        case NFT_MSG_NEWCHAIN.rawValue: if rules != 0 { rules = nil }
        case NFT_MSG_NEWRULE.rawValue: rules = rules.map { $0 + 1 }
        case NFT_MSG_DELTABLE.rawValue, NFT_MSG_DELCHAIN.rawValue, NFT_MSG_DELRULE.rawValue: rules = nil
        default: break
        }
    }

    /// The table that a message is about: attribute 1 of tables, chains and rules alike. (`NFTA_TABLE_NAME`)
    private static func table(_ datagram: Span<UInt8>, from start: Int, to end: Int) -> String? {
        var offset = start
        while offset + 4 <= end {
            let length = Int(datagram.half(offset))
            guard length >= 4, offset + length <= end else { return nil }
            if datagram.half(offset + 2) & 0x3fff == UInt16(NFTA_TABLE_NAME.rawValue) {
                let text = (offset + 4..<offset + length).map { datagram[$0] }
                return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
            }
            offset += (length + 3) & ~3
        }
        return nil
    }
}

extension Span<UInt8> {
    fileprivate func half(_ offset: Int) -> UInt16 {
        UInt16(littleEndian: UInt16(self[offset]) | UInt16(self[offset + 1]) << 8)
    }

    fileprivate func word(_ offset: Int) -> UInt32 { UInt32(half(offset)) | UInt32(half(offset + 2)) << 16 }
}

final class TableWatch {
    private let socket: Descriptor
    private let loop: EventLoop
    private(set) var state: TableState
    private var buffer: [UInt8] = []

    /// Called when there was news of any table; `state` has it already.
    var onNews: () -> Void = {}

    /// Datagrams of one turn; the rest waits for the next.
    private static let batchMax = 64
    /// The kernel sends no longer ones (`NLMSG_GOODSIZE`).
    private static let bytesMax = 1 << 15

    /// - Throws: EPERM without CAP_NET_ADMIN, EPROTONOSUPPORT on a kernel without netfilter.
    init(table: String, loop: EventLoop) throws(Errno) {
        socket = Descriptor(owning: try Syscall.check(clinux_nftables_socket()))
        self.loop = loop
        state = TableState(table)
        try loop.watch(socket.raw, .readable) { [unowned self] _ in
            catchUp()
            onNews()
        }
    }

    deinit { loop.unwatch(socket.raw) }

    /// Takes what has been said up to now.
    func catchUp() {
        buffer = [UInt8](repeating: 0, count: Self.bytesMax)
        defer { buffer = [] }
        for _ in 0..<Self.batchMax {
            do throws(Errno) {
                let (length, isForeign) = try unsafe buffer.withUnsafeMutableBytes { bytes in
                    Result { () throws(Errno) in try unsafe NetlinkDatagram.receive(from: socket.raw, into: bytes) }
                }.get()
                if isForeign { continue }
                if length > buffer.count { state.forget() } else { state.take(buffer.span.extracting(0..<length)) }
            } catch .wouldBlock {
                return
            } catch {
                state.forget()
            }
        }
    }
}
