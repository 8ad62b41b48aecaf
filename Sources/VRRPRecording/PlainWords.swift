/// A recording in plain words, for `vrrp-search --replay FILE --verbose`.
import VRRP

extension Replay.Event {
    /// One line for the input, and an indented one for each output; nothing for what is only the file's.
    public var words: [String] {
        switch content {
        case .header(_, let by, _, let unixMs): ["recorded by \(by), from \(unixMs) ms after 1970 on"]
        case .engine(let group, let engine): ["\(group): an engine in state \(engine.groupState.rawValue)"]
        case .gone(let group): ["\(group): configured no longer"]
        case .lost(let count): ["\(count) lines could not be written"]
        case .end: ["the process ended"]
        case .step(let step): Self.words(step, names: engineNames) + differenceWords
        }
    }

    /// What differs, one line each.
    public var differenceWords: [String] {
        guard case .step(let recorded) = content, let difference else { return [] }
        var words: [String] = []
        for place in 0..<max(recorded.outputs.count, difference.outputs.count) {
            let then = recorded.outputs.indices.contains(place) ? recorded.outputs[place] : nil
            let now = difference.outputs.indices.contains(place) ? difference.outputs[place] : nil
            guard then != now else { continue }
            words.append("  recorded: \(then.map { $0.words(engineNames) } ?? "nothing")")
            words.append("  replayed: \(now.map { $0.words(engineNames) } ?? "nothing")")
        }
        if recorded.nextNs != difference.nextNs {
            words.append("  recorded: next deadline \(Self.time(recorded.nextNs))")
            words.append("  replayed: next deadline \(Self.time(difference.nextNs))")
        }
        return words
    }

    private static func time(_ atNs: Int64?) -> String {
        guard let atNs else { return "none" }
        let microseconds = atNs / 1000
        let fraction = String(1_000_000 + microseconds % 1_000_000).dropFirst()
        return "\(microseconds / 1_000_000).\(fraction) s"
    }

    private static func words(_ step: RecordingLine.Step, names: GroupNames) -> [String] {
        ["\(time(step.atNs)) \(step.group): \(step.input.words(names))"]
            + step.outputs.map { "    -> \($0.words(names))" }
    }
}

/// What a group's members and cables are called.
public struct GroupNames: Sendable {
    var members: [String] = []
    var cables: [String] = []

    init() {}

    init(_ configuration: GroupConfiguration) {
        members = configuration.members.map(\.name)
        cables = configuration.cables.map(\.name)
    }

    func member(_ index: MemberIndex) -> String {
        members.indices.contains(index.number) ? members[index.number] : "member \(index.number)"
    }
    func cable(_ index: CableIndex) -> String {
        cables.indices.contains(index.number) ? cables[index.number] : "heartbeat \(index.number)"
    }
    func members(_ set: MemberSet) -> String {
        let names = (0..<64).map(MemberIndex.init(_:)).filter(set.contains(member:)).map(member)
        return names.isEmpty ? "nothing" : names.joined(separator: ", ")
    }
}

extension PeerWord {
    fileprivate func words(_ names: GroupNames) -> String {
        "priority \(priority), holds \(names.members(holds)), hears \(names.members(hears)), "
            + "proven \(names.members(proven))\(isLast ? ", left by a process that died" : "")"
    }
}

extension Snapshot {
    fileprivate func words(_ names: GroupNames) -> String {
        let held = holding.indices.filter { holding[$0] }.map { names.member(MemberIndex($0)) }
        let sources = primaryAddresses.map { $0.map(\.description) ?? "none" }
        let wrong = causes.map(\.description).sorted()
        return
            "sends from \(sources.joined(separator: ", ")), holds \(held.isEmpty ? "nothing" : held.joined(separator: ", ")), "
            + "causes \(wrong.isEmpty ? "none" : wrong.joined(separator: ", "))"
    }
}

extension Input {
    func words(_ names: GroupNames) -> String {
        switch self {
        case .start(let snapshot): "start: \(snapshot.words(names))"
        case .timer: "a deadline has come"
        case .advert(let member, let advert):
            "\(names.member(member)) hears \(advert.priority == 0 ? "a resignation" : "priority \(advert.priority)") "
                + "from \(advert.source)"
        case .heartbeat(let cable, let word): "\(names.cable(cable)) hears \(word.words(names))"
        case .link(let interface, let isUp, let reason): "\(interface) is \(isUp ? "up" : "down: \(reason)")"
        case .holding(let member, let isHeld):
            "the kernel has \(isHeld ? "the" : "no") addresses of \(names.member(member))"
        case .primaryAddress(let member, let address):
            "\(names.member(member)) sends from \(address.map(\.description) ?? "no address")"
        case .cableAddress(let cable, let address):
            "\(names.cable(cable)) sends from \(address.map(\.description) ?? "no address")"
        case .cause(let cause, let isPresent): "cause \(cause)\(isPresent ? "" : " is over")"
        case .informed: "all that is tracked has answered"
        case .weight(let name, let weight): "\(name) weighs \(weight)"
        case .condition(let condition, let isPresent): "condition \(condition)\(isPresent ? "" : " is over")"
        case .proof(let member): "a neighbour answers on \(names.member(member))"
        case .foreignAnswer(let member, let answerer):
            switch answerer {
            case .router(let address): "router \(address) answers for an address of \(names.member(member))"
            case .virtualRouter: "the virtual router's MAC address answers for an address of \(names.member(member))"
            case .stranger: "a stranger answers for an address of \(names.member(member))"
            }
        case .fence(let succeeded): "the fence \(succeeded ? "succeeded" : "failed")"
        case .handover: "an operator asks for a handover"
        case .reload(let configuration, let snapshot):
            "reload: priority \(configuration.priority), \(configuration.members.count) members, "
                + "\(configuration.cables.count) heartbeats; \(snapshot.words(GroupNames(configuration)))"
        case .shutdown: "shut down"
        }
    }
}

extension Output {
    func words(_ names: GroupNames) -> String {
        switch self {
        case .sendAdvert(let member, let priority):
            "\(names.member(member)) \(priority == 0 ? "resigns" : "sends priority \(priority)")"
        case .sendHeartbeat(let cable, let word): "\(names.cable(cable)) sends \(word.words(names))"
        case .addAddresses(let member): "add the addresses of \(names.member(member))"
        case .removeAddresses(let member): "remove the addresses of \(names.member(member))"
        case .announce(let member): "announce the addresses of \(names.member(member))"
        case .announceAfterLower(let member):
            "announce the addresses of \(names.member(member)) against those of a lower priority"
        case .probePeers(let member): "ask the neighbours of \(names.member(member))"
        case .probeAddresses(let member): "ask who has the addresses of \(names.member(member))"
        case .runFence: "run the fence"
        case .transition(let transition):
            "\(transition.from.rawValue) -> \(transition.to.rawValue): \(transition.reason.rawValue)"
        case .raised(let condition): "raise \(condition)"
        case .cleared(let condition): "clear \(condition)"
        case .causeChanged(let cause, let isPresent): "cause \(cause)\(isPresent ? "" : " is over")"
        }
    }
}
