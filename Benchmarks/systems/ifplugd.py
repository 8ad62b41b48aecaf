"""ifplugd: asks the driver once a second, or as often as it is told to."""

from lab.namespaces import Namespaces

from .. import peers
from . import LinkWatcher, Running, Word, stamped


class Ifplugd(LinkWatcher):
    """With its delays off, so that it is judged by its detection. `poll_ms` is its poll time, by default 1 s."""

    def __init__(self, poll_ms: int = 1000):
        self.poll_ms = poll_ms
        self.name = f"ifplugd, poll every {poll_ms} ms"

    def why_not(self) -> str | None:
        return None if peers.find("ifplugd") else "Debian's ifplugd cannot be downloaded"

    def start(self, lab: Namespaces, namespace: str, ifname: str) -> Running:
        poll = ["-t", self.poll_ms // 1000, "-T", self.poll_ms % 1000 * 1000]
        argv = [*peers.environment(), peers.find("ifplugd"), "-n", "-s", "-b", "-p", "-q", "-I", "-u", 0, "-d", 0]
        running = stamped(lab, namespace, [*argv, *poll, "-m", "ethtool", "-r", "/bin/true", "-i", ifname], _word)
        running.ready.set()
        return running


def _word(line: str) -> Word | None:
    seen_ns, _, text = line.partition(" ")
    if "Link beat" not in text:
        return None
    return Word(int(seen_ns), "lost" not in text)
