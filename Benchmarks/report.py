"""docs/benchmarks.md, made from the rows in bench-results/."""

import json

from . import pictures, scenarios
from .figures import Row
from .machine import CHECKOUT
from .yardsticks import RESULTS

PAGE = CHECKOUT / "docs/benchmarks.md"
HEAD = """# Benchmarks

This page is written by `make bench` and `make bench-lab`; every figure can be measured again by the command above it.
What is measured, and how, is in `Benchmarks/`: the scenarios know the systems under test by a small protocol only, and
all of a group of lines come from one run on one machine by one clock. A line is a median, the quartiles and the
extremes of as many values as it says; "of" how many, where some never came. The load is that of the machine's last
minute while it was measured (the number of processors is below).
"""


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
    parts = [HEAD, _machine(measured[-1])]
    missing = [name for name in scenarios.known if name not in {row.name for row in measured}]
    drawn = pictures.draw({row.name: row for row in measured})
    parts += [f"![{path.stem}]({path.name})\n" for path in drawn]
    parts += [_row(row) for row in measured]
    if missing:
        parts.append("Not measured in these runs: " + ", ".join(f"`{name}`" for name in missing) + ".\n")
    PAGE.write_text("\n".join(parts))
    print("wrote " + ", ".join(str(path.relative_to(CHECKOUT)) for path in [PAGE, *drawn]))


def _machine(row: Row) -> str:
    lines = [f"| {name} | {value} |" for name, value in row.machine.items()]
    return "\n".join(["| measured on | |", "|---|---|", *lines, ""])


def _row(row: Row) -> str:
    loads = sorted(float(load) for load in row.load)
    lines = [f"## {row.title}", "", row.about, "", f"    {row.command}", ""]
    lines.append(f"{row.started}, commit {row.revision}, {row.seconds:.0f} s, load {loads[0]} to {loads[-1]}.\n")
    lines += ["| system | what | median | quartiles | extremes | values | goal |", "|---|---|---:|---:|---:|---:|---|"]
    for figure in row.figures:
        lines.append("| " + " | ".join([figure.system, figure.what, *figure.cells()]) + " |")
    lines += ["", *(f"- {note}" for note in row.notes)]
    return "\n".join([*lines, ""]) if row.notes else "\n".join(lines)
