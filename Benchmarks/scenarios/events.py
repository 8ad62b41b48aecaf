"""How much later than the kernel's message a subscriber has the event."""

from collections import defaultdict

from lab.namespaces import Namespaces

from ..switches import Tap, delays_ms, unread, watching
from ..systems.linkwatch import Linkwatch
from ..systems.netlink import BareLoop, BareRelay
from . import Run, scenario

BLOCKS = 6
GOAL = 1.5
OURS = "linkwatchd"
LOOP = BareLoop.name
SYSTEMS = {BareRelay.name: BareRelay, OURS: lambda: Linkwatch(None)}
PERIOD_MS, WARM_PERIOD_MS = 10, 1


@scenario("event-latency", "Event to subscriber, beside a bare libmnl loop")
def event_latency(run: Run) -> None:
    """A tap's carrier goes off and on every 10 ms, and a bare libmnl loop in C sees it. Beside it, one after the other:
    a bare relay in C (such a loop that passes 900 bytes on to a second process), and linkwatchd with a subscriber (a
    bare loop in C as well). From just before the system call until the message, or the event, has been read. Each of
    the two subscribes first in half of the parts: the kernel serves the newest socket first. What they print is read
    when all is done, as the reading would take the processors from them. Two things stand between linkwatchd and the
    bare loop: a second process, which is what the relay adds, and code and memory that 10 ms of something else have
    driven from the caches, which is the difference to the last ratio, at a switch every millisecond."""
    with Namespaces("a") as lab:
        for name in SYSTEMS:
            _compare(run, lab, name, PERIOD_MS, "", GOAL if name == OURS else None)
        _compare(run, lab, OURS, WARM_PERIOD_MS, f", a switch every {WARM_PERIOD_MS} ms", None)


def _compare(run: Run, lab: Namespaces, name: str, period_ms: int, when: str, goal: float | None) -> None:
    collected, medians = latencies(lab, name, run.times(1000, 200), period_ms), {}
    for watcher, label in ((LOOP, f"{LOOP}, beside {name}{when}"), (name, f"{name}{when}")):
        for up, what in ((False, "loss"), (True, "return")):
            delays, missed = collected[watcher, up]
            run.figure(label, f"{what} to reader", "us", [delay * 1000 for delay in delays], missed)
        delays = [delay * 1000 for up in (False, True) for delay in collected[watcher, up][0]]
        medians[watcher] = run.figure(label, "both", "us", delays).median
    run.figure(f"{name} / bare loop{when}", "ratio of the medians", "", [medians[name] / medians[LOOP]], goal=goal)


def latencies(lab: Namespaces, name: str, losses: int, period_ms: int) -> dict:
    """Delays in milliseconds and misses of a system and of the bare loop beside it, by watcher and direction, in the
    namespace "a" of a lab."""
    collected = defaultdict(lambda: ([], 0))
    for block in range(BLOCKS):
        named = {LOOP: BareLoop(), name: SYSTEMS[name]()}
        tap = Tap(lab, "a", "t0", losses // BLOCKS, period_ms, "flush")
        with watching(lab, "a", "t0", list(named.values())[:: 1 - block % 2 * 2]) as running:
            with unread(running.values()):
                switches = tap.switch()
        tap.close()
        for watcher, system in named.items():
            for up in (False, True):
                delays, missed = delays_ms(switches, running[system].words, up)
                before, missed_before = collected[watcher, up]
                collected[watcher, up] = (before + delays, missed_before + missed)
    return collected
