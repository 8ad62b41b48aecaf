/// The names of the decision's rules, as sets that a test can take one from.
///
/// Every rule is there because something goes wrong without it, and each has a test that switches it off and shows what.
/// Outside of tests the set is always complete; nothing reads it from a file.
package struct Rules: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Backup becomes Master only if every member calls for it.
    package static let take = Rules(rawValue: 1 << 0)
    /// An election lost on one leg is lost for the group.
    package static let lose = Rules(rawValue: 1 << 1)
    /// Silence on the legs is no takeover while a fresh heartbeat says that the peer holds.
    package static let blocked = Rules(rawValue: 1 << 2)
    /// Silence everywhere: fence and probe first.
    package static let dead = Rules(rawValue: 1 << 3)
    /// A resignation over a cable needs no skew.
    package static let atOnce = Rules(rawValue: 1 << 4)
    /// Two holders that know of each other elect there and then.
    package static let twoHolders = Rules(rawValue: 1 << 5)
    /// A holder whom a lesser holder does not hear yields.
    package static let unheard = Rules(rawValue: 1 << 6)
    /// A better router claims first and takes when the peer has released.
    package static let preempt = Rules(rawValue: 1 << 7)
    /// A leg that cannot be proven yields to a peer whose legs all are.
    package static let isolated = Rules(rawValue: 1 << 8)
    /// The loss of a cable changes no state.
    package static let degraded = Rules(rawValue: 1 << 9)
    /// Nothing is sent before the first snapshot.
    package static let start = Rules(rawValue: 1 << 10)
    /// Silence during one's own sleep is no evidence.
    package static let awake = Rules(rawValue: 1 << 11)

    package static let all = Rules(rawValue: (1 << 12) - 1)
}

/// Known bugs of other implementations, which the search must find when they are planted.
package struct PlantedBugs: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// FAULT counts reports of failure instead of keeping a set of causes.
    package static let counter = PlantedBugs(rawValue: 1 << 0)
    /// One deaf member starts an election.
    package static let oneDeafMember = PlantedBugs(rawValue: 1 << 1)
    /// Backup compares addresses when priorities are equal.
    package static let tieBreakInBackup = PlantedBugs(rawValue: 1 << 2)
    /// A backup does not learn its master's interval.
    package static let ownInterval = PlantedBugs(rawValue: 1 << 3)
    /// A master yields to adverts of a lower priority without asking who holds.
    package static let believesAdverts = PlantedBugs(rawValue: 1 << 4)
    /// An owner yields to a lesser holder.
    package static let ownerYields = PlantedBugs(rawValue: 1 << 5)
    /// A reload before the first backup is the last thing that happens.
    package static let reloadStops = PlantedBugs(rawValue: 1 << 6)
    /// Only addresses that the kernel has reported are removed, and only those that were asked for.
    package static let keepsLeftovers = PlantedBugs(rawValue: 1 << 7)
    /// With a pool, whatever is heard is taken for the peer.
    package static let hearsAnybody = PlantedBugs(rawValue: 1 << 8)
    /// Whoever answers for the addresses holds up a takeover for as long as it answers.
    package static let believesAnswers = PlantedBugs(rawValue: 1 << 9)
    /// Every advert of a lesser master is answered.
    package static let answersFlood = PlantedBugs(rawValue: 1 << 10)
}
