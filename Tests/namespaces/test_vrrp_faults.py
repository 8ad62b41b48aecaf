"""Everything besides a cut leg that keeps a director from serving, each entering and leaving FAULT with its cause named;
and what a stranger on the LAN may say without moving anything.

The picture is in lab/vrrp.py, the pair in lab/pair.py. Whatever is done here is done to r1, which serves.
"""

import time
from pathlib import Path

import pytest

from lab.daemon import Daemon
from lab.packets import advert, say_on_the_lan
from lab.pair import OUTSIDE, Claims, Pair
from lab.vrrp import VRRP, Capture, Director, Lans, reach, until


def fails(pair: Pair, cause: str) -> None:
    """r1 has gone into FAULT by this cause alone, and r2 serves instead: both legs, each moved once."""
    pair.w1.await_what(cause)
    pair.w1.await_transition("fault")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    assert [found.startswith(cause) for found in pair.r1.status()["causes"]] == [True]
    assert [move["state"] for move in pair.w1.transitions()] == ["fault"]
    assert [move["state"] for move in pair.w2.transitions()] == ["master"]
    pair.mark()


def recovers(pair: Pair, cause: str) -> None:
    """The cause is gone: r1 goes through Backup and serves again."""
    pair.w1.await_what(cause, present=False)
    pair.w1.await_transition("backup", reason="recovered")
    pair.settle()
    assert pair.r1.status()["causes"] == []
    assert pair.holdings.never_together()


def test_an_interface_that_is_put_down_and_one_without_an_address(pair):
    pair = pair()
    pair.namespaces.ip("r1", "link set e1 down")
    fails(pair, "link:e1:admin")
    pair.namespaces.ip("r1", "link set e1 up")
    recovers(pair, "link:e1")
    # It is the address that adverts are sent from; the virtual one does not do for that.
    pair.namespaces.ip("r1", "addr del 198.51.100.11/24 dev e1")
    fails(pair, "no-address:e1")
    pair.namespaces.ip("r1", "addr add 198.51.100.11/24 dev e1")
    recovers(pair, "no-address:e1")


def test_a_tracked_link_is_a_cause_or_a_weight(pair):
    def add_uplink(pair: Pair) -> None:
        pair.namespaces.veth("r1:uplink", "sw:upstream")

    pair = pair(add_uplink, r1={"group": 'track = ["link:uplink"]'})
    pair.namespaces.ip("r1", "link set uplink down")
    fails(pair, "link:uplink:admin")
    pair.namespaces.ip("r1", "link set uplink up")
    recovers(pair, "link:uplink")
    # With a weight it takes from the priority instead, so that the other one is better; nobody is in FAULT.
    pair.options["r1"]["group"] = 'track = [{ link = "uplink", weight = -150 }]'
    pair.reconfigure()
    pair.namespaces.ip("r1", "link set uplink down")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    status = pair.r1.status()
    assert status["state"] == "backup" and status["priority"] == 50
    assert status["tracked"] == [{"name": "link:uplink", "well": False, "weight": -150, "contribution": -150}]
    pair.namespaces.ip("r1", "link set uplink up")
    pair.settle()
    assert pair.r1.status()["priority"] == 200
    assert pair.holdings.never_together()


def test_a_route_has_to_go_where_it_is_wanted(pair):
    def add_route(pair: Pair) -> None:
        pair.namespaces.ip("r1", "route add 203.0.113.0/24 via 192.0.2.21")

    pair = pair(add_route, r1={"group": 'track = [{ route = "203.0.113.0/24", via = "192.0.2.21" }]'})
    pair.namespaces.ip("r1", "route replace 203.0.113.0/24 via 192.0.2.22")
    fails(pair, "route:203.0.113.0/24")
    pair.namespaces.ip("r1", "route replace 203.0.113.0/24 via 192.0.2.21")
    recovers(pair, "route:203.0.113.0/24")


@pytest.mark.parametrize("address", ["192.0.2.21", "2001:db8:a::21"], ids=["arp", "neighbour-solicitation"])
def test_a_witness_that_ceases_to_answer(pair, address):
    check = (
        f'[check.upstream]\nwitness = "{address}"\ninterface = "e0"\ninterval = "100ms"\ntimeout = "100ms"\n'
        "fall = 3\nrise = 2\n"
    )
    pair = pair(r1={"group": 'track = ["check:upstream"]', "more": check})
    host = pair.namespaces
    host.ip("ca", "link set e0 down")
    fails(pair, "check:upstream")
    # An IPv6 address goes with its link.
    host.ip("ca", "link set e0 up", "addr replace 2001:db8:a::21/64 dev e0 nodad")
    recovers(pair, "check:upstream")


