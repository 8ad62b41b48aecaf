"""Addresses that are tables: on another interface, not advertised, of the other family. What the kernel has is compared by
`ip -j addr`, and where keepalived knows the same words, with what it makes of them.

The picture is in lab/vrrp.py; r1 is alone on e0 but where a second router is said, and has d0 and d1, which are nobody's legs.
"""

import json

import pytest

from lab.daemon import program
from lab.journal import Journal
from lab.namespaces import Namespaces
from lab.vrrp import Capture, Director, Keepalived, Lans, until

HERE = '{ address = "192.0.2.1/24" }'
THERE = '{ address = "203.0.113.1/24", interface = "d0" }'
HIDDEN = '{ address = "192.0.2.9/24", advertised = false }'
SIXTH = '{ address = "2001:db8:d::1/64", interface = "d0", advertised = false }'
ALL = [HERE, THERE, HIDDEN, SIXTH]
EXPECTED = {"e0": {"192.0.2.1", "192.0.2.9"}, "d0": {"203.0.113.1", "2001:db8:d::1"}}
NOTHING = {"e0": set(), "d0": set()}
OWN = {"192.0.2.11", "192.0.2.12", "10.0.5.1", "2001:db8:a::11", "2001:db8:a::12"}


def instance(addresses=ALL, more: str = "", priority: int = 200) -> str:
    return (
        f'[instance.outside]\ninterface = "e0"\nvrid = 10\naddresses = [{", ".join(addresses)}]\npriority = {priority}\n'
        f'advert-interval = "100ms"\n{more}'
    )


def infos(namespaces: Namespaces, name: str, device: str) -> dict[str, dict]:
    """What the kernel says of each address of an interface but its own; none where there is no such interface."""
    links = json.loads(namespaces.ip(name, "-j addr show"))
    return {
        found["local"]: found
        for link in links
        if link.get("ifname") == device
        for found in link["addr_info"]
        if found["scope"] != "link" or found.get("label", device) != device
        if found["local"] not in OWN
    }


def held(namespaces: Namespaces, name: str = "r1") -> dict[str, set[str]]:
    return {device: set(infos(namespaces, name, device)) for device in ("e0", "d0")}


@pytest.fixture
def router(namespaces):
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    for device, port in (("d0", "t0"), ("d1", "t1")):
        namespaces.veth(f"r1:{device}", f"sw:{port}")
    namespaces.ip("r1", "addr add 10.0.5.1/24 dev d0")
    lans.made = []

    def start(text: str, name: str = "r1") -> Director:
        lans.made.append(Director(namespaces, name, text))
        return lans.made[-1]

    lans.start = start
    yield lans
    for made in lans.made:
        made.close()


def serve(namespaces: Namespaces, director: Director, expected=EXPECTED):
    watch = director.watch()
    watch.await_state("master")
    until(lambda: held(namespaces) == expected, "the addresses")
    watch.mark()
    return watch


def release(namespaces: Namespaces, director: Director) -> str:
    return namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)


@pytest.mark.parametrize("end", ["stop", "kill", "release", "start"])
def test_every_interface_has_its_own_while_it_serves(namespaces, router, end):
    director = router.start(instance())
    serve(namespaces, director)
    (member,) = director.status()["members"]
    assert member["addresses"] == ["192.0.2.1", "203.0.113.1", "192.0.2.9", "2001:db8:d::1"]
    # The first is a table that says no more than its address would as text.
    assert [(one["address"], one["interface"], one["advertised"], one["held"]) for one in member["attributes"]] == [
        ("203.0.113.1/24 dev d0", "d0", True, True), ("192.0.2.9/24", "e0", False, True),
        ("2001:db8:d::1/64 dev d0", "d0", False, True),
    ]  # fmt: skip
    if end == "stop":
        director.stop()
    elif end == "kill":
        director.kill()
        director.log.await_item(lambda line: "removed 4 addresses" in line, what="the runner's word")
    elif end == "release":
        director.crash()
        assert held(namespaces) == EXPECTED
        assert release(namespaces, director) == "4 addresses and 0 macvlan interfaces removed\n"
    else:
        director.crash()
        # The new file names another address alone, and cannot serve.
        director.reconfigure(instance(['"192.0.2.77"']))
        namespaces.ip("r1", "link set e0 down")
        director.start()
    until(lambda: held(namespaces) == NOTHING, "the addresses to go")


def test_adverts_list_what_is_advertised(namespaces, router):
    capture = Capture(namespaces, "r1", "e0")
    serve(namespaces, router.start(instance()))
    assert "addrs(2): 192.0.2.1,203.0.113.1" in capture.await_advert("192.0.2.11", 200)
    capture.close()


