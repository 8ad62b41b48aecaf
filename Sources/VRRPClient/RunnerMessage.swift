/// What the protocol process and its runner say to each other: one datagram a message, in native byte order, because both
/// ends are one binary on one machine. Lengths are checked all the same: a message that does not parse is dropped.
import Addresses
import Glibc

/// A program that is to be run.
struct Program: Hashable, Sendable {
    /// The program's absolute path and its arguments; never a shell's line.
    var arguments: [String]
    /// `NAME=value`; nothing else is inherited but PATH.
    var environment: [String] = []
    /// Whom to run it as; empty: as the runner itself, which is root when the process was started by root.
    var user = ""
    /// After this long its process group is killed.
    var timeoutNs: Int64
}

/// How a program ended.
struct ProgramResult: Hashable, Sendable {
    enum Ending: Hashable, Sendable {
        /// The corresponding C macro is `WEXITSTATUS`.
        case exited(Int32)
        /// The corresponding C macro is `WTERMSIG`.
        case signalled(Int32)
        /// It was killed because its time was up.
        case timedOut
        /// It could not be started: an errno.
        case notStarted(Int32)
    }
    var ending: Ending
    /// The first bytes of what it wrote on either of its outputs.
    var output: String

    var isSuccess: Bool { ending == .exited(0) }

    /// The runner has ended, so that nothing is known of the program.
    var isLost: Bool { ending == .notStarted(EPIPE) }
}

extension ProgramResult: CustomStringConvertible {
    var description: String {
        switch ending {
        case .exited(let status): "exited with \(status)"
        case .signalled(let number): "was ended by signal \(number)"
        case .timedOut: "was killed after its timeout"
        case .notStarted(EPIPE): "is lost: the runner has died"
        case .notStarted(let error): "could not be started (errno \(error))"
        }
    }
}

/// The limits both ends keep.
enum RunnerLimits {
    /// The longest message; a request with more arguments than fit is refused.
    static let messageBytes = 64 * 1024
    /// How much of a program's output is kept.
    static let outputBytes = 1024
    /// How many programs run at one time.
    static let programs = 512
    /// How many last words are kept.
    static let lastWords = 4096
    /// What the protocol process says last; no request is as short.
    static let farewell: [UInt8] = [0]
}

/// What the runner sends for the protocol process should that die: the advert of an instance, or the heartbeat of a cable,
/// that says that nothing is served any more.
struct LastWord: Equatable {
    /// Whose it is; a later word of the same takes the place of an earlier one.
    var speaker: String
    /// A virtual address that it goes with: who did not hold it has nothing to resign from.
    var address: IPAddress
    var ifindex: Int32
    /// With its IP header; it goes to the VRRP group of its family.
    var packet: [UInt8]

    /// Where a request has its number, which has 32 bits.
    private static let mark = UInt64.max

    func encoded() -> [UInt8] {
        var writer = FieldWriter()
        writer.put(Self.mark)
        writer.put(speaker)
        writer.put(address.description)
        writer.put(UInt64(UInt32(bitPattern: ifindex)))
        writer.put(packet)
        return writer.bytes
    }

    init(speaker: String, address: IPAddress, ifindex: Int32, packet: [UInt8]) {
        (self.speaker, self.address, self.ifindex, self.packet) = (speaker, address, ifindex, packet)
    }

    init?(_ bytes: some Collection<UInt8>) {
        var reader = FieldReader(bytes)
        guard reader.number() == Self.mark, let speaker = reader.string(),
            let address = reader.string().flatMap({ IPAddress($0) }),
            let ifindex = reader.number().flatMap({ UInt32(exactly: $0) }), let packet = reader.bytes()
        else { return nil }
        self.init(speaker: speaker, address: address, ifindex: Int32(bitPattern: ifindex), packet: packet)
    }
}

struct RunnerRequest: Equatable {
    var id: UInt32
    /// The request whose end is waited for; 0, or one that has ended: none.
    var after: UInt32 = 0
    var program: Program

    func encoded() -> [UInt8] {
        var writer = FieldWriter()
        writer.put(UInt64(id))
        writer.put(UInt64(after))
        writer.put(UInt64(bitPattern: program.timeoutNs))
        writer.put(program.user)
        writer.put(program.arguments)
        writer.put(program.environment)
        return writer.bytes
    }

    init(id: UInt32, after: UInt32 = 0, program: Program) {
        (self.id, self.after, self.program) = (id, after, program)
    }

    init?(_ bytes: some Collection<UInt8>) {
        var reader = FieldReader(bytes)
        guard let id = reader.number().flatMap({ UInt32(exactly: $0) }),
            let after = reader.number().flatMap({ UInt32(exactly: $0) }), let timeout = reader.number(),
            let user = reader.string(), let arguments = reader.strings(), let environment = reader.strings()
        else { return nil }
        (self.id, self.after) = (id, after)
        program = Program(
            arguments: arguments, environment: environment, user: user, timeoutNs: Int64(bitPattern: timeout))
    }
}

struct RunnerReply: Equatable {
    var id: UInt32
    var result: ProgramResult

    func encoded() -> [UInt8] {
        let (kind, value): (UInt64, Int32) =
            switch result.ending {
            case .exited(let status): (0, status)
            case .signalled(let number): (1, number)
            case .timedOut: (2, 0)
            case .notStarted(let error): (3, error)
            }
        var writer = FieldWriter()
        writer.put(UInt64(id))
        writer.put(kind)
        writer.put(UInt64(UInt32(bitPattern: value)))
        writer.put(result.output)
        return writer.bytes
    }

    init(id: UInt32, result: ProgramResult) {
        self.id = id
        self.result = result
    }

    init?(_ bytes: some Collection<UInt8>) {
        var reader = FieldReader(bytes)
        guard let id = reader.number(), let kind = reader.number(), let raw = reader.number(),
            let output = reader.string()
        else { return nil }
        let value = Int32(truncatingIfNeeded: raw)
        let endings: [ProgramResult.Ending] = [.exited(value), .signalled(value), .timedOut, .notStarted(value)]
        guard kind < endings.count else { return nil }
        self.id = UInt32(truncatingIfNeeded: id)
        result = ProgramResult(ending: endings[Int(kind)], output: output)
    }
}

private struct FieldWriter {
    var bytes: [UInt8] = []

    mutating func put(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }

    mutating func put(_ value: some Collection<UInt8>) {
        put(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func put(_ value: String) { put(value.utf8) }

    mutating func put(_ values: [String]) {
        put(UInt64(values.count))
        for value in values { put(value) }
    }
}

private struct FieldReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Collection<UInt8>) { rest = Array(bytes)[...] }

    mutating func number() -> UInt64? {
        guard rest.count >= 8 else { return nil }
        var value: UInt64 = 0
        for byte in rest.prefix(8).reversed() { value = value << 8 | UInt64(byte) }
        rest = rest.dropFirst(8)
        return value
    }

    mutating func bytes() -> [UInt8]? {
        guard let length = number(), length <= rest.count else { return nil }
        defer { rest = rest.dropFirst(Int(length)) }
        return Array(rest.prefix(Int(length)))
    }

    mutating func string() -> String? { bytes().map { String(decoding: $0, as: UTF8.self) } }

    mutating func strings() -> [String]? {
        // Each has a length of 8 bytes, so a count that cannot be true is seen before anything is reserved.
        guard let count = number(), count <= rest.count / 8 else { return nil }
        var values: [String] = []
        for _ in 0..<count {
            guard let value = string() else { return nil }
            values.append(value)
        }
        return values
    }
}
