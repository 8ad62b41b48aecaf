/// `--record`: passes the inputs and outputs of the engines to `RecordingFile`, without ever waiting for it.
///
/// Lines that the pipe has no room for wait in memory, up to `waitingMax`. Beyond that they are dropped and counted.
/// Once there is room again the number is written to the file, followed by the complete state of all engines, so that
/// what follows can be replayed. Each file begins with that state too.
import CLinux
import Glibc
import LinuxSystem
import SystemPackage
import VRRP
import VRRPRecording

final class Recorder {
    /// Octets of a file before the next one is begun; two files are kept. The engines at the head of a file come in addition.
    static let fileMax = 8 << 20
    /// Octets that wait for room in the pipe.
    static let waitingMax = 4 << 20
    /// How soon room is looked for again.
    private static let retryNs: Int64 = 20_000_000
    /// How long an orderly end waits for the rest to be written.
    private static let patienceMs: CInt = 1000

    private let pipe: CInt
    private let pid: pid_t
    private let loop: EventLoop
    private let fileMax: Int
    private var waiting: [UInt8] = []
    private var sent = 0
    private var lost = 0
    private var octets = 0
    private var isOver = false
    private var retry: EventLoop.TimerID?

    /// All engines, by their groups' names.
    var engines: () -> [(name: String, engine: Engine)] = { [] }

    init(_ writer: RecordingFile.Writer, loop: EventLoop, fileMax: Int = Recorder.fileMax) {
        (pipe, pid) = (writer.pipe, writer.pid)
        self.loop = loop
        self.fileMax = fileMax
        put(header)
    }

    private var header: RecordingLine {
        .header(
            version: RecordingLine.version, by: "linkwatch-vrrp \(Release.version)", atNs: Clock.boottimeNs(),
            unixMs: Clock.realtimeNs() / 1_000_000)
    }

    // MARK: What happens

    /// A group begins.
    func began(_ name: String, _ engine: Engine) { record(.engine(group: name, engine)) }

    /// An engine has taken a step.
    func stepped(_ name: String, _ input: Input, atNs: Int64, _ outputs: [Output], nextNs: Int64?) {
        record(.step(RecordingLine.Step(group: name, atNs: atNs, input: input, outputs: outputs, nextNs: nextNs)))
    }

    /// A group is no longer configured.
    func ended(_ name: String) { record(.gone(group: name)) }

    /// An orderly end: what waits is written, if that takes no longer than a second.
    func end() {
        record(.end)
        if let retry { loop.cancel(retry) }
        let endNs = Clock.monotonicNs() + Int64(Self.patienceMs) * 1_000_000
        while !isOver, !waiting.isEmpty, Clock.monotonicNs() < endNs {
            var room = pollfd(fd: pipe, events: CShort(POLLOUT), revents: 0)
            _ = unsafe poll(&room, 1, 100)
            send()
        }
        close(pipe)
        isOver = true
        guard case let pidfd = clinux_pidfd_open(pid), pidfd >= 0 else { return }
        var ended = pollfd(fd: pidfd, events: CShort(POLLIN), revents: 0)
        _ = unsafe poll(&ended, 1, Self.patienceMs)
        close(pidfd)
    }

    // MARK: Writing

    private func record(_ line: RecordingLine) {
        guard !isOver else { return }
        guard lost == 0, waiting.count - sent < Self.waitingMax else { return lose() }
        put(line)
        guard octets >= fileMax else { return }
        waiting.append(RecordingFile.nextFile)
        octets = 0
        put(header)
        for (name, engine) in engines() { put(.engine(group: name, engine)) }
    }

    private func lose() {
        lost += 1
        send()
        guard waiting.isEmpty, !isOver else { return }
        put(.lost(lost))
        lost = 0
        for (name, engine) in engines() { put(.engine(group: name, engine)) }
    }

    private func put(_ line: RecordingLine) {
        let text = line.text
        waiting += text
        octets += text.count
        send()
    }

    private func send() {
        while sent < waiting.count, !isOver {
            let rest = waiting[sent...]
            do throws(Errno) {
                sent += try Syscall.retry {
                    unsafe rest.withUnsafeBytes { unsafe write(pipe, $0.baseAddress, $0.count) }
                }
            } catch .wouldBlock {
                return sendLater()
            } catch {
                giveUp(error)
            }
        }
        waiting.removeAll(keepingCapacity: waiting.count < 1 << 16)
        sent = 0
    }

    private func sendLater() {
        guard retry == nil else { return }
        retry = loop.schedule(atNs: loop.nowNs + Self.retryNs) { [unowned self] in
            retry = nil
            send()
        }
    }

    /// The child has ended, and has said why.
    private func giveUp(_ error: Errno) {
        isOver = true
        Log.error("nothing is recorded any more: \(error)")
        var status: CInt = 0
        _ = unsafe waitpid(pid, &status, WNOHANG)
    }
}
