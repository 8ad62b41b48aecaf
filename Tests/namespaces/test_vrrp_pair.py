"""Two directors with two legs each: the scenarios of 2002, how a process dies, and what an operator does.

The picture is in lab/vrrp.py, the pair in lab/pair.py. "Nothing happens" is counted in the master's adverts, not in
seconds.
"""

import signal

import pytest

from lab.daemon import program
from lab.pair import INSIDE, OUTSIDE, VIRTUAL, config
from lab.vrrp import VRRP, Capture, Director, Lans, clear, reach, until
from lab.watch import VarlinkError

# The scenarios of 2002.


@pytest.mark.parametrize("cables", [0, 1])
@pytest.mark.parametrize("how", ["carrier", "silent"])
def test_a_cut_on_the_backup_moves_nothing(pair, how, cables):
    """keepalived without a sync group's FAULT state went round in circles here, and dragged the other leg along."""
    pair = pair(cables=cables)
    if how == "carrier":
        pair.lans.cut("r2", "e1")
        pair.w2.await_what("link:e1:")
        pair.w2.await_transition("fault")
    else:
        pair.lans.silence("r2", "e1")
        pair.w2.await_what("deaf:inside")
        if cables:
            # The peer, who hears its own neighbours there, is the better one.
            pair.w2.await_what("isolated:e1")
            pair.w2.await_transition("fault")
    pair.quiet(20)
    if how == "carrier":
        pair.lans.mend("r2", "e1")
        pair.w2.await_transition("backup", reason="recovered")
    else:
        pair.lans.unsilence("r2", "e1")
        pair.w2.await_what("deaf:inside", present=False)
        if cables:
            pair.w2.await_transition("backup", reason="recovered")
        else:
            assert pair.w2.transitions() == []
    pair.quiet(5)
    assert pair.w1.transitions() == [] == pair.holdings.recent()


@pytest.mark.parametrize("cables", [0, 1])
def test_a_cut_on_the_master_moves_both_legs_once(pair, cables):
    pair = pair(cables=cables)
    pair.lans.cut("r1", "e1")
    pair.w1.await_transition("fault")
    pair.w2.await_transition("master", reason="at-once" if cables else None)
    pair.holdings.await_by("r2")
    pair.quiet(10, "r2")
    assert [transition["state"] for transition in pair.w1.transitions()] == ["fault"]
    assert [transition["state"] for transition in pair.w2.transitions()] == ["master"]
    # A host on the other LAN reaches the address where it is now.
    reach(pair.namespaces, "ca", OUTSIDE)
    pair.lans.mend("r1", "e1")
    pair.settle()


def test_an_interface_may_come_and_go(namespaces):
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    with Director(namespaces, "r1", config("r1", cables=0)) as director:
        watch = director.watch()
        watch.await_state("fault")
        watch.await_present("link:e1:absent")
        namespaces.ip("sw", "link add brb type bridge", "link set brb up")
        lans.plug("r1", "e1", "q-r1", "brb")
        watch.await_transition("master")
        until(lambda: lans.holds("r1", INSIDE), "the address on the new interface")
        namespaces.ip("r1", "link del e1")
        watch.await_transition("fault")
        until(lambda: not lans.holds("r1", OUTSIDE), "the other leg to be released")


# The process dies, hangs, and is served badly.


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_kernel_takes_back_what_nobody_refreshes(pair, how):
    """The other one takes at once here, without asking: only a lease that ends leaves it as the only holder."""
    pair = pair(cables=0, r2={"group": "probe-before-takeover = false"})
    pair.r1.crash() if how == "killed" else pair.r1.signal(signal.SIGSTOP)
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    if how == "killed":
        pair.r1.start()
        pair.watch_again("r1")
    else:
        pair.r1.signal(signal.SIGCONT)
        # It slept too long to be master still: it may not add an address before it has heard how things are.
        pair.w1.await_transition("backup")
    pair.settle()


def test_leftovers_are_released_at_once(pair):
    pair = pair(cables=0, group='address-lease = "1h"')
    pair.r1.crash()
    assert all(pair.lans.holds("r1", address) for address in VIRTUAL)
    said = pair.namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", pair.r1.config)
    assert said.split()[0] == "2"
    assert not any(pair.lans.holds("r1", address) for address in VIRTUAL)
    pair.w2.await_transition("master")
    pair.r1.start()
    pair.watch_again("r1")
    pair.settle()
    # A start removes them as well, before the first packet, whatever the configuration was then.
    pair.r1.crash()
    pair.w2.await_what("adverts-blocked")
    pair.r1.start()
    pair.watch_again("r1")
    pair.settle()


def test_linkwatchd_may_be_killed_and_restarted(pair):
    pair = pair(cables=0)
    monitor = pair.monitors["r1"]

    def lose(how) -> None:
        pair.w1.mark()
        how()
        pair.w1.await_what("monitor-lost")

    def find() -> None:
        pair.w1.mark()
        monitor.start()
        pair.w1.await_what("monitor-lost", present=False)

    lose(monitor.kill)
    pair.quiet(10)
    find()
    pair.quiet(5)
    assert pair.w1.transitions() == pair.w2.transitions() == []
    # Without it our own netlink sees a carrier go.
    lose(monitor.stop)
    pair.lans.cut("r1", "e1")
    pair.w1.await_transition("fault")
    pair.lans.mend("r1", "e1")
    pair.settle()
    # A start does without it, and finds it later; then its word counts.
    pair.r1.stop()
    pair.r1.start()
    pair.watch_again("r1").await_present("monitor-lost")
    pair.settle()
    find()
    pair.lans.cut("r1", "e1")
    pair.w1.await_transition("fault")


# What an operator does.


