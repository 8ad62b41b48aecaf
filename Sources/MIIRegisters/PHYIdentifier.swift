/// Who made a PHY: registers 2 and 3 (IEEE 802.3 22.2.4.3.1).
///
/// They hold 22 bits of an OUI, six of a model and four of a revision. The standard numbers the OUI's bits in the order of
/// transmission and many vendors do not: so the 22 bits are kept as the PHY gives them, and the vendors are known by that.
public struct PHYIdentifier: Hashable, Sendable {
    /// Registers 2 (high) and 3 (low).
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// 22 bits of the vendor's OUI, as the PHY gives them.
    public var oui: UInt32 { rawValue >> 10 }
    /// 0 to 63.
    public var model: Int { Int(rawValue >> 4 & 0x3f) }
    /// 0 to 15.
    public var revision: Int { Int(rawValue & 0x0f) }
    /// There is one: internal PHYs often read all zeros.
    public var isPresent: Bool { rawValue != 0 && rawValue != 0xffff_ffff }

    /// The OUI as three octets, `00:50:43`.
    public var ouiText: String {
        [oui >> 16, oui >> 8, oui].map { String(hex(UInt16($0 & 0xff)).suffix(2)) }.joined(separator: ":")
    }

    /// The vendor, if it is one of the well-known few.
    public var vendor: String? { Self.vendors[oui] }

    /// By the 22 bits that the PHYs really give, from the ids in the kernel's `drivers/net/phy` and in NIC drivers.
    private static let vendors: [UInt32: String] = [
        0x00_01f0: "SMSC",
        0x00_03f1: "Vitesse",
        0x00_057d: "ICS",
        0x00_05be: "LSI/SEEQ",
        0x00_0605: "Quality Semiconductor",
        0x00_0732: "Realtek",
        0x00_0818: "Broadcom",
        0x00_0885: "Micrel",
        0x00_0895: "AMD",
        0x00_1018: "Broadcom",
        0x00_105a: "3Com",
        0x00_1374: "Atheros",
        0x00_4063: "VIA",
        0x00_5043: "Marvell",
        0x00_50ef: "Broadcom",
        0x00_601d: "Lucent",
        0x00_606e: "Davicom",
        0x00_aa00: "Intel",
        0x08_0017: "National Semiconductor",
        0x08_0028: "Texas Instruments",
        0x1e_0400: "Level One",
    ]
}

extension RegisterFile {
    /// Registers 2 and 3.
    public var phyIdentifier: PHYIdentifier { PHYIdentifier(rawValue: UInt32(self[2]) << 16 | UInt32(self[3])) }
}