def test_leases_are_renewed_and_announced_on_each_interface(namespaces, router):
    arp = Capture(namespaces, "sw", "t0", "arp or icmp6")
    director = router.start(instance(more='address-lease = "1s"\nannounce-refresh = "300ms"\n'))
    watch = serve(namespaces, director)
    mac = json.loads(namespaces.ip("r1", "-j link show d0"))[0]["address"]
    arp.mark()
    for words in ("who-has 203.0.113.1", "tell 203.0.113.1"), ("tgt is 2001:db8:d::1", mac):
        arp.await_item(lambda packet: all(word in packet for word in words), what=f"an announcement: {words}")
    arp.close()
    until(lambda: director.status()["members"][0]["advertsSent"] > 25, "more adverts than a lease has room for")
    assert held(namespaces) == EXPECTED and watch.transitions() == []


def test_what_goes_comes_back(namespaces, router):
    watch = serve(namespaces, router.start(instance()))
    namespaces.ip("r1", "addr del 203.0.113.1/32 dev d0", "addr del 2001:db8:d::1/64 dev d0")
    until(lambda: held(namespaces) == EXPECTED, "the addresses to come back")
    # As somebody may set it up anew.
    namespaces.ip("r1", "addr flush dev d0", "addr add 10.0.5.1/24 dev d0")
    until(lambda: held(namespaces) == EXPECTED, "the addresses to come back")
    assert watch.transitions() == []


@pytest.mark.parametrize("tracks", [True, False], ids=["tracked", "untracked"])
def test_an_interface_that_is_down_or_gone_counts_unless_it_is_not_tracked(namespaces, router, tracks):
    more = "" if tracks else ", track-interface = false"
    addresses = [one.replace('"d0"', f'"d0"{more}') for one in ALL]
    director = router.start(instance(addresses))
    watch = serve(namespaces, director)
    namespaces.ip("sw", "link set t0 down")
    if tracks:
        watch.await_transition("fault")
        until(lambda: held(namespaces) == NOTHING, "the addresses to go")
        assert any(cause.startswith("link:d0:") for cause in watch.group()["causes"])
        namespaces.ip("sw", "link set t0 up")
        watch.await_transition("master")
        until(lambda: held(namespaces) == EXPECTED, "the addresses to come back")
    watch.mark()
    namespaces.ip("sw", "link del t0")
    if tracks:
        watch.await_what("link:d0:absent")
    until(lambda: held(namespaces) == ({"e0": EXPECTED["e0"], "d0": set()} if not tracks else NOTHING), "d0's to go")
    namespaces.veth("r1:d0", "sw:t0")
    until(lambda: held(namespaces) == EXPECTED, "the addresses on the new interface")
    if not tracks:
        assert watch.transitions() == [] and watch.group()["causes"] == []


def test_a_virtual_mac_and_the_interface_beneath_it(namespaces, router):
    """Without an interface an address is on the macvlan, with that of the instance on the one beneath."""
    beneath = '{ address = "192.0.2.5/24", interface = "e0" }'
    director = router.start(instance([HERE, beneath, THERE, '{ address = "2001:db8:a::9/64", advertised = false }'], "virtual-mac = true\n"))
    watch = director.watch()
    watch.await_state("master")
    macvlan = next(link["ifname"] for link in json.loads(namespaces.ip("r1", "-j link show")) if link["ifname"].startswith("vr4-10-"))
    expected = {macvlan: {"192.0.2.1", "2001:db8:a::9"}, "e0": {"192.0.2.5"}, "d0": {"203.0.113.1"}}
    until(lambda: {device: set(infos(namespaces, "r1", device)) for device in expected} == expected, "the addresses")
    director.crash()
    assert release(namespaces, director) == "4 addresses and 1 macvlan interfaces removed\n"