def test_a_reload_applies_the_difference_and_nothing_else(pair):
    pair = pair(cables=0)
    text = config("r1", cables=0)
    wire = Capture(pair.namespaces, "sw", "p-ca", "ip proto 112 and src 192.0.2.11")
    try:
        two = text.replace(f'"{OUTSIDE}/24"', f'"{OUTSIDE}/24", "192.0.2.2/24"')
        pair.r1.reconfigure(two.replace("priority = 200", "priority = 190"))
        pair.r1.call(f"{VRRP}.Reload")
        until(lambda: pair.lans.holds("r1", "192.0.2.2"), "the new address")
        wire.await_item(lambda packet: "prio 190," in packet and "192.0.2.2" in packet, what="the new advert")
        assert pair.r1.status()["priority"] == 190
    finally:
        wire.close()
    # A bad file is refused with its line, and changes nothing.
    pair.r1.config.write_text(pair.r1.config.read_text().replace("vrid = 20", "vrid = 300"))
    with pytest.raises(VarlinkError) as refused:
        pair.r1.call(f"{VRRP}.Reload")
    assert refused.value.name == f"{VRRP}.ReloadFailed"
    assert "vrid" in refused.value.parameters["message"] and ".toml:" in refused.value.parameters["message"]
    assert pair.r1.call(f"{VRRP}.CheckConfig")["errors"]
    pair.r1.signal(signal.SIGHUP)
    pair.w1.await_item(lambda event: event["kind"] == "reload" and not event["present"], what="the refusal")
    # An editor may have a file cut to nothing for a moment: that is no wish to give up every address.
    pair.r1.config.write_text("")
    with pytest.raises(VarlinkError, match="no instance"):
        pair.r1.call(f"{VRRP}.Reload")
    # Another instance of its own, by signal.
    third = '[instance.third]\ninterface = "e0"\nvrid = 30\naddresses = ["192.0.2.3"]\nadvert-interval = "100ms"\n'
    pair.r1.reconfigure(text + third)
    pair.r1.signal(signal.SIGHUP)
    pair.w1.await_transition("master", group="third")
    until(lambda: not pair.lans.holds("r1", "192.0.2.2"), "the address that was taken out")
    moves = [(move["state"], move["reason"]) for move in pair.w1.transitions() if move["group"] == "lvs"]
    assert moves == [] == pair.w2.transitions() == pair.holdings.recent(), "\n".join(pair.r1.log)


@pytest.mark.parametrize("cables", [0, 1])
def test_a_handover_lets_the_peer_serve(pair, cables):
    pair = pair(cables=cables)
    with pytest.raises(VarlinkError, match="HandoverRefused"):
        pair.r2.call(f"{VRRP}.Handover", group="lvs")
    with pytest.raises(VarlinkError, match="NoSuchGroup"):
        pair.r1.call(f"{VRRP}.Handover", group="nobody")
    pair.r1.call(f"{VRRP}.Handover", group="lvs")
    pair.w1.await_transition("backup", reason="handover")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    pair.quiet(10, "r2")
    assert "handed-over" in pair.w1.group()["conditions"]
    assert pair.w1.group()["state"] == "backup"


def test_a_virtual_address_that_somebody_removed_is_repaired(pair):
    pair = pair(cables=0)
    for _ in range(2):
        clear(pair.namespaces, "r1", "e0", [f"{OUTSIDE}/24"])
        until(lambda: pair.lans.holds("r1", OUTSIDE), "the address to be back")
    pair.quiet(5)
    assert pair.w1.transitions() == pair.w2.transitions() == []


def test_notify_programs_run_in_order(pair, tmp_path):
    tmp_path.chmod(0o777)
    log = tmp_path / "log"
    script = tmp_path / "notify"
    script.write_text(f'#!/bin/sh\necho "$LINKWATCH_GROUP $LINKWATCH_PREVIOUS_STATE $LINKWATCH_STATE" >> {log}\n')
    script.chmod(0o755)
    pair = pair(cables=0, r1={"more": f'[notify.log]\nexec = ["{script}"]\n'})
    pair.lans.cut("r1", "e1")
    pair.w1.await_transition("fault")
    pair.lans.mend("r1", "e1")
    pair.w1.await_transition("master")
    steps = ["initialize backup", "backup master", "master fault", "fault backup", "backup master"]
    wanted = [f"lvs {step}" for step in steps]
    until(lambda: log.exists() and log.read_text().splitlines() == wanted, "five notifications")


def test_a_director_that_does_not_accept_answers_arp_and_nothing_else(pair):
    pair = pair(cables=0, r1={"inside": "accept = false\n"})

    def tables() -> str:
        return pair.namespaces.run("r1", "nft", "list", "tables")

    until(lambda: "linkwatch" in tables(), "the filter's table")
    with pytest.raises(TimeoutError):
        reach(pair.namespaces, "cb", INSIDE, seconds=0.3)
    until(lambda: "lladdr" in pair.namespaces.ip("cb", f"neigh show {INSIDE}"), "the answer by ARP")
    reach(pair.namespaces, "ca", OUTSIDE)
    pair.r1.reconfigure(config("r1", cables=0))
    pair.r1.call(f"{VRRP}.Reload")
    until(lambda: "linkwatch" not in tables(), "the table to go")
    reach(pair.namespaces, "cb", INSIDE)


def test_the_virtual_mac_moves_with_the_address(pair):
    pair = pair(cables=0, inside="virtual-mac = true\n")

    def mac_at_the_host() -> str:
        reach(pair.namespaces, "cb", INSIDE)
        return pair.namespaces.ip("cb", f"neigh show {INSIDE}").split("lladdr ")[1].split()[0]

    assert mac_at_the_host() == "00:00:5e:00:01:14"
    pair.lans.cut("r1", "e0")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    assert mac_at_the_host() == "00:00:5e:00:01:14"
