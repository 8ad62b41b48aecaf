"""`routes` of an instance, in the kernel's own tables by `ip -j route show table all`: there while the director serves, gone when
it does not, put back when somebody takes them, and nothing goes that is not ours.

The picture is in lab/vrrp.py; r1 is alone on e0 with 192.0.2.11/24 and 2001:db8:a::11/64, but where a second director is said.
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
from lab.vrrp import Director, Lans, until

OURS = "112"
# Of everything that a route can say, in both families; the last one leads through another interface.
ROUTES = [
    '{ to = "198.51.100.0/24", via = "192.0.2.254", table = 100, metric = 50, source = "192.0.2.1", mtu = 1400, mtu-lock = true }',
    '{ to = "default", via = "10.9.9.9", interface = "e0", table = 101, onlink = true }',
    '{ to = "203.0.113.0/24", scope = "link", metric = 7 }',
    '{ to = "2001:db8:f::/48", via = "2001:db8:a::fe", table = 200, metric = 60, mtu = 1300 }',
    '{ to = "default", via = "fe80::fe", interface = "e0", table = 300 }',
    '{ to = "198.18.0.0/15", type = "blackhole", metric = 3 }',
    '{ to = "2001:db8:dead::/48", type = "unreachable", table = 200 }',
    '{ to = "198.51.100.128/25", via = "10.0.5.2", interface = "d0" }',
]
# The same as the kernel tells them: (destination, table) and what it says of them beside the interface.
EXPECTED = {
    ("198.51.100.0/24", 100): {
        "gateway": "192.0.2.254", "metric": 50, "prefsrc": "192.0.2.1", "metrics": [{"mtu": 1400}], "dev": "e0",
    },
    ("default", 101): {"gateway": "10.9.9.9", "flags": ["onlink"], "dev": "e0"},
    ("203.0.113.0/24", 254): {"scope": "link", "metric": 7, "dev": "e0"},
    ("2001:db8:f::/48", 200): {"gateway": "2001:db8:a::fe", "metric": 60, "metrics": [{"mtu": 1300}], "dev": "e0"},
    ("default", 300): {"gateway": "fe80::fe", "metric": 1024, "dev": "e0"},
    ("198.18.0.0/15", 254): {"type": "blackhole", "metric": 3},
    ("2001:db8:dead::/48", 200): {"type": "unreachable", "metric": 1024},
    ("198.51.100.128/25", 254): {"gateway": "10.0.5.2", "dev": "d0"},
}  # fmt: skip


def instance(routes=ROUTES, addresses='"192.0.2.1/24"', more: str = "", priority: int = 200) -> str:
    return (
        f'[instance.outside]\ninterface = "e0"\nvrid = 10\naddresses = [{addresses}]\npriority = {priority}\n'
        f'advert-interval = "100ms"\nroutes = [{", ".join(routes)}]\n{more}'
    )


def everything(namespaces: Namespaces, name: str = "r1") -> list[str]:
    """All routes of all tables but those that come and go with the addresses themselves."""
    found = []
    for family in ("-4", "-6"):
        for route in json.loads(namespaces.ip(name, f"-j {family} route show table all")):
            if route.get("type") not in ("local", "broadcast", "anycast", "multicast"):
                found.append(json.dumps(route, sort_keys=True))
    return sorted(found)


def held(namespaces: Namespaces, name: str = "r1") -> dict[tuple[str, int], dict]:
    """Those that carry our protocol, without the network of the virtual addresses."""
    found = {}
    for route in map(json.loads, everything(namespaces, name)):
        if route.get("protocol") in (OURS, "vrrp") and route.get("metric") != 0x7FFF0000:
            found[route["dst"], int(route.get("table", 254))] = route
    return found


def is_whole(namespaces: Namespaces, expected=EXPECTED, name: str = "r1") -> bool:
    found = held(namespaces, name)
    return found.keys() == expected.keys() and all(said.items() <= found[key].items() for key, said in expected.items())


class Removals(Journal):
    """Every route that the kernel says it has removed."""

    def __init__(self, namespaces: Namespaces, name: str = "r1"):
        super().__init__(f"routes removed in {name}")
        self.namespaces, self.name = namespaces, name
        self.process = namespaces.popen(name, "ip", "-o", "monitor", "route", stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        until(self._has_begun, "the monitor to listen")
        self.mark()

    def _has_begun(self) -> bool:
        self.namespaces.ip(self.name, "route add 127.9.9.9 dev lo", "route del 127.9.9.9 dev lo")
        return len(self) > 0

    def _read(self) -> None:
        for line in self.process.stdout:
            if found := re.search(r"^Deleted (\S+)", line):
                self.append(found[1])
        self.end("ip monitor ended")

    def settled(self) -> set[str]:
        """All since the mark, once what has happened until now has been told."""
        self.namespaces.ip(self.name, "route add 127.9.9.8 dev lo", "route del 127.9.9.8 dev lo")
        self.await_item(lambda route: route == "127.9.9.8", what="the last removal")
        return {route for route in self.recent() if not route.startswith("127.")}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def router(namespaces):
    """r1 with e0, and d0 that is nobody's leg; `start` makes a director."""
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    namespaces.veth("r1:d0", "sw:d1")
    namespaces.ip("r1", "addr add 10.0.5.1/24 dev d0")
    lans.made = []

    def start(text: str, name: str = "r1") -> Director:
        lans.made.append(Director(namespaces, name, text))
        return lans.made[-1]

    lans.start = start
    yield lans
    for director in lans.made:
        director.close()


