"""What one host on the LAN can make a director believe, and what it is told of it.

The picture is in lab/vrrp.py, the pair in lab/pair.py. The host is `ca`, on LAN A. It forges what it likes; nothing here
needs more than a raw socket.
"""

import socket
import struct

import pytest

from lab.packets import (
    ARP, BROADCAST, FORGED, Flood, advert, arp, checksum, ipv4, mac_bytes, mac_of, message, say_on_the_lan,
)  # fmt: skip
from lab.pair import INSIDE, OUTSIDE, drop
from lab.vrrp import VRRP, Director, Lans, until

def die(pair) -> None:
    """The power of r1 fails: no resignation is sent, and its kernel answers no ARP."""
    pair.r1.crash()
    for device, address in (("e0", OUTSIDE), ("e1", INSIDE)):
        pair.namespaces.ip("r1", f"addr flush dev {device} to {address}")


def test_what_nobody_asked_for_does_not_block_a_takeover(pair, say):
    """Gratuitous ARP as request and as reply, a probe of the same address, and replies to somebody else, all the time."""
    pair = pair(cables=0)
    victim = mac_of(pair.namespaces, "r2", "e0")
    unasked = [
        arp(1, OUTSIDE, FORGED, OUTSIDE),
        arp(2, OUTSIDE, FORGED, OUTSIDE, BROADCAST),
        arp(1, "0.0.0.0", FORGED, OUTSIDE),
        # To us, but to an address that we did not ask from; and to another MAC in a frame to us.
        arp(2, OUTSIDE, FORGED, "192.0.2.12", victim),
        arp(2, OUTSIDE, FORGED, "0.0.0.0", FORGED),
    ]
    packets = [(BROADCAST, ARP, packet) for packet in unasked[:3]] + [(victim, ARP, packet) for packet in unasked[3:]]
    with Flood(pair.namespaces, *packets):
        die(pair)
        pair.w2.await_transition("master")
        pair.holdings.await_by("r2")
    assert not [event for event in pair.w2.recent() if "adverts-blocked" in (event.get("what") or "")]


def test_who_answers_for_an_address_is_named(pair):
    """A host that answers our own question: the log has, as an error, its MAC address and the address that it claims."""
    pair = pair(cables=0)
    victim = mac_of(pair.namespaces, "r2", "e0")
    with Flood(pair.namespaces, (victim, ARP, arp(2, OUTSIDE, FORGED, "0.0.0.0", victim))):
        die(pair)
        event = pair.w2.await_what("address-conflict:outside")
    assert OUTSIDE in event["what"] and FORGED in event["what"]
    line = pair.r2.log.await_item(lambda line: "address-conflict" in line, what="the line in the log")
    assert FORGED in line and OUTSIDE in line


def test_the_master_that_answers_is_told_from_a_stranger(pair):
    """Adverts filtered, no cable: who answers for the addresses is the router that was heard before, and nothing moves."""
    pair = pair(cables=0)
    drop(pair.namespaces, "r2", "e0", "e1")
    for member, interface in (("outside", "e0"), ("inside", "e1")):
        event = pair.w2.await_what(f"address-conflict:{member}")
        assert mac_of(pair.namespaces, "r1", interface) in event["what"] and "router" in event["what"]
    pair.quiet(10)
    assert pair.moved_nothing() and pair.holdings.never_together()


# Filters that are none.


UNDELIVERED = {
    "a wrong sum of the header": ipv4("192.0.2.21", message("192.0.2.21"), broken=True),
    "a source route": ipv4("192.0.2.21", message("192.0.2.21"), bytes([131, 7, 4, 192, 0, 2, 9, 0])),
    "a multicast source": ipv4("224.0.0.5", message("224.0.0.5")),
    "a broadcast source": ipv4("192.0.2.255", message("192.0.2.255")),
    "a loopback source": ipv4("127.0.0.9", message("127.0.0.9")),
    "our own source": ipv4("192.0.2.12", message("192.0.2.12")),
    "our own source on the other leg": ipv4("198.51.100.12", message("198.51.100.12")),
    "a source of the other leg's network": ipv4("198.51.100.77", message("198.51.100.77")),
    "another group": ipv4("192.0.2.21", message("192.0.2.21", destination="224.0.0.99"), destination="224.0.0.99"),
    "another host's address": ipv4("192.0.2.21", message("192.0.2.21", destination="192.0.2.99"), destination="192.0.2.99"),
}


