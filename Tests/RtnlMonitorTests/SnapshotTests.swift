/// The kernel this runs on, read once: needs no privilege.
import CMnl
import SystemPackage
import Testing

@testable import RtnlMonitor

@Suite struct SnapshotTests {
    @Test func theLoopbackIsThere() throws {
        let monitor = try RtnlMonitor.snapshot(options: .init(addresses: true))
        let loopback = try #require(monitor.link(named: "lo"))
        #expect(loopback.ifindex == 1)
        #expect(loopback.flags.contains(.loopback))
        #expect(loopback.hardwareTypeName == "loopback")
        #expect(!loopback.isPhysicalPort)
        #expect(monitor.isSynced && monitor.degradation.isEmpty)
        #expect(monitor.statistics.malformed == 0)
    }

    /// As the one for nexthop objects is on kernels before 5.3.
    @Test func aGroupThatTheKernelDoesNotHaveMayBeLeftOut() throws {
        let unknown = rtnetlink_groups(rawValue: 500)
        _ = try RtnlSocket(groups: [RTNLGRP_LINK], optionalGroups: [unknown])
        #expect(throws: Errno.invalidArgument) { try RtnlSocket(groups: [unknown]) }
    }

    @Test func aLinkIsAnsweredByNumberAndByName() throws {
        let requester = try RtnlRequester()
        #expect(try requester.link(ifindex: 1).name == "lo")
        #expect(try requester.link(named: "lo").ifindex == 1)
        #expect(throws: RtnlError.self) { try requester.link(ifindex: .max) }
        #expect {
            try requester.link(named: "no-such-link")
        } throws: {
            ($0 as? RtnlError)?.errno == .operationNotSupportedByDevice
        }
    }
}
