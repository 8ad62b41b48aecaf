/// `linkwatch mii`: the PHY's registers in words, line for line as mii-diag(8) prints them.
import ArgumentParser
import MIIRegisters
import RtnlMonitor
import SystemPackage

struct MIICommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mii",
        abstract: "Print what the PHY's registers say, as mii-diag does.")

    @Argument(help: ArgumentHelp("The interface.", valueName: "ifname"), completion: InterfaceNames.completion)
    var name: String

    @OptionGroup var source: SourceOptions
    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        let registers = try source.direct ? Self.read(name) : Daemon(connection).registers(of: name)
        try Console.write(PHYStatus(registers).report)
    }

    /// Asks rtnetlink for the name: an ioctl on one that is not there makes the kernel look for a module.
    private static func read(_ name: String) throws -> RegisterFile {
        do throws(Errno) {
            let links = try RtnlMonitor.snapshot(options: RtnlMonitor.Options(routes: nil))
            guard let link = links.link(named: name) else { throw .noSuchFileOrDirectory }
            return try RegisterFile.read(ifindex: link.ifindex)
        } catch .noSuchFileOrDirectory {
            throw Failure(.noInterface, "no interface \(name)")
        } catch {
            throw Failure(.noInterface, "\(name): no MII: \(probeDetail(error, .mii))")
        }
    }
}
