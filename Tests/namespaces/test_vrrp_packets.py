"""Adverts that are sent otherwise than usual: another multicast group, an IPv6 list that begins with a global address.
keepalived is the peer, on the same wire.

    [r1:e0] linkwatch-vrrp ---- br a ---- [r2:e0] keepalived
"""

import shutil

import pytest

from lab.pair import Claims
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


@pytest.mark.parametrize("unicast", [False, True], ids=["multicast", "unicast"])
def test_an_authentication_header_as_keepalived_has_it(namespaces, lan, started, unicast):
    """Version 2, HMAC-MD5: heard from it, believed by it, and used by the runner of a dead process."""
    first = "192.0.2.100"
    wire = Capture(namespaces, "sw", lan.port("r1", "e0"), "ip proto 51")
    started.append(wire)
    peer = Keepalived(
        namespaces, "r2", "e0", 10, 100, ADDRESSES[4], 1, 2, unicast=(THEIRS, OURS) if unicast else None,
        extra="authentication {\n  auth_type AH\n  auth_pass secret\n }",
    )  # fmt: skip
    started.append(peer)
    peer.await_state("MASTER")

    keys = ["version = 2", 'auth-pass = "secret"', 'auth-type = "ah"']
    keys += [f'unicast-peers = ["{THEIRS}"]'] if unicast else []

    def text(priority: int, *keys: str) -> str:
        return ours(4, priority, *keys).replace("100ms", "1s")

    # With another key it is refused, and we say so.
    director = Director(namespaces, "r1", text(50, *keys).replace("secret", "secreT"))
    started.append(director)
    watch = director.watch()
    said = watch.await_item(lambda event: (event.get("what") or "").startswith("peer-authentication"), what="a condition")
    assert said["present"] and f"{THEIRS} sends another password or key" in said["what"]

    # With its key it is obeyed; then we are better, and it believes us.
    director.reconfigure(text(50, *keys))
    director.call(f"{VRRP}.Reload")
    until(lambda: director.status()["members"][0]["heard"], "an advert heard")
    watch.mark()
    director.reconfigure(text(150, *keys))
    director.call(f"{VRRP}.Reload")
    watch.await_transition("master")
    until(lambda: lan.holds("r1", first) and not lan.holds("r2", first), "one holder")
    until(lambda: director.status()["members"][0]["advertsSent"] >= 3, "adverts")
    assert not lan.holds("r2", first) and director.status()["members"][0]["sendErrors"] == 0

    if unicast:
        return
    # It takes over at once when we are killed.
    wire.mark()
    director.kill()
    wire.await_item(lambda packet: f"{OURS} > " in packet and "prio 0," in packet, what="a resignation")
    until(lambda: lan.holds("r2", first), "keepalived to take over", 3)

    # It began with a low number, and went on above ours: so do we.
    director.start()
    watch = director.watch()
    watch.await_transition("master")
    until(lambda: lan.holds("r1", first) and not lan.holds("r2", first), "one holder again")


def test_hop_limits_of_peers_behind_routers(namespaces, lan, started):
    """keepalived sends with a TTL of 60, as if there were routers."""
    wire = Capture(namespaces, "sw", lan.port("r1", "e0"), "ip proto 112")
    started.append(wire)
    peer = Keepalived(
        namespaces, "r2", "e0", 10, 100, ADDRESSES[4], unicast=(THEIRS, OURS), extra="unicast_ttl 60"
    )
    started.append(peer)
    peer.await_state("MASTER")
    keys = (f'unicast-peers = ["{THEIRS}"]', "unicast-hop-limit = 61")
    director = Director(namespaces, "r1", ours(4, 50, *keys, "least-hop-limit = 61"))
    started.append(director)
    watch = director.watch()
    said = watch.await_item(lambda event: (event.get("what") or "").startswith("peer-ttl"), what="a condition")
    assert f"{THEIRS} sends TTL 60, expected at least 61" in said["what"]
    director.reconfigure(ours(4, 150, *keys, "least-hop-limit = 60"))
    director.call(f"{VRRP}.Reload")
    until(lambda: director.status()["members"][0]["advertsReceived"] > 0, "an advert")
    watch.await_state("master")
    assert "ttl 61," in wire.await_advert(OURS, 150)
    until(lambda: not lan.holds("r2", "192.0.2.100"), "keepalived to give way")


@pytest.mark.parametrize("family", [4, 6])
def test_a_trailer_proves_who_sends(namespaces, lan, started, family):
    """The third kind of key: both are ours, since Debian's keepalived does not know it yet."""
    wire = Capture(namespaces, "sw", lan.port("r1", "e0"), "ip6 proto 112" if family == 6 else "ip proto 112")
    started.append(wire)
    key = "00112233445566778899aabbccddeeff" * 2

    def text(priority: int, mode: str = "enforce", key: str = key, number: int = 1) -> str:
        table = f'auth-hmac = {{ keys = ["{number} hex:{key}"], mode = "{mode}" }}'
        return ours(family, priority, "require-link-local = false", table)

    def reload(director: Director, *arguments) -> None:
        director.reconfigure(text(*arguments))
        director.call(f"{VRRP}.Reload")

    r1 = Director(namespaces, "r1", text(200))
    started.append(r1)
    w1 = r1.watch()
    w1.await_state("master")
    r2 = Director(namespaces, "r2", text(100))
    started.append(r2)
    until(lambda: r2.status()["members"][0]["advertsReceived"] >= 5, "adverts")
    assert r2.status()["state"] == "backup"
    packet = wire.await_advert(r1.status()["members"][0]["primaryAddress"], 200)
    # Over IPv4 the checksum leaves the trailer out, as keepalived has it, and tcpdump does not know that.
    assert family == 4 or "bad" not in packet

    # Another key is refused: both serve, and each says why. Then it is replaced on a master that goes on.
    w1.mark()
    reload(r2, 100, "enforce", key[::-1])
    w2 = r2.watch()
    w2.await_item(lambda event: (event.get("what") or "").startswith("peer-authentication"), what="a condition")
    reload(r1, 200, "permissive")
    reload(r2, 100, "receive-only")
    until(lambda: r2.status()["state"] == "backup", "the second to give way")
    assert w1.transitions() == [] and lan.holds("r1", ADDRESSES[family][0].split("/")[0], family)
    key_everywhere = [text for text in [*r1.log, *r2.log] if key[:16] in text]
    assert not key_everywhere, key_everywhere


def test_what_follows_an_advert_of_lower_priority(namespaces, lan, started):
    """A master announces its addresses again, as often as configured."""
    keys = ("announce-count = 1", 'announce-repeat = "0s"', "announce-lower-count = 2", 'announce-interval = "10ms"')
    director = Director(namespaces, "r1", ours(4, 150, *keys))
    started.append(director)
    watch = director.watch()
    watch.await_state("master")
    until(lambda: lan.holds("r1", "192.0.2.100"), "the address")
    mac = namespaces.run("r1", "cat", "/sys/class/net/e0/address").strip()
    claims = Claims(namespaces, "r2")
    started.append(claims)
    # A router of lower priority that serves because it does not hear us.
    namespaces.run("r2", "nft", "add table inet f; add chain inet f c { type filter hook input priority 0; }; "
                   "add rule inet f c meta l4proto 112 drop")  # fmt: skip
    peer = Keepalived(namespaces, "r2", "e0", 10, 100, ADDRESSES[4])
    started.append(peer)
    peer.await_state("MASTER")
    # Until it also answers for the address, and is known not to hear us.
    claims.await_true(lambda: claims[:].count(("192.0.2.100", mac)) >= 4, what="announcements")
