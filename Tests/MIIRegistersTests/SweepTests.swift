import CIoctl
import Glibc
import LinkState
import SystemPackage
import Testing

@testable import MIIRegisters

private typealias Port = FakeKernel.Port
private let up = FakeKernel.bmsrUp
private let down = FakeKernel.bmsrDown

/// Driver errors that `Errno` has no name for.
private let enotsupp = Errno(rawValue: CIOCTL_ENOTSUPP)

/// The two tables of sources: `EvidenceSource` and CIoctl's.
@Suite struct SourceTests {
    @Test func bothTablesHaveTheSameSourcesInTheSameOrder() throws {
        let names = try (0..<cioctl_source_count).map { place in
            unsafe String(cString: try #require(unsafe cioctl_source_name(place)))
        }
        #expect(names == EvidenceSource.polled.map(\.name))
    }

    @Test func bothHaveTheSameIntervals() {
        #expect(EvidenceSource.intervalsNs == Int64(CIOCTL_INTERVAL_MIN_NS)...Int64(CIOCTL_INTERVAL_MAX_NS))
    }
}

/// What one poll means.
@Suite(.timeLimit(.minutes(1))) struct PollTests {
    @Test func aHealthyLinkCostsOneIoctlAPoll() throws {
        let bench = try Bench()
        let report = try bench.await { $0.outcome == .up }
        #expect(report.ifindex == 7)
        #expect(report.method == "bmsr")
        #expect(report.bmsr == 0x782d)
        #expect(report.drops == 0)
        bench.kernel.wait("bmsr eth0", count: 20)
        #expect(bench.kernel.count("phy eth0") == 1)
        // Before the first question, and before the first word.
        #expect(bench.kernel.count("name 7") == 2)
        let statistics = bench.sweep.statistics(.mii)
        #expect(statistics.polls >= 19)
        let callsAPoll = try #require(EvidenceSource.mii.row.probe).callsAPoll
        #expect(callsAPoll == 1 && statistics.ioctls == statistics.polls * UInt64(callsAPoll) + 3)
        #expect(statistics.latency.reduce(0) { $0 + $1.count } == statistics.polls)
        #expect(statistics.latency.last?.atMostUsec == nil)
        bench.drain()
        #expect(bench.reports.isEmpty, "a steady link is no news")
    }

    @Test func aCutWireIsDown() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth0") { $0.bmsr = [down] }
        let report = try bench.await { $0.outcome == .down }
        #expect(report.drops == 0)
        #expect(report.bmsr == 0x7809)
        #expect(bench.kernel.count("name 7") == 3, "the name is checked before down is told")
        bench.kernel.change("eth0") { $0.bmsr = [up] }
        #expect(try bench.await { $0.outcome == .up }.drops == 0)
    }

