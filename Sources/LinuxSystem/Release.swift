/// Which linkwatch this is.
public enum Release {
    /// The version that every program prints with `--version` and publishes in its statistics.
    public static let version = "0.1.0"
}
