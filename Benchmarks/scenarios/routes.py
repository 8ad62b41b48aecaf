"""A full table's worth of route changes, when only default routes matter."""

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
    for changes in run.times([100_000, 1_000_000], [100_000]):
        for watch in (_nobody, _linkwatchd, _bare_loop, _ip_monitor):
            with Namespaces("a") as lab:
                lab.ip("a", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up")
                watch(run, lab, changes)


def _nobody(run: Run, lab: Namespaces, changes: int) -> None:
    _tell(run, "nobody", changes, _changes(lab, changes, []))


def _linkwatchd(run: Run, lab: Namespaces, changes: int) -> None:
    with linkwatch.daemon(lab, "a", "100ms") as daemon, daemon.watch(routes=True) as events:
        told = _changes(lab, changes, [daemon.pid])
        events.mark()
        lab.ip("a", "route add default dev v0")
        events.await_item(lambda event: event["kind"] == "route", what="the default route")
        statistics = daemon.call("Statistics")
    _tell(run, "linkwatchd", changes, told)
    received, overruns = statistics["netlinkMessages"], statistics["netlinkOverruns"]
    counts = f"{received} messages, {overruns} overruns"
    run.note(f"{changes:,} changes: linkwatchd received {counts}, and told its subscriber of the default route")


def _bare_loop(run: Run, lab: Namespaces, changes: int) -> None:
    options = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    reader = lab.popen("a", yardsticks.program("route-events"), **options)
    reader.stdout.readline()
    told = _changes(lab, changes, [reader.pid])
    reader.terminate()
    messages, overruns = reader.stdout.read().split()
    _tell(run, "bare libmnl loop in C", changes, told)
    run.note(f"{changes:,} changes: the bare loop received {messages} messages, {overruns} overruns")


def _ip_monitor(run: Run, lab: Namespaces, changes: int) -> None:
    output = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    reader = lab.popen("a", "ip", "monitor", "route", stdin=subprocess.DEVNULL, **output)
    time.sleep(0.5)
    told = _changes(lab, changes, [reader.pid])
    reader.terminate()
    overruns = reader.stderr.read().count("No buffer space")
    _tell(run, "ip monitor route", changes, told)
    run.note(f"{changes:,} changes: ip monitor reported {overruns} overruns")


def _tell(run: Run, name: str, changes: int, told: tuple[float, float, float]) -> None:
    spent, cpu, memory = told
    run.figure(name, f"{changes:,} changes, time of the changes", "ms", [spent])
    if name != "nobody":
        run.figure(name, f"{changes:,} changes, CPU of the watcher", "ms", [cpu])
        run.figure(name, f"{changes:,} changes, PSS at most", "MB", [memory])


def _changes(lab: Namespaces, changes: int, pids: list[int]) -> tuple[float, float, float]:
    """Milliseconds of the changes, CPU milliseconds of the watcher, its largest PSS."""
    before = cpu_ms(pids)
    with Peak(pids) as peak:
        spent, errors = lab.run("a", yardsticks.program("churn"), "v0", changes, timeout=600).split()
        time.sleep(0.3)
    if int(errors):
        raise RuntimeError(f"the kernel refused {errors} batches")
    return float(spent), cpu_ms(pids) - before, peak.mb
