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
        /// With a FIFO: what reads it, without arguments if nothing does.
        public var program = Program(timeoutNs: 10 * Time.second)
        /// Where a line is written for each event; nil: the program is run instead.
        public var fifo: String?
        /// Of these groups, once for each; nil: of all, or of none if `instances` is there. A FIFO is told of all groups and
        /// instances if neither is.
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
        keys.readProgram("exec", into: &program.arguments)
        keys.read("timeout", .programTime, into: &program.timeoutNs)
        keys.readProgramUser("user", into: &program.user)
        keys.read("fifo", .path(), into: &fifo)
        keys.read("groups", .name("the name of a group"), 0...1024, into: &groups)
        keys.read("instances", .name("the name of an instance"), 0...1024, into: &instances)
        keys.read("states", .choice, 1...6, into: &states)
        keys.read("arguments", .choice, into: &arguments)
        if keys.keyPosition("fifo") == nil, keys.keyPosition("exec") == nil {
            keys.problems.report(
                keys.position,
                "\(keys.title) lacks exec: expected the program and its arguments, such as [\"/usr/bin/logger\", \"hello\"], or a fifo"
            )
        }
        for key in ["timeout", "arguments"] where keys.keyPosition("fifo") != nil {
            guard let position = keys.keyPosition(key) else { continue }
            keys.problems.report(
                position, "\(key) goes with a program that is run for each event: expected no \(key) beside fifo")
        }
    }
}
