"""The process and its runner: what is cleaned up when either dies, and who may do that.

The picture is in lab/vrrp.py, the record of who holds what in lab/pair.py. Leases last so long here that whatever goes
is gone because somebody removed it.
"""

import functools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lab.daemon import program
from lab.pair import INSIDE, OUTSIDE, config
from lab.vrrp import VRRP, Capture, Director, Lans, reach, until

LEASE_SECONDS = 600
LONG_LEASE = f'address-lease = "{LEASE_SECONDS}s"\n'


@pytest.fixture
def pair(pair):
    return functools.partial(pair, group=LONG_LEASE)


@pytest.fixture
def alone(namespaces):
    """r1 without a peer, master of both legs."""
    made = []

    def make(text: str = "", prepare=lambda lans: None, **options) -> tuple[Lans, Director]:
        lans = Lans(namespaces, hosts=False)
        prepare(lans)
        text = text or config("r1", cables=0, group=LONG_LEASE)
        made.append(Director(namespaces, "r1", text, **options))
        made[-1].watch().await_state("master")
        until(lambda: lans.holds("r1", INSIDE), "the addresses")
        return lans, made[-1]

    yield make
    for one in made:
        one.close()


def bound(*pairs) -> list[str]:
    """A command line that runs a program with files of its own in the places of others."""
    script = "".join(f'mount --bind "{source}" "{place}" && ' for source, place in pairs)
    return ["unshare", "--mount", "sh", "-c", f'{script}exec "$@"', "sh"]


def said(log: Path) -> list[str]:
    """What notify programs have written down so far."""
    return log.read_text().split() if log.exists() else []


def died(director: Director) -> str:
    """What the runner says once it has cleaned up after the process."""
    return director.log.await_item(lambda line: "the process has died" in line, what="the runner's word")


# kill -9.


@pytest.mark.parametrize("cables", [0, 1])
def test_who_is_killed_is_cleaned_up_after_at_once(pair, cables, say):
    """Its kernel would answer the other's last question for the addresses for as long as the lease lasts; instead the
    runner removes them and resigns, over legs and cables. By adverts of a second, so that it has the time to be scheduled."""
    pair = pair(cables=cables, interval="1s")
    killed = time.monotonic()
    pair.r1.kill()
    pair.holdings.await_true(lambda: not pair.holdings.by("r1"), what="the addresses to be removed")
    removed = min(change.seconds for change in pair.holdings.recent() if not change.is_held)
    assert pair.w2.await_transition("master")["reason"] == ("at-once" if cables else "take")
    pair.holdings.await_by("r2")
    assert pair.holdings.never_together(), pair.holdings.together
    assert "removed 2 addresses and 0 macvlan" in died(pair.r1)
    blocked = [event for event in pair.w2.recent() if (event.get("what") or "").startswith("adverts-blocked")]
    assert blocked == [], "the dead director's kernel answered"
    say(
        f"adverts 1 s, {cables} cables, SIGKILL: removed after {(removed - killed) * 1000:.1f} ms, "
        f"taken after {(pair.holdings.taken() - killed) * 1000:.0f} ms"
    )


def test_the_runner_resigns_for_the_dead(pair, namespaces, say):
    """Once the addresses are gone it sends the advert with priority 0 that the process would have sent, so that the other
    waits for the skew alone: by adverts of a second that is less than one interval, where silence takes more than three."""
    pair = pair(cables=0, interval="1s")
    wire = Capture(namespaces, "sw", "p-ca", "ip proto 112")
    try:
        wire.await_advert("192.0.2.11", 200)
        pair.r1.kill()
        resignation = wire.await_advert("192.0.2.11", 0)
        first = wire.await_advert("192.0.2.12", 100)
        waited = float(first.split()[0]) - float(resignation.split()[0])
        say(f"adverts every second, SIGKILL: the other's first advert {waited * 1000:.0f} ms after the runner's")
        assert "ttl 255" in resignation and "bad" not in resignation
        assert waited < 3, "it waited for the down interval"
        pair.holdings.await_by("r2")
        assert pair.holdings.never_together(), pair.holdings.together
    finally:
        wire.close()


