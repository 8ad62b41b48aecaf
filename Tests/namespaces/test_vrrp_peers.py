"""linkwatch-vrrp against the daemons that it must get along with: keepalived and FRR's vrrpd, each as master and as backup.

    [r1:e0] linkwatch-vrrp ---- br a ---- [r2:e0] the other

Every packet of ours is read by tcpdump, which checks its sums. Adverts come every 100 ms, but for version 2, which counts
in whole seconds.
"""

import ipaddress
import shutil
from pathlib import Path

import pytest

from lab.vrrp import FRR, Capture, Director, Keepalived, Lans, until

VRID = 10
OURS, THEIRS = "192.0.2.11", "192.0.2.12"
ADDRESSES = {4: ["192.0.2.100/24"], 6: ["fe80::100/64", "2001:db8:a::100/64"]}


class Variant:
    """The protocol version and family, and the peer."""

    def __init__(self, peer: str, family: int = 4, version: int = 3, unicast: bool = False):
        self.peer, self.family, self.version, self.unicast = peer, family, version, unicast
        self.interval = 1 if version == 2 else 0.1
        words = [peer, f"v{version}", f"ipv{family}"] + (["unicast"] if unicast else [])
        self.name = "-".join(words)

    def ours(self, priority: int, extra: str = "") -> str:
        addresses = ", ".join(f'"{address}"' for address in ADDRESSES[self.family])
        unicast = f'unicast-peers = ["{THEIRS}"]\n' if self.unicast else ""
        version = "version = 2\n" if self.version == 2 else ""
        return (
            f'[instance.one]\ninterface = "e0"\nvrid = {VRID}\npriority = {priority}\n'
            f'addresses = [{addresses}]\nadvert-interval = "{int(self.interval * 1000)}ms"\n{version}{unicast}{extra}'
        )

    def theirs(self, namespaces, priority: int, **options):
        if self.peer == "frr":
            return FRR(namespaces, "r2", "e0", VRID, priority, ADDRESSES[self.family], family=self.family, **options)
        return Keepalived(
            namespaces, "r2", "e0", VRID, priority, ADDRESSES[self.family], self.interval, self.version,
            unicast=(THEIRS, OURS) if self.unicast else None, **options,
        )  # fmt: skip


VARIANTS = [
    Variant("keepalived"),
    Variant("keepalived", family=6),
    Variant("keepalived", version=2),
    Variant("keepalived", unicast=True),
    Variant("frr"),
    Variant("frr", family=6),
]


def skip_without(variant: Variant) -> None:
    program = "/usr/lib/frr/vrrpd" if variant.peer == "frr" else shutil.which("keepalived") or "keepalived"
    if not Path(program).exists():
        pytest.skip(f"{variant.peer} is not installed")


@pytest.fixture
def lan(namespaces):
    return Lans(namespaces, legs=("e0",), hosts=False)


