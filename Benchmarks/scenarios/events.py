"""How much later than the kernel's message a subscriber has the event."""

from lab.namespaces import Namespaces

from ..switches import Tap, delays_ms, watching
from ..systems.linkwatch import Linkwatch
from ..systems.netlink import BareLoop, BareRelay
from . import Run, scenario

BLOCKS = 6
GOAL = 1.5
OURS = "linkwatchd"


@scenario("event-latency", "Event to subscriber, beside a bare libmnl loop")
def event_latency(run: Run) -> None:
    """A tap's carrier goes off and on every 10 ms; a bare libmnl loop in C, a bare relay in C (such a loop that
    passes 900 bytes on to a second process) and a subscriber of linkwatchd (a bare loop in C as well) see the same
    events. From just before the system call until the message, or the event, has been read. They subscribe in another
    order in each sixth: the kernel serves the newest socket first."""
    with Namespaces("a") as lab:
        collected = latencies(lab, run.times(1000, 200), 10)
    medians = {}
    for watcher in (BareLoop.name, BareRelay.name, OURS):
        for up, name in ((False, "loss"), (True, "return")):
            delays, missed = collected[watcher, up]
            run.figure(watcher, f"{name} to reader", "us", [delay * 1000 for delay in delays], missed)
        delays = [delay * 1000 for up in (False, True) for delay in collected[watcher, up][0]]
        medians[watcher] = run.figure(watcher, "both", "us", delays).median
    for watcher, goal in ((BareRelay.name, None), (OURS, GOAL)):
        ratio = medians[watcher] / medians[BareLoop.name]
        run.figure(f"{watcher} / bare loop", "ratio of the medians", "", [ratio], goal=goal)


def latencies(lab: Namespaces, losses: int, period_ms: int) -> dict:
    """Delays in milliseconds and misses, by watcher and direction, in the namespace "a" of a lab."""
    names = (BareLoop.name, BareRelay.name, OURS)
    collected = {(name, up): ([], 0) for name in names for up in (False, True)}
    for block in range(BLOCKS):
        named = dict(zip(names, (BareLoop(), BareRelay(), Linkwatch(None))))
        order = [named[names[(place + block) % len(names)]] for place in range(len(names))]
        tap = Tap(lab, "a", "t0", losses // BLOCKS, period_ms, "flush")
        with watching(lab, "a", "t0", order) as running:
            switches = tap.switch()
        tap.close()
        for name, watcher in named.items():
            for up in (False, True):
                delays, missed = delays_ms(switches, running[watcher].words, up)
                before, missed_before = collected[name, up]
                collected[name, up] = (before + delays, missed_before + missed)
    return collected
