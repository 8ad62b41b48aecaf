"""The scenarios, one row of the page each: what is done to whom, and what is counted.

A scenario is a function that takes a `Run` and gives it figures. It says what it needs by its lab: `namespaces` (root
on any Linux) or `wire` (the guest of the wire lab, `make bench-lab`).
"""

import importlib
import time
from dataclasses import dataclass, field
from typing import Callable

from .. import machine
from ..figures import Figure, Row

MODULES = ["links", "events", "costs", "scale", "routes", "wire", "takeover", "failover", "footprint"]


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    lab: str
    run: Callable

    @property
    def about(self) -> str:
        """The function's own words."""
        return " ".join((self.run.__doc__ or "").split())


known: dict[str, Scenario] = {}


def scenario(name: str, title: str, lab: str = "namespaces"):
    """Makes a function a scenario."""

    def register(function):
        known[name] = Scenario(name, title, lab, function)
        return function

    return register


def load_all() -> dict[str, Scenario]:
    """All scenarios by name, in the page's order."""
    for module in MODULES:
        importlib.import_module(f"{__name__}.{module}")
    return known


@dataclass
class Run:
    """What a scenario works with: how much to do, and where its figures go."""

    row: Row
    quick: bool = False
    say: Callable[[str], None] = print
    _loads: list[str] = field(default_factory=list)

    def times(self, whole, quick):
        """How much to do: the whole measure, or that of a quick run."""
        return quick if self.quick else whole

    def figure(
        self, system: str, what: str, unit: str, values: list[float], missed: int = 0, goal: float | None = None
    ) -> Figure:
        """Takes a figure, and prints it."""
        figure = Figure(system, what, unit, list(values), missed, goal)
        self.row.figures.append(figure)
        self.row.load.append(machine.load())
        median, quartiles, extremes, count, goal_text = figure.cells()
        detail = [f"median {median}"]
        detail += [f"quartiles {quartiles}", f"extremes {extremes}"] if quartiles else []
        detail += [f"n {count}", f"load {self.row.load[-1]}"] + ([f"goal {goal_text}"] if goal_text else [])
        self.say(f"  {system}: {what}: " + ", ".join(detail))
        return figure

    def note(self, text: str) -> None:
        """Says something about the figures that they do not say themselves."""
        self.row.notes.append(text)
        self.say(f"  ({text})")


def carry_out(scenario: Scenario, command: str, quick: bool) -> Row:
    """Runs a scenario, and times it; one that fails keeps the figures that it has."""
    row = Row(scenario.name, scenario.title, scenario.about, command, quick=quick)
    row.started = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    row.revision, row.machine = machine.revision(), machine.facts()
    row.load.append(machine.load())
    print(f"== {scenario.name}: {scenario.title}\n  $ {command}   (load {row.load[0]})", flush=True)
    began = time.monotonic()
    try:
        scenario.run(Run(row, quick, say=lambda text: print(text, flush=True)))
    except Exception as problem:
        row.failed = f"{type(problem).__name__}: {str(problem).partition(chr(10))[0][:200]}"
        print(f"  FAILED: {type(problem).__name__}: {problem}", flush=True)
    row.seconds = round(time.monotonic() - began, 1)
    return row
