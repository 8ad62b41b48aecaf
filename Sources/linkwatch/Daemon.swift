/// The other end: linkwatchd behind its socket, with every way in which that can fail put into one line for a person.
import Glibc
import MIIRegisters
import Monitor
import SystemPackage
import Varlink

import enum LinuxSystem.Clock
import enum LinuxSystem.StandardStreams

struct Daemon {
    private let client: MonitorClient
    private let path: String

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
        path = options.socket
        while true {
            do throws(VarlinkClientError) {
                client = try MonitorClient(path: path, timeoutNs: min(answerNs, 5_000_000_000))
                return
            } catch {
                guard Clock.monotonicNs() < deadlineNs, Self.mayAppear(error) else {
                    throw Self.failure(error, path: options.socket)
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
                throw Self.failure(error, path: path)
            }
            guard try body(event) else { return true }
        }
    }

    private var answerDeadlineNs: Int64 { Clock.monotonicNs() + answerNs }

    private func ask<Answer>(_ question: () throws(VarlinkClientError) -> Answer) throws -> Answer {
        do throws(VarlinkClientError) {
            return try question()
        } catch {
            throw Self.failure(error, path: path)
        }
    }

    // MARK: Answers that are none

    private static func failure(_ error: VarlinkClientError, path: String) -> Failure {
        switch error {
        case .unreachable(_, let number):
            Failure(.unreachable(number), "no linkwatchd on \(path): \(Errno(rawValue: number))")
        case .timedOut:
            Failure(.unavailable, "linkwatchd on \(path) does not answer")
        case .closed, .readerGone:
            Failure(.unavailable, "linkwatchd on \(path) closed the connection")
        case .malformed(let what):
            Failure(.software, "linkwatchd on \(path) does not speak this program's language: \(what)")
        case .refused(let refusal):
            self.failure(refusal)
        }
    }

    private static func failure(_ refusal: VarlinkError) -> Failure {
        func text(_ key: String) -> String? {
            guard case .string(let text) = refusal.parameters[key] else { return nil }
            return text
        }
        switch (refusal.name, text("ifname")) {
        case ("io.linkwatch.Monitor.NoSuchInterface", let ifname?):
            return Failure(.noInterface, "no interface \(ifname)")
        case ("io.linkwatch.Monitor.NoRegisters", let ifname?):
            return Failure(.noInterface, "\(ifname): no MII: \(text("detail") ?? "the daemon cannot read any")")
        default:
            return Failure(.software, "linkwatchd refuses: \(refusal)")
        }
    }
}

extension ExitStatus {
    /// Of a socket that cannot be connected to.
    static func unreachable(_ number: CInt) -> ExitStatus {
        [EACCES, EPERM].contains(number) ? .permission : .unavailable
    }
}
