/// The registers of a PHY as types, bit by bit: IEEE 802.3 clauses 22, 28 and 40, named after `linux/mii.h`.
///
/// Names only. What the bits mean together is in `PHYStatus`. Vendors' registers (16 and up) are left out: they mean
/// something else on every chip.

/// Basic mode control register, register 0.
///
/// The corresponding C constant is MII_BMCR.
public struct BMCR: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The high bit of the forced speed: 1000 Mb/s, without `speed100`. The corresponding C constant is
    /// BMCR_SPEED1000.
    public static let speed1000 = BMCR(rawValue: 0x0040)

    /// Tests the collision signal. The corresponding C constant is BMCR_CTST.
    public static let collisionTest = BMCR(rawValue: 0x0080)

    /// Forced to full duplex. The corresponding C constant is BMCR_FULLDPLX.
    public static let fullDuplex = BMCR(rawValue: 0x0100)

    /// Autonegotiation is being restarted. The corresponding C constant is BMCR_ANRESTART.
    public static let restartAutonegotiation = BMCR(rawValue: 0x0200)

    /// The PHY is electrically cut off from the MAC. The corresponding C constant is BMCR_ISOLATE.
    public static let isolate = BMCR(rawValue: 0x0400)

    /// The PHY is in its low power state. The corresponding C constant is BMCR_PDOWN.
    public static let powerDown = BMCR(rawValue: 0x0800)

    /// Speed and duplex are negotiated; the forced ones are ignored. The corresponding C constant is BMCR_ANENABLE.
    public static let autonegotiationEnable = BMCR(rawValue: 0x1000)

    /// The low bit of the forced speed: 100 Mb/s. The corresponding C constant is BMCR_SPEED100.
    public static let speed100 = BMCR(rawValue: 0x2000)

    /// What is sent comes back; the wire is not connected. The corresponding C constant is BMCR_LOOPBACK.
    public static let loopback = BMCR(rawValue: 0x4000)

    /// The PHY is resetting itself. The corresponding C constant is BMCR_RESET.
    public static let reset = BMCR(rawValue: 0x8000)
}

/// Basic mode status register, register 1.
///
/// The corresponding C constant is MII_BMSR.
public struct BMSR: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Registers beyond 1 exist. The corresponding C constant is BMSR_ERCAP.
    public static let extendedCapability = BMSR(rawValue: 0x0001)

    /// Someone has sent for longer than is allowed; latches high, clears on read. The corresponding C constant is
    /// BMSR_JCD.
    public static let jabber = BMSR(rawValue: 0x0002)

    /// The link is up; latches low, clears on read: 0 means down now or at some time since the last reading. The
    /// corresponding C constant is BMSR_LSTATUS.
    public static let linkStatus = BMSR(rawValue: 0x0004)

    /// The PHY can negotiate. The corresponding C constant is BMSR_ANEGCAPABLE.
    public static let autonegotiationCapable = BMSR(rawValue: 0x0008)

    /// The other side reports a fault; latches high, clears on read. The corresponding C constant is BMSR_RFAULT.
    public static let remoteFault = BMSR(rawValue: 0x0010)

    /// Registers 4, 5 and 6 are valid. The corresponding C constant is BMSR_ANEGCOMPLETE.
    public static let autonegotiationComplete = BMSR(rawValue: 0x0020)

    /// Register 15 exists: the PHY knows 1000 Mb/s. The corresponding C constant is BMSR_ESTATEN.
    public static let extendedStatus = BMSR(rawValue: 0x0100)

    /// Can do 100BASE-T2, half duplex. The corresponding C constant is BMSR_100HALF2.
    public static let can100BaseT2HalfDuplex = BMSR(rawValue: 0x0200)

    /// Can do 100BASE-T2, full duplex. The corresponding C constant is BMSR_100FULL2.
    public static let can100BaseT2FullDuplex = BMSR(rawValue: 0x0400)

    /// Can do 10BASE-T, half duplex. The corresponding C constant is BMSR_10HALF.
    public static let can10HalfDuplex = BMSR(rawValue: 0x0800)

    /// Can do 10BASE-T, full duplex. The corresponding C constant is BMSR_10FULL.
    public static let can10FullDuplex = BMSR(rawValue: 0x1000)

    /// Can do 100BASE-TX, half duplex. The corresponding C constant is BMSR_100HALF.
    public static let can100HalfDuplex = BMSR(rawValue: 0x2000)

    /// Can do 100BASE-TX, full duplex. The corresponding C constant is BMSR_100FULL.
    public static let can100FullDuplex = BMSR(rawValue: 0x4000)

    /// Can do 100BASE-T4. The corresponding C constant is BMSR_100BASE4.
    public static let can100BaseT4 = BMSR(rawValue: 0x8000)
}

