"""As many virtual routers as one interface can carry: 255, all in one process, on one pair of sockets.

    [r1:e0] 255 masters ---- br a ---- [r2:e0] 255 backups
"""

import os
import subprocess
from pathlib import Path

from lab.daemon import CHECKOUT, program
from lab.vrrp import VRRP, Director, Lans, until


def instances(priority: int) -> str:
    return "".join(
        f'[instance.i{vrid}]\ninterface = "e0"\nvrid = {vrid}\npriority = {priority}\naddresses = ["192.0.2.{vrid}"]\n'
        for vrid in range(1, 256)
    )


def states(director: Director) -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in director.call(f"{VRRP}.Status")["groups"]:
        counts[group["state"]] = counts.get(group["state"], 0) + 1
    return counts


def test_255_instances_on_one_interface(namespaces, say):
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    # The directors' own addresses must not be among the 255.
    for name, host in (("r1", "203.0.113.1"), ("r2", "203.0.113.2")):
        namespaces.ip(name, "addr flush dev e0 scope global", f"addr add {host}/24 dev e0")
    directors = []
    try:
        directors.append(Director(namespaces, "r1", instances(200)))
        until(lambda: states(directors[0]) == {"master": 255}, "255 masters")
        directors.append(Director(namespaces, "r2", instances(100)))
        first, second = directors
        until(lambda: states(second) == {"backup": 255}, "255 backups")
        watches = [director.watch() for director in directors]

        def sent(director):
            groups = director.call(f"{VRRP}.Status")["groups"]
            return sum(group["members"][0]["advertsSent"] for group in groups)

        before, cpu = sent(first), [director.cpu_seconds() for director in directors]
        until(lambda: sent(first) >= before + 255 * 5, "five adverts of each")
        assert [watch.transitions() for watch in watches] == [[], []]
        conditions = {condition for watch in watches for condition in watch.group("i200")["conditions"]}
        assert conditions <= {"monitor-lost"}
        used = [director.cpu_seconds() - start for director, start in zip(directors, cpu)]
        count = namespaces.ip("r1", "-4 -o addr show dev e0").count("192.0.2.")
        assert count == 255 and "192.0.2." not in namespaces.ip("r2", "-4 -o addr show dev e0")
        pss = [director.memory_kb("Pss") for director in directors]
        say(
            f"255 instances, five intervals: CPU {used[0] * 1000:.0f} ms as master, {used[1] * 1000:.0f} ms as backup "
            f"(asking included); PSS {pss[0]} and {pss[1]} kB"
        )
        # A resignation of all, and nobody is left behind.
        assert first.stop() == 0
        until(lambda: states(second) == {"master": 255}, "255 masters on the other side")
        assert "192.0.2." not in namespaces.ip("r1", "-4 -o addr show dev e0")
    finally:
        for director in directors:
            director.close()


def test_the_demo_shows_a_takeover(namespaces):
    """`make demo`, which pulls the cable itself when it is asked to."""
    folder = Path(program("linkwatch-vrrp")).parent
    done = subprocess.run(
        [CHECKOUT / "Tests/demo", "--once"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "LINKWATCH_BIN": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pull a cable of r1" in done.stdout
