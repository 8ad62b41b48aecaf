/// What registers 0 to 15 say together: IEEE 802.3 clause 28 (autonegotiation), 28B.3 (its priorities), 40.5 (1000BASE-T).
///
/// Above 1 Gb/s these registers cannot say what was agreed: use ethtool there. 1000BASE-X is not told apart.

/// A speed and a duplex, named as ethtool and mii-diag name them.
public enum LinkMode: String, CaseIterable, Hashable, Sendable {
    // From the best to the worst, as 28B.3 has it: the first that both sides have is the one.
    case full1000 = "1000baseT-FD"
    case half1000 = "1000baseT-HD"
    case full100 = "100baseTx-FD"
    case t4 = "100baseT4"
    case half100 = "100baseTx-HD"
    case full10 = "10baseT-FD"
    case half10 = "10baseT-HD"

    /// Mb/s.
    public var speed: Int {
        switch self {
        case .full1000, .half1000: 1000
        case .full100, .t4, .half100: 100
        case .full10, .half10: 10
        }
    }

    public var isFullDuplex: Bool { self == .full1000 || self == .full100 || self == .full10 }

    /// As published: `full` or `half`.
    public var duplex: String { isFullDuplex ? "full" : "half" }
}

/// Which register decided speed and duplex.
public enum LinkModeSource: String, Hashable, Sendable {
    /// CTRL1000 and STAT1000.
    case gigabit = "1000baseT"
    /// ANAR and ANLPAR.
    case negotiated
    /// ANLPAR alone: the partner does not negotiate, its speed was heard and its duplex is a guess (half).
    case parallelDetection = "parallel-detection"
    /// BMCR: fixed on this side.
    case forced
}

/// The registers, decoded.
public struct PHYStatus: Hashable, Sendable {
    public var registers: RegisterFile

    public init(_ registers: RegisterFile) { self.registers = registers }

    /// The link is up now.
    public var link: Bool { registers.bmsr.contains(.linkStatus) }
    /// It is up now and was not all the time since the register was read before.
    public var hasBlinked: Bool { link && registers.bmsrFirst & BMSR.linkStatus.rawValue == 0 }
    /// Speed and duplex are negotiated.
    public var autoneg: Bool { registers.bmcr.contains(.autonegotiationEnable) }
    /// And that is done.
    public var autonegComplete: Bool { registers.bmsr.contains(.autonegotiationComplete) }
    /// The other side reports a fault, by BMSR or by its advertisement.
    public var remoteFault: Bool {
        registers.bmsr.contains(.remoteFault) || (isAcknowledged && registers.anlpar.contains(.remoteFault))
    }
    public var isolate: Bool { registers.bmcr.contains(.isolate) }
    public var loopback: Bool { registers.bmcr.contains(.loopback) }
    public var powerDown: Bool { registers.bmcr.contains(.powerDown) }

    /// The partner has heard us.
    private var isAcknowledged: Bool { registers.anlpar.contains(.acknowledge) }

    /// The partner negotiates. It says so by its acknowledgement, or register 6 does, which not every PHY has; and what it offers
    /// shows it: parallel detection sets one bit alone, of a half duplex mode (IEEE 802.3 28.2.3.1). Emulated PHYs leave the
    /// acknowledgement out.
    var partnerNegotiates: Bool {
        let heard: [Advertisement] = [.tenHalfDuplex, .hundredHalfDuplex, .hundredBaseT4]
        let offers: Advertisement = [.tenFullDuplex, .hundredFullDuplex, .pause, .asymmetricPause]
        return isAcknowledged || registers.expansion.contains(.partnerNegotiates)
            || !registers.anlpar.isDisjoint(with: offers)
            || heard.count(where: registers.anlpar.contains) > 1
            || !registers.stat1000.isDisjoint(with: [.fullDuplex, .halfDuplex])
    }

    /// Whether a PHY could have these registers. Some drivers make them up, as far as they know: a link bit, and zeros elsewhere
    /// (bonding). Then the link bit may be worth something, and speed and duplex are not.
    public var isPlausible: Bool {
        let abilities: UInt16 = 0xff00
        let isBare = registers.bmsr.isDisjoint(with: [.autonegotiationCapable, .extendedCapability])
        let isEmpty = !registers.phyIdentifier.isPresent && [0, 4, 5].allSatisfy { registers[$0] == 0 }
        return registers[1] & abilities != 0 && registers[0] != 0xffff && !(isBare && isEmpty)
    }

