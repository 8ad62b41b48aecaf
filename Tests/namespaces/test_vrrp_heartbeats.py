"""What two directors know of each other by heartbeats over cables of their own: the pool of the group `lvs`.

The picture is in lab/vrrp.py, the pair in lab/pair.py. Everything that must not happen is watched for during a number of
the master's adverts; durations are printed, and only those that the rules bound in advert intervals are asserted.
"""

import signal
import socket
import struct
import time

import pytest

from lab.packets import advert, ipv4
from lab.pair import INSIDE, OUTSIDE, PRIORITIES, VIRTUAL, Claims, config, drop, undrop
from lab.vrrp import VRRP, reach, until
from lab.watch import Connection, VarlinkError


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


# Leaving: nobody waits for timers, and nobody holds what another one still has.


def test_who_leaves_releases_first_and_the_peer_takes_at_once(pair, say):
    """At adverts of 1 s, where a skew alone would be 609 ms and a down interval 3.6 s."""
    pair = pair()
    pair.reconfigure(interval="1s")
    assert pair.moved_nothing(), "a reload moves nothing"

    pair.mark()
    pair.r1.call(f"{VRRP}.Handover", group="lvs")
    assert pair.w1.await_transition("backup")["reason"] == "handover"
    assert pair.w2.await_transition("master")["reason"] == "at-once"
    pair.holdings.await_by("r2")
    say(f"adverts 1 s, Handover: both addresses moved in {milliseconds(pair.holdings.gap())}")
    with pytest.raises(VarlinkError, match="HandoverRefused"):
        pair.r1.call(f"{VRRP}.Handover", group="lvs")

    # A soft or a hard cause, here a link, is a goodbye as well; and the better one comes back by a claim.
    pair.mark()
    pair.lans.cut("r2", "e1")
    pair.w2.await_transition("fault")
    assert pair.w1.await_transition("master")["reason"] == "at-once"
    pair.holdings.await_by("r1")
    say(f"adverts 1 s, cut of L21: {milliseconds(pair.holdings.gap())}")
    pair.lans.mend("r2", "e1")
    pair.settle()
    until(lambda: pair.is_known("r2"), "r2 to be known as proven")

    pair.mark()
    assert pair.r1.stop() == 0
    assert pair.w2.await_transition("master")["reason"] == "at-once"
    pair.holdings.await_by("r2")
    say(f"adverts 1 s, SIGTERM: {milliseconds(pair.holdings.gap())}")

    # It comes back: claims, is granted, and takes.
    pair.mark()
    pair.r1.start()
    pair.watch_again("r1")
    pair.w2.await_transition("backup")
    pair.holdings.await_by("r1")
    say(f"adverts 1 s, failback by claim: {milliseconds(pair.holdings.gap())}")
    assert pair.holdings.never_together(), pair.holdings.together


def test_who_is_killed_with_its_runner_is_waited_for_until_its_lease_ends(pair, say):
    """By default configuration. Its addresses outlive it and its kernel answers for them: the lease ends that."""
    pair = pair()
    pair.reconfigure(interval=None)
    pair.quiet(1)
    pair.mark()
    started = time.monotonic()
    pair.r1.crash()
    assert pair.w2.await_transition("master")["reason"] == "dead"
    pair.holdings.await_by("r2")
    say(f"adverts 1 s, lease 3 s, SIGKILL to it and its runner: taken after {milliseconds(pair.holdings.taken() - started)}")
    assert pair.holdings.never_together(), pair.holdings.together


def test_who_hangs_is_waited_for_until_its_lease_ends(namespaces, pair, say):
    """The same of a process that is stopped, with fast adverts, over a cable with IPv4 addresses."""
    pair = pair(cable='family = "ipv4"')
    assert pair.r1.status()["peer"]["identity"] == "10.0.0.2"
    started = time.monotonic()
    pair.r1.signal(signal.SIGSTOP)
    # It looks dead long before its addresses are gone.
    pair.w2.await_what("adverts-blocked")
    assert pair.w2.await_transition("master")["reason"] == "dead"
    pair.holdings.await_by("r2")
    say(f"adverts 100 ms, lease 3 s, SIGSTOP: taken after {milliseconds(pair.holdings.taken() - started)}")
    pair.mark()
    pair.r1.signal(signal.SIGCONT)
    # It has slept too long to be master, and asks before it adds an address.
    pair.w1.await_transition("backup")
    pair.settle()
    # Three intervals: a machine that is too busy to let anybody speak for as long makes a stranger of everybody.
    assert pair.holdings.longest_together() <= 0.3, pair.holdings.together


