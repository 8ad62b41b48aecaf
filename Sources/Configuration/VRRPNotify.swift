/// `[notify.NAME]`: a program that is told what becomes of groups and instances.

extension VRRPConfiguration {
    public struct Notify: Hashable, Sendable {
        /// What a program can be told. keepalived's `notify_master` and its kin run a program for one of them.
        public enum Event: String, Hashable, Sendable, CaseIterable {
            case master
            case backup
            case fault
            /// The process ends in good order.
            case stop
            /// A reload removes the group or the instance.
            case deleted
            /// A master has received an advert of a lower priority.
            case masterRxLowerPri = "master-rx-lower-pri"
        }
        /// What follows the program's own arguments.
        public enum Arguments: String, Hashable, Sendable, CaseIterable {
            case nothing = "none"
            /// As keepalived's `notify`: `INSTANCE` or `GROUP`, its name, its state and its priority.
            case keepalived
        }
        public var name: String
        public var program = Program(timeoutNs: 10 * Time.second)
        /// Of these groups, once for each; nil: of all, or of none if `instances` is there.
        public var groups: [String]?
        /// Of these instances, once for each.
        public var instances: [String]?
        /// Which events it is run for; nil: all changes of state.
        public var states: [Event]?
        public var arguments = Arguments.nothing
    }
}

// MARK: Keys

extension VRRPConfiguration.Notify: SectionKeys {
    init(name: String) { self.name = name }

    mutating func read(_ keys: TableReader) {
        program.read(keys)
        keys.read("groups", .name("the name of a group"), 0...1024, into: &groups)
        keys.read("instances", .name("the name of an instance"), 0...1024, into: &instances)
        keys.read("states", .choice, 1...6, into: &states)
        keys.read("arguments", .choice, into: &arguments)
    }
}