def test_what_the_kernel_never_delivers_is_no_filter(pair):
    """Twelve of each, at the pace of adverts, told to take a filter for a fault: none of them is one."""
    pair = pair(group='packet-filter = "fault"')
    # As routers do, and strictly: what comes from the other leg's network is dropped here.
    for name in ("all", "e0"):
        pair.namespaces.run("r2", "sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{name}/rp_filter")
    group = "01:00:5e:00:00:12"
    for what, packet in UNDELIVERED.items():
        with Flood(pair.namespaces, (group, 0x0800, packet), seconds=0.1):
            pair.quiet(14)
        assert pair.w2.transitions() == [], what
        assert not [one for one in pair.r2.status()["conditions"] if "filtered" in one], what
    # The test can see one: the same, delivered and dropped by a filter.
    pair.namespaces.run(
        "r2", "nft", "add table inet f; add chain inet f c { type filter hook input priority 0; }; "
        "add rule inet f c meta l4proto 112 drop",
    )  # fmt: skip
    pair.w2.await_transition("fault")


def test_a_process_that_was_stopped_finds_no_filter(pair):
    """Five seconds' adverts wait in both sockets: they are counted against each other, whatever is read first."""
    pair = pair(cables=0, group='packet-filter = "fault"')
    pair.r2.signal(19)  # SIGSTOP
    pair.quiet(50)
    pair.r2.signal(18)  # SIGCONT
    pair.quiet(10)
    assert not [event for event in pair.w2.recent() if "filter" in (event.get("what") or "")]
    assert pair.w2.transitions() == []


def test_a_raw_socket_full_of_others_adverts_is_no_filter(pair):
    """Adverts of another number fill the raw socket between two of ours: what it lost is not missing."""
    pair = pair(cables=0, group='packet-filter = "fault"')
    noise = ("01:00:5e:00:00:12", 0x0800, advert("192.0.2.21", 100, "192.0.2.77", vrid=99))
    with Flood(pair.namespaces, *[noise] * 2000, seconds=0.01):
        pair.quiet(20)
        told = [event["what"] for event in pair.w2.recent() if "filter" in (event.get("what") or "")]
    assert told == [] and pair.w2.transitions() == []


def test_our_own_adverts_that_come_back_are_nobodys(pair):
    """A hairpin on the switch's port: the master hears its own adverts, and does not report them as a stranger's."""
    pair = pair(cables=0, group='packet-filter = "fault"')
    pair.namespaces.run("sw", "bridge", "link", "set", "dev", "p-r1", "hairpin", "on")
    until(lambda: discards(pair.r1).get("reflected", 0) > 10, "ten adverts to come back")
    pair.quiet(10)
    assert pair.r1.status()["conditions"] == [] and pair.moved_nothing()


def test_a_virtual_mac_is_no_filter(pair):
    """The macvlan hears what its parent hears, and each the other one: as backup, as master, and when the switch sends it back."""
    pair = pair(cables=0, group='packet-filter = "fault"', inside="virtual-mac = true\n")
    for name in ("r1", "r2"):
        pair.namespaces.run("sw", "bridge", "link", "set", "dev", f"q-{name}", "hairpin", "on")
    watches = (pair.w1, pair.w2)
    until(lambda: discards(pair.r1).get("reflected", 0) > 10, "ten adverts to come back")
    pair.lans.cut("r1", "e1")
    pair.w2.await_transition("master")
    pair.quiet(15, master="r2")
    pair.lans.mend("r1", "e1")
    pair.w2.await_transition("backup")
    pair.quiet(15)
    said = [event["what"] for watch in watches for event in watch if event.get("what")]
    assert not [what for what in said if "filter" in what], said
    assert [pair.r1.status()["conditions"], pair.r2.status()["conditions"]] == [[], []]


