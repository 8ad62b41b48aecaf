"""What it costs to ask, again and again: one poll, and a minute of polls."""

import re
import time

from lab.namespaces import Namespaces

from .. import yardsticks
from ..processes import cpu_ms
from ..systems import linkwatch
from . import Run, scenario

POLL_GOAL = 1.1
PORTS = 8
SETTLE_SECONDS, SECONDS = 2, 6


@scenario("poll-cost", "One poll, beside the bare ioctl")
def poll_cost(run: Run) -> None:
    """The poll function of the sweep against a loop over one prepared ioctl, in turns of 5 ms, 101 of each
    (Benchmarks/poll-cost.c); on a tap, whose driver answers ETHTOOL_GLINK and refuses SIOCGMIIREG. Then a whole round
    over 8 taps every 10 ms: the processor time of the sweep against that of a bare thread. Real registers are asked
    in the wire lab's row."""
    with Namespaces("a") as lab:
        taps = [lab.tap("a", f"t{number}") for number in range(PORTS)]
        names = [f"t{number}" for number in range(PORTS)]
        outputs = [lab.run("a", yardsticks.poll_cost(), *names, timeout=300) for _ in range(run.times(3, 1))]
        tell_poll_costs(run, "\n".join(outputs))
        del taps


def tell_poll_costs(run: Run, output: str) -> None:
    """The figures of poll-cost's lines."""
    found = re.findall(r"(mii|driver) +bare ioctl (\d+) ns, poll (\d+) ns, ratio ([\d.]+)", output)
    for source, name in (("driver", "ETHTOOL_GLINK"), ("mii", "SIOCGMIIREG")):
        lines = [line for line in found if line[0] == source]
        run.figure("bare ioctl in C", f"{name}, each port", "ns", [float(line[1]) for line in lines])
        run.figure("poll", f"{name}, each port", "ns", [float(line[2]) for line in lines])
        run.figure("poll / bare", f"{name}, ratio", "", [float(line[3]) for line in lines], goal=POLL_GOAL)
    rounds = re.findall(r"bare thread ([\d.]+) us.*sweep ([\d.]+) us, ratio ([\d.]+)", output)
    bare_us, ours_us, ratios = zip(*rounds)
    run.figure("bare thread", "a round over all ports, CPU", "us", map(float, bare_us))
    run.figure("sweep", "a round over all ports, CPU", "us", map(float, ours_us))
    run.figure("sweep / bare thread", "a round, ratio", "", map(float, ratios))


@scenario("cpu-polling", "Processor time with 8 ports")
def cpu_polling(run: Run) -> None:
    """8 taps with nothing happening, watched for a while: the processor time of linkwatchd, all threads, per minute,
    beside a bare C loop that asks each driver by ETHTOOL_GLINK as often and does nothing else; the two run at the
    same time."""
    with Namespaces("a") as lab:
        names = [f"t{number}" for number in range(PORTS)]
        taps = [lab.tap("a", name) for name in names]
        for interval in ("100ms", "10ms"):
            ours, bare = [], []
            with linkwatch.daemon(lab, "a", interval) as daemon:
                time.sleep(SETTLE_SECONDS)
                for _ in range(run.times(5, 1)):
                    argv = [yardsticks.program("glink-poll"), interval.removesuffix("ms"), SECONDS, *names]
                    before = cpu_ms([daemon.pid])
                    output = lab.run("a", *argv, timeout=SECONDS + 30)
                    ours.append((cpu_ms([daemon.pid]) - before) * 60 / SECONDS)
                    bare.append(float(output) * 60 / SECONDS)
            run.figure("bare GLINK loop in C", f"CPU a minute, every {interval}", "ms", bare)
            run.figure("linkwatchd", f"CPU a minute, every {interval}", "ms", ours)
        idle = []
        with linkwatch.daemon(lab, "a", None) as daemon:
            time.sleep(SETTLE_SECONDS)
            for _ in range(run.times(3, 1)):
                before = cpu_ms([daemon.pid])
                time.sleep(SECONDS)
                idle.append((cpu_ms([daemon.pid]) - before) * 60 / SECONDS)
        run.figure("linkwatchd", "CPU a minute, no probes", "ms", idle)
        del taps
