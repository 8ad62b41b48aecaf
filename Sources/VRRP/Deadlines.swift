/// The times that the engine remembers, each declared once.
///
/// A value names its times in `visitTimes`, in one list that serves three visitors: `NextDeadline` finds the earliest that the
/// engine has to be woken for, `Expiry` takes out those that have come, and `Shift` moves all of them to another beginning of
/// time. So a new deadline is one field and one line beside it.
///
/// There are four kinds:
/// - what *lapses* is taken out by `Expiry` and nothing else: nil then reads "it ran out" for a timer and "no longer" for a fact;
/// - what *fades* is taken out in the same way, but wakes nobody: the next expiry that comes for something else is soon enough;
/// - what *falls due* has a consequence: `Engine.expire`, or a rule that runs at every step, looks at it and takes it out;
/// - what is only *compared* wakes nobody.
protocol TimeVisitor {
    mutating func lapses(_ atNs: inout Int64?)
    mutating func lapses<Memory: Remembered>(_ memory: inout Memory?)
    mutating func fades(_ atNs: inout Int64?)
    mutating func fallsDue(_ atNs: inout Int64)
    mutating func isCompared(_ atNs: inout Int64)
}

extension TimeVisitor {
    mutating func fallsDue(_ atNs: inout Int64?) {
        guard var time = atNs else { return }
        fallsDue(&time)
        atNs = time
    }

    mutating func isCompared(_ atNs: inout Int64?) {
        guard var time = atNs else { return }
        isCompared(&time)
        atNs = time
    }
}

/// A fact that is forgotten at a time.
protocol Remembered {
    var untilNs: Int64 { get set }
    /// Its other times.
    mutating func visitOtherTimes(_ visitor: inout some TimeVisitor)
}

extension Remembered {
    mutating func visitOtherTimes(_: inout some TimeVisitor) {}
}

/// The earliest time that the engine has to be woken for. It changes nothing.
struct NextDeadline: TimeVisitor {
    private(set) var atNs: Int64?

    mutating func lapses(_ atNs: inout Int64?) { self.atNs = earliest(self.atNs, atNs) }
    mutating func lapses<Memory: Remembered>(_ memory: inout Memory?) { atNs = earliest(atNs, memory?.untilNs) }
    mutating func fades(_: inout Int64?) {}
    mutating func fallsDue(_ atNs: inout Int64) { self.atNs = earliest(self.atNs, atNs) }
    mutating func isCompared(_: inout Int64) {}
}

/// Takes out what has lapsed.
struct Expiry: TimeVisitor {
    let nowNs: Int64

    mutating func lapses(_ atNs: inout Int64?) {
        if let time = atNs, time <= nowNs { atNs = nil }
    }
    mutating func lapses<Memory: Remembered>(_ memory: inout Memory?) {
        if let untilNs = memory?.untilNs, untilNs <= nowNs { memory = nil }
    }
    mutating func fades(_ atNs: inout Int64?) { lapses(&atNs) }
    mutating func fallsDue(_: inout Int64) {}
    mutating func isCompared(_: inout Int64) {}
}

/// Makes `nowNs` the beginning of time. All times that have passed become alike, since they are treated alike.
struct Shift: TimeVisitor {
    let nowNs: Int64

    mutating func lapses(_ atNs: inout Int64?) { isCompared(&atNs) }
    mutating func lapses<Memory: Remembered>(_ memory: inout Memory?) {
        guard var known = memory else { return }
        known.untilNs = shifted(known.untilNs)
        known.visitOtherTimes(&self)
        memory = known
    }
    mutating func fades(_ atNs: inout Int64?) { isCompared(&atNs) }
    mutating func fallsDue(_ atNs: inout Int64) { atNs = shifted(atNs) }
    mutating func isCompared(_ atNs: inout Int64) { atNs = shifted(atNs) }

    private func shifted(_ atNs: Int64) -> Int64 { max(atNs - nowNs, -1) }
}

/// The earlier of two deadlines, either of which may be missing.
func earliest(_ first: Int64?, _ second: Int64?) -> Int64? {
    guard let first else { return second }
    guard let second else { return first }
    return min(first, second)
}