/// What one side offers: register 4 (ANAR) is ours, register 5 (ANLPAR) the partner's.
///
/// The meaning for copper; 1000BASE-X gives bits 5 to 8 another one.
///
/// The corresponding C constant is MII_ADVERTISE (ours) or MII_LPA (the partner's).
public struct Advertisement: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// IEEE 802.3, the only selector that is in use. The corresponding C constant is ADVERTISE_CSMA.
    public static let csma = Advertisement(rawValue: 0x0001)

    /// 10BASE-T, half duplex. The corresponding C constant is ADVERTISE_10HALF.
    public static let tenHalfDuplex = Advertisement(rawValue: 0x0020)

    /// 10BASE-T, full duplex. The corresponding C constant is ADVERTISE_10FULL.
    public static let tenFullDuplex = Advertisement(rawValue: 0x0040)

    /// 100BASE-TX, half duplex. The corresponding C constant is ADVERTISE_100HALF.
    public static let hundredHalfDuplex = Advertisement(rawValue: 0x0080)

    /// 100BASE-TX, full duplex. The corresponding C constant is ADVERTISE_100FULL.
    public static let hundredFullDuplex = Advertisement(rawValue: 0x0100)

    /// 100BASE-T4. The corresponding C constant is ADVERTISE_100BASE4.
    public static let hundredBaseT4 = Advertisement(rawValue: 0x0200)

    /// Symmetric flow control. The corresponding C constant is ADVERTISE_PAUSE_CAP.
    public static let pause = Advertisement(rawValue: 0x0400)

    /// Asymmetric flow control. The corresponding C constant is ADVERTISE_PAUSE_ASYM.
    public static let asymmetricPause = Advertisement(rawValue: 0x0800)

    /// This side has a fault. The corresponding C constant is ADVERTISE_RFAULT.
    public static let remoteFault = Advertisement(rawValue: 0x2000)

    /// Has received the other side's code word. Never in register 5 of a link without negotiation. The corresponding C
    /// constant is ADVERTISE_LPACK.
    public static let acknowledge = Advertisement(rawValue: 0x4000)

    /// There is more to say. The corresponding C constant is ADVERTISE_NPAGE.
    public static let nextPage = Advertisement(rawValue: 0x8000)
}

/// Autonegotiation expansion, register 6.
///
/// The corresponding C constant is MII_EXPANSION.
public struct Expansion: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The partner can negotiate. The corresponding C constant is EXPANSION_NWAY.
    public static let partnerNegotiates = Expansion(rawValue: 0x0001)

    /// A new page has come; clears on read. The corresponding C constant is EXPANSION_LCWP.
    public static let pageReceived = Expansion(rawValue: 0x0002)

    /// We can do next pages. The corresponding C constant is EXPANSION_ENABLENPAGE.
    public static let nextPageEnabled = Expansion(rawValue: 0x0004)

    /// The partner can do next pages. The corresponding C constant is EXPANSION_NPCAPABLE.
    public static let partnerNextPage = Expansion(rawValue: 0x0008)

    /// More than one technology was heard at once. The corresponding C constant is EXPANSION_MFAULTS.
    public static let parallelDetectionFault = Expansion(rawValue: 0x0010)
}

