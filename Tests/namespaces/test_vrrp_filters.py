"""Adverts that a packet filter drops, distinguished from adverts that nobody sends.

The picture is in lab/vrrp.py, the pair in lab/pair.py. Where a filter sits makes the difference:

    wire ---> [ingress hook] ---> packet socket ---> [PREROUTING, INPUT] ---> raw socket
    wire <------------------------------------------ [OUTPUT] <-------------- raw socket

The director hears adverts on the packet socket and compares with the raw one: INPUT and PREROUTING take nothing from it
and are reported as `adverts-filtered`. Ingress is before both, and cannot be told from a cut by any one of them; what the
peer says over the cable tells: `adverts-blocked`, `deaf`, `peer-deaf`. keepalived and FRR are both master for as long as
any such rule stays.
"""

import shutil

from lab.pair import config, drop, undrop
from lab.vrrp import VRRP, until


class NFT:
    """One rule in a table of its own."""

    program = "nft"

    def __init__(self, hook: str):
        self.name, self.hook = f"nft-{hook}", hook

    def add(self, namespaces, name: str) -> None:
        chain = f"add chain inet f c {{ type filter hook {self.hook} priority 0; }}"
        namespaces.run(name, "nft", f"add table inet f; {chain}; add rule inet f c meta l4proto 112 drop")

    def delete(self, namespaces, name: str) -> None:
        namespaces.run(name, "nft", "delete table inet f")


class IPTables:
    """The same by iptables, in either of its kinds: for IPv4, which is what the legs speak."""

    def __init__(self, kind: str, chain: str = "INPUT", table: str = "filter"):
        self.name, self.program = f"iptables-{kind}-{chain.lower()}", f"iptables-{kind}"
        self.rule = ["-t", table, "-w", "{}", chain, "-p", "112", "-j", "DROP"]

    def _run(self, namespaces, name: str, action: str) -> None:
        namespaces.run(name, self.program, *(action if word == "{}" else word for word in self.rule))

    def add(self, namespaces, name: str) -> None:
        self._run(namespaces, name, "-A")

    def delete(self, namespaces, name: str) -> None:
        self._run(namespaces, name, "-D")


INCOMING = [
    NFT("input"),
    NFT("prerouting"),
    IPTables("legacy"),
    IPTables("legacy", "PREROUTING", "mangle"),
    IPTables("nft"),
]


def received(group: dict) -> dict[str, int]:
    """By interface, the adverts that a group has heard."""
    return {member["interface"]: member["advertsReceived"] for member in group["members"]}


