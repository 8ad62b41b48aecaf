"""`make lab`: the story of 2002 from its beginning to its end, in words, with the times.

The picture is that of pair.py. Cables are pulled in a fixed order and plugged in again, first with linkwatch on the two
directors, then with keepalived on the same ones: who holds what, how long the client waited, and whether an address was ever
held twice. `carry_out` is what the tests call; what is printed is made of what it returns.

All instants are the guest's CLOCK_MONOTONIC, which counts its own instructions: a busy host makes the telling slow and leaves
the times as they are.
"""

import sys
from dataclasses import dataclass, field

from .directors import Directors, Keepalived, Linkwatch
from .pair import CABLES, DIRECTORS, LEGS, PICTURE, Holding, Pair, Twice, boot

NAMES = {"r1": "LVS1", "r2": "LVS2"}
ALL_CABLES = [end for cable in CABLES for end in cable]


@dataclass(frozen=True)
class Step:
    """What is pulled, and who must serve then; when it is plugged in again LVS1 must."""

    name: str
    words: str
    cards: list[str]
    holder: str

    @property
    def legs(self) -> dict[str, list[str]]:
        """The legs among the cards, by director."""
        legs = {director: [card for card in self.cards if card in LEGS[director]] for director in DIRECTORS}
        return {director: cards for director, cards in legs.items() if cards}

    @property
    def cables(self) -> int:
        """How many of the cables between the directors, counted from the first."""
        return sum(set(cable) <= set(self.cards) for cable in CABLES)


STEPS = [
    Step("L11", "the inside leg of LVS1", ["l11"], "r2"),
    Step("L10", "the outside leg of LVS1", ["l10"], "r2"),
    Step("L21", "the inside leg of LVS2, which is the backup", ["l21"], "r1"),
    Step("L20", "the outside leg of LVS2", ["l20"], "r1"),
    Step("both cables", "both cables between the directors", ALL_CABLES, "r1"),
    Step("one cable", "one of the cables", list(CABLES[0]), "r1"),
    Step("all of LVS1", "everything of LVS1: both legs and both cables", ["l10", "l11", *ALL_CABLES], "r2"),
]


@dataclass
class Phase:
    """What came of one pull, or of plugging in again.

    `holder` is who alone holds both addresses at its end, `settled_ms` how long after `origin_ns`, the first wire of a leg, it
    took until that was so (None if nothing moved), `wait` from when until when the client waited longest, in nanoseconds,
    `moves` each virtual address that came or went, `twice` when one was held twice.
    """

    step: Step
    cut: bool
    holder: str | None = None
    settled_ms: float | None = None
    origin_ns: int = 0
    wait: tuple[int, int] = (0, 0)
    moves: list[Holding] = field(default_factory=list)
    twice: list[Twice] = field(default_factory=list)
    story: list[tuple[float, str]] = field(default_factory=list)

    @property
    def wait_ms(self) -> float:
        return (self.wait[1] - self.wait[0]) / 1e6

    @property
    def expected(self) -> str:
        return self.step.holder if self.cut else "r1"


def carry_out(pair: Pair, directors: Directors, step: Step):
    """Pulls what the step says and plugs it in again; yields the two phases as they end."""
    yield _pull(pair, directors, step)
    yield _plug_in(pair, directors, step)


def _pull(pair: Pair, directors: Directors, step: Step) -> Phase:
    pair.mark()
    directors.mark()
    pair.cut(*step.cards)
    pair.holdings.await_holder(step.holder)
    for director in step.legs:
        directors.await_fault(director)
    directors.await_cables(step.cables, alive=False)
    pair.client.await_service()
    return _seen(pair, Phase(step, cut=True))


def _plug_in(pair: Pair, directors: Directors, step: Step) -> Phase:
    pair.mark()
    directors.mark()
    pair.restore(*step.cards)
    for director in step.legs:
        directors.await_fit(director)
    directors.await_cables(step.cables, alive=True)
    pair.holdings.await_holder("r1")
    pair.client.await_service()
    return _seen(pair, Phase(step, cut=False))


