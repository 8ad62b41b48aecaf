/// A rtnetlink socket, by libmnl, and the buffer to build requests in.
import CMnl
import Glibc
import LinuxSystem
import SystemPackage

/// The result of reading from a socket.
enum Received {
    /// A datagram of this many bytes is in the buffer.
    case datagram(Int)
    /// Nothing is waiting.
    case nothing
    /// The kernel had to drop messages (`ENOBUFS`).
    case overrun
    /// A datagram of this many bytes, which is more than the buffer takes: it is lost.
    case tooLong(Int)
    /// A datagram that did not come from the kernel, to be ignored.
    case foreign
}

/// A socket as it is used, so that a test can be the kernel.
protocol RtnlChannel: AnyObject {
    var fd: CInt { get }
    /// Its own address, which the kernel chose.
    var port: UInt32 { get }
    /// Takes one datagram, if there is one.
    func receive(_ buffer: RtnlBuffer) throws(Errno) -> Received
    /// Sends what the buffer holds.
    func send(_ buffer: RtnlBuffer) throws(Errno)
}

@safe final class RtnlSocket: RtnlChannel {
    private let handle: OpaquePointer
    let fd: CInt
    let port: UInt32

    /// Opens, sets up, filters, and then joins: nothing unfiltered gets in between.
    ///
    /// - Parameters:
    ///   - groups: RTNLGRP_... numbers to join.
    ///   - optionalGroups: those that an older kernel may not have; it has nothing to announce there.
    ///   - receiveBufferBytes: beyond `net.core.rmem_max` where CAP_NET_ADMIN allows; nil: as the system has it.
    init(
        groups: [rtnetlink_groups] = [], optionalGroups: [rtnetlink_groups] = [], receiveBufferBytes: Int32? = nil,
        filter: RouteFilter? = nil
    ) throws(Errno) {
        guard let opened = unsafe mnl_socket_open2(NETLINK_ROUTE, Self.flags) else { throw Errno(rawValue: errno) }
        unsafe handle = unsafe opened
        fd = unsafe mnl_socket_get_fd(opened)
        // All stored properties are set before anything may fail, so that deinit closes the socket.
        guard unsafe mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) == 0 else {
            port = 0
            throw Errno(rawValue: errno)
        }
        port = unsafe mnl_socket_get_portid(opened)
        if let receiveBufferBytes { try setReceiveBuffer(receiveBufferBytes) }
        // Kernels before 4.20 and 4.12 do without.
        _ = cmnl_setsockopt_int(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        _ = cmnl_setsockopt_int(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1)
        _ = cmnl_setsockopt_int(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1)
        if let filter { try attach(filter) }
        for group in groups { try join(group) }
        for group in optionalGroups {
            // EINVAL: the kernel knows no group of that number.
            do throws(Errno) { try join(group) } catch { if error != .invalidArgument { throw error } }
        }
    }

    private func join(_ group: rtnetlink_groups) throws(Errno) {
        try Syscall.check(cmnl_setsockopt_int(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, CInt(group.rawValue)))
    }

    deinit { _ = unsafe mnl_socket_close(handle) }

    private static var flags: CInt { CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue) }

    private func setReceiveBuffer(_ bytes: Int32) throws(Errno) {
        if cmnl_setsockopt_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) == 0 { return }
        try Syscall.check(cmnl_setsockopt_int(fd, SOL_SOCKET, SO_RCVBUF, bytes))
    }

    private func attach(_ filter: RouteFilter) throws(Errno) {
        let answer = unsafe filter.program.withUnsafeBufferPointer {
            unsafe cmnl_attach_filter(fd, $0.baseAddress, UInt16($0.count))
        }
        try Syscall.check(answer)
    }

    func receive(_ buffer: RtnlBuffer) throws(Errno) -> Received {
        let (count, isForeign): (Int, Bool)
        do throws(Errno) {
            (count, isForeign) = unsafe try NetlinkDatagram.receive(from: fd, into: buffer.storage)
        } catch .wouldBlock {
            return .nothing
        } catch .noBufferSpace {
            return .overrun
        }
        if isForeign {
            buffer.forget(count)
            return .foreign
        }
        guard count <= RtnlBuffer.sizeMax else {
            buffer.forget(count)
            return .tooLong(count)
        }
        return .datagram(count)
    }

    /// The kernel acts on it before this returns.
    func send(_ buffer: RtnlBuffer) throws(Errno) {
        try Syscall.check(unsafe cmnl_send(fd, buffer.storage.baseAddress, buffer.length))
    }
}

/// Memory for one datagram, in or out.
///
/// The parts of a dump have up to 32 KiB, and so have requests. But one interface is one message, however long: 260
/// alternative names, or the thousands of addresses of a macvlan in mode `source`, take more. So the buffer has address
/// space for the longest message that the kernel can allocate. Only pages that are written cost memory, and those
/// beyond the usual size are given back at once.
@safe final class RtnlBuffer {
    /// The longest datagram that is received.
    static let sizeMax = 4 << 20
    let storage: UnsafeMutableRawBufferPointer
    /// The longest request, and what a received datagram may keep.
    let capacity = 32768
    /// The bytes of requests that were added.
    private(set) var length = 0

