"""A director's link or process goes: when the other has taken over, on both legs, and what a client notices."""

import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

from lab.namespaces import Namespaces

from ..systems.routers import LEGS, SYSTEMS, Router, System, lans, legs_plan
from ..witness import Witness
from . import Run, scenario

SETTLE_SECONDS_MAX, FAILURES_MAX = 40, 3
LEASE_SECONDS = 3.3
# A wire stays cut until r1's kernel has given up resolving the neighbours behind it; otherwise its next try, up to a
# second later, would be what the client waits for on the way back.
CUT_SECONDS_MIN = 4
ACTIONS = {
    "carrier": "carrier of L11 cut",
    "silent": "L11 cut silently",
    "kill": "kill -9",
    "crash": "kill -9 of all processes",
    "unit": "kill -9 of all, then what its unit runs",
    "sigterm": "SIGTERM",
    "handover": "planned handover",
}
# Which take long, and vary little.
SELDOM = ("silent", "crash", "unit")
ABOUT = """Two directors with two legs each in namespaces, the same for every system: addresses, priorities 200 and
    100, VRRP version 3. r1 is master; then one thing happens to it. From just before the system call until r2's
    first advert and its first gratuitous ARP of the virtual address have entered the switch, on both legs; how long
    a client that sends through the directors every millisecond got no answer; and how long both kernels held the
    same virtual address, as long as it was looked at (3.3 s after a kill). Then it is undone, and r1 takes over
    again. `kill -9` hits the process that speaks VRRP and nothing else: what remains of the system does what it
    does (linkwatch-vrrp's runner removes the addresses and resigns; keepalived's first process starts another;
    zebra). After `kill -9 of all processes` nobody does anything: the kernel still has the virtual addresses,
    answers for them and forwards, so a client notices little whoever takes over when. keepalived and FRR take the
    addresses beside it, as the next figure shows; linkwatch's backup asks for them first and waits until the dead
    one's kernel has ended their lease (`address-lease`, 3 s), as it cannot tell a dead process from a filtered one.
    {together} systems are measured at a time, each in namespaces of its own."""


def _together(interval_ms: int) -> int:
    return 4 if interval_ms >= 100 else 2


def _register(interval_ms: int, name: str) -> None:
    def run_it(run: Run) -> None:
        _failovers(run, interval_ms)

    run_it.__doc__ = ABOUT.format(together="Four" if _together(interval_ms) == 4 else "Two")
    scenario(name, f"Failover of both legs, adverts every {interval_ms} ms")(run_it)


for _interval_ms, _name in ((1000, "failover-1s"), (100, "failover-100ms"), (10, "failover-10ms")):
    _register(_interval_ms, _name)


def _failovers(run: Run, interval_ms: int) -> None:
    """Several systems are measured at a time, each in namespaces and a process of its own: most of it is waiting. FRR
    takes longest, so it begins."""
    count, together = run.times(5, 1), _together(interval_ms)
    there = []
    for system in SYSTEMS:
        if (why := system.why_not()) is not None:
            run.note(f"{system.name} is missing: {why}")
        else:
            there.append(system)
    with ProcessPoolExecutor(together, multiprocessing.get_context("spawn")) as pool:
        trials = {system.name: pool.submit(_trials, system.name, interval_ms, count) for system in there[::-1]}
        for system in there:
            _tell_all(run, system.name, *trials[system.name].result())


def _trials(name: str, interval_ms: int, count: int) -> tuple[dict[str, list[dict]], list[str]]:
    """What came of each action with one system, and what went wrong: then the rest is done in new namespaces."""
    system = next(system for system in SYSTEMS if system.name == name)
    actions = [action for action in ACTIONS if action not in ("unit", "handover") or name.startswith("linkwatch")]
    results: dict[str, list[dict]] = {}
    failures: list[str] = []
    while actions and len(failures) < FAILURES_MAX:
        try:
            with Namespaces() as lab, Trial(lab, system, interval_ms) as trial:
                while actions:
                    for _ in range(min(count, 3) if actions[0] in SELDOM else count):
                        results.setdefault(actions[0], []).append(trial.once(actions[0]))
                    actions.pop(0)
        except Exception as problem:
            failures.append(f"{ACTIONS[actions.pop(0)]} ended early: {type(problem).__name__}: {problem}"[:300])
    return results, failures


def _tell_all(run: Run, name: str, results: dict[str, list[dict]], failures: list[str]) -> None:
    for action, told in results.items():
        _tell(run, name, action, told)
        run.row.raw.setdefault("timelines", {})[f"{name}/{action}"] = told[0]["timeline"]
    for failure in failures:
        run.note(f"{name}: {failure}")


def _tell(run: Run, name: str, action: str, results: list[dict]) -> None:
    for key, what in (
        ("advert_ms", "adverts on both legs"),
        ("arp_ms", "ARP on both legs"),
        ("outage_ms", "client outage"),
        ("back_outage_ms", "client outage, way back"),
        ("both_ms", "both hold an address"),
        ("back_both_ms", "both hold an address, way back"),
    ):
        seen = [result[key] for result in results if result[key] is not None]
        if seen or key in ("advert_ms", "arp_ms", "outage_ms"):
            run.figure(name, f"{ACTIONS[action]}: {what}", "ms", seen, len(results) - len(seen))


