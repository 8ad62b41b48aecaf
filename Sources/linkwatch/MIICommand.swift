/// `linkwatch mii`: the PHY's registers in words, line for line as mii-diag(8) prints them.
import ArgumentParser
import Links
import MIIRegisters
import Monitor
import RtnlMonitor
import SystemPackage
import Varlink

struct MIICommand: Command {
    static let sharedOptions = CommandLineRules.ofConnection.union(["--json", "--direct"])

    static let configuration = CommandConfiguration(
        commandName: "mii",
        abstract: "Print what the PHY's registers say, as mii-diag does.")

    @Argument(
        help: ArgumentHelp("The interface.", valueName: "ifname"), completion: InterfaceNames.completion,
        transform: InterfaceNames.published)
    var name: String

    @OptionGroup var format: FormatOptions
    @OptionGroup var source: SourceOptions
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        let registers = try source.direct ? Self.read(name) : MonitorConnection(connection).registers(of: name)
        guard format.json else { return try Console.write(PHYStatus(registers).report) }
        try Console.print(RegistersRecord(ifname: name, registers: registers).json)
    }

    /// Asks rtnetlink for the name: an ioctl on one that is not there makes the kernel look for a module.
    private static func read(_ name: String) throws -> RegisterFile {
        let kernel: RtnlMonitor
        do throws(RtnlError) {
            kernel = try RtnlMonitor.snapshot(options: RtnlMonitor.Options(routes: nil), acceptsPart: true)
        } catch {
            throw Failure(.system, "the kernel does not answer: \(error)")
        }
        guard let link = kernel.link(named: name) else { throw Failure(.noInterface, "no interface \(name)") }
        do throws(Errno) {
            return try RegisterFile.read(ifindex: link.ifindex)
        } catch {
            throw Failure(
                error == .notPermitted ? .permission : .noInterface, "\(name): no MII: \(probeDetail(error, .mii))")
        }
    }
}

/// What `--json` prints: what the socket's `Registers` answers, and of which interface.
private struct RegistersRecord: JSONEncodable {
    var ifname: String
    var registers: RegisterFile

    func encode(into writer: inout JSONWriter) {
        let phy = PHYStatus(registers)
        writer.object { writer in
            writer.field("ifname", ifname)
            writer.field("registers", phy.registers.all.map(Int.init))
            writer.field("decoded", MIIRecord(phy))
        }
    }
}
