"""docs/*.svg, drawn from the rows in bench-results/.

    failover.svg    one failover of linkwatch and one of keepalived, one above the other, from the same row
    detection.svg   when each watcher knew of a cut wire or a lost carrier: every value a dot
    footprint.svg   memory and processor time against the number of virtual routers

The ground is transparent and all text is a grey that is read on white and on black.
"""

import re
from pathlib import Path

from .figures import Row
from .machine import CHECKOUT

DOCS = CHECKOUT / "docs"
INK, FAINT = "#808890", "#80889055"
COLOURS = {"linkwatch": "#2f9e5f", "keepalived": "#d9822b", "FRR": "#8a6fd1", "kernel": "#4a90d9", "other": "#a0708a"}
TIMELINE_ROW, TIMELINE_SYSTEMS = "failover-1s", ["linkwatch, 2 cables", "linkwatch", "keepalived"]


def draw(rows: dict[str, Row]) -> list[Path]:
    """Draws what there are rows for; returns the files."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none", "svg.hashsalt": "linkwatch", "font.family": "sans-serif", "font.size": 10,
            "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
            "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none", "figure.facecolor": "none",
        }
    )  # fmt: skip
    drawn = [_failover(rows), _detection(rows), _footprint(rows)]
    return [path for path in drawn if path]


def _save(figure, name: str) -> Path:
    path = DOCS / name
    figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
    return path


def _colour(system: str) -> str:
    for start, colour in COLOURS.items():
        if system.startswith(start):
            return colour
    return COLOURS["kernel" if system.startswith("IFF") or "ip monitor" in system or "bare" in system else "other"]


# One failover


def _failover(rows: dict[str, Row]) -> Path | None:
    from matplotlib import pyplot

    row = rows.get(TIMELINE_ROW)
    timelines = {} if row is None else row.raw.get("timelines", {})
    systems = [system for system in TIMELINE_SYSTEMS if f"{system}/carrier" in timelines]
    if not systems:
        return None
    figure, panels = pyplot.subplots(
        len(systems), 1, figsize=(9, 2.2 * len(systems)), sharex=True, squeeze=False, layout="constrained"
    )
    end = max(_end(timelines[f"{system}/carrier"]) for system in systems)
    for panel, system in zip(panels[:, 0], systems):
        _timeline(panel, system, timelines[f"{system}/carrier"], end)
    panels[-1, 0].set_xlabel(
        "milliseconds after the carrier of the master's second leg was cut; adverts every second\n"
        "dot: first leg or cable, square: second, cross: goodbye (priority 0)"
    )
    return _save(figure, "failover.svg")


def _end(timeline: dict) -> float:
    taken = [frame["ms"] for frame in timeline["frames"] if frame["router"] == "r2" and frame["kind"] == "arp"]
    return min(taken, default=0) + 1100


LANES = {
    "client": None,
    "r2: ARP": ("r2", "arp"),
    "r2: advert": ("r2", "advert"),
    "r1: heartbeat": ("r1", "heartbeat"),
    "r1: advert": ("r1", "advert"),
    "r1: verdict": ("r1", "verdict"),
    "r1: kernel's word": ("r1", "netlink"),
}


def _timeline(panel, system: str, timeline: dict, end: float) -> None:
    frames = [frame for frame in timeline["frames"] if frame["ms"] < end]
    present = {(frame["router"], frame["kind"]) for frame in frames}
    lanes = {name: key for name, key in LANES.items() if key is None or key in present}
    _client(panel, timeline["silences"], end)
    for place, key in enumerate(lanes.values()):
        for frame in frames:
            if (frame["router"], frame["kind"]) == key:
                _frame(panel, frame, place, _colour(system))
    panel.axvline(0, color=INK, linewidth=1, linestyle="--")
    panel.set_yticks(range(len(lanes)), lanes)
    panel.set_xlim(-1100, end)
    panel.set_ylim(-0.6, len(lanes) - 0.4)
    panel.grid(axis="y", color=FAINT, linewidth=0.5)
    panel.set_title(system, loc="left", color=_colour(system), size=11)


def _frame(panel, frame: dict, place: int, colour: str) -> None:
    """A dot for the first leg or cable, a square for the second, a cross for a goodbye (priority 0)."""
    is_first = frame["leg"] in ("e0", "hb0")
    is_goodbye = frame["kind"] in ("advert", "heartbeat") and frame["priority"] == 0
    mark = "x" if is_goodbye else "o" if is_first else "s"
    panel.plot(frame["ms"], place + (0.14 if is_first else -0.14), mark, color=colour, markersize=4)


def _client(panel, silences: list, end: float) -> None:
    longest = max(((b - a, a, b) for a, b in silences if a < end), default=(0, 0, 0))
    length, start_ms, end_ms = longest
    if length > 20:
        panel.broken_barh([(start_ms, length)], (-0.3, 0.6), color="#d04848")
    text = f"{length:.0f} ms without an answer" if length else "no answer missed"
    panel.text(max(end_ms, 0) + end / 100, 0, text, va="center", size=8)


# Detection


def _detection(rows: dict[str, Row]) -> Path | None:
    from matplotlib import pyplot

    panels = [(name, title) for name, title in DETECTION if name in rows]
    if not panels:
        return None
    heights = [len(_detectors(rows[name])) for name, _ in panels]
    figure, axes = pyplot.subplots(
        len(panels), 1, figsize=(9, 0.33 * sum(heights) + 0.6 * len(panels)), sharex=True, squeeze=False,
        layout="constrained", height_ratios=heights,
    )  # fmt: skip
    for axis, (name, title) in zip(axes[:, 0], panels):
        _dots(axis, _detectors(rows[name]))
        axis.set_title(title, loc="left", size=11)
    axes[-1, 0].set_xlabel("milliseconds until it is known (logarithmic)")
    return _save(figure, "detection.svg")


DETECTION = [
    ("wire-e1000", "a wire is cut: e1000"),
    ("wire-e1000e", "a wire is cut: e1000e, whose driver does not notice"),
    ("carrier-tap", "a tap loses its carrier while another flaps"),
]


def _detectors(row: Row) -> list:
    return [figure for figure in row.figures if "(quiet)" not in figure.what]


def _dots(axis, figures: list) -> None:
    for place, figure in enumerate(reversed(figures)):
        colour = _colour(figure.system)
        shown = [max(value, 0.1) for value in figure.values]
        axis.plot(shown, [place] * len(shown), "o", color=colour, alpha=0.45, markersize=4, markeredgewidth=0)
        if figure.values:
            axis.plot(max(figure.median, 0.1), place, "|", color=colour, markersize=14, markeredgewidth=2.5)
        if figure.missed:
            text = "never" if not figure.values else f"missed {figure.missed}"
            axis.text(0.99, place, text, transform=axis.get_yaxis_transform(), ha="right", va="center", size=8)
    axis.set_xscale("log")
    axis.set_yticks(range(len(figures)), [figure.system for figure in reversed(figures)])
    axis.set_ylim(-0.6, len(figures) - 0.4)
    axis.grid(axis="x", color=FAINT, linewidth=0.5)


# Footprint


def _footprint(rows: dict[str, Row]) -> Path | None:
    from matplotlib import pyplot

    row = rows.get("instances")
    if row is None:
        return None
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3), layout="constrained")
    kinds = [("PSS", "PSS, MB"), ("CPU a minute as master", "CPU a minute as master, ms")]
    kinds.append(("CPU a minute as backup", "CPU a minute as backup, ms"))
    for axis, (kind, title) in zip(axes, kinds):
        for system in dict.fromkeys(entry.system for entry in row.figures):
            points = _points(row, system, kind)
            if points:
                dashed = "--" if system == "linkwatch-vrrp alone" else "-"
                axis.plot(*zip(*points), dashed, marker="o", color=_colour(system), markersize=4, label=system)
        axis.set_title(title, size=10)
        axis.set_xlabel("virtual routers")
        axis.set_yscale("log" if kind != "PSS" else "linear")
        axis.grid(color=FAINT, linewidth=0.5)
    axes[0].legend(frameon=False, fontsize=8, labelcolor=INK)
    axes[0].set_ylim(bottom=0)
    return _save(figure, "footprint.svg")


def _points(row: Row, system: str, kind: str) -> list[tuple[int, float]]:
    points = []
    for entry in row.figures:
        found = re.match(rf"(\d+) virtual routers?: {kind}$", entry.what)
        if entry.system == system and found and entry.values:
            points.append((int(found.group(1)), max(entry.median, 0.1)))
    return points