class Trial:
    """Both directors of a system, and the witness; a context manager. r1 is master between any two actions."""

    def __init__(self, lab: Namespaces, system: System, interval_ms: int):
        self.lab, self.system, self.interval_ms = lab, system, interval_ms
        self.phases = random.Random(2002)
        self.routers: dict[str, Router] = {}

    def __enter__(self) -> "Trial":
        self.lans = lans(self.lab, self.system)
        self.witness = Witness(self.lab, self.lans).__enter__()
        try:
            for name in ("r1", "r2"):
                self.routers[name] = self.system.make(self.lab, name, legs_plan(self.interval_ms))
                self.routers[name].start()
            monitor = getattr(self.routers["r1"], "monitor", None)
            self.witness.follow_causes(self.system.cables, monitor.socket if monitor else None)
            self._settle()
            self.witness.start_client()
            if not self.witness.answered.wait(10):
                raise TimeoutError(f"{self.system.name}: the client gets no answer")
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_) -> None:
        for router in self.routers.values():
            router.close()
        self.witness.__exit__(None, None, None)

    def once(self, action: str) -> dict:
        """Does it, sees what follows, and undoes it."""
        time.sleep(0.3 + self.phases.random() * self.interval_ms / 1000)
        began_ns = self._do(action)
        told = self._takeover(began_ns, action)
        if action in ("carrier", "silent"):
            time.sleep(max(0.0, CUT_SECONDS_MIN - (time.monotonic_ns() - began_ns) / 1e9))
        end_ns = time.monotonic_ns()
        told["both_ms"] = self._both(began_ns, end_ns)
        told["timeline"] = self._timeline(began_ns)
        self._undo(action)
        self._settle()
        time.sleep(0.2)
        now_ns = time.monotonic_ns()
        told["outage_ms"], told["back_outage_ms"] = self._outages(began_ns, end_ns, now_ns, told["outage_ms"])
        told["back_both_ms"] = self._both(end_ns, now_ns)
        return told

    def _do(self, action: str) -> int:
        if action == "carrier":
            return self.witness.act("down", "q-r1")
        if action == "silent":
            return self.witness.act("leave", "q-r1", "brb")
        router = self.routers["r1"]
        began_ns = time.monotonic_ns()
        if action == "handover":
            router.handover()
        elif action == "sigterm":
            router.terminate()
        elif action == "kill":
            os.kill(router.speaker(), signal.SIGKILL)
        else:
            router.kill()
            if action == "unit":
                router.clean_up()
        return began_ns

    def _undo(self, action: str) -> None:
        if action == "carrier":
            self.witness.act("up", "q-r1")
        elif action == "silent":
            self.witness.act("join", "q-r1", "brb")
        elif action == "handover":
            self.routers["r2"].handover()
        else:
            self.routers["r1"].bury()
            self.routers["r1"].start()

    def _takeover(self, began_ns: int, action: str) -> dict:
        """Waits until r2 has advertised and announced on both legs and the client is served, or that will not come."""
        seconds = 3.5 * self.interval_ms / 1000 + (3 if action != "crash" else LEASE_SECONDS + 2)
        deadline = time.monotonic() + seconds
        first: dict[tuple[str, str], int | None] = {}
        while time.monotonic() < deadline:
            wanted = [(leg, kind) for leg in LEGS for kind in ("advert", "arp")]
            first = {(leg, kind): self.witness.first("r2", leg, kind, began_ns) for leg, kind in wanted}
            if all(first.values()) and (action != "silent" or self.witness.outage_ms(began_ns, began_ns + 1)):
                time.sleep(LEASE_SECONDS if action in ("kill", "crash") else 0.3)
                break
            time.sleep(0.01)
        told: dict = {}
        for kind in ("advert", "arp"):
            instants = [first[leg, kind] for leg in LEGS]
            told[f"{kind}_ms"] = (max(instants) - began_ns) / 1e6 if all(instants) else None
        told["outage_ms"] = self.witness.outage_ms(began_ns, time.monotonic_ns())
        return told

    def _outages(self, began_ns: int, end_ns: int, now_ns: int, seen: float) -> tuple[float | None, float | None]:
        """The client's outage, None if it ended by no more than the undoing; and the longest after the undoing."""
        middle_ns = (began_ns + end_ns) // 2
        if any(start < middle_ns and end > end_ns for start, end in self.witness.silences):
            return None, None
        return seen, self.witness.outage_ms(end_ns, now_ns)

    def _both(self, since_ns: int, until_ns: int) -> float | None:
        """FRR's macvlans have the addresses at all times, so nothing can be said of it."""
        return None if self.system.name.startswith("FRR") else self.witness.both_held_ms(since_ns, until_ns)

    def _settle(self) -> None:
        """Waits until r1 alone advertises on both legs."""
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        fresh_ns = int(self.interval_ms * 1.5e6) + 50_000_000
        quiet_ns = int(self.interval_ms * 2.5e6) + 300_000_000
        while True:
            now_ns = time.monotonic_ns()
            ours = min(self.witness.last("r1", leg) for leg in LEGS)
            theirs = max(self.witness.last("r2", leg) for leg in LEGS)
            if now_ns - ours < fresh_ns and now_ns - theirs > quiet_ns:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.system.name}: r1 does not become master alone")
            time.sleep(0.02)

    def _timeline(self, began_ns: int) -> dict:
        """What the pictures show of it: frames and the client's silence, in milliseconds after the beginning."""
        end_ns = began_ns + int(self.interval_ms * 6e6) + 1_000_000_000
        near = [f for f in self.witness.frames if began_ns - self.interval_ms * 2_000_000 < f.t_ns < end_ns]
        silences = [s for s in self.witness.silences if s[1] > began_ns]
        return {
            "frames": [{**asdict(f), "ms": (f.t_ns - began_ns) / 1e6} for f in near],
            "silences": [[(start - began_ns) / 1e6, (end - began_ns) / 1e6] for start, end in silences],
        }
