/// Whether a program that is to run as root can be changed by root alone: whoever can replace it can run anything as
/// root.
///
/// This matters for the user that the protocol process becomes: the runner, which runs no other program, would be no
/// boundary if that user could write to the one it runs. What the program reads in its turn, a script that is an
/// argument, is the operator's affair.
import Glibc
import LinuxSystem

enum ProgramTrust {
    /// - Parameter stranger: the user who must have no say in it.
    /// - Returns: whether every folder of the path and the file itself belong to root, and the stranger may write to none.
    ///   True for what does not exist: starting it says why.
    static func isRootsOwn(_ path: String, against stranger: Account) -> Bool {
        guard let real = unsafe realpath(path, nil) else { return true }
        defer { unsafe free(real) }
        return [path, unsafe String(cString: real)].allSatisfy { path in
            var place = ""
            return path.split(separator: "/").allSatisfy { name in
                place += "/" + name
                return isRoots(place, stranger)
            }
        }
    }

    private static func isRoots(_ place: String, _ stranger: Account) -> Bool {
        var status = stat()
        guard unsafe lstat(place, &status) == 0, status.st_uid == 0 else { return false }
        // The mode of a symbolic link says nothing. In a folder with the sticky bit nobody replaces what is root's.
        if status.st_mode & S_IFMT == S_IFLNK { return true }
        if status.st_mode & S_IFMT == S_IFDIR, status.st_mode & S_ISVTX != 0 { return true }
        let isTheirGroup = status.st_gid == stranger.gid
        return status.st_mode & (S_IWOTH | (isTheirGroup ? S_IWGRP : 0)) == 0
    }
}
