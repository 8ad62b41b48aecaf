"""What changes beneath a group that serves: its file, by a reload, and its interfaces, by others.

The picture is in lab/vrrp.py. r1 serves; where another director is needed it is said. Leases last so long here that
whatever goes is gone because somebody removed it.
"""

import re
import signal
import subprocess
import threading

import pytest

from lab.pair import INSIDE, OUTSIDE, Claims, config
from lab.vrrp import VRRP, Capture, Director, Lans, reach, until

LONG_LEASE = 'address-lease = "600s"\n'
VIRTUAL_MAC, MAC = "virtual-mac = true\n", "00:00:5e:00:01:14"


def file(group: str = "", **options) -> str:
    return config("r1", cables=0, group=LONG_LEASE + group, **options)


@pytest.fixture
def alone(namespaces):
    """r1 without a peer, with the file given; it serves, unless `state` says otherwise."""
    made = []

    def make(text: str, state: str = "master", prepare=lambda: None):
        lans = Lans(namespaces)
        prepare()
        director = Director(namespaces, "r1", text)
        made.append(director)
        watch = director.watch()
        watch.await_state(state)
        if state == "master":
            until(lambda: holds(namespaces), "the addresses")
        watch.mark()
        return lans, director, watch

    yield make
    for one in made:
        one.close()


def holds(namespaces, device: str = "") -> bool:
    """Whether r1 has the inside address, on this interface."""
    return f" {INSIDE}/" in namespaces.ip("r1", f"addr show {device}".strip())


def reload(director: Director, text: str) -> None:
    director.reconfigure(text)
    director.call(f"{VRRP}.Reload")


def own_mac(namespaces, device: str) -> str:
    return namespaces.ip("r1", f"link show {device}").split("link/ether ")[1].split()[0]


# Reloads.


def check(*command: str) -> str:
    words = ", ".join(f'"{word}"' for word in command)
    return f'[check.upstream]\nexec = [{words}]\ninterval = "100ms"\nfall = 1\nrise = 1\n'


TRACK = 'track = ["check:upstream"]\n'


@pytest.mark.parametrize(
    "text",
    [
        file(more=check("/bin/false")),
        file('track = [{ check = "upstream", weight = -10 }]\n', more=check("/bin/false")),
        file(),
        file(TRACK, more=check("/bin/true")),
    ],
    ids=["not tracked", "a weight", "gone", "mended"],
)
def test_a_check_that_fails_is_no_cause_once_the_file_says_so(alone, text):
    _, director, watch = alone(file(TRACK, more=check("/bin/false")), state="fault")
    reload(director, text)
    watch.await_state("master")
    assert watch.group()["causes"] == []


def test_a_check_that_is_changed_keeps_its_result_until_the_next(alone, tmp_path):
    tmp_path.chmod(0o777)
    _, director, watch = alone(file(TRACK, more=check("/bin/false")), state="fault")
    asked = tmp_path / "asked"
    reload(director, file(TRACK, more=check("/bin/sh", "-c", f"touch {asked}; false")))
    until(asked.exists, "the changed check to be run")
    assert "backup" not in [move["state"] for move in watch.transitions()]
    reload(director, file(TRACK, more=check("/bin/true")))
    watch.await_state("master")


def test_what_was_wrong_with_a_leg_goes_with_it(alone, namespaces):
    """A bridge's port can carry no macvlan."""

    def make_a_port() -> None:
        namespaces.ip("r1", "link add br9 type bridge", "link set e1 master br9")

    text = file(inside=VIRTUAL_MAC)
    _, director, watch = alone(text, state="fault", prepare=make_a_port)
    assert "config:inside" in watch.group()["causes"]
    reload(director, text.replace('"outside", "inside"', '"outside"').split("[instance.inside]")[0])
    watch.await_state("master")
    assert watch.group()["causes"] == []


def test_a_leg_moves_to_another_interface_while_it_serves(alone, namespaces):
    _, director, watch = alone(file())
    namespaces.ip("r1", "link add link e0 name e2 type macvlan mode bridge", "link set e2 up")
    namespaces.ip("r1", "addr add 203.0.113.11/24 dev e2")
    claims = Claims(namespaces)
    try:
        reload(director, file().replace('"e1"', '"e2"'))
        assert holds(namespaces, "e2") and not holds(namespaces, "e1")
        claims.await_item(lambda claim: claim == (INSIDE, own_mac(namespaces, "e2")), what="the announcement")
    finally:
        claims.close()
    assert watch.transitions() == []


