"""What linkwatch-vrrp puts into the kernel, what the kernel forgets by itself, and what is put back.

The picture is in lab/vrrp.py. r1 serves; where another director is needed it is said. Leases last so long here that
whatever goes is gone because somebody removed it.
"""

import re
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from lab.daemon import program
from lab.pair import INSIDE, OUTSIDE, Claims
from lab.vrrp import VRRP, Capture, Director, Lans, reach, until

from .test_vrrp_changes import VIRTUAL_MAC, alone, file, own_mac, reload  # noqa: F401
from .test_vrrp_process import died

OWN, MAC = "198.51.100.11", "00:00:5e:00:01:14"


def switches(namespaces) -> dict[str, str]:
    """Every switch of every interface of r1 but the macvlans, which are the director's own."""
    listed = namespaces.run("r1", "sh", "-c", "cd /proc/sys/net && grep -s . ipv4/conf/*/* ipv6/conf/*/*; true")
    pairs = (line.split(":", 1) for line in listed.splitlines())
    return {name: value for name, value in pairs if "/vr4-" not in name and "/vr6-" not in name}


def changed(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in after.items() if before.get(name) != value}


def turn(namespaces, **values) -> None:
    """`turn(namespaces, all_rp_filter=1)`"""
    for name, value in values.items():
        interface, switch = name.split("_", 1)
        namespaces.run("r1", "sh", "-c", f"echo {value} > /proc/sys/net/ipv4/conf/{interface}/{switch}")


BORROWED = {"ipv4/conf/e1/arp_ignore": "1", "ipv4/conf/e1/arp_announce": "2"}


class Asker:
    """Asks by ARP as a host on LAN B does, and hears who answers."""

    def __init__(self, namespaces):
        self.socket = namespaces.inside("cb", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0608))
        self.socket.bind(("e0", 0x0806))
        self.socket.settimeout(10)
        self.mac = self.socket.getsockname()[4]

    def ask(self, address: str) -> None:
        head = b"\xff" * 6 + self.mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
        ours, theirs = (socket.inet_aton(text) for text in ("198.51.100.22", address))
        self.socket.send(head + self.mac + ours + bytes(6) + theirs)

    def answers(self, last: str) -> list[tuple[str, str]]:
        """(address, MAC address) of each answer up to the first for `last`."""
        found = []
        while not found or found[-1][0] != last:
            frame = self.socket.recv(128)
            if frame[20:22] == b"\0\2":
                found.append((socket.inet_ntoa(frame[28:32]), frame[22:28].hex(":")))
        return found


# The virtual MAC address.


def test_every_address_is_answered_for_by_one_mac(alone, namespaces):
    """Parent and macvlan both hear the question. The macvlan answers last and in order: what it has to say of the director's
    own address has come when its answer for the virtual one is there."""
    alone(file(inside=VIRTUAL_MAC))
    asker = Asker(namespaces)
    for _ in range(3):
        asker.ask(OWN)
        asker.ask(INSIDE)
    answers = set()
    for _ in range(3):
        answers.update(asker.answers(INSIDE))
    assert answers == {(OWN, own_mac(namespaces, "e1")), (INSIDE, MAC)}
    asker.socket.close()


