/// What a group only publishes: counters, and what was seen last. No decision depends on it, and it is not compared.
import Addresses

struct Record: Sendable {
    var statistics = GroupStatistics()
    /// When the published state last changed.
    var sinceNs: Int64 = 0
    /// The peer's last word, fresh or not.
    var lastWord: PeerWord?
    /// What the process wants published.
    var external: Set<Condition> = []
    var members: [OfMember]

    struct OfMember: Sendable {
        var lastSource: IPAddress?
        var lastPriority: UInt8 = 0
        var checksumForm: ChecksumForm?
        /// A router that is neither of the pair.
        var third: IPAddress?
        /// A router of lower priority that goes on beside us.
        var lesser: IPAddress?
        var statistics = MemberStatistics()
    }

    init(_ configuration: GroupConfiguration) {
        members = configuration.members.map { _ in OfMember() }
    }
}
