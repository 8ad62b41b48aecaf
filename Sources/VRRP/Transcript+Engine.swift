/// A whole engine as a tree: where a recording begins, and where it goes on after its file was changed.
import Addresses

extension Engine: Listed {
    static var blank: Engine { Engine(configuration: .blank) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("configuration", &configuration)
        fields.field("state", &state)
        fields.field("record", &record)
        fields.field("nextDeadlineNs", &nextDeadlineNs)
    }

    var defect: TranscriptError? {
        let isWhole =
            state.members.count == configuration.members.count && record.members.count == configuration.members.count
            && state.pool.cables.count == configuration.cables.count
        return isWhole ? nil : TranscriptError("as many members and cables as in configuration", field: "state")
    }
}

extension EngineState: Listed {
    static var blank: EngineState { EngineState(.blank) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("role", &role)
        fields.field("published", &published)
        fields.field("priority", &priority)
        fields.field("members", &members)
        fields.field("pool", &pool)
        fields.field("causes", &causes)
        fields.field("faultCount", &faultCount)
        fields.field("weights", &weights)
        fields.field("isFault", &isFault)
        fields.field("beginAtNs", &beginAtNs)
        fields.field("isInformed", &isInformed)
        fields.field("advertAtNs", &advertAtNs)
        fields.field("claimUntilNs", &claimUntilNs)
        fields.field("hearingGraceUntilNs", &hearingGraceUntilNs)
        fields.field("preemptDelay", &preemptDelay)
        fields.field("restraints", &restraints)
        fields.field("resignUntilNs", &resignUntilNs)
        fields.field("lesser", &lesser)
        fields.field("question", &question)
        fields.field("retreats", &retreats)
        fields.field("holdBackUntilNs", &holdBackUntilNs)
        fields.field("resigned", &resigned)
        fields.field("collisionUntilNs", &collisionUntilNs)
        fields.field("announceAgainAtNs", &announceAgainAtNs)
        fields.field("tie", &tie)
        fields.field("fence", &fence)
        fields.field("takeoverProbe", &takeoverProbe)
        fields.field("conditions", &conditions)
    }
}

extension EngineState.Role: NamedCases {}
extension Restraints: Transcribed {}
extension GroupConditions: Transcribed {}
extension MemberConditions: Transcribed {}

/// The cases of an enumeration of which some have a time: `due`, or `{"kind":"until","atNs":...}`.
private func phase(_ kind: String, atNs: Int64? = nil) -> Tree {
    atNs.map { .record(kind: kind, .init("atNs", $0)) } ?? .text(kind)
}

private func phase(_ tree: Tree) throws(TranscriptError) -> (kind: String, atNs: Int64) {
    if case .text(let kind) = tree { return (kind, 0) }
    return (try tree.value("kind"), try tree.value("atNs"))
}

extension EngineState.Question: Transcribed {
    var tree: Tree {
        switch self {
        case .none: phase("none")
        case .due(let atNs): phase("due", atNs: atNs)
        case .put(let untilNs): phase("put", atNs: untilNs)
        }
    }

    init(tree: Tree) throws(TranscriptError) {
        let (kind, atNs) = try phase(tree)
        switch kind {
        case "none": self = .none
        case "due": self = .due(atNs)
        case "put": self = .put(untilNs: atNs)
        default: throw TranscriptError("none, due or put")
        }
    }
}

extension EngineState.PreemptDelay: Transcribed {
    var tree: Tree {
        switch self {
        case .none: phase("none")
        case .until(let atNs): phase("until", atNs: atNs)
        case .over: phase("over")
        }
    }

    init(tree: Tree) throws(TranscriptError) {
        let (kind, atNs) = try phase(tree)
        switch kind {
        case "none": self = .none
        case "until": self = .until(atNs)
        case "over": self = .over
        default: throw TranscriptError("none, until or over")
        }
    }
}

extension EngineState.Fence: Transcribed {
    var tree: Tree {
        switch self {
        case .idle: phase("idle")
        case .running: phase("running")
        case .outdated: phase("outdated")
        case .succeeded: phase("succeeded")
        case .failed(let retryAtNs): phase("failed", atNs: retryAtNs)
        }
    }

    init(tree: Tree) throws(TranscriptError) {
        let (kind, atNs) = try phase(tree)
        switch kind {
        case "idle": self = .idle
        case "running": self = .running
        case "outdated": self = .outdated
        case "succeeded": self = .succeeded
        case "failed": self = .failed(retryAtNs: atNs)
        default: throw TranscriptError("idle, running, outdated, succeeded or failed")
        }
    }
}

extension EngineState.Patience: Listed {
    static var blank: EngineState.Patience { EngineState.Patience(untilNs: 0, endNs: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("untilNs", &untilNs)
        fields.field("endNs", &endNs)
    }
}

extension EngineState.Retreats: Listed {
    static var blank: EngineState.Retreats { EngineState.Retreats(count: 0, untilNs: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("count", &count)
        fields.field("untilNs", &untilNs)
    }
}

extension EngineState.Resigned: Listed {
    static var blank: EngineState.Resigned { EngineState.Resigned(priority: 0, untilNs: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("priority", &priority)
        fields.field("untilNs", &untilNs)
    }
}

extension EngineState.TakeoverProbe: Listed {
    static var blank: EngineState.TakeoverProbe { EngineState.TakeoverProbe() }

