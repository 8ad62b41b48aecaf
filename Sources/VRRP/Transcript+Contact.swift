/// What goes into an engine and what comes out of it, as trees.
import Addresses

extension GroupConfiguration: Listed {
    static var blank: GroupConfiguration { GroupConfiguration(name: "", members: []) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("name", &name)
        fields.field("priority", &priority)
        fields.field("version", &version)
        fields.field("advertIntervalNs", &advertIntervalNs)
        fields.field("preempt", &preempt)
        fields.field("preemptDelayNs", &preemptDelayNs)
        fields.field("downIntervals", &downIntervals)
        fields.field("startDelayNs", &startDelayNs)
        fields.field("members", &members)
        fields.field("cables", &cables)
        fields.field("hasFence", &hasFence)
        fields.field("probeBeforeTakeover", &probeBeforeTakeover)
        fields.field("addressLeaseNs", &addressLeaseNs)
        fields.field("answersLower", &answersLower)
        fields.field("answersHigher", &answersHigher)
        fields.field("announcesAfterLower", &announcesAfterLower)
        fields.field("timing", &timing)
        fields.field("rules", &rules)
        fields.field("bugs", &bugs)
    }

    var defect: TranscriptError? {
        .range("advertIntervalNs", advertIntervalNs, 1...(1 << 42)) ?? .span("preemptDelayNs", preemptDelayNs)
            ?? .span("addressLeaseNs", addressLeaseNs) ?? .range("priority", priority, 1...255)
            ?? .range("downIntervals", downIntervals, 1...100) ?? .span("startDelayNs", startDelayNs)
    }
}

extension Version: Transcribed {}
extension Rules: Transcribed {}
extension PlantedBugs: Transcribed {}
extension UInt16: Transcribed {}

extension MemberConfiguration: Listed {
    static var blank: MemberConfiguration { MemberConfiguration(name: "", interface: "", vrid: 0, addresses: []) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("name", &name)
        fields.field("interface", &interface)
        fields.field("vrid", &vrid)
        fields.field("addresses", &addresses)
        // Older recordings do not say it.
        if let first = addresses.first { family = first.family }
        fields.field("family", &family)
        fields.field("version", &version)
        fields.field("isUnicast", &isUnicast)
        fields.field("tracksInterface", &tracksInterface)
    }
}

extension CableConfiguration: Listed {
    static var blank: CableConfiguration { CableConfiguration(name: "", interface: "", vrid: 0, peerVrid: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("name", &name)
        fields.field("interface", &interface)
        fields.field("vrid", &vrid)
        fields.field("peerVrid", &peerVrid)
        fields.field("intervalNs", &intervalNs)
        fields.field("family", &family)
    }

    var defect: TranscriptError? { .range("intervalNs", intervalNs, 1...(1 << 42)) }
}

extension IPAddress.Family: Transcribed {}

extension Timing: Listed {
    static var blank: Timing { Timing() }

    mutating func list(_ fields: inout FieldList) {
        fields.field("isolationDelayNs", &isolationDelayNs)
        fields.field("probeIntervalNs", &probeIntervalNs)
        fields.field("probeBurstNs", &probeBurstNs)
        fields.field("probeCalmIntervalNs", &probeCalmIntervalNs)
        fields.field("proofValidNs", &proofValidNs)
        fields.field("takeoverProbeNs", &takeoverProbeNs)
        fields.field("announceAgainNs", &announceAgainNs)
        fields.field("fenceRetryNs", &fenceRetryNs)
        fields.field("sleepMinNs", &sleepMinNs)
        fields.field("retreatHold", &retreatHold)
        fields.field("retreatMemory", &retreatMemory)
        fields.field("stampUnitNs", &stampUnitNs)
    }

    var defect: TranscriptError? {
        let spans = [
            isolationDelayNs, probeIntervalNs, probeBurstNs, probeCalmIntervalNs, proofValidNs, takeoverProbeNs,
            announceAgainNs, fenceRetryNs, sleepMinNs,
        ]
        for spanNs in spans { if let defect = TranscriptError.span("", spanNs) { return defect } }
        return .range("retreatHold", retreatHold, 0...(1 << 14))
            ?? .range("retreatMemory", retreatMemory, 0...(1 << 14))
    }
}

extension Snapshot: Listed {
    static var blank: Snapshot { Snapshot(primaryAddresses: []) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("primaryAddresses", &primaryAddresses)
        fields.field("holding", &holding)
        fields.field("cableAddresses", &cableAddresses)
        fields.field("causes", &causes)
        fields.field("cablesDown", &cablesDown)
        fields.field("weights", &weights)
        fields.field("isInformed", &isInformed)
    }
}

extension Cause.Kind: NamedCases {}

extension Cause: Listed {
    static var blank: Cause { Cause(.link, "") }

