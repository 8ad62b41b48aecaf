/// The configuration file as it is used: read once from one descriptor, with the digest of its text, after a check of
/// who may write to it.
///
/// The file says which programs root starts. So it has to be root's alone, or belong to the user who started the process;
/// what is looked at is what is read, whatever becomes of the path meanwhile.
import Configuration
import Glibc
import LinuxSystem

struct ConfigurationFile {
    let configuration: VRRPConfiguration
    /// Distinguishes two texts that were read one after the other; it is no protection against a forger.
    let digest: UInt64

    /// - Throws: why it cannot be read or is not trusted, or what is wrong with it.
    init(path: String) throws(ConfigurationRefused) {
        let text = try ConfigurationText.read(path, distrust: Self.distrust)
        configuration = try VRRPConfiguration(text: text, file: path)
        try configuration.accounts.check(file: path, exists: \.exists)
        digest = Self.digest(text)
    }

    /// Why others can change the file; nil: they cannot.
    private static func distrust(_ status: stat) -> String? {
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            return "belongs to the user \(status.st_uid): expected root, who starts the programs that it names "
                + "(chown root)"
        }
        guard status.st_mode & 0o022 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            return "others may write to it (mode \(mode)): expected its owner alone, as it names programs that root "
                + "starts (chmod go-w)"
        }
        return nil
    }

    /// FNV-1a.
    private static func digest(_ text: [UInt8]) -> UInt64 {
        text.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

extension AccountMention {
    /// Whether there is such a user or group on this machine.
    var exists: Bool {
        switch kind {
        case .user: Account(name) != nil
        case .group: Account.groupID(name) != nil
        }
    }
}
