"""Those that wait for the kernel's word: the bare libmnl loop, `ip monitor`, netplugd."""

import re

from lab.namespaces import Namespaces

from .. import peers, yardsticks
from . import LinkWatcher, Running, Word, bare, stamped


class BareLoop(LinkWatcher):
    name = "bare libmnl loop in C"

    def start(self, lab: Namespaces, namespace: str, ifname: str) -> Running:
        return bare(lab, namespace, [yardsticks.program("link-events")], _bare_word)


class BareRelay(LinkWatcher):
    """A reader and a subscriber in two processes: what any daemon adds by being one."""

    name = "bare relay in C"

    def start(self, lab: Namespaces, namespace: str, ifname: str) -> Running:
        return bare(lab, namespace, [yardsticks.program("relay")], _bare_word)


class IpMonitor(LinkWatcher):
    name = "ip monitor link"

    def start(self, lab: Namespaces, namespace: str, ifname: str) -> Running:
        running = stamped(lab, namespace, ["ip", "-o", "monitor", "link"], lambda line: ip_word(line, ifname))
        running.ready.set()
        return running


class Netplugd(LinkWatcher):
    name = "netplugd"

    def why_not(self) -> str | None:
        return None if peers.find("netplugd") else "Debian's netplug cannot be downloaded"

    def start(self, lab: Namespaces, namespace: str, ifname: str) -> Running:
        config, pid = yardsticks.RESULTS / "netplugd.conf", yardsticks.RESULTS / "netplugd.pid"
        config.write_text(f"{ifname}\n")
        argv = ["stdbuf", "-oL", peers.find("netplugd"), "-F", "-P", "-c", config, "-s", "/bin/true", "-p", pid]
        running = stamped(lab, namespace, argv, lambda line: _netplug_word(line, ifname))
        running.ready.set()
        return running


def _bare_word(line: str) -> Word:
    seen_ns, _, _, running = line.split()
    return Word(int(seen_ns), running == "1")


def ip_word(line: str, ifname: str) -> Word | None:
    """A stamped line of `ip -o monitor link`; None for other interfaces. A veth is shown as NAME@PEER."""
    seen_ns, _, text = line.partition(" ")
    return Word(int(seen_ns), ",LOWER_UP" in text) if re.search(rf" {ifname}(@\S+)?: <", text) else None


def _netplug_word(line: str, ifname: str) -> Word | None:
    """`/bin/true t0 out -> pid 71`: it starts its script for a loss."""
    seen_ns, _, text = line.partition(" ")
    words = text.split()
    if words[:2] != ["/bin/true", ifname] or words[2] not in ("in", "out"):
        return None
    return Word(int(seen_ns), words[2] == "in")
