/// How linkwatch ends when it fails: one line, and an exit status for scripts.
///
/// The numbers are those of `sysexits.h`, as linkwatch(1) lists them.

/// The exit statuses.
enum ExitStatus: Int32 {
    /// `wait` ran into its timeout.
    case timeout = 1
    /// `import` has carried the file, and some of what it did is lost.
    case losses = 3
    /// `import` cannot read the file, or lacks something without which the service would be another. The corresponding C
    /// constant is `EX_DATAERR`.
    case incomplete = 65
    /// There is no such interface, it has no such registers, or there is no such file to import. The corresponding C constant is `EX_NOINPUT`.
    case noInterface = 66
    /// No daemon answers on the socket. The corresponding C constant is `EX_UNAVAILABLE`.
    case unavailable = 69
    /// The daemon said something that this program does not understand. The corresponding C constant is `EX_SOFTWARE`.
    case software = 70
    /// The kernel refused a request. The corresponding C constant is `EX_OSERR`.
    case system = 71
    /// Only root, or the daemon's own user, may ask that. The corresponding C constant is `EX_NOPERM`.
    case permission = 77
    /// linkwatch-vrrp will not do what it was asked: a handover, or a reload of a bad file. The corresponding C constant is
    /// `EX_CONFIG`.
    case refused = 78
    /// The output could not be written. The corresponding C constant is `EX_IOERR`.
    case output = 74
}

/// An end with one line on standard error.
struct Failure: Error {
    var status: ExitStatus
    var message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    /// Whether it may succeed once the daemon is up: a socket that is being made belongs to root alone at first.
    var isPassing: Bool { [.unavailable, .permission].contains(status) }
}

/// An end with nothing more to say, status 0: whoever read the output has gone.
struct Finished: Error {}
