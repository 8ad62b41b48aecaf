import CIoctl
import Configuration
import LinkState
import Links
import Monitor
import RtnlMonitor
import Testing

@testable import MIIRegisters

private let ms: Int64 = 1_000_000

/// A link as the kernel has it when the wire is in.
private func link(_ ifindex: Int32, _ name: String, isUp: Bool = true, hasCarrier: Bool = true) -> Link {
    var link = Link(ifindex: ifindex, name: name)
    if isUp { link.flags.insert(.up) }
    if isUp && hasCarrier { link.flags.formUnion([.running, .lowerUp]) }
    link.carrier = hasCarrier
    link.operState = isUp && hasCarrier ? .up : .down
    link.parentDevice = "pci/0000:00:03.0"
    link.hardwareType = 1
    return link
}

private func report(
    _ ifindex: Int32, _ source: EvidenceSource, _ outcome: ProbeOutcome, drops: Int = 0, atNs: Int64
) -> SweepReport {
    SweepReport(ifindex: ifindex, source: source, outcome: outcome, drops: drops, atNs: atNs)
}

/// A table that remembers what it published.
private final class Recorder {
    let table: InterfaceTable
    let clock = Clock()
    var publications: [InterfaceTable.Publication] = []

    /// CLOCK_BOOTTIME.
    final class Clock {
        var boottimeNs: Int64 = 0
    }

    /// The newest record of an interface.
    func record(_ ifindex: Int32) throws -> InterfaceRecord {
        try #require(table.states[ifindex]).record(nowNs: 0) { _ in nil }
    }

    /// Has the table learn registers and ethtool's word.
    func learn(_ ifindex: UInt32, registers: [Int: UInt16] = [:], speed: Int32 = -1, duplex: UInt8 = 0xff) {
        var c = cioctl_registers_report()
        c.ifindex = ifindex
        c.result = registers.isEmpty ? -95 : 0
        unsafe withUnsafeMutableBytes(of: &c.registers.value) { bytes in
            for (number, value) in registers {
                unsafe bytes.storeBytes(of: value, toByteOffset: 2 * number, as: UInt16.self)
            }
        }
        c.settings = cioctl_settings(speed: speed, duplex: duplex, autoneg: 1)
        table.learned(RegistersReport(c), isProbed: !registers.isEmpty)
    }

    init(_ text: String = "") throws {
        table = InterfaceTable(
            try MonitorConfiguration(text: Array(text.utf8), file: "test"),
            clocks: .init(realtimeNs: { 0 }, boottimeNs: { [clock] in clock.boottimeNs }))
        table.publish = { [unowned self] in publications.append($0) }
    }

    func observe(_ link: Link, nowNs: Int64) {
        table.observed(link, nowNs: nowNs, driver: { _ in "e1000" })
    }

    /// What was published since the last call, as `kind cause rawState`.
    func take() -> [String] {
        defer { publications = [] }
        return publications.map { "\($0.kind) \($0.cause) \($0.state.verdict.rawState.name)" }
    }
}

