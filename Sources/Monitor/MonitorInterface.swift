/// The public interface of linkwatchd, as it is published by `org.varlink.service.GetInterfaceDescription`.
///
/// `io.linkwatch.Monitor.varlink` says what there is, and `make generate` makes of it the records, the errors, the text
/// that is published, and the lists of linkwatch-varlink(7). Names, once published, stay; fields may be added.
public enum MonitorInterface {
    /// The interface's name.
    public static let name = "io.linkwatch.Monitor"

    /// Where the daemon listens unless told otherwise.
    public static let defaultSocketPath = "/run/linkwatch/linkwatchd.sock"
}
