import Glibc

/// Ends with status 1; here, so that the rest imports no Glibc.
func fail() -> Never { exit(1) }

/// Says what is wrong with the command line, and ends with status 64.
func refuse(_ message: String) -> Never {
    print(message)
    exit(64)
}
