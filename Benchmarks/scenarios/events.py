"""How much later than the kernel's message a subscriber has the event."""

from lab.namespaces import Namespaces

from ..switches import Tap, delays_ms, watching
from ..systems.linkwatch import Linkwatch
from ..systems.netlink import BareLoop
from . import Run, scenario

BLOCKS = 4
GOAL = 1.5
OURS = "linkwatchd"


@scenario("event-latency", "Event to subscriber, beside a bare libmnl loop")
def event_latency(run: Run) -> None:
    """A tap's carrier goes off and on every 10 ms; a bare libmnl loop in C and a subscriber of linkwatchd (a bare
    loop in C as well) see the same events. From just before the system call until the message, or the event, has been
    read. Half of the events with the one subscribed last, half with the other: the kernel serves the newest socket
    first."""
    with Namespaces("a") as lab:
        collected = latencies(run, lab, run.times(1000, 200), 10)
    for up, name in ((False, "loss"), (True, "return")):
        for watcher in (BareLoop.name, OURS):
            delays, missed = collected[watcher, up]
            run.figure(watcher, f"{name} to reader", "us", [delay * 1000 for delay in delays], missed)
    medians = {}
    for watcher in (BareLoop.name, OURS):
        delays = [delay * 1000 for up in (False, True) for delay in collected[watcher, up][0]]
        medians[watcher] = run.figure(watcher, "both", "us", delays).median
    ratio = medians[OURS] / medians[BareLoop.name]
    run.figure(f"{OURS} / bare loop", "ratio of the medians", "", [ratio], goal=GOAL)


def latencies(run: Run, lab: Namespaces, losses: int, period_ms: int) -> dict:
    """Delays in milliseconds and misses, by watcher and direction, in the namespace "a" of a lab."""
    collected = {(name, up): ([], 0) for name in (BareLoop.name, OURS) for up in (False, True)}
    for block in range(BLOCKS):
        watchers = [BareLoop(), Linkwatch(None)]
        if block % 2:
            watchers.reverse()
        tap = Tap(lab, "a", "t0", losses // BLOCKS, period_ms, "flush")
        with watching(lab, "a", "t0", watchers) as running:
            switches = tap.switch()
        tap.close()
        for watcher in watchers:
            name = watcher.name if isinstance(watcher, BareLoop) else OURS
            for up in (False, True):
                delays, missed = delays_ms(switches, running[watcher].words, up)
                before, missed_before = collected[name, up]
                collected[name, up] = (before + delays, missed_before + missed)
    return collected