    // MARK: Abilities

    /// What the PHY can do, the best first.
    public var capable: [LinkMode] {
        let (bmsr, estatus) = (registers.bmsr, registers.estatus)
        return LinkMode.allCases.filter { mode in
            switch mode {
            case .full1000: !estatus.isDisjoint(with: [.tFullDuplex, .xFullDuplex])
            case .half1000: !estatus.isDisjoint(with: [.tHalfDuplex, .xHalfDuplex])
            case .full100: bmsr.contains(.can100FullDuplex)
            case .t4: bmsr.contains(.can100BaseT4)
            case .half100: bmsr.contains(.can100HalfDuplex)
            case .full10: bmsr.contains(.can10FullDuplex)
            case .half10: bmsr.contains(.can10HalfDuplex)
            }
        }
    }

    /// What we offer, the best first.
    public var advertised: [LinkMode] {
        modes(
            registers.anar, full1000: registers.ctrl1000.contains(.fullDuplex),
            half1000: registers.ctrl1000.contains(.halfDuplex))
    }

    /// What the partner offers, the best first; by parallel detection, what was heard of it.
    public var partner: [LinkMode] {
        modes(
            registers.anlpar, full1000: registers.stat1000.contains(.fullDuplex),
            half1000: registers.stat1000.contains(.halfDuplex))
    }

    private func modes(_ word: Advertisement, full1000: Bool, half1000: Bool) -> [LinkMode] {
        LinkMode.allCases.filter { mode in
            switch mode {
            case .full1000: full1000
            case .half1000: half1000
            case .full100: word.contains(.hundredFullDuplex)
            case .t4: word.contains(.hundredBaseT4)
            case .half100: word.contains(.hundredHalfDuplex)
            case .full10: word.contains(.tenFullDuplex)
            case .half10: word.contains(.tenHalfDuplex)
            }
        }
    }

    // MARK: What was agreed

    /// Speed and duplex, and who says so; nil: not agreed yet, or the registers do not say.
    ///
    /// Negotiated: 1000BASE-T first, for it is agreed in registers of its own; then the best that both offer. Without
    /// negotiation what BMCR says, link or not. A partner that does not negotiate: the speed that was heard, half duplex.
    public var resolved: (mode: LinkMode, source: LinkModeSource)? {
        guard isPlausible else { return nil }
        if !autoneg { return (forcedMode, .forced) }
        guard autonegComplete else { return nil }
        let both = advertised.filter(partner.contains)
        guard partnerNegotiates else { return detected.map { ($0, .parallelDetection) } }
        guard let best = both.first else { return nil }
        return (best, best.speed == 1000 ? .gigabit : .negotiated)
    }

    /// Mb/s.
    public var speed: Int? { resolved?.mode.speed }
    /// `full` or `half`.
    public var duplex: String? { resolved?.mode.duplex }

    /// BMCR's bits 13 and 6 are one number; 3 is reserved and read as 1000 here.
    private var forcedMode: LinkMode {
        let isFull = registers.bmcr.contains(.fullDuplex)
        if registers.bmcr.contains(.speed1000) { return isFull ? .full1000 : .half1000 }
        if registers.bmcr.contains(.speed100) { return isFull ? .full100 : .half100 }
        return isFull ? .full10 : .half10
    }

    /// Parallel detection sets the one bit of register 5 that fits what was heard (IEEE 802.3 28.2.3.1); that is half duplex.
    private var detected: LinkMode? {
        if registers.anlpar.contains(.hundredHalfDuplex) { return .half100 }
        return registers.anlpar.contains(.tenHalfDuplex) ? .half10 : nil
    }

    /// We negotiate, the link is up and the partner does not: it is fixed to something, we have fallen back to
    /// half duplex, and if it is fixed to full there will be late collisions on one side and CRC errors on the other.
    ///
    /// 1000BASE-T cannot come up without negotiation, so a partner that offers it is not suspected.
    public var duplexMismatchSuspected: Bool { isPlausible && autoneg && link && !loopback && !partnerNegotiates }
}
