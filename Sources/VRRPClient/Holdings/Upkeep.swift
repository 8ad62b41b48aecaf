/// Restores what somebody else removes from us: at once, a few times; then it gives up and reports it.
///
/// A single removal is only logged. From the second one on there is a condition, which stays for a while after the last
/// one.
import LinuxSystem
import VRRP

/// Whose things are put back.
protocol Upkept: AnyObject {
    /// Where conditions are raised that end by themselves.
    var passing: PassingConditions { get }
    /// Whether something that is wanted is not as it should be.
    var isAmiss: Bool { get }
    /// Puts it back.
    func mend()
    /// Called when repairs in a row do not help, and when all is well again.
    func mendingFails(_ isFailing: Bool)
    /// Called when it has been restored too often.
    func giveUpMending()
}

extension Upkept {
    func mendingFails(_ isFailing: Bool) {}
}

final class Upkeep {
    private let loop: EventLoop
    private unowned let owner: any Upkept
    private var repairs = Tally(spanNs: 10_000_000_000)
    private var disturbances = Tally(spanNs: 600_000_000_000)
    private var timer: EventLoop.TimerID?
    private var isMissing = false

    /// Repairs in a row after which the condition is raised.
    private static let quietRepairs = 2
    /// The most repairs within ten seconds.
    private static let repairsMax = 5
    /// Disturbances within ten minutes that are logged.
    private static let loggedMax = 10

    init(loop: EventLoop, owner: any Upkept) {
        self.loop = loop
        self.owner = owner
    }

    deinit { if let timer { loop.cancel(timer) } }

    /// Has it restored if something is amiss.
    func tend() {
        guard owner.isAmiss else { return setMissing(false) }
        guard timer == nil else { return }
        let nowNs = loop.nowNs
        let count = repairs.add(nowNs: nowNs)
        guard count <= Self.repairsMax else { return owner.giveUpMending() }
        if count > Self.quietRepairs { setMissing(true) }
        // At once, but not faster than the kernel's answers are read.
        timer = loop.schedule(atNs: nowNs + Int64(count - 1) * 10_000_000) { [unowned self] in
            timer = nil
            if owner.isAmiss { owner.mend() } else { setMissing(false) }
        }
    }

    /// Nothing is wanted any more, or all is new.
    func stop() {
        if let timer { loop.cancel(timer) }
        timer = nil
        repairs.clear()
        setMissing(false)
    }

    /// Somebody else has removed or changed something.
    ///
    /// - Parameters:
    ///   - contested: the condition from the second time on, and of what.
    ///   - words: what is logged.
    func disturbed(_ contested: Condition.Kind, of subject: String, _ words: () -> String) {
        let count = disturbances.add(nowNs: loop.nowNs)
        if count <= Self.loggedMax { Log.warning(words()) }
        guard count > 1 else { return }
        owner.passing.saw(contested, of: subject, forNs: disturbances.spanNs) { "" }
    }

    private func setMissing(_ missing: Bool) {
        guard missing != isMissing else { return }
        isMissing = missing
        owner.mendingFails(missing)
    }
}

/// How often something happened within a span of time.
struct Tally {
    /// How long it is counted for, from its first time on.
    let spanNs: Int64
    private var count = 0
    private var sinceNs = Int64.min

    init(spanNs: Int64) { self.spanNs = spanNs }

    /// It has happened again.
    ///
    /// - Returns: how often it has, in the present span.
    mutating func add(nowNs: Int64) -> Int {
        if count == 0 || nowNs - sinceNs >= spanNs { (count, sinceNs) = (0, nowNs) }
        count += 1
        return count
    }

    mutating func clear() { count = 0 }
}
