"""Few interfaces and many, one subscriber and many: memory, start, dump, one event."""

import subprocess
import time

from lab.daemon import program
from lab.namespaces import Namespaces

from .. import yardsticks
from ..processes import memory_mb
from ..switches import Switch, Tap
from ..systems import linkwatch
from . import Run, events, scenario

PSS_GOAL_MB = 5


@scenario("memory-idle", "Memory and start, 8 interfaces")
def memory_idle(run: Run) -> None:
    """linkwatchd with 8 taps, idle for two seconds, started anew each time; it runs from copies of its program and
    libraries, so nobody shares its pages, not even libc's and libstdc++'s, which on most machines others share. The
    start is from exec until the socket accepts a connection."""
    pss, rss, start = [], [], []
    with yardsticks.private_copies(), Namespaces("a") as lab:
        taps = [lab.tap("a", f"t{number}") for number in range(8)]
        for _ in range(run.times(7, 2)):
            began = time.monotonic()
            with linkwatch.daemon(lab, "a", "100ms") as daemon:
                start.append((time.monotonic() - began) * 1000)
                time.sleep(2)
                pss.append(memory_mb([daemon.pid], "Pss"))
                rss.append(memory_mb([daemon.pid], "Rss"))
        del taps
    run.figure("linkwatchd", "PSS", "MB", pss, goal=PSS_GOAL_MB)
    run.figure("linkwatchd", "RSS", "MB", rss)
    run.figure("linkwatchd", "start to socket (looked at every 5 ms, with ip netns exec)", "ms", start)


@scenario("interfaces-10000", "10,000 interfaces")
def interfaces_10000(run: Run) -> None:
    """A namespace with 10,000 veth interfaces, half of them up. Start until the socket accepts, and until the first
    Dump has been answered whole; a later Dump by `linkwatch --dump --json`, beside `ip -json link`; memory; and the
    latency of one event (the carrier of a tap), beside the bare loop, as in the row about events."""
    count = run.times(10_000, 1_000)
    with yardsticks.private_copies(), Namespaces("a") as lab:
        commands = [f"link add v{number} group 1 type veth peer name w{number}" for number in range(count // 2)]
        for first in range(0, len(commands), 500):
            lab.ip("a", *commands[first : first + 500])
        lab.ip("a", *(f"link set v{number} up" for number in range(0, count // 2)))
        starts, dumps, theirs, pss, rss = [], [], [], [], []
        for _ in range(run.times(3, 1)):
            began = time.monotonic()
            with linkwatch.daemon(lab, "a", "100ms") as daemon:
                listening = time.monotonic()
                interfaces = daemon.call("Dump")["interfaces"]
                starts.append((listening - began, time.monotonic() - began))
                time.sleep(2)
                pss.append(memory_mb([daemon.pid], "Pss"))
                rss.append(memory_mb([daemon.pid], "Rss"))
                for _ in range(3):
                    dumps.append(_seconds([program("linkwatch"), "--socket", daemon.socket, "--dump", "--json"]))
                    theirs.append(_seconds(lab.argv("a", "ip", "-json", "link")))
        run.note(f"{len(interfaces):,} interfaces were dumped")
        run.figure("linkwatchd", "start to socket", "ms", [start[0] * 1000 for start in starts])
        run.figure("linkwatchd", "start to first Dump, read by Python", "ms", [start[1] * 1000 for start in starts])
        run.figure("linkwatchd", "PSS", "MB", pss)
        run.figure("linkwatchd", "RSS", "MB", rss)
        run.figure("linkwatch --dump --json", "whole", "ms", [value * 1000 for value in dumps])
        run.figure("ip -json link", "whole", "ms", [value * 1000 for value in theirs])
        for name in events.SYSTEMS:
            collected = events.latencies(lab, name, run.times(120, 24), 20)
            for watcher in (events.LOOP, name):
                delays, missed = collected[watcher, True]
                label = name if watcher == name else f"{watcher}, beside {name}"
                run.figure(label, "one event (carrier returns)", "us", [delay * 1000 for delay in delays], missed)
        # A namespace that is removed with them in it keeps the kernel from all other interfaces long after this row.
        lab.ip("a", "link delete group 1")


@scenario("subscribers", "1, 100 and 1,000 subscribers")
def subscribers(run: Run) -> None:
    """A tap's carrier goes off and on; all subscribers are one C process with one epoll. From just before the system
    call until the first, the middle and the last of them has read the event; and linkwatchd's memory with all of them
    connected."""
    with yardsticks.private_copies():
        for count in (1, 100, 1000):
            runs = [_subscribers(count, run.times(20, 4)) for _ in range(run.times(3, 1))]
            for place, which in ((1, "first"), (2, "middle"), (3, "last")):
                delays = [_delay_ms(switch, said, place) for switches, said, _ in runs for switch in switches]
                seen = [delay * 1000 for delay in delays if delay is not None]
                run.figure("linkwatchd", f"{which} of {count:,}", "us", seen, len(delays) - len(seen))
            run.figure("linkwatchd", f"PSS with {count:,}", "MB", [memory for *_, memory in runs])


def _subscribers(count: int, losses: int) -> tuple[list[Switch], list[list[int]], float]:
    """What the tap did, what the subscribers say of it, and linkwatchd's PSS, in a namespace of its own."""
    with Namespaces("a") as lab:
        tap = Tap(lab, "a", "t0", losses, 100, "flush")
        limits = "[socket]\nmax-clients = 2048\nmax-clients-per-uid = 2048\n"
        with linkwatch.daemon(lab, "a", None, limits) as daemon:
            argv = [yardsticks.program("subscribers"), daemon.socket, count, "t0"]
            peers = lab.popen("a", *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            if peers.stdout.readline() != "ready\n":
                raise RuntimeError("the subscribers do not get ready")
            time.sleep(0.5)
            switches = tap.switch()
            memory = memory_mb([daemon.pid], "Pss")
            peers.terminate()
            said = [[int(word) for word in line.split()] for line in peers.stdout]
        tap.close()
    return switches, said, memory


def _delay_ms(switch, said: list[list[int]], place: int) -> float | None:
    for event in said:
        if event[1] >= switch.t_ns and bool(event[4]) == switch.up:
            return (event[place] - switch.t_ns) / 1e6
    return None


def _seconds(argv: list) -> float:
    began = time.monotonic()
    subprocess.run([str(word) for word in argv], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began
