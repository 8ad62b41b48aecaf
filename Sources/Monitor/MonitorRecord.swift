/// What the generated records have in common, and the little that is known of them beside their fields.
import LinkState
import Varlink

/// A record that is written as an object of its fields.
public protocol MonitorRecord: JSONEncodable, JSONDecodable, Hashable, Sendable {
    /// - Throws: the field that is missing or of the wrong type.
    init(decoding object: JSON.Object) throws(JSON.FieldError)
    /// Writes the fields into an object that is open: the parameters of a reply, for one.
    func encodeFields(into writer: inout JSONWriter)
}

extension MonitorRecord {
    public init(decoding value: JSON.Value) throws(JSON.FieldError) {
        try self.init(decoding: value.object())
    }

    public func encode(into writer: inout JSONWriter) {
        writer.object(encodeFields)
    }
}

extension EventRecord {
    /// The reply that carries it, to be encoded once and sent to everyone.
    public var reply: SharedBytes {
        SharedBytes.reply(continues: true) { writer in writer.field("event", self) }
    }
}

extension InterfaceRecord {
    /// `rawState` is up.
    public var isRawUp: Bool { rawState == State.up.name }
    /// `state` is up.
    public var isUp: Bool { state == State.up.name }
}