@pytest.mark.parametrize(
    "present",
    [
        {},
        {"all_rp_filter": 1, "default_rp_filter": 1, "e0_rp_filter": 1, "e1_rp_filter": 1, "lo_rp_filter": 1},
        {"all_rp_filter": 2, "e1_rp_filter": 1},
        {"all_arp_ignore": 1, "all_arp_announce": 2},
        {"default_proxy_arp": 1, "default_arp_filter": 1, "default_arp_ignore": 8, "all_proxy_arp": 1},
        {"e1_forwarding": 1, "default_forwarding": 0},
    ],
    ids=["as they are", "strict", "loose", "reserved", "odd defaults", "forwarding"],
)
def test_the_virtual_mac_serves_and_nobody_else_s_switches_change(alone, namespaces, present):
    before = {}

    def prepare() -> None:
        turn(namespaces, **present)
        before.update(switches(namespaces))

    _, director, _ = alone(file(inside=VIRTUAL_MAC), prepare=prepare)
    reach(namespaces, "cb", INSIDE)
    assert MAC in namespaces.ip("cb", f"neigh show {INSIDE}")
    # Not for others, though it may be told to be a proxy.
    asker = Asker(namespaces)
    asker.ask("198.51.100.77")
    asker.ask("192.0.2.11")
    asker.ask(INSIDE)
    proxies = {mac for address, mac in asker.answers(INSIDE) if address not in (INSIDE, OWN)}
    assert MAC not in proxies
    asker.socket.close()
    wanted = {} if "all_arp_ignore" in present else BORROWED
    assert changed(before, switches(namespaces)) == wanted
    macvlan = f"vr4-20-{namespaces.index('r1', 'e1')}"
    forwards = namespaces.run("r1", "cat", f"/proc/sys/net/ipv4/conf/{macvlan}/forwarding")
    assert forwards == namespaces.run("r1", "cat", "/proc/sys/net/ipv4/conf/e1/forwarding")
    assert director.status()["conditions"] == ["monitor-lost"]
    assert director.stop() == 0
    assert changed(before, switches(namespaces)) == {}


def test_switches_are_borrowed_as_long_as_somebody_needs_them(alone, namespaces):
    """Two instances on one interface: the first that goes leaves them as they are."""
    before = {}
    third = '[instance.third]\ninterface = "e1"\nvrid = 30\naddresses = ["198.51.100.3"]\nadvert-interval = "100ms"\n'
    text = file(inside=VIRTUAL_MAC, more=third + VIRTUAL_MAC)
    _, director, _ = alone(text, prepare=lambda: before.update(switches(namespaces)))
    assert changed(before, switches(namespaces)) == BORROWED
    reload(director, file(more=third + VIRTUAL_MAC))
    assert changed(before, switches(namespaces)) == BORROWED
    reload(director, file(more=third))
    assert changed(before, switches(namespaces)) == {}
    reload(director, text)
    assert changed(before, switches(namespaces)) == BORROWED


def test_what_somebody_else_has_turned_meanwhile_stays(alone, namespaces):
    before = {}
    _, director, _ = alone(file(inside=VIRTUAL_MAC), prepare=lambda: before.update(switches(namespaces)))
    turn(namespaces, e1_arp_ignore=2)
    assert director.stop() == 0
    assert changed(before, switches(namespaces)) == {"ipv4/conf/e1/arp_ignore": "2"}


def test_a_renamed_interface_gets_its_switches_back(alone, namespaces):
    before = {}
    _, _, watch = alone(file(inside=VIRTUAL_MAC), prepare=lambda: before.update(switches(namespaces)))
    namespaces.ip("r1", "link set e1 name other")
    watch.await_state("fault")
    after = {name.replace("/other/", "/e1/"): value for name, value in switches(namespaces).items()}
    assert changed(before, after) == {}


def read_only(path: str) -> list[str]:
    script = f'mount --bind {path} {path} && mount -o remount,ro,bind {path} && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


def test_switches_that_cannot_be_turned_are_told(namespaces):
    """As in a container whose /proc/sys is read-only. Switches that are already as they have to be do not matter."""
    Lans(namespaces)
    with Director(namespaces, "r1", file(inside=VIRTUAL_MAC), under=read_only("/proc/sys")) as director:
        watch = director.watch()
        watch.await_state("master")
        watch.await_present("sysctl-refused:inside")
        director.log.await_item(
            lambda line: "net/ipv4/conf/e1/arp_ignore cannot be set to 1: Read-only file system" in line
        )


def test_a_virtual_mac_that_nobody_could_reach_is_a_cause(namespaces):
    """Strict reverse-path filtering that cannot be switched off for it: its packets would be dropped."""
    Lans(namespaces)
    turn(namespaces, all_rp_filter=1)
    with Director(namespaces, "r1", file(inside=VIRTUAL_MAC), under=read_only("/proc/sys")) as director:
        watch = director.watch()
        watch.await_state("fault")
        watch.await_present("config:inside")
        director.log.await_item(lambda line: "rp_filter cannot be set to 2: Read-only file system" in line)
        assert not re.search(rf" {OUTSIDE}/", namespaces.ip("r1", "addr show"))
        # It is tried again, without anybody's asking.
        turn(namespaces, all_rp_filter=0)
        watch.await_state("master")


