/// The first seconds of a group. While interfaces come up nobody can be heard, so that nobody serves is a guess, and mostly a
/// wrong one: `no-director` is told at the end of that time, if it is still so.
import LinuxSystem

final class ComingUp {
    private let loop: EventLoop
    private var startedNs: Int64 = 0
    private var timer: EventLoop.TimerID?
    private static let lengthNs: Int64 = 15_000_000_000

    /// The group has been in no fault since it was started.
    var isOver = false

    init(loop: EventLoop) { self.loop = loop }

    deinit { forget() }

    func begin() { startedNs = loop.nowNs }

    var isGoingOn: Bool { !isOver && loop.nowNs < startedNs + Self.lengthNs }

    /// Something is to be told at the end.
    var isHeldBack: Bool { timer != nil }

    /// Tells it at the end, unless `forget` comes before.
    func holdBack(_ tell: @escaping () -> Void) {
        forget()
        timer = loop.schedule(atNs: startedNs + Self.lengthNs) { [unowned self] in
            timer = nil
            tell()
        }
    }

    func forget() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }
}
