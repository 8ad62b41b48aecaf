"""A figure and a row of figures: values as they were measured, and how they are told.

A figure keeps every value, so that the summary can be made anew. It is told by its median, its quartiles and its
extremes: one number of a busy machine says nothing.
"""

import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Figure:
    """What one system did. `values` are in `unit`; `missed` counts the times at which nothing came; `goal`, if any, is
    what the median should be at most."""

    system: str
    what: str
    unit: str
    values: list[float] = field(default_factory=list)
    missed: int = 0
    goal: float | None = None

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.values) < 2:
            return self.values[0], self.values[0]
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third

    @property
    def verdict(self) -> str:
        """Whether the goal is met; nothing without one."""
        if self.goal is None or self.median is None:
            return ""
        return "met" if self.median <= self.goal else "MISSED"

    def cells(self) -> list[str]:
        """Median, quartiles, extremes, count and goal, as text."""
        if not self.values:
            return ["never", "", "", f"0 of {self.missed}", _goal(self)]
        spread = ["", ""]
        if len(self.values) > 1:
            first, third = self.quartiles
            spread = [f"{shown(first)} .. {shown(third)}", f"{shown(min(self.values))} .. {shown(max(self.values))}"]
        count = str(len(self.values)) + (f" of {len(self.values) + self.missed}" if self.missed else "")
        return [f"{shown(self.median)} {self.unit}".strip(), *spread, count, _goal(self)]


@dataclass
class Row:
    """One scenario's figures, and under which circumstances they came about; `failed` says why it ended early."""

    name: str
    title: str
    about: str
    command: str
    started: str = ""
    seconds: float = 0
    load: list[str] = field(default_factory=list)
    revision: str = ""
    machine: dict = field(default_factory=dict)
    quick: bool = False
    failed: str | None = None
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raw: dict = field(default_factory=dict)

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(record: dict) -> "Row":
        figures = [Figure(**figure) for figure in record.pop("figures")]
        return Row(**record, figures=figures)


def shown(value: float) -> str:
    """Three significant digits, and no exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def _goal(figure: Figure) -> str:
    return "" if figure.goal is None else f"at most {shown(figure.goal)}: {figure.verdict or 'no value'}"