def test_a_check_that_hangs_has_failed(pair, tmp_path):
    """It is killed when its time is over, with all that it started, and its group goes on meanwhile."""
    tmp_path.chmod(0o777)
    hang, pids = tmp_path / "hang", tmp_path / "pids"
    script = tmp_path / "check"
    script.write_text(f"#!/bin/sh\n[ -e {hang} ] || exit 0\necho $$ >> {pids}\nsleep 3600\n")
    script.chmod(0o755)
    check = f'[check.upstream]\nexec = ["{script}"]\ninterval = "500ms"\nfall = 2\nrise = 1\n'
    pair = pair(r1={"group": 'track = ["check:upstream"]', "more": check})
    hang.touch()
    fails(pair, "check:upstream")
    hang.unlink()
    recovers(pair, "check:upstream")
    for pid in pids.read_text().split():
        until(lambda: not Path("/proc", pid).exists(), f"the check's process {pid} to be gone")


def test_a_notify_program_knows_what_happened(pair, tmp_path):
    tmp_path.chmod(0o777)
    log, script = tmp_path / "log", tmp_path / "notify"
    script.write_text(f'#!/bin/sh\nenv | grep ^LINKWATCH_ | sort | tr "\\n" ";" >> {log}\necho >> {log}\n')
    script.chmod(0o755)
    pair = pair(r1={"more": f'[notify.log]\nexec = ["{script}"]\n'})
    pair.lans.cut("r1", "e1")
    fails(pair, "link:e1")
    wanted = [
        "LINKWATCH_EVENT=fault", "LINKWATCH_GROUP=lvs", "LINKWATCH_INSTANCES=outside inside",
        "LINKWATCH_PREVIOUS_STATE=master", "LINKWATCH_PRIORITY=200", "LINKWATCH_REASON=fault", "LINKWATCH_STATE=fault",
    ]  # fmt: skip
    until(lambda: log.exists() and any("_STATE=fault;" in line for line in log.read_text().splitlines()), "the word")
    said = next(line for line in log.read_text().splitlines() if "LINKWATCH_STATE=fault;" in line)
    assert said.rstrip(";").split(";") == wanted


def test_a_settled_state_waits_where_the_raw_one_does_not(namespaces):
    """`link-state = "settled"`: a change that linkwatchd holds back for its hold time has no effect."""
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    monitor = Daemon(namespaces, "r1", config='[interface."*"]\ndown-delay = "1h"\n')
    director = None
    try:
        text = '[instance.one]\ninterface = "e0"\nvrid = 10\naddresses = ["192.0.2.1"]\nadvert-interval = "100ms"\n'
        director = Director(namespaces, "r1", text + 'link-state = "settled"\n', monitor=monitor.socket)
        watch = director.watch()
        watch.await_state("master")
        watch.mark()
        lans.cut("r1", "e0")
        until(lambda: seen(monitor, "e0") == ("down", "up"), "linkwatchd to see the cut and hold it back")
        sent = director.status()["members"][0]["advertsSent"]
        until(lambda: director.status()["members"][0]["advertsSent"] >= sent + 5, "five adverts more")
        assert watch.transitions() == []
        director.reconfigure(text)
        director.call(f"{VRRP}.Reload")
        watch.await_transition("fault")
    finally:
        if director:
            director.close()
        monitor.close()


def seen(monitor: Daemon, name: str) -> tuple[str, str]:
    """The raw and the settled state of an interface."""
    interfaces = monitor.call("io.linkwatch.Monitor.Dump")["interfaces"]
    return next((found["rawState"], found["state"]) for found in interfaces if found["ifname"] == name)


# What a stranger says.


def test_a_stranger_with_our_own_address_or_our_number_moves_nothing(pair):
    """Either can be spoofed, so either is only reported."""
    pair = pair()
    # As r1 itself, at a priority that would beat it, were it another.
    say_on_the_lan(pair.namespaces, advert("192.0.2.11", 254, OUTSIDE))
    pair.w1.await_what("own-address:outside")
    assert pair.r1.status()["members"][0]["ownAddressReceived"] == 1
    # As another virtual router of the same number, with an address of its own.
    say_on_the_lan(pair.namespaces, advert("192.0.2.21", 1, "192.0.2.77"))
    pair.w1.await_what("addresses-differ:outside")
    pair.quiet()
    assert pair.moved_nothing() and pair.holdings.never_together()


@pytest.mark.parametrize("cables", [0, 1])
def test_a_stranger_of_lower_priority_takes_nothing(pair, cables):
    """Priority 1, ten times an interval and for many down intervals, also from the virtual address itself. Then r1 dies, and
    the stranger goes on: r2 takes over all the same."""
    pair = pair(cables=cables)
    sources = ["192.0.2.66", OUTSIDE, "192.0.2.12"]
    adverts = [advert(source, 1, OUTSIDE) for source in sources]

    def flood(until_when) -> None:
        for _ in range(600):
            say_on_the_lan(pair.namespaces, *adverts)
            if until_when():
                return
            time.sleep(0.01)
        raise AssertionError("the flood went on for too long")

    sent = pair.sent("r1")
    flood(lambda: pair.sent("r1") >= sent + 25)
    assert pair.moved_nothing() and pair.holdings.never_together()
    expected = "third-router:outside" if cables else "second-master:outside"
    assert [found for found in pair.r1.status()["conditions"] if found.startswith(expected)]
    # Without a cable, whoever sends adverts and answers is a master for all that anybody knows.
    if cables:
        pair.namespaces.ip("ca", f"addr add {OUTSIDE}/32 dev e0")
    pair.mark()
    pair.r1.crash()
    flood(lambda: pair.r2.status()["state"] == "master")
    pair.holdings.await_by("r2")


