"""The master's leg is cut: how long until the other director serves on both, and how long its client waits."""

import random
import time

from wirelab import pair
from wirelab.directors import Directors, Keepalived, Linkwatch
from wirelab.scenario import STEPS, carry_out

from . import Run, scenario

GOAL_MS = 50


@scenario("wire-takeover", "Cut of the master's inside leg to takeover on both legs, e1000", lab="wire")
def wire_takeover(run: Run) -> None:
    """Two directors with two legs each, a client that transfers through IPVS without a pause, two servers: all in one
    guest, whose one emulated processor they share; the daemons have real-time scheduling. The guest's clock counts its
    instructions, 4 ns each: a slow processor, but one that a busy host does not disturb. QEMU unplugs the wire of the
    master's inside leg, at instants that keep no step with anyone's clock. From the instant at which the card's own
    status register was first seen to show it (a program of its own reads it every millisecond) until the kernel of the
    other director has both virtual addresses and that of the first none; and the longest time between two transfers of
    the client, which starts one every 25 ms, until it is served for a second without a failure."""
    phases = random.Random(2002)
    with pair.boot() as vm:
        run.note(f"guest: Linux {vm.kernel.version}, one processor, e1000 legs and cables")
        lab = pair.Pair(vm, watched=("l11",), poll_us=1000)
        for directors, goal in _systems(run):
            _measure(run, lab, directors, goal, phases)


def _systems(run: Run) -> list[tuple[Directors, float | None]]:
    adverts = ("1s", "100ms")
    ours = [(Linkwatch(advert, cables), GOAL_MS if cables else None) for cables in (2, 0) for advert in adverts]
    theirs = [(Keepalived(seconds, polling), None) for polling in (True, False) for seconds in (1, 0.1)]
    return run.times(ours + theirs, [ours[0], theirs[1]])


def _measure(run: Run, lab: pair.Pair, directors: Directors, goal: float | None, phases: random.Random) -> None:
    directors.start(lab)
    moves, waits, twice = [], [], 0
    for _ in range(run.times(12, 3)):
        time.sleep(2 * phases.random())
        for phase in carry_out(lab, directors, STEPS[0]):
            twice += len(phase.twice)
            if phase.cut:
                moves.append(phase.settled_ms)
                waits.append(phase.wait_ms)
    directors.stop()
    run.figure(directors.name, "register to takeover", "ms", moves, goal=goal)
    run.figure(directors.name, "longest wait of the client", "ms", waits)
    if twice:
        run.note(f"{directors.name}: an address was in both kernels at once {twice} times, when cut or when restored")