@pytest.mark.parametrize("how", ["runner", "release", "start"])
def test_switches_are_put_back_whoever_dies(alone, namespaces, how):
    before = {}
    text = file(inside=VIRTUAL_MAC)
    _, director, _ = alone(text, prepare=lambda: before.update(switches(namespaces)))
    assert changed(before, switches(namespaces)) == BORROWED
    if how == "runner":
        director.kill()
        died(director)
    else:
        director.crash()
        assert changed(before, switches(namespaces)) == BORROWED
    if how == "release":
        namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)
    if how == "start":
        # The file no longer wants it.
        director.reconfigure(file())
        director.start()
        director.watch().await_state("master")
    assert changed(before, switches(namespaces)) == {}
    # Nor does anybody do it twice.
    turn(namespaces, e1_arp_ignore=1)
    if how == "start":
        director.stop()
    assert namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config) == ""
    assert changed(before, switches(namespaces)) == {"ipv4/conf/e1/arp_ignore": "1"}


def test_after_a_crash_what_somebody_else_has_turned_stays(alone, namespaces):
    before = {}
    _, director, _ = alone(file(inside=VIRTUAL_MAC), prepare=lambda: before.update(switches(namespaces)))
    director.crash()
    turn(namespaces, e1_arp_ignore=2)
    namespaces.ip("r1", "link set e1 name other")
    namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)
    after = {name.replace("/other/", "/e1/"): value for name, value in switches(namespaces).items()}
    assert changed(before, after) == {"ipv4/conf/e1/arp_ignore": "2"}


# Another MAC address. Nothing is announced but what the change brings about: what a takeover repeats later is left out.

ONCE = 'announce-count = 1\nannounce-repeat = "0s"\n'


def test_another_mac_of_the_leg_is_announced_at_once(alone, namespaces):
    _, _, watch = alone(file(ONCE))
    reach(namespaces, "cb", INSIDE)
    claims = Claims(namespaces, "cb")
    try:
        for last in (1, 2):
            mac = f"02:00:00:00:00:0{last}"
            claims.mark()
            namespaces.ip("r1", f"link set e1 address {mac}")
            claims.await_item(lambda claim: claim == (INSIDE, mac), what=f"the announcement of {mac}")
            assert mac in namespaces.ip("cb", f"neigh show {INSIDE}")
            reach(namespaces, "cb", INSIDE)
    finally:
        claims.close()
    assert watch.transitions() == []


def test_another_mac_is_announced_by_ipv6_too(alone, namespaces):
    text = file(ONCE).replace(f'"{INSIDE}/24"', '"fe80::1", "2001:db8:b::1/64"')
    lans = Lans(namespaces)
    with Director(namespaces, "r1", text) as director:
        director.watch().await_state("master")
        until(lambda: lans.holds("r1", "2001:db8:b::1", 6), "the address")
        reach(namespaces, "cb", "2001:db8:b::1")
        wire = Capture(namespaces, "cb", "e0", "icmp6 and ip6[40] == 136")
        try:
            namespaces.ip("r1", "link set e1 address 02:00:00:00:00:01")
            wire.await_item(
                lambda packet: "2001:db8:b::1" in packet and "02:00:00:00:00:01" in packet, what="the announcement"
            )
        finally:
            wire.close()
        assert "02:00:00:00:00:01" in namespaces.ip("cb", "neigh show 2001:db8:b::1")


