/// The public interface of linkwatch-vrrp, as it is published by `org.varlink.service.GetInterfaceDescription`.
///
/// Names, once published, stay; fields may be added.
public enum VRRPInterface {
    /// The interface's name.
    public static let name = "io.linkwatch.VRRP"

    /// Where the process listens unless told otherwise.
    public static let defaultSocketPath = "/run/linkwatch/vrrp.sock"

    /// The interface description, in varlink's own language.
    public static let description = """
        # What linkwatch-vrrp does, and why. All times named ...Usec are microseconds of CLOCK_MONOTONIC, or durations;
        # those named ...BoottimeUsec are of CLOCK_BOOTTIME, which goes on while the machine sleeps.
        interface io.linkwatch.VRRP

        # One instance. holding: the kernel lists its addresses. heard: another router's advert came within the down
        # interval. proven: the leg is known to work. downUsec: when the down timer runs out.
        # checksumForm: how the last router heard sums its adverts: pseudo-header or message.
        # ownAddressReceived: adverts that a stranger sent from our address. sendErrors: adverts that could not be sent;
        # lastSendError: why the last of them was not.
        type Member (
          name: string,
          interface: string,
          ifindex: ?int,
          vrid: int,
          addresses: []string,
          primaryAddress: ?string,
          holding: bool,
          heard: bool,
          proven: bool,
          downUsec: ?int,
          masterIntervalUsec: int,
          lastSource: ?string,
          lastPriority: ?int,
          checksumForm: ?string,
          advertsReceived: int,
          advertsSent: int,
          resignationsReceived: int,
          resignationsSent: int,
          ownAddressReceived: int,
          sendErrors: int,
          lastSendError: ?string
        )

        # One heartbeat. alive: the peer was heard over it within three intervals. sendErrors: what could not be sent.
        type Cable (name: string, interface: string, vrid: int, peerVrid: int, alive: bool, sendErrors: int)

        # The peer as its heartbeats tell. holds, hears and proven name members.
        type Peer (
          identity: string,
          priority: int,
          fresh: bool,
          holds: []string,
          hears: []string,
          hearsHeartbeat: bool,
          proven: []string
        )

        # state and previous: initialize, backup, master or fault. reason: the rule that decided.
        type Transition (
          group: string,
          state: string,
          previous: string,
          reason: string,
          priority: int,
          monotonicUsec: int,
          realtimeUsec: int
        )

        # One group. causes: what keeps it from serving. conditions: what else an operator should know.
        # transitions: the newest, newest last.
        type Group (
          name: string,
          state: string,
          sinceUsec: int,
          sinceBoottimeUsec: ?int,
          priority: int,
          configuredPriority: int,
          version: int,
          advertIntervalUsec: int,
          preempt: bool,
          claiming: bool,
          holding: bool,
          advertUsec: ?int,
          causes: []string,
          conditions: []string,
          members: []Member,
          cables: []Cable,
          peer: ?Peer,
          becameMaster: int,
          leftMaster: int,
          heartbeatsReceived: int,
          heartbeatsSent: int,
          heartbeatEchoes: int,
          heartbeatsStale: int,
          transitions: []Transition
        )

        # Packets that were no adverts for us: ttl, checksum, vrid, ...
        type Discard (reason: string, count: int)

        # kind: snapshot, synced, transition, cause, condition, reload, overflow. what: the cause or condition, which
        # came (present) or went.
        type Event (
          seq: int,
          kind: string,
          monotonicUsec: int,
          realtimeUsec: int,
          group: ?Group,
          transition: ?Transition,
          what: ?string,
          present: ?bool
        )

        # Everything now, or one group.
        # nowUsec, nowBoottimeUsec: the time that the other times are relative to.
        method Status(group: ?string) -> (
          groups: []Group,
          version: string,
          nowUsec: int,
          nowBoottimeUsec: ?int,
          discards: []Discard,
          reloads: int,
          reloadError: ?string
        )

        # With `more` only: a snapshot, `synced`, then what happens, for ever. A consumer that falls behind gets
        # `overflow` and a fresh snapshot. groups: the names to watch, all without it.
        method Watch(groups: ?[]string) -> (event: Event)

        # Reads the configuration file again and applies the difference. For root and the process's own user only.
        method Reload() -> ()

        # Lets the peer serve. For root and the process's own user only.
        method Handover(group: string) -> ()

        # What a reload would find wrong, one line each. For root and the process's own user only.
        method CheckConfig() -> (errors: []string)

        error NoSuchGroup (group: string)

        # reason: why the peer would not serve.
        error HandoverRefused (reason: string)

        # The file was refused and the old configuration stays; message names file and line.
        error ReloadFailed (message: string)
        """
}
