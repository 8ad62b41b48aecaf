"""What a process used: processor time to the nanosecond, memory by smaps_rollup.

A system is one or several processes; all of them count, and what they share counts once (PSS).
"""

import threading
import time
from pathlib import Path

CPUCLOCK_SCHED = 2


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for known in found:
        for children in Path(f"/proc/{known}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in children.read_text().split())
            except OSError:
                pass
    return found


def cpu_ms(pids: list[int]) -> float:
    """Processor time of processes, user and kernel, all threads that are or were, in milliseconds: their CPU clocks, as
    clock_getcpuclockid(3) makes them."""
    spent = 0
    for pid in pids:
        try:
            spent += time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
        except OSError:
            pass
    return spent / 1e6


def memory_mb(pids: list[int], field: str) -> float:
    """The sum of a field of smaps_rollup, such as Pss or Rss, in MB of 2^20 bytes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1])
    return total / 1024


class Peak:
    """The largest PSS of some processes while the block runs, looked at twenty times a second."""

    def __init__(self, pids: list[int]):
        self.pids, self.mb = pids, memory_mb(pids, "Pss")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.05):
            self.mb = max(self.mb, memory_mb(self.pids, "Pss"))
