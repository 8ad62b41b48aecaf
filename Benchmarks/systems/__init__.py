"""The systems under test as plug-ins: how each is started, and how what it says is read.

A `LinkWatcher` notices that an interface lost or gained its carrier and says so; how it comes to know is its own
affair. A `Router` moves virtual addresses between directors (`systems/routers.py`). A scenario takes whichever of
them are installed and says which are not.
"""

import subprocess
import threading
from dataclasses import dataclass

from lab.namespaces import Namespaces

from .. import yardsticks

# What a pipe holds that nobody reads: some 20,000 words.
PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Word:
    """That a system said, at an instant of CLOCK_MONOTONIC in nanoseconds, that a link is up or down."""

    t_ns: int
    up: bool


class Running:
    """A system that is running in a namespace: its words as they come, its process, and its end."""

    def __init__(self, process: subprocess.Popen, parse):
        self.process, self._parse = process, parse
        self.words: list[Word] = []
        self.ready = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def unread(self) -> threading.Lock:
        """While this lock is held, what it says stays in its pipe: reading it would take the processors from those who
        are measured."""
        return self._turn

    def close(self) -> None:
        """Ends it and waits until its last word is read."""
        self.process.terminate()
        self.process.wait()
        self._thread.join()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._turn:
                self._take(line)
        self.ready.set()

    def _take(self, line: str) -> None:
        if line.startswith("ready"):
            self.ready.set()
        elif (word := self._parse(line)) is not None:
            self.words.append(word)


class LinkWatcher:
    """One way to notice that a link has changed."""

    name = ""

    def why_not(self) -> str | None:
        """Why it cannot be measured here, or None."""
        return None

    def start(self, lab: Namespaces, namespace: str, ifname: str) -> Running:
        """Starts it; it watches the interface when this returns."""
        raise NotImplementedError


def stamped(lab: Namespaces, namespace: str, argv: list, parse) -> Running:
    """A program whose lines are stamped as they come."""
    return bare(lab, namespace, [yardsticks.program("stamp"), *argv], parse)


def bare(lab: Namespaces, namespace: str, argv: list, parse) -> Running:
    """A program that stamps its lines itself."""
    return Running(spawn(lab, namespace, argv), parse)


def spawn(lab: Namespaces, namespace: str, argv: list) -> subprocess.Popen:
    """A program in a namespace whose output is read."""
    pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=PIPE_BYTES)
    return lab.popen(namespace, *argv, **pipes, text=True)
