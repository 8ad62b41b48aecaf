/// What a notify program is told, and in which words: of a group or of one of its instances, that its state has changed, or
/// another of the events of `VRRPConfiguration.Notify`.
import Configuration
import VRRP

struct Notification: Hashable, Sendable {
    typealias Event = VRRPConfiguration.Notify.Event

    /// Whom it is about. What is told of one of them is told in order.
    struct Subject: Hashable, Sendable {
        var group: String
        /// nil: the group itself.
        var instance: String?
    }
    var subject: Subject
    var event: Event
    /// nil: the event is no change of state.
    var transition: Transition?
    /// The priority in force.
    var priority: UInt8
}

extension Notification.Subject: CustomStringConvertible {
    var description: String { instance.map { "instance \($0)" } ?? "group \(group)" }
}

extension VRRPConfiguration.Notify {
    /// Those of a group that it is told of, instances first.
    func subjects(in group: VRRPConfiguration.Group) -> [Notification.Subject] {
        let isOfAll = fifo != nil && groups == nil && instances == nil
        var subjects = group.instances.filter { instances?.contains($0.name) ?? isOfAll }.map {
            Notification.Subject(group: group.name, instance: $0.name)
        }
        if groups?.contains(group.name) ?? (isOfAll ? !group.isOfInstance : instances == nil) {
            subjects.append(Notification.Subject(group: group.name))
        }
        return subjects
    }

    /// As what it is told of a change of state; nil: it is not.
    ///
    /// With `states` or `arguments` it is as keepalived has it: the end of a master is `stop` alone.
    func event(_ transition: Transition) -> Event? {
        let event: Event =
            switch transition.to {
            case .initialize: .stop
            case .backup: .backup
            case .master: .master
            case .fault: .fault
            }
        guard isAsInKeepalived else { return event }
        if transition.to == .backup, transition.reason == .shutdown { return nil }
        return wants(event) ? event : nil
    }

    /// As what it is told that a reload has removed an instance or a group; nil: it is not.
    ///
    /// As in keepalived, an instance that is removed is in fault unless `deleted` is among the states, and of a group
    /// nothing else is told.
    func eventOfDeletion(isInstance: Bool, in state: GroupState) -> Event? {
        guard isAsInKeepalived else { return .deleted }
        if wants(.deleted) { return .deleted }
        return isInstance && state != .fault && wants(.fault) ? .fault : nil
    }

    private var isAsInKeepalived: Bool { states != nil || arguments == .keepalived || fifo != nil }

    /// Whether it is told of adverts of lower priority: a FIFO is unless it has `states`, as in keepalived.
    var wantsLowerPriorities: Bool { states?.contains(.masterRxLowerPri) ?? (fifo != nil) }

    private func wants(_ event: Event) -> Bool {
        states?.contains(event) ?? [.master, .backup, .fault, .stop].contains(event)
    }
}

// MARK: Words

extension Notification {
    /// `NAME=value`, for the program's environment.
    func environment(_ group: VRRPConfiguration.Group) -> [String] {
        var variables = [
            "LINKWATCH_GROUP=\(group.name)",
            "LINKWATCH_INSTANCES=\(group.instances.map(\.name).joined(separator: " "))",
        ]
        if let instance = subject.instance { variables.append("LINKWATCH_INSTANCE=\(instance)") }
        variables.append("LINKWATCH_EVENT=\(event.rawValue)")
        if let transition {
            variables += [
                "LINKWATCH_STATE=\(transition.to.rawValue)", "LINKWATCH_PREVIOUS_STATE=\(transition.from.rawValue)",
                "LINKWATCH_REASON=\(transition.reason.rawValue)",
            ]
        }
        return variables + ["LINKWATCH_PRIORITY=\(priority)"]
    }

    /// The words that keepalived hands to its `notify` programs and writes into its FIFO. The priority of a sync group is 0
    /// there.
    func keepalivedWords(_ group: VRRPConfiguration.Group) -> [String] {
        let isInstance = subject.instance != nil || group.isOfInstance
        let state = event.rawValue.uppercased().split(separator: "-").joined(separator: "_")
        return [
            isInstance ? "INSTANCE" : "GROUP", subject.instance ?? group.name, state, isInstance ? "\(priority)" : "0",
        ]
    }
}
