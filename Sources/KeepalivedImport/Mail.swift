/// The mail that keepalived sends on transitions, `smtp_alert`: a `[notify]` program sends it with curl(1).
struct Mail {
    var recipients: [String] = []
    /// nil: `keepalived` on this host.
    var sender: String?
    /// A host and a port, as in a URL.
    var server: String?
    /// What `router_id` names this router.
    var router: String?

    /// Without both keepalived sends no mail (`smtp_alert` of smtp.c).
    var isSent: Bool { !recipients.isEmpty && server != nil }

    /// - Parameter words: a host, and a port or nothing.
    static func server(_ words: ArraySlice<String>) -> String? {
        guard let host = words.first else { return nil }
        let port = words.dropFirst().first ?? "25"
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The section, with the program's environment as vrrp.toml(5) has it.
    ///
    /// - Parameter owner: an instance or a group, as the subject of the mail names it.
    func section(named name: String, owner: String, user: String, place: SourceLine, group: String) -> TomlSection {
        let script =
            "case $LINKWATCH_STATE in master) s=MASTER;; backup) s=BACKUP;; fault) s=FAULT;; *) exit 0;; esac; "
            + "u=$1 f=${2:-keepalived@$(uname -n)} r=$3 n=$4; shift 4; t=$*; "
            + "for a do shift; set -- \"$@\" --mail-rcpt \"$a\"; done; "
            + "printf 'From: %s\\r\\nTo: %s\\r\\nSubject: [%s] (%s) entering %s state\\r\\n\\r\\n' \"$f\" \"$t\" \"$r\" \"$n\" $s | "
            + "exec curl -sS --max-time 30 --mail-from \"$f\" \"$@\" -T - \"$u\""
        let exec =
            ["/bin/sh", "-c", script, "smtp_alert", "smtp://\(server ?? "")", sender ?? "", router ?? "", owner]
            + recipients
        var section = TomlSection(header: "notify.\(Toml.key(name))")
        section.comments = ["smtp_alert of \(owner), line \(place.number)"]
        section.set("exec", "[\n" + exec.map { "    \(Toml.text($0)),\n" }.joined() + "]")
        section.set("timeout", Toml.text("1min"))
        section.set("user", Toml.text(user))
        section.set("groups", Toml.array([Toml.text(group)]))
        return section
    }
}