/// 1000BASE-T control, register 9: what we offer.
///
/// The corresponding C constant is MII_CTRL1000.
public struct CTRL1000: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// 1000BASE-T, half duplex. The corresponding C constant is ADVERTISE_1000HALF.
    public static let halfDuplex = CTRL1000(rawValue: 0x0100)

    /// 1000BASE-T, full duplex. The corresponding C constant is ADVERTISE_1000FULL.
    public static let fullDuplex = CTRL1000(rawValue: 0x0200)

    /// Would rather be the master of the clock. The corresponding C constant is CTL1000_PREFER_MASTER.
    public static let preferMaster = CTRL1000(rawValue: 0x0400)

    /// Forced to be the master, with `forceMaster`; else the slave. The corresponding C constant is
    /// CTL1000_AS_MASTER.
    public static let asMaster = CTRL1000(rawValue: 0x0800)

    /// Master or slave is forced. The corresponding C constant is CTL1000_ENABLE_MASTER.
    public static let forceMaster = CTRL1000(rawValue: 0x1000)
}

/// 1000BASE-T status, register 10: what the partner offers.
///
/// The corresponding C constant is MII_STAT1000.
public struct STAT1000: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// 1000BASE-T, half duplex. The corresponding C constant is LPA_1000HALF.
    public static let halfDuplex = STAT1000(rawValue: 0x0400)

    /// 1000BASE-T, full duplex. The corresponding C constant is LPA_1000FULL.
    public static let fullDuplex = STAT1000(rawValue: 0x0800)

    /// The partner's receiver is in order. The corresponding C constant is LPA_1000REMRXOK.
    public static let remoteReceiverOK = STAT1000(rawValue: 0x1000)

    /// Our receiver is in order. The corresponding C constant is LPA_1000LOCALRXOK.
    public static let localReceiverOK = STAT1000(rawValue: 0x2000)

    /// We are the master of the clock. The corresponding C constant is LPA_1000MSRES.
    public static let isMaster = STAT1000(rawValue: 0x4000)

    /// Both want to be master, or both slave: there will be no link. The corresponding C constant is LPA_1000MSFAIL.
    public static let masterSlaveFault = STAT1000(rawValue: 0x8000)
}

/// Extended status, register 15.
///
/// The corresponding C constant is MII_ESTATUS.
public struct ESTATUS: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Can do 1000BASE-T, half duplex. The corresponding C constant is ESTATUS_1000_THALF.
    public static let tHalfDuplex = ESTATUS(rawValue: 0x1000)

    /// Can do 1000BASE-T, full duplex. The corresponding C constant is ESTATUS_1000_TFULL.
    public static let tFullDuplex = ESTATUS(rawValue: 0x2000)

    /// Can do 1000BASE-X, half duplex. The corresponding C constant is ESTATUS_1000_XHALF.
    public static let xHalfDuplex = ESTATUS(rawValue: 0x4000)

    /// Can do 1000BASE-X, full duplex. The corresponding C constant is ESTATUS_1000_XFULL.
    public static let xFullDuplex = ESTATUS(rawValue: 0x8000)
}

extension RegisterFile {
    /// Register 0.
    public var bmcr: BMCR { BMCR(rawValue: self[0]) }
    /// Register 1, as it was read last.
    public var bmsr: BMSR { BMSR(rawValue: self[1]) }
    /// Register 4: what we offer.
    public var anar: Advertisement { Advertisement(rawValue: self[4]) }
    /// Register 5: what the partner offers.
    public var anlpar: Advertisement { Advertisement(rawValue: self[5]) }
    /// Register 6.
    public var expansion: Expansion { Expansion(rawValue: self[6]) }
    /// Register 9; empty unless the PHY has an extended status: older ones have something else there.
    public var ctrl1000: CTRL1000 { hasGigabit ? CTRL1000(rawValue: self[9]) : [] }
    /// Register 10; empty as `ctrl1000`.
    public var stat1000: STAT1000 { hasGigabit ? STAT1000(rawValue: self[10]) : [] }
    /// Register 15; empty as `ctrl1000`.
    public var estatus: ESTATUS { hasGigabit ? ESTATUS(rawValue: self[15]) : [] }

    /// Registers 9, 10 and 15 are there, and are not a floating bus.
    private var hasGigabit: Bool { bmsr.contains(.extendedStatus) && self[9] != 0xffff && self[10] != 0xffff }
}
