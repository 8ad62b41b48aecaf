"""What the kernel has: the addresses that a director owns are untouchable, a router without its addresses is no router, and
a virtual address that nobody leased is told and taken care of.

The picture is in lab/vrrp.py, the pair in lab/pair.py. What is compared is the kernel's own table, by `ip -j addr`.
"""

import json
import re
import signal
import subprocess
import threading

import pytest

from lab.daemon import program
from lab.journal import Journal
from lab.namespaces import Namespaces
from lab.pair import INSIDE, OUTSIDE, config
from lab.vrrp import Capture, Director, Lans, until

# On e0 of r1, in this order: one network twice, a shorter one around it, and one far away.
OWN = ["192.0.2.11/24", "192.0.2.111/24", "192.0.2.112/16", "10.9.9.2/24"]
# Of networks in which r1 owns an address, with every prefix length, and of one in which it does not yet.
VIRTUAL = ["192.0.2.1/24", "192.0.2.2/16", "192.0.2.3", "10.9.9.1/24", "203.0.113.1/24"]
LATER = "203.0.113.2/24"
# What adverts are sent from all the time.
SOURCE = "172.16.0.11/24"


def table(namespaces: Namespaces, name: str, device: str = "e0") -> dict[str, dict]:
    """The IPv4 addresses of an interface as the kernel has them, by ADDRESS/LENGTH."""
    (link,) = json.loads(namespaces.ip(name, f"-j -4 addr show dev {device}")) or [{"addr_info": []}]
    return {f"{found['local']}/{found['prefixlen']}": found for found in link["addr_info"]}


def bare(addresses) -> set[str]:
    return {address.split("/")[0] for address in addresses}


def one(addresses, interval: str = "100ms", priority: int = 200, lease: str = "600s", more: str = "") -> str:
    """A file with one instance on e0."""
    listed = ", ".join(f'"{address}"' for address in addresses)
    return (
        f'[instance.outside]\ninterface = "e0"\nvrid = 10\naddresses = [{listed}]\npriority = {priority}\n'
        f'advert-interval = "{interval}"\naddress-lease = "{lease}"\n{more}'
    )


