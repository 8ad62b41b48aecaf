import Testing

@testable import MIIRegisters

/// Registers as they were read from real PHYs and printed by mii-diag in bug reports, and what mii-diag said of them.
@Suite struct RegisterTests {
    private static func status(_ words: String, gigabit: [Int: UInt16] = [:], phy: UInt16 = 1) -> PHYStatus {
        var values = words.split(separator: " ").map { UInt16($0, radix: 16) ?? 0xdead }
        values += Array(repeating: 0, count: 16 - values.count)
        for (number, value) in gigabit { values[number] = value }
        return PHYStatus(RegisterFile(phy: phy, values: values))
    }

    /// 3Com 3c905C, PHY #24.
    private let vortex = status("3000 782d 7810 0000 01e1 41e1 0003 0000", phy: 24)
    /// Intel PRO/100 VE, PHY #1.
    private let eepro = status("3100 782d 02a8 0330 05e1 41e1 0003 0000")
    /// 3Com 3c920 fixed at 100 Mb/s, full duplex.
    private let fixed = status("2100 780d 0041 6800 0581 0000 0004 2001", phy: 24)
    /// Xircom, whose own side is limited to half duplex.
    private let xircom = status("1000 782d 0040 6331 00a1 45e1 0005 2001", phy: 0)
    /// 3Com with a partner that does not negotiate and whose speed it does not tell.
    private let deaf = status("3100 782d 0300 e54b 01e1 0000 0000 0000", phy: 0)
    /// Micrel KSZ9021, nothing plugged in.
    private let micrel = status("1140 7949 0022 1611 01e1 0000 0004 2001", gigabit: [9: 0x0300, 15: 0x3000])
    /// Intel 82540EM as QEMU has it: a Marvell 88E1011.
    private let e1000 = status(
        "1140 796d 0141 0c50 0de1 45e1 0007 0000", gigabit: [9: 0x0e00, 10: 0x3c00, 15: 0x3000])

    /// QEMU's rtl8139 (hw/net/rtl8139.c): the partner offers everything and has never acknowledged.
    private let rtl8139 = status("1000 782d 0000 0000 05e1 05e1 0001 0000")

    @Test func whatThePartnerOffersShowsThatItNegotiates() {
        #expect(rtl8139.resolved?.mode == .full100 && rtl8139.resolved?.source == .negotiated)
        #expect(!rtl8139.duplexMismatchSuspected)
        // Without register 6, by the offer alone; a single half duplex mode is what parallel detection leaves.
        let offers: [(UInt16, isNegotiated: Bool)] = [
            (0x0100, true), (0x0040, true), (0x00a0, true), (0x0480, true), (0x4080, true), (0x0080, false),
            (0x0020, false), (0, false),
        ]
        for (offer, isNegotiated) in offers {
            var values = rtl8139.registers.all
            (values[5], values[6]) = (offer, 0)
            let phy = PHYStatus(RegisterFile(phy: 1, values: values))
            #expect(phy.duplexMismatchSuspected != isNegotiated, "\(offer)")
            #expect((phy.resolved?.source == .negotiated) == isNegotiated, "\(offer)")
        }
    }

    @Test func registersThatNoPHYCouldHaveSayNoSpeed() {
        for words in ["0000 0004", "0000 7804", "ffff 782d ffff ffff ffff ffff", "1000 0024 0141 0c50 01e1 45e1"] {
            let made = Self.status(words)
            #expect(!made.isPlausible && made.speed == nil && made.duplex == nil, "\(words)")
            #expect(!made.duplexMismatchSuspected, "\(words)")
        }
        for phy in [vortex, eepro, fixed, xircom, deaf, micrel, e1000, rtl8139] { #expect(phy.isPlausible) }
        // The kernel's emulation of a fixed link (drivers/net/phy/swphy.c) has no identity, and is right.
        #expect(Self.status("0140 0149 0000 0000 0000 0de1 0000 0000").isPlausible)
    }

    @Test func theBestThatBothOfferIsTheOne() {
        #expect(vortex.link && vortex.autoneg && vortex.autonegComplete)
        #expect(vortex.resolved?.mode == .full100)
        #expect(vortex.resolved?.source == .negotiated)
        #expect(vortex.speed == 100)
        #expect(vortex.duplex == "full")
        #expect(vortex.partner.map(\.rawValue) == ["100baseTx-FD", "100baseTx-HD", "10baseT-FD", "10baseT-HD"])
        #expect(xircom.resolved?.mode == .half100)
        #expect(xircom.advertised == [.half100, .half10])
        #expect(!xircom.duplexMismatchSuspected, "half duplex, but agreed on")
    }

    @Test func gigabitComesFirst() {
        #expect(e1000.resolved?.mode == .full1000)
        #expect(e1000.resolved?.source == .gigabit)
        #expect(e1000.capable.first == .full1000)
        #expect(e1000.partner.contains(.half1000))
        var values = e1000.registers.all
        values[10] = 0x3400
        #expect(
            PHYStatus(RegisterFile(phy: 1, values: values)).resolved?.mode == .full100,
            "half duplex is not offered here")
        values[9] = 0x0100
        #expect(PHYStatus(RegisterFile(phy: 1, values: values)).resolved?.mode == .half1000)
    }