def test_noise_is_counted_and_moves_nothing(pair, say):
    """Ten thousand packets: a wrong TTL, sum, number or version, and such as are cut short."""
    pair = pair(cables=0)
    better = ("192.0.2.21", 254, OUTSIDE)
    hostile = {
        "ttl": advert(*better, ttl=64),
        "checksum": advert(*better, broken=True),
        "vrid": advert(*better, vrid=99),
        "length": advert(*better, size=6),
        "version": advert(*better, version=4),
    }
    before, started = pair.r2.cpu_seconds(), time.monotonic()
    say_on_the_lan(pair.namespaces, *hostile.values(), times=2000)
    seconds = time.monotonic() - started
    pair.quiet(10)
    discards = {entry["reason"]: entry["count"] for entry in pair.r2.call(f"{VRRP}.Status")["discards"]}
    assert set(hostile) <= set(discards), discards
    assert pair.moved_nothing()
    say(
        f"10000 hostile packets in {seconds:.2f} s: {sum(discards.values())} counted, "
        f"{(pair.r2.cpu_seconds() - before) * 1000:.0f} ms of CPU in the backup"
    )


# What hosts are told.


def test_the_master_announces_again_and_again_where_it_is_wanted(pair):
    """The second burst and the refresh: gratuitous ARP from r1's own MAC address."""
    group = 'announce-count = 2\nannounce-interval = "10ms"\nannounce-repeat = "300ms"\nannounce-refresh = "200ms"\n'
    made = pair(group=group)
    mac = made.namespaces.ip("r1", "link show e0").split("link/ether ")[1].split()[0]
    claims = Claims(made.namespaces)
    try:
        for _ in range(3):
            claims.await_item(lambda claim: claim == (OUTSIDE, mac), 20, "a refresh")
            claims.mark()
        # A takeover announces more than once, and the refresh goes on from there.
        made.lans.cut("r1", "e1")
        made.holdings.await_by("r2")
        other = made.namespaces.ip("r2", "link show e0").split("link/ether ")[1].split()[0]
        claims.await_true(
            lambda: [claim[1] for claim in claims].count(other) >= 6, 20, "two bursts and two refreshes of r2"
        )
        # Nobody but the master claims it: since r2's first word r1 was silent.
        senders = [claim[1] for claim in claims if claim[0] == OUTSIDE]
        assert set(senders[senders.index(other) :]) == {other}
    finally:
        claims.close()


# IPv6.


def test_two_of_ours_with_ipv6(namespaces):
    """Virtual link-local and global addresses move with the group, are never the preferred source, and are announced."""
    link_local, service = "fe80::1:10", "2001:db8:a::1"
    lans = Lans(namespaces, legs=("e0", "e1"))
    directors, watches = {}, {}
    announced = Capture(namespaces, "ca", "e0", "icmp6 and ip6[40] == 136")
    try:
        for name, priority in (("r1", 200), ("r2", 100)):
            directors[name] = Director(
                namespaces, name,
                f'[group.six]\npriority = {priority}\ninstances = ["outside", "inside"]\nadvert-interval = "100ms"\n'
                f'[instance.outside]\ninterface = "e0"\nvrid = 10\naddresses = ["{link_local}/64", "{service}/64"]\n'
                '[instance.inside]\ninterface = "e1"\nvrid = 20\naddresses = ["fe80::2:10/64", "2001:db8:b::1/64"]\n',
            )  # fmt: skip
            watches[name] = directors[name].watch()
        watches["r1"].await_state("master")
        watches["r2"].await_state("backup")
        until(lambda: lans.holds("r1", service, 6) and lans.holds("r1", link_local, 6), "r1 to hold")
        # Usable at once, and chosen by no program of the director's own.
        line = next(line for line in namespaces.ip("r1", "-6 -o addr show dev e0").splitlines() if service in line)
        assert "tentative" not in line and "deprecated" in line
        assert f"src {service} " not in namespaces.ip("r1", "-6 route get 2001:db8:a::21")
        announced.mark()
        lans.cut("r1", "e1")
        watches["r1"].await_transition("fault")
        watches["r2"].await_transition("master")
        until(lambda: lans.holds("r2", service, 6) and not lans.holds("r1", service, 6), "r2 alone to hold")
        announced.await_item(
            lambda packet: f"tgt is {service}" in packet and "router" in packet and "override" in packet,
            what="an unsolicited neighbour advertisement",
        )
        reach(namespaces, "ca", service)
    finally:
        announced.close()
        for director in directors.values():
            director.close()
