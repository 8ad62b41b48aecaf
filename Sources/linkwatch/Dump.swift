/// `linkwatch --dump`: everything now, as a table for people or as NDJSON.
import Monitor
import Varlink

import enum LinuxSystem.Clock

struct Dump {
    var isJSON: Bool
    /// Read the kernel rather than ask the daemon.
    var isDirect: Bool
    var connection: ConnectionOptions

    func run() throws {
        let (interfaces, routes) = try isDirect ? Direct.dump() : Daemon(connection).dump()
        guard !isJSON else {
            return try Console.print(interfaces.sorted { $0.ifindex < $1.ifindex }.map(\.json))
        }
        let lines = DumpTable.lines(
            interfaces, routes, nowUsec: isDirect ? nil : Clock.monotonicNs() / 1_000, width: Console.columns,
            palette: Console.palette)
        try Console.print(lines)
    }
}

extension JSONEncodable {
    /// This as one line of JSON.
    var json: String {
        var writer = JSONWriter()
        encode(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