    @Test func zeroThenOneIsALatchedDrop() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth0") { $0.bmsr = [down, up] }
        let report = try bench.await { _ in true }
        #expect(report.outcome == .up)
        #expect(report.drops == 1)
    }

    @Test(arguments: [[down, up], [down, down, down, up]])
    func aLatchOfTheDownTimeIsNoDrop(bmsr: [CInt]) throws {
        var port = Port(ifindex: 7)
        port.bmsr = bmsr
        let bench = try Bench(port)
        #expect(try bench.await { $0.outcome == .up }.drops == 0)
    }

    @Test func downAndUpBeforeAnyoneLooksIsADrop() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth0") { $0.bmsr = [down, down, down, down, up] }
        bench.kernel.wait("bmsr eth0", count: bench.kernel.count("bmsr eth0") + 8)
        let report = try bench.await { _ in true }
        #expect(report.outcome == .up)
        #expect(report.drops == 1)
        bench.drain()
        #expect(bench.reports.isEmpty)
    }

    @Test(arguments: [0x0000, 0xffff, 0xff7d] as [CInt])
    func nobodyOnTheBusIsNotDown(bmsr: CInt) throws {
        var port = Port(ifindex: 7)
        port.bmsr = [bmsr]
        let bench = try Bench(port)
        #expect(try bench.await { _ in true }.outcome == .unsupported(.noSuchAddressOrDevice))
    }

    @Test(arguments: [0x0000, 0xffff, 0xff04] as [CInt])
    func aBusThatFallsSilentIsNotDown(bmsr: CInt) throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth0") { $0.bmsr = [bmsr] }
        #expect(try bench.await { _ in true }.outcome == .failed(.noSuchAddressOrDevice))
        bench.kernel.change("eth0") { $0.bmsr = [up] }
        #expect(try bench.await { _ in true }.outcome == .up)
    }

    @Test(
        arguments: [.notSupported, enotsupp, .inappropriateIOCTLForDevice, .notPermitted, .permissionDenied] as [Errno])
    func aPortWithoutRegistersIsAskedOnce(errno: Errno) throws {
        var port = Port(ifindex: 7)
        port.phy = -errno.rawValue
        let bench = try Bench(["eth0": port, "eth1": Port(ifindex: 8)])
        try bench.sweep.setPorts([bench.mii, SweepPort(ifindex: 8, ifname: "eth1", sources: [.mii])])
        let report = try bench.await { $0.ifindex == 7 }
        #expect(report.outcome == .unsupported(errno))
        #expect(!report.detail.isEmpty)
        bench.kernel.wait("bmsr eth1", count: 20)
        #expect(bench.kernel.count("phy eth0") == 1)
        // Up, or renamed, or attached anew: once more.
        bench.kernel.change("eth0") { $0.phy = 1 }
        bench.sweep.refresh(ifindex: 7)
        #expect(try bench.await { $0.ifindex == 7 }.outcome == .up)
    }

    @Test(arguments: [.ioError, .invalidArgument, .operationNotSupportedByDevice, .notSupported, enotsupp] as [Errno])
    func anErrorAfterAnAnswerIsAFailureAndPasses(errno: Errno) throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth0") { $0.bmsr = [-errno.rawValue] }
        #expect(try bench.await { _ in true }.outcome == .failed(errno))
        bench.kernel.change("eth0") { $0.bmsr = [down] }
        #expect(try bench.await { _ in true }.outcome == .down)
    }

    @Test func anErrorThatMayPassIsTriedAgainSlowly() throws {
        var port = Port(ifindex: 7)
        port.phy = -EINVAL
        let bench = try Bench(["eth0": port, "eth1": Port(ifindex: 8)])
        try bench.sweep.setPorts([bench.mii, SweepPort(ifindex: 8, ifname: "eth1", sources: [.mii])])
        #expect(try bench.await { $0.ifindex == 7 }.outcome == .unsupported(.invalidArgument))
        bench.kernel.change("eth0") { $0.phy = 1 }
        #expect(try bench.await { $0.ifindex == 7 }.outcome == .up)
        #expect(
            bench.kernel.count("phy eth0") * 10 < bench.kernel.count("bmsr eth1"), "the others were asked meanwhile")
    }

    @Test func aDriverFallsBackToNetlink() throws {
        var (a, b, c) = (Port(ifindex: 1), Port(ifindex: 2), Port(ifindex: 3))
        b.glink = -EOPNOTSUPP
        (c.glink, c.netlink) = (-EOPNOTSUPP, 0)
        a.glink = 0
        let bench = try Bench(["a": a, "b": b, "c": c])
        try bench.sweep.setPorts(
            [("a", 1), ("b", 2), ("c", 3)].map { SweepPort(ifindex: $0.1, ifname: $0.0, sources: [.driver]) })
        let first = try bench.await { $0.ifindex == 1 }
        #expect(first.outcome == .down)
        #expect(first.method == "glink")
        let second = try bench.await { $0.ifindex == 2 }
        #expect(second.outcome == .up)
        #expect(second.method == "getlink")
        let third = try bench.await { $0.ifindex == 3 }
        #expect(third.outcome == .down)
        #expect(third.method == "getlink")
        bench.kernel.wait("netlink 2", count: 10)
        #expect(bench.kernel.count("glink b") == 1, "what does not work is tried once")
    }

    @Test func whoeverHasNothingToSayIsUnsupported() throws {
        var port = Port(ifindex: 7)
        (port.glink, port.netlink) = (-EOPNOTSUPP, -EOPNOTSUPP)
        let bench = try Bench(["eth0": port])
        try bench.sweep.setPorts([SweepPort(ifindex: 7, ifname: "eth0", sources: [.driver])])
        #expect(try bench.await { _ in true }.outcome == .unsupported(.notSupported))
    }
}

