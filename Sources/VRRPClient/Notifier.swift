/// Runs notify programs: of one group in the order of its transitions, one after another, each with its timeout.
///
/// A program that is slower than the transitions makes the queue grow to its limit; then the oldest that has not begun is
/// dropped, since the newest state is the one that counts.
import Configuration
import LinuxSystem

final class Notifier {
    private struct Job {
        var name: String
        var program: Program
    }

    private let runner: Runner
    private var queues: [String: [Job]] = [:]
    private var running: Set<String> = []
    /// How many programs were dropped before they began.
    private(set) var dropped = 0

    static let queueMax = 64

    init(runner: Runner) { self.runner = runner }

    /// Queues a program for a group.
    func notify(group: String, name: String, _ program: Program) {
        var queue = queues[group] ?? []
        if queue.count >= Self.queueMax {
            dropped += 1
            Log.warning("group \(group): notify \(queue.removeFirst().name) is dropped: too many are waiting")
        }
        queue.append(Job(name: name, program: program))
        queues[group] = queue
        next(group)
    }

    private func next(_ group: String) {
        guard !running.contains(group), var queue = queues[group], !queue.isEmpty else { return }
        let job = queue.removeFirst()
        queues[group] = queue.isEmpty ? nil : queue
        running.insert(group)
        runner.run(job.program) { [weak self] result in
            if !result.isSuccess { Log.warning("group \(group): notify \(job.name) \(result)\(result.said)") }
            self?.running.remove(group)
            self?.next(group)
        }
    }
}

extension ProgramResult {
    /// What it wrote, to be put behind a sentence; empty when it wrote nothing.
    var said: String {
        let text = output.split(separator: "\n").first.map(String.init) ?? ""
        return text.isEmpty ? "" : ": \(text)"
    }
}
