/// Everything that the runner may do for the protocol process, as the configuration file says: which programs it runs,
/// as which user and with what environment, and what it may clean up after a dead process.
///
/// The table is made before the fork, and again by the runner itself from the file when that is reloaded. So whoever takes
/// over the protocol process can have a program of the file run, and nothing else.
import Addresses
import Configuration
import Glibc
import LinuxSystem
import VRRP

/// A program, as it is started.
struct RunnableProgram: Hashable, Sendable {
    /// The program's absolute path and its arguments; never a shell's line.
    var arguments: [String]
    /// `NAME=value`; nothing is inherited.
    var environment = [Self.path]
    /// The account to run it as; nil: the runner's own, which is root if the process was started by root.
    var account: Account?
    /// After this long its process group is killed.
    var timeoutNs: Int64
    /// Whether processes that it leaves behind in its group may stay when it ends in time.
    var mayLeaveProcesses = false
    /// Whether it runs as long as the file has it.
    var isReader = false
    /// For a program that runs as root: a user who must not be able to change it; nil: no particular one.
    var stranger: Account?

    private static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

struct ProgramTable {
    let configuration: VRRPConfiguration
    /// The account for programs without a `user` key; nil: the runner's.
    private let ownAccount: Account?
    /// The others that the file names. They are looked up with the file: a runner does not wait for a directory service.
    private let accounts: [String: Account]
    /// The file before this one, for what it had and this one has not: its groups and instances end with a last event, and
    /// may leave addresses.
    private let formerGroups: [VRRPConfiguration.Group]
    private let formerNotifies: [VRRPConfiguration.Notify]

    /// - Parameter ownAccount: the account that the protocol process becomes; nil: it stays who it is.
    init(_ configuration: VRRPConfiguration, ownAccount: Account?, after former: ProgramTable? = nil) {
        self.configuration = configuration
        self.ownAccount = ownAccount
        formerGroups = former?.configuration.groups ?? []
        formerNotifies = former?.configuration.notifies ?? []
        var accounts: [String: Account] = [:]
        for case let user? in (configuration.programs + formerNotifies.map(\.program)).map(\.user) {
            accounts[user] = Account(ofProgram: user)
        }
        self.accounts = accounts
    }

    /// Its successor, from a file that was read again: the process stays who it is.
    func reloaded(_ configuration: VRRPConfiguration) -> ProgramTable {
        ProgramTable(configuration, ownAccount: ownAccount, after: self)
    }

    // MARK: Programs

    /// nil: the file has no such program.
    subscript(name: ProgramName) -> RunnableProgram? {
        switch name {
        case .check(let name):
            guard case .program(let program) = configuration.checks.first(where: { $0.name == name })?.kind else {
                return nil
            }
            return made(program)
        case .notify(let name, let notification): return notify(name, notification)
        case .fifoReader(let name):
            guard let notify = configuration.notifies.first(where: { $0.name == name }), let fifo = notify.fifo,
                !notify.program.arguments.isEmpty
            else { return nil }
            var program = made(notify.program)
            program?.arguments.append(fifo)
            program?.timeoutNs = .max / 4
            program?.isReader = true
            return program
        case .fence(let group):
            guard let fence = configuration.groups.first(where: { $0.name == group })?.fence else { return nil }
            return made(fence, environment: ["LINKWATCH_GROUP=\(group)"])
        case .acceptFilter: return Self.nft(AcceptTable.script(AcceptTable.refused(by: configuration)))
        case .acceptFilterRemoval: return Self.nft(AcceptTable.script([]))
        }
    }

    /// nft(8), run as root.
    static func nft(_ script: String) -> RunnableProgram {
        RunnableProgram(arguments: ["/usr/sbin/nft", script], timeoutNs: 5_000_000_000)
    }

    private func made(_ program: VRRPConfiguration.Program, environment: [String] = []) -> RunnableProgram? {
        let account = program.user.map { accounts[$0] } ?? ownAccount
        // If the user cannot be found, the program is not run, and certainly not as root.
        if program.user != nil, account == nil { return nil }
        var made = RunnableProgram(arguments: program.arguments, account: account, timeoutNs: program.timeoutNs)
        made.environment += environment
        if account?.uid == 0 { made.stranger = ownAccount }
        return made
    }

