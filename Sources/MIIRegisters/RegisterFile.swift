import CIoctl
import SystemPackage

/// Registers 0 to 15 of one PHY as they were read: IEEE 802.3 clause 22, the numbers of `linux/mii.h`.
public struct RegisterFile: Hashable, Sendable {
    /// How many there are.
    public static let count = 16

    /// The PHY's address on its bus, as SIOCGMIIPHY gives it.
    public var phy: UInt16
    /// BMSR as it was read first: its link bit says whether the link was there all the time since the last reading.
    /// `self[1]` is read after it, and says what is now.
    public var bmsrFirst: UInt16
    private var values: [UInt16]

    /// Registers from number 0 on; what is missing is 0, what is beyond 15 is dropped.
    public init(phy: UInt16, values: [UInt16], bmsrFirst: UInt16? = nil) {
        self.phy = phy
        self.values = Array((values + Array(repeating: 0, count: Self.count)).prefix(Self.count))
        self.bmsrFirst = bmsrFirst ?? self.values[1]
    }

    init(_ c: cioctl_registers) {
        let values = (0..<Self.count).map { index in
            unsafe withUnsafeBytes(of: c.value) { bytes in
                unsafe bytes.load(fromByteOffset: index * MemoryLayout<UInt16>.size, as: UInt16.self)
            }
        }
        self.init(phy: c.phy, values: values, bmsrFirst: c.bmsr_first)
    }

    /// A register by its number, 0 to 15; 0 for any other.
    public subscript(number: Int) -> UInt16 { values.indices.contains(number) ? values[number] : 0 }

    /// All sixteen, as they are published.
    public var all: [UInt16] { values }

    /// Reads them now, on this thread, which may block for as long as anyone holds RTNL: for a tool, not for a daemon.
    ///
    /// Clears the latch of BMSR, as every reader does.
    ///
    /// - Throws: `ENODEV`: no such interface. `EPERM`: without CAP_NET_ADMIN. `EOPNOTSUPP`, `ENOTSUPP` (524) and others: the
    ///   driver has none. `ENXIO`: no PHY answers.
    public static func read(ifindex: Int32) throws(Errno) -> RegisterFile {
        guard ifindex > 0 else { throw .operationNotSupportedByDevice }
        var backend = unsafe cioctl_backend()
        try check(unsafe cioctl_kernel_open(&backend))
        defer { unsafe cioctl_kernel_close(&backend) }
        var registers = cioctl_registers()
        try check(unsafe cioctl_read_registers(&backend, UInt32(ifindex), &registers))
        return RegisterFile(registers)
    }
}

/// Four hexadecimal digits.
func hex(_ value: UInt16) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
}
