/// The connection to linkwatchd.
import Glibc
import MIIRegisters
import Monitor
import SystemPackage
import Varlink

import enum LinuxSystem.Clock
import enum LinuxSystem.StandardStreams

struct MonitorConnection {
    private let client: MonitorClient
    private let service: DaemonSocket

    /// How long linkwatchd may take to answer a question, unless told otherwise.
    static let answerNsMax: Int64 = 10_000_000_000
    /// How long to let pass between two looks for a socket that is awaited.
    private static let lookAgainUsec: useconds_t = 20_000
    /// How long to let pass before a daemon that went away is asked again: one that closes at once is no reason to spin.
    private static let pauseUsec: useconds_t = 100_000
    private let answerNs: Int64

    /// - Parameter answerNs: how long it may take to accept the connection, and then to answer a question.
    /// - Throws: `Failure` with `.unavailable` if nobody answers within the time that the options allow.
    init(_ options: ConnectionOptions, answerNs: Int64 = Self.answerNsMax) throws {
        self.answerNs = answerNs
        let deadlineNs = Clock.monotonicNs() + (options.connectTimeout?.ns ?? 0)
        service = DaemonSocket(name: "linkwatchd", path: options.socket, explain: Self.explanation)
        while true {
            do throws(VarlinkClientError) {
                client = try MonitorClient(path: options.socket, timeoutNs: min(answerNs, 5_000_000_000))
                return
            } catch {
                guard Clock.monotonicNs() < deadlineNs, Self.mayAppear(error) else {
                    throw service.failure(error)
                }
                usleep(Self.lookAgainUsec)
            }
        }
    }

    /// A socket that is not there yet, or has nobody behind it yet.
    private static func mayAppear(_ error: VarlinkClientError) -> Bool {
        guard case .unreachable(_, let number) = error else { return false }
        return number == ENOENT || number == ECONNREFUSED
    }

    static func pause() { usleep(pauseUsec) }

    // MARK: Questions

    func dump() throws -> DumpRecord {
        try ask { () throws(VarlinkClientError) in try client.dump(deadlineNs: answerDeadlineNs) }
    }

    func history(of ifname: String?, limit: Int?) throws -> [TransitionRecord] {
        try ask { () throws(VarlinkClientError) in
            try client.history(ifname: ifname, limit: limit, deadlineNs: answerDeadlineNs)
        }
    }

    func statistics() throws -> StatisticsRecord {
        try ask { () throws(VarlinkClientError) in try client.statistics(deadlineNs: answerDeadlineNs) }
    }

    func registers(of ifname: String) throws -> RegisterFile {
        let (registers, decoded) = try ask { () throws(VarlinkClientError) in
            try client.registers(ifname: ifname, deadlineNs: answerDeadlineNs)
        }
        return RegisterFile(
            phy: UInt16(truncatingIfNeeded: decoded.phy), values: registers.map(UInt16.init(truncatingIfNeeded:)))
    }

    /// Hands over events, the snapshot first, until `body` answers false.
    ///
    /// - Parameters:
    ///   - names: the interfaces to watch; empty: all.
    ///   - deadlineNs: CLOCK_MONOTONIC; nil: for ever.
    ///   - whileRead: end when whoever reads standard output has gone, and not only when something is written to it.
    /// - Returns: false if the deadline came first.
    func watch(
        _ names: [String], routes: Bool, deadlineNs: () -> Int64?, whileRead: Bool = false,
        body: (EventRecord) throws -> Bool
    ) throws -> Bool {
        if whileRead { client.stopsWithReader(of: StandardStreams.output) }
        try ask { () throws(VarlinkClientError) in
            try client.watch(interfaces: names.isEmpty ? nil : names, routes: routes)
        }
        while true {
            let event: EventRecord
            do throws(VarlinkClientError) {
                event = try client.nextEvent(deadlineNs: deadlineNs())
            } catch .timedOut {
                return false
            } catch .readerGone {
                throw Finished()
            } catch {
                throw service.failure(error)
            }
            guard try body(event) else { return true }
        }
    }

    private var answerDeadlineNs: Int64 { Clock.monotonicNs() + answerNs }

    private func ask<Answer>(_ question: () throws(VarlinkClientError) -> Answer) throws -> Answer {
        do throws(VarlinkClientError) {
            return try question()
        } catch {
            throw service.failure(error)
        }
    }

    // MARK: Answers that are none

    private static func explanation(_ refusal: VarlinkError) -> Failure? {
        switch (refusal.name, refusal.text("ifname")) {
        case ("\(MonitorInterface.name).NoSuchInterface", let ifname?): Failure(.noInterface, "no interface \(ifname)")
        case ("\(MonitorInterface.name).NoRegisters", let ifname?):
            Failure(.noInterface, "\(ifname): no MII: \(refusal.text("detail") ?? "the daemon cannot read any")")
        default: nil
        }
    }
}

extension ExitStatus {
    /// The failure of a socket that cannot be connected to.
    static func unreachable(_ number: CInt) -> ExitStatus {
        [EACCES, EPERM].contains(number) ? .permission : .unavailable
    }
}