def serve(namespaces: Namespaces, director: Director, expected=EXPECTED):
    watch = director.watch()
    watch.await_state("master")
    until(lambda: is_whole(namespaces, expected), "the routes")
    watch.mark()
    return watch


def release(namespaces: Namespaces, director: Director) -> str:
    return namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)


@pytest.mark.parametrize("end", ["stop", "kill", "release", "start", "fault"])
def test_routes_are_there_while_it_serves(namespaces, router, end):
    before = everything(namespaces)
    director = router.start(instance())
    watch = serve(namespaces, director)
    assert watch.group()["conditions"] in ([], ["monitor-lost"])
    assert "mtu lock 1400" in namespaces.ip("r1", "route show table 100")
    if end == "stop":
        director.stop()
    elif end == "kill":
        director.kill()
        said = director.log.await_item(lambda line: "the process has died" in line, what="the runner's word")
        assert said.endswith("removed 1 addresses and 0 macvlan interfaces, and 8 routes")
    elif end == "release":
        director.crash()
        assert is_whole(namespaces)
        assert release(namespaces, director) == "1 addresses and 0 macvlan interfaces, and 8 routes removed\n"
        assert release(namespaces, director) == ""
    elif end == "start":
        director.crash()
        # The new file names none of them.
        director.reconfigure(instance([], priority=100, more='preempt = false\nprobe-before-takeover = false\n'))
        namespaces.ip("r1", "link set e0 down")
        before = everything(namespaces)
        director.start()
    else:
        router.cut("r1", "e0")
        watch.await_state("fault")
        until(lambda: held(namespaces) == {}, "the routes to go")
        router.mend("r1", "e0")
        watch.await_transition("master")
        until(lambda: is_whole(namespaces), "the routes to come back")
        director.stop()
    until(lambda: held(namespaces) == {}, "the routes to go")
    if end != "start":
        until(lambda: everything(namespaces) == before, "the tables of before")


def test_they_move_with_the_role(namespaces, router):
    text = instance(ROUTES[:5])
    expected = {key: said for key, said in EXPECTED.items() if said.get("dev") == "e0"}
    director = router.start(text)
    watch = serve(namespaces, director, expected)
    better = router.start(text.replace("priority = 200", "priority = 250"), "r2")
    watch.await_transition("backup")
    until(lambda: held(namespaces) == {}, "r1's routes to go")
    until(lambda: is_whole(namespaces, expected, "r2"), "r2's routes")
    better.stop()
    watch.await_transition("master")
    until(lambda: is_whole(namespaces, expected), "r1's routes to come back")
    assert held(namespaces, "r2") == {}


@pytest.mark.parametrize(
    "deed",
    [
        ["route del 198.51.100.0/24 table 100"],
        ["route flush table 100", "route flush table 101", "-6 route flush table 200"],
        ["route flush proto 112", "-6 route flush table 300 proto 112"],
        ["link set d0 down", "link set d0 up"],
        ["route del 203.0.113.0/24", "route add blackhole 203.0.113.0/24 metric 9"],
    ],
    ids=["deleted", "flushed", "flushed-all", "link", "shadowed"],
)
def test_what_goes_comes_back(namespaces, router, deed):
    serve(namespaces, router.start(instance()))
    removals = Removals(namespaces)
    for command in deed:
        namespaces.ip("r1", command)
    until(lambda: is_whole(namespaces), "the routes to come back")
    removals.close()


