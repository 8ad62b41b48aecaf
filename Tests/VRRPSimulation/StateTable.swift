import VRRP

/// The sixteen rows of 2002: which of the four legs is unplugged, and who serves. One cable, which is up.
package enum StateTable {
    /// The table as `docs/state-table.md` has it.
    package static var markdown: String {
        var lines = [
            "# Who serves",
            "",
            "Two directors, two legs each, one heartbeat cable that is up; LVS1 has the higher priority. A leg is unplugged so that its",
            "carrier is lost. `vrrp-search --table` prints this page from the shipped engine, and a test compares it.",
            "",
            "| L10 | L11 | L20 | L21 | LVS1 | LVS2 | the service is on |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for number in 0..<16 { lines.append(row(number)) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(_ number: Int) -> String {
        var bench = Bench(cables: 1)
        bench.settle()
        let isUp = (0..<4).map { number >> (3 - $0) & 1 == 0 }
        for (index, up) in isUp.enumerated() where !up {
            bench.apply(.port(director: index / 2, leg: index % 2, .noCarrier))
        }
        bench.run(forNs: 20_000_000_000)
        let legs = isUp.map { $0 ? "up" : "down" }
        let serves = bench.holders.map { "LVS\($0 + 1), both legs" }.first ?? "nobody: `no-director`"
        return "| " + (legs + bench.states.map(\.rawValue) + [serves]).joined(separator: " | ") + " |"
    }
}
