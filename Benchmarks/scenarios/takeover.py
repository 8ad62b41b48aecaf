"""The master's leg is cut: how long until the other director serves on both, and how long its client waits."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from lab.journal import Journal
from wirelab import pair
from wirelab.directors import Directors, Keepalived, Linkwatch
from wirelab.scenario import STEPS, Phase, carry_out

from .. import yardsticks
from ..systems import Word
from ..systems.guest import keepalived_word
from ..systems.linkwatch import subscriber_word
from ..witness import Frame
from . import Run, scenario

GOAL_MS = 50
CUTS = 11
GUEST_SECONDS_MAX = 1000
LEG = "l11"
# What a picture of one failover shows before the cut and after the client is served again.
BEFORE_MS, AFTER_MS = 1100, 1100


@scenario("wire-takeover", "Cut of the master's inside leg to takeover on both legs, e1000", lab="wire")
def wire_takeover(run: Run) -> None:
    """Two directors with two legs each, a client that transfers through IPVS without a pause, two servers: all in one
    guest, whose one emulated processor they share; the daemons have real-time scheduling. There is a guest for each
    advert interval, and every system runs in both, one after the other. A guest's clock counts its instructions, 4 ns
    each: a slow processor, but one that a busy host does not disturb, and nor does the other guest. QEMU unplugs the
    wire of the master's inside leg, at instants that keep no step with anyone's clock. From the instant at which the
    card's own status register was first seen to show it (a program of its own reads it every millisecond) until the
    kernel of the other director has both virtual addresses and that of the first none; and the longest time between
    two transfers of the client, which starts one every 25 ms, until it is served for a second without a failure: when
    the wire is cut, and when it is plugged in again and the first director takes its addresses back. Then for how long,
    in both together, an address was in both kernels."""
    guests = [_systems(run, adverts, seconds) for adverts, seconds in (("1s", 1), ("100ms", 0.1))]
    with ThreadPoolExecutor(len(guests)) as pool:
        for outcomes in [pool.submit(_guest, run, systems) for systems in guests]:
            for outcome in outcomes.result():
                _tell(run, outcome)


@dataclass
class Outcome:
    """What came of all cuts with one system, in milliseconds: the takeovers, the client's longest waits when cut and
    when restored, for how long an address was in both kernels from each cut until the way back; `timelines` by the
    length of the takeover."""

    name: str
    goal: float | None
    moves: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    twice: list[float] = field(default_factory=list)
    timelines: list[tuple[float, dict]] = field(default_factory=list)
    failed: str | None = None


@dataclass
class Guest:
    """A guest with its observers; `phases` are the instants of its cuts, `deadline` that of time.monotonic at which it
    has to be done."""

    lab: pair.Pair
    observers: "Observers"
    deadline: float
    phases: random.Random = field(default_factory=lambda: random.Random(2002))


def _systems(run: Run, adverts: str, seconds: float) -> list[tuple[Directors, float | None]]:
    stamp = yardsticks.program("stamp")
    ours = [(Linkwatch(adverts, cables), GOAL_MS if cables else None) for cables in (2, 0)]
    theirs = [(Keepalived(seconds, polling, stamp), None) for polling in (True, False)]
    return run.times(ours + theirs, [ours[0], theirs[0]])


def _guest(run: Run, systems: list[tuple[Directors, float | None]]) -> list[Outcome]:
    """Boots a guest and measures each system there; one that fails does not keep the others from it."""
    outcomes, deadline = [], time.monotonic() + GUEST_SECONDS_MAX
    with pair.boot() as vm:
        lab = pair.Pair(vm, watched=(LEG,), poll_us=1000)
        guest = Guest(lab, Observers(lab), deadline)
        for directors, goal in systems:
            outcomes.append(outcome := Outcome(directors.name, goal))
            began = time.monotonic()
            try:
                _measure(run, guest, directors, outcome)
            except Exception as problem:
                outcome.failed = f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}"
                with suppress(Exception):
                    directors.stop()
            run.say(f"  ... {directors.name}: {len(outcome.moves)} cuts in {time.monotonic() - began:.0f} s")
    return outcomes


def _measure(run: Run, guest: Guest, directors: Directors, outcome: Outcome) -> None:
    lab, observers = guest.lab, guest.observers
    directors.start(lab)
    observers.follow(directors)
    for _ in range(run.times(CUTS, 2)):
        if time.monotonic() > guest.deadline:
            raise TimeoutError("no time was left")
        time.sleep(guest.phases.random())
        observers.mark()
        both_ns = 0
        for phase in carry_out(lab, directors, STEPS[0]):
            both_ns += sum(one.until_ns - one.from_ns for one in phase.twice if one.until_ns is not None)
            (outcome.waits if phase.cut else outcome.returns).append(phase.wait_ms)
            if phase.cut:
                outcome.moves.append(phase.settled_ms)
                outcome.timelines.append((phase.settled_ms, observers.timeline(phase)))
        outcome.twice.append(both_ns / 1e6)
    observers.leave()
    directors.stop()


def _tell(run: Run, outcome: Outcome) -> None:
    for what, values, goal in (
        ("register to takeover", outcome.moves, outcome.goal),
        ("longest wait of the client", outcome.waits, None),
        ("longest wait of the client, way back", outcome.returns, None),
        ("both hold an address, until the way back", outcome.twice, None),
    ):
        if values:
            run.figure(outcome.name, what, "ms", values, goal=goal)
    if outcome.failed:
        run.note(f"{outcome.name}: ended early, {outcome.failed}")
    if outcome.timelines:
        ordered = sorted(outcome.timelines, key=lambda item: item[0])
        run.row.raw.setdefault("timelines", {})[outcome.name] = ordered[len(ordered) // 2][1]


class Observers:
    """What lies between the wire and the takeover, in the guest: the adverts and gratuitous ARPs that cross either LAN,
    the heartbeats that reach the backup, and what the master's side says of its link. They run with every system."""

    def __init__(self, lab: pair.Pair):
        self.lab, self.frames, self.words = lab, [], Journal("verdicts")
        self._programs: list = []
        lab.vm.warm(*(yardsticks.program(name) for name in ("frames", "stamp", "subscriber")))
        for namespace, ports in (("ca", ["ca0"]), ("s1", ["s10"]), ("r2", ["hb21", "hb22"])):
            lab.vm.spawn(*_early(namespace), yardsticks.program("frames"), *ports, parse=self._frame)

    def follow(self, directors: Directors) -> None:
        """What LVS1 says of its link: linkwatchd to a subscriber, keepalived in its log."""
        self.words = Journal("verdicts")
        if isinstance(directors, Linkwatch):
            argv = [*_early("r1"), yardsticks.program("subscriber"), directors.monitor("r1"), LEG]
            self._programs.append(self.lab.vm.spawn(*argv, stdout=self.words, parse=_published))
        else:
            self._log = directors.logs["r1"]

    def leave(self) -> None:
        while self._programs:
            self._programs.pop().stop()

    def mark(self) -> None:
        """What was seen before is history, but for what a picture shows of it."""
        self.frames[:] = self.frames[-200:]

    def timeline(self, phase: Phase) -> dict:
        """Frames, words, addresses and the client's wait, in milliseconds after the register showed the cut."""
        truth = self.lab.truth(LEG)
        seen = [frame for frame in self.frames if frame.kind != "arp" or frame.t_ns > phase.origin_ns]
        for source, kind in (("mii", "mii"), ("running", "netlink")):
            seen += [Frame(word.t_ns, "r1", "e1", kind) for word in truth.words(LEG, source) if word.up is False]
        words = self.words if self.words else [keepalived_word(line) for line in self._log.recent()]
        said = [word.t_ns for word in words if word is not None and not word.up and word.t_ns >= phase.origin_ns]
        seen += [Frame(t_ns, "r1", "e1", "verdict") for t_ns in said[:1]]
        for move in phase.moves:
            leg = "e0" if move.address == pair.OUTSIDE else "e1"
            seen.append(Frame(move.t_ns, move.namespace, leg, "address", int(move.held)))
        end_ns = phase.wait[1] + AFTER_MS * 1_000_000
        near = [frame for frame in seen if phase.origin_ns - BEFORE_MS * 1_000_000 < frame.t_ns < end_ns]
        return {
            "frames": [{**asdict(frame), "ms": (frame.t_ns - phase.origin_ns) / 1e6} for frame in near],
            "silences": [[(t_ns - phase.origin_ns) / 1e6 for t_ns in phase.wait]],
        }

    def _frame(self, line: str) -> str:
        """One of frames' lines; LAN A is the client's, LAN B the servers'."""
        words = line.split()
        if words[2:3] == ["arp"] and words[3] in pair.ADDRESSES:
            self.frames.append(Frame(int(words[0]), "r2", "e0" if words[1] == "ca0" else "e1", "arp"))
        elif words[2:3] == ["advert"] and words[1].startswith("hb"):
            self.frames.append(Frame(int(words[0]), "r1", f"hb{int(words[1][-1]) - 1}", "heartbeat", int(words[5])))
        elif words[2:3] == ["advert"]:
            router = "r1" if words[3].endswith(".11") else "r2"
            leg = "e0" if words[1] == "ca0" else "e1"
            self.frames.append(Frame(int(words[0]), router, leg, "advert", int(words[5])))
        return line


def _published(line: str) -> Word | None:
    """A line of the bare subscriber, at the instant that linkwatchd put on the event."""
    word = subscriber_word(line)
    return None if word is None else Word(int(line.split()[4]) * 1000, word.up)


def _early(namespace: str) -> list[str]:
    """In a namespace, and before everything that it looks at."""
    return ["chrt", "--fifo", "45", "ip", "netns", "exec", namespace]