def test_who_deletes_them_again_and_again_is_told_and_given_way_to(namespaces, router):
    director = router.start(instance(ROUTES[:1]))
    watch = serve(namespaces, director, {key: EXPECTED[key] for key in list(EXPECTED)[:1]})
    stop = threading.Event()

    def delete():
        while not stop.is_set():
            subprocess.run(
                namespaces.argv("r1", "ip", "route", "del", "198.51.100.0/24", "table", "100"), capture_output=True
            )

    thief = threading.Thread(target=delete)
    thief.start()
    try:
        missing = watch.await_what("holding-missing:outside:route 198.51.100.0/24")
        assert missing["what"].endswith(":somebody removes it as often as it is added")
    finally:
        stop.set()
        thief.join()
    watch.await_what("holding-missing", present=False)
    assert held(namespaces).keys() == {("198.51.100.0/24", 100)}
    assert watch.transitions() == []


def test_a_route_that_is_not_ours_stays(namespaces, router):
    """And ours goes in when it is gone."""
    foreign = "route add 198.51.100.0/24 via 192.0.2.253 table 100 metric 50 proto static"
    namespaces.ip("r1", foreign)
    director = router.start(instance(ROUTES[:1]))
    watch = director.watch()
    condition = watch.await_what("holding-missing:outside:route 198.51.100.0/24")["what"]
    assert "which is not ours" in condition
    assert "192.0.2.253" in namespaces.ip("r1", "route show table 100") and held(namespaces) == {}
    (said,) = director.status()["members"][0]["routes"]
    assert said["held"] is False and "not ours" in said["reason"]
    watch.mark()
    namespaces.ip("r1", foreign.replace(" add ", " del "))
    watch.await_what("holding-missing", present=False)
    assert is_whole(namespaces, {key: EXPECTED[key] for key in list(EXPECTED)[:1]})
    # Whoever puts its own in the place of ours has it.
    director.signal(signal.SIGSTOP)
    namespaces.ip("r1", foreign.replace(" add ", " replace "))
    director.signal(signal.SIGCONT)
    director.kill()
    director.log.await_item(lambda line: "the process has died" in line, what="the runner's word")
    assert "192.0.2.253" in namespaces.ip("r1", "route show table 100")


@pytest.mark.parametrize("end", ["stop", "kill", "release"])
def test_metric_0_takes_no_other_route_of_protocol_112(namespaces, router, end):
    """The kernel takes it for any metric. Ours is taken away while the process cannot see it; another's is beside it."""
    other = "198.51.100.0/24 via 192.0.2.254 metric 50 table 100 proto 112"
    namespaces.ip("r1", f"route add {other}")
    director = router.start(instance(['{ to = "198.51.100.0/24", via = "192.0.2.254", table = 100 }']))
    watch = director.watch()
    watch.await_state("master")

    def metrics() -> list[int]:
        routes = json.loads(namespaces.ip("r1", "-j route show table 100"))
        return sorted(route.get("metric", 0) for route in routes)

    until(lambda: metrics() == [0, 50], "both routes")
    director.signal(signal.SIGSTOP)
    namespaces.ip("r1", "route del 198.51.100.0/24 table 100")
    assert metrics() == [50]
    if end == "stop":
        director.signal(signal.SIGTERM)
        director.signal(signal.SIGCONT)
        director.process.wait(timeout=30)
    elif end == "kill":
        director.kill()
        director.log.await_item(lambda line: "the process has died" in line, what="the runner's word")
    else:
        director.crash()
        release(namespaces, director)
    assert metrics() == [50]


def test_a_route_that_the_kernel_refuses_is_told_and_tried_again(namespaces, router):
    routes = ['{ to = "198.51.100.0/24", via = "10.7.7.7" }', '{ to = "203.0.113.0/24", via = "10.8.8.8", interface = "x0" }']
    director = router.start(instance(routes))
    watch = director.watch()
    assert "unreachable" in watch.await_what("holding-missing:outside:route 198.51.100.0/24 via 10.7.7.7:")["what"]
    watch.mark()
    watch.await_present("holding-missing:outside:route 203.0.113.0/24 via 10.8.8.8 dev x0:")
    assert "there is no interface x0" in str(director.status()["conditions"])
    assert director.status()["state"] == "master"
    namespaces.ip("r1", "addr add 10.7.7.1/24 dev e0")
    watch.await_what("holding-missing:outside:route 198.51.100.0/24", present=False)
    namespaces.veth("r1:x0", "sw:x1")
    namespaces.ip("r1", "addr add 10.8.8.1/24 dev x0")
    watch.await_what("holding-missing:outside:route 203.0.113.0/24", present=False)
    assert {dst for dst, _ in held(namespaces)} == {"198.51.100.0/24", "203.0.113.0/24"}
    text = namespaces.run("r1", program("linkwatch"), "vrrp", "--vrrp-socket", director.socket)
    assert re.search(r"route +198\.51\.100\.0/24 via 10\.7\.7\.7: held", text)