/// Drivers that make up registers, and a clause 45 PHY behind the emulation of clause 22.
@Suite(.timeLimit(.minutes(1))) struct MadeUpRegisterTests {
    /// A bond (drivers/net/bonding, bond_eth_ioctl): the link bit, and zeros elsewhere, whatever its members do.
    @Test(arguments: [[0: 0], [2: 0xffff, 3: 0xffff]] as [[UInt16: CInt]])
    func aLinkBitWithoutAPHYIsNoWord(_ registers: [UInt16: CInt]) throws {
        let bench = try Bench(Port(ifindex: 7, bmsr: [0x0004], registers: registers))
        #expect(try bench.await { _ in true }.outcome == .unsupported(.noSuchAddressOrDevice))
        // Both cables are cut: it had nothing to lose.
        let asked = bench.kernel.count("bmsr eth0")
        bench.kernel.change("eth0") { $0.bmsr = [0] }
        bench.kernel.wait("bmsr eth0", count: asked + 1)
        let id = try bench.sweep.requestRegisters(ifindex: 7)
        let report = try bench.awaitRegisters()
        #expect(report.id == id)
        guard case .failure(.noSuchAddressOrDevice) = report.result else {
            Issue.record("registers of nobody: \(report)")
            return
        }
        #expect(bench.reports.isEmpty)
    }

    /// ixgbe (drivers/net/mdio.c, mdio_mii_ioctl): an identity, a link bit, and no ability.
    @Test func aPHYWithoutAbilitiesIsKnownByItsIdentity() throws {
        let bench = try Bench(Port(ifindex: 7, bmsr: [0x0004], registers: [2: 0x0154, 3: 0x0040]))
        #expect(try bench.await { _ in true }.outcome == .up)
        bench.kernel.change("eth0") { $0.bmsr = [0] }
        #expect(try bench.await { _ in true }.outcome == .down)
        bench.kernel.change("eth0") { $0.bmsr = [0x0004] }
        #expect(try bench.await { $0.outcome == .up }.outcome == .up)
    }
}

/// Speed, duplex and autonegotiation change without the link going away.
@Suite(.timeLimit(.minutes(1))) struct RenewalTests {
    @Test(arguments: [true, false]) func whatEthtoolSaysIsLookedAtAgain(_ wantsDriver: Bool) throws {
        let bench = try Bench(["eth0": Port(ifindex: 7)])
        try bench.sweep.setPorts([SweepPort(ifindex: 7, ifname: "eth0", sources: wantsDriver ? .polled : [.mii])])
        try bench.await { $0.source == .mii && !$0.isRenewal }
        // The first look, and then nothing until something changes.
        try bench.await { $0.isRenewal }
        let looked = bench.kernel.count("settings eth0")
        bench.kernel.wait("settings eth0", count: looked + 1)
        bench.drain()
        #expect(!bench.reports.contains { $0.isRenewal })
        bench.kernel.change("eth0") { $0.settings.speed = 100 }
        let renewal = try bench.await { $0.isRenewal }
        #expect(renewal.ifindex == 7 && renewal.outcome == .up && renewal.drops == 0)
        // A partner that offers something else, and errors that are counted.
        bench.kernel.change("eth0") { $0.registers = [10: 0x00ff] }
        let before = bench.kernel.count("settings eth0")
        bench.kernel.wait("settings eth0", count: before + 2)
        bench.drain()
        #expect(!bench.reports.contains { $0.isRenewal })
        bench.kernel.change("eth0") { $0.registers = [5: 0x41e1] }
        try bench.await { $0.isRenewal }
        #expect(
            bench.kernel.count("bmsr eth0") > 50 * bench.kernel.count("settings eth0"), "a look costs next to nothing")
    }
}

