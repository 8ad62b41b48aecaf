"""Adverts that are sent otherwise than usual: another multicast group, an IPv6 list that begins with a global address.
keepalived is the peer, on the same wire.

    [r1:e0] linkwatch-vrrp ---- br a ---- [r2:e0] keepalived
"""

import shutil

import pytest

from lab.vrrp import VRRP, Capture, Director, Keepalived, Lans, until

OURS, THEIRS = "192.0.2.11", "192.0.2.12"
GROUPS = {4: ("224.0.0.66", "224.0.0.67"), 6: ("ff02::66", "ff02::67")}
ADDRESSES = {4: ["192.0.2.100/24"], 6: ["2001:db8:a::100/64", "fe80::100/64"]}


@pytest.fixture
def lan(namespaces):
    if not shutil.which("keepalived"):
        pytest.skip("keepalived is not installed")
    return Lans(namespaces, legs=("e0",), hosts=False)


@pytest.fixture
def started():
    """Closes in reverse order what a test appended."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


def ours(family: int, priority: int, *keys: str) -> str:
    addresses = ", ".join(f'"{address}"' for address in ADDRESSES[family])
    lines = (f"priority = {priority}", 'advert-interval = "100ms"', f"addresses = [{addresses}]", *keys)
    return '[instance.one]\ninterface = "e0"\nvrid = 10\n' + "\n".join(lines) + "\n"


def group_keys(family: int, group: str) -> tuple[str, ...]:
    return (f'multicast-group = "{group}"', *(["require-link-local = false"] if family == 6 else []))


def in_group(namespaces, family: int, group: str) -> bool:
    return group in namespaces.ip("r1", f"-{family} maddr show dev e0")


@pytest.mark.parametrize("family", [4, 6])
def test_another_group_and_any_first_address(namespaces, lan, started, family):
    group, other = GROUPS[family]
    first = ADDRESSES[family][0].split("/")[0]
    wire = Capture(namespaces, "sw", lan.port("r1", "e0"), "ip6 proto 112" if family == 6 else "ip proto 112")
    started.append(wire)
    peer = Keepalived(
        namespaces, "r2", "e0", 10, 100, ADDRESSES[family], globals=f"vrrp_mcast_group{family} {group}"
    )
    started.append(peer)
    peer.await_state("MASTER")
    theirs = wire.await_item(lambda packet: f"> {group}: " in packet and "prio 100," in packet, what="an advert")
    assert "prio 100," in theirs

    # It is heard, and counted if it begins as the RFC does not want it.
    director = Director(namespaces, "r1", ours(family, 50, *group_keys(family, group)))
    started.append(director)
    watch = director.watch()
    until(lambda: director.status()["members"][0]["advertsReceived"] >= 3, "adverts")
    member = director.status()["members"][0]
    assert member["multicastGroup"] == group
    assert member["firstNotLinkLocalReceived"] == (0 if family == 4 else member["advertsReceived"])
    assert director.status()["state"] == "backup" and director.status()["conditions"] == ["monitor-lost"], theirs
    assert in_group(namespaces, family, group)
    usual = "224.0.0.18" if family == 4 else "ff02::12"
    assert not in_group(namespaces, family, usual)

    # A packet filter that drops them is known.
    namespaces.run("r1", "nft", "add table inet f; add chain inet f c { type filter hook input priority 0; }; "
                   "add rule inet f c meta l4proto 112 drop")  # fmt: skip
    watch.await_what("adverts-filtered:e0")
    namespaces.run("r1", "nft", "delete table inet f")
    watch.await_what("adverts-filtered:e0", present=False)

    # We preempt it, and it obeys.
    director.reconfigure(ours(family, 150, *group_keys(family, group)))
    director.call(f"{VRRP}.Reload")
    watch.await_transition("master")
    until(lambda: lan.holds("r1", first, family) and not lan.holds("r2", first, family), "one holder")
    us = director.status()["members"][0]["primaryAddress"]
    packet = wire.await_advert(us, 150)
    assert f"{us} > {group}: " in packet and "bad" not in packet
    if family == 6:
        assert packet.index(ADDRESSES[6][0].split("/")[0]) < packet.index(ADDRESSES[6][1].split("/")[0])
        # The kernel leaves the group silently.
        watch.mark()
        namespaces.ip("r1", "link set e0 mtu 1000")
        watch.await_transition("fault")
        namespaces.ip("r1", "link set e0 mtu 1500", "addr replace 2001:db8:a::11/64 dev e0 nodad")
        watch.await_transition("master")
        until(lambda: in_group(namespaces, family, group), "the group again")
        us = director.status()["members"][0]["primaryAddress"]

    # Whoever is killed resigns there.
    wire.mark()
    director.kill()
    assert f"> {group}: " in wire.await_advert(us, 0)
    until(lambda: lan.holds("r2", first, family), "keepalived to take over")

    # A reload changes the group of a master that goes on serving.
    peer.kill()
    peer.clear()
    director.start()
    watch = director.watch()
    watch.await_state("master")
    watch.mark()
    wire.mark()
    director.reconfigure(ours(family, 150, *group_keys(family, other)))
    director.call(f"{VRRP}.Reload")
    us = director.status()["members"][0]["primaryAddress"]
    wire.await_item(lambda packet: f"{us} > {other}: " in packet, what="an advert to the other group")
    assert lan.holds("r1", first, family) and director.status()["state"] == "master"
    assert watch.transitions() == []
    assert in_group(namespaces, family, other) and not in_group(namespaces, family, group)