def test_a_bridge_that_changes_its_mac_with_its_ports_is_announced(alone, namespaces):
    """It has the lowest MAC address of its ports, unless it was given one."""

    def prepare() -> None:
        namespaces.ip(
            "r1", "addr flush dev e1", "link set e1 address 02:00:00:00:00:50", "link add br9 type bridge",
            "link set e1 master br9", "link set br9 up", f"addr add {OWN}/24 dev br9",
            "link add low address 02:00:00:00:00:10 type veth peer name lower", "link set low up",
        )  # fmt: skip

    _, _, watch = alone(file(ONCE).replace('"e1"', '"br9"'), prepare=prepare)
    reach(namespaces, "cb", INSIDE)
    claims = Claims(namespaces, "cb")
    try:
        for command, mac in (("link set low master br9", "10"), ("link del low", "50")):
            claims.mark()
            namespaces.ip("r1", command)
            wanted = (INSIDE, f"02:00:00:00:00:{mac}")
            claims.await_item(lambda claim: claim == wanted, what=f"the announcement of {wanted}")
            reach(namespaces, "cb", INSIDE)
    finally:
        claims.close()
    assert watch.transitions() == []


def test_a_macvlan_keeps_its_mac(alone, namespaces):
    alone(file(ONCE, inside=VIRTUAL_MAC))
    reach(namespaces, "cb", INSIDE)
    macvlan = f"vr4-20-{namespaces.index('r1', 'e1')}"
    claims = Claims(namespaces, "cb")
    try:
        namespaces.ip("r1", f"link set {macvlan} address 02:00:00:00:00:01")
        until(lambda: own_mac(namespaces, macvlan) == MAC, "the MAC address to be back")
        claims.await_item(lambda claim: claim == (INSIDE, MAC), what="the announcement")
        reach(namespaces, "cb", INSIDE)
    finally:
        claims.close()


# accept = false.

NO_PACKETS = "accept = false\n"


def refuses(namespaces) -> bool:
    """Whether r1's filter is what the file asks for: a rule that drops what is sent to the address."""
    return re.search(rf"ip daddr {INSIDE} drop", namespaces.run("r1", "nft", "list", "ruleset")) is not None


@pytest.mark.parametrize(
    "what",
    [
        "flush ruleset",
        "delete table inet linkwatch_vrrp",
        "flush chain inet linkwatch_vrrp input",
        "insert rule inet linkwatch_vrrp input accept",
        "add table inet linkwatch_vrrp { flags dormant; }",
        "delete table inet linkwatch_vrrp; add table inet linkwatch_vrrp",
        "add table inet f; flush ruleset; add table inet f; add chain inet f c",
    ],
)
def test_a_filter_that_somebody_undoes_is_told_and_made_again(alone, namespaces, what):
    _, director, watch = alone(file(inside=NO_PACKETS))
    until(lambda: refuses(namespaces), "the filter")
    before = namespaces.run("r1", "nft", "list", "table", "inet", "linkwatch_vrrp")
    watch.mark()
    namespaces.run("r1", "nft", what)
    watch.await_what("accept-unenforced")
    watch.await_what("accept-unenforced", present=False)
    assert namespaces.run("r1", "nft", "list", "table", "inet", "linkwatch_vrrp") == before
    director.log.await_item(lambda line: "somebody has removed or changed the table inet linkwatch_vrrp" in line)
    with pytest.raises(TimeoutError):
        reach(namespaces, "cb", INSIDE, seconds=0.3)
    assert watch.transitions() == []


def test_who_undoes_it_time_and_again_is_not_raced(alone, namespaces):
    """The second repair waits, the third waits longer; meanwhile it is told, and in the end it is in force again."""
    _, _, watch = alone(file(inside=NO_PACKETS))
    until(lambda: refuses(namespaces), "the filter")
    for _ in range(3):
        watch.mark()
        namespaces.run("r1", "nft", "flush ruleset")
        watch.await_what("accept-unenforced")
        watch.await_what("accept-unenforced", present=False)
    assert refuses(namespaces)