@Suite struct InterfaceTableTests {
    @Test func thePhyIsBelievedBeforeTheKernel() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1)
        recorder.table.probed(report(2, .mii, .up, atNs: 2))
        #expect(recorder.take() == ["added netlink up", "changed mii up"])
        recorder.table.probed(report(2, .mii, .down, atNs: 5 * ms))
        #expect(recorder.publications.last?.atNs == 5 * ms, "the event carries the probe's time")
        #expect(recorder.publications.last?.state.verdict.disagreement == true)
        #expect(recorder.take() == ["changed mii down"])
        recorder.observe(link(2, "eth0", hasCarrier: false), nowNs: 900 * ms)
        #expect(recorder.table.states[2]?.verdict.reason == .mii, "the word that was first stays the reason")
        #expect(recorder.table.states[2]?.verdict.disagreement == false)
    }

    @Test func aMessageThatSaysNothingNewIsNotPublished() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1)
        _ = recorder.take()
        recorder.observe(link(2, "eth0"), nowNs: 2)
        #expect(recorder.take() == [])
    }

    @Test func aBlinkIsAFlapAndNoTransition() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1)
        recorder.table.probed(report(2, .mii, .up, atNs: 2))
        _ = recorder.take()
        recorder.table.probed(report(2, .mii, .up, drops: 2, atNs: 3))
        #expect(recorder.take() == ["flap mii up"])
        #expect(recorder.table.states[2]?.verdict.flaps == 2)
        #expect(recorder.table.states[2]?.transitions == 0)
    }

    @Test func aPortThatIsSwitchedOffHasNoProbes() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1)
        recorder.table.probed(report(2, .mii, .up, atNs: 2))
        recorder.observe(link(2, "eth0", isUp: false, hasCarrier: false), nowNs: 3)
        let verdict = try #require(recorder.table.states[2]?.verdict)
        #expect(verdict.reason == .admin)
        #expect(verdict[.mii].name == "unsupported")
        recorder.table.probed(report(2, .mii, .failed(.ioError), atNs: 4))
        #expect(recorder.table.states[2]?.verdict.conditions == [], "a late word of a probe is not taken")
    }

    @Test func aRenameKeepsTheHistoryAndTakesTheNewNamesPolicy() throws {
        let recorder = try Recorder("[interface.wan]\ndown-delay = \"2s\"\n")
        recorder.observe(link(2, "eth0"), nowNs: 1)
        recorder.observe(link(2, "wan"), nowNs: 2)
        #expect(recorder.publications.last?.formerNames == ["eth0"])
        #expect(recorder.take() == ["added netlink up", "renamed netlink up"])
        recorder.observe(link(2, "wan", hasCarrier: false), nowNs: 3)
        #expect(recorder.table.states[2]?.verdict.settledState == .up)
        #expect(recorder.table.nextDeadlineNs == 3 + 2000 * ms)
        _ = recorder.take()
        recorder.table.advance(nowNs: 3 + 2000 * ms)
        #expect(recorder.take() == ["changed timer down"])
        #expect(recorder.table.nextDeadlineNs == nil)
        #expect(
            recorder.table.transitions(of: "wan", limit: 100).map(\.scope) == [
                "added", "raw", "settled", "renamed", "raw", "settled",
            ])
    }

    @Test func whatHappenedToAnInterfaceThatIsGoneIsRemembered() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1000)
        recorder.table.removed(2, nowNs: 2000)
        recorder.table.removed(2, nowNs: 3000)
        #expect(recorder.take() == ["added netlink up", "removed netlink up"])
        #expect(recorder.table.named("eth0") == nil)
        #expect(recorder.table.hasHistory(of: "eth0"))
        #expect(recorder.table.transitions(of: "eth0", limit: 100).last?.scope == "removed")
        recorder.observe(link(3, "eth0", hasCarrier: false), nowNs: 4000)
        #expect(recorder.table.named("eth0")?.link.ifindex == 3)
        #expect(recorder.table.transitions(of: "eth0", limit: 100).last?.state == "down")
    }

    @Test func anIgnoredInterfaceIsNotThere() throws {
        let recorder = try Recorder("[interface.\"tun*\"]\nignore = true\n")
        recorder.observe(link(5, "tun0"), nowNs: 1)
        #expect(recorder.take() == [])
        recorder.observe(link(5, "eth5"), nowNs: 2)
        #expect(recorder.take() == ["added netlink up"])
        recorder.observe(link(5, "tun1"), nowNs: 3)
        #expect(recorder.take() == ["removed netlink up"])
        recorder.table.adopt(MonitorConfiguration(), links: [link(5, "tun1")], nowNs: 4, driver: { _ in nil })
        #expect(recorder.take() == ["added config up"])
    }

    @Test func aHoldEndsWhenItsTimeHasCome() throws {
        let recorder = try Recorder("[defaults]\nup-delay = \"1s\"\n")
        recorder.observe(link(2, "eth0", hasCarrier: false), nowNs: 0)
        recorder.observe(link(2, "eth0"), nowNs: 10)
        _ = recorder.take()
        let deadlineNs = try #require(recorder.table.nextDeadlineNs)
        recorder.table.advance(nowNs: deadlineNs - 1)
        #expect(recorder.take() == [])
        recorder.table.advance(nowNs: deadlineNs)
        #expect(recorder.take() == ["changed timer up"])
        #expect(recorder.table.states[2]?.verdict.settledState == .up)
        #expect(recorder.table.nextDeadlineNs == nil)
    }

    @Test func aReloadFindsWhatWasIgnored() throws {
        let recorder = try Recorder("[interface.\"veth*\"]\nignore = true\n")
        let links = [link(2, "eth0"), link(3, "veth0")]
        for link in links { recorder.observe(link, nowNs: 1) }
        _ = recorder.take()
        recorder.table.adopt(MonitorConfiguration(), links: links, nowNs: 2, driver: { _ in nil })
        #expect(recorder.publications.map(\.state.link.name) == ["veth0"])
        #expect(recorder.take() == ["added config up"])
    }

    @Test func aReloadTellsOfWhatItChanges() throws {
        let recorder = try Recorder()
        let links = [link(2, "eth0"), link(3, "eth1")]
        for link in links { recorder.observe(link, nowNs: 1) }
        _ = recorder.take()
        let text = Array("[interface.eth1]\ndampening = true\n".utf8)
        let new = try MonitorConfiguration(text: text, file: "test")
        recorder.table.adopt(new, links: links, nowNs: 2, driver: { _ in nil })
        #expect(recorder.publications.map(\.state.link.name) == ["eth1"])
        #expect(recorder.publications.last?.state.record(nowNs: 2) { _ in nil }.dampening?.suppressed == false)
        #expect(recorder.take() == ["changed config up"])
        recorder.table.adopt(new, links: links, nowNs: 3, driver: { _ in nil })
        #expect(recorder.take() == [])
    }

    @Test func whoAskedForAnAlternativeNameHearsOfItsEnd() throws {
        let recorder = try Recorder()
        var named = link(2, "eth0")
        named.altnames = ["uplink", "wan"]
        recorder.observe(named, nowNs: 1)
        named.altnames = ["wan"]
        recorder.observe(named, nowNs: 2)
        #expect(recorder.publications.last?.formerNames == ["uplink"])
        named.name = "wan0"
        recorder.observe(named, nowNs: 3)
        #expect(recorder.publications.last?.formerNames == ["eth0"])
        named.mtu = 9000
        recorder.observe(named, nowNs: 4)
        #expect(recorder.publications.last?.formerNames == [])
    }

    @Test func aSourceThatIsNotAskedAnyMoreHasNothingToSay() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1)
        for source in EvidenceSource.polled { recorder.table.probed(report(2, source, .up, atNs: 2)) }
        recorder.table.probed(report(2, .mii, .down, atNs: 3))
        recorder.table.unprobed(2, [.mii], nowNs: 4)
        let verdict = try #require(recorder.table.states[2]?.verdict)
        #expect(verdict.rawState == .up, "the word of a source that is not asked would never change")
        #expect(verdict[.mii].name == "unsupported")
        #expect(verdict[.driver].name == "up")
    }

    @Test func registersThatDidNotComeInTimeChangeNothing() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1)
        var c = cioctl_registers_report()
        c.ifindex = 2
        c.registers.value.0 = 0x3100
        c.registers.value.1 = 0x782d
        c.settings = cioctl_settings(speed: 100, duplex: 1, autoneg: 1)
        recorder.table.learned(RegistersReport(c), isProbed: true)
        c.result = -110
        c.settings_result = -110
        recorder.table.learned(RegistersReport(c), isProbed: true)
        #expect(recorder.publications.last?.state.registers != nil)
        #expect(recorder.take() == ["added netlink up", "changed mii up"])
    }

    @Test func whatAProbeOnceSaidOfASwitchedOffPortGoesWithIt() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "eth0"), nowNs: 1)
        recorder.observe(link(2, "eth0", isUp: false, hasCarrier: false), nowNs: 2)
        #expect(try recorder.record(2).evidence["driver"]?.detail == "administratively down")
        recorder.observe(link(2, "eth0"), nowNs: 3)
        #expect(try recorder.record(2).evidence["driver"]?.detail == "not probed")
        #expect(try recorder.record(2).evidence["mii"]?.detail == "not probed")
    }

    @Test(arguments: [OperState.testing, .dormant, .lowerLayerDown, .notPresent, .down])
    func whatPassesNoPacketsIsDown(_ state: OperState) throws {
        let recorder = try Recorder()
        var eth0 = link(2, "eth0")
        eth0.operState = state
        recorder.observe(eth0, nowNs: 1)
        let record = try recorder.record(2)
        #expect(record.rawState == "down" && record.reason == "operstate")
    }

    @Test func aProgramThatKeepsALinkDownIsNamed() throws {
        let recorder = try Recorder()
        var mv0 = link(2, "mv0", hasCarrier: false)
        recorder.observe(mv0, nowNs: 1)
        #expect(try recorder.record(2).evidence["carrier"]?.detail == nil && recorder.record(2).protoDown == nil)
        mv0.isProtoDown = true
        recorder.observe(mv0, nowNs: 2)
        #expect(try recorder.record(2).evidence["carrier"]?.detail == "protodown")
        mv0.protoDownReasons = 1 << 3 | 1 << 17
        recorder.observe(mv0, nowNs: 3)
        let record = try recorder.record(2)
        #expect(record.reason == "carrier" && record.evidence["carrier"]?.detail == "protodown (3, 17)")
        #expect(record.protoDown == ["3", "17"] && record.conditions == ["protodown"])
        #expect(recorder.take() == ["added netlink down", "changed netlink down", "changed netlink down"])
        // A driver that lets itself be kept down and keeps its carrier is up.
        var eth0 = link(3, "eth0")
        eth0.isProtoDown = true
        recorder.observe(eth0, nowNs: 4)
        let other = try recorder.record(3)
        #expect(other.rawState == "up" && other.evidence["carrier"]?.detail == nil && other.protoDown == [])
    }

    @Test func aLowerLinkOfAnotherNamespaceHasNoNumberHere() throws {
        let recorder = try Recorder()
        var vlan = link(2, "vlan0")
        vlan.link = 2
        vlan.linkNetnsID = 0
        recorder.observe(vlan, nowNs: 1)
        #expect(try recorder.record(2).link == nil)
        #expect(try recorder.record(2).linkNetnsid == 0)
        vlan.linkNetnsID = -1
        vlan.link = 7
        recorder.observe(vlan, nowNs: 2)
        #expect(try recorder.record(2).link == 7)
        #expect(try recorder.record(2).linkNetnsid == nil)
    }

    @Test func timeAsleepCountsForThoseWhoRead() throws {
        let recorder = try Recorder()
        recorder.clock.boottimeNs = 5_000_000
        recorder.observe(link(2, "eth0"), nowNs: 4_000_000)
        // It sleeps for a while, and then the wire is cut.
        recorder.clock.boottimeNs = 905_000_000
        recorder.observe(link(2, "eth0", hasCarrier: false), nowNs: 6_000_000)
        let record = try recorder.record(2)
        #expect(record.since == 6_000 && record.sinceBoottimeUsec == 905_000)
    }

    @Test func speedIsOfPortsAndOfWhatTheConfigurationNames() throws {
        let recorder = try Recorder("[interface.tap1]\nup-delay = \"0s\"\n")
        for (ifindex, name) in [(2, "tap0"), (3, "tap1")] as [(Int32, String)] {
            var tap = link(ifindex, name)
            tap.parentDevice = ""
            recorder.observe(tap, nowNs: 1)
            recorder.learn(UInt32(ifindex), speed: 10, duplex: 1)
        }
        recorder.observe(link(4, "eth0"), nowNs: 1)
        recorder.learn(4, speed: 1000, duplex: 1)
        #expect(try recorder.record(2).speed == nil && recorder.record(2).duplex == nil)
        #expect(try recorder.record(3).speed == 10)
        #expect(try recorder.record(4).speed == 1000)
    }

    @Test func registersThatNoPHYCouldHaveGiveNoSpeed() throws {
        let recorder = try Recorder()
        recorder.observe(link(2, "bond0"), nowNs: 1)
        recorder.learn(2, registers: [1: 0x7804], speed: 200, duplex: 1)
        let record = try recorder.record(2)
        #expect(record.speed == 200 && record.duplex == "full" && record.autoneg == true)
        #expect(!record.duplexMismatchSuspected)
    }

    /// Heard by parallel detection: half duplex is what the standard assumes, and the driver knows better.
    @Test func aGuessYieldsToTheDriver() throws {
        let recorder = try Recorder()
        let heard: [Int: UInt16] = [0: 0x1000, 1: 0x782d, 2: 0x0141, 4: 0x01e1, 5: 0x0080]
        recorder.observe(link(2, "eth0"), nowNs: 1)
        recorder.learn(2, registers: heard, speed: 100)
        #expect(try recorder.record(2).duplex == "half" && recorder.record(2).duplexMismatchSuspected)
        recorder.learn(2, registers: heard, speed: 100, duplex: 1)
        #expect(try recorder.record(2).duplex == "full" && !recorder.record(2).duplexMismatchSuspected)
        recorder.learn(2, registers: heard, speed: 100, duplex: 0)
        #expect(try recorder.record(2).duplex == "half" && recorder.record(2).duplexMismatchSuspected)
    }

    @Test func theTableIsReadInTheOrderOfIfindex() throws {
        let recorder = try Recorder()
        for ifindex: Int32 in [9, 3, 7, 1] { recorder.observe(link(ifindex, "e\(ifindex)"), nowNs: 1) }
        recorder.table.removed(7, nowNs: 2)
        #expect(recorder.table.sorted.map(\.link.ifindex) == [1, 3, 9])
        #expect(recorder.table.first(from: 4)?.link.ifindex == 9)
        #expect(recorder.table.first(from: 10) == nil)
    }
}

