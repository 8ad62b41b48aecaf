/// One sync group: the state machine itself.
public struct Engine: Hashable, Sendable {
    /// What the group is told to do.
    public private(set) var configuration: GroupConfiguration

    /// An engine that waits for its `start`.
    public init(configuration: GroupConfiguration) {
        self.configuration = configuration
    }

    /// Takes one input at `nowNs` (CLOCK_MONOTONIC, never going back) and returns what is to be done, in this order.
    public mutating func handle(_ input: Input, nowNs: Int64) -> [Output] { [] }

    /// When `timer` is due; nil: no deadline.
    public var nextDeadlineNs: Int64? { nil }

    /// The group as it is published.
    public var status: GroupStatus { GroupStatus(state: .initialize, priority: configuration.priority) }

    /// Why a handover would be refused; nil: go ahead.
    public var handoverRefusal: String? { nil }
}