    /// A notify program of the file, or, for what this file no longer has, of the one before it.
    private func notify(_ name: String, _ notification: Notification) -> RunnableProgram? {
        let subject = notification.subject
        let isThere = { (group: VRRPConfiguration.Group) in
            group.name == subject.group && (subject.instance.map { group.instances.map(\.name).contains($0) } ?? true)
        }
        let current = configuration.groups.first(where: isThere)
        guard let group = current ?? formerGroups.first(where: isThere) else { return nil }
        let notifies = current == nil ? formerNotifies : configuration.notifies
        guard let notify = notifies.first(where: { $0.name == name && $0.fifo == nil }),
            notify.subjects(in: group).contains(subject)
        else { return nil }
        var program = made(notify.program, environment: notification.environment(group))
        program?.mayLeaveProcesses = true
        if notify.arguments == .keepalived { program?.arguments += notification.keepalivedWords(group) }
        return program
    }

    /// Programs that start as root, with all that the bounding set allows.
    var rootPrograms: [String] {
        guard geteuid() == 0 else { return [] }
        return configuration.programs.filter { made($0)?.account?.uid ?? 0 == 0 }.compactMap(\.arguments.first)
    }

    // MARK: What a dead process leaves

    /// The packets by which an instance or a cable of the file resigns: one to the multicast group, or one to every
    /// unicast peer. None: the file has no such instance or cable.
    func resignations(_ word: LastWord) -> [Resignation] {
        switch word.speaker {
        case .instance(let name):
            for group in configuration.groups {
                for instance in group.instances where instance.name == name {
                    return resignations(of: instance, in: group, word)
                }
            }
        case .heartbeat(let name):
            for group in configuration.groups {
                for heartbeat in group.heartbeats where heartbeat.name == name {
                    return resignations(of: heartbeat, in: group, word)
                }
            }
        }
        return []
    }

    /// A header's sequence must be above the last one of the process, which may be above the seconds that have passed: the
    /// peer's had been. A trailer's must not be off.
    private static let headerLeadNs: Int64 = 3_600_000_000_000

    private func resignations(
        of instance: VRRPConfiguration.Instance, in group: VRRPConfiguration.Group, _ word: LastWord
    ) -> [Resignation] {
        guard word.source.family == instance.family else { return [] }
        let address = instance.addresses.first?.address
        var seal = instance.seal(of: group)
        let leadNs = seal?.isHeader == true ? Self.headerLeadNs : 0
        seal?.advance(nowNs: Clock.realtimeNs() + leadNs)
        return instance.destinations.map { destination in
            let packet = PacketCraft.advert(
                of: instance, version: instance.version(in: group) == 2 ? .v2 : .v3, intervalNs: group.advertIntervalNs,
                priority: 0, source: word.source, destination: destination, seal: seal)
            return Resignation(
                interface: instance.interface, address: address, packet: packet, isSigned: seal != nil)
        }
    }

    private func resignations(
        of heartbeat: VRRPConfiguration.Heartbeat, in group: VRRPConfiguration.Group, _ word: LastWord
    ) -> [Resignation] {
        guard word.source.family == heartbeat.family else { return [] }
        let address = group.instances.lazy.flatMap(\.addresses).first?.address
        var last = PeerWord(priority: 0, identity: word.identity)
        last.isLast = true
        let advert = HeartbeatCodec.advert(
            last, cable: CableConfiguration(heartbeat), source: word.source, peerIdentity: nil, members: [])
        return [Resignation(interface: heartbeat.interface, address: address, packet: PacketCraft.heartbeat(advert))]
    }
}

extension VRRPConfiguration {
    /// The programs of checks, notifications and fences.
    fileprivate var programs: [Program] {
        let checks = checks.compactMap { if case .program(let program) = $0.kind { program } else { nil } }
        return checks + notifies.map(\.program) + groups.compactMap(\.fence)
    }
}
