/// What goes into the engine and what comes out of it: the whole of its contact with the world.
///
/// The engine has no socket, no clock and no thread. The process feeds it inputs with the time at which they were seen,
/// and carries out the outputs *in their order*: addresses are removed before anything is sent, and added before they
/// are announced. Members and cables are named by their place in the configuration in force.
import Addresses

public enum Input: Hashable, Sendable {
    /// The first snapshot. Before it everything else is ignored and nothing is sent.
    case start(Snapshot)
    /// `nextDeadlineNs` has come, and everything that arrived before this instant has been given: silence is told by this
    /// input alone.
    case timer
    /// An advert that passed every check of `AdvertCodec` arrived on a member.
    case advert(member: MemberIndex, Advert)
    /// A heartbeat of the peer's arrived on a cable.
    case heartbeat(cable: CableIndex, PeerWord)
    /// The link of an interface, a member's, a cable's or a tracked one. `reason` names the evidence when it is down.
    case link(interface: String, isUp: Bool, reason: String)
    /// The kernel's address table lists any virtual address of the member, or none any longer.
    case holding(member: MemberIndex, Bool)
    /// The address that the member's adverts are sent from; nil: there is none, which is a cause.
    case primaryAddress(member: MemberIndex, IPAddress?)
    /// The address that the cable's heartbeats are sent from.
    case cableAddress(cable: CableIndex, IPAddress?)
    /// Everything that is tracked has given its first answer, where the snapshot said that it had not. Before this the group
    /// does not begin.
    case informed
    /// A cause other than a link came or went. `isolated` is the engine's own.
    case cause(Cause, isPresent: Bool)
    /// What a tracked object adds to the priority; 0 when it no longer does.
    case weight(name: String, Int)
    /// Something the process knows and wants to see published with the rest.
    case condition(Condition, isPresent: Bool)
    /// A neighbour or a witness answered a probe on the member's leg.
    case proof(member: MemberIndex)
    /// Another station answered our own question for a virtual address of the member (`probeAddresses`), and this is
    /// whose MAC address it was. Given once for each answerer and question.
    case foreignAnswer(member: MemberIndex, by: Answerer)
    /// The fence program ended; a timeout is a failure.
    case fence(succeeded: Bool)
    /// An operator wants the peer to serve. Ask `handoverRefusal` first.
    case handover
    /// A new configuration that has passed all checks, and the world as it is under it. Members and cables are matched by
    /// name. Before this input the process removes the addresses that are no longer configured; after it all indices are
    /// the new configuration's.
    case reload(GroupConfiguration, Snapshot)
    /// End in good order: resign. Carry out the outputs, report that the addresses are gone, carry out the outputs of
    /// that, then exit.
    case shutdown
}

/// Whose MAC address answered for a virtual address. All of it can be forged by a host on the link.
public enum Answerer: Hashable, Sendable {
    /// That of a router whose adverts were heard on the leg; the value is the address they came from.
    case router(IPAddress)
    /// The virtual router's own, 00-00-5E-00-01-VRID: some router of it holds the address.
    case virtualRouter
    /// Any other: a stranger's, or that of a router that was never heard.
    case stranger
}

/// The world as it is when the engine starts, or when it takes a new configuration.
public struct Snapshot: Hashable, Sendable {
    /// Per member: the address to send from; nil: none.
    public var primaryAddresses: [IPAddress?]
    /// Per member: whether the kernel still lists virtual addresses, left over from an earlier run.
    public var holding: [Bool]
    /// Per cable: the address to send from.
    public var cableAddresses: [IPAddress?]
    /// Everything that is wrong at present, links included.
    public var causes: Set<Cause>
    /// Interfaces of cables whose link is down.
    public var cablesDown: Set<String>
    /// What tracked objects add to the priority at present.
    public var weights: [String: Int]
    /// Whether everything that is tracked has given an answer; if not, `informed` follows.
    public var isInformed: Bool

