import Foundation
import Testing
import VRRPSimulation

@testable import VRRP

/// What `docs/` says of the state machine, against the code.
struct DocumentTests {
    private func document(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        return try String(contentsOf: root.appending(path: "docs/\(name)"), encoding: .utf8)
    }

    /// The cells of all table rows with as many columns.
    private func rows(_ text: String, columns: Int) -> [[String]] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("|") else { return nil }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            return cells.count == columns && !cells[0].hasPrefix("---") ? cells : nil
        }
    }

    @Test func tableOfWhoServesIsTheEngines() throws {
        #expect(try document("state-table.md") == StateTable.markdown)
    }

    @Test func everyReasonHasARow() throws {
        let reasons = Set(rows(try document("state-machine.md"), columns: 4).dropFirst().map { $0[2] })
        #expect(reasons == Set(TransitionReason.allCases.map(\.rawValue)))
    }

    @Test func everyCauseHasARow() throws {
        let listed = rows(try document("state-machine.md"), columns: 2).dropFirst().map { $0.joined(separator: " ") }
        let known = Cause.Kind.allCases.map { kind in
            "`\(kind.name)` \(Cause(kind, "x").isHard ? "hard" : "soft")"
        }
        #expect(listed == known)
    }

    /// No clock, no socket, no chance: there is nothing to get them from.
    @Test func engineImportsNothingThatActs() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/VRRP")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let imports = try files.filter { $0.pathExtension == "swift" }.flatMap { file in
            try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { $0.contains("import ") }
        }
        #expect(Set(imports) == ["import Addresses", "import CDigest"])
    }

    /// Whatever the benches do, they do by a row of the table.
    @Test func everyChangeSeenHasARow() throws {
        let listed = Set(rows(try document("state-machine.md"), columns: 4).map { $0[0...2].joined(separator: " ") })
        let scripts: [[Fault]] = [
            [.kill(0), .start(0)], [.stop(0), .resume(0)], [.shutdown(0), .start(0)], [.handover(0)],
            [.port(director: 0, leg: 1, .noCarrier), .kill(0), .start(0), .port(director: 0, leg: 1, .up)],
            [.port(director: 0, leg: 1, .silent), .shutdown(0)],
            [.port(director: 1, leg: 0, .deaf), .port(director: 1, leg: 1, .deaf), .cable(0, .onlyFrom1)],
            [.check(0, fails: true), .cable(0, .silent), .cable(0, .up), .check(0, fails: false)],
        ]
        for cables in 0...1 {
            for script in scripts {
                var bench = Bench(cables: cables)
                bench.settle()
                for fault in script where cables > 0 || !fault.isOfCable {
                    bench.apply(fault)
                    bench.run(forNs: 8_000_000_000)
                }
                for (_, change) in bench.changes {
                    let transition = change.transition
                    let row = "\(transition.from) \(transition.to) \(transition.reason.rawValue)"
                    #expect(listed.contains(row), "\(row) after \(script)")
                }
            }
        }
    }
}

extension Fault {
    fileprivate var isOfCable: Bool { if case .cable = self { true } else { false } }
}
