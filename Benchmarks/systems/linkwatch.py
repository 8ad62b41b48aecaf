"""linkwatchd: what arrives at a subscriber of its socket, which is a bare C program."""

from lab.daemon import Daemon
from lab.namespaces import Namespaces

from .. import yardsticks
from . import LinkWatcher, Running, Word, spawn


class Linkwatch(LinkWatcher):
    """linkwatchd and one subscriber. `interval` is that of the probes, None for none: netlink alone."""

    def __init__(self, interval: str | None = "100ms"):
        self.interval = interval
        self.name = f"linkwatchd, probe every {interval}" if interval else "linkwatchd, netlink alone"

    def start(self, lab: Namespaces, namespace: str, ifname: str) -> "RunningLinkwatch":
        return RunningLinkwatch(daemon(lab, namespace, self.interval), lab, namespace, ifname)


class RunningLinkwatch(Running):
    def __init__(self, daemon: Daemon, lab: Namespaces, namespace: str, ifname: str):
        self.daemon = daemon
        argv = [yardsticks.program("subscriber"), daemon.socket, ifname]
        super().__init__(spawn(lab, namespace, argv), subscriber_word)

    def close(self) -> None:
        super().close()
        self.daemon.close()


def daemon(lab: Namespaces, namespace: str, interval: str | None, config: str = "") -> Daemon:
    """linkwatchd in a namespace."""
    if interval is None:
        return Daemon(lab, namespace, config=f"{config}[defaults]\nprobe = false\nmii = false\n")
    arguments = ["--mii-interval", interval, "--probe-interval", interval]
    return Daemon(lab, namespace, *arguments, config=f"{config}[defaults]\nprobe = true\n")


def subscriber_word(line: str) -> Word | None:
    """A line of the bare subscriber; None for what is no change."""
    if line.startswith("ready"):
        return None
    seen_ns, _, up, kind, *_ = line.split()
    return Word(int(seen_ns), up == "1") if kind in ("changed", "flap") else None