/// Names come and go; the ifindex stays.
@Suite(.timeLimit(.minutes(1))) struct NameTests {
    @Test func anAbsentNameIsNotAsked() throws {
        let bench = try Bench([:])
        try bench.sweep.setPorts([bench.mii])
        #expect(try bench.await { _ in true }.outcome == .unsupported(.operationNotSupportedByDevice))
        #expect(bench.kernel.count("phy eth0") == 0)
    }

    @Test func aDeletedPortIsNotAskedAgain() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.remove("eth0")
        #expect(try bench.await { _ in true }.outcome == .failed(.operationNotSupportedByDevice))
        let asked = bench.kernel.count("bmsr eth0")
        bench.kernel.wait("name 7", count: bench.kernel.count("name 7") + 2)
        #expect(bench.kernel.count("bmsr eth0") == asked, "its ifindex is looked up, its name is left alone")
    }

    @Test func aRenamedPortIsFoundByItsIndex() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.rename(["eth0": "wan0"])
        bench.kernel.wait("bmsr wan0", count: 3)
        #expect(bench.kernel.count("phy wan0") == 1)
        bench.kernel.change("wan0") { $0.bmsr = [down] }
        try bench.await { $0.outcome == .down }
        #expect(bench.kernel.count("phy wan0") == 1)
    }

    @Test func swappedNamesDoNotSwapTheLinks() throws {
        var other = Port(ifindex: 8)
        other.bmsr = [down]
        let bench = try Bench(["eth0": Port(ifindex: 7), "eth1": other])
        try bench.sweep.setPorts([bench.mii])
        try bench.await { $0.outcome == .up }
        bench.kernel.rename(["eth0": "eth1", "eth1": "eth0"])
        // Under its old name there is a port that is down now; under its new one it is up, and that is no news.
        bench.kernel.wait("bmsr eth1", count: 3)
        bench.drain()
        #expect(bench.reports.isEmpty)
    }

    @Test func aNewNameIsAskedFromTheBeginning() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.rename(["eth0": "wan0"])
        try bench.sweep.setPorts([SweepPort(ifindex: 7, ifname: "wan0", sources: [.mii])])
        bench.kernel.wait("bmsr wan0", count: 3)
        // Twice if a poll under way has found the new name by itself.
        #expect((1...2).contains(bench.kernel.count("phy wan0")))
        bench.drain()
        #expect(bench.reports.isEmpty, "what it said stays what it said")
    }

    @Test func portsAreCheckedBeforeAnythingChanges() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        let port = bench.mii
        #expect(throws: Errno.invalidArgument) { try bench.sweep.setPorts([port, port]) }
        #expect(throws: Errno.invalidArgument) { try bench.sweep.setPorts([SweepPort(ifindex: 0, ifname: "x")]) }
        #expect(throws: Errno.argListTooLong) {
            let tooMany = 1...Int32(Sweep.portsMax + 1)
            try bench.sweep.setPorts(tooMany.map { SweepPort(ifindex: $0, ifname: "p\($0)") })
        }
        #expect(bench.sweep.statistics(.mii).ports == 1)
        #expect(bench.sweep.statistics(.driver).ports == 0)
        try bench.sweep.setPorts([])
        #expect(bench.sweep.confirmedNs(ifindex: 7, source: .mii) == nil)
    }

    @Test func confirmationsCostNoReport() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        let first = try #require(bench.sweep.confirmedNs(ifindex: 7, source: .mii))
        bench.kernel.wait("bmsr eth0", count: bench.kernel.count("bmsr eth0") + 3)
        let second = try #require(bench.sweep.confirmedNs(ifindex: 7, source: .mii))
        #expect(second > first)
        #expect(bench.sweep.confirmedNs(ifindex: 7, source: .driver) == nil)
    }
}

