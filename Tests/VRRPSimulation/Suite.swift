import VRRP

/// What `make test` and `make soak` search, and the bugs that the search has to find.
package enum Suite {
    /// Closed in about a minute of one core.
    package static var test: [Search.Scenario] {
        [
            .boots(cables: 0), .boots(cables: 1),
            .faults(cables: 0, faultsMax: 2), .faults(cables: 1, faultsMax: 2),
            .faults(cables: 2, faultsMax: 1, legs: 1),
            .faults(cables: 0, faultsMax: 2) { $0.preempt = false },
            equals(cables: 0, faultsMax: 2), equals(cables: 1, faultsMax: 1),
            .faults(cables: 0, faultsMax: 2, intervalTicks: [2, 6], legs: 1),
            .faults(cables: 0, faultsMax: 2, intervalTicks: [6, 2], legs: 1),
            .faults(cables: 1, faultsMax: 1, intervalTicks: [2, 6], legs: 1),
            .faults(cables: 1, faultsMax: 1, intervalTicks: [6, 2], legs: 1),
            .faults(cables: 1, faultsMax: 1, priorities: [200, 100, 150], legs: 1),
            withoutAddresses(cables: 0, faultsMax: 2), withoutAddresses(cables: 1, faultsMax: 1),
            .joining(cables: 0, undisturbed: 0, priorities: [100, 100]),
            .joining(cables: 0, undisturbed: 1, priorities: [100, 100]),
            .joining(cables: 1, undisturbed: 0, priorities: [100, 100]),
            .joining(cables: 1, undisturbed: 1, priorities: [100, 100]),
            .joining(cables: 1, undisturbed: 0, priorities: [200, 100]),
        ]
    }

    /// Random schedules beyond the first ten thousand that once failed, each with what it found.
    package static let seeds: [UInt64] = [
        // A reload takes a leg away whose address the kernel is still to add.
        67647,
        // Heartbeats arrive one way only, and a third router is better than both of the pair: both have to obey it.
        77386,
        // A better third router has yielded to a pair that ignores it, and waits.
        100660,
        // Heartbeats arrive one way only: the one that hears them yields to the other, which is well only as long as it is
        // heard by it, cannot know its new addresses, or hears a forger in its name.
        44751, 119022, 134343, 145292, 153378,
        // The same with owners, and with a tie that one of them judges by the cables.
        177394, 201944, 209066,
        // A third router beside a pair of which the better one claims and is not heard.
        213389, 241008,
        // A lesser forger claims a long interval and a short one in turn.
        238380,
        // All of a pair are in fault, and beside them a third router, whose check fails and who has no heartbeat.
        101116,
        // A lesser forger, of whom nobody can be asked, keeps everybody from serving, makes a pause, and somebody takes over.
        15480, 52924, 100942, 135555,
        // A forger has claimed an interval of 40 seconds, and the down timer is ten of them.
        63567,
        // An address appears while the kernel has still to report that it was removed before.
        77188,
        // A forger resigns as often as it can, and the backup's skew is that of a master whose interval is a tenth of its own.
        128854,
        // A report is lost, and what a director said for want of it waits in the socket of a stopped process.
        145165,
    ]

    /// As far as some minutes and some gigabytes reach.
    package static var soak: [Search.Scenario] {
        [
            .boots(cables: 2), .faults(cables: 0, faultsMax: 4, legs: 1), .faults(cables: 1, faultsMax: 3, legs: 1),
            .faults(cables: 2, faultsMax: 1), .faults(cables: 1, faultsMax: 1, isCableSlow: true),
            equals(cables: 1, faultsMax: 2), plain(cables: 0, faultsMax: 4), plain(cables: 1, faultsMax: 3),
            .faults(cables: 0, faultsMax: 3),
        ]
    }

    private static func plain(cables: Int, faultsMax: Int) -> Search.Scenario {
        .faults(
            cables: cables, faultsMax: faultsMax, only: Search.Scenario.plainFaults(legs: 2, cables: cables))
    }

    /// Equal priorities: where one does not hear the first leg, the later one has to decide, unless a cable works both ways,
    /// and that takes an interval more.
    private static func equals(cables: Int, faultsMax: Int) -> Search.Scenario {
        var scenario = Search.Scenario.faults(cables: cables, faultsMax: faultsMax, priorities: [100, 100])
        scenario.dualTicksMax = UInt8(4 * scenario.intervalTicks)
        return scenario
    }

    private static func withoutAddresses(cables: Int, faultsMax: Int) -> Search.Scenario {
        var scenario = Search.Scenario.faults(cables: cables, faultsMax: faultsMax, legs: 1) {
            $0.members[0].addresses = []
        }
        scenario.name += ", no addresses"
        return scenario
    }

    /// Bugs that random schedules have to find among the first ten thousand, and the dimension in which each shows.
    package static var plantedInSchedules: [(name: String, bugs: PlantedBugs, dimensions: Dimensions)] {
        [
            ("an owner that yields", .ownerYields, .owners),
            ("addresses left to a late kernel", .keepsLeftovers, .lateKernel),
            ("addresses that appear and stay", .keepsLeftovers, .leftovers),
            ("a yield to mere adverts", .believesAdverts, .stranger),
            ("a takeover that an answer stops", .believesAnswers, .stranger),
            ("a flood for a flood", .answersFlood, .stranger),
        ]
    }

    /// The same, where that takes some thousands: for the soak.
    package static var plantedInManySchedules: [(name: String, bugs: PlantedBugs, dimensions: Dimensions)] {
        [
            ("a backup with its own interval", .ownInterval, .unlike),
            ("a third router taken for the peer", .hearsAnybody, .all),
            ("a reload that stops the start", .reloadStops, [.early, .lateKernel, .leftovers]),
        ]
    }

    /// Each planted bug, and a scenario in which it shows.
    package static var planted: [(name: String, scenario: Search.Scenario)] {
        [
            ("a counter instead of a set", .faults(cables: 0, faultsMax: 2) { $0.bugs = .counter }),
            ("an election on one deaf member", .faults(cables: 0, faultsMax: 1) { $0.bugs = .oneDeafMember }),
            (
                "the address tie-break in Backup",
                .joining(cables: 0, undisturbed: 0, priorities: [100, 100], legs: 1) { $0.bugs = .tieBreakInBackup }
            ),
        ]
    }
}
