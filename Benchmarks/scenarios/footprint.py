"""What the daemons cost: memory and processor time with few and many virtual routers, start, reload, a flood."""

import itertools
import threading
import time

from lab.namespaces import Namespaces
from lab.vrrp import Lans

from .. import yardsticks
from ..processes import cpu_ms, memory_mb
from ..systems import spawn
from ..systems.routers import SYSTEMS, Instance, LinkwatchRouter, Plan, Router, System, many_plan
from . import Run, scenario

OURS = "linkwatch-vrrp alone"
PSS_GOAL_MB = 5
MASTER_SECONDS_MAX = 90
FLOOD_PACKETS, FLOOD_RATE = 30_000, 10_000
AFTER_FLOOD_SECONDS = 2


def _systems(run: Run) -> list[System]:
    """Those without cables, and installed."""
    there = []
    for system in SYSTEMS:
        if (why := system.why_not()) is not None:
            run.note(f"{system.name} is missing: {why}")
        elif not system.cables:
            there.append(system)
    return there


class Port:
    """The adverts that a director sends on its first leg, as they enter the switch: instant and VRID."""

    def __init__(self, lab: Namespaces, port: str):
        self.adverts: list[tuple[int, int]] = []
        self._process = spawn(lab, "sw", [yardsticks.program("frames"), port])
        self._process.stdout.readline()
        self._thread = _reader(self._process, self._take)

    def _take(self, line: str) -> None:
        words = line.split()
        if words[2:3] == ["advert"] and words[5] != "0":
            self.adverts.append((int(words[0]), int(words[4])))

    def await_vrids(self, count: int, seconds: float) -> None:
        """Until so many different virtual routers have been advertised."""
        deadline = time.monotonic() + seconds
        while len({vrid for _, vrid in list(self.adverts)}) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {len({vrid for _, vrid in self.adverts})} of {count} are advertised")
            time.sleep(0.01)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()