def test_a_reload_at_the_moment_of_an_advert_moves_nothing(pair):
    """The legs are exchanged while the engine's time has come: it must not speak through those that are gone.

    The process is stopped for longer than an advert interval with the call in its socket, so that both are due at once.
    """
    interval = 0.2
    pair = pair(interval="200ms")
    pair.r1.reconfigure(config("r1", interval="210ms"))
    with Connection(pair.r1.socket) as connection:
        pair.r1.signal(signal.SIGSTOP)
        connection.send(f"{VRRP}.Reload")
        # Of a process that is stopped no event tells.
        time.sleep(1.3 * interval)
        pair.r1.signal(signal.SIGCONT)
        assert "error" not in connection.receive()
    pair.quiet(4)
    assert pair.moved_nothing()
    assert pair.r1.status()["causes"] == []


# Cables.


def silent_cables(pair, *cables: str) -> None:
    drop(pair.namespaces, "r1", *cables)
    drop(pair.namespaces, "r2", *cables)


def say_on_the_cable(pair, *packets: bytes) -> None:
    """Sends packets from r2's end of hb0."""

    def send():
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sender:
            for packet in packets:
                sender.sendto(packet, ("hb0", 0x0800, 0, 0, bytes([1, 0, 0x5E, 0, 0, 0x12])))

    pair.namespaces.inside("r2", send)


def test_a_refused_heartbeat_is_told(pair):
    """Each is a condition of the heartbeat, which says who sends it and what differs; none moves anything."""
    pair = pair(cable='family = "ipv4"')
    forged = "10.0.0.9"
    for what, packet, words in (
        ("peer-version", ipv4(forged, bytes.fromhex("2115640100010000c0000201") + bytes(8)), "version 2, expected 3"),
        ("peer-ttl", advert(forged, 100, OUTSIDE, vrid=21, ttl=64), "TTL 64"),
        ("peer-checksum", advert(forged, 100, OUTSIDE, vrid=21, broken=True), "checksum"),
        ("peer-length", advert(forged, 100, OUTSIDE, vrid=21, size=8), "8 octets"),
        ("peer-format", advert(forged, 100, OUTSIDE, vrid=21), "VRID 21 that are no heartbeats"),
    ):
        say_on_the_cable(pair, packet)
        told = pair.w1.await_what(f"{what}:cross0")["what"]
        assert f"{forged} sends" in told and words in told, told
        pair.r1.log.await_item(lambda line: what in line and forged in line, what="the line in the log")
    # Nobody's business: a virtual router of its own on the same segment.
    say_on_the_cable(pair, advert(forged, 100, OUTSIDE, vrid=99), advert(forged, 100, OUTSIDE, vrid=99, ttl=64))
    pair.quiet(3)
    assert not [event for event in pair.w1.recent() if "99" in (event.get("what") or "")]
    assert pair.moved_nothing()


def test_heartbeats_of_another_vrid_are_told(pair):
    """Both files have the same VRIDs, not swapped; or one VRID is wrong. Neither hears the peer, and both say why."""
    pair = pair(cables=2)
    text = pair.r2.config.read_text()
    pair.r2.config.write_text(
        text.replace("vrid = 21\npeer-vrid = 11", "vrid = 11\npeer-vrid = 21").replace("vrid = 22\n", "vrid = 77\n")
    )
    pair.r2.call(f"{VRRP}.Reload")
    for watch in (pair.w1, pair.w2):
        assert "VRID 11, as we do" in watch.await_what("peer-vrid:cross0")["what"]
    assert "VRID 77, expected 22" in pair.w1.await_what("peer-vrid:cross1")["what"]
    # The other one hears us well, and the file mended both are heard again.
    assert not [event for event in pair.w2.recent() if (event.get("what") or "").startswith("peer-vrid:cross1")]
    pair.r2.config.write_text(text)
    pair.r2.call(f"{VRRP}.Reload")
    for watch in (pair.w1, pair.w2):
        watch.await_what("peer-vrid:cross0", present=False)
    assert pair.r1.status()["peer"]["fresh"]


