"""Two directors with two legs each, both linkwatch-vrrp: the scenarios of 2002, and what an operator does to them.

The picture is in lab/vrrp.py. r1 has priority 200, r2 has 100; the group is `lvs`, its instances `outside` on e0 and
`inside` on e1. "Nothing happens" is counted in the master's adverts, not in seconds.
"""

import os
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

from lab.daemon import Daemon, program
from lab.vrrp import VRRP, Capture, Director, Lans, clear, reach, until
from lab.watch import VarlinkError

OUTSIDE, INSIDE = "192.0.2.1", "198.51.100.1"
VIRTUAL = {"e0": OUTSIDE, "e1": INSIDE}


def config(
    name: str, cables: int = 0, priority: int | None = None, interval: str = "100ms", group: str = "",
    outside: str = "", inside: str = "", more: str = "", addresses: str = "",
) -> str:  # fmt: skip
    priority = priority or {"r1": 200, "r2": 100}[name]
    ours, theirs = (1, 2) if name == "r1" else (2, 1)
    beats = "".join(
        f'[heartbeat.cross{number}]\ninterface = "hb{number}"\nvrid = {ours}{number + 1}\npeer-vrid = {theirs}{number + 1}\n'
        for number in range(cables)
    )
    names = ", ".join(f'"cross{number}"' for number in range(cables))
    return f"""
[group.lvs]
priority = {priority}
instances = ["outside", "inside"]
heartbeats = [{names}]
advert-interval = "{interval}"
{group}
[instance.outside]
interface = "e0"
vrid = 10
addresses = ["{OUTSIDE}/24"{addresses}]
{outside}
[instance.inside]
interface = "e1"
vrid = 20
addresses = ["{INSIDE}/24"]
{inside}
{beats}
{more}
"""


class Pair:
    """Both directors, r1 master, r2 backup, and a watch on each."""

    def __init__(self, namespaces, cables: int = 0, monitor: dict | None = None, r1: dict = {}, r2: dict = {}):
        self.namespaces = namespaces
        self.lans = Lans(namespaces, cables=cables)
        self.cables = cables
        self.directors, self.watches = {}, {}
        self.options = {"r1": r1, "r2": r2}
        for name in ("r1", "r2"):
            self.directors[name] = Director(
                namespaces, name, config(name, cables, **self.options[name]), monitor=(monitor or {}).get(name)
            )
            self.watches[name] = self.directors[name].watch()
        self.r1, self.r2 = self.directors["r1"], self.directors["r2"]
        self.w1, self.w2 = self.watches["r1"], self.watches["r2"]
        self.settle()

    def settle(self, master: str = "r1") -> None:
        """Waits until one is master and holds, and the other is not; from here on events count."""
        other = "r2" if master == "r1" else "r1"
        self.watches[master].await_state("master")
        self.watches[other].await_state("backup")
        until(lambda: self.holders() == {OUTSIDE: [master], INSIDE: [master]}, f"{master} alone to hold")
        for watch in self.watches.values():
            watch.mark()

    def holders(self) -> dict[str, list[str]]:
        return {
            address: [name for name in ("r1", "r2") if self.lans.holds(name, address)] for address in VIRTUAL.values()
        }

    def quiet(self, adverts: int = 20, source: str = "192.0.2.11") -> None:
        """Waits for so many adverts of the master on LAN A."""
        with_cable = Capture(self.namespaces, "sw", "p-ca", "ip proto 112")
        try:
            for _ in range(adverts):
                with_cable.await_advert(source)
                with_cable.marked = len(with_cable)
        finally:
            with_cable.close()

    def restart_watch(self, name: str):
        self.watches[name] = self.directors[name].watch()
        self.w1, self.w2 = self.watches["r1"], self.watches["r2"]
        return self.watches[name]

    def close(self) -> None:
        for director in self.directors.values():
            director.close()


