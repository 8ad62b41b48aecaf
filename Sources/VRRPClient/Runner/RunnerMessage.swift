/// What the protocol process and its runner say to each other: one datagram a message, in native byte order, because both
/// ends are one binary on one machine.
///
/// The protocol process is not trusted: whoever takes it over holds its end of the socket. So it names programs, and hands
/// over neither paths nor arguments nor users nor variables: those are the file's (`ProgramTable`). Lengths are checked, and
/// a message that does not parse is dropped.
import Addresses
import Configuration
import Glibc
import VRRP

/// One of the programs that the configuration names, and what it is to be told.
enum ProgramName: Hashable, Sendable {
    /// The program of a check.
    case check(String)
    /// A notify program, and what it is told.
    case notify(String, Notification)
    /// The program that reads the FIFO of a `[notify]`.
    case fifoReader(String)
    /// The fence of a group.
    case fence(group: String)
    /// nft(8), to add the rules of `accept = false`.
    case acceptFilter
    /// nft(8), to remove those rules.
    case acceptFilterRemoval
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

    init(_ ending: Ending, output: String = "") {
        self.ending = ending
        self.output = output
    }

    var isSuccess: Bool { ending == .exited(0) }

    /// The runner has ended, so nothing is known of the program.
    var isLost: Bool { ending == .notStarted(EPIPE) }
}

extension ProgramResult: CustomStringConvertible {
    var description: String {
        switch ending {
        case .exited(let status): "exited with \(status)"
        case .signalled(let number): "was ended by signal \(number)"
        case .timedOut: "was killed after its timeout"
        case .notStarted(EPIPE): "is lost: the runner has died"
        case .notStarted(ENOKEY): "was not started: the file that was read last does not name it"
        case .notStarted(EKEYREJECTED):
            "was not started: it runs as root, and others may write to it or to a folder above it"
        case .notStarted(EAGAIN): "was not started: too many programs run"
        case .notStarted(let error): "could not be started: \(unsafe String(cString: strerror(error)))"
        }
    }
}

/// The limits both ends keep.
enum RunnerLimits {
    /// The longest message; a longer one is dropped.
    static let messageBytes = 1024
    /// The longest answer.
    static let answerBytes = 4096
    /// How much of a program's output is kept.
    static let outputBytes = 1024
    /// How many programs run, and how many wait, at one time.
    static let programs = 512
    /// How many runs of one program are under way at one time. Of a check or a fence there is more than one only when a
    /// reload starts it anew; of a notify program, counted for each group, when queued runs are handed over at the end.
    static func runs(of name: ProgramName) -> Int {
        if case .notify = name { 128 } else { 4 }
    }
}

/// What the runner needs to know to resign for the protocol process should that die. Everything else is the file's.
struct LastWord: Hashable, Sendable {
    enum Speaker: Hashable, Sendable {
        case instance(String)
        case heartbeat(String)
    }
    /// The instance or cable that it is for; a later one replaces it.
    var speaker: Speaker
    /// Where the packet comes from.
    var source: IPAddress
    /// How a heartbeat calls its sender; of an instance, the source.
    var identity: IPAddress
}

/// What the protocol process says.
enum RunnerRequest: Hashable, Sendable {
    /// Run a program.
    ///
    /// - Parameters:
    ///   - id: the number by which the answer names it, from 1.
    ///   - after: the request whose end is waited for; 0, or one that has ended: none.
    case run(id: UInt32, after: UInt32, ProgramName)
    /// Read the file again. `digest` is that of the text that the protocol process has read.
    case reread(id: UInt32, digest: UInt64)
    /// Everything held is named by the current file: the record of holdings can be cut down to that.
    case holdsOnlyWhatIsNamed
    /// Keep this last word, to be sent if we die.
    case keep(LastWord)
    /// Forget the last word of this speaker.
    case forget(LastWord.Speaker)
    /// This sysctl is to be restored if we die, or no longer is.
    case borrowed(BorrowedSwitch, isOver: Bool)
    /// We end in good order: the addresses are gone, and what still runs may finish.
    case farewell

    func encoded() -> [UInt8] {
        var writer = FieldWriter()
        switch self {
        case .run(let id, let after, let name):
            writer.put(0)
            writer.put(UInt64(id))
            writer.put(UInt64(after))
            writer.put(name)
        case .reread(let id, let digest):
            writer.put(1)
            writer.put(UInt64(id))
            writer.put(digest)
        case .holdsOnlyWhatIsNamed: writer.put(2)
        case .keep(let word):
            writer.put(3)
            writer.put(word.speaker)
            writer.put([word.source.description, word.identity.description])
        case .forget(let speaker):
            writer.put(7)
            writer.put(speaker)
        case .farewell: writer.put(4)
        case .borrowed(let borrowed, let isOver):
            writer.put(isOver ? 6 : 5)
            writer.put(borrowed.line)
        }
        return writer.bytes
    }

