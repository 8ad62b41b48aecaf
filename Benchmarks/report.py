"""docs/benchmarks.md, made from the rows in bench-results/."""

import json
from collections import Counter

from . import pictures, scenarios
from .figures import Row
from .machine import CHECKOUT
from .yardsticks import RESULTS

PAGE = CHECKOUT / "docs/benchmarks.md"
HEAD = """# Benchmarks

`make bench` and `make bench-lab` write this page. The command above each table measures its figures again.

`Benchmarks/` has the code. All lines of a table come from one run on one machine with one clock, and all systems are
driven through the same interface. A line has the median, the quartiles and the extremes of its values. "17 of 20" means
that in 3 of 20 cases the event never came. The load is the machine's load average of one minute during the measurement;
the number of processors is below.
"""
FAIRNESS = """## What to know before comparing

The authors of linkwatch made these measurements. This was done to make them fair, and these are their limits:

- All systems get the same addresses, priorities (200 and 100, preempting), advert interval and VRRP version 3. The same
  programs measure the same events for all, and do not know which system they measure. In namespaces no system has
  real-time scheduling; in the wire lab linkwatch's daemons and keepalived both have priority 40.
- keepalived is Debian's version, which is not the newest; in namespaces another one is measured if it comes first in
  `PATH`. It has a sync group over both legs and `linkbeat_interfaces` (MII polling, which is fixed at one second) where a wire
  is cut, and there are rows without it; its checkers and smtp are off. It sends its first gratuitous ARPs at once;
  `garp_master_delay` only concerns the second set. Its log goes to a file, so that it does not wait for a reader; in the
  wire lab it goes to a pipe.
- `down_timer_adverts` (`vrrp_down_timer_adverts`) stays at 3, as linkwatch's three intervals do: keepalived's manual
  calls another value a deviation from VRRP. With 1 a backup waits a third as long, and one lost advert is a failover.
- Only linkwatch with heartbeats over separate cables is quick at every advert interval; keepalived has no heartbeats.
  The tables also show linkwatch without cables: like keepalived it then waits for missing adverts, except when it can
  still resign on the leg that works.
- linkwatch asks the drivers every 10 ms in the rows about failover, every 100 ms (its default) in those about cost. In
  the rows about failover in namespaces a lost carrier is announced at once to everyone, so polling makes no difference.
- FRR's vrrpd has no sync group: when one leg fails, the other stays where it is, and the client is not served.
  That follows from its configuration and is not a defect.
- linkwatch is two daemons, and the rows about memory count both; `linkwatch-vrrp alone` does what keepalived does.
  There each system runs from copies of its programs and libraries, so that it shares no pages and its PSS is that of a
  system alone on a machine. If other programs use the same libraries, each of them has less.
- `kill -9` ends one process, the one that speaks VRRP. If every process of a system dies, keepalived's and FRR's
  addresses stay in the kernel until somebody removes them: both directors hold them, as long as we
  looked. linkwatch's addresses have a lifetime of three seconds in the kernel, and the other director waits until they are
  gone.
- The wire lab's cards and its processor are emulated: its milliseconds compare systems with each other, not with a real
  router.
"""

CAPTIONS = {
    "failover": """One failover of each system, that of the median length, from the row `wire-takeover`: the wire of the
master's inside leg is cut, with adverts every second. LVS1 is the master, LVS2 the backup; the client's bar begins with
its last transfer, and it starts one every 25 ms.""",
    "detection": """How long it took until each watcher knew, from `wire-e1000`, `wire-e1000e` and `carrier-tap`: a dot
for each cut, a bar for the median.""",
    "footprint": "Memory and processor time with 1, 100 and 255 virtual routers, from `instances`.",
}


def rows() -> list[Row]:
    """The rows that have been measured, in the order of the scenarios."""
    found = []
    for name in scenarios.load_all():
        path = RESULTS / f"{name}.json"
        if path.exists():
            found.append(Row.from_json(json.loads(path.read_text())))
    return found


def write() -> None:
    """The page and the pictures."""
    measured = rows()
    if not measured:
        return
    usual = Counter(row.revision for row in measured).most_common(1)[0][0]
    parts = [HEAD, _machine(measured, usual)]
    missing = [name for name in scenarios.known if name not in {row.name for row in measured}]
    drawn = pictures.draw({row.name: row for row in measured})
    parts += [f"![{path.stem}]({path.name})\n\n{CAPTIONS[path.stem]}\n" for path in drawn]
    parts += [FAIRNESS, *(_row(row, usual) for row in measured)]
    if missing:
        parts.append("Not measured in these runs: " + ", ".join(f"`{name}`" for name in missing) + ".\n")
    PAGE.write_text("\n".join(parts))
    print("wrote " + ", ".join(str(path.relative_to(CHECKOUT)) for path in [PAGE, *drawn]))


def _machine(measured: list[Row], usual: str) -> str:
    """The facts of all rows, each once; those of the newest row count."""
    facts: dict[str, str] = {}
    for row in sorted(measured, key=lambda row: row.started):
        facts |= row.machine
    facts["linkwatch"] = f"{usual}, unless a row says otherwise"
    lines = [f"| {name} | {value} |" for name, value in facts.items()]
    return "\n".join(["| measured on | |", "|---|---|", *lines, ""])


def _row(row: Row, usual: str) -> str:
    loads = sorted(float(load) for load in row.load)
    other = "" if row.revision == usual else " (another than that of most rows)"
    lines = [f"## {row.title}", "", row.about, "", f"    {row.command}", ""]
    measured = f"{row.started}, commit {row.revision}{other}, {row.seconds:.0f} s, load {loads[0]} to {loads[-1]}.\n"
    lines.append(measured)
    if row.failed is not None:
        lines.append(f"**This run ended early, so values are missing: {row.failed}**\n")
    if row.figures:
        lines += ["| system | what | median | quartiles | extremes | values | goal |"]
        lines += ["|---|---|---:|---:|---:|---:|---|"]
    for figure in row.figures:
        lines.append("| " + " | ".join([figure.system, figure.what, *figure.cells()]) + " |")
    lines += ["", *(f"- {note}" for note in row.notes)]
    return "\n".join([*lines, ""]) if row.notes else "\n".join(lines)
