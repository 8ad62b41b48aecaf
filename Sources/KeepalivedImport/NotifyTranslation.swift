/// keepalived's programs for changes of state as `[notify]`: a program that several instances or groups have in the same way
/// becomes one section.
struct NotifyTranslation {
    /// `notify`, or one of the others, which run a program for one event.
    let keyword: String
    let place: SourceLine
    let program: [String]
    let user: String
    /// Whether its instance has `notify_deleted`: otherwise what is removed is in fault.
    let isToldOfDeletion: Bool
    /// Where it stands.
    var owners: [String] = []
    var instances: [String] = []
    var groups: [String] = []

    static let events = [
        "notify_master": "master", "notify_backup": "backup", "notify_fault": "fault", "notify_stop": "stop",
        "notify_deleted": "deleted", "notify_master_rx_lower_pri": "master-rx-lower-pri",
    ]

    func isSameProgram(as other: NotifyTranslation) -> Bool {
        keyword == other.keyword && program == other.program && user == other.user
            && isToldOfDeletion == other.isToldOfDeletion
    }

    func section(named name: String) -> TomlSection {
        var section = TomlSection(header: "notify.\(Toml.key(name))")
        section.comments = owners.prefix(8).map { "\(keyword) of \($0)" }
        if owners.count > 8 { section.comments.append("and of \(owners.count - 8) more") }
        section.set("exec", Toml.array(program.map(Toml.text)))
        if let event = Self.events[keyword] {
            section.set("states", Toml.array([Toml.text(event)]))
        } else {
            if isToldOfDeletion {
                section.set("states", Toml.array(["master", "backup", "fault", "stop", "deleted"].map(Toml.text)))
            }
            section.set("arguments", Toml.text("keepalived"))
        }
        // keepalived lets them run for ever, and side by side.
        section.set("timeout", Toml.text("1min"))
        section.set("user", Toml.text(user))
        if !groups.isEmpty { section.set("groups", Toml.array(groups.map(Toml.text))) }
        if !instances.isEmpty { section.set("instances", Toml.array(instances.map(Toml.text))) }
        return section
    }
}