class Removals(Journal):
    """Every address that the kernel removes in a namespace, as ADDRESS/LENGTH."""

    def __init__(self, namespaces: Namespaces, name: str):
        super().__init__(f"addresses removed in {name}")
        self.process = namespaces.popen(name, "ip", "-o", "monitor", "address", stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        # It listens once it has told of a change.
        until(lambda: self._has_begun(namespaces, name), "the monitor to listen")
        self.mark()

    def _has_begun(self, namespaces: Namespaces, name: str) -> bool:
        namespaces.ip(name, "addr add 127.9.9.9/32 dev lo", "addr del 127.9.9.9/32 dev lo")
        return len(self) > 0

    def _read(self) -> None:
        for line in self.process.stdout:
            if found := re.search(r"^Deleted .* inet6? (\S+)", line):
                self.append(found[1])
        self.end("ip monitor ended")

    def settled(self, namespaces: Namespaces, name: str) -> list[str]:
        """All since the mark, once what has happened until now has been told."""
        namespaces.ip(name, "addr add 127.9.9.8/32 dev lo", "addr del 127.9.9.8/32 dev lo")
        self.await_item(lambda address: address == "127.9.9.8/32", what="the last removal")
        return [address for address in self.recent() if not address.startswith("127.")]


def promote(namespaces: Namespaces, name: str, is_on: bool) -> None:
    for where in ("all", "default", "e0"):
        namespaces.run(name, "sh", "-c", f"echo {int(is_on)} > /proc/sys/net/ipv4/conf/{where}/promote_secondaries")


def valid(namespaces: Namespaces, name: str, address: str, device: str = "e0") -> int:
    """For how many seconds the kernel will keep an address, 2**32 - 1 being for ever; 0: it has none such."""
    times = [found["valid_life_time"] for key, found in table(namespaces, name, device).items() if bare([key]) == {address}]
    return max(times, default=0)


# Own addresses.


@pytest.fixture
def router(namespaces):
    """r1 alone with the addresses above."""
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    namespaces.ip("r1", "addr flush dev e0 scope global", *(f"addr add {address} dev e0" for address in [SOURCE, *OWN]))
    lans.made = []

    def start(text: str, **options) -> Director:
        lans.made.append(Director(namespaces, "r1", text, **options))
        return lans.made[-1]

    lans.start = start
    yield lans
    for director in lans.made:
        director.close()


def serve(namespaces: Namespaces, director: Director, addresses=VIRTUAL):
    watch = director.watch()
    watch.await_state("master")
    until(lambda: bare(addresses) <= bare(table(namespaces, "r1")), "the virtual addresses")
    return watch


@pytest.mark.parametrize("promotes", [False, True], ids=["plain", "promoting"])
@pytest.mark.parametrize("end", ["stop", "kill", "release", "expiry", "fault", "deleted"])
def test_own_addresses_stay_whatever_ours_do(namespaces, router, promotes, end):
    """Each is deleted and added again while we serve, together and one by one, and one comes later than ours; then ours go,
    by whatever hand. No own address goes with them, not for a moment."""
    promote(namespaces, "r1", promotes)
    director = router.start(one(VIRTUAL, lease="1s" if end == "expiry" else "600s"))
    serve(namespaces, director)
    for address in OWN:
        # The second of a network has gone with the first, which is what ours must not do to them.
        again = [address] if address in table(namespaces, "r1") else []
        namespaces.ip("r1", *(f"addr del {one} dev e0" for one in again), f"addr add {address} dev e0")
    # As systemd-networkd does when it configures an interface anew.
    for address in OWN:
        if address in table(namespaces, "r1"):
            namespaces.ip("r1", f"addr del {address} dev e0")
    # Ours are the only ones in the meantime, and so the first ones of their networks, if they have any.
    until(lambda: bare(VIRTUAL) <= bare(table(namespaces, "r1")), "the virtual addresses")
    namespaces.ip("r1", *(f"addr add {address} dev e0" for address in reversed([*OWN, LATER])))
    promote(namespaces, "r1", False)
    before = {key: found for key, found in table(namespaces, "r1").items() if key in [SOURCE, *OWN, LATER]}
    assert set(before) == {SOURCE, *OWN, LATER}
    removals = Removals(namespaces, "r1")
    if end == "stop":
        director.stop()
    elif end == "kill":
        director.kill()
    elif end == "release":
        director.crash()
        namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)
    elif end == "expiry":
        director.crash()
    elif end == "fault":
        router.cut("r1", "e0")
    else:
        # The process is told by somebody who takes them one after the other.
        director.signal(signal.SIGSTOP)
        keys = [key for key in table(namespaces, "r1") if bare([key]) <= bare(VIRTUAL)]
        namespaces.ip("r1", *(f"addr del {key} dev e0" for key in keys))
    until(lambda: not bare(VIRTUAL) & bare(table(namespaces, "r1")), "the virtual addresses to go")
    assert set(removals.settled(namespaces, "r1")) & {*OWN, LATER} == set()
    assert table(namespaces, "r1") == before


@pytest.mark.parametrize("how", ["start", "release", "backup"])
def test_what_others_left_goes_without_own_addresses(namespaces, router, how):
    """The first address of the network is a virtual one that another daemon left: everything else hangs on it."""
    promote(namespaces, "r1", False)
    left = ["192.0.2.1/24", "10.9.9.1/24"]
    director = None
    if how == "release":
        director = router.start(one(VIRTUAL))
        serve(namespaces, director)
        director.crash()
    namespaces.ip("r1", "addr flush dev e0 scope global", *(f"addr add {key} dev e0" for key in [*left, SOURCE, *OWN]))
    assert table(namespaces, "r1")["192.0.2.11/24"].get("secondary")
    removals = Removals(namespaces, "r1")
    if how == "release":
        namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)
    else:
        # Whoever starts takes over after a second of silence at most; a backup with a long interval does not.
        serve(namespaces, router.start(one(VIRTUAL))) if how == "start" else router.start(one(VIRTUAL, interval="40s"))
        until(lambda: not set(left) & set(table(namespaces, "r1")), "what was left to go")
    assert set(removals.settled(namespaces, "r1")) == set(left)
    assert set(OWN) <= set(table(namespaces, "r1"))
    for where in ("all", "e0"):
        assert namespaces.run("r1", "cat", f"/proc/sys/net/ipv4/conf/{where}/promote_secondaries").strip() == "0"


