/// The memory that packets are received into: one for the whole process, since everything happens on one thread.
import Addresses
import CLinux
import SystemPackage

@safe final class ReceiveBuffer {
    private let batch: UnsafeMutablePointer<clinux_batch>

    init() {
        // The packets' part is not initialised: pages are touched only as far as packets are long.
        unsafe batch = .allocate(capacity: 1)
        unsafe clinux_prepare(batch)
    }

    deinit { unsafe batch.deallocate() }

    /// Takes what waits at a socket, up to one batch, and calls `body` with each packet that fits and its number.
    ///
    /// - Returns: how many there were; 0: none, or the interface went down.
    @discardableResult
    func receive(from fd: CInt, _ body: (Span<UInt8>, Int) -> Void) -> Int {
        let count = Int(unsafe clinux_receive(fd, batch))
        guard count > 0 else { return 0 }
        for index in 0..<count {
            let length = Int(unsafe clinux_packet_length(batch, CInt(index)))
            guard length <= Int(CLINUX_PACKET_MAX) else { continue }
            let start = unsafe clinux_packet(batch, CInt(index))
            let bytes = unsafe UnsafeBufferPointer(start: start, count: length)
            body(unsafe bytes.span, index)
        }
        return count
    }

    /// The sender of a packet of the last `receive` from an IPv6 raw socket.
    func ipv6Source(_ index: Int) -> IPAddress {
        var high: UInt64 = 0
        var low: UInt64 = 0
        unsafe clinux_ip6_words(batch, CInt(index), &high, &low)
        return IPAddress(ipv6High: high, low: low)
    }

    /// The sender's MAC address of a packet of the last `receive` from a packet socket; 0: it is no Ethernet.
    func sourceMAC(_ index: Int) -> MACAddress { MACAddress(number: unsafe clinux_source_mac(batch, CInt(index))) }

    /// Whether a packet of the last `receive` from a packet socket came in a frame to our own MAC address.
    func isToHost(_ index: Int) -> Bool { unsafe clinux_is_to_host(batch, CInt(index)) }
}