    init?(_ bytes: some Collection<UInt8>) {
        var reader = FieldReader(bytes)
        switch reader.number() {
        case 0:
            guard let id = reader.id(), let after = reader.id(), let name = reader.programName() else { return nil }
            self = .run(id: id, after: after, name)
        case 1:
            guard let id = reader.id(), let digest = reader.number() else { return nil }
            self = .reread(id: id, digest: digest)
        case 2: self = .holdsOnlyWhatIsNamed
        case 3:
            guard let word = reader.lastWord() else { return nil }
            self = .keep(word)
        case 4: self = .farewell
        case 5:
            guard let borrowed = reader.borrowedSwitch() else { return nil }
            self = .borrowed(borrowed, isOver: false)
        case 6:
            guard let borrowed = reader.borrowedSwitch() else { return nil }
            self = .borrowed(borrowed, isOver: true)
        case 7:
            guard let speaker = reader.speaker() else { return nil }
            self = .forget(speaker)
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}

/// What the runner answers.
enum RunnerReply: Hashable, Sendable {
    case ended(id: UInt32, ProgramResult)
    /// The file was read again; nil: taken, else what is wrong with it.
    case reread(id: UInt32, complaint: String?)

    func encoded() -> [UInt8] {
        var writer = FieldWriter()
        switch self {
        case .ended(let id, let result):
            let (kind, value): (UInt64, Int32) =
                switch result.ending {
                case .exited(let status): (0, status)
                case .signalled(let number): (1, number)
                case .timedOut: (2, 0)
                case .notStarted(let error): (3, error)
                }
            writer.put(kind)
            writer.put(UInt64(id))
            writer.put(UInt64(UInt32(bitPattern: value)))
            writer.put(result.output)
        case .reread(let id, let complaint):
            writer.put(complaint == nil ? 4 : 5)
            writer.put(UInt64(id))
            writer.put((complaint ?? "").utf8.prefix(RunnerLimits.answerBytes / 2))
        }
        return writer.bytes
    }

    init?(_ bytes: some Collection<UInt8>) {
        var reader = FieldReader(bytes)
        guard let kind = reader.number(), let id = reader.id() else { return nil }
        switch kind {
        case 0...3:
            guard let raw = reader.number(), let output = reader.string() else { return nil }
            let value = Int32(truncatingIfNeeded: raw)
            let endings: [ProgramResult.Ending] = [.exited(value), .signalled(value), .timedOut, .notStarted(value)]
            self = .ended(id: id, ProgramResult(endings[Int(kind)], output: output))
        case 4...5:
            guard let text = reader.string() else { return nil }
            self = .reread(id: id, complaint: kind == 4 ? nil : text)
        default: return nil
        }
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

    mutating func put(_ values: [String]) { values.forEach { put($0) } }

    mutating func put(_ speaker: LastWord.Speaker) {
        switch speaker {
        case .instance(let name): put(["instance", name])
        case .heartbeat(let name): put(["heartbeat", name])
        }
    }

    mutating func put(_ name: ProgramName) {
        switch name {
        case .check(let check):
            put(0)
            put(check)
        case .notify(let notify, let notification):
            put(1)
            let subject = notification.subject
            put([notify, subject.group, subject.instance ?? "", notification.event.rawValue])
            put(UInt64(notification.priority))
            put(notification.transition == nil ? 0 : 1)
            guard let transition = notification.transition else { return }
            put([transition.from.rawValue, transition.to.rawValue, transition.reason.rawValue])
        case .fence(let group):
            put(2)
            put(group)
        case .acceptFilter: put(3)
        case .acceptFilterRemoval: put(4)
        case .fifoReader(let notify):
            put(5)
            put(notify)
        }
    }
}

private struct FieldReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Collection<UInt8>) { rest = Array(bytes)[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func number() -> UInt64? {
        guard rest.count >= 8 else { return nil }
        var value: UInt64 = 0
        for byte in rest.prefix(8).reversed() { value = value << 8 | UInt64(byte) }
        rest = rest.dropFirst(8)
        return value
    }

    mutating func id() -> UInt32? { number().flatMap { UInt32(exactly: $0) } }

    mutating func string() -> String? {
        guard let length = number(), length <= rest.count else { return nil }
        defer { rest = rest.dropFirst(Int(length)) }
        return String(decoding: rest.prefix(Int(length)), as: UTF8.self)
    }

    mutating func address() -> IPAddress? { string().flatMap { IPAddress($0) } }

    mutating func programName() -> ProgramName? {
        switch number() {
        case 0: string().map { .check($0) }
        case 1: notification()
        case 2: string().map { .fence(group: $0) }
        case 3: .acceptFilter
        case 4: .acceptFilterRemoval
        case 5: string().map { .fifoReader($0) }
        default: nil
        }
    }

    /// Only known words are accepted, so that nothing else gets into a program's environment.
    private mutating func notification() -> ProgramName? {
        guard let notify = string(), let group = string(), let instance = string(),
            let event = string().flatMap({ Notification.Event(rawValue: $0) }),
            let priority = number().flatMap({ UInt8(exactly: $0) }), let hasTransition = number(), hasTransition <= 1
        else { return nil }
        var notification = Notification(
            subject: Notification.Subject(group: group, instance: instance.isEmpty ? nil : instance), event: event,
            priority: priority)
        guard hasTransition == 1 else { return .notify(notify, notification) }
        guard let from = string().flatMap({ GroupState(rawValue: $0) }),
            let to = string().flatMap({ GroupState(rawValue: $0) }),
            let reason = string().flatMap({ TransitionReason(rawValue: $0) })
        else { return nil }
        notification.transition = Transition(from: from, to: to, reason: reason, priority: priority)
        return .notify(notify, notification)
    }

    /// As it stands in the record: one of those that are ever borrowed.
    mutating func borrowedSwitch() -> BorrowedSwitch? {
        string().flatMap { BorrowedSwitch(words: $0.split(separator: " ").map(String.init)) }
    }

    mutating func speaker() -> LastWord.Speaker? {
        guard let kind = string(), let name = string() else { return nil }
        switch kind {
        case "instance": return .instance(name)
        case "heartbeat": return .heartbeat(name)
        default: return nil
        }
    }

    mutating func lastWord() -> LastWord? {
        guard let speaker = speaker(), let source = address(), let identity = address() else { return nil }
        return LastWord(speaker: speaker, source: source, identity: identity)
    }
}