def _seen(pair: Pair, phase: Phase) -> Phase:
    """Asks the observers what they saw since the mark."""
    legs = [leg for cards in phase.step.legs.values() for leg in cards]
    wires = {leg: pair.wire_ns(leg, up=not phase.cut) for leg in legs}
    changes = pair.holdings.changes()
    phase.origin_ns = origin_ns = min(wires.values(), default=changes[0].t_ns if changes else 0)
    phase.holder, phase.moves = pair.holdings.holder(), changes
    phase.settled_ms = (changes[-1].t_ns - origin_ns) / 1e6 if changes and wires else None
    phase.wait = pair.client.longest_wait()
    phase.twice = pair.holdings.twice()
    told = [(t_ns, f"{leg.upper()}: the PHY has {'lost' if phase.cut else 'found'} its link") for leg, t_ns in wires.items()]
    for change in changes:
        told.append((change.t_ns, f"{NAMES[change.namespace]} {'takes' if change.held else 'gives up'} {change.address}"))
    phase.story = [((t_ns - origin_ns) / 1e6, what) for t_ns, what in sorted(told)]
    return phase


# Telling


def tell(phase: Phase, has_cables: bool) -> None:
    print(f"\n-- {phase.step.words}: {'unplugged' if phase.cut else 'plugged in again'}")
    for at_ms, what in phase.story:
        print(f"  {at_ms:+9.1f} ms  {what}")
    if has_cables and phase.step.cables:
        count = "one cable" if phase.step.cables == 1 else f"{phase.step.cables} cables"
        print(f"                 both directors say that {count} {'went' if phase.cut else 'came back'}")
    print(f"  {verdict(phase)}", flush=True)


def verdict(phase: Phase) -> str:
    """Who serves, how long the client waited, and whether an address was held twice."""
    serves = f"{NAMES[phase.holder]} holds both addresses" if phase.holder else "NOBODY HOLDS BOTH ADDRESSES"
    as_before = "" if phase.moves else ", as before"
    return f"{serves}{as_before}; the client waited {phase.wait_ms:.0f} ms at the longest; {_twice(phase.twice)}"


def _twice(twice: list[Twice]) -> str:
    if not twice:
        return "no address was ever held twice"
    ended = [(one.until_ns - one.from_ns) / 1e6 for one in twice if one.until_ns is not None]
    longest = f"up to {max(ended):.1f} ms" if len(ended) == len(twice) else "and still is"
    return f"AN ADDRESS WAS HELD TWICE, {len(twice)} times, {longest}"


def summary(told: dict[str, list[Phase]]) -> None:
    """One line for each pull, one column for each system."""
    print("\n== unplugged: until both addresses had moved / the client's longest wait; * an address was held twice")
    print(f"{'':14}" + "".join(f"{name.split(',')[0]:>26}" for name in told))
    for place, step in enumerate(STEPS):
        line = f"{step.name:14}"
        for phases in told.values():
            cut, back = phases[2 * place], phases[2 * place + 1]
            moved = "stays" if cut.settled_ms is None else f"{cut.settled_ms:.0f} ms"
            line += f"{moved + ' / ' + format(cut.wait_ms, '.0f') + ' ms' + ('*' if cut.twice or back.twice else ''):>26}"
        print(line)


def play(pair: Pair, directors: Directors) -> list[Phase]:
    """The whole story with one system."""
    print(f"\n== {directors.name}")
    directors.start(pair)
    print("LVS1 holds both addresses, and the client is served through it")
    phases = []
    for step in STEPS:
        for phase in carry_out(pair, directors, step):
            tell(phase, directors.has_cables)
            phases.append(phase)
    directors.stop()
    return phases


def main() -> int:
    print(PICTURE + "\n\nbooting a machine with all of this ...", flush=True)
    with boot() as vm:
        pair = Pair(vm)
        told = {}
        for directors in (Linkwatch(), Keepalived()):
            told[directors.name] = play(pair, directors)
    summary(told)
    ours = next(iter(told.values()))
    return 0 if all(phase.holder == phase.expected and not phase.twice for phase in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
