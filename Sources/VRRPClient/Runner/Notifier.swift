/// Runs notify programs: of one group, or of one instance, in the order of its events, one after another, each with its
/// timeout, and to the last one when the process ends. Those of different ones run side by side, up to a limit.
///
/// A program that is slower than the events makes the queue grow to its limit; then the oldest that has not begun is
/// dropped, since the newest state is the one that counts. An event that packets cause waits once at most.
import Configuration
import LinuxSystem
import VRRP

final class Notifier {
    private struct Job: Equatable {
        var name: String
        var notification: Notification
    }

    private let runner: any ProgramRunner
    private var queues: [Notification.Subject: [Job]] = [:]
    /// The number of the program that runs; 0: it is just being started.
    private var running: [Notification.Subject: UInt32] = [:]
    /// How many programs were dropped before they began.
    private(set) var dropped = 0

    static let queueMax = 64
    /// How many run at one time: fewer than the runner takes, which runs checks as well.
    static let runningMax = RunnerLimits.programs / 2

    init(runner: any ProgramRunner) { self.runner = runner }

    /// Queues a program of the file.
    func notify(_ name: String, _ notification: Notification) {
        let (job, subject) = (Job(name: name, notification: notification), notification.subject)
        var queue = queues[subject] ?? []
        if notification.event == .masterRxLowerPri, queue.contains(job) { return }
        if queue.count >= Self.queueMax {
            dropped += 1
            Log.warning(
                "\(subject): notify \(queue.removeFirst().name) is dropped: too many are waiting",
                about: "dropped notify \(subject)")
        }
        queue.append(job)
        queues[subject] = queue
        next(subject)
    }

    /// Hands the queued programs to the runner, in their order: the process ends.
    func handOver() {
        for (subject, queue) in queues {
            var last = running[subject]
            for job in queue { last = runner.run(.notify(job.name, job.notification), after: last) { _ in } }
        }
        queues = [:]
    }

    private func next(_ subject: Notification.Subject) {
        guard running[subject] == nil, running.count < Self.runningMax, var queue = queues[subject], !queue.isEmpty
        else { return }
        let job = queue.removeFirst()
        queues[subject] = queue.isEmpty ? nil : queue
        running[subject] = 0
        let id = runner.run(.notify(job.name, job.notification)) { [weak self] result in
            if !result.isSuccess {
                Log.warning("\(subject): notify \(job.name) \(result)\(result.said)", about: "notify \(subject)")
            }
            self?.ended(subject)
        }
        if running[subject] == 0 { running[subject] = id }
    }

    private func ended(_ subject: Notification.Subject) {
        let wasFull = running.count >= Self.runningMax
        running[subject] = nil
        next(subject)
        if wasFull, let other = queues.keys.first(where: { running[$0] == nil }) { next(other) }
    }
}

extension ProgramResult {
    /// What the program wrote, to be appended to a log line; empty if it wrote nothing.
    var said: String {
        let text = output.split(separator: "\n").first.map(String.init) ?? ""
        return text.isEmpty ? "" : ": \(text)"
    }
}
