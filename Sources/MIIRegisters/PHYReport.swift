/// `linkwatch mii eth0`: the registers in words, line for line in the manner of mii-diag, which network operators have read
/// for twenty years. Pure: the caller prints it.

extension PHYStatus {
    /// The report; ends with a newline.
    public var report: String {
        var lines = [basicRegisters]
        lines += agreement
        lines += control
        lines += status
        lines += identity
        lines += offers
        lines.append("   End of basic transceiver information.")
        return lines.joined(separator: "\n") + "\n"
    }

    private var basicRegisters: String {
        let words = registers.all.map(hex)
        return """
            Basic registers of MII PHY #\(registers.phy):  \(words[..<8].joined(separator: " ")).
            Extended registers:  \(words[8...].joined(separator: " ")).
            """
    }

    private func list(_ modes: [LinkMode]) -> String { modes.map(\.rawValue).joined(separator: " ") }

    private var agreement: [String] {
        guard autoneg, autonegComplete else { return [] }
        guard let (mode, source) = resolved else {
            return ["No common media type was autonegotiated: the two sides offer nothing that both can do."]
        }
        if source == .parallelDetection {
            return ["The media type was detected, not negotiated: \(mode.rawValue)."]
        }
        return [
            " The autonegotiated capability is \(hex(registers[4] & registers[5] & 0x03e0)).",
            "The autonegotiated media type is \(mode.rawValue).",
        ]
    }

    private var control: [String] {
        let title = " Basic mode control register 0x\(hex(registers[0])):"
        var lines: [String] = []
        if autoneg {
            lines.append(title + " Auto-negotiation enabled.")
        } else if let mode = resolved?.mode {
            lines += [
                title + " Auto-negotiation disabled, with",
                " Speed fixed at \(mode.speed) mbps, \(mode.duplex)-duplex.",
            ]
        }
        let notes: [(BMCR, String)] = [
            (.restartAutonegotiation, "Restarted auto-negotiation in progress!"),
            (.isolate, "Transceiver isolated from the MII!"),
            (.powerDown, "Transceiver powered down!"),
            (.loopback, "Transceiver in loopback mode!"),
            (.reset, "Transceiver currently being reset!"),
            (.collisionTest, "Collision test enabled!"),
        ]
        return lines + notes.filter { registers.bmcr.contains($0.0) }.map { "  " + $0.1 }
    }

    private var linkWords: String {
        if !link { return "not established" }
        return hasBlinked ? "previously broken, but now reestablished" : "established"
    }

    private var status: [String] {
        var lines = [
            " Basic mode status register 0x\(hex(registers.bmsrFirst)) ... \(hex(registers[1])).",
            "   Link status: \(linkWords).",
            "   Capable of \(capable.isEmpty ? "<no media types>" : list(capable)).",
        ]
        let able = registers.bmsr.contains(.autonegotiationCapable) ? "Able" : "Unable"
        lines.append("   \(able) to perform Auto-negotiation, negotiation \(autonegComplete ? "" : "not ")complete.")
        if remoteFault { lines.append(" Remote fault detected!") }
        if registers.bmsr.contains(.jabber) { lines.append("   *** Link Jabber! ***") }
        if registers.stat1000.contains(.masterSlaveFault) {
            lines.append(" Master and slave could not be agreed on: no 1000baseT link is possible.")
        }
        return lines
    }

    private var identity: [String] {
        let id = registers.phyIdentifier
        guard id.isPresent else { return [" This transceiver has no vendor identification."] }
        let vendor = id.vendor.map { " (\($0))" } ?? ""
        return [" Vendor ID is \(id.ouiText):--:--:--\(vendor), model \(id.model) rev. \(id.revision)."]
    }

    private var offers: [String] {
        guard autoneg else { return [" Link partner information is not exchanged when in fixed speed mode."] }
        var lines = [" I'm advertising \(hex(registers[4])): \(words(registers.anar, advertised))."]
        if partnerNegotiates {
            lines.append(" Your link partner advertised \(hex(registers[5])): \(words(registers.anlpar, partner)).")
        } else if duplexMismatchSuspected {
            let heard =
                resolved.map { "is generating \($0.mode.speed) mbps link beat" } ?? "does not do autonegotiation"
            lines += [
                " Your link partner \(heard)  (no autonegotiation).",
                " Duplex mismatch suspected: if the partner is fixed at full duplex, this side runs at half.",
            ]
        }
        return lines
    }

    private func words(_ word: Advertisement, _ modes: [LinkMode]) -> String {
        var names = modes.map(\.rawValue)
        if word.contains(.pause) { names.append("flow-control") }
        if word.contains(.asymmetricPause) { names.append("asymmetric-flow-control") }
        return names.isEmpty ? "nothing" : names.joined(separator: " ")
    }
}