    mutating func list(_ fields: inout FieldList) {
        fields.field("untilNs", &untilNs)
        fields.field("isAnswered", &isAnswered)
        fields.field("isDisputed", &isDisputed)
        fields.field("disputes", &disputes)
    }
}

// MARK: - Members

extension Member: Listed {
    static var blank: Member { Member(masterIntervalNs: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("primaryAddress", &primaryAddress)
        fields.field("isHeld", &isHeld)
        fields.field("isOurs", &isOurs)
        fields.field("downAtNs", &downAtNs)
        fields.field("masterIntervalNs", &masterIntervalNs)
        fields.field("heard", &heard)
        fields.field("lastMaster", &lastMaster)
        fields.field("lesser", &lesser)
        fields.field("check", &check)
        fields.field("hasReplied", &hasReplied)
        fields.field("doubt", &doubt)
        fields.field("proofUntilNs", &proofUntilNs)
        fields.field("probeAtNs", &probeAtNs)
        fields.field("probeBurstUntilNs", &probeBurstUntilNs)
        fields.field("isolation", &isolation)
        fields.field("isBroken", &isBroken)
        fields.field("strangerUntilNs", &strangerUntilNs)
        fields.field("thirdUntilNs", &thirdUntilNs)
        fields.field("listsOtherAddresses", &listsOtherAddresses)
        fields.field("published", &published)
    }

    var defect: TranscriptError? { .interval("masterIntervalNs", masterIntervalNs) }
}

extension Member.Heard: Listed {
    static var blank: Member.Heard { Member.Heard(source: .any(.ipv4), priority: 0, untilNs: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("source", &source)
        fields.field("priority", &priority)
        fields.field("untilNs", &untilNs)
    }
}

extension Member.Lesser: Listed {
    static var blank: Member.Lesser { Member.Lesser(source: .any(.ipv4), spanNs: 0, untilNs: 0, endNs: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("source", &source)
        fields.field("spanNs", &spanNs)
        fields.field("untilNs", &untilNs)
        fields.field("endNs", &endNs)
        fields.field("isLasting", &isLasting)
        fields.field("isAnswered", &isAnswered)
    }

    var defect: TranscriptError? { .span("spanNs", spanNs) }
}

extension Member.HolderCheck: Listed {
    static var blank: Member.HolderCheck { Member.HolderCheck() }

    mutating func list(_ fields: inout FieldList) {
        fields.field("believed", &believed)
        fields.field("unanswered", &unanswered)
        fields.field("isAnswered", &isAnswered)
        fields.field("answerUntilNs", &answerUntilNs)
        fields.field("askAtNs", &askAtNs)
    }
}

extension Member.Doubt: NamedCases {}

extension Member.Isolation: Transcribed {
    var tree: Tree {
        switch self {
        case .connected: phase("connected")
        case .suspected(let untilNs): phase("suspected", atNs: untilNs)
        case .isolated: phase("isolated")
        case .recovering(let untilNs): phase("recovering", atNs: untilNs)
        }
    }

    init(tree: Tree) throws(TranscriptError) {
        let (kind, atNs) = try phase(tree)
        switch kind {
        case "connected": self = .connected
        case "suspected": self = .suspected(untilNs: atNs)
        case "isolated": self = .isolated
        case "recovering": self = .recovering(untilNs: atNs)
        default: throw TranscriptError("connected, suspected, isolated or recovering")
        }
    }
}

// MARK: - Pool

extension HeartbeatPool: Listed {
    static var blank: HeartbeatPool { HeartbeatPool() }

    mutating func list(_ fields: inout FieldList) {
        fields.field("cables", &cables)
        fields.field("fresh", &fresh)
        fields.field("peerSources", &peerSources)
        fields.field("peerIntervalNs", &peerIntervalNs)
        fields.field("peerPriority", &peerPriority)
        fields.field("lastSent", &lastSent)
    }

    var defect: TranscriptError? { .interval("peerIntervalNs", peerIntervalNs) }
}

extension HeartbeatPool.Cable: Listed {
    static var blank: HeartbeatPool.Cable { HeartbeatPool.Cable() }

    mutating func list(_ fields: inout FieldList) {
        fields.field("address", &address)
        fields.field("aliveUntilNs", &aliveUntilNs)
        fields.field("sendAtNs", &sendAtNs)
        fields.field("isLinkDown", &isLinkDown)
        fields.field("isPublished", &isPublished)
    }
}

extension HeartbeatPool.Fresh: Listed {
    static var blank: HeartbeatPool.Fresh { HeartbeatPool.Fresh(word: .blank, untilNs: 0) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("word", &word)
        fields.field("untilNs", &untilNs)
    }
}

// MARK: - What it only tells

/// Counters are not written: nothing follows from them.
extension Record: Listed {
    static var blank: Record { Record(.blank) }

    mutating func list(_ fields: inout FieldList) {
        fields.field("sinceNs", &sinceNs)
        fields.field("lastWord", &lastWord)
        fields.field("external", &external)
        fields.field("members", &members)
    }
}

extension Record.OfMember: Listed {
    static var blank: Record.OfMember { Record.OfMember() }

    mutating func list(_ fields: inout FieldList) {
        fields.field("lastSource", &lastSource)
        fields.field("lastPriority", &lastPriority)
        fields.field("checksumForm", &checksumForm)
        fields.field("third", &third)
        fields.field("lesser", &lesser)
    }
}