def test_other_tables_are_other_peoples(alone, namespaces):
    """Changes of other tables make us repair nothing, however many the kernel reports."""
    _, _, watch = alone(file(inside=NO_PACKETS))
    until(lambda: refuses(namespaces), "the filter")
    handle = namespaces.run("r1", "nft", "-a", "list", "table", "inet", "linkwatch_vrrp")
    rules = "; ".join(f"add rule inet f c tcp dport {port} drop" for port in range(1, 300))
    for _ in range(3):
        namespaces.run("r1", "nft", f"add table inet f; add chain inet f c; {rules}")
        namespaces.run("r1", "nft", "delete table inet f")
    assert namespaces.run("r1", "nft", "-a", "list", "table", "inet", "linkwatch_vrrp") == handle
    assert watch.group()["conditions"] == ["monitor-lost"]


def test_a_reload_brings_the_filter_back_whatever_is_known(alone, namespaces):
    """The same file; the director was stopped meanwhile and has lost the kernel's message."""
    text = file(inside=NO_PACKETS)
    _, director, _ = alone(text)
    until(lambda: refuses(namespaces), "the filter")
    namespaces.run("r1", "nft", "flush ruleset")
    reload(director, text)
    until(lambda: refuses(namespaces), "the filter")


def test_who_refuses_nothing_follows_no_filter(alone, namespaces):
    """No socket of netfilter's, and so nothing that wakes."""

    def sockets(director) -> int:
        inodes = {link.readlink().name for link in Path(f"/proc/{director.pid}/fd").iterdir() if link.is_symlink()}
        lines = Path(f"/proc/{director.pid}/net/netlink").read_text().splitlines()[1:]
        rows = (line.split() for line in lines)
        return sum(1 for row in rows if row[1] == "12" and f"socket:[{row[-1]}]" in inodes)

    _, director, _ = alone(file())
    assert sockets(director) == 0
    reload(director, file(inside=NO_PACKETS))
    until(lambda: refuses(namespaces), "the filter")
    assert sockets(director) == 1
    reload(director, file())
    until(lambda: not refuses(namespaces), "the filter to go")
    assert sockets(director) == 0


# What is said, and what is not.


def test_a_clean_stop_leaves_nothing_to_be_said(alone, namespaces):
    """`--release` runs at every stop of the service."""
    _, director, _ = alone(file(inside=VIRTUAL_MAC))
    assert director.stop() == 0
    assert namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config) == ""


def test_a_program_that_cannot_be_started_is_explained(alone):
    _, director, _ = alone(file(more='[notify.log]\nexec = ["/nowhere/log"]\n'))
    director.log.await_item(lambda line: "notify log could not be started: No such file or directory" in line)
    assert not [line for line in director.log if "errno" in line]


def test_nobody_serves_is_no_guess_of_one_that_comes_up(namespaces):
    """Its leg has no carrier yet, so it cannot have heard anybody. Later the same condition is reported at once."""
    lans = Lans(namespaces, hosts=False)
    lans.cut("r1", "e1")
    other = '[instance.other]\ninterface = "e0"\nvrid = 30\naddresses = ["192.0.2.3"]\nadvert-interval = "50ms"\n'
    with Director(namespaces, "r1", file(more=other)) as director:
        watch = director.watch()
        watch.await_state("master", group="other")
        watch.await_state("fault", group="lvs")
        sent = director.status("other")["members"][0]["advertsSent"]
        # A second: more than two down intervals.
        until(lambda: director.status("other")["members"][0]["advertsSent"] > sent + 20, "adverts of the other group")
        assert director.status("lvs")["conditions"] == ["monitor-lost"]
        assert not [line for line in director.log if "no-director" in line]
        lans.mend("r1", "e1")
        watch.await_state("master", group="lvs")
        watch.mark()
        lans.cut("r1", "e1")
        watch.await_what("no-director")
        assert "no-director" in director.status("lvs")["conditions"]


# Killed together with its runner.

LONG_LEASE = 'address-lease = "600s"\n'


