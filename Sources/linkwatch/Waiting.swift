/// What `wait` waits for, and whether it has come: a fold over the events of a watch, without a clock or a socket.
///
/// An interface that does not exist is down: it carries nothing. So `wait --up wg0` may be started before wg0 is made,
/// and `wait --down wg0` ends when it is deleted.
import Monitor

struct Waiting {
    /// As the caller named them; an alternative name does as well.
    var names: [String]
    var wantsUp: Bool
    /// One of them is enough.
    var isAny: Bool
    /// Look at the state before hold times and dampening.
    var isRaw: Bool
    /// Whether the snapshot is complete; before that, what is missing may yet come.
    private(set) var isSynced = false
    /// Why linkwatchd does not know everything; nothing is concluded until it does.
    private(set) var degraded: String?
    private var known: [Int: InterfaceRecord] = [:]

    init(names: [String], wantsUp: Bool, isAny: Bool, isRaw: Bool) {
        (self.names, self.wantsUp, self.isAny, self.isRaw) = (names, wantsUp, isAny, isRaw)
    }

    /// Takes an event.
    ///
    /// - Returns: whether what is awaited is the case now.
    mutating func take(_ event: EventRecord) -> Bool {
        switch event.kind {
        case "synced": (isSynced, degraded) = (true, nil)
        case "degraded": (isSynced, degraded) = (false, event.cause)
        case "overflow":
            known.removeAll()
            (isSynced, degraded) = (false, nil)
        default: break
        }
        if let interface = event.interface {
            known[interface.ifindex] = event.kind == "removed" ? nil : interface
        }
        return isMet
    }

    private var isMet: Bool {
        guard isSynced else { return false }
        return isAny ? names.contains(where: isAsWanted) : names.allSatisfy(isAsWanted)
    }

    private func isAsWanted(_ name: String) -> Bool { isUp(name) == wantsUp }

    private func isUp(_ name: String) -> Bool {
        let interface = known.values.first { $0.ifname == name } ?? known.values.first { $0.altnames.contains(name) }
        guard let interface else { return false }
        return (isRaw ? interface.rawState : interface.state) == "up"
    }

    /// The interfaces that are not as they should be, for the message at the timeout.
    var missing: [String] { names.filter { !isAsWanted($0) } }
}