class Removed(Journal):
    """Addresses that the kernel removes."""

    def __init__(self, namespaces: Namespaces):
        import subprocess, threading
        super().__init__("addresses removed")
        self.namespaces = namespaces
        self.process = namespaces.popen("r1", "ip", "-o", "monitor", "address", stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        until(self._has_begun, "the monitor to listen")
        self.mark()

    def _has_begun(self) -> bool:
        self.namespaces.ip("r1", "addr add 127.9.9.9/32 dev lo", "addr del 127.9.9.9/32 dev lo")
        return len(self) > 0

    def _read(self) -> None:
        for line in self.process.stdout:
            if line.startswith("Deleted"):
                words = line.split()
                self.append(f"{words[4]} dev {words[2]}")
        self.end("ip monitor ended")

    def settled(self) -> set[str]:
        self.namespaces.ip("r1", "addr add 127.9.9.8/32 dev lo", "addr del 127.9.9.8/32 dev lo")
        self.await_item(lambda address: address.startswith("127.9.9.8"), what="the last removal")
        found = {address for address in self.recent() if not address.startswith("127.")}
        self.mark()
        return found

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def test_a_reload_touches_what_has_changed_alone(namespaces, router):
    director = router.start(instance())
    watch = serve(namespaces, director)
    removed = Removed(namespaces)

    def reload(addresses, expected, gone):
        director.reconfigure(instance(addresses))
        director.call("io.linkwatch.VRRP.Reload")
        until(lambda: held(namespaces) == expected, f"the addresses after {addresses}")
        assert removed.settled() == gone

    # To another interface, to the adverts, away, and back.
    moved = THERE.replace('"d0"', '"e0"')
    reload([HERE, moved, HIDDEN, SIXTH], {"e0": {"192.0.2.1", "192.0.2.9", "203.0.113.1"}, "d0": {"2001:db8:d::1"}}, {"203.0.113.1/32 dev d0"})
    reload([HERE, moved, HIDDEN.replace("false", "true"), SIXTH], {"e0": {"192.0.2.1", "192.0.2.9", "203.0.113.1"}, "d0": {"2001:db8:d::1"}}, set())
    reload([HERE], {"e0": {"192.0.2.1"}, "d0": set()}, {"192.0.2.9/32 dev e0", "203.0.113.1/32 dev e0", "2001:db8:d::1/64 dev d0"})
    reload(ALL, EXPECTED, set())
    # An interface that no address is on any more does not count.
    namespaces.ip("sw", "link set t0 down")
    watch.await_transition("fault")
    director.reconfigure(instance([HERE, HIDDEN]))
    director.call("io.linkwatch.VRRP.Reload")
    watch.await_transition("master")
    removed.close()
    assert watch.group()["causes"] == []


def test_the_kernel_keeps_label_scope_and_broadcast_and_a_reload_changes_those_of_one(namespaces, router):
    def attributes(address):
        found = infos(namespaces, "r1", "e0").get(address, {})
        return found.get("label"), found.get("scope"), found.get("broadcast")

    def routes():
        return [route["dst"] for route in json.loads(namespaces.ip("r1", "-j route show dev e0 proto 112"))]

    plain = '"198.51.100.1/24"'
    other = '{ address = "203.0.113.1/24", label = "e0:vip", scope = "link", broadcast = "+", prefix-route = false }'
    expected = ("e0:vip", "link", "203.0.113.255")
    director = router.start(instance([HERE, plain, other], 'address-lease = "1s"\n'))
    watch = director.watch()
    watch.await_state("master")
    until(lambda: attributes("203.0.113.1") == expected, "the attributes")
    assert attributes("198.51.100.1") == ("e0", "global", None)
    assert routes() == ["198.51.100.0/24"]
    # The lease is over more than once before a group can be master again, so it has been renewed.
    sent = lambda: director.status()["members"][0]["advertsSent"]  # noqa: E731
    before = sent()
    until(lambda: sent() > before + 25, "two leases' time")
    assert attributes("203.0.113.1") == expected
    removed = Removed(namespaces)
    director.reconfigure(instance([HERE, plain, other.replace("e0:vip", "e0:new").replace('"+"', '"-"').replace("false", "true")]))
    director.call("io.linkwatch.VRRP.Reload")
    until(lambda: attributes("203.0.113.1") == ("e0:new", "link", "203.0.113.0"), "the new label")
    until(lambda: sorted(routes()) == ["198.51.100.0/24", "203.0.113.0/24"], "the route")
    assert removed.settled() == {"203.0.113.1/32 dev e0"}
    removed.close()
    assert watch.group()["state"] == "master"


def test_hundreds_that_are_not_advertised(namespaces, router):
    many = [f'{{ address = "10.7.{number // 250}.{number % 250 + 1}/32", advertised = false }}' for number in range(500)]
    many += [f'{{ address = "2001:db8:7::{number + 1:x}/64", advertised = false, interface = "d0" }}' for number in range(500)]
    director = router.start(instance([HERE, *many], 'address-lease = "1s"\n'))
    watch = director.watch()
    watch.await_state("master")
    until(lambda: [len(held(namespaces)[device]) for device in ("e0", "d0")] == [501, 500], "a thousand addresses")
    sent = director.status()["members"][0]["advertsSent"]
    until(lambda: director.status()["members"][0]["advertsSent"] > sent + 25, "more adverts than a lease has room for")
    assert [len(held(namespaces)[device]) for device in ("e0", "d0")] == [501, 500]
    assert [transition["state"] for transition in watch.group()["transitions"]] == ["backup", "master"]
    director.stop()
    assert held(namespaces) == NOTHING


def test_a_master_of_lower_priority_that_answers_elsewhere_is_believed(namespaces, router):
    """All addresses are on another interface, where no advert tells who has which MAC address."""
    namespaces.bridge("sw", "brx")
    namespaces.veth("r2:d0", "sw:t2")
    namespaces.ip("sw", "link set t0 master brx", "link set t2 master brx")
    text = instance([THERE], "preempt = false\n", priority=100)
    serving = router.start(text)
    serve(namespaces, serving, {"e0": set(), "d0": {"203.0.113.1"}})
    better = router.start(text.replace("priority = 100", "priority = 200"), "r2")
    watch = better.watch()
    watch.await_state("backup")
    until(lambda: better.status()["members"][0]["advertsReceived"] > 40, "adverts for longer than it asks")
    assert better.status()["state"] == "backup" and held(namespaces, "r2") == NOTHING
    assert not any(condition.startswith("address-conflict") for condition in watch.group()["conditions"])
    serving.stop()
    watch.await_transition("master")
    until(lambda: held(namespaces, "r2")["d0"] == {"203.0.113.1"}, "the address on r2")
