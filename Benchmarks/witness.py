"""What a failover looks like from outside: the frames that enter the switch, the addresses in both kernels, a client.

All instants are the host's CLOCK_MONOTONIC in nanoseconds, taken by small C programs that know nothing of the system.
"""

import re
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.namespaces import Namespaces
from lab.vrrp import Lans

from . import yardsticks
from .systems import spawn
from .systems.linkwatch import subscriber_word
from .systems.routers import LEGS

PORT = 7007
PERIOD_US = 1000
SIDES = {"p": "e0", "q": "e1"}


@dataclass(frozen=True)
class Frame:
    """An advert (with its priority) or a gratuitous ARP from a director on a leg; a heartbeat on a cable; or, for the
    picture, the kernel's or linkwatchd's word that r1's second leg is down."""

    t_ns: int
    router: str
    leg: str
    kind: str
    priority: int = 0


class Witness:
    """Watches a pair of directors; a context manager."""

    def __init__(self, lab: Namespaces, lans: Lans):
        self.lab, self.lans = lab, lans
        self.frames: list[Frame] = []
        self.silences: list[tuple[int, int]] = []
        self.addresses: list[tuple[int, str, str, bool]] = []
        self._stack = ExitStack()
        self.answered = threading.Event()

    def __enter__(self) -> "Witness":
        ports = [f"{side}-{name}" for name in ("r1", "r2") for side in SIDES]
        self._follow("sw", [yardsticks.program("frames"), *ports], self._frame)
        for name in ("r1", "r2"):
            argv = [yardsticks.program("stamp"), "ip", "-o", "-4", "monitor", "address"]
            self._follow(name, argv, lambda line, name=name: self._address(name, line))
        self._follow("cb", [yardsticks.program("echo"), PORT], lambda line: None)
        self._cutter = self.lab.popen(
            "sw", yardsticks.program("cutter"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._stack.callback(self._cutter.kill)
        time.sleep(0.3)
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def follow_causes(self, cables: int, monitor: Path | None) -> None:
        """What lies before a takeover: r1's kernel, its linkwatchd if it has one, and the cables."""
        self._follow("r1", [yardsticks.program("link-events")], self._netlink)
        if monitor is not None:
            self._follow("r1", [yardsticks.program("subscriber"), monitor, "e1"], self._verdict)
        if cables:
            argv = [yardsticks.program("frames"), *(f"hb{number}" for number in range(cables))]
            self._follow("r2", argv, self._heartbeat)

    def start_client(self) -> None:
        """Once somebody routes."""
        target = f"198.51.100.22 {PORT} {PERIOD_US}".split()
        self._follow("ca", [yardsticks.program("client"), *target], self._silence)

    def act(self, *words: str) -> int:
        """Has the cutter do something; returns the instant just before."""
        self._cutter.stdin.write(" ".join(words) + "\n")
        self._cutter.stdin.flush()
        return int(self._cutter.stdout.readline())

    def first(self, router: str, leg: str, kind: str, since_ns: int) -> int | None:
        """The instant of the first such frame since another, adverts of priority 0 left out."""
        for frame in list(self.frames):
            if (frame.router, frame.leg, frame.kind) == (router, leg, kind) and frame.t_ns >= since_ns:
                if kind == "arp" or frame.priority > 0:
                    return frame.t_ns
        return None

    def last(self, router: str, leg: str) -> int:
        """The instant of the newest advert; 0 without one."""
        return next((f.t_ns for f in reversed(self.frames) if (f.router, f.leg, f.kind) == (router, leg, "advert")), 0)

    def outage_ms(self, since_ns: int, until_ns: int) -> float:
        """The client's longest silence that has ended and reaches into this time, in milliseconds; 0 without one."""
        found = [(start, end) for start, end in list(self.silences) if end > since_ns and start < until_ns]
        return max(((end - start) / 1e6 for start, end in found), default=0.0)

    def both_held_ms(self, since_ns: int, until_ns: int) -> float:
        """For how long both kernels had the same virtual address, summed, the longer of the two addresses."""
        return max(self._overlap_ms(address, since_ns, until_ns) for _, address in LEGS.values())

    def _overlap_ms(self, address: str, since_ns: int, until_ns: int) -> float:
        held, both_since, total = {"r1": False, "r2": False}, None, 0
        for t_ns, router, changed, added in [*self.addresses, (until_ns, "", "", False)]:
            t_ns = min(t_ns, until_ns)
            if changed == address:
                held[router] = added
            if changed == address or not router:
                if both_since is not None and (not all(held.values()) or not router):
                    total += max(0, t_ns - max(both_since, since_ns))
                    both_since = None
                if both_since is None and router and all(held.values()):
                    both_since = t_ns
        return total / 1e6

    def _follow(self, namespace: str, argv: list, take) -> None:
        process = spawn(self.lab, namespace, argv)

        def read() -> None:
            for line in process.stdout:
                take(line)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)

    def _frame(self, line: str) -> None:
        words = line.split()
        if len(words) < 4:
            return
        side, router = words[1].split("-")
        priority = int(words[5]) if words[2] == "advert" else 0
        leg = SIDES[side]
        if words[2] == "advert" or words[3] == LEGS[leg][1]:
            self.frames.append(Frame(int(words[0]), router, leg, words[2], priority))

    def _netlink(self, line: str) -> None:
        words = line.split()
        if len(words) == 4 and words[3] == "0":
            self.frames.append(Frame(int(words[0]), "r1", "e1", "netlink"))

    def _verdict(self, line: str) -> None:
        if (word := subscriber_word(line)) is not None and not word.up:
            self.frames.append(Frame(word.t_ns, "r1", "e1", "verdict"))

    def _heartbeat(self, line: str) -> None:
        words = line.split()
        if words[2:3] == ["advert"]:
            self.frames.append(Frame(int(words[0]), "r1", words[1], "heartbeat", int(words[5])))

    def _silence(self, line: str) -> None:
        words = line.split()
        if words == ["ready"]:
            self.answered.set()
        elif len(words) == 2:
            self.silences.append((int(words[0]), int(words[1])))

    def _address(self, router: str, line: str) -> None:
        seen_ns, _, text = line.partition(" ")
        if found := re.search(r" inet ([\d.]+)/", text):
            self.addresses.append((int(seen_ns), router, found.group(1), not text.startswith("Deleted")))
