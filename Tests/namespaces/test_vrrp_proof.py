"""A leg that is cut in silence, where no director knows a neighbour and none is configured: it heals by itself.

The picture is in lab/vrrp.py, the pair in lab/pair.py. The master's leg on LAN B goes silent with its carrier up; the only
other host there, `cb`, has never heard a word of a director and has never said one. It is enough: the backup finds it, proves
its own leg by its answer, and the master, which finds nobody, is isolated and yields.
"""

import re

import pytest

from lab.vrrp import Capture, Director, Lans, until


def quiet_lan(pair, ipv6: bool) -> None:
    """Nobody has spoken yet: no neighbour is known to any director; without IPv6, none can be found by it."""
    for name in ("r1", "r2", "cb") if not ipv6 else ():
        device = "e0" if name == "cb" else "e1"
        pair.namespaces.run(name, "sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{device}/disable_ipv6")
    for name in ("r1", "r2"):
        pair.namespaces.run(name, "ip", "neigh", "flush", "dev", "e1")


@pytest.mark.parametrize("ipv6", [False, True], ids=["ipv4", "with-ipv6"])
@pytest.mark.parametrize("host", ["198.51.100.22", "198.51.100.203"])
def test_a_silent_cut_heals_with_one_living_host(pair, say, ipv6, host):
    def prepare(made):
        made.namespaces.ip("cb", "addr flush dev e0 scope global", f"addr add {host}/24 dev e0")
        quiet_lan(made, ipv6)

    pair = pair(prepare=prepare)
    assert host not in pair.namespaces.ip("r2", "neigh show dev e1")
    pair.lans.silence("r1", "e1")
    pair.w1.await_what("isolated:e1")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    assert pair.holdings.never_together()
    # And back, when it is mended.
    pair.mark()
    pair.lans.unsilence("r1", "e1")
    pair.settle("r1")


def test_an_ipv6_leg_finds_its_neighbour_too(namespaces):
    """By an echo request to all nodes: the only host has a link-local address that nobody knows."""
    lans = Lans(namespaces, legs=("e1",), cables=1)
    directors, watches = {}, {}
    try:
        for name, ours, theirs, priority in (("r1", 11, 21, 200), ("r2", 21, 11, 100)):
            directors[name] = Director(
                namespaces, name,
                f'[group.six]\npriority = {priority}\ninstances = ["six"]\nheartbeats = ["cross"]\n'
                'advert-interval = "100ms"\n[instance.six]\ninterface = "e1"\nvrid = 7\naddresses = ["fe80::7"]\n'
                f'[heartbeat.cross]\ninterface = "hb0"\nvrid = {ours}\npeer-vrid = {theirs}\n',
            )  # fmt: skip
            watches[name] = directors[name].watch()
        watches["r1"].await_state("master")
        until(lambda: directors["r1"].status()["peer"]["proven"] == ["six"], "the peer to be proven")
        lans.silence("r1", "e1")
        watches["r1"].await_what("isolated:e1")
        watches["r2"].await_state("master")
    finally:
        for thing in (*watches.values(), *directors.values()):
            thing.close()


def test_with_nobody_on_the_link_nothing_moves(pair):
    """Neither director can prove its leg, so neither is known to be the better one: never yield to nobody. The peer itself is no proof, nor are our own addresses: where nobody else lives, there is nobody to serve."""
    def prepare(made):
        made.namespaces.ip("cb", "link set e0 down")
        quiet_lan(made, ipv6=False)

    pair = pair(prepare=prepare)
    pair.lans.silence("r1", "e1")
    pair.w1.await_what("peer-deaf:inside")
    pair.w2.await_what("deaf:inside")
    # Longer than the search takes at its calm pace, counted in adverts.
    pair.quiet(250)
    assert pair.moved_nothing()
    assert pair.r1.status()["causes"] == pair.r2.status()["causes"] == []


def test_a_healthy_pair_asks_nobody(pair):
    """Not one question on a link that is well: neither side is woken for it."""
    pair = pair()
    capture = Capture(pair.namespaces, "cb", "e0", "arp or icmp6")
    pair.quiet(30)
    # Who asks for its own address announces it.
    asked = [
        packet
        for packet in capture
        if (found := re.search(r"Request who-has (198\.51\.100\.\S+?)(?: \S+)? tell (198\.51\.100\.1\d*),", packet))
        and found[1] != found[2]
    ]
    capture.close()
    assert asked == []
