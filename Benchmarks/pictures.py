"""docs/*.svg, drawn from the rows in bench-results/.

    failover.svg    one failover of linkwatch and one of keepalived, one above the other, from the same guest
    detection.svg   when each watcher knew of a cut wire or a lost carrier: every value a dot
    footprint.svg   memory and processor time against the number of virtual routers

The ground is transparent and all text is a grey that is read on white and on black.
"""

import re
import sys
from pathlib import Path

from .figures import Row
from .machine import CHECKOUT

DOCS = CHECKOUT / "docs"
INK, FAINT = "#808890", "#80889055"
COLOURS = {"linkwatch": "#2f9e5f", "keepalived": "#d9822b", "FRR": "#8a6fd1", "kernel": "#4a90d9", "other": "#a0708a"}
TIMELINE_ROW = "wire-takeover"
TIMELINE_SYSTEMS = [
    "linkwatch, adverts every 1s, heartbeats over 2 cables, MII every 10ms",
    "keepalived, adverts every 1 s, MII polling",
]


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
    return [path for path in (_drawn(picture, rows) for picture in (_failover, _detection, _footprint)) if path]


def _drawn(picture, rows: dict[str, Row]) -> Path | None:
    """A picture that cannot be drawn from what some row has keeps nobody from the page."""
    try:
        return picture(rows)
    except Exception as problem:
        print(f"not drawn: {picture.__name__.strip('_')}: {type(problem).__name__}: {problem}", file=sys.stderr)
        return None


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
    """Each system twice: all of it, and the first moments."""
    from matplotlib import pyplot

    row = rows.get(TIMELINE_ROW)
    timelines = {} if row is None else row.raw.get("timelines", {})
    systems = [system for system in TIMELINE_SYSTEMS if system in timelines]
    if not systems:
        return None
    figure, panels = pyplot.subplots(
        len(systems), 2, figsize=(10, 2.9 * len(systems)), sharex="col", sharey="row", squeeze=False,
        layout="constrained", width_ratios=[3, 2],
    )  # fmt: skip
    end = max(silence[1] for system in systems for silence in timelines[system]["silences"]) + 700
    for (whole, near), system in zip(panels, systems):
        _timeline(whole, system, timelines[system], (-1100, end))
        _timeline(near, system, timelines[system], (-8, NEAR_MS))
        whole.set_title(system, loc="left", color=_colour(system), size=10)
    panels[-1, 0].set_xlabel("milliseconds after the wire of the master's inside leg was cut; adverts every second")
    panels[-1, 1].set_xlabel(f"the first {NEAR_MS} ms of it")
    figure.supxlabel(
        "circle: outside leg or first cable, square: inside leg or second cable; hollow: goodbye (priority 0), or gone",
        size=9, color=INK,
    )  # fmt: skip
    return _save(figure, "failover.svg")


NEAR_MS = 60
LANES = {
    "client": None,
    "LVS2: ARP": ("r2", "arp"),
    "LVS2: advert": ("r2", "advert"),
    "LVS2: addresses": ("r2", "address"),
    "LVS1: heartbeat": ("r1", "heartbeat"),
    "LVS1: advert": ("r1", "advert"),
    "LVS1: addresses": ("r1", "address"),
    "LVS1: verdict": ("r1", "verdict"),
    "LVS1: netlink": ("r1", "netlink"),
    "LVS1: PHY (MII)": ("r1", "mii"),
    "wire": None,
}


def _timeline(panel, system: str, timeline: dict, span: tuple[float, float]) -> None:
    """What happened in this span of milliseconds, a lane each; the same lanes for every system."""
    for place, (name, key) in enumerate(LANES.items()):
        for frame in timeline["frames"]:
            if (frame["router"], frame["kind"]) == key and span[0] < frame["ms"] < span[1]:
                _frame(panel, frame, place, _colour(system))
    places = list(LANES)
    if span[0] < -100 and not any(frame["kind"] == "netlink" for frame in timeline["frames"]):
        panel.text(span[1], places.index("LVS1: netlink"), "later ", va="center", ha="right", size=8)
    panel.barh(places.index("wire"), 0 - span[0], 0.3, span[0], color=INK)
    _client(panel, timeline["silences"], span)
    panel.axvline(0, color=INK, linewidth=1, linestyle="--")
    panel.set_yticks(range(len(LANES)), places, size=8)
    panel.set_xlim(*span)
    panel.set_ylim(-0.6, len(LANES) - 0.4)
    panel.grid(axis="y", color=FAINT, linewidth=0.5)


def _frame(panel, frame: dict, place: int, colour: str) -> None:
    """A circle for the outside leg or first cable, a square for the other; hollow for a goodbye or what is given up."""
    is_first = frame["leg"] in ("e0", "hb0")
    is_over = frame["kind"] in ("advert", "heartbeat", "address") and frame["priority"] == 0
    panel.plot(
        frame["ms"], place + (0.14 if is_first else -0.14), "o" if is_first else "s",
        color=colour, markersize=3.5, fillstyle="none" if is_over else "full", markeredgewidth=0.8,
    )  # fmt: skip


def _client(panel, silences: list, span: tuple[float, float]) -> None:
    start_ms, end_ms = max(silences, key=lambda silence: silence[1] - silence[0])
    panel.barh(0, min(end_ms, span[1]) - start_ms, 0.5, start_ms, color="#d04848")
    if span[0] < -100:
        place = (end_ms, 0, "left") if end_ms < span[1] / 2 else (start_ms, 0, "right")
        text = f" waits {end_ms - start_ms:,.0f} ms "
        panel.text(place[0], place[1], text, va="center", ha=place[2], size=8)


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
    ("carrier-tap", "a tap loses its carrier while others flap"),
]


def _detectors(row: Row) -> list:
    return [figure for figure in row.figures if "(alone)" not in figure.what]


def _label(figure) -> str:
    """Those without a probe gain from linkwatchd's, where there is one."""
    probes = re.search(r", (\d+ms)\)", figure.what)
    return figure.system if not probes or "linkwatchd" in figure.system else f"{figure.system}, beside it"


def _dots(axis, figures: list) -> None:
    for place, figure in enumerate(reversed(figures)):
        colour = _colour(figure.system)
        shown = [max(value, 0.1) for value in figure.values]
        axis.plot(shown, [place] * len(shown), "o", color=colour, alpha=0.6, markersize=4, markeredgewidth=0)
        if figure.values:
            axis.plot(max(figure.median, 0.1), place, "|", color=colour, markersize=14, markeredgewidth=2.5)
        if figure.missed:
            text = "never" if not figure.values else f"missed {figure.missed}"
            axis.text(1.01, place, text, transform=axis.get_yaxis_transform(), ha="left", va="center", size=8)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_yticks(range(len(figures)), [_label(figure) for figure in reversed(figures)])
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
        axis.set_xticks([1, 100, 255])
        if kind != "PSS":
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:,g}")
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
