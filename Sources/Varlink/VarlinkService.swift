/// What a service offers: interfaces with their descriptions, and the handlers of their methods.
///
/// A handler is called with arguments that fit the description: unknown methods, missing or mistyped parameters, calls
/// without the `more` that a stream needs and calls from users who may not are answered before it.
public struct VarlinkInterface {
    /// How a method answers.
    public enum Replies: Sendable {
        /// Once. `more` makes no difference.
        case one
        /// Once, or with `more` as often as the handler likes.
        case oneOrMany
        /// Only with `more`; without it the caller gets `ExpectedMore`.
        case many
    }

    /// Who may call a method.
    public enum Access: Sendable {
        /// Whoever may connect.
        case everyone
        /// Root, and the user that the service runs as; others get `PermissionDenied`.
        case privileged
    }

    struct Handler {
        var replies: Replies
        var access: Access
        var body: (VarlinkCall) -> Void
    }

    public let description: InterfaceDescription
    private(set) var handlers: [String: Handler] = [:]

    /// - Throws: where the text is no interface description.
    public init(description text: String) throws(InterfaceDescription.SyntaxError) {
        description = try InterfaceDescription(parsing: text)
    }

    /// Says who answers a method. Those without a handler are `MethodNotImplemented`.
    ///
    /// - Precondition: the description has the method.
    public mutating func on(
        _ method: String, replies: Replies = .one, access: Access = .everyone,
        _ body: @escaping (VarlinkCall) -> Void
    ) {
        precondition(description.methods[method] != nil, "no method \(method) in \(description.name)")
        handlers[method] = Handler(replies: replies, access: access, body: body)
    }

    /// The handler of a call.
    ///
    /// - Throws: the error to answer with.
    func handler(for call: CallMessage, from peer: PeerCredentials) throws(VarlinkError) -> Handler {
        guard let method = description.methods[call.member] else { throw .methodNotFound(call.method) }
        guard let handler = handlers[call.member] else { throw .methodNotImplemented(call.method) }
        if handler.access == .privileged, !peer.isPrivileged { throw .permissionDenied }
        if let field = description.mismatch(call.parameters, method.input) { throw .invalidParameter(field) }
        if handler.replies == .many, !call.more { throw .expectedMore }
        return handler
    }
}

/// Who the service is, for `org.varlink.service.GetInfo`.
public struct VarlinkServiceInfo: Sendable {
    public var vendor: String
    public var product: String
    public var version: String
    public var url: String

    public init(vendor: String, product: String, version: String, url: String) {
        self.vendor = vendor
        self.product = product
        self.version = version
        self.url = url
    }
}

/// The interface that every service has; varlink.org, "Service".
enum ServiceInterface {
    static let name = "org.varlink.service"

    static let description = """
        # The Varlink Service Interface is provided by every varlink service. It
        # describes the service and the interfaces it implements.
        interface org.varlink.service

        # Get a list of all the interfaces a service provides and information
        # about the implementation.
        method GetInfo() -> (
          vendor: string,
          product: string,
          version: string,
          url: string,
          interfaces: []string
        )

        # Get the description of an interface that is implemented by this service.
        method GetInterfaceDescription(interface: string) -> (description: string)

        # The requested interface was not found.
        error InterfaceNotFound (interface: string)

        # The requested method was not found
        error MethodNotFound (method: string)

        # The interface defines the requested method, but the service does not
        # implement it.
        error MethodNotImplemented (method: string)

        # One of the passed parameters is invalid.
        error InvalidParameter (parameter: string)

        # Client is denied access
        error PermissionDenied ()

        # Method is expected to be called with 'more' set to true, but wasn't
        error ExpectedMore ()
        """
}
