/// Programs, and `[check.NAME]`, which runs one or asks a neighbour.
import Addresses

extension VRRPConfiguration {
    /// A program that is run, never through a shell.
    public struct Program: Hashable, Sendable {
        /// The path, then the arguments.
        public var arguments: [String] = []
        public var timeoutNs: Int64
        /// The user to run it as, `NAME` or `NAME:GROUP`; nil: that of `ProcessSettings`.
        public var user: String?
    }

    /// Something asked again and again.
    public struct Check: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// Succeeds with exit status 0.
            case program(Program)
            /// Answers ARP or neighbour solicitation.
            case witness(IPAddress, interface: String)
        }
        public var name: String
        public var kind: Kind
        /// What a check counts as before it has been run often enough to tell.
        public enum Beginning: String, Hashable, Sendable, CaseIterable {
            case failed
            case well
        }
        public var intervalNs = 2 * Time.second
        /// While a run takes longer than the interval, no other begins.
        public var timeoutNs = Time.second
        /// How many failures in a row make it fail.
        public var fall = 3
        /// How many successes in a row make it succeed.
        public var rise = 2
        /// From the start, until `fall` failures or `rise` successes in a row; nil: its first run decides.
        public var initially: Beginning?
    }
}

// MARK: Keys

extension VRRPConfiguration.Program {
    mutating func read(_ keys: TableReader) {
        keys.readProgram(
            "exec", into: &arguments,
            required: "the program and its arguments, such as [\"/usr/bin/logger\", \"hello\"]")
        keys.read("timeout", .programTime, into: &timeoutNs)
        keys.readProgramUser("user", into: &user)
    }
}

extension TableReader {
    /// Reads `NAME` or `NAME:GROUP`, and notes both; whether they exist is checked later.
    func readProgramUser(_ key: String, into target: inout String?) {
        let kind = Kind<String>.text("the name or number of a user, or both of a user and a group: \"name:group\"") {
            let parts = $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            return parts.count <= 2 && parts.allSatisfy(isAccountName)
        }
        guard read(key, kind, into: &target), let position = place(of: key), let parts = target?.split(separator: ":")
        else { return }
        problems.note(.user, String(parts[0]), position)
        if parts.count > 1 { problems.note(.group, String(parts[1]), position) }
    }
}

/// The keys of a check, and of the tracks that name it.
struct CheckKeys: SectionKeys {
    var check: VRRPConfiguration.Check
    /// The weight of a track that names the check and gives none.
    var weight: Int?

    init(name: String) {
        check = VRRPConfiguration.Check(name: name, kind: .program(VRRPConfiguration.Program(timeoutNs: 0)))
    }

    mutating func read(_ keys: TableReader) {
        var program = VRRPConfiguration.Program(timeoutNs: 0)
        var (witness, interface): (IPAddress?, String?)
        keys.readProgram("exec", into: &program.arguments)
        keys.readProgramUser("user", into: &program.user)
        keys.read("witness", .host, into: &witness)
        keys.read("interface", .interfaceName, into: &interface)
        keys.read("interval", .programTime, into: &check.intervalNs)
        keys.read("timeout", .programTime, into: &check.timeoutNs)
        keys.read("fall", .number(1...100), into: &check.fall)
        keys.read("rise", .number(1...100), into: &check.rise)
        keys.read("initially", .choice, into: &check.initially)
        keys.read("weight", .weight, into: &weight)

        if keys.place(of: "timeout") == nil { check.timeoutNs = min(check.timeoutNs, check.intervalNs) }
        program.timeoutNs = check.timeoutNs
        checkKind(keys)
        if let witness, let interface {
            check.kind = .witness(witness, interface: interface)
        } else {
            check.kind = .program(program)
        }
    }

    /// Either a program or a witness, and only the keys of the one that it is.
    private func checkKind(_ keys: TableReader) {
        let (exec, witness) = (keys.keyPosition("exec"), keys.keyPosition("witness"))
        guard (exec == nil) != (witness == nil) else {
            return keys.problems.report(
                witness ?? keys.position, "\(keys.title) is one check: expected either exec or witness")
        }
        let (foreign, other) = exec == nil ? ("user", "exec") : ("interface", "witness")
        if let position = keys.keyPosition(foreign) {
            keys.problems.report(position, "\(foreign) goes with \(other) alone: expected no \(foreign) here")
        }
        if exec == nil, keys.keyPosition("interface") == nil {
            keys.problems.report(
                keys.position,
                "\(keys.title) lacks interface: expected the network interface on which the witness is asked")
        }
    }
}

extension Kind where Value == Int64 {
    static var programTime: Kind { .duration(10 * Time.millisecond...Time.hour) }
}