# Adverts that are refused, and those that cannot be sent.


def edit(director, old: str, new: str) -> None:
    """Changes a director's file and has it read again."""
    text = director.config.read_text()
    assert old in text
    director.config.write_text(text.replace(old, new))
    director.call(f"{VRRP}.Reload")


def discards(director) -> dict[str, int]:
    return {entry["reason"]: entry["count"] for entry in director.call(f"{VRRP}.Status")["discards"]}


COUNT_ZERO = struct.pack("!BBBBHH", 0x31, 10, 100, 0, 10, 0)
NO_ADDRESS = COUNT_ZERO[:6] + struct.pack("!H", checksum(COUNT_ZERO))


@pytest.mark.parametrize(
    "what, packet, words",
    [
        ("peer-version", ipv4("192.0.2.21", bytes.fromhex("210a640100010000c0000201") + bytes(8)), "version 2"),
        ("peer-ttl", advert("192.0.2.21", 100, OUTSIDE, ttl=64), "64"),
        ("peer-checksum", advert("192.0.2.21", 100, OUTSIDE, broken=True), "checksum"),
        ("peer-addresses", ipv4("192.0.2.21", NO_ADDRESS), "no address"),
        ("peer-length", advert("192.0.2.21", 100, OUTSIDE, size=8), "octets"),
    ],
    ids=["version", "ttl", "checksum", "addresses", "length"],
)
def test_a_refused_advert_is_told(pair, what, packet, words):
    """Who sends it and what differs; and that it is over, some time after the last."""
    pair = pair(cables=0)
    say_on_the_lan(pair.namespaces, packet)
    for watch, director in ((pair.w1, pair.r1), (pair.w2, pair.r2)):
        event = watch.await_what(f"{what}:outside")
        assert "192.0.2.21" in event["what"] and words in event["what"], event["what"]
        assert any(one.startswith(f"{what}:outside") for one in director.status()["conditions"])
        director.log.await_item(lambda line: what in line and "192.0.2.21" in line, what="the line in the log")
    # At packet rate it is one condition, and no line more.
    lines = len([line for line in pair.r1.log if what in line])
    say_on_the_lan(pair.namespaces, packet, times=2000)
    pair.quiet(4)
    assert len([line for line in pair.r1.log if what in line]) == lines
    assert pair.moved_nothing()


def test_two_directors_of_different_versions_say_so(pair):
    """The backup hears nobody any more, and why; that the master answers for the addresses keeps it from serving as well."""
    pair = pair(cables=0, interval="1s")
    edit(pair.r2, 'advert-interval = "1s"', 'advert-interval = "1s"\nversion = 2')
    assert "192.0.2.11 sends version 3, expected 2" in pair.w2.await_what("peer-version:outside")["what"]
    assert mac_of(pair.namespaces, "r1", "e0") in pair.w2.await_what("address-conflict:outside")["what"]
    pair.quiet(4)
    assert pair.holdings.never_together()


def test_an_interval_or_a_password_that_differs_is_told(pair):
    pair = pair(cables=0, interval="1s", group="version = 2", inside='auth-pass = "secret"')
    edit(pair.r2, '"secret"', '"other"')
    assert "another password" in pair.w2.await_what("peer-authentication:inside")["what"]
    assert not [line for line in pair.r2.log if "secret" in line or "other" in line.replace("another", "")]
    edit(pair.r2, 'advert-interval = "1s"', 'advert-interval = "2s"')
    assert "1s, expected 2s" in pair.w2.await_what("peer-interval:outside")["what"]


