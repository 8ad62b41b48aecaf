"""Subscribers that are particular, slow, or early.

    NAMESPACE m (monitored)                    NAMESPACE p (peer)
    linkwatchd
    [e0] ------------ veth ------------------- [e0]
"""

import signal
import socket

import pytest

from lab.watch import Connection, Events

QUEUE_LIMIT = '[socket]\nqueue-limit = "64KiB"\n'


class Lab:
    """The topology above and its daemon."""

    def __init__(self, namespaces, daemon_in, config: str | None = None):
        self.ns = namespaces
        self.ns.add("m", "p")
        self.ns.veth("m:e0", "p:e0")
        self.daemon = daemon_in("m", config=config)

    def dump(self) -> dict[int, dict]:
        return {interface["ifindex"]: steady(interface) for interface in self.daemon.call("Dump")["interfaces"]}


def steady(interface: dict) -> dict:
    """The interface without the times at which probes confirmed their answers."""
    words = {name: word | {"confirmedUsec": None} for name, word in interface["evidence"].items()}
    return interface | {"evidence": words}


@pytest.fixture
def lab(namespaces, daemon_in, request):
    return Lab(namespaces, daemon_in, config=getattr(request, "param", None))


# By name


def test_a_rename_is_told_to_those_who_know_either_name(lab):
    with lab.daemon.watch(interfaces=["e0"]) as old, lab.daemon.watch(interfaces=["outside"]) as new:
        assert [event["kind"] for event in old[:2]] == ["snapshot", "synced"]
        assert [event["kind"] for event in new[:1]] == ["synced"]
        lab.ns.ip("m", "link set e0 down", "link set e0 name outside", "link set outside up")
        for watch in old, new:
            assert watch.await_kind("renamed")["interface"]["ifname"] == "outside"
        new.await_interface("outside", rawState="up")
        lab.ns.ip("m", "link set outside down", "link set outside name e0", "link set e0 up")
        old.await_interface("e0", rawState="up")
        assert new.await_item(lambda event: event["kind"] == "renamed" and event["interface"]["ifname"] == "e0")
        assert not [event for event in old if event["kind"] == "changed" and event["interface"]["ifname"] == "outside"]


def test_the_end_of_an_alternative_name_is_told(lab):
    lab.ns.ip("m", "link property add dev e0 altname uplink")
    with lab.daemon.watch(interfaces=["uplink"]) as watch:
        watch.await_state("e0", altnames=["uplink"])
        lab.ns.ip("m", "link property del dev e0 altname uplink")
        watch.await_state("e0", altnames=[])


def test_a_name_that_is_asked_for_is_probed_when_it_comes(lab):
    with lab.daemon.watch(interfaces=["t0"]) as watch:
        lab.ns.tap("m", "t0")
        watch.await_item(
            lambda event: (event.get("interface") or {}).get("evidence", {}).get("driver", {}).get("state") == "up",
            what="the driver's word",
        )
        assert lab.daemon.call("Statistics")["driver"]["ports"] == 1
        with lab.daemon.watch(interfaces=["t0"]):
            pass
        assert lab.daemon.call("Statistics")["driver"]["ports"] == 1
    with lab.daemon.watch() as watch:
        watch.await_true(
            lambda: watch.interface("t0")["evidence"]["driver"]["state"] == "unsupported", what="the end of the probes"
        )


def test_who_asks_and_goes_leaves_no_false_word_behind(lab):
    """A tap is like a network card: the driver knows of the cut at once, the kernel says so up to a second later."""
    tap = lab.ns.tap("m", "t0")
    with lab.daemon.watch() as witness:
        witness.await_state("t0", rawState="up")
        with lab.daemon.watch(interfaces=["t0"]) as watch:
            watch.await_true(lambda: watch.interface("t0")["evidence"]["driver"]["state"] == "up", what="the driver")
            witness.mark()
            tap.carrier(False)
            watch.await_state("t0", rawState="down")
        witness.await_true(lambda: witness.interface("t0")["evidence"]["carrier"]["state"] == "down", what="the kernel")
        told = [event["interface"]["rawState"] for event in witness.recent() if event["interface"]["ifname"] == "t0"]
        assert "up" not in told[told.index("down") :]
        assert witness.interface("t0")["flaps"] == 1
        tap.carrier(True)
        witness.await_true(
            lambda: witness.interface("t0")["evidence"]["driver"]["state"] == "unsupported", what="the end of the probe"
        )
        witness.await_state("t0", rawState="up")