def test_nobody_resigns_for_a_dead_backup(pair, namespaces):
    """A resignation (priority 0) that a backup sends would make others believe that the master has gone."""
    pair = pair(cables=0)
    # It has served before, and the runner knows what it would have said then.
    pair.lans.cut("r1", "e1")
    pair.holdings.await_by("r2")
    pair.lans.mend("r1", "e1")
    pair.settle()
    wire = Capture(namespaces, "sw", "p-ca", "ip proto 112")
    try:
        wire.await_advert("192.0.2.11", 200)
        pair.r2.kill()
        assert "removed nothing" in died(pair.r2)
        wire.mark()
        wire.await_advert("192.0.2.11", 200)
        assert wire.adverts("192.0.2.12") == []
        assert pair.w1.transitions() == []
    finally:
        wire.close()


def test_a_process_group_that_is_killed_is_cleaned_up_after(alone):
    lans, director = alone(under=["setsid"])
    assert os.getpgid(director.pid) == director.pid
    os.killpg(director.pid, signal.SIGKILL)
    died(director)
    assert not lans.holds("r1", OUTSIDE) and not lans.holds("r1", INSIDE)


def test_what_is_not_ours_stays(alone):
    """An owner's address is there for good; a macvlan is ours by its name and its MAC address together."""
    strangers = ["vr4-10-7", "vr4-77-7"]

    def prepare(lans):
        lans.namespaces.ip(
            "r1",
            f"addr add {OUTSIDE}/24 dev e0",
            f"link add {strangers[0]} link e0 type macvlan mode bridge",
            f"link add {strangers[1]} link e1 address 00:00:5e:00:01:4d type macvlan mode bridge",
        )

    owner = config("r1", cables=0, group=LONG_LEASE).replace("priority = 200", "priority = 255")
    lans, director = alone(owner, prepare=prepare)
    director.kill()
    assert "removed 1 addresses and 0 macvlan" in died(director)
    assert lans.holds("r1", OUTSIDE) and not lans.holds("r1", INSIDE)
    for name in strangers:
        assert name in lans.namespaces.ip("r1", "link show")


@pytest.mark.parametrize("renamed", [False, True], ids=["named", "renamed"])
@pytest.mark.parametrize("how", ["runner", "release", "start"])
def test_the_virtual_macs_interface_goes_too(alone, namespaces, how, renamed):
    text = config("r1", cables=0, group=LONG_LEASE, inside="virtual-mac = true\n")
    lans, director = alone(text)
    macvlan = f"vr4-20-{namespaces.index('r1', 'e1')}"
    assert macvlan in namespaces.ip("r1", "link show")
    if renamed:
        # Another's macvlan of the same kind, whose MAC address is a virtual router's as well.
        namespaces.ip("r1", "link add link e1 name vrrp.9 address 00:00:5e:00:01:09 type macvlan mode bridge")
        director.signal(signal.SIGSTOP)
        namespaces.ip("r1", f"link set {macvlan} name odd")
        macvlan = "odd"
    if how == "runner":
        director.kill()
        assert "removed 2 addresses and 1 macvlan" in died(director)
    else:
        director.crash()
        assert macvlan in namespaces.ip("r1", "link show") and lans.holds("r1", INSIDE)
    if how == "release":
        said = namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)
        assert said == "2 addresses and 1 macvlan interfaces removed\n"
    if how == "start":
        # The file no longer wants it.
        director.reconfigure(config("r1", cables=0, group=LONG_LEASE))
        director.start()
        director.watch().await_state("master")
    assert macvlan not in namespaces.ip("r1", "link show")
    if renamed:
        assert "vrrp.9" in namespaces.ip("r1", "link show")


# Who may clean up: the dead one's runner, until somebody else has begun.


def test_a_start_waits_for_the_runner_of_the_dead(pair):
    """However late the runner comes to it, it removes nothing that the next process has put there."""
    pair = pair()
    runner = pair.r1.runner
    os.kill(runner, signal.SIGSTOP)
    try:
        pair.r1.kill()
        pair.r1.start(ready=False)
        pair.r1.log.await_item(lambda line: "waiting for another linkwatch-vrrp" in line, what="the wait")
        assert pair.holdings.by("r1")
    finally:
        os.kill(runner, signal.SIGCONT)
    pair.r1._await_ready()
    pair.watch_again("r1").await_state("master")
    pair.holdings.await_by("r1")
    pair.quiet()
    ours = [(change.address, change.is_held) for change in pair.holdings.recent() if change.director == "r1"]
    for address in (OUTSIDE, INSIDE):
        assert [is_held for which, is_held in ours if which == address] == [False, True]
    assert pair.holdings.never_together(), pair.holdings.together


