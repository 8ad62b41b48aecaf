/// The first seconds of a group. While interfaces come up nothing can be heard, so `no-director` would be a guess, and
/// mostly a wrong one. It is reported at the end of that time, if it is still true.
import LinuxSystem

final class ComingUp {
    private let loop: EventLoop
    private var startedNs: Int64 = 0
    private var timer: EventLoop.TimerID?
    private static let lengthNs: Int64 = 15_000_000_000

    /// The group has not been in FAULT since it was started.
    var isOver = false

    init(loop: EventLoop) { self.loop = loop }

    deinit { forget() }

    func begin() { startedNs = loop.nowNs }

    var isGoingOn: Bool { !isOver && loop.nowNs < startedNs + Self.lengthNs }

    /// Something is to be reported at the end.
    var isHeldBack: Bool { timer != nil }

    /// Reports it at the end, unless `forget` is called before.
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