def test_a_network_is_on_the_link_while_we_serve(namespaces, router):
    """Also one in which the director owns no address; and only as long as nobody else puts it there."""
    director = router.start(one(VIRTUAL))
    serve(namespaces, director)
    until(lambda: "src 203.0.113.1 " in namespaces.ip("r1", "route get 203.0.113.9"), "the route")
    assert "src 192.0.2.11 " in namespaces.ip("r1", "route get 192.0.2.99")
    namespaces.ip("r1", f"addr add {LATER} dev e0")
    assert "src 203.0.113.2 " in namespaces.ip("r1", "route get 203.0.113.9")
    namespaces.ip("r1", f"addr del {LATER} dev e0")
    until(lambda: "src 203.0.113.1 " in namespaces.ip("r1", "route get 203.0.113.9"), "the route")
    # It goes with the address, whoever removes that.
    director.kill()
    until(lambda: "203.0.113.0/24" not in namespaces.ip("r1", "route show"), "the route to go")


def test_a_network_that_becomes_narrower_leaves_no_route(namespaces, router):
    """The address stays where it is, so the kernel takes nothing away."""
    director = router.start(one(["203.0.113.1/16"]))
    until(lambda: "203.0.0.0/16 " in namespaces.ip("r1", "route show"), "the wide route")
    director.reconfigure(one(["203.0.113.1/24"]))
    director.call("io.linkwatch.VRRP.Reload")
    until(lambda: "203.0.113.0/24 " in namespaces.ip("r1", "route show"), "the narrow route")
    assert "203.0.0.0/16" not in namespaces.ip("r1", "route show")
    director.reconfigure(one(["203.0.113.1/32"]))
    director.call("io.linkwatch.VRRP.Reload")
    until(lambda: "203.0.113.0/24" not in namespaces.ip("r1", "route show"), "no route")


# A router without its addresses.


@pytest.mark.parametrize("missing", ["net_admin", "net_raw"])
def test_without_a_capability_nothing_starts(namespaces, router, missing):
    director = Director(
        namespaces, "r1", one(["192.0.2.1/24"]), ready=False, under=["setpriv", "--bounding-set", f"-{missing}"]
    )
    try:
        assert director.process.wait(30) == 77
        director.log.await_end(10)
        assert f"CAP_{missing.upper()}" in director.log[-1]
    finally:
        director.close()


def take_away(namespaces: Namespaces, name: str, *addresses: str, seconds: float = 0.1) -> subprocess.Popen:
    """Removes addresses again and again, as something does that believes them to be its own."""
    script = "; ".join(f"ip addr flush dev e0 to {address}" for address in addresses)
    return namespaces.popen(name, "sh", "-c", f"while :; do {script}; sleep {seconds}; done")


@pytest.mark.parametrize("cables", [0, 1])
def test_whoever_cannot_keep_its_addresses_lets_the_other_serve(pair, cables):
    pair = pair(cables=cables)
    thief = take_away(pair.namespaces, "r1", OUTSIDE)
    pair.w1.await_what("address:outside")
    pair.w1.await_transition("fault")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    pair.mark()
    assert pair.r1.status()["causes"] == ["address:outside"]
    # It waits for longer than the other's down interval before it tries again, and longer each time.
    pair.quiet(30, master="r2")
    assert pair.moved_nothing()
    thief.kill()
    pair.w1.await_what("address:outside", present=False)
    pair.settle("r1")
    assert pair.r1.status()["causes"] == []


def test_somebody_who_takes_an_address_away_now_and_then_is_named(pair):
    """That is repaired and moves nothing."""
    pair = pair()
    for _ in range(2):
        pair.mark()
        pair.namespaces.ip("r1", f"addr flush dev e0 to {OUTSIDE}")
        # It may come back before the table is read, which then has seen no change.
        until(lambda: pair.lans.holds("r1", OUTSIDE), "the address again")
        pair.quiet(2)
    pair.w1.await_present("address-contested:outside")
    pair.r1.log.await_item(lambda line: "somebody has removed its addresses" in line)
    assert pair.w1.transitions() == pair.w2.transitions() == []