# Weights and the peer's priority.


def test_weights_that_do_not_reach_the_peers_priority_are_told(pair):
    """200 less 50 stays above the peer's 100, whatever fails; a reload with a larger weight ends it."""
    pair = pair(r1={"group": 'track = [{ link = "lo", weight = -50 }]'}, r2={"group": 'track = [{ link = "lo", weight = -50 }]'})
    pair.w1.await_present("weights-too-small:")
    told = pair.w1.group()["conditions"]
    assert told == ["weights-too-small:if all that is tracked fails, our priority is 150, and the other router's 100"]
    # The lesser one's weights count when the better one's priority falls.
    assert pair.r2.status()["conditions"] == []
    pair.r1.config.write_text(pair.r1.config.read_text().replace("weight = -50", "weight = -150"))
    pair.r1.call(f"{VRRP}.Reload")
    pair.w1.await_what("weights-too-small", present=False)


def test_cables_move_nothing(pair):
    """One of two falls silent, then both lose their carrier: reported, and nothing else happens."""
    pair = pair(cables=2)
    silent_cables(pair, "hb0")
    for watch in (pair.w1, pair.w2):
        watch.await_what("heartbeat-degraded:cross0")
    alive = {"cross0": False, "cross1": True}
    until(lambda: {cable["name"]: cable["alive"] for cable in pair.r2.status()["cables"]} == alive, f"{alive}")
    until(lambda: pair.r2.status()["peer"]["fresh"], "the peer to be fresh")
    # The pool still knows the difference between a leg that is silent and a peer that is dead.
    drop(pair.namespaces, "sw", pair.lans.port("r2", "e0"), pair.lans.port("r2", "e1"))
    undrop(pair.namespaces, "sw")
    pair.quiet()
    undrop(pair.namespaces, "r1")
    undrop(pair.namespaces, "r2")
    for watch in (pair.w1, pair.w2):
        watch.await_what("heartbeat-degraded:cross0", present=False)
    assert pair.moved_nothing()
    pair.mark()
    pair.namespaces.ip("r1", "link set hb0 down")
    pair.namespaces.ip("r2", "link set hb1 down")
    for watch in (pair.w1, pair.w2):
        for number in range(2):
            watch.await_what(f"heartbeat-degraded:cross{number}")
    pair.quiet()
    assert pair.r2.status()["peer"]["fresh"] is False
    pair.namespaces.ip("r1", "link set hb0 up")
    pair.namespaces.ip("r2", "link set hb1 up")
    for watch in (pair.w1, pair.w2):
        for number in range(2):
            watch.await_what(f"heartbeat-degraded:cross{number}", present=False)
    pair.quiet()
    assert pair.moved_nothing()
    # A cable that is replaced, interface and all.
    pair.mark()
    pair.namespaces.ip("r1", "link del hb0")
    for watch in (pair.w1, pair.w2):
        watch.await_what("heartbeat-degraded:cross0")
    pair.namespaces.veth("r1:hb0", "r2:hb0")
    for watch in (pair.w1, pair.w2):
        watch.await_what("heartbeat-degraded:cross0", present=False)
    assert pair.moved_nothing()
    assert pair.holdings.never_together()


# Words that are not the peer's.

SEPARATOR = bytes(16)


def link_local(pair, name: str) -> bytes:
    for word in pair.namespaces.ip(name, "-6 -o addr show dev hb0 scope link").split():
        if word.startswith("fe80:"):
            return socket.inet_pton(socket.AF_INET6, word.split("/")[0])
    raise LookupError(f"{name} has no link-local address")