def test_incoming_filters_of_every_kind(pair, say):
    """Each is noticed at the third advert that it drops, and its end at the next that passes; nobody is elected."""
    pair = pair(interval="200ms")
    noticed = []
    for rule in INCOMING:
        if not shutil.which(rule.program):
            say(f"{rule.name}: {rule.program} is not installed")
            continue
        pair.mark()
        rule.add(pair.namespaces, "r2")
        before = received(pair.r2.status())
        dropped = {}
        for leg in ("e0", "e1"):
            event = pair.w2.await_what(f"adverts-filtered:{leg}")
            dropped[leg] = received(event["group"])[leg] - before[leg]
        noticed.extend(dropped.values())
        say(f"{rule.name}: noticed at advert {dropped['e0']} on e0, {dropped['e1']} on e1")
        pair.quiet(6)
        rule.delete(pair.namespaces, "r2")
        for leg in ("e0", "e1"):
            pair.w2.await_what(f"adverts-filtered:{leg}", present=False)
        assert pair.moved_nothing(), rule.name
        assert all(member["heard"] for member in pair.r2.status()["members"])
    assert pair.holdings.never_together()
    until(lambda: pair.r2.status()["conditions"] == [], "no condition")
    # By the median: on a busy machine others are now and then read together with the third.
    assert sorted(noticed)[len(noticed) // 2] <= 4, noticed


def test_without_a_cable_a_filter_elects_nobody_either(pair):
    pair = pair(cables=0)
    INCOMING[0].add(pair.namespaces, "r2")
    for leg in ("e0", "e1"):
        pair.w2.await_what(f"adverts-filtered:{leg}")
    pair.quiet(20)
    assert pair.moved_nothing() and pair.holdings.never_together()


def test_what_is_done_about_a_filter_is_configured_and_can_be_changed_meanwhile(pair):
    pair = pair()
    filters = INCOMING[0]
    filters.add(pair.namespaces, "r2")
    pair.w2.await_what("adverts-filtered:e0")
    pair.w2.await_what("adverts-filtered:e1")

    def choose(choice: str) -> None:
        pair.r2.reconfigure(config("r2", group=f'packet-filter = "{choice}"'))
        pair.r2.call(f"{VRRP}.Reload")

    choose("fault")
    pair.w2.await_transition("fault")
    assert pair.r2.status()["causes"] == ["packet-filter:e0", "packet-filter:e1"]
    choose("ignore")
    pair.w2.await_transition("backup", reason="recovered")
    until(lambda: pair.r2.status()["conditions"] == [], "the conditions to go")
    assert pair.r2.status()["causes"] == []
    choose("fault")
    pair.w2.await_state("fault")
    pair.quiet(4)
    filters.delete(pair.namespaces, "r2")
    pair.w2.await_state("backup")
    assert pair.w1.transitions() == []


def test_a_filter_does_not_outlive_what_it_drops(pair):
    """Told to take a filter for a fault, and the master dies: it is all that is left, and nothing is dropped any more."""
    pair = pair(cables=0, group='packet-filter = "fault"')
    INCOMING[0].add(pair.namespaces, "r2")
    pair.w2.await_transition("fault")
    pair.r1.stop()
    pair.w2.await_transition("backup", reason="recovered")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    assert pair.holdings.never_together()


def test_an_interface_that_goes_takes_its_filter_along(pair):
    """The socket that knew of the filter is gone with it; the next one finds out for itself."""
    pair = pair()
    INCOMING[0].add(pair.namespaces, "r2")
    for leg in ("e0", "e1"):
        pair.w2.await_what(f"adverts-filtered:{leg}")
    pair.namespaces.ip("r2", "link del e1")
    pair.w2.await_what("adverts-filtered:e1", present=False)
    assert "adverts-filtered:e0" in pair.r2.status()["conditions"]
    assert pair.w1.transitions() == []


def test_outgoing_filters_are_sent_around(pair):
    """EPERM on the raw socket: the advert goes by the packet socket, and a condition says so, for legs and for cables."""
    pair = pair()
    outgoing = [NFT("output"), IPTables("legacy", "OUTPUT"), IPTables("nft", "OUTPUT")]
    for rule in [rule for rule in outgoing if shutil.which(rule.program)]:
        # iptables is for IPv4 alone; heartbeats are IPv6.
        devices = ("e0", "e1", "hb0") if rule.program == "nft" else ("e0", "e1")
        pair.mark()
        rule.add(pair.namespaces, "r1")
        for device in devices:
            pair.w1.await_what(f"send-filtered:{device}")
        heard = received(pair.r2.status())
        until(lambda: all(received(pair.r2.status())[leg] > heard[leg] + 10 for leg in heard), "ten adverts on each leg")
        until(lambda: pair.r2.status()["peer"]["fresh"], "the peer to be fresh")
        rule.delete(pair.namespaces, "r1")
        for device in devices:
            pair.w1.await_what(f"send-filtered:{device}", present=False)
        assert pair.moved_nothing(), rule.name
    for director in pair.directors.values():
        until(lambda: director.status()["conditions"] == [], "no condition")
    # A backup sends no adverts, so it cannot know whether they would pass: only its heartbeats.
    pair.mark()
    outgoing[0].add(pair.namespaces, "r1")
    for device in ("e0", "e1", "hb0"):
        pair.w1.await_what(f"send-filtered:{device}")
    pair.r1.call(f"{VRRP}.Handover", group="lvs")
    pair.settle("r2")
    left = ["handed-over", "send-filtered:hb0"]
    until(lambda: pair.r1.status()["conditions"] == left, f"nothing but {left}")


# What no socket of the director's can see: a drop on ingress, by tc, XDP, or a switch on the way.


def test_silence_while_the_cable_speaks(pair, say):
    """Twenty adverts, more than five down intervals: no second holder, and both publish the reason."""
    pair = pair()
    drop(pair.namespaces, "r2", "e0", "e1")
    pair.w2.await_what("adverts-blocked")
    for member in ("outside", "inside"):
        pair.w1.await_what(f"peer-deaf:{member}")
    pair.quiet(20)
    assert not [condition for condition in pair.r2.status()["conditions"] if "filtered" in condition]
    undrop(pair.namespaces, "r2")
    pair.w2.await_what("adverts-blocked", present=False)
    for member in ("outside", "inside"):
        pair.w1.await_what(f"peer-deaf:{member}", present=False)
    assert pair.moved_nothing()

    # One leg alone: named.
    pair.mark()
    drop(pair.namespaces, "r2", "e1")
    pair.w2.await_what("deaf:inside")
    pair.w1.await_what("peer-deaf:inside")
    pair.quiet(8)
    assert "adverts-blocked" not in pair.r2.status()["conditions"]
    undrop(pair.namespaces, "r2")
    pair.w2.await_what("deaf:inside", present=False)
    pair.w1.await_what("peer-deaf:inside", present=False)
    assert pair.moved_nothing() and pair.holdings.never_together()


def test_a_holder_that_dies_behind_a_filter_is_replaced(pair, say):
    """Down timers have run out long ago, so the end of the heartbeats is all that is waited for, and the lease's."""
    pair = pair()
    drop(pair.namespaces, "r2", "e0", "e1")
    pair.w2.await_what("adverts-blocked")
    pair.mark()
    pair.r1.crash()
    assert pair.w2.await_transition("master")["reason"] == "dead"
    pair.holdings.await_by("r2")
    # It comes back, is better, and is not heard: it claims, is not given anything, and after a while claims again.
    pair.mark()
    pair.r1.start()
    pair.watch_again("r1").await_present("unheard")
    pair.quiet(40, "r2")
    assert pair.w1.group()["state"] == "backup" and pair.w2.transitions() == [] == pair.holdings.recent()
    # The filter goes, and the next claim is heard.
    undrop(pair.namespaces, "r2")
    assert pair.w1.await_transition("master")["reason"] == "preempt"
    pair.settle()
    # In good order: at once.
    drop(pair.namespaces, "r2", "e0", "e1")
    pair.w2.await_what("adverts-blocked")
    pair.mark()
    pair.r1.stop()
    assert pair.w2.await_transition("master")["reason"] == "at-once"
    pair.holdings.await_by("r2")
    say(f"behind a filter, SIGTERM: moved in {pair.holdings.gap() * 1000:.0f} ms")
    assert pair.holdings.never_together(), pair.holdings.together


def test_filtered_adverts_and_a_lost_cable(pair):
    """All that is left is ARP: the virtual addresses are asked for, the holder's kernel answers, and nothing is taken."""
    pair = pair()
    drop(pair.namespaces, "r2", "e0", "e1")
    pair.w2.await_what("adverts-blocked")
    pair.namespaces.ip("r1", "link set hb0 down")
    pair.w2.await_what("heartbeat-degraded:cross0")
    until(lambda: not pair.r2.status()["peer"]["fresh"], "the peer to be no longer fresh")
    pair.quiet(20)
    assert "adverts-blocked" in pair.r2.status()["conditions"]
    assert pair.moved_nothing() and pair.holdings.never_together()