def test_restarts_at_once_are_not_disturbed(pair):
    pair = pair()
    for _ in range(5):
        pair.mark()
        pair.r1.kill()
        pair.r1.start()
        pair.watch_again("r1").await_state("master")
        pair.holdings.await_by("r1")
        pair.quiet(3)
        ours = [(change.address, change.is_held) for change in pair.holdings.recent() if change.director == "r1"]
        assert sorted(ours) == [(address, is_held) for address in (OUTSIDE, INSIDE) for is_held in (False, True)]
    assert pair.holdings.never_together(), pair.holdings.together


def test_a_second_process_is_refused_and_touches_nothing(pair, namespaces):
    pair = pair(cables=0)
    again = [program("linkwatch-vrrp"), "--config", pair.r1.config, "--monitor", "/nowhere"]
    for argv in [*again, "--socket", f"{pair.r1.socket}.2"], [*again, "--release"]:
        done = subprocess.run(namespaces.argv("r1", *argv), capture_output=True, text=True, timeout=60)
        assert done.returncode == 69 and "another linkwatch-vrrp runs" in done.stderr
    pair.quiet(3)
    assert pair.moved_nothing()


# An orderly end.


def test_an_orderly_end_lets_programs_finish(alone, namespaces, tmp_path):
    """The runner removes nothing then, runs what waits for what runs, and does not keep the next process waiting."""
    tmp_path.chmod(0o777)
    log, gate = tmp_path / "log", tmp_path / "gate"
    os.mkfifo(gate)
    script = tmp_path / "notify"
    script.write_text(
        f'#!/bin/sh\n[ "$LINKWATCH_STATE $LINKWATCH_REASON" = "backup shutdown" ] && read -r line < {gate}\n'
        f'echo "$LINKWATCH_STATE" >> {log}\n'
    )
    script.chmod(0o755)
    more = f'[notify.log]\nexec = ["{script}"]\ntimeout = "1min"\n'
    _, director = alone(config("r1", cables=0, group=LONG_LEASE, inside="accept = false\n", more=more))
    until(lambda: said(log) == ["backup", "master"], "the notifications of the start")
    until(lambda: "linkwatch" in namespaces.run("r1", "nft", "list", "tables"), "the filter's table")
    earlier = director.log
    assert director.stop() == 0
    until(lambda: "linkwatch" not in namespaces.run("r1", "nft", "list", "tables"), "the filter's table to go")
    director.start()
    director.watch().await_state("master")
    assert [line for line in director.log if "waiting" in line] == []
    until(lambda: said(log) == 2 * ["backup", "master"], "the notifications of the next start")
    # Opened for both directions, so that it cannot block should nobody read.
    with open(gate, "r+b", buffering=0) as opened:
        opened.write(b"go on\n")
        earlier.await_end(30)
    # The end of the test is to wait for nobody.
    gate.unlink()
    assert said(log) == 2 * ["backup", "master"] + ["backup", "initialize"]
    assert [line for line in earlier if "has died" in line] == []


# The runner dies.


