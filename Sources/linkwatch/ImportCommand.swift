/// `linkwatch import`: keepalived's configuration as vrrp.toml, and a report of what is not carried over unchanged.
import ArgumentParser
import Configuration
import Glibc
import KeepalivedImport
import SystemPackage

import struct LinuxSystem.Account
import struct LinuxSystem.Descriptor
import enum LinuxSystem.Release
import enum LinuxSystem.StandardStreams
import enum LinuxSystem.Syscall

struct ImportCommand: Command {
    static let sharedOptions: Set<String> = []

    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Write keepalived's configuration as vrrp.toml.",
        discussion: """
            Standard output is the configuration, standard error the report: a line for everything that is not carried as it was.
            Status 0: all is carried; 3: with losses; 65: something is missing without which the service would be another.
            """)

    @Argument(help: ArgumentHelp("keepalived's configuration.", valueName: "file"), completion: .file())
    var file: String

    @Option(help: ArgumentHelp("What keepalived is started with as --config-id.", valueName: "id"))
    var configID: String?

    @Option(
        help: ArgumentHelp(
            "Write into this folder: vrrp.toml, the report, and examples of units.", valueName: "folder"),
        completion: .directory)
    var output: String?

    func run() throws {
        let result = KeepalivedImport(
            path: file, configID: configID, program: "linkwatch import \(Release.version)", surroundings: .machine)
        var report = result.findings.map { $0.description.printable }
        if result.unlisted > 0 { report.append("\(file): \(result.unlisted) more findings") }
        let refusals = result.toml.map { Self.refusals($0) } ?? []
        report += refusals
        report.forEach(Self.complain)
        if let toml = result.toml {
            if let output {
                try Self.write(
                    result.files + [("vrrp.toml", toml), ("report.txt", report.map { $0 + "\n" }.joined())],
                    into: output)
            } else {
                try Console.write(toml)
            }
        }
        try Self.end(result, file, isAccepted: refusals.isEmpty)
    }

    /// What linkwatch-vrrp would complain about in the output: nothing, where nothing is missing, unless the import has
    /// a defect.
    private static func refusals(_ toml: String) -> [String] {
        do throws(ConfigurationRefused) {
            _ = try VRRPConfiguration(text: Array(toml.utf8), file: "vrrp.toml")
            return []
        } catch {
            return error.errors.map { "\($0)".printable }
        }
    }

    private static func complain(_ line: String) {
        try? StandardStreams.write(Array((line + "\n").utf8), to: StandardStreams.error)
    }

    private static func write(_ files: [(name: String, text: String)], into folder: String) throws {
        do throws(Errno) {
            if unsafe mkdir(folder, 0o755) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
            for file in files {
                let path = folder + "/" + file.name
                if let slash = file.name.lastIndex(of: "/") {
                    let inner = folder + "/" + file.name[..<slash]
                    if unsafe mkdir(inner, 0o755) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
                }
                let descriptor = Descriptor(
                    owning: try Syscall.retry {
                        unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
                    })
                try StandardStreams.write(Array(file.text.utf8), to: descriptor.raw)
            }
        } catch {
            throw Failure(.output, "\(folder): \(error): expected a folder that is new or has none of these files")
        }
    }

    private static func end(_ result: KeepalivedImport, _ file: String, isAccepted: Bool) throws {
        func count(_ weight: Finding.Weight) -> Int { result.findings.count { $0.weight == weight } }
        if result.isAbsent { throw Failure(.noInterface, "\(file): there is no such file") }
        if result.toml == nil { throw Failure(.incomplete, "\(file): there is no output") }
        if result.worst == .missing || !isAccepted {
            throw Failure(
                .incomplete,
                "\(file): \(count(.missing)) missing, without which the service would be another, \(count(.loss)) lost")
        }
        if result.worst == .loss { throw Failure(.losses, "\(file): carried, \(count(.loss)) lost") }
    }
}

extension Surroundings {
    /// This machine.
    fileprivate static var machine: Surroundings {
        Surroundings(
            read: read, matches: matches,
            variable: { name in unsafe getenv(name).map { unsafe String(cString: $0) } },
            hasUser: { Account($0) != nil },
            random: { Int.random(in: $0) })
    }

    private static func read(_ path: String, _ limit: Int) -> Reading {
        do throws(Errno) {
            let file = Descriptor(
                owning: try Syscall.retry { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) })
            var status = stat()
            guard unsafe fstat(file.raw, &status) == 0 else { throw Errno(rawValue: errno) }
            guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 == 0 else { return .notPlain }
            var text: [UInt8] = []
            while text.count <= limit {
                let count = try Syscall.retry {
                    unsafe withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 1) { chunk in
                        let count = unsafe Glibc.read(file.raw, chunk.baseAddress, chunk.count)
                        if count > 0 { unsafe text.append(contentsOf: chunk.prefix(count)) }
                        return count
                    }
                }
                if count == 0 { break }
            }
            return .text(text)
        } catch .noSuchFileOrDirectory {
            return .absent
        } catch {
            return .unreadable("\(error)")
        }
    }

    private static func matches(_ pattern: String) -> [String] {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, GLOB_MARK | GLOB_BRACE, nil, &found) == 0 else { return [] }
        return unsafe (0..<Int(found.gl_pathc)).compactMap { index in
            unsafe found.gl_pathv[index].map { unsafe String(cString: $0) }
        }
    }
}