def test_the_virtual_mac_comes_and_goes_while_the_group_serves(alone, namespaces):
    _, director, watch = alone(file())
    reach(namespaces, "cb", INSIDE)
    claims = Claims(namespaces, "cb")
    try:
        for inside, mac in ((VIRTUAL_MAC, MAC), ("", own_mac(namespaces, "e1"))):
            claims.mark()
            reload(director, file(inside=inside))
            claims.await_item(lambda claim: claim == (INSIDE, mac), what=f"the announcement of {mac}")
            # The host does not ask again, since it has been told.
            assert mac in namespaces.ip("cb", f"neigh show {INSIDE}")
            reach(namespaces, "cb", INSIDE)
    finally:
        claims.close()
    assert watch.transitions() == []
    assert "macvlan" not in namespaces.ip("r1", "-d link show")


def test_what_a_reload_adds_is_announced(alone, namespaces):
    """A new address, and the refresh of what is there."""
    _, director, watch = alone(file())
    claims = Claims(namespaces)
    try:
        refreshed = 'announce-count = 1\nannounce-repeat = "0s"\nannounce-refresh = "100ms"\n'
        reload(director, file(refreshed).replace(f'"{OUTSIDE}/24"', f'"{OUTSIDE}/24", "192.0.2.2/24"'))
        for address in (OUTSIDE, "192.0.2.2"):
            claims.await_true(lambda: [claim[0] for claim in claims].count(address) >= 4, what=f"four of {address}")
    finally:
        claims.close()
    assert watch.transitions() == []


def test_a_shorter_lease_is_refreshed_in_time(pair):
    pair = pair(cables=0, group=LONG_LEASE)
    pair.reconfigure(group='address-lease = "1s"\n')
    # Two seconds, of which one is the lease.
    pair.quiet(20)
    assert pair.moved_nothing()


def test_two_routes_to_one_destination_are_two_causes(alone, namespaces):
    routes = {"": "203.0.113.0/24 via 192.0.2.21", "table 77": "203.0.113.0/24 via 192.0.2.22 table 77"}

    def add_routes() -> None:
        namespaces.ip("r1", *(f"route add {route}" for route in routes.values()))

    track = 'track = [{ route = "203.0.113.0/24" }, { route = "203.0.113.0/24", via = "192.0.2.22", table = 77 }]\n'
    _, _, watch = alone(file(track), prepare=add_routes)
    causes = ["route:203.0.113.0/24", "route:203.0.113.0/24 via 192.0.2.22 table 77"]
    for cause, route in zip(causes, routes.values()):
        watch.mark()
        namespaces.ip("r1", f"route del {route}")
        watch.await_transition("fault")
        assert watch.group()["causes"] == [cause]
        namespaces.ip("r1", f"route add {route}")
        watch.await_state("master")
        assert [move["state"] for move in watch.transitions()] == ["fault", "backup", "master"]


def numbers(priority: int, one: int, two: int) -> str:
    return "".join(
        f'[instance.{name}]\ninterface = "e0"\nvrid = {vrid}\naddresses = ["192.0.2.{vrid}"]\n'
        f'advert-interval = "100ms"\n'
        f"priority = {priority}\n{LONG_LEASE}"
        for name, vrid in (("one", one), ("two", two))
    )


def test_two_groups_exchange_number_and_address(alone, namespaces):
    """Whatever their order: a group must not remove what another has just been given."""
    _, director, watch = alone(file())
    with Director(namespaces, "r2", numbers(100, 30, 40)) as other:
        reload(director, numbers(200, 30, 40))
        watches = {"master": director.watch(), "backup": other.watch()}
        for state, both in watches.items():
            for name in ("one", "two"):
                both.await_state(state, group=name)
        for both in watches.values():
            both.mark()
        reload(other, numbers(100, 40, 30))
        reload(director, numbers(200, 40, 30))
        for name in ("one", "two"):
            heard = other.status(name)["members"][0]["advertsReceived"]
            until(lambda: other.status(name)["members"][0]["advertsReceived"] >= heard + 12, f"adverts of {name}")
            assert other.status(name)["conditions"] == ["monitor-lost"]
        assert all(both.transitions() == [] for both in watches.values())
        addresses = namespaces.ip("r1", "addr show e0")
        assert " 192.0.2.30/" in addresses and " 192.0.2.40/" in addresses


# Interfaces.


@pytest.mark.parametrize("inside", ["", VIRTUAL_MAC], ids=["own MAC", "virtual MAC"])
def test_an_interface_that_is_renamed_leaves_nothing_behind(alone, namespaces, inside):
    _, _, watch = alone(file(inside=inside))
    namespaces.ip("r1", "link set e1 name other")
    watch.await_state("fault")
    assert not holds(namespaces)
    assert "macvlan" not in namespaces.ip("r1", "-d link show")
    namespaces.ip("r1", "link set other name e1")
    watch.await_state("master")
    until(lambda: holds(namespaces), "the address")


