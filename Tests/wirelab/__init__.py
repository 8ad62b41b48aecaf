"""The wire lab: a Debian kernel in QEMU whose network cards can be unplugged."""