@pytest.mark.parametrize("cables", [0, 1])
def test_who_was_killed_with_its_runner_is_resigned_for(pair, namespaces, cables, say):
    """As by a service manager that kills all of a service and then runs `--release`. By adverts of a second: silence would
    take more than three."""
    pair = pair(cables=cables, interval="1s", group=LONG_LEASE)
    wire = Capture(namespaces, "sw", "p-ca", "ip proto 112")
    try:
        wire.await_advert("192.0.2.11", 200)
        # The last words are recorded together, a moment later.
        record = Path(pair.r1.state.name, "vrrp-holdings")
        until(lambda: record.read_text().count("resign ") == 2 + cables, "the record")
        pair.r1.crash()
        release = [program("linkwatch-vrrp"), "--release", "--config", pair.r1.config]
        assert namespaces.run("r1", *release) == "2 addresses and 0 macvlan interfaces removed\n"
        resignation = wire.await_advert("192.0.2.11", 0)
        first = wire.await_advert("192.0.2.12", 100)
        waited = float(first.split()[0]) - float(resignation.split()[0])
        say(f"adverts every second, {cables} cables, both killed: the other's first {waited * 1000:.0f} ms after --release's")
        assert "ttl 255" in resignation and "bad" not in resignation
        assert waited < 3, "it waited for the down interval"
        # Heartbeats may have been silent for long enough before --release has begun.
        reasons = ("at-once", "dead") if cables else ("take",)
        assert pair.w2.await_transition("master")["reason"] in reasons
        pair.holdings.await_by("r2")
        assert pair.holdings.never_together(), pair.holdings.together
        # There is nothing more to say.
        wire.mark()
        assert namespaces.run("r1", *release) == ""
        wire.await_advert("192.0.2.12", 100)
        assert "192.0.2.11 > " not in "".join(wire.recent())
    finally:
        wire.close()


def test_nobody_resigns_for_who_did_not_hold(pair, namespaces):
    """It has served before, and the record has its words."""
    pair = pair(cables=0, group=LONG_LEASE)
    pair.r1.call(f"{VRRP}.Handover", group="lvs")
    pair.settle("r2")
    record = Path(pair.r1.state.name, "vrrp-holdings")
    until(lambda: record.read_text().count("resign ") == 2, "the record")
    wire = Capture(namespaces, "sw", "p-ca", "ip proto 112")
    try:
        pair.r1.crash()
        # An address that is there for good is nobody's to resign from.
        namespaces.ip("r1", f"addr add {OUTSIDE}/24 dev lo")
        namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", pair.r1.config)
        wire.mark()
        wire.await_advert("192.0.2.12", 100)
        assert wire.adverts("192.0.2.11") == []
    finally:
        wire.close()


def test_who_lives_is_not_spoken_for(pair, namespaces):
    pair = pair(cables=0, group=LONG_LEASE)
    release = [program("linkwatch-vrrp"), "--release", "--config", str(pair.r1.config)]
    done = subprocess.run(namespaces.argv("r1", *release), capture_output=True, text=True, timeout=60)
    assert done.returncode == 69 and "another linkwatch-vrrp runs" in done.stderr
    pair.quiet(3)
    assert pair.moved_nothing()


def test_a_unicast_peer_is_told_as_well(namespaces):
    """By the runner, when the process is killed."""
    Lans(namespaces, hosts=False)

    def text(name: str, priority: int) -> str:
        peer = {"r1": "192.0.2.12", "r2": "192.0.2.11"}[name]
        return (
            f'[instance.one]\ninterface = "e0"\nvrid = 10\npriority = {priority}\naddresses = ["{OUTSIDE}/24"]\n'
            f'unicast-peers = ["{peer}"]\n{LONG_LEASE}'
        )

    with Director(namespaces, "r1", text("r1", 200)) as better, Director(namespaces, "r2", text("r2", 100)) as other:
        better.watch().await_state("master")
        watch = other.watch()
        watch.await_state("backup")
        wire = Capture(namespaces, "r2", "e0", "ip proto 112")
        try:
            wire.await_advert("192.0.2.11", 200)
            wire.await_advert("192.0.2.11", 200)
            better.kill()
            resignation = wire.await_advert("192.0.2.11", 0)
            first = wire.await_advert("192.0.2.12", 100)
            assert float(first.split()[0]) - float(resignation.split()[0]) < 3, "it waited for the down interval"
        finally:
            wire.close()