def test_an_interface_that_was_away_under_the_same_number_is_used_anew(alone, namespaces):
    """Its sockets have gone with it, though it is back before the process hears of either."""
    _, director, watch = alone(file())
    director.signal(signal.SIGSTOP)
    namespaces.ip("r1", f"link set e1 netns {namespaces.full('cb')}")
    namespaces.ip("cb", f"link set e1 netns {namespaces.full('r1')}")
    namespaces.ip("r1", "link set e1 up", "addr add 198.51.100.11/24 dev e1")
    director.signal(signal.SIGCONT)
    wire = Capture(namespaces, "cb", "e0", "ip proto 112")
    try:
        wire.await_advert("198.51.100.11", 200)
    finally:
        wire.close()
    watch.await_state("master")
    until(lambda: holds(namespaces), "the address")


def test_an_alternative_name_is_a_name(alone, namespaces):
    def add_name() -> None:
        namespaces.ip("r1", "link property add dev e1 altname to-the-servers")

    _, director, _ = alone(file().replace('"e1"', '"to-the-servers"'), prepare=add_name)
    director.kill()
    director.log.await_item(lambda line: "removed 2 addresses" in line, what="the runner's word")
    assert not holds(namespaces)


TAKEN = {
    "down": "set {} down",
    "deleted": "del {}",
    "protodown": "set {} protodown on",
    "protodown-for-a-reason": "set {} protodown on protodown_reason 7 on",
    "without-arp": "set {} arp off",
    "elsewhere": "set {} netns 1",
}


@pytest.mark.parametrize("how", TAKEN)
def test_a_macvlan_that_somebody_takes_is_made_anew(alone, namespaces, how):
    """Without carrier, or without ARP, no advert fails."""
    _, _, watch = alone(file(inside=VIRTUAL_MAC))
    reach(namespaces, "cb", INSIDE)
    macvlan = f"vr4-20-{namespaces.index('r1', 'e1')}"

    def up() -> list[str]:
        """The number of the macvlan, if it is up."""
        return re.findall(rf"^(\d+): {macvlan}@.*,UP", namespaces.ip("r1", "-o link show"), re.MULTILINE)

    before = up()
    namespaces.ip("r1", "link " + TAKEN[how].format(macvlan))
    until(lambda: up() not in ([], before), "another macvlan")
    until(lambda: holds(namespaces, macvlan), "the address on it")
    reach(namespaces, "cb", INSIDE)
    assert MAC in namespaces.ip("cb", f"neigh show {INSIDE}")
    assert watch.transitions() == []


def test_who_takes_the_macvlan_again_and_again_is_told_and_given_way_to(alone, namespaces):
    _, _, watch = alone(file(inside=VIRTUAL_MAC))
    macvlan = f"vr4-20-{namespaces.index('r1', 'e1')}"
    stop = threading.Event()

    def take() -> None:
        while not stop.is_set():
            subprocess.run(namespaces.argv("r1", "ip", "link", "set", macvlan, "protodown", "on"), capture_output=True)

    thief = threading.Thread(target=take)
    thief.start()
    try:
        watch.await_what("holding-contested:inside:macvlan")
        watch.await_what("address:inside")
        watch.await_state("fault")
    finally:
        stop.set()
        thief.join()
    watch.await_state("master")
    until(lambda: holds(namespaces), "the address")
    reach(namespaces, "cb", INSIDE)


def test_another_router_with_the_virtual_mac_on_the_same_host_is_told(alone, namespaces):
    """The kernel lets only one macvlan of a MAC address be up."""

    def prepare() -> None:
        namespaces.ip("r1", f"link add link e1 name other address {MAC} type macvlan mode bridge", "link set other up")

    _, director, watch = alone(file(inside=VIRTUAL_MAC), prepare=prepare, state="fault")
    director.log.await_item(lambda line: "nothing gets through its macvlan" in line)
    assert "address:inside" in director.status()["causes"]
    namespaces.ip("r1", "link del other")
    watch.await_state("master")
    until(lambda: holds(namespaces), "the address")


def test_who_leaves_says_goodbye_with_a_virtual_mac_too(alone, namespaces):
    """The macvlan is down by then, for the addresses go first."""
    _, director, _ = alone(file(inside=VIRTUAL_MAC))
    wire = Capture(namespaces, "cb", "e0", "ip proto 112")
    try:
        wire.await_advert("198.51.100.11", 200)
        assert director.stop() == 0
        wire.await_advert("198.51.100.11", 0)
    finally:
        wire.close()