    @Test func gigabitRegistersNeedAnExtendedStatus() {
        let old = Self.status("3000 782d 0000 0000 01e1 41e1 0001 0000", gigabit: [9: 0x0300, 10: 0x0c00])
        #expect(old.speed == 100)
        let floating = Self.status("3000 792d 0000 0000 01e1 41e1 0001 0000", gigabit: [9: 0xffff, 10: 0xffff])
        #expect(floating.speed == 100)
        #expect(!floating.report.contains("1000baseT"))
    }

    @Test(
        arguments: [
            (0x0000, 10, "half"), (0x0100, 10, "full"), (0x2000, 100, "half"), (0x2100, 100, "full"),
            (0x0040, 1000, "half"),
            (0x0140, 1000, "full"),
        ] as [(UInt16, Int, String)])
    func forcedIsWhatTheControlRegisterSays(bmcr: UInt16, speed: Int, duplex: String) {
        let status = PHYStatus(RegisterFile(phy: 1, values: [bmcr, 0x780d]))
        #expect(!status.autoneg)
        #expect(status.speed == speed)
        #expect(status.duplex == duplex)
        #expect(status.resolved?.source == .forced)
        #expect(!status.duplexMismatchSuspected, "who is fixed cannot know")
    }

    @Test func aPartnerThatDoesNotNegotiateIsSuspected() {
        #expect(deaf.link)
        #expect(deaf.duplexMismatchSuspected)
        #expect(deaf.speed == nil, "this transceiver does not tell what it heard")
        let detected = Self.status("3000 782d 7810 0000 01e1 0081 0000 0000")
        #expect(detected.duplexMismatchSuspected)
        #expect(detected.resolved?.mode == .half100)
        #expect(detected.resolved?.source == .parallelDetection)
        let slow = Self.status("3000 782d 7810 0000 01e1 0021 0000 0000")
        #expect(slow.resolved?.mode == .half10)
        #expect(!Self.status("3000 7829 7810 0000 01e1 0081 0000 0000").duplexMismatchSuspected, "without a link")
        #expect(!Self.status("7000 782d 7810 0000 01e1 0081 0000 0000").duplexMismatchSuspected, "in loopback")
    }

    @Test func withoutALinkNothingIsAgreed() {
        #expect(!micrel.link)
        #expect(micrel.resolved == nil)
        #expect(micrel.speed == nil && micrel.duplex == nil)
        #expect(micrel.capable.first == .full1000)
        #expect(micrel.partner.isEmpty)
        #expect(!micrel.duplexMismatchSuspected)
    }

    @Test func nothingInCommonIsSaid() {
        let strangers = Self.status("3000 782d 7810 0000 0061 4181 0003 0000")
        #expect(strangers.resolved == nil)
        #expect(strangers.report.contains("No common media type"))
    }

    @Test func faultsAndModes() {
        let broken = Self.status("4c00 781f 0000 0000 01e1 0000 0000 0000")
        #expect(broken.isolate && broken.powerDown && broken.loopback && broken.remoteFault)
        let report = broken.report
        for words in ["isolated", "powered down", "loopback", "Remote fault", "Jabber"] {
            #expect(report.contains(words))
        }
        #expect(!vortex.isolate && !vortex.powerDown && !vortex.loopback && !vortex.remoteFault)
        #expect(Self.status("3000 782d 0000 0000 01e1 61e1 0003 0000").remoteFault, "by the partner's word")
        #expect(!Self.status("3000 7809 0000 0000 01e1 2000 0003 0000").remoteFault, "which it has not said")
        let masters = Self.status("1140 7949 0141 0c50 0de1 45e1 0000 0000", gigabit: [9: 0x1a00, 10: 0x8000])
        #expect(masters.report.contains("Master and slave"))
    }