def test_a_runner_that_dies_is_published_and_moves_nothing(pair, tmp_path):
    """A check that cannot run says nothing of what it checks: its last result stands."""
    tmp_path.chmod(0o777)
    flag, log = tmp_path / "upstream", tmp_path / "log"
    flag.touch()
    check = (
        f'[check.upstream]\nexec = ["/usr/bin/test", "-e", "{flag}"]\ninterval = "500ms"\nfall = 2\n'
        f'[notify.log]\nexec = ["/bin/sh", "-c", "echo $LINKWATCH_STATE >> {log}"]\n'
    )
    pair = pair(r1={"group": LONG_LEASE + 'track = ["check:upstream"]', "more": check})
    until(lambda: said(log) == ["backup", "master"], "the notifications of the start")
    os.kill(pair.r1.runner, signal.SIGKILL)
    pair.w1.await_what("runner-lost")
    pair.r1.log.await_item(lambda line: "the runner has died" in line and "until a restart" in line)
    flag.unlink()
    # Longer than the check takes to fall.
    pair.quiet(20)
    assert pair.moved_nothing()
    until(lambda: pair.r1.status()["conditions"] == ["runner-lost"], "no other condition")
    # A group that is new knows it as well; what cannot be run is said; and the process itself does all that it can.
    third = '[instance.third]\ninterface = "e0"\nvrid = 30\naddresses = ["192.0.2.3"]\nadvert-interval = "100ms"\n'
    pair.r1.reconfigure(config("r1", **{**pair.options["r1"], "more": check + third}))
    pair.r1.call(f"{VRRP}.Reload")
    pair.w1.await_state("master", group="third")
    assert "runner-lost" in pair.r1.status("third")["conditions"]
    pair.r1.call(f"{VRRP}.Handover", group="lvs")
    pair.settle("r2")
    pair.r1.log.await_item(lambda line: "notify log is lost" in line, what="the lost notification")
    assert said(log) == ["backup", "master"]
    # A restart mends it.
    flag.touch()
    pair.r1.stop()
    pair.r1.start()
    pair.watch_again("r1").await_state("master", group="lvs")
    until(lambda: pair.r1.status("lvs")["conditions"] == [], "no condition")


# accept = false without nft(8).


def test_packets_that_cannot_be_refused_are_a_condition(namespaces):
    lans = Lans(namespaces)
    text = config("r1", cables=0, group=LONG_LEASE, inside="accept = false\n")
    with Director(namespaces, "r1", text, under=bound(("/dev/null", "/usr/sbin/nft"))) as director:
        watch = director.watch()
        watch.await_state("master")
        watch.await_present("accept-unenforced")
        director.log.await_item(lambda line: "accept = false is not in force" in line)
        until(lambda: lans.holds("r1", INSIDE), "the address")
        reach(namespaces, "cb", INSIDE)
        # The next reload tries again, with the same file.
        subprocess.run(["nsenter", f"--mount=/proc/{director.pid}/ns/mnt", "umount", "/usr/sbin/nft"], check=True)
        watch.mark()
        director.call(f"{VRRP}.Reload")
        watch.await_what("accept-unenforced", present=False)
        with pytest.raises(TimeoutError):
            reach(namespaces, "cb", INSIDE, seconds=0.3)
        # A file that refuses nothing needs no filter.
        watch.mark()
        director.reconfigure(config("r1", cables=0, group=LONG_LEASE))
        director.call(f"{VRRP}.Reload")
        until(lambda: "linkwatch" not in namespaces.run("r1", "nft", "list", "tables"), "the table to go")
        assert watch.transitions() == []


@pytest.mark.parametrize("how", ["start", "release"])
def test_a_filter_that_a_dead_process_left_goes(alone, namespaces, how):
    """Or the next one's addresses would take no packets, though its file says that they do."""
    _, director = alone(config("r1", cables=0, group=LONG_LEASE, inside="accept = false\n"))
    until(lambda: "linkwatch" in namespaces.run("r1", "nft", "list", "tables"), "the filter's table")
    director.crash()
    assert "linkwatch" in namespaces.run("r1", "nft", "list", "tables")
    director.reconfigure(config("r1", cables=0, group=LONG_LEASE))
    if how == "release":
        namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", director.config)
        assert "linkwatch" not in namespaces.run("r1", "nft", "list", "tables")
        return
    director.start()
    director.watch().await_state("master")
    until(lambda: "linkwatch" not in namespaces.run("r1", "nft", "list", "tables"), "the table to go")


# A virtual MAC address that cannot be had.


def test_a_macvlan_that_cannot_be_made_is_a_cause(namespaces):
    """A bridge's port can carry none. Without it there would be a master that has no address."""
    lans = Lans(namespaces, hosts=False)
    namespaces.ip("r1", "link add br9 type bridge", "link set e1 master br9")
    with Director(namespaces, "r1", config("r1", cables=0, inside="virtual-mac = true\n")) as director:
        watch = director.watch()
        watch.await_state("fault")
        watch.await_present("config:inside")
        assert not lans.holds("r1", OUTSIDE)
        director.log.await_item(lambda line: "no virtual MAC address on e1" in line)
        namespaces.ip("r1", "link set e1 nomaster")
        watch.await_state("master")
        until(lambda: lans.holds("r1", INSIDE), "the address")