/// A question that does not come back.
@Suite(.timeLimit(.minutes(1))) struct StuckTests {
    private static let stuckAfterNs: Int64 = 100_000_000

    private static func ports(_ count: UInt32) -> [String: Port] {
        Dictionary(uniqueKeysWithValues: (1...count).map { ("eth\($0)", Port(ifindex: $0)) })
    }

    private static func all(_ count: Int32) -> [SweepPort] {
        (1...count).map { SweepPort(ifindex: $0, ifname: "eth\($0)", sources: [.mii]) }
    }

    @Test func itDelaysNothingButItself() throws {
        let bench = try Bench(Self.ports(3), stuckAfterNs: Self.stuckAfterNs)
        try bench.sweep.setPorts(Self.all(3))
        for index in 1...3 as ClosedRange<Int32> { try bench.await { $0.ifindex == index && $0.outcome == .up } }
        bench.kernel.change("eth2") { $0.isBlocked = true }
        #expect(try bench.await { $0.ifindex == 2 }.outcome == .failed(.timedOut))
        #expect(bench.sweep.statistics(.mii).stuckPorts == 1)
        #expect(bench.sweep.statistics(.mii).stuckNs >= Self.stuckAfterNs)
        // The others go on.
        for name in ["eth1", "eth3"] { bench.kernel.change(name) { $0.bmsr = [down] } }
        for index in [1, 3] as [Int32] { try bench.await { $0.ifindex == index && $0.outcome == .down } }
        // And it rejoins.
        bench.kernel.change("eth2") { $0.isBlocked = false }
        #expect(try bench.await { $0.ifindex == 2 }.outcome == .up)
        bench.kernel.change("eth2") { $0.bmsr = [down] }
        #expect(try bench.await { $0.ifindex == 2 }.outcome == .down)
        #expect(bench.sweep.statistics(.mii).stuckPorts == 0)
    }

    @Test func itsOtherEvidenceGoesOn() throws {
        let bench = try Bench(Self.ports(1), stuckAfterNs: Self.stuckAfterNs)
        try bench.sweep.setPorts([SweepPort(ifindex: 1, ifname: "eth1")])
        for source in EvidenceSource.polled { try bench.await { $0.source == source && $0.outcome == .up } }
        bench.kernel.change("eth1") { $0.isBlocked = true }
        #expect(try bench.await { _ in true }.source == .mii)
        bench.kernel.change("eth1") { $0.glink = 0 }
        #expect(try bench.await { $0.source == .driver }.outcome == .down)
        // Asked from the beginning while the old question is still out: its answer belongs to nobody.
        bench.sweep.refresh(ifindex: 1)
        bench.kernel.waitUntilBlocked(2)
        bench.kernel.change("eth1") { $0.isBlocked = false }
        #expect(try bench.await { $0.source == .mii && $0.outcome != .failed(.timedOut) }.outcome == .up)
    }

    @Test func whenAllThreadsAreStuckAllPortsAreTold() throws {
        let count: Int32 = 12
        let bench = try Bench(Self.ports(UInt32(count)), stuckAfterNs: Self.stuckAfterNs)
        try bench.sweep.setPorts(Self.all(count))
        for index in 1...count { try bench.await { $0.ifindex == index && $0.outcome == .up } }
        for index in 1...count { bench.kernel.change("eth\(index)") { $0.isBlocked = true } }
        var told: Set<Int32> = []
        while told.count < Int(count) { told.insert(try bench.await { $0.outcome == .failed(.timedOut) }.ifindex) }
        #expect(bench.kernel.blockedThreads == Int(CIOCTL_WORKERS_MAX))
        #expect(throws: Errno.resourceTemporarilyUnavailable) { try bench.sweep.requestRegisters(ifindex: 1) }
        for index in 1...count { bench.kernel.change("eth\(index)") { $0.isBlocked = false } }
        var back: Set<Int32> = []
        while back.count < Int(count) { back.insert(try bench.await { $0.outcome == .up }.ifindex) }
        #expect(bench.sweep.statistics(.mii).stuckPorts == 0)
        bench.kernel.change("eth5") { $0.bmsr = [down] }
        #expect(try bench.await { $0.outcome == .down }.ifindex == 5)
    }

    @Test func anAnswerForAPortThatIsGoneIsDropped() throws {
        let bench = try Bench(Self.ports(2), stuckAfterNs: Self.stuckAfterNs)
        bench.kernel.change("eth1") { $0.isBlocked = true }
        try bench.sweep.setPorts(Self.all(2))
        try bench.await { $0.ifindex == 1 && $0.outcome == .failed(.timedOut) }
        try bench.sweep.setPorts([SweepPort(ifindex: 2, ifname: "eth2", sources: [.mii])])
        bench.kernel.change("eth1") { $0.isBlocked = false }
        bench.kernel.change("eth2") { $0.bmsr = [down] }
        #expect(try bench.await { $0.outcome != .up }.ifindex == 2)
    }

    /// Others hold RTNL for a moment: no port waits for another one's answer, and nothing is reported.
    @Test func oneThatComesBackSoonIsNotTold() throws {
        let bench = try Bench(Self.ports(2), stuckAfterNs: 5 * Self.stuckAfterNs)
        try bench.sweep.setPorts(Self.all(2))
        for index in 1...2 as ClosedRange<Int32> { try bench.await { $0.ifindex == index && $0.outcome == .up } }
        bench.kernel.change("eth1") { $0.isBlocked = true }
        bench.kernel.waitUntilBlocked(1)
        bench.kernel.change("eth2") { $0.bmsr = [down] }
        try bench.await { $0.ifindex == 2 && $0.outcome == .down }
        #expect(bench.sweep.statistics(.mii).stuckPorts == 1)
        bench.kernel.change("eth1") { $0.isBlocked = false }
        bench.kernel.wait("bmsr eth1", count: bench.kernel.count("bmsr eth1") + 2)
        bench.drain()
        #expect(bench.reports.isEmpty)
    }

    /// The port has been renamed meanwhile, and another port has its old name: the answer to the old question is
    /// dropped.
    @Test func anAnswerToAnOldQuestionIsDropped() throws {
        let bench = try Bench(
            ["eth1": Port(ifindex: 1), "eth2": Port(ifindex: 2, bmsr: [down])], stuckAfterNs: Self.stuckAfterNs)
        try bench.sweep.setPorts(Self.all(1))
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth1") { $0.isBlocked = true }
        bench.kernel.waitUntilBlocked(1)
        bench.kernel.change("eth1") { $0.ifindex = 2 }
        bench.kernel.change("eth2") { $0.ifindex = 1 }
        try bench.sweep.setPorts([SweepPort(ifindex: 1, ifname: "eth2", sources: [.mii])])
        try bench.await { $0.outcome == .down }
        bench.kernel.change("eth1") { $0.isBlocked = false }
        while bench.sweep.statistics(.mii).stuckPorts > 0 { sched_yield() }
        bench.drain()
        #expect(bench.reports.isEmpty)
    }

    @Test func endingDoesNotWaitForIt() throws {
        var bench: Bench? = try Bench(Self.ports(1), stuckAfterNs: Self.stuckAfterNs)
        let kernel = try #require(bench?.kernel)
        kernel.change("eth1") { $0.isBlocked = true }
        try bench?.sweep.setPorts(Self.all(1))
        try bench?.await { $0.outcome == .failed(.timedOut) }
        bench = nil
        #expect(kernel.blockedThreads == 1, "it is still in there")
        kernel.change("eth1") { $0.isBlocked = false }
    }

    @Test func aLongSweepIsNotAStuckOne() throws {
        let bench = try Bench(Self.ports(40), stuckAfterNs: Self.stuckAfterNs)
        for index in 1...40 { bench.kernel.change("eth\(index)") { $0.delayUs = 5000 } }
        try bench.sweep.setPorts(Self.all(40))
        for index in 1...40 as ClosedRange<Int32> { try bench.await { $0.ifindex == index && $0.outcome == .up } }
        #expect(bench.reports.isEmpty, "200 ms of progress are not 100 ms of silence")
        bench.kernel.wait("bmsr eth1", count: 3)
        #expect(bench.sweep.statistics(.mii).overruns > 0)
    }
}

