/// The public interface of linkwatch-vrrp, as it is published by `org.varlink.service.GetInterfaceDescription`.
///
/// `io.linkwatch.VRRP.varlink` says what there is, and `make generate` makes of it the records, the errors and the text
/// that is published. Names, once published, stay; fields may be added.
public enum VRRPInterface {
    /// The interface's name.
    public static let name = "io.linkwatch.VRRP"

    /// Where the process listens unless told otherwise.
    public static let defaultSocketPath = "/run/linkwatch/vrrp.sock"
}