def stamp(offset_us: int = 0) -> bytes:
    """The clock of a director, which is the machine's, in a discard-only address."""
    return bytes.fromhex("0100000000000000") + struct.pack("!Q", (time.monotonic_ns() // 1000 + offset_us) % 2**28)


def mapped(address: str) -> bytes:
    return bytes(10) + b"\xff\xff" + socket.inet_aton(address)


def heartbeat(source: bytes, identity: bytes, vrid: int, priority: int, holds: tuple = (), when: int = 0) -> bytes:
    """A director's heartbeat in an IPv6 packet, built here from its description alone."""
    held = b"".join(mapped(address) for address in holds)
    every = b"".join(mapped(address) for address in VIRTUAL)
    listed = identity + stamp(when) + held + SEPARATOR + every + SEPARATOR + every
    group = socket.inet_pton(socket.AF_INET6, "ff02::12")
    message = struct.pack("!BBBBHH", 0x31, vrid, priority, len(listed) // 16, 10, 0) + listed
    pseudo = source + group + struct.pack("!II", len(message), 112)
    total = sum(struct.unpack(f"!{(len(pseudo) + len(message)) // 2}H", pseudo + message))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    message = message[:6] + struct.pack("!H", ~total & 0xFFFF) + message[8:]
    return struct.pack("!IHBB", 6 << 28, len(message), 112, 255) + source + group + message


def test_words_that_are_not_the_peers_are_counted_and_move_nothing(pair):
    """Each of them, believed, would move the group: that the peer resigns, or that it holds and is better."""
    pair = pair(cables=2)
    one, two = link_local(pair, "r1"), link_local(pair, "r2")

    def send(packet: bytes, device: str = "hb0", ether: int = 0x86DD) -> None:
        def put():
            with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sender:
                sender.sendto(packet, (device, ether, 0, 0, bytes.fromhex("333300000012")))

        pair.namespaces.inside("r2", put)

    def counted(name: str) -> int:
        status = pair.r1.call(f"{VRRP}.Status")
        if name in status["groups"][0]:
            return status["groups"][0][name]
        return sum(entry["count"] for entry in status["discards"] if entry["reason"] == name)

    def ignored(counter: str, packet: bytes, **where) -> None:
        before, number = counted(counter), 5
        for _ in range(number):
            send(packet, **where)
        until(lambda: counted(counter) >= before + number, f"{number} more of {counter}")

    better = dict(priority=250, holds=VIRTUAL)
    # Our own, come back.
    ignored("heartbeatEchoes", heartbeat(one, one, 11, **better))
    ignored("heartbeatEchoes", heartbeat(two, one, 21, **better))
    # A peer whose file has the two numbers the wrong way round.
    ignored("heartbeatEchoes", heartbeat(two, two, 11, when=5_000_000, **better))
    # No such heartbeat; the other cable's, here; not a word at all.
    ignored("vrid", heartbeat(two, two, 99, **better))
    ignored("vrid", heartbeat(two, two, 22, **better), device="hb0")
    ignored("vrid", heartbeat(two, two, 21, **better), device="hb1")
    # Overtaken: said before what is known already.
    ignored("heartbeatsStale", heartbeat(two, two, 21, when=-60_000_000, **better))
    pair.quiet(4)
    assert pair.moved_nothing()

    # After a reload as well, and a stale word does not outlive the newer one that it contradicts.
    pair.reconfigure(group="preempt-delay = \"50ms\"")
    ignored("heartbeatsStale", heartbeat(two, two, 21, when=-10_000_000, **better))
    pair.quiet(4)
    assert pair.moved_nothing()
    until(lambda: pair.r1.status()["peer"]["fresh"], "the peer to be fresh")
    peer = pair.r1.status()["peer"]
    assert (peer["priority"], peer["holds"]) == (PRIORITIES["r2"], [])

    # The same word from the peer in time is believed: the tests above mean something.
    pair.mark()
    for _ in range(20):
        send(heartbeat(two, two, 21, when=200_000, **better))
    assert pair.w1.await_transition("backup")["reason"] == "two-holders"


# The cut that keeps its carrier.


@pytest.mark.parametrize("interval", ["1s", "100ms"])
def test_a_silent_cut_of_the_masters_leg_moves_both(pair, say, interval):
    """By default configuration and one cable. The directors know a neighbour there, as routers do; or a witness is named.

    The bound is four advert intervals and half a second, and one more for a busy machine, counted in the adverts that the
    master still sends on its other leg: a clock that such a machine slows down with everything else.
    """
    witness = {"100ms": 'witness = ["198.51.100.22"]', "1s": ""}[interval]
    pair = pair(inside=witness)
    if not witness:
        for name in ("r1", "r2"):
            learn(pair.namespaces, name, "198.51.100.22")
    pair.reconfigure(interval=None if interval == "1s" else interval)
    seconds = {"1s": 1.0, "100ms": 0.1}[interval]
    pair.quiet(2)
    pair.mark()
    cut, before = time.monotonic(), pair.sent("r1")
    pair.lans.silence("r1", "e1")
    pair.w1.await_what("isolated:e1")
    pair.w1.await_transition("fault")
    pair.w2.await_transition("master")
    pair.holdings.await_by("r2")
    took, sent = pair.holdings.taken() - cut, pair.sent("r1") - before
    say(f"silent cut of L11, adverts {interval}: both legs on r2 after {milliseconds(took)}, and {sent} adverts")
    assert sent <= (4 * seconds + 0.5 + 1) / seconds + 1
    # A host on that LAN reaches the address where it is now; keepalived and FRR leave the LAN dead.
    reach(pair.namespaces, "cb", INSIDE)
    pair.lans.unsilence("r1", "e1")
    pair.w1.await_what("isolated:e1", present=False)
    pair.settle()
    assert pair.holdings.never_together(), pair.holdings.together


def learn(namespaces, name: str, address: str) -> None:
    """Lets a director's kernel find out a neighbour's MAC address."""

    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.sendto(b"?", (address, 9))

    namespaces.inside(name, ask)
    until(lambda: "lladdr" in namespaces.ip(name, f"neigh show {address}"), f"{name} to know {address}")


def test_a_silent_cut_of_the_backups_leg_moves_nothing(pair):
    pair = pair(inside='witness = ["198.51.100.22"]')
    pair.lans.silence("r2", "e1")
    pair.w1.await_what("peer-deaf:inside")
    pair.w2.await_what("isolated:e1")
    pair.w2.await_transition("fault")
    pair.quiet()
    assert pair.r1.status()["causes"] == []
    pair.lans.unsilence("r2", "e1")
    pair.w2.await_what("isolated:e1", present=False)
    pair.w2.await_transition("backup")
    pair.w1.await_what("peer-deaf:inside", present=False)
    pair.quiet(4)
    assert pair.w1.transitions() == [] and pair.holdings.recent() == []


def test_a_heartbeat_over_a_leg_helps_when_the_cable_is_lost_first(pair):
    """Without any heartbeat a silent cut cannot be told from the peer's end. So one may run over the other leg."""
    pair = pair(over=("e0",), inside='witness = ["198.51.100.22"]')
    silent_cables(pair, "hb0")
    for watch in (pair.w1, pair.w2):
        watch.await_what("heartbeat-degraded:cross0")
    pair.mark()
    pair.lans.silence("r1", "e1")
    pair.w1.await_what("isolated:e1")
    assert pair.w2.await_transition("master")["reason"] == "at-once"
    pair.holdings.await_by("r2")
    assert pair.holdings.never_together(), pair.holdings.together


# Silence everywhere.


def fence_of(tmp_path):
    """A fence that succeeds once there is a file, and writes down each time that it was run."""
    tmp_path.chmod(0o777)
    script, log, allowed = tmp_path / "fence", tmp_path / "log", tmp_path / "allowed"
    script.write_text(f'#!/bin/sh\necho "$LINKWATCH_GROUP" >> {log}\nexec /usr/bin/test -e {allowed}\n')
    script.chmod(0o755)
    log.touch()
    log.chmod(0o666)
    return script, log, allowed


def test_a_fence_must_succeed_before_anything_is_taken(pair, tmp_path, say):
    script, log, allowed = fence_of(tmp_path)
    pair = pair(r2={"more": f'[group.lvs.fence]\nexec = ["{script}"]\ntimeout = "2s"\n'})
    # Adverts that do not arrive are no reason while the cable speaks.
    drop(pair.namespaces, "r2", "e0", "e1")
    pair.w2.await_what("adverts-blocked")
    pair.quiet()
    undrop(pair.namespaces, "r2")
    pair.w2.await_what("adverts-blocked", present=False)
    assert pair.moved_nothing() and log.read_text() == ""

    pair.mark()
    pair.r1.crash()
    pair.w2.await_what("fencing")
    pair.w2.await_what("fence-failed")
    # What the dead one held is free, and still nobody takes it.
    pair.holdings.await_true(lambda: not any(pair.holdings.held.values()), what="the addresses to be free")
    assert pair.w2.transitions() == []
    allowed.touch()
    assert pair.w2.await_transition("master")["reason"] == "dead"
    pair.holdings.await_by("r2")
    runs = log.read_text().split()
    assert len(runs) >= 2 and set(runs) == {"lvs"}
    until(lambda: pair.r2.status()["conditions"] == ["heartbeat-degraded:cross0"], "no other condition")
    say(f"fence: {len(runs)} runs, the last one succeeded and the group took")


def test_a_fence_that_hangs_is_killed_and_has_failed(pair, tmp_path):
    script, _, _ = fence_of(tmp_path)
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    pair = pair(r2={"more": f'[group.lvs.fence]\nexec = ["{script}"]\ntimeout = "200ms"\n'})
    pair.r1.crash()
    pair.w2.await_what("fencing")
    pair.w2.await_what("fence-failed")
    assert pair.w2.transitions() == []


# Two holders.


def test_two_that_hold_and_cannot_hear_each_other_elect_over_the_cable(pair):
    """Adverts are dropped on both LANs and the cable is out: both serve. The cable alone then settles it."""
    pair = pair(group='probe-before-takeover = false\nannounce-repeat = "0s"')
    ports = [pair.lans.port(name, leg) for name in ("r1", "r2") for leg in ("e0", "e1")]
    silent_cables(pair, "hb0")
    drop(pair.namespaces, "sw", *ports)
    assert pair.w2.await_transition("master")["reason"] == "dead"
    pair.holdings.await_true(lambda: all(len(held) == 2 for held in pair.holdings.held.values()), what="two holders")
    pair.mark()
    macs = {name: pair.namespaces.run(name, "cat", "/sys/class/net/e0/address").strip() for name in ("r1", "r2")}
    claims = Claims(pair.namespaces)
    try:
        undrop(pair.namespaces, "r2")
        assert pair.w2.await_transition("backup")["reason"] == "two-holders"
        pair.holdings.await_by("r1")
        # The first that the winner hears of the loser is that it holds nothing. Still it was the last to say where the
        # address is, so the winner says it again.
        claims.mark()
        undrop(pair.namespaces, "r1")
        claims.await_item(lambda claim: claim == (OUTSIDE, macs["r1"]), what="the winner's announcement")
        pair.quiet(4)
        assert [mac for address, mac in claims if address == OUTSIDE][-1] == macs["r1"]
    finally:
        claims.close()
    pair.w2.await_what("adverts-blocked")
    pair.quiet()
    assert pair.w1.transitions() == []


def test_a_master_that_is_not_heard_yields(pair):
    """Without a cable, and adverts pass one way only: the better one is the one who is not heard."""
    pair = pair(cables=0, r2={"group": "probe-before-takeover = false"})
    drop(pair.namespaces, "r2", "e0", "e1")
    pair.w2.await_transition("master")
    assert pair.w1.await_transition("backup")["reason"] == "unheard"
    pair.holdings.await_by("r2")
    assert "unheard" in pair.r1.status()["conditions"]
    pair.mark()
    pair.quiet(12, "r2")
    assert pair.moved_nothing(), "it does not preempt somebody who would not hear of it"