    @Test func whoMadeIt() {
        #expect(e1000.registers.phyIdentifier.vendor == "Marvell")
        #expect(e1000.registers.phyIdentifier.ouiText == "00:50:43")
        #expect(e1000.registers.phyIdentifier.model == 5)
        #expect(eepro.registers.phyIdentifier.vendor == "Intel")
        #expect(eepro.registers.phyIdentifier.model == 51)
        #expect(micrel.registers.phyIdentifier.vendor == "Micrel")
        #expect(micrel.registers.phyIdentifier.revision == 1)
        #expect(PHYIdentifier(rawValue: 0x2000_5c90).vendor == "National Semiconductor")
        #expect(PHYIdentifier(rawValue: 0x001c_c915).vendor == "Realtek")
        #expect(PHYIdentifier(rawValue: 0x0143_bc70).vendor == "Broadcom")
        #expect(vortex.registers.phyIdentifier.ouiText == "1e:04:00")
        #expect(!PHYIdentifier(rawValue: 0).isPresent)
        #expect(!PHYIdentifier(rawValue: .max).isPresent)
    }

    @Test func theRegisterFileTakesAnything() {
        #expect(RegisterFile(phy: 0, values: []).all == Array(repeating: 0, count: 16))
        #expect(RegisterFile(phy: 0, values: Array(repeating: 7, count: 99)).all.count == 16)
        #expect(vortex.registers[-1] == 0)
        #expect(vortex.registers[16] == 0)
        for word in 0...UInt16.max {
            let status = PHYStatus(RegisterFile(phy: word, values: Array(repeating: word, count: 16)))
            #expect(status.resolved == nil || status.speed != nil)
        }
    }

    @Test func theReportReadsLikeMiiDiag() {
        #expect(
            vortex.report == """
                Basic registers of MII PHY #24:  3000 782d 7810 0000 01e1 41e1 0003 0000.
                Extended registers:  0000 0000 0000 0000 0000 0000 0000 0000.
                 The autonegotiated capability is 01e0.
                The autonegotiated media type is 100baseTx-FD.
                 Basic mode control register 0x3000: Auto-negotiation enabled.
                 Basic mode status register 0x782d ... 782d.
                   Link status: established.
                   Capable of 100baseTx-FD 100baseTx-HD 10baseT-FD 10baseT-HD.
                   Able to perform Auto-negotiation, negotiation complete.
                 Vendor ID is 1e:04:00:--:--:-- (Level One), model 0 rev. 0.
                 I'm advertising 01e1: 100baseTx-FD 100baseTx-HD 10baseT-FD 10baseT-HD.
                 Your link partner advertised 41e1: 100baseTx-FD 100baseTx-HD 10baseT-FD 10baseT-HD.
                   End of basic transceiver information.

                """)
        #expect(
            fixed.report == """
                Basic registers of MII PHY #24:  2100 780d 0041 6800 0581 0000 0004 2001.
                Extended registers:  0000 0000 0000 0000 0000 0000 0000 0000.
                 Basic mode control register 0x2100: Auto-negotiation disabled, with
                 Speed fixed at 100 mbps, full-duplex.
                 Basic mode status register 0x780d ... 780d.
                   Link status: established.
                   Capable of 100baseTx-FD 100baseTx-HD 10baseT-FD 10baseT-HD.
                   Able to perform Auto-negotiation, negotiation not complete.
                 Vendor ID is 00:10:5a:--:--:-- (3Com), model 0 rev. 0.
                 Link partner information is not exchanged when in fixed speed mode.
                   End of basic transceiver information.

                """)
    }

    @Test func theReportTellsABlinkAndAMismatch() {
        let file = RegisterFile(phy: 1, values: vortex.registers.all, bmsrFirst: 0x7829)
        #expect(PHYStatus(file).hasBlinked)
        #expect(
            PHYStatus(file).report.contains(
                "0x7829 ... 782d.\n   Link status: previously broken, but now reestablished."))
        #expect(!vortex.hasBlinked)
        #expect(deaf.report.contains("does not do autonegotiation"))
        #expect(deaf.report.contains("Duplex mismatch suspected"))
        #expect(!vortex.report.contains("mismatch"))
        #expect(eepro.report.contains("05e1: 100baseTx-FD 100baseTx-HD 10baseT-FD 10baseT-HD flow-control."))
    }
}
