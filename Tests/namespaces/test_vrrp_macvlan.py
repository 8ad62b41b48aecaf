"""The macvlan of `virtual-mac`: its name, its VRF, and which way adverts leave.

The picture is in lab/vrrp.py; r1 is alone on e0 with 192.0.2.11/24.
"""

import json
import subprocess

import pytest

from lab.daemon import program
from lab.vrrp import Director, Lans, until

MAC, NAME = "00:00:5e:00:01:0a", "vrrp.10"


def instance(more: str = "", name: str = NAME, addresses: str = '"192.0.2.1/24"') -> str:
    return (
        f'[instance.outside]\ninterface = "e0"\nvrid = 10\naddresses = [{addresses}]\npriority = 200\n'
        f'advert-interval = "100ms"\nvirtual-mac = true\nvirtual-mac-name = "{name}"\n{more}'
    )


@pytest.fixture
def router(namespaces):
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    lans.made = []

    def start(text: str) -> Director:
        lans.made.append(Director(namespaces, "r1", text))
        return lans.made[-1]

    lans.start = start
    yield lans
    for director in lans.made:
        director.close()


def macvlans(namespaces) -> dict[str, dict]:
    links = json.loads(namespaces.ip("r1", "-j -d link show"))
    return {link["ifname"]: link for link in links if link.get("linkinfo", {}).get("info_kind") == "macvlan"}


def serve(namespaces, router, director, name: str = NAME):
    watch = director.watch()
    watch.await_state("master")
    until(lambda: "192.0.2.1/32" in namespaces.ip("r1", f"-o addr show dev {name}"), "the address on the macvlan")
    watch.mark()
    return watch


@pytest.mark.parametrize("end", ["stop", "kill", "release", "start"])
def test_it_has_the_name_of_the_file_and_goes(namespaces, router, end):
    # As keepalived leaves it behind; and one that nobody has to do with.
    namespaces.ip("r1", f"link add {NAME} link e0 address {MAC} type macvlan mode private")
    namespaces.ip("r1", "link add other link e0 address 00:00:5e:00:01:63 type macvlan mode bridge")
    director = router.start(instance())
    serve(namespaces, router, director)
    link = macvlans(namespaces)[NAME]
    assert (link["address"], link["linkinfo"]["info_data"]["mode"]) == (MAC, "bridge")
    if end == "stop":
        director.stop()
    elif end == "kill":
        director.kill()
        said = director.log.await_item(lambda line: "the process has died" in line, what="the runner's word")
        assert said.endswith("removed 1 addresses and 1 macvlan interfaces")
    elif end == "release":
        director.crash()
        said = namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)
        assert said == "1 addresses and 1 macvlan interfaces removed\n"
    else:
        director.crash()
        # The new file has another name.
        director.reconfigure(instance(name="lan.v10"))
        director.start()
        serve(namespaces, router, director, "lan.v10")
        assert set(macvlans(namespaces)) == {"lan.v10", "other"}
        director.stop()
    until(lambda: set(macvlans(namespaces)) == {"other"}, "the macvlan to go")


def test_another_interface_of_that_name_stays(namespaces, router):
    namespaces.ip("r1", f"link add {NAME} link e0 address 02:00:00:00:00:77 type macvlan mode bridge")
    director = router.start(instance())
    watch = director.watch()
    watch.await_present("config:outside")
    assert macvlans(namespaces)[NAME]["address"] == "02:00:00:00:00:77"
    namespaces.ip("r1", f"link del {NAME}")
    watch.await_state("master")
    assert macvlans(namespaces)[NAME]["address"] == MAC


def test_a_reload_renames_it(namespaces, router):
    director = router.start(instance())
    watch = serve(namespaces, router, director)
    director.reconfigure(instance(name="lan.v10"))
    director.call("io.linkwatch.VRRP.Reload")
    until(lambda: set(macvlans(namespaces)) == {"lan.v10"}, "the new name")
    until(lambda: "192.0.2.1/32" in namespaces.ip("r1", "-o addr show dev lan.v10"), "the address on it")
    assert watch.transitions() == []


def test_it_is_in_the_vrf_of_its_parent(namespaces, router):
    try:
        namespaces.ip("r1", "link add red type vrf table 77", "link del red")
    except RuntimeError as error:
        pytest.skip(f"the kernel has no vrf: {error}")
    namespaces.ip("r1", "link add red type vrf table 77", "link set red up", "link set e0 master red")
    director = router.start(instance())
    watch = serve(namespaces, router, director)
    assert macvlans(namespaces)[NAME]["master"] == "red"
    namespaces.ip("r1", "link add blue type vrf table 78", "link set blue up", "link set e0 master blue")
    until(lambda: macvlans(namespaces).get(NAME, {}).get("master") == "blue", "the macvlan to follow")
    until(lambda: "192.0.2.1/32" in namespaces.ip("r1", f"-o addr show dev {NAME}"), "the address on the macvlan")
    watch.await_state("master")


def source_of_next_advert(namespaces) -> str:
    """The MAC address that the switch sees."""
    done = subprocess.run(
        namespaces.argv("sw", "timeout", "20", "tcpdump", "-c", "1", "-n", "-e", "-i", "p-r1", "proto", "112"),
        capture_output=True, text=True,
    )  # fmt: skip
    return next(word for word in done.stdout.split() if word.count(":") == 5)


def test_adverts_leave_through_it_or_through_the_interface(namespaces, router):
    director = router.start(instance())
    watch = serve(namespaces, router, director)
    assert source_of_next_advert(namespaces) == MAC
    own = json.loads(namespaces.ip("r1", "-j link show dev e0"))[0]["address"]
    director.reconfigure(instance("virtual-mac-adverts = false\n"))
    director.call("io.linkwatch.VRRP.Reload")
    until(lambda: source_of_next_advert(namespaces) == own, "adverts from the interface")
    assert watch.transitions() == []
    # No advert shows that it is gone, and it is made again all the same.
    namespaces.ip("r1", f"link del {NAME}")
    until(lambda: NAME in macvlans(namespaces), "the macvlan to be back")
    until(lambda: "192.0.2.1/32" in namespaces.ip("r1", f"-o addr show dev {NAME}"), "the address on the macvlan")