    init() {
        guard let start = unsafe cmnl_map(Self.sizeMax) else { preconditionFailure("no address space") }
        unsafe storage = unsafe UnsafeMutableRawBufferPointer(start: start, count: Self.sizeMax)
    }

    deinit { unsafe cmnl_unmap(storage.baseAddress, storage.count) }

    /// Decodes the datagram that was received, and gives back memory beyond the usual size.
    func decode(_ count: Int, _ body: (RtnlHeader, RtnlMessage) -> Void) {
        unsafe RtnlDecoder.decode(UnsafeRawBufferPointer(rebasing: storage[..<min(count, storage.count)]), body)
        forget(count)
    }

    /// Gives back what a datagram of that many bytes took beyond the usual.
    fileprivate func forget(_ count: Int) {
        guard count > capacity, let start = unsafe storage.baseAddress else { return }
        unsafe cmnl_forget(start + capacity, storage.count - capacity)
    }

    /// Holds a datagram that was received; as `RtnlSocket.receive` leaves it.
    func fill(_ bytes: [UInt8]) { unsafe storage.copyBytes(from: bytes.prefix(storage.count)) }

    func clear() { length = 0 }

    /// The requests that were added.
    var bytes: [UInt8] { unsafe Array(storage[..<length]) }

    /// Adds requests that were built before.
    ///
    /// - Returns: false when they do not fit, and then nothing was added.
    func append(_ bytes: [UInt8]) -> Bool {
        guard bytes.count <= capacity - length else { return false }
        unsafe storage[length..<capacity].copyBytes(from: bytes)
        length += bytes.count
        return true
    }

    /// Adds a request: its header, the fixed part that its family has, and what `attributes` writes.
    ///
    /// - Returns: false when it does not fit, and then nothing was added.
    func add<Fixed: BitwiseCopyable>(
        type: Int, flags: CInt, sequence: UInt32, _ fixed: Fixed,
        _ attributes: (inout RtnlAttributes) -> Void = { _ in }
    ) -> Bool {
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: storage[length..<capacity])
        guard room.count >= 64 + MemoryLayout<Fixed>.size, let header = unsafe mnl_nlmsg_put_header(room.baseAddress)
        else { return false }
        unsafe header.pointee.nlmsg_type = UInt16(type)
        unsafe header.pointee.nlmsg_flags = UInt16(flags | NLM_F_REQUEST)
        unsafe header.pointee.nlmsg_seq = sequence
        guard let extra = unsafe mnl_nlmsg_put_extra_header(header, MemoryLayout<Fixed>.size) else { return false }
        unsafe extra.storeBytes(of: fixed, as: Fixed.self)
        var writer = unsafe RtnlAttributes(header: header, capacity: room.count)
        attributes(&writer)
        guard writer.fits else { return false }
        length += (Int(unsafe header.pointee.nlmsg_len) + 3) & ~3
        return true
    }
}

/// Writes the attributes of one request; what does not fit is remembered, not written.
@safe struct RtnlAttributes {
    private let header: UnsafeMutablePointer<nlmsghdr>
    private let capacity: Int
    private(set) var fits = true

    fileprivate init(header: UnsafeMutablePointer<nlmsghdr>, capacity: Int) {
        unsafe self.header = unsafe header
        self.capacity = capacity
    }

    mutating func put(_ type: Int, _ value: UInt32) {
        fits = unsafe mnl_attr_put_u32_check(header, capacity, UInt16(type), value) && fits
    }

    mutating func put(_ type: Int, _ value: UInt8) {
        fits = unsafe mnl_attr_put_u8_check(header, capacity, UInt16(type), value) && fits
    }

    mutating func put(_ type: Int, _ bytes: [UInt8]) {
        fits = unsafe mnl_attr_put_check(header, capacity, UInt16(type), bytes.count, bytes) && fits
    }

    /// With its NUL.
    mutating func put(_ type: Int, text: String) {
        fits = unsafe mnl_attr_put_strz_check(header, capacity, UInt16(type), text) && fits
    }

    mutating func put<Value: BitwiseCopyable>(_ type: Int, structure value: Value) {
        fits =
            unsafe withUnsafePointer(to: value) {
                unsafe mnl_attr_put_check(header, capacity, UInt16(type), MemoryLayout<Value>.size, $0)
            } && fits
    }

    mutating func nest(_ type: Int, _ body: (inout RtnlAttributes) -> Void) {
        guard let start = unsafe mnl_attr_nest_start_check(header, capacity, UInt16(type)) else {
            fits = false
            return
        }
        body(&self)
        unsafe mnl_attr_nest_end(header, start)
    }
}