@Suite struct PortsTests {
    private func state(_ link: Link, _ text: String = "") throws -> InterfaceState {
        let configuration = try MonitorConfiguration(text: Array(text.utf8), file: "test")
        let policy = configuration.policy(forInterface: link.name, altnames: link.altnames)
        return InterfaceState(link, policy: policy)
    }

    private var veth: Link {
        var veth = link(2, "veth0")
        veth.parentDevice = ""
        return veth
    }

    /// What is asked without CAP_NET_ADMIN.
    private let unprivileged = SourceSet(EvidenceSource.probes.filter { !$0.probe.needsNetAdmin }.map(\.source))

    @Test func physicalPortsAreProbedWhileTheyAreUp() throws {
        let ports = Ports(mayReadRegisters: true)
        let port = try #require(ports.port(try state(link(2, "eth0"))))
        #expect(port.sources == .polled)
        #expect(ports.port(try state(link(2, "eth0", isUp: false))) == nil)
        #expect(Ports(mayReadRegisters: false).port(try state(link(2, "eth0")))?.sources == unprivileged)
    }

    @Test func othersAreProbedWhenTheyAreNamedOrAskedFor() throws {
        var ports = Ports(mayReadRegisters: true)
        #expect(ports.port(try state(veth)) == nil)
        #expect(ports.port(try state(veth, "[interface.veth0]\nup-delay = \"1s\"\n")) != nil)
        #expect(
            ports.port(try state(veth, "[interface.\"veth*\"]\nup-delay = \"1s\"\n")) == nil, "a pattern names nobody")
        #expect(ports.port(try state(veth, "[interface.\"veth*\"]\nprobe = true\n"))?.sources == [.driver])
        let isNews = ports.request(["veth0"])
        #expect(isNews)
        #expect(ports.port(try state(veth)) != nil)
        let (isNewsAgain, isEnd) = (ports.request(["veth0"]), ports.release(["veth0"]))
        #expect(!isNewsAgain && !isEnd)
        #expect(ports.port(try state(veth)) != nil, "the other one still asks for it")
        let none = EvidenceSource.probes.map { "\($0.probe.key) = false\n" }.joined()
        #expect(ports.port(try state(veth, "[interface.veth0]\n\(none)")) == nil)
        let isEndNow = ports.release(["veth0"])
        #expect(isEndNow)
        #expect(ports.port(try state(veth)) == nil)
    }

    @Test func theLowestIfindexesComeFirst() throws {
        var ports = Ports(mayReadRegisters: true)
        let states = try Dictionary(uniqueKeysWithValues: (1...5).map { ($0, try state(link($0, "e\($0)"))) })
        #expect(ports.update(states, limit: 3) == (ended: [:], overLimit: 2))
        #expect(ports.current.keys.sorted() == [1, 2, 3])
        let (ended, overLimit) = ports.update(states.filter { $0.key > 1 }, limit: 3)
        #expect(ended == [1: .polled])
        #expect(overLimit == 1)
    }

    @Test func physicalPortsComeBeforeThoseThatAreAskedFor() throws {
        var ports = Ports(mayReadRegisters: true)
        _ = ports.request(["veth0"])
        var states = [Int32(2): try state(veth), 9: try state(link(9, "eth0"))]
        #expect(ports.update(states, limit: 1) == (ended: [:], overLimit: 1))
        #expect(ports.current.keys.sorted() == [9])
        states[9] = nil
        #expect(ports.update(states, limit: 1) == (ended: [9: .polled], overLimit: 0))
        #expect(ports.current.keys.sorted() == [2])
    }

    /// Somebody asks, hears that it is down, and goes, before the kernel has said it.
    @Test func aPortThatIsDownByItsProbeIsNotLetGo() throws {
        var ports = Ports(mayReadRegisters: false)
        var state = try state(veth)
        _ = ports.request(["veth0"])
        _ = ports.update([2: state], limit: 1)
        _ = state.verdict.observe(.driver, .state(.down), nowNs: 1)
        _ = ports.release(["veth0"])
        #expect(ports.update([2: state], limit: 1) == (ended: [:], overLimit: 0))
        _ = state.verdict.observe(.driver, .state(.up), nowNs: 2)
        #expect(ports.isOutdated(by: state))
        #expect(ports.update([2: state], limit: 1) == (ended: [2: unprivileged], overLimit: 0))
        _ = state.verdict.observe(.driver, .state(.down), nowNs: 3)
        #expect(!ports.isOutdated(by: state), "it is held, not taken")
    }

    @Test func whatIsNotAskedAnyMoreIsSaidBySource() throws {
        var ports = Ports(mayReadRegisters: true)
        _ = ports.update([2: try state(link(2, "eth0"))], limit: 3)
        #expect(
            ports.update([2: try state(link(2, "eth0"), "[defaults]\nmii = false\n")], limit: 3)
                == (ended: [2: [.mii]], overLimit: 0))
    }

    @Test func aPortThatIsForgottenIsNew() throws {
        var ports = Ports(mayReadRegisters: true)
        let states = [Int32(2): try state(link(2, "eth0"))]
        _ = ports.update(states, limit: 3)
        let (isForgotten, isForgottenAgain) = (ports.forget(2), ports.forget(2))
        #expect(isForgotten && !isForgottenAgain)
        #expect(ports.current.isEmpty)
        #expect(ports.isOutdated(by: try state(link(2, "eth0"))))
        #expect(ports.update(states, limit: 3) == (ended: [:], overLimit: 0))
    }

    @Test func theLargestLimitFitsTheSweep() throws {
        let text = Array("probe-limit = \(Sweep.portsMax + 1)\n".utf8)
        #expect(throws: ConfigurationRefused.self) { try MonitorConfiguration(text: text, file: "test") }
    }
}