    mutating func list(_ fields: inout FieldList) {
        fields.field("kind", &kind)
        fields.field("subject", &subject)
        fields.field("detail", &detail)
    }
}

extension Condition.Kind: Transcribed {}

extension Condition: Listed {
    static var blank: Condition { Condition(.deaf) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("kind", &kind)
        fields.field("subject", &subject)
        fields.field("detail", &detail)
    }
}

extension ChecksumForm: Transcribed {}

extension Advert: Listed {
    static var blank: Advert { Advert(vrid: 0, priority: 0, intervalNs: 0, addresses: [], source: .any(.ipv4)) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("priority", &priority)
        fields.field("source", &source)
        fields.field("intervalNs", &intervalNs)
        fields.field("version", &version)
        fields.field("vrid", &vrid)
        fields.field("addresses", &addresses)
        fields.field("checksumForm", &checksumForm)
    }

    var defect: TranscriptError? { .interval("intervalNs", intervalNs) }
}

/// As the list of its members' numbers.
extension MemberSet: Transcribed {
    public var tree: Tree { (0..<64).filter { contains(member: Place($0)) }.tree }
    public init(tree: Tree) throws(TranscriptError) {
        self = []
        for index in try [Int](tree: tree) {
            guard (0..<64).contains(index) else { throw TranscriptError("members from 0 to 63") }
            insert(MemberSet(member: Place(index)))
        }
    }
}

extension PeerWord: Listed {
    static var blank: PeerWord { PeerWord(priority: 0, identity: .any(.ipv6)) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("priority", &priority)
        fields.field("identity", &identity)
        fields.field("stamp", &stamp)
        fields.field("isLast", &isLast)
        fields.field("holds", &holds)
        fields.field("hears", &hears)
        fields.field("hearsHeartbeat", &hearsHeartbeat)
        fields.field("proven", &proven)
        fields.field("sources", &sources)
        fields.field("intervalNs", &intervalNs)
    }

    var defect: TranscriptError? { .interval("intervalNs", intervalNs) }
}

extension Answerer: Transcribed {
    public var tree: Tree {
        switch self {
        case .router(let address): address.tree
        case .virtualRouter: .text("virtualRouter")
        case .stranger: .text("stranger")
        }
    }

    public init(tree: Tree) throws(TranscriptError) {
        switch try tree.text() {
        case "virtualRouter": self = .virtualRouter
        case "stranger": self = .stranger
        default: self = .router(try IPAddress(tree: tree))
        }
    }
}

extension GroupState: Transcribed {}
extension TransitionReason: Transcribed {}

extension Transition: Listed {
    static var blank: Transition { Transition(from: .initialize, to: .initialize, reason: .start, priority: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("from", &from)
        fields.field("to", &to)
        fields.field("reason", &reason)
        fields.field("priority", &priority)
    }
}

extension Tree.Entry {
    init(_ name: String, _ value: some Transcribed) { self.init(name, value.tree) }
}

extension Input: Transcribed {
    public var tree: Tree {
        switch self {
        case .start(let snapshot): .record(kind: "start", .init("snapshot", snapshot))
        case .timer: .record(kind: "timer")
        case .advert(let member, let advert): .record(kind: "advert", .init("member", member), .init("advert", advert))
        case .heartbeat(let cable, let word): .record(kind: "heartbeat", .init("cable", cable), .init("word", word))
        case .link(let interface, let isUp, let reason):
            .record(kind: "link", .init("interface", interface), .init("isUp", isUp), .init("reason", reason))
        case .holding(let member, let isHeld):
            .record(kind: "holding", .init("member", member), .init("isHeld", isHeld))
        case .primaryAddress(let member, let address):
            .record(kind: "primaryAddress", .init("member", member), .init("address", address))
        case .cableAddress(let cable, let address):
            .record(kind: "cableAddress", .init("cable", cable), .init("address", address))
        case .cause(let cause, let isPresent):
            .record(kind: "cause", .init("cause", cause), .init("isPresent", isPresent))
        case .informed: .record(kind: "informed")
        case .weight(let name, let weight): .record(kind: "weight", .init("name", name), .init("weight", weight))
        case .condition(let condition, let isPresent):
            .record(kind: "condition", .init("condition", condition), .init("isPresent", isPresent))
        case .proof(let member): .record(kind: "proof", .init("member", member))
        case .foreignAnswer(let member, let answerer):
            .record(kind: "foreignAnswer", .init("member", member), .init("by", answerer))
        case .fence(let succeeded): .record(kind: "fence", .init("succeeded", succeeded))
        case .handover: .record(kind: "handover")
        case .reload(let configuration, let snapshot):
            .record(kind: "reload", .init("configuration", configuration), .init("snapshot", snapshot))
        case .shutdown: .record(kind: "shutdown")
        }
    }

