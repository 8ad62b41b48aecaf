/// Limits how often something is reported that strangers can cause as often as they like.
///
/// Each thing has a key. A burst of reports passes at once; the rest of the window is held back and counted. At the end
/// of the window the count is reported; while there is something to count, the next window reports nothing else. So
/// what toggles with every packet costs a burst, and then one line per window. It reads no clock.
public struct RateLimit<Key: Hashable> {
    /// What was held back of one thing.
    public struct Held {
        public var key: Key
        /// How often.
        public var count: Int
        /// In how long a time, nanoseconds.
        public var overNs: Int64
    }

    private struct Window {
        var beganNs: Int64
        var told: Int
        var held = 0
    }

    private let burst: Int
    private let windowNs: Int64
    private let keysMax: Int
    private var windows: [Key: Window] = [:]
    private var heldKeys: Set<Key> = []

    /// - Parameters:
    ///   - burst: how often a thing is reported in one window.
    ///   - keysMax: how many things are limited at a time; a further one is reported only when a window is free.
    public init(burst: Int = 10, windowNs: Int64 = 5_000_000_000, keysMax: Int = 1024) {
        self.burst = burst
        self.windowNs = windowNs
        self.keysMax = keysMax
    }

    /// Whether it is to be told now; otherwise it is counted.
    public mutating func admits(_ key: Key, nowNs: Int64) -> Bool {
        if var window = windows[key], window.held > 0 || nowNs - window.beganNs < windowNs {
            if window.held == 0, window.told < burst {
                window.told += 1
                windows[key] = window
                return true
            }
            window.held += 1
            windows[key] = window
            heldKeys.insert(key)
            return false
        }
        if windows.count >= keysMax { windows = windows.filter { nowNs - $0.value.beganNs < windowNs } }
        guard windows.count < keysMax || windows[key] != nil else { return false }
        windows[key] = Window(beganNs: nowNs, told: 1)
        return true
    }

    /// When a window ends in which something was held back; nil: there is none.
    public var nextDeadlineNs: Int64? { heldKeys.compactMap { windows[$0]?.beganNs }.min().map { $0 + windowNs } }

    /// Ends the windows whose time is over, and returns what was held back in them.
    public mutating func expire(nowNs: Int64) -> [Held] {
        var all: [Held] = []
        for key in heldKeys {
            guard let window = windows[key], nowNs - window.beganNs >= windowNs else { continue }
            all.append(Held(key: key, count: window.held, overNs: nowNs - window.beganNs))
            windows[key] = Window(beganNs: nowNs, told: burst)
            heldKeys.remove(key)
        }
        return all
    }

    /// Forgets a thing, and what was held back of it.
    public mutating func forget(where isMeant: (Key) -> Bool) {
        windows = windows.filter { !isMeant($0.key) }
        heldKeys = heldKeys.filter { !isMeant($0) }
    }
}
