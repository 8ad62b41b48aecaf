/// Runs notify programs: of one group in the order of its transitions, one after another, each with its timeout, and to the
/// last one when the process ends.
///
/// A program that is slower than the transitions makes the queue grow to its limit; then the oldest that has not begun is
/// dropped, since the newest state is the one that counts.
import Configuration
import LinuxSystem
import VRRP

final class Notifier {
    private struct Job {
        var name: String
        var program: ProgramName
    }

    private let runner: any ProgramRunner
    private var queues: [String: [Job]] = [:]
    /// The number of the program that runs, by group; 0: it is just being started.
    private var running: [String: UInt32] = [:]
    /// How many programs were dropped before they began.
    private(set) var dropped = 0

    static let queueMax = 64

    init(runner: any ProgramRunner) { self.runner = runner }

    /// Queues a program for a group.
    func notify(group: String, name: String, _ transition: Transition) {
        var queue = queues[group] ?? []
        if queue.count >= Self.queueMax {
            dropped += 1
            Log.warning(
                "group \(group): notify \(queue.removeFirst().name) is dropped: too many are waiting",
                about: "dropped notify \(group)")
        }
        queue.append(Job(name: name, program: .notify(name, group: group, transition)))
        queues[group] = queue
        next(group)
    }

    /// Hands the queued programs to the runner, in their order: the process ends.
    func handOver() {
        for (group, queue) in queues {
            var last = running[group]
            for job in queue { last = runner.run(job.program, after: last) { _ in } }
        }
        queues = [:]
    }

    private func next(_ group: String) {
        guard running[group] == nil, var queue = queues[group], !queue.isEmpty else { return }
        let job = queue.removeFirst()
        queues[group] = queue.isEmpty ? nil : queue
        running[group] = 0
        let id = runner.run(job.program) { [weak self] result in
            if !result.isSuccess {
                Log.warning("group \(group): notify \(job.name) \(result)\(result.said)", about: "notify \(group)")
            }
            self?.running[group] = nil
            self?.next(group)
        }
        if running[group] == 0 { running[group] = id }
    }
}

extension ProgramResult {
    /// What the program wrote, to be appended to a log line; empty if it wrote nothing.
    var said: String {
        let text = output.split(separator: "\n").first.map(String.init) ?? ""
        return text.isEmpty ? "" : ": \(text)"
    }
}
