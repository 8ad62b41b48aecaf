/// The public interface of linkwatchd, as it is published by `org.varlink.service.GetInterfaceDescription`.
///
/// `linkwatch-varlink(7)` says it in prose. Names, once published, stay; fields may be added.
import Varlink

public enum MonitorInterface {
    /// The interface's name.
    public static let name = "io.linkwatch.Monitor"

    /// Where the daemon listens unless told otherwise.
    public static let defaultSocketPath = "/run/linkwatch/linkwatchd.sock"

    /// The interface description, in varlink's own language.
    public static let description = """
        # The state of every network interface of one network namespace, and the evidence for it.
        # All times named ...Usec are microseconds, monotonic ones of CLOCK_MONOTONIC, which stands still while the machine
        # sleeps; boottime ones of CLOCK_BOOTTIME, which does not.
        interface io.linkwatch.Monitor

        # What one source says: state is up, down, unsupported or stale; last is its last word while it is stale.
        # counted: whether the verdict listens to it (a PHY counts once its link bit has been seen set).
        type Evidence (
          state: string,
          last: ?string,
          counted: bool,
          confirmedUsec: ?int,
          detail: ?string
        )

        # The PHY's registers, decoded.
        type MII (
          phy: int,
          bmcr: int,
          bmsr: int,
          phyId: int,
          link: bool,
          autoneg: bool,
          autonegComplete: bool,
          remoteFault: bool,
          isolate: bool,
          loopback: bool,
          powerDown: bool,
          advertised: []string,
          partner: []string,
          speed: ?int,
          duplex: ?string,
          duplexMismatchSuspected: bool
        )

        # Penalty dampening: reuseUsec is when the interface will be used again.
        type Dampening (penalty: int, suppressed: bool, reuseUsec: ?int)

        # state is settled, rawState is not: both are up or down. reason names the evidence that says down.
        # since: when state last changed, microseconds of CLOCK_MONOTONIC; sinceBoottimeUsec: the same instant.
        # transitions: how often rawState changed. link: the ifindex of the interface beneath, or the peer, in this namespace;
        # linkNetnsid: it is in that other one, by this namespace's numbering.
        # protoDown: the reasons for which programs keep it down, as ip -json has them in proto_down_reason.
        # conditions: mii-stale, mii-lost, driver-stale, driver-lost, disagreement, dampened, protodown.
        type Interface (
          ifindex: int,
          ifname: string,
          altnames: []string,
          kind: ?string,
          driver: ?string,
          address: ?string,
          mtu: int,
          master: ?int,
          link: ?int,
          linkNetnsid: ?int,
          flags: []string,
          protoDown: ?[]string,
          operstate: string,
          state: string,
          rawState: string,
          reason: ?string,
          since: int,
          sinceBoottimeUsec: ?int,
          evidence: [string]Evidence,
          mii: ?MII,
          speed: ?int,
          duplex: ?string,
          autoneg: ?bool,
          duplexMismatchSuspected: bool,
          carrierChanges: int,
          flaps: int,
          transitions: int,
          dampening: ?Dampening,
          disagreement: bool,
          conditions: []string
        )

        # A tracked route. ifindexes are those of its next hops; inferred: its loss was not announced by the kernel.
        type Route (
          dst: string,
          table: int,
          protocol: int,
          metric: int,
          type: string,
          gateways: []string,
          ifindexes: []int,
          present: bool,
          inferred: bool
        )

        # kind: snapshot, synced, degraded, added, changed, removed, renamed, flap, route, resync, overflow, heartbeat.
        type Event (
          seq: int,
          generation: int,
          kind: string,
          cause: string,
          monotonicUsec: int,
          realtimeUsec: int,
          interface: ?Interface,
          route: ?Route
        )

        # scope: raw, settled, flap, added, renamed, removed.
        type Transition (
          ifindex: int,
          ifname: string,
          scope: string,
          state: ?string,
          reason: ?string,
          monotonicUsec: int,
          realtimeUsec: int
        )

        # Counts of readings by latency: `le` is the upper bound in microseconds, the last one is open.
        type Bucket (le: ?int, count: int)

        # One prober. overruns: sweeps that missed their deadline; staleMs: the longest wait right now.
        type Probe (
          ports: int,
          intervalUsec: int,
          polls: int,
          ioctls: int,
          overruns: int,
          staleMs: int,
          latencyMaxUsec: int,
          latencySumUsec: int,
          latency: []Bucket
        )

        # Everything now. With `more`, one interface a reply, and the routes in the last one. degraded: why interfaces or
        # routes may be missing or out of date.
        method Dump() -> (generation: int, seq: int, interfaces: []Interface, routes: []Route, degraded: ?string)

        # With `more` only: a snapshot, `synced`, then changes, for ever. `degraded` in its place, or later: what the kernel
        # has could not be read whole, until `synced`. A consumer that falls behind gets `overflow` and a fresh snapshot.
        # interfaces: names to watch, all without it; routes: false leaves routes out; heartbeatMs: an event of kind
        # heartbeat at this interval, 10 to 3600000, and for users who are not trusted at least 100.
        method Watch(interfaces: ?[]string, routes: ?bool, heartbeatMs: ?int) -> (event: Event)

        # The PHY's registers 0 to 15, read now.
        method Registers(ifname: string) -> (registers: []int, decoded: MII)

        # The newest transitions, newest last.
        method History(ifname: ?string, limit: ?int) -> (transitions: []Transition)

        # Counters since the start. probes: by the name of the source, mii and driver among them.
        method Statistics() -> (
          version: string,
          startedRealtimeUsec: int,
          generation: int,
          seq: int,
          interfaces: int,
          routes: int,
          subscribers: int,
          overflows: int,
          events: int,
          netlinkMessages: int,
          netlinkIgnored: int,
          netlinkMalformed: int,
          netlinkOverruns: int,
          resyncs: int,
          dumpRetries: int,
          inconsistent: bool,
          degraded: ?string,
          mii: Probe,
          driver: Probe,
          probes: ?[string]Probe,
          reloads: int,
          reloadError: ?string,
          capabilities: []string
        )

        # Reads the configuration file again. For root and the daemon's own user only.
        method Reload() -> ()

        error NoSuchInterface (ifname: string)

        # The interface has no MII registers, or the daemon may not read them.
        error NoRegisters (ifname: string, detail: string)

        # The file was refused and the old configuration stays; message names file and line.
        error ReloadFailed (message: string)
        """

    // MARK: Errors

    /// No interface has this name.
    public static func noSuchInterface(_ ifname: String) -> VarlinkError {
        VarlinkError("\(name).NoSuchInterface", ["ifname": .string(ifname)])
    }

    /// The interface has no MII registers, or the daemon may not read them.
    public static func noRegisters(_ ifname: String, detail: String) -> VarlinkError {
        VarlinkError("\(name).NoRegisters", ["ifname": .string(ifname), "detail": .string(detail)])
    }

    /// The configuration was refused; `message` names file and line.
    public static func reloadFailed(_ message: String) -> VarlinkError {
        VarlinkError("\(name).ReloadFailed", ["message": .string(message)])
    }
}