# Addresses that nobody leased.


@pytest.mark.parametrize("length", [24, 32, 16, 30])
def test_a_backup_gives_up_what_nobody_leased(pair, length):
    pair = pair()
    pair.namespaces.ip("r2", f"addr add {OUTSIDE}/{length} dev e0")
    pair.w2.await_what("foreign-address:outside:e0")
    until(lambda: not pair.lans.holds("r2", OUTSIDE), "the address to go")
    pair.r2.log.await_item(lambda line: f"{OUTSIDE}/{length} is on e0 and nobody leased it" in line)
    assert "192.0.2.12/24" in table(pair.namespaces, "r2")
    pair.quiet()
    assert pair.w1.transitions() == pair.w2.transitions() == []


@pytest.mark.parametrize("how", ["permanent", "replaced", "longer"])
def test_a_lease_that_somebody_changes_is_a_lease_again(pair, how):
    """And goes with the master's role."""
    pair = pair()
    change = {
        "permanent": [f"addr change {OUTSIDE}/32 dev e0 valid_lft forever preferred_lft forever"],
        "replaced": [f"addr del {OUTSIDE}/32 dev e0", f"addr replace {OUTSIDE}/32 dev e0"],
        "longer": [f"addr add {OUTSIDE}/24 dev e0"],
    }[how]
    pair.namespaces.ip("r1", *change)
    # Between the two commands of "replaced" the director may add it again; then there is nothing to be told.
    if how != "replaced":
        pair.w1.await_what("foreign-address:outside:e0")
    until(lambda: 0 < valid(pair.namespaces, "r1", OUTSIDE) <= 10, "the lease")
    pair.quiet(3)
    assert pair.w1.transitions() == pair.w2.transitions() == []
    pair.lans.cut("r1", "e1")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    assert not pair.lans.holds("r1", OUTSIDE)


@pytest.mark.parametrize("end", ["kill", "release", "fault"])
def test_what_was_made_permanent_goes_in_the_end(pair, end):
    """Nobody sees that it was, as the process is stopped meanwhile."""
    pair = pair()
    pair.r1.signal(signal.SIGSTOP)
    pair.namespaces.ip("r1", f"addr change {OUTSIDE}/32 dev e0 valid_lft forever preferred_lft forever")
    if end == "kill":
        pair.r1.kill()
    elif end == "release":
        pair.r1.crash()
        pair.namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", pair.r1.config)
    else:
        pair.lans.cut("r1", "e1")
        pair.r1.signal(signal.SIGCONT)
    until(lambda: not pair.lans.holds("r1", OUTSIDE), "the address to go")
    pair.holdings.await_by("r2")


def test_an_address_on_another_interface_is_told_and_stays(pair):
    pair = pair()
    pair.namespaces.ip("r2", f"addr add {INSIDE}/32 dev lo")
    pair.w2.await_what("foreign-address:inside:lo")
    pair.r2.log.await_item(lambda line: f"{INSIDE}/32 is on lo and nobody leased it" in line)
    pair.quiet(3)
    assert f"{INSIDE}/32" in table(pair.namespaces, "r2", "lo")
    assert pair.w1.transitions() == pair.w2.transitions() == []


def test_who_starts_with_an_address_that_another_daemon_left(namespaces):
    """The master takes it over, in whatever form it is there."""
    lans = Lans(namespaces, hosts=False)
    namespaces.ip("r1", f"addr add {OUTSIDE}/24 dev e0", f"addr add {INSIDE}/32 dev e1")
    with Director(namespaces, "r1", config("r1", cables=0)) as director:
        director.watch().await_state("master")
        until(lambda: lans.holds("r1", OUTSIDE) and lans.holds("r1", INSIDE), "the addresses")
        for device, address in (("e0", OUTSIDE), ("e1", INSIDE)):
            until(lambda: 0 < valid(namespaces, "r1", address, device) <= 10, "the lease")
        director.stop()
        assert not lans.holds("r1", OUTSIDE) and not lans.holds("r1", INSIDE)


