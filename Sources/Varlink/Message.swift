/// The messages of the varlink protocol (varlink.org, "Interface Definition" and "Protocol"): calls and replies, JSON
/// objects ended by a NUL byte.
///
/// Errors on the wire are values here: `VarlinkError` is what a handler answers with and what a client gets.

import SystemPackage

/// An error as it travels: a qualified name and parameters.
public struct VarlinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The qualified name, such as `org.varlink.service.InvalidParameter`.
    public var name: String
    public var parameters: JSON.Object

    public init(_ name: String, _ parameters: JSON.Object = [:]) {
        self.name = name
        self.parameters = parameters
    }

    public var description: String {
        let details = parameters.members.map { member in
            var writer = JSONWriter()
            member.value.encode(into: &writer)
            return "\(member.key): \(String(decoding: writer.bytes, as: UTF8.self))"
        }
        return details.isEmpty ? name : "\(name) (\(details.joined(separator: ", ")))"
    }

    public static func interfaceNotFound(_ interface: String) -> VarlinkError {
        VarlinkError("org.varlink.service.InterfaceNotFound", ["interface": .string(interface)])
    }
    public static func methodNotFound(_ method: String) -> VarlinkError {
        VarlinkError("org.varlink.service.MethodNotFound", ["method": .string(method)])
    }
    public static func methodNotImplemented(_ method: String) -> VarlinkError {
        VarlinkError("org.varlink.service.MethodNotImplemented", ["method": .string(method)])
    }
    public static func invalidParameter(_ parameter: String) -> VarlinkError {
        VarlinkError("org.varlink.service.InvalidParameter", ["parameter": .string(parameter)])
    }
    /// The peer's user may not call this method.
    public static let permissionDenied = VarlinkError("org.varlink.service.PermissionDenied")
    /// The method only makes sense with `more`.
    public static let expectedMore = VarlinkError("org.varlink.service.ExpectedMore")
}

/// One call, as it arrives at a service.
struct CallMessage {
    /// The qualified name.
    var method: String
    var parameters: JSON.Object
    var more: Bool
    var oneway: Bool

    /// The part of the name before the last dot; nil: there is none.
    var interface: String? {
        method.lastIndex(of: ".").map { String(method[..<$0]) }
    }

    /// The part of the name after the last dot.
    var member: String {
        method.lastIndex(of: ".").map { String(method[method.index(after: $0)...]) } ?? method
    }

    /// - Throws: the error to answer with.
    init(decoding value: JSON.Value) throws(VarlinkError) {
        do throws(JSON.FieldError) {
            let object = try value.object()
            method = try object.decode("method")
            parameters = try object.decodeIfPresent("parameters") ?? [:]
            more = try object.decodeIfPresent("more") ?? false
            oneway = try object.decodeIfPresent("oneway") ?? false
            // A connection that stops speaking varlink is of no use to any interface here.
            if try object.decodeIfPresent("upgrade") ?? false {
                throw JSON.FieldError(field: "upgrade", expected: "false")
            }
        } catch {
            throw .invalidParameter(error.field)
        }
    }

    /// Encodes a call, NUL included.
    static func encode(
        _ method: String, more: Bool, oneway: Bool, _ parameters: (inout JSONWriter) -> Void
    ) -> SharedBytes {
        SharedBytes.message { writer in
            writer.field("method", method)
            writer.object("parameters", parameters)
            if more { writer.field("more", true) }
            if oneway { writer.field("oneway", true) }
        }
    }
}

/// One reply, as it arrives at a client.
public struct VarlinkReply: Sendable {
    public var parameters: JSON.Object
    /// More replies follow.
    public var continues: Bool

    /// - Throws: the error that the message is, or the reason why it is no reply.
    package init(parsing bytes: [UInt8]) throws(VarlinkClientError) {
        do {
            let object = try JSON.parse(bytes).object()
            parameters = try object.decodeIfPresent("parameters") ?? [:]
            continues = try object.decodeIfPresent("continues") ?? false
            guard let name = try object.decodeIfPresent("error", as: String.self) else { return }
            throw VarlinkClientError.refused(VarlinkError(name, parameters))
        } catch let error as VarlinkClientError {
            throw error
        } catch {
            throw .malformed("\(error)")
        }
    }
}

/// What can go wrong for a client.
public enum VarlinkClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No service listens there.
    case unreachable(path: String, errno: CInt)
    /// The service closed the connection.
    case closed
    /// Nothing came in time.
    case timedOut
    /// The reader of this program's output has gone; see `VarlinkClient.stopsWithReader`.
    case readerGone
    /// What came is no varlink reply.
    case malformed(String)
    /// The service answered with an error.
    case refused(VarlinkError)

    public var description: String {
        switch self {
        case .unreachable(let path, let errno): "\(path): \(Errno(rawValue: errno))"
        case .closed: "the service closed the connection"
        case .timedOut: "no answer in time"
        case .readerGone: "the output's reader has gone"
        case .malformed(let why): "not a varlink reply: \(why)"
        case .refused(let error): "\(error)"
        }
    }
}

extension JSON.Object: JSONDecodable {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        self = try value.object()
    }
}
