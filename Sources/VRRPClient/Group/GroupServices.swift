/// What the groups of a process share, and what each reports to the process.
import Configuration
import LinuxSystem
import VRRP

final class GroupServices {
    let loop: EventLoop
    let wire: any Wire
    let kernel: any Kernel
    let links: LinkWatch
    let leases: LeaseKeeper
    let runner: any ProgramRunner

    /// Whether there are so many groups that their timers should share wake-ups.
    var isCrowded = false
    /// What is tracked, by a group with this `link-state`.
    var tracked: (VRRPConfiguration.Track, VRRPConfiguration.LinkStateChoice) -> Tracked? = { _, _ in nil }
    /// What the process itself knows and publishes with every group.
    var sharedConditions: () -> [Condition] = { [] }
    /// Whether packets to addresses are taken although `accept = false` forbids it.
    var acceptsInSpite: () -> Bool = { false }
    /// Called with what an engine publishes.
    var happened: (Output, GroupDriver) -> Void = { _, _ in }

    init(
        loop: EventLoop, wire: any Wire, kernel: any Kernel, links: LinkWatch, leases: LeaseKeeper,
        runner: any ProgramRunner
    ) {
        self.loop = loop
        self.wire = wire
        self.kernel = kernel
        self.links = links
        self.leases = leases
        self.runner = runner
    }
}