def _reader(process, take) -> threading.Thread:
    def read() -> None:
        for line in process.stdout:
            take(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


@scenario("instances", "Memory and processor time with 1, 100 and 255 virtual routers")
def instances(run: Run) -> None:
    """One director alone is master of so many virtual routers on one interface, each for itself, adverts every second.
    All processes of a system count: linkwatchd, probing as often as by default, and linkwatch-vrrp with its runner;
    keepalived's two; zebra and vrrpd. Only one system runs at a time, and PSS is taken before its backup is
    started, whose processor time comes last. Beside them, the least that a master of one can do: a bare loop in C that
    sends the advert, and one that renews the lease of the address as well."""
    seconds = run.times(15, 5)
    with yardsticks.private_copies():
        for count, system in itertools.product((1, 100, 255), _systems(run)):
            with Namespaces() as lab:
                _instances(run, lab, system, count, seconds)
        for count in (1, 100, 255):
            _compare(run, _label(count))
    for name, arguments in (("adverts", []), ("adverts and leases", ["lease"])):
        with Namespaces() as lab:
            _bare_master(run, lab, f"bare loop in C, {name}", arguments, seconds)
    run.note(
        "with one virtual router each system wakes once a second, and its caches are cold by then: what it costs is what "
        "the kernel does, and the lines of code and memory that its own part touches; linkwatch-vrrp also renews its "
        "addresses' leases then, which keepalived, whose addresses outlive a kill -9, does not; with many virtual "
        "routers one wake-up and one request to the kernel serve them all"
    )


def _bare_master(run: Run, lab: Namespaces, name: str, arguments: list[str], seconds: int) -> None:
    lans = Lans(lab, legs=("e0",), hosts=False)
    port = Port(lab, lans.port("r1", "e0"))
    try:
        process = lab.popen("r1", yardsticks.program("master"), "e0", "192.0.2.11", "10.0.1.1", *arguments)
        port.await_vrids(1, 10)
        time.sleep(3)
        _tell_cpu(run, [(name, [process.pid])], f"{_label(1)}: CPU a minute, master", seconds)
    finally:
        port.close()


def _label(count: int) -> str:
    return f"{count} virtual router{'s' if count > 1 else ''}"


def _instances(run: Run, lab: Namespaces, system: System, count: int, seconds: int) -> None:
    lans = Lans(lab, legs=("e0",), hosts=False)
    plan = many_plan(count, 1000)
    port, routers = Port(lab, lans.port("r1", "e0")), []
    try:
        routers.append(system.make(lab, "r1", plan))
        routers[0].start()
        port.await_vrids(count, MASTER_SECONDS_MAX)
        time.sleep(3)
        label = _label(count)
        for field in ("Pss", "Rss"):
            for name, pids in _parts(system, routers[0]):
                goal = PSS_GOAL_MB if (name, field, count) == (OURS, "Pss", 1) else None
                run.figure(name, f"{label}: {field.upper()}", "MB", [memory_mb(pids, field)], goal=goal)
        _tell_cpu(run, _parts(system, routers[0]), f"{label}: CPU a minute as master", seconds)
        routers.append(system.make(lab, "r2", plan))
        routers[1].start()
        time.sleep(5)
        _tell_cpu(run, _parts(system, routers[1]), f"{label}: CPU a minute as backup", seconds)
    finally:
        for router in routers:
            router.close()
        port.close()


def _compare(run: Run, label: str) -> None:
    """Against keepalived: the memory of both daemons, the processor time of the one that does the same."""
    medians = {(figure.system, figure.what): figure.median for figure in run.row.figures}
    for name, what in (("linkwatch", "PSS"), (OURS, "CPU a minute as master"), (OURS, "CPU a minute as backup")):
        ours, theirs = (medians.get((system, f"{label}: {what}")) for system in (name, "keepalived"))
        if ours is not None and theirs:
            run.figure(f"{name} / keepalived", f"{label}: {what}, ratio", "", [ours / theirs], goal=1)


def _pids(router: Router) -> list[int]:
    monitor = [router.monitor.pid] if isinstance(router, LinkwatchRouter) else []
    return router.pids() + monitor


def _parts(system: System, router: Router) -> list[tuple[str, list[int]]]:
    """A system, and of linkwatch also the process that does what the others do."""
    parts = [(system.name, _pids(router))]
    if isinstance(router, LinkwatchRouter):
        parts.append((OURS, router.pids()))
    return parts


def _tell_cpu(run: Run, parts: list[tuple[str, list[int]]], what: str, seconds: int) -> None:
    """Three measures, one after the other, of all parts at the same time."""
    spent: dict[str, list[float]] = {name: [] for name, _ in parts}
    for _ in range(3):
        before = [cpu_ms(pids) for _, pids in parts]
        time.sleep(seconds / 3)
        for (name, pids), ms in zip(parts, before):
            spent[name].append((cpu_ms(pids) - ms) * 180 / seconds)
    for name, values in spent.items():
        run.figure(name, what, "ms", values)


@scenario("start-up", "Start to first advert")
def start_up(run: Run) -> None:
    """From just before exec (through `ip netns exec`) until the first advert of the owner of the address (priority 255)
    has entered the switch. linkwatchd, and FRR's zebra with the macvlan, run already."""
    for system in _systems(run):
        found = []
        with Namespaces() as lab:
            lans = Lans(lab, legs=("e0",), hosts=False)
            plan = many_plan(1, 1000, (255, 100))
            for _ in range(run.times(11, 2)):
                found.append(_start_up(lab, lans, system, plan))
        run.figure(system.name, "exec to first advert", "ms", found)


def _start_up(lab: Namespaces, lans: Lans, system: System, plan: Plan) -> float:
    port, router = Port(lab, lans.port("r1", "e0")), system.make(lab, "r1", plan)
    try:
        router.prepare()
        began_ns = time.monotonic_ns()
        router.start()
        port.await_vrids(1, 20)
        return (port.adverts[0][0] - began_ns) / 1e6
    finally:
        router.close()
        router.clear()
        port.close()


@scenario("reload", "Gap in the adverts while a configuration is reloaded")
def reload(run: Run) -> None:
    """A master of one virtual router, adverts every 100 ms, gets a second one by SIGHUP, and loses it by the next. The
    longest time between two adverts of the first within a second after the signal; the interval itself is in it."""
    for system in _systems(run):
        with Namespaces() as lab:
            lans = Lans(lab, legs=("e0",), hosts=False)
            plans = [many_plan(count, 100) for count in (1, 2)]
            port, router = Port(lab, lans.port("r1", "e0")), system.make(lab, "r1", plans[0])
            try:
                router.start()
                port.await_vrids(1, 20)
                time.sleep(2)
                turns = itertools.islice(itertools.cycle(plans[::-1]), run.times(14, 4))
                gaps = [_gap_ms(port, router, plan) for plan in turns]
            except NotImplementedError:
                run.note(f"{system.name} has no such thing")
                continue
            finally:
                router.close()
                port.close()
        run.figure(system.name, "longest time between two adverts", "ms", gaps)


def _gap_ms(port: Port, router: Router, plan: Plan) -> float:
    first = len(port.adverts) - 1
    router.reload(plan)
    time.sleep(1.2)
    instants = [t_ns for t_ns, vrid in port.adverts[max(0, first - 1) :] if vrid == 1]
    return max((b - a) / 1e6 for a, b in zip(instants, instants[1:]))


@scenario("flood", "10,000 bad adverts a second")
def flood(run: Run) -> None:
    """A stranger on the LAN sends 30,000 adverts for the same VRID and address with priority 255 and a wrong checksum,
    then as many with TTL 64, at 10,000 a second, three times. The processor time of the master for 10,000 of them, that
    of doing its work taken off, and the longest time in which it sent no advert, from the first of them until 2 s after
    the last; it has one to send every 100 ms. linkwatch logs to a pipe that is read, keepalived to a file, FRR to
    nobody."""
    packets = run.times(FLOOD_PACKETS, 10_000)
    plan = Plan(100, (Instance("one", "e0", 10, "192.0.2.1/24"),), False)
    for system in _systems(run):
        with Namespaces() as lab:
            lans = Lans(lab, legs=("e0",))
            port, router = Port(lab, lans.port("r1", "e0")), system.make(lab, "r1", plan)
            try:
                router.start()
                port.await_vrids(1, 20)
                time.sleep(2)
                for kind in ("checksum", "ttl"):
                    told = [_flood(lab, port, router, kind, packets) for _ in range(run.times(3, 1))]
                    used, longest = zip(*told)
                    run.figure(system.name, f"{kind}: CPU for 10,000", "ms", used)
                    run.figure(system.name, f"{kind}: longest time without an advert of the master", "ms", longest)
            finally:
                router.close()
                port.close()


def _flood(lab: Namespaces, port: Port, router: Router, kind: str, packets: int) -> tuple[float, float]:
    """The processor time for 10,000 packets, and the longest time without an advert, both in milliseconds."""
    pids = _pids(router)
    before = cpu_ms(pids)
    time.sleep(2)
    idle_ms_a_second = (cpu_ms(pids) - before) / 2
    began_ns, before = time.monotonic_ns(), cpu_ms(pids)
    spent_ms = float(lab.run("ca", yardsticks.program("flood"), "192.0.2.21", packets, FLOOD_RATE, kind))
    time.sleep(AFTER_FLOOD_SECONDS)
    end_ns = time.monotonic_ns()
    used_ms = cpu_ms(pids) - before - idle_ms_a_second * (spent_ms / 1000 + AFTER_FLOOD_SECONDS)
    instants = [began_ns, *(t_ns for t_ns, _ in list(port.adverts) if t_ns > began_ns), end_ns]
    longest_ms = max((b - a) / 1e6 for a, b in zip(instants, instants[1:]))
    return max(0.0, used_ms) * 10_000 / packets, longest_ms