def test_a_reload_touches_what_changed_and_nothing_else(namespaces, router):
    director = router.start(instance())
    watch = serve(namespaces, director)
    removals = Removals(namespaces)
    addresses = namespaces.ip("r1", "-j addr show dev e0")

    def reload(routes) -> set[str]:
        removals.mark()
        director.reconfigure(instance(routes))
        director.call("io.linkwatch.VRRP.Reload")
        return removals.settled()

    added = '{ to = "10.77.0.0/16", via = "192.0.2.253" }'
    assert reload([*ROUTES, added]) == set()
    until(lambda: ("10.77.0.0/16", 254) in held(namespaces), "the new route")
    assert reload([*ROUTES, added.replace(".253", ".252")]) == {"10.77.0.0/16"}
    until(lambda: held(namespaces).get(("10.77.0.0/16", 254), {}).get("gateway") == "192.0.2.252", "the changed route")
    assert reload(ROUTES[:-1]) == {"10.77.0.0/16", "198.51.100.128/25"}
    expected = {key: said for key, said in EXPECTED.items() if said.get("dev") != "d0"}
    assert is_whole(namespaces, expected)

    def lasting(text: str) -> list:
        return [(one["local"], one["prefixlen"]) for link in json.loads(text) for one in link["addr_info"]]

    assert lasting(namespaces.ip("r1", "-j addr show dev e0")) == lasting(addresses)
    assert watch.transitions() == []
    # With something else of the instance, its leg is another one, and the routes stay all the same.
    removals.mark()
    director.reconfigure(instance(ROUTES[:-1], addresses='"192.0.2.1/24", "192.0.2.9/24"'))
    director.call("io.linkwatch.VRRP.Reload")
    until(lambda: router.holds("r1", "192.0.2.9"), "the new address")
    assert removals.settled() == set() and is_whole(namespaces, expected)
    removals.close()
    director.stop()
    assert held(namespaces) == {}


def test_ipv6_prefers_a_virtual_address_once_that_is_usable(namespaces, router):
    routes = ['{ to = "2001:db8:f::/48", via = "2001:db8:a::fe", source = "2001:db8:a::1" }']
    director = router.start(instance(routes, addresses='"fe80::1:10", "2001:db8:a::1/64"'))
    expected = {("2001:db8:f::/48", 254): {"prefsrc": "2001:db8:a::1", "gateway": "2001:db8:a::fe"}}
    watch = serve(namespaces, director, expected)
    namespaces.ip("r1", "addr del 2001:db8:a::1/64 dev e0")
    until(lambda: router.holds("r1", "2001:db8:a::1", 6) and is_whole(namespaces, expected), "both to come back")
    director.stop()
    assert held(namespaces) == {}
    assert watch.transitions()[0]["reason"] == "shutdown"


def test_with_a_virtual_mac_a_route_leads_where_its_next_router_is(namespaces, router):
    """Beneath the macvlan, but to a network in which there are virtual addresses alone."""
    routes = [
        '{ to = "198.51.100.0/24", via = "192.0.2.254" }',
        '{ to = "203.0.113.0/24", via = "10.66.0.254" }',
    ]
    director = router.start(
        instance(routes, addresses='"192.0.2.1/24", "10.66.0.1/24"', more="virtual-mac = true\n"))  # fmt: skip
    macvlan = f"vr4-10-{namespaces.index('r1', 'e0')}"
    serve(
        namespaces, director,
        {("198.51.100.0/24", 254): {"dev": "e0"}, ("203.0.113.0/24", 254): {"dev": macvlan}},
    )  # fmt: skip
    director.kill()
    until(lambda: held(namespaces) == {}, "the routes to go")


def test_what_this_host_does_not_have_is_a_warning(namespaces, router, tmp_path):
    """The file may be meant for another host, so it is good all the same."""
    path = tmp_path / "vrrp.toml"
    routes = [
        '{ to = "198.51.100.0/24", via = "192.0.2.254", interface = "eth9" }',
        '{ to = "203.0.113.0/24", via = "192.0.2.254", source = "192.0.2.99" }',
        '{ to = "default", via = "192.0.2.254", source = "192.0.2.11" }',
        '{ to = "default", via = "192.0.2.254", source = "192.0.2.1", table = 9 }',
    ]
    path.write_text(instance(routes))
    done = subprocess.run(
        namespaces.argv("r1", program("linkwatch-vrrp"), "--check", path), capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.endswith(": good\n")
    warnings = [line for line in done.stderr.splitlines() if "route" in line]
    assert len(warnings) == 2 and all(f"{path}:7: the route " in line for line in warnings)
    assert "there is no interface eth9 on this host" in warnings[0]
    assert "192.0.2.99 is neither a virtual address nor one of this host" in warnings[1]