/// Registers on demand, by the sweep's thread.
@Suite(.timeLimit(.minutes(1))) struct RequestTests {
    @Test func theyAreReadAndTheLatchIsNotLost() throws {
        let bench = try Bench(["eth0": Port(ifindex: 7)], intervalNs: 60_000_000_000)
        bench.kernel.change("eth0") { $0.registers = [0: 0x3100, 4: 0x05e1, 5: 0x41e1, 14: -EIO] }
        try bench.sweep.setPorts([bench.mii])
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth0") { $0.bmsr = [down, up] }
        let id = try bench.sweep.requestRegisters(ifindex: 7)
        let report = try bench.awaitRegisters()
        #expect(report.id == id)
        #expect(report.ifindex == 7)
        let file = try report.result.get()
        #expect(file.phy == 1)
        #expect(file[0] == 0x3100)
        #expect(file[1] == 0x782d)
        #expect(file.bmsrFirst == 0x7809)
        #expect(file[14] == 0)
        #expect(try bench.await { _ in true }.drops == 1)
    }

    @Test func aMissingInterfaceIsAnError() throws {
        let bench = try Bench([:])
        _ = try bench.sweep.requestRegisters(ifindex: 99)
        #expect(throws: Errno.operationNotSupportedByDevice) { try bench.awaitRegisters().result.get() }
    }

    @Test func aFloodOfThemDoesNotStarveThePolls() throws {
        let bench = try Bench(["eth0": Port(ifindex: 7), "eth1": Port(ifindex: 8, delayUs: 100)])
        try bench.sweep.setPorts([bench.mii])
        try bench.await { $0.outcome == .up }
        for _ in 0..<CIOCTL_REQUESTS_MAX { _ = try bench.sweep.requestRegisters(ifindex: 8) }
        let before = bench.kernel.count("bmsr eth0")
        for _ in 0..<40 {
            _ = try bench.awaitRegisters()
            _ = try bench.sweep.requestRegisters(ifindex: 8)
        }
        let polls = bench.kernel.count("bmsr eth0") - before
        #expect(polls >= 20, "each request takes longer than the interval: between two of them a poll is due")
    }

    @Test func aStuckRequestIsAnsweredAndTheQueueIsBounded() throws {
        let bench = try Bench(["eth0": Port(ifindex: 7), "eth1": Port(ifindex: 8)], stuckAfterNs: 20_000_000)
        bench.kernel.change("eth0") { $0.isBlocked = true }
        _ = try bench.sweep.requestRegisters(ifindex: 7)
        let stuck = try bench.awaitRegisters()
        #expect(throws: Errno.timedOut) { try stuck.result.get() }
        #expect(stuck.settings == nil, "ethtool has not been asked")
        for _ in 0..<CIOCTL_REQUESTS_MAX { _ = try bench.sweep.requestRegisters(ifindex: 8) }
        #expect(throws: Errno.resourceTemporarilyUnavailable) { try bench.sweep.requestRegisters(ifindex: 8) }
        for _ in 0..<CIOCTL_REQUESTS_MAX { #expect(try bench.awaitRegisters().result.get()[1] == 0x782d) }
        bench.kernel.change("eth0") { $0.isBlocked = false }
        _ = try bench.sweep.requestRegisters(ifindex: 7)
        #expect(try bench.awaitRegisters().result.get()[1] == 0x782d)
    }
}

/// The grid.
@Suite(.timeLimit(.minutes(1))) struct TimingTests {
    @Test func pollsKeepToTheGrid() throws {
        let intervalNs: Int64 = 10_000_000
        var port = Port(ifindex: 7)
        port.delayUs = 4000
        let bench = try Bench(["eth0": port], intervalNs: intervalNs)
        try bench.sweep.setPorts([bench.mii])
        bench.kernel.wait("bmsr eth0", count: 60)
        let overruns = Int(bench.sweep.statistics(.mii).overruns)
        // The first one is fresh and waits for no point.
        let points = bench.kernel.readings[1..<60].map { $0 / intervalNs }
        let steps = zip(points, points.dropFirst()).map { $1 - $0 }
        #expect(steps.allSatisfy { $0 >= 1 }, "two polls for one point of the grid")
        // A busy machine is late and skips points, before or after a poll, and says so; a drift would skip them silently.
        #expect(steps.count { $0 > 1 } <= 2 * overruns + 1, "the time that a poll takes delays the next one")
    }

    @Test func aSweepThatTakesTooLongIsCounted() throws {
        let bench = try Bench()
        try bench.await { $0.outcome == .up }
        bench.kernel.change("eth0") { $0.delayUs = 10_000 }
        bench.kernel.wait("bmsr eth0", count: bench.kernel.count("bmsr eth0") + 3)
        #expect(bench.sweep.statistics(.mii).overruns >= 1)
        #expect(bench.sweep.statistics(.mii).latencyMaxNs >= 10_000_000)
    }

    @Test func aSlowBusDoesNotStarveTheDrivers() throws {
        let ports = (1...10).map { SweepPort(ifindex: $0, ifname: "eth\($0)") }
        let bench = try Bench(
            Dictionary(
                uniqueKeysWithValues: ports.map { ($0.ifname, Port(ifindex: UInt32($0.ifindex), delayUs: 1000)) }))
        try bench.sweep.setPorts(ports)
        bench.kernel.wait("glink eth10", count: 5)
        let readings = bench.kernel.readings.count
        #expect(readings < 150, "50 questions to drivers took \(readings) to PHYs: they take turns")
    }

    @Test func intervalsAreChecked() throws {
        let bench = try Bench()
        for ns in [0, -1, 999_999, 60_000_000_001, .max] as [Int64] {
            for source in EvidenceSource.polled {
                #expect(throws: Errno.invalidArgument) { try bench.sweep.setIntervals([source: ns]) }
            }
        }
        #expect(bench.sweep.statistics(.mii).intervalNs == 1_000_000)
        #expect(throws: Errno.invalidArgument) { try Bench([:], intervalNs: 1) }
        #expect(throws: Errno.invalidArgument) { try Bench([:], stuckAfterNs: 0) }
        try bench.sweep.setIntervals([.mii: 60_000_000_000, .driver: 2_000_000])
        #expect(bench.sweep.statistics(.mii).intervalNs == 60_000_000_000)
        #expect(bench.sweep.statistics(.driver).intervalNs == 2_000_000)
    }

    @Test func aNewPortDoesNotWaitForTheNextSweep() throws {
        let bench = try Bench(["eth0": Port(ifindex: 7)], intervalNs: 60_000_000_000)
        try bench.sweep.setPorts([bench.mii])
        #expect(try bench.await { _ in true }.outcome == .up)
        #expect(bench.sweep.statistics(.mii).overruns == 0)
    }
}