def test_adverts_that_do_not_fit_are_told_before_and_counted(pair):
    """The leg's MTU falls below the advert: of the backup as well, which would not be heard as master."""
    many = ", ".join(f'"198.51.100.{number}"' for number in range(100, 150))
    inside = f'addresses = ["{INSIDE}/24", {many}]'
    pair = pair(cables=0)
    for director in pair.directors.values():
        edit(director, f'addresses = ["{INSIDE}/24"]', inside)
    pair.mark()
    for name in ("r1", "r2"):
        pair.namespaces.ip(name, "link set e1 mtu 200")
    for watch in (pair.w1, pair.w2):
        assert "MTU of e1, 200" in watch.await_what("send-failed:inside")["what"]
    until(lambda: pair.r1.status()["members"][1]["sendErrors"] > 3, "adverts that were not sent to be counted")
    assert pair.r1.status()["members"][1]["lastSendError"]
    for name in ("r1", "r2"):
        pair.namespaces.ip(name, "link set e1 mtu 1500")
    for watch in (pair.w1, pair.w2):
        watch.await_what("send-failed:inside", present=False)


# Claims of an address that we hold.


def advertisement(target: str, mac: str, source: str) -> bytes:
    """An unsolicited neighbour advertisement to all nodes."""
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "ff02::1")
    body = bytes([136, 0, 0, 0, 0x20, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, target) + b"\2\1" + mac_bytes(mac)
    total = checksum(ends + struct.pack("!II", len(body), 58) + body)
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + ends + body[:2] + struct.pack("!H", total) + body[4:]


def claim_until_told(pair, mac: str, ether: int, packet: bytes, member: str) -> str:
    """Claims again and again until the master says so; returns what it says."""
    with Flood(pair.namespaces, (mac, ether, packet)):
        told = pair.w1.await_what(f"address-conflict:{member}")["what"]
        pair.r1.log.await_item(lambda line: "address-conflict" in line)
        lines = [line for line in pair.r1.log if "address-conflict" in line]
        pair.quiet(5)
        assert [line for line in pair.r1.log if "address-conflict" in line] == lines, "one line, at any rate"
    pair.w1.await_what(f"address-conflict:{member}", present=False)
    return told


@pytest.mark.parametrize("operation, target_mac", [(1, "00:00:00:00:00:00"), (2, BROADCAST)], ids=["request", "reply"])
def test_a_claim_of_what_the_master_holds_is_told(pair, operation, target_mac):
    """Gratuitous ARP as request and as reply: who claims what, and nothing moves. It is over some time after the last."""
    pair = pair(cables=0)
    told = claim_until_told(pair, BROADCAST, ARP, arp(operation, OUTSIDE, FORGED, OUTSIDE, target_mac), "outside")
    assert OUTSIDE in told and FORGED in told
    assert pair.moved_nothing()
    # Of other addresses nothing is said, nor by a backup.
    pair.mark()
    with Flood(pair.namespaces, (BROADCAST, ARP, arp(1, "192.0.2.99", FORGED, "192.0.2.99"))):
        pair.quiet(10)
    assert not [event for watch in (pair.w1, pair.w2) for event in watch.recent() if "conflict" in (event.get("what") or "")]


def test_the_master_that_is_heard_may_have_the_addresses(pair):
    """A better router comes back: it asks whether the other one really holds, which is no conflict."""
    pair = pair(cables=0)
    pair.r1.stop()
    pair.w2.await_state("master")
    pair.r1.start()
    watch = pair.r1.watch()
    watch.await_state("master")
    pair.w2.await_state("backup")
    watch.close()
    assert not [line for director in pair.directors.values() for line in director.log if "conflict" in line]


def test_an_ipv6_claim_is_told(namespaces):
    """The same by neighbour advertisement."""
    Lans(namespaces, legs=("e0",))
    text = '[instance.six]\ninterface = "e0"\nvrid = 7\naddresses = ["fe80::7", "2001:db8:a::1/64"]\nadvert-interval = "100ms"\n'
    director = Director(namespaces, "r1", text)
    try:
        watch = director.watch()
        watch.await_state("master")
        with Flood(namespaces, ("33:33:00:00:00:01", 0x86DD, advertisement("2001:db8:a::1", FORGED, "fe80::66"))):
            told = watch.await_what("address-conflict:six")["what"]
        assert "2001:db8:a::1" in told and FORGED in told
        watch.close()
    finally:
        director.close()