def test_a_port_that_was_off_and_on_in_one_step_is_probed_anew(lab):
    """The daemon is stopped meanwhile and finds both messages at once: what the probe said before no longer counts."""
    with lab.daemon.watch(interfaces=["e0"]) as watch:

        def driver_is_up() -> bool:
            return watch.interface("e0")["evidence"]["driver"]["state"] == "up"

        watch.await_true(driver_is_up, what="the driver's word")
        watch.mark()
        lab.daemon.signal(signal.SIGSTOP)
        lab.ns.ip("m", "link set e0 down", "link set e0 up")
        lab.daemon.signal(signal.SIGCONT)
        watch.await_interface("e0", reason="admin")
        watch.await_true(driver_is_up, what="the driver's word again")


# Slow


class SlowReader(Events):
    """A subscriber that reads only when it is told to; its own receive buffer is as small as the kernel allows."""

    def __init__(self, path):
        super().__init__("slow reader")
        self.connection = Connection(path)
        self.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.connection.send("Watch", {"routes": False}, more=True)

    def read_until(self, predicate) -> None:
        while not (self and predicate(self[-1])):
            self.append(self.connection.receive()["parameters"]["event"])


def _is_synced(event: dict) -> bool:
    return event["kind"] == "synced"


@pytest.mark.parametrize("lab", [QUEUE_LIMIT], indirect=True)
def test_what_changes_in_the_middle_of_a_snapshot_is_not_missed(lab):
    """600 interfaces do not fit into its queue: some changes are behind the mark of its snapshot, some ahead of it."""
    pairs = [f"link add v{n} index {20000 + 2 * n} type veth peer name w{n} index {20001 + 2 * n}" for n in range(300)]
    lab.ns.ip("m", *pairs)
    with lab.daemon.watch() as watch:
        watch.await_true(lambda: watch.interface("w299") is not None, what="all of them")
        reader = SlowReader(lab.daemon.socket)
        reader.read_until(lambda event: (event.get("interface") or {}).get("ifname") == "v10")
        changes = ["link delete v1", "link set v2 mtu 1400", "link set v3 name first"]
        changes += ["link delete v297", "link set v298 mtu 1400", "link set v299 name last"]
        changes += ["link add first-index index 5000 type bridge", "link add last-index index 30000 type bridge"]
        lab.ns.ip("m", *changes)
        watch.await_true(lambda: watch.interface("last-index") is not None, what="the last change")
    reader.read_until(_is_synced)
    assert not [event for event in reader if event["kind"] == "overflow"]
    lab.ns.ip("m", "link add end type bridge")
    reader.read_until(lambda event: (event.get("interface") or {}).get("ifname") == "end")
    mirror = {ifindex: steady(interface) for ifindex, interface in reader.mirror().items()}
    assert mirror == lab.dump()
    reader.connection.close()


@pytest.mark.parametrize("lab", [QUEUE_LIMIT], indirect=True)
def test_who_falls_behind_gets_overflow_and_a_fresh_snapshot(lab):
    reader = SlowReader(lab.daemon.socket)
    reader.read_until(_is_synced)
    with lab.daemon.watch() as watch:
        while lab.daemon.call("Statistics")["overflows"] == 0:
            lab.ns.ip("m", *(f"link set e0 mtu {mtu}" for mtu in range(1000, 1100)))
        lab.ns.ip("m", "link set e0 mtu 1234", "link add late type bridge")
        watch.await_true(lambda: watch.interface("late") is not None, what="the last change")
    reader.read_until(lambda event: event["kind"] == "overflow")
    begun = len(reader)
    reader.read_until(_is_synced)
    assert {event["kind"] for event in reader[begun:-1]} == {"snapshot"}
    assert reader.interface("e0")["mtu"] == 1234
    assert {ifindex: steady(interface) for ifindex, interface in reader.mirror().items()} == lab.dump()
    reader.connection.close()
