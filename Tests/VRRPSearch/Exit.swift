import Glibc

/// Ends with status 1; here, so that the rest of the room imports no Glibc.
func fail() -> Never { exit(1) }
