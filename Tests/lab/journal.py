"""A list that another thread appends to and a test awaits: lines of a log, events of a subscription.

A test that makes something happen calls `mark()` first; what it then awaits cannot be satisfied by the past.
"""

import threading
import time


class Ended(Exception):
    """The source of a journal has ended, so what was awaited will not come."""


def until(condition, what: str, seconds: float = 60) -> None:
    """Waits for a condition that no event announces: polls it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seconds} s passed without {what}")
        time.sleep(0.01)


class Journal(list):
    """Items in the order of their arrival, each with the host's monotonic time in seconds in `times`."""

    def __init__(self, name: str = "journal"):
        super().__init__()
        self.name = name
        self.times: list[float] = []
        self.marked = 0
        self.ended: str | None = None
        self.changed = threading.Condition()

    def append(self, item) -> None:
        with self.changed:
            self.times.append(time.monotonic())
            super().append(item)
            self.changed.notify_all()

    def end(self, reason: str) -> None:
        """Says that nothing more will come; whoever waits is told why."""
        with self.changed:
            self.ended = self.ended or reason
            self.changed.notify_all()

    def mark(self) -> None:
        """Only what comes from now on is looked at."""
        self.marked = len(self)

    def recent(self) -> list:
        """What came since the mark."""
        return self[self.marked :]

    def await_item(self, predicate, timeout: float = 30, what: str = "an item"):
        """The first item since the mark that `predicate` accepts, now or when it comes."""
        looked = self.marked
        hits = []

        def found():
            nonlocal looked
            while looked < len(self) and not hits:
                if predicate(self[looked]):
                    hits.append(self[looked])
                looked += 1
            return hits or self.ended is not None

        with self.changed:
            self.changed.wait_for(found, timeout)
        if hits:
            return hits[0]
        if self.ended is not None:
            raise Ended(f"{self.name} ended before {what} came ({self.ended}){self._tail()}")
        raise TimeoutError(f"{self.name}: {timeout} s passed without {what}{self._tail()}")

    def await_true(self, condition, timeout: float = 30, what: str = "a condition") -> None:
        """Waits until `condition`, which looks at the items itself, holds; it is asked again at each arrival."""
        with self.changed:
            self.changed.wait_for(lambda: condition() or self.ended is not None, timeout)
            if condition():
                return
        if self.ended is not None:
            raise Ended(f"{self.name} ended before {what} came ({self.ended}){self._tail()}")
        raise TimeoutError(f"{self.name}: {timeout} s passed without {what}{self._tail()}")

    def await_end(self, timeout: float = 30) -> str:
        """Waits until nothing more will come; returns the reason."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.ended is not None, timeout):
                raise TimeoutError(f"{self.name} did not end in {timeout} s{self._tail()}")
        return self.ended

    def _tail(self) -> str:
        recent = self.recent()
        return f"; {len(recent)} others since the mark" + "".join(f"\n    {str(item)[:200]}" for item in recent[-8:])
