"""A tap whose carrier a C program switches, and what those who watch it said of each switch."""

import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lab.namespaces import Namespaces

from . import yardsticks
from .systems import PIPE_BYTES, LinkWatcher, Running, Word

READY_SECONDS_MAX = 30


@dataclass(frozen=True)
class Switch:
    """One change of the carrier: the instant just before the call, in nanoseconds, and what it was changed to."""

    t_ns: int
    up: bool


class Tap:
    """A tap in a namespace, with its carrier on; `switch` has it switched off and on as it was made for."""

    def __init__(self, lab: Namespaces, namespace: str, ifname: str, count: int, period_ms: int, how: str):
        argv = [yardsticks.program("carrier"), ifname, count, period_ms, *([how] if how else [])]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, pipesize=PIPE_BYTES, text=True)
        self._process = lab.popen(namespace, *argv, **pipes)
        self._seconds = 2 * count * period_ms / 1000
        self.ifindex = int(self._process.stdout.readline().split()[1])

    def switch(self) -> list[Switch]:
        """Begins, and gives all switches when the last is done."""
        self.start()
        return self.switches()

    def switches(self) -> list[Switch]:
        """All switches, when the last is done; they are read then, as reading takes the processors from those who are
        measured."""
        time.sleep(max(0.0, self._end - time.monotonic()))
        switches = []
        while (line := self._process.stdout.readline()) and line != "done\n":
            before_ns, _, _, up = line.split()
            switches.append(Switch(int(before_ns), up == "1"))
        return switches

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def start(self) -> None:
        """Begins to switch, and does not wait."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._end = time.monotonic() + self._seconds


@contextmanager
def unread(running: list[Running]):
    """Leaves what they say in their pipes for now."""
    with ExitStack() as stack:
        for one in running:
            stack.enter_context(one.unread())
        yield


@contextmanager
def watching(lab: Namespaces, namespace: str, ifname: str, watchers: list[LinkWatcher]):
    """All of them, started in this order; gives what is running, by watcher. The last to subscribe is told first."""
    with ExitStack() as stack:
        running: dict[LinkWatcher, Running] = {}
        for watcher in watchers:
            running[watcher] = watcher.start(lab, namespace, ifname)
            stack.callback(running[watcher].close)
            if not running[watcher].ready.wait(READY_SECONDS_MAX):
                raise TimeoutError(f"{watcher.name} does not get ready")
        yield running


def delays_ms(switches: list[Switch], words: list[Word], up: bool) -> tuple[list[float], int]:
    """From each switch to this state until the first word of it, before the next switch; and how many were missed."""
    delays, missed = [], 0
    ends = [switch.t_ns for switch in switches[1:]] + [1 << 63]
    for switch, end_ns in zip(switches, ends):
        if switch.up != up:
            continue
        said = [word.t_ns for word in words if word.up == up and switch.t_ns <= word.t_ns < end_ns]
        if said:
            delays.append((said[0] - switch.t_ns) / 1e6)
        else:
            missed += 1
    return delays, missed
