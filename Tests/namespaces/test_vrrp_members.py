"""What the members of a group may be like: without addresses, several on one interface, of different versions, on an
interface whose link does not count.

    [r1:e0] linkwatch-vrrp ---- br a ---- [r2:e0] linkwatch-vrrp, or keepalived
"""

import json
import re
import shutil

import pytest

from lab.daemon import program
from lab.journal import Ended
from lab.pair import config
from lab.vrrp import VRRP, Capture, Director, Keepalived, Lans, until

FIRST = "192.0.2.100"


def instance(priority: int, addresses: str = "[]", version: int = 3, more: str = "", name: str = "one", vrid: int = 10) -> str:
    interval = "1s" if version == 2 else "100ms"
    return (
        f'[instance.{name}]\ninterface = "e0"\nvrid = {vrid}\npriority = {priority}\naddresses = {addresses}\n'
        f'version = {version}\nadvert-interval = "{interval}"\n{more}'
    )


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


def table(namespaces, name: str) -> list:
    """What the kernel has, without what changes by itself."""
    shown = []
    for words in ("addr show", "route show table all", "-6 route show table all"):
        for item in json.loads(namespaces.ip(name, f"-j {words}") or "[]"):
            item.pop("operstate", None)
            shown.append(item)
    return shown


# Without addresses.


def test_an_election_without_addresses(namespaces, lan, started):
    """Nothing is added to the kernel; a master that is killed resigns, and one that stands by when it is killed does not."""
    before = table(namespaces, "r1"), table(namespaces, "r2")
    wire = Capture(namespaces, "sw", "bra")
    started.append(wire)
    directors = [Director(namespaces, name, instance(priority)) for name, priority in (("r1", 200), ("r2", 100))]
    started += directors
    first, second = (director.watch() for director in directors)
    first.await_state("master")
    second.await_state("backup")
    advert = wire.await_advert("192.0.2.11", 200)
    assert "length 8" in advert and "bad" not in advert, advert
    member = directors[0].status()["members"][0]
    assert member["addresses"] == [] and member["holding"]
    assert before == (table(namespaces, "r1"), table(namespaces, "r2"))
    second.mark()
    wire.mark()
    directors[0].kill()
    wire.await_advert("192.0.2.11", 0)
    second.await_transition("master")
    # The better one comes back, and the other has nothing to resign from any more.
    again = Director(namespaces, "r1", instance(200))
    started.append(again)
    again.watch().await_state("master")
    second.await_state("backup")
    wire.mark()
    directors[1].kill()
    sent = again.status()["members"][0]["advertsSent"]
    until(lambda: again.status()["members"][0]["advertsSent"] > sent + 5, "adverts of the master")
    assert not [packet for packet in wire.recent() if "192.0.2.12 > " in packet]
    assert before == (table(namespaces, "r1"), table(namespaces, "r2"))


def test_release_resigns_without_addresses(namespaces, lan, started):
    """The runner was killed as well, so `--release` has to know that the process served."""
    wire = Capture(namespaces, "sw", "bra")
    started.append(wire)
    director = Director(namespaces, "r1", instance(200))
    started.append(director)
    director.watch().await_state("master")
    record = f"{director.state.name}/vrrp-holdings"
    until(lambda: "resign e0 - " in open(record).read(), "the resignation in the record")
    director.crash()
    wire.mark()
    namespaces.run("r1", program("linkwatch-vrrp"), "--config", director.config, "--release")
    wire.await_advert("192.0.2.11", 0)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("ours", [200, 50])
def test_keepalived_without_addresses(namespaces, lan, started, version, ours):
    """It and we elect one, and both take over from the other."""
    if not shutil.which("keepalived"):
        pytest.skip("keepalived is not installed")
    try:
        extra = "no_virtual_ipaddress" if version == 3 else ""
        peer = Keepalived(namespaces, "r2", "e0", 10, 100, [], 1 if version == 2 else 0.1, version, extra=extra)
    except Ended as refusal:
        assert version == 3 and "No VIP specified" in str(refusal)
        pytest.skip("this keepalived has no no_virtual_ipaddress: with version 3 it needs an address")
    started.append(peer)
    director = Director(namespaces, "r1", instance(ours, version=version))
    started.append(director)
    watch = director.watch()
    if ours > 100:
        watch.await_state("master")
        peer.log.mark()
        director.kill()
        peer.await_state("MASTER")
    else:
        peer.await_state("MASTER")
        until(lambda: director.status()["members"][0]["heard"], "an advert heard")
        assert director.status()["state"] == "backup" and director.status()["conditions"] == ["monitor-lost"]
        watch.mark()
        peer.stop()
        watch.await_transition("master")


def test_a_count_of_zero_means_nothing_to_others(namespaces, lan, started):
    """RFC 9568, section 5.2.5: who has addresses ignores an advert that lists none, and says so."""
    bare = Director(namespaces, "r2", instance(200))
    started.append(bare)
    bare.watch().await_state("master")
    director = Director(namespaces, "r1", instance(100, f'["{FIRST}/24"]'))
    started.append(director)
    watch = director.watch()
    watch.await_state("master")
    watch.await_present("peer-addresses:one")
    until(lambda: lan.holds("r1", FIRST), "the address")


