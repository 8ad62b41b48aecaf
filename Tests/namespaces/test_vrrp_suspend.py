"""A machine that was suspended: its monotonic clock, timers and address lifetimes stood still while others went on.

A machine cannot be suspended for a test. What the process sees of it is a CLOCK_BOOTTIME that is far ahead of what it was, and
that is what `suspended.c` shows it.
"""

import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from lab.pair import OUTSIDE, config
from lab.vrrp import VRRP, Capture, Director, Lans


@pytest.fixture
def asleep(tmp_path):
    """A file with the seconds of sleep, and a command line for the program that is to see them."""
    tmp_path.chmod(0o777)
    library, source = tmp_path / "suspended.so", Path(__file__).with_name("suspended.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    file = tmp_path / "seconds"
    file.write_text("0")
    return file, ["env", f"LD_PRELOAD={library}", f"SUSPENDED={file}"]


@pytest.mark.parametrize("seconds", [1, 60], ids=["less than the lease", "longer than the lease"])
def test_who_was_suspended_looks_at_the_clock_first(namespaces, asleep, seconds):
    """A master whose lease of 3 s is over sends nothing as master any more, and gives its addresses up; another goes on."""
    file, under = asleep
    lans = Lans(namespaces)
    with (
        Director(namespaces, "r1", config("r1", cables=0, interval="1s"), under=under) as director,
        closing(Capture(namespaces, "ca", "e0")) as wire,
        closing(director.watch()) as watch,
    ):
        watch.await_state("master")
        wire.await_advert("192.0.2.11", 200)
        # What follows is seen by the process in one turn, as a suspended machine sees it.
        director.signal(signal.SIGSTOP)
        sent, before = len(wire.adverts("192.0.2.11")), director_clock(watch)
        watch.mark()
        wire.mark()
        file.write_text(str(seconds))
        director.signal(signal.SIGCONT)
        if seconds < 3:
            wire.await_advert("192.0.2.11", 200)
            assert watch.transitions() == [] and lans.holds("r1", OUTSIDE)
            return
        assert watch.await_transition("backup")["reason"] == "awake"
        assert len(wire.adverts("192.0.2.11")) == sent, "nothing was sent"
        # It is alone, so it serves again in a down interval of the time in which it is awake.
        again = watch.await_transition("master")
        status = director.call(f"{VRRP}.Status")
        [group] = status["groups"]
        ahead = status["nowBoottimeUsec"] - status["nowUsec"]
        assert abs(ahead - before - 60_000_000) < 1_000_000
        # Both name the same instant, each by its clock.
        assert group["sinceUsec"] == again["monotonicUsec"]
        assert abs(group["sinceBoottimeUsec"] - group["sinceUsec"] - ahead) < 1_000_000
        assert 0 <= group["advertUsec"] - status["nowUsec"] <= 1_000_000


def director_clock(watch) -> int:
    """How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC, in microseconds, as the group's record has them."""
    group = watch.group()
    return group["sinceBoottimeUsec"] - group["sinceUsec"]
