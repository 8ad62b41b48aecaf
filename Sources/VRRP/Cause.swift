/// Why a group cannot serve (`Cause`), and what an operator should know although it changes no state (`Condition`).
///
/// Causes are a set, never a counter: a failure reported three times and mended once is mended. A cause is known by its kind
/// and subject; its detail, such as the evidence that says a link is down, may change while it lasts. *Hard* causes are
/// FAULT unconditionally. *Soft* ones are FAULT only while a peer is known to serve better, if there is a heartbeat pool: an
/// upstream that fails the checks of both directors must not take the service away from both.
public struct Cause: Hashable, Sendable {
    /// What failed.
    public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// The link of a member's, or of a tracked, interface is down. Subject: the interface; detail: the evidence.
        case link
        /// The interface has no address to send from. Subject: the interface.
        case noAddress
        /// Sending fails because the interface is gone or down. Subject: the interface.
        case sendDenied
        /// The configuration cannot be carried out. Subject: what.
        case config
        /// The virtual addresses cannot be added, or somebody takes them away as often as they are. Subject: the member.
        case address
        /// Something tracked fails, for which there is no cause of its own kind. Subject: its kind and name,
        /// `check:upstream`.
        case tracked
        /// A packet filter drops adverts and the configuration says that this is a fault. Subject: the interface.
        case packetFilter
        /// A leg that cannot be proven while the peer's are. Raised by the engine alone. Subject: the interface.
        case isolated
    }

    /// What failed.
    public var kind: Kind
    /// Which one.
    public var subject: String
    /// By what evidence; may be empty.
    public var detail: String

    public init(_ kind: Kind, _ subject: String, detail: String = "") {
        self.kind = kind
        self.subject = subject
        self.detail = detail
    }

    /// FAULT whatever the peer can do.
    public var isHard: Bool {
        switch kind {
        case .link, .noAddress, .sendDenied, .config, .address: true
        case .tracked, .packetFilter, .isolated: false
        }
    }
}

extension Cause: CustomStringConvertible {
    /// `link:eth1:mii`, `no-address:eth0`, `check:upstream`: the form that status, logs and notify programs use.
    public var description: String {
        let name = kind == .tracked ? subject : "\(kind.name):\(subject)"
        return detail.isEmpty ? name : "\(name):\(detail)"
    }
}

extension Cause.Kind {
    /// What stands before the subject; something tracked has its own name there.
    var name: String {
        switch self {
        case .link: "link"
        case .noAddress: "no-address"
        case .sendDenied: "send-denied"
        case .config: "config"
        case .address: "address"
        case .tracked: "tracked"
        case .packetFilter: "packet-filter"
        case .isolated: "isolated"
        }
    }
}

