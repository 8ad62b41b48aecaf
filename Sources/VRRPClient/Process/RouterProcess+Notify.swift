/// Which notify programs are told of what happens to the groups.
import Configuration
import VRRP

extension RouterProcess {
    /// A group has changed its state. Of what a reload removes, the file that had it says who is told.
    func notify(_ group: GroupDriver, _ transition: Transition) {
        let isDeleted = !configuration.groups.contains { $0.name == group.name }
        for notify in (isDeleted ? former : configuration)?.notifies ?? [] {
            var subjects = notify.subjects(in: group.group)
            // keepalived tells of the groups first when it starts.
            if notify.fifo != nil, transition.from == .initialize { subjects.reverse() }
            for subject in subjects where !(isDeleted && isElsewhere(subject.instance)) {
                let isInstance = subject.instance != nil || group.group.isOfInstance
                let event =
                    isDeleted && transition.to == .initialize
                    ? notify.eventOfDeletion(isInstance: isInstance, in: transition.from) : notify.event(transition)
                guard let event else { continue }
                tell(
                    notify,
                    Notification(
                        subject: subject, event: event, transition: transition, priority: transition.priority),
                    group.group)
            }
        }
    }

    /// A reload has removed instances of groups that go on.
    func notifyOfRemovedInstances() {
        for group in former?.groups ?? [] {
            guard let engine = groups.first(where: { $0.name == group.name })?.engine else { continue }
            for instance in group.instances.map(\.name) where !isElsewhere(instance) {
                let subject = Notification.Subject(group: group.name, instance: instance)
                for notify in former?.notifies ?? [] where notify.subjects(in: group).contains(subject) {
                    guard let event = notify.eventOfDeletion(isInstance: true, in: engine.groupState) else { continue }
                    tell(notify, Notification(subject: subject, event: event, priority: engine.priority), group)
                }
            }
        }
    }

    private func tell(
        _ notify: VRRPConfiguration.Notify, _ notification: Notification, _ group: VRRPConfiguration.Group
    ) {
        if notify.fifo == nil {
            notifier.notify(notify.name, notification)
        } else {
            fifos.write(notify.name, notification.keepalivedWords(group))
        }
    }

    /// Whether an instance is in a group of this file.
    private func isElsewhere(_ instance: String?) -> Bool {
        configuration.groups.contains { group in group.instances.contains { $0.name == instance } }
    }

    /// Watches for adverts of lower priority in the groups whose programs are told of them.
    func listenForLowerPriorities() {
        for driver in groups {
            let notifies = configuration.notifies.filter(\.wantsLowerPriorities)
                .map { (notify: $0, subjects: $0.subjects(in: driver.group)) }.filter { !$0.subjects.isEmpty }
            driver.onLowerPriority = nil
            guard !notifies.isEmpty else { continue }
            driver.onLowerPriority = { [unowned self, unowned driver] instance in
                for (notify, subjects) in notifies {
                    for subject in subjects where subject.instance ?? instance == instance {
                        // In a FIFO it is an event of the instance alone.
                        if notify.fifo != nil, subject.instance == nil, !driver.group.isOfInstance { continue }
                        tell(
                            notify,
                            Notification(subject: subject, event: .masterRxLowerPri, priority: driver.engine.priority),
                            driver.group)
                    }
                }
            }
        }
    }
}
