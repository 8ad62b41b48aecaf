"""A full table's worth of route changes, when only default routes matter."""

import itertools
import subprocess
import time

from lab.namespaces import Namespaces

from .. import yardsticks
from ..processes import Peak, cpu_ms, memory_mb
from ..systems import linkwatch
from . import Run, scenario


@scenario("route-churn", "100,000 and 1,000,000 route changes")
def route_churn(run: Run) -> None:
    """A C program adds and deletes routes 10.x.y.0/24 as fast as the kernel takes them, while one program at a time
    watches: linkwatchd, which tracks default routes and has the kernel drop the rest; a bare libmnl loop that reads
    and counts everything; `ip monitor route` into /dev/null; and nobody. The time of the changes themselves, the
    processor time of who watches, and its memory. At the end a default route is added, and linkwatchd must tell its
    subscriber."""
    for changes, watcher in itertools.product(run.times([100_000, 1_000_000], [100_000]), WATCHERS):
        told, said = [], set()
        for _ in range(run.times(3, 1)):
            with yardsticks.private_copies(), Namespaces("a") as lab:
                lab.ip("a", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up")
                *figures, words = WATCHERS[watcher](lab, changes)
                told.append(figures)
                said.add(words)
        spent, cpu, memory = zip(*told)
        run.figure(watcher, f"{changes:,} changes, time of the changes", "ms", spent)
        if watcher != NOBODY:
            run.figure(watcher, f"{changes:,} changes, CPU of the watcher", "ms", cpu)
            run.figure(watcher, f"{changes:,} changes, PSS at most", "MB", memory)
            run.note(f"{changes:,} changes: {watcher}: {'; '.join(sorted(said))}")


def _nobody(lab: Namespaces, changes: int) -> tuple:
    return *_changes(lab, changes, []), ""


def _linkwatchd(lab: Namespaces, changes: int) -> tuple:
    with linkwatch.daemon(lab, "a", "100ms") as daemon, daemon.watch(routes=True) as events:
        told = _changes(lab, changes, [daemon.pid])
        events.mark()
        lab.ip("a", "route add default dev v0")
        events.await_item(lambda event: event["kind"] == "route", what="the default route")
        statistics = daemon.call("Statistics")
    received, overruns = statistics["netlinkMessages"], statistics["netlinkOverruns"]
    return *told, f"received {received} messages, {overruns} overruns, and told its subscriber of the default route"


def _bare_loop(lab: Namespaces, changes: int) -> tuple:
    options = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    reader = lab.popen("a", yardsticks.program("route-events"), **options)
    reader.stdout.readline()
    told = _changes(lab, changes, [reader.pid])
    reader.terminate()
    messages, overruns = reader.stdout.read().split()
    return *told, f"received {messages} messages, {overruns} overruns"


def _ip_monitor(lab: Namespaces, changes: int) -> tuple:
    output = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    reader = lab.popen("a", "ip", "monitor", "route", stdin=subprocess.DEVNULL, **output)
    time.sleep(0.5)
    told = _changes(lab, changes, [reader.pid])
    reader.terminate()
    return *told, f"{reader.stderr.read().count('No buffer space')} overruns"


NOBODY = "nobody"
WATCHERS = {
    NOBODY: _nobody,
    "linkwatchd": _linkwatchd,
    "bare libmnl loop in C": _bare_loop,
    "ip monitor route": _ip_monitor,
}


def _changes(lab: Namespaces, changes: int, pids: list[int]) -> tuple[float, float, float]:
    """Milliseconds of the changes, CPU milliseconds of the watcher, its largest PSS."""
    before = cpu_ms(pids)
    with Peak(pids) as peak:
        spent, errors = lab.run("a", yardsticks.program("churn"), "v0", changes, timeout=600).split()
        time.sleep(0.3)
    if int(errors):
        raise RuntimeError(f"the kernel refused {errors} batches")
    return float(spent), cpu_ms(pids) - before, peak.mb