    public init(tree: Tree) throws(TranscriptError) {
        switch try tree.value("kind") as String {
        case "start": self = .start(try tree.value("snapshot"))
        case "timer": self = .timer
        case "advert": self = .advert(member: try tree.value("member"), try tree.value("advert"))
        case "heartbeat": self = .heartbeat(cable: try tree.value("cable"), try tree.value("word"))
        case "link":
            self = .link(
                interface: try tree.value("interface"), isUp: try tree.value("isUp"), reason: try tree.value("reason"))
        case "holding": self = .holding(member: try tree.value("member"), try tree.value("isHeld"))
        case "primaryAddress":
            self = .primaryAddress(member: try tree.value("member"), try tree.value("address"))
        case "cableAddress": self = .cableAddress(cable: try tree.value("cable"), try tree.value("address"))
        case "cause": self = .cause(try tree.value("cause"), isPresent: try tree.value("isPresent"))
        case "informed": self = .informed
        case "weight": self = .weight(name: try tree.value("name"), try tree.value("weight"))
        case "condition": self = .condition(try tree.value("condition"), isPresent: try tree.value("isPresent"))
        case "proof": self = .proof(member: try tree.value("member"))
        case "foreignAnswer": self = .foreignAnswer(member: try tree.value("member"), by: try tree.value("by"))
        case "fence": self = .fence(succeeded: try tree.value("succeeded"))
        case "handover": self = .handover
        case "reload": self = .reload(try tree.value("configuration"), try tree.value("snapshot"))
        case "shutdown": self = .shutdown
        default: throw TranscriptError("the name of an input", field: "kind")
        }
    }
}

extension Output: Transcribed {
    public var tree: Tree {
        switch self {
        case .sendAdvert(let member, let priority):
            .record(kind: "sendAdvert", .init("member", member), .init("priority", priority))
        case .sendHeartbeat(let cable, let word):
            .record(kind: "sendHeartbeat", .init("cable", cable), .init("word", word))
        case .addAddresses(let member): .record(kind: "addAddresses", .init("member", member))
        case .removeAddresses(let member): .record(kind: "removeAddresses", .init("member", member))
        case .announce(let member): .record(kind: "announce", .init("member", member))
        case .announceAfterLower(let member): .record(kind: "announceAfterLower", .init("member", member))
        case .probePeers(let member): .record(kind: "probePeers", .init("member", member))
        case .probeAddresses(let member): .record(kind: "probeAddresses", .init("member", member))
        case .runFence: .record(kind: "runFence")
        case .transition(let transition): .record(kind: "transition", .init("transition", transition))
        case .raised(let condition): .record(kind: "raised", .init("condition", condition))
        case .cleared(let condition): .record(kind: "cleared", .init("condition", condition))
        case .causeChanged(let cause, let isPresent):
            .record(kind: "causeChanged", .init("cause", cause), .init("isPresent", isPresent))
        }
    }

    public init(tree: Tree) throws(TranscriptError) {
        switch try tree.value("kind") as String {
        case "sendAdvert": self = .sendAdvert(member: try tree.value("member"), priority: try tree.value("priority"))
        case "sendHeartbeat": self = .sendHeartbeat(cable: try tree.value("cable"), try tree.value("word"))
        case "addAddresses": self = .addAddresses(member: try tree.value("member"))
        case "removeAddresses": self = .removeAddresses(member: try tree.value("member"))
        case "announce": self = .announce(member: try tree.value("member"))
        case "announceAfterLower": self = .announceAfterLower(member: try tree.value("member"))
        case "probePeers": self = .probePeers(member: try tree.value("member"))
        case "probeAddresses": self = .probeAddresses(member: try tree.value("member"))
        case "runFence": self = .runFence
        case "transition": self = .transition(try tree.value("transition"))
        case "raised": self = .raised(try tree.value("condition"))
        case "cleared": self = .cleared(try tree.value("condition"))
        case "causeChanged": self = .causeChanged(try tree.value("cause"), isPresent: try tree.value("isPresent"))
        default: throw TranscriptError("the name of an output", field: "kind")
        }
    }
}
