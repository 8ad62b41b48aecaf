/// The synchronisation daemon of IPVS, which keepalived starts as `master` or `backup` with the instance: a `[notify]` program
/// does that with ipvsadm(8).
struct SyncDaemon {
    var interface: String
    /// nil: the VRID of the instance.
    var id: String?
    /// Other options of ipvsadm.
    var options: [String] = []
    var place: SourceLine

    /// What follows the instance in `lvs_sync_daemon`, and the options of ipvsadm (`start_daemon_handler` of global_parser.c).
    private static let words = [
        "maxlen": "--sync-maxlen", "port": "--mcast-port", "ttl": "--mcast-ttl", "group": "--mcast-group",
    ]

    init(interface: String, place: SourceLine) {
        self.interface = interface
        self.place = place
    }

    /// - Parameter words: `id 7 maxlen 1472` and so on.
    init(interface: String, words: ArraySlice<String>, place: SourceLine) {
        self.init(interface: interface, place: place)
        var rest = words
        while let word = rest.popFirst() {
            if let option = Self.words[word], let value = rest.popFirst() {
                options += [option, value]
            } else if word == "id" {
                id = rest.popFirst()
            } else if word.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                // Older files have the number alone.
                id = word
            }
        }
    }

    /// The section, with the program's environment as vrrp.toml(5) has it.
    func section(named name: String, of leg: CompleteInstance, group: String) -> TomlSection {
        let script =
            "for r in master backup; do ipvsadm --stop-daemon $r 2>/dev/null; done; "
            + "case $LINKWATCH_STATE in master) r=master;; initialize) exit 0;; *) r=backup;; esac; "
            + "exec ipvsadm --start-daemon $r \"$@\""
        let exec =
            [
                "/bin/sh", "-c", script, "lvs_sync_daemon", "--mcast-interface", interface, "--syncid",
                id ?? String(leg.vrid),
            ]
            + options
        var section = TomlSection(header: "notify.\(Toml.key(name))")
        section.comments = ["lvs_sync_daemon of vrrp_instance \(leg.instance.name), line \(place.number)"]
        section.set("exec", "[\n" + exec.map { "    \(Toml.literal($0)),\n" }.joined() + "]")
        section.set("timeout", Toml.text("1min"))
        section.set("user", Toml.text("root"))
        section.set("groups", Toml.array([Toml.text(group)]))
        return section
    }
}