def test_the_interfaces_own_address_as_a_virtual_one_is_refused(namespaces):
    """For an owner the address is right, for any other instance a mistake; either way it stays where it is."""
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    before = table(namespaces, "r1")
    with Director(namespaces, "r1", one(["192.0.2.11/24"])) as director:
        watch = director.watch()
        watch.await_state("fault")
        watch.await_present("config:outside")
        watch.await_present("foreign-address:outside:e0")
        director.log.await_item(lambda line: "expected priority 255" in line)
        director.reconfigure(one(["192.0.2.11/24"], priority=255))
        director.call("io.linkwatch.VRRP.Reload")
        watch.await_state("master")
        director.stop()
    assert table(namespaces, "r1") == before


def test_a_check_on_the_host_itself_names_its_own_addresses(namespaces, tmp_path):
    """A warning, as the file may be meant for another host; for the owner it is right."""
    Lans(namespaces, legs=("e0",), hosts=False)

    def check(text: str) -> tuple[int, str]:
        file = tmp_path / "vrrp.toml"
        file.write_text(text)
        argv = namespaces.argv("r1", program("linkwatch-vrrp"), "--check", file)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr

    status, said = check(one(["192.0.2.1/24", "192.0.2.11/24"]))
    assert status == 0 and "vrrp.toml:4: addresses of instance outside has 192.0.2.11, the own address of e0" in said
    status, said = check(one(["192.0.2.255"]))
    assert status == 0 and "192.0.2.255, the broadcast address of 192.0.2.0/24, which is on e0" in said
    for good in one(["192.0.2.1/24"]), one(["192.0.2.11/24"], priority=255):
        status, said = check(good)
        assert status == 0 and "192.0.2" not in said
    status, said = check(one(["192.0.2.255/24"]))
    assert status == 78 and "vrrp.toml:4:14: addresses has 192.0.2.255, the broadcast address" in said
    status, said = check("")
    assert status == 78 and "vrrp.toml:1:1: there is no instance" in said


# Network managers.


@pytest.mark.parametrize("cables", [0, 1])
def test_an_own_address_that_is_away_for_a_moment_moves_nothing(pair, cables):
    """Adverts go on from it meanwhile. The moment is measured against the advert interval, so that is a long one here."""
    pair = pair(cables=cables, interval="5s")
    sent = pair.sent("r1")
    for name in ("r1", "r2"):
        for _ in range(3):
            # What `networkctl reconfigure` does in 4 to 190 ms.
            namespaces = pair.namespaces
            commands = ["addr del 192.0.2.1{0}/24 dev e0", "link show", "addr add 192.0.2.1{0}/24 dev e0"]
            namespaces.ip(name, *(command.format(name[1]) for command in commands))
    until(lambda: pair.sent("r1") > sent, "an advert more")
    assert pair.moved_nothing()
    assert pair.r1.status()["causes"] == pair.r2.status()["causes"] == []
    # One that stays away is a cause as ever.
    pair.namespaces.ip("r1", "addr del 192.0.2.11/24 dev e0")
    pair.w1.await_what("no-address:e0")
    pair.w2.await_transition("master", timeout=60)


# Sleep.


@pytest.mark.parametrize("cables", [0, 1])
def test_who_wakes_after_its_lease_takes_nothing_back_unasked(pair, cables):
    """It was stopped for longer than its lease: the other one serves, and is not disturbed by an advert or an address."""
    pair = pair(cables=cables, group='preempt = false\naddress-lease = "1s"\n')
    pair.r1.signal(signal.SIGSTOP)
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    pair.mark()
    wire = Capture(pair.namespaces, "sw", "p-ca", "ip proto 112 and src 192.0.2.11")
    try:
        pair.r1.signal(signal.SIGCONT)
        pair.w1.await_transition("backup", reason="awake")
        pair.quiet(master="r2")
        assert pair.holdings.recent() == [] and pair.w2.transitions() == []
        assert pair.holdings.never_together(), pair.holdings.together
        assert list(wire) == []
    finally:
        wire.close()