@pytest.fixture
def pair(namespaces):
    made = []

    def make(**options) -> Pair:
        made.append(Pair(namespaces, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


# The scenarios of 2002.


@pytest.mark.parametrize("cables", [0, 1])
@pytest.mark.parametrize("how", ["carrier", "silent"])
def test_a_cut_on_the_backup_moves_nothing(pair, how, cables):
    """keepalived without a sync group's FAULT state went round in circles here, and dragged the other leg along."""
    pair = pair(cables=cables)
    if how == "carrier":
        pair.lans.cut("r2", "e1")
        assert pair.w2.await_transition("fault")
        assert "link:e1:carrier" in pair.w2.group()["causes"]
    else:
        pair.lans.silence("r2", "e1")
        pair.w2.await_what("deaf:inside")
    pair.quiet()
    assert pair.holders() == {OUTSIDE: ["r1"], INSIDE: ["r1"]}
    if how == "carrier":
        pair.lans.mend("r2", "e1")
        pair.w2.await_transition("backup", reason="recovered")
    else:
        pair.lans.unsilence("r2", "e1")
        pair.w2.await_what("deaf:inside", present=False)
        assert pair.w2.transitions() == []
    pair.quiet(5)
    assert pair.w1.transitions() == []


@pytest.mark.parametrize("cables", [0, 1])
def test_a_cut_on_the_master_moves_both_legs_once(pair, cables):
    pair = pair(cables=cables)
    pair.lans.cut("r1", "e1")
    pair.w1.await_transition("fault")
    pair.w2.await_transition("master", reason="at-once" if cables else None)
    until(lambda: pair.holders() == {OUTSIDE: ["r2"], INSIDE: ["r2"]}, "r2 alone to hold both")
    pair.quiet(10, "192.0.2.12")
    assert [transition["state"] for transition in pair.w1.transitions()] == ["fault"]
    assert [transition["state"] for transition in pair.w2.transitions()] == ["master"]
    # A host on the other LAN reaches the address where it is now.
    reach(pair.namespaces, "ca", OUTSIDE)
    pair.lans.mend("r1", "e1")
    pair.w1.await_transition("master")
    pair.settle()


def test_a_silent_cut_on_the_master_moves_both_legs(pair):
    """With the carrier kept, keepalived and FRR leave LAN B dead for as long as it lasts."""
    witness = {"inside": 'witness = ["198.51.100.22"]\n'}
    pair = pair(cables=1, r1=witness, r2=witness)
    pair.lans.silence("r1", "e1")
    pair.w1.await_what("isolated:e1")
    pair.w2.await_transition("master")
    until(lambda: pair.holders() == {OUTSIDE: ["r2"], INSIDE: ["r2"]}, "r2 alone to hold both")
    reach(pair.namespaces, "cb", INSIDE)
    pair.lans.unsilence("r1", "e1")
    pair.w1.await_transition("backup", reason="recovered")
    pair.settle()


def test_cables_move_nothing(pair):
    pair = pair(cables=2)
    for number in range(2):
        pair.namespaces.ip("r2", f"link set hb{number} down")
        pair.w1.await_what(f"heartbeat-degraded:cross{number}")
    pair.quiet()
    for number in range(2):
        pair.namespaces.ip("r2", f"link set hb{number} up")
        pair.w1.await_what(f"heartbeat-degraded:cross{number}", present=False)
    assert pair.w1.transitions() == pair.w2.transitions() == []


# What keeps a director from serving, and how it says so.


def test_a_packet_filter_is_told_from_silence(pair):
    pair = pair(r2={"group": 'packet-filter = "fault"'})
    drop = 'add table inet f; add chain inet f c { type filter hook %s priority 0; }; add rule inet f c meta l4proto 112 drop'
    pair.namespaces.run("r2", "nft", drop % "input")
    pair.w2.await_what("packet-filter:e")
    pair.w2.await_transition("fault")
    pair.quiet(5)
    pair.namespaces.run("r2", "nft", "delete table inet f")
    pair.w2.await_what("adverts-filtered:e", present=False)
    pair.w2.await_transition("backup", reason="recovered")
    assert pair.w1.transitions() == []
    # Our own adverts are sent around a filter, and that is said.
    pair.namespaces.run("r1", "nft", drop % "output")
    pair.w1.await_what("send-filtered:e0")
    pair.w2.mark()
    pair.quiet(10)
    assert pair.w1.transitions() == pair.w2.transitions() == []
    pair.namespaces.run("r1", "nft", "delete table inet f")
    pair.w1.await_what("send-filtered:e0", present=False)


def test_a_route_and_a_check_enter_and_leave_fault(pair, tmp_path):
    flag = tmp_path / "upstream"
    flag.touch()
    check = (
        f'[check.upstream]\nexec = ["/usr/bin/test", "-e", "{flag}"]\ninterval = "50ms"\ntimeout = "50ms"\n'
        "fall = 2\nrise = 2\n"
    )
    pair_options = {"group": 'track = ["route:203.0.113.0/24", "check:upstream"]', "more": check}
    tmp_path.chmod(0o755)
    made = pair(r1={})
    made.namespaces.ip("r1", "route add 203.0.113.0/24 via 192.0.2.21")
    made.r1.reconfigure(config("r1", **pair_options))
    made.r1.call(f"{VRRP}.Reload")
    made.quiet(5)
    assert made.w1.transitions() == []
    made.namespaces.ip("r1", "route del 203.0.113.0/24")
    made.w1.await_what("route:203.0.113.0/24")
    made.w1.await_transition("fault")
    made.w2.await_transition("master")
    made.namespaces.ip("r1", "route add 203.0.113.0/24 via 192.0.2.21")
    made.w1.await_transition("backup", reason="recovered")
    made.settle()
    flag.unlink()
    made.w1.await_what("check:upstream")
    made.w1.await_transition("fault")
    assert made.w1.group()["causes"] == ["check:upstream"]
    flag.touch()
    made.w1.await_transition("backup", reason="recovered")
    made.settle()


def test_an_interface_may_come_and_go(namespaces):
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    director = Director(namespaces, "r1", config("r1"))
    try:
        watch = director.watch()
        watch.await_state("fault")
        assert "link:e1:absent" in watch.group()["causes"]
        namespaces.ip("sw", "link add brb type bridge", "link set brb up")
        lans._plug("r1", "e1", "q-r1", "brb")
        watch.await_transition("master")
        until(lambda: lans.holds("r1", INSIDE), "the address on the new interface")
        namespaces.ip("r1", "link del e1")
        watch.await_transition("fault")
        until(lambda: not lans.holds("r1", OUTSIDE), "the other leg to be released")
    finally:
        director.close()


# The process dies, hangs, and is served badly.


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_kernel_takes_back_what_nobody_refreshes(pair, how):
    pair = pair(r1={"group": 'address-lease = "1s"'}, r2={"group": "probe-before-takeover = false"})
    pair.r1.crash() if how == "killed" else pair.r1.signal(signal.SIGSTOP)
    pair.w2.await_transition("master")
    until(lambda: pair.holders() == {OUTSIDE: ["r2"], INSIDE: ["r2"]}, "the kernel to take the addresses back")
    if how == "killed":
        pair.r1.start()
        pair.restart_watch("r1")
    else:
        pair.r1.signal(signal.SIGCONT)
        # It slept too long to be master still: it may not add an address before it has heard how things are.
        pair.w1.await_transition("backup")
    pair.settle()


def test_leftovers_are_released_at_once(pair):
    pair = pair(r1={"group": 'address-lease = "1h"'})
    pair.r1.crash()
    assert pair.lans.holds("r1", OUTSIDE) and pair.lans.holds("r1", INSIDE)
    said = pair.namespaces.run("r1", program("linkwatch-vrrp"), "--release", "--config", pair.r1.config)
    assert said.split()[0] == "2"
    assert not pair.lans.holds("r1", OUTSIDE) and not pair.lans.holds("r1", INSIDE)
    pair.w2.await_transition("master")
    # A start removes them as well, before the first packet, whatever the configuration was then.
    pair.r1.start()
    pair.restart_watch("r1")
    pair.settle()
    pair.r1.crash()
    pair.w2.await_what("adverts-blocked")
    pair.r1.start()
    pair.w2.await_state("master")
    pair.restart_watch("r1")
    pair.settle()


def test_linkwatchd_may_be_killed_and_restarted(pair, namespaces, tmp_path):
    sockets = {}
    daemons = {}
    made = None
    try:
        # The namespaces exist once the pair does; the directors start without linkwatchd and find it.
        sockets["r1"] = tmp_path / "monitor.sock"
        made = pair(monitor=sockets)
        daemons["r1"] = Daemon(namespaces, "r1")
        os.symlink(daemons["r1"].socket, sockets["r1"])
        made.w1.await_what("monitor-lost", present=False)
        made.w1.mark()
        daemons["r1"].kill()
        made.w1.await_what("monitor-lost")
        made.quiet(10)
        daemons["r1"].start()
        made.w1.await_what("monitor-lost", present=False)
        made.quiet(5)
        assert made.w1.transitions() == made.w2.transitions() == []
        # Without it our own netlink sees a carrier go.
        daemons["r1"].stop()
        made.w1.await_what("monitor-lost")
        made.lans.cut("r1", "e1")
        made.w1.await_transition("fault")
        made.lans.mend("r1", "e1")
        made.w1.await_transition("master")
        # With it, its word counts.
        made.settle()
        daemons["r1"].start()
        made.w1.await_what("monitor-lost", present=False)
        made.lans.cut("r1", "e1")
        made.w1.await_transition("fault")
    finally:
        for daemon in daemons.values():
            daemon.close()


# What an operator does.


def test_a_reload_applies_the_difference_and_nothing_else(pair):
    pair = pair()
    monitor = pair.namespaces.popen(
        "r1", "stdbuf", "-oL", "ip", "-4", "monitor", "address", stdout=subprocess.PIPE, text=True
    )
    wire = Capture(pair.namespaces, "sw", "p-ca", "ip proto 112 and src 192.0.2.11")
    try:
        pair.r1.reconfigure(config("r1", addresses=', "192.0.2.2/24"', priority=190))
        pair.r1.call(f"{VRRP}.Reload")
        until(lambda: pair.lans.holds("r1", "192.0.2.2"), "the new address")
        wire.await_item(lambda packet: "prio 190," in packet and "192.0.2.2" in packet, what="the new advert")
        assert pair.r1.status()["priority"] == 190
        # A bad file is refused with its line, and changes nothing.
        pair.r1.config.write_text(pair.r1.config.read_text().replace("vrid = 20", "vrid = 300"))
        with pytest.raises(VarlinkError) as refused:
            pair.r1.call(f"{VRRP}.Reload")
        assert refused.value.name == f"{VRRP}.ReloadFailed"
        assert "vrid" in refused.value.parameters["message"] and ".toml:" in refused.value.parameters["message"]
        assert pair.r1.call(f"{VRRP}.CheckConfig")["errors"]
        pair.w1.mark()
        pair.r1.signal(signal.SIGHUP)
        pair.w1.await_item(lambda event: event["kind"] == "reload" and not event["present"], what="the refusal")
        # An editor may have a file cut to nothing for a moment: that is no wish to give up every address.
        pair.r1.config.write_text("")
        with pytest.raises(VarlinkError, match="no instance"):
            pair.r1.call(f"{VRRP}.Reload")
        # Another instance of its own, by signal.
        more = '[instance.third]\ninterface = "e0"\nvrid = 30\naddresses = ["192.0.2.3"]\nadvert-interval = "100ms"\n'
        pair.r1.reconfigure(config("r1", more=more))
        pair.w1.mark()
        pair.r1.signal(signal.SIGHUP)
        pair.w1.await_transition("master", group="third")
        until(lambda: not pair.lans.holds("r1", "192.0.2.2"), "the address that was taken out")
        moves = [(move["state"], move["reason"]) for move in pair.w1.transitions() if move["group"] == "lvs"]
        assert moves == [] == pair.w2.transitions(), "\n".join(pair.r1.log)
        # No advert was missed: no two of one VRID lie two intervals apart.
        times = [float(packet.split()[0]) for packet in wire if "vrid 10," in packet]
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        assert max(gaps) < 0.2, sorted(gaps)[-3:]
    finally:
        wire.close()
        monitor.terminate()
    deleted = [line for line in monitor.stdout.read().splitlines() if line.startswith("Deleted")]
    assert [line for line in deleted if "192.0.2.2/" not in line] == []


@pytest.mark.parametrize("cables", [0, 1])
def test_a_handover_lets_the_peer_serve(pair, cables):
    pair = pair(cables=cables)
    if cables:
        until(lambda: (pair.r1.status()["peer"] or {}).get("proven"), "the peer's proof")
    with pytest.raises(VarlinkError, match="HandoverRefused"):
        pair.r2.call(f"{VRRP}.Handover", group="lvs")
    with pytest.raises(VarlinkError, match="NoSuchGroup"):
        pair.r1.call(f"{VRRP}.Handover", group="nobody")
    pair.r1.call(f"{VRRP}.Handover", group="lvs")
    pair.w1.await_transition("backup", reason="handover")
    pair.w2.await_transition("master")
    until(lambda: pair.holders() == {OUTSIDE: ["r2"], INSIDE: ["r2"]}, "r2 alone to hold both")
    pair.quiet(10, "192.0.2.12")
    assert "handed-over" in pair.w1.group()["conditions"]
    assert pair.w1.group()["state"] == "backup"


def test_a_virtual_address_that_somebody_removed_is_repaired(pair):
    pair = pair()
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
    pair = pair(r1={"more": f'[notify.log]\nexec = ["{script}"]\n'})
    pair.lans.cut("r1", "e1")
    pair.w1.await_transition("fault")
    pair.lans.mend("r1", "e1")
    pair.w1.await_transition("master")
    wanted = ["initialize backup", "backup master", "master fault", "fault backup", "backup master"]
    until(lambda: len(log.read_text().splitlines()) >= len(wanted), "five notifications")
    assert log.read_text().splitlines() == [f"lvs {line}" for line in wanted]


def test_a_director_that_does_not_accept_answers_arp_and_nothing_else(pair):
    pair = pair(r1={"outside": "accept = false\n"})
    with pytest.raises(TimeoutError):
        reach(pair.namespaces, "ca", OUTSIDE, seconds=0.3)
    assert "lladdr" in pair.namespaces.ip("ca", f"neigh show {OUTSIDE}")
    reach(pair.namespaces, "cb", INSIDE)
    pair.r1.reconfigure(config("r1"))
    pair.r1.call(f"{VRRP}.Reload")
    until(lambda: "linkwatch" not in pair.namespaces.run("r1", "nft", "list", "tables"), "the table to go")
    reach(pair.namespaces, "ca", OUTSIDE)


def test_the_virtual_mac_moves_with_the_address(pair):
    options = {"outside": "virtual-mac = true\n"}
    pair = pair(r1=options, r2=options)

    def mac_at_the_host() -> str:
        reach(pair.namespaces, "ca", OUTSIDE)
        return pair.namespaces.ip("ca", f"neigh show {OUTSIDE}").split("lladdr ")[1].split()[0]

    assert mac_at_the_host() == "00:00:5e:00:01:0a"
    pair.lans.cut("r1", "e1")
    pair.w2.await_transition("master")
    until(lambda: pair.holders() == {OUTSIDE: ["r2"], INSIDE: ["r2"]}, "r2 alone to hold both")
    assert mac_at_the_host() == "00:00:5e:00:01:0a"


# Strangers.


def advert(vrid: int, priority: int, ttl: int = 255, broken: bool = False, first: int = 0x31, size: int = 12) -> bytes:
    """An IPv4 datagram with a version 3 advert of LAN A's other end, sums by hand."""

    def checksum(data: bytes) -> int:
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        return ~total & 0xFFFF

    source, group = bytes([192, 0, 2, 21]), bytes([224, 0, 0, 18])
    message = struct.pack("!BBBBHH4s", first, vrid, priority, 1, 10, 0, bytes([192, 0, 2, 1]))
    total = checksum(source + group + struct.pack("!HH", 112, len(message)) + message)
    message = message[:6] + struct.pack("!H", total ^ (0x5555 if broken else 0)) + message[8:]
    message = message[:size]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(message), 1, 0, ttl, 112, 0, source, group)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + message


def test_strangers_move_nothing(pair, say):
    """Wrong TTL, wrong sum, wrong VRID, cut short, noise: counted; ten thousand of them: no transition."""
    pair = pair()
    hostile = {
        "ttl": advert(10, 254, ttl=64),
        "checksum": advert(10, 254, broken=True),
        "vrid": advert(99, 254),
        "length": advert(10, 254, size=6),
        "version": advert(10, 254, first=0x41),
    }

    def flood():
        import socket

        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sender:
            for _ in range(2000):
                for packet in hostile.values():
                    sender.sendto(packet, ("e0", 0x0800, 0, 0, bytes([1, 0, 0x5E, 0, 0, 0x12])))

    before, started = pair.r2.cpu_seconds(), time.monotonic()
    pair.namespaces.inside("ca", flood)
    seconds = time.monotonic() - started
    pair.quiet(10)
    discards = {entry["reason"]: entry["count"] for entry in pair.r2.call(f"{VRRP}.Status")["discards"]}
    assert set(hostile) <= set(discards), discards
    assert pair.w1.transitions() == pair.w2.transitions() == []
    say(
        f"10000 hostile packets in {seconds:.2f} s: {sum(discards.values())} counted, "
        f"{(pair.r2.cpu_seconds() - before) * 1000:.0f} ms of CPU in the backup"
    )
