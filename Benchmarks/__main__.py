"""Runs scenarios and writes what they measured.

    make bench                      every row that needs root and namespaces alone, then docs/benchmarks.md
    make bench-lab                  every row that needs the wire lab
    make bench BENCH="--only event-latency --quick"

Each row goes to bench-results/ROW.json with every value that was measured; docs/benchmarks.md and the pictures are made
from those files, so one row can be measured anew. A quick run writes neither. A row that fails, or takes too long, is
kept as far as it came and says so; the others are measured all the same.
"""

import argparse
import json
import signal
import sys

from lab.namespaces import why_not

from . import report, scenarios, yardsticks
from .figures import Row

ROW_SECONDS_MAX = 1800


def main() -> int:
    known = scenarios.load_all()
    parser = argparse.ArgumentParser(prog="Benchmarks", description="measure linkwatch beside others")
    parser.add_argument("--only", action="append", choices=known, metavar="ROW", help="this row; may be repeated")
    parser.add_argument("--lab", choices=["namespaces", "wire"], default="namespaces", help="all rows of this lab")
    parser.add_argument("--quick", action="store_true", help="few repetitions; nothing is written to docs/")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--report", action="store_true", help="only make docs/benchmarks.md and the pictures anew")
    options = parser.parse_args()
    if options.list:
        for scenario in known.values():
            print(f"{scenario.name:18} {scenario.lab:11} {scenario.title}")
        return 0
    if options.report:
        report.write()
        return 0
    if (why := why_not()) is not None:
        print(f"not measured: {why}", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    signal.signal(signal.SIGALRM, _too_long)
    chosen = options.only or [name for name, scenario in known.items() if scenario.lab == options.lab]
    failed = [name for name in chosen if not _measure(known[name], options.quick)]
    if not options.quick:
        report.write()
    for name in failed:
        print(f"ended early: {name}", file=sys.stderr)
    return 1 if failed else 0


def _end(number: int, _) -> None:
    """As Ctrl-C, so that whatever runs is ended and removed."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def _too_long(*_) -> None:
    raise TimeoutError(f"it took longer than {ROW_SECONDS_MAX} s")


def _measure(scenario: scenarios.Scenario, quick: bool) -> bool:
    command = f"make bench BENCH='--only {scenario.name}{' --quick' if quick else ''}'"
    signal.alarm(ROW_SECONDS_MAX)
    try:
        row = scenarios.carry_out(scenario, command, quick)
    finally:
        signal.alarm(0)
    _keep(row)
    return row.failed is None


def _keep(row: Row) -> None:
    folder = yardsticks.RESULTS / "quick" if row.quick else yardsticks.RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{row.name}.json").write_text(json.dumps(row.to_json(), indent=1))


if __name__ == "__main__":
    sys.exit(main())