def test_addresses_come_and_go_on_a_serving_master(namespaces, lan, started):
    director = Director(namespaces, "r1", instance(100))
    started.append(director)
    watch = director.watch()
    watch.await_state("master")
    watch.mark()
    for addresses in ([FIRST], [], [FIRST, "192.0.2.101"]):
        listed = json.dumps([f"{address}/24" for address in addresses])
        director.reconfigure(instance(100, listed))
        director.call(f"{VRRP}.Reload")
        for address in (FIRST, "192.0.2.101"):
            until(lambda: lan.holds("r1", address) is (address in addresses), f"{address} in {addresses}")
        assert director.status()["members"][0]["holding"]
    assert watch.transitions() == []


def test_a_pool_without_addresses(namespaces, started):
    """Heartbeats tell who serves: a cut of the master's leg moves the role at once."""
    lans = Lans(namespaces, cables=1, hosts=False)
    before = table(namespaces, "r1"), table(namespaces, "r2")
    directors = {}
    for name in ("r1", "r2"):
        text = re.sub(r'addresses = \["[^"]*"\]', "addresses = []", config(name))
        directors[name] = Director(namespaces, name, text)
        started.append(directors[name])
    watches = {name: director.watch() for name, director in directors.items()}
    watches["r1"].await_state("master")
    watches["r2"].await_state("backup")
    for director in directors.values():
        until(lambda: len((director.status().get("peer") or {"proven": []})["proven"]) == 2, "the peer's legs to be proven")
    until(lambda: directors["r2"].status()["peer"]["holds"] == ["outside", "inside"], "the peer to hold")
    watches["r2"].mark()
    lans.cut("r1", "e1")
    watches["r2"].await_transition("master", reason="at-once")
    watches["r1"].await_state("fault")
    lans.mend("r1", "e1")
    watches["r1"].await_state("master")
    watches["r2"].await_state("backup")
    assert before == (table(namespaces, "r1"), table(namespaces, "r2"))


# Several on one interface, and of different versions.


def group(priority: int, *members: str, more: str = "", interval: str = "100ms") -> str:
    """A group `lvs` of these instances."""
    names = ", ".join(f'"{name}"' for name in re.findall(r"\[instance\.(\w+)\]", "".join(members)))
    return f'[group.lvs]\npriority = {priority}\ninstances = [{names}]\nadvert-interval = "{interval}"\n{more}{"".join(members)}'


def member(name: str, vrid: int, address: str, more: str = "") -> str:
    return f'[instance.{name}]\ninterface = "e0"\nvrid = {vrid}\naddresses = ["{address}"]\n{more}'


def test_several_members_on_one_interface(namespaces, lan, started):
    """They move together, each with adverts and addresses of its own; their interface is one cause."""
    members = member("one", 10, f"{FIRST}/24"), member("two", 11, "192.0.2.101/24"), member("six", 12, "fe80::100/64")
    directors = {name: Director(namespaces, name, group(priority, *members)) for name, priority in (("r1", 200), ("r2", 100))}
    started.extend(directors.values())
    watches = {name: director.watch() for name, director in directors.items()}
    watches["r1"].await_state("master")
    watches["r2"].await_state("backup")

    def held(name: str) -> list[str]:
        shown = json.loads(namespaces.ip(name, "-j addr show dev e0"))[0]["addr_info"]
        return sorted(item["local"] for item in shown if item["local"] in (FIRST, "192.0.2.101", "fe80::100"))

    everything = sorted([FIRST, "192.0.2.101", "fe80::100"])
    until(lambda: held("r1") == everything and held("r2") == [], "all of them on r1")
    until(lambda: all(item["heard"] for item in directors["r2"].status()["members"]), "every member to be heard")
    for watch in watches.values():
        watch.mark()
    lan.cut("r1", "e0")
    assert watches["r1"].await_transition("fault")["reason"] == "fault"
    assert [cause.split(":")[:2] for cause in directors["r1"].status()["causes"]] == [["link", "e0"]]
    watches["r2"].await_transition("master")
    until(lambda: held("r2") == everything and held("r1") == [], "all of them on r2")
    # A second file takes one of them away and leaves the others alone.
    watches["r2"].mark()
    directors["r2"].reconfigure(group(100, members[0], members[2]))
    directors["r2"].call(f"{VRRP}.Reload")
    until(lambda: held("r2") == sorted([FIRST, "fe80::100"]), "two of them on r2")
    assert watches["r2"].transitions() == []


