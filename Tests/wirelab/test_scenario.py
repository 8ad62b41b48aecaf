"""The story of 2002, checked row by row: what `make lab` tells of linkwatch is true.

The picture is that of pair.py, the steps are those of scenario.py. Adverts come once a second, so every move that does not take
seconds is the work of the links and the heartbeats. keepalived is not tested here; `make lab` and `make bench-lab` compare.
"""

import pytest

from wirelab import pair, scenario
from wirelab.directors import Linkwatch


@pytest.fixture(scope="module")
def lab(boot_for_all):
    """Two directors with linkwatch, LVS1 serving."""
    running = pair.Pair(boot_for_all(pair.nics(), **pair.GUEST))
    directors = Linkwatch(advert="1s").start(running)
    yield running, directors
    directors.stop()


@pytest.mark.parametrize("step", scenario.STEPS, ids=lambda step: step.name.replace(" ", "-"))
def test_the_right_director_holds_both_addresses(lab, say, step):
    """While the cable is out and after it is back; no address is held twice, and what need not move does not."""
    running, directors = lab
    for phase in scenario.carry_out(running, directors, step):
        say(f"  {step.name} {'cut' if phase.cut else 'restored'}: {scenario.verdict(phase)}")
        assert phase.holder == phase.expected
        assert phase.twice == []
        before = "r1" if phase.cut else step.holder
        if phase.expected == before:
            assert phase.moves == []


def test_the_client_is_served_by_both_servers(lab):
    """The transfers of the client are IPVS's, and no local ones: both directors balance them over the servers."""
    running, _ = lab
    for director in pair.DIRECTORS:
        table = running.vm.run("ip", "netns", "exec", director, "ipvsadm", "--list", "--numeric", "--stats")
        served = [int(line.split()[2]) for line in table.splitlines() if line.lstrip().startswith("-> 198.51.100.10")]
        assert len(served) == 2 and all(served), table