    public init(
        primaryAddresses: [IPAddress?], holding: [Bool] = [], cableAddresses: [IPAddress?] = [],
        causes: Set<Cause> = [], cablesDown: Set<String> = [], weights: [String: Int] = [:], isInformed: Bool = true
    ) {
        self.isInformed = isInformed
        self.primaryAddresses = primaryAddresses
        self.holding = holding
        self.cableAddresses = cableAddresses
        self.causes = causes
        self.cablesDown = cablesDown
        self.weights = weights
    }
}

/// What the process is asked to do.
public enum Output: Hashable, Sendable {
    /// Send an advert on the member: the configuration's version, VRID, interval and addresses, this priority.
    case sendAdvert(member: MemberIndex, priority: UInt8)
    /// Send a heartbeat on the cable.
    case sendHeartbeat(cable: CableIndex, PeerWord)
    /// Add the member's virtual addresses and refresh their lease until told to remove them; report `holding(member, true)`
    /// as soon as the kernel lists them. `announce` follows from that report.
    case addAddresses(member: MemberIndex)
    /// Remove the member's virtual addresses and report `holding(member, false)` as soon as the kernel has confirmed.
    case removeAddresses(member: MemberIndex)
    /// Send gratuitous ARP or unsolicited NA for the member's virtual addresses: a burst, as configured.
    case announce(member: MemberIndex)
    /// The same after an advert of lower priority, whose sender may have announced them: as configured for that.
    case announceAfterLower(member: MemberIndex)
    /// Ask witnesses or known neighbours on the member's leg, once; an answer is `proof`.
    case probePeers(member: MemberIndex)
    /// Ask by ARP or ND, once, who has the member's virtual addresses, in any role; an answer to that from another station
    /// is `foreignAnswer`. What nobody asked for, such as gratuitous ARP, is none.
    case probeAddresses(member: MemberIndex)
    /// Run the fence program; its end is `fence`.
    case runFence
    /// The published state changed: for status, watchers and notify programs.
    case transition(Transition)
    /// A condition came.
    case raised(Condition)
    /// A condition went.
    case cleared(Condition)
    /// A cause came or went.
    case causeChanged(Cause, isPresent: Bool)
}

/// The published states.
public enum GroupState: String, Hashable, Sendable {
    /// Not started, or shut down.
    case initialize
    /// Another may serve.
    case backup
    /// Serves.
    case master
    /// Cannot serve: at least one cause is in force.
    case fault
}

/// A change of the published state, and which rule made it.
public struct Transition: Hashable, Sendable {
    /// The state left.
    public var from: GroupState
    /// The state entered.
    public var to: GroupState
    /// Why, in the words of the decision's rules.
    public var reason: TransitionReason
    /// The priority in force.
    public var priority: UInt8

    public init(from: GroupState, to: GroupState, reason: TransitionReason, priority: UInt8) {
        self.from = from
        self.to = to
        self.reason = reason
        self.priority = priority
    }
}

/// The rules by which a group changes its state. `docs/state-machine.md` has one row for each.
public enum TransitionReason: String, Hashable, Sendable, CaseIterable {
    /// The first snapshot.
    case start
    /// The owner of the addresses does not wait.
    case owner
    /// Every member's down timer ran out.
    case take
    /// Silence everywhere, fenced and probed.
    case dead
    /// The peer resigned over a cable.
    case atOnce = "at-once"
    /// A lesser master was preempted, or our claim was granted.
    case preempt
    /// An election was lost on a leg.
    case lose
    /// An election was lost over a cable.
    case twoHolders = "two-holders"
    /// We hold and are not heard.
    case unheard
    /// A cause came.
    case fault
    /// The last cause in force went.
    case recovered
    /// We slept longer than our lease.
    case awake
    /// An operator asked for it.
    case handover
    /// An orderly end.
    case shutdown
}