def test_members_of_different_versions(namespaces, lan, started):
    wire = Capture(namespaces, "sw", "bra")
    started.append(wire)
    members = member("one", 10, f"{FIRST}/24", 'version = 2\nauth-pass = "secret"\n'), member("two", 11, "192.0.2.101/24")
    directors = {
        name: Director(namespaces, name, group(priority, *members, interval="1s")) for name, priority in (("r1", 200), ("r2", 100))
    }
    started.extend(directors.values())
    directors["r1"].watch().await_state("master")
    backup = directors["r2"].watch()
    until(lambda: all(item["heard"] for item in directors["r2"].status()["members"]), "every member to be heard")
    adverts = wire.adverts("192.0.2.11")
    for version, vrid in ((2, 10), (3, 11)):
        of_member = [packet for packet in adverts if f"vrid {vrid}," in packet]
        assert of_member and all(f"VRRPv{version}" in packet and "bad" not in packet for packet in of_member), of_member
    assert [item["version"] for item in directors["r2"].status()["members"]] == [2, 3]
    wire.mark()
    backup.mark()
    # The runner resigns in the versions of the members.
    directors["r1"].kill()
    for version in (2, 3):
        wire.await_item(lambda packet: f"VRRPv{version}" in packet and "192.0.2.11 > " in packet and "prio 0," in packet)
    backup.await_transition("master")


# An interface that does not count.


def test_an_interface_whose_link_does_not_count(namespaces, lan, started):
    """Neither a lost carrier nor an interface that is down ends the service; a reload makes it count again."""
    director = Director(namespaces, "r1", instance(100, f'["{FIRST}/24"]', more="track-interface = false\n"))
    started.append(director)
    watch = director.watch()
    watch.await_state("master")
    until(lambda: lan.holds("r1", FIRST), "the address")
    watch.mark()
    lan.cut("r1", "e0")
    until(lambda: '"NO-CARRIER"' in namespaces.ip("r1", "-j link show e0"), "the carrier to be lost")
    namespaces.ip("r1", "link set e0 down")
    watch.await_what("send-failed:one")
    assert director.status()["state"] == "master" and director.status()["causes"] == [] == watch.transitions()
    namespaces.ip("r1", "link set e0 up")
    lan.mend("r1", "e0")
    watch.await_what("send-failed:one", present=False)
    assert watch.transitions() == [] and lan.holds("r1", FIRST)
    lan.cut("r1", "e0")
    until(lambda: '"NO-CARRIER"' in namespaces.ip("r1", "-j link show e0"), "the carrier to be lost")
    director.reconfigure(instance(100, f'["{FIRST}/24"]'))
    director.call(f"{VRRP}.Reload")
    watch.await_transition("fault")
    watch.await_present("link:e0")
    director.reconfigure(instance(100, f'["{FIRST}/24"]', more="track-interface = false\n"))
    director.call(f"{VRRP}.Reload")
    watch.await_transition("backup")
    watch.await_transition("master")


# The start, and the end of patience.


def test_a_start_that_is_delayed(namespaces, lan, started):
    """Until the delay is over the group says nothing; `starting` says why."""
    wire = Capture(namespaces, "sw", "bra")
    started.append(wire)
    director = Director(namespaces, "r1", instance(255, "[]", more='start-delay = "1h"\n'))
    started.append(director)
    watch = director.watch()
    watch.await_present("starting:start-delay")
    assert director.status()["state"] == "initialize" and not wire.adverts("192.0.2.11")
    # A shorter delay counts from now on.
    director.reconfigure(instance(255, "[]", more='start-delay = "300ms"\n'))
    director.call(f"{VRRP}.Reload")
    watch.await_transition("master")
    assert [item["state"] for item in watch.transitions()] == ["backup", "master"]
    watch.await_what("starting", present=False)


@pytest.mark.parametrize("status", [0, 1])
def test_first_answers_are_waited_for(namespaces, lan, started, tmp_path, status):
    """A director whose check fails never serves, though it would be master at once; one whose check is well begins with it."""
    flag = tmp_path / "answer"
    check = f'[check.slow]\nexec = ["/bin/sh", "-c", "until [ -e {flag} ]; do sleep 0.05; done; exit {status}"]\n'
    more = f'track = ["check:slow"]\n{check}interval = "1min"\ntimeout = "1min"\nuser = "root"\n'
    director = Director(namespaces, "r1", instance(255, "[]", more=more))
    started.append(director)
    watch = director.watch()
    watch.await_present("starting:no answer yet of check:slow")
    assert director.status()["state"] == "initialize"
    watch.mark()
    flag.touch()
    watch.await_transition("fault" if status else "master")
    assert [item["state"] for item in watch.transitions()] == (["fault"] if status else ["backup", "master"])
    watch.await_what("starting", present=False)


def test_a_master_is_gone_after_as_many_intervals_as_configured(namespaces, lan, started):
    wire = Capture(namespaces, "sw", "bra")
    started.append(wire)
    directors = [Director(namespaces, name, instance(priority, more="down-intervals = 20\n")) for name, priority in (("r1", 200), ("r2", 100))]
    started += directors
    directors[0].watch().await_state("master")
    watch = directors[1].watch()
    until(lambda: len(wire.adverts("192.0.2.11")) > 5 and directors[1].status()["members"][0]["heard"], "adverts")
    watch.mark()
    directors[0].crash()
    watch.await_transition("master")
    wire.await_advert("192.0.2.12")
    seconds = [float(packet.split()[0]) for packet in wire.adverts("192.0.2.11")]
    first = float(wire.adverts("192.0.2.12")[0].split()[0])
    interval = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    assert 20 * interval < first - seconds[-1] < 25 * interval
