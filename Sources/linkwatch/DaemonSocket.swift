/// A daemon's socket, with every failure put into one line for a person.
import Glibc
import SystemPackage
import Varlink

struct DaemonSocket {
    /// The daemon's program.
    let name: String
    let path: String
    /// What one of its own errors means; nil: nothing in particular.
    let explain: (VarlinkError) -> Failure?

    /// What a malformed answer means.
    func failure(_ error: VarlinkClientError) -> Failure {
        switch error {
        case .unreachable(_, let number):
            Failure(
                [EACCES, EPERM].contains(number) ? .permission : .unavailable,
                "no \(name) on \(path): \(Errno(rawValue: number))")
        case .timedOut: Failure(.unavailable, "\(name) on \(path) does not answer")
        case .closed, .readerGone: Failure(.unavailable, "\(name) on \(path) closed the connection")
        case .malformed(let what):
            Failure(.software, "\(name) on \(path) sent an answer that linkwatch does not understand: \(what)")
        case .refused(let refusal) where refusal.name == VarlinkError.permissionDenied.name:
            Failure(.permission, "not permitted: \(name) accepts this only from root and its own user")
        case .refused(let refusal): explain(refusal) ?? Failure(.software, "\(name) refuses: \(refusal)")
        }
    }
}

extension VarlinkError {
    /// A parameter that is text.
    func text(_ key: String) -> String? {
        guard case .string(let text) = parameters[key] else { return nil }
        return text
    }
}