@pytest.fixture
def started():
    """Closes in reverse order what a test appended."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


def source(namespaces, family: int) -> str:
    """Where our adverts come from."""
    if family == 4:
        return OURS
    for word in namespaces.ip("r1", "-6 -o addr show dev e0 scope link").split():
        if word.startswith("fe80:") and "::100/" not in word:
            return str(ipaddress.ip_interface(word).ip)
    raise LookupError("r1 has no link-local address")


def listen(namespaces, lan, family: int) -> Capture:
    """The packets on the wire of r1."""
    return Capture(namespaces, "sw", lan.port("r1", "e0"), "ip6 proto 112" if family == 6 else "ip proto 112")


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_takes_turns(namespaces, lan, started, variant):
    skip_without(variant)
    family, first = variant.family, ADDRESSES[variant.family][-1].split("/")[0]
    wire, us = listen(namespaces, lan, family), source(namespaces, family)
    started.append(wire)
    # The other serves; we are better and preempt it; it accepts that.
    peer = variant.theirs(namespaces, 100)
    started.append(peer)
    # FRR chooses among the addresses of its macvlan, so its first advert says from where.
    them = wire.await_item(lambda packet: "prio 100," in packet, what="an advert").split(" > ")[0].split()[-1]
    director = Director(namespaces, "r1", variant.ours(150))
    started.append(director)
    watch = director.watch()
    watch.await_state("master")
    wire.await_advert(us, 150)
    until(lambda: lan.holds("r1", first, family), "the address")
    status = director.status()
    assert status["members"][0]["primaryAddress"] == us
    # It has until it is scheduled to notice.
    wire.await_true(lambda: all(f"{us} > " in packet for packet in wire[-3:]), what="one master")

    # We resign in good order: priority 0, and the other takes over at once.
    wire.mark()
    assert director.stop() == 0
    wire.await_advert(us, 0)
    wire.await_advert(them, 100)
    assert not lan.holds("r1", first, family)

    # We are worse: backup, until the other dies without a word and its addresses are gone.
    director.config.write_text(director.whole(variant.ours(50)))
    director.start()
    watch = director.watch()
    watch.await_state("backup")
    wire.mark()
    for _ in range(3):
        wire.await_advert(them, 100)
        wire.marked = len(wire)
    assert watch.group()["state"] == "backup"
    peer.kill()
    # Its addresses outlive it and its kernel answers for them: who took them now would make them exist twice.
    watch.await_what("adverts-blocked")
    assert watch.group()["state"] == "backup"
    peer.clear()
    watch.await_transition("master")
    wire.await_advert(us, 50)

    # It comes back and is better.
    wire.mark()
    watch.mark()
    peer.start()
    wire.await_advert(them, 100)
    watch.await_transition("backup", reason="lose")
    assert not lan.holds("r1", first, family)

    # It resigns.
    watch.mark()
    peer.stop()
    watch.await_transition("master")
    ours = wire.adverts(us)
    assert ours and not [packet for packet in ours if "bad" in packet or "invalid" in packet]
    assert all("ttl 255" in packet or "hlim 255" in packet for packet in ours)


@pytest.mark.parametrize("variant", VARIANTS[:2], ids=lambda variant: variant.name)
def test_is_replaced_when_it_is_killed(namespaces, lan, started, variant):
    """Its runner resigns for it once its addresses are gone, and keepalived takes over."""
    skip_without(variant)
    family, first = variant.family, ADDRESSES[variant.family][-1].split("/")[0]
    wire, us = listen(namespaces, lan, family), source(namespaces, family)
    started.append(wire)
    director = Director(namespaces, "r1", variant.ours(150))
    started.append(director)
    director.watch().await_state("master")
    until(lambda: lan.holds("r1", first, family), "the address")
    peer = variant.theirs(namespaces, 100)
    started.append(peer)
    wire.mark()
    director.kill()
    wire.await_advert(us, 0)
    peer.await_state("MASTER")
    assert not lan.holds("r1", first, family)


def test_takes_from_a_dead_peer_without_asking(namespaces, lan, started):
    """Where the operator prefers two holders to a leftover: `probe-before-takeover = false`."""
    variant = VARIANTS[0]
    skip_without(variant)
    peer = variant.theirs(namespaces, 100)
    started.append(peer)
    director = Director(namespaces, "r1", variant.ours(50, "probe-before-takeover = false\n"))
    started.append(director)
    watch = director.watch()
    until(lambda: director.status()["members"][0]["heard"], "an advert heard")
    peer.kill()
    watch.await_transition("master", reason="take")
    until(lambda: lan.holds("r1", "192.0.2.100"), "the address")


@pytest.mark.parametrize("higher", ["ours", "theirs"])
def test_equal_priorities_are_decided_by_address(namespaces, lan, started, higher):
    """Two masters that did not hear each other meet; the higher address stays."""
    variant = VARIANTS[0]
    skip_without(variant)
    ours, theirs = ("192.0.2.13", THEIRS) if higher == "ours" else (OURS, THEIRS)
    if higher == "ours":
        namespaces.ip("r1", "addr del 192.0.2.11/24 dev e0", "addr add 192.0.2.13/24 dev e0")
    lan.silence("r1", "e0")
    peer = variant.theirs(namespaces, 100)
    started.append(peer)
    director = Director(namespaces, "r1", variant.ours(100))
    started.append(director)
    watch = director.watch()
    watch.await_state("master")
    peer.await_state("MASTER")
    watch.mark()
    peer.log.mark()
    lan.unsilence("r1", "e0")
    if higher == "ours":
        peer.await_state("BACKUP")
        assert watch.group()["state"] == "master"
    else:
        watch.await_transition("backup", reason="lose")
        assert lan.holds("r2", "192.0.2.100")


def test_both_checksum_forms(namespaces, lan, started):
    """Two of ours that sum differently hear each other, and each says how the other sums."""
    forms = {"r1": "message", "r2": "pseudo-header"}
    variant = Variant("keepalived")
    directors = {
        name: Director(namespaces, name, variant.ours(priority, f'checksum = "{forms[name]}"\n'))
        for name, priority in (("r1", 150), ("r2", 50))
    }
    started.extend(directors.values())
    first, second = (director.watch() for director in directors.values())
    first.await_state("master")
    until(lambda: directors["r2"].status()["members"][0]["checksumForm"] == "message", "the first one's sum")
    second.await_state("backup")
    directors["r1"].reconfigure(variant.ours(20, 'checksum = "message"\n'))
    directors["r1"].call("io.linkwatch.VRRP.Reload")
    second.await_state("master")
    until(lambda: directors["r1"].status()["members"][0]["checksumForm"] == "pseudo-header", "the second one's sum")
    first.await_state("backup")
    assert not sum(director.call("io.linkwatch.VRRP.Status")["discards"] != [] for director in directors.values())