/// Something that is published and changes no state.
public struct Condition: Hashable, Sendable {
    /// What is remarkable.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The peer holds, as its heartbeats say, but none of its adverts arrive; or somebody answers for the virtual
        /// addresses.
        case advertsBlocked = "adverts-blocked"
        /// A member is silent while another hears a master. Subject: the member.
        case deaf = "deaf"
        /// The peer hears our heartbeat and not our adverts on a leg. Subject: the member.
        case peerDeaf = "peer-deaf"
        /// We held or claimed, and were not heard: no preemption for now. Or, as master: a lesser router holds as well
        /// and does not hear us, and yielding to it has not helped.
        case unheard = "unheard"
        /// A cable is silent, one-way or without carrier. Subject: the cable.
        case heartbeatDegraded = "heartbeat-degraded"
        /// Both routers have the same priority: addresses decide.
        case equalPriority = "equal-priority"
        /// No router is known that could serve. Error level.
        case noDirector = "no-director"
        /// A soft cause is present and not FAULT, since no peer serves better. Subject: the cause.
        case tolerated = "tolerated"
        /// The group has not begun: `start-delay` runs, or a check has not answered yet. Detail: which. Raised by the process.
        case starting = "starting"
        /// The fence program runs. Without its success nothing is taken.
        case fencing = "fencing"
        /// The fence program failed or timed out; it is tried again.
        case fenceFailed = "fence-failed"
        /// We handed over and do not preempt until the peer is gone or hands back.
        case handedOver = "handed-over"
        /// A stranger sends from our own address. Subject: the member.
        case ownAddress = "own-address"
        /// The peer lists other virtual addresses. Subject: the member.
        case addressesDiffer = "addresses-differ"
        /// Adverts on the wire do not pass the packet filter. Raised by the process. Subject: the interface.
        case advertsFiltered = "adverts-filtered"
        /// Our own adverts do not pass the packet filter. Raised by the process. Subject: the interface.
        case sendFiltered = "send-filtered"
        /// The kernel does not have an address that we added. Subject: the member.
        case addressMissing = "address-missing"
        /// Somebody else removes or changes the addresses that we hold; they are added again. Raised by the process. Subject:
        /// the member.
        case addressContested = "address-contested"
        /// Something else that a master has in the kernel, such as a route, is not there. Raised by the process. Subject: the member
        /// and what; detail: why. Error level.
        case holdingMissing = "holding-missing"
        /// Somebody else removes it; it is added again. Raised by the process. Subject: the member.
        case holdingContested = "holding-contested"
        /// This host has a virtual address that nobody leased. Raised by the process. Subject: the member and the interface.
        /// Error level.
        case foreignAddress = "foreign-address"
        /// linkwatchd cannot be reached. Raised by the process.
        case monitorLost = "monitor-lost"
        /// The kernel's interfaces, addresses or routes could not be read completely: something may be missing or out
        /// of date. Raised by the process. Error level.
        case kernelDegraded = "kernel-degraded"
        /// The runner has died: checks keep their last result, and no program is run. Raised by the process. Error level.
        case runnerLost = "runner-lost"
        /// `accept = false` is asked for and not in force. Raised by the process. Error level.
        case acceptUnenforced = "accept-unenforced"
        /// Beside a pair with a heartbeat pool, a third router sends adverts for the virtual router. It is not taken into
        /// account. Subject: the member; detail: its address. Error level.
        case thirdRouter = "third-router"
        /// We are master, and a router of lower priority goes on sending adverts. Subject: the member; detail: its address.
        /// Error level.
        case secondMaster = "second-master"
        /// Another station answers for, or claims, a virtual address. Raised by the process. Subject: the member; detail: the
        /// address and the MAC address. Error level.
        case addressConflict = "address-conflict"
        /// A switch of the kernel is not as the virtual MAC address needs it, and cannot be turned. Raised by the process.
        /// Subject: the member. Error level.
        case sysctlRefused = "sysctl-refused"
        /// Another router of the VRID sends adverts of another version, which are refused. Subject: the member, or the heartbeat;
        /// detail: who, and what differs; so with the next ones. Raised by the process. Error level: both may serve.
        case peerVersion = "peer-version"
        /// Adverts of another interval (version 2), or of none. Error level.
        case peerInterval = "peer-interval"
        /// Adverts of another authentication (version 2). Error level.
        case peerAuthentication = "peer-authentication"
        /// Adverts with a wrong checksum. Error level.
        case peerChecksum = "peer-checksum"
        /// Adverts whose TTL or hop limit is not 255.
        case peerTTL = "peer-ttl"
        /// Adverts that are too short.
        case peerLength = "peer-length"
        /// Adverts from a source that is not taken: not link-local, or none of the unicast peers.
        case peerSource = "peer-source"
        /// Adverts without an address, or whose first is not link-local. Error level.
        case peerAddresses = "peer-addresses"
        /// Heartbeats arrive, and not with the peer's VRID: with ours, or, while the peer is silent, with another. Subject: the
        /// heartbeat; detail: who, and which. Raised by the process.
        case peerVRID = "peer-vrid"
        /// Adverts with a heartbeat's VRID that are no heartbeats. Subject: the heartbeat; detail: who. Raised by the process.
        case peerFormat = "peer-format"
        /// No failure of what is tracked brings our priority below that of the other router. Detail: both. Raised by the
        /// process.
        case weightsTooSmall = "weights-too-small"
        /// Our own adverts cannot be sent. Subject: the member; detail: why. Raised by the process. Error level.
        case sendFailed = "send-failed"

        /// Whether somebody should look at once.
        public var isError: Bool {
            let errors: [Kind] = [
                .noDirector, .kernelDegraded, .runnerLost, .acceptUnenforced, .addressConflict, .foreignAddress,
                .secondMaster, .thirdRouter, .sysctlRefused, .peerVersion, .peerInterval, .peerAuthentication,
                .peerChecksum,
                .peerAddresses, .sendFailed, .holdingMissing,
            ]
            return errors.contains(self)
        }
    }

    /// What is remarkable.
    public var kind: Kind
    /// Of what: a member, a cable, an interface; empty for the group.
    public var subject: String
    /// What else is to be said, for people; may be empty. A condition is known by its kind and subject.
    public var detail: String

    public init(_ kind: Kind, _ subject: String = "", detail: String = "") {
        self.kind = kind
        self.subject = subject
        self.detail = detail
    }

    /// Whether it is the same one, whatever its detail.
    public func isSame(as other: Condition) -> Bool { kind == other.kind && subject == other.subject }
}

extension Condition: CustomStringConvertible {
    /// `deaf:inside`, `adverts-blocked`, `address-conflict:inside:192.0.2.1 is at 02:00:00:00:00:01`.
    public var description: String {
        [kind.rawValue, subject, detail].filter { !$0.isEmpty }.joined(separator: ":")
    }
}
