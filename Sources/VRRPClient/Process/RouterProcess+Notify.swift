/// Which notify programs are told of what happens to the groups.
import Configuration
import VRRP

extension RouterProcess {
    /// A group has changed its state. Of what a reload removes, the file that had it says who is told.
    func notify(_ group: GroupDriver, _ transition: Transition) {
        let isDeleted = !configuration.groups.contains { $0.name == group.name }
        for notify in (isDeleted ? former : configuration)?.notifies ?? [] {
            for subject in notify.subjects(in: group.group) where !(isDeleted && isElsewhere(subject.instance)) {
                let isInstance = subject.instance != nil || group.group.isOfInstance
                let event =
                    isDeleted && transition.to == .initialize
                    ? notify.eventOfDeletion(isInstance: isInstance, in: transition.from) : notify.event(transition)
                guard let event else { continue }
                notifier.notify(
                    notify.name,
                    Notification(
                        subject: subject, event: event, transition: transition, priority: transition.priority))
            }
        }
    }

    /// A reload has removed instances of groups that go on.
    func notifyOfRemovedInstances() {
        for group in former?.groups ?? [] {
            guard let engine = groups.first(where: { $0.name == group.name })?.engine else { continue }
            for instance in group.instances.map(\.name) where !isElsewhere(instance) {
                for notify in former?.notifies ?? [] where notify.instances?.contains(instance) ?? false {
                    guard let event = notify.eventOfDeletion(isInstance: true, in: engine.groupState) else { continue }
                    let subject = Notification.Subject(group: group.name, instance: instance)
                    notifier.notify(
                        notify.name, Notification(subject: subject, event: event, priority: engine.priority))
                }
            }
        }
    }

    /// Whether an instance is in a group of this file.
    private func isElsewhere(_ instance: String?) -> Bool {
        configuration.groups.contains { group in group.instances.contains { $0.name == instance } }
    }

    /// Watches for adverts of lower priority in the groups whose programs are told of them.
    func listenForLowerPriorities() {
        for driver in groups {
            let notifies = configuration.notifies.filter { $0.states?.contains(.masterRxLowerPri) ?? false }
                .map { (name: $0.name, subjects: $0.subjects(in: driver.group)) }.filter { !$0.subjects.isEmpty }
            driver.onLowerPriority = nil
            guard !notifies.isEmpty else { continue }
            driver.onLowerPriority = { [unowned self, unowned driver] instance in
                for (name, subjects) in notifies {
                    for subject in subjects where subject.instance == nil || subject.instance == instance {
                        notifier.notify(
                            name,
                            Notification(
                                subject: subject, event: .masterRxLowerPri, priority: driver.engine.priority))
                    }
                }
            }
        }
    }
}
