/// The groups in one line, as `systemctl status` shows it. Pure.
import VRRP

enum ServiceStatus {
    /// More groups than this are counted and not named, but for those in FAULT.
    private static let namedMax = 8
    /// A line of a group with many causes is cut.
    private static let textMax = 400

    /// `outside master, inside fault (link:eth1:carrier)`; what is wrong with the process itself stands first.
    ///
    /// - Parameter remarks: conditions of the process, such as `runner-lost`.
    static func text(_ groups: [(name: String, status: GroupStatus)], remarks: [Condition]) -> String {
        let parts = remarks.map(\.description) + (groups.count > namedMax ? counts(groups) : groups.map(words))
        return String(parts.joined(separator: ", ").prefix(textMax))
    }

    private static func words(_ name: String, _ status: GroupStatus) -> String {
        let causes = status.causes.map(\.description).joined(separator: " ")
        let errors = status.conditions.filter { $0.kind.isError && ![.runnerLost, .kernelDegraded].contains($0.kind) }
            .map(\.description)
        let state = "\(name) \(status.state.rawValue)" + (errors.isEmpty ? "" : " " + errors.joined(separator: " "))
        return status.state == .fault && !causes.isEmpty ? "\(state) (\(causes))" : state
    }

    private static func counts(_ groups: [(name: String, status: GroupStatus)]) -> [String] {
        let states: [GroupState] = [.master, .backup, .fault, .initialize]
        let counts = states.compactMap { state in
            let count = groups.count { $0.status.state == state }
            return count == 0 ? nil : "\(count) \(state.rawValue)"
        }
        let faults = groups.filter { $0.status.state == .fault }.map(words)
        return ["\(groups.count) groups: " + counts.joined(separator: ", ")] + faults
    }
}
