/// keepalived's configuration as vrrp.toml, with a report of what is not carried over unchanged.
///
/// Four stages, each a file or two: `LineReader` (comments, conditions, definitions, loops, includes), `StatementReader`
/// (keywords and blocks), `Interpreter` and `Completion` (what keepalived would run), `Translation` (vrrp.toml). The one
/// table of what becomes of each keyword is `Keywords.table`.
///
/// Pure: what it has to know of the machine it asks `Surroundings`.
public struct KeepalivedImport {
    /// vrrp.toml; nil: the file cannot be read, keepalived would not start with it, or nothing of it can be carried.
    public let toml: String?
    /// Files to go with it: examples of units and drop-ins for systemd, by their path under the folder of the output.
    public let files: [(name: String, text: String)]
    /// In the order of the lines.
    public let findings: [Finding]
    /// Findings beyond those.
    public let unlisted: Int

    /// Reads `path` and what it includes.
    ///
    /// - Parameters:
    ///   - configID: what keepalived is started with as `--config-id`; nil: nothing.
    ///   - program: what the first line of the output names.
    public init(path: String, configID: String?, program: String, surroundings: Surroundings) {
        let findings = Findings()
        var text: String?
        var files: [(name: String, text: String)] = []
        do throws(Refusal) {
            let lines = try LineReader(path: path, configID: configID, surroundings: surroundings, findings: findings)
            var reader = StatementReader(lines, findings: findings)
            let statements = try reader.file()
            let model = try Interpreter.read(statements, findings: findings)
            let (sections, statics) = try Translation.sections(
                of: model, findings: findings, surroundings: surroundings)
            if model.instances.isEmpty {
                throw Refusal(
                    line: SourceLine(file: path, number: 0), subject: "file",
                    text: "it has no vrrp_instance: there is nothing to carry")
            }
            if sections.contains(where: { $0.header.hasPrefix("instance.") }) {
                text = Self.header(path, program, findings.worst) + sections.map { "\n" + $0.text }.joined()
                files = [Self.unit(hasChecks: statements.contains { $0.keyword.name == "virtual_server" })]
                if let statics { files.append(statics) }
            }
        } catch {
            findings.add(.refused, error.line, error.subject, error.text)
        }
        toml = text
        self.files = files
        self.findings = findings.sorted
        unlisted = findings.unlisted
    }

    /// The gravest finding; nil: there is none.
    public var worst: Finding.Weight? { findings.map(\.weight).max() }

    /// Whether the file itself is not there.
    public var isAbsent: Bool {
        findings.contains { $0.weight == .refused && $0.line.number == 0 && $0.text == LineReader.absent }
    }

    /// Two VRRP processes would fight for the addresses: keepalived has to be stopped, or limited to its health checks.
    private static func unit(hasChecks: Bool) -> (name: String, text: String) {
        hasChecks
            ? (
                "keepalived.service.d/checks-only.conf",
                """
                # In /etc/systemd/system/keepalived.service.d: keepalived goes on with the health checks of LVS, and leaves VRRP alone.
                # Compare with `systemctl cat keepalived`: other options of ExecStart= have to stay.
                [Service]
                ExecStart=
                ExecStart=/usr/sbin/keepalived --dont-fork --check

                """
            )
            : (
                "linkwatch-vrrp.service.d/keepalived.conf",
                """
                # In /etc/systemd/system/linkwatch-vrrp.service.d: starting one stops the other, so that they never fight for the
                # addresses.
                [Unit]
                Conflicts=keepalived.service
                After=keepalived.service

                """
            )
    }

    private static func header(_ path: String, _ program: String, _ worst: Finding.Weight?) -> String {
        var lines = TomlSection.wrapped("Made from \(path) by \(program).")
        if worst == .missing {
            lines += TomlSection.wrapped(
                "INCOMPLETE: something is missing without which the service would be another. The report names it.")
        }
        lines += TomlSection.wrapped(
            "keepalived's defaults are written out where they differ from linkwatch's. linkwatch-vrrp --check reads this file and "
                + "changes nothing.")
        return lines.map { $0 + "\n" }.joined()
    }
}
